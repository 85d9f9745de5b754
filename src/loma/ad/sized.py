"""Arguments whose sizes have names: a derivative copies them where loops write them, since a copy
costs less than scratch arrays that grow.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from loma.ad.once import Once
from loma.ad.saved import Saved
from loma.ir.builder import Builder, const
from loma.ir.nodes import Argument, Const, Function, Operand, Var
from loma.ir.prims import choice
from loma.ir.types import I32, ArrayType, Scalar, Structs, has_pointer


@dataclass(frozen=True, slots=True)
class Sized:
    """The sizes of a function's arguments."""

    sizes: Mapping[str, Var]
    structs: Structs

    @staticmethod
    def of(f: Function, structs: Structs) -> Sized:
        """Those of a function."""
        named = zip(f.signature.arguments, f.params, strict=False)
        sizes = {a.name: p for a, p in named if isinstance(p.type, Scalar) and p.type.is_int}
        return Sized(sizes, structs)

    def of_array(self, a: Argument) -> Set[Var]:
        """The variables that hold the sizes of an argument."""
        return {self.sizes[n] for n in a.shape or () if isinstance(n, str) and n in self.sizes}

    def pays(self, a: Argument, facts: Once) -> bool:
        """Whether an array is to be copied: as many loops as it has dimensions write it."""
        t = a.type
        if not a.shape or not isinstance(t, ArrayType) or has_pointer(t.element, self.structs):
            return False
        if not all(n in self.sizes for n in a.shape if isinstance(n, str)):
            return False
        loops = [len(w.loops) for w in (*facts.stores, *facts.accums)]
        return max(loops, default=0) >= len(a.shape)

    def length(self, b: Builder, a: Argument) -> Operand:
        """The number of elements of an array."""
        total: Operand = const(1, I32)
        for n in a.shape:
            size = Const(n, I32) if isinstance(n, int) else b.cast(self.sizes[n], I32)
            if isinstance(n, str):
                size = b.apply(choice.MAX, size, const(0, I32), name=n)
            total = b.mul(total, size)
        return total

    def copy(self, b: Builder, source: Var, into: Var, length: Operand) -> None:
        """Copies every scalar of an array into another one."""
        Saved(b, self.structs).fill(into, source, length)
