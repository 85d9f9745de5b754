"""The contract, part 5: the error classes that hosts catch, their payload and their lines (spec
sections 5, 7).
"""

from __future__ import annotations

from typing import Any

import pytest

from loma import compile
from loma.diagnostics import CompileError, InternalError, UserError
from loma.frontend import errors

CASES = [
    ("FuncArgNotAnnotated", "def f(x) -> float:\n    return x\n", "node.lineno", 1),
    ("FuncArgNotAnnotated", "def f(x : float) -> float:\n    return x\n", "node.lineno", 1),
    (
        "DuplicateVariable",
        "def f() -> int:\n    a : int = 1\n    a : int = 2\n    return a\n",
        "duplicate_declare_stmt.lineno",
        3,
    ),
    (
        "DuplicateVariable",
        "def f() -> int:\n    a : int = 1\n    a : int = 2\n    return a\n",
        "first_declare_stmt.lineno",
        2,
    ),
    (
        "DuplicateVariable",
        "def f(a : In[int]) -> int:\n    if a > 1:\n        a : int = 2\n    return a\n",
        "var",
        "a",
    ),
    (
        "UndeclaredVariable",
        "def f() -> float:\n    a : float = 1.0\n    b = 6.0\n    return a\n",
        "stmt.lineno",
        3,
    ),
    (
        "ReturnNotLastStmt",
        "def f() -> float:\n    return 1.0\n    a : float = 2.0\n",
        "stmt.lineno",
        2,
    ),
    (
        "DeclareUnboundedArray",
        "def f() -> float:\n    a : Array[float]\n    return a[0]\n",
        "stmt.lineno",
        2,
    ),
    (
        "CallWithOutArgNotInCallStmt",
        "def g(x : Out[float]) -> float:\n    x = 1\n    return x\n"
        "def f() -> float:\n    a : float\n    return g(a)\n",
        "expr.lineno",
        6,
    ),
    (
        "ArrayAccessTypeMismatch",
        "def f(x : In[float]) -> float:\n    return x[0]\n",
        "expr.lineno",
        2,
    ),
    (
        "StructAccessTypeMismatch",
        "def f(x : In[float]) -> float:\n    return x.y\n",
        "expr.lineno",
        2,
    ),
    (
        "StructMemberNotFound",
        "class A:\n    v : float\ndef f(x : In[A]) -> float:\n    return x.w\n",
        "expr.lineno",
        4,
    ),
    (
        "BinaryOpTypeMismatch",
        "class A:\n    v : float\ndef f(x : In[A]) -> float:\n    return x + 1.0\n",
        "expr.lineno",
        4,
    ),
    (
        "CallTypeMismatch",
        "class A:\n    v : float\ndef f(x : In[A]) -> float:\n    return sin(x)\n",
        "expr.lineno",
        4,
    ),
    (
        "ReturnTypeMismatch",
        "class A:\n    v : float\ndef f(x : In[A]) -> float:\n    return x\n",
        "stmt.lineno",
        4,
    ),
    (
        "AssignTypeMismatch",
        "class A:\n    v : float\ndef f(x : In[A]) -> float:\n    x = 1.0\n    return x.v\n",
        "stmt.lineno",
        4,
    ),
    (
        "DeclareTypeMismatch",
        "class A:\n    v : float\ndef f(x : In[A]) -> float:\n    y : float = x\n    return y\n",
        "stmt.lineno",
        4,
    ),
    (
        "IfElseCondTypeMismatch",
        "class A:\n    v : float\ndef f(x : In[A]) -> float:\n    if x:\n        return 1.0\n"
        "    return 2.0\n",
        "expr.lineno",
        4,
    ),
    ("CallIDNotFound", "def f() -> float:\n    return unheard(1.0)\n", "expr.lineno", 2),
]
WORKING = {
    "early return": (
        "def f(x : In[int]) -> int:\n    if x > 1:\n        return 5\n    return 6\n",
        5,
    ),
    "a declaration in a branch": (
        "def f(x : In[int]) -> int:\n    if x > 1:\n        b : int = 5\n        x = x + b\n"
        "    return x\n",
        7,
    ),
    "sibling blocks share a name": (
        "def f(x : In[int]) -> int:\n    if x > 5:\n        b : int = 5\n        x = b\n    else:\n"
        "        b : int = 6\n        x = x * b\n    return x\n",
        12,
    ),
    "user functions named as in C": (
        "def y1(half : In[int]) -> int:\n    return half\n"
        "def sub(x : In[int]) -> int:\n    return y1(x)\n"
        "def dot(x : In[int]) -> int:\n    return sub(x)\n"
        "def f(int_ : In[int]) -> int:\n    return dot(int_)\n",
        2,
    ),
}


@pytest.mark.parametrize("name,program,path,value", CASES, ids=[f"{c[0]}.{c[2]}" for c in CASES])
def test_error(
    name: str, program: str, path: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The class is the one that the course names, its payload is there, and the text shows the
    line.
    """
    with pytest.raises(getattr(errors, name)) as caught:
        compile(program)
    error: Any = caught.value
    assert isinstance(error, UserError) and isinstance(error, CompileError)
    assert not isinstance(error, InternalError)
    for step in path.split("."):
        error = getattr(error, step)
    assert error == value
    text = caught.value.to_string()
    assert "^" in text and "help" in text
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("target", ["llvm", "c"])
@pytest.mark.parametrize("name", WORKING)
def test_what_is_no_error_any_more(
    name: str, target: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """These programs compile, run, and nothing is printed."""
    program, value = WORKING[name]
    _, lib = compile(program, target=target)
    assert lib.f(2) == value
    assert capfd.readouterr() == ("", "")
