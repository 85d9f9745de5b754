"""Methods become functions: `Vec3.norm` is the function `Vec3_norm`, and so on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from loma.frontend import surface
from loma.frontend.codes import methods as codes
from loma.frontend.codes import names as name_codes
from loma.frontend.errors import Finding


@dataclass(slots=True)
class Methods:
    """The methods of each struct: by name, the functions that they became.

    `shown` are the names under which messages speak of these functions; `static` are struct and
    name of methods that are called without an object.
    """

    table: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    static: set[tuple[str, str]] = field(default_factory=set)

    def of(self, struct: str, name: str) -> list[str]:
        """The definitions of one method."""
        return self.table.get(struct, {}).get(name, [])

    def with_those_of(self, names: frozenset[str]) -> frozenset[str]:
        """The names, and the functions that the methods of the structs among them became."""
        found = [f for s in self.table if s in names for fs in self.table[s].values() for f in fs]
        return names.union(found)

    def name(self, function: str) -> str:
        """The name under which the program knows a function."""
        return self.shown.get(function, function)

    def with_rules(self, f: surface.Function, findings: list[Finding]) -> surface.Function:
        """The function, whose rules are of functions instead of methods."""
        if not f.rules:
            return f
        return replace(f, rules=tuple([self.primal(r, findings) for r in f.rules]))

    def primal(self, d: surface.Derivative, findings: list[Finding]) -> surface.Derivative:
        """The request for a derivative, of a function instead of a method."""
        owner, _, method = d.primal.partition(".")
        found = self.of(owner, method)
        if len(found) > 1:
            findings.append(codes.several_primals(d.primal_span, d.primal, found))
        return replace(d, primal=found[0]) if found else d


def lifted(
    structs: Iterable[surface.Struct], taken: Iterable[str], findings: list[Finding]
) -> tuple[list[surface.Function], Methods]:
    """The functions that all methods become, and which method is which function."""
    methods, functions, names = Methods(), list[surface.Function](), set(taken)
    for s in structs:
        members = {m.name: m.span for m in s.members}
        table = methods.table.setdefault(s.name, {})
        counts = _counts(s)
        methods.static |= {(s.name, name) for name in s.static}
        for f in _different(s, findings):
            if f.name in members:
                findings.append(name_codes.duplicate_member(
                    f.name, s.name, members[f.name], f.name_span))
                continue
            words = _words(s, f) if counts[f.name] > 1 else ()
            name = _fresh("_".join((s.name, f.name.strip("_"), *words)), names)
            table.setdefault(f.name, []).append(name)
            methods.shown[name] = f"{s.name}.{f.name}"
            functions.append(replace(f, name=name))
    return functions, methods


def _counts(s: surface.Struct) -> dict[str, int]:
    counts: dict[str, int] = {}
    for f in s.methods:
        counts[f.name] = counts.get(f.name, 0) + 1
    return counts


def _different(s: surface.Struct, findings: list[Finding]) -> Iterator[surface.Function]:
    """The methods; two definitions for the same types are reported."""
    seen: dict[tuple[str, ...], surface.Function] = {}
    for f in s.methods:
        first = seen.setdefault((f.name, *_words(s, f)), f)
        if first is f:
            yield f
        else:
            findings.append(name_codes.duplicate_definition(
                f"{s.name}.{f.name}", first.name_span, f.name_span))


def _words(s: surface.Struct, f: surface.Function) -> tuple[str, ...]:
    """The types of the arguments after `self`, as parts of a name."""
    return tuple([_word(a.type) for a in f.args[f.name not in s.static:]])


def _word(t: surface.TypeExpr) -> str:
    match t:
        case surface.NamedType(name):
            return name
        case surface.DiffTypeExpr(inner):
            return f"_d{_word(inner)}"
        case surface.ArrayTypeExpr(element, surface.Number(size)):
            return f"Array_{_word(element)}_{size}"
        case surface.ArrayTypeExpr(element):
            return f"Array_{_word(element)}"
        case _:
            return "other"


def _fresh(name: str, taken: set[str]) -> str:
    found, count = name, 0
    while found in taken:
        count += 1
        found = f"{name}_{count}"
    taken.add(found)
    return found
