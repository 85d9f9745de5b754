"""Matrices of derivatives: many directions go through the machine code in one call.

Arguments that are numbers and arrays of numbers become plain buffers, and a whole batch of
directions is one call of a derivative on them. Other arguments (lists of arrays of different
lengths, arrays of structs with arrays inside ...) take one call for each direction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from loma.host.arrays import DTYPES
from loma.host.call import result_name
from loma.host.interop.buffers import RETURNED
from loma.host.interop.op import OTHER, PRIMAL, Op, Source
from loma.host.interop.trees import opened
from loma.host.refusals import ArgumentTypeError, ArgumentValueError, announce_copy
from loma.host.sweeps import Point, copied
from loma.host.values import Value, described
from loma.ir.types import F64, Scalar

Array: TypeAlias = np.ndarray[Any, Any]
Arrays: TypeAlias = Mapping[str, Array]
Blocks: TypeAlias = dict[tuple[str, str], Value]
WIDTHS: Final = ((7, 8), (3, 4))  # so many directions and more: so many in each pass
AT_ONCE: Final = 1 << 22  # numbers in the results of one call


class NumPyArrays:
    """NumPy, as `trees` sees it."""

    noun: str = "array"
    weak: Scalar = F64

    def owns(self, x: Value) -> bool:
        """Whether it is an array."""
        return isinstance(x, np.ndarray)

    def scalar(self, x: Array) -> Scalar | None:
        """The type of an array's elements."""
        return next((s for s, d in DTYPES.items() if d == x.dtype), None)

    def shape(self, x: Array) -> tuple[int, ...]:
        """The shape of an array."""
        return tuple(x.shape)

    def described(self, x: Array) -> str:
        """An array in words."""
        return described(x)

    def is_weak(self, x: Array) -> bool:
        """No array is."""
        return False

    def cast(self, x: Array, type: Scalar) -> Array:
        """An array in another type."""
        return x.astype(DTYPES[type])

    def check(self, where: str, x: Array) -> None:
        """Every array is fit."""

    def made(self, x: Array, type: Scalar) -> Array:
        """A constant."""
        return x

    def number(self, x: float | int | bool, type: Scalar) -> Array:
        """A constant without dimensions."""
        return np.array(x, DTYPES[type])

    def stacked(self, parts: Sequence[Array]) -> Array:
        """Arrays of one shape as one array."""
        return np.stack(parts)

    def whole_number(self, where: str, x: Value) -> int:
        """The value of an int."""
        return int(x)


def jacobian(point: Point, values: Arrays, outputs: Arrays) -> Blocks:
    """The derivative of each output by each of the inputs, by their names.

    Forward when the inputs have fewer numbers than the outputs, else in reverse.
    """
    wide = sum(x.size for x in values.values()) > sum(x.size for x in outputs.values())
    plain = Plain.of(point)
    if plain is not None:
        found = plain.rows(list(outputs)) if wide else plain.columns(list(values))
        return {(o, n): found[o, n] for o in outputs for n in values}
    return _by_rows(point, values, outputs) if wide else _by_columns(point, values, outputs)


