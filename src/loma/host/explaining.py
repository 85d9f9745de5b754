"""`loma.explain`: what a gradient stores and computes again, for functions that Python calls."""

from __future__ import annotations

from loma.host import definitions
from loma.host.explain import Explanation as Explanation
from loma.host.explain import explained
from loma.host.function import Function
from loma.host.hunting import call_of
from loma.host.refusals import ArgumentTypeError
from loma.host.sweeps import DIFFERENTIATED, Target, opened
from loma.host.transforms import Derived
from loma.host.values import Value
from loma.ir.derived import Mode
from loma.ir.types import F64


def explain(f_grad: Derived | Target, *args: Value, **kwargs: Value) -> Explanation:
    """Tells, line by line, what a gradient stores, what it computes again, and why.

    `f_grad` is a gradient, `loma.grad(f)` or `loma.rev_diff(f)`, or the function or kernel itself.
    With the arguments of `f` it also gives the `figures` of that call: bytes of tape, predicted and
    measured, and weighted operations of the gradient by those of the function. That call runs in an
    interpreter as well, so it wants small arguments.
    """
    target: Target = getattr(f_grad, DIFFERENTIATED, f_grad)
    f, threads = opened(target)
    f = primal_of(f)
    if not args and not kwargs:
        if f.program.template is not None:
            raise ArgumentTypeError(
                f"`{f.name}` is generic: what its gradient does depends on the arguments",
                "explain an instance, `f[float]`, or give the arguments")
        program = f.program.checked(f.program.fixed_type or F64)
        return explained(program, f.name, None, f.program.file_texts())
    f, args, kwargs = f.for_call(args, kwargs)  # type: ignore[assignment]
    program, operands = call_of(f, args, kwargs, threads)
    return explained(program, f.name, operands, f.program.file_texts())


def primal_of(f: Function) -> Function:
    """The function of which `f` is the reverse derivative, else `f`."""
    definition = f.__loma_definition__
    if isinstance(definition, definitions.Derived) and definition.mode is Mode.REVERSE:
        return f._primal or Function(definition.primal)
    return f
