"""A module's kernels as one program for a device, in a language like C; a `DeviceDialect` says
which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from loma.backends import device_runtime as R
from loma.backends.c import C, sorted_structs, tidy
from loma.backends.c_words import words
from loma.backends.cfamily import Dialect, Types
from loma.backends.cfamily_facts import facts
from loma.backends.cfamily_statements import Program
from loma.backends.device_entry import NAMES, SCALARS, Entries, Entry
from loma.backends.device_function import Stop, Stops, ThreadPrinter
from loma.backends.llvm.layout import Layout
from loma.diagnostics import CompileError
from loma.ir.kernel import Kernel, element
from loma.ir.layout import INDENT, Line, wrapped
from loma.ir.names import Names
from loma.ir.nodes import Alloc, Argument, Call, Function, Module, Print, Var
from loma.ir.traverse import bound, walk
from loma.ir.types import ArrayType, Ref, Scalar, Structs, StructType, TapeType, Type, type_text

DEVICE: Final = replace(
    C, memory={**SCALARS, Scalar.BOOL: "int32_t"}, outer="", words=C.words | NAMES,
    taken=C.taken | NAMES,
)
"""What the relatives of C have in common."""

LIMITS: Final = {
    "INT32_MIN": "(-2147483647 - 1)",
    "INT32_MAX": "2147483647",
    "INT64_MIN": "(-9223372036854775807{0} - 1)",
    "INT64_MAX": "9223372036854775807{0}",
}


def relative(name: str, reserved: str) -> Dialect:
    """A relative of C that keeps further words for itself."""
    own = words(reserved)
    return replace(DEVICE, name=name, words=DEVICE.words | own, taken=DEVICE.taken | own)


@dataclass(frozen=True, slots=True)
class DeviceDialect:
    """What is particular to a device's language beside its spellings.

    `types` defines the integers of C99, `macros` what the common runtime rests on. `bits` gives,
    for a scalar, how its bits become an integer and how they come back. `add` is the text of the
    functions that add to memory, for a `{kind}` and a `{type}`, `add_all` that of those that add up
    what the threads of a group have. `pointers`: whether memory of the device may hold pointers.
    `doubles`: a declaration that programs with doubles need. `entries` says how kernels begin;
    `printer` prints the thread, `adapted` makes the common runtime one of this language. `pool`, if
    there is one, is the text of functions with which a group collects what its threads add to
    memory that they only add to.
    """

    dialect: Dialect
    types: str
    macros: Mapping[str, str]
    bits: Mapping[Scalar, tuple[str, str]]
    add: Callable[[Scalar], str]
    add_all: str
    entries: Entries
    pointers: bool
    doubles: str = ""
    printer: type[ThreadPrinter] = ThreadPrinter
    adapted: Callable[[str], str] = str
    pool: Callable[[set[Scalar]], str] | None = None

    def opening(self, program: str) -> str:
        """The types, and the macros that a program mentions."""
        known = {**limits(self.dialect.long), **self.macros}
        return self.types + mentioned(defined(known), program)


def limits(long: str) -> dict[str, str]:
    """What C99 calls the smallest and largest integers."""
    return {name: text.format(long) for name, text in LIMITS.items()}


def defined(macros: Mapping[str, str]) -> dict[str, str]:
    """The definitions of macros, by their names without parameters."""
    return {n.split("(")[0]: f"#define {n} {text}".rstrip() for n, text in macros.items()}


def mentioned(lines: Mapping[str, str], program: str) -> str:
    """The lines for those names that a program mentions."""
    return "".join(f"{line}\n" for name, line in lines.items() if name in program)


class DeviceError(CompileError):
    """A program that this target cannot run."""


@dataclass(frozen=True, slots=True)
class DeviceText:
    """A program for a device.

    `stops[n - 1]` is what error n means.
    """

    source: str
    kernels: dict[str, KernelFacts]
    stops: tuple[Stop, ...]


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """What a host must know of a kernel to launch it.

    `entry` is its name. `context`: it takes memory for tapes and local arrays, and can stop itself;
    `tape` and `heap`: it uses such memory. `sums`: for so many places it adds up what threads have
    (one more if its groups collect other additions).
    `writes` are the positions of the arguments that it writes, `added` of those that it only adds
    to, and `owned` of arrays whose element i is thread i's, with the bytes of an element. `told`
    are the positions of arrays whose lengths it is told, with the bytes of an element, and the name
    of the parameter. `lanes`, if any: so many at most share its threads.
    """

    entry: str
    context: bool
    tape: bool
    heap: bool
    sums: int
    writes: frozenset[int]
    added: frozenset[int] = frozenset()
    owned: tuple[tuple[int, int], ...] = ()
    told: tuple[tuple[int, int, str], ...] = ()
    lanes: int = 0

    def started(self, threads: int) -> int:
        """How many lanes so many threads need."""
        return min(threads, self.lanes or threads)


def device_text(
    module: Module,
    kernels: list[Kernel],
    target: DeviceDialect,
    *,
    strict: bool = False,
    plain: bool = True,
) -> DeviceText:
    """Kernels of a module as one program.

    Without `plain`, names that users chose have a prefix, so that nothing can clash. No kernel may
    have a `refusal`.
    """
    return _Unit(module, kernels, target, strict, plain).text()


def refusal(k: Kernel, module: Module, target: str, *, pointers: bool) -> str | None:
    """Why a target cannot run a kernel, or None if it can; `pointers`: its memory may hold them."""
    for op in walk(k.thread.body):
        if isinstance(op, Call):
            return (
                f"the kernel `{k.name}` calls `{op.function}`, which calls itself: the target "
                f"'{target}' has no recursion; 'llvm' and 'c' do"
            )
        if isinstance(op, Print):
            return f"the kernel `{k.name}` prints: the target '{target}' cannot; 'llvm' and 'c' do"
    for a in k.thread.signature.arguments:
        if not pointers and holds_pointer(a.type, module.structs, outside=True):
            return (
                f"the kernel `{k.name}` takes {typed(a, module)}, memory that holds pointers to "
                f"other memory: the target '{target}' has none; use a flat array with offsets"
            )
    return None


def typed(a: Argument, module: Module) -> str:
    """An argument as the program declares it."""
    return f"`{a.name} : {type_text(a.type, module.float_type)}`"


def holds_pointer(t: Type, structs: Structs, outside: bool = False) -> bool:
    """Whether memory of a type holds pointers; `outside`: the type is that of an argument, and the
    pointer of an array to its elements does not count."""
    match t:
        case ArrayType(element, size):
            return (size is None and not outside) or holds_pointer(element, structs)
        case StructType(name):
            return any(holds_pointer(m, structs) for _, m in structs[name].members)
        case _:
            return False


class _Unit:
    def __init__(
        self,
        module: Module,
        kernels: list[Kernel],
        target: DeviceDialect,
        strict: bool,
        plain: bool,
    ) -> None:
        self._target = target
        self._kernels = kernels
        self._plain = plain
        self._stops = Stops()
        dialect = replace(target.dialect, reciprocal_root="") if strict else target.dialect
        self._supply = Names(dialect.taken)
        used = _used_structs(module, [k.thread for k in kernels])
        self._module = replace(
            module,
            structs={n: s for n, s in module.structs.items() if n in used},
            functions={k.thread.name: k.thread for k in kernels},
        )
        structs = {name: self._global(name) for name in self._module.structs}
        self._entries = {k.name: self._global(k.name) for k in kernels}
        called = {k.name: self._supply.fresh(f"{self._entries[k.name]}_thread") for k in kernels}
        self._facts = facts(self._module)
        self._types = Types(dialect, structs)
        self._program = Program(self._module, self._facts, dialect, self._types, called, strict)

    def _global(self, name: str) -> str:
        reserved = self._target.dialect.is_word(name) or name in self._target.dialect.taken
        return self._supply.fresh(f"loma_{name}" if not self._plain or reserved else name)

    def text(self) -> DeviceText:
        """The program."""
        printer, pools = self._target.printer, self._target.pool is not None
        printers = {
            k.name: printer(k, self._program, self._stops, pools=pools) for k in self._kernels
        }
        body = "\n".join(self._kernel(k, printers[k.name]) for k in self._kernels)
        structs = [self._struct(s.name) for s in sorted_structs(self._module)]
        runtime = self._runtime(body)
        program = "\n".join([*structs, runtime, body])
        doubles = self._target.doubles if "double" in program else ""
        opening = self._target.opening(program)
        source = "\n".join(["/* Generated by loma. */", doubles, opening, program])
        known = {k.name: self._known(k, printers[k.name]) for k in self._kernels}
        return DeviceText(tidy(source), known, tuple(self._stops.found))

    def _known(self, k: Kernel, printer: ThreadPrinter) -> KernelFacts:
        locals_ = [op.out for op in walk(k.thread.body) if isinstance(op, Alloc)]
        growable = [v for v in locals_ if isinstance(v.type, Ref) and v.type.growable]
        return KernelFacts(
            self._entries[k.name],
            k.thread.name in self._facts.context,
            any(isinstance(v.content, TapeType) for v in locals_),
            bool(growable) or any(v in self._facts.heap for v in locals_),
            len(k.sums) + printer.pooled,
            printer.written,
            printer.positions(k.added),
            tuple((k.thread.params.index(v), element(v).bytes) for v in k.owned),
            told(k, self._module, printer),
        )

    def _struct(self, name: str) -> str:
        struct, shown = self._module.structs[name], self._types.structs[name]
        field = self._target.dialect.field
        members = [f"{INDENT}{self._types.declare(t, field(m))};" for m, t in struct.members]
        return "\n".join([f"typedef struct {shown} {{", *members, f"}} {shown};\n"])

    def _kernel(self, k: Kernel, printer: ThreadPrinter) -> str:
        context = k.thread.name in self._facts.context
        name = self._program.called[k.name]
        head = f"LOMA_FUNCTION {printer.signature(name, context)}"
        lines = [f"\n{head}", "{", *(INDENT + x for x in printer.lines()), "}"]
        entry = self._entry(k, printer, context)
        lines += ["", *self._target.entries.text(entry, self._target.dialect.shared)]
        pieces = [piece for line in lines for piece in line.split("\n")]
        return "\n".join(
            w.text
            for piece in pieces
            for w in wrapped(Line(piece), needs_brackets=False)
        )

    def _entry(self, k: Kernel, printer: ThreadPrinter, context: bool) -> Entry:
        sums = [
            (s.type, printer.name_of(v), printer.address_of(s))
            for s, v in zip(k.sums, k.totals, strict=True)
        ]
        given = printer.given[: len(k.thread.params) - len(sums)]
        given += [f"&{name}" for _, name, _ in sums]
        if context:
            given.insert(0, "&ctx")
        call = f"{self._program.called[k.name]}({', '.join(given)});"
        index = printer.name_of(k.numbers[0])
        pools = printer.pooled
        name = self._entries[k.name]
        return Entry(name, printer.entry_parameters, call, index, context, sums, pools)

    def _runtime(self, body: str) -> str:
        target, add = self._target, []
        real = [t for t in (Scalar.F32, Scalar.F64) if f"loma_add_all_{t.value}(" in body]
        pooled = {t for t in Scalar if f"loma_pool_{t.value}(" in body}
        for t in Scalar:
            if f"loma_add_{t.value}(" in body or t in real:
                add.append(_of_type(target.add(t), t))
        add += [_of_type(target.add_all, t) for t in real]
        if target.pool is not None and pooled:
            add.append(target.pool(pooled))
        parts = [*add, *_conversions(body)]
        if "loma_context" in body:
            parts.append(R.MEMORY)
            growable = "loma_growable" in body
            if "loma_allocate" in body or growable:
                parts.append(R.HEAP)
            if "loma_tape" in body:
                parts.append(R.TAPE)
                parts += [self._push_pop(t) for t in Scalar if f"_{t.value}(ctx, &" in body]
            if growable:
                parts.append(R.GROWABLE)
        return target.adapted("\n".join(parts))

    def _push_pop(self, t: Scalar) -> str:
        text = R.PUSH_PAIR if t in (Scalar.I64, Scalar.F64) else R.PUSH_WORD
        to, back = self._target.bits[t]
        return _filled(text, kind=t.value, type=SCALARS[t], to=to, back=back)


def told(k: Kernel, module: Module, printer: ThreadPrinter) -> tuple[tuple[int, int, str], ...]:
    """What a host must know of the lengths that a kernel is told."""
    layout = Layout(module.structs)
    return tuple(
        (k.thread.params.index(v), layout.size(v.content.element), printer.name_of(length))
        for v, length in k.lengths.items()
        if isinstance(v.content, ArrayType)
    )


def _conversions(body: str) -> list[str]:
    real = "double" if "double" in body else "float"
    f = "" if real == "double" else "f"
    limits = {
        "low32": f"-2147483648.0{f}",
        "high32": f"2147483648.0{f}",
        "low64": f"-9223372036854775808.0{f}",
        "high64": f"9223372036854775808.0{f}",
    }
    parts = []
    for name, text in (("loma_to_int32", R.TO_INT), ("loma_to_int64", R.TO_LONG)):
        if name in body:
            parts.append(_filled(text, real=real, **limits))
    for width in ("32", "64"):
        if f"loma_shl{width}" in body or f"loma_shr{width}" in body:
            parts.append(_filled(R.SHIFTS, width=width))
    return parts


def _of_type(text: str, t: Scalar) -> str:
    return _filled(text, kind=t.value, type=SCALARS[t])


def _filled(text: str, **values: str) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _used_structs(module: Module, functions: list[Function]) -> set[str]:
    """The structs that kernels mention, and those inside them."""
    used: set[str] = set()

    def visit(t: Type) -> None:
        match t:
            case ArrayType(element):
                visit(element)
            case StructType(name) if name not in used:
                used.add(name)
                for _, member in module.structs[name].members:
                    visit(member)
            case _:
                pass

    for f in functions:
        roots: list[Var] = [*f.params, *bound(f.body)]
        for v in roots:
            if isinstance(v.type, Ref) and not isinstance(v.content, TapeType):
                visit(v.content)
    return used
