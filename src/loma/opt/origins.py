"""Where the pointers that lie in local memory come from.

An *origin* is a root and the way from it to what a pointer points to, as a shape: its indices are
left open. A *slot* is a place for pointers in a local root, all of its indices together. Structs do
not contain themselves, so there are few origins for a slot; a finite search finds them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from loma.diagnostics import Span
from loma.ir.nodes import (
    Alloc,
    Call,
    Const,
    Function,
    LoadRef,
    Op,
    Operand,
    Path,
    Region,
    StoreRef,
    Var,
    View,
    Window,
)
from loma.ir.traverse import operands, regions, walk
from loma.ir.types import I32, ArrayType, Ref, Structs, has_pointer

Steps: TypeAlias = tuple[str | None, ...]
Part: TypeAlias = View | Window | LoadRef | StoreRef
Places: TypeAlias = frozenset[tuple[str, int]]
Slot: TypeAlias = tuple[Var, Steps]
Join: TypeAlias = Callable[[Operand, Operand], Operand]


@dataclass(frozen=True, slots=True)
class Link:
    """A View, Window or LoadRef without its indices; the last `depth - 1` ones of a Window are 0.

    What a StoreRef writes to is reached as by a LoadRef.
    """

    kind: type[View | Window | LoadRef]
    steps: Steps
    type: Ref | None
    depth: int = 1

    @property
    def holes(self) -> int:
        """How many indices are open."""
        return self.steps.count(None) - (self.depth - 1)


@dataclass(frozen=True, slots=True)
class Origin:
    """A root, and the way from it."""

    root: Var
    links: tuple[Link, ...] = ()

    @property
    def holes(self) -> int:
        """How many indices are open."""
        return sum(link.holes for link in self.links)

    @property
    def crossed(self) -> set[str]:
        """The fields whose pointers are followed on the way."""
        fields = [[s for s in link.steps if s is not None] for link in self.links]
        return {found[-1] for found in fields if found}


Given: TypeAlias = Mapping[Slot, Sequence[Origin]]
_NOTHING: Final[Given] = {}


def extended(
    origin: Origin, at: tuple[Operand, ...], op: Part, join: Join
) -> tuple[Origin, tuple[Operand, ...]]:
    """The origin of a part of what an origin with indices leads to; `join` adds two indices."""
    links, path = origin.links, op.path
    depth = op.depth if isinstance(op, Window) else 1
    steps: Steps = ()
    last = links[-1] if links else None
    if last is not None and last.kind is Window and last.depth == 1:
        first = path[0]
        assert not isinstance(first, str), "a Window is an array"
        at, path = (*at[:-1], join(at[-1], first)), path[1:]
    if last is not None and last.kind is not LoadRef and last.depth == 1:
        links, steps = links[:-1], last.steps
    found = [x for x in path if not isinstance(x, str)]
    added = tuple(found[: len(found) - (depth - 1)])
    steps = (*steps, *(x if isinstance(x, str) else None for x in path))
    kind, type_ = (LoadRef, None) if isinstance(op, StoreRef) else (type(op), _ref(op.out))
    return Origin(origin.root, (*links, Link(kind, steps, type_, depth))), (*at, *added)


def _ref(v: Var) -> Ref:
    assert isinstance(v.type, Ref), f"{v.name} is not a root"
    return v.type


def followed(
    origin: Origin, root: Var, at: tuple[Operand, ...], span: Span, out: Var | None = None
) -> tuple[list[Op], Var]:
    """The operations that reach from a root what an origin leads to, under the name `out` if there
    is one; what they reach.
    """
    ops: list[Op] = []
    left = list(at)
    for n, link in enumerate(origin.links, 1):
        indices = [*left[: link.holes], *([Const(0, I32)] * (link.depth - 1))]
        left = left[link.holes :]
        path = tuple(indices.pop(0) if s is None else s for s in link.steps)
        assert link.type is not None, "nothing is read by a StoreRef"
        is_last = n == len(origin.links)
        new = out if is_last and out is not None else Var(origin.root.name, link.type)
        ops.append(_part(link.kind, root, path, new, link.depth, span))
        root = new
    return ops, root


def _part(
    kind: type[View | Window | LoadRef], root: Var, path: Path, out: Var, depth: int, span: Span
) -> Op:
    if kind is Window:
        return Window(root, path, out, depth, span=span)
    return (View if kind is View else LoadRef)(root, path, out, span=span)


class Origins:
    """The slots of a function, each with its origins.

    Left alone is memory whose pointers a call may see (all but the `blind` arguments), or that
    memory which is not local points to; so are slots that would outlive what they point to, or
    whose way leads over a pointer that is overwritten (`elsewhere`: the fields that the functions
    called may overwrite). `given` are slots in arguments, with origins that they have.
    """

    def __init__(
        self,
        f: Function,
        structs: Structs,
        elsewhere: frozenset[str],
        blind: Places,
        given: Given = _NOTHING,
    ) -> None:
        self.body = f.body
        self.blind = blind
        self.elsewhere = elsewhere
        self.given = given
        self.regions = dict(_places(f.body, ())) | {root: () for root, _ in given}
        self.local = {v for v in self.regions if _holds_pointers(v, structs)}
        self.slots = self._first()
        self.known: dict[Var, dict[Origin, None]] = {}
        while self.local:
            self._find()
            barred = self._barred()
            if not barred & self.local:
                break
            self.local -= barred
            self.slots = self._first()

    def _first(self) -> dict[Slot, dict[Origin, None]]:
        return {s: dict.fromkeys(os) for s, os in self.given.items() if s[0] in self.local}

    def slot(self, o: Origin) -> Slot | None:
        """The slot that a pointer is read from."""
        if o.root not in self.local or len(o.links) != 1:
            return None
        return o.root, o.links[0].steps

    def of(self, v: Var) -> Mapping[Origin, None]:
        """The origins of a root."""
        found = self.known.get(v)
        return {Origin(v): None} if found is None else found

    def _find(self) -> None:
        """Follows all pointers until nothing new is found."""
        ops = [op for op in walk(self.body) if isinstance(op, Part)]
        size = -1
        while size != (size := sum(map(len, self.slots.values()))):
            for op in ops:
                self._follow(op)

    def _follow(self, op: Part) -> None:
        for o in self.of(op.root):
            place, _ = extended(o, _blank(o), op, _first)
            slot = self.slot(place) if isinstance(op, LoadRef | StoreRef) else None
            if isinstance(op, StoreRef):
                if slot is not None:
                    self.slots.setdefault(slot, {}).update(self.of(op.value))
                continue
            found = {place: None} if slot is None else self.slots.get(slot, {})
            self.known.setdefault(op.out, {}).update(found)

    def _barred(self) -> set[Var]:
        """The local roots that must be left alone."""
        barred: set[Var] = set()
        overwritten = set(self.elsewhere)
        for op in walk(self.body):
            if isinstance(op, Call):
                seen = [x for i, x in enumerate(op.args) if (op.function, i) not in self.blind]
                barred |= self._roots(*(x for x in seen if isinstance(x, Var)))
            elif isinstance(op, StoreRef) and not self._is_slotted(op):
                barred |= self._roots(op.root, op.value)
                overwritten |= {s for s in op.path[-1:] if isinstance(s, str)}
        for (root, _), origins in self.slots.items():
            if any(o.crossed & overwritten or not self._outlives(o.root, root) for o in origins):
                barred.add(root)
        return barred

    def _roots(self, *vs: Var) -> set[Var]:
        return {o.root for v in vs if isinstance(v.type, Ref) for o in self.of(v)}

    def _is_slotted(self, op: StoreRef) -> bool:
        places = [extended(o, _blank(o), op, _first)[0] for o in self.of(op.root)]
        return bool(places) and all(self.slot(place) is not None for place in places)

    def _outlives(self, root: Var, slot: Var) -> bool:
        """Whether a root is there as long as a local one."""
        around, inside = self.regions.get(root, ()), self.regions[slot]
        return inside[: len(around)] == around


def index_type(f: Function) -> bool:
    """Whether some index of the function is a wide integer."""
    return any(
        isinstance(x, Var) and x.type is not I32 and not isinstance(x.type, Ref)
        for op in walk(f.body)
        if isinstance(op, View | Window | LoadRef | StoreRef)
        for x in operands(op)
    )


def _places(region: Region, around: tuple[int, ...]) -> list[tuple[Var, tuple[int, ...]]]:
    """Each local root, with the regions around it."""
    here = (*around, id(region))
    found: list[tuple[Var, tuple[int, ...]]] = []
    for op in region.ops:
        if isinstance(op, Alloc):
            found.append((op.out, here))
        for inner in regions(op):
            found += _places(inner, here)
    return found


def _holds_pointers(v: Var, structs: Structs) -> bool:
    content = v.content
    if isinstance(content, ArrayType) and content.size is None:
        return not _ref(v).growable and has_pointer(content.element, structs)
    return has_pointer(content, structs)


def _blank(o: Origin) -> tuple[Operand, ...]:
    return (Const(0, I32),) * o.holes


def _first(begin: Operand, first: Operand) -> Operand:
    return begin


def overwritten_fields(functions: Mapping[str, Function]) -> frozenset[str]:
    """The fields whose pointers some function overwrites in memory that is not its own."""
    return frozenset(field for f in functions.values() for field in _overwritten(f.body))


def _overwritten(body: Region) -> Iterator[str]:
    own: set[Var] = set()
    for op in walk(body):
        match op:
            case Alloc(out):
                own.add(out)
            case View(root, _, out) | Window(root, _, out) if root in own:
                own.add(out)
            case StoreRef(root, path) if root not in own:
                yield from [s for s in path if isinstance(s, str)][-1:]


def stores_pointers(f: Function) -> bool:
    """Whether a function assigns pointers at all."""
    return any(map(_is_store_ref, walk(f.body)))


def _is_store_ref(op: Op) -> bool:
    return isinstance(op, StoreRef)
