"""Whether every element of an array is provably written at most once, or only ever added to.

Then the adjoint of the final value is the adjoint of the one write, and no scratch is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from loma.ad.strides import Strides
from loma.ir.nodes import (
    Accum,
    Call,
    Const,
    For,
    If,
    Load,
    LoadRef,
    Op,
    Operand,
    Path,
    Region,
    Store,
    Var,
    View,
    While,
    Window,
)
from loma.ir.traverse import outs, regions, walk
from loma.ir.types import I32


@dataclass(frozen=True, slots=True)
class Write:
    """A store or an addition, with the loops around it and the branch that it is in.

    `at` is its place in the text: for each region around it, from the outside in, the region's
    identity and the position of the operation there.
    """

    path: Path
    loops: tuple[For | While, ...]
    branches: tuple[tuple[int, int], ...]
    at: tuple[tuple[int, int], ...]

    def precedes(self, other: Write) -> bool:
        """Whether the other runs only after this one, in the same iteration of all its loops, and
        at the same element.
        """
        *around, (region, position) = self.at
        if self.path != other.path or len(other.at) < len(self.at):
            return False
        its_region, its_position = other.at[len(around)]
        same = other.at[: len(around)] == tuple(around) and its_region == region
        return same and position < its_position


class Once:
    """Facts about the writes to one base root in a region; `sizes` are those of an array."""

    def __init__(
        self, body: Region, root: Var, base: Mapping[Var, Var], sizes: Set[Var] = frozenset()
    ) -> None:
        self.root = root
        self.sizes = sizes
        self.base = base
        self.defs: dict[Var, Op] = {v: op for op in walk(body) for v in outs(op)}
        self.stores: list[Write] = []
        self.accums: list[Write] = []
        self.loads = 0
        self.calls = 0
        self._collect(body, (), (), ())

    def holds(self) -> bool:
        """Whether no element is read, and each is only added to, or stored at most once and then
        only added to.
        """
        if self.loads or self.calls:
            return False
        if not self.stores:
            return True
        if not all(any(s.precedes(a) for s in self.stores) for a in self.accums):
            return False
        return all(self._injective(w) for w in self.stores) and _all_apart(self.stores)

    def _collect(
        self,
        region: Region,
        loops: tuple[For | While, ...],
        branches: tuple[tuple[int, int], ...],
        around: tuple[tuple[int, int], ...],
    ) -> None:
        for position, op in enumerate(region.ops):
            at = (*around, (id(region), position))
            match op:
                case Store(root, path) | Accum(root, path):
                    if self._mine(root):
                        found = self.stores if isinstance(op, Store) else self.accums
                        found.append(Write(self._full(root, path), loops, branches, at))
                case Load(root):
                    self.loads += self._mine(root)
                case Call(_, args):
                    self.calls += any(isinstance(x, Var) and self._mine(x) for x in args)
                case _:
                    pass
            inner = (*loops, op) if isinstance(op, For | While) else loops
            for k, r in enumerate(regions(op)):
                chosen = (*branches, (id(op), k)) if isinstance(op, If) else branches
                self._collect(r, inner, chosen, at)

    def _mine(self, root: Var) -> bool:
        return self.base.get(root, root) is self.root

    def _full(self, root: Var, path: Path) -> Path:
        op = self.defs.get(root)
        if isinstance(op, Window):  # where it begins is added to the index: somewhere
            return (*self._full(op.root, op.path[: -op.depth]), Var("somewhere", I32), *path[1:])
        if isinstance(op, View | LoadRef):
            return (*self._full(op.root, op.path), *path)
        return path

    def _injective(self, w: Write) -> bool:
        """Whether different iterations of the loops around a store write different elements."""
        left: list[Var] = []
        for loop in w.loops:
            if isinstance(loop, While):
                return False
            left.append(loop.body.args[0])
        loops = {loop.body.args[0]: loop for loop in w.loops if isinstance(loop, For)}
        strides = Strides(loops, self.defs, self.sizes)
        for index in w.path:
            if isinstance(index, str):
                continue
            form = strides.form(index)
            if form and strides.injective(form):
                left = [v for v in left if v not in form]
        return not left


def _all_apart(stores: Sequence[Write], k: int = 0) -> bool:
    """Whether no two of the stores ever write the same element in one run.

    Where all of them have a literal at position k of their paths, it sorts them into groups.
    """
    if len(stores) < 2:
        return True
    if all(k >= len(w.path) for w in stores):
        return all(_apart(v, w) for i, v in enumerate(stores) for w in stores[:i])
    groups: dict[object, list[Write]] = {}
    for w in stores:
        groups.setdefault(_literal(w.path[k]) if k < len(w.path) else None, []).append(w)
    sorted_out = [stores] if None in groups else list(groups.values())
    return all(_all_apart(group, k + 1) for group in sorted_out)


def _literal(step: Operand | str) -> object:
    """A step of a path that is the same in every run, else None."""
    return step.value if isinstance(step, Const) else step if isinstance(step, str) else None


def _apart(v: Write, w: Write) -> bool:
    """Whether two stores never write the same element in one run."""
    exclusive = any(i == j and k != m for i, k in v.branches for j, m in w.branches)
    return (exclusive and (v.path == w.path or not (v.loops or w.loops))) or disjoint(
        v.path, w.path
    )


def disjoint(p: Sequence[Operand | str], q: Sequence[Operand | str]) -> bool:
    """Whether two paths lead to different places whatever the values of their indices."""
    for x, y in zip(p, q, strict=False):
        if isinstance(x, str) or isinstance(y, str):
            if x != y:
                return True
        elif isinstance(x, Const) and isinstance(y, Const) and x.value != y.value:
            return True
    return False
