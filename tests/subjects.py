"""Runs one function of a loma text in every way there is, on plain data.

    after, result = on("llvm", TEXT, F64).call("f", [1.5, [1.0, 2.0], 0.0])

A scalar is a number (an Out one too), a struct is a dict, an array is a list. Nothing that is
passed is changed: `after` holds the operands as the call left them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from properties.doors import Door
from properties.inputs import Case, leaves, wrapped

from loma import driver
from loma.backends.base import Options
from loma.backends.interface import Interface
from loma.backends.toolchain import find_compiler
from loma.frontend import load
from loma.frontend.oracle.program import Cell, Oracle
from loma.host.marshal import Library, ctypes_structs
from loma.ir.derived import Mode, derived_signature, implicit_name
from loma.ir.interp import run
from loma.ir.nodes import Direction, Module, Signature
from loma.ir.types import F32, F64, Scalar

COMPILED = ("llvm", "c")
CORES = ("core", "plain")
EXACT = {F64: 1e-9, F32: 2e-5}
Ran = tuple[list[Any], Any]


def fresh(x: Any) -> Any:
    """The same data, every list and dict an object of its own."""
    if isinstance(x, dict):
        return {k: fresh(v) for k, v in x.items()}
    return [fresh(i) for i in x] if isinstance(x, list) else x


@dataclass(frozen=True)
class Subject:
    """One way to run the functions of a text."""

    signature: Callable[[str], Signature]
    runner: Callable[[Case], Ran]

    def call(self, name: str, args: Sequence[Any], threads: int = 0) -> Ran:
        """The operands as the call leaves them, and its result."""
        return self.runner(Case(name, self.signature(name), fresh(list(args)), threads))

    def outputs(self, name: str, args: Sequence[Any], threads: int = 0) -> list[Any]:
        """The Out and InOut operands after the call, then the result if there is one."""
        signature = self.signature(name)
        after, result = self.call(name, args, threads)
        written = [
            x
            for x, a in zip(after, signature.arguments, strict=True)
            if a.direction is not Direction.IN
        ]
        return written if signature.result is None else [*written, result]


def on(how: str, text: str, float_type: Scalar = F64) -> Subject:
    """The text made ready: 'oracle', 'core' (optimised), 'plain' (function by function), 'llvm'
    or 'c'.
    """
    match how:
        case "oracle":
            return by_oracle(text, float_type)
        case "core" | "plain":
            return by_core(module_of(text, float_type, how == "core"))
        case _:
            return by_target(how, text, float_type)


@cache
def module_of(text: str, float_type: Scalar, fast: bool) -> Module:
    """The core of a text."""
    return driver.core_module(text, "test.py", float_type, fast=fast)


def unboxed(case: Case, data: list[Any], unbox: Callable[[Any], Any]) -> list[Any]:
    """Operands with the boxes of written scalars removed."""
    return [
        unbox(x) if isinstance(a.type, Scalar) and a.direction is not Direction.IN else x
        for x, a in zip(data, case.signature.arguments, strict=True)
    ]


@cache
def by_oracle(text: str, float_type: Scalar) -> Subject:
    """The oracle on the typed tree."""
    module = load(text, "test.py", float_type)
    named = {d.name: (d.mode, d.primal) for d in module.derivatives}

    def signature(name: str) -> Signature:
        if name in module.functions:
            return module.functions[name].signature
        for mode in Mode:
            prefix = implicit_name("", mode)
            if name not in named and name.startswith(prefix):
                return derived_signature(signature(name.removeprefix(prefix)), mode, float_type)
        mode, primal = named[name]
        return derived_signature(signature(primal), mode, float_type)

    def runner(case: Case) -> Ran:
        data = wrapped(case, Cell)
        result = Oracle(module, "f64" if float_type is F64 else "exact").call(
            case.function, data, case.threads
        )
        return unboxed(case, data, lambda c: c.value), result

    return Subject(signature, runner)


def by_core(module: Module) -> Subject:
    """The interpreter of core IR."""

    def runner(case: Case) -> Ran:
        data = wrapped(case, lambda x: [x])
        operands = [*data, case.threads] if case.signature.simd else data
        result = run(module, case.function, operands)
        return unboxed(case, data, lambda c: c[0]), result

    return Subject(lambda name: module.functions[name].signature, runner)


@cache
def by_target(target: str, text: str, float_type: Scalar) -> Subject:
    """A compiled target, called as a host calls it; skipped where its tools are missing."""
    if target not in driver.BACKENDS:
        pytest.skip(f"no target {target}")
    if target == "c" and find_compiler() is None:
        pytest.skip("no C compiler")
    module = module_of(text, float_type, True)
    loaded = driver.BACKENDS[target].build(module, Options())
    structs = ctypes_structs(module.structs)
    door = Door(module.structs, structs, Library(Interface.of(module), loaded, structs))
    return Subject(lambda name: module.functions[name].signature, door.call)


def differences(got: Any, wanted: Any, tolerance: float = 1e-9) -> list[str]:
    """The scalars that are wrong, in words."""
    there, here = dict(leaves(wanted)), dict(leaves(got))
    found = [f"{path or 'it'} is there or not" for path in there.keys() ^ here.keys()]
    for path in there.keys() & here.keys():
        g, w = float(here[path]), float(there[path])
        if not (
            g == w
            or g != g
            and w != w
            or abs(g - w) <= tolerance * max(1.0, abs(w))
            and math.isfinite(w)
        ):
            found.append(f"{path or 'it'}: {g!r}, expected {w!r}")
    return found
