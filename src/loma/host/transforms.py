"""Derivatives as functions of Python: grad, value_and_grad, jvp, vjp, jacobian, hessian, hvp.

Each takes a function, or a kernel with its number of threads, `k[n]`. Gradients come as named
tuples over the inputs that have a float part; `wrt` chooses among them by name, and a single name
as a string gives that gradient alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from loma.host import matrices
from loma.host.call import RESULT, packed
from loma.host.function import rev_diff
from loma.host.interop import on_gpu
from loma.host.refusals import ArgumentTypeError
from loma.host.sweeps import Outputs, Point, Target, opened
from loma.host.values import Value, named_tuple
from loma.host.zeros import tell
from loma.ir.nodes import Argument
from loma.ir.types import ArrayType, Scalar, Type

Wrt: TypeAlias = str | tuple[str, ...] | list[str] | None
Derived: TypeAlias = Callable[..., Any]
DIFFERENTIATED: Final = "__loma_differentiated__"
"""The attribute that names what a gradient, a Jacobian ... is of."""


def grad(f: Target, wrt: Wrt = None) -> Derived:
    """The gradient of a function's one number: a function of the same arguments.

    The number is the result, or, where nothing is returned, the one Out argument that is a number.
    """
    opened(f)

    def gradient(*args: Value, **kwargs: Value) -> Value:
        point = Point.at(f, args, kwargs)
        return _chosen(point, point.pulled({_number(point): 1.0}), wrt)

    return _named(gradient, f, "grad")


def value_and_grad(f: Target, wrt: Wrt = None) -> Derived:
    """The value and the gradient, as a pair: what `scipy.optimize` takes with `jac=True`."""
    opened(f)

    def value_and_gradient(*args: Value, **kwargs: Value) -> tuple[Any, Any]:
        point = Point.at(f, args, kwargs)
        number = _number(point)
        value = point.evaluated()[number]
        return value, _chosen(point, point.pulled({number: 1.0}), wrt)

    return _named(value_and_gradient, f, "value_and_grad")


def jvp(f: Target, primals: Value, tangents: Value) -> tuple[Any, Any]:
    """The outputs, and their derivatives along a direction.

    Primals and tangents are tuples in the order of the inputs, or dicts by name; a tangent of None,
    or one that is left out of a dict, is zero.
    """
    given = primals if isinstance(primals, Mapping) else dict(enumerate(primals))
    if on_gpu(given.values()):
        return _gpu_jvp(f, primals, tangents)
    point = _point(f, primals)
    found = point.pushed(_tangents(point, tangents))
    name = point.f.name
    return (packed(name, {n: v for n, (v, _) in found.items()}),
            packed(f"{name}_dot", {n: d for n, (_, d) in found.items()}))


def vjp(f: Target, *args: Value, **kwargs: Value) -> tuple[Any, Callable[..., Any]]:
    """The outputs, and the pullback: from the adjoints of the outputs to those of the inputs.

    The pullback works on the values that the arrays had at this call.
    """
    if on_gpu([*args, *kwargs.values()]):
        from loma.host.interop import gpu

        return gpu.vjp(*opened(f), args, kwargs)
    point = Point.at(f, args, kwargs).frozen()
    outputs = point.evaluated()
    names = list(point.float_outputs())

    def pullback(*seeds: Value, **by_name: Value) -> Value:
        if len(seeds) > len(names) or any(n not in names for n in by_name):
            raise ArgumentTypeError(
                f"the pullback of `{point.f.name}` takes adjoints of "
                f"{', '.join(f'`{n}`' for n in names)}")
        if len(seeds) + len(by_name) < len(names):
            missing = [n for n in names[len(seeds):] if n not in by_name]
            raise ArgumentTypeError(
                f"the pullback of `{point.f.name}`: missing adjoints of "
                f"{', '.join(f'`{n}`' for n in missing)}")
        given = {**dict(zip(names, seeds)), **by_name}
        return _chosen(point, point.pulled(given), None)

    return packed(point.f.name, outputs), pullback


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
    opened(f)

    def matrix(*args: Value, **kwargs: Value) -> Value:
        point = Point.at(f, args, kwargs)
        names = [a.name for a in _selected(point, wrt)]
        values = {n: _numeric(point, a, point.values[n])
                  for n, a in zip(names, _selected(point, wrt))}
        outputs = {n: _output_array(n, x) for n, x in point.evaluated().items()
                   if n in point.float_outputs()}
        blocks = matrices.jacobian(point, values, outputs)
        tell(point.f, {n: np.array([blocks[o, n].any() for o in outputs]) for n in names})
        by_output = {o: _by_name(f"{point.f.name}_{o}", {n: blocks[o, n] for n in names}, wrt)
                     for o in outputs}
        return packed(f"{point.f.name}_jacobian", by_output)

    return _named(matrix, f, "jacobian")


def hessian(f: Target, wrt: Wrt = None) -> Derived:
    """The second derivatives of a function's one number.

    Over numbers one (n, n) array; over arrays blocks by name, `h.x.y`, of shape x + y.
    """
    opened(f)

    def matrix(*args: Value, **kwargs: Value) -> Value:
        point = Point.at(f, args, kwargs)
        chosen = _selected(point, wrt)
        values = {a.name: _numeric(point, a, point.values[a.name]) for a in chosen}
        blocks = _second_blocks(point, values)
        if isinstance(wrt, str):
            return blocks[wrt, wrt]
        if all(not x.ndim for x in values.values()):
            return np.array([[blocks[m, n] for n in values] for m in values])
        rows = {m: named_tuple("row", list(values))(**{n: blocks[m, n] for n in values})
                for m in values}
        return named_tuple(f"{point.f.name}_hessian", list(values))(**rows)

    return _named(matrix, f, "hessian")


def hvp(f: Target, wrt: Wrt = None) -> Derived:
    """The product of the Hessian with a direction: a function of primals and tangents."""
    opened(f)

    def product(primals: Value, tangents: Value) -> Value:
        point = _point(f, primals)
        along = _second(point, _tangents(point, tangents))
        return _chosen(point, along, wrt)

    return _named(product, f, "hvp")


def _second_blocks(point: Point, values: matrices.Arrays) -> matrices.Blocks:
    """The second derivatives by each pair of inputs."""
    plain = matrices.Plain.of(point)
    if plain is not None:
        return plain.hessian(_number(point), list(values))
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
    number = _number(point)
    arguments = sweep.describe(point.float_type).signature.written
    from loma.host.facts import pairs

    adjoint = pairs(point.signature)
    values = {n: x for n, x in point.values.items() if n != number}
    if number == RESULT:
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


# What is differentiated.


def _number(point: Point) -> str:
    """The output that is one number."""
    outputs = point.float_outputs()
    if isinstance(outputs.get(RESULT), Scalar):
        return RESULT
    numbers = [n for n, t in outputs.items() if isinstance(t, Scalar)]
    if len(numbers) == 1 and not point.signature.simd:
        return numbers[0]
    name = point.f.name
    what = ", ".join(f"`{n}`" for n in outputs) or "no float"
    raise ArgumentTypeError(
        f"`{name}` has no single number as its output, but {what}",
        "use `jacobian`, or `vjp` with the adjoints of the outputs")


def _selected(point: Point, wrt: Wrt) -> list[Argument]:
    """The inputs that `wrt` names."""
    inputs = point.float_inputs()
    if wrt is None:
        return inputs
    names = [wrt] if isinstance(wrt, str) else list(wrt)
    known = {a.name: a for a in inputs}
    for n in names:
        if n not in known:
            every = {a.name for a in point.signature.written}
            what = "has no float part" if n in every else "is no argument"
            raise ArgumentTypeError(
                f"`wrt` names `{n}`, which {what} of `{point.f.name}`",
                f"choose among {', '.join(f'`{k}`' for k in known)}")
    return [known[n] for n in names]


def _chosen(point: Point, found: Outputs, wrt: Wrt) -> Value:
    chosen = {a.name: found[a.name] for a in _selected(point, wrt)}
    if not point.f.told.issuperset(chosen):
        tell(point.f, chosen)
    return _by_name(f"{point.f.name}_grad", chosen, wrt)


def _by_name(name: str, found: Outputs, wrt: Wrt) -> Value:
    return found[wrt] if isinstance(wrt, str) else gradients(name, found)


def gradients(name: str, found: Outputs) -> Value:
    """A named tuple of gradients that NumPy takes as one array: its only member, or all numbers."""
    base: Any = named_tuple(name, list(found))

    def array(self: Value, dtype: Value = None, copy: bool | None = None) -> Value:
        parts = [np.asarray(x) for x in self]
        whole = parts[0] if len(parts) == 1 else np.concatenate([p.ravel() for p in parts])
        return whole.astype(dtype) if dtype is not None else whole.copy() if copy else whole

    if not isinstance(base, type):
        return base(**found)
    made: Value = type(name, (base,), {"__array__": array, "__slots__": ()})
    return made(**found)


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
