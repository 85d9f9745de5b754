"""How often, and where, a printed program would read each value of a function."""

from __future__ import annotations

from collections.abc import Iterator

from loma.ir.analysis.affine import affine
from loma.ir.analysis.alias import Aliases, same
from loma.ir.nodes import (
    Accum,
    Apply,
    Call,
    Check,
    Const,
    For,
    Function,
    If,
    Load,
    LoadRef,
    Module,
    Op,
    Operand,
    Parallel,
    Path,
    Region,
    Store,
    StoreRef,
    Trap,
    Var,
    View,
    While,
    Window,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import indices, operands, regions, walk
from loma.ir.types import Ref


class Uses:
    """The reads of one function, with dead pure operations left out.

    Views and pointers count as written out where they are used; pointers that are `held` are roots
    of their own. With `implied_checks`, the checks that an integer division brings with it are
    dead. With `plain_bounds`, only loops by single steps show their bound.
    """

    def __init__(
        self, f: Function, implied_checks: bool, plain_bounds: bool, held: frozenset[Op]
    ) -> None:
        self.dead: set[Op] = set()
        self.count: dict[Var, int] = {}
        self.views: dict[Var, tuple[Var, Path, bool]] = {}
        self.windows: dict[Var, Window] = {}
        self.stops: dict[For, Operand] = {}
        self._defs: dict[Var, Apply] = {}
        self._where: dict[Var, Region | None] = {}
        self._implied = implied_checks
        self._plain = plain_bounds
        self._divided: set[Operand] = set()
        self._indexed: set[Operand] = set()
        for op in walk(f.body):
            match op:
                case View(root, path, out):
                    self.views[out] = (root, path, False)
                case Window(root, path, out):
                    self.views[out] = (root, path, False)
                    self.windows[out] = op
                case LoadRef(root, path, out) if op not in held:
                    self.views[out] = (root, path, True)
                case Apply():
                    self._defs[op.out] = op
                case _:
                    pass
        self._region(f.body, f.body.yields)

    def once(self, v: Var, region: Region) -> bool:
        """Whether a value is read exactly once, and directly in this region."""
        return self.count.get(v) == 1 and self._where.get(v) is region

    def used(self, v: Var) -> bool:
        """Whether a value is read at all."""
        return self.count.get(v, 0) > 0

    def _read(self, x: Operand | str, region: Region) -> None:
        if not isinstance(x, Var):
            return
        if x in self.views:
            root, path, _ = self.views[x]
            for step in (root, *path):
                self._read(step, region)
            return
        self._where[x] = region if self.count.get(x, 0) == 0 else None
        self.count[x] = self.count.get(x, 0) + 1

    def _region(self, region: Region, yields: tuple[Operand, ...]) -> None:
        for y in yields:
            self._read(y, region)
        for op in reversed(region.ops):
            self._op(op, region)

    def _op(self, op: Op, region: Region) -> None:  # noqa: C901 - one dispatch
        match op:
            case View() | Window() | LoadRef() if op.out in self.views:
                return
            case Check(within=within) if within is not None:  # a host's business
                self.dead.add(op)
                return
            case Apply() | Load() | LoadRef() if not self.used(op.out):
                self.dead.add(op)
                return
            case Check() if self._is_implied(op):
                self.dead.add(op)
                return
            case If():
                wanted = [i for i, v in enumerate(op.outs) if self.used(v)]
                for inner in (op.then, op.orelse):
                    self._region(inner, tuple(inner.yields[i] for i in wanted))
                if not wanted and self._empty(op.then) and self._empty(op.orelse):
                    self.dead.add(op)
                    return
            case For() | While() | Parallel():
                for inner in reversed(regions(op)):
                    self._region(inner, inner.yields)
            case Apply(A.IDIV, args):
                self._divided |= {x for x in args if isinstance(x, Var)}
            case Load() | Store() | Accum() | View() | Window() | LoadRef() | StoreRef():
                self._indexed |= {x for x in indices(op.path) if isinstance(x, Var)}
            case _:
                pass
        for x in self._operands(op):
            self._read(x, region)

    def _operands(self, op: Op) -> tuple[Operand, ...]:
        """What a printed operation reads: a loop shows the bound from which its count was
        computed."""
        if isinstance(op, For):
            stop = self._stop(op)
            if stop is not None:
                self.stops[op] = stop
                return (op.start, stop, *op.inits)
        return operands(op)

    def _stop(self, op: For) -> Operand | None:
        step = int(op.step.value)
        if self._plain and abs(step) != 1:
            return None
        span = op.count if abs(step) == 1 else self._divided_span(op.count, abs(step))
        match span, self._def(span):
            case None, _:
                return None
            case _, Apply(A.SUB, (stop, start)) if step > 0 and same(start, op.start):
                return stop
            case _, Apply(A.SUB, (start, stop)) if step < 0 and same(start, op.start):
                return stop
            case _ if step > 0 and isinstance(op.start, Const) and op.start.value == 0:
                return span
            case _ if (
                step < 0 and span is not None and same(span, op.start) and isinstance(span, Var)
            ):
                return Const(0, op.step.type)
            case _:
                return self._literal_stop(op)

    def _literal_stop(self, op: For) -> Operand | None:
        """The bound of a loop from n - 1 down to 0, and of its like: n cancels."""
        nothing = Var("", op.step.type)
        start, count = (affine(x, nothing, self._defs) for x in (op.start, op.count))
        if start is None or count is None:
            return None
        stop = start.plus(count.times(int(op.step.value)))
        return None if stop.terms else Const(stop.offset, op.step.type)

    def _divided_span(self, count: Operand, step: int) -> Operand | None:
        """The span of which a count is that many steps: `select(span > 0, (span - 1) / step + 1,
        0)`."""
        match self._def(count):
            case Apply(A.SELECT, (_, more, Const(0))):
                pass
            case _:
                return None
        match self._def(more):
            case Apply(A.ADD, (whole, Const(1))):
                pass
            case _:
                return None
        match self._def(whole):
            case Apply(A.IDIV, (less, Const(by))) if by == step:
                pass
            case _:
                return None
        match self._def(less):
            case Apply(A.SUB, (span, Const(1))):
                return span
            case _:
                return None

    def _def(self, x: Operand | None) -> Apply | None:
        return self._defs.get(x) if isinstance(x, Var) else None

    def _empty(self, region: Region) -> bool:
        return all(op in self.dead or isinstance(op, View | Window | LoadRef) for op in region.ops)

    def _is_implied(self, op: Check) -> bool:
        """Whether a printed operation brings the check along: a division, an indexed access."""
        bringing = {
            Trap.DIVISION: self._divided,
            Trap.OVERFLOW: self._divided,
            Trap.INDEX: self._indexed,
        }
        if not self._implied or op.trap not in bringing:
            return False
        sources = self._sources(op.cond)
        return isinstance(op.cond, Const) or not bringing[op.trap].isdisjoint(sources)

    def _sources(self, x: Operand) -> set[Operand]:
        match self._def(x):
            case Apply(A.NE | A.EQ | A.AND | A.OR | A.NOT | A.GE | A.LT, args):
                return {s for a in args for s in self._sources(a)}
            case _:
                return {x}


def by_value(call: Call) -> bool:
    """Whether a call takes and gives scalars only, so that it touches no memory."""
    return not any(isinstance(x, Var) and isinstance(x.type, Ref) for x in call.args)


def held_pointers(f: Function, module: Module, aliases: Aliases) -> frozenset[Op]:
    """The reads of pointers that may be overwritten in the function, by itself or by what it
    calls."""
    ops = list(_placed(f.body, ()))
    reads = [(op, loops, at) for at, (op, loops) in enumerate(ops) if isinstance(op, LoadRef)]
    if not reads:
        return frozenset()
    writes = [(op, loops, at) for at, (op, loops) in enumerate(ops) if isinstance(op, StoreRef)]
    calls = any(isinstance(op, Call) for op, _ in ops) and any(
        isinstance(op, StoreRef) for g in module.functions.values() for op in walk(g.body)
    )
    found: set[Op] = set()
    for op, loops, at in reads:
        place = aliases.place(op.root, op.path)
        if calls and not aliases.private(place.root):
            found.add(op)
        for w, around, later in writes:
            after = later > at or not set(loops).isdisjoint(around)
            if after and aliases.may_alias(place, aliases.place(w.root, w.path)):
                found.add(op)
    return frozenset(found)


def _placed(region: Region, loops: tuple[Op, ...]) -> Iterator[tuple[Op, tuple[Op, ...]]]:
    """Every operation in order, with the loops that it is in."""
    for op in region.ops:
        yield op, loops
        inside = (*loops, op) if isinstance(op, For | While | Parallel) else loops
        for inner in regions(op):
            yield from _placed(inner, inside)
