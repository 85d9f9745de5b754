"""Surface expressions -> typed expressions. None stands for what has already been reported."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check import operators as make
from loma.frontend.check.operators import BITS, TRUTHS, Operators, chained, counted
from loma.frontend.check.order import Ordered
from loma.frontend.check.places import field_span
from loma.frontend.check.scope import Context, FunctionValue, Scope
from loma.frontend.check.short import contains
from loma.frontend.check.stacks import alone
from loma.frontend.check.tuples import tuple_value
from loma.frontend.codes import constructs as construct_codes
from loma.frontend.codes import names as name_codes
from loma.frontend.codes import types as codes
from loma.frontend.convert import Weak, coerce, common, folded, weak
from loma.frontend.errors import Finding
from loma.ir.prims import FUNCTIONS, bits
from loma.ir.prims import arithmetic as prims
from loma.ir.prims import math as functions
from loma.ir.prims.record import Prim
from loma.ir.types import BOOL, I32, Scalar, StructType

ARITHMETIC: Final[dict[str, Prim]] = {
    "+": prims.ADD, "-": prims.SUB, "*": prims.MUL, "/": prims.DIV,
}
COMPARISONS: Final[dict[str, Prim]] = {
    "<": prims.LT, "<=": prims.LE, ">": prims.GT, ">=": prims.GE, "==": prims.EQ, "!=": prims.NE,
}


class ExpressionChecker(Ordered):
    """Checks the expressions of one function."""

    def __init__(self, context: Context, simd: bool) -> None:
        super().__init__()
        self.context = context
        self.types = context.types
        self.scope = Scope()
        self.simd = simd
        self.read: set[typed.Symbol] = set()
        self.missing: set[str] = set()
        self.quotients: set[typed.Expr] = set()
        self.lambdas: dict[tuple[str, str], FunctionValue] = {}
        self.called: set[str] = set()
        self.kept_values: dict[int, typed.Expr | None] = {}
        self.tables: dict[object, typed.Symbol] = {}
        self.opening: list[typed.Stmt] = []

    def report(self, finding: Finding) -> None:
        """Collects a finding."""
        self.context.findings.append(finding)

    def expr(self, e: surface.Expr) -> typed.Expr | None:  # noqa: C901 - one dispatch
        """The typed expression; literals may still be weak."""
        match e:
            case surface.Number(value):
                return weak(value, self.context.float_type, e.span)
            case surface.Name():
                return self.name(e)
            case surface.Binary():
                return self._binary(e)
            case surface.Unary():
                return self._unary(e)
            case surface.Comparison():
                return self._comparison(e)
            case surface.Logical():
                return self._logical(e)
            case surface.Conditional():
                return self._conditional(e)
            case surface.Index():
                return self.index(e)
            case surface.Subscript():
                return self.several(e)
            case surface.Member():
                return self._member(e)
            case surface.Call():
                return self.call(e)
            case surface.Reduce():
                return self.reduction(e)
            case surface.MethodCall():
                return self.method_call(e)
            case surface.Tuple():
                return tuple_value(self, e)
            case surface.Lambda() | surface.Specialised():
                return self.no_function_value(e)
            case surface.Contains():
                return contains(self, e)
            case surface.List() | surface.Comprehension():
                return self.array_value(e)
            case surface.Kept(key):
                return self.kept_values.get(key)
            case surface.Bad():
                return None

    @abstractmethod
    def no_function_value(self, e: surface.Expr) -> None:
        """Reports a function in the place of a value."""

    @abstractmethod
    def reduction(self, e: surface.Reduce) -> typed.Expr | None:
        """A reduction of what a loop visits."""

    @abstractmethod
    def array_value(self, e: surface.List | surface.Comprehension) -> typed.Expr | None:
        """An array as it is written."""

    @abstractmethod
    def call(self, e: surface.Call) -> typed.Expr | None:
        """A call as a value."""

    @abstractmethod
    def method_call(self, e: surface.MethodCall) -> typed.Expr | None:
        """A call of a method as a value."""

    @abstractmethod
    def binary_method(
        self, e: surface.Binary, left: typed.Expr, right: typed.Expr
    ) -> typed.Expr | None:
        """An infix operator of which an operand is no number."""

    @abstractmethod
    def unary_method(self, e: surface.Unary, value: typed.Expr) -> typed.Expr | None:
        """A prefix operator on what is no number."""

    @abstractmethod
    def subscript(
        self, e: surface.Index | surface.Subscript, base: typed.Expr,
        indices: Sequence[typed.Expr | None],
    ) -> typed.Expr | None:
        """base[...] of a struct."""

    @abstractmethod
    def comparable(self, operands: list[typed.Expr], e: surface.Comparison) -> bool:
        """Whether a chain may name its operands twice."""

    @abstractmethod
    def index(self, e: surface.Index) -> typed.Expr | None:
        """base[index]."""

    @abstractmethod
    def several(self, e: surface.Subscript) -> typed.Expr | None:
        """base[items]: several indices, or slices."""

    def settled(self, e: typed.Expr, to: Scalar) -> typed.Expr | None:
        """The scalar expression in type `to`; a literal that does not fit is reported."""
        done = coerce(e, to)
        if to.is_float and e in self.quotients:
            self.context.remarks[e.span] = codes.whole_quotient(e.span, None)
        if done is None:
            self.report(codes.out_of_range(e.span, self.types.text(to)))
        return done

    def condition(self, e: surface.Expr) -> typed.Expr | None:
        """The expression as a truth value."""
        value = self.expr(e)
        if value is None:
            return None
        if not isinstance(value.type, Scalar):
            self.report(codes.condition(e, e.span, self.types.text(value.type)))
            return None
        return self.settled(value, BOOL)

    def name(self, e: surface.Name) -> typed.Expr | None:
        """A variable that is read."""
        found = self.variable(e, e)
        if isinstance(found, typed.Name):
            self.read.add(found.symbol)
        return found

    def variable(self, e: surface.Name, use: surface.Node) -> typed.Expr | None:
        """A variable; `use` is the node that an error about it carries."""
        entry = self.scope.find(e.name)
        if entry is None and e.name in self.types.generics.untyped:
            return None
        if entry is None:
            self.report(name_codes.undeclared(
                use, e.span, e.name, self.context.guesses(self.scope.names()),
                self.context.signatures,
                self.scope.ended.get(e.name)))
            self.scope.poison(e.name, use)
            self.missing.add(e.name)
            return None
        if entry.view is not None:
            return replace(entry.view, span=e.span)
        if entry.function is not None:
            self.no_function_value(e)
        if entry.symbol is None or alone(self, e):
            return None
        return typed.Name(entry.symbol, span=e.span)

    def _binary(self, e: surface.Binary) -> typed.Expr | None:
        """Sums of thousands of terms lean left: their spine is walked in a loop."""
        spine = [e]
        while isinstance(spine[-1].left, surface.Binary):
            spine.append(spine[-1].left)
        left = self.expr(spine[-1].left)
        for step in reversed(spine):
            at, effects = len(self.ahead), self.effects
            right = self.expr(step.right)
            left = left if effects == self.effects else self.held(left, at)
            if left is not None and right is not None:
                left = self.infix(step, left, right)
            else:
                left = None
        return left

    def infix(
        self, e: surface.Binary, left: typed.Expr, right: typed.Expr
    ) -> typed.Expr | None:
        """The operator on two operands."""
        if not (isinstance(left.type, Scalar) and isinstance(right.type, Scalar)):
            return self.binary_method(e, left, right)
        if e.operator == "@":
            self.report(construct_codes.operator(e.span, "@"))
            return None
        meet = common(left, right, self.context.float_type)
        if e.operator in COMPARISONS:
            equality = e.operator in ("==", "!=")
            return self.apply(COMPARISONS[e.operator], (left, right),
                              I32 if meet is BOOL and not equality else meet, e.span, BOOL)
        constant = folded(e.operator, left, right, e.span)
        if constant is not None:
            return constant
        if e.operator in BITS:
            return self._bits(e, left, right)
        left, right = counted(left), counted(right)
        if e.operator == "**":
            return self._power(e, left, right)
        return self._arithmetic(e, left, right)

    def _arithmetic(
        self, e: surface.Binary, left: typed.Expr, right: typed.Expr
    ) -> typed.Expr | None:
        meet = common(left, right, self.context.float_type)
        meet = I32 if meet is BOOL else meet
        if e.operator in ("//", "%"):
            return self._floored(e, left, right, meet)
        if e.operator == "/" and meet.is_int:
            return make.quotient(self, e, left, right, meet)
        return self.apply(ARITHMETIC[e.operator], (left, right), meet, e.span, meet)

    def _floored(
        self, e: surface.Binary, left: typed.Expr, right: typed.Expr, meet: Scalar
    ) -> typed.Expr | None:
        """Division that rounds down, or its remainder."""
        if meet.is_float and not {"floor", "fmod"} <= FUNCTIONS.keys():
            self._not_whole(e, left, right)
            return None
        x, y = self.settled(left, meet), self.settled(right, meet)
        if x is None or y is None:
            return None
        make = Operators(meet, e.span)
        return make.floor_division(x, y) if e.operator == "//" else make.remainder(x, y)

    def _power(
        self, e: surface.Binary, left: typed.Expr, right: typed.Expr
    ) -> typed.Expr | None:
        assert isinstance(left.type, Scalar), "checked by `infix`"
        exponent = right.value if isinstance(right, Weak) and right.type is I32 else None
        if isinstance(exponent, int):
            meet: Scalar = I32 if left.type is BOOL else left.type
            if meet.is_int and exponent < 0:
                meet = self.context.float_type
            x = self.settled(left, meet)
            return None if x is None else Operators(meet, e.span).power(x, exponent)
        meet = common(left, right, self.context.float_type)
        if not meet.is_float:
            return make.integer_power(self, left, right, I32 if meet is BOOL else meet, e.span)
        return self.apply(functions.POW, (left, right), meet, e.span, meet)

    def _bits(self, e: surface.Binary, left: typed.Expr, right: typed.Expr) -> typed.Expr | None:
        meet = common(left, right, self.context.float_type)
        if meet.is_float:
            self._not_whole(e, left, right)
            return None
        if meet is BOOL and e.operator in TRUTHS:
            return self.apply(TRUTHS[e.operator], (left, right), BOOL, e.span, BOOL)
        meet = I32 if meet is BOOL else meet
        return self.apply(BITS[e.operator], (left, right), meet, e.span, meet)

    def _not_whole(self, e: surface.Binary, left: typed.Expr, right: typed.Expr) -> None:
        shown = f"these are `{self.types.text(left.type)}` and `{self.types.text(right.type)}`"
        self.report(codes.whole_numbers(e, e.span, e.operator, shown))

    def apply(
        self, prim: Prim, args: tuple[typed.Expr, ...], meet: Scalar, span: Span, result: Scalar
    ) -> typed.Expr | None:
        """A primitive on operands that are converted to the type in which they meet."""
        done = [self.settled(a, meet) for a in args]
        ready = tuple([d for d in done if d is not None])
        if len(ready) < len(done):
            return None
        return typed.Apply(prim, ready, result, span=span)

    def _unary(self, e: surface.Unary) -> typed.Expr | None:
        if e.operator == "not":
            cond = self.condition(e.operand)
            return None if cond is None else typed.Apply(prims.NOT, (cond,), BOOL, span=e.span)
        value = self.expr(e.operand)
        if value is None:
            return None
        if not isinstance(value.type, Scalar):
            return self.unary_method(e, value)
        if e.operator == "~":
            return self._inverted(e, value)
        if isinstance(value, Weak):
            return value if e.operator == "+" else weak(
                -value.value, self.context.float_type, e.span)
        meet = I32 if value.type is BOOL else value.type
        if e.operator == "+":
            return self.settled(value, meet)
        return self.apply(prims.NEG, (value,), meet, e.span, meet)

    def _inverted(self, e: surface.Unary, value: typed.Expr) -> typed.Expr | None:
        t = value.type
        assert isinstance(t, Scalar), "checked by `_unary`"
        if t.is_float:
            self.report(codes.whole_numbers(e, e.span, "~", f"this is `{self.types.text(t)}`"))
            return None
        meet = I32 if t is BOOL else t
        return self.apply(bits.BIT_NOT, (value,), meet, e.span, meet)

    def _comparison(self, e: surface.Comparison) -> typed.Expr | None:
        first, second = self.in_order(e.operands[:2])
        later = [self.aside(partial(self.expr, o)) for o in e.operands[2:]]
        operands = [o for o in (first, second, *(o for o, _ in later)) if o is not None]
        if len(operands) < len(e.operands) or not self.comparable(operands, e):
            return None
        pairs = [surface.Binary(o, *e.operands[k : k + 2], span=e.span)
                 for k, o in enumerate(e.operators)]

        def compare(k: int, a: typed.Expr, b: typed.Expr) -> typed.Expr | None:
            return self.infix(pairs[k], a, b)

        steps = [[], *(s for _, s in later)]
        if not any(steps):
            return chained(operands, compare, e.span)
        left, *rest = operands
        found = list(zip(rest, steps, strict=True))
        return self.links(0, self.in_variable(left), found, compare, e.span)

    def _conditional(self, e: surface.Conditional) -> typed.Expr | None:
        cond = self.condition(e.cond)
        (then, first), (orelse, second) = (
            self.aside(partial(self.expr, x)) for x in (e.then, e.orelse))
        if cond is None or then is None or orelse is None:
            return None
        if isinstance(then.type, Scalar) and isinstance(orelse.type, Scalar):
            meet = common(then, orelse, self.context.float_type)
            then, orelse = self.settled(then, meet), self.settled(orelse, meet)
        elif not isinstance(then.type, StructType) or then.type != orelse.type:
            shown = self.types.text(then.type), self.types.text(orelse.type)
            self.report(construct_codes.conditional(e, e.span, *shown))
            return None
        if then is None or orelse is None or then.type is None:
            return None
        if first or second:
            return self.either(cond, (then, first), (orelse, second), e.span)
        return typed.Conditional(cond, then, orelse, then.type, span=e.span)

    def _logical(self, e: surface.Logical) -> typed.Expr | None:
        left = self.condition(e.operands[0])
        found = [self.aside(partial(self.condition, o)) for o in e.operands[1:]]
        for right, steps in found:
            if left is None or right is None:
                return None
            span = Span(e.span.file, e.span.line, e.span.column,
                        right.span.end_line, right.span.end_column)
            if steps:
                left = self.both(e.operator, left, right, steps, span)
            else:
                left = typed.Logical(e.operator, left, right, span=span)
        return left

    def _member(self, e: surface.Member) -> typed.Expr | None:
        base = self.expr(e.base)
        if base is None:
            return None
        if not isinstance(base.type, StructType):
            self.report(codes.not_a_struct(e, e.base.span, self.types.text(base.type)))
            return None
        members = self.types.members(base.type.name)
        if e.field in members:
            return typed.Member(base, e.field, members[e.field], span=e.span)
        if members and (base.type.name, e.field) not in self.types.poisoned:
            self.report(codes.no_member(e, field_span(e), base.type.name, members))
        return None
