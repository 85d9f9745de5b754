"""Code through which no derivative flows: what is read from marked memory, what a still copy
writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from loma.ir.analysis.roots import bases
from loma.ir.nodes import (
    Accum,
    Apply,
    Call,
    Function,
    Load,
    Op,
    Operand,
    Print,
    Region,
    Store,
    Var,
)
from loma.ir.prims.gradient import STOP_GRADIENT
from loma.ir.traverse import map_regions
from loma.ir.types import Ref

Variant = Callable[[str, frozenset[int]], str]


def marked(f: Function) -> frozenset[int]:
    """The positions of the memory that no derivative is taken by."""
    return frozenset(
        i
        for i, (a, p) in enumerate(zip(f.signature.arguments, f.params, strict=False))
        if a.nodiff and isinstance(p.type, Ref)
    )


def flagged(f: Function, positions: frozenset[int], name: str) -> Function:
    """The function under another name, with exactly that memory marked."""
    arguments = tuple(
        replace(a, nodiff=i in positions) if isinstance(p.type, Ref) else a
        for i, (a, p) in enumerate(zip(f.signature.arguments, f.params, strict=False))
    )
    signature = replace(f.signature, arguments=arguments)
    return replace(f, name=name, signature=signature, exported=False)


def cut(f: Function, positions: frozenset[int], variant: Variant) -> Function:
    """The function with no derivative through what it reads from some of its memory.

    `variant(g, positions)` names the same of a function that it passes such memory to.
    """
    fixed = {f.params[i] for i in positions}
    base = bases(f.body)

    def is_fixed(x: Operand) -> bool:
        return isinstance(x, Var) and base.get(x, x) in fixed

    def op(x: Op) -> list[Op]:
        match x:
            case Load(root, _, out) if out.scalar.is_float and is_fixed(root):
                value = Var(out.name, out.type)
                stop = Apply(STOP_GRADIENT, (value,), out, span=x.span)
                return [replace(x, out=value), stop]
            case Call(name, args):
                passed = frozenset(i for i, a in enumerate(args) if is_fixed(a))
                return [replace(x, function=variant(name, passed)) if passed else x]
            case _:
                return [map_regions(x, region)]

    def region(r: Region) -> Region:
        return Region(r.args, tuple(y for x in r.ops for y in op(x)), r.yields)

    return replace(f, body=region(f.body))


def still(f: Function, name: str, rename: Callable[[str], str]) -> Function:
    """A copy of the function whose results have no derivatives: all that it writes is constant."""

    def stopped(value: Operand, into: list[Op], like: Op | Function) -> Operand:
        if not isinstance(value, Var) or not value.scalar.is_float:
            return value
        out = Var(value.name, value.type)
        into.append(Apply(STOP_GRADIENT, (value,), out, span=like.span))
        return out

    def op(x: Op) -> list[Op]:
        match x:
            case Store(value=value) | Accum(value=value):
                made: list[Op] = []
                last = replace(x, value=stopped(value, made, x))
                return [*made, last]
            case Call(callee):
                return [replace(x, function=rename(callee))]
            case Print():
                return []
            case _:
                return [map_regions(x, region)]

    def region(r: Region) -> Region:
        return Region(r.args, tuple(y for x in r.ops for y in op(x)), r.yields)

    body = region(f.body)
    end: list[Op] = []
    yields = tuple(stopped(y, end, f) for y in body.yields)
    body = Region(body.args, (*body.ops, *end), yields)
    return replace(f, name=name, body=body, exported=False)
