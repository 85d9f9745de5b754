"""Compiles core operations to Python closures over a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, assert_never, cast

from loma.diagnostics import RunError, Span
from loma.ir import nodes as core
from loma.ir.builder import place_type, type_of
from loma.ir.interp_frame import BAD_PLACE, Cells, Roots, Slots, Spot, Step, Tape, Values, Window
from loma.ir.interp_values import CONVERT, Growable, arithmetic, zero
from loma.ir.nodes import Operand, Region, Trap, Var
from loma.ir.shown import shown
from loma.ir.types import ArrayType, Scalar, Structs, TapeType

Stored: TypeAlias = Callable[[Values, Roots, Cells, float | str], float]


class Program(Protocol):
    """What the operations of one function need of the whole."""

    structs: Structs
    cost: int
    counting: bool
    write: Callable[[str], object]

    def compiled(self, name: str) -> Compiled:
        """The compiled form of a function."""
        ...


def stop(trap: Trap, span: Span, message: str = "") -> RunError:
    """The exception for a trap."""
    return RunError(trap.name, message or trap.value, span.file, span.line)


class Compiled(Slots):
    """One function: where its parameters lie in a frame, its code, and where its result lies."""

    def __init__(self, f: core.Function, program: Program) -> None:
        super().__init__()
        self.program = program
        self.params = tuple(self.bind(p) for p in f.params)
        self.run = self.region(f.body)
        self.results = tuple(self.value(y) for y in f.body.yields)

    # Regions.

    def region(self, region: Region) -> Step:
        """The code of a region; its args are bound by the caller."""
        steps = tuple(self.op(op) for op in region.ops)

        def run(v: Values, r: Roots) -> None:
            for step in steps:
                step(v, r)

        return run

    def op(self, op: core.Op) -> Step:  # noqa: C901 - one dispatch
        """The code of one operation."""
        match op:
            case core.Apply():
                return self._apply(op)
            case core.Load() | core.LoadRef():
                return self._load(op)
            case core.Store() | core.StoreRef() | core.Accum():
                return self._store(op)
            case core.View():
                return self._view(op)
            case core.Window():
                return self._window(op)
            case core.Alloc():
                return self._alloc(op)
            case core.Push() | core.Pop():
                return self._tape(op)
            case core.Check():
                return self._check(op)
            case core.Print():
                return self._print(op)
            case core.Call():
                return self._call(op)
            case core.If():
                return self._if(op)
            case core.For():
                return self._for(op)
            case core.While():
                return self._while(op)
            case core.Parallel():
                return self._parallel(op)
            case _:
                assert_never(op)

    # Operations.

    def _apply(self, op: core.Apply) -> Step:
        f, args = arithmetic(op.prim, op.out.scalar), self.several(op.args)
        out, program, cost = self.bind(op.out), self.program, op.prim.cost

        def counted(v: Values, r: Roots) -> None:
            program.cost += cost
            v[out] = f(*[v[a] for a in args])

        if program.counting:
            return counted
        match args:
            case (a,):

                def unary(v: Values, r: Roots) -> None:
                    v[out] = f(v[a])

                return unary
            case (a, b):

                def binary(v: Values, r: Roots) -> None:
                    v[out] = f(v[a], v[b])

                return binary
            case _:

                def many(v: Values, r: Roots) -> None:
                    v[out] = f(*[v[a] for a in args])

                return many

    def _load(self, op: core.Load | core.LoadRef) -> Step:
        (reach, key), out, span = self.place(op.root, op.path), self.bind(op.out), op.span

        def load(v: Values, r: Roots) -> None:
            try:
                v[out] = reach(v, r)[key(v)]
            except BAD_PLACE:
                raise stop(Trap.INDEX, span) from None

        def load_ref(v: Values, r: Roots) -> None:
            try:
                r[out] = cast(Cells, reach(v, r)[key(v)])
            except BAD_PLACE:
                raise stop(Trap.INDEX, span) from None

        return load if isinstance(op, core.Load) else load_ref

    def _store(self, op: core.Store | core.StoreRef | core.Accum) -> Step:
        (reach, key), new, span = self.place(op.root, op.path), self._stored(op), op.span

        def store(v: Values, r: Roots) -> None:
            try:
                cells, k = reach(v, r), key(v)
                cells[k] = new(v, r, cells, k)
            except BAD_PLACE:
                raise stop(Trap.INDEX, span) from None

        return store

    def _stored(self, op: core.Store | core.StoreRef | core.Accum) -> Stored:
        value = self.value(op.value)
        match op:
            case core.Store():
                return lambda v, r, cells, k: v[value]
            case core.StoreRef():
                return lambda v, r, cells, k: cast(float, r[value])
            case core.Accum():
                held = place_type(op.root.content, op.path, self.program.structs)
                assert isinstance(held, Scalar)
                convert = CONVERT[held]
                return lambda v, r, cells, k: convert(cells[k] + v[value])

    def _view(self, op: core.View) -> Step:
        (reach, key), out, span = self.place(op.root, op.path), self.bind(op.out), op.span
        scalar = isinstance(op.out.content, Scalar)

        def view(v: Values, r: Roots) -> None:
            try:
                cells, k = reach(v, r), key(v)
                inner = cells[k]
            except BAD_PLACE:
                raise stop(Trap.INDEX, span) from None
            r[out] = Spot(cells, k) if scalar else cast(Cells, inner)

        return view

    def _window(self, op: core.Window) -> Step:
        at, first = len(op.path) - op.depth, op.path[len(op.path) - op.depth]
        base = self.at[op.root]
        keys = tuple(self.key(p) for p in op.path[:at])
        start, out, span = self.key(cast(Operand, first)), self.bind(op.out), op.span

        def window(v: Values, r: Roots) -> None:
            try:
                cells = r[base]
                for key in keys:
                    cells = cast(Cells, cells[key(v)])
                r[out] = Window(cells, int(start(v)), op.depth)
            except BAD_PLACE:
                raise stop(Trap.INDEX, span) from None

        return window

    def _alloc(self, op: core.Alloc) -> Step:
        content, structs, out = op.out.content, self.program.structs, self.bind(op.out)
        count = None if op.count is None else self.value(op.count)

        def alloc(v: Values, r: Roots) -> None:
            match content:
                case Scalar():
                    new: object = [zero(content, structs)]
                case ArrayType(element, None) if count is not None:
                    new = [zero(element, structs) for _ in range(int(v[count]))]
                case ArrayType(element, None):
                    new = Growable(lambda: zero(element, structs))
                case _:
                    new = zero(content, structs)
            r[out] = cast(Cells, new)

        return alloc

    def _tape(self, op: core.Push | core.Pop) -> Step:
        tape, span = self.at[op.tape], op.span
        assert isinstance(op.tape.content, TapeType), "only tapes are pushed to"
        if isinstance(op, core.Push):
            values = self.several(op.values)

            def push(v: Values, r: Roots) -> None:
                cast(Tape, r[tape]).append(tuple(v[x] for x in values))

            return push
        outs = self.fresh(op.outs)

        def pop(v: Values, r: Roots) -> None:
            frames = cast(Tape, r[tape])
            if not frames or len(frames[-1]) != len(outs):
                raise stop(Trap.INDEX, span, "this frame was not pushed")
            _assign(v, outs, frames.pop())

        return pop

    def _check(self, op: core.Check) -> Step:
        if op.within is not None:
            return self._inside(op, *op.within)
        cond, text = self.value(op.cond), self._text(op.text)

        def check(v: Values, r: Roots) -> None:
            if not v[cond]:
                raise stop(op.trap, op.span, op.message or text(v))

        return check

    def _inside(self, op: core.Check, array: Var, index: Operand) -> Step:
        """Where the length of an array is known, an index must be below it."""
        at, root = self.value(index), self.at[array]
        parts = [self._text((p,)) if p is not array else None for p in op.text]

        def check(v: Values, r: Roots) -> None:
            memory: object = r[root]
            if isinstance(memory, list) and v[at] >= len(memory):
                text = [str(len(memory)) if show is None else show(v) for show in parts]
                raise stop(op.trap, op.span, "".join(text))

        return check

    def _text(self, text: core.Text) -> Callable[[Values], str]:
        parts = [p if isinstance(p, str) else (self.value(p), type_of(p)) for p in text]
        return lambda v: "".join(p if isinstance(p, str) else shown(v[p[0]], p[1]) for p in parts)

    def _print(self, op: core.Print) -> Step:
        text, program = self._text(op.text), self.program

        def show(v: Values, r: Roots) -> None:
            program.write(text(v))

        return show

    def _call(self, op: core.Call) -> Step:
        program, args = self.program, tuple((self.value(a), _is_root(a)) for a in op.args)
        outs, name = self.fresh(op.outs), op.function

        def call(v: Values, r: Roots) -> None:
            callee = program.compiled(name)
            values, roots = callee.frame()
            for (slot, is_root), param in zip(args, callee.params, strict=True):
                if is_root:
                    roots[param] = r[slot]
                else:
                    values[param] = v[slot]
            callee.run(values, roots)
            _assign(v, outs, [values[x] for x in callee.results])

        return call

    # Control.

    def _if(self, op: core.If) -> Step:
        cond = self.value(op.cond)
        then, orelse = self.region(op.then), self.region(op.orelse)
        thens, elses = self.several(op.then.yields), self.several(op.orelse.yields)
        outs = self.fresh(op.outs)

        def branch(v: Values, r: Roots) -> None:
            if v[cond]:
                then(v, r)
                _assign(v, outs, [v[y] for y in thens])
            else:
                orelse(v, r)
                _assign(v, outs, [v[y] for y in elses])

        return branch

    def _for(self, op: core.For) -> Step:
        start, count, inits = self.value(op.start), self.value(op.count), self.several(op.inits)
        index, *args = self.fresh(op.body.args)
        body, yields = self.region(op.body), self.several(op.body.yields)
        outs, wrap, by = self.fresh(op.outs), CONVERT[op.step.type], op.step.value

        def loop(v: Values, r: Roots) -> None:
            carried, i = [v[x] for x in inits], v[start]
            for _ in range(int(v[count])):
                v[index] = i
                _assign(v, args, carried)
                body(v, r)
                carried, i = [v[y] for y in yields], wrap(i + by)
            _assign(v, outs, carried)

        return loop

    def _while(self, op: core.While) -> Step:
        inits, cond_args = self.several(op.inits), self.fresh(op.cond.args)
        cond, test = self.region(op.cond), self.value(op.cond.yields[0])
        body_args = self.fresh(op.body.args)
        body, yields = self.region(op.body), self.several(op.body.yields)
        outs = self.fresh(op.outs)

        def loop(v: Values, r: Roots) -> None:
            carried = [v[x] for x in inits]
            while True:
                _assign(v, cond_args, carried)
                cond(v, r)
                if not v[test]:
                    break
                _assign(v, body_args, carried)
                body(v, r)
                carried = [v[y] for y in yields]
            _assign(v, outs, carried)

        return loop

    def _parallel(self, op: core.Parallel) -> Step:
        count, (index,) = self.value(op.count), self.fresh(op.body.args)
        body, yields = self.region(op.body), self.several(op.body.yields)
        converts = [CONVERT[out.scalar] for out in op.outs]
        outs = self.fresh(op.outs)

        def parallel(v: Values, r: Roots) -> None:
            sums: Sequence[float] = [0.0 for _ in outs]
            for k in range(int(v[count])):
                v[index] = k
                body(v, r)
                sums = [c(s + v[y]) for c, s, y in zip(converts, sums, yields, strict=True)]
            _assign(v, outs, sums)

        return parallel


def _assign(v: Values, slots: Sequence[int], values: Sequence[float]) -> None:
    for slot, x in zip(slots, values, strict=True):
        v[slot] = x


def _is_root(x: Operand) -> bool:
    return isinstance(x, Var) and not isinstance(x.type, Scalar)
