"""Instances of generic functions: made by a call, checked later like any other function.

A function is a template when its arguments mention type parameters, or are functions. An instance
is the same surface function under another name: types bound to its parameters, its arguments that
are functions taken away, what these capture added at the end. So what comes after the checker sees
plain functions only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.check.generic_types import Bound, chosen, fresh, word
from loma.frontend.check.scope import FunctionValue
from loma.frontend.check.types import Types
from loma.frontend.codes import generics as codes
from loma.frontend.errors import Finding
from loma.frontend.search import is_standard
from loma.ir.nodes import Direction, Signature
from loma.ir.types import ArrayType, Type

MOST: Final = 2000
DEEPEST: Final = 10
Key: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A generic function: what is bound already, and the functions that it sees."""

    function: surface.Function
    bound: Bound = field(default_factory=dict)
    env: Mapping[str, FunctionValue] = field(default_factory=dict)
    captured: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A function to check: with types bound, functions that it sees, variables that it captures.

    `template`, `note`: which instance of what it is; `span`: where it was asked for, in the job
    `by`.
    """

    function: surface.Function
    bound: Bound = field(default_factory=dict)
    env: Mapping[str, FunctionValue] = field(default_factory=dict)
    captured: frozenset[str] = frozenset()
    template: str = ""
    note: str = ""
    span: Span = field(default_factory=Span)
    by: Job | None = None

    def above(self) -> Iterator[Job]:
        """The jobs that asked for this one, from the inside out, itself first."""
        here: Job | None = self
        while here is not None:
            yield here
            here = here.by


@dataclass(frozen=True, slots=True)
class Passed:
    """A function that is passed for an argument, and what it captures."""

    argument: str
    value: FunctionValue
    kinds: tuple[Kind, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """The type of a captured variable; `rank`: how many dimensions an array with sizes has."""

    type: Type
    rank: int = 0

    def arg(self, name: str, span: Span) -> surface.Arg:
        """The argument that passes it."""
        made: surface.TypeExpr = surface.KnownType(self.type, span=span)
        if self.rank and isinstance(self.type, ArrayType):
            sizes = [surface.SizeName(f"{name}_{k}", span=span) for k in range(self.rank)]
            element = surface.KnownType(self.type.element, span=span)
            made = surface.ShapedTypeExpr(element, tuple(sizes), span=span)
        return surface.Arg(name, Direction.IN, made, span=span)


def is_template(f: surface.Function) -> bool:
    """Whether a function has to be instantiated."""
    return bool(f.type_params) or any(
        isinstance(a.type, surface.CallableTypeExpr) for a in f.args)


def within(f: surface.Function, bound: Bound) -> surface.Function:
    """The function inside of what binds some of its type parameters."""
    params = tuple([p for p in f.type_params if p.name not in bound])
    return f if len(params) == len(f.type_params) else replace(f, type_params=params)


@dataclass(slots=True)
class Instances:
    """The generic functions of a program, their instances, and the functions yet to be checked.

    `tell` hears of each instance.
    """

    types: Types
    findings: list[Finding]
    signatures: dict[str, Signature | None]
    sign: Callable[[surface.Function], Signature | None]
    templates: dict[str, Template] = field(default_factory=dict)
    made: dict[Key, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    jobs: list[Job] = field(default_factory=list)
    waiting: dict[str, Job] = field(default_factory=dict)
    current: Job | None = None
    told: bool = False
    tell: Callable[[str, str], None] = lambda _template, _made: None

    def fresh(self, name: str, words: list[str]) -> str:
        """A name for a function that nobody wrote, now taken."""
        made = fresh(name, words, (*self.signatures, *self.templates, *self.names))
        self.names.add(made)
        return made

    def add(self, job: Job) -> None:
        """Adds a function: its signature is known now, its body is checked later."""
        with self.types.generics.binding(job.bound):
            self.signatures[job.function.name] = self.sign(job.function)
        if is_standard(job.function.span.file):
            self.waiting[job.function.name] = job
        else:
            self.jobs.append(job)

    def wake(self, names: Iterable[str]) -> None:
        """Functions of the standard library are checked once something calls them."""
        if self.waiting:
            self.jobs += [self.waiting.pop(name) for name in names if name in self.waiting]

    def instance(
        self, template: Template, bound: Bound, passed: tuple[Passed, ...], span: Span,
        name: str = "",
    ) -> str | None:
        """The name of an instance, made if need be; None once something has been reported."""
        f = template.function
        key = (f.name, name, tuple(bound.items()),
               tuple([(p.argument, p.value.name, p.kinds) for p in passed]))
        if key in self.made:
            return self.made[key]
        if not chosen(f.type_params, bound, self.types, span) or self._too_many(f, span):
            return None
        words = [word(self.types.text(t)) for t in bound.values()]
        words += [p.value.name.removeprefix("_") for p in passed]
        made = self.made[key] = name or self.fresh(f.name, words)
        args = [a for a in f.args if not isinstance(a.type, surface.CallableTypeExpr)]
        taken = {a.name for a in f.args}
        env = dict(template.env)
        for p in passed:
            extra = [kind.arg(unlike(f"{p.argument}_{c}", taken), f.name_span)
                     for c, kind in zip(p.value.captures, p.kinds, strict=True)]
            env[p.argument] = replace(p.value, captures=tuple([a.name for a in extra]))
            args += extra
        body = replace(f, name=made, args=tuple(args), type_params=())
        note = codes.in_instance(f.name, self._bindings(bound, passed))
        self.add(Job(body, {**template.bound, **bound}, env, template.captured, f.name, note,
                     span, self.current))
        self.tell(f.name, made)
        return made

    def explicit(
        self, function: str, type_args: Sequence[surface.TypeExpr], span: Span, name: str = ""
    ) -> str | None:
        """The instance with written types; None once something has been reported."""
        template = self.templates.get(function)
        params = () if template is None else template.function.type_params
        found = [self.types.resolve(t) for t in type_args]
        if template is None or len(found) != len(params):
            self.findings.append(codes.type_arguments(span, function, len(params), len(found)))
            return None
        bound = {p.name: t for p, t in zip(params, found, strict=True) if t is not None}
        if len(bound) < len(params):
            return None
        if any(isinstance(a.type, surface.CallableTypeExpr) for a in template.function.args):
            self.findings.append(codes.in_derivative(span, function))
            return None
        return self.instance(template, bound, (), span, name)

    def _bindings(self, bound: Bound, passed: tuple[Passed, ...]) -> str:
        shown = [f"`{name} = {self.types.text(t)}`" for name, t in bound.items()]
        return ", ".join(shown + [f"`{p.argument} = {p.value.name}`" for p in passed])

    def _too_many(self, f: surface.Function, span: Span) -> bool:
        above = () if self.current is None else self.current.above()
        depth = sum(1 for j in above if j.template == f.name)
        if len(self.made) < MOST and depth < DEEPEST:
            return False
        if not self.told:
            self.told = True
            self.findings.append(
                codes.endless(span, f.name, DEEPEST if depth >= DEEPEST else MOST))
        return True

    def pending(self) -> Iterator[Job]:
        """The functions to check, until there are no more; findings in each say where it is
        from.
        """
        done = 0
        while done < len(self.jobs):
            job, before = self.jobs[done], len(self.findings)
            self.current = job
            with self.types.generics.binding(job.bound):
                yield job
            self.findings[before:] = [_noted(x, job) for x in self.findings[before:]]
            done += 1
        self.current = None
        self._drop_repeated()

    def _drop_repeated(self) -> None:
        """Keeps one of the findings that several instances have at one place."""
        seen: dict[tuple[object, ...], Finding] = {}
        for x in self.findings:
            d = x.diagnostic
            seen.setdefault((d.code, d.span, d.message if not d.notes else ""), x)
        self.findings[:] = seen.values()


def unlike(name: str, taken: set[str]) -> str:
    """A name like the given one that is not taken; it is from now on."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _noted(x: Finding, job: Job) -> Finding:
    """A finding that tells in which instance it is."""
    notes = tuple([(j.span, j.note) for j in job.above() if j.note][:3])
    if not notes:
        return x
    return replace(x, diagnostic=replace(x.diagnostic, notes=(*x.diagnostic.notes, *notes)))
