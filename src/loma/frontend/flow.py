"""Where control goes: which blocks end, and which statements are never reached."""

from __future__ import annotations

from loma.frontend import surface
from loma.frontend.codes import flow as codes
from loma.frontend.errors import Finding


def falls_through(block: tuple[surface.Stmt, ...]) -> bool:
    """Whether control can reach the end of a block."""
    return not any(_leaves(s) for s in block)


def assigned(block: tuple[surface.Stmt, ...]) -> dict[str, None] | None:
    """The names that each way through a block assigns; None if no way reaches its end."""
    found: dict[str, None] = {}
    own: set[str] = set()
    for s in block:
        if _leaves(s):
            return None
        match s:
            case surface.Assign(target):
                found |= _names(target)
            case surface.Declare(name):
                own.add(name)
            case surface.If():
                found |= assigned_by(s)
            case _:
                pass
    return {name: None for name in found if name not in own}


def _names(target: surface.Expr) -> dict[str, None]:
    """The names among the targets of an assignment."""
    match target:
        case surface.Name(name):
            return {name: None}
        case surface.Tuple(elements):
            return {name: None for e in elements for name in _names(e)}
        case _:
            return {}


def assigned_by(s: surface.If) -> dict[str, None]:
    """The names that both branches assign, or the one that goes on."""
    then, orelse = assigned(s.then), assigned(s.orelse)
    if then is None or orelse is None:
        return then or orelse or {}
    return {name: None for name in then if name in orelse}


def _leaves(s: surface.Stmt) -> bool:
    match s:
        case surface.Return() | surface.Break() | surface.Continue() | surface.BadStmt():
            return True
        case surface.If(_, then, orelse):
            return not falls_through(then) and not falls_through(orelse)
        case surface.While(surface.Number(value), body) if value:
            return not _breaks(body)
        case surface.Assert(surface.Number(value)):
            return not value
        case _:
            return False


def _breaks(block: tuple[surface.Stmt, ...]) -> bool:
    """Whether a block leaves the loop around it by `break`."""
    for s in block:
        match s:
            case surface.Break():
                return True
            case surface.If(_, then, orelse) if _breaks(then) or _breaks(orelse):
                return True
    return False


def check_reachable(block: tuple[surface.Stmt, ...], findings: list[Finding]) -> None:
    """Reports what follows a return, break or continue in the same block."""
    for s, following in zip(block, (*block[1:], None), strict=False):
        match s, following:
            case surface.Return(), surface.Node():
                findings.append(codes.after_return(s, following.span))
                return
            case (surface.Break() | surface.Continue()), surface.Node():
                word = type(s).__name__.lower()
                findings.append(codes.after_jump(s, following.span, word))
                return
            case surface.If(_, then, orelse), _:
                check_reachable(then, findings)
                check_reachable(orelse, findings)
            case (surface.While(body=body) | surface.For(body=body) | surface.Each(body=body)), _:
                check_reachable(body, findings)
