"""Lowers parts of arrays: rows, slices, arrays in another shape, and checks of their sizes."""

from __future__ import annotations

from loma.frontend.lower import debug as lower_debug
from loma.frontend.lower.expr import Expressions
from loma.frontend.typed import Checked, View
from loma.ir.builder import const
from loma.ir.nodes import Const, Operand, Trap, Var
from loma.ir.types import I32, ArrayType, Type


class Views(Expressions):
    """Lowers parts of arrays to roots."""

    def checked(self, e: Checked) -> Operand:
        """A value, after the checks that come before it."""
        for cond, message in e.conditions:
            holds = self.value(cond)
            self.b.span = e.span
            self.check(holds, Trap.SIZE, message)
        return self.value(e.value)

    def view_root(self, e: View) -> Var:
        """A root for a part of an array: the array itself where it begins there."""
        base = e.base.type
        assert isinstance(base, ArrayType), "parts of arrays are arrays"
        root, path = self.place(e.base)
        if self.debug:
            lower_debug.dimensions(self, e)
        if base.size is None and path:
            root, path = self.b.load_ref(root, path), ()
        start, depth = self.value(e.start), levels(base.element, e.type.element)
        self.b.span = e.span
        if self.debug and self.length(root, path, base) is None:
            lower_debug.part(self, e, (root, path), start)
        fits = base.size is None or e.type.size in (None, base.size)
        if depth == 0 and fits and isinstance(start, Const) and start.value == 0:
            return self.b.view(root, path)
        zeros = (const(0, I32),) * depth
        return self.b.window(root, (*path, start, *zeros), e.type.size, depth + 1, root.name)


def levels(outer: Type, inner: Type) -> int:
    """How many levels of arrays of known length lie around `inner` in `outer`."""
    found = 0
    while outer != inner:
        assert isinstance(outer, ArrayType) and outer.size is not None, "elements of inner arrays"
        outer, found = outer.element, found + 1
    return found
