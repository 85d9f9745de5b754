"""Which loads may happen before the loop that they stand in: those from memory that the loop does
not write, at an address that is known to be good.

An address is good if its indices have been used with the same root on the way: then only members of
the element are new. One without indices always is.
"""

from __future__ import annotations

from typing import TypeAlias

from loma.ir.analysis.alias import Aliases, Key, Place
from loma.ir.analysis.effects import Effects, EffectTable
from loma.ir.nodes import Accum, For, Function, Load, Module, Op, Store, Var, While

Element: TypeAlias = tuple[Var, Key]


class Reached:
    """The elements that were read or written on every way to a point of a walk.

    `trail` lists them, so that regions can take theirs back.
    """

    def __init__(self, function: Function, module: Module) -> None:
        self.aliases = Aliases(function, module)
        self.effects = EffectTable(self.aliases)
        self.elements: set[Element] = set()
        self.trail: list[Element] = []

    def learn(self, op: Op) -> None:
        """Notes the element that an operation reads or writes."""
        match op:
            case Load(root, path) | Store(root, path) | Accum(root, path):
                element = element_of(self.aliases.place(root, path))
                if element not in self.elements:
                    self.elements.add(element)
                    self.trail.append(element)
            case _:
                pass

    def mark(self) -> int:
        """The state of the trail, for `back`."""
        return len(self.trail)

    def back(self, mark: int) -> None:
        """Forgets what was learnt since."""
        while len(self.trail) > mark:
            self.elements.discard(self.trail.pop())

    def written(self, loop: For | While) -> Effects:
        """What a loop may write, among other effects."""
        return self.effects.op(loop)

    def movable(self, load: Load, loop: Effects) -> bool:
        """Whether a load gives the same before a loop as in it, and may happen there."""
        place = self.aliases.place(load.root, load.path)
        element = element_of(place)
        good = not element[1] or element in self.elements
        return good and not self.effects.writes_any(loop, place)


def element_of(place: Place) -> Element:
    """A place without the members behind its last index."""
    end = len(place.key)
    while end and isinstance(place.key[end - 1], str):
        end -= 1
    return place.root, place.key[:end]
