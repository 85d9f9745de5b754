"""E18xx: what Python writes short."""

from __future__ import annotations

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes.base import a, finding
from loma.frontend.errors import BinaryOpTypeMismatch, Finding


def pattern(span: Span) -> Finding:
    """A pattern of `match` that is no integer.

    `match` chooses by the value of an integer. A case has an integer, several of them, `1 | 2`, a
    constant of the file, or `_` for all others; a condition may follow, `case 1 if x > 0.0:`.

        def f(x : In[float], n : In[int]) -> float:
            match n:
                case 1.5:
                    return x
            return 0.0
    """
    return finding("E1801", "a pattern is an integer, a constant, or `_`", span,
                   help="write `case 1:`, `case 1 | 2:`, `case _:`, or use `if` and `elif`")


def capture(span: Span, name: str) -> Finding:
    """A pattern that would give the value a name.

    A name in a pattern stands for the constant of that name. `_` matches every value.

        def f(x : In[float], n : In[int]) -> float:
            match n:
                case k:
                    return x * k
                case _:
                    return x
    """
    return finding("E1802", f"`{name}` is not a constant, and a pattern gives no names", span,
                   help="write `case _:`, and use the value that is matched by its own name")


def never_matched(span: Span, first: Span) -> Finding:
    """A case after the one that takes everything.

    `case _:` without a condition comes last.

        def f(x : In[float], n : In[int]) -> float:
            match n:
                case _:
                    return x
                case 1:
                    return 0.0
    """
    return finding("E1803", "this case is never reached", span,
                   help="move it before `case _`", notes=((first, "this case takes everything"),))


def subject(expr: surface.Node, span: Span, found: str) -> Finding:
    """`match` on a value that is no integer.

    Only integers are matched; anything else is compared with `if` and `elif`.

        def f(x : In[float]) -> float:
            match x:
                case 1:
                    return 0.0
                case _:
                    return x
    """
    return finding("E1804", f"`match` takes an integer, not {a(found)}", span,
                   help="write `if` and `elif`",
                   kind=BinaryOpTypeMismatch, payload={"expr": expr})


def membership(expr: surface.Node, span: Span, found: str) -> Finding:
    """`in` with something else than numbers.

    `x in (1, 2, 3)` is `x == 1 or x == 2 or x == 3`, of numbers.

        def f(a : In[Array[float]]) -> bool:
            return a in (1, 2)
    """
    return finding("E1805", f"`in` compares numbers, and this is {a(found)}", span,
                   help="compare its elements or members",
                   kind=BinaryOpTypeMismatch, payload={"expr": expr})
