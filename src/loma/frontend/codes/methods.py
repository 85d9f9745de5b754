"""E08xx: methods, operators on structs, tuples, stacks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes.base import a, did_you_mean, finding
from loma.frontend.errors import (
    ArrayAccessTypeMismatch,
    AssignTypeMismatch,
    BinaryOpTypeMismatch,
    CallTypeMismatch,
    Finding,
)

REDUCED: Final = frozenset(("sum", "min", "max", "argmin", "argmax", "mean"))


def no_method(
    call: surface.MethodCall, span: Span, owner: str, known: Iterable[str], builtin: bool
) -> Finding:
    """A call of a method that the type does not have.

    The methods of a struct are the functions in its class. Numbers and arrays have none.

        def f(x : In[float]) -> float:
            return x.sqrt()
    """
    known = [k for k in known if not k.startswith("__")]
    listed = f"its methods are {', '.join(f'`{k}`' for k in known)}" if known else (
        f"define `def {call.name}(self):` in the class, or write a function")
    help = f"write `{call.name}(...)`" if builtin else did_you_mean(call.name, known, listed)
    if owner.startswith("Array[") and call.name in REDUCED:
        kind, count = ("sum", " / n") if call.name == "mean" else (call.name, "")
        help = f"write `{kind}(a[i] for i in range(n)){count}`"
    if call.name in ("append", "pop", "push") and owner.startswith("Array"):
        help = "an array has its length for good: declare a stack, `s : Stack[float]`"
    return finding("E0801", f"`{owner}` has no method `{call.name}`", span, help=help,
                   kind=CallTypeMismatch, payload={"expr": call})


def no_self(span: Span, name: str) -> Finding:
    """A method whose first argument is not the object.

    The first argument of a method is `self`, which is `In` unless it says otherwise:
    `self : InOut`.

        class Vec2:
            x : float
            y : float

            def norm(v : In[float]) -> float:
                return v
    """
    return finding("E0802", f"the method `{name}` does not start with `self`", span,
                   help=f"write `def {name}(self, ...)`, or `self : InOut` if it changes the "
                        "object; mark a method without an object with `@staticmethod`")


def no_overload(node: surface.Node, span: Span, what: str, given: str,
                candidates: Iterable[str]) -> Finding:
    """Operands for which no definition of a method is made.

    A method may be defined several times, for different types of its arguments. A number is
    converted to a wider type, never to a narrower one.

        class Vec2:
            x : float
            y : float

            def __mul__(self, s : In[float]) -> Vec2:
                return Vec2(self.x * s, self.y * s)

        def f(v : In[Vec2]) -> Vec2:
            return v * v
    """
    return finding("E0803", f"no definition of {what} takes these operands", span,
                   f"these are {given}", f"there is {_listed(candidates)}",
                   kind=BinaryOpTypeMismatch, payload={"expr": node})


def ambiguous(node: surface.Node, span: Span, what: str, given: str,
              candidates: Iterable[str]) -> Finding:
    """Operands for which two definitions of a method fit equally well.

    The definition is called that needs the fewest conversions of numbers, for each operand.

        class A:
            x : float

            def scale(self, s : In[float], t : In[int]) -> float:
                return s

            def scale(self, s : In[int], t : In[float]) -> float:
                return t

        def f(a : In[A]) -> float:
            return a.scale(1, 1)
    """
    return finding("E0804", f"several definitions of {what} take these operands", span,
                   f"these are {given}",
                   f"convert an operand, to choose between {_listed(candidates)}",
                   kind=CallTypeMismatch, payload={"expr": node})


def no_operator(span: Span, name: str, owner: str) -> Finding:
    """A method with the name of an operator that loma does not have.

    Names with two underscores belong to operators: `__add__`, `__rmul__`, `__neg__`, `__eq__`,
    `__getitem__` and so on.

        class Vec2:
            x : float
            y : float

            def __init__(self):
                pass
    """
    help = "rename it: it would never be called"
    if name in ("__init__", "__new__", "__post_init__"):
        help = f"structs are made by `{owner}(...)`; write a function that returns one"
    elif name.startswith("__i"):
        help = f"write `__{name[3:]}`: `a += b` is `a = a + b`"
    return finding("E0805", f"`{name}` is not an operator", span, help=help)


def decorated(span: Span) -> Finding:
    """A decorator of a method other than @staticmethod.

    Methods are plain functions; kernels stand outside of classes. A method without `self` is marked
    with `@staticmethod`.

        class A:
            x : float

            @property
            def twice(self) -> float:
                return 2.0 * self.x
    """
    return finding("E0806", "the only decorator of a method is `@staticmethod`", span,
                   help="delete it, or write a function outside of the class")


def several_primals(span: Span, name: str, functions: Iterable[str]) -> Finding:
    """The derivative of a method that is defined several times.

    Each definition is a function with a name of its own.

        class A:
            x : float

            def scale(self, s : In[float]) -> float:
                return s

            def scale(self, a : In[A]) -> float:
                return a.x

        d = fwd_diff(A.scale)
    """
    shown = " or ".join(f"`{f}`" for f in functions)
    return finding("E0807", f"`{name}` has several definitions", span,
                   help=f"name the one to differentiate: {shown}")


def unordered(node: surface.Node, span: Span) -> Finding:
    """A chain of comparisons of structs that are not variables.

    A chain evaluates each operand once; a struct in it is a variable, an element or a member.

        class A:
            x : float

            def __lt__(self, other : In[A]) -> bool:
                return self.x < other.x

        def twice(a : In[A]) -> A:
            return A(2 * a.x)

        def f(a : In[A]) -> bool:
            return a < twice(a) < a
    """
    return finding("E0808", "a struct in a chain of comparisons is not a variable", span,
                   help="assign it to a variable first, or write two comparisons with `and`",
                   kind=BinaryOpTypeMismatch, payload={"expr": node})


def tuple_element(span: Span, found: str) -> Finding:
    """An element that a tuple cannot hold.

    A tuple holds numbers, structs, and arrays of known length.

        def f(x : In[Array[float]]) -> float:
            t = 1.0, x
            return t[0]
    """
    return finding("E0809", f"a tuple cannot hold {a(found)}", span,
                   help="pass the array as an argument of its own, or give it a length")


def tuple_index(expr: surface.Index, span: Span) -> Finding:
    """An element of a tuple that is not known beforehand.

    The elements of a tuple have different types, so it is known which one is meant.

        def f(x : In[float], n : In[int]) -> float:
            t = x, 1
            return t[n]
    """
    return finding("E0810", "the index of a tuple is not an integer literal", span,
                   help="write the index as a number, `t[0]`, or use an array",
                   kind=ArrayAccessTypeMismatch, payload={"expr": expr})


def unpacked(
    stmt: surface.Assign, span: Span, wanted: int, found: int | None, shown: str
) -> Finding:
    """Targets that do not match the tuple.

    `u, v = value` takes a tuple of two.

        def f(x : In[float]) -> float:
            u, v = x
            return u + v
    """
    message = f"{a(shown)} is no tuple" if found is None else (
        f"a tuple of {found} is assigned to {wanted} target{'s' if wanted > 1 else ''}")
    return finding("E0811", message, span, f"this is `{shown}`",
                   "assign it to one variable" if found is None else
                   "write one target for each element, `_` for those that are not used",
                   kind=AssignTypeMismatch, payload={"stmt": stmt})


def stack_element(span: Span, found: str) -> Finding:
    """A stack of something that it cannot hold.

    A stack holds numbers, or structs without pointers.

        def f(x : In[float]) -> float:
            s : Stack[Array[float, 3]]
            return x
    """
    return finding("E0812", f"a stack cannot hold {a(found)}", span,
                   help="write `Stack[float]`, or a class that holds the array")


def stack_direction(span: Span, name: str, direction: str) -> Finding:
    """A stack that is passed as In or Out.

    A function that gets a stack may push to it and pop from it: `InOut`.

        def f(s : In[Stack[float]]) -> float:
            return 1.0
    """
    return finding("E0813", f"a stack cannot be passed as `{direction}`", span,
                   help=f"write `{name} : InOut[Stack[...]]`")


def stack_value(span: Span, name: str) -> Finding:
    """A stack with an initial value.

    A stack starts empty.

        def f(x : In[float]) -> int:
            s : Stack[float] = x
            return s.size()
    """
    return finding("E0814", "a stack starts empty", span,
                   help=f"delete the value, and call `{name}.push(...)`")


def stack_statement(span: Span, name: str) -> Finding:
    """push as a value, or pop where it may be evaluated many times.

    `s.push(x)` is a statement. `s.pop()` is a statement, or stands in an expression; but not in a
    reduction, nor in the message of an assertion.

        def f(x : In[float]) -> float:
            s : Stack[float]
            s.push(x)
            return sum(s.pop() for i in range(1))
    """
    form = "x = s.pop()" if name == "pop" else "s.push(x)"
    return finding("E0815", f"`{name}` changes the stack, so it is not part of this", span,
                   help=f"write `{form}` on a line of its own")


def stack_alone(span: Span, name: str) -> Finding:
    """A stack that is used as a value.

    A stack is used by its operations, and passed on to functions.

        def f(x : In[float]) -> float:
            s : Stack[float]
            s.push(x)
            return s[0]
    """
    return finding("E0816", f"`{name}` is a stack, which has no value", span,
                   help=f"write `{name}.pop()`, `{name}.push(x)` or `{name}.size()`")


def stack_place(span: Span) -> Finding:
    """A stack as a member, an element or a result.

    A stack is a local variable or an `InOut` argument.

        class A:
            s : Stack[float]
    """
    return finding("E0817", "a stack is a local variable or an `InOut` argument", span,
                   help="declare it in the function that needs it, and pass it to others")


def stack_adjoint(span: Span, name: str) -> Finding:
    """The reverse derivative of a function that gets a stack.

    The adjoints of a stack live as long as the stack: `rev_diff` is asked for the function that
    declares it. Functions that it passes the stack to are differentiated with it.

        def f(s : InOut[Stack[float]], x : In[float]):
            s.push(x)

        r = rev_diff(f)
    """
    return finding("E0818", f"`rev_diff` of `{name}`, which gets a stack", span,
                   help="ask for `rev_diff` of a function that declares the stack and calls "
                        f"`{name}`")


def _listed(candidates: Iterable[str]) -> str:
    return ", ".join(f"`{c}`" for c in candidates)
