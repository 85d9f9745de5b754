"""Which scalar places of a function can live in values: its cells, and where each is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from loma.ir.analysis.alias import Aliases
from loma.ir.builder import place_type
from loma.ir.nodes import (
    Accum,
    Alloc,
    Const,
    Function,
    Load,
    Module,
    Op,
    Path,
    Region,
    Store,
    Var,
    View,
    While,
)
from loma.ir.traverse import is_parallel, operands, regions
from loma.ir.types import ArrayType, Scalar, StructType

Cell: TypeAlias = tuple[Var, tuple[str | int, ...]]


def cell_of(root: Var, path: Path) -> Cell | None:
    """The cell at a path, or None where an index is computed."""
    if any(isinstance(s, Var) for s in path):
        return None
    return root, tuple(
        int(s.value) if isinstance(s, Const) else s for s in path if not isinstance(s, Var)
    )


@dataclass(slots=True)
class Cells:
    """The cells of one function.

    `written` lists the cells that a region writes; `paths` gives the path by which each cell is
    accessed, `types` what a parameter's cell holds, `exposed` the cells that are loaded or stored.
    """

    found: dict[Cell, None] = field(default_factory=dict)
    paths: dict[Cell, Path] = field(default_factory=dict)
    types: dict[Cell, Scalar] = field(default_factory=dict)
    written: dict[Region, dict[Cell, None]] = field(default_factory=dict)
    exposed: set[Cell] = field(default_factory=set)


def local_cells(function: Function) -> Cells:
    """Scalar local roots that are only loaded, stored and added to."""
    return _Scan(function, frozenset()).result()


def parameter_cells(function: Function, module: Module, *, added: bool = True) -> Cells:
    """Written scalar places of scalar and struct parameters, apart from what other threads can
    reach; those that are only added to, if `added`.
    """
    aliases = Aliases(function, module)
    roots = frozenset(
        p
        for p in function.params
        if not isinstance(p.type, Scalar)
        and isinstance(p.content, Scalar | StructType)
        and aliases.private(p)
    )
    cells = _Scan(function, roots).result() if roots else Cells()
    written = cells.written.get(function.body, {})
    kept: dict[Cell, None] = {}
    for cell in cells.found:
        root, path = cell[0], cells.paths[cell]
        leaf = place_type(root.content, path, module.structs)
        wanted = cell in written and (added or cell in cells.exposed)
        if wanted and isinstance(leaf, Scalar) and _in_bounds(path, root, module):
            kept[cell] = None
            cells.types[cell] = leaf
    cells.found = kept
    return cells


def _in_bounds(path: Path, root: Var, module: Module) -> bool:
    for n, step in enumerate(path):
        content = place_type(root.content, path[:n], module.structs)
        if isinstance(content, ArrayType):
            assert isinstance(step, Const), "cells have literal indices"
            if content.size is None or not 0 <= step.value < content.size:
                return False
    return True


class _Scan:
    """One walk; a barrier is a region whose writes cannot become results (that of a Parallel or of
    a parallel loop, a While's condition).
    """

    def __init__(self, function: Function, params: frozenset[Var]) -> None:
        self.params = params
        self.local = not params
        self.home: dict[Var, Region | None] = dict.fromkeys(params)
        self.cells = Cells()
        self.blocked: set[Cell] = set()
        self.prefixes: set[Cell] = set()
        self.region(function.body, None)

    def result(self) -> Cells:
        """The cells whose every use is a plain access."""
        cells = self.cells
        cells.found = {
            c: None for c in cells.found if c not in self.blocked and not self.covered(c)
        }
        return cells

    def covered(self, cell: Cell) -> bool:
        """Whether some use takes a part that holds the cell."""
        root, steps = cell
        return any((root, steps[:n]) in self.prefixes for n in range(len(steps) + 1))

    def region(self, region: Region, barrier: Region | None) -> None:
        written: dict[Cell, None] = {}
        for op in region.ops:
            self.use(op, barrier, written)
            for inner in regions(op):
                closed = is_parallel(op) or (isinstance(op, While) and inner is op.cond)
                self.region(inner, inner if closed else barrier)
                written |= self.cells.written[inner]
        self.cells.written[region] = written

    def use(self, op: Op, barrier: Region | None, written: dict[Cell, None]) -> None:
        match op:
            case Alloc(out, None) if self.local and isinstance(out.content, Scalar):
                self.home[out] = barrier
                self.cells.found[out, ()] = None
                self.cells.paths[out, ()] = ()
            case Load(root, path) | Store(root, path) | Accum(root, path) if root in self.home:
                self.access(op, root, path, barrier, written)
            case View(root, path) if root in self.home:
                self.prefix(root, path)
            case _:
                for x in operands(op):
                    if isinstance(x, Var) and x in self.home:
                        self.prefixes.add((x, ()))

    def access(
        self,
        op: Load | Store | Accum,
        root: Var,
        path: Path,
        barrier: Region | None,
        written: dict[Cell, None],
    ) -> None:
        cell = cell_of(root, path)
        if cell is None:
            self.prefix(root, path)
            return
        self.cells.found[cell] = None
        self.cells.paths[cell] = path
        if not isinstance(op, Accum):
            self.cells.exposed.add(cell)
        if not isinstance(op, Load):
            written[cell] = None
        outside = self.home[root] is not barrier
        if outside and (not self.local or not isinstance(op, Load)):
            self.blocked.add(cell)

    def prefix(self, root: Var, path: Path) -> None:
        """Notes that a use takes everything below the literal start of a path."""
        n = next((n for n, s in enumerate(path) if isinstance(s, Var)), len(path))
        cell = cell_of(root, path[:n])
        assert cell is not None, "literal up to there"
        self.prefixes.add(cell)
