"""`loma verify`: our derivatives against three other ways, and the line where they part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loma.cli.files import Float, FloatOption, PathOption, ThreadsOption, program, split
from loma.cli.screen import coloured, mark, put, screen, table
from loma.diagnostics import CompileError, excerpt, source_lines
from loma.frontend import typed
from loma.host.calls import Operands, bound
from loma.host.inputs import DEFAULT_SIZE, Sizes
from loma.host.literals import parse_arguments
from loma.host.localise import cause
from loma.host.plain import text
from loma.host.requests import request_of, signature_of
from loma.host.verify import Entry, Method, Report, Sample, Settings, Target, targets
from loma.host.verify import verify as reports

SHOWN: Final = 8


def verify(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE[:FUNCTION]",
            show_default=False,
            help="A loma program; with a function, only its derivatives.",
        ),
    ],
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="ARGUMENTS",
            show_default=False,
            help="One input instead of random ones; needs FILE:FUNCTION.",
        ),
    ] = "",
    sizes: Annotated[
        str,
        typer.Option(
            "--sizes",
            metavar="N | NAME=N,...",
            show_default=False,
            help=("Length of arrays, by argument; value of ints; `threads`. Default 4."),
        ),
    ] = "",
    samples: Annotated[int, typer.Option("--samples", min=1, help="How many random inputs.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Which random inputs.")] = 0,
    threads: ThreadsOption = None,
    inputs: Annotated[bool, typer.Option("--inputs", help="Show the inputs.")] = False,
    float_type: FloatOption = Float.F64,
    path: PathOption = None,
) -> None:
    """Check every derivative against dual numbers, complex steps and finite differences."""
    file, function = split(target)
    loaded = program(file, float_type, path)
    if function is not None:
        request_of(loaded, function)
    loaded, wanted = targets(loaded, function)
    point = _point(loaded, wanted, at, threads) if at else None
    settings = Settings(seed, samples, parse_sizes(sizes, threads), point)
    console = screen()
    found = list(_watched(reports(loaded, wanted, settings), len(wanted)))
    if not found:
        raise CompileError(f"{file} has no function")
    put(console, summary(found))
    for report in found:
        details(console, loaded, report, settings, inputs)
    if not all(r.passed for r in found):
        raise typer.Exit(1)


def _watched(found: Iterator[Report], total: int) -> Iterator[Report]:
    """The reports, with a line on the terminal while they come."""
    console = screen(stderr=True)
    with console.status("") as status:
        for k in range(total):
            status.update(f"checking derivative {k + 1} of {total}")
            yield next(found)


def _point(loaded: typed.Module, wanted: list[Target], at: str, threads: int | None) -> Operands:
    """The input that `--at` gives."""
    primals = {t.primal for t in wanted}
    if len(primals) != 1:
        raise CompileError("--at gives the arguments of one function: name it, as in FILE:FUNCTION")
    primal = primals.pop()
    return bound(primal, signature_of(loaded, primal), parse_arguments(at), loaded.structs, threads)


def parse_sizes(given: str, threads: int | None) -> Sizes:
    """The sizes in a text such as `8` or `x=10,n=3`."""
    found = parse_arguments(given)
    every = [*found.positional, *found.named.values()]
    if len(found.positional) > 1 or not all(isinstance(n, int) and n >= 0 for n in every):
        raise CompileError("--sizes takes a number, or names with numbers: 8, or x=10,n=3")
    default = next((n for n in found.positional if isinstance(n, int)), DEFAULT_SIZE)
    named = {name: n for name, n in found.named.items() if isinstance(n, int)}
    if threads is not None:
        named["threads"] = threads
    return Sizes(default, named)


def summary(found: list[Report]) -> Table:
    """One row for each derivative: the largest relative difference from each method."""
    rows = table("", "derivative", "of", "numbers", *(m.value for m in Method))
    for r in found:
        good = None if r.trouble else r.passed
        count = sum(len(s.entries) for s in r.samples)
        apart = [_apart(r, m) for m in Method]
        made = Text(f"{r.mode.value}_diff({r.primal})")
        rows.add_row(
            mark(good), Text(r.name, "bold"), made, Text(str(count) if count else ""), *apart
        )
    return rows


def _apart(report: Report, method: Method) -> Text:
    worst = report.worst(method)
    if worst is None:
        return Text("-", "dim")
    wrong = any(m is method for s in report.samples for _, m in s.parted)
    style = (
        ("yellow" if method is Method.FINITE and not report.wrong else "bold red") if wrong else ""
    )
    return Text(f"{worst:.1e}" if worst else "0", style)


def details(
    console: Console, loaded: typed.Module, report: Report, settings: Settings, inputs: bool
) -> None:
    """What a row does not say: why there was no verdict, where ours parts, on which inputs."""
    if report.trouble:
        console.print(
            Text(f"{report.name}: not judged: {report.trouble}", "yellow"), soft_wrap=True
        )
        return
    for sample in report.samples:
        parted = dict.fromkeys(
            e for e, m in sample.parted if m is not Method.FINITE or not report.wrong
        )
        if inputs or parted:
            console.print(
                Text(f"{report.name} at {_inputs(loaded, report, sample)}"), soft_wrap=True
            )
        if parted:
            put(console, _entries(list(parted)))
            break
    if report.wrong:
        _place(console, loaded, report, settings)
    elif report.rough:
        console.print(Text("only finite differences part: the input may be near a kink", "yellow"))


def _inputs(loaded: typed.Module, report: Report, sample: Sample) -> str:
    """The operands of the derivative on one line."""
    arguments = signature_of(loaded, report.name).arguments
    shown = [
        f"{a.name}={text(x, a.type, loaded.structs, 6)}"
        for a, x in zip(arguments, sample.operands.data, strict=True)
    ]
    if report.signature.simd:
        shown.append(f"threads={sample.operands.threads}")
    return ", ".join(shown)


def _entries(parted: list[Entry]) -> Table:
    rows = table("number", "loma", *(m.value for m in Method))
    for e in parted[:SHOWN]:
        others = [Text(f"{e.others[m]:.10g}" if m in e.others else "-") for m in Method]
        rows.add_row(Text(e.path), Text(f"{e.ours:.10g}", "bold red"), *others)
    if len(parted) > SHOWN:
        rows.add_row(Text(f"... and {len(parted) - SHOWN} more", "dim"))
    return rows


def _place(console: Console, loaded: typed.Module, report: Report, settings: Settings) -> None:
    """Shows the source line whose derivative is wrong."""
    found = cause(loaded, report, settings)
    lines = source_lines(loaded.source)
    span, label = report.span, "this derivative is wrong as a whole"
    if found is not None:
        span, label = found.span, f"the derivative of this is wrong, in `{found.function}`"
    console.print(coloured("\n".join(excerpt(span, label, lines))), soft_wrap=True)
