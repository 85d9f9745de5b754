"""E09xx: arrays of several dimensions, named sizes, slices."""

from __future__ import annotations

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes.base import a, finding
from loma.frontend.errors import (
    ArrayAccessTypeMismatch,
    AssignTypeMismatch,
    CallTypeMismatch,
    Finding,
)


def size_misplaced(span: Span, name: str) -> Finding:
    """A named size where it names nothing.

    `Array[T, "n"]` is the type of an argument: the caller's array tells how much `n` is. A local
    array takes its size from an expression.

        def f(x : In[float]) -> float:
            t : Array[float, "n"]
            return x
    """
    return finding("E0901", f"the size \"{name}\" has a name outside the arguments of a function",
                   span, help=f"write `{name}` without quotation marks in a local variable")


def size_computed(span: Span) -> Finding:
    """A size of an argument that is neither a name nor a number.

    The sizes of an argument are names in quotation marks, and numbers.

        def f(n : In[int], x : In[Array[float, n, n]]) -> float:
            return x[0, 0]
    """
    return finding("E0902", "the size of an argument is a name in quotation marks or a number",
                   span, help='write the type like `Array[float, "n", 3]`')


def size_taken(span: Span, name: str, other: Span) -> Finding:
    """A named size that is also an argument, but not an `In[int]`.

    A size may be an argument: then that is an `In[int]`, and says how large the array is.

        def f(n : In[float], x : In[Array[float, "n"]]) -> float:
            return n * x[0]
    """
    return finding("E0903", f"the size `{name}` is an argument of another type", span,
                   help=f"declare the argument `{name} : In[int]`, or rename the size",
                   notes=((other, "the argument is here"),))


def size_assigned(span: Span, name: str) -> Finding:
    """An assignment to a named size.

    The size of an array does not change while the function runs.

        def f(x : In[Array[float, "n"]]) -> float:
            n = 3
            return x[0]
    """
    return finding("E0904", f"`{name}` is the size of an array, and cannot be assigned", span,
                   help="use another variable")


def sizes_differ(
    expr: surface.Node, span: Span, function: str, size: str, found: int, wanted: int
) -> Finding:
    """Operands of a call whose sizes do not fit together.

    One name stands for one size in all arguments of a function.

        def f(x : In[Array[float, "n"]], y : In[Array[float, "n"]]) -> float:
            return x[0] + y[0]

        def g() -> float:
            a : Array[float, 3]
            b : Array[float, 4]
            return f(a, b)
    """
    return finding("E0905", f"`{size}` of `{function}` is {wanted} by another operand, and "
                   f"{found} by this one", span,
                   help="pass arrays of the same size, or slices of them",
                   kind=CallTypeMismatch, payload={"expr": expr})


def size_unknown(
    expr: surface.Node, span: Span, function: str, size: str, argument: str
) -> Finding:
    """A call that does not tell the size of an array.

    An array of unknown length does not say how long it is. A slice of it does.

        def f(x : In[Array[float, "n"]]) -> float:
            return x[0]

        def g(y : In[Array[float]]) -> float:
            return f(y)
    """
    return finding("E0906", f"the operand does not tell the size `{size}` of `{argument}` in "
                   f"`{function}`", span,
                   help="give the array a size where it is declared, or pass a slice, `x[0:k]`",
                   kind=CallTypeMismatch, payload={"expr": expr, "untold": (function, size)})


def shape_mismatch(
    expr: surface.Node, span: Span, argument: str, wanted: str, found: str
) -> Finding:
    """An operand with another number of dimensions, or other elements.

    An array is passed as one of the same number of dimensions. `flat(x)` has one.

        def f(x : In[Array[float, "n", "m"]]) -> float:
            return x[0, 0]

        def g(y : In[Array[float, "n"]]) -> float:
            return f(y)
    """
    return finding("E0907", f"argument `{argument}` is {a(wanted)}, not {a(found)}", span,
                   help="pass an array of this shape",
                   kind=CallTypeMismatch, payload={"expr": expr})


def too_many_indices(expr: surface.Node, span: Span, found: str, dimensions: int) -> Finding:
    """More indices than the array has dimensions.

    An array is indexed by at most one number for each dimension.

        def f(x : In[Array[float, "n", "m"]]) -> float:
            return x[0, 1, 2]
    """
    noun = "dimension" if dimensions == 1 else "dimensions"
    return finding("E0908", f"{a(found)} has {dimensions} {noun}", span,
                   help="write one index for each dimension",
                   kind=ArrayAccessTypeMismatch, payload={"expr": expr})


def slice_position(expr: surface.Node, span: Span) -> Finding:
    """A slice that is not the last index.

    The elements of a slice follow each other in memory. So a slice is the last index, and what
    comes before it are numbers.

        def f(x : In[Array[float, "n", "m"]]) -> float:
            return x[1:3, 0][0]
    """
    return finding("E0909", "a slice is the last index", span,
                   help="write a loop over the rows, or put the dimension of the slice last",
                   kind=ArrayAccessTypeMismatch, payload={"expr": expr})


def no_view(expr: surface.Node, span: Span, found: str) -> Finding:
    """A slice of what has none.

    Arrays can be sliced, but not those that grow.

        def f(x : In[float]) -> float:
            t : Array[float, ...]
            t[3] = x
            return t[1:3][0]
    """
    return finding("E0910", f"{a(found)} has no slices", span,
                   help="slice an array whose length does not change",
                   kind=ArrayAccessTypeMismatch, payload={"expr": expr})


def no_length(expr: surface.Node, span: Span, found: str) -> Finding:
    """The length of what has none that is known.

    An array of type `Array[T]` is a pointer: it does not say how long it is.

        def f(x : In[Array[float]]) -> int:
            return len(x)
    """
    return finding("E0911", f"the length of {a(found)} is not known", span,
                   help='give it a size: `Array[float, "n"]`',
                   kind=ArrayAccessTypeMismatch, payload={"expr": expr})


def view_assigned(stmt: surface.Node, span: Span, name: str) -> Finding:
    """A second assignment to the name of a row or a slice.

    `r = a[i]` makes `r` a name for the row. It stays one.

        def f(a : InOut[Array[float, "n", "m"]]):
            r = a[0]
            r = a[1]
    """
    return finding("E0912", f"`{name}` is the name of a part of an array", span,
                   help=f"assign its elements, `{name}[:] = ...`, or use another name",
                   kind=AssignTypeMismatch, payload={"stmt": stmt})


def view_through_struct(stmt: surface.Node, span: Span) -> Finding:
    """A name for a part of an array that a struct points to.

    The struct may point to another array later. Then the name would be wrong.

        class S:
            a : Array[float]

        def f(s : In[S]) -> float:
            r = s.a[1:3]
            return r[0]
    """
    return finding("E0913", "an array behind a member of a struct gets no name", span,
                   help="write the member where it is used, or pass the array to a function",
                   kind=AssignTypeMismatch, payload={"stmt": stmt})


def copied_elements(stmt: surface.Node, span: Span, target: str, value: str) -> Finding:
    """An assignment of elements that do not fit.

    `a[1:3] = b[0:2]` copies elements: both sides have the same number of dimensions, sizes that
    agree, and the same elements. `a[1:3] = 0.0` gives all of them one value.

        def f(a : InOut[Array[float, "n"]], b : In[Array[int, "n"]]):
            a[:] = b[:]
    """
    return finding("E0914", f"{a(value)} is assigned to {a(target)}", span,
                   help="assign elements of the same type and shape",
                   kind=AssignTypeMismatch, payload={"stmt": stmt})
