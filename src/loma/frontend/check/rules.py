"""Derivatives that the program writes itself: their signatures, and which is whose.

An instance of a generic function has instances of its rules. What their types are follows from the
signature of the derivative.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from loma.frontend import surface, typed
from loma.frontend.check.generic import Instances
from loma.frontend.check.generic_requests import GenericRequests
from loma.frontend.check.generic_types import collect
from loma.frontend.check.types import Types
from loma.frontend.codes import names as name_codes
from loma.frontend.codes import rules as codes
from loma.frontend.errors import Finding
from loma.ir.derived import Mode, derived_signature
from loma.ir.nodes import Argument, Signature
from loma.ir.types import Type

WORDS: Final = {Mode.FORWARD: ("custom_fwd", "fwd_diff"), Mode.REVERSE: ("custom_rev", "rev_diff")}


@dataclass(slots=True)
class Rules:
    """The rules of a program, what is wrong with them reported.

    `generic` are generic functions that are rules. `found` are rules of functions, also of
    instances; `reverse` the names of reverse rules among them.
    """

    instances: Instances
    requests: GenericRequests
    generic: Mapping[str, surface.Function]
    found: dict[tuple[Mode, str], typed.Derivative] = field(default_factory=dict)
    reverse: set[str] = field(default_factory=set)

    @property
    def types(self) -> Types:
        """The types of the program."""
        return self.instances.types

    @property
    def findings(self) -> list[Finding]:
        """Where what is wrong goes."""
        return self.instances.findings

    def check(self, functions: Iterable[surface.Function]) -> None:
        """Collects the rules of a file."""
        for f in functions:
            for rule in f.rules:
                self._plain(f, rule)
        for f in self.generic.values():
            for rule in f.rules:
                self._generic(f, rule)

    def _plain(self, f: surface.Function, rule: surface.Derivative) -> None:
        """A rule of certain types, of a function or of an instance."""
        signatures = self.instances.signatures
        if rule.type_args or rule.primal in self.instances.templates:
            made = self.requests.primal(rule)
            if made is not None:
                self.add(f.name, f, replace(rule, primal=made))
        elif rule.primal in signatures:
            self.add(f.name, f, rule)
        else:
            self.findings.append(name_codes.unknown_primal(
                rule.primal_span, rule.primal, tuple(signatures)))

    def _generic(self, f: surface.Function, rule: surface.Derivative) -> None:
        """A generic rule; of a function of certain types, it is made now."""
        signatures, primal = self.instances.signatures, self.generic.get(rule.primal)
        if takes_functions(f) or (primal is not None and takes_functions(primal)):
            name = f.name if takes_functions(f) else rule.primal
            self.findings.append(codes.generic(
                rule.span, f.name, f"`{name}` takes functions",
                "write the rule for a function that calls it"))
        elif rule.primal in signatures:
            self.follow(f, rule, rule.primal)
        elif primal is None:
            self.findings.append(name_codes.unknown_primal(
                rule.primal_span, rule.primal, tuple(signatures)))

    def of_instance(self, template: str, made: str) -> None:
        """Makes the rules of an instance of a generic function."""
        for f in self.generic.values():
            for rule in f.rules:
                if rule.primal == template and not takes_functions(f):
                    self.follow(f, rule, made)

    def follow(self, f: surface.Function, rule: surface.Derivative, primal: str) -> None:
        """Makes the instance of a generic rule for a function."""
        wanted = self.wanted(rule, primal)
        if wanted is None:
            return
        bound: dict[str, Type] = {}

        def note(name: str, t: Type) -> None:
            bound.setdefault(name, t)

        for a, w in zip(f.args, wanted.written, strict=False):
            collect(a.type, w.type, self.types, note)
        names = [p.name for p in f.type_params]
        if not all(name in bound for name in names):
            why = f"its types do not follow from those of `{rule.primal}`"
            self.findings.append(codes.generic(
                rule.span, f.name, why, "give it the arguments of the derivative"))
            return
        template = self.instances.templates[f.name]
        made = self.instances.instance(
            template, {name: bound[name] for name in names}, (), rule.span)
        if made is not None:
            self.instances.wake([made])
            self.add(made, f, replace(rule, primal=primal))

    def wanted(self, rule: surface.Derivative, primal: str) -> Signature | None:
        """The signature that a rule must have."""
        signature = self.instances.signatures[primal]
        if signature is None:
            return None
        found = derived_signature(signature, rule.mode, self.types.float_type)
        self.types.mentioned += [a.type for a in found.arguments]
        self.types.used_diff = True
        return found

    def add(self, name: str, f: surface.Function, rule: surface.Derivative) -> None:
        """Notes a rule, a function or an instance of it.

        What no derivative of a function is taken by, none of its rules is taken by either.
        """
        word, request = WORDS[rule.mode]
        first = self.found.setdefault((rule.mode, rule.primal), typed.Derivative(
            name, rule.mode, rule.primal, span=rule.span))
        if first.span is not rule.span:
            self.findings.append(codes.twice(rule.span, rule.primal, word, first.span))
        if rule.mode is Mode.REVERSE:
            self.reverse.add(name)
        own, wanted = self.instances.signatures[name], self.wanted(rule, rule.primal)
        if wanted is None or own is None:
            return
        if shape(wanted) != shape(own):
            expected = shown(f.name, wanted, self.types)
            self.findings.append(codes.signature(
                f.name_span, f.name, request, rule.primal, expected, rule.primal_span))
            return
        arguments = tuple([replace(a, nodiff=a.nodiff or w.nodiff) for a, w in zip(
            own.arguments, wanted.arguments, strict=True)])
        self.instances.signatures[name] = replace(own, arguments=arguments)

    def check_places(self, launched: Iterable[str]) -> None:
        """Reports rules where there can be none."""
        kernels = set(launched)
        for r in self.found.values():
            if r.primal in kernels:
                self.findings.append(codes.launched(r.span, r.primal))


def takes_functions(f: surface.Function) -> bool:
    """Whether an argument is a function."""
    return any(isinstance(a.type, surface.CallableTypeExpr) for a in f.args)


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
