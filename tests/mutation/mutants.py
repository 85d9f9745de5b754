"""The mutants: one broken rule each, written as an edit of the source of one function of ours.

An edit whose old text is not found exactly once fails, so the table cannot go stale.
"""

from __future__ import annotations
import __future__

import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from random import Random
from typing import Any

from loma.ir.prims import TABLE
from loma.ir.prims.record import Prim


@dataclass(frozen=True)
class Edit:
    """Replaces `old` by `new` in the source of `where` ('module:Class.function')."""

    name: str
    where: str
    old: str
    new: str
    laws: tuple[str, ...]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The compiler with the edit."""
        module_name, path = self.where.split(":")
        module = import_module(f"loma.{module_name}")
        *outer, name = path.split(".")
        owner: Any = module
        for step in outer:
            owner = getattr(owner, step)
        original = inspect.getattr_static(owner, name)
        broken = self.edited(module, original, name)
        holders = (
            [owner]
            if outer
            else [
                m
                for m in list(sys.modules.values())
                if m.__name__.startswith("loma") and getattr(m, name, None) is original
            ]
        )
        for holder in holders:
            setattr(holder, name, broken)
        try:
            yield
        finally:
            for holder in holders:
                setattr(holder, name, original)

    def edited(self, module: Any, original: Any, name: str) -> Any:
        """The function with the edit made."""
        text = textwrap.dedent(inspect.getsource(original))
        assert text.count(self.old) == 1, f"{self.where} has {text.count(self.old)} of {self.old!r}"
        flags = __future__.annotations.compiler_flag
        scope: dict[str, Any] = {}
        exec(
            compile(text.replace(self.old, self.new), self.where, "exec", flags),
            vars(module),
            scope,
        )
        return scope[name]


@dataclass(frozen=True)
class Partial:
    """Breaks a field of the record of one primitive."""

    name: str
    prim: Prim
    field: str
    value: Any
    laws: tuple[str, ...]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The compiler with the record broken."""
        original = getattr(self.prim, self.field)
        object.__setattr__(self.prim, self.field, self.value)
        try:
            yield
        finally:
            object.__setattr__(self.prim, self.field, original)


def draws(prim: Prim) -> list[list[float]]:
    """Points at which the law of a primitive is checked."""
    draw = Random(prim.name)
    return [[draw.uniform(*prim.domain) for _ in range(prim.arity)] for _ in range(8)]


def slopes(prim: Prim, k: int) -> list[float]:
    """The derivative by one operand at these points, by the complex step."""
    found = []
    for point in draws(prim):
        step = [x + 1e-30j if j == k else x for j, x in enumerate(point)]
        found.append(complex(prim.meaning(*step)).imag * 1e30)
    return found


