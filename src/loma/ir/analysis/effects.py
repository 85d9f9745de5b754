"""What operations read and write, regions and calls included.

A `Place` stands for the scalar or pointer there; a `Whole` for a root with everything inline in it;
SHARED for all shared memory (what a call may reach through pointers).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from loma.ir.analysis.alias import Aliases, Place
from loma.ir.nodes import (
    Accum,
    Call,
    Check,
    Load,
    LoadRef,
    Op,
    Pop,
    Print,
    Push,
    Region,
    Store,
    StoreRef,
    Var,
)
from loma.ir.traverse import regions
from loma.ir.types import Scalar, TapeType


@dataclass(frozen=True, slots=True)
class Whole:
    """A base root with all that lies inline in it."""

    root: Var


class Reach(Enum):
    """Memory that is not named."""

    SHARED = "all shared memory"


Memory: TypeAlias = Place | Whole | Reach


@dataclass(slots=True)
class Effects:
    """What an operation or a region may read and write (keys of dicts, in order)."""

    reads: dict[Memory, None] = field(default_factory=dict)
    writes: dict[Memory, None] = field(default_factory=dict)
    stops: bool = False
    """Whether it can leave through the error channel, or run forever in a call."""
    tapes: bool = False

    def add(self, other: Effects) -> None:
        """Joins another's effects."""
        self.reads |= other.reads
        self.writes |= other.writes
        self.stops |= other.stops
        self.tapes |= other.tapes


class EffectTable:
    """Effects of the operations of one function, each region computed once."""

    def __init__(self, aliases: Aliases) -> None:
        self.aliases = aliases
        self._regions: dict[Region, Effects] = {}

    def region(self, region: Region) -> Effects:
        """The joint effects of a region's operations."""
        known = self._regions.get(region)
        if known is None:
            known = Effects()
            for op in region.ops:
                self._collect(op, known)
            self._regions[region] = known
        return known

    def op(self, op: Op) -> Effects:
        """The effects of one operation."""
        effects = Effects()
        self._collect(op, effects)
        return effects

    def _collect(self, op: Op, into: Effects) -> None:
        match op:
            case Load(root, path) | LoadRef(root, path):
                into.reads[self.aliases.place(root, path)] = None
            case Store(root, path) | StoreRef(root, path):
                into.writes[self.aliases.place(root, path)] = None
            case Accum(root, path):
                place = self.aliases.place(root, path)
                into.reads[place] = into.writes[place] = None
            case Push() | Pop() | Print():
                into.tapes = into.stops = True
            case Check():
                into.stops = True
            case Call(_, args):
                self._call(args, into)
            case _:
                for inner in regions(op):
                    into.add(self.region(inner))

    def _call(self, args: tuple[object, ...], into: Effects) -> None:
        into.stops = True
        for a in args:
            if not isinstance(a, Var) or isinstance(a.type, Scalar):
                continue
            root = self.aliases.place(a, ()).root
            if isinstance(root.content, TapeType):
                into.tapes = True
                continue
            into.reads[Whole(root)] = into.writes[Whole(root)] = None
            if self.aliases.reaches_shared(root):
                into.reads[Reach.SHARED] = into.writes[Reach.SHARED] = None

    def conflict(self, a: Memory, b: Memory) -> bool:
        """Whether two pieces of memory can overlap."""
        match a, b:
            case Place(), Place():
                return self.aliases.may_alias(a, b)
            case ((Place() | Whole()), (Place() | Whole())):
                if a.root is b.root:
                    return True
                return not (self.aliases.private(a.root) or self.aliases.private(b.root))
            case ((Place() | Whole()), _):
                return not self.aliases.private(a.root)
            case _, (Place() | Whole()):
                return not self.aliases.private(b.root)
            case _:
                return True

    def writes_any(self, effects: Effects, place: Memory) -> bool:
        """Whether the effects may write the place."""
        return any(self.conflict(w, place) for w in effects.writes)

    def touches(self, effects: Effects, place: Memory) -> bool:
        """Whether the effects may read or write the place."""
        return self.writes_any(effects, place) or any(
            self.conflict(r, place) for r in effects.reads
        )
