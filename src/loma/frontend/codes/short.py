"""E18xx: what Python writes short."""

from __future__ import annotations

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes.base import a, finding
from loma.frontend.errors import AssignTypeMismatch, BinaryOpTypeMismatch, Finding


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


def targets(span: Span, count: int) -> Finding:
    """A loop with another number of variables than what it visits gives.

    `enumerate` gives a number and an element, `zip` an element of each array.

        def f(a : In[Array[float, 3]], b : In[Array[float, 3]]) -> float:
            y = 0.0
            for u in zip(a, b):
                y += u
            return y
    """
    names = ", ".join("uvwxyz"[:count])
    return finding("E1806", f"each round gives {count} values", span,
                   help=f"write {count} variables, `for {names} in ...`")


def not_visited(expr: surface.Node, span: Span, found: str) -> Finding:
    """A loop over something that is no array.

    A loop visits ranges, and arrays whose length is known.

        def f(x : In[float]) -> float:
            y = 0.0
            for v in x:
                y += v
            return y
    """
    return finding("E1807", f"a loop cannot visit {a(found)}", span,
                   help="write `for i in range(n):`, or give an array",
                   kind=BinaryOpTypeMismatch, payload={"expr": expr})


def lengths(span: Span, found: int, wanted: int) -> Finding:
    """Arrays of different lengths in `zip`.

    `zip` visits arrays of one length.

        def f(a : In[Array[float, 3]], b : In[Array[float, 4]]) -> float:
            y = 0.0
            for u, v in zip(a, b):
                y += u * v
            return y
    """
    return finding("E1808", f"arrays of {wanted} and of {found} elements are visited together",
                   span, help="visit arrays of one length, or slices of them, `a[:n]`")


def empty_list(span: Span) -> Finding:
    """A list without elements.

    An array has a type and a length: `a : Array[float, 3]` declares one, `s : Stack[float]`
    something that grows.

        def f(x : In[float]) -> float:
            a = []
            return x
    """
    return finding("E1809", "a list without elements has no type", span,
                   help="declare an array, `a : Array[float, 3]`, or a stack, `s : Stack[float]`")


def repeated_list(span: Span) -> Finding:
    """`[[x] * n] * m`.

    In Python all rows would be one list.

        def f(x : In[float]) -> float:
            a = [[x] * 2] * 3
            return a[0][1]
    """
    return finding("E1810", "a list of lists is not repeated", span,
                   help="declare an array, `a : Array[float, n, m]`, and fill it: `a[:] = x`")


def comprehension(span: Span, what: str, has: str) -> Finding:
    """A comprehension with an `if`, or with several `for`.

    The length of an array is known before it is filled.

        def f(a : In[Array[float, 3]]) -> float:
            b = [x for x in a if x > 0.0]
            return b[0]
    """
    return finding("E1811", f"{what} has {has}", span, help="write a loop")


def elements(span: Span, found: str, wanted: str) -> Finding:
    """A list whose elements have no common type.

    The elements of an array are numbers, or structs of one class; rows have one length.

        class Vec2:
            x : float
            y : float

        def f(x : In[float], v : In[Vec2]) -> float:
            a = [x, v]
            return a[0]
    """
    return finding("E1812", f"this element is {found}, and the first is {wanted}", span,
                   help="give all elements one type, and all rows one length")


def held(stmt: surface.Node, span: Span, name: str, first: str, given: str) -> Finding:
    """A number that the elements of an array cannot hold.

    The first list that is assigned to a name tells the type of its elements: `[0, 0]` are integers.

        def f(x : In[float]) -> float:
            a = [0, 0]
            a[1] = x
            return a[1] * x
    """
    return finding("E1815", f"the elements of `{name}` are {a(first)} each, by its first list",
                   span, f"this is {a(given)}",
                   f"write floats in the first list, or declare it, `{name} : Array[{given}] = "
                   "[...]`", kind=AssignTypeMismatch, payload={"stmt": stmt})


def listed(stmt: surface.Node, span: Span, found: str, wanted: str) -> Finding:
    """A list for an array of another shape.

    A list is an array with as many elements as it shows.

        def f(x : In[float]) -> float:
            a : Array[float, 3] = [x, 1.0]
            return a[0]
    """
    return finding("E1813", f"a list of {found} is given to an array of {wanted}", span,
                   help="write a list of that length, or assign the elements in a loop",
                   kind=AssignTypeMismatch, payload={"stmt": stmt})


def list_misplaced(span: Span) -> Finding:
    """A list where no array can be made.

    In a reduction, and in the message of an assertion, nothing can be written.

        def f(x : In[float]) -> float:
            return sum([x, x * i][0] for i in range(3))
    """
    return finding("E1814", "no array can be made here", span,
                   help="assign it to a variable before")
