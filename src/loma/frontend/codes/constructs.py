"""E01xx: statements and expressions of Python that loma does not have."""

from __future__ import annotations

from typing import Final

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes.base import finding
from loma.frontend.errors import BinaryOpTypeMismatch, Finding

REWRITES: Final = {
    "@": "write the sum over the elements as a loop",
    "is": "write `==`",
    "is not": "write `!=`",
    "in": "write `x in (1, 2, 3)` or `0 <= x < n`, or a loop that compares each element",
    "not in": "write `x not in (1, 2, 3)`, or a loop that compares each element",
}


def statement(span: Span, what: str, help: str = "") -> Finding:
    """A Python statement that loma does not have.

    Some statements of Python have no counterpart.

        def f(x : In[float]):
            del x
    """
    return finding("E0111", f"{what} is not part of the language", span, help=help or "delete it")


def expression(span: Span, what: str, help: str = "") -> Finding:
    """A Python expression that loma does not have.

    Some expressions of Python have no counterpart.

        def f(x : In[float]) -> float:
            return (y := x)
    """
    return finding("E0112", f"{what} is not part of the language", span, help=help or "delete it")


def augmented(span: Span, operator: str) -> Finding:
    """An operator that has no assignment.

    The operators of assignments are those of arithmetic and bits.

        def f(x : In[float], a : Out[Array[float]]):
            a[0] @= x
    """
    return finding("E0113", f"`{operator}=` is not part of the language", span,
                   help=REWRITES[operator])


def list_target(span: Span) -> Finding:
    """`[a, b] = 1, 2`.

    Several targets are written as a tuple, `a, b = 1, 2`.

        def f(x : In[float], y : In[float]):
            [x, y] = 1.0, 2.0
    """
    return finding("E0114", "a list cannot be assigned to", span,
                   help="write the targets without brackets, `a, b = ...`")


def operator(span: Span, symbol: str) -> Finding:
    """An operator that loma does not have.

    Some operators of Python have no counterpart.

        def f(x : In[float]) -> float:
            return x @ x
    """
    return finding("E0115", f"the operator `{symbol}` is not part of the language", span,
                   help=REWRITES[symbol])


def conditional(expr: surface.Node, span: Span, first: str, second: str) -> Finding:
    """`a if c else b` of values that have no common type.

    Both values are numbers, or structs of one class.

        class Vec2:
            x : float
            y : float

        def f(x : In[float], v : In[Vec2]) -> float:
            return x if x > 0 else v
    """
    if first == second:
        return finding("E0117", "an array cannot be chosen by a conditional expression", span,
                       help="choose between elements, or write an `if` statement",
                       kind=BinaryOpTypeMismatch, payload={"expr": expr})
    return finding("E0117", "the two values of a conditional expression do not fit together", span,
                   f"these are `{first}` and `{second}`",
                   "give both the same type, or write an `if` statement",
                   kind=BinaryOpTypeMismatch, payload={"expr": expr})


def callee(span: Span) -> Finding:
    """A call of something other than a function's name.

    Functions and builtins are called by name, methods by `value.name(...)`.

        def f(x : In[float]) -> float:
            return f(x)(x)
    """
    return finding("E0118", "only a function or method can be called, by name", span,
                   help="write `f(x)` or `x.f()` with the name of a function or method")


def slices(span: Span) -> Finding:
    """A slice with a step.

    The elements of a slice follow each other in memory.

        def f(a : In[Array[float]]) -> float:
            return a[0:8:2][1]
    """
    return finding("E0119", "a slice has no step", span,
                   help="write a loop with a step")


def literal(span: Span, what: str) -> Finding:
    """A literal that is no number.

    Values are numbers, truth values, arrays and structs.

        def f(x : In[float]) -> float:
            return "x"
    """
    return finding("E0120", f"{what} is not a value of the language", span,
                   help="values are numbers, `True` and `False`")


def no_effect(span: Span) -> Finding:
    """An expression as a statement.

    A statement that is only a value does nothing.

        def f(x : In[float]):
            x + 1
    """
    return finding("E0121", "this expression is computed and thrown away", span,
                   help="assign it to a variable, or delete it")


def while_form(span: Span) -> Finding:
    """`while` with something else than a condition and a bound.

    A bound is written as in `while (x > 0, max_iter := 100):`.

        def f(x : In[float]):
            while (x > 0, 100):
                x = x - 1
    """
    return finding("E0122", "malformed `while`", span,
                   help="write `while condition:` or `while (condition, max_iter := 100):`")


def max_iter(span: Span) -> Finding:
    """A bound that is no positive literal.

    The bound is a hint for the compiler: a number that is known beforehand.

        def f(x : In[float], n : In[int]):
            while (x > 0, max_iter := n):
                x = x - 1
    """
    return finding("E0123", "`max_iter` is not a positive integer literal", span,
                   help="write a number, such as `max_iter := 100`")


def for_form(span: Span) -> Finding:
    """A malformed range.

    `range` takes a stop, a start and a stop, or these and a step; `parallel` takes a stop.

        def f(a : Out[Array[float]], n : In[int]):
            for i in range(0, n, 1, 1):
                a[i] = 1
    """
    return finding("E0124", "malformed range", span,
                   help="write `range(start, stop, step)`, or `parallel(stop)`")


def loop_target(span: Span) -> Finding:
    """A loop that assigns something else than variables.

    In each round the variables of a loop get new values.

        def f(a : Out[Array[float]], n : In[int]):
            for a[0] in range(n):
                pass
    """
    return finding("E0126", "the variable of a loop is a name", span,
                   help="write `for i in ...`, and assign it in the loop")


def for_step(span: Span) -> Finding:
    """A step that is no nonzero literal.

    The sign of the step decides the direction, so it is known beforehand.

        def f(n : In[int]):
            for i in range(0, 10, n):
                pass
    """
    return finding("E0125", "the step of a range is not a nonzero integer literal", span,
                   help="write the step as a number, such as `range(n, 0, -1)`")


def declare_target(span: Span) -> Finding:
    """A declaration of an element or member.

    Elements and members have the type of their array or struct.

        def f(x : In[float], a : Out[Array[float]]):
            a[0] : float = x
    """
    return finding("E0130", "only a name can be declared", span,
                   help="delete the type to assign to an element or member")


def inner_definition(span: Span, what: str) -> Finding:
    """A class, or a function with a decorator, inside a function.

    Classes and kernels stand at the top level of a file.

        def f(x : In[float]):
            class A:
                x : float
    """
    return finding("E0131", f"a {what} inside a function", span,
                   help="move it to the top level of the file")


def assert_message(span: Span) -> Finding:
    """An assertion whose message is no string.

    The message is shown when the assertion fails.

        def f(x : In[float]):
            assert x > 0, x
    """
    return finding("E0135", "the message of an assertion is not a string literal", span,
                   help='write `assert condition, "message"`')
