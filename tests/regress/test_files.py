"""Traps name the file that they are in, and say their message whatever it is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from loma.diagnostics import RunError
from loma.host.course import compile

HELPER = """def checked(x : In[float]) -> float:
    assert x > 0.0, "é 😀 ??/"
    return sqrt(x)

def part(x : In[float], i : In[int]) -> float:
    a : Array[float, 3]
    a[i] = x
    s : Stack[float]
    if i > 1:
        return s.pop()
    return a[i]
"""
MAIN = """import helper

def f(x : In[float], i : In[int]) -> float:
    t : Array[float, 2]
    t[i] = x
    return helper.checked(x) + t[i] + helper.part(x, i + 1)

r_f = rev_diff(f)
"""


def stopped(call: object, *args: object) -> tuple[str, int, str]:
    with pytest.raises(RunError) as caught:
        call(*args)  # type: ignore[operator]
    e = caught.value
    return Path(e.file).name, e.line, str(e).split(": ", 1)[1]


@pytest.mark.parametrize("target", ["llvm", "c"])
def test_imported_files_are_named(target: str, tmp_path: Path) -> None:
    (tmp_path / "helper.loma").write_text(HELPER, "utf-8")
    _, lib = compile(MAIN, target, path=[str(tmp_path)], file=str(tmp_path / "main.loma"))
    assert stopped(lib.f, -1.0, 0) == ("helper.loma", 2, "é 😀 ??/")
    assert stopped(lib.f, -1.0, 2)[:2] == ("main.loma", 5)
    assert stopped(lib.f, 1.0, 1)[:2] == ("helper.loma", 10)
