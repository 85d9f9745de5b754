"""Malformed programs, each with its full rendered error.

A case is `NAME.loma`: the program, a line `=== diagnostics ===`, the text, which `pytest --bless`
rewrites.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from loma.diagnostics import UserError
from loma.driver import core_module
from loma.frontend.codes.index import Entry, index

FOLDER = Path(__file__).parent
MARK = "\n=== diagnostics ===\n"
CASES = sorted(FOLDER.glob("*.loma"))
ELSEWHERE = ("E0133", "E0604", "E1502")


def report(program: str, name: str) -> UserError:
    """The error that a malformed program raises."""
    with pytest.raises(UserError) as caught:
        core_module(program, name)
    return caught.value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_rendered(case: Path, request: pytest.FixtureRequest) -> None:
    """The whole text is as expected."""
    program, _, expected = case.read_text().partition(MARK)
    error = report(program, case.name)
    found = f"{type(error).__name__}\n{error.to_string()}\n"
    if request.config.getoption("--bless", default=False):
        case.write_text(f"{program}{MARK}{found}")
    else:
        assert found == expected


@pytest.mark.parametrize("text", ["def f():\n    \0pass\n", "def f():\n    # \ud800\n    pass\n"])
def test_unreadable(text: str) -> None:
    """Null characters and halves of surrogate pairs are reported where they stand."""
    error = report(text, "bytes.loma")
    assert [d.code for d in error.diagnostics] == ["E0133"]
    assert error.diagnostics[0].span.line == 2
    error.to_string().encode()


def test_order_is_bounded() -> None:
    """A hundredth derivative is refused."""
    chain = "".join(f"d{k} = fwd_diff(d{k + 1})\n" for k in range(300))
    error = report(chain + "def d300(x : In[float]) -> float:\n    return x\n", "orders.loma")
    assert {d.code for d in error.diagnostics} == {"E0604"}


def test_corpus_is_large() -> None:
    """There are at least 120 malformed programs."""
    assert len(CASES) >= 120


def test_every_code_has_a_case() -> None:
    """Each error code is the finding of some case."""
    text = "\n".join(case.read_text() for case in CASES)
    missing = [entry.code for entry in index() if f"error[{entry.code}]" not in text]
    missing = [code for code in missing if code not in ELSEWHERE]
    assert missing == []


@pytest.mark.parametrize(
    "entry", [e for e in index() if e.code not in ELSEWHERE], ids=lambda entry: entry.code)
def test_example_of_the_index(entry: Entry) -> None:
    """The example of each entry of the error index raises just that error."""
    found = {d.code for d in report(entry.example, "example.loma").diagnostics}
    assert found == {entry.code}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_house_style(case: Path) -> None:
    """Messages and labels start lowercase and end without a full stop; spans lie in the program."""
    program = case.read_text().partition(MARK)[0]
    for d in report(program, case.name).diagnostics:
        for text in (d.message, d.label, d.help):
            assert not text.endswith(".") or text.endswith("...")
            assert text[:1] == text[:1].lower()
        assert 1 <= d.span.line <= program.count("\n") + 1
        assert d.help, "every finding says what to do"
