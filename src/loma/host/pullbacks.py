"""`vjp`: outputs, and the pullback from their adjoints to those of the inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from loma.host import routed
from loma.host.call import packed
from loma.host.fast import MISS
from loma.host.function import Function
from loma.host.interop import on_gpu
from loma.host.refusals import ArgumentTypeError
from loma.host.routes import quickly
from loma.host.selection import chosen, gradient_type, key_of
from loma.host.sweeps import Outputs, Point, Target, copied, opened
from loma.host.values import Value
from loma.ir.nodes import Direction


def vjp(f: Target, *args: Value, **kwargs: Value) -> tuple[Any, Callable[..., Any]]:
    """The outputs, and the pullback: from the adjoints of the outputs to those of the inputs.

    The pullback works on the values that the arrays had at this call.
    """
    function, threads = opened(f)
    key = key_of("value", threads)
    if function.ready.routes.get(key):
        given = args if not kwargs else function.ready.ordered(args, kwargs)
        frozen = tuple(map(copied, given or ()))
        outputs = quickly(function, key, threads, frozen, {})
        if outputs is not MISS:
            return outputs, _pullback(function, threads, frozen, lambda: Point.at(f, frozen, {}))
    if on_gpu([*args, *kwargs.values()]):
        from loma.host.interop import gpu

        return gpu.vjp(function, threads, args, kwargs)
    point = Point.at(f, args, kwargs).frozen()
    outputs = packed(point.f.name, point.evaluated())
    inputs = [a.name for a in point.signature.written if a.direction is not Direction.OUT]
    if len(inputs) < len(point.values):
        return outputs, _pullback(point.f, threads, None, lambda: point)
    routed.value(point, key)
    frozen = tuple([point.values[n] for n in inputs])
    return outputs, _pullback(point.f, threads, frozen, lambda: point)


def _pullback(
    f: Function, threads: int | None, frozen: tuple[Value, ...] | None, at: Callable[[], Point]
) -> Callable[..., Any]:
    """The pullback at a point; `frozen` are the inputs, if nothing else is given there."""
    key = key_of("pullback", threads)

    def pullback(*seeds: Value, **by_name: Value) -> Value:
        if frozen is not None and not by_name:
            out = quickly(f, key, threads, (*frozen, *seeds), {})
            if out is not MISS:
                return out
        point = at()
        found = chosen(point, point.pulled(_seeds(point, seeds, by_name)), None)
        names = [a.name for a in point.float_inputs()]
        routed.pullback(point, key, names, gradient_type(f"{point.f.name}_grad", tuple(names)))
        return found

    return pullback


def _seeds(point: Point, seeds: tuple[Value, ...], by_name: Mapping[str, Value]) -> Outputs:
    """The adjoints of the outputs, by their names."""
    names = list(point.float_outputs())
    if len(seeds) > len(names) or any(n not in names for n in by_name):
        raise ArgumentTypeError(
            f"the pullback of `{point.f.name}` takes adjoints of "
            f"{', '.join(f'`{n}`' for n in names)}")
    if len(seeds) + len(by_name) < len(names):
        missing = [n for n in names[len(seeds):] if n not in by_name]
        raise ArgumentTypeError(
            f"the pullback of `{point.f.name}`: missing adjoints of "
            f"{', '.join(f'`{n}`' for n in missing)}")
    return {**dict(zip(names, seeds)), **by_name}
