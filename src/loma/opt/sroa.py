"""Splits local structs and statically indexed local arrays into one root for each part that is used
on its own.

A part becomes a root where every use reaches it by fields and literal indices. An array with a
computed index, and a part that is passed to a call, become roots as a whole; pointer members stay
in the original root.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from loma.ir.builder import place_type
from loma.ir.nodes import (
    Accum,
    Alloc,
    Const,
    Function,
    Load,
    LoadRef,
    Module,
    Op,
    Path,
    Store,
    StoreRef,
    Var,
    View,
)
from loma.ir.traverse import operands, walk
from loma.ir.types import ArrayType, Ref, Scalar, Structs, StructType, Type
from loma.opt import views
from loma.opt.rewrite import Rewriter

MOST: Final = 64
"""The longest array that is split into elements."""


def run(function: Function, module: Module) -> Function:
    """The function with every separable part of a local root a root of its own."""
    function = views.run(function, module)
    tries = _uses(function)
    parts = {root: _parts(root, trie, module.structs) for root, trie in tries.items()}
    parts = {root: found for root, found in parts.items() if found}
    return _Split(parts).function(function) if parts else function


@dataclass(slots=True)
class _Trie:
    """The paths by which a root is used: `here` when one ends or becomes dynamic at this place."""

    here: bool = False
    below: dict[str | int, _Trie] = field(default_factory=dict)

    def add(self, path: Path, leaf: bool) -> None:
        """Adds a path; `leaf` when it leads to a scalar or a pointer."""
        at = self
        for step in path:
            if isinstance(step, Var):
                at.here = True
                return
            at = at.below.setdefault(int(step.value) if isinstance(step, Const) else step, _Trie())
        at.here = at.here or not leaf


def _uses(function: Function) -> dict[Var, _Trie]:
    """Every local aggregate root with the paths that lead into it."""
    tries: dict[Var, _Trie] = {}
    for op in walk(function.body):
        match op:
            case Alloc(out, None) if isinstance(out.content, StructType) or _sized(out.content):
                tries[out] = _Trie()
            case Load(root, path) | LoadRef(root, path) | Store(root, path) | Accum(root, path):
                _add(tries, root, path, True)
            case StoreRef(root, path, value):
                _add(tries, root, path, True)
                _add(tries, value, (), False)
            case View(root, path):
                _add(tries, root, path, False)
            case _:
                for x in operands(op):
                    if isinstance(x, Var):
                        _add(tries, x, (), False)
    return tries


def _sized(t: Type) -> bool:
    return isinstance(t, ArrayType) and t.size is not None


def _add(tries: dict[Var, _Trie], root: Var, path: Path, leaf: bool) -> None:
    if root in tries:
        tries[root].add(path, leaf)


def _parts(root: Var, trie: _Trie, structs: Structs) -> dict[tuple[str | int, ...], Var]:
    """The new root of each part, by its path; empty when the root cannot be split."""
    found: dict[tuple[str | int, ...], Var] = {}
    todo: list[tuple[tuple[str | int, ...], _Trie, Type]] = [((), trie, root.content)]
    while todo:
        path, at, content = todo.pop()
        if not at.here and _divisible(content, at):
            for step, inner in at.below.items():
                todo.append(((*path, step), inner, _step(content, step, structs)))
        elif path and not (isinstance(content, ArrayType) and content.size is None):
            name = "_".join((root.name, *map(str, path)))
            found[path] = Var(name, Ref(content))
    return dict(reversed(found.items()))


def _divisible(content: Type, at: _Trie) -> bool:
    match content:
        case StructType():
            return True
        case ArrayType(_, int(size)):
            return size <= MOST and all(isinstance(k, int) and 0 <= k < size for k in at.below)
        case _:
            return False


def _step(content: Type, step: str | int, structs: Structs) -> Type:
    return place_type(
        content, (step if isinstance(step, str) else Const(step, Scalar.I32),), structs
    )


class _Split(Rewriter):
    """Redirects each path to the part that it leads into."""

    def __init__(self, parts: dict[Var, dict[tuple[str | int, ...], Var]]) -> None:
        super().__init__()
        self.parts = parts

    def op(self, op: Op) -> None:
        match op:
            case Alloc(out) if out in self.parts:
                self.emit(op)
                for part in self.parts[out].values():
                    self.emit(Alloc(part, span=op.span))
            case Load() | LoadRef() | Store() | Accum() | StoreRef() | View() if (
                op.root in self.parts
            ):
                self.redirect(op)
            case _:
                self.emit(self.nested(op))

    def redirect(self, op: Load | LoadRef | Store | Accum | StoreRef | View) -> None:
        parts = self.parts[op.root]
        steps: list[str | int] = []
        for n, step in enumerate(op.path):
            if isinstance(step, Var):
                break
            steps.append(int(step.value) if isinstance(step, Const) else step)
            part = parts.get(tuple(steps))
            if part is not None:
                rest = op.path[n + 1 :]
                if isinstance(op, View) and not rest:
                    self.subst[op.out] = part
                else:
                    self.emit(replace(op, root=part, path=rest))
                return
        self.emit(op)
