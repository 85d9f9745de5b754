"""E16xx: generic functions and structs, functions as operands, closures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from loma.diagnostics import Span
from loma.frontend.codes.base import did_you_mean, finding
from loma.frontend.errors import Finding
from loma.ir.types import Scalar

NUMBERS: Final = {"int", "float", *(s.value for s in Scalar)}
"""The names of the types of numbers."""


def undetermined(span: Span, name: str, missing: str, params: Iterable[str]) -> Finding:
    """A generic function whose types are not determined.

    The types follow from the operands of a call. Where there are none, or where they do not tell,
    they are written: `f[f64]`.

        T = TypeVar("T")

        def square(x : In[T]) -> T:
            return x * x

        d_square = fwd_diff(square)
    """
    shown = ", ".join(params)
    return finding("E1601", f"the type `{missing}` of `{name}` is not determined here", span,
                   help=f"write the types: `{name}[f64]`" if "," not in shown
                   else f"write the types `{shown}`: `{name}[f64, ...]`")


def conflict(span: Span, param: str, types: Iterable[str]) -> Finding:
    """Operands that ask for two types under one name.

    A type parameter stands for one type. Numbers are not converted to find it; literals take it.

        T = TypeVar("T")

        def add(x : In[T], y : In[T]) -> T:
            return x + y

        def f(x : In[f32], y : In[f64]) -> f64:
            return add(x, y)
    """
    shown = " and ".join(f"`{t}`" for t in types)
    return finding("E1602", f"`{param}` would be {shown}", span,
                   help="convert one of the operands, `f64(x)`, or write the type, `f[f64]`")


def not_a_choice(span: Span, param: str, found: str, choices: Iterable[str]) -> Finding:
    """A type that the type parameter excludes.

    `T = TypeVar("T", f32, f64)` stands for one of the listed types.

        T = TypeVar("T", f32, f64)

        def half(x : In[T]) -> T:
            return x / 2

        def f(n : In[int]) -> float:
            return half(n)
    """
    listed = ", ".join(f"`{c}`" for c in choices)
    return finding("E1603", f"`{param}` cannot be `{found}`", span,
                   help=f"it is one of {listed}: convert the operand")


def type_arguments(span: Span, name: str, wanted: int, found: int) -> Finding:
    """Too many or too few types between brackets, or brackets where none belong.

    There is one type for each type parameter, in the order in which the arguments mention them.

        T = TypeVar("T")

        def square(x : In[T]) -> T:
            return x * x

        def f(x : In[float]) -> float:
            return square[float, int](x + 1.0)
    """
    if not wanted:
        return finding("E1604", f"`{name}` has no type parameters", span,
                       help="delete the brackets")
    return finding("E1604", f"`{name}` has {wanted} type parameter{'s' * (wanted > 1)}, "
                   f"not {found}", span, help="write one type for each parameter")


def not_known(span: Span, argument: str) -> Finding:
    """An operand that is no function where a function is wanted.

    Which function is passed is known when the program is compiled: the name of a function or of a
    derivative, a `lambda`, or an argument that is a function itself.

        def twice(f : Callable[[float], float], x : In[float]) -> float:
            return f(f(x))

        def g(x : In[float]) -> float:
            return twice(x, x)
    """
    return finding("E1605", f"`{argument}` is a function, and this is none", span,
                   help="pass the name of a function, or `lambda x: ...`")


def unlike(span: Span, argument: str, wanted: str, found: str) -> Finding:
    """A function with other arguments or another result than the argument that it is passed for.

    Number, types and directions of the arguments are the same, and the type of the result.

        def twice(f : Callable[[float], float], x : In[float]) -> float:
            return f(f(x))

        def add(x : In[float], y : In[float]) -> float:
            return x + y

        def g(x : In[float]) -> float:
            return twice(add, x)
    """
    return finding("E1606", f"this function cannot be passed as `{argument}`", span,
                   f"it is `{found}`", f"`{argument}` is `{wanted}`")


def as_value(span: Span, name: str) -> Finding:
    """A function as a value: stored, returned, or in an expression.

    Functions are not values: which one is called is known when the program is compiled. So they can
    be called, passed on, and given a name, but neither stored nor returned.

        def f(x : In[float]) -> float:
            g = lambda y: x * y
            return g
    """
    return finding("E1607", f"{name} is no value", span,
                   help="call it, or pass it as an operand for an argument `f : Callable[...]`; "
                        "`def` and `g = lambda x: ...` give it a name")


def captured(span: Span, name: str) -> Finding:
    """A function that changes a variable of the function around it.

    A function inside a function reads the variables around it. Pass what it changes as an argument,
    `InOut[...]`.

        def f(x : In[float]) -> float:
            total : float = 0.0

            def add(y : In[float]):
                total += y

            add(x)
            return total
    """
    return finding("E1608", f"`{name}` belongs to the function around, which only it may change",
                   span, help=f"pass it as an argument, `{name} : InOut[...]`, or return the value")


def captured_output(span: Span, name: str) -> Finding:
    """A variable that a passed function reads, and that the same call changes.

    A function that is passed sees the values that variables have at the call.

        def apply(f : Callable[[float], float], y : InOut[float]):
            y = 2.0 * y
            y = f(y)

        def g(x : In[float]) -> float:
            a : float = x
            apply(lambda t: t * a, a)
            return a
    """
    return finding("E1609", f"this call changes `{name}`, which the passed function reads", span,
                   help="copy it into another variable first")


def endless(span: Span, name: str, count: int) -> Finding:
    """A generic function that calls itself with ever new types, or far too many instances.

    Each combination of types makes an instance of its own. There are at most 2000.

        class Pair(Generic[T]):
            a : T
            b : T

        T = TypeVar("T")

        def depth(x : In[T], n : In[int]) -> int:
            p : Pair[T]
            if n == 0:
                return 0
            return 1 + depth(p, n - 1)

        def f(x : In[float]) -> int:
            return depth(x, 3)
    """
    return finding("E1610", f"`{name}` would need more than {count} instances", span,
                   help="let the types in a recursive call be those of the function itself")


def misplaced_callable(span: Span) -> Finding:
    """A function type elsewhere than in an argument.

    Functions are not values: no variable, member or result holds one.

        class A:
            f : Callable[[float], float]
    """
    return finding("E1611", "a function type belongs to an argument, without a direction", span,
                   help="write `f : Callable[[float], float]` among the arguments of a function")


def callable_form(span: Span) -> Finding:
    """A malformed function type.

    A function type says what the function takes and gives.

        def f(g : Callable[float, float]) -> float:
            return g(1.0)
    """
    return finding("E1612", "malformed function type", span,
                   help="write `Callable[[float, In[Array[float]]], float]`: the types of the "
                        "arguments between brackets, then that of the result or `None`")


def type_variable(span: Span, name: str) -> Finding:
    """A malformed type parameter.

    A type parameter has one name, and stands for any type, or for one of those listed.

        T = TypeVar("S")
    """
    return finding("E1613", "malformed type parameter", span,
                   help=f"write `{name} = TypeVar(\"{name}\")`, or with two or more types to "
                        f"choose from: `{name} = TypeVar(\"{name}\", f32, f64)`")


def lambda_form(span: Span) -> Finding:
    """A `lambda` with defaults, `*` or keyword arguments.

    The types of its arguments follow from where it is passed.

        def twice(f : Callable[[float], float], x : In[float]) -> float:
            return f(f(x))

        def g(x : In[float]) -> float:
            return twice(lambda y=1.0: y, x)
    """
    return finding("E1614", "a `lambda` has plain arguments", span, help="write `lambda x, y: ...`")


def capture_type(span: Span, name: str, what: str) -> Finding:
    """A variable that cannot be captured.

    Numbers, structs and arrays can be captured; a tape, or an array that grows, cannot.

        def twice(f : Callable[[float], float], x : In[float]) -> float:
            return f(f(x))

        def g(x : In[float]) -> float:
            a : Array[float, ...]
            a[0] = x
            return twice(lambda y: a[0] * y, x)
    """
    return finding("E1615", f"{what} cannot be captured", span,
                   help=f"copy what is needed of `{name}` into a number or an array of known "
                        "length")


def needs_types(span: Span, name: str, params: Iterable[str]) -> Finding:
    """A generic struct without its types.

    Inside the class its own name needs none.

        T = TypeVar("T")

        class Pair(Generic[T]):
            a : T
            b : T

        def f(p : In[Pair]) -> float:
            return p.a
    """
    shown = ", ".join(params)
    return finding("E1616", f"`{name}` needs its types", span, help=f"write `{name}[{shown}]` "
                   f"with types for `{shown}`")


def unknown_instance(span: Span, name: str, known: Iterable[str]) -> Finding:
    """Another name for something that is no function.

    `name = f[f64]` makes an instance under a name, `name = f` gives a function another one.

        g = missing[f64]
    """
    otherwise = "define it in this file, or import it"
    if name in NUMBERS:
        otherwise = f"types have no other names: write `{name}`"
    return finding("E1617", f"there is no function called `{name}`", span,
                   help=did_you_mean(name, known, otherwise))


def in_derivative(span: Span, name: str) -> Finding:
    """A derivative of a function that takes functions.

    Define a function that calls it with the functions that are meant, and differentiate that.

        def twice(f : Callable[[float], float], x : In[float]) -> float:
            return f(f(x))

        d_twice = fwd_diff(twice)
    """
    return finding("E1618", f"`{name}` takes functions: which ones is not known here", span,
                   help=f"define a function that calls `{name}`, and differentiate that")


def derivative_operand(span: Span, function: str) -> Finding:
    """A derivative of something that is no function, or of a `lambda`.

    Inside of a function, `fwd_diff(g)` is the derivative of `g`: a function of the file, a function
    inside the function, or an argument that is a function. It can be called, passed on, and get a
    name. The types of a `lambda` are known only where it is passed.

        def f(x : In[float]) -> float:
            d = fwd_diff(lambda t: t * x)
            return d(make__dfloat(x, 1.0)).dval
    """
    return finding("E1619", f"`{function}` takes the name of one function", span,
                   help=f"write `{function}(g)`; give a `lambda` a name with `def`")


def in_instance(name: str, bindings: str) -> str:
    """The note below an error in an instance."""
    return f"in the instance of `{name}` with {bindings}, called here"
