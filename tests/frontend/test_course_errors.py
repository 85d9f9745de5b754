"""The error classes that hosts written for the course catch, with their payloads."""

from __future__ import annotations

import pytest

from loma.diagnostics import CompileError, UserError
from loma.frontend import errors, load, typed


def error_of(program: str) -> UserError:
    """What a malformed program raises."""
    with pytest.raises(UserError) as caught:
        load(program)
    assert isinstance(caught.value, CompileError)
    assert caught.value.to_string()
    return caught.value


def test_missing_annotation() -> None:
    """An argument without In or Out."""
    e = error_of("def g(x : float) -> float:\n    return x\n")
    assert isinstance(e, errors.FuncArgNotAnnotated)
    assert e.node.lineno == 1


def test_duplicate_declare() -> None:
    """The payload names both declarations."""
    e = error_of("def g() -> float:\n    x : float = 1\n    x : float = 2\n    return x\n")
    assert isinstance(e, errors.DuplicateVariable)
    assert (e.var, e.first_declare_stmt.lineno, e.duplicate_declare_stmt.lineno) == ("x", 2, 3)


def test_undeclared_write() -> None:
    """An assignment to a name that is not declared."""
    e = error_of("def g() -> float:\n    a : float = 1.0\n    b = 2.0\n    return a\n")
    assert isinstance(e, errors.UndeclaredVariable)
    assert (e.var, e.stmt.lineno) == ("b", 3)


def test_undeclared_read() -> None:
    """A use of a name that is not declared."""
    e = error_of("def g() -> float:\n    a : float = 1.0\n    return a * b\n")
    assert isinstance(e, errors.UndeclaredVariable)
    assert (e.var, e.stmt.lineno) == ("b", 3)


def test_dead_code() -> None:
    """The payload is the return."""
    e = error_of("def g(x : In[int]) -> int:\n    return x\n    y : int = x\n")
    assert isinstance(e, errors.ReturnNotLastStmt)
    assert e.stmt.lineno == 2


def test_unbounded_array() -> None:
    """A local array without a length."""
    e = error_of("def g(x : In[float]) -> float:\n    y : Array[float]\n    return x\n")
    assert isinstance(e, errors.DeclareUnboundedArray)
    assert e.stmt.lineno == 2


def test_call_with_out_in_expression() -> None:
    """A call that writes its argument, as a value."""
    e = error_of(
        "def h(y : Out[int]) -> int:\n    y = 1\n    return 2\n\n"
        "def g() -> int:\n    y : int\n    z : int = h(y)\n    return z\n")
    assert isinstance(e, errors.CallWithOutArgNotInCallStmt)
    assert e.expr.lineno == 7


def test_early_return_is_legal() -> None:
    """Our language has returns in branches."""
    m = load("def g(x : In[int]) -> float:\n    if x > 0:\n        return 0.0\n    return 1.0\n")
    assert isinstance(m.functions["g"].body[0], typed.If)


def test_inner_declaration_is_legal() -> None:
    """Our language has declarations in blocks."""
    load("def g(x : In[float]) -> float:\n    if x > 0.0:\n        y : Array[float, 10]\n"
         "    return x\n")


VEC = "class V:\n    x : float\n\n"


@pytest.mark.parametrize(("kind", "field", "line", "program"), [
    (errors.ArrayAccessTypeMismatch, "expr", 2,
     "def g(x : In[float]) -> float:\n    return x[0]\n"),
    (errors.ArrayAccessTypeMismatch, "expr", 2,
     "def g(a : In[Array[float]]) -> float:\n    return a[0.5]\n"),
    (errors.StructAccessTypeMismatch, "expr", 2,
     "def g(x : In[float]) -> float:\n    return x.y\n"),
    (errors.StructMemberNotFound, "expr", 5, VEC + "def g(v : In[V]) -> float:\n    return v.y\n"),
    (errors.BinaryOpTypeMismatch, "expr", 5, VEC + "def g(v : In[V]) -> V:\n    return v + v\n"),
    (errors.CallTypeMismatch, "expr", 2, "def g(x : In[float]) -> float:\n    return sin(x, x)\n"),
    (errors.ReturnTypeMismatch, "stmt", 5, VEC + "def g(v : In[V]) -> float:\n    return v\n"),
    (errors.AssignTypeMismatch, "stmt", 5, VEC + "def g(v : In[V]):\n    v = 1\n"),
    (errors.DeclareTypeMismatch, "stmt", 5, VEC + "def g(v : In[V]):\n    x : float = v\n"),
    (errors.IfElseCondTypeMismatch, "expr", 5,
     VEC + "def g(v : In[V]):\n    if v:\n        v.x = 1\n"),
    (errors.CallIDNotFound, "expr", 2, "def g(x : In[float]) -> float:\n    return h(x)\n"),
])
def test_payload(kind: type[UserError], field: str, line: int, program: str) -> None:
    """Each class carries the node at fault."""
    e = error_of(program)
    assert type(e) is kind
    assert getattr(e, field).lineno == line


def test_first_finding_decides_the_class() -> None:
    """All findings are collected; the first in the text gives the class."""
    e = error_of("def g(x : In[float]) -> float:\n    y = x\n    return h(x) + x[0]\n")
    assert isinstance(e, errors.UndeclaredVariable)
    assert [d.code for d in e.diagnostics] == ["E0201", "E0207", "E0302"]
