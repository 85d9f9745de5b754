"""Derivatives as functions of Python: grad, value_and_grad, jvp, vjp, jacobian, hessian, hvp.

Each takes a function, or a kernel with its number of threads, `k[n]`. Gradients come as named
tuples over the inputs that have a float part; `wrt` chooses among them by name, and a single name
as a string gives that gradient alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from loma.host import matrices, routed
from loma.host.call import packed, result_name
from loma.host.fast import MISS
from loma.host.function import Function, rev_diff
from loma.host.interop import on_gpu
from loma.host.nested import gradient_function
from loma.host.nested_matrices import hessian_function, jacobian_function
from loma.host.refusals import ArgumentTypeError
from loma.host.routes import Key, quickly
from loma.host.selection import (
    Wrt,
    by_name,
    chosen,
    key_of,
    maker,
    number_of,
    selected,
)
from loma.host.sweeps import AS_FUNCTION, DIFFERENTIATED, Outputs, Point, Target, opened
from loma.host.values import Value, named_tuple
from loma.host.zeros import tell
from loma.ir.nodes import Argument
from loma.ir.types import ArrayType, Scalar, Type

Derived: TypeAlias = Callable[..., Any]


def grad(f: Target, wrt: Wrt = None) -> Derived:
    """The gradient of a function's one number: a function of the same arguments.

    The number is the result, or, where nothing is returned, the one Out argument that is a number.
    """
    function, threads = opened(f)
    key = key_of("grad", threads, wrt)

    def gradient(*args: Value, **kwargs: Value) -> Value:
        out = quickly(function, key, threads, args, kwargs)
        if out is not MISS:
            return out
        point = Point.at(f, args, kwargs)
        return _gradient(point, key, number_of(point), wrt)

    setattr(gradient, AS_FUNCTION, partial(_again, function, wrt))
    return _named(gradient, f, "grad")


def _again(f: Function, wrt: Wrt) -> Function:
    """The gradient as a function of the language, for the transforms of it."""
    return gradient_function(f, number_of(Point(f, {}, None)), _names(f, wrt))


def _names(f: Function, wrt: Wrt) -> list[str]:
    """The inputs that `wrt` names."""
    return [a.name for a in selected(Point(f, {}, None), wrt)]


def value_and_grad(f: Target, wrt: Wrt = None) -> Derived:
    """The value and the gradient, as a pair: what `scipy.optimize` takes with `jac=True`."""
    function, threads = opened(f)
    value_key, key = key_of("value", threads), key_of("grad", threads, wrt)

    def value_and_gradient(*args: Value, **kwargs: Value) -> tuple[Any, Any]:
        value = quickly(function, value_key, threads, args, kwargs)
        if value is not MISS:
            out = quickly(function, key, threads, args, kwargs)
            if out is not MISS:
                return value, out
        point = Point.at(f, args, kwargs)
        number = number_of(point)
        outputs = point.evaluated()
        if len(outputs) == 1:
            routed.value(point, value_key)
        return outputs[number], _gradient(point, key, number, wrt)

    return _named(value_and_gradient, f, "value_and_grad")


def _gradient(point: Point, key: Key, number: str, wrt: Wrt) -> Value:
    """The gradient of a number; calls that come often are prepared for."""
    found = chosen(point, point.pulled({number: 1.0}), wrt)
    names = [a.name for a in selected(point, wrt)]
    routed.gradient(point, key, number, names, maker(point, names, wrt))
    return found


def jvp(f: Target, primals: Value, tangents: Value) -> tuple[Any, Any]:
    """The outputs, and their derivatives along a direction.

    Primals and tangents are tuples in the order of the inputs, or dicts by name; a tangent of None,
    or one that is left out of a dict, is zero.
    """
    function, threads = opened(f)
    key = key_of("jvp", threads)
    out = _along(function, key, threads, primals, tangents)
    if out is not MISS:
        return out  # type: ignore[no-any-return]
    given = primals if isinstance(primals, Mapping) else dict(enumerate(primals))
    if on_gpu(given.values()):
        return _gpu_jvp(f, primals, tangents)
    point = _point(f, primals)
    found = point.pushed(_tangents(point, tangents))
    name = point.f.name
    routed.pushed(point, key)
    return (packed(name, {n: v for n, (v, _) in found.items()}),
            packed(f"{name}_dot", {n: d for n, (_, d) in found.items()}))


def _along(
    f: Function, key: Key, threads: int | None, primals: Value, tangents: Value
) -> Value:
    """What a route gives for primals and tangents; MISS where there is none."""
    if not f.ready.routes.get(key):
        return MISS
    inputs = f.ready.inputs
    if isinstance(primals, Mapping):
        primals = tuple([primals[n] for n in inputs]) if set(primals) == set(inputs) else ()
    if isinstance(tangents, Mapping):
        tangents = tuple(map(tangents.get, inputs)) if set(tangents) <= set(inputs) else ()
    if not (len(primals) == len(tangents) == len(inputs)):
        return MISS
    return quickly(f, key, threads, (*primals, *tangents), {})


def _gpu_jvp(f: Target, primals: Value, tangents: Value) -> tuple[Any, Any]:
    from loma.host.interop import gpu

    function, threads = opened(f)
    if not isinstance(primals, Mapping):
        names = [a.name for a in function.signature.written][:len(primals)]
        primals, tangents = dict(zip(names, primals)), dict(zip(names, tangents))
    return gpu.jvp(function, threads, primals, tangents)


def jacobian(f: Target, wrt: Wrt = None) -> Derived:
    """The derivatives of every output by every input: arrays of shape output + input.

    It runs forward when the inputs have fewer numbers than the outputs, else in reverse.
    """
    function, threads = opened(f)
    key_of("jacobian", threads, wrt)

    def matrix(*args: Value, **kwargs: Value) -> Value:
        point = Point.at(f, args, kwargs)
        names = [a.name for a in selected(point, wrt)]
        values = {n: _numeric(point, a, point.values[n])
                  for n, a in zip(names, selected(point, wrt))}
        outputs = {n: _output_array(n, x) for n, x in point.evaluated().items()
                   if n in point.float_outputs()}
        blocks = matrices.jacobian(point, values, outputs)
        tell(point.f, {n: np.array([blocks[o, n].any() for o in outputs]) for n in names})
        by_output = {o: by_name(f"{point.f.name}_{o}", {n: blocks[o, n] for n in names}, wrt)
                     for o in outputs}
        return packed(f"{point.f.name}_jacobian", by_output)

    setattr(matrix, AS_FUNCTION, lambda: jacobian_function(function, _names(function, wrt)))
    return _named(matrix, f, "jacobian")


def hessian(f: Target, wrt: Wrt = None) -> Derived:
    """The second derivatives of a function's one number.

    Over numbers one (n, n) array; over arrays blocks by name, `h.x.y`, of shape x + y.
    """
    function, threads = opened(f)
    key_of("hessian", threads, wrt)

    def matrix(*args: Value, **kwargs: Value) -> Value:
        point = Point.at(f, args, kwargs)
        values = {
            a.name: _numeric(point, a, point.values[a.name]) for a in selected(point, wrt)}
        blocks = _second_blocks(point, values)
        if isinstance(wrt, str):
            return blocks[wrt, wrt]
        if all(not x.ndim for x in values.values()):
            return np.array([[blocks[m, n] for n in values] for m in values])
        rows = {m: named_tuple("row", list(values))(**{n: blocks[m, n] for n in values})
                for m in values}
        return named_tuple(f"{point.f.name}_hessian", list(values))(**rows)

    setattr(matrix, AS_FUNCTION, lambda: hessian_function(
        function, number_of(Point(function, {}, None)), _names(function, wrt)))
    return _named(matrix, f, "hessian")


def hvp(f: Target, wrt: Wrt = None) -> Derived:
    """The product of the Hessian with a direction: a function of primals and tangents."""
    function, threads = opened(f)
    key = key_of("hvp", threads, wrt)

    def product(primals: Value, tangents: Value) -> Value:
        out = _along(function, key, threads, primals, tangents)
        if out is not MISS:
            return out
        point = _point(f, primals)
        along = _second(point, _tangents(point, tangents))
        names = [a.name for a in selected(point, wrt)]
        routed.product(point, key, number_of(point), names, maker(point, names, wrt))
        return chosen(point, along, wrt)

    return _named(product, f, "hvp")


def _second_blocks(point: Point, values: matrices.Arrays) -> matrices.Blocks:
    """The second derivatives by each pair of inputs."""
    plain = matrices.Plain.of(point)
    if plain is not None:
        return plain.hessian(number_of(point), list(values))
    blocks: matrices.Blocks = {
        (m, n): np.zeros((*values[m].shape, *values[n].shape), values[m].dtype)
        for m in values for n in values}
    for n, at, direction in matrices.directions(values):
        along = _second(point, {n: matrices.like(point, n, direction)})
        for m in values:
            blocks[m, n][(..., *at)] = along[m]
    return blocks


def _second(point: Point, tangents: Mapping[str, Value]) -> Outputs:
    """The derivative of the gradient along a direction."""
    sweep = rev_diff(point.f)
    number = number_of(point)
    arguments = sweep.describe(point.float_type).signature.written
    from loma.host.facts import pairs

    adjoint = pairs(point.signature)
    values = {n: x for n, x in point.values.items() if n != number}
    if number == result_name(point.signature):
        values[arguments[-1].name] = 1.0
    else:
        values[adjoint[number]] = 1.0
    for a in point.signature.written:
        if a.name in point.outputs() and a.name != number and adjoint[a.name] not in values:
            values.pop(a.name, None)
            values[adjoint[a.name]] = point.zeros_of(a)
            if a.direction.value == "InOut":
                values[a.name] = point.values[a.name]
    found = Point(sweep, values, point.count, ).pushed(tangents)
    return {a.name: found[adjoint[a.name]][1] for a in point.float_inputs()}


# Arguments by position or name.


def _point(f: Target, primals: Value) -> Point:
    if isinstance(primals, Mapping):
        return Point.at(f, (), primals)
    if not isinstance(primals, tuple | list):
        raise ArgumentTypeError("the primals must be a tuple in the order of the inputs, or a dict")
    return Point.at(f, tuple(primals), {})


def _tangents(point: Point, tangents: Value) -> dict[str, Value]:
    """The tangents by name."""
    name = point.f.name
    if isinstance(tangents, Mapping):
        for n in tangents:
            if n not in point.values:
                raise ArgumentTypeError(f"`{name}`: there is no input `{n}` to have a tangent")
        return dict(tangents)
    order = list(point.values)
    if not isinstance(tangents, tuple | list) or len(tangents) != len(order):
        given = len(tangents) if isinstance(tangents, tuple | list) else 1
        raise ArgumentTypeError(
            f"`{name}`: {len(order)} primals need as many tangents, and {given} "
            f"{'is' if given == 1 else 'are'} given")
    return dict(zip(order, tangents))


# Matrices.


def _numeric(point: Point, a: Argument, x: Value) -> np.ndarray[Any, Any]:
    """An input of a matrix: a number or an array of numbers."""
    t: Type = a.type
    while isinstance(t, ArrayType):
        t = t.element
    if not isinstance(t, Scalar):
        raise ArgumentTypeError(
            f"`{point.f.name}`: argument `{a.name}` holds structs, which have no place in a matrix",
            "choose others by `wrt`, or use `vjp`")
    try:
        return np.asarray(x, point.convert.dtype(t))
    except ValueError:
        raise ArgumentTypeError(
            f"`{point.f.name}`: the rows of argument `{a.name}` differ in length",
            "choose others by `wrt`, or use `vjp`") from None


def _output_array(name: str, x: Value) -> np.ndarray[Any, Any]:
    found = np.asarray(x)
    if found.dtype.kind not in "f":
        raise ArgumentTypeError(
            f"the output `{name}` holds structs, which have no place in a matrix", "use `vjp`")
    return found


def _named(made: Derived, f: Target, transform: str) -> Derived:
    function, _ = opened(f)
    made.__name__ = f"{transform}_{function.__name__}"
    made.__qualname__ = made.__name__
    made.__doc__ = f"`{transform}` of `{function.__name__}`."
    setattr(made, DIFFERENTIATED, f)
    return made
