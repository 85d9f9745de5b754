"""Reverse rules for memory: loads, stores, additions, allocations, tapes."""

from __future__ import annotations

from dataclasses import replace

from loma.ad.adjoints import Adjoints
from loma.ad.errors import NotDifferentiable
from loma.ad.places import (
    Adjoint,
    Dropped,
    Given,
    LastWrite,
    Mirror,
    Overlay,
    Plain,
    Shadow,
)
from loma.ad.state import State
from loma.ir.analysis.activity import differentiable
from loma.ir.builder import type_of
from loma.ir.nodes import (
    Accum,
    Alloc,
    Apply,
    Call,
    Check,
    Load,
    LoadRef,
    Op,
    Operand,
    Pop,
    Push,
    Region,
    Store,
    StoreRef,
    Var,
    View,
    Window,
)
from loma.ir.traverse import map_regions


class MemoryRules(State):
    """What reads or writes a root."""

    def place(self, root: Var) -> Adjoint | None:
        """The adjoint policy of a root; None where no derivative flows."""
        return self.adjoint.get(self.root_base(root)) if self.active(root) else None

    def load(self, op: Load, env: Adjoints) -> list[Op]:
        """x = root[path]: adj_root[path] += adj_x."""
        g = env.get(op.out)
        match self.place(op.root):
            case Shadow() if g is not None:
                self.b.accum(self.shadow(op.root), op.path, g)
            case LastWrite() as last if g is not None:
                last.add(self.b, self.whole(op.root, op.path, last.cells), g)
        return self.forward_load(op)

    def forward_load(self, op: Load) -> list[Op]:
        """The forward code of a load."""
        if op.out in self.absent:
            return [replace(op, root=self.absent[op.out])]
        match self.primal.get(self.root_base(op.root), Plain()):
            case Overlay() | Mirror() as overlay:
                return self.overlay_load(op, overlay)
            case Dropped():
                raise AssertionError("a dropped root is read")
        return [op]

    def forward_only(self, region: Region) -> Region:
        """The forward code of a region that is not reversed: a loop's condition, which only
        reads, or the body of a rule.
        """
        ops: list[Op] = []
        for op in region.ops:
            self.b.span = op.span
            match op:
                case Load():
                    ops += self.forward_load(op)
                case Store():
                    ops += self.forward_store(op)
                case Accum():
                    ops += self.forward_accum(op)
                case View() | Window() | LoadRef():
                    ops += self.part(op)
                case Check(within=within) if within is not None:
                    ops += self.within(op, *within)
                case Call():
                    passed = any(map(self.has_no_memory, op.args))
                    assert not passed, "a condition that passes on such memory is rotated"
                    ops.append(op)
                case _:
                    ops.append(map_regions(op, self.forward_only))
        return Region(region.args, tuple(ops), region.yields)

    def has_no_memory(self, x: Operand) -> bool:
        """Whether an operand is a root without plain primal memory."""
        return isinstance(x, Var) and not isinstance(
            self.primal.get(self.root_base(x), Plain()), Plain
        )

    def overlay_load(self, op: Load, overlay: Overlay | Mirror) -> list[Op]:
        """The forward code of a load that may see an earlier write of this run."""
        with self.b.nested() as ops:
            path = self.whole(op.root, op.path, overlay.cells)
            below = self.below(op.root, overlay.incoming, op.path)
            value = overlay.load(self.b, path, op.out.scalar, below)
            assert isinstance(value, Var), "an overlay gives a loaded value"
        last = ops[-1]
        assert isinstance(last, Load | Apply), "an overlay ends in a load or a select"
        return [*ops[:-1], replace(last, out=op.out)]

    def part(self, op: View | Window | LoadRef) -> list[Op]:
        """The forward code for a part of a root: none where the root itself does not exist."""
        return [] if self.has_no_memory(op.root) else [op]

    def within(self, op: Check, array: Var, index: Operand) -> list[Op]:
        """An index is checked in the memory of a caller that is as long as the array."""
        base = self.root_base(array)
        match self.primal.get(base, Plain()):
            case Plain() if base not in self.as_long:
                return [op]
            case Overlay(incoming=Var() as begin):
                pass
            case _ if base in self.as_long:
                begin = self.as_long[base]
            case _:
                return []
        with self.b.nested() as ops:
            there = self.followed(array, begin)
        text = tuple(there if p is array else p for p in op.text)
        return [*ops, replace(op, text=text, within=(there, index))]

    def store(self, op: Store, env: Adjoints) -> list[Op]:
        """root[path] = v: adj_v += adj_root[path]; adj_root[path] = 0."""
        if type_of(op.value).is_float:
            self.reverse_store(op, env)
        return self.forward_store(op)

    def forward_store(self, op: Store) -> list[Op]:
        """The forward code of a store."""
        match self.primal.get(self.root_base(op.root), Plain()):
            case Dropped():
                return []
            case Overlay() | Mirror() as overlay:
                with self.b.nested() as ops:
                    path = self.whole(op.root, op.path, overlay.cells)
                    overlay.store(self.b, path, op.value)
                return ops
        return [op]

    def reverse_store(self, op: Store, env: Adjoints) -> None:
        """The reverse code of a store."""
        b, wanted = self.b, self.active(op.value)
        match self.place(op.root):
            case Shadow():
                root = self.shadow(op.root)
                if wanted:
                    env.add(op.value, b.load(root, op.path, "adj"))
                b.store(root, op.path, b.number(0.0, op.value))
            case Given():
                if wanted:
                    env.add(op.value, b.load(self.shadow(op.root), op.path, "adj"))
            case LastWrite() as last:
                path = self.whole(op.root, op.path, last.cells)
                if wanted:
                    below = self.below(op.root, last.root, op.path)
                    env.add(op.value, last.read(b, path, type_of(op.value), below))
                last.kill(b, path, type_of(op.value))

    def accum(self, op: Accum, env: Adjoints) -> list[Op]:
        """root[path] += v: adj_v += adj_root[path], which stays."""
        b = self.b
        if self.active(op.value):
            match self.place(op.root):
                case Shadow() | Given():
                    env.add(op.value, b.load(self.shadow(op.root), op.path, "adj"))
                case LastWrite() as last:
                    path = self.whole(op.root, op.path, last.cells)
                    below = self.below(op.root, last.root, op.path)
                    env.add(op.value, last.read(b, path, type_of(op.value), below))
        return self.forward_accum(op)

    def forward_accum(self, op: Accum) -> list[Op]:
        """The forward code of an addition."""
        b = self.b
        match self.primal.get(self.root_base(op.root), Plain()):
            case Dropped():
                return []
            case Overlay() | Mirror() as overlay:
                with b.nested() as ops:
                    path = self.whole(op.root, op.path, overlay.cells)
                    below = self.below(op.root, overlay.incoming, op.path)
                    overlay.add(b, path, op.value, below)
                return ops
        return [op]

    def alloc(self, op: Alloc) -> None:
        """A local root: its adjoint lives in the reverse scope, zeroed."""
        if op.out in self.adjoint:
            self.prologues[-1].append(Alloc(self.adjoint[op.out].root, op.count, span=op.span))

    def store_ref(self, op: StoreRef) -> list[Op]:
        """A pointer stored in memory that others see: its shadow would have to be kept in step."""
        base = self.root_base(op.root)
        primal = self.primal.get(base, Plain())
        if differentiable(op.value, self.structs) or isinstance(primal, Overlay):
            raise self.not_assigned(op, base)
        return [] if isinstance(primal, Dropped) else [op]

    def not_assigned(self, op: StoreRef, base: Var) -> NotDifferentiable:
        """Why the assignment of a pointer is refused."""
        if base in self.f.params:
            return self.refuse(
                op.span,
                f"a pointer to an array is assigned in `{base.name}`, which the caller holds",
                "assign to a local variable, or write the elements",
            )
        return self.refuse(
            op.span,
            "a pointer is assigned in an array of structs that is passed to a function which is "
            "not inlined, or that outlives what it points to",
            "pass the arrays as arguments of their own, and declare them first",
        )

    def tape_op(self, op: Push | Pop, env: Adjoints) -> None:
        """push and pop are each other's adjoints, on a tape of adjoints."""
        if not isinstance(self.place(op.tape), Shadow):
            return
        tape = self.shadow(op.tape)
        if isinstance(op, Push):
            floats = [(x, Var("adj", type_of(x))) for x in op.values if type_of(x).is_float]
            if floats:
                self.b.emit(Pop(tape, tuple(v for _, v in floats), span=op.span))
            for x, v in floats:
                env.add(x, v)
        elif any(v.scalar.is_float for v in op.outs):
            adjoints = tuple(env.get_or_zero(v) for v in op.outs if v.scalar.is_float)
            self.b.emit(Push(tape, adjoints, span=op.span))
