"""What is known to be in memory at one point of a walk: a stack of layers, one for each open
region.

A layer holds the values learnt in its region and what the region has overwritten of the layers
below it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from loma.ir.analysis.alias import Aliases, Key, Place, Shape, overlap
from loma.ir.analysis.effects import Memory, Reach, Whole
from loma.ir.nodes import Operand, Var
from loma.ir.types import Type

_MANY = 32


@dataclass(slots=True)
class _Layer:
    values: dict[Var, dict[tuple[Shape, bool], dict[Key, Operand]]] = field(default_factory=dict)
    """By root, then by shape and whether all indices are literals."""
    shared: dict[Type, dict[Var, None]] = field(default_factory=dict)
    """Shared roots that may have values here, by leaf type."""
    gone_places: set[tuple[Var, Key]] = field(default_factory=set)
    gone_shapes: set[tuple[Var, Shape]] = field(default_factory=set)
    gone_somewhere: set[tuple[Var, Shape]] = field(default_factory=set)
    gone_roots: set[Var] = field(default_factory=set)
    gone_leaves: dict[Type, Var | None] = field(default_factory=dict)
    """Leaf types overwritten through shared roots: the one root that did, None for several."""
    gone_shared: bool = False


class Known:
    """Values of places; `forget` must be told of every write."""

    def __init__(self, aliases: Aliases) -> None:
        self.aliases = aliases
        self.layers = [_Layer()]

    def enter(self) -> None:
        """Opens a region."""
        self.layers.append(_Layer())

    def leave(self) -> None:
        """Closes a region; its writes must be told to the one around it."""
        self.layers.pop()

    def find(self, place: Place) -> Operand | None:
        """The value at a place, if it is known."""
        shape = place.shape
        for layer in reversed(self.layers):
            value = layer.values.get(place.root, {}).get((shape, place.exact), {}).get(place.key)
            if value is not None:
                return value
            if self._hidden(layer, place, shape):
                return None
        return None

    def _hidden(self, layer: _Layer, place: Place, shape: Shape) -> bool:
        root = place.root
        if (
            root in layer.gone_roots
            or (root, shape) in layer.gone_shapes
            or (root, place.key) in layer.gone_places
        ):
            return True
        if not place.exact and (root, shape) in layer.gone_somewhere:
            return True
        if self.aliases.private(root):
            return False
        by = layer.gone_leaves.get(place.leaf, root)
        return layer.gone_shared or by is not root

    def learn(self, place: Place, value: Operand) -> None:
        """Notes the value at a place."""
        layer = self.layers[-1]
        layer.values.setdefault(place.root, {}).setdefault((place.shape, place.exact), {})[
            place.key
        ] = value
        if not self.aliases.private(place.root):
            layer.shared.setdefault(place.leaf, {})[place.root] = None

    def forget(self, memory: Memory) -> None:
        """Drops what a write may change."""
        layer = self.layers[-1]
        match memory:
            case Place():
                self._forget_place(layer, memory)
            case Whole(root):
                layer.values.pop(root, None)
                layer.gone_roots.add(root)
            case Reach.SHARED:
                for roots in layer.shared.values():
                    for root in roots:
                        layer.values.pop(root, None)
                layer.shared.clear()
                layer.gone_shared = True

    def _forget_place(self, layer: _Layer, place: Place) -> None:
        shape = place.shape
        tables = layer.values.get(place.root, {})
        _drop(tables.get((shape, False), {}), place)
        if place.exact:
            tables.get((shape, True), {}).pop(place.key, None)
            layer.gone_places.add((place.root, place.key))
            layer.gone_somewhere.add((place.root, shape))
        else:
            _drop(tables.get((shape, True), {}), place)
            layer.gone_shapes.add((place.root, shape))
        if self.aliases.private(place.root):
            return
        for root in layer.shared.pop(place.leaf, {}):
            if root is not place.root:
                layer.values.pop(root, None)
        layer.shared[place.leaf] = {place.root: None}
        if layer.gone_leaves.get(place.leaf, place.root) is place.root:
            layer.gone_leaves[place.leaf] = place.root
        else:
            layer.gone_leaves[place.leaf] = None


def _drop(table: dict[Key, Operand], place: Place) -> None:
    """Removes the entries that a write to the place may change (all of a large table)."""
    if len(table) >= _MANY:
        table.clear()
    for k in [k for k in table if overlap(k, place.key)]:
        del table[k]
