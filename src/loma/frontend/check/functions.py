"""Which function an operand is: by its name, the derivative of one, a method with its object."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.fits import fits
from loma.frontend.check.methods import MethodChecker
from loma.frontend.check.places import is_place
from loma.frontend.check.scope import FunctionValue
from loma.frontend.check.stacks import paired
from loma.frontend.codes import generics as codes
from loma.frontend.codes.constructs import callee
from loma.frontend.codes.names import unknown_primal
from loma.frontend.codes.parallel import launch_form
from loma.frontend.parse.expr import CALL
from loma.ir.derived import MODES, Mode
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.prims import FUNCTIONS
from loma.ir.types import ArrayType, StructType, Type

CALLABLE: Final = frozenset((*FUNCTIONS, "int", "float", "f32", "f64", "i32", "i64", "bool",
                             "int2float", "float2int", "select"))


@dataclass(frozen=True, slots=True)
class Profile:
    """What a function takes from those who call it, and what it gives."""

    arguments: tuple[Argument, ...]
    result: Type | None


class FunctionValues(MethodChecker):
    """Knows which function an operand is; `without_types`: in a function without an instance."""

    without_types: bool = False

    @abstractmethod
    def lambda_value(
        self, e: surface.Lambda, formal: surface.CallableTypeExpr, argument: str
    ) -> FunctionValue | None:
        """The function that a `lambda` is, as one beside the function."""

    def known_function(self, e: surface.Expr) -> FunctionValue | None:
        """The function that an operand names; None for anything else."""
        match e:
            case surface.Name(name):
                entry = self.scope.find(name)
                if entry is not None:
                    return entry.function
                known = name in self.context.signatures or name in CALLABLE
                known = known or name in self.context.instances.templates
                return FunctionValue(name) if known else None
            case surface.Member(surface.Name(owner), name) if self.scope.find(owner) is None:
                found = self.context.methods.of(owner, name)
                return FunctionValue(found[0]) if len(found) == 1 else None
            case surface.Call(function) if function in MODES:
                return self.derivative(e)
            case _:
                return None

    def profile(self, value: FunctionValue) -> Profile | None:
        """What a function takes apart from what it captures; None if that is not known yet."""
        signature = self.context.signatures.get(value.name) if value.body is None else None
        if signature is None:
            return None
        written = tuple(signature.written)
        end = len(written) - value.last
        own = (*written[:end - len(value.captures)], *written[end:])
        return Profile(own, signature.result)

    # Objects that are called.

    def object_call(self, e: surface.Call) -> surface.MethodCall | None:
        """v(x), where `v` is an object with a method `__call__`, as a call of that."""
        name = surface.Name(e.function, span=e.span)
        if not self._method(name, CALL):
            return None
        return surface.MethodCall(name, CALL, e.args, e.keywords, span=e.span)

    def method_call(self, e: surface.MethodCall, use: str = "value") -> typed.Expr | None:
        """A call of a method; or of what stands in its place, which is then called."""
        if e.name == CALL and mode_of(e.base) is not None:
            return self._derivative_call(e, use)
        if not self._method(e.base, e.name):
            member = surface.Member(e.base, e.name, span=e.span)
            if self._method(member, CALL):
                e = surface.MethodCall(member, CALL, e.args, e.keywords, span=e.span)
            elif e.name == CALL and isinstance(e.base, surface.Index | surface.Subscript):
                self._not_callable(e, e.base)
                return None
        return super().method_call(e, use)

    def with_functions(
        self, args: Sequence[surface.Expr], candidates: list[str]
    ) -> list[str]:
        """Of several definitions, those that take functions where functions are passed."""
        passed = [self._is_function(x) for x in args] if candidates[1:] else []
        if not any(passed):
            return candidates
        taken = [c for c in candidates if self._takes(c) in (passed, [False, *passed])]
        return taken or candidates

    def _takes(self, candidate: str) -> list[bool]:
        """Which arguments of a definition are functions."""
        template = self.context.instances.templates.get(candidate)
        args = () if template is None else template.function.args
        return [isinstance(a.type, surface.CallableTypeExpr) for a in args]

    def _is_function(self, e: surface.Expr) -> bool:
        """Whether an operand is a function, and nothing that is a value."""
        if isinstance(e, surface.Lambda | surface.Specialised) or mode_of(e) is not None:
            return True
        return self.known_function(e) is not None or (
            isinstance(e, surface.Member) and self.bound_method(e) is not None)

    def _derivative_call(self, e: surface.MethodCall, use: str) -> typed.Expr | None:
        """fwd_diff(g)(x)."""
        assert isinstance(e.base, surface.Call), "checked by the caller"
        value = self.derivative(e.base)
        shown = "" if value is None else self.context.methods.name(value.name)
        call = None if value is None else self.counted(value, e, shown)
        done = None if call is None else self.user_call(call, use != "value")
        return done if use == "statement" or call is None else self.valued(call, done, use)

    def _not_callable(
        self, e: surface.MethodCall, base: surface.Index | surface.Subscript
    ) -> None:
        if isinstance(base.base, surface.Name) and base.base.name in self.context.signatures:
            self.report(launch_form(e.span, base.base.name))
        else:
            self.report(callee(base.span))

    @abstractmethod
    def lambda_called(
        self, e: surface.Lambda, call: surface.Call | surface.MethodCall
    ) -> FunctionValue | None:
        """The function that a `lambda` is for the operands of a call."""

    @abstractmethod
    def counted(
        self, value: FunctionValue, e: surface.Call | surface.MethodCall, shown: str
    ) -> surface.Call | None:
        """The call of a function with as many operands as it takes; others are reported."""

    @abstractmethod
    def user_call(self, e: surface.Call, statement: bool) -> typed.Call | None:
        """A call of a function or derivative of the file."""

    # Methods with their object.

    def bound_method(self, e: surface.Expr) -> tuple[surface.Expr, str] | None:
        """The object and the name of the method that an operand is; None for what is none."""
        if isinstance(e, surface.Member) and self._method(e.base, e.field):
            return e.base, e.field
        return (e, CALL) if self._method(e, CALL) else None

    def _method(self, base: surface.Expr, name: str) -> list[str]:
        t = self.place_type(base)
        return self.context.methods.of(t.name, name) if isinstance(t, StructType) else []

    def place_type(self, e: surface.Expr) -> Type | None:
        """The type of a place, with nothing evaluated; None for anything else."""
        match e:
            case surface.Name(name):
                entry = self.scope.find(name)
                if entry is None or entry.symbol is None:
                    return None
                return entry.symbol.type
            case surface.Member(base, name):
                t = self.place_type(base)
                known = self.types.members(t.name) if isinstance(t, StructType) else {}
                return known.get(name)
            case surface.Index(base):
                t = self.place_type(base)
                return t.element if isinstance(t, ArrayType) else None
            case _:
                return None

    def bound_profile(self, e: surface.Expr) -> Profile | None:
        """What a method with its object takes; None if that is not known."""
        found = self.bound_method(e)
        candidates = [] if found is None else self._method(*found)
        whole = self.profile(FunctionValue(candidates[0])) if len(candidates) == 1 else None
        return None if whole is None else replace(whole, arguments=whole.arguments[1:])

    def bound_value(
        self, e: surface.Expr, formal: surface.CallableTypeExpr, argument: str
    ) -> FunctionValue | None:
        """The function that a method with its object is: a `lambda` that calls it."""
        found, profile = self.bound_method(e), self.bound_profile(e)
        assert found is not None and is_place(found[0]), "a method of a place"
        if profile is not None and not self.alike(profile, formal):
            name = self.context.methods.name(self._method(*found)[0])
            self.expr(found[0])
            self.unlike(e, argument, formal, name, profile)
            return None
        names = tuple([f"_{k}" for k in range(len(formal.args))])
        args = tuple([surface.Name(n, span=e.span) for n in names])
        call = surface.MethodCall(*found, args, span=e.span)
        return self.lambda_value(surface.Lambda(names, call, span=e.span), formal, argument)

    def alike(self, profile: Profile, formal: surface.CallableTypeExpr) -> bool:
        """Whether a function takes and gives what an argument wants."""
        types = [self.types.resolve(t) for _, t in formal.args]
        result = None if formal.result is None else self.types.resolve(formal.result)
        return len(profile.arguments) == len(types) and profile.result == result and all(
            t is not None and a.direction is d and fits(t, a.type)
            for a, t, (d, _) in zip(profile.arguments, types, formal.args, strict=True))

    def unlike(
        self, e: surface.Expr, argument: str, formal: surface.CallableTypeExpr, name: str,
        profile: Profile,
    ) -> None:
        """Reports a function that is not what an argument takes."""
        shown = self.shown_call(name, Signature(profile.arguments, profile.result))
        arrow = "" if profile.result is None else f" -> {self.types.text(profile.result)}"
        self.report(codes.unlike(e.span, argument, self.callable_text(formal), shown + arrow))

    def is_untyped(self, name: str) -> bool:
        """Whether a name stands for something whose type is not known, without being wrong."""
        entry = self.scope.find(name)
        if entry is None:
            return name in self.types.generics.untyped
        return self.without_types and entry.symbol is None and entry.view is None and (
            entry.function is None)

    # Derivatives.

    def derivative(self, e: surface.Call) -> FunctionValue | None:
        """The function that fwd_diff(g) or rev_diff(g) is, inside of a function."""
        if len(e.args) != 1 or e.keywords:
            self.report(codes.derivative_operand(e.span, e.function))
            return None
        (of,) = e.args
        value = self._primal(e, of)
        if value is None or self.context.signatures.get(value.name) is None:
            return None
        captured = frozenset(self._captured_by(value))
        name = self.context.request(MODES[e.function], value.name, captured, e.span)
        signature = self.context.signatures[name]
        self.context.methods.shown[name] = f"{e.function}({self.context.methods.name(value.name)})"
        if signature is None:
            return None
        count, last = len(paired(signature)) - len(value.captures), 0
        if captured:
            places = [k for k, a in enumerate(signature.written) if a.name in captured]
            last = len(signature.written) - 1 - places[-1]
        return FunctionValue(name, value.captures, count, last)

    def _captured_by(self, value: FunctionValue) -> Iterator[str]:
        """The arguments that pass what a function captures."""
        signature = self.context.signatures[value.name]
        if signature is not None and value.captures:
            end = len(signature.written) - value.last
            yield from (a.name for a in signature.written[end - len(value.captures):end])

    def _primal(self, e: surface.Call, of: surface.Expr) -> FunctionValue | None:
        """The function that is differentiated; reports what is none, or not known here."""
        value: FunctionValue | None = None
        if isinstance(of, surface.Specialised):
            made = self.context.instances.explicit(of.function, of.type_args, of.span)
            return None if made is None else FunctionValue(made)
        if not isinstance(of, surface.Lambda):
            value = self.known_function(of)
        if value is None and (profile := self.bound_profile(of)) is not None:
            return self.bound_value(of, self._formal(profile, of.span), "")
        if value is None:
            self._no_primal(e, of)
            return None
        if value.body is not None:
            self.report(codes.derivative_operand(of.span, e.function))
            return None
        template = self.context.instances.templates.get(value.name)
        if template is None:
            return self._written_out(value, of) if value.name in CALLABLE else value
        names = [p.name for p in template.function.type_params]
        if any(isinstance(a.type, surface.CallableTypeExpr) for a in template.function.args):
            self.report(codes.in_derivative(of.span, value.name))
        else:
            self.report(codes.undetermined(of.span, value.name, names[0], names))
        return None

    def _formal(self, profile: Profile, span: Span) -> surface.CallableTypeExpr:
        """The type of what takes and gives that."""
        result = profile.result
        return surface.CallableTypeExpr(
            tuple([(a.direction, surface.KnownType(a.type, span=span)) for a in profile.arguments]),
            None if result is None else surface.KnownType(result, span=span), span=span)

    def _no_primal(self, e: surface.Call, of: surface.Expr) -> None:
        if isinstance(of, surface.Name) and self.is_untyped(of.name):
            return
        if isinstance(of, surface.Name) and self.scope.find(of.name) is None:
            known = self.context.guesses([*self.context.signatures])
            self.report(unknown_primal(of.span, of.name, known))
        elif not isinstance(of, surface.Bad) and mode_of(of) is None:
            self.report(codes.derivative_operand(of.span, e.function))

    def _written_out(self, value: FunctionValue, of: surface.Expr) -> FunctionValue | None:
        """A builtin as a function of the file: on the types that it is passed for, else floats."""
        if value.name in self.context.signatures:
            return value
        formal = value.formal
        if formal is None:
            real = surface.KnownType(self.context.float_type, span=of.span)
            arity = FUNCTIONS[value.name].arity if value.name in FUNCTIONS else 1
            formal = surface.CallableTypeExpr(((Direction.IN, real),) * arity, real, span=of.span)
        names = tuple([f"x{k}" for k in range(len(formal.args))])
        args = tuple([surface.Name(n, span=of.span) for n in names])
        call = surface.Call(value.name, args, span=of.span)
        key = value.name, self.callable_text(formal)
        if key not in self.context.written_out:
            made = self.lambda_value(surface.Lambda(names, call, span=of.span), formal, value.name)
            self.context.written_out[key] = "" if made is None else made.name
        return FunctionValue(self.context.written_out[key])

    @abstractmethod
    def callable_text(self, formal: surface.CallableTypeExpr) -> str:
        """A function type as loma source, with the types that it has here."""

    def applied(self, value: FunctionValue, e: surface.Call | surface.MethodCall) -> surface.Call:
        """The call of a function with operands: what it captures is passed, too."""
        at = len(e.args) - value.last
        names = [surface.Name(c, span=e.span) for c in value.captures]
        args = (*e.args[:at], *names, *e.args[at:])
        return surface.Call(value.name, args, e.keywords, span=e.span)


def mode_of(e: surface.Expr) -> Mode | None:
    """The mode of the derivative that an expression asks for."""
    return MODES.get(e.function) if isinstance(e, surface.Call) else None
