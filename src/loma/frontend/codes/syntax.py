"""E01xx: files, classes and heads of functions that are not in the language."""

from __future__ import annotations

import re
from typing import Final

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes.base import finding, near
from loma.frontend.errors import Finding, FuncArgNotAnnotated

DEPTH: Final = 100
TERMS: Final = 9_000
SPELLINGS: Final = {
    r"&&": "write `and`", r"\|\|": "write `or`", r"!(?!=)": "write `not`",
    r"\belse\s+if\b": "write `elif`", r"\+\+": "write `x += 1`", r"--": "write `x -= 1`",
    r"\?": "write `a if condition else b`", r"^\s*//": "a comment begins with `#`",
}
"""What other languages write, and Python does not take."""


def syntax(span: Span, message: str, line: str = "") -> Finding:
    """The text is not Python syntax, which loma shares.

    loma shares the syntax of Python: the label says what Python misses.

        def f(x : In[float]) -> float
            return x
    """
    code = line.partition("#")[0]
    foreign = [help for written, help in SPELLINGS.items() if re.search(written, code)]
    help = foreign[0] if foreign else (
        "loma is written in Python's syntax: see the language reference")
    return finding("E0101", "this is not valid syntax", span, message, help)


def too_deep(span: Span) -> Finding:
    """Blocks, parentheses or operands are nested too deeply.

    Cut the expression into named parts, or move inner blocks into functions of their own. The
    limit is 100 levels of blocks, operands and brackets, and 9000 terms in a sum.

        def f(x : In[float]) -> float:
            return (
                ---------------------------------------------------------------------
                ---------------------------------------------------------------------x)
    """
    return finding("E0102", "the program is nested too deeply", span,
                   help=f"name parts of the expression, or move inner blocks into a function (at "
                        f"most {DEPTH} levels, and {TERMS} terms in a sum)")


def not_ascii(span: Span, name: str) -> Finding:
    """A name with letters outside ASCII.

    Names become symbols of C and of GPU languages, which take ASCII only.

        def f(größe : In[float]) -> float:
            return 1.0
    """
    return finding("E0103", f"the name `{name}` is not made of ASCII letters, digits and `_`",
                   span, help="names are exported to C: spell it with a-z, A-Z, 0-9 and `_`")


def top_level(span: Span, what: str, label: str = "") -> Finding:
    """Something other than a definition outside all functions.

    A file holds classes, functions, requests for derivatives, and constants: names for numbers
    that are known while the file is read.

        N = abs(2.0)
    """
    return finding("E0104", f"{what} outside a function", span, label,
                   "a file holds `class`, `def`, `name = fwd_diff(f)`, `name = rev_diff(f)`, "
                        "and constants, `N = 16`")


def imports(span: Span) -> Finding:
    """An import inside a function.

    Imports stand at the top level of a file, where all functions see them.

        def f(x : In[float]) -> float:
            import math
            return sin(x)
    """
    return finding("E0105", "an import inside a function", span,
                   help="move it to the top of the file")


def decorator(span: Span) -> Finding:
    """A decorator that the language does not have.

    There are `@simd`, `@custom_fwd(f)` and `@custom_rev(f)`.

        @jit
        def f(x : In[float]) -> float:
            return x
    """
    return finding("E0106", "unknown decorator", span,
                   help="`@simd` makes a function a kernel, `@custom_fwd(f)` and `@custom_rev(f)` "
                        "make it a derivative of `f`")


def not_annotated(arg: surface.Node, name: str, annotated: str) -> Finding:
    """An argument without In, Out or InOut.

    Each argument says whether the function reads it (`In`), writes it (`Out`) or both
    (`InOut`).

        def f(x : float) -> float:
            return x
    """
    inner = annotated or "float"
    label = "the direction is missing" if annotated else "the annotation is missing"
    word, bracket, rest = annotated.partition("[")
    meant = near(word, ("In", "Out", "InOut")) if bracket and word.isidentifier() else ""
    help = f"write `{name} : In[{inner}]` or `{name} : Out[{inner}]`"
    odd = re.fullmatch(r"['\"]?(In|Out|InOut)[\[(](.*)[\])]['\"]?", annotated)
    if odd:
        label = "a type stands in square brackets, without quotes"
        help = f"write `{name} : {odd[1]}[{odd[2]}]`"
    if inner == "Tape":
        help = f"write `{name} : InOut[Tape]`"
    if meant:
        label, help = f"`{word}` is not a direction", f"did you mean `{name} : {meant}[{rest}`?"
    return finding("E0107", f"argument `{name}` does not say whether it is read or written",
                   arg.span, label, help,
                   kind=FuncArgNotAnnotated, payload={"node": arg})


