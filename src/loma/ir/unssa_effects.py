"""What statements read and write, as far as printers must keep their order."""

from __future__ import annotations

from loma.ir.analysis.alias import Aliases, Place
from loma.ir.analysis.effects import EffectTable, Memory, Whole
from loma.ir.nodes import Function


class NamedEffects(EffectTable):
    """Knows also that a local, reached by its own name, is not what an argument names."""

    def __init__(self, aliases: Aliases, f: Function) -> None:
        super().__init__(aliases)
        self._named = set(f.params)

    def conflict(self, a: Memory, b: Memory) -> bool:
        """Whether two pieces of memory can overlap."""
        if isinstance(a, Place | Whole) and isinstance(b, Place | Whole) and a.root is not b.root:
            locals_ = self.aliases.local(a.root), self.aliases.local(b.root)
            named = locals_[0] or a.root in self._named, locals_[1] or b.root in self._named
            if any(locals_) and all(named):
                return False
        return super().conflict(a, b)
