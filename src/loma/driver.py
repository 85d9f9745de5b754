"""From source text to core IR that a backend can compile: the file to open first.

    source --load--> typed tree --lower--> core IR --BEFORE_AD, forward/reverse, AFTER_AD-->
      --FINAL--> core IR

Derivatives are made on demand (`derivation.py`), so source order never matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from loma.ad.errors import NotDifferentiable
from loma.backends.base import Backend
from loma.backends.c import BACKEND as C
from loma.backends.llvm import LLVM
from loma.derivation import DISPLAY, QUICK, Derivation
from loma.diagnostics import Diagnostic
from loma.frontend import load, no_collection, typed
from loma.frontend.codes import derivatives
from loma.frontend.errors import raise_all
from loma.ir.analysis.zeros import zeros
from loma.ir.kernel import Kernel
from loma.ir.nodes import (
    Call,
    For,
    Function,
    Module,
    Parallel,
    While,
)
from loma.ir.traverse import walk
from loma.ir.types import F32, Scalar
from loma.opt import blocks, device, outline, pipeline, twins

BACKENDS: Final[dict[str, Backend]] = {LLVM.name: LLVM, C.name: C}
LOOPS: Final = (For, While, Parallel)


def core_module(
    source: str,
    file: str = "<loma>",
    float_type: Scalar = F32,
    *,
    fast: bool = True,
    strict: bool = False,
    callees: bool = True,
    debug: bool = False,
    path: Sequence[str | Path] = (),
) -> Module:
    """The module with every requested derivative, and (`callees`) those of the functions that they
    call.

    `fast`: inline before differentiation and optimise for running; otherwise derivatives are made
    function by function and kept readable. `strict`: sums keep their order. Raises UserError with
    diagnostics. `debug`: with checks of divisions, domains and indices. `path`: where imported
    files are looked for, after the folder of `file`.
    """
    with no_collection():
        program = load(source, file, float_type, path)
        return differentiated(
            program, fast=fast, strict=strict, callees=callees, debug=debug)


def differentiated(
    program: typed.Module, *, fast: bool = True, strict: bool = False, callees: bool = True,
    debug: bool = False,
) -> Module:
    """The core of a checked program, derivatives included; the options are those of
    `core_module`.
    """
    return finished(derived(program, fast=fast, callees=callees, debug=debug), strict)


def derived(
    program: typed.Module, *, fast: bool = True, callees: bool = True, debug: bool = False
) -> Derivation:
    """All derivatives of a checked program, made; the options are those of `core_module`."""
    work = Derivation(program, fast, debug)
    raise_all(
        [
            derivatives.race(r.write.span, name, r.write.root.name, r.other.span, kernel)
            for name, kernel, r in work.races()
            if r.proven
        ],
        program.source,
        program.files,
    )
    try:
        for d in program.derivatives:
            work.function(d.name)
        if callees:
            work.export_callees()
        work.make_all()
    except NotDifferentiable as refused:
        raise_all(
            [derivatives.refused(refused.span, refused.function, refused.reason, refused.help)],
            program.source,
            program.files,
        )
    return work


def kernels(
    module: Module,
    *,
    strict: bool = False,
    aliased: bool = False,
    segmented: bool = True,
    owning: bool = False,
) -> list[Kernel]:
    """The kernels of a module for devices.

    `aliased`: their arguments may be the same memory. `segmented`: the device counts segments of
    loops in 64 bits. `owning`: kernels are told which arrays hold nothing yet.
    """
    chosen = [f for f in module.functions.values() if f.signature.simd and f.exported]
    return [
        device.kernel(
            f, module, strict=strict, aliased=aliased, segmented=segmented, owning=owning
        )
        for f in chosen
    ]


def assumptions(program: typed.Module) -> list[Diagnostic]:
    """What is taken for granted about the threads of the program's kernels because it cannot be
    decided.
    """
    found = [
        derivatives.assumption(r.write.span, name, r.write.root.name, r.other.span, kernel)
        for name, kernel, r in Derivation(program, fast=True).races()
        if not r.proven
    ]
    return list({(d.message, d.span): d for d in found}.values())


def zero_gradients(program: typed.Module, function: str) -> dict[str, Diagnostic]:
    """The inputs of a function by which its derivatives are zero everywhere, each with a
    warning.
    """
    if function not in program.functions or any(r.primal == function for r in program.rules):
        return {}
    work = Derivation(program, fast=True)
    f = work.inlined(function, QUICK)
    return {
        z.argument: derivatives.zero(z.span, function, z.argument, z.cause)
        for z in zeros(f, work.module.structs)
    }


def finished(work: Derivation, strict: bool) -> Module:
    """The module with its final passes run."""
    module = replace(work.module, functions=dict(work.raw))
    if not work.fast:
        return replace(
            module,
            functions={n: pipeline.run(DISPLAY, f, module) for n, f in work.raw.items()},
        )
    ready = {} if strict else {n: f for n, f in work.prepared.items() if not work.is_ruled(f)}
    passes = pipeline.STRICT if strict else pipeline.FINAL
    cold = cold_ones(work)
    done: dict[str, Function] = {}
    todo = [name for name in work.raw if name not in cold]
    while todo:
        for name in todo:
            done[name] = (
                pipeline.run(pipeline.PREPARED, ready[name], module)
                if name in ready
                else pipeline.run(passes, work.raw[name], module)
            )
        todo = sorted(calls(done.values()) - done.keys())
    functions = {
        name: done.get(name) or replace(pipeline.run(pipeline.COLD, f, module), cold=True)
        for name, f in work.raw.items()
    }
    if not strict:
        functions = twins.with_twins(functions, module)
    functions = without_unused(functions)
    module = outline.run(replace(module, functions=functions))
    return module if strict else blocks.run(module)


def cold_ones(work: Derivation) -> set[str]:
    """What need not be fast unless it is called in the end: helpers without loops, which are
    inlined where they count, and derivatives that nobody asked for by name.
    """
    asked = {d.name for d in work.program.derivatives}
    helpers = calls(work.raw.values())
    return {
        name
        for name, f in work.raw.items()
        if (f.exported or name in work.program.functions)
        and name not in asked
        and (
            name not in work.program.functions
            or (name in helpers and not any(isinstance(op, LOOPS) for op in walk(f.body)))
        )
    }


def without_unused(functions: dict[str, Function]) -> dict[str, Function]:
    """The functions without those that are neither exported nor called."""
    kept = {name for name, f in functions.items() if f.exported}
    todo = [functions[name] for name in kept]
    while todo:
        f = todo.pop()
        found = (calls((f,)) | ({f.fast} if f.fast else set())) - kept
        kept |= found
        todo += [functions[name] for name in found]
    return {name: f for name, f in functions.items() if name in kept}


def calls(functions: Iterable[Function]) -> set[str]:
    """The names of all functions that the given ones call."""
    ops = (op for f in functions for op in walk(f.body))
    return {op.function for op in ops if isinstance(op, Call)}
