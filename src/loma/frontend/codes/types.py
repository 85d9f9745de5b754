"""E03xx: values and types that do not fit."""

from __future__ import annotations

from collections.abc import Iterable

from loma.diagnostics import Diagnostic, Span
from loma.frontend import surface
from loma.frontend.codes.base import a, did_you_mean, finding
from loma.frontend.errors import (
    ArrayAccessTypeMismatch,
    AssignTypeMismatch,
    BinaryOpTypeMismatch,
    DeclareTypeMismatch,
    DeclareUnboundedArray,
    Finding,
    IfElseCondTypeMismatch,
    ReturnTypeMismatch,
    StructAccessTypeMismatch,
    StructMemberNotFound,
)


def index_not_int(expr: surface.Node, span: Span, found: str) -> Finding:
    """An index that is no integer.

    A float is not rounded silently to an index.

        def f(a : In[Array[float]], x : In[float]) -> float:
            return a[x]
    """
    return finding("E0301", "an array index is not an `int`", span, f"this is `{found}`",
                   "convert it with `float2int(...)`" if found.startswith("f")
                   else "index with an `int`",
                   kind=ArrayAccessTypeMismatch, payload={"expr": expr})


def not_an_array(expr: surface.Node, span: Span, found: str) -> Finding:
    """An index into something that is no array.

    Only arrays have elements, and structs whose class defines `__getitem__`.

        def f(x : In[float]) -> float:
            return x[0]
    """
    return finding("E0302", "only arrays can be indexed", span, f"this is `{found}`",
                   "delete the index, or declare an `Array`",
                   kind=ArrayAccessTypeMismatch, payload={"expr": expr})


def no_item(
    expr: surface.Index | surface.Subscript, span: Span, owner: str, constant: bool
) -> Finding:
    """An assignment to an element of a struct that does not say how.

    `v[i] = x` calls `__setitem__(self : InOut, i, x)` of the class.

        class Vec2:
            x : float
            y : float

        def f(v : InOut[Vec2]):
            v[0] = 1.0
    """
    return finding("E0323", f"`{owner}` has no elements that can be assigned", span,
                   help="make a new tuple: its elements stay as they are" if constant else
                        "assign to a member, or define `__setitem__(self : InOut, i : In[int], "
                        "value : In[float])`",
                   kind=ArrayAccessTypeMismatch, payload={"expr": expr})


def not_a_struct(expr: surface.Member, span: Span, found: str) -> Finding:
    """A member of something that is no struct.

    Only a value of a class has members.

        def f(x : In[float]) -> float:
            return x.val
    """
    help = "index the array first: `a[i].x`" if found.startswith("Array") else (
        f"delete `.{expr.field}`, or give the value a type that is a class")
    return finding("E0303", "only structs have members", span, f"this is `{found}`", help,
                   kind=StructAccessTypeMismatch, payload={"expr": expr})


def no_member(expr: surface.Member, span: Span, struct: str, members: Iterable[str]) -> Finding:
    """A member that the struct does not have.

    The members of a struct are those that its class declares.

        class Vec2:
            x : float
            y : float

        def f(v : In[Vec2]) -> float:
            return v.z
    """
    members = list(members)
    listed = f"its members are {', '.join(f'`{m}`' for m in members)}"
    return finding("E0304", f"`{struct}` has no member `{expr.field}`", span,
                   help=did_you_mean(expr.field, members, listed),
                   kind=StructMemberNotFound, payload={"expr": expr})


def operands(expr: surface.Node, span: Span, symbol: str, left: str, right: str,
             define: str = "") -> Finding:
    """An operator on something that is no number.

    Operators work on numbers, and on structs whose class defines them: `def __add__(self, other)`.

        class Vec2:
            x : float
            y : float

        def f(v : In[Vec2]) -> Vec2:
            return v + v
    """
    return finding("E0305", f"`{symbol}` takes two numbers", span,
                   f"these are `{left}` and `{right}`",
                   f"{define}{', or ' if define else ''}apply the operator to members or elements",
                   kind=BinaryOpTypeMismatch, payload={"expr": expr})


