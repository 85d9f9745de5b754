"""Which places of a function can be the same memory.

    private root     a local Alloc whose pointer goes nowhere, or a scalar or struct parameter:
                     only paths from the root itself reach it
    shared root      array parameters, what a LoadRef or a Window gives, escaped Allocs (those
                     with a Window too): two of them overlap where their leaf types agree

A scalar or struct parameter counts as private because the same element may not be passed twice; in
a function that is called from loma code, an argument can be an element of an array that is passed
too, so it is shared there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from loma.ir.builder import place_type
from loma.ir.nodes import (
    Alloc,
    Call,
    Const,
    Function,
    Module,
    Operand,
    Path,
    StoreRef,
    Var,
    View,
    Window,
)
from loma.ir.traverse import walk
from loma.ir.types import ArrayType, Scalar, Structs, StructType, Type, has_pointer

Step: TypeAlias = str | int | Var
Key: TypeAlias = tuple[Step, ...]
Shape: TypeAlias = tuple[str, ...]

INDEX: Final = "*"


@dataclass(frozen=True, slots=True)
class Place:
    """A place below a base root (never a View); `leaf` is the type of what is there."""

    root: Var
    key: Key
    leaf: Type

    @property
    def shape(self) -> Shape:
        """The fields of the key, with a star for each index."""
        return tuple(s if isinstance(s, str) else INDEX for s in self.key)

    @property
    def exact(self) -> bool:
        """Whether every index is a literal."""
        return not any(isinstance(s, Var) for s in self.key)


def overlap(a: Key, b: Key) -> bool:
    """Whether two paths from one root can lead to overlapping places."""
    return not any(
        x != y
        for x, y in zip(a, b, strict=False)
        if not isinstance(x, Var) and not isinstance(y, Var)
    )


def key_of(path: Path) -> Key:
    """A path with literals as numbers, so that equal keys are equal places."""
    return tuple(int(s.value) if isinstance(s, Const) else s for s in path)


class Aliases:
    """The roots of one function; answers stay right while passes substitute variables in it."""

    def __init__(self, function: Function, module: Module) -> None:
        self._structs = module.structs
        self._views: dict[Var, tuple[Var, Path]] = {}
        self._allocs: set[Var] = set()
        escaped: list[Var] = []
        windowed: list[Var] = []
        for op in walk(function.body):
            match op:
                case View(root, path, out):
                    self._views[out] = (root, path)
                case Alloc(out):
                    self._allocs.add(out)
                case Window(root):
                    windowed.append(root)
                case StoreRef(_, _, value):
                    escaped.append(value)
                case Call(_, args):
                    escaped.extend(a for a in args if isinstance(a, Var) and self._holds_array(a))
                case _:
                    pass
        open_to_all = {self.place(v, ()).root for v in windowed}
        self._shared = ({self.place(v, ()).root for v in escaped} | open_to_all) & self._allocs
        self._private = (self._allocs - self._shared) | _private_params(function, module)
        self._private -= open_to_all

    def _holds_array(self, v: Var) -> bool:
        return not isinstance(v.type, Scalar) and not isinstance(v.content, Scalar)

    def place(self, root: Var, path: Path) -> Place:
        """The place that a path from a root or a view leads to."""
        leaf = place_type(root.content, path, self._structs)
        while root in self._views:
            root, prefix = self._views[root]
            path = (*prefix, *path)
        return Place(root, key_of(path), leaf)

    def local(self, root: Var) -> bool:
        """Whether a base root is an Alloc of the function."""
        return root in self._allocs

    def private(self, root: Var) -> bool:
        """Whether only paths from this base root reach its memory."""
        return root in self._private

    def reaches_shared(self, root: Var) -> bool:
        """Whether someone who is given the root can reach shared memory through it."""
        return not self.private(root) or has_pointer(root.content, self._structs)

    def may_alias(self, a: Place, b: Place) -> bool:
        """Whether two places can overlap."""
        if a.root is b.root:
            return overlap(a.key, b.key)
        if self.private(a.root) or self.private(b.root):
            return False
        return a.leaf == b.leaf or not (_is_leaf(a.leaf) and _is_leaf(b.leaf))


def _is_leaf(t: Type) -> bool:
    return isinstance(t, Scalar) or (isinstance(t, ArrayType) and t.size is None)


def _private_params(function: Function, module: Module) -> set[Var]:
    alone = {
        p
        for p in function.params
        if not isinstance(p.type, Scalar) and isinstance(p.content, Scalar | StructType)
    }
    roots = [p for p in function.params if not isinstance(p.type, Scalar)]
    if function.distinct:
        return {p for p in roots if not holds_pointer(p, module.structs)}
    if alone and len(roots) > 1 and _is_called(function.name, module):
        return set()
    return alone


def holds_pointer(root: Var, structs: Structs) -> bool:
    """Whether a root leads to other memory: a pointer in a struct, a row of a nested array."""
    content = root.content
    return has_pointer(content.element if isinstance(content, ArrayType) else content, structs)


def _is_called(name: str, module: Module) -> bool:
    return any(
        isinstance(op, Call) and op.function == name
        for f in module.functions.values()
        for op in walk(f.body)
    )


def same(a: Operand, b: Operand) -> bool:
    """Whether two operands are one variable or one literal, sign of zero included."""
    if isinstance(a, Const) and isinstance(b, Const):
        return a.type is b.type and repr(a.value) == repr(b.value)
    return a is b
