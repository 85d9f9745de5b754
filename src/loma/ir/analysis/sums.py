"""Which additions belong to sums that a loop carries: only these may be reassociated by default.

A carried value is a sum when everything that happens to it in one iteration is additions and
subtractions of other values, perhaps in branches, and nothing else looks at it. So `s = s + x` may
be split over vector lanes, while the additions of a compensated summation, of `(a - b) + b`, or
of a running total that is stored stay as they are written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from loma.ir.nodes import Apply, For, If, Op, Region, Var, While
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import operands, regions, walk


@dataclass(frozen=True, slots=True, eq=False)
class Yield:
    """A use of a variable as the `slot`-th yield of a region of an operation."""

    owner: Op | None
    region: Region
    slot: int


Use: TypeAlias = Op | Yield
Users: TypeAlias = dict[Var, list[Use]]
Joins: TypeAlias = dict[tuple[If | Apply, int], int]


def carried(loop: For, users: Users) -> list[int]:
    """The positions of the values that a loop carries as sums."""
    args = loop.body.args[1:]
    return [
        k for k, arg in enumerate(args)
        if arg.scalar.is_float and _links(arg, loop.body, users)
    ]


def reassociable(body: Region) -> frozenset[Op]:
    """The additions and subtractions of a function's body that form sums over loops."""
    users = users_of(body)
    found: set[Op] = set()
    for op in walk(body):
        match op:
            case For(body=region):
                args = region.args[1:]
            case While(body=region):
                pairs = zip(region.args, op.cond.args, strict=True)
                args = tuple(arg for arg, seen in pairs if seen not in users)
            case _:
                continue
        for arg in args:
            if arg.scalar.is_float:
                found.update(_links(arg, region, users))
    return frozenset(found)


def users_of(body: Region) -> Users:
    """Where each variable of a function's body is used."""
    users: Users = {}

    def note(region: Region, owner: Op | None) -> None:
        for slot, y in enumerate(region.yields):
            if isinstance(y, Var):
                users.setdefault(y, []).append(Yield(owner, region, slot))

    note(body, None)
    for op in walk(body):
        for x in operands(op):
            if isinstance(x, Var):
                users.setdefault(x, []).append(op)
        for region in regions(op):
            note(region, op)
    return users


def _links(arg: Var, loop: Region, users: Users) -> Iterable[Op]:
    """The links of the chain from a carried value to its next; none if it is more than a sum."""
    slot = loop.args.index(arg) - (len(loop.args) - len(loop.yields))
    links: list[Op] = []
    chain = {arg}
    joins: Joins = {}
    todo = [arg]
    while todo:
        for use in users.get(todo.pop(), ()):
            following = _follow(use, chain, joins, loop, slot)
            if following is None:
                return ()
            if isinstance(use, Apply) and use.prim is not A.SELECT:
                links.append(use)
            chain.update(following)
            todo.extend(following)
    return links if all(count == 2 for count in joins.values()) else ()


def _follow(
    use: Use, chain: set[Var], joins: Joins, loop: Region, slot: int,
) -> tuple[Var, ...] | None:
    """What carries the sum on after a use; None when the use is not a step of a sum."""
    match use:
        case Apply(A.ADD, (x, y)) if not (x in chain and y in chain):
            return (use.out,)
        case Apply(A.SUB, (x, y)) if y not in chain:
            return (use.out,)
        case Apply(A.SELECT):
            joins[use, 0] = joins.get((use, 0), 0) + 1
            return (use.out,) if joins[use, 0] == 2 else ()
        case Yield(owner=If() as branch, slot=k):
            joins[branch, k] = joins.get((branch, k), 0) + 1
            return (branch.outs[k],) if joins[branch, k] == 2 else ()
        case Yield(region=region, slot=k) if region is loop and k == slot:
            return ()
        case _:
            return None
