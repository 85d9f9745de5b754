"""Struct arguments with pointers are taken apart, in functions that stay calls: such a function
takes each array that the struct points to as an argument of its own, and of the struct the rest.

So a caller need not have the pointers in memory (`pointers.py`). A function that assigns pointers
in an argument, or in its result, tells by integers which they are: one of the *origins* that it may
leave there, seen from its own arguments, and the indices on the way. The caller assigns them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from loma.diagnostics import Span
from loma.ir.analysis.roots import bases
from loma.ir.builder import NOTHING, place_type
from loma.ir.nodes import (
    Alloc,
    Apply,
    Argument,
    Call,
    Const,
    Direction,
    Function,
    If,
    Load,
    LoadRef,
    Op,
    Operand,
    Region,
    StoreRef,
    Var,
    View,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import walk
from loma.ir.types import BOOL, I64, ArrayType, Ref, Structs, StructType, Type, has_pointer
from loma.opt.origins import Origin, Origins, Places, followed, overwritten_fields
from loma.opt.pointers import Cells, Held
from loma.opt.rewrite import Rewriter

Fields: TypeAlias = tuple[str, ...]
Place: TypeAlias = tuple[int, Fields]
Functions: TypeAlias = Mapping[str, Function]
Variant: TypeAlias = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Taken:
    """What becomes of a function: `parts` are its arguments for the pointers in structs, `left` the
    origins of those that it assigns, which begin with the part itself.
    """

    params: tuple[Var, ...]
    count: int
    parts: Mapping[Place, Var]
    left: Mapping[Place, tuple[Origin, ...]]

    def below(self, i: int) -> list[Place]:
        """The pointers in one parameter."""
        return [place for place in self.parts if place[0] == i]

    def order(self) -> Iterator[int | Place]:
        """The parameters before the integers, by number, each struct before its parts; the parts
        of a result come last.
        """
        for i in range(self.count):
            yield i
            yield from self.below(i)
        for i in range(self.count, len(self.params)):
            yield from self.below(i)

    def roots(self) -> list[Var]:
        """The parameters in this order."""
        return [self.params[k] if isinstance(k, int) else self.parts[k] for k in self.order()]

    def structs(self) -> set[int]:
        """Where the structs are among the parameters of the variant."""
        order = [*self.order(), *(None for k in self.left for _ in range(1 + self.width(k)))]
        order += range(self.count, len(self.params))
        return {at for at, k in enumerate(order) if isinstance(k, int) and self.below(k)}

    def width(self, place: Place) -> int:
        """How many indices tell a pointer."""
        return max(o.holes for o in self.left[place])

    def cells(self, place: Place) -> list[Var]:
        """Memory for what tells a pointer."""
        name = self.parts[place].name
        at = [Var(f"{name}_at", Ref(I64)) for _ in range(self.width(place))]
        return [Var(f"{name}_of", Ref(I64)), *at]


Where: TypeAlias = Mapping[str, Taken]


def taken(functions: Functions, structs: Structs) -> dict[str, Taken]:
    """The functions of which arguments are taken apart, before it is known what they leave there.
    """
    whole = blind(functions, structs)
    kept = untouched(functions, structs, (StoreRef,))
    found: dict[str, Taken] = {}
    for name, f in functions.items():
        parts = {
            (i, fields): _part(p, fields, structs)
            for i, p in enumerate(f.params)
            if isinstance(p.type, Ref) and _takes(p.content, structs) and (name, i) not in whole
            for fields in _pointers(p.content, structs)
        }
        left = {k: (Origin(v),) for k, v in parts.items() if (name, k[0]) not in kept}
        if parts:
            found[name] = Taken(f.params, len(f.signature.arguments), parts, left)
    return found


def settled(functions: Functions, first: Where, structs: Structs) -> dict[str, Taken]:
    """The same with the origins of the pointers that functions assign; without functions for which
    these cannot be told.
    """
    where = dict(first)
    changed = True
    while changed:
        changed = False
        for name, t in list(where.items()):
            new = _left(functions[name], t, where, functions, structs) if t.left else t.left
            if new is None:
                del where[name]
            elif new != t.left:
                where[name] = replace(t, left=new)
            changed = changed or new is None or new != t.left
    return where


def _left(
    f: Function, t: Taken, where: Where, functions: Functions, structs: Structs
) -> dict[Place, tuple[Origin, ...]] | None:
    """What a function leaves in the pointers that it assigns; None if that is not known."""
    new, held = apart(f, t, where, lambda name: name, structs)
    others = {name: g for name, g in functions.items() if name not in where}
    seen = frozenset((name, i) for name, u in where.items() for i in u.structs())
    given = {slot: cells.origins for slot, cells in held.items()}
    found = Origins(new, structs, overwritten_fields(others), seen | blind(others, structs), given)
    if not found.local >= {root for root, _ in given}:
        return None
    return {k: tuple(found.slots[t.params[k[0]], k[1]]) for k in t.left}


def blind(functions: Functions, structs: Structs) -> Places:
    """The arguments that are structs whose pointers no function uses."""
    return untouched(functions, structs, (LoadRef, StoreRef))


def untouched(
    functions: Functions, structs: Structs, kinds: tuple[type[LoadRef | StoreRef], ...]
) -> Places:
    """The arguments that are structs with pointers which no operation of some kinds meets, in the
    functions that they are passed on to neither.
    """
    found = {
        (name, i)
        for name, f in functions.items()
        for i, p in enumerate(f.params)
        if isinstance(p.type, Ref) and _takes(p.content, structs)
    }
    size = -1
    while size != (size := len(found)):
        for name, f in functions.items():
            met = _met(f, kinds, found)
            found -= {(name, i) for i, p in enumerate(f.params) if p in met}
    return frozenset(found)


def _takes(content: Type, structs: Structs) -> bool:
    return isinstance(content, StructType) and has_pointer(content, structs)


def _met(
    f: Function, kinds: tuple[type[LoadRef | StoreRef], ...], fine: set[tuple[str, int]]
) -> set[Var]:
    """The parameters whose pointers operations of a function meet."""
    base = bases(f.body)
    found: set[Var] = set()
    for op in walk(f.body):
        if isinstance(op, kinds):
            found.add(base.get(op.root, op.root))
        elif isinstance(op, Call):
            passed = [x for i, x in enumerate(op.args) if (op.function, i) not in fine]
            found |= {base.get(x, x) for x in passed if isinstance(x, Var)}
    return found


def _pointers(content: Type, structs: Structs) -> tuple[Fields, ...]:
    """The ways to the pointers in a struct; none if one lies in an array."""
    match content:
        case StructType(name):
            found: list[Fields] = []
            for member, t in structs[name].members:
                below = _pointers(t, structs)
                if not below and has_pointer(t, structs):
                    return ()
                found += [(member, *fields) for fields in below]
            return tuple(found)
        case ArrayType(_, None):
            return ((),)
        case _:
            return ()


def opened(f: Function, where: Where, variant: Variant, structs: Structs) -> Function:
    """The function with the structs that it passes on taken apart; `variant` names the callees."""
    if not any(isinstance(op, Call) and op.function in where for op in walk(f.body)):
        return f
    return _Apart(where, variant, structs).function(f)


def apart(
    f: Function, mine: Taken, where: Where, variant: Variant, structs: Structs
) -> tuple[Function, Held]:
    """The function with its own arguments taken apart, too; the integers for the pointers in them
    that it assigns.
    """
    walker = _Apart(where, variant, structs)
    walker.own = {
        (mine.params[i], fields): v
        for (i, fields), v in mine.parts.items()
        if (i, fields) not in mine.left
    }
    arguments = [
        f.signature.arguments[k] if isinstance(k, int) else _argument(f, k[0], mine.parts[k])
        for k in mine.order()
    ]
    held: dict[tuple[Var, tuple[str | None, ...]], Cells] = {}
    params = mine.roots()
    for k, origins in mine.left.items():
        which, *at = cells = mine.cells(k)
        held[mine.params[k[0]], k[1]] = Cells(origins, which, tuple(at))
        params += cells
        arguments += [Argument(v.name, I64, Direction.INOUT) for v in cells]
    params += mine.params[mine.count :]
    signature = replace(f.signature, arguments=tuple(arguments))
    body = walker.function(f).body
    return replace(f, params=tuple(params), signature=signature, body=body), held


def _argument(f: Function, i: int, part: Var) -> Argument:
    """An argument for a part of a struct, or of the result."""
    arguments = f.signature.arguments
    if i < len(arguments):
        return replace(arguments[i], name=part.name, type=part.content)
    return Argument(part.name, part.content, Direction.INOUT)


def _part(p: Var, fields: Fields, structs: Structs) -> Var:
    return Var("_".join((p.name, *fields)), Ref(place_type(p.content, fields, structs)))


class _Apart(Rewriter):
    """`own` are the arrays that take the place of pointers in arguments."""

    def __init__(self, where: Where, variant: Variant, structs: Structs) -> None:
        super().__init__()
        self.structs = structs
        self.where = where
        self.variant = variant
        self.own: dict[tuple[Var, Fields], Var] = {}
        self.views: dict[Var, tuple[Var, Fields]] = {}

    def op(self, op: Op) -> None:
        match op:
            case View(root, path, out):
                base, begin = self.views.get(root, (root, ()))
                self.views[out] = base, (*begin, *(s for s in path if isinstance(s, str)))
                self.emit(op)
            case LoadRef(root, path, out):
                base, begin = self.views.get(root, (root, ()))
                part = self.own.get((base, (*begin, *(s for s in path if isinstance(s, str)))))
                if part is None:
                    self.emit(op)
                else:
                    self.subst[out] = part
            case Call() if op.function in self.where:
                self.call(op)
            case _:
                super().op(op)

    def call(self, op: Call) -> None:
        """A call, the arrays of structs passed on their own; what it assigns is assigned here."""
        callee = self.where[op.function]
        args = [op.args[k] if isinstance(k, int) else self.pointer(op, k) for k in callee.order()]
        known = dict(zip(callee.roots(), args, strict=True))
        cells = {k: callee.cells(k) for k in callee.left}
        for roots in cells.values():
            for root in roots:
                self.emit(Alloc(root, span=op.span))
                args.append(root)
        args += op.args[callee.count :]
        self.emit(replace(op, function=self.variant(op.function), args=tuple(args)))
        for k, roots in cells.items():
            self.assign(op, k, callee.left[k], roots, known)

    def pointer(self, op: Call, place: Place) -> Operand:
        """The array that a struct which is passed on points to."""
        i, fields = place
        x = op.args[i]
        assert isinstance(x, Var), "a struct lies in memory"
        part = _part(x, fields, self.structs)
        self.op(LoadRef(x, fields, part, span=op.span))
        return self.value(part)

    def assign(
        self,
        op: Call,
        place: Place,
        origins: Sequence[Origin],
        cells: Sequence[Var],
        known: Mapping[Var, Operand],
    ) -> None:
        """Assigns the pointer that a call left, unless that is the one that was there."""
        i, fields = place
        to = op.args[i]
        assert isinstance(to, Var), "a struct lies in memory"
        which, *at = (self.loaded(cell, op.span) for cell in cells)
        for k, origin in enumerate(origins[1:], 1):
            outer, self.ops = self.ops, []
            root = known[origin.root]
            assert isinstance(root, Var), "an array lies in memory"
            ops, array = followed(origin, root, tuple(at), op.span)
            for x in ops:
                self.op(self.read(x))
            value = self.value(array)
            assert isinstance(value, Var), "an array lies in memory"
            self.emit(StoreRef(to, fields, value, span=op.span))
            arm, self.ops = Region((), tuple(self.ops), ()), outer
            test = Var("is_this", BOOL)
            self.emit(Apply(A.EQ, (which, Const(k, I64)), test, span=op.span))
            self.emit(If(test, arm, NOTHING, (), span=op.span))

    def loaded(self, cell: Var, span: Span) -> Var:
        """An integer that a call left."""
        out = Var(cell.name, I64)
        self.emit(Load(cell, (), out, span=span))
        return out
