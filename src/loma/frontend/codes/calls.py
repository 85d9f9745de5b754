"""E04xx: calls."""

from __future__ import annotations

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes.base import a, finding
from loma.frontend.errors import CallTypeMismatch, CallWithOutArgNotInCallStmt, Finding


def arity(call: surface.Call, wanted: int, found: int, shown: str) -> Finding:
    """A call with too few or too many operands.

    A call has one operand for each argument.

        def f(x : In[float]) -> float:
            return pow(x)
    """
    plural = "operand" if wanted == 1 else "operands"
    return finding("E0401", f"`{call.function}` takes {wanted} {plural}, not {found}", call.span,
                   help=f"it is `{shown}`", kind=CallTypeMismatch, payload={"expr": call})


def mismatch(call: surface.Call, span: Span, name: str, wanted: str, found: str) -> Finding:
    """An operand that does not fit the argument.

    Numbers are converted to the type of an `In` argument; nothing else is. An `Out` operand has
    the type of its argument. `Array[T, 3]` passes as `Array[T]`.

        class Vec2:
            x : float
            y : float

        def g(v : In[Vec2]) -> float:
            return v.x

        def f(x : In[float]) -> float:
            return g(x)
    """
    help = ""
    if found.startswith("Array") and wanted.startswith("Array"):
        help = "the element types and inner lengths must be the same"
    elif found.startswith("_d") and not wanted.startswith("_d"):
        help = "take the member `.val` or `.dval`"
    elif wanted == "_dfloat":
        help = "make one with `make__dfloat(val, dval)`"
    return finding("E0402", f"argument `{name}` of `{call.function}` is {a(wanted)}", span,
                   f"this is `{found}`", help or f"pass {a(wanted)}",
                   kind=CallTypeMismatch, payload={"expr": call})


def out_in_expression(call: surface.Call, outputs: str, filled: bool) -> Finding:
    """A call that writes its arguments, used as a value.

    A call that fills `Out` arguments is a statement, so that it is plain when they have their
    values. One that changes `InOut` arguments may be a value, but not in a reduction or in the
    message of an assertion, where it could happen never, or many times.

        def g(x : In[float], y : Out[float]) -> float:
            y = x
            return x

        def f(x : In[float]) -> float:
            y : float
            return g(x, y)
    """
    why = "so its call is a statement" if filled else (
        "and here it would be called never, or many times")
    return finding("E0403", f"`{call.function}` writes {outputs}, {why}", call.span,
                   help=f"write `{call.function}(...)` on a line of its own, before this one",
                   kind=CallWithOutArgNotInCallStmt, payload={"expr": call})


def not_a_place(call: surface.Call, span: Span, name: str) -> Finding:
    """An output operand that cannot be written.

    An `Out` operand is a variable, an element or a member.

        def g(x : In[float], y : Out[float]) -> float:
            y = x
            return x

        def f(x : In[float]):
            g(x, x + 1)
    """
    return finding("E0404", f"`{call.function}` writes its argument `{name}`", span,
                   "this cannot be written", "pass a variable, an element or a member",
                   kind=CallTypeMismatch, payload={"expr": call})


def same_output(call: surface.Call, span: Span, first: Span) -> Finding:
    """One place passed twice as an output.

    What the place would hold afterwards is not defined.

        def g(y : Out[float], z : Out[float]):
            y = 1.0
            z = 2.0

        def f(x : In[float]):
            g(x, x)
    """
    return finding("E0405", "the same place is passed twice as an output", span,
                   help="pass two variables, and combine them after the call",
                   notes=((first, "first passed here"),),
                   kind=CallTypeMismatch, payload={"expr": call})


def kernel_called(call: surface.Call) -> Finding:
    """A kernel that is called without a number of threads.

    A kernel runs once per thread: `k[n](a)` runs it on `n` threads.

        @simd
        def k(a : Out[Array[float]]):
            a[thread_id()] = 1.0

        def f(a : Out[Array[float]]):
            k(a)
    """
    return finding("E0406", f"`{call.function}` is a kernel, which runs on a number of threads",
                   call.span, help=f"write `{call.function}[n](...)`, with `n` threads",
                   kind=CallTypeMismatch, payload={"expr": call})


def no_value(call: surface.Call) -> Finding:
    """The value of a function that returns nothing.

    A function without `->` is called as a statement.

        def g(x : In[float]):
            x = 1.0

        def f(x : In[float]) -> float:
            return g(x)
    """
    return finding("E0407", f"`{call.function}` returns no value", call.span,
                   help="call it as a statement, or give the function a `-> type`",
                   kind=CallTypeMismatch, payload={"expr": call})


def statement_only(call: surface.Call) -> Finding:
    """A builtin without a value, used as a value.

    `atomic_add`, `push` and `pop` do something and yield nothing.

        def f(x : In[float]) -> float:
            return atomic_add(x, 1.0)
    """
    return finding("E0408", f"`{call.function}` is a statement and has no value", call.span,
                   help="write it on a line of its own",
                   kind=CallTypeMismatch, payload={"expr": call})


def unused(call: surface.Call) -> Finding:
    """A builtin whose result is thrown away.

    A builtin only yields a value.

        def f(x : In[float]):
            sin(x)
    """
    return finding("E0409", f"the value of `{call.function}` is not used", call.span,
                   help="assign it to a variable, or delete the line",
                   kind=CallTypeMismatch, payload={"expr": call})


def not_a_number(call: surface.Call, span: Span, found: str, wanted: str) -> Finding:
    """An operand of a builtin that does not fit.

    Builtins work on numbers.

        class Vec2:
            x : float
            y : float

        def f(v : In[Vec2]) -> float:
            return sin(v)
    """
    return finding("E0410", f"`{call.function}` takes {wanted}", span, f"this is `{found}`",
                   f"pass {wanted}: a member, an element, or a converted value",
                   kind=CallTypeMismatch, payload={"expr": call})


def thread_id(call: surface.Call) -> Finding:
    """thread_id outside a kernel.

    Only the threads of a kernel are numbered.

        def f() -> int:
            return thread_id()
    """
    return finding("E0411", "`thread_id()` has a value in kernels only", call.span,
                   help="mark the function with `@simd`, or pass the index as an argument")


def not_a_tape(call: surface.Call, span: Span, found: str) -> Finding:
    """push or pop on something that is no tape.

    Values are pushed to a variable of type `Tape`.

        def f(x : In[float]):
            push(x, 1.0)
    """
    return finding("E0412", f"the first operand of `{call.function}` is a `Tape`", span,
                   f"this is `{found}`", "declare one with `tape : Tape`",
                   kind=CallTypeMismatch, payload={"expr": call})


def constructor(call: surface.Call, span: Span, what: str, struct: str, members: str) -> Finding:
    """A constructor whose operands are not the members of the class.

    `Vec2(x, y)` makes a struct: members in order, then members by name. A member without a
    default needs a value.

        class Vec2:
            x : float
            y : float

        def f(x : In[float]) -> Vec2:
            return Vec2(x, z=x)
    """
    return finding("E0413", f"`{struct}` {what}", span, help=f"it is `{struct}({members})`",
                   kind=CallTypeMismatch, payload={"expr": call})
