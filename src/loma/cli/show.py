"""`loma show`: a program at each stage of its way to machine code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from loma import driver
from loma.backends.base import Options
from loma.backends.targets import DEVICES
from loma.cli import core_text, typed_text
from loma.cli.files import (
    FileArgument,
    Float,
    FloatOption,
    PathOption,
    StrictOption,
    one_of,
    program,
)
from loma.cli.screen import screen, show_code
from loma.diagnostics import CompileError, Span, source_lines
from loma.frontend import typed
from loma.frontend.lower.program import lower
from loma.host.generated import ASM_START, LLVM_START, cut
from loma.host.modules import named_structs
from loma.host.requests import names, request_of, requested, sliced
from loma.ir import text
from loma.ir.derived import Mode
from loma.ir.nodes import Function, Module
from loma.ir.traverse import called_from

NOTE_COLUMN: Final = 60
ON_CPU: Final = ("source", "typed", "core", "derivative", "optimised", "llvm", "c", "asm")
NAMES: Final = (*ON_CPU, *DEVICES)


@dataclass(frozen=True, slots=True)
class Wish:
    """What to show."""

    program: typed.Module
    function: str | None
    stage: str
    options: Options


def show(
    file: FileArgument,
    function: Annotated[
        str | None,
        typer.Option(
            "--function",
            "-f",
            metavar="NAME",
            show_default=False,
            help=("Only this function or derivative."),
        ),
    ] = None,
    stage: Annotated[
        str,
        typer.Option(
            "--stage", "-s", metavar="|".join(NAMES), callback=one_of(NAMES),
            help="How far compiled.",
        ),
    ] = "derivative",
    float_type: FloatOption = Float.F32,
    path: PathOption = None,
    strict: StrictOption = False,
) -> None:
    """Show a program: its derivatives as loma source, or any other stage of its compilation."""
    loaded = program(file, float_type, path)
    if function is not None:
        request_of(loaded, function)
    language, make = STAGES[stage]
    show_code(screen(), make(Wish(loaded, function, stage, Options(strict=strict))), language)


# Stages.


def source(wish: Wish) -> str:
    """The text as it is written."""
    if wish.function is None:
        return wish.program.source
    found = request_of(wish.program, wish.function)
    files = wish.program.files.texts
    lines = source_lines(files.get(found.span.file, wish.program.source))
    start = found.span.line - 1
    if not 0 <= start < len(lines):
        raise CompileError(f"`{wish.function}` is not in the text: it is made by loma")
    while start and lines[start - 1].startswith("@"):
        start -= 1
    stop = found.span.line
    while stop < len(lines) and (not lines[stop].strip() or lines[stop][0] in " \t)#"):
        stop += 1
    return "\n".join(lines[start:stop]).rstrip() + "\n"


def checked(wish: Wish) -> str:
    """The typed tree: every type and every conversion."""
    functions = [
        f
        for f in wish.program.functions.values()
        if (f.name == wish.function if wish.function else f.span.line)
    ]
    if not functions:
        raise CompileError(
            f"`{wish.function}` is made by loma: it has no {wish.stage} stage; "
            "`--stage derivative` shows it"
        )
    return "\n".join(typed_text.function_text(f, wish.program) for f in functions)


def core(wish: Wish) -> str:
    """The core IR as lowered."""
    module = lower(wish.program)
    if wish.function is not None and wish.function not in module.functions:
        return checked(wish)  # which raises, and says why
    return "\n".join(
        core_text.function_text(f)
        for f in module.functions.values()
        if (f.name == wish.function if wish.function else f.span.line)
    )


def derivative(wish: Wish) -> str:
    """The derivatives as loma source, each line with the primal line that it stems from.

    Of a program with imports all that they need, too: so the text is a program by itself.
    """
    loaded, asked = wished(wish)
    module = driver.differentiated(loaded, fast=False)
    several = len(loaded.files.texts) > 1
    made = [f for f in module.functions.values() if several or f.name not in loaded.functions]
    if wish.function is not None:
        made = [f for f in made if f.name in called_from(module, asked)]
    shown = replace(module, functions={f.name: f for f in made})
    structs = named_structs(shown).values() if several else ()
    parts = [text.struct_text(s, module) for s in structs]
    lines = {file: source_lines(t) for file, t in loaded.files.texts.items()}
    lines = {loaded.file: source_lines(loaded.source), **lines}
    return "\n\n".join([*parts, *(annotated(f, module, lines, loaded.file) for f in made)])


def optimised(wish: Wish) -> str:
    """The functions as they are compiled, as loma source."""
    module = compiled(wish)
    shown = [f for f in module.functions.values() if wish.function in (None, f.name)]
    return "\n\n".join(text.function_text(f, module) for f in shown)


def llvm(wish: Wish) -> str:
    """The code given to LLVM."""
    from loma.backends.llvm.backend import text as llvm_text

    code = llvm_text(compiled(wish), wish.options)
    return code if wish.function is None else cut(code, LLVM_START, "}", wish.function)


def asm(wish: Wish) -> str:
    """Machine code, as assembly."""
    from loma.backends.llvm import assembly

    code = assembly(compiled(wish), wish.options)
    return code if wish.function is None else cut(code, ASM_START, ".Lfunc_end", wish.function)


def c(wish: Wish) -> str:
    """The program in C."""
    return driver.BACKENDS["c"].text(compiled(wish), wish.options)


def device(wish: Wish) -> str:
    """The kernels in the language of a device."""
    from loma.host.kernel_listing import listing

    return listing(compiled(wish), wish.stage, strict=wish.options.strict)


STAGES: Final[Mapping[str, tuple[str, Callable[[Wish], str]]]] = {
    "source": ("python", source),
    "typed": ("python", checked),
    "core": ("python", core),
    "derivative": ("python", derivative),
    "optimised": ("python", optimised),
    "llvm": ("llvm", llvm),
    "c": ("c", c),
    "asm": ("gas", asm),
    **{name: (d.lexer, device) for name, d in DEVICES.items()},
}


# What they share.


def compiled(wish: Wish) -> Module:
    """The core module as it is compiled; with a function, only what it needs."""
    loaded = wish.program if wish.function is None else sliced(wish.program, wish.function)
    return driver.differentiated(loaded, strict=wish.options.strict)


def wished(wish: Wish) -> tuple[typed.Module, list[str]]:
    """The derivatives to show, those that are requested, else both modes: a program and names."""
    loaded, function = wish.program, wish.function
    asked = [d.name for d in loaded.derivatives
             if d.name == function or d.exported and function in (None, d.primal)]
    if asked:
        return loaded, asked
    for primal in [function] if function else names(loaded):
        for mode in Mode:
            loaded, name = requested(loaded, mode, primal)
            asked.append(name)
    return loaded, asked


def annotated(f: Function, module: Module, lines: Mapping[str, list[str]], main: str) -> str:
    """A derivative as loma source, with the primal line in a comment where it changes."""
    out: list[str] = []
    last = 0, ""
    for code, span in text.function_lines(f, module):
        here = span.line, span.file
        if not span.line or here == last or (out and here == (f.span.line, f.span.file)):
            out.append(code)
            continue
        last = here
        note = noted(span, lines.get(span.file, []), main)
        if len(code) > NOTE_COLUMN:
            out.append(f"{code[: len(code) - len(code.lstrip())]}{note}")
            out.append(code)
        else:
            out.append(f"{code:<{NOTE_COLUMN}}  {note}".rstrip())
    return "\n".join(out) + "\n"


def noted(span: Span, lines: list[str], main: str) -> str:
    """A line of the source as a comment."""
    if span.line > len(lines):
        return ""
    place = str(span.line) if span.file == main else f"{Path(span.file).name}:{span.line}"
    return f"# {place}: {lines[span.line - 1].strip()}"
