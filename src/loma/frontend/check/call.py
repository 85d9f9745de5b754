"""Calls: of the file's functions and derivatives, and of builtins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.conversions import cast, float2int, int2float
from loma.frontend.check.fits import fits
from loma.frontend.check.folds import whole
from loma.frontend.check.generic_calls import GenericCalls
from loma.frontend.check.launch import Launch, threaded
from loma.frontend.check.parallel import note_outputs
from loma.frontend.check.places import is_memory, is_place, overlap
from loma.frontend.check.scope import Context
from loma.frontend.check.stacks import operand, paired, spread
from loma.frontend.check.stop import stopped
from loma.frontend.check.tuples import shaped
from loma.frontend.codes import arrays as array_codes
from loma.frontend.codes import calls as codes
from loma.frontend.codes import flow as flow_codes
from loma.frontend.codes import names as name_codes
from loma.frontend.codes import syntax as syntax_codes
from loma.frontend.convert import RANK, Weak, common
from loma.frontend.parse.classes import ABS
from loma.ir.derived import MODES, is_half
from loma.ir.names import BUILTIN
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.prims import FUNCTIONS, choice
from loma.ir.prims import arithmetic as prims
from loma.ir.prims.record import Operands, Prim, Result
from loma.ir.types import BOOL, F32, F64, I32, I64, ArrayType, Scalar, StructType, Type

CASTS: Final = {"int": I32, "f32": F32, "f64": F64, "i32": I32, "i64": I64, "bool": BOOL}
STATEMENTS: Final = frozenset(("atomic_add", "push", "pop"))
COURSE: Final = frozenset((
    "sin", "cos", "sqrt", "exp", "log", "pow", "int2float", "float2int", "thread_id",
    "atomic_add", *MODES))
FOLDED: Final = (choice.MIN, choice.MAX)
BUILTINS: Final = (
    *FUNCTIONS, *CASTS, *sorted(STATEMENTS), "int2float", "float2int", "thread_id", "select", "len",
    "flat")


class CallChecker(GenericCalls):
    """Checks calls."""

    def __init__(self, context: Context, function: str, simd: bool) -> None:
        super().__init__(context, simd)
        self.called = context.calls.setdefault(function, set())
        self.function_name = function
        self.launching: Launch | None = None
        self.ready: dict[surface.Expr, typed.Expr | None] = {}

    def call(self, e: surface.Call) -> typed.Expr | None:
        """A call as a value."""
        if (method := self.object_call(e)) is not None:
            return self.method_call(method)
        found = self.rebound(e)
        if found is None or self.is_generic(found):
            return None if found is None else self.generic_value(found)
        e = found
        if e.function not in self.context.signatures:
            struct = self.types.struct_named(e.function)
            if struct is not None:
                return self.constructed(e, struct)
            return None if self._keywords(e) else self._builtin(e)
        return self.valued(e, self.user_call(e, statement=False))

    def user_call(self, e: surface.Call, statement: bool) -> typed.Call | None:
        """A call of a function or derivative of the file."""
        if self._keywords(e):
            return None
        shown = replace(e, function=self.context.methods.name(e.function))
        return self.passed(shown, e.function, self._all(e, self.outputs(e.function)), statement)

    def passed(
        self, e: surface.Call, function: str, values: Sequence[typed.Expr | None], statement: bool
    ) -> typed.Call | None:
        """A call of a function of the file on operands that are checked already."""
        e, function, values = threaded(self, e, function, values)
        self.called.add(function)
        signature = self.context.signatures[function]
        if signature is None:
            return None
        if signature.simd and self.launching is None:
            self.report(codes.kernel_called(e))
        written = paired(signature)
        outputs = [a for a, _ in written if a.direction is not Direction.IN]
        filled = [a for a in outputs if a.direction is Direction.OUT]
        unordered = not statement and bool(filled if self.hoisting else outputs)
        if unordered:
            names = " and ".join(f"`{a.name}`" for a in filled or outputs)
            self.report(codes.out_in_expression(e, names, filled=bool(filled)))
        if len(written) != len(values):
            shown = self.shown_call(e.function, signature)
            self.report(codes.arity(e, len(written), len(values), shown))
            return None
        given = spread(self, e, signature, values)
        if given is None:
            return None
        done = [self.operand_as(e, x, v, a)
                for x, v, a in zip(*given, signature.written, strict=True)]
        args = tuple([d for d in done if d is not None])
        if len(args) < len(done) or unordered or signature.simd:
            return None
        self._check_outputs(e, function, args, signature)
        note_outputs(self, function, args, signature)
        sized = self.with_sizes(e, signature, args) if any(a.shape for a, _ in written) else args
        return None if sized is None else typed.Call(
            function, sized, signature.result, span=e.span)

    def _keywords(self, e: surface.Call) -> bool:
        """Whether a call of a function has operands by name, which only constructors have."""
        for k in e.keywords:
            self.report(syntax_codes.keyword_operand(k.span, k.name))
        if e.keywords:
            self._all(e)
        return bool(e.keywords)

    def constructed(self, e: surface.Call, struct: StructType) -> typed.Expr | None:
        """A struct made from its members, in order or by name."""
        members = self.types.members(struct.name)
        given = self._given(e, struct.name, list(members))
        if given is None or any((struct.name, m) in self.types.poisoned for m in members):
            return None
        if not given:
            return self._made(self.context.maker("default", struct), (), struct, e.span)
        values = {m: self._member_value(e, struct.name, m, t, given.get(m))
                  for m, t in members.items()}
        ready = tuple([v for v in values.values() if v is not None])
        if len(ready) < len(values):
            return None
        return self._made(self.context.maker("make", struct), ready, struct, e.span)

    def _made(
        self, function: str, args: tuple[typed.Expr, ...], struct: StructType, span: Span
    ) -> typed.Call:
        self.called.add(function)
        return typed.Call(function, args, struct, span=span)

    def _given(
        self, e: surface.Call, struct: str, members: list[str]
    ) -> dict[str, typed.Expr | None] | None:
        """The operand for each member that has one; None once something is wrong."""
        values = self._all(replace(e, args=(*e.args, *(k.value for k in e.keywords))))
        found, named = values[:len(e.args)], values[len(e.args):]
        wrong: list[tuple[Span, str]] = []
        if len(found) > len(members):
            wrong.append((e.span, f"has {len(members)} members, not {len(found)}"))
        given = dict(zip(members, found, strict=False))
        for k, value in zip(e.keywords, named, strict=True):
            if k.name not in members:
                wrong.append((k.span, f"has no member `{k.name}`"))
            elif k.name in given:
                wrong.append((k.span, f"gets `{k.name}` twice"))
            given[k.name] = value
        for span, what in wrong:
            self._construction(e, span, what, struct)
        return None if wrong else given

    def _construction(self, e: surface.Call, span: Span, what: str, struct: str) -> None:
        shown = ", ".join(f"{m} : {self.types.text(t)}"
                          for m, t in self.types.members(struct).items())
        self.report(codes.constructor(e, span, what, struct, shown))

    def _member_value(
        self, e: surface.Call, struct: str, member: str, t: Type, value: typed.Expr | None
    ) -> typed.Expr | None:
        default = self.types.defaults.get(struct, {}).get(member)
        if value is None:
            written = member in {k.name for k in e.keywords} or list(
                self.types.members(struct)).index(member) < len(e.args)
            if default is None and not written:
                self._construction(e, e.span, f"needs a value for `{member}`", struct)
            return default
        if isinstance(value.type, Scalar) and isinstance(t, Scalar):
            return self.settled(value, t)
        ready = shaped(self, value, t)
        if ready is None or ready.type == t:
            return ready
        self.report(codes.mismatch(
            e, value.span, member, self.types.text(t), self.types.text(value.type)))
        return None

    def _all(
        self, e: surface.Call, places: Collection[int] = ()
    ) -> list[typed.Expr | None]:
        return self.in_order(
            e.args, lambda a: self.ready.pop(a) if a in self.ready else operand(self, a), places)

    def operand_values(self, e: surface.Call) -> list[typed.Expr | None]:
        """The operands, checked; they are not checked again for the call itself."""
        values = self.in_order(e.args, lambda a: operand(self, a))
        self.ready |= dict(zip(e.args, values, strict=True))
        return values

    def operand_as(
        self, e: surface.Call, operand: surface.Expr, value: typed.Expr | None, argument: Argument
    ) -> typed.Expr | None:
        """A value as the operand for an argument."""
        if value is None:
            return None
        if argument.direction is not Direction.IN and not (
            self.writable(operand) and is_memory(value)
        ):
            if not (is_place(operand) and is_memory(value)):
                self.report(codes.not_a_place(e, operand.span, argument.name))
            return None
        if isinstance(value.type, Scalar) and isinstance(argument.type, Scalar):
            if argument.direction is Direction.IN:
                return self.settled(value, argument.type)
        ready = shaped(self, value, argument.type)
        return None if ready is None else self._matched(e, operand.span, ready, argument)

    def _matched(
        self, e: surface.Call, span: Span, value: typed.Expr, argument: Argument
    ) -> typed.Expr | None:
        """An operand that is no number, if it has the argument's type."""
        grows = isinstance(value, typed.Name) and value.symbol.growable
        arrays = isinstance(value.type, ArrayType) and isinstance(argument.type, ArrayType)
        if arrays and not grows and not argument.growable:
            return self.array_operand(e, value, argument)
        if value.type is not None and fits(value.type, argument.type):
            if grows == argument.growable:
                return value
        self.report(codes.mismatch(
            e, span, argument.name, self.wanted(argument), self.named(value.type, grows)))
        return None

    def writable(self, e: surface.Expr) -> bool:
        """Whether the expression is a place; writing a loop's counter is reported."""
        if self.in_captured(e):
            return False
        if isinstance(e, surface.Name):
            entry = self.scope.find(e.name)
            if entry is not None and (entry.counter or entry.size):
                self.report((flow_codes.loop_variable if entry.counter
                             else array_codes.size_assigned)(e.span, e.name))
                return False
        return is_place(e)

    def _check_outputs(
        self, e: surface.Call, function: str, args: tuple[typed.Expr, ...], signature: Signature
    ) -> None:
        """One place passed twice as an output; the adjoints of a reverse derivative add up."""
        if function in self.context.reverse or is_half(function, signature):
            return
        seen: list[typed.Expr] = []
        for value, argument in zip(args, signature.written, strict=True):
            if argument.direction is Direction.IN:
                continue
            for other in seen:
                if overlap(other, value):
                    self.report(codes.same_output(e, value.span, other.span))
                    return
            seen.append(value)

    def _builtin(self, e: surface.Call) -> typed.Expr | None:
        e = replace(e, function=e.function.removeprefix(BUILTIN))
        rules: dict[str, Callable[[surface.Call], typed.Expr | None]] = {
            "int2float": partial(int2float, self), "float2int": partial(float2int, self),
            "float": lambda e: cast(self, e, self.context.float_type),
            **{kind: partial(whole, self) for kind in ("sum", "argmin", "argmax")},
            "thread_id": self._thread_id, "select": self._select,
            "len": self.length, "flat": self.flat,
            "stop_gradient": partial(stopped, self),
        }
        if e.function in rules:
            return rules[e.function](e)
        if e.function in CASTS:
            return cast(self, e, CASTS[e.function])
        if e.function in ("min", "max") and len(e.args) == 1:
            return whole(self, e)
        if e.function in FUNCTIONS:
            return self._math(e, FUNCTIONS[e.function])
        if e.function in STATEMENTS:
            self.report(codes.statement_only(e))
        elif e.function in MODES:
            self.no_function_value(e)
            return None
        elif not self._poisoned(e.function):
            known = self.context.guesses([*BUILTINS, *self.context.signatures])
            self.report(name_codes.unknown_function(
                e, self.head(e), known, self.scope.names()))
        self._all(e)
        return None

    def _poisoned(self, name: str) -> bool:
        """Whether the name is a variable that has been reported."""
        entry = self.scope.find(name)
        return entry is not None and entry.symbol is None

    def head(self, e: surface.Call) -> Span:
        """The span of the function's name in a call."""
        s = e.span
        return Span(s.file, s.line, s.column, s.line, s.column + len(e.function))

    def scalars(self, e: surface.Call, shown: str, wanted: int) -> list[typed.Expr] | None:
        """The operands of a builtin: that many scalars."""
        places = (0,) if e.function in STATEMENTS else ()
        return self.numbers(e, shown, wanted, self._all(e, places))

    def numbers(
        self, e: surface.Call, shown: str, wanted: int, found: list[typed.Expr | None]
    ) -> list[typed.Expr] | None:
        """Operands that are checked already, as that many scalars."""
        if len(found) != wanted:
            self.report(codes.arity(e, wanted, len(found), shown))
            return None
        values: list[typed.Expr] = []
        for value, given in zip(found, e.args, strict=True):
            if value is None:
                continue
            if isinstance(value.type, Scalar):
                values.append(value)
            else:
                self.report(codes.not_a_number(
                    e, given.span, self.types.text(value.type), "numbers"))
        return values if len(values) == wanted else None

    def _math(self, e: surface.Call, prim: Prim) -> typed.Expr | None:
        letters = ", ".join("xyzw"[:prim.arity])
        several = prim in FOLDED and len(e.args) > prim.arity
        wanted = len(e.args) if several else prim.arity
        found = self._all(e)
        if e.function == "abs" and len(found) == 1 and found[0] is not None:
            done = self.special(e, ABS, (found[0],), e.args)
            if done is not None:
                return done
        values = self.numbers(e, f"{prim.name}({letters})", wanted, found)
        if values is None:
            return None
        meet = self.meet(values)
        if prim.operands is Operands.FLOAT and not meet.is_float:
            meet = self.context.float_type
        elif prim.operands is Operands.NUMBER and meet is BOOL:
            meet = I32
        result = BOOL if prim.result is Result.BOOL else meet
        first, *others = values
        while len(others) >= prim.arity:  # min(x, y, z) is min(min(x, y), z)
            pair = self.apply(prim, (first, others.pop(0)), meet, e.span, result)
            if pair is None:
                return None
            first = pair
        return self.apply(prim, (first, *others), meet, e.span, result)

    def meet(self, values: list[typed.Expr]) -> Scalar:
        """The type in which all values meet; literals have no say beside others."""
        strong = [v for v in values if not isinstance(v, Weak)] or values
        meet = max((v.type for v in strong if isinstance(v.type, Scalar)), key=RANK.index)
        floats = any(v.type in (F32, F64) for v in values)
        return self.context.float_type if floats and not meet.is_float else meet

    def _thread_id(self, e: surface.Call) -> typed.Expr | None:
        if self.scalars(e, "thread_id()", 0) is None:
            return None
        if not self.simd:
            self.report(codes.thread_id(e))
            return None
        return typed.ThreadId(span=e.span)

    def _select(self, e: surface.Call) -> typed.Expr | None:
        values = self.scalars(e, "select(condition, a, b)", 3)
        if values is None:
            return None
        cond = self.settled(values[0], BOOL)
        meet = common(values[1], values[2], self.context.float_type)
        a, b = self.settled(values[1], meet), self.settled(values[2], meet)
        if cond is None or a is None or b is None:
            return None
        return typed.Apply(prims.SELECT, (cond, a, b), meet, span=e.span)
