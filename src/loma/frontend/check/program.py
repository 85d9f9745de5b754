"""Surface tree -> typed tree: collects the definitions of a file, then checks each function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Final

from loma.diagnostics import NOWHERE, Span
from loma.frontend import surface, typed
from loma.frontend.check import stacks as check_stacks
from loma.frontend.check.call import COURSE
from loma.frontend.check.construct import default_maker, integer_power, maker, stopper
from loma.frontend.check.generic import Instances, Job, Template, is_template
from loma.frontend.check.generic_requests import GenericRequests
from loma.frontend.check.parallel import misused
from loma.frontend.check.reach import needed
from loma.frontend.check.rules import Rules
from loma.frontend.check.scope import MAKES_DUAL, Context
from loma.frontend.check.sizes import hidden_sizes, shaped
from loma.frontend.check.stmt import FunctionChecker
from loma.frontend.check.types import Types, grows
from loma.frontend.check.unused import check_unused, unused
from loma.frontend.codes import derivatives as codes
from loma.frontend.codes import flow as flow_codes
from loma.frontend.codes import names as name_codes
from loma.frontend.codes import types as type_codes
from loma.frontend.codes.syntax import DEPTH
from loma.frontend.errors import Finding
from loma.frontend.launches import Launches
from loma.frontend.methods import lifted
from loma.frontend.source import Source
from loma.ir.derived import (
    Mode,
    derived_signature,
    dual_struct,
    implicit_name,
    with_diff_structs,
)
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import ArrayType, Scalar, StructDef, StructType, TapeType, Type

CONSTRUCTOR: Final = MAKES_DUAL


def check(
    module: surface.Module, source: Source, float_type: Scalar, findings: list[Finding]
) -> typed.Module:
    """The typed module; what is wrong goes to `findings`."""
    return Checker(module, float_type, findings).module(source)


class Checker:
    """The definitions of one file."""

    def __init__(
        self, module: surface.Module, float_type: Scalar, findings: list[Finding]
    ) -> None:
        self.findings = findings
        self.surface = module
        self.files = module.files
        self.named = self._unique(module)
        kept = list(self.named.values())
        self.structs = [d for d in kept if isinstance(d, surface.Struct)]
        simple = [s for s in self.structs if not s.type_params]
        made, self.methods = lifted(simple, self.named, findings)
        self.internal = self.methods.with_those_of(module.internal)
        plain = [self.methods.with_rules(d, findings)
                 for d in kept if isinstance(d, surface.Function)]
        self.functions = {f.name: f for f in (*plain, *made) if not is_template(f)}
        self.generic = {f.name: f for f in (*plain, *made) if is_template(f)}
        self.named_instances = [d for d in kept if isinstance(d, surface.Instance)]
        self.derivatives = {d.name: self.methods.primal(d, findings)
                            for d in kept if isinstance(d, surface.Derivative)}
        self.types = Types(self.structs, float_type, findings)
        self.signatures: dict[str, Signature | None] = {}
        self.instances = Instances(self.types, findings, self.signatures, self._signature)
        self.instances.templates |= {name: Template(f) for name, f in self.generic.items()}
        self.instances.names |= self.named.keys()
        self.requests = GenericRequests(self.instances, self.methods)
        self.rules = Rules(self.instances, self.requests, self.generic)
        self.instances.tell = self.rules.of_instance
        self.asked: dict[tuple[Mode, str, frozenset[str]], str] = {}

    def _unique(self, module: surface.Module) -> dict[str, surface.Definition]:
        named: dict[str, surface.Definition] = {}
        for d in module.definitions:
            if d.name in COURSE and not isinstance(d, surface.Struct):
                self.findings.append(name_codes.builtin(_name_span(d), d.name))
            if d.name in named:
                self.findings.append(name_codes.duplicate_definition(
                    d.name, _name_span(named[d.name]), _name_span(d)))
            else:
                named[d.name] = d
        return named

    def module(self, source: Source) -> typed.Module:
        """Checks everything."""
        self._sign_all()
        self.rules.check(list(self.functions.values()))
        context = self._context()
        functions: dict[str, typed.Function] = {}
        for job in self.instances.pending():
            f = job.function
            checker = FunctionChecker(context, f.name, f.simd)
            checker.job = job
            done = checker.function(f, self.signatures[f.name])
            self.instances.wake(context.calls[f.name])
            if done is not None:
                functions[f.name] = done
        if not self.findings:
            self.findings += self._unused()
        functions |= self._makers(context, functions)
        self.findings += misused(
            context.passed, functions, self.derivatives, self.signatures)
        if any(CONSTRUCTOR in called for called in context.calls.values()):
            self.types.used_diff = True
        levels = 0 if self.findings else self._levels(context.calls)
        self._check_implicit(context.calls)
        if self._differentiates() and CONSTRUCTOR not in functions:
            functions[CONSTRUCTOR] = self._constructor()
        self.rules.check_places(context.launches.bodies)
        functions, requests = self._reached(functions, context)
        rules = tuple([r for r in self.rules.found.values() if r.name in functions])
        return typed.Module(self._all_structs(levels), functions, requests,
                            self.types.float_type, source.file, source.text, self.files,
                            rules, tuple(context.remarks.values()))

    def _unused(self) -> list[Finding]:
        """What is wrong with generic functions that have no instances; asks a checker of its own,
        so that nothing is left of that.
        """
        known = {job.template for job in self.instances.jobs}
        known |= {name for name, _ in self.types.generics.made}
        wanted = unused(self.generic.values(), self.structs, known)
        if not wanted:
            return []
        other = Checker(self.surface, self.types.float_type, [])
        other._sign_all()
        return check_unused(wanted, other._context(), other._argument)

    def _context(self) -> Context:
        """What the checkers of single functions share."""
        return Context(self.types, self.signatures, self.findings, self._reverse(),
                       methods=self.methods, launches=Launches(self.derivatives),
                       instances=self.instances, request=self._requested)

    def _reached(
        self,
        functions: dict[str, typed.Function],
        context: Context,
    ) -> tuple[dict[str, typed.Function], tuple[typed.Derivative, ...]]:
        """The functions that the program needs, and its requests for derivatives."""
        requests = tuple([typed.Derivative(d.name, d.mode, d.primal, d.span, held=d.held)
                          for d in self.derivatives.values()] + list(context.launches.requests()))
        generated = self.instances.names - self.named.keys()
        if not self.internal and not generated:
            return functions, requests
        self.internal |= generated
        return needed(
            functions, requests, self.internal, context.calls, self.rules.found.values())

    def _sign_all(self) -> None:
        """Finds the signatures of all functions and derivatives."""
        for f in self.functions.values():
            self.instances.add(Job(f))
        self.functions |= self.requests.name_all(self.named_instances, self.functions)
        for d in list(self.derivatives.values()):
            self._derived(d, ())
        self._add_constructor()
        self.instances.wake(n for n in list(self.instances.waiting) if n not in self.internal)
        self.instances.wake(d.primal for d in self.derivatives.values())
        self.instances.wake(f.name for f in self.functions.values() if f.rules)

    def _makers(
        self, context: Context, functions: Mapping[str, typed.Function]
    ) -> dict[str, typed.Function]:
        """The functions that constructors, powers of integers and launches of kernels call."""
        made = context.launches.functions(functions, context.calls)
        for name, (kind, struct) in context.makers.items():
            if isinstance(struct, Scalar):
                made[name] = integer_power(name, struct)
                continue
            declared = self.types.declared.get(struct.name)
            span = NOWHERE if declared is None else declared.name_span
            if kind == "stop":
                made[name] = stopper(name, struct, self.types, span)
            elif kind == "make":
                made[name] = maker(name, struct.name, self.types.members(struct.name), span)
            else:
                made[name] = default_maker(name, struct.name, self.types, span)
        return made

    def _differentiates(self) -> bool:
        return bool(self.derivatives) or self.types.used_diff

    def _all_structs(self, levels: int) -> dict[str, StructDef]:
        """The table of structs, with Diff of each, as many times as derivatives nest."""
        table = self.types.complete()
        for _ in range(max(levels, 1) if self._differentiates() else 0):
            wanted = [StructType(name) for name in table]
            table = with_diff_structs(table, wanted, self.types.float_type)
        return table

    def _reverse(self) -> Set[str]:
        """The functions whose outputs add up; instances of rules are yet to come."""
        self.rules.reverse |= {
            d.name for d in self.derivatives.values() if d.mode is Mode.REVERSE}
        return self.rules.reverse

    def _signature(self, f: surface.Function) -> Signature | None:
        taken = {a.name for a in f.args}
        found = [a for arg in f.args for a in self._arguments(arg, taken)]
        hidden = hidden_sizes(f, self.types)
        arguments = tuple([a for a in (*found, *hidden) if a is not None])
        result = None if f.result is None else self._result(f.result)
        if f.simd and f.result is not None:
            self.findings.append(flow_codes.kernel_result(f.result.span, f.name))
            return None
        if len(arguments) < len(found) + len(hidden) or (f.result is not None and result is None):
            return None
        return Signature(arguments, result, f.simd)

    def _arguments(self, a: surface.Arg, taken: set[str]) -> Sequence[Argument | None]:
        """The argument; a stack is two."""
        if isinstance(a.type, surface.StackTypeExpr):
            return check_stacks.arguments(self.types, a, taken) or [None]
        return [self._argument(a)]

    def _argument(self, a: surface.Arg) -> Argument | None:
        if isinstance(a.type, surface.ShapedTypeExpr):
            shape = shaped(a.type, self.types)
            return None if shape is None else Argument(
                a.name, shape[0], a.direction, a.span, shape=shape[1], nodiff=a.nodiff)
        growable = grows(a.type) and a.direction is Direction.INOUT
        if growable and isinstance(a.type, surface.ArrayTypeExpr):
            element = self.types.element(a.type)
            t: Type | None = None if element is None else ArrayType(element)
        else:
            t = self.types.resolve(a.type)
        if t is None:
            return None
        if isinstance(t, TapeType) and a.direction is not Direction.INOUT:
            self.findings.append(type_codes.misplaced_type(
                a.type.span, "a `Tape`", f"passed as `{a.direction.value}`",
                f"write `{a.name} : InOut[Tape]`"))
            return None
        return Argument(a.name, t, a.direction, a.span, growable, nodiff=a.nodiff)

    def _result(self, e: surface.TypeExpr) -> Type | None:
        t = self.types.resolve(e)
        if isinstance(t, (ArrayType, TapeType)):
            what = "an array" if isinstance(t, ArrayType) else "a `Tape`"
            self.findings.append(type_codes.misplaced_type(
                e.span, what, "returned", "pass it as an `Out` argument, or inside a struct"))
            return None
        return t

    def _derived(self, d: surface.Derivative, path: tuple[str, ...]) -> Signature | None:
        """The signature of a derivative, once that of its primal is known."""
        if d.name in self.signatures:
            return self.signatures[d.name]
        if d.name in path:
            shown = " -> ".join((*path[path.index(d.name):], d.name))
            self.findings.append(codes.endless(d.primal_span, d.name, shown))
            self.signatures[d.name] = None
            return None
        if len(path) >= DEPTH:
            self.findings.append(codes.too_many_orders(d.primal_span, d.name))
            return self.signatures.setdefault(d.name, None)
        signature = self._primal(d, (*path, d.name))
        if signature is not None and d.mode is Mode.REVERSE:
            signature = check_stacks.reversible(d, signature, self.findings)
        if signature is not None:
            signature = derived_signature(
                signature, d.mode, self.types.float_type, held=d.held)
            self.types.mentioned += [a.type for a in signature.arguments]
        self.signatures.setdefault(d.name, signature)
        return self.signatures[d.name]

    def _primal(self, d: surface.Derivative, path: tuple[str, ...]) -> Signature | None:
        if d.type_args or d.primal in self.instances.templates:
            made = self.requests.primal(d)
            if made is None:
                return None
            d = self.derivatives[d.name] = replace(d, primal=made, type_args=())
        if d.primal in self.derivatives:
            return self._derived(self.derivatives[d.primal], path)
        if d.primal in self.signatures:
            return self.signatures[d.primal]
        if d.primal == CONSTRUCTOR:
            return self._constructor().signature
        known = (*self.functions, *self.derivatives)
        self.findings.append(name_codes.unknown_primal(d.primal_span, d.primal, known))
        return None

    def _requested(self, mode: Mode, primal: str, held: frozenset[str], span: Span) -> str:
        """The name of a derivative that a function asks for; one that exists is taken."""
        if not self.asked:
            self.asked = {(d.mode, d.primal, d.held): d.name
                          for d in reversed(self.derivatives.values())}
        key = mode, primal, held
        if key not in self.asked:
            name = self.asked[key] = self.instances.fresh(implicit_name(primal, mode), [])
            made = surface.Derivative(
                name, mode, primal, span, held=held, span=span, name_span=span)
            self.derivatives[name] = made
            self._derived(made, ())
            self.instances.wake([primal])
            self.rules.reverse |= {name} if mode is Mode.REVERSE else set()
        return self.asked[key]

    def _add_constructor(self) -> None:
        """Makes `make__dfloat` known; a definition of the user's own must be the same."""
        made = self._constructor()
        if CONSTRUCTOR not in self.named:
            self.signatures[CONSTRUCTOR] = made.signature
        elif self.signatures.get(CONSTRUCTOR) not in (None, made.signature):
            self.findings.append(codes.constructor_taken(_name_span(self.named[CONSTRUCTOR])))

    def _constructor(self) -> typed.Function:
        dual = dual_struct(self.types.float_type, self.types.float_type)
        return maker(CONSTRUCTOR, dual.name, dict(dual.members))

    def _levels(self, calls: dict[str, set[str]]) -> int:
        """How deep derivatives nest; a derivative that needs its own is reported."""
        level = dict.fromkeys((*calls, *self.derivatives), 0)
        limit, changed = len(self.derivatives), True
        while changed:
            changed = False
            for name in level:
                d = self.derivatives.get(name)
                below = calls.get(name, set()) if d is None else {d.primal}
                found = max((level.get(n, 0) for n in below), default=0) + (d is not None)
                if min(found, limit + 1) > level[name]:
                    level[name] = min(found, limit + 1)
                    changed = True
        if any(n > limit for n in level.values()):
            self._report_circles(calls, level, limit)
            return 0
        return max(level.values(), default=0)

    def _report_circles(
        self, calls: dict[str, set[str]], level: dict[str, int], limit: int
    ) -> None:
        for d in self.derivatives.values():
            if level[d.name] > limit and self.signatures[d.name] is not None:
                path = self._circle(d.name, d.primal, calls)
                if path:
                    self.findings.append(codes.endless(d.primal_span, d.name, " -> ".join(path)))
                    return

    def _circle(self, goal: str, start: str, calls: dict[str, set[str]]) -> list[str]:
        """The shortest way from a function back to the derivative that asked for it."""
        ways, seen = [[goal, start]], {start}
        while ways:
            way = ways.pop(0)
            d = self.derivatives.get(way[-1])
            for name in sorted(calls.get(way[-1], set()) if d is None else {d.primal}):
                if name == goal:
                    return [*way, goal]
                if name not in seen:
                    seen.add(name)
                    ways.append([*way, name])
        return []

    def _check_implicit(self, calls: dict[str, set[str]]) -> None:
        """Reports functions with the names that derivatives of called functions will get."""
        declared = {(d.mode, d.primal) for d in self.derivatives.values()}
        todo = [(d.mode, d.primal) for d in self.derivatives.values()]
        seen = set(todo)
        while todo:
            mode, function = todo.pop()
            for callee in sorted(calls.get(function, set())):
                name = implicit_name(callee, mode)
                if (mode, callee) not in declared and name in self.named:
                    self.findings.append(name_codes.implicit_taken(
                        _name_span(self.named[name]), name, callee))
                if (mode, callee) not in seen:
                    seen.add((mode, callee))
                    todo.append((mode, callee))


def _name_span(d: surface.Definition) -> Span:
    return d.name_span
