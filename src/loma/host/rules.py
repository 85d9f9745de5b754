"""Derivatives that a Python program writes itself: the decorators `custom_fwd` and `custom_rev`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from loma.diagnostics import UserError
from loma.host.definitions import LOCK, Decorated, definition_of
from loma.host.function import Function
from loma.host.refusals import ArgumentTypeError
from loma.ir.derived import Mode
from loma.ir.types import F64


def custom_fwd(f: Function) -> Callable[[Callable[..., Any]], Function]:
    """Makes a Python function the forward derivative of a loma function: the decorator.

    The function has the signature of `fwd_diff(f)`, and is compiled as loma.
    """
    return partial(_rule, f, Mode.FORWARD)


def custom_rev(f: Function) -> Callable[[Callable[..., Any]], Function]:
    """Makes a Python function the reverse derivative of a loma function: the decorator.

    The function has the signature of `rev_diff(f)`, and is compiled as loma.
    """
    return partial(_rule, f, Mode.REVERSE)


def _rule(f: Function, mode: Mode, fn: Callable[..., Any]) -> Function:
    primal = definition_of(f)
    word = f"custom_{mode.value}"
    if not isinstance(primal, Decorated):
        raise ArgumentTypeError(
            f"`{word}` is for what `@loma.function` or `@loma.kernel` made",
            f"in a program of its own, write `@{word}` in the text")
    generic = f.program.template is not None
    rule = Decorated(fn, f.is_kernel, (mode, primal))  # type: ignore[arg-type]
    made = Function(rule)
    made.debug = f.debug
    before = primal.rules.get(mode)
    with LOCK:
        _set(primal, mode, rule)
        try:
            if not generic:
                f.describe(f.program.fixed_type or F64)
        except UserError:
            _set(primal, mode, before)
            raise
    return made


def _set(primal: Decorated, mode: Mode, rule: Decorated | None) -> None:
    """Gives a function a rule, or none; whatever was compiled with it is compiled anew."""
    if rule is None:
        primal.rules.pop(mode, None)
    else:
        primal.rules[mode] = rule
    for user in list(primal.users):
        user.forget()
