"""Derivatives of arrays without Python in between: compiled calls for what comes often.

A route is a compiled call of a function or of one of its derivatives on buffers (`Op`), with the
arguments of the transform: those of the function, then tangents, or adjoints of outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

from loma.backends.llvm.array_call import NAME, compile_array_call
from loma.backends.llvm.array_shape import (
    ArrayCall,
    Item,
    Leaf,
    Made,
    Record,
    Result,
    Whole,
)
from loma.host.call import Instance, result_name
from loma.host.definitions import LOCK
from loma.host.entries import entry
from loma.host.fast import MISS, TRAPPED, base, made, table_of
from loma.host.function import WARM, Function
from loma.host.interop.buffers import LEAD, owner
from loma.host.interop.op import OTHER, PRIMAL, Op, Source, op_of
from loma.host.refusals import ArgumentError
from loma.host.values import Value
from loma.ir.nodes import Direction
from loma.ir.types import ArrayType, Scalar, StructType, Type

Key: TypeAlias = tuple[object, ...]
Places: TypeAlias = Mapping[Source, int]
"""Where a derivative takes the buffers of the function and their tangents or adjoints."""
Planned: TypeAlias = tuple[Op, ArrayCall, Callable[[Value], Value]]


class Unfit(Exception):
    """The function has arguments or results that a route does not take."""


@dataclass(frozen=True, slots=True)
class Route:
    """A compiled call, whose errors it can tell, and what makes the user's value of its result."""

    call: Callable[..., Any]
    instance: Instance
    finish: Callable[[Value], Value]


def quickly(
    f: Function, key: Key, threads: int | None, args: tuple[Value, ...],
    kwargs: Mapping[str, Value],
) -> Value:
    """What a route gives; MISS where there is none for these arguments."""
    ready = f.ready
    routes = ready.routes.get(key)
    if not routes or not ready.holds():
        return MISS
    if kwargs:
        ordered = ready.ordered(args, kwargs)
        if ordered is None or len(ordered) != len(ready.inputs):
            return MISS
        args = ordered
    if threads is not None:
        args = (threads, *args)
    for route in routes:
        out = route.call(*args)
        if out is MISS:
            continue
        if out is TRAPPED:
            route.instance.raise_error()
        return route.finish(out)
    return MISS


def prepare(
    f: Function, key: Key, float_type: Scalar, lead: bool,
    make: Callable[[Plan], Planned], otherwise: Callable[[], Route | None] = lambda: None,
) -> None:
    """Counts a call, and compiles a route for calls that come often, if there can be one.

    `otherwise` is asked for a route where the arguments are no plain buffers.
    """
    ready, kind = f.ready, (*key, float_type)
    ready.counts[kind] = ready.counts.get(kind, 0) + 1
    if ready.counts[kind] != WARM or not f.quickens(f.instance(float_type)):
        return
    with LOCK:
        try:
            plan = Plan(f, float_type, lead)
            op, shape, finish = make(plan)
            route = Route(_compiled(op, shape, plan.objects), op.instance, finish)
        except (Unfit, ArgumentError):
            other = otherwise()
            if other is None:
                return
            route = other
        ready.watch(f)
        ready.routes[key] = (*ready.routes.get(key, ()), route)


def _compiled(op: Op, shape: ArrayCall, objects: Sequence[object]) -> Callable[..., Any]:
    address, keep = entry("array", shape, compile_array_call, NAME)
    code = op.instance.code
    table = table_of(code.loaded.address(code.name), *map(id, objects))
    fast = made(op.instance, address, table, (keep, tuple(objects)))
    op.instance.keep.append(fast)
    return fast.call


def plain_call(f: Function, instance: Instance, lead: bool) -> Callable[..., Any] | None:
    """The compiled call of a function that writes nothing of the caller's, with structs perhaps."""
    written = instance.description.signature.written
    if any(a.direction is Direction.INOUT for a in written):
        return None
    with suppress(Unfit, ArgumentError):
        plan = Plan(f, instance.description.float_type, lead)
        places = {(PRIMAL, k): k for k in range(len(plan.op.inputs))}
        shape = ArrayCall(plan.op.call, plan.primals(places, plan.op), (),
                          plan.results(count()), plan.op.call.threads if lead else None)
        return _compiled(plan.op, shape, plan.objects)
    return None


