"""Functions as operands: names, `lambda`, functions inside functions. What they capture becomes
arguments of theirs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace

from loma.frontend import surface, typed
from loma.frontend.check.functions import FunctionValues
from loma.frontend.check.generic import Job, Kind, Template, is_template, unlike, within
from loma.frontend.check.scope import Entry, FunctionValue
from loma.frontend.codes import generics as codes
from loma.frontend.free import names_in
from loma.ir.nodes import Direction
from loma.ir.types import ArrayType, Scalar, StructType, TapeType


class ClosureChecker(FunctionValues):
    """Makes functions of what stands inside of functions."""

    function_name: str = ""
    job: Job | None = None

    def no_function_value(self, e: surface.Expr) -> None:
        """Reports a function in the place of a value."""
        match e:
            case surface.Name(name) | surface.Specialised(name):
                self.report(codes.as_value(e.span, f"the function `{name}`"))
            case surface.Call():
                self.report(codes.as_value(e.span, "a derivative"))
            case _:
                self.report(codes.as_value(e.span, "a `lambda`"))

    # What is inside a function.

    def open_job(self) -> None:
        """Makes the functions visible that the function sees, and marks what it captures."""
        if self.job is None:
            return
        for name, value in self.job.env.items():
            if self.scope.find(name) is None:
                self.scope.declare(name, Entry(None, self.job.function, function=value))
        for name in self.job.captured:
            entry = self.scope.find(name)
            if entry is not None:
                self.scope.blocks[0][name] = replace(entry, captured=True)

    def inner_function(self, s: surface.InnerFunction) -> None:
        """A function inside the function: it becomes one beside it."""
        f = s.function
        if self.without_types:
            self.inside(f.body, {a.name: a for a in f.args})
            self.scope.declare(f.name, Entry(None, s))
            return
        entry = self.scope.find(f.name)
        if entry is not None and entry.symbol is not None:
            self.declare_function(s, FunctionValue(f.name))
            return
        made = self.context.instances.fresh(f"{self.function_name}_{f.name}", [])
        free = [n for n in names_in(f) if n != f.name]
        extra, env, names = self._captures(free, {a.name for a in f.args}, f)
        own = FunctionValue(made, tuple([a.name for a in extra]), len(f.args))
        lifted = replace(f, name=made, args=(*f.args, *extra))
        self._lift(lifted, {**env, f.name: own}, extra)
        self.declare_function(s, FunctionValue(made, names, len(f.args)))

    def inside(self, body: tuple[surface.Stmt, ...], names: Mapping[str, surface.Node]) -> None:
        """Checks a function inside of one without an instance: what its names are is not known."""
        raise NotImplementedError

    def declare_function(self, s: surface.InnerFunction, value: FunctionValue) -> None:
        """Makes a function inside the function visible."""
        raise NotImplementedError

    def _lift(
        self, f: surface.Function, env: Mapping[str, FunctionValue], extra: list[surface.Arg]
    ) -> None:
        """Adds a function that was inside another one."""
        captured = frozenset(a.name for a in extra)
        bound = self.types.generics.bound
        f = within(f, bound)
        if is_template(f):
            self.context.instances.templates[f.name] = Template(f, bound, env, captured)
            return
        note = "" if self.job is None else self.job.note
        span = f.name_span if self.job is None else self.job.span
        by = None if self.job is None else self.job.by
        self.context.instances.add(Job(f, bound, env, captured, "", note, span, by))

    def _captures(
        self, free: Iterable[str], taken: set[str], where: surface.Node
    ) -> tuple[list[surface.Arg], dict[str, FunctionValue], tuple[str, ...]]:
        """The arguments for what is captured, the functions that are seen, and what to pass."""
        extra: list[surface.Arg] = []
        env: dict[str, FunctionValue] = {}
        passed: list[str] = []
        for name in self._with_lambdas(free):
            entry = self.scope.find(name)
            if entry is None:
                continue
            if entry.symbol is not None or entry.view is not None:
                extra += self._captured(name, name, where)
                passed += [name] * (len(extra) - len(passed))
            elif entry.function is not None:
                inner = [unlike(f"{name}_{c}", taken) for c in entry.function.captures]
                for c, made in zip(entry.function.captures, inner, strict=True):
                    extra += self._captured(c, made, where)
                    passed += [c] * (len(extra) - len(passed))
                env[name] = replace(entry.function, captures=tuple(inner))
        return extra, env, tuple(passed)

    def _with_lambdas(self, free: Iterable[str]) -> dict[str, None]:
        """The names, and those that a `lambda` among them mentions."""
        found, todo = dict[str, None](), list(free)
        while todo:
            name = todo.pop(0)
            entry = None if name in found else self.scope.find(name)
            found[name] = None
            if entry is not None and entry.function is not None and entry.function.body is not None:
                body = entry.function.body
                todo += [n for n in names_in(body) if n not in body.params]
        return found

    def _captured(self, name: str, made: str, where: surface.Node) -> list[surface.Arg]:
        """The argument that a captured variable becomes."""
        kind = self.kind_of(name)
        if kind is not None:
            return [kind.arg(made, where.span)]
        entry = self.scope.find(name)
        if entry is None or entry.symbol is None:
            return []
        what = "a `Tape`" if isinstance(entry.symbol.type, TapeType) else "an array that grows"
        self.report(codes.capture_type(where.span, name, what))
        return [surface.Arg(made, Direction.IN, surface.BadType(span=where.span), span=where.span)]

    def kind_of(self, name: str) -> Kind | None:
        """What captures of a variable are; None for what cannot be captured."""
        entry = self.scope.find(name)
        if entry is None:
            return None
        if isinstance(entry.view, typed.View):
            known = all(x is not None for x in entry.view.shape)
            return Kind(ArrayType(entry.view.type.element), len(entry.view.shape) * known)
        if entry.symbol is None:
            return None
        self.read.add(entry.symbol)
        if isinstance(entry.symbol.type, TapeType) or entry.symbol.growable:
            return None
        return Kind(entry.symbol.type, len(entry.symbol.shape))

    def in_captured(self, e: surface.Expr) -> bool:
        """Whether a place belongs to the function around; that is reported."""
        while isinstance(e, surface.Index | surface.Member):
            e = e.base
        entry = self.scope.find(e.name) if isinstance(e, surface.Name) else None
        if not isinstance(e, surface.Name) or entry is None or not entry.captured:
            return False
        self.report(codes.captured(e.span, e.name))
        return True

    # What is passed.

    def lambda_value(
        self, e: surface.Lambda, formal: surface.CallableTypeExpr, argument: str
    ) -> FunctionValue | None:
        """The function that a `lambda` is, as one beside the function."""
        if self.without_types:
            given = surface.Return(e.body, span=e.span)
            self.inside((given,), dict.fromkeys(e.params, e))
            return None
        if len(e.params) != len(formal.args):
            found = f"lambda {', '.join(e.params)}: ..."
            self.report(codes.unlike(e.span, argument, self.callable_text(formal), found))
            return None
        types = [self.types.resolve(t) for _, t in formal.args]
        result = None if formal.result is None else self.types.resolve(formal.result)
        if None in types or (result is None and formal.result is not None):
            return None
        made = self.context.instances.fresh(f"{self.function_name}_lambda", [])
        args = [surface.Arg(p, d, surface.KnownType(t), span=e.span)
                for p, (d, _), t in zip(e.params, formal.args, types) if t is not None]
        free = [n for n in names_in(e) if n not in e.params]
        extra, env, names = self._captures(free, set(e.params), e)
        body: surface.Stmt = surface.Return(e.body, span=e.body.span)
        if result is None and isinstance(e.body, surface.Call | surface.MethodCall):
            body = surface.CallStmt(e.body, span=e.body.span)
        returned = None if result is None else surface.KnownType(result, span=e.body.span)
        f = surface.Function(made, (*args, *extra), returned, (body,), False, e.span, span=e.span)
        self._lift(f, env, extra)
        return FunctionValue(made, names, len(e.params))

    def lambda_called(
        self, e: surface.Lambda, call: surface.Call | surface.MethodCall
    ) -> FunctionValue | None:
        """The function that a `lambda` is for the operands of a call: what it gives follows from
        a first look at it.
        """
        values = self.operand_values(surface.Call("", call.args, span=call.span))
        known = [v.type for v in values if v is not None and v.type is not None]
        if len(known) < len(values):
            return None
        before = len(self.context.findings)
        with self.scope.block():
            for name, t in zip(e.params, known, strict=True):
                self.scope.declare(name, Entry(typed.Symbol(name, t, e.span), e))
            found, _ = self.aside(lambda: self.expr(e.body))
        if found is None or not isinstance(found.type, Scalar | StructType):
            if len(self.context.findings) == before:
                self.report(codes.as_value(e.span, "what this `lambda` gives"))
            return None
        args = tuple([(Direction.IN, surface.KnownType(t, span=e.span)) for t in known])
        result = surface.KnownType(found.type, span=e.span)
        formal = surface.CallableTypeExpr(args, result, span=e.span)
        key = str(id(e)), self.callable_text(formal)
        made = self.lambdas.get(key) or self.lambda_value(e, formal, "")
        if made is not None:
            self.lambdas[key] = made
        return made

    @abstractmethod
    def operand_values(self, e: surface.Call) -> list[typed.Expr | None]:
        """The operands, checked; they are not checked again for the call itself."""

    def conforms(
        self, e: surface.Expr, value: FunctionValue, formal: surface.CallableTypeExpr,
        argument: str,
    ) -> bool:
        """Whether a function is what an argument takes; one that is not is reported."""
        if value.name not in self.context.signatures:
            return True
        profile, signature = self.profile(value), self.context.signatures[value.name]
        if profile is None or signature is None:
            return False
        if not signature.simd and self.alike(profile, formal):
            return True
        self.unlike(e, argument, formal, self.context.methods.name(value.name), profile)
        return False

    def callable_text(self, formal: surface.CallableTypeExpr) -> str:
        """A function type as loma source, with the types that it has here."""
        def text(t: surface.TypeExpr | None) -> str:
            found = None if t is None else self.types.resolve(t)
            return "None" if found is None else self.types.text(found)

        args = [text(t) if d is Direction.IN else f"{d.value}[{text(t)}]" for d, t in formal.args]
        return f"Callable[[{', '.join(args)}], {text(formal.result)}]"

    def kinds_of(self, captures: Iterable[str]) -> tuple[Kind, ...]:
        """What captured variables are."""
        found = [self.kind_of(c) for c in captures]
        return tuple([k for k in found if k is not None])
