"""Which values of an imperative tree share one variable, and in which block each variable is
declared.

Two values share a variable if one is copied to the other, or computed from it under the same name,
and they are
never needed at the same time: so the carried value of a loop, its next value and its result become
one variable,
and an adjoint is added to, as a person would have written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from loma.ir.imperative import (
    Block,
    Body,
    Branch,
    Copy,
    Count,
    Expr,
    Let,
    Loop,
    Pop,
    Stmt,
    Threads,
    blocks,
    expressions,
    targets,
    variables,
)
from loma.ir.nodes import Var

Position: TypeAlias = tuple[int, ...]
GENERIC: Final = "t"
MANY: Final = 500
"""Values of updated variables above which nothing is done about them: the work grows as the
square."""


class Storage:
    """The variable (represented by one of its values) that holds each value."""

    def __init__(self, params: tuple[Var, ...], body: Body) -> None:
        self._parent: dict[Var, Var] = {}
        self._edges: dict[Var, set[Var]] = {}
        self._fixed = {s.index for s in _statements(body.block) if isinstance(s, Count | Threads)}
        self._fixed |= {
            v for s in _statements(body.block) if isinstance(s, Threads) for v, _ in s.sums
        }
        self._inside: dict[Stmt, set[Var]] = {}
        self._related = self._find_related(body.block)
        live = set() if body.result is None else self._of(body.result)
        self._block(body.block, live)
        self._inputs = {p for p in params if p in self._related}
        for p in self._inputs:
            self._separate(p, live | self._inputs)
        self._members: dict[Var, dict[Var, None]] = {v: {v: None} for v in self._related}
        for v, x, _ in sorted(self._pairs(body.block, 0), key=lambda p: -p[2]):
            self._merge(v, x)
        self.params = frozenset(self.of(p) for p in params)

    def of(self, v: Var) -> Var:
        """The representative of the variable that holds a value."""
        while v in self._parent:
            v = self._parent[v]
        return v

    def hint(self, v: Var) -> str:
        """The name that the program gave to the variable of this value, if it gave one."""
        names = [m.name for m in self._members.get(self.of(v), {v: None})]
        return next((name for name in names if name != GENERIC), GENERIC)

    def _find_related(self, block: Block) -> set[Var]:
        found: set[Var] = set()
        for s in _statements(block):
            if isinstance(s, Copy):
                found |= {v for v, _ in s.pairs} | {e for _, e in s.pairs if isinstance(e, Var)}
        updates = {
            v
            for s in _statements(block)
            if isinstance(s, Let)
            for v in (s.var, *_updated(s))
            if _updated(s)
        }
        if len(updates) <= MANY:
            found |= updates
        return found - self._fixed

    def _pairs(self, block: Block, depth: int) -> Iterator[tuple[Var, Var, int]]:
        for s in block:
            if isinstance(s, Copy):
                yield from ((v, e, depth + 1) for v, e in s.pairs if isinstance(e, Var))
            elif isinstance(s, Let) and s.var in self._related:
                yield from ((s.var, x, 0) for x in _updated(s))
            inner = depth + isinstance(s, Count | Loop | Threads)
            for b in blocks(s):
                yield from self._pairs(b, inner)

    def _merge(self, v: Var, x: Var) -> None:
        a, b = self.of(v), self.of(x)
        if a is b or a not in self._members or b not in self._members or a.type is not b.type:
            return
        if self._renames(a, b):
            return
        if any(
            not self._edges.get(m, set()).isdisjoint(self._members[a]) for m in self._members[b]
        ):
            return
        self._parent[b] = a
        self._members[a] |= self._members.pop(b)

    def _renames(self, a: Var, b: Var) -> bool:
        """Whether one variable is an argument and the other has a name of its own."""
        both = {**self._members[a], **self._members[b]}
        if self._inputs.isdisjoint(both):
            return False
        return len({m.name for m in both} - {GENERIC}) > 1

    # Liveness, backwards; `live` holds related values only and is changed in place.

    def _of(self, e: Expr) -> set[Var]:
        return {v for v in variables(e) if v in self._related}

    def _separate(self, v: Var, others: set[Var]) -> None:
        for x in others:
            if x is not v:
                self._edges.setdefault(v, set()).add(x)
                self._edges.setdefault(x, set()).add(v)

    def _block(self, block: Block, live: set[Var]) -> None:
        for s in reversed(block):
            self._stmt(s, live)

    def _stmt(self, s: Stmt, live: set[Var]) -> None:  # noqa: C901 - one dispatch
        match s:
            case Copy():
                self._copy(s, live)
            case Branch(_, then, orelse):
                other = set(live)
                self._block(then, live)
                self._block(orelse, other)
                live |= other
            case Count() | Loop() | Threads():
                inside = self._inside_of(s)
                live |= inside
                leaving = set(live)
                self._block(s.body, live)
                live |= leaving
                if isinstance(s, Loop):
                    live |= self._of(s.cond)
                    self._block(s.test, live)
                live |= inside
            case Let() | Pop():
                for v in targets(s):
                    if v in self._related:
                        self._separate(v, live | set(targets(s)) & self._related)
                live -= set(targets(s))
            case _:
                pass
        for e in expressions(s):
            live |= self._of(e)

    def _copy(self, s: Copy, live: set[Var]) -> None:
        assigned = {v for v, _ in s.pairs}
        for v, e in s.pairs:
            self._separate(v, {x for x in live | assigned if x is not e})
        live -= assigned

    def _inside_of(self, s: Stmt) -> set[Var]:
        """The related values that a loop needs from outside or from its last iteration."""
        known = self._inside.get(s)
        if known is None:
            used: set[Var] = set()
            bound: set[Var] = set()
            carried: set[Var] = set()
            for b in blocks(s):
                if b and isinstance(b[-1], Copy):
                    carried |= {v for v, _ in b[-1].pairs}
                for inner in _statements(b):
                    used.update(*(self._of(e) for e in expressions(inner)))
                    bound.update(targets(inner))
            used.update(*(self._of(e) for e in expressions(s)))
            known = self._inside[s] = (used - bound) | (used & carried) | (carried & self._related)
        return known


def _updated(s: Let) -> list[Var]:
    """The values of the same name that a new value is computed from: as in `x = x + e`."""
    name = s.var.name
    if name == GENERIC:
        return []
    return [x for x in variables(s.value) if x.name == name and x.type is s.var.type]


def _statements(block: Block) -> Iterator[Stmt]:
    for s in block:
        yield s
        for b in blocks(s):
            yield from _statements(b)


def declarations(body: Body, storage: Storage) -> dict[Stmt, list[Var]]:
    """The variables to declare at or right before each statement: where their first use is, in the
    block of all."""
    places = _Places(storage)
    places.block(body.block, ())
    if body.result is not None:
        places.read(body.result, (len(body.block),))
    return places.found()


class _Places:
    """Where each variable is mentioned: a position is statement, block, statement, ... from the
    outside in."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._spots: dict[Var, Position] = {}
        self._at: dict[Position, Stmt] = {}
        self._indices: set[Var] = set()

    def block(self, block: Block, prefix: Position, first: int = 0) -> None:
        """Visits a block whose first statement has the number `first`."""
        for i, s in enumerate(block, first):
            here = (*prefix, i)
            self._at[here] = s
            if isinstance(s, Count | Threads):
                self._indices.add(s.index)
            for v in targets(s):
                self._mention(v, here)
            if isinstance(s, Loop):
                self.block(s.test, (*here, 0))
                self.read(s.cond, (*here, 0, len(s.test)))
                self.block(s.body, (*here, 0), len(s.test) + 1)
                continue
            for e in expressions(s):
                self.read(e, here)
            for k, b in enumerate(blocks(s)):
                self.block(b, (*here, k))

    def read(self, e: Expr, where: Position) -> None:
        """Visits the variables of an expression."""
        for v in variables(e):
            self._mention(v, where)

    def _mention(self, v: Var, where: Position) -> None:
        v = self._storage.of(v)
        if v not in self._indices and v not in self._storage.params:
            self._spots[v] = _common(self._spots.get(v, where), where)

    def found(self) -> dict[Stmt, list[Var]]:
        """The variables to declare at each statement."""
        table: dict[Stmt, list[Var]] = {}
        for v, where in self._spots.items():
            table.setdefault(self._at[where], []).append(v)
        return table


def _common(first: Position, other: Position) -> Position:
    """The statement, in the innermost block that holds both, that holds the first."""
    k = 0
    while k < min(len(first), len(other)) and first[k] == other[k]:
        k += 1
    return first[: k + 1] if k % 2 == 0 else first[:k]


def ordered(copy: Copy, storage: Storage) -> list[tuple[Var, Expr]]:
    """The assignments of a copy one after the other, with a fresh variable where they go round in a
    circle."""
    todo = [
        (v, e) for v, e in copy.pairs if not (isinstance(e, Var) and storage.of(e) is storage.of(v))
    ]
    done: list[tuple[Var, Expr]] = []
    last: list[tuple[Var, Expr]] = []
    while todo:
        free = next((i for i in range(len(todo)) if not _read_later(i, todo, storage)), None)
        if free is None:
            v, e = todo.pop(0)
            saved = Var(v.name, v.type)
            done.append((saved, e))
            last.append((v, saved))
        else:
            done.append(todo.pop(free))
    return done + last


def _read_later(i: int, todo: list[tuple[Var, Expr]], storage: Storage) -> bool:
    target = storage.of(todo[i][0])
    return any(
        storage.of(x) is target for k, (_, e) in enumerate(todo) if k != i for x in variables(e)
    )