def broken_partials(prim: Prim) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Wrong versions of the partials of a primitive, by name; those that are right after all left
    out.
    """
    rule = prim.partials
    assert rule is not None
    kinds: dict[str, Callable[..., Any]] = {
        "dropped": lambda b, p: None,
        "negated": lambda b, p: b.neg(p),
        "doubled": lambda b, p: b.add(p, p),
    }
    for k in range(prim.arity):
        if not any(slopes(prim, k)):
            continue
        for kind, wrong in kinds.items():

            def partials(b: Any, out: Any, *args: Any, k: int = k, wrong: Any = wrong) -> Any:
                found = list(rule(b, out, *args))
                found[k] = wrong(b, found[k])
                return tuple(found)

            yield f"{prim.name}: partial {k + 1} {kind}", partials
    if prim.arity == 2 and slopes(prim, 0) != slopes(prim, 1):
        yield (
            f"{prim.name}: partials exchanged",
            lambda b, out, *args: tuple(reversed(rule(b, out, *args))),
        )


def primitive_mutants() -> Iterator[Partial]:
    """Every partial of the table broken in turn, and every strong zero removed."""
    for prim in TABLE.values():
        if prim.partials is None:
            continue
        law = f"{prim.name} itself" if prim.surface else "primitives"
        for name, wrong in broken_partials(prim):
            yield Partial(name, prim, "partials", wrong, (law,))
        if prim.singular:
            laws = (
                "singular",
                "singular, at rest",
                *((f"{prim.name} at its poles",) if prim.surface else ()),
            )
            yield Partial(f"{prim.name}: no strong zero", prim, "singular", False, laws)


E = Edit
RULES: tuple[Edit, ...] = (
    # What is evaluated although the program would not.
    E(
        "a quotient before a loop that has no iterations",
        "opt.hoist:_Hoist.lift",
        "make.select(runs, x, const(1.0, x.scalar)) if isinstance(x, Var) else x",
        "x",
        ("what did not run",),
    ),
    E(
        "a product before a loop that has no iterations",
        "opt.hoist:_Hoist.singular",
        "op.prim.singular or op.prim is A.MUL and not self.wild.isdisjoint(op.args)",
        "op.prim.singular",
        ("what did not run",),
    ),
    E(
        "any product on the side not taken",
        "frontend.lower.scan:_by_literal",
        "return False",
        "return True",
        ("what did not run",),
    ),
    E(
        "a direction at the origin is a quotient",
        "ir.prims.libm:direction",
        "b.select(origin, b.one(r), r)",
        "r",
        ("what did not run",),
    ),
    # Pointers, and loops that are rotated.
    E(
        "a pointer forgets which origin it has",
        "opt.pointers:_Pointers.write",
        "self.emit(Store(cells.which, at, which, span=span))",
        "pass",
        ("two origins",),
    ),
    E(
        "where a part begins is not added",
        "opt.origins:extended",
        "join(at[-1], first)",
        "at[-1]",
        ("ever smaller parts",),
    ),
    E(
        "a pointer that a call left is not assigned",
        "opt.apart:_Apart.assign",
        "enumerate(origins[1:], 1)",
        "enumerate(origins[2:], 2)",
        ("returned by a recursive function",),
    ),
    E(
        "what is shared is active from one side",
        "ir.analysis.activity:Activity._share",
        "both = self._roots((root, value))",
        "both = self._roots((root,))",
        ("a local array written through a pointer",),
    ),
    E(
        "a rotated condition sees the values before the loop",
        "ad.rotate:rotate",
        "zip(op.cond.args, op.body.yields, strict=True)",
        "zip(op.cond.args, op.inits, strict=True)",
        ("early exits", "a condition in a recursive function"),
    ),
    # The chain rule.
    E(
        "a tangent forgets the operands before",
        "ad.rules:tangent",
        "dot = total(b, dot, ",
        "dot = total(b, None, ",
        ("primitives",),
    ),
    E(
        "a sum of derivatives drops its second term",
        "ad.rules:total",
        "return b.apply(A.ADD, x, y, name=name)",
        "return x",
        ("primitives",),
    ),
    E(
        "a strong zero nowhere",
        "ad.rules:scale",
        "b.strong_mul(partial, by) if prim.singular else b.mul(partial, by)",
        "b.mul(partial, by)",
        ("singular",),
    ),
    E(
        "select pulls back to the other operand",
        "ad.rules:_pull_back_select",
        "b.select(cond, adjoint, zero)",
        "b.select(cond, zero, adjoint)",
        ("printed", "branches"),
    ),
    E(
        "select pulls back only to the first operand",
        "ad.rules:_pull_back_select",
        "if active[2] and",
        "if False and",
        ("printed", "branches"),
    ),
    E(
        "a cast pulls nothing back",
        "ad.rules:pull_back",
        "if isinstance(x, Var) and active[0] else []",
        "if False else []",
        ("casts",),
    ),
    E(
        "a cast has no tangent",
        "ad.rules:tangent",
        "if type_of(op.args[0]).is_float else None",
        "if False else None",
        ("casts",),
    ),
    E(
        "an adjoint is replaced, not added to",
        "ad.adjoints:Adjoints.add",
        'new = total(self.b, self.get(x), adjoint, f"adj_{x.name}")',
        "new = adjoint",
        ("primitives",),
    ),
    E(
        "a branch does not see the adjoints around it",
        "ad.adjoints:Adjoints.get",
        "return None if self.parent is None else self.parent.get(v)",
        "return None",
        ("branches",),
    ),
    # Memory.
    E(
        "a load does not accumulate",
        "ad.memory:MemoryRules.load",
        "self.b.accum(self.shadow(op.root), op.path, g)",
        "self.b.store(self.shadow(op.root), op.path, g)",
        ("memory",),
    ),
    E(
        "a load pulls nothing back",
        "ad.memory:MemoryRules.load",
        "self.b.accum(self.shadow(op.root), op.path, g)",
        "pass",
        ("memory",),
    ),
    E(
        "a store does not zero its shadow",
        "ad.memory:MemoryRules.reverse_store",
        "b.store(root, op.path, b.number(0.0, op.value))",
        "pass",
        ("memory",),
    ),
    E(
        "a store of a constant does not zero its shadow",
        "ad.memory:MemoryRules.reverse_store",
        "            b.store(root, op.path, b.number(0.0, op.value))",
        "            if wanted:\n                b.store(root, op.path, b.number(0.0, op.value))",
        ("memory",),
    ),
    E(
        "a store pulls nothing back",
        "ad.memory:MemoryRules.reverse_store",
        'env.add(op.value, b.load(root, op.path, "adj"))',
        "pass",
        ("memory",),
    ),
    E(
        "a store zeroes before it reads",
        "ad.memory:MemoryRules.reverse_store",
        "root = self.shadow(op.root)",
        "root = self.shadow(op.root)\n            b.store(root, op.path, b.number(0.0, op.value))",
        ("memory",),
    ),
    E(
        "a store to a given adjoint pulls nothing back",
        "ad.memory:MemoryRules.reverse_store",
        'env.add(op.value, b.load(self.shadow(op.root), op.path, "adj"))',
        "pass",
        ("out arrays",),
    ),
    E(
        "an addition pulls nothing back",
        "ad.memory:MemoryRules.accum",
        'env.add(op.value, b.load(self.shadow(op.root), op.path, "adj"))',
        "pass",
        ("additions", "kernels"),
    ),
    E(
        "an addition kills its shadow",
        "ad.memory:MemoryRules.accum",
        'env.add(op.value, b.load(self.shadow(op.root), op.path, "adj"))',
        'env.add(op.value, b.load(self.shadow(op.root), op.path, "adj"))\n'
        "                b.store(self.shadow(op.root), op.path, b.number(0.0, op.value))",
        ("additions", "kernels"),
    ),
    E(
        "an addition to scratch pulls nothing back",
        "ad.memory:MemoryRules.accum",
        "env.add(op.value, last.read(b, path, type_of(op.value), below))",
        "pass",
        ("additions",),
    ),
    E(
        "an addition to scratch overwrites it",
        "ad.places:Overlay.add",
        "b.add(self.load(b, path, type_of(value), below), value)",
        "value",
        ("additions",),
    ),
    E(
        "an addition to a new element overwrites it",
        "ad.places:Overlay.add",
        "b.accum(",
        "b.store(",
        ("additions",),
    ),
    E(
        "the adjoint of a loop's local lives on",
        "ad.memory:MemoryRules.alloc",
        "self.prologues[-1].append(",
        "self.joint.start.append(",
        ("locals in loops",),
    ),
    E(
        "push: its adjoints are not popped in order",
        "ad.memory:MemoryRules.tape_op",
        "tuple(v for _, v in floats)",
        "tuple(v for _, v in reversed(floats))",
        ("tapes",),
    ),
    E(
        "push pulls nothing back",
        "ad.memory:MemoryRules.tape_op",
        "env.add(x, v)",
        "pass",
        ("tapes",),
    ),
    E(
        "pop pushes no adjoint",
        "ad.memory:MemoryRules.tape_op",
        "env.get_or_zero(v) for v",
        "self.b.number(0.0, v) for v",
        ("tapes",),
    ),
    E(
        "an index is that of another path",
        "ad.places:_in_row",
        "b.mul(row, Const(size, type_of(row)))",
        "row",
        ("nested scratch",),
    ),
    # Where adjoints of Out arguments live.
    E(
        "given instead of last write",
        "ad.function:_Reverse.set_up_out",
        "if facts.holds():",
        "if not (facts.loads or facts.calls):",
        ("out arrays",),
    ),
    E(
        "two stores never clash",
        "ad.once:_apart",
        "exclusive = ",
        "return True\n    exclusive = ",
        ("out arrays",),
    ),
    E(
        "branches are no guard: never apart",
        "ad.once:_apart",
        "i == j and k != m",
        "True",
        ("out arrays",),
    ),
    E(
        "what is added before a store survives it",
        "ad.once:Write.precedes",
        "return same and position < its_position",
        "return True",
        ("out arrays",),
    ),
    E(
        "every store in loops is injective",
        "ad.once:Once._injective",
        "return not left",
        "return True",
        ("out arrays",),
    ),
    E(
        "a row of any width is a radix",
        "ad.strides:Strides.is_radix",
        "if width is None or not self.at_most(loop.count, width):",
        "if False:",
        ("out arrays",),
    ),
    E(
        "a row with steps is a row",
        "ad.strides:Strides.is_radix",
        "abs(int(loop.step.value))",
        "1",
        ("out arrays",),
    ),
    E(
        "no stride is 0",
        "ad.strides:Strides.is_radix",
        "if not self.nonzero(digits[0][1]):",
        "if False:",
        ("out arrays",),
    ),
    E(
        "what a loop carries is invariant",
        "ad.strides:Strides.invariant",
        "if any(x in loop.body.args for loop in self.loops.values()):",
        "if False:",
        ("out arrays",),
    ),
    E(
        "a read back is not noticed",
        "ad.once:Once.holds",
        "if self.loads or self.calls:",
        "if self.calls:",
        ("out arrays",),
    ),
    E(
        "last write: the caller's adjoint again",
        "ad.places:LastWrite.kill",
        "b.store(self.visited.of(shape_of(path), BOOL), at, Const(True, BOOL))",
        "pass",
        ("out arrays",),
    ),
    E(
        "last write: what was read back stays",
        "ad.places:LastWrite.kill",
        "b.store(root, at, Const(0.0, scalar))",
        "pass",
        ("out arrays",),
    ),
    E(
        "last write: reads are forgotten",
        "ad.places:LastWrite.read",
        "b.add(b.load(self.pending.of(shape_of(path), scalar), at), last)",
        "last",
        ("out arrays",),
    ),
    E(
        "last write: the caller's adjoint is forgotten",
        "ad.places:LastWrite.read",
        "b.add(b.load(self.pending.of(shape_of(path), scalar), at), last)",
        "b.load(self.pending.of(shape_of(path), scalar), at)",
        ("out arrays",),
    ),
    E(
        "last write: a read replaces",
        "ad.places:LastWrite.add",
        "b.accum(",
        "b.store(",
        ("out arrays",),
    ),
    E(
        "last write: a read is not recorded",
        "ad.memory:MemoryRules.load",
        "last.add(self.b, self.whole(op.root, op.path, last.cells), g)",
        "pass",
        ("out arrays",),
    ),
    E(
        "overlay: reads see what came in",
        "ad.places:Overlay.load",
        "b.select(seen, value, below())",
        "below()",
        ("inout",),
    ),
    E(
        "overlay: reads never see what came in",
        "ad.places:Overlay.load",
        "b.select(seen, value, below())",
        "value",
        ("inout",),
    ),
    E(
        "overlay: writes are not marked",
        "ad.places:Overlay.store",
        "b.store(written, at, Const(True, BOOL))",
        "pass",
        ("inout",),
    ),
    E(
        "overlay: a loop's condition reads the caller's data",
        "ad.memory:MemoryRules.forward_only",
        "ops += self.forward_load(op)",
        "ops.append(op)",
        ("inout",),
    ),
    E(
        "the caller's adjoint is consumed",
        "ad.function:_Reverse.given_copy",
        "self.sweep.adjoint[slot.param] = Shadow(copy)",
        "own = slot.adjoint if isinstance(slot.adjoint.type, Ref) else copy\n"
        "    self.sweep.adjoint[slot.param] = Shadow(own)",
        ("structs",),
    ),
    E(
        "the caller's adjoint is not copied",
        "ad.function:_Reverse.given_copy",
        "copy_leaves(b, slot.adjoint, copy, self.structs)",
        "pass",
        ("structs",),
    ),
    E(
        "a scalar seed is not copied",
        "ad.function:_Reverse.given_copy",
        "b.store(copy, (), slot.adjoint)",
        "pass",
        ("memory",),
    ),
    E(
        "an InOut scalar starts at zero",
        "ad.function:_Reverse.set_up_inout",
        "b.store(p, (), slot.primal)",
        "pass",
        ("inout",),
    ),
    E(
        "an InOut struct starts at zero",
        "ad.function:_Reverse.set_up_inout",
        "copy_leaves(b, slot.primal, p, self.structs)",
        "pass",
        ("inout",),
    ),
    E(
        "copies of arrays leave elements out",
        "ad.places:_copy_elements",
        "Const(size, I32)",
        "Const(size - 1, I32)",
        ("inout", "structs"),
    ),
    E(
        "what comes in is taken as written",
        "ad.incoming:covered",
        "return place is not None and",
        "return True or",
        ("refused",),
    ),
    E(
        "phantoms may be read",
        "ad.function:refuse_phantoms",
        "if phantom.root in needed:",
        "if False:",
        ("refused",),
    ),
    # Arguments and results.
    E(
        "adjoints of In scalars are not handed out",
        "ad.function:_Reverse.hand_out",
        "if g is not None and",
        "if False and",
        ("primitives",),
    ),
    E(
        "adjoints of In scalars replace",
        "ad.function:_Reverse.hand_out",
        "self.sweep.b.accum(",
        "self.sweep.b.store(",
        ("primitives",),
    ),
    E(
        "a kernel's scalar keeps one thread's adjoint",
        "ad.function:_Reverse.hand_out",
        "self.sweep.b.accum(",
        "self.sweep.b.store(",
        ("kernels",),
    ),
    E(
        "the seed is dropped",
        "ad.function:_Reverse.parameters",
        "seeds = [params[-1]]",
        "pass",
        ("primitives",),
    ),
    E(
        "a struct seed is dropped",
        "ad.function:_Reverse.parameters",
        "slots.append(\n                _Slot(out, self.f.params"
        "[len(self.f.signature.arguments)], None, params[-1])\n"
        "            )",
        "pass",
        ("structs",),
    ),
    # Branches.
    E(
        "branches swapped",
        "ad.control:ControlRules.branch",
        "If(op.cond, then, orelse, totals",
        "If(op.cond, orelse, then, totals",
        ("branches",),
    ),
    E(
        "adjoints that leave a branch are dropped",
        "ad.control:ControlRules.branch",
        "env.set(v, t)",
        "pass",
        ("branches",),
    ),
    E(
        "what a branch yields gets no adjoint",
        "ad.control:ControlRules.branch",
        "seeds = [env.get(v) if self.active(v) else None for v in op.outs]",
        "seeds = [None for v in op.outs]",
        ("branches",),
    ),
    E(
        "a branch starts with no adjoints",
        "ad.control:ControlRules.branch",
        "scopes = [env.branch(), env.branch()]",
        "scopes = [self.adjoints(), self.adjoints()]",
        ("branches",),
    ),
    E(
        "values of the other branch",
        "ad.control:_with_yields",
        "v if s is mine else",
        "v if s is not mine else",
        ("branches",),
    ),
    # Loops.
    E(
        "the reversed loop runs forward",
        "ad.control:ControlRules.counted",
        "back = const(-step.value, step.type)",
        "start, back = op.start, step",
        ("loops",),
    ),
    E(
        "the reversed loop starts one too late",
        "ad.control:ControlRules.counted",
        "b.add(op.start, before if",
        "b.add(op.start, op.count if",
        ("loops",),
    ),
    E(
        "the reversed loop forgets where it starts",
        "ad.control:ControlRules.counted",
        "start = b.add(op.start, ",
        "start = (",
        ("loops",),
    ),
    E(
        "carried adjoints do not reach the loop's operands",
        "ad.control:ControlRules.finish_loop",
        "env.add(x, g)",
        "pass",
        ("loops",),
    ),
    E(
        "outer adjoints do not leave the loop",
        "ad.control:ControlRules.finish_loop",
        "env.set(v, g)",
        "pass",
        ("loops",),
    ),
    E(
        "outer adjoints are counted twice",
        "ad.control:ControlRules.finish_loop",
        "env.set(v, g)",
        "env.add(v, g)",
        ("loops",),
    ),
    E(
        "the loop's result gets no adjoint",
        "ad.control:ControlRules.loop",
        "first.append(env.get_or_zero(outs[j]))",
        "first.append(self.b.number(0.0, outs[j]))",
        ("loops",),
    ),
    E(
        "outer adjoints start at zero",
        "ad.control:ControlRules.loop",
        "first.append(env.get_or_zero(v))",
        "first.append(self.b.number(0.0, v))",
        ("loops",),
    ),
    E(
        "outer adjoints are not carried",
        "ad.control:ControlRules.loop",
        "inner.set(v, args[-1])",
        "pass",
        ("loops",),
    ),
    E(
        "carried adjoints die in the body",
        "ad.control:ControlRules.loop",
        "*(inner.get_or_zero(carried[j]) for j in through)",
        "*(self.b.number(0.0, carried[j]) for j in through)",
        ("loops",),
    ),
    E(
        "carried adjoints do not enter the body",
        "ad.control:ControlRules.loop",
        "seeds[j] = args[-1]",
        "pass",
        ("loops",),
    ),
    E(
        "trips are not counted",
        "ad.control:ControlRules.unbounded",
        "(here, one)",
        "(here, zero)",
        ("loops",),
    ),
    E(
        "one trip too many",
        "ad.control:ControlRules.unbounded",
        "(*op.inits, zero)",
        "(*op.inits, one)",
        ("loops",),
    ),
    # Store or recompute.
    E(
        "frames are popped in another order",
        "ad.restore:push_pop",
        "Pop(tape, saved)",
        "Pop(tape, saved[::-1])",
        ("tapes", "loops"),
    ),
    E(
        "values of the next iteration",
        "ad.control:ControlRules.settle",
        "[*forward, *push], [*pop, *choice.again, *reverse]",
        "[*forward, *push], [*choice.again, *reverse, *pop]",
        ("loops",),
    ),
    E(
        "every load may be repeated",
        "ad.restore:Level.repeatable",
        "return v in self.reloadable",
        "return True",
        ("memory versions",),
    ),
    E(
        "no write comes later",
        "ir.analysis.reload:_Walk.visit",
        "isinstance(op, Load | LoadRef) and self.stays(op, later)",
        "isinstance(op, Load | LoadRef)",
        ("memory versions",),
    ),
    E(
        "a write in the same iteration is elsewhere",
        "ir.analysis.apart:Accesses.apart",
        "_follows(load, write) and ",
        "False and ",
        ("elements",),
    ),
    E(
        "a write in a later iteration is elsewhere",
        "ir.analysis.apart:Accesses.apart",
        "all(self.differ(load, write, shared, k) for k in range(shared))",
        "True",
        ("elements",),
    ),
    E(
        "inner loops begin again where they were",
        "ir.analysis.apart:Accesses.anew",
        "[v for v, loops in self.home.items() if loop in loops]",
        "[loop.body.args[0]]",
        ("elements",),
    ),
    E(
        "a loop ends one iteration early",
        "ir.analysis.bounds:Ranges.enter",
        "plus(ONE, -1), step)",
        "plus(ONE, -2), step)",
        ("elements",),
    ),
    E(
        "every column is within its row",
        "ir.analysis.bounds:Ranges.within",
        "and self.above(width, column)",
        "",
        ("elements",),
    ),
    E(
        "a loop's writes come before it only",
        "ir.analysis.reload:_Walk.visit_regions",
        "later | touched if isinstance(op, For | While) else set(later)",
        "set(later)",
        ("memory versions",),
    ),
    E(
        "a callee writes nothing",
        "ir.analysis.reload:_Walk.visit",
        "later |= {self.key(v) for v in written_roots(op, self.base, self.written)}",
        "pass",
        ("memory versions",),
    ),
    E(
        "a level's values need no restoring",
        "ad.restore:Level.here",
        "v not in self.given",
        "False",
        ("loops",),
    ),
    E(
        "the loop's index is not given but stale",
        "ad.restore:needed_at",
        "if level.here(v)",
        "if level.here(v) and level.defined[v] is not None",
        ("loops",),
    ),
    # Calls.
    E(
        "adjoints of call operands are dropped",
        "ad.calls:CallRules.split_call",
        'env.add(x, self.b.load(adjoint, (), "adj"))',
        "pass",
        ("calls",),
    ),
    E(
        "the seed of a call is dropped",
        "ad.calls:CallRules.split_call",
        "env.get_or_zero(v) for v in op.outs",
        "self.b.number(0.0, v) for v in op.outs",
        ("calls",),
    ),
    E(
        "a callee hands out no scalar adjoints",
        "ad.split:_handed_out",
        "sweep.b.accum(parts.roots[0], (), adjoint)",
        "pass",
        ("calls",),
    ),
    E(
        "operands are stable although overwritten",
        "ad.split:Splitter.key",
        "sweep.reloads.operands.get(call, frozenset()) & frozenset(refs)",
        "frozenset(refs)",
        ("calls",),
    ),
    E(
        "unstable parameters are read again",
        "ad.split:Splitter.reloads_of",
        "if isinstance(p.type, Ref) and i not in halves.stable",
        "if False",
        ("calls",),
    ),
    E(
        "aliased operands are taken as distinct",
        "ad.split:Splitter.key",
        "merged = len(set(at_site)) < len(at_site) and bool(touched)",
        "merged = False",
        ("aliasing",),
    ),
    E(
        "locals of a callee outlive it",
        "ad.split:only_alive",
        "return base.get(root, root) in alive",
        "return True",
        ("calls",),
    ),
    E(
        "an overlaid operand is taken as plain memory",
        "ad.split:Splitter.key",
        "!= Layout()",
        "is None",
        ("recursive arrays",),
    ),
    E(
        "a callee's writes are not marked",
        "ad.layouts:give_primal",
        "Overlay(cells, values, written, incoming, layout.kept)",
        "Overlay(cells, values, values, incoming, layout.kept)",
        ("recursive arrays",),
    ),
    E(
        "a last write in a callee is not marked",
        "ad.layouts:give_adjoint",
        'LastWrite(adjoint, cells, _given(f"pending_{p.name}"), _given(f"visited_{p.name}"))',
        'LastWrite(adjoint, cells, *[_given(f"pending_{p.name}")] * 2)',
        ("recursive arrays",),
    ),
    # Forward mode.
    E(
        "a constant stored keeps the old tangent",
        "ad.forward:_Forward.store_dual",
        "self.written_out(x), strict=True):",
        "[d for d in self.tangents(x) if d is not None], strict=False):",
        ("memory",),
    ),
    E(
        "an addition stores its tangent",
        "ad.forward:_Forward.write",
        "self.b.accum(root, (*path, lane), dot)",
        "self.b.store(root, (*path, lane), dot)",
        ("additions", "kernels"),
    ),
    E(
        "a load has no tangent",
        "ad.forward:_Forward.load_dual",
        "if self.varied(v):",
        "if False:",
        ("memory",),
    ),
    E(
        "carried values lose their tangents",
        "ad.forward:_Forward.pairs",
        "found += self.written_out(x)",
        "found += (self.b.number(0.0, x),) * self.width",
        ("loops",),
    ),
    E(
        "tapes lose tangents",
        "ad.forward:_Forward.frame",
        "found += self.written_out(x)",
        "found += (self.b.number(0.0, x),) * self.width",
        ("tapes",),
    ),
    E(
        "call operands lose their tangents",
        "ad.forward:_Forward.argument",
        "self.store_dual(dual, (), x)",
        "self.b.store(dual, (VAL,), self.value(x))",
        ("calls",),
    ),
    E(
        "call results lose their tangents",
        "ad.forward:_Forward.call",
        'self.dots[out] = tuple(self.b.load(result, (x,), f"d_{out.name}") for x in self.lanes)',
        "pass",
        ("calls",),
    ),
    E(
        "the result's tangent is dropped",
        "ad.forward:_Forward.function",
        "self.store_dual(out, (), y)",
        "self.b.store(out, (VAL,), self.value(y))",
        ("primitives",),
    ),
    E(
        "an argument's tangent is its value",
        "ad.forward:_Forward.load_dual",
        "self.b.load(root, (*path, lane)",
        "self.b.load(root, (*path, VAL)",
        ("primitives",),
    ),
)
