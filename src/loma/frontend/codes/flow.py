"""E05xx: the order of statements, and what can be assigned."""

from __future__ import annotations

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes.base import finding
from loma.frontend.errors import AssignTypeMismatch, Finding, ReturnNotLastStmt


def after_return(stmt: surface.Return, dead: Span) -> Finding:
    """A statement that follows a return in its block.

    Nothing after a `return` runs.

        def f(x : In[float]) -> float:
            return x
            x = 1.0
    """
    return finding("E0501", "this statement is never reached", dead,
                   help="delete it, or move it before the `return`",
                   notes=((stmt.span, "the block returns here"),),
                   kind=ReturnNotLastStmt, payload={"stmt": stmt})


def after_jump(stmt: surface.Node, dead: Span, word: str) -> Finding:
    """A statement that follows a break or continue in its block.

    Nothing after a `break` or `continue` runs.

        def f(x : In[float]):
            while x > 0:
                break
                x = 1.0
    """
    return finding("E0502", "this statement is never reached", dead,
                   help=f"delete it, or move it before the `{word}`",
                   notes=((stmt.span, "the block is left here"),))


def outside_loop(span: Span, word: str) -> Finding:
    """break or continue outside a loop.

    `break` and `continue` belong to the loop around them.

        def f():
            break
    """
    return finding("E0503", f"`{word}` outside a loop", span,
                   help="write `return` to leave the function")


def missing_return(span: Span, name: str, wanted: str) -> Finding:
    """A function that can end without a value.

    Each way through a function with a result ends in a `return`.

        def f(x : In[float]) -> float:
            if x > 0:
                return x
    """
    return finding("E0504", f"`{name}` can end without returning its `{wanted}`", span,
                   help="end the function with a `return`, on every path")


def loop_variable(span: Span, name: str) -> Finding:
    """A write to the variable of a for loop.

    The loop alone counts.

        def f(n : In[int]):
            for i in range(n):
                i = i + 1
    """
    return finding("E0505", f"`{name}` counts a `for` loop and cannot be written", span,
                   help="copy it into another variable, or write a `while` loop")


def kernel_result(span: Span, name: str) -> Finding:
    """A kernel with a result.

    There are as many results as threads: write them to an array.

        @simd
        def k() -> int:
            return thread_id()
    """
    return finding("E0506", f"the kernel `{name}` cannot return a value", span,
                   help="write the value to an element of an `Out` array")


def not_assignable(stmt: surface.Node, span: Span) -> Finding:
    """An assignment to something that is no place.

    A result of a call is a copy that nobody would see.

        class Vec2:
            x : float
            y : float

        def g() -> Vec2:
            v : Vec2
            return v

        def f():
            g().x = 1.0
    """
    return finding("E0507", "this cannot be assigned to", span,
                   help="assign to a variable, an element or a member",
                   kind=AssignTypeMismatch, payload={"stmt": stmt})
