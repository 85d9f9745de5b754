"""E02xx: names that are missing, taken or misspelled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes.base import a, did_you_mean, finding, near
from loma.frontend.errors import (
    AssignTypeMismatch,
    CallIDNotFound,
    DuplicateVariable,
    Finding,
    UndeclaredVariable,
)

FOREIGN_TYPES: Final = {
    "double": "f64", "str": "", "list": "Array[float, 3]", "Float": "float", "Int": "int",
    "real": "float", "number": "float", "long": "i64", "boolean": "bool", "float32": "f32",
    "float64": "f64", "int32": "i32", "int64": "i64",
}
FOREIGN_CALLS: Final = {
    "print": "`print(...)` is a statement: write it on a line of its own",
    "range": "`range` stands in `for i in range(n):` only",
    "list": "write the elements, `[a, b]`, or `[v for v in ...]`",
    "tuple": "write the elements, `(a, b)`",
    "sorted": "sort an array in place, by a loop of your own",
    "ln": "write `log(x)`",
    "divmod": "write `a // b` and `a % b`",
    "enumerate": "`enumerate` stands in `for i, v in enumerate(a):` only",
    "zip": "`zip` stands in `for u, v in zip(a, b):` only, or in `enumerate(zip(a, b))`",
    "reversed": "`reversed` stands in `for v in reversed(a):` only, around an array or a range",
    "parallel": "`parallel` stands in `for i in parallel(n):` only",
    **{name: f"write `{name}(a[i] for i in range(n))`" for name in ("sum", "argmin", "argmax")},
}


HABITS: Final = {
    "true": "write `True`", "false": "write `False`",
    "math": "write `import math` at the top of the file",
    **{name: f"write `from math import {name}` at the top of the file"
       for name in ("pi", "e", "tau", "inf", "nan")},
    "np": "write the builtin by its own name, such as `sin(x)`",
}


def undeclared(node: surface.Node, span: Span, name: str, known: Iterable[str],
               functions: Iterable[str], ended: Span | None, label: str = "") -> Finding:
    """A variable that is not declared.

    A variable is declared with its type, `y : float`, or by its first assignment. It is known from
    there to the end of its block. A name that is assigned and never read counts as misspelled.

        def f(x : In[float]) -> float:
            return y
    """
    notes: tuple[tuple[Span, str], ...] = ()
    known = list(known)
    if ended is not None:
        help = "declare it before the block, so that it lives on after it"
        notes = ((ended, f"`{name}` was declared here and ended with its block"),)
    elif name in functions:
        help = f"`{name}` is a function: call it, `{name}(...)`"
    elif name in HABITS:
        help = HABITS[name]
    else:
        write = isinstance(node, surface.Assign)
        typed = f"declare it, `{name} : float{' = ...' if write else ''}`"
        typed = f"delete the line, or {typed}" if label else typed
        help = did_you_mean(name, known, typed)
        if near(name, known) and write:
            help += f" (else {typed})"
    return finding("E0201", f"`{name}` is not declared", span, label, help=help, notes=notes,
                   kind=UndeclaredVariable, payload={"var": name, "stmt": node})


def differing(node: surface.Node, span: Span, name: str, first: str, second: str) -> Finding:
    """A number that a variable without a declaration cannot hold.

    The first assignment to a name that is not declared gives it its type. A later one must fit.

        def f(x : In[float]) -> float:
            total = 0
            total = total + x
            return total
    """
    return finding("E0214", f"`{name}` became {a(first)} at its first assignment", span,
                   f"this is `{second}`",
                   f"declare it before, `{name} : {second}`, or write `{first}(...)` here"
                   if first not in ("int", "float") else
                   f"declare it before, `{name} : {second}`, or make the first value {a(second)}",
                   kind=AssignTypeMismatch, payload={"stmt": node})


def constant(span: Span, name: str, first: Span) -> Finding:
    """A constant that is assigned, or whose name is taken again.

    `N = 16` at the top level makes `N` a name for that number in the whole file.

        N = 16

        def f() -> int:
            N = 17
            return N
    """
    return finding("E0213", f"`{name}` is a constant", span,
                   help="use another name", notes=((first, "the constant is here"),))


def duplicate_variable(
    name: str, first: surface.Node, second: surface.Node, span: Span
) -> Finding:
    """A variable declared twice, or an argument's name taken again.

    A name that is live is not declared again, in an inner block neither. Blocks side by side
    may use the same name.

        def f(x : In[float]) -> float:
            x : float = 1.0
            return x
    """
    what = "an argument" if isinstance(first, surface.Arg) else "a variable"
    return finding("E0202", f"`{name}` is already declared", span,
                   help="choose another name, or assign without a type",
                   notes=((_first_line(first.span), f"`{name}` is {what} declared here"),),
                   kind=DuplicateVariable,
                   payload={"var": name, "first_declare_stmt": first,
                            "duplicate_declare_stmt": second})


def duplicate_definition(name: str, first: Span, second: Span) -> Finding:
    """Two functions, structs or derivatives of one name.

    Functions, structs and derivatives share their names.

        def f(x : In[float]) -> float:
            return x

        class f:
            x : float
    """
    return finding("E0203", f"`{name}` is defined twice in this file", second,
                   help="rename one of the two",
                   notes=((first, "the first definition"),))


def builtin(span: Span, name: str) -> Finding:
    """A definition that takes the name of a builtin.

    The builtins of the course keep their meaning. (Newer ones may be taken by a program.)

        def sin(x : In[float]) -> float:
            return x
    """
    return finding("E0204", f"`{name}` is a builtin and cannot be defined again", span,
                   help=f"choose another name, such as `my_{name}`")


def duplicate_member(name: str, struct: str, first: Span, second: Span) -> Finding:
    """Two members of one name.

    Members of a struct have different names.

        class A:
            x : float
            x : int
    """
    return finding("E0205", f"`{struct}` has two members called `{name}`", second,
                   help="rename or delete one of them", notes=((first, "the first one"),))


def unknown_type(span: Span, name: str, known: Iterable[str]) -> Finding:
    """A type that does not exist.

    A type is `int`, `float`, another scalar, an array, or a class of the file.

        def f(x : In[flaot]) -> float:
            return 1.0
    """
    if name in ("Array", "Diff"):
        return finding("E0206", f"`{name}` needs a type in brackets", span,
                       help=f"write `{name}[float]`")
    guess = FOREIGN_TYPES.get(name)
    help = f"write `{guess}`" if guess else did_you_mean(
        name, known, f"define `class {name}:`, or use `int`, `float` or `Array[...]`")
    return finding("E0206", f"there is no type called `{name}`", span, help=help)


def unknown_function(
    call: surface.Call, span: Span, known: Iterable[str], variables: Iterable[str]
) -> Finding:
    """A call of a function that does not exist.

    A function is a builtin, or is defined somewhere in the file.

        def f(x : In[float]) -> float:
            return sine(x)
    """
    name = call.function
    if name in FOREIGN_CALLS:
        help = FOREIGN_CALLS[name]
    elif name in variables:
        help = f"`{name}` is a variable: index an array with `{name}[...]`"
    else:
        help = did_you_mean(name, known, f"define it in this file: `def {name}(...):`")
    return finding("E0207", f"there is no function called `{name}`", span, help=help,
                   kind=CallIDNotFound, payload={"expr": call})


def unknown_primal(span: Span, name: str, known: Iterable[str]) -> Finding:
    """A derivative of a function that does not exist.

    The function that is differentiated is defined somewhere in the file.

        d_f = fwd_diff(f)
    """
    return finding("E0208", f"there is no function called `{name}` to differentiate", span,
                   help=did_you_mean(name, known, f"define it in this file: `def {name}(...):`"))


def odd_differential(span: Span, name: str, standard: str) -> Finding:
    """A class that takes the name of a differential type and differs from it.

    The differential types `_dfloat` and `_dX` exist by themselves; a class of such a name must
    be the same.

        class Vec2:
            x : float
            y : float

        class _dVec2:
            x : float
            y : float
    """
    return finding("E0209", f"`{name}` differs from the differential type of that name", span,
                   help=f"rename the class, or give it exactly the members {standard}")


def implicit_taken(span: Span, name: str, primal: str) -> Finding:
    """A function with the name that a derivative gets implicitly.

    A function that a differentiated function calls is differentiated too, under a name that
    must be free.

        def g(x : In[float]) -> float:
            return x

        def _d_fwd_g(x : In[float]) -> float:
            return x

        def f(x : In[float]) -> float:
            return g(x)

        d_f = fwd_diff(f)
    """
    return finding("E0210", f"`{name}` is the name of the derivative of `{primal}`", span,
                   help=f"rename this function, or declare the derivative of `{primal}` under "
                        "a name of its own")


def _first_line(span: Span) -> Span:
    if span.end_line == span.line:
        return span
    return Span(span.file, span.line, span.column, span.line, span.column + 1)
