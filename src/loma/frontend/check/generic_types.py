"""Generic structs: `Pair[f64]` is a struct of its own, made when it is first named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from loma.diagnostics import Span
from loma.frontend import surface
from loma.frontend.codes import generics as codes
from loma.frontend.codes import names as name_codes
from loma.ir.types import ArrayType, StructType, Type

if TYPE_CHECKING:
    from loma.frontend.check.types import Types

Bound: TypeAlias = Mapping[str, Type]
MOST: Final = 1000
DEEPEST: Final = 10
LONGEST: Final = 60


@dataclass(slots=True)
class GenericStructs:
    """The generic structs of a program, and their instances.

    `made`: instances by struct and types. `origins`: the same, the other way round. `bound`: what
    type parameters stand for in what is being checked. `waiting`: instances whose methods are not
    known yet. `made_struct` is told of each instance. `untyped` are names that stand for no type.
    """

    declared: dict[str, surface.Struct]
    made: dict[tuple[str, tuple[Type, ...]], str] = field(default_factory=dict)
    origins: dict[str, tuple[str, tuple[Type, ...]]] = field(default_factory=dict)
    bound: Bound = field(default_factory=dict)
    waiting: list[tuple[surface.Struct, Bound]] = field(default_factory=list)
    made_struct: Callable[[surface.Struct, Bound], object] = field(init=False)
    untyped: frozenset[str] = frozenset()
    depth: int = 0
    settled: bool = False
    told: bool = False

    def __post_init__(self) -> None:
        self.made_struct = lambda s, bound: self.waiting.append((s, bound))

    @contextmanager
    def binding(self, bound: Bound) -> Iterator[None]:
        """Lets names stand for types."""
        before, self.bound = self.bound, bound
        yield
        self.bound = before

    @contextmanager
    def without(self, names: frozenset[str]) -> Iterator[None]:
        """Lets names stand for no type, as if they had been reported."""
        before, self.untyped = self.untyped, names
        yield
        self.untyped = before

    def resolve(self, e: surface.GenericTypeExpr, types: Types) -> Type | None:
        """The type that `Pair[f64]` means; None once it has been reported."""
        if e.name in self.untyped:
            return None
        if e.name not in self.declared:
            if e.name in types.declared:
                types.findings.append(codes.type_arguments(e.span, e.name, 0, len(e.args)))
            else:
                names = (*self.declared, *types.declared)
                types.findings.append(name_codes.unknown_type(e.span, e.name, names))
            return None
        args = [types.resolve(a) for a in e.args]
        known = tuple([a for a in args if a is not None])
        return None if len(known) < len(args) else self.instance(e.name, known, types, e.span)

    def instance(
        self, name: str, args: tuple[Type, ...], types: Types, span: Span
    ) -> StructType | None:
        """The struct that a generic struct is with certain types."""
        s = self.declared[name]
        if len(args) != len(s.type_params):
            types.findings.append(
                codes.type_arguments(span, name, len(s.type_params), len(args)))
            return None
        if (name, args) in self.made:
            return StructType(self.made[name, args])
        bound = dict(zip([p.name for p in s.type_params], args))
        if not chosen(s.type_params, bound, types, span) or self._too_many(name, types, span):
            return None
        made = fresh(name, [word(types.text(a)) for a in args], types.declared)
        self.made[name, args] = made
        self.origins[made] = name, args
        self._define(replace(s, name=made, type_params=()), {**bound, name: StructType(made)},
                     types)
        return StructType(made)

    def _too_many(self, name: str, types: Types, span: Span) -> bool:
        if self.depth < DEEPEST and len(self.made) < MOST:
            return False
        if not self.told:
            self.told = True
            types.findings.append(codes.endless(span, name, DEEPEST))
        return True

    def _define(self, s: surface.Struct, bound: Bound, types: Types) -> None:
        types.declared[s.name] = s
        types.places[s.name] = {m.name: m.span for m in s.members}
        self.depth += 1
        with self.binding(bound):
            types.define(s)
        self.depth -= 1
        if self.settled and not self.depth:
            types.nesting.visit_all()
        self.made_struct(s, bound)


def chosen(
    params: Iterable[surface.TypeParam], bound: Bound, types: Types, span: Span
) -> bool:
    """Whether each type is one that its parameter allows; the first that is not is reported."""
    for p in params:
        choices = [types.resolve(c) for c in p.choices]
        if choices and bound[p.name] not in choices:
            types.findings.append(codes.not_a_choice(
                span, p.name, types.text(bound[p.name]), [types.text(c) for c in choices]))
            return False
    return True


def word(text: str) -> str:
    """The text of a type as a part of a name."""
    kept = [c if c.isalnum() else "_" for c in text]
    return "".join(kept).strip("_").replace("___", "_").replace("__", "_")


def fresh(name: str, words: Iterable[str], taken: Iterable[str] | Mapping[str, object]) -> str:
    """A name for an instance that is not taken."""
    made = "_".join([name, *words])
    made = made if len(made) <= LONGEST else name
    wanted, count, known = made, 0, frozenset(taken)
    while made in known:
        count += 1
        made = f"{wanted}_{count}"
    return made


def innermost(t: Type) -> Type:
    """What an array, of known length or not, holds in the end."""
    while isinstance(t, ArrayType):
        t = t.element
    return t


def collect(  # noqa: C901 - one dispatch
    formal: surface.TypeExpr | None, actual: Type | None, types: Types,
    found: Callable[[str, Type], None],
) -> None:
    """Compares a written type with one that is known: says what the names in it stand for."""
    match formal, actual:
        case surface.NamedType(name), _ if actual is not None:
            found(name, actual)
        case surface.ArrayTypeExpr(inner) | surface.StackTypeExpr(inner), ArrayType(element):
            collect(inner, element, types, found)
        case surface.ShapedTypeExpr(inner), ArrayType():
            collect(inner, innermost(actual), types, found)
        case surface.TupleTypeExpr(elements), StructType(struct):
            held = types.members(struct).values() if struct in types.table else ()
            for inner, t in zip(elements, held, strict=False):
                collect(inner, t, types, found)
        case surface.DiffTypeExpr(inner), _:
            collect(inner, types.primal_of(actual), types, found)
        case surface.GenericTypeExpr(name, args), StructType(struct):
            origin, known = types.generics.origins.get(struct, ("", ()))
            for inner, t in zip(args, known if origin == name else (), strict=False):
                collect(inner, t, types, found)
        case _:
            pass
