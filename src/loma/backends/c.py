"""The C backend: a module as a C program and a header, compiled to a shared library that is
loaded."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loma.backends import c_header, c_load, c_print, c_stack, toolchain
from loma.backends.base import Backend, Loaded, Options
from loma.backends.c_runtime import needed_parts, pure_parts, push_pop
from loma.backends.c_words import KEYWORDS, MACROS, NEEDED, is_reserved
from loma.backends.cache import Cache, key
from loma.backends.cfamily import Dialect, Types
from loma.backends.cfamily_facts import facts
from loma.backends.cfamily_function import FunctionPrinter
from loma.backends.cfamily_statements import LINE_BITS, Program
from loma.ir.analysis.clashes import clashes
from loma.ir.layout import INDENT, Line, wrapped
from loma.ir.names import Names
from loma.ir.nodes import Function, Module, Print
from loma.ir.prims import FUNCTIONS
from loma.ir.prims.libm import LIBM
from loma.ir.traverse import walk
from loma.ir.types import ArrayType, Scalar, StructDef, StructType, Type

FLOATS: Final = (Scalar.F32, Scalar.F64)
VALUE: Final = {
    Scalar.BOOL: "bool",
    Scalar.I32: "int32_t",
    Scalar.I64: "int64_t",
    Scalar.F32: "float",
    Scalar.F64: "double",
}
MATH: Final = {Scalar.F32: "f", Scalar.F64: ""}
WORDS: Final = (
    KEYWORDS | MACROS
    | {"loma_context", "loma_tape", "loma_growable", "error", "stack_end", "most_bytes"}
    | {"loma_line", "loma_size", "loma_pack"}
)

C: Final = Dialect(
    name="c",
    value=VALUE,
    memory={**VALUE, Scalar.BOOL: "int32_t"},
    literal={Scalar.F32: "f", Scalar.F64: ""},
    math=MATH,
    to_int={Scalar.I32: "loma_to_int32", Scalar.I64: "loma_to_int64"},
    tape="loma_tape",
    growable="loma_growable",
    words=KEYWORDS | MACROS,
    outer="LOMA_OUTER;",
    taken=frozenset(
        WORDS
        | {
            p.spelling.get("c", p.name) + s
            for p in (*FUNCTIONS.values(), *LIBM)
            for s in ("", "f")
        } | {*VALUE.values()}
    ),
)


@dataclass(frozen=True, slots=True)
class Text:
    """A module in C.

    `symbols` gives each exported function its name in the library, `called` and `structs` give
    functions and structs their names in C; `traps` says which functions may stop themselves.
    """

    source: str
    header: str
    symbols: dict[str, str]
    traps: dict[str, bool]
    called: dict[str, str]
    structs: dict[str, str]


def c_text(
    module: Module, *, strict: bool = False, header: str | None = None, plain: bool = True
) -> Text:
    """The module in C; with `header`, it includes the header of that name, not its text.

    Without `plain`, every function and struct has a prefix in C, so that nothing can clash.
    """
    return _Unit(module, strict, plain).text(header)


class _Unit:
    def __init__(self, module: Module, strict: bool, plain: bool) -> None:
        self._module = module
        self._plain = plain
        self._supply = Names(
            C.taken | {"loma_last_error", "loma_take_error", "loma_error", "loma_files"}
        )
        structs = {name: self._global(name) for name in module.structs}
        self._public = {f.name: self._global(f.name) for f in module.functions.values()}
        self._facts = facts(module)
        self._prints = any(
            isinstance(op, Print) for f in module.functions.values() for op in walk(f.body))
        inner = {
            f.name: self._inner(f) if f.name in self._facts.context else self._public[f.name]
            for f in module.functions.values()
        }
        self._types = Types(C, structs)
        self._program = Program(module, self._facts, C, self._types, inner, strict)
        self._printers = {
            f.name: FunctionPrinter(f, self._program) for f in module.functions.values()
        }

    def _global(self, name: str) -> str:
        return self._supply.fresh(f"loma_{name}" if not self._plain or is_reserved(name) else name)

    def _inner(self, f: Function) -> str:
        return (
            self._supply.fresh(f"{self._public[f.name]}_body")
            if f.exported
            else self._public[f.name]
        )

    def _exported(self) -> list[Function]:
        return [f for f in self._module.functions.values() if f.exported]

    def _symbol(self, f: Function) -> str:
        return self._public[f.name] if f.name in NEEDED or f.name.startswith("loma_") else f.name

    def text(self, header: str | None) -> Text:
        """The program and its header."""
        declared = self._header()
        opening = f'#include "{header}"\n' if header is not None else declared
        body = "\n".join(
            [*self._prototypes(), *(self._function(f) for f in self._module.functions.values())]
        )
        runtime = self._runtime(body)
        source = "\n".join([self._includes(runtime + body), opening, runtime, body])
        guard = (
            "LOMA_" + "".join(c if c.isalnum() else "_" for c in (header or "program.h")).upper()
        )
        return Text(
            tidy(source),
            tidy(f"#ifndef {guard}\n#define {guard}\n\n{declared}\n#endif\n"),
            {f.name: self._symbol(f) for f in self._exported()},
            {f.name: f.name in self._facts.context for f in self._exported()},
            {f.name: self._public[f.name] for f in self._exported()},
            dict(self._types.structs),
        )

    # The header.

    def _header(self) -> str:
        renamed = any(self._symbol(f) != self._public[f.name] for f in self._exported())
        parts = ["#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n", c_header.OPEN]
        if renamed:
            parts.append(c_header.NAMED)
        structs = sorted_structs(self._module)
        if any(_points_to_struct(s) for s in structs):
            parts += [
                "\n".join(f"typedef struct {n} {n};" for n in self._types.structs.values()) + "\n"
            ]
        parts += [self._struct(s) for s in structs]
        parts.append(c_header.ERRORS if self._facts.context else c_header.NO_ERRORS)
        if self._prints:
            parts.append(c_print.HEADER)
        if self._facts.recursive:
            parts.append(c_stack.HEADER)
        parts += [self._declaration(f) for f in self._exported()]
        return "\n".join([*parts, c_header.CLOSE])

    def _declaration(self, f: Function) -> str:
        name, symbol = self._public[f.name], self._symbol(f)
        label = f' LOMA_NAMED("{symbol}")' if symbol != name else ""
        shapes = [a.name + "".join(f"[{n}]" for n in a.shape)
                  for a in f.signature.arguments if a.shape]
        sizes = f"/* {', '.join(shapes)} */\n" if shapes else ""
        return sizes + self._printers[f.name].signature(name, False) + label + ";"

    def _struct(self, s: StructDef) -> str:
        name = self._types.structs[s.name]
        members = [f"{INDENT}{self._types.declare(t, C.field(m))};" for m, t in s.members]
        return "\n".join([f"typedef struct {name} {{", *members, f"}} {name};\n"])

    # The program.

    def _includes(self, text: str) -> str:
        lines = ["/* Generated by loma. Integers wrap: compile with -fwrapv. */"]
        if "loma_context" in text:
            lines.append("#define _GNU_SOURCE")
        lines.append("#include <math.h>")
        if "loma_context" in text:
            lines += [
                f"#include <{h}.h>" for h in ("pthread", "setjmp", "stdlib", "string", "unistd")
            ]
        if "loma_put_" in text:
            lines += [f"#include <{h}.h>" for h in ("stdio", "stdlib", "string")]
        return "\n".join(lines)

    def _runtime(self, body: str) -> str:
        if not self._facts.context:
            return c_header.NO_TRAPS + pure_parts(body)
        kinds = [
            t for t in Scalar if f"loma_push_{t.value}" in body or f"loma_pop_{t.value}" in body
        ]
        files = ", ".join(c_print.c_string(f) for f in self._program.files or [self._module.file])
        parts = [
            f"/* A line above bit {LINE_BITS} says in which file it is. */\n",
            f"enum {{ LOMA_LINE = {LINE_BITS} }};\n",
            f"static const char *const loma_files[] = {{{files}}};\n",
            *needed_parts(body),
        ]
        return "".join([*parts, *(push_pop(t.value, VALUE[t]) for t in kinds)])

    def _prototypes(self) -> list[str]:
        return [
            f"static {self._printers[f.name].signature(self._program.called[f.name], True)};"
            if f.name in self._facts.context
            else f"static {self._printers[f.name].signature(self._public[f.name], False)};"
            for f in self._module.functions.values()
            if f.name in self._facts.context or not f.exported
        ]

    def _function(self, f: Function) -> str:
        printer = self._printers[f.name]
        context = f.name in self._facts.context
        static = "static " if context or not f.exported else ""
        head = f"\n{static}{printer.signature(self._program.called[f.name], context)}"
        lines = [
            head,
            "{",
            *(INDENT + line for line in self._body(printer)),
            "}",
        ]
        if f.name in self._facts.deep and f.exported:
            lines += self._deep_entry(printer)
        elif context and f.exported:
            lines += self._entry(printer)
        return "\n".join(piece.text for line in lines for piece in _wrapped(line))

    def _body(self, printer: FunctionPrinter) -> list[str]:
        """The statements of a function. One with a fast twin hands the call on where no written
        argument is another's memory."""
        f, lines = printer.f, printer.lines()
        context = f.name in self._facts.context
        if not f.fast or context != (f.fast in self._facts.context):
            return lines
        given = ", ".join([*(["ctx"] if context else []), *printer.given])
        call = f"{self._program.called[f.fast]}({given});"
        if not (pairs := clashes(f)):
            return [call]
        hand_on = [call, "return;"] if f.signature.result is None else [f"return {call}"]
        apart = f"if ({printer.apart(pairs)}) {{"
        return [apart, *(INDENT + line for line in hand_on), "}", *lines]

    def _deep_entry(self, printer: FunctionPrinter) -> list[str]:
        """The entry of a function that recurses: the call happens on a stack of its own."""
        f, public = printer.f, self._public[printer.f.name]
        result = "" if f.signature.result is None else printer.result
        zero = f"({result}){{0}}" if isinstance(f.signature.result, StructType) else "0"
        name = self._supply.fresh(f"{public}_call")
        fields = list(zip(printer.parameters, printer.given, strict=True))
        return [
            *c_stack.entry(name, self._program.called[f.name], result, fields, zero),
            f"\n{printer.signature(public, False)}",
            *c_stack.switched(name, printer.given, result, zero),
        ]

    def _entry(self, printer: FunctionPrinter) -> list[str]:
        f = printer.f
        call = f"{self._program.called[f.name]}({', '.join(['&ctx', *printer.given])});"
        match f.signature.result:
            case None:
                zero, run = "", [call, "loma_leave(&ctx);"]
            case result:
                zero = f" ({printer.result}){{0}}" if isinstance(result, StructType) else " 0"
                run = [
                    f"const {printer.result} result = {call}",
                    "loma_leave(&ctx);",
                    "return result;",
                ]
        body = [
            "loma_context ctx;",
            "loma_enter(&ctx);",
            "if (setjmp(ctx.exit) != 0) {",
            f"{INDENT}loma_leave(&ctx);",
            f"{INDENT}return{zero};",
            "}",
            *run,
        ]
        return [
            f"\n{printer.signature(self._public[f.name], False)}",
            "{",
            *(INDENT + x for x in body),
            "}",
        ]


