"""Names that C keeps for itself: members, variables and types of loma may bear most of them."""

from __future__ import annotations

import pytest

from loma.diagnostics import UserError
from loma.host.course import compile

WORDS = ("double", "double_", "struct", "NULL", "true", "INFINITY", "__linux__", "_Bool", "error")


@pytest.mark.parametrize("target", ["llvm", "c"])
def test_members(target: str) -> None:
    members = "".join(f"    {w} : float\n" for w in WORDS)
    total = " + ".join(f"s.{w} * {k}" for k, w in enumerate(WORDS))
    structs, lib = compile(
        f"class S:\n{members}\ndef f(s : In[S]) -> float:\n    return {total}\nd = fwd_diff(f)\n",
        target,
    )
    s = structs["S"](*range(1, len(WORDS) + 1))
    assert lib.f(s) == sum(k * (k + 1) for k in range(len(WORDS)))


@pytest.mark.parametrize("target", ["llvm", "c"])
@pytest.mark.parametrize("word", WORDS)
def test_variables(target: str, word: str) -> None:
    _, lib = compile(
        f"def f({word} : In[float]) -> float:\n    _{word} : float = {word} * 2.0\n"
        f"    return _{word} * {word}\nr = rev_diff(f)\n",
        target,
    )
    assert lib.f(3.0) == 18.0


@pytest.mark.parametrize("name", ["f64", "i32", "bool"])
def test_scalar_types_are_taken(name: str) -> None:
    with pytest.raises(UserError) as caught:
        compile(f"class {name}:\n    m : float\n", "llvm", print_error=False)
    assert [d.code for d in caught.value.diagnostics] == ["E0204"]
