"""The error classes that a host can catch, with the fields that it can read.

A load raises the class of the first finding; `diagnostics` lists every finding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from loma.diagnostics import Diagnostic, Files, UserError
from loma.frontend import surface

QUOTED: Final = re.compile(r"`([A-Za-z_]\w*)")


class ProgramError(UserError):
    """A rejected program; its payload becomes its attributes."""

    def __init__(
        self,
        diagnostics: tuple[Diagnostic, ...],
        source: str = "",
        payload: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(diagnostics, source)
        for name, value in (payload or {}).items():
            setattr(self, name, value)


class FuncArgNotAnnotated(ProgramError):
    """An argument without In, Out or InOut."""

    node: surface.Node


class DuplicateVariable(ProgramError):
    """A name declared twice."""

    var: str
    first_declare_stmt: surface.Node
    duplicate_declare_stmt: surface.Node


class UndeclaredVariable(ProgramError):
    """A name that is not declared."""

    var: str
    stmt: surface.Node


class ReturnNotLastStmt(ProgramError):
    """Statements after a return in the same block."""

    stmt: surface.Node


class DeclareUnboundedArray(ProgramError):
    """A local array without a length."""

    stmt: surface.Node


class DeclarationNotOutmostLevel(ProgramError):
    """Kept for hosts that import it: declarations in inner blocks are legal."""

    stmt: surface.Node


class CallWithOutArgNotInCallStmt(ProgramError):
    """A call that writes its arguments, used as a value."""

    expr: surface.Node


class ArrayAccessTypeMismatch(ProgramError):
    """An index into something that is no array, or an index that is no integer."""

    expr: surface.Node


class StructAccessTypeMismatch(ProgramError):
    """A member of something that is no struct."""

    expr: surface.Node


class StructMemberNotFound(ProgramError):
    """A member that the struct does not have."""

    expr: surface.Node


class BinaryOpTypeMismatch(ProgramError):
    """An operator on operands that are no numbers."""

    expr: surface.Node


class CallTypeMismatch(ProgramError):
    """Operands that do not fit the function."""

    expr: surface.Node


class ReturnTypeMismatch(ProgramError):
    """A returned value that does not fit the annotation."""

    stmt: surface.Node


class AssignTypeMismatch(ProgramError):
    """A value that does not fit the place assigned to."""

    stmt: surface.Node


class DeclareTypeMismatch(ProgramError):
    """An initial value that does not fit the declared type."""

    stmt: surface.Node


class IfElseCondTypeMismatch(ProgramError):
    """A condition that is no number."""

    expr: surface.Node


class CallIDNotFound(ProgramError):
    """A call of a function that does not exist."""

    expr: surface.Node


class UnhandledDifferentiation(ProgramError):
    """A function that cannot be differentiated."""

    func: surface.Node


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnostic, with the class and the payload of the error that it raises."""

    diagnostic: Diagnostic
    kind: type[ProgramError] = ProgramError
    payload: Mapping[str, object] = field(default_factory=dict)


def raise_all(findings: list[Finding], source: str, files: Files | None = None) -> None:
    """Raises the error of the first finding in source order, if there is any."""
    if not findings:
        return
    files = files or Files()
    ranks = {file: k for k, file in enumerate(files.texts)}
    ordered = sorted(findings, key=lambda f: _place(f, ranks))
    first = ordered[0]
    error = first.kind(
        tuple(_as_written(f.diagnostic, files) for f in ordered), source, first.payload)
    error.texts = dict(files.texts)
    raise error


def _place(finding: Finding, ranks: Mapping[str, int]) -> tuple[int, int, int]:
    span = finding.diagnostic.span
    return ranks.get(span.file, 0), span.line, span.column


def _as_written(d: Diagnostic, files: Files) -> Diagnostic:
    """A diagnostic in which things are called as the files call them."""
    if not files.shown:
        return d

    def named(found: re.Match[str]) -> str:
        return "`" + files.shown.get(found[1], found[1])

    message, label, help = (QUOTED.sub(named, x) for x in (d.message, d.label, d.help))
    notes = tuple([(span, QUOTED.sub(named, text)) for span, text in d.notes])
    return replace(d, message=message, label=label, help=help, notes=notes)
