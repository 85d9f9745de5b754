"""Places: which expressions are memory that can be written, and which places overlap."""

from __future__ import annotations

from loma.frontend import surface, typed


def is_place(e: surface.Expr) -> bool:
    """Whether the expression is a variable, or an element or member of one."""
    while isinstance(e, (surface.Index, surface.Member)):
        e = e.base
    return isinstance(e, surface.Name)


def is_memory(e: typed.Expr) -> bool:
    """Whether the expression is a variable, or an element or member of one, and no copy."""
    while isinstance(e, (typed.Index, typed.Member)):
        e = e.base
    return isinstance(e, typed.Name)


def overlap(a: typed.Expr, b: typed.Expr) -> bool:
    """Whether two places are certainly the same memory, or one is a part of the other."""
    one, two = _steps(a), _steps(b)
    return all(_same(x, y) for x, y in zip(one, two, strict=False))


def _steps(e: typed.Expr) -> list[object]:
    """The root symbol, then the members and indices on the way to a place."""
    match e:
        case typed.Name(symbol):
            return [symbol]
        case typed.Index(base, index):
            return [*_steps(base), index]
        case typed.Member(base, name):
            return [*_steps(base), name]
        case _:
            return [e]


def _same(a: object, b: object) -> bool:
    match a, b:
        case typed.Literal(value=x), typed.Literal(value=y):
            return x == y
        case typed.Name(symbol=x), typed.Name(symbol=y):
            return x is y
        case str(), str():
            return a == b
        case typed.Apply(), typed.Apply():
            return a.prim is b.prim and all(map(_same, a.args, b.args))
        case typed.Convert(), typed.Convert():
            return a.type is b.type and _same(a.value, b.value)
        case _:
            return a is b