def default_value(span: Span, name: str) -> Finding:
    """A default value of an argument.

    All arguments are passed at each call.

        def f(x : In[float] = 1.0) -> float:
            return x
    """
    return finding("E0108", f"argument `{name}` has a default value", span,
                   help="pass the value at each call")


def star_args(span: Span) -> Finding:
    """`*args`, `**kwargs`, keyword-only or positional-only arguments.

    There are no `*args`, keyword-only or positional-only arguments.

        def f(*x) -> float:
            return 1.0
    """
    return finding("E0109", "functions have a fixed list of plain arguments", span,
                   help="name every argument: `x : In[float]`")


def keyword_operand(span: Span, name: str) -> Finding:
    """A keyword or starred operand in a call.

    Operands are passed in the order of the arguments.

        def f(x : In[float]) -> float:
            return pow(x, y=2.0)
    """
    shown = f"`{name} = ...`" if name else "`*` or `**`"
    return finding("E0110", f"operands are passed by position, not by {shown}", span,
                   help="pass the operands in the order of the function's arguments")


def class_body(span: Span) -> Finding:
    """Something other than members and methods in a class.

    A class is a struct: names with types, and functions.

        class A:
            x : float
            x + 1
    """
    return finding("E0127", "a class holds members and methods only", span,
                   help="write `name : type` or `def name(self):`")


def class_head(span: Span) -> Finding:
    """A class with bases, decorators or parameters.

    Structs do not inherit.

        class A(B):
            x : float
    """
    return finding("E0128", "a class has no bases, decorators or parameters", span,
                   help="write `class Name:`")


def bad_type(span: Span) -> Finding:
    """An annotation that is no type.

    An annotation is a type.

        def f(x : In["float"]) -> float:
            return 1.0
    """
    return finding("E0129", "this is not a type", span,
                   help="types are `int`, `float`, `Array[T]`, `Array[T, 10]`, `Diff[T]` and "
                        "the names of classes")


def member_default(span: Span, name: str, type_name: str) -> Finding:
    """The default of a member that is no number.

    A member that is a number may have a default: a literal, a constant, or arithmetic on them.

        class A:
            x : Array[float, 3] = 1.0
    """
    return finding("E0132", f"the default of the member `{name}` is not a number of its type", span,
                   f"`{name}` is `{type_name}`",
                   "write a literal or a constant for a member that is a number; other members "
                   "start at zero")


def unreadable(span: Span) -> Finding:
    """Text that cannot be read at all.

    A program is UTF-8 text without null characters.
    """
    return finding("E0133", "the file holds a character that is not text", span,
                   help="delete it, and save the file as UTF-8")


def misplaced_direction(span: Span, name: str) -> Finding:
    """In, Out or InOut elsewhere than around an argument's type.

    The direction is said once, around the type of an argument.

        def f(x : In[float]) -> Out[float]:
            return x
    """
    return finding("E0134", f"`{name}[...]` belongs around the whole type of an argument", span,
                   help="write the type alone")


def no_type(span: Span) -> Finding:
    """A class member without a type.

    Each member has a type.

        class A:
            x : float
            y = 1.0
    """
    return finding("E0136", "a member without a type", span,
                   help="write `name : type`")


def derivative_form(span: Span) -> Finding:
    """A malformed request for a derivative.

    A derivative is requested at the top level, of one function, by name.

        def f(x : In[float]) -> float:
            return x

        d_f = fwd_diff(f, f)
    """
    return finding("E0137", "malformed request for a derivative", span,
                   help="write `name = fwd_diff(f)` or `name = rev_diff(f)` with the name of "
                        "a function")