class Plain:
    """A function with arguments that are plain buffers."""

    def __init__(self, op: Op, arrays: Sequence[Array]) -> None:
        self.op = op
        self.arrays = [_beside(op, b.path, x) for b, x in zip(op.inputs, arrays)]
        self.inputs = {b.path: i for i, b in enumerate(op.inputs) if op.floats[i]}
        returned = result_name(op.instance.description.signature)
        self.outputs = {returned if b.path == RETURNED else b.path: i
                        for i, b in enumerate(op.outputs) if op.float_outputs[i]}

    @staticmethod
    def of(point: Point) -> Plain | None:
        """The function and its arguments, if they can be had so."""
        if point.f.debug:  # buffers do not tell how long each array in them is
            return None
        try:
            op, arrays = opened(
                NumPyArrays(), point.f, dict(point.values), point.threads, point.float_type)
        except (ArgumentTypeError, ArgumentValueError):
            return None
        return Plain(op, arrays)

    def columns(self, names: Sequence[str]) -> Blocks:
        """The Jacobian by inputs, in forward mode."""
        inputs = [self.inputs[n] for n in names]
        found = _columns(self.op, self.arrays, inputs, list(self.outputs.values()))
        return {(o, n): found[j, i] for n, i in zip(names, inputs)
                for o, j in self.outputs.items()}

    def rows(self, names: Sequence[str]) -> Blocks:
        """The Jacobian by outputs, in reverse mode."""
        op, blocks = self.op, dict[tuple[str, str], Value]()
        seeds = self.seeds()
        for o in names:
            j = self.outputs[o]
            found = _along(op.reverse, op.reverse_inputs, self.arrays, seeds, j)
            for n, i in self.inputs.items():
                at = op.adjoints[i]
                assert at is not None
                blocks[o, n] = found[at].reshape((*seeds[j].shape, *self.arrays[i].shape))
        return blocks

    def seeds(self) -> list[Array]:
        """A zero for each output."""
        shapes = self.op.shapes(tuple(x.shape for x in self.arrays))
        return [np.zeros(s, DTYPES[b.leaf.type]) for s, b in zip(shapes, self.op.outputs)]

    def hessian(self, number: str, names: Sequence[str]) -> Blocks:
        """The second derivatives of one number: forward over reverse."""
        back, seeds = self.op.reverse, self.seeds()
        seeds[self.outputs[number]][...] = 1
        given = [(self.arrays if kind == PRIMAL else seeds)[k]
                 for kind, k in self.op.reverse_inputs]
        places = {k: at for at, (kind, k) in enumerate(self.op.reverse_inputs) if kind == PRIMAL}
        inputs = {n: places[self.inputs[n]] for n in names}
        adjoints = {m: self._adjoint(m) for m in names}
        found = _columns(back, given, list(inputs.values()), list(adjoints.values()))
        return {(m, n): found[j, i] for n, i in inputs.items() for m, j in adjoints.items()}

    def _adjoint(self, name: str) -> int:
        """Where the reverse derivative gives the adjoint of an input."""
        found = self.op.adjoints[self.inputs[name]]
        assert found is not None, "floats have adjoints"
        return found


def _beside(op: Op, path: str, x: Array) -> Array:
    """An array whose elements lie side by side; a copy is announced."""
    if x.flags.c_contiguous:
        return x
    announce_copy(op.name, path)
    return x.copy(order="C")


def _columns(
    op: Op, primals: Sequence[Array], inputs: Sequence[int], outputs: Sequence[int]
) -> dict[tuple[int, int], Array]:
    """The derivatives of outputs by inputs, in forward mode: arrays of shape output + input."""
    sizes = [primals[i].size for i in inputs]
    width = next((w for least, w in WIDTHS if sum(sizes) >= least), 1)
    vector = op.vector(width) if width > 1 else None
    if vector is None:
        tangents = _one_by_one(op, primals, inputs, outputs)
    else:
        tangents = Lanes(vector, width, primals, inputs).run(outputs, op.tangents(width))
    found: dict[tuple[int, int], Array] = {}
    for j in outputs:
        start = 0
        for i, size in zip(inputs, sizes):
            part = np.moveaxis(tangents[j][start:start + size], 0, -1)
            whole = part.reshape((*part.shape[:-1], *primals[i].shape))
            found[j, i] = np.array(whole, order="C")
            start += size
    return found


def _one_by_one(
    op: Op, primals: Sequence[Array], inputs: Sequence[int], outputs: Sequence[int]
) -> dict[int, Array]:
    """The tangents of outputs along all unit directions of inputs: one in each pass."""
    rates = [np.zeros_like(x) for x in primals]
    runs = [_along(op.forward, op.forward_inputs, primals, rates, i) for i in inputs]
    places = {j: op.forward_tangents[j] for j in outputs}
    return {j: np.concatenate([run[at] for run in runs])
            for j, at in places.items() if at is not None}


