"""Struct arguments with pointers are taken apart, in functions that stay calls: such a function
takes each array that the struct points to as an argument of its own, and of the struct the rest.

So a caller need not have the pointers in memory (`pointers.py`). Structs whose pointers are
assigned by a callee stay as they are, and those with arrays of pointers in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from loma.ir.analysis.roots import bases
from loma.ir.builder import place_type
from loma.ir.nodes import Argument, Call, Function, LoadRef, Op, Operand, StoreRef, Var, View
from loma.ir.traverse import walk
from loma.ir.types import ArrayType, Ref, Structs, StructType, Type, has_pointer
from loma.opt.rewrite import Rewriter

Fields: TypeAlias = tuple[str, ...]
Positions: TypeAlias = Mapping[str, Mapping[int, tuple[Fields, ...]]]
Functions: TypeAlias = Mapping[str, Function]
Variant: TypeAlias = Callable[[str], str]
Places: TypeAlias = frozenset[tuple[str, int]]


def positions(functions: Functions, structs: Structs) -> Positions:
    """The arguments that can be taken apart, by function, with the ways to their pointers."""
    found: dict[str, dict[int, tuple[Fields, ...]]] = {}
    for name, i in untouched(functions, structs, (StoreRef,)) - blind(functions, structs):
        fields = _pointers(functions[name].params[i].content, structs)
        if fields:
            found.setdefault(name, {})[i] = fields
    return {name: dict(sorted(each.items())) for name, each in found.items()}


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
        for i, p in enumerate(f.params[: len(f.signature.arguments)])
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


def opened(f: Function, where: Positions, variant: Variant, structs: Structs) -> Function:
    """The function with the structs that it passes on taken apart; `variant` names the callees."""
    if not any(isinstance(op, Call) and op.function in where for op in walk(f.body)):
        return f
    return _Apart(where, variant, structs).function(f)


def apart(
    f: Function,
    mine: Mapping[int, tuple[Fields, ...]],
    where: Positions,
    variant: Variant,
    structs: Structs,
) -> Function:
    """The function with its own arguments taken apart, too."""
    walker = _Apart(where, variant, structs)
    params: list[Var] = []
    arguments: list[Argument] = []
    for i, (p, a) in enumerate(zip(f.params, f.signature.arguments, strict=False)):
        parts = [_part(p, fields, structs) for fields in mine.get(i, ())]
        walker.own |= {(p, fields): v for fields, v in zip(mine.get(i, ()), parts, strict=True)}
        params += [p, *parts]
        arguments += [a, *(replace(a, name=v.name, type=v.content) for v in parts)]
    params += f.params[len(f.signature.arguments) :]
    signature = replace(f.signature, arguments=tuple(arguments))
    body = walker.function(f).body
    return replace(f, params=tuple(params), signature=signature, body=body)


def _part(p: Var, fields: Fields, structs: Structs) -> Var:
    return Var("_".join((p.name, *fields)), Ref(place_type(p.content, fields, structs)))


class _Apart(Rewriter):
    """`own` are the arrays that take the place of pointers in arguments."""

    def __init__(self, where: Positions, variant: Variant, structs: Structs) -> None:
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
        """A call, the arrays of structs passed on their own."""
        args: list[Operand] = []
        for i, x in enumerate(op.args):
            args.append(x)
            for fields in self.where[op.function].get(i, ()):
                assert isinstance(x, Var), "a struct lies in memory"
                part = _part(x, fields, self.structs)
                self.op(LoadRef(x, fields, part, span=op.span))
                args.append(self.value(part))
        self.emit(replace(op, function=self.variant(op.function), args=tuple(args)))
