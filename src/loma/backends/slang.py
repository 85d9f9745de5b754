"""Slang: kernels as compute entry points, whose arrays are structured buffers.

An entry takes `_tid` and `_total_threads`, then the arguments in order. There are no pointers: an
array is a buffer, and so is, with one element, what is written. Tapes lie in buffers that follow
the arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from loma.backends.c import C, sorted_structs, tidy
from loma.backends.cfamily import Dialect, Root, Types
from loma.backends.cfamily_facts import facts
from loma.backends.cfamily_statements import Program
from loma.backends.device import DeviceText, KernelFacts, holds_pointer
from loma.backends.device import refusal as device_refusal
from loma.backends.device_function import Stops, ThreadPrinter
from loma.backends.slang_runtime import OPENING, WORDS, runtime
from loma.ir import imperative as T
from loma.ir.kernel import Kernel
from loma.ir.layout import INDENT, Line, wrapped
from loma.ir.names import Names
from loma.ir.nodes import Alloc, Argument, Direction, Module, Trap, Var, Window
from loma.ir.traverse import walk
from loma.ir.types import ArrayType, Ref, Scalar, StructDef, StructType, TapeType

SCALARS: Final = {
    Scalar.BOOL: "bool",
    Scalar.I32: "int",
    Scalar.I64: "int64_t",
    Scalar.F32: "float",
    Scalar.F64: "double",
}
MISSING: Final = frozenset({"erf", "erfc", "expm1", "log1p", "cbrt", "hypot", "pow", "round"})
"""Functions that Slang has not, or with another meaning: the runtime has them."""


class SlangDialect(Dialect):
    """Spells elementary functions."""

    def function(self, prim: object, type: Scalar) -> str:
        """The name of an elementary function."""
        name = super().function(prim, type)  # type: ignore[arg-type]
        return f"loma_{name}" if name in MISSING else name


SLANG: Final = SlangDialect(
    name="slang",
    value=SCALARS,
    memory={**SCALARS, Scalar.BOOL: "int"},
    literal={Scalar.F32: "f", Scalar.F64: "l"},
    math={Scalar.F32: "", Scalar.F64: ""},
    to_int=C.to_int,
    tape="loma_tape",
    growable="loma_growable",
    words=C.words | WORDS,
    taken=C.taken | WORDS,
    zero="{}",
)


def slang_text(module: Module, kernels: list[Kernel], *, atomic: bool = True) -> DeviceText:
    """Kernels of a module as one Slang module; none may have a `refusal`.

    `atomic`: additions to memory that threads share are atomic; a device that runs threads one
    after the other does not need it.
    """
    supply = Names(SLANG.taken)
    plain = structs(module)
    shown = {name: supply.fresh(SLANG.field(name)) for name in plain}
    entries = {k.name: supply.fresh(SLANG.field(k.name)) for k in kernels}
    types = Types(SLANG, shown)
    threads = Module(plain, {k.thread.name: k.thread for k in kernels}, module.float_type)
    known = facts(threads)
    program = Program(threads, known, SLANG, types, entries, False)
    stops = Stops()
    printers = {k.name: Flat(k, program, stops) for k in kernels}
    body = "\n".join(printed(printers[k.name].text(entries[k.name])) for k in kernels)
    declared = [
        _struct(types, plain[s.name].members, shown[s.name]) for s in sorted_structs(threads)
    ]
    text = "\n".join([OPENING, *declared, runtime(body, atomic), body])
    facts_ = {
        k.name: KernelFacts(
            entries[k.name],
            k.thread.name in known.context,
            any(
                isinstance(op, Alloc) and isinstance(op.out.content, TapeType)
                for op in walk(k.thread.body)
            ),
            False,
            0,
            printers[k.name].written,
        )
        for k in kernels
    }
    return DeviceText(tidy(text), facts_, tuple(stops.found))


def structs(module: Module) -> dict[str, StructDef]:
    """The structs that Slang can hold: those without pointers."""
    able = (n for n in module.structs if not holds_pointer(StructType(n), module.structs))
    return {n: module.structs[n] for n in able}


def refusal(k: Kernel, module: Module, target: str = "slang") -> str | None:
    """Why a language without pointers cannot run a kernel, or None if it can."""
    common = device_refusal(k, module, target, pointers=False)
    if common is not None:
        return common
    heap = facts(Module(module.structs, {k.thread.name: k.thread}, module.float_type)).heap
    for op in walk(k.thread.body):
        if isinstance(op, Window) and op.depth > 1:
            return (
                f"the kernel `{k.name}` takes a part of an array across its rows: the target "
                f"'{target}' has no pointers"
            )
        if isinstance(op, Alloc) and isinstance(op.out.type, Ref):
            if op.out.type.growable or op.out in heap:
                return (
                    f"the kernel `{k.name}` has local arrays whose size is not known or large: the "
                    f"target '{target}' has none"
                )
    return None


def printed(lines: list[str]) -> str:
    """Lines as text, none too long."""
    pieces = [piece for line in lines for piece in line.split("\n")]
    return "\n".join(w.text for p in pieces for w in wrapped(Line(p), needs_brackets=False))


def _struct(types: Types, members: tuple[tuple[str, object], ...], name: str) -> str:
    lines = [f"{INDENT}{types.declare(t, SLANG.field(m))};" for m, t in members]  # type: ignore[arg-type]
    return "\n".join([f"struct {name}", "{", *lines, "};\n"])


def every(block: T.Block) -> Iterator[T.Stmt]:
    """Every statement of a block, nested ones included."""
    for s in block:
        yield s
        for inner in T.blocks(s):
            yield from every(inner)


class Flat(ThreadPrinter):
    """Prints a kernel's entry, the thread's statements themselves, where there are no pointers."""

    def _parameters(self) -> list[str]:
        """The declarations; what is assigned is a copy, for a uniform cannot be."""
        self._copies: list[str] = []
        targets = (v for s in every(self._body.block) for v in T.targets(s))
        self._assigned = {self._storage.of(v) for v in targets}
        return super()._parameters()

    def _parameter(self, a: Argument, p: Var) -> str:
        name = self._name(self._storage.of(p), a.name)
        writes = "RW" if p in self._written else ""
        declare = self.program.types.declare
        match a.type:
            case ArrayType(element):
                return f"{writes}StructuredBuffer<{declare(element, '')}> {name}"
            case t if a.direction is Direction.IN:
                if self._storage.of(p) in self._assigned:
                    self._copies.append(
                        f"{declare(t, self._name(self._storage.of(p), a.name))} = {name};"
                    )
                return f"uniform {declare(t, name)}"
            case t:
                return f"RWStructuredBuffer<{declare(t, '')}> {name}"

    def _root(self, v: Var) -> Root:
        signature = self.f.signature.arguments
        for a, p in zip(signature, self.f.params, strict=False):
            if p is v and a.direction is not Direction.IN and not isinstance(a.type, ArrayType):
                return Root(f"{self._names[v]}[0]")
        return super()._root(v)

    def text(self, name: str) -> list[str]:
        """The entry."""
        index, count = self.f.params[-2:]
        thread, threads = self._called(index), self._called(count)
        given = [
            "uint _tid : SV_DispatchThreadID",
            "uniform int _total_threads",
            *self.parameters[:-2],
        ]
        opening = [
            "if (_tid >= _total_threads)",
            f"{INDENT}return;",
            f"int {thread} = (int)_tid;",
            *self._copies,
        ]
        lines = self.lines()
        if any(threads in line for line in lines):
            opening.append(f"int {threads} = _total_threads;")
        if self.traps:
            given += ["RWStructuredBuffer<uint> _words", "uniform uint _capacity"]
            given += ["RWStructuredBuffer<int> _error"]
            opening.append(
                "loma_context ctx = { _tid, (uint)_total_threads, 0, _capacity, false };"
            )
        head = f"void {name}({', '.join(given)})"
        lines = [x for line in [*opening, *lines] for x in line.split("\n")]
        body = [INDENT + x for x in lines]
        return ['[shader("compute")]', "[numthreads(64, 1, 1)]", head, "{", *body, "}\n"]

    def _simple(self, s: T.Stmt) -> str:
        match s:
            case T.Add(place, value) if place.root in self._given:
                return f"LOMA_ADD({self._show.place(place)[0]}, {self._show.of(value)});"
            case _:
                return super()._simple(s)

    stopped = "ctx.stopped"

    def _stop(self, number: int) -> str:
        return f"loma_stop(ctx, _error, {number});"

    def _push(self, tape: T.Place, e: T.Expr) -> str:
        kind = T.scalar_type(e).value
        given = f"ctx, _words, _error, {self._show.place(tape)[0]}, {self._show.of(e)}"
        return f"if (!loma_push_{kind}({given}))\n{INDENT}{self._leave()}"

    def _pop(self, tape: T.Place, v: Var) -> str:
        number, _ = self._reason(Trap.INDEX, "pop from an empty tape")
        given = f"ctx, _words, _error, {self._show.place(tape)[0]}, {number}"
        popped = f"{self._called(v)} = loma_pop_{v.scalar.value}({given});\n"
        return popped + "\n".join(self._stopped())

    def _free(self, root: Var) -> str:
        return f"loma_drop(ctx, _words, {self._names[root]});"
