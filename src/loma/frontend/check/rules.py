"""Derivatives that the program writes itself: their signatures, and which is whose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from loma.frontend import surface, typed
from loma.frontend.check.types import Types
from loma.frontend.codes import names as name_codes
from loma.frontend.codes import rules as codes
from loma.frontend.errors import Finding
from loma.ir.derived import Mode, derived_signature
from loma.ir.nodes import Argument, Signature

WORDS: Final = {Mode.FORWARD: ("custom_fwd", "fwd_diff"), Mode.REVERSE: ("custom_rev", "rev_diff")}


def check_rules(
    functions: Iterable[surface.Function],
    signatures: dict[str, Signature | None],
    types: Types,
    findings: list[Finding],
) -> tuple[typed.Derivative, ...]:
    """The rules of a file; what is wrong with them is reported.

    What no derivative of a function is taken by, none of its rules is taken by either.
    """
    found: dict[tuple[Mode, str], typed.Derivative] = {}
    for f in functions:
        for rule in f.rules:
            word, request = WORDS[rule.mode]
            if rule.primal not in signatures:
                findings.append(name_codes.unknown_primal(
                    rule.primal_span, rule.primal, tuple(signatures)))
                continue
            first = found.setdefault((rule.mode, rule.primal), typed.Derivative(
                f.name, rule.mode, rule.primal, span=rule.span))
            if first.span is not rule.span:
                findings.append(codes.twice(rule.span, rule.primal, word, first.span))
            primal, own = signatures[rule.primal], signatures[f.name]
            if primal is None or own is None:
                continue
            wanted = derived_signature(primal, rule.mode, types.float_type)
            types.mentioned += [a.type for a in wanted.arguments]
            if shape(wanted) != shape(own):
                expected = shown(f.name, wanted, types)
                findings.append(codes.signature(
                    f.name_span, f.name, request, rule.primal, expected, rule.primal_span))
                continue
            arguments = tuple([replace(a, nodiff=a.nodiff or w.nodiff) for a, w in zip(
                own.arguments, wanted.arguments, strict=True)])
            signatures[f.name] = replace(own, arguments=arguments)
    return tuple(found.values())


def check_places(
    rules: Iterable[typed.Derivative],
    generic: Mapping[str, surface.Function],
    launched: Iterable[str],
    findings: list[Finding],
) -> None:
    """Reports rules where there can be none."""
    for f in generic.values():
        for rule in f.rules:
            findings.append(codes.generic(rule.span, f.name))
    kernels = set(launched)
    for r in rules:
        if r.primal in kernels:
            findings.append(codes.launched(r.span, r.primal))


def shape(s: Signature) -> object:
    """What two signatures must agree in."""
    parts = [(a.type, a.direction, a.growable, a.shape, a.hidden) for a in s.arguments]
    return parts, s.result, s.simd


def shown(name: str, s: Signature, types: Types) -> str:
    """A signature as loma text."""
    result = "" if s.result is None else f" -> {types.text(s.result)}"
    kernel = "@simd " if s.simd else ""
    arguments = ", ".join(_argument(types, a) for a in s.written)
    return f"{kernel}def {name}({arguments}){result}:"


def _argument(types: Types, a: Argument) -> str:
    shown = types.text(a.type)
    if a.shape:
        sizes = ", ".join(f'"{n}"' if isinstance(n, str) else str(n) for n in a.shape)
        shown = f"{shown[:-1]}, {sizes}]"
    return f"{a.name} : {a.direction.value}[{shown}]"
