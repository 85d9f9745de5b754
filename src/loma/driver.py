"""From source text to core IR that a backend can compile: the file to open first.

    source --load--> typed tree --lower--> core IR --BEFORE_AD, forward/reverse, AFTER_AD-->
      --FINAL--> core IR

Derivatives are made on demand, so source order never matters: preparing a function that calls a
derivative makes the derivative first; a transform that meets a call asks for the derivative of
the callee.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from loma.ad.errors import NotDifferentiable
from loma.ad.forward import forward
from loma.ad.function import refuse_phantoms, reverse
from loma.ad.incoming import must_writes
from loma.ad.split import Splitter
from loma.backends.base import Backend
from loma.backends.c import BACKEND as C
from loma.backends.llvm import LLVM
from loma.diagnostics import Diagnostic, Span
from loma.frontend import load, no_collection, typed
from loma.frontend.codes import derivatives
from loma.frontend.errors import raise_all
from loma.frontend.lower import lower
from loma.ir.analysis.clashes import clashes
from loma.ir.analysis.races import Race, races
from loma.ir.analysis.roots import written_params
from loma.ir.derived import Mode, implicit_name
from loma.ir.nodes import (
    Accum,
    Call,
    For,
    Function,
    Module,
    Parallel,
    Store,
    StoreRef,
    While,
)
from loma.ir.traverse import is_parallel, regions, walk
from loma.ir.types import F32, Scalar, TapeType
from loma.opt import induction, inline, outline, pipeline, promote, raise_accum, raise_loops

BACKENDS: Final[dict[str, Backend]] = {LLVM.name: LLVM, C.name: C}
BEFORE_AD: Final = (*pipeline.BEFORE_AD, promote.promote_params, pipeline.simplify)
"""Before a differentiation that wants what is called inlined: always so for the fast product."""
LOOPS: Final = (For, While, Parallel)
DISPLAY: Final = (
    promote.run,
    pipeline.simplify,
    raise_loops.run,
    induction.run,
    pipeline.simplify,
    raise_accum.run,
)
"""For the readable product: before differentiation and in the end. Nothing is inlined."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A derivative to make."""

    name: str
    mode: Mode
    primal: str


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
    work = _Derivation(program, fast, debug)
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
    return work.finished(strict)


def writes_in_loops(f: Function) -> bool:
    """Whether a loop writes memory, so that it matters what that is distinct from."""
    loops = (op for op in walk(f.body) if isinstance(op, LOOPS))
    return any(
        isinstance(op, Store | Accum | StoreRef | Call)
        for loop in loops
        for inner in regions(loop)
        for op in walk(inner)
    )


def with_twins(functions: dict[str, Function], module: Module) -> dict[str, Function]:
    """The functions, and a distinct twin of each exported one with loops over arrays that it
    writes.
    """
    found = dict(functions)
    for name, f in functions.items():
        if f.exported and not f.cold and writes_in_loops(f) and clashes(f):
            twin = replace(f, name=f"_distinct_{name}", exported=False, distinct=True)
            found[twin.name] = pipeline.run(pipeline.DISTINCT, twin, module)
            found[name] = replace(f, fast=twin.name)
    return found


def assumptions(program: typed.Module) -> list[Diagnostic]:
    """What is taken for granted about the threads of the program's kernels because it cannot be
    decided.
    """
    found = [
        derivatives.assumption(r.write.span, name, r.write.root.name, r.other.span, kernel)
        for name, kernel, r in _Derivation(program, fast=True).races()
        if not r.proven
    ]
    return list({(d.message, d.span): d for d in found}.values())


