"""E061x: derivatives that the program writes itself."""

from __future__ import annotations

from loma.diagnostics import Span
from loma.frontend.codes.base import finding
from loma.frontend.errors import Finding


def form(span: Span, word: str) -> Finding:
    """A rule that does not say whose derivative it is.

    `@custom_fwd(f)` and `@custom_rev(f)` name one function.

        @custom_rev
        def r(x : In[float], adj_x : Out[float], _dreturn : In[float]):
            adj_x += _dreturn
    """
    return finding("E0610", f"`@{word}` needs the name of one function", span,
                   help=f"write `@{word}(f)` above the derivative of `f`")


def signature(
    span: Span, name: str, word: str, primal: str, expected: str, primal_span: Span
) -> Finding:
    """A rule without the signature of the derivative that it stands for.

    Types and directions are those of `fwd_diff(f)` or `rev_diff(f)`; names are free.

        def f(x : In[float]) -> float:
            return x * x

        @custom_rev(f)
        def r(x : In[float], adj_x : Out[float]):
            adj_x += 2.0 * x
    """
    return finding("E0611", f"`{name}` does not have the signature of `{word}({primal})`", span,
                   help=f"write `{expected}`", notes=((primal_span, f"`{primal}` is this one"),))


def twice(span: Span, primal: str, word: str, first: Span) -> Finding:
    """Two rules for one derivative.

    A function has one forward rule and one reverse rule at most.

        def f(x : In[float]) -> float:
            return x

        @custom_fwd(f)
        def a(x : In[Diff[float]]) -> Diff[float]:
            return x

        @custom_fwd(f)
        def b(x : In[Diff[float]]) -> Diff[float]:
            return x
    """
    return finding("E0612", f"`{primal}` has two rules `@{word}`", span,
                   notes=((first, "the first one is here"),), help="remove one of them")


def nodiff(span: Span) -> Finding:
    """NoDiff elsewhere than in the type of an In argument.

    `In[NoDiff[T]]` marks what no derivative is taken by.

        def f(x : In[float], y : Out[NoDiff[float]]):
            y = x
    """
    return finding("E0613", "`NoDiff` marks `In` arguments only", span,
                   help="write `x : In[NoDiff[T]]`, or use `stop_gradient`")


def stopped(span: Span, found: str) -> Finding:
    """stop_gradient of what has no value of its own.

    It takes a number, or a struct, which it copies without derivatives.

        def f(x : In[Array[float]]) -> float:
            y : float = stop_gradient(x)
            return y
    """
    return finding("E0614", "`stop_gradient` takes a number, or a struct without pointers, not "
                   f"`{found}`", span, help="stop the elements where they are read")


def generic(span: Span, name: str, why: str, help: str) -> Finding:
    """A generic function that cannot be a rule.

    The types of a generic rule follow from those of the function, which it must be able to tell.
    Neither of them takes functions.

        T = TypeVar("T")

        def f(g : Callable[[T], T], x : In[T]) -> T:
            return g(x)

        @custom_rev(f)
        def r(x : In[T], adj_x : Out[T], seed : In[T]):
            adj_x += seed
    """
    return finding("E0615", f"`{name}` cannot be a rule, since {why}", span, help=help)


def launched(span: Span, kernel: str) -> Finding:
    """A rule for a kernel that is launched from loma.

    Such a launch is differentiated thread by thread, which a rule for all threads cannot do.

        @simd
        def k(x : In[Array[float]], y : Out[Array[float]]):
            y[thread_id()] = x[thread_id()]

        @simd
        @custom_fwd(k)
        def dk(x : In[Array[Diff[float]]], y : Out[Array[Diff[float]]]):
            y[thread_id()] = x[thread_id()]

        def f(x : In[Array[float]], y : Out[Array[float]]):
            k[4](x, y)
    """
    return finding("E0616", f"`{kernel}` is launched from loma, and has a rule", span,
                   help="write the rule for the function that launches it")
