"""Judges programs: every way of running a function and its derivatives agrees with the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from subjects import COMPILED, differences, fresh, module_of, on

from loma.diagnostics import RunError, UserError
from loma.driver import assumptions, core_module
from loma.frontend import load
from loma.ir.nodes import Module, Signature
from loma.ir.text import module_text
from loma.ir.types import F64, ArrayType, Scalar, StructDef, StructType, Type

HOWS = ("core", "plain", *COMPILED)
LENGTH = 6
ORDERS = """d = fwd_diff({0})
r = rev_diff({0})
rr = rev_diff(r)
fr = fwd_diff(r)
rf = rev_diff(d)
"""
NAMES = ("d", "r", "rr", "fr", "rf")


class Operands:
    """Random operands; an int gets the value that `ints` has for its name."""

    def __init__(self, structs: Mapping[str, StructDef], ints: Mapping[str, int]) -> None:
        self.structs = structs
        self.ints = ints
        self.rng = Random(7)

    def of(self, signature: Signature) -> list[Any]:
        """An operand for each argument."""
        return [self.value(a.type, a.name) for a in signature.arguments]

    def value(self, t: Type, name: str) -> Any:
        """Data of a type."""
        match t:
            case Scalar():
                number = round(self.rng.uniform(0.2, 1.6), 3)
                return number if t.is_float else self.ints.get(name, 0)
            case ArrayType(element, size):
                return [self.value(element, name) for _ in range(size or LENGTH)]
            case StructType(of):
                return {m: self.value(mt, m) for m, mt in self.structs[of].members}
            case _:
                raise AssertionError(t)


def agree(text: str, function: str, order: int = 2, **ints: int) -> None:
    """The function and its derivatives up to an order, on all subjects."""
    names = {0: (), 1: NAMES[:2], 2: NAMES}[order]
    requests = ORDERS.format(function).splitlines()[: len(names)]
    text = "\n".join([text, *requests, ""])
    threads = ints.pop("threads", 0)
    oracle = on("oracle", text, F64)
    structs = load(text, "test.py", F64).structs
    for name in (function, *names):
        args = Operands(structs, ints).of(oracle.signature(name))
        wanted = oracle.call(name, fresh(args), threads)
        for how in HOWS:
            found = on(how, text, F64).call(name, fresh(args), threads)
            assert differences(list(found), list(wanted), 1e-8) == [], (how, name)
    for fast in (True, False):
        printed(module_of(text, F64, fast), (function, *names), ints, threads)


def printed(module: Module, names: tuple[str, ...], ints: Mapping[str, int], threads: int) -> None:
    """What is printed parses again, and computes the same."""
    text = module_text(module)
    for name in names:
        signature = module.functions[name].signature
        args = Operands(module.structs, ints).of(signature)
        wanted = on("core", text, F64).call(name, fresh(args), threads)
        found = on("plain", text, F64).call(name, args, threads)
        assert differences(list(found), list(wanted)) == [], name


def shown(text: str, name: str, fast: bool = False) -> str:
    """A function of the module as text."""
    lines = module_text(core_module(text, "test.py", F64, fast=fast)).split("\n\n")
    return next(x for x in lines if x.lstrip().removeprefix("@simd\n").startswith(f"def {name}("))


def codes(text: str) -> list[str]:
    """The codes of the errors in a program."""
    with pytest.raises(UserError) as caught:
        core_module(text, "test.py", F64)
    return [d.code for d in caught.value.diagnostics]


def remarks(text: str) -> list[str]:
    """The codes of what is assumed."""
    return [d.code for d in assumptions(load(text, "test.py", F64))]


def traps(text: str, name: str, args: list[Any]) -> set[tuple[str, int]]:
    """The trap and line with which a call ends, on all subjects."""
    found = set()
    for how in ("oracle", *HOWS):
        with pytest.raises(RunError) as caught:
            on(how, text, F64).call(name, fresh(args))
        found.add((caught.value.code, caught.value.line))
    return found


__all__ = ["agree", "codes", "remarks", "shown", "traps"]
