"""The exported reverse derivative: a joint scope with the signature that the course fixed.

    In x    -> In x, Out adj_x (accumulated)         Out y -> In adj_y (never modified)
    InOut x -> In x, InOut adj_x                     result -> In _dreturn

A primal Out has no memory here: a local takes its place, or nothing if it is never read back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loma.ad.adjoints import Adjoints
from loma.ad.errors import NotDifferentiable
from loma.ad.incoming import Incoming
from loma.ad.isolate import isolated
from loma.ad.once import Once
from loma.ad.places import (
    Cells,
    Dropped,
    Given,
    LastWrite,
    Overlay,
    Scratch,
    Shadow,
    Shape,
    copy_leaves,
)
from loma.ad.reverse import Sweep
from loma.ad.rotate import rotated
from loma.ad.sized import Sized
from loma.ad.split import Splitter, only_alive, top_allocations
from loma.ad.state import Joint
from loma.ad.touched import kept
from loma.diagnostics import Span
from loma.ir.analysis.reload import reloads
from loma.ir.analysis.roots import bases, region_writes
from loma.ir.derived import reverse_signature
from loma.ir.nodes import (
    Alloc,
    Argument,
    Direction,
    Function,
    Module,
    Op,
    Operand,
    Parallel,
    Region,
    Var,
)
from loma.ir.traverse import clone_region, reads
from loma.ir.types import Ref, Scalar, TapeType, has_float, has_pointer


@dataclass(frozen=True, slots=True)
class Phantom:
    """A root that does not exist: the incoming value of an Out. A derivative that needs it is
    refused.
    """

    root: Var
    span: Span
    name: str


def reverse(
    f: Function, name: str, module: Module, splitter: Splitter
) -> tuple[Function, list[Phantom]]:
    """The reverse derivative of `f`, under the name `name`.

    What reads a phantom must be swept up as dead code afterwards; see `refuse_phantoms`.
    """
    transform = _Reverse(isolated(rotated(f), splitter.rule, module.structs), module, splitter)
    return transform.function(name), transform.phantoms


def refuse_phantoms(primal: str, derivative: Function, phantoms: list[Phantom]) -> None:
    """Raises if the derivative, its dead code removed, still reads the incoming value of an Out."""
    needed = set(reads(derivative.body))
    for phantom in phantoms:
        if phantom.root in needed:
            raise NotDifferentiable(
                primal,
                phantom.span,
                f"the incoming value of the Out argument `{phantom.name}` is needed",
                f"declare `{phantom.name}` as InOut",
            )


@dataclass(frozen=True, slots=True)
class _Slot:
    """One argument of the primal: its core parameter, and the derivative's parameters for it; no
    adjoint where no derivative is taken.
    """

    argument: Argument
    param: Var
    primal: Var | None
    adjoint: Var | None


class _Reverse:
    """Sets up the roots of an exported derivative and puts its pieces together."""

    def __init__(self, f: Function, module: Module, splitter: Splitter) -> None:
        self.f = f
        self.module = module
        self.structs = module.structs
        self.splitter = splitter
        self.signature = reverse_signature(f.signature)
        self.kernel = f.body.ops[0] if f.signature.simd and f.body.ops else None
        self.region = self.kernel.body if isinstance(self.kernel, Parallel) else f.body
        self.base = bases(f.body)
        self.written = region_writes(f.body, self.base, splitter.written)
        found = reloads(f.body, splitter.written, ())
        alive = set(f.params) | top_allocations(self.region)
        self.sweep = Sweep(f, module, only_alive(f, found, alive), splitter)
        self.joint: Joint = self.sweep.joint
        self.sized = Sized.of(f, module.structs)
        self.finish: list[_Slot] = []
        self.phantoms: list[Phantom] = []

    def function(self, name: str) -> Function:
        """The derivative as a whole."""
        params, slots, seeds = self.parameters()
        b = self.sweep.b
        with b.nested() as begin:
            for slot in slots:
                b.span = slot.argument.span
                self.set_up(slot)
        env = self.sweep.adjoints()
        forward, backward = self.sweep.sweep(
            self.region, env, seeds if self.region is self.f.body else ()
        )
        with b.nested() as end:
            self.hand_out(env)
        ops = (*self.joint.start, *begin, *forward, *backward, *end)
        body = clone_region(self.wrap(ops), {})
        return Function(name, tuple(params), body, self.signature, self.f.span, self.f.exported)

    def wrap(self, ops: tuple[Op, ...]) -> Region:
        """The body: for a kernel, the same parallel loop around both sweeps."""
        if isinstance(self.kernel, Parallel):
            body = Region(self.kernel.body.args, ops, ())
            return Region((), (Parallel(self.kernel.count, body, (), span=self.kernel.span),), ())
        return Region((), ops, ())

    # Parameters.

    def parameters(self) -> tuple[list[Var], list[_Slot], list[Operand | None]]:
        """The derivative's parameters, the slots of the primal's arguments, and the seeds of the
        yields.
        """
        names = iter(self.signature.arguments)
        params: list[Var] = []
        slots: list[_Slot] = []
        for argument, param in zip(self.f.signature.written, self.f.params, strict=False):
            slot = self.slot(argument, param, names)
            slots.append(slot)
            params += [v for v in (slot.primal, slot.adjoint) if v is not None]
        seeds: list[Operand | None] = [None] * len(self.f.body.yields)
        result = self.f.signature.result
        if result is not None:
            seed = next(names)
            if isinstance(result, Scalar):
                params.append(Var(seed.name, result))
                seeds = [params[-1]]
            else:
                params.append(Var(seed.name, Ref(result)))
                out = Argument(self.f.params[-1].name, result, Direction.OUT, self.f.span)
                slots.append(
                    _Slot(out, self.f.params[len(self.f.signature.arguments)], None, params[-1])
                )
        given, written = len(self.f.signature.arguments), len(self.f.signature.written)
        params += self.f.params[written:given]
        if self.f.signature.simd:
            params.append(self.f.params[-1])
        return params, slots, seeds

    def slot(self, argument: Argument, param: Var, names: Iterator[Argument]) -> _Slot:
        """The derivative's parameters for one argument."""
        t = argument.type
        if argument.nodiff:
            return self.passive_slot(argument, param, names)
        first = next(names).name
        if isinstance(t, TapeType):
            raise NotDifferentiable(
                self.f.name,
                argument.span,
                f"`{argument.name}` is a tape of the caller, which has no adjoint there",
                "make the tape a local variable, and differentiate the function that holds it",
            )
        if argument.direction is Direction.OUT:
            return _Slot(argument, param, None, Var(first, t if isinstance(t, Scalar) else Ref(t)))
        adjoint = Var(next(names).name, Ref(t))
        if argument.direction is Direction.IN or (
            param not in self.written and not isinstance(t, Scalar)
        ):
            return _Slot(argument, param, param, adjoint)
        return _Slot(argument, param, Var(first, t if isinstance(t, Scalar) else Ref(t)), adjoint)

    def passive_slot(self, argument: Argument, param: Var, names: Iterator[Argument]) -> _Slot:
        """An argument without an adjoint."""
        t = argument.type
        if argument.direction is Direction.OUT:
            return _Slot(argument, param, None, None)
        first = next(names).name
        if argument.direction is Direction.IN or (
            param not in self.written and not isinstance(t, Scalar)
        ):
            return _Slot(argument, param, param, None)
        return _Slot(argument, param, Var(first, t if isinstance(t, Scalar) else Ref(t)), None)

    # Roots.

    def set_up(self, slot: _Slot) -> None:
        """Chooses where the primal and the adjoint of an argument live."""
        match slot.argument.direction:
            case Direction.IN:
                self.set_up_in(slot)
            case Direction.OUT:
                self.set_up_out(slot)
            case Direction.INOUT:
                self.set_up_inout(slot)

    def set_up_in(self, slot: _Slot) -> None:
        """An In scalar collects its adjoint in the end; In memory as the sweep proceeds."""
        if not isinstance(slot.param.type, Ref):
            if slot.adjoint is not None:
                self.finish.append(slot)
            return
        if slot.param in self.written:
            raise NotDifferentiable(
                self.f.name,
                slot.argument.span,
                f"`{slot.argument.name}` is an In array that is written",
                f"declare `{slot.argument.name}` as InOut",
            )
        if slot.adjoint is not None:
            self.sweep.adjoint[slot.param] = Shadow(slot.adjoint)

    def set_up_out(self, slot: _Slot) -> None:
        """An Out: a local in place of the primal, the caller's adjoint or a copy of it."""
        content, p = slot.argument.type, slot.param
        if slot.adjoint is not None:
            self.sweep.as_long[p] = slot.adjoint
        facts = Once(self.region, p, self.base, self.sized.of_array(slot.argument))
        if facts.holds():
            self.sweep.primal[p] = Dropped()
            self.given(slot)
        elif self.copies(slot, facts):
            self.sized_out(slot, facts)
        elif has_pointer(content, self.structs):
            self.scratch_out(slot, facts)
        else:
            self.local_out(slot)

    def local_out(self, slot: _Slot) -> None:
        """An Out of known size that is read back: a local; what came in does not exist."""
        p = slot.param
        if self.incoming(slot).computed:
            self.sweep.primal[p] = self.overlay(slot, None)
        else:
            self.sweep.b.emit(Alloc(p))
        self.given_copy(slot)

    def copies(self, slot: _Slot, facts: Once) -> bool:
        """Whether an array whose sizes have names is to be a copy; not for each thread."""
        return self.kernel is None and self.sized.pays(slot.argument, facts)

    def sized_out(self, slot: _Slot, facts: Once) -> None:
        """An Out whose sizes have names, and its adjoint: locals, as far as what came in is not
        missed.
        """
        b, p = self.sweep.b, slot.param
        length = self.sized.length(b, slot.argument)
        if not (facts.loads or facts.calls):
            self.sweep.primal[p] = Dropped()
        elif self.incoming(slot).computed:
            self.sweep.primal[p] = self.overlay(slot, None)
        else:
            b.emit(Alloc(p, length))
        if slot.adjoint is not None:
            copy = b.alloc(slot.argument.type, slot.adjoint.name, length)
            self.sweep.adjoint[p] = Shadow(copy)
            self.sized.copy(b, slot.adjoint, copy, length)

    def incoming(self, slot: _Slot) -> Incoming:
        """What reads an Out before it is written; certain reads become phantoms."""
        p = slot.param
        found = Incoming(p, self.splitter.must_write, self.base).of(self.region)
        for op in found.loads:
            self.sweep.absent[op.out] = phantom = Var(p.name, op.root.type)
            at_entry = op.span.line <= self.f.span.line
            span = slot.argument.span if at_entry else op.span
            self.phantoms.append(Phantom(phantom, span, p.name))
        return found

    def given(self, slot: _Slot) -> None:
        """Each element has one last write: the caller's adjoint is read where that is reversed."""
        if slot.adjoint is not None and isinstance(slot.adjoint.type, Ref):
            self.sweep.adjoint[slot.param] = Given(slot.adjoint)
        else:
            self.given_copy(slot)

    def given_copy(self, slot: _Slot) -> None:
        """A local copy of the caller's adjoint, consumed as the sweep proceeds."""
        b = self.sweep.b
        if slot.adjoint is None:
            return
        copy = b.alloc(slot.argument.type, slot.adjoint.name)
        self.sweep.adjoint[slot.param] = Shadow(copy)
        if not isinstance(slot.adjoint.type, Ref):
            b.store(copy, (), slot.adjoint)
        elif has_float(slot.argument.type, self.structs):
            copy_leaves(b, slot.adjoint, copy, self.structs)

    def scratch(self, name: str) -> Scratch:
        """Growable arrays at the start of the joint scope."""
        return Scratch(name, self.joint.start.append)

    def cells(self, slot: _Slot) -> Cells:
        """How the places of an argument are found in scratch arrays."""
        return Cells(slot.argument.type, self.structs, self.scratch(f"rows_{slot.argument.name}"))

    def overlay(self, slot: _Slot, incoming: Var | None) -> Overlay:
        """A scratch in place of the memory that a caller holds."""
        name = slot.argument.name
        new, written = self.scratch(f"new_{name}"), self.scratch(f"written_{name}")
        never: frozenset[Shape] = frozenset()
        if incoming is not None:
            never = kept(self.region, slot.param, self.splitter.written, self.structs)
        return Overlay(self.cells(slot), new, written, incoming, never)

    def scratch_out(self, slot: _Slot, facts: Once) -> None:
        """An Out array that is written several times, read back, or passed on."""
        name = slot.argument.name
        if slot.adjoint is not None:
            self.sweep.adjoint[slot.param] = LastWrite(
                slot.adjoint,
                self.cells(slot),
                self.scratch(f"pending_{name}"),
                self.scratch(f"visited_{name}"),
            )
        if facts.loads or facts.calls:
            self.incoming(slot)
            self.sweep.primal[slot.param] = self.overlay(slot, None)
        else:
            self.sweep.primal[slot.param] = Dropped()

    def set_up_inout(self, slot: _Slot) -> None:
        """An InOut: its adjoint is the caller's, consumed in place; its primal is a copy of what
        came in.
        """
        content, p, b = slot.argument.type, slot.param, self.sweep.b
        assert slot.primal is not None, "an InOut has an incoming value"
        if slot.adjoint is not None:
            self.sweep.adjoint[p] = Shadow(slot.adjoint)
        if isinstance(content, Scalar):
            b.emit(Alloc(p))
            b.store(p, (), slot.primal)
        elif slot.primal is p:
            return
        elif has_pointer(content, self.structs):
            facts = Once(self.region, p, self.base)
            if not (facts.loads or facts.calls):
                self.sweep.primal[p] = Dropped()
            elif self.copies(slot, facts):
                length = self.sized.length(b, slot.argument)
                b.emit(Alloc(p, length))
                self.sized.copy(b, slot.primal, p, length)
                self.sweep.as_long[p] = slot.primal
            else:
                self.sweep.primal[p] = self.overlay(slot, slot.primal)
        else:
            b.emit(Alloc(p))
            copy_leaves(b, slot.primal, p, self.structs)

    def hand_out(self, env: Adjoints) -> None:
        """Adds the adjoints of In scalars to what the caller passed."""
        for slot in self.finish:
            g = env.get(slot.param)
            if g is not None and slot.adjoint is not None:
                self.sweep.b.accum(slot.adjoint, (), g)