def sorted_structs(module: Module) -> list[StructDef]:
    """The structs, each after those that lie in it."""
    done: dict[str, None] = {}

    def visit(t: Type, pointer: bool) -> None:
        match t:
            case ArrayType(element, size):
                visit(element, pointer or size is None)
            case StructType(name) if name not in done and not pointer:
                for _, member in module.structs[name].members:
                    visit(member, False)
                done[name] = None
            case _:
                pass

    for name in module.structs:
        visit(StructType(name), False)
    return [module.structs[name] for name in done]


def _points_to_struct(s: StructDef) -> bool:
    """Whether a struct holds a pointer to structs, which may be defined after it."""
    kinds = [t for _, t in s.members]
    while kinds:
        match kinds.pop():
            case ArrayType(StructType(), None):
                return True
            case ArrayType(element):
                kinds.append(element)
            case _:
                pass
    return False


def _wrapped(line: str) -> list[Line]:
    pieces = line.split("\n")
    return [w for piece in pieces for w in wrapped(Line(piece), needs_brackets=False)]


def tidy(text: str) -> str:
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip("\n") + "\n"


def _text(module: Module, options: Options) -> str:
    return c_text(module, strict=options.strict).source


def _build(module: Module, options: Options) -> Loaded:
    flags = (*toolchain.flags(options.strict), *toolchain.shared_flags())
    text = c_text(module, strict=options.strict)
    with tempfile.TemporaryDirectory(prefix="loma-") as folder:
        try:
            library = _library(text, Path(folder), flags, options)
        except toolchain.ToolchainError:
            text = c_text(module, strict=options.strict, plain=False)
            library = _library(text, Path(folder), flags, options)
        if options.output is not None:
            toolchain.install(library, options.output)
        return c_load.load(library, text.symbols, text.traps)


def _library(text: Text, folder: Path, flags: tuple[str, ...], options: Options) -> Path:
    """The shared library of a program, from the cache if it is there."""
    if not options.cache:
        return toolchain.compile_shared(text.source, folder, flags)
    known, entry = Cache(), key("c", toolchain.fingerprint(), *flags, text.source)
    found = known.get(entry)
    if found is None:
        library = toolchain.compile_shared(text.source, folder, flags)
        known.put(entry, library.read_bytes())
        return library
    library = folder / f"program{toolchain.shared_library_suffix()}"
    library.write_bytes(found)
    return library


BACKEND: Final = Backend("c", _text, _build)