class Plan:
    """The arguments and the outputs of a function as trees; `objects` are what the code needs."""

    def __init__(self, f: Function, float_type: Scalar, lead: bool) -> None:
        self.op = op_of(f, float_type, LEAD if lead else None, {})
        self.instance = self.op.instance
        self.convert = self.instance.convert
        self.objects: list[object] = []
        written = self.instance.description.signature.written
        self.inputs = [a for a in written if a.direction is not Direction.OUT]
        s = self.instance.description.signature
        self.outputs: dict[str, Type] = {} if s.result is None else {result_name(s): s.result}
        self.outputs |= {a.name: a.type for a in written if a.direction is not Direction.IN}
        self.lead = lead

    # Arguments.

    def primals(self, places: Places, op: Op) -> tuple[Item, ...]:
        """The arguments of the function, where `op` takes them."""
        each = self.instance.description.facts.each

        def leaf(k: int) -> Item:
            at = places.get((PRIMAL, k))
            own = self.lead and self.op.inputs[k].path in each
            return None if at is None else Leaf(at, op.tells.get(at), each=own)

        return self._inputs(leaf)

    def tangents(self, places: Places) -> tuple[Item, ...]:
        """The tangents of the arguments; one that is None is zero."""
        return self._inputs(lambda k: _leaf(places.get((OTHER, k)), absent=True))

    def _inputs(self, leaf: Callable[[int], Item]) -> tuple[Item, ...]:
        rest = map(leaf, range(len(self.op.inputs)))
        return tuple([self._item(a.type, rest) for a in self.inputs])

    def adjoints(self, places: Places) -> tuple[Item, ...]:
        """The adjoints of the outputs that have some."""
        rest = (_leaf(places.get((OTHER, k))) for k in range(len(self.op.outputs)))
        found = [self._item(t, rest) for t in self.outputs.values()]
        return tuple([x for x, real in zip(found, self._real()) if real])

    def _item(self, t: Type, rest: Iterator[Item]) -> Item:
        match t:
            case StructType(name):
                kind, names = self._class(name), self._names(name)
                members = tuple([self._item(mt, rest) for _, mt in self._of(name)])
                return Record(kind, names, members)
            case _:
                _check(t)
                return next(rest)

    def _of(self, name: str) -> tuple[tuple[str, Type], ...]:
        return tuple(self.convert.structs[name].members)

    def _class(self, name: str) -> int:
        """The class of a struct, among the objects."""
        cls = self.convert.classes.get(name, self.convert.maker(name))
        if not isinstance(cls, type) or issubclass(cls, Mapping | list) or (
                issubclass(cls, tuple) and not hasattr(cls, "_fields")):
            raise Unfit
        return self._object(cls)

    def _names(self, name: str) -> int:
        first = len(self.objects)
        self.objects += [m for m, _ in self._of(name)]
        return first

    def _object(self, x: object) -> int:
        self.objects.append(x)
        return len(self.objects) - 1

    # Results.

    def _real(self) -> list[bool]:
        """Which outputs have derivatives."""
        flags = iter(self.op.float_outputs)
        return [any([next(flags) for _ in range(self._leaves(t))]) for t in self.outputs.values()]

    def _leaves(self, t: Type) -> int:
        """How many buffers a value has."""
        match t:
            case StructType(name):
                return sum(self._leaves(mt) for _, mt in self._of(name))
            case ArrayType():
                return self._leaves(base(t))
            case _:
                return 1

    def results(self, places: Iterable[int | None]) -> tuple[Result, ...]:
        """The outputs, whose buffers are at places among those that there are."""
        rest = iter(places)
        return tuple([self._result(t, rest) for t in self.outputs.values()])

    def _result(self, t: Type, places: Iterator[int | None]) -> Result:
        match t:
            case StructType(name):
                members = tuple([self._result(mt, places) for _, mt in self._of(name)])
                maker = self._object(self.convert.maker(name))
                return Made(maker, self._object(tuple([m for m, _ in self._of(name)])), members)
            case _:
                _check(t)
                place = next(places)
                if place is None:
                    raise Unfit
                return Whole(place)

    def gradients(
        self, names: Sequence[str], at: Callable[[int], int | None] = lambda k: k
    ) -> tuple[Result, ...]:
        """The adjoints of some of the inputs; `at` is where the outputs of the reverse derivative
        are.
        """
        fixed = {a.name for a in self.inputs if a.nodiff}
        places: dict[str, list[int | None]] = {}
        count = 0
        for name in (owner(b.path) for b in self.op.inputs):
            places.setdefault(name, []).append(None if name in fixed else at(count))
            count += name not in fixed
        types = {a.name: a.type for a in self.inputs}
        return tuple([self._result(types[n], iter(places[n])) for n in names])

    def number(self, name: str) -> int:
        """The buffer of the output that is one number."""
        before = list(self.outputs)[:list(self.outputs).index(name)]
        return sum(self._leaves(self.outputs[n]) for n in before)


def _leaf(at: int | None, absent: bool = False) -> Item:
    return None if at is None else Leaf(at, absent=absent)


def _check(t: Type) -> None:
    """Refuses what has no buffer that a NumPy array is."""
    if not isinstance(base(t), Scalar):
        raise Unfit
