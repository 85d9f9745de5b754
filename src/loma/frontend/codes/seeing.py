"""E07xx: what programs show of themselves."""

from __future__ import annotations

from loma.diagnostics import Span
from loma.frontend.codes.base import finding
from loma.frontend.errors import Finding


def print_option(span: Span) -> Finding:
    """An operand of `print` by name.

    `print` takes `sep` and `end`, each a string literal.

        def f(x : In[float]):
            print(x, flush=True)
    """
    return finding("E0701", "`print` takes `sep` and `end`, each a string literal", span,
                   help="delete it")


def format_option(span: Span) -> Finding:
    """A format in a string.

    Floats are shown with as few digits as identify them; there are no formats.

        def f(x : In[float]):
            print(f"x = {x:.3f}")
    """
    return finding("E0702", "a format is not part of the language", span,
                   help="write the value alone, `{x}`: floats are shown with the digits they need")


def not_shown(span: Span, what: str) -> Finding:
    """A value that is not shown as a whole.

    Scalars, structs, and arrays of known length with at most 64 numbers are shown.

        def f(a : In[Array[float]]):
            print(a)
    """
    return finding("E0703", f"{what} is not shown as a whole", span,
                   help="print its elements: `print(a[0], a[1])`, or one in each round of a loop")


def null_character(span: Span) -> Finding:
    """A string that holds the null character.

    In C a string ends there.

        def f():
            print("a\\0b")
    """
    return finding("E0704", "a string holds the null character", span, help="delete it")
