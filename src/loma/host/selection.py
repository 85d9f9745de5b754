"""Which of a function's numbers and inputs a transform is about, and the form of gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from loma.host.call import result_name
from loma.host.refusals import ArgumentTypeError
from loma.host.routes import Key
from loma.host.sweeps import Outputs, Point
from loma.host.values import Value, named_tuple
from loma.host.zeros import tell
from loma.ir.nodes import Argument
from loma.ir.types import Scalar

Wrt: TypeAlias = str | tuple[str, ...] | list[str] | None


def key_of(transform: str, threads: int | None, wrt: Wrt = None) -> Key:
    """What calls of a transform of one function have in common; refuses a `wrt` of no names."""
    if wrt is None or isinstance(wrt, str):
        return transform, threads is None, wrt
    if not isinstance(wrt, tuple | list) or not all(isinstance(n, str) for n in wrt):
        raise ArgumentTypeError(
            f"`wrt` must be the name of an argument or a tuple of names, not {wrt!r}")
    return transform, threads is None, tuple(wrt)


def maker(point: Point, names: list[str], wrt: Wrt) -> Callable[..., Any] | None:
    """What makes the named tuple of a gradient; None if it is one gradient alone."""
    return None if isinstance(wrt, str) else gradient_type(f"{point.f.name}_grad", tuple(names))


def number_of(point: Point) -> str:
    """The output that is one number."""
    outputs = point.float_outputs()
    returned = result_name(point.signature)
    if isinstance(point.signature.result, Scalar) and returned in outputs:
        return returned
    numbers = [n for n, t in outputs.items() if isinstance(t, Scalar)]
    if len(numbers) == 1 and not point.signature.simd:
        return numbers[0]
    name = point.f.name
    what = ", ".join(f"`{n}`" for n in outputs) or "no float"
    raise ArgumentTypeError(
        f"`{name}` has no single number as its output, but {what}",
        "use `jacobian`, or `vjp` with the adjoints of the outputs")


def selected(point: Point, wrt: Wrt) -> list[Argument]:
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


def chosen(point: Point, found: Outputs, wrt: Wrt) -> Value:
    wanted = {a.name: found[a.name] for a in selected(point, wrt)}
    if not point.f.told.issuperset(wanted):
        tell(point.f, wanted)
    return by_name(f"{point.f.name}_grad", wanted, wrt)


def by_name(name: str, found: Outputs, wrt: Wrt) -> Value:
    return found[wrt] if isinstance(wrt, str) else gradients(name, found)


def gradients(name: str, found: Outputs) -> Value:
    """A named tuple of gradients that NumPy takes as one array: its only member, or all numbers."""
    return gradient_type(name, tuple(found))(**found)


@lru_cache(maxsize=1024)
def gradient_type(name: str, members: tuple[str, ...]) -> Callable[..., Any]:
    """The type of such a named tuple."""
    base: Any = named_tuple(name, members)

    def array(self: Value, dtype: Value = None, copy: bool | None = None) -> Value:
        parts = [np.asarray(x) for x in self]
        whole = parts[0] if len(parts) == 1 else np.concatenate([p.ravel() for p in parts])
        return whole.astype(dtype) if dtype is not None else whole.copy() if copy else whole

    if not isinstance(base, type):
        return base  # type: ignore[no-any-return]
    return type(name, (base,), {"__array__": array, "__slots__": ()})
