"""The law <J v, w> = <v, transpose(J) w>, from a forward and a reverse derivative alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from properties.generator import Entry
from properties.inputs import Case, Inputs, leaves

from loma.ir.derived import Mode, reverse_signature
from loma.ir.nodes import Argument, Direction, Signature

Runner = Callable[[Case], dict[str, Any]]
TANGENT = ".dval"


def dual_products(inputs: Inputs, entry: Entry, runner: Runner) -> str | None:
    """What differs, if the law does not hold."""
    names = {m: n for n, m in entry.chains}
    if (Mode.FORWARD,) not in names or (Mode.REVERSE,) not in names:
        return None
    plain = inputs.case(entry)
    forward = inputs.derived(plain, Mode.FORWARD, names[Mode.FORWARD,])
    reverse = inputs.derived(plain, Mode.REVERSE, names[Mode.REVERSE,])
    adjoints = reverse_names(plain.signature)
    clear(plain.signature, adjoints, forward, reverse)
    moved, pulled = runner(copy.deepcopy(forward)), runner(copy.deepcopy(reverse))
    if "error" in moved or "error" in pulled:
        return None
    given = dict(zip((a.name for a in reverse.signature.arguments), reverse.data, strict=True))
    outputs = adjoints.keys() - inputs_only(plain.signature.arguments)
    left = [
        moved[path + TANGENT] * weight
        for name in outputs
        for path, weight in leaves(given[adjoints[name]], name)
        if path + TANGENT in moved
    ]
    right = [
        slope * pulled[adjoints[name] + path.removesuffix(TANGENT)]
        for name, path, slope in tangents(plain.signature, forward)
    ]
    size = max([1.0, *map(abs, left), *map(abs, right)])
    if abs(sum(left) - sum(right)) <= 1e-7 * size or sum(left) != sum(left):
        return None
    return f"<Jv, w> = {sum(left)!r} but <v, JTw> = {sum(right)!r}"


def clear(signature: Signature, adjoints: Mapping[str, str], forward: Case, reverse: Case) -> None:
    """Sets to 0 the tangents of what is only written and the adjoints of what is only read."""
    formal = [a.name for a in reverse.signature.arguments]
    for k, a in enumerate(signature.written):
        if a.direction is Direction.OUT:
            forward.data[k] = without_tangents(forward.data[k])
        elif a.direction is Direction.IN:
            at = formal.index(adjoints[a.name])
            reverse.data[at] = zeroed(reverse.data[at])


def tangents(signature: Signature, forward: Case) -> list[tuple[str, str, float]]:
    """Each tangent that goes in: argument, path, value."""
    return [
        (a.name, path, slope)
        for a, x in zip(signature.arguments, forward.data, strict=True)
        if a.direction is not Direction.OUT
        for path, slope in leaves(x)
        if path.endswith(TANGENT)
    ]


def inputs_only(arguments: Sequence[Argument]) -> set[str]:
    """The arguments that nothing comes out of."""
    return {a.name for a in arguments if a.direction is Direction.IN}


def reverse_names(signature: Signature) -> dict[str, str]:
    """For each argument (and `return`) the name of its adjoint in the reverse signature."""
    rest = list(reverse_signature(signature).arguments)
    names: dict[str, str] = {}
    for a in signature.written:
        if a.direction is not Direction.OUT:
            rest.pop(0)
        names[a.name] = rest.pop(0).name
    if signature.result is not None:
        names["return"] = rest.pop(0).name
    return names


def without_tangents(x: Any) -> Any:
    """The duals with tangents 0."""
    if isinstance(x, dict):
        return {k: 0.0 if k == "dval" else without_tangents(v) for k, v in x.items()}
    return [without_tangents(i) for i in x] if isinstance(x, list) else x


def zeroed(x: Any) -> Any:
    """The same shape, all 0."""
    if isinstance(x, dict):
        return {k: zeroed(v) for k, v in x.items()}
    return [zeroed(i) for i in x] if isinstance(x, list) else type(x)(0)
