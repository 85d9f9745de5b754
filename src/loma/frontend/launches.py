"""The bodies of kernels that are launched: functions of their own.

A body has the number of the thread as one more argument. The same is made of a derivative of a
kernel: it is the derivative of the body.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from loma.frontend import surface, typed
from loma.ir.derived import derived_signature
from loma.ir.nodes import Argument, Signature
from loma.ir.types import I32, Scalar

THREAD: Final = "thread"


@dataclass(frozen=True, slots=True)
class Launches:
    """The kernels, and derivatives of kernels, that are launched: the body of each by name."""

    derivatives: Mapping[str, surface.Derivative] = field(default_factory=dict)
    bodies: dict[str, str] = field(default_factory=dict)

    def body(
        self, kernel: str, signatures: dict[str, Signature | None], float_type: Scalar
    ) -> str:
        """The name of the function that one thread runs; it has a signature from now on."""
        if kernel in self.bodies:
            return self.bodies[kernel]
        of = signatures[kernel]
        assert of is not None, "checked by the caller"
        derivative = self.derivatives.get(kernel)
        if derivative is None:
            made = _with_thread(of)
        else:
            primal = signatures[self.body(derivative.primal, signatures, float_type)]
            assert primal is not None, "made here"
            made = derived_signature(primal, derivative.mode, float_type)
        name = wanted = f"{kernel}_{THREAD}"
        count = 1
        while name in signatures:
            count += 1
            name = f"{wanted}_{count}"
        signatures[name] = made
        self.bodies[kernel] = name
        return name

    def functions(
        self, functions: Mapping[str, typed.Function], calls: dict[str, set[str]]
    ) -> dict[str, typed.Function]:
        """The bodies of kernels."""
        made: dict[str, typed.Function] = {}
        for kernel, name in self.bodies.items():
            if (f := functions.get(kernel)) is not None:
                calls[name] = calls.get(kernel, set())
                signature, at = _with_thread(f.signature), len(f.signature.written)
                thread = typed.Symbol(signature.arguments[at].name, I32, f.span)
                params = (*f.params[:at], thread, *f.params[at:])
                made[name] = typed.Function(
                    name, params, signature, f.body, f.span, exported=False, thread=thread)
        return made

    def requests(self) -> Iterable[typed.Derivative]:
        """The derivatives of bodies."""
        for name, d in self.derivatives.items():
            if name in self.bodies:
                primal = self.bodies[d.primal]
                yield typed.Derivative(
                    self.bodies[name], d.mode, primal, exported=False, span=d.span)


def _with_thread(s: Signature) -> Signature:
    """The signature of a kernel's body: after what callers write, the number of the thread."""
    name = THREAD
    while any(a.name == name for a in s.arguments):
        name += "_"
    return Signature((*s.written, Argument(name, I32), *s.sizes), None)
