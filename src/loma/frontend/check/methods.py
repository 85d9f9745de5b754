"""Calls of methods, and operators on structs, which are such calls."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.fits import cheapest
from loma.frontend.check.sizes import Sized
from loma.frontend.check.stacks import operand, paired
from loma.frontend.check.tuples import element
from loma.frontend.codes import calls as call_codes
from loma.frontend.codes import constructs as construct_codes
from loma.frontend.codes import methods as codes
from loma.frontend.codes import syntax as syntax_codes
from loma.frontend.codes import types as type_codes
from loma.frontend.parse.classes import BINARY, GET, SET, UNARY
from loma.ir.nodes import Direction, Signature
from loma.ir.prims import FUNCTIONS
from loma.ir.prims import arithmetic as prims
from loma.ir.types import BOOL, ArrayType, Scalar, StructType

Values = tuple[typed.Expr, ...]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A definition, the function that it became, and the operands in its order."""

    function: str
    values: Values
    operands: tuple[surface.Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Item(typed.Call):
    """base[...] of a struct, which is about to be assigned; never left in a finished tree."""

    node: surface.Index | surface.Subscript


class MethodChecker(Sized):
    """Checks calls of methods and operators on structs; `stored`: the place being assigned."""

    stored: surface.Expr | None = None

    @abstractmethod
    def generic_call(
        self, e: surface.Call, statement: bool,
        known: Mapping[surface.Expr, typed.Expr] | None = None,
    ) -> typed.Call | None:
        """A call of a generic function; `known` are operands that are checked already."""

    @abstractmethod
    def passed(
        self, e: surface.Call, function: str, values: Sequence[typed.Expr | None], statement: bool
    ) -> typed.Call | None:
        """A call of a function of the file on operands that are checked already."""

    def method_call(self, e: surface.MethodCall, use: str = "value") -> typed.Expr | None:
        """A call of a method: on a value, or on a class with the value as its first operand.

        `use`: as a `value`, as the `whole` of a right side, or as a `statement`; the last two may
        write operands.
        """
        for k in e.keywords:
            self.report(syntax_codes.keyword_operand(k.span, k.name))
        owner = self._class(e.base)
        base = None if owner else self.expr(e.base)
        at, effects = len(self.ahead), self.effects
        name = self._struct(base) if base is not None else owner
        candidates = self.with_functions(e.args, self.context.methods.of(name, e.name))
        generic = self._generic(candidates)
        bound = base is not None and (name, e.name) not in self.context.methods.static
        own = (e.base,) if bound else ()
        call = surface.Call(f"{name}.{e.name}", (*own, *e.args), span=e.span)
        known: dict[surface.Expr, typed.Expr] = {}
        if candidates != generic or not generic:
            known = self._operands(e.args, candidates, len(own))
        if bound:
            held = base if effects == self.effects else self.held(base, at)
            known |= {} if held is None else {e.base: held}
        if (base is None and not owner) or e.keywords:
            return None
        if not candidates:
            self._no_method(e, name if base is None else self.types.text(base.type))
            return None
        if candidates != generic and len(known) < len(call.args):
            return None
        values = tuple([known[x] for x in call.args if x in known])
        function = self._only(e, f"`{name}.{e.name}`", candidates, values)
        if function is None:
            return None
        done = self._called(call, function, known, use != "value")
        return done if use == "statement" else self.valued(call, done, use)

    @abstractmethod
    def with_functions(
        self, args: Sequence[surface.Expr], candidates: list[str]
    ) -> list[str]:
        """Of several definitions, those that take functions where functions are passed."""

    def _operands(
        self, args: Sequence[surface.Expr], candidates: Iterable[str], skipped: int
    ) -> dict[surface.Expr, typed.Expr]:
        """The operands of a method, those that any definition of it writes as places."""
        places = {k - skipped for c in candidates for k in self.outputs(c)}
        found = self.in_order(args, lambda x: operand(self, x), places)
        return {x: v for x, v in zip(args, found, strict=True) if v is not None}

    def outputs(self, function: str) -> set[int]:
        """The positions of the operands that a function writes."""
        template = self.context.instances.templates.get(function)
        if template is not None:
            return {k for k, a in enumerate(template.function.args)
                    if a.direction is not Direction.IN}
        signature = self.context.signatures.get(function)
        found = () if signature is None else paired(signature)
        return {k for k, (a, _) in enumerate(found) if a.direction is not Direction.IN}

    def valued(
        self, e: surface.Call, done: typed.Call | None, use: str = "value"
    ) -> typed.Expr | None:
        """The value of a call; one that writes operands goes ahead, unless it is a struct that is
        the whole of a right side.
        """
        if done is None:
            return None
        if done.type is None:
            self.report(call_codes.no_value(e))
            return None
        if not self.outputs(done.function):
            return done
        if use == "whole" and not isinstance(done.type, Scalar):
            self.effects += 1
            return done
        return self.happens(done)

    def _called(
        self, e: surface.Call, function: str, known: Mapping[surface.Expr, typed.Expr],
        statement: bool,
    ) -> typed.Call | None:
        """A call of a definition, on operands that are checked already but for functions."""
        if function in self.context.instances.templates:
            return self.generic_call(replace(e, function=function), statement, known)
        return self.passed(e, function, [known[x] for x in e.args], statement)

    def _generic(self, candidates: list[str]) -> list[str]:
        """The definitions that are generic."""
        return [c for c in candidates if c in self.context.instances.templates]

    def _class(self, e: surface.Expr) -> str:
        """The class that a name stands for."""
        if not isinstance(e, surface.Name) or self.scope.find(e.name) is not None:
            return ""
        return e.name if e.name in self.types.declared else ""

    def _struct(self, e: typed.Expr) -> str:
        return e.type.name if isinstance(e.type, StructType) else ""

    def _no_method(self, e: surface.MethodCall, owner: str) -> None:
        known = self.context.methods.table.get(owner, {})
        s = e.base.span
        span = Span(s.file, s.end_line, s.end_column + 1, s.end_line,
                    s.end_column + 1 + len(e.name))
        builtin = e.name in FUNCTIONS or e.name in self.context.signatures
        self.report(codes.no_method(e, span, owner, known, builtin))

    def _only(
        self, node: surface.Node, what: str, candidates: list[str], values: Values
    ) -> str | None:
        """The definition that is meant; its operands are checked later if it is the only one."""
        if len(candidates) == 1:
            return candidates[0]
        found = self._fitting(candidates, values)
        if len(found) == 1:
            return found[0]
        generic = self._generic(candidates)
        if not found and len(generic) == 1:
            return generic[0]
        if all(self.context.signatures.get(c) is not None for c in candidates if c not in generic):
            report = codes.ambiguous if found else codes.no_overload
            given, shown = self._types_of(values), self._shown_all(candidates)
            self.report(report(node, node.span, what, given, shown))
        return None

    def _fitting(self, candidates: list[str], values: Values) -> list[str]:
        """The definitions that fit best."""
        signatures = [(c, self.context.signatures.get(c)) for c in candidates]
        known = [(c, s) for c, s in signatures if s is not None]
        return cheapest(known, values)

    def _operators(self, candidates: list[str], values: Values) -> list[str]:
        """The definitions of an operator that fit best, else one that is generic."""
        return self._fitting(candidates, values) or self._generic(candidates)

    def _types_of(self, values: Values) -> str:
        shown = [f"`{self.types.text(v.type)}`" for v in values]
        return " and ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)

    def _shown_all(self, candidates: list[str]) -> list[str]:
        return [self.shown_call(self.context.methods.name(c), s)
                for c in candidates if (s := self.context.signatures.get(c)) is not None]

    def shown_call(self, name: str, signature: Signature) -> str:
        """How a function is called, for messages."""
        shown: list[str] = []
        for a, count in paired(signature):
            held = a.type.element if isinstance(a.type, ArrayType) else None
            text = f"Stack[{self.types.text(held)}]" if count else self.wanted(a)
            shown.append(f"{a.name} : {a.direction.value}[{text}]")
        return f"{name}({', '.join(shown)})"

    # Operators.

    def binary_method(
        self, e: surface.Binary, left: typed.Expr, right: typed.Expr
    ) -> typed.Expr | None:
        """An infix operator of which an operand is no number."""
        if _nested(left) >= syntax_codes.DEPTH:
            self.report(syntax_codes.too_deep(e.span))
            return None
        forward, reflected = BINARY[e.operator]
        values, operands = (left, right), (e.left, e.right)
        own = self._own(left, forward)
        other = self._own(right, reflected)
        found = self._operators(own, values)
        if found:
            return self._operator(e, own, found, Chosen(found[0], values, operands))
        found = self._operators(other, values[::-1])
        if found:
            chosen = Chosen(found[0], values[::-1], operands[::-1])
            return self._operator(e, other, found, chosen)
        if e.operator == "!=" and self._own(left, "__eq__"):
            return self._unequal(e, left, right)
        self._no_operator(e, own + other, values)
        return None

    def _own(self, e: typed.Expr, name: str) -> list[str]:
        return self.context.methods.of(self._struct(e), name)

    def _unequal(
        self, e: surface.Binary, left: typed.Expr, right: typed.Expr
    ) -> typed.Expr | None:
        same = self.binary_method(
            surface.Binary("==", e.left, e.right, span=e.span), left, right)
        if same is None or not isinstance(same.type, Scalar):
            return None
        value = self.settled(same, BOOL)
        return None if value is None else typed.Apply(prims.NOT, (value,), BOOL, span=e.span)

    def _operator(
        self, e: surface.Node, candidates: list[str], found: list[str], chosen: Chosen
    ) -> typed.Expr | None:
        what = self.context.methods.name(chosen.function)
        if len(found) > 1:
            self.report(codes.ambiguous(e, e.span, f"`{what}`", self._types_of(chosen.values),
                                        self._shown_all(candidates)))
            return None
        call = surface.Call(what, chosen.operands, span=e.span)
        known = dict(zip(chosen.operands, chosen.values, strict=True))
        return self.valued(call, self._called(call, chosen.function, known, statement=False))

    def _no_operator(self, e: surface.Binary, candidates: list[str], values: Values) -> None:
        if any(self.context.signatures.get(c) is None for c in candidates):
            return
        if candidates:
            self.report(codes.no_overload(e, e.span, f"`{e.operator}`", self._types_of(values),
                                          self._shown_all(candidates)))
            return
        owner = self._struct(values[0]) or self._struct(values[1])
        name = BINARY[e.operator][0 if self._struct(values[0]) else 1]
        define = f"define `{name}` in `{owner}`" if owner in self.types.declared else ""
        left, right = (self.types.text(v.type) for v in values)
        if e.operator == "@" and not owner:
            self.report(construct_codes.operator(e.span, "@"))
            return
        self.report(type_codes.operands(e, e.span, e.operator, left, right, define))

    def unary_method(self, e: surface.Unary, value: typed.Expr) -> typed.Expr | None:
        """A prefix operator on what is no number."""
        name, owner = UNARY[e.operator], self._struct(value)
        done = self.special(e, name, (value,), (e.operand,))
        if done is None and not self._own(value, name):
            define = f"define `{name}` in `{owner}`" if owner in self.types.declared else ""
            self.report(type_codes.operand(
                e, e.span, e.operator, self.types.text(value.type), define))
        return done

    def special(
        self, e: surface.Node, name: str, values: Values, operands: tuple[surface.Expr, ...]
    ) -> typed.Expr | None:
        """The call that an operator or builtin stands for; None, unreported, without a method."""
        candidates = self._own(values[0], name)
        if not candidates:
            return None
        owner = f"`{self._struct(values[0])}.{name}`"
        function = self._only(e, owner, candidates, values)
        if function is None:
            return None
        return self._operator(e, candidates, [function], Chosen(function, values, operands))

    def subscript(
        self, e: surface.Index | surface.Subscript, base: typed.Expr,
        indices: Sequence[typed.Expr | None],
    ) -> typed.Expr | None:
        """base[...] of a struct."""
        values = (base, *(i for i in indices if i is not None))
        if e is self.stored and len(values) > len(indices):
            return Item("", values, base.type, e, span=e.span)
        if self.types.tuples.elements(base.type) is not None and isinstance(e, surface.Index):
            return element(self, e, base, indices[0])
        return self.item(e, values) if len(values) > len(indices) else None

    def item(self, e: surface.Index | surface.Subscript, values: Values) -> typed.Expr | None:
        """An element of a struct; `values` are base and indices."""
        if not self._own(values[0], GET):
            self.report(type_codes.not_an_array(e, e.base.span, self.types.text(values[0].type)))
            return None
        return self.special(e, GET, values, (e.base, *_items(e)))

    def stored_item(
        self, s: surface.Assign | surface.Augment, target: surface.Index | surface.Subscript,
        values: Values,
    ) -> typed.Stmt | None:
        """base[...] = value of a struct; `values` are base, indices and value."""
        owner, candidates = self._struct(values[0]), self._own(values[0], SET)
        if not candidates:
            constant = self.types.tuples.is_tuple(owner)
            self.report(type_codes.no_item(target, target.base.span, self.types.text(
                values[0].type), constant))
            return None
        what = f"{owner}.{SET}"
        function = self._only(s, f"`{what}`", candidates, values)
        if function is None:
            return None
        call = surface.Call(what, (target.base, *_items(target), s.value), span=s.span)
        known = dict(zip(call.args, values, strict=True))
        done = self._called(call, function, known, statement=True)
        return None if done is None else typed.CallStmt(done, span=s.span)

    def comparable(self, operands: list[typed.Expr], e: surface.Comparison) -> bool:
        """Whether a chain may name its operands twice; those that it may not are reported."""
        for o in operands:
            if not isinstance(o.type, Scalar) and not is_stable(o):
                self.report(codes.unordered(e, o.span))
                return False
        return all(isinstance(o.type, Scalar | StructType) for o in operands)


def _items(e: surface.Index | surface.Subscript) -> tuple[surface.Expr, ...]:
    """What stands in the brackets."""
    if isinstance(e, surface.Index):
        return (e.index,)
    return tuple([i for i in e.items if not isinstance(i, surface.Slice)])


def _nested(e: typed.Expr) -> int:
    """How deep calls nest in the first operand of each."""
    depth = 0
    while isinstance(e, typed.Call) and e.args:
        e, depth = e.args[0], depth + 1
    return depth


def is_stable(e: typed.Expr) -> bool:
    """Whether an expression is a place without calls, and costs nothing twice."""
    match e:
        case typed.Name() | typed.Literal():
            return True
        case typed.Member(base):
            return is_stable(base)
        case typed.Index(base, index):
            return is_stable(base) and is_stable(index)
        case _:
            return False
