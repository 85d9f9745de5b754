"""Asks a checked program for derivatives that its file does not request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from loma.frontend import typed
from loma.host.literals import CallError
from loma.ir.derived import Mode, derived_signature, implicit_name, with_diff_structs
from loma.ir.nodes import Signature
from loma.ir.types import StructType


def requested(program: typed.Module, mode: Mode, primal: str) -> tuple[typed.Module, str]:
    """The program with a derivative of `primal`, and its name; one that exists is taken."""
    signature_of(program, primal)
    for d in program.derivatives:
        if (d.mode, d.primal) == (mode, primal) and not d.held:
            return program, d.name
    name = implicit_name(primal, mode)
    taken = {*program.functions, *(d.name for d in program.derivatives)}
    while name in taken:
        name += "_"
    wanted = [StructType(s) for s in program.structs]
    structs = with_diff_structs(program.structs, wanted, program.float_type)
    made = typed.Derivative(name, mode, primal, request_of(program, primal).span)
    return replace(program, structs=structs, derivatives=(*program.derivatives, made)), name


def vectorised(program: typed.Module, name: str, primal: str, width: int) -> typed.Module:
    """The program with a forward derivative of `primal` that carries several tangents."""
    wanted = [StructType(s) for s in program.structs]
    structs = with_diff_structs(program.structs, wanted, program.float_type, width)
    span = request_of(program, primal).span
    made = typed.Derivative(name, Mode.FORWARD, primal, span, width=width)
    return replace(program, structs=structs, derivatives=(*program.derivatives, made))


def request_of(program: typed.Module, name: str) -> typed.Function | typed.Derivative:
    """The function or request that bears a name; CallError lists what there is."""
    if name in program.functions:
        return program.functions[name]
    for d in program.derivatives:
        if d.name == name:
            return d
    raise CallError(
        f"{program.file} has no function `{name}`; it has {', '.join(names(program)) or 'none'}"
    )


def names(program: typed.Module) -> list[str]:
    """The functions and derivatives of a file, in order."""
    return [*own_functions(program), *(d.name for d in program.derivatives if d.exported)]


def own_functions(program: typed.Module) -> list[str]:
    """The functions that a file defines; not instances, and nothing that was imported."""
    return [f.name for f in program.functions.values() if f.span.line and f.exported]


def signature_of(program: typed.Module, name: str) -> Signature:
    """The signature of a function or derivative; CallError when there is none."""
    found = request_of(program, name)
    if isinstance(found, typed.Function):
        return found.signature
    primal = signature_of(program, found.primal)
    return derived_signature(primal, found.mode, program.float_type, found.width, found.held)


def sliced(program: typed.Module, *wanted: str) -> typed.Module:
    """The program with only the functions and derivatives that the wanted ones need.

    The wanted ones are exported: they may be instances, or come from imported files.
    """
    derivatives = {d.name: d for d in program.derivatives}
    todo, kept = list(wanted), set[str]()
    while todo:
        name = todo.pop()
        if name in kept:
            continue
        kept.add(name)
        if name in derivatives:
            todo.append(derivatives[name].primal)
        elif name in program.functions:
            todo += [
                n.function for n in nodes(program.functions[name].body) if isinstance(n, typed.Call)
            ]
            todo += [r.name for r in program.rules if r.primal == name]
    functions = {
        name: replace(f, exported=True) if name in wanted and not f.exported else f
        for name, f in program.functions.items() if name in kept or not f.span.line
    }
    return replace(
        program,
        functions=functions,
        derivatives=tuple(d for d in program.derivatives if d.name in kept),
        rules=tuple(r for r in program.rules if r.name in kept),
    )


def nodes(part: object) -> Iterator[typed.Node]:
    """Every node of a typed tree, in the order of the text."""
    todo = [part]
    while todo:
        here = todo.pop()
        if isinstance(here, tuple):
            todo += reversed(here)
        elif isinstance(here, typed.Node):
            yield here
            todo += [getattr(here, f.name) for f in reversed(fields(here))]
