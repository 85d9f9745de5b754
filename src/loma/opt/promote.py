"""Scalars in memory become values: local roots, and on request scalar places of parameters.

The value of a cell is carried through branches and loops; a local cell is zero at each execution of
its Alloc. What a Parallel or the condition of a While writes, and holds from outside, stays in
memory.

With `promote_params`, a place of a scalar or struct parameter is loaded once at entry and stored
once at the end. What a program had stored there before it stopped itself is not seen by the caller
then. `promote_own_params` leaves alone the places that are only added to: rounds of a parallel loop
that call the function may share these.
"""

from __future__ import annotations

from dataclasses import replace

from loma.ir.analysis.alias import same
from loma.ir.builder import type_of
from loma.ir.nodes import (
    Accum,
    Alloc,
    For,
    Function,
    If,
    Load,
    Module,
    Op,
    Operand,
    Region,
    Store,
    Var,
    While,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import regions
from loma.ir.types import Scalar
from loma.opt import sroa
from loma.opt.cells import Cell, Cells, cell_of, local_cells, parameter_cells
from loma.opt.cse import zero
from loma.opt.rewrite import Rewriter, same_ops


def run(function: Function, module: Module) -> Function:
    """The function with its separable local memory in values."""
    function = sroa.run(function, module)
    cells = local_cells(function)
    return _Promote(cells).function(function) if cells.found else function


def promote_params(function: Function, module: Module) -> Function:
    """The function with the scalar places of its parameters that it writes in values."""
    cells = parameter_cells(function, module)
    return _PromoteParams(cells).function(function) if cells.found else function


def promote_own_params(function: Function, module: Module) -> Function:
    """The function with those places in values that it does not only add to."""
    cells = parameter_cells(function, module, added=False)
    return _PromoteParams(cells).function(function) if cells.found else function


class _Promote(Rewriter):
    """`current` holds the value of each cell here; `trail` undoes what a region did to it."""

    def __init__(self, cells: Cells) -> None:
        super().__init__()
        self.cells = cells
        self.current: dict[Cell, Operand] = {}
        self.trail: list[tuple[Cell, Operand | None]] = []

    def op(self, op: Op) -> None:
        match op:
            case Alloc(out) if (out, ()) in self.cells.found:
                self.set((out, ()), zero(content_scalar(out)))
            case Load(root, path) if (cell := self.cell(root, path)) is not None:
                self.subst[op.out] = self.current[cell]
            case Store(root, path, value) if (cell := self.cell(root, path)) is not None:
                self.set(cell, value)
            case Accum(root, path, value) if (cell := self.cell(root, path)) is not None:
                name = "_".join((root.name, *map(str, cell[1])))
                self.set(
                    cell, self.apply(A.ADD, self.current[cell], value, span=op.span, name=name)
                )
            case If():
                self.branch(op)
            case For() | While():
                self.loop(op)
            case _:
                self.emit(self.nested(op))

    def cell(self, root: Var, path: tuple[Operand | str, ...]) -> Cell | None:
        cell = cell_of(root, path)
        return cell if cell is not None and cell in self.cells.found else None

    def set(self, cell: Cell, value: Operand) -> None:
        self.trail.append((cell, self.current.get(cell)))
        self.current[cell] = value

    def undo(self, mark: int) -> None:
        while len(self.trail) > mark:
            cell, old = self.trail.pop()
            if old is None:
                del self.current[cell]
            else:
                self.current[cell] = old

    def region(self, region: Region) -> Region:
        return self.within(region, {}, {})

    def within(self, region: Region, start: dict[Cell, Var], end: dict[Cell, None]) -> Region:
        """A region that begins with cells in its last args, and yields cells too."""
        mark = len(self.trail)
        outer, self.ops = self.ops, []
        for cell, v in start.items():
            self.set(cell, v)
        self.body(region)
        yields = self.values(region.yields)
        ops, self.ops = self.ops, outer
        more = tuple(self.current[cell] for cell in end)
        self.undo(mark)
        if not start and not end and yields is region.yields and same_ops(ops, region.ops):
            return region
        return Region((*region.args, *start.values()), tuple(ops), (*yields, *more))

    def touched(self, op: Op) -> dict[Cell, None]:
        """The cells from outside that an operation's regions write."""
        return {
            cell: None
            for inner in regions(op)
            for cell in self.cells.written[inner]
            if cell in self.current and cell in self.cells.found
        }

    def fresh(self, cells: dict[Cell, None]) -> dict[Cell, Var]:
        return {
            c: Var("_".join((c[0].name, *map(str, c[1]))), type_of(self.current[c])) for c in cells
        }

    def branch(self, op: If) -> None:
        cells = self.touched(op)
        then, orelse = self.within(op.then, {}, cells), self.within(op.orelse, {}, cells)
        if then is op.then and orelse is op.orelse:
            self.emit(op)
            return
        outs = self.fresh(cells)
        n = len(op.outs)
        for cell, x, y in zip(cells, then.yields[n:], orelse.yields[n:], strict=True):
            self.set(cell, x if same(x, y) else outs[cell])
        self.emit(replace(op, then=then, orelse=orelse, outs=(*op.outs, *outs.values())))

    def loop(self, op: For | While) -> None:
        cells = self.touched(op)
        inits = (*op.inits, *(self.current[c] for c in cells))
        body = self.within(op.body, self.fresh(cells), cells)
        outs = self.fresh(cells)
        if isinstance(op, While):
            cond = self.within(op.cond, self.fresh(cells), {})
            if cond is not op.cond or body is not op.body:
                op = replace(op, inits=inits, cond=cond, body=body, outs=(*op.outs, *outs.values()))
        elif body is not op.body:
            op = replace(op, inits=inits, body=body, outs=(*op.outs, *outs.values()))
        for cell, v in outs.items():
            self.set(cell, v)
        self.emit(op)


def content_scalar(root: Var) -> Scalar:
    """The scalar that a root holds."""
    assert isinstance(root.content, Scalar), f"{root.name} holds no scalar"
    return root.content


class _PromoteParams(_Promote):
    def function(self, f: Function) -> Function:
        """Loads every cell at entry, and stores it at the end."""
        self.entry = f
        return super().function(f)

    def body(self, region: Region) -> None:
        if region is not self.entry.body:
            super().body(region)
            return
        loaded = {}
        for cell in self.cells.found:
            root, path = cell[0], self.cells.paths[cell]
            out = Var("_".join((root.name, *map(str, cell[1]))), self.cells.types[cell])
            self.emit(Load(root, path, out, span=self.entry.span))
            loaded[cell] = out
            self.set(cell, out)
        super().body(region)
        for cell in self.cells.found:
            if self.current[cell] is not loaded[cell]:
                self.emit(
                    Store(cell[0], self.cells.paths[cell], self.current[cell], span=self.entry.span)
                )
