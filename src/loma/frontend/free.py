"""The names in a function that come from outside of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from loma.frontend import surface


def names_in(f: surface.Function | surface.Lambda) -> Iterator[str]:
    """The names in a function that it does not bind itself, each once."""
    yield from dict.fromkeys(_free(f))


def _free(part: object) -> Iterator[str]:  # noqa: C901 - one dispatch
    match part:
        case surface.Lambda(params, body):
            yield from _without(_free(body), params)
        case surface.Function(_, args, _, body):
            yield from _without(_free(body), {a.name for a in args} | set(_bound(body)))
        case surface.Comprehension(value, over) | surface.Reduce(_, over, value):
            yield from _free((over.sources, over.first))
            yield from _without(_free(value), _targets(over))
        case surface.Each(over, body):
            yield from _free((over.sources, over.first, body))
        case surface.Name(name):
            yield name
        case surface.Call(function, args, keywords):
            yield function
            yield from _free((args, keywords))
        case tuple():
            for x in part:
                yield from _free(x)
        case surface.Node():
            yield from _free(tuple(getattr(part, x.name) for x in fields(part)))
        case _:
            pass


def _without(names: Iterable[str], own: Iterable[str]) -> Iterator[str]:
    hidden = frozenset(own)
    return (n for n in names if n not in hidden)


def _bound(part: object) -> Iterator[str]:  # noqa: C901 - one dispatch
    """The variables that statements make."""
    match part:
        case tuple():
            for x in part:
                yield from _bound(x)
        case surface.Declare(name) | surface.Assign(surface.Name(name)):
            yield name
        case surface.Assign(surface.Tuple(elements)):
            yield from (x.name for x in elements if isinstance(x, surface.Name))
        case surface.For(name, body=body):
            yield name
            yield from _bound(body)
        case surface.Each(over, body):
            yield from _targets(over)
            yield from _bound(body)
        case surface.If(_, then, orelse):
            yield from _bound((then, orelse))
        case surface.While(body=body):
            yield from _bound(body)
        case surface.InnerFunction(f):
            yield f.name
        case _:
            pass


def _targets(over: surface.Over) -> Iterator[str]:
    """The variables that a loop makes."""
    todo: list[surface.Expr | None] = [over.counter, *over.targets]
    while todo:
        match todo.pop():
            case surface.Name(name):
                yield name
            case surface.Tuple(elements):
                todo += elements
            case _:
                pass
