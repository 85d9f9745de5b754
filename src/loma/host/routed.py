"""The routes of the transforms: which buffers each takes, and what it makes of the outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any, TypeAlias

from loma.backends.llvm.array_shape import ArrayCall, Item, Result, Seed
from loma.host.facts import pairs
from loma.host.fast import MISS, TRAPPED, compiled
from loma.host.function import rev_diff
from loma.host.interop.op import OTHER, PRIMAL, Op, Source
from loma.host.routes import Key, Plan, Planned, Route, Unfit, prepare
from loma.host.sweeps import Point
from loma.host.values import Value, made_by, named_tuple
from loma.ir.nodes import Direction

Maker: TypeAlias = Callable[..., Any]


def value(point: Point, key: Key) -> None:
    """Prepares the outputs, as a named tuple if there are several; nothing is written."""

    def planned(plan: Plan) -> Planned:
        places = {(PRIMAL, k): k for k in range(len(plan.op.inputs))}
        if not plan.outputs:
            raise Unfit
        several = len(plan.outputs) > 1
        make = named_tuple(point.f.name, list(plan.outputs)) if several else None
        return _planned(plan, plan.op, plan.primals(places, plan.op), plan.results(count()),
                        _finish(make, list(plan.outputs)))

    _prepare(point, key, planned)


def gradient(point: Point, key: Key, number: str, names: Sequence[str], make: Maker | None) -> None:
    """Prepares the gradient of a number by some inputs, which `make` takes; None: by one."""

    def planned(plan: Plan) -> Planned:
        back, places = plan.op.reverse, _places(plan.op.reverse_inputs)
        which = plan.number(number)
        seeds = tuple([
            Seed(i, float(k == which)) for (kind, k), i in places.items() if kind == OTHER])
        return _planned(plan, back, plan.primals(places, back), plan.gradients(names),
                        _finish(make, names), seeds)

    prepare(point.f, key, point.float_type, point.threads is not None, planned,
            partial(_by_reverse, point, names, make))


def _by_reverse(point: Point, names: Sequence[str], make: Maker | None) -> Route | None:
    """The gradient of what a function returns, by a compiled call of the reverse derivative: for
    arrays of structs.
    """
    s = point.signature
    if s.simd or s.result is None or any(a.direction is not Direction.IN for a in s.arguments):
        return None
    instance = rev_diff(point.f).instance(point.float_type)
    fast = compiled(instance, dict(point.values))
    if fast is None:
        return None
    instance.keep.append(fast)
    given = [a.name for a in instance.description.signature.arguments
             if a.direction is Direction.OUT]
    adjoint = pairs(s)
    places = [given.index(adjoint[n]) for n in names]

    def call(*args: Value) -> Value:
        out = fast.call(*args, 1.0)
        if out is MISS or out is TRAPPED or len(given) == 1:
            return out
        found = tuple([out[k] for k in places])
        return found[0] if len(found) == 1 else found

    return Route(call, instance, _finish(make, names))


def pullback(point: Point, key: Key, names: Sequence[str], make: Maker) -> None:
    """Prepares the pullback: of arguments and adjoints of outputs."""

    def planned(plan: Plan) -> Planned:
        back, places = plan.op.reverse, _places(plan.op.reverse_inputs)
        arguments = (*plan.primals(places, back), *plan.adjoints(places))
        return _planned(plan, back, arguments, plan.gradients(names), _finish(make, names))

    _prepare(point, key, planned)


def pushed(point: Point, key: Key) -> None:
    """Prepares outputs and their tangents: of arguments and tangents."""

    def planned(plan: Plan) -> Planned:
        along, places = plan.op.forward, _places(plan.op.forward_inputs)
        tangents = plan.op.forward_tangents
        if None in tangents:
            raise Unfit
        values = [None if t is None else t - 1 for t in tangents]
        names, name = list(plan.outputs), point.f.name
        first, second = (_finish(named_tuple(n, names), names) for n in (name, f"{name}_dot"))
        return _planned(
            plan, along, (*plan.primals(places, along), *plan.tangents(places)),
            (*plan.results(values), *plan.results(tangents)), partial(_halves, first, second))

    _prepare(point, key, planned)


def product(
    point: Point, key: Key, number: str, names: Sequence[str], make: Maker | None
) -> None:
    """Prepares the derivative of a gradient along a direction: of arguments and tangents."""

    def planned(plan: Plan) -> Planned:
        back, inner = plan.op.reverse, plan.op.reverse_inputs
        along, which = back.forward, plan.number(number)
        places: dict[Source, int] = {}
        seeds: list[Seed] = []
        for i, (kind, k) in enumerate(back.forward_inputs):
            of, leaf = inner[k]
            if of == PRIMAL:
                places[kind, leaf] = i
            else:
                seeds.append(Seed(i, float(kind == PRIMAL and leaf == which)))
        tangents = back.forward_tangents
        return _planned(
            plan, along, (*plan.primals(places, along), *plan.tangents(places)),
            plan.gradients(names, lambda k: tangents[k]), _finish(make, names), tuple(seeds))

    _prepare(point, key, planned)


def _prepare(point: Point, key: Key, planned: Callable[[Plan], Planned]) -> None:
    prepare(point.f, key, point.float_type, point.threads is not None, planned)


def _planned(
    plan: Plan, op: Op, arguments: Sequence[Item], results: Sequence[Result],
    finish: Callable[[Value], Value], seeds: tuple[Seed, ...] = (),
) -> Planned:
    lead = op.call.threads if plan.lead else None
    shape = ArrayCall(op.call, tuple(arguments), seeds, tuple(results), lead)
    return op, shape, finish


def _places(sources: Sequence[Source]) -> dict[Source, int]:
    return {s: at for at, s in enumerate(sources)}


def _finish(make: Maker | None, names: Sequence[str]) -> Callable[[Value], Value]:
    """From what a call gives to what the user gets."""
    if make is None:
        return _same
    if len(names) == 1:
        return make
    return made_by(make, names)


def _same(x: Value) -> Value:
    return x


def _halves(first: Callable[[Value], Value], second: Callable[[Value], Value],
            out: tuple[Value, ...]) -> tuple[Value, Value]:
    """Values and tangents, each as the user gets them."""
    half = len(out) // 2
    if half == 1:
        return out[0], out[1]
    return first(out[:half]), second(out[half:])
