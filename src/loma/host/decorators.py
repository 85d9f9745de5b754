"""The decorators: Python functions and kernels that are compiled as loma."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, overload

from loma.host import names
from loma.host.definitions import Decorated
from loma.host.device_target import known_target
from loma.host.function import Function
from loma.ir.types import F64


@overload
def function(fn: Callable[..., Any]) -> Function: ...
@overload
def function(*, debug: bool = ...) -> Callable[[Callable[..., Any]], Function]: ...
def function(fn: Callable[..., Any] | None = None, *, debug: bool = False) -> Any:
    """Compiles a Python function as loma: the decorator.

    `debug`: with checks of divisions, domains and indices.
    """
    return partial(function, debug=debug) if fn is None else _decorated(fn, False, debug)


@overload
def kernel(fn: Callable[..., Any]) -> Function: ...
@overload
def kernel(*, debug: bool = ..., target: str | None = ...) -> Callable[..., Function]: ...
def kernel(fn: Callable[..., Any] | None = None, *, debug: bool = False,
           target: str | None = None) -> Any:
    """Compiles a Python function as a loma kernel, which threads run: the decorator.

    `target`: the device that runs it: "cuda", "opencl", "wgsl" or "ispc".
    """
    known_target(target)
    make = partial(_decorated, simd=True, debug=debug, target=target)
    return make if fn is None else make(fn)


def _decorated(fn: Callable[..., Any], simd: bool, debug: bool,
               target: str | None = None) -> Function:
    if isinstance(fn, Function):
        raise TypeError(f"`{fn.__name__}` is decorated already")
    made = Function(Decorated(fn, simd or hasattr(fn, names.SIMD)))  # type: ignore[arg-type]
    made.debug, made.target = debug, target
    if made.program.complete and made.program.template is None:
        made.describe(made.program.fixed_type or F64)
    return made
