"""Which functions have derivatives of their own, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from loma.ad.errors import NotDifferentiable
from loma.ad.function import Phantom
from loma.ad.incoming import Incoming, MustWrite, covered
from loma.ad.joined import Values
from loma.ad.nodiff import still
from loma.ad.state import Rule
from loma.ad.transposed import forward_from_reverse, reverse_from_forward
from loma.ir.analysis.roots import bases
from loma.ir.builder import const
from loma.ir.derived import Mode, derived_signature
from loma.ir.nodes import Call, Direction, Function, Module, Path
from loma.ir.traverse import walk
from loma.ir.types import I32, ArrayType, Ref, Structs, StructType, Type, has_pointer

MOST = 64
"""The most scalars of an output that are looked at one by one."""


class Maker(Protocol):
    """What makes functions by name."""

    def function(self, name: str) -> Function:
        """A function as lowered, or as derived."""
        ...

    def prepare(self, name: str) -> Function:
        """A function simplified for differentiation."""
        ...

    def inlined(self, name: str) -> Function:
        """A function simplified, with what it calls inlined."""
        ...

    def name_of(self, primal: str, mode: Mode) -> str:
        """The name of a derivative."""
        ...

    def reversed(
        self, f: Function, name: str, exact: bool = False
    ) -> tuple[Function, list[Phantom]]:
        """The reverse derivative of a core function."""
        ...

    def finish(self, f: Function) -> Function:
        """A derivative simplified."""
        ...

    def add(self, f: Function) -> None:
        """Makes a function known by its name."""
        ...

    def fresh(self, name: str) -> str:
        """A function name that is not taken."""
        ...


@dataclass(slots=True)
class Rulebook:
    """The rules that a program has written: (mode, primal) -> the name of the rule."""

    written: Mapping[tuple[Mode, str], str]
    module: Module
    maker: Maker
    must_write: MustWrite
    stills: dict[str, str] = field(default_factory=dict)
    found: dict[str, Rule | NotDifferentiable] = field(default_factory=dict)
    open: set[tuple[Mode, str]] = field(default_factory=set)

    def __contains__(self, function: str) -> bool:
        return any((mode, function) in self.written for mode in Mode)

    def derive(self, name: str, mode: Mode, primal: str) -> Function | None:
        """The derivative of a function with rules; None for any other function."""
        if primal not in self:
            return None
        own = self.written.get((mode, primal))
        if own is not None:
            return self.renamed(self.maker.function(own), name, mode, primal)
        other = Mode.REVERSE if mode is Mode.FORWARD else Mode.FORWARD
        rule = self.written[other, primal]
        if (mode, primal) in self.open:
            raise self.circle(mode, primal)
        self.open.add((mode, primal))
        try:
            made = self.transposed_somehow(rule, name, mode, primal)
        finally:
            self.open.discard((mode, primal))
        return made

    def circle(self, mode: Mode, primal: str) -> NotDifferentiable:
        """The error for a rule that needs what follows from it."""
        other = Mode.REVERSE if mode is Mode.FORWARD else Mode.FORWARD
        rule = self.maker.function(self.written[other, primal])
        return NotDifferentiable(
            rule.name,
            rule.span,
            f"the rule needs the derivative of `{primal}` that is to follow from it",
            "write that rule too",
        )

    def transposed_somehow(self, rule: str, name: str, mode: Mode, primal: str) -> Function:
        """The derivative that follows from the rule, as it is or with what it calls inlined."""
        try:
            return self.transposed(self.maker.prepare(rule), name, mode, primal)
        except NotDifferentiable:
            return self.transposed(self.maker.inlined(rule), name, mode, primal)

    def transposed(self, rule: Function, name: str, mode: Mode, primal: str) -> Function:
        """The derivative that follows from the rule for the other mode."""
        maker, f = self.maker, self.maker.function(primal)
        if mode is Mode.REVERSE:
            return reverse_from_forward(
                rule, f, name, self.module, self.linear, maker.finish
            )
        body = maker.prepare(primal)
        still = ""
        if not all(self.covers(body, i, body.params[i].content) for i in outputs(body)):
            still = maker.name_of(self.still(primal), Mode.FORWARD)
            maker.function(still)
        values = Values(body, still)
        made = forward_from_reverse(
            rule, f, name, self.module, self.linear, maker.finish, values
        )
        return maker.finish(made)

    def linear(self, f: Function, name: str) -> tuple[Function, list[Phantom]]:
        """The reverse derivative of a function that is linear in its inputs."""
        return self.maker.reversed(f, name, exact=True)

    def renamed(self, rule: Function, name: str, mode: Mode, primal: str) -> Function:
        """The rule under the name of a derivative that was asked for."""
        f = self.maker.function(primal)
        signature = derived_signature(f.signature, mode, self.module.float_type)
        return replace(rule, name=name, signature=signature, exported=f.exported)

    def still(self, name: str) -> str:
        """The still copy of a function, and of all that it calls."""
        if name not in self.stills:
            self.stills[name] = self.maker.fresh(f"_still_{name}")
            f = self.maker.function(name)
            self.maker.add(still(f, self.stills[name], self.still))
        return self.stills[name]

    def prepare(self, functions: Iterable[str]) -> None:
        """Makes the reverse rules that calls of these functions need; one that is refused is
        reported when it is used.
        """
        for name in functions:
            unknown = name in self and name not in self.found
            if unknown and (Mode.REVERSE, name) not in self.open:
                try:
                    reverse = self.maker.prepare(self.maker.name_of(name, Mode.REVERSE))
                except NotDifferentiable as refused:
                    self.found[name] = refused
                    continue
                self.found[name] = self.made(self.maker.prepare(name), reverse)

    def made(self, f: Function, reverse: Function) -> Rule:
        """A reverse rule, with what its calls need made when they do."""

        def inlined() -> Function:
            whole = not any(isinstance(op, Call) for op in walk(reverse.body))
            return reverse if whole else self.maker.inlined(reverse.name)

        return Rule(f, reverse, self.still(f.name), partial(self.covers, f), inlined)

    def rule(self, name: str) -> Rule | NotDifferentiable | None:
        """The reverse rule of a function, or why there is none; None for a function without
        rules.
        """
        if name not in self or name in self.found:
            return self.found.get(name)
        return self.circle(Mode.REVERSE, name)

    def covers(self, f: Function, i: int, content: Type) -> bool:
        """Whether a function certainly writes all of a parameter, an output, where that is such
        memory.
        """
        structs = self.module.structs
        if i not in outputs(f):
            return False
        if i >= len(f.signature.arguments):
            return not has_pointer(content, structs)
        unbounded = isinstance(content, ArrayType) and content.size is None
        if unbounded or has_pointer(content, structs) or scalars(content, structs) > MOST:
            return False
        incoming = Incoming(f.params[i], self.must_write, bases(f.body))
        written = incoming.visit(f.body, frozenset())
        if not incoming.nothing:
            return False
        return all(covered(path, written) for path in paths(content, structs))


def outputs(f: Function) -> list[int]:
    """The positions of what a function writes and does not read: Out arguments, a struct result."""
    return [
        i
        for i, p in enumerate(f.params)
        if isinstance(p.type, Ref)
        and (
            i >= len(f.signature.arguments)
            or f.signature.arguments[i].direction is Direction.OUT
        )
    ]


def scalars(t: Type, structs: Structs) -> int:
    """How many scalars a value holds."""
    match t:
        case ArrayType(element, size):
            return (size or 0) * scalars(element, structs)
        case StructType(name):
            return sum(scalars(m, structs) for _, m in structs[name].members)
        case _:
            return 1


def paths(t: Type, structs: Structs) -> list[Path]:
    """The path to each scalar of a small value."""
    match t:
        case ArrayType(element, int() as size):
            below = paths(element, structs)
            return [(const(k, I32), *p) for k in range(size) for p in below]
        case StructType(name):
            return [(m, *p) for m, inner in structs[name].members for p in paths(inner, structs)]
        case _:
            return [()]
