"""What notebooks show of functions and kernels."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest

import loma
from loma import Array, In, Out, sin, thread_id


@loma.function
def wave(a: In[float], x: In[float]) -> float:
    """A wave."""
    u: float = a * x
    return sin(u) if u < 10 else 0.0


@loma.kernel
def waves(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = wave(a, x[i])


GENERIC = """\
T = TypeVar("T")

def twice(x : In[T]) -> T:
    return x + x
"""
REFUSED = """\
def f(x : In[Array[float]], n : In[int]) -> float:
    x[n] = x[0] * x[0]
    return x[n]
"""
BALANCED = {"div", "pre", "span", "style", "label", "p"}


class Balance(HTMLParser):
    """Checks that what is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in BALANCED:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def titles(html: str) -> list[str]:
    """The tabs."""
    return re.findall(r"<label[^>]*>([^<]*)</label>", html)


def plain(html: str) -> str:
    """The text without tags."""
    return unescape(re.sub(r"<style>.*?</style>|<[^>]*>", "", html))


@pytest.mark.parametrize("f", [wave, waves], ids=lambda f: f.name)
def test_tabs(f: loma.Function) -> None:
    html = f._repr_html_()
    parser = Balance()
    parser.feed(html)
    assert not parser.open
    assert "<script" not in html
    assert titles(html) == [
        "Signature", "Source", "Forward derivative", "Reverse derivative", "LLVM", "C"]
    text = plain(html)
    assert f"def {f.name}(a: In[float]" in text
    assert f"_d_rev_{f.name}(" in text and "_dreturn" in text or f.is_kernel
    assert "define " in text and "#include" in text
    assert html.count(" checked>") == 1


def test_lines_of_a_derivative_name_those_of_the_program() -> None:
    html = wave._repr_html_()
    assert 'title="u: float = a * x"' in html
    number = wave.program.root.written.span.line  # type: ignore[union-attr]
    assert f"{number + 2:>4} | " in plain(html)


def test_a_derivative_shows_its_own_code() -> None:
    html = loma.rev_diff(wave)._repr_html_()
    assert titles(html) == ["Signature", "Source", "LLVM", "C"]
    assert "adj_a" in plain(html)


def test_generic_functions_and_refused_derivatives() -> None:
    program = loma.load(GENERIC)
    assert titles(program.twice._repr_html_()) == ["Signature", "Source"]
    shown = plain(loma.load(REFUSED).f._repr_html_())
    assert "error[E0603]" in shown


def test_two_displays_do_not_share_their_buttons() -> None:
    names = {re.findall(r'name="([^"]*)"', wave._repr_html_())[0] for _ in range(3)}
    assert len(names) == 3


def test_the_plain_form_stays_short() -> None:
    assert repr(wave) == "<loma function wave(a: In[float], x: In[float]) -> float>"