class Lanes:
    """The unit directions of some inputs, several in each pass of a derivative; lanes that are
    left over in the last pass have the direction zero.
    """

    def __init__(
        self, op: Op, width: int, primals: Sequence[Array], inputs: Sequence[int]
    ) -> None:
        self.op = op
        self.width = width
        self.primals = primals
        self.inputs = inputs
        self.total = sum(primals[i].size for i in inputs)

    def run(
        self, outputs: Sequence[int], places: Sequence[int | None]
    ) -> dict[int, Array]:
        """The tangents of outputs; `places` are those of the first among the outputs of `op`."""
        op, primals, passes = self.op, self.primals, -(-self.total // self.width)
        many = op.batched(tuple(kind == OTHER and i in self.inputs for kind, i, _ in op.sources))
        fixed = op.shapes(tuple(primals[i].shape for _, i, _ in op.sources))
        numbers = sum(int(np.prod(s)) for s in fixed)
        step = max(1, AT_ONCE // max(self.total * self.width, numbers))
        zeros = [np.zeros_like(x) for x in primals]
        runs: list[list[Array]] = []
        for start in range(0, passes, step):
            units = self._units(start, min(start + step, passes))
            given = [primals[i] if kind == PRIMAL else units.get((i, lane), zeros[i])
                     for kind, i, lane in op.sources]
            runs.append(_run(many, given))
        return {j: self._joined(runs, at) for j in outputs if (at := places[j]) is not None}

    def _joined(self, runs: Sequence[Sequence[Array]], at: int) -> Array:
        """All directions of one output, in order."""
        lanes = [np.stack(run[at:at + self.width], 1) for run in runs]
        whole = lanes[0] if len(lanes) == 1 else np.concatenate(lanes)
        return whole.reshape((-1, *whole.shape[2:]))[:self.total]

    def _units(self, start: int, stop: int) -> dict[tuple[int, int], Array]:
        """The tangents of some passes, by input and lane: unit directions, one after another."""
        found: dict[tuple[int, int], Array] = {}
        first = 0
        for i in self.inputs:
            x = self.primals[i]
            units = np.zeros((self.width, stop - start, x.size), x.dtype)
            passes, lanes = np.divmod(np.arange(first, first + x.size), self.width)
            here = np.flatnonzero((passes >= start) & (passes < stop))
            units[lanes[here], passes[here] - start, here] = 1
            for lane in range(self.width):
                found[i, lane] = units[lane].reshape(-1, *x.shape)
            first += x.size
        return found


def _along(op: Op, sources: Sequence[Source], primals: Sequence[Array], others: Sequence[Array],
           which: int) -> list[Array]:
    """The outputs of a derivative for every unit direction of one tangent or adjoint."""
    many = op.batched(tuple(s == (OTHER, which) for s in sources))
    direction = others[which]
    size = max(direction.size, 1)
    fixed = op.shapes(tuple(
        (primals if kind == PRIMAL else others)[k].shape for kind, k in sources))
    step = max(1, AT_ONCE // max(size, sum(int(np.prod(s)) for s in fixed)))
    parts: list[list[Array]] = []
    for start in range(0, direction.size, step):
        units = _units(direction, start, min(start + step, direction.size))
        given = [units if s == (OTHER, which)
                 else (primals if s[0] == PRIMAL else others)[s[1]] for s in sources]
        parts.append(_run(many, given))
    if not parts:
        return [np.zeros((0, *s), DTYPES[b.leaf.type]) for s, b in zip(fixed, op.outputs)]
    return parts[0] if len(parts) == 1 else [np.concatenate(p) for p in zip(*parts)]


def _units(direction: Array, start: int, stop: int) -> Array:
    """Some of the unit directions."""
    units = np.zeros((stop - start, direction.size), direction.dtype)
    units[np.arange(stop - start), np.arange(start, stop)] = 1
    return units.reshape(-1, *direction.shape)


def _run(op: Op, given: Sequence[Array]) -> list[Array]:
    shapes = tuple(x.shape for x in given)
    made = [np.empty(s, DTYPES[b.leaf.type]) for s, b in zip(op.shapes(shapes), op.outputs)]
    op.run([x.ctypes.data for x in (*given, *made)], shapes)
    return made


# One direction after another.


def directions(values: Arrays) -> Iterator[tuple[str, tuple[int, ...], Array]]:
    """The unit vectors of several arrays, one after another, in one piece of memory each."""
    for n, x in values.items():
        unit = np.zeros_like(x)
        for at in np.ndindex(x.shape):
            unit[at] = 1
            yield n, at, unit
            unit[at] = 0


def like(point: Point, name: str, direction: Array) -> Value:
    """A direction in the form of the argument."""
    if not direction.ndim:
        return float(direction)
    return direction if isinstance(point.values[name], np.ndarray) else list(direction)


def _blocks(values: Arrays, outputs: Arrays) -> Blocks:
    return {(o, n): np.zeros((*outputs[o].shape, *values[n].shape), outputs[o].dtype)
            for o in outputs for n in values}


def _by_columns(point: Point, values: Arrays, outputs: Arrays) -> Blocks:
    blocks = _blocks(values, outputs)
    for n, at, direction in directions(values):
        found = point.pushed({n: like(point, n, direction)})
        for o in outputs:
            blocks[o, n][(..., *at)] = found[o][1]
    return blocks


def _by_rows(point: Point, values: Arrays, outputs: Arrays) -> Blocks:
    blocks = _blocks(values, outputs)
    for o, at, direction in directions(outputs):
        found = point.pulled({o: copied(direction) if direction.ndim else 1.0})
        for n in values:
            blocks[o, n][at] = found[n]
    return blocks