class _Derivation:
    """The functions made so far, and the names of those that can be made.

    `raw`: as lowered or derived. `prepared`: the same, simplified for being differentiated or
    inlined. `wanted`: derivatives that are made when someone asks for them by name.
    """

    def __init__(self, program: typed.Module, fast: bool, debug: bool = False) -> None:
        self.program = program
        self.fast = fast
        bodies = {name for name, f in program.functions.items() if f.thread}
        kept = {d.primal for d in program.derivatives}
        core = inline.inline_only(lower(program, debug), bodies, kept)
        self.module = core
        self.raw: dict[str, Function] = dict(core.functions)
        self.prepared: dict[str, Function] = {}
        self.wanted = {d.name: Wanted(d.name, d.mode, d.primal) for d in program.derivatives}
        self.requested = {d.name for d in program.derivatives if d.exported}
        self.declared = {(d.mode, d.primal): d.name for d in reversed(program.derivatives)}
        self.splitter = Splitter(
            core, self.prepare, {}, must_writes(self.prepare), taken={*self.raw, *self.wanted}
        )

    # Functions by name.

    def function(self, name: str) -> Function:
        """A function as lowered, or as derived; made now if need be."""
        if name not in self.raw:
            self.derive(self.wanted[name])
        return self.raw[name]

    def prepare(self, name: str) -> Function:
        """The function simplified for differentiation, what it calls inlined (if fast)."""
        if name not in self.prepared:
            f = self.function(name)
            called = self.called(f)
            if self.fast:
                known = {g: self.prepared.get(g, self.raw[g]) for g in called} | {name: f}
                f = pipeline.run(BEFORE_AD, f, replace(self.module, functions=known))
            else:
                f = pipeline.run(DISPLAY, f, self.module)
            self.prepared[name] = f
        return self.prepared[name]

    def called(self, f: Function) -> dict[str, None]:
        """Every function that `f` may reach, made and (but for cycles) prepared."""
        found: dict[str, None] = {}
        todo = [f]
        while todo:
            for op in walk(todo.pop().body):
                if isinstance(op, Call) and op.function not in found:
                    found[op.function] = None
                    todo.append(self.function(op.function))
        return found

    def races(self) -> list[tuple[str, bool, Race]]:
        """The conflicts between the threads of the file's own kernels, and between the rounds of
        its parallel loops, by function; whether that is a kernel. Those of a kernel are not told
        again where it is launched.
        """
        own = [f for f in self.module.functions.values() if any(map(is_parallel, walk(f.body)))]
        found: dict[tuple[Span, Span], tuple[str, bool, Race]] = {}
        for f in sorted(own, key=lambda f: not f.signature.simd):
            for race in races(self.prepare(f.name)):
                key = race.write.span, race.other.span
                found.setdefault(key, (f.name, f.signature.simd, race))
        return list(found.values())

    # Derivatives.

    def name_of(self, primal: str, mode: Mode) -> str:
        """The name of a derivative: the declared one, else the implicit one, which is then
        wanted.
        """
        name = self.declared.get((mode, primal))
        if name is None:
            name = implicit_name(primal, mode)
            self.wanted.setdefault(name, Wanted(name, mode, primal))
        return name

    def derive(self, want: Wanted) -> None:
        """Makes a derivative."""
        f = self.prepare(want.primal)
        match want.mode:
            case Mode.FORWARD:
                made = forward(f, want.name, self.module, lambda g: self.name_of(g, Mode.FORWARD))
                self.raw[want.name] = pipeline.run(pipeline.AFTER_AD, made, self.module)
            case Mode.REVERSE:
                self.derive_reverse(want, f)
        if want.name in self.requested:
            self.raw[want.name] = with_export(self.raw[want.name])

    def derive_reverse(self, want: Wanted, f: Function) -> None:
        """Makes a reverse derivative; one that is refused function by function may still be had
        with what it calls inlined.
        """
        try:
            self.reverse_of(want, f)
        except NotDifferentiable:
            if self.fast:
                raise
            self.reverse_of(want, self.inlined(want.primal))

    def inlined(self, name: str) -> Function:
        """The function simplified for differentiation, what it calls inlined."""
        f = self.function(name)
        known = {g: self.raw[g] for g in self.called(f)} | {name: f}
        return pipeline.run(BEFORE_AD, f, replace(self.module, functions=known))

    def reverse_of(self, want: Wanted, f: Function) -> None:
        """Makes a reverse derivative, and the halves of the callees that stay calls."""
        reachable = {name: self.prepare(name) for name in self.called(f)} | {f.name: f}
        self.splitter.written = written_params(reachable)
        with self.splitter.undone_by(NotDifferentiable):
            made, phantoms = reverse(f, want.name, self.module, self.splitter)
            made = pipeline.run(pipeline.AFTER_AD, made, self.module)
            refuse_phantoms(want.primal, made, phantoms)
        self.raw[want.name] = made
        for name, half in self.splitter.made.items():
            if name not in self.raw:
                self.raw[name] = pipeline.run(pipeline.AFTER_AD, half, self.module)

    def export_callees(self) -> None:
        """Makes the implicit derivatives of all functions that the differentiated ones call.

        One that has no derivative of its own is left out: its callers were differentiated with it
        inlined.
        """
        done: set[tuple[Mode, str]] = set()
        todo = [(d.mode, d.primal) for d in self.program.derivatives]
        while todo:
            mode, primal = todo.pop()
            if (mode, primal) in done:
                continue
            done.add((mode, primal))
            for op in walk(self.function(primal).body):
                if isinstance(op, Call) and self.raw[op.function].exported:
                    self.export(op.function, mode)
                if isinstance(op, Call) and op.function in self.program.functions:
                    todo.append((mode, op.function))

    def make_all(self) -> None:
        """Makes every derivative that is wanted by now."""
        while missing := [w for w in self.wanted.values() if w.name not in self.raw]:
            for want in missing:
                self.function(want.name)

    def export(self, function: str, mode: Mode) -> None:
        """Makes one implicit derivative, if there is one."""
        name = self.name_of(function, mode)
        try:
            self.function(name)
        except NotDifferentiable:
            del self.wanted[name]

    def finished(self, strict: bool) -> Module:
        """The module with its final passes run."""
        module = replace(self.module, functions=dict(self.raw))
        if not self.fast:
            return replace(
                module,
                functions={n: pipeline.run(DISPLAY, f, module) for n, f in self.raw.items()},
            )
        ready = {} if strict else self.prepared
        passes = pipeline.STRICT if strict else pipeline.FINAL
        cold = self.cold()
        done: dict[str, Function] = {}
        todo = [name for name in self.raw if name not in cold]
        while todo:
            for name in todo:
                done[name] = (
                    pipeline.run(pipeline.PREPARED, ready[name], module)
                    if name in ready
                    else pipeline.run(passes, self.raw[name], module)
                )
            todo = sorted(calls(done.values()) - done.keys())
        functions = {
            name: done.get(name) or replace(pipeline.run(pipeline.COLD, f, module), cold=True)
            for name, f in self.raw.items()
        }
        if not strict:
            functions = with_twins(functions, module)
        functions = without_unused(functions)
        return outline.run(replace(module, functions=functions))

    def cold(self) -> set[str]:
        """What need not be fast unless it is called in the end: helpers without loops, which are
        inlined where they count, and derivatives that nobody asked for by name.
        """
        asked = {d.name for d in self.program.derivatives}
        helpers = calls(self.raw.values())
        return {
            name
            for name, f in self.raw.items()
            if (f.exported or name in self.program.functions)
            and name not in asked
            and (
                name not in self.program.functions
                or (name in helpers and not any(isinstance(op, LOOPS) for op in walk(f.body)))
            )
        }


def with_export(f: Function) -> Function:
    """The function for callers outside, if they can pass its arguments."""
    inside = any(isinstance(a.type, TapeType) or a.growable for a in f.signature.arguments)
    return replace(f, exported=not inside)


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