def whole_numbers(expr: surface.Node, span: Span, symbol: str, shown: str) -> Finding:
    """An operator of integers on something that is no integer.

    Bits are those of integers.

        def f(x : In[float], n : In[int]) -> float:
            return x & n
    """
    help = "convert floats with `float2int(...)`"
    if symbol == "^":
        help = f"a power is written `x ** y`; for the bits, {help}"
    return finding("E0322", f"`{symbol}` takes integers", span, shown, help,
                   kind=BinaryOpTypeMismatch, payload={"expr": expr})


def operand(expr: surface.Node, span: Span, symbol: str, found: str, define: str = "") -> Finding:
    """A unary operator on something that is no number.

    Operators work on numbers, and on structs whose class defines them: `def __neg__(self)`.

        class Vec2:
            x : float
            y : float

        def f(v : In[Vec2]) -> Vec2:
            return -v
    """
    return finding("E0306", f"`{symbol}` takes a number", span, f"this is `{found}`",
                   f"{define}{', or ' if define else ''}apply the operator to members or elements",
                   kind=BinaryOpTypeMismatch, payload={"expr": expr})


def assigned(stmt: surface.Node, span: Span, found: str, wanted: str) -> Finding:
    """A value that does not fit the place assigned to.

    Numbers are converted to the type of the place; nothing else is.

        class Vec2:
            x : float
            y : float

        def f(v : Out[Vec2]):
            v = 0.0
    """
    return finding("E0307", f"{a(found)} cannot be assigned to {a(wanted)}", span,
                   f"this is `{found}`", _convert(found, wanted),
                   kind=AssignTypeMismatch, payload={"stmt": stmt})


def declared(stmt: surface.Node, span: Span, found: str, wanted: str) -> Finding:
    """An initial value that does not fit the declared type.

    Numbers are converted to the declared type; nothing else is.

        class Vec2:
            x : float
            y : float

        def f(v : In[Vec2]):
            x : float = v
    """
    return finding("E0308", f"{a(wanted)} cannot start as {a(found)}", span,
                   f"this is `{found}`", _convert(found, wanted),
                   kind=DeclareTypeMismatch, payload={"stmt": stmt})


def returned(stmt: surface.Node, span: Span, found: str, wanted: str) -> Finding:
    """A returned value that does not fit the annotation.

    Numbers are converted to the declared result; nothing else is. Without `->` there is no
    result.

        def f(x : In[float]):
            return x
    """
    if not wanted:
        message, help = "a function without `->` returns no value", f"write `-> {found}`"
    elif not found:
        message, help = f"the function returns {a(wanted)}", "write a value after `return`"
    else:
        message = f"{a(found)} is returned where `{wanted}` is declared"
        help = _convert(found, wanted)
    return finding("E0309", message, span, f"this is `{found}`" if found and wanted else "", help,
                   kind=ReturnTypeMismatch, payload={"stmt": stmt})


def condition(expr: surface.Node, span: Span, found: str) -> Finding:
    """A condition that is no truth value.

    A number counts as true when it is not zero; arrays and structs are neither true nor false.

        class Vec2:
            x : float
            y : float

        def f(v : In[Vec2]):
            if v:
                v.x = 1.0
    """
    return finding("E0310", "a condition is not a number or truth value", span,
                   f"this is `{found}`", "compare a member or an element",
                   kind=IfElseCondTypeMismatch, payload={"expr": expr})


def out_of_range(span: Span, type_name: str) -> Finding:
    """A literal that its type cannot hold.

    `int` reaches from -2147483648 to 2147483647, `float` to about 3.4e38.

        def f() -> int:
            return 3000000000
    """
    wider = {"int": "i64", "float": "f64"}.get(type_name, "")
    return finding("E0311", f"this number does not fit in `{type_name}`", span,
                   help=f"use a smaller number, or the type `{wider}`" if wider
                   else "use a smaller number")


def array_size(span: Span) -> Finding:
    """A length that is no positive literal.

    Arrays in arguments and structs have a literal length, or none (`Array[T]`).

        class A:
            x : Array[float, 0]
    """
    return finding("E0312", "the length of an array is not a positive integer literal", span,
                   help="write a number between 1 and 2147483647, in an argument also a name: "
                        '`Array[float, "n"]` (a local array may have a computed `int` length)')


