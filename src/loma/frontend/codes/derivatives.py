"""E06xx: requests for derivatives."""

from __future__ import annotations

from loma.diagnostics import Diagnostic, Span
from loma.frontend.codes.base import finding
from loma.frontend.errors import Finding, UnhandledDifferentiation


def endless(span: Span, name: str, path: str) -> Finding:
    """A derivative that needs itself.

    The derivative of a function includes those of all that it calls.

        d = fwd_diff(d)
    """
    return finding("E0601", f"the derivative `{name}` needs its own derivative", span,
                   f"by way of {path}",
                   "break the circle: the function must not call, or be, its own derivative")


def constructor_taken(span: Span) -> Finding:
    """A function called make__dfloat that does something else.

    `make__dfloat(val, dval)` exists by itself.

        def make__dfloat(x : In[float]) -> float:
            return x
    """
    return finding("E0602", "`make__dfloat` is the constructor of `_dfloat`", span,
                   help="rename the function, or give it the signature "
                        "`make__dfloat(val : In[float], dval : In[float]) -> _dfloat`")


def refused(span: Span, function: str, reason: str, help: str) -> Finding:
    """A function that has no derivative in the mode that was asked for.

    Rather no derivative than a wrong one: the message says what stands in the way.

        def f(x : In[Array[float]]) -> float:
            x[0] = x[0] * x[1]
            return x[0]

        r = rev_diff(f)
    """
    return finding("E0603", f"`{function}` cannot be differentiated: {reason}", span, help=help,
                   kind=UnhandledDifferentiation, payload={"func": span})


def too_many_orders(span: Span, name: str) -> Finding:
    """Derivatives of derivatives, a hundred times over.

    Each order multiplies the size of the program.
    """
    return finding("E0604", f"`{name}` is a derivative of too high an order", span,
                   help="differentiate fewer times")


def race(span: Span, function: str, root: str, other: Span, kernel: bool = True) -> Finding:
    """A kernel whose threads read what other threads write, or such a parallel loop.

    Threads run in any order, or at once, and so do the rounds of a loop over `parallel`.

        @simd
        def k(x : InOut[Array[float]]):
            i : int = thread_id()
            x[i] = x[i + 1]
    """
    if kernel:
        who, other_, what = f"threads of `{function}`", "thread", "kernel"
    else:
        who, other_, what = "rounds of a parallel loop", "round", "loop"
    return finding("E0605", f"{who} read what other {other_}s write to `{root}`",
                   other, f"another {other_} writes this", notes=((span, "the write is here"),),
                   help=f"write to another array, or split the {what} in two")


def assumption(
    span: Span, function: str, root: str, other: Span, kernel: bool = True
) -> Diagnostic:
    """The remark that threads are taken to be independent, which could not be proven."""
    who, another = ("thread", "thread") if kernel else ("round of a parallel loop", "round")
    return Diagnostic("R0605", f"assumed: no {who} of `{function}` touches an element of `{root}` "
                      f"that another {another} writes", other, "cannot be decided here",
                      notes=((span, "the write is here"),))


def zero(span: Span, function: str, argument: str, cause: str) -> Diagnostic:
    """The warning that a derivative is zero everywhere."""
    return Diagnostic("W0601", f"the derivative of `{function}` by `{argument}` is zero everywhere",
                      span, cause, f"if that is meant, mark `{argument}` as `NoDiff`, or begin its "
                      "name with an underscore", severity="warning")
