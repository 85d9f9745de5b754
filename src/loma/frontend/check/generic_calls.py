"""Calls of generic functions: what their types and functions are, and which instance that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.closures import ClosureChecker
from loma.frontend.check.functions import CALLABLE, Profile, mode_of
from loma.frontend.check.generic import Passed, Template
from loma.frontend.check.generic_types import Bound, collect
from loma.frontend.check.scope import FunctionValue
from loma.frontend.check.stacks import operand
from loma.frontend.codes import calls as call_codes
from loma.frontend.codes import generics as codes
from loma.frontend.codes import syntax as syntax_codes
from loma.frontend.convert import Weak
from loma.ir.nodes import Direction, Signature
from loma.ir.types import I32, I64, Scalar, StructType, Type

Operands: TypeAlias = Sequence[tuple[surface.Arg, surface.Expr]]


class GenericCalls(ClosureChecker):
    """Checks calls of generic functions, and of arguments that are functions."""

    def rebound(self, e: surface.Call) -> surface.Call | None:
        """The call of what a name stands for here; None once it has been reported."""
        entry = self.scope.find(e.function)
        if self.is_untyped(e.function):
            self.operand_values(e)
            return None
        if entry is None or entry.function is None:
            bound = self.types.generics.bound.get(e.function)
            return replace(e, function=bound.value) if isinstance(bound, Scalar) else e
        return self.counted(entry.function, e, e.function)

    def counted(
        self, value: FunctionValue, e: surface.Call | surface.MethodCall, shown: str
    ) -> surface.Call | None:
        """The call of a function with as many operands as it takes; others are reported."""
        if value.body is not None and value.arity == len(e.args):
            made = self.lambda_called(value.body, e)
            return None if made is None else self.applied(made, e)
        if value.arity is not None and value.arity != len(e.args):
            call, profile = surface.Call(shown, e.args, span=e.span), self.profile(value)
            text = f"{shown}(...)" if profile is None else self.shown_call(
                shown, Signature(profile.arguments, profile.result))
            self.report(call_codes.arity(call, value.arity, len(e.args), text))
            return None
        return self.applied(value, e)

    def is_generic(self, e: surface.Call) -> bool:
        """Whether a call has to find its instance first."""
        return bool(e.type_args) or e.function in self.context.instances.templates or (
            e.function in self.types.generics.declared
            and e.function not in self.types.generics.bound)

    def generic_value(self, e: surface.Call) -> typed.Expr | None:
        """A call of a generic function or struct as a value."""
        if e.function in self.types.generics.declared:
            struct = self._generic_struct(e)
            return None if struct is None else self.constructed(e, struct)
        return self.valued(e, self.generic_call(e, statement=False))

    def constructed(self, e: surface.Call, struct: StructType) -> typed.Expr | None:
        """A struct made from its members."""
        raise NotImplementedError

    def operand_values(self, e: surface.Call) -> list[typed.Expr | None]:
        """The operands, checked once."""
        raise NotImplementedError

    def _generic_struct(self, e: surface.Call) -> StructType | None:
        """The instance of a generic struct that a call makes."""
        s = self.types.generics.declared[e.function]
        params = [p.name for p in s.type_params]
        if e.type_args:
            types = self._resolved(e.type_args)
            if types is None:
                return None
            return self.types.generics.instance(s.name, types, self.types, e.span)
        values = self.operand_values(e)
        if None in values:
            return None
        formal = [surface.Arg(m.name, Direction.IN, m.type, span=m.span) for m in s.members]
        found = self._inferred(params, list(zip(formal, values, strict=False)), ())
        bound = self._settled(s.name, s.type_params, found, e.span)
        if bound is None:
            return None
        args = tuple([bound[p] for p in params])
        return self.types.generics.instance(s.name, args, self.types, e.span)

    def _resolved(self, types: Sequence[surface.TypeExpr]) -> tuple[Type, ...] | None:
        found = [self.types.resolve(t) for t in types]
        known = tuple([t for t in found if t is not None])
        return known if len(known) == len(found) else None

    def generic_call(
        self, e: surface.Call, statement: bool,
        known: Mapping[surface.Expr, typed.Expr] | None = None,
    ) -> typed.Call | None:
        """A call of a generic function; `known` are operands that are checked already."""
        for k in e.keywords:
            self.report(syntax_codes.keyword_operand(k.span, k.name))
        template = self.context.instances.templates.get(e.function)
        if template is None:
            self.report(codes.type_arguments(e.span, e.function, 0, len(e.type_args)))
            return None
        args = template.function.args
        if len(args) != len(e.args):
            shown = f"{e.function}({', '.join(a.name for a in args)})"
            self.report(call_codes.arity(e, len(args), len(e.args), shown))
            return None
        pairs = list(zip(args, e.args, strict=True))
        plain = [(a, x) for a, x in pairs if not isinstance(a.type, surface.CallableTypeExpr)]
        known = known or {}
        values = self.in_order([x for _, x in plain], lambda x: known.get(x) or operand(self, x),
                               [k for k, (a, _) in enumerate(plain)
                                if a.direction is not Direction.IN])
        if None in values or e.keywords:
            return None
        given = [(a, v) for (a, _), v in zip(plain, values, strict=True)]
        bound = self._types(e, template, given, pairs)
        if bound is None:
            return None
        passed = self._functions(template, bound, pairs)
        if passed is None:
            return None
        return self._instance_call(e, template, bound, passed, plain, values, statement)

    def _instance_call(
        self, e: surface.Call, template: Template, bound: Bound, passed: tuple[Passed, ...],
        plain: Operands, values: list[typed.Expr | None], statement: bool,
    ) -> typed.Call | None:
        name = self.context.instances.instance(template, bound, passed, e.span)
        captures = [c for p in passed for c in p.value.captures]
        written = {root_name(x) for a, x in plain if a.direction is not Direction.IN}
        for c in captures:
            if c in written:
                self.report(codes.captured_output(e.span, c))
                return None
        if name is None:
            return None
        names = [surface.Name(c, span=e.span) for c in captures]
        call = replace(e, args=(*(x for _, x in plain), *names), type_args=())
        return self.passed(call, name, [*values, *(self.expr(n) for n in names)], statement)

    # Types.

    def _types(
        self, e: surface.Call, template: Template,
        given: Sequence[tuple[surface.Arg, typed.Expr | None]], pairs: Operands,
    ) -> Bound | None:
        """What the type parameters stand for in a call."""
        params = template.function.type_params
        names = [p.name for p in params]
        if e.type_args:
            types = self._resolved(e.type_args)
            if types is not None and len(types) != len(params):
                self.report(codes.type_arguments(e.span, e.function, len(params), len(types)))
                return None
            return None if types is None else dict(zip(names, types, strict=True))
        functions = []
        for a, x in pairs:
            if isinstance(a.type, surface.CallableTypeExpr):
                value = self.known_function(x)
                profile = self.bound_profile(x) if value is None else self.profile(value)
                functions += [] if profile is None else [(a.type, profile)]
        found = self._inferred(names, given, functions)
        return self._settled(e.function, params, found, e.span)

    def _inferred(
        self, params: Sequence[str],
        given: Sequence[tuple[surface.Arg, typed.Expr | None]],
        functions: Sequence[tuple[surface.CallableTypeExpr, Profile]],
    ) -> dict[str, list[Type]]:
        """The types that operands ask for: values first, then functions, literals last."""
        found: dict[str, list[Type]] = {p: [] for p in params}

        def note(name: str, t: Type) -> None:
            if name in found and t not in found[name]:
                found[name].append(t)

        for a, v in given:
            if v is not None and not isinstance(v, Weak):
                collect(a.type, v.type, self.types, note)
        for formal, profile in functions:
            if not all(found.values()):
                for (_, t), argument in zip(formal.args, profile.arguments, strict=False):
                    collect(t, argument.type, self.types, note)
                collect(formal.result, profile.result, self.types, note)
        _from_literals(given, found)
        return found

    def _settled(
        self, name: str, params: Sequence[surface.TypeParam], found: Mapping[str, list[Type]],
        span: Span,
    ) -> Bound | None:
        """One type for each parameter; reports a parameter that has none or several."""
        bound: dict[str, Type] = {}
        for p in params:
            types = found[p.name]
            if not types:
                self.report(codes.undetermined(span, name, p.name, [q.name for q in params]))
                return None
            if len(types) > 1:
                self.report(codes.conflict(span, p.name, [self.types.text(t) for t in types]))
                return None
            bound[p.name] = types[0]
        return bound

    # Functions.

    def _functions(
        self, template: Template, bound: Bound, pairs: Operands
    ) -> tuple[Passed, ...] | None:
        """The functions that a call passes."""
        found: list[Passed | None] = []
        scope = {**template.bound, **bound}
        for a, x in pairs:
            if isinstance(a.type, surface.CallableTypeExpr):
                with self.types.generics.binding(scope):
                    types = [(d, self.types.resolve(t)) for d, t in a.type.args]
                    result = None if a.type.result is None else self.types.resolve(a.type.result)
                formal = surface.CallableTypeExpr(
                    tuple([(d, surface.KnownType(t)) for d, t in types if t is not None]),
                    None if result is None else surface.KnownType(result), span=a.type.span)
                found.append(self._function(x, formal, a.name))
        ready = tuple([p for p in found if p is not None])
        return ready if len(ready) == len(found) else None

    def _function(
        self, e: surface.Expr, formal: surface.CallableTypeExpr, argument: str
    ) -> Passed | None:
        """The function that an operand is."""
        value: FunctionValue | None
        match e:
            case surface.Bad():
                return None
            case surface.Lambda():
                value = self.lambda_value(e, formal, argument)
            case surface.Specialised(name, type_args):
                value = self._specialised(e, name, type_args)
            case _:
                value = self._named(e, formal, argument)
        if value is not None and value.name in self.context.instances.templates:
            value = self._chosen(e, value, formal)
        if value is None or not self.conforms(e, value, formal, argument):
            return None
        return Passed(argument, replace(value, formal=formal), self.kinds_of(value.captures))

    def _named(
        self, e: surface.Expr, formal: surface.CallableTypeExpr, argument: str
    ) -> FunctionValue | None:
        """The function with a name, the derivative, or the method with its object."""
        value = self.known_function(e)
        if value is not None and value.body is not None:
            return self.lambda_value(value.body, formal, argument)
        if value is None and self.bound_method(e) is not None:
            return self.bound_value(e, formal, argument)
        if value is None and mode_of(e) is None:
            self._no_function(e, argument)
        return value

    def _no_function(self, e: surface.Expr, argument: str) -> None:
        """Reports an operand that is no function."""
        if self.is_untyped(root_name(e)):
            return
        if isinstance(e, surface.Name) and self.scope.find(e.name) is None:
            known = self.context.guesses([*self.context.signatures, *CALLABLE])
            self.report(codes.unknown_instance(e.span, e.name, known))
        else:
            named = self.scope.find(root_name(e))
            if named is not None and named.symbol is not None:
                self.read.add(named.symbol)
            self.report(codes.not_known(e.span, argument))

    def _specialised(
        self, e: surface.Specialised, name: str, type_args: Sequence[surface.TypeExpr]
    ) -> FunctionValue | None:
        made = self.context.instances.explicit(name, type_args, e.span)
        return None if made is None else FunctionValue(made)

    def _chosen(
        self, e: surface.Expr, value: FunctionValue, formal: surface.CallableTypeExpr
    ) -> FunctionValue | None:
        """The instance of a generic function that is passed, by the types it is wanted for."""
        template = self.context.instances.templates[value.name]
        f = template.function
        if any(isinstance(a.type, surface.CallableTypeExpr) for a in f.args):
            self.report(codes.in_derivative(e.span, value.name))
            return None
        found: dict[str, list[Type]] = {p.name: [] for p in f.type_params}

        def note(name: str, t: Type) -> None:
            if name in found and t not in found[name]:
                found[name].append(t)

        for a, (_, t) in zip(f.args, formal.args, strict=False):
            collect(a.type, self.types.resolve(t), self.types, note)
        bound = self._settled(value.name, f.type_params, found, e.span)
        made = None if bound is None else self.context.instances.instance(
            template, bound, (), e.span)
        return None if made is None else replace(value, name=made)


def root_name(e: surface.Expr) -> str:
    """The variable that a place belongs to."""
    while isinstance(e, surface.Index | surface.Member):
        e = e.base
    return e.name if isinstance(e, surface.Name) else ""


def _from_literals(
    given: Sequence[tuple[surface.Arg, typed.Expr | None]], found: dict[str, list[Type]]
) -> None:
    """Notes the types of literals for parameters that nothing else decides; a float literal decides
    over integers.
    """
    decided = {name for name, types in found.items() if types}
    for a, v in given:
        match a.type:
            case surface.NamedType(name) if (
                isinstance(v, Weak) and name in found and name not in decided
            ):
                if not found[name] or (v.type.is_float and found[name][0] in (I32, I64)):
                    found[name][:] = [v.type]
            case _:
                pass