def too_large(span: Span) -> Finding:
    """An array or struct that no memory holds.

    A type has at most 2147483647 elements, and a struct at most 65536 members, those of nested
    structs counted.

        def f():
            a : Array[Array[float, 100000], 100000]
    """
    return finding("E0321", "this type has too many elements", span,
                   help="use a smaller array")


def unbounded(stmt: surface.Node, span: Span, shown: str) -> Finding:
    """A local array without a length.

    `Array[T]` is an array that someone else made; a local one has a length.

        def f():
            a : Array[float]
    """
    return finding("E0313", "a local array needs a length", span,
                   help=f"write `{shown.replace(']', ', 10]', 1)}` with the length that you need",
                   kind=DeclareUnboundedArray, payload={"stmt": stmt})


def recursive_struct(span: Span, name: str, path: str) -> Finding:
    """A struct that contains itself.

    A struct holds its members by value, so it cannot hold another of its kind.

        class A:
            x : Array[A, 3]
    """
    return finding("E0314", f"`{name}` contains itself", span, f"by way of {path}",
                   "hold the index of another element instead of the element")


def diff_of_array(span: Span, inner: str) -> Finding:
    """Diff around an array.

    The differential of an array is an array of differentials.

        def f(x : In[Diff[Array[float]]]):
            pass
    """
    return finding("E0315", "`Diff` goes inside an array", span,
                   help=f"write `{inner}`")


def misplaced_type(span: Span, what: str, where: str, help: str) -> Finding:
    """A type in a place that cannot hold it.

    Tapes are local variables and `InOut` arguments; growable arrays are local; arrays are not
    returned.

        def f() -> Array[float, 3]:
            a : Array[float, 3]
            return a
    """
    return finding("E0316", f"{what} cannot be {where}", span, help=help)


def index_outside(span: Span, size: int | None) -> Finding:
    """A constant index outside its array.

    The index is known, and no element has it.

        def f() -> float:
            a : Array[float, 3]
            return a[3]
    """
    help = "indices start at 0; of `n` elements the last one is `[n - 1]`"
    if size is not None:
        help = f"indices go from 0 to {size - 1}"
    return finding("E0317", "this index is outside the array", span, help=help)


def whole_array(stmt: surface.Node, span: Span, initial: bool) -> Finding:
    """An assignment to an array as a whole.

    Arrays are copied element by element. (An array in a struct is copied with the struct.)

        def f(a : In[Array[float, 3]]):
            b : Array[float, 3] = a
    """
    return finding("E0318", "an array is not assigned as a whole", span,
                   help="copy the elements, `b[:] = a[:]`, where the lengths are known; else write "
                        "a loop",
                   kind=DeclareTypeMismatch if initial else AssignTypeMismatch,
                   payload={"stmt": stmt})


def empty_struct(span: Span, name: str) -> Finding:
    """A struct without members.

    A struct has at least one member.

        class A:
            pass
    """
    return finding("E0319", f"`{name}` has no members", span,
                   help="add a member, `x : float`")


def bound_not_int(span: Span, what: str, found: str) -> Finding:
    """A bound of a range that is no integer.

    A loop counts integers, and a length is one.

        def f(x : In[float]):
            for i in range(x):
                pass
    """
    return finding("E0320", f"{what} is not an `int`", span, f"this is `{found}`",
                   "convert it with `float2int(...)`")


def _convert(found: str, wanted: str) -> str:
    if found.startswith("_d") and not wanted.startswith("_d"):
        return "take the member `.val` or `.dval`"
    if wanted == "_dfloat":
        return "make one with `make__dfloat(val, dval)`"
    return f"give it a value of type `{wanted}`"


def whole_quotient(span: Span, quotient: int | None) -> Diagnostic:
    """The warning that a division of integers loses a fraction that was probably wanted."""
    what = "becomes a `float` afterwards" if quotient is None else f"gives {quotient}"
    return Diagnostic("W0301", "the fraction of this division is lost", span,
                      f"a division of integers, it {what}",
                      "make an operand a `float`, `1.0 / 2` or `float(n) / 2`; or write `//`, or "
                      "`int(n / 2)`, to show that an integer is meant", severity="warning")
