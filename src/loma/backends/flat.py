"""Kernels in languages without pointers: an array is a buffer, and so is, with one element, what is
written. A `FlatDialect` says which language; tapes lie in buffers behind the arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from loma.backends.c import sorted_structs, tidy
from loma.backends.cfamily import Dialect, Types
from loma.backends.cfamily_facts import facts
from loma.backends.cfamily_statements import Program
from loma.backends.device import DeviceText, KernelFacts, holds_pointer, typed
from loma.backends.device import refusal as device_refusal
from loma.backends.device_function import Stops
from loma.backends.flat_function import Flat, FlatEntry, Words
from loma.ir.kernel import Kernel
from loma.ir.layout import INDENT, Line, wrapped
from loma.ir.names import Names
from loma.ir.nodes import Alloc, Apply, Const, Load, Module, Op, Store, Var, Window
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import walk
from loma.ir.types import ArrayType, Ref, Scalar, StructDef, StructType, TapeType, Type

WIDE: Final = (Scalar.I64, Scalar.F64)


@dataclass(frozen=True, slots=True)
class FlatDialect:
    """What is particular to a language without pointers, beside its spellings.

    `opening` and `runtime` are text: always, and for the kernels of a body. `entry` prints the
    entry of a kernel, `struct` is the head, a member and the end of one. `add` and `add_real` add
    to memory that threads share; `words`: such memory is of atomic words. `stop`, `push`, `pop` and
    `drop` are statements and expressions, `stopped` tells whether the thread stopped itself.
    `values`: what is passed by value can be assigned. `narrow`: there are no 64-bit numbers.
    `missing` are elementary functions that there are not. `prefixed`: buffers have names in the
    whole module.
    """

    dialect: Dialect
    opening: str
    runtime: Callable[[str], str]
    entry: Callable[[FlatEntry], list[str]]
    struct: tuple[str, str, str]
    add: str
    add_real: str
    stop: str
    stopped: str
    push: str
    pop: str
    drop: str
    words: Words | None = None
    values: bool = True
    narrow: bool = False
    missing: frozenset[str] = frozenset()
    prefixed: bool = False

    def refusal(self, k: Kernel, module: Module) -> str | None:
        """Why the language cannot run a kernel, or None if it can."""
        why = device_refusal(k, module, self.dialect.name, pointers=False)
        return why or next(_reasons(self, k, module), None)

    def text(self, module: Module, kernels: list[Kernel]) -> DeviceText:
        """Kernels of a module as one module of the language; none may have a `refusal`."""
        return _text(self, module, kernels)


def structs(module: Module, narrow: bool = False) -> dict[str, StructDef]:
    """The structs without pointers, and without 64-bit numbers if those are none."""
    kept = (n for n in module.structs if not holds_pointer(StructType(n), module.structs))
    return {n: module.structs[n] for n in kept if not (narrow and _wide(StructType(n), module))}


def _text(target: FlatDialect, module: Module, kernels: list[Kernel]) -> DeviceText:
    dialect = target.dialect
    supply = Names(dialect.taken)
    used = structs(module, target.narrow)
    shown = {name: supply.fresh(_plain(dialect, name)) for name in used}
    entries = {k.name: supply.fresh(dialect.field(k.name)) for k in kernels}
    threads = Module(used, {k.thread.name: k.thread for k in kernels}, module.float_type)
    known = facts(threads)
    program = Program(threads, known, dialect, Types(dialect, shown), entries, False)
    stops = Stops()
    printers = {k.name: Flat(k, program, stops, target) for k in kernels}
    body = "\n".join(_printed(target.entry(printers[k.name].entry())) for k in kernels)
    declared = [_struct(target, program.types, s) for s in sorted_structs(threads)]
    if target.words is not None:
        atomic = target.words.types(program.types)
        able = [_struct(target, atomic, s) for s in sorted_structs(threads)]
        declared += _mentioned(able, [f"{shown[s.name]}_atomic" for s in sorted_structs(threads)],
                               body)
    text = "\n".join([target.opening, *declared, target.runtime(body), body])
    found = {
        k.name: KernelFacts(
            entries[k.name],
            k.thread.name in known.context,
            any(isinstance(v.content, TapeType) for v in _locals(k)),
            False,
            0,
            printers[k.name].written,
            printers[k.name].positions(k.added),
        )
        for k in kernels
    }
    return DeviceText(tidy(text), found, tuple(stops.found))


def _plain(dialect: Dialect, name: str) -> str:
    """A name for a struct, where none may begin with an underscore if types come last."""
    return f"S{name}" if dialect.array and name[:1] == "_" else dialect.field(name)


def _struct(target: FlatDialect, types: Types, s: StructDef) -> str:
    head, member, end = target.struct
    field = target.dialect.field
    lines = [member.format(types.declare(t, field(m))) for m, t in s.members]
    return "\n".join([head.format(types.structs[s.name]), *(INDENT + x for x in lines), end])


def _mentioned(texts: list[str], names: list[str], body: str) -> list[str]:
    """The declarations of those names that a body mentions, or one of them; inner ones come
    first."""
    kept: list[str] = []
    for text, name in reversed(list(zip(texts, names, strict=True))):
        if name in body or any(name in other for other in kept):
            kept.append(text)
    return kept[::-1]


def _printed(lines: list[str]) -> str:
    """Lines as text, none too long."""
    pieces = [piece for line in lines for piece in line.split("\n")]
    return "\n".join(w.text for p in pieces for w in wrapped(Line(p), needs_brackets=False))


def _locals(k: Kernel) -> list[Var]:
    return [op.out for op in walk(k.thread.body) if isinstance(op, Alloc)]


def shape_reasons(name: str, k: Kernel, module: Module) -> Iterator[str]:
    """Why a language cannot hold the arrays of a kernel, if all that it has are arrays."""
    heap = facts(Module(module.structs, {k.thread.name: k.thread}, module.float_type)).heap
    if any(isinstance(op, Window) and op.depth > 1 for op in walk(k.thread.body)):
        yield (f"the kernel `{k.name}` takes a part of an array across its rows: the target "
               f"'{name}' has no pointers")
    if any(isinstance(v.type, Ref) and (v.type.growable or v in heap) for v in _locals(k)):
        yield (f"the kernel `{k.name}` has local arrays whose size is not known or large: the "
               f"target '{name}' has none")


def _reasons(target: FlatDialect, k: Kernel, module: Module) -> Iterator[str]:
    """Why a kernel needs what the language has not."""
    name = target.dialect.name
    yield from shape_reasons(name, k, module)
    if target.narrow:
        yield from _wide_reasons(name, k, module)
    for op in walk(k.thread.body):
        if isinstance(op, Apply) and op.prim.name in target.missing:
            yield f"the kernel `{k.name}` calls `{op.prim.name}`, which the target '{name}' has not"


def _wide_reasons(name: str, k: Kernel, module: Module) -> Iterator[str]:
    for a in k.thread.signature.arguments:
        if _wide(a.type, module):
            yield (f"the kernel `{k.name}` takes {typed(a, module)}: the target '{name}' has no "
                   "64-bit numbers; use f32 and i32")
    if any(_computes_wide(op) for op in walk(k.thread.body)):
        yield f"the kernel `{k.name}` computes in 64 bits: the target '{name}' has none"


def _computes_wide(op: Op) -> bool:
    """Whether an operation wants 64 bits: all but the counting of rounds."""
    match op:
        case Load(out=out):
            return out.type in WIDE
        case Store(value=Const(type=t)) | Store(value=Var(type=t)):
            return t in WIDE
        case Apply(prim, args, out):
            if out.type is Scalar.F64 or any(a.type is Scalar.F64 for a in args):
                return True
            counts = prim in (A.ADD, A.SUB) and isinstance(args[1], Const) and args[1].value == 1
            return out.type is Scalar.I64 and not counts and prim is not A.SELECT
        case _:
            return False


def _wide(t: Type, module: Module) -> bool:
    match t:
        case Scalar():
            return t in WIDE
        case ArrayType(element):
            return _wide(element, module)
        case StructType(name):
            return any(_wide(m, module) for _, m in module.structs[name].members)
        case _:
            return False
