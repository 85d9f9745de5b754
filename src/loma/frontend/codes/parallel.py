"""E17xx: reductions and parallel loops."""

from __future__ import annotations

from typing import Final

from loma.diagnostics import Span
from loma.frontend.codes.base import finding
from loma.frontend.errors import Finding

NUMBERS: Final = ("float", "int", "f32", "f64", "i32", "i64")
FORM: Final = "write it as `sum(x[i] for i in range(n))`; nest a second one: `sum(sum(...) ...)`"


def reduction_form(span: Span, what: str) -> Finding:
    """A reduction that loma does not have.

    `sum`, `min`, `max`, `argmin`, `argmax`, `any` and `all` run over a range, or over arrays;
    `sum`, `any` and `all` over several, with conditions. `min` and `max` run over several that do
    not depend on each other.

        def f(x : In[Array[float]], n : In[int]) -> float:
            return max(x[i] for i in range(n) if i > 2)
    """
    return finding("E1701", f"a reduction {what}", span, help=FORM)


def reduced(span: Span, kind: str, found: str) -> Finding:
    """A reduction of values that are no numbers.

    Numbers are added and compared.

        class Vec2:
            x : float
            y : float

        def f(v : In[Array[Vec2]], n : In[int]) -> float:
            s = sum(v[i] for i in range(n))
            return s.x
    """
    return finding("E1702", f"`{kind}` takes numbers", span, f"this is `{found}`",
                   "reduce a member or an element")


def shared_written(span: Span, name: str, kind: str, function: str = "") -> Finding:
    """An assignment inside a parallel loop to a variable from outside of it.

    All rounds would write it, in no order. They may add to a number with `atomic_add`, and write
    elements of their own to arrays. A function that is passed such a number may add to it too.

        def f(x : In[Array[float]], n : In[int]) -> float:
            s : float
            for i in parallel(n):
                s = s + x[i]
            return s
    """
    label = f"it is one `{kind}` from outside of the loop"
    help = "declare it inside the loop, or use an array"
    if function:
        label += f", and `{function}` writes it"
        help = f"`{function}` may add to it with `atomic_add`, if it does not read it too"
    elif kind in NUMBERS:
        help = f"add to it with `atomic_add({name}, ...)`, or write `sum(... for i in range(n))`"
    return finding("E1703", f"all rounds of this parallel loop share `{name}`", span, label, help)


def left(span: Span, word: str) -> Finding:
    """A `return` or `break` that leaves a parallel loop.

    There is no first round, and no last one. `continue` ends a round.

        def f(x : In[Array[float]], n : In[int], y : Out[Array[float]]):
            for i in parallel(n):
                if x[i] < 0.0:
                    break
                y[i] = sqrt(x[i])
    """
    return finding("E1704", f"`{word}` leaves a parallel loop", span,
                   "all of its rounds run, in no order",
                   "use `range` for a loop that ends early, or `continue` to end a round")


def launch_form(span: Span, kernel: str) -> Finding:
    """A launch of a kernel that is no statement, or has several numbers of threads.

    `k[n](...)` stands on a line of its own. A kernel has no value; there is one number of threads.

        @simd
        def k(a : Out[Array[float]]):
            a[thread_id()] = 1.0

        def f(a : Out[Array[float]], n : In[int]) -> float:
            return k[n](a)
    """
    return finding("E1705", "this is not how a kernel is launched", span,
                   help=f"write `{kernel}[n](...)`, with `n` threads, on a line of its own")


def not_a_kernel(span: Span, name: str) -> Finding:
    """A launch of something that is no kernel.

    `f[n](...)` runs a function with `@simd` on `n` threads.

        def g(a : Out[Array[float]]):
            a[0] = 1.0

        def f(a : Out[Array[float]], n : In[int]):
            g[n](a)
    """
    return finding("E1706", f"`{name}` is not a kernel", span,
                   help=f"mark it with `@simd`, or call it, `{name}(...)`")
