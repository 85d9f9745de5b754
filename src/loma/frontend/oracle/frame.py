"""Statements and expressions of the typed surface tree, run by the oracle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import assert_never

from loma.diagnostics import RunError, Span
from loma.frontend import typed as T
from loma.frontend.oracle.derivatives import Operand, World, as_memory
from loma.frontend.oracle.memory import (
    Array,
    Cell,
    Memory,
    NullPointer,
    Struct,
    Tape,
    Value,
    array,
    cell,
    copied,
    overwrite,
    stopped,
    struct,
    zeros,
)
from loma.frontend.oracle.numbers import (
    COMPARISONS,
    INTEGERS,
    Dual,
    real,
    saturated,
    shifted,
    wrapped,
)
from loma.frontend.oracle.parts import checked, element, inside, part
from loma.frontend.oracle.reduce import reduction
from loma.ir.nodes import Direction, Signature, Trap
from loma.ir.shown import shown
from loma.ir.types import ArrayType, Scalar, StructType, TapeType


class OutOfSteps(Exception):
    """The program ran longer than it was given."""


class Leave(Enum):
    """Why a block of statements ended early."""

    RETURN = auto()
    BREAK = auto()
    CONTINUE = auto()


class Primal:
    """A function of the file."""

    def __init__(self, world: World, function: T.Function) -> None:
        self.signature: Signature = function.signature
        self._world = world
        self._function = function

    def run(self, operands: Sequence[Operand], threads: int) -> Operand:
        """Runs the body: once, or for every thread."""
        if not self.signature.simd:
            return self._once(operands, 0)
        for thread in self._world.order(max(threads, 0)):
            self._once(operands, thread)
        return None

    def _once(self, operands: Sequence[Operand], thread: int) -> Operand:
        f = self._function
        number = operands[f.params.index(f.thread)] if f.thread else thread
        frame = Frame(self._world, number if isinstance(number, int) else thread)
        structs = self._world.structs
        for symbol, a, x in zip(
            self._function.params, self.signature.arguments, operands, strict=True
        ):
            x = stopped(x) if a.nodiff else x
            if x is not None and not isinstance(x, Cell | Array | Struct | Tape):
                frame.places[symbol] = Cell(x)
            elif a.direction is Direction.IN and isinstance(a.type, StructType):
                assert isinstance(x, Struct), "a struct is memory"
                frame.places[symbol] = copied(x, a.type, structs)
            else:
                frame.places[symbol] = x
        self._world.depth_left -= 1
        if self._world.depth_left < 0:
            self._world.depth_left += 1
            raise frame.trap(Trap.DEPTH, self._function.span)
        try:
            frame.block(self._function.body)
        finally:
            self._world.depth_left += 1
        if frame.result is None and self.signature.result is not None:
            missing = zeros(self.signature.result, structs)
            return missing.value if isinstance(missing, Cell) else missing
        return frame.result


@dataclass
class Frame:
    """One activation of a function."""

    world: World
    thread: int
    places: dict[T.Symbol, Memory | None] = field(default_factory=dict)
    result: Operand = None

    def trap(self, trap: Trap, span: Span, message: str = "") -> RunError:
        """The error that ends the program."""
        return RunError(trap.name, message or trap.value, self.world.file, span.line)

    # Statements.

    def block(self, statements: Sequence[T.Stmt]) -> Leave | None:
        """Runs statements until one leaves the block."""
        for s in statements:
            self.spend(s.span)
            leave = self.statement(s)
            if leave is not None:
                return leave
        return None

    def spend(self, span: Span) -> None:
        """Counts one step of those that the program was given."""
        self.world.steps_left -= 1
        if self.world.steps_left < 0:
            raise OutOfSteps(f"{self.world.file}:{span.line}")

    def statement(self, s: T.Stmt) -> Leave | None:  # noqa: C901, PLR0915 - one dispatch
        """Runs one statement."""
        match s:
            case T.Declare():
                self.places[s.symbol] = self.declared(s)
            case T.Assign(target, value):
                self.assign(target, value)
            case T.If(cond, then, orelse):
                return self.block(then if self.truth(cond) else orelse)
            case T.While():
                return self.loop_while(s)
            case T.For():
                return self.loop_for(s)
            case T.Return(value):
                if value is not None:
                    self.result = self.fresh(value)
                return Leave.RETURN
            case T.Break():
                return Leave.BREAK
            case T.Continue():
                return Leave.CONTINUE
            case T.CallStmt(call):
                self.called(call)
            case T.AtomicAdd(target, value):
                self.accumulate(target, value)
            case T.Push(tape, values):
                self.tape(tape).frames.append(tuple(self.scalar(v) for v in values))
            case T.Pop(tape, targets):
                frame = self.tape(tape).frames.pop()
                for target, x in zip(targets, frame, strict=True):
                    cell(self.place(target)).value = x
            case T.Assert(cond, message):
                if not self.truth(cond):
                    raise self.trap(Trap.ASSERT, s.span, self.text(message))
            case T.Print(text):
                self.world.write(self.text(text))
            case _:
                assert_never(s)
        return None

    def text(self, text: T.Text) -> str:
        """Text with its values."""
        return "".join(
            p if isinstance(p, str) else shown(real(self.scalar(p)), scalar_type(p)) for p in text)

    def declared(self, s: T.Declare) -> Memory | None:
        """Memory for a variable."""
        structs = self.world.structs
        if s.value is not None:
            return as_memory(self.fresh(s.value))
        t = s.symbol.type
        if not isinstance(t, ArrayType) or t.size is not None:
            return zeros(t, structs)
        element = t.element

        def grow() -> Memory:
            made = zeros(element, structs)
            assert made is not None, "a local array does not hold pointers"
            return made

        if s.count is None:
            return Array([], grow)
        return Array([grow() for _ in range(self.index(s.count))])

    def assign(self, target: T.Expr, value: T.Expr) -> None:
        """target = value."""
        t = target.type
        if isinstance(t, Scalar):
            x = self.scalar(value)
            cell(self.place(target)).value = x
        elif isinstance(t, ArrayType) and t.size is None:
            self.point(target, self.memory(value))
        else:
            place, source = self.place(target), self.memory(value)
            assert place is not None and source is not None and t is not None, (
                "structs are never null"
            )
            overwrite(place, source, t, self.world.structs)

    def point(self, target: T.Expr, to: Memory | None) -> None:
        """Makes the pointer at a place share another array."""
        match target:
            case T.Member(base, name):
                struct(self.memory(base)).members[name] = to
            case T.Index(base, index) if to is not None:
                array(self.memory(base)).items[self.index(index)] = to
            case T.Name(symbol):
                self.places[symbol] = to
            case _:
                raise AssertionError("a pointer is assigned at a place")

    def accumulate(self, target: T.Expr, value: T.Expr) -> None:
        """target += value."""
        x = self.scalar(value)
        place = cell(self.place(target))
        t = target.type
        assert isinstance(t, Scalar), "only scalars are accumulated"
        place.value = self.arithmetic("add", (place.value, x), t, target.span)

    def loop_while(self, s: T.While) -> Leave | None:
        """Runs a loop as long as its condition holds."""
        while self.truth(s.cond):
            leave = self.block(s.body)
            if leave is Leave.RETURN:
                return leave
            if leave is Leave.BREAK:
                break
        return None

    def loop_for(self, s: T.For) -> Leave | None:
        """Runs a counted loop; each round has a fresh variable."""
        rounds: Iterable[int] = range(self.index(s.start), self.index(s.stop), s.step)
        if s.parallel:
            rounds = self.world.order(max(self.index(s.stop), 0))
        for i in rounds:
            self.places[s.symbol] = Cell(i)
            leave = self.block(s.body)
            if leave is Leave.RETURN:
                return leave
            if leave is Leave.BREAK:
                break
        return None

    # Places.

    def place(self, e: T.Expr) -> Memory | None:
        """Where an expression that is a place lies; a call's result lies in fresh memory."""
        match e:
            case T.Name(symbol):
                return self.places[symbol]
            case T.Member(base, name):
                return struct(self.memory(base)).members[name]
            case T.View():
                return part(self, e)
            case T.Index(base, index):
                inside(self, e)
                try:
                    return element(self, array(self.memory(base)), self.index(index), e.span)
                except NullPointer:
                    raise self.trap(Trap.INDEX, e.span) from None
            case T.Call():
                return as_memory(self.called(e))
            case T.Conditional(cond, then, orelse):
                return self.place(then if self.truth(cond) else orelse)
            case _:
                raise AssertionError(f"{type(e).__name__} is not a place")

    def memory(self, e: T.Expr) -> Memory | None:
        """The memory of an expression of struct or array type."""
        return self.place(e)

    def tape(self, e: T.Expr) -> Tape:
        """The tape at a place."""
        found = self.place(e)
        assert isinstance(found, Tape) and isinstance(e.type, TapeType), "a tape was expected"
        return found

    # Values.

    def fresh(self, e: T.Expr) -> Operand:
        """The value of an expression, not shared with any place (but for what pointers share)."""
        t = e.type
        assert t is not None, "a value has a type"
        return (
            self.scalar(e)
            if isinstance(t, Scalar)
            else copied(self.memory(e), t, self.world.structs)
        )

    def truth(self, e: T.Expr) -> bool:
        """The value of a bool expression."""
        return bool(self.scalar(e))

    def index(self, e: T.Expr) -> int:
        """The value of an int expression."""
        return int(self.scalar(e))  # type: ignore[arg-type]

    def scalar(self, e: T.Expr) -> Value:  # noqa: C901 - one dispatch
        """The value of an expression of scalar type."""
        match e:
            case T.Literal(value, type):
                return self.world.numbers.leaf(value) if type.is_float else value
            case T.Name() | T.Index() | T.Member():
                return cell(self.place(e)).value
            case T.Apply():
                return self.apply(e)
            case T.Convert(value, type):
                return self.convert(self.scalar(value), type)
            case T.Logical(operator, left, right):
                first = self.truth(left)
                return self.truth(right) if first == (operator == "and") else first
            case T.Conditional(cond, then, orelse):
                return self.scalar(then if self.truth(cond) else orelse)
            case T.Checked():
                return checked(self, e)
            case T.Let(symbol, value, body):
                self.places[symbol] = Cell(self.scalar(value))
                return self.scalar(body)
            case T.Reduce():
                return reduction(self, e)
            case T.ThreadId():
                return self.thread
            case T.View():
                raise AssertionError("a part of an array is no scalar")
            case T.Call():
                return cell(as_memory(self.called(e))).value
            case _:
                assert_never(e)

    def apply(self, e: T.Apply) -> Value:
        """The value of a primitive."""
        args = tuple(self.scalar(a) for a in e.args)
        name = e.prim.name
        if name == "select":
            return args[1] if args[0] else args[2]
        if name in COMPARISONS:
            return COMPARISONS[name](*(real(a) for a in args))
        return self.arithmetic(name, args, e.type, e.span)

    def arithmetic(self, name: str, args: tuple[Value, ...], t: Scalar, span: Span) -> Value:
        """The value of an operation on numbers of type `t`."""
        if t.is_float:
            return self.world.numbers.rounded(self.world.numbers.apply(name, *args), t)
        x, *rest = (int(real(a)) for a in args)
        if name == "idiv":
            return self.quotient(x, rest[0], t, span)
        if name in ("shl", "shr"):
            return shifted(name, x, rest[0], t)
        return wrapped(INTEGERS[name](x, *rest), t)

    def quotient(self, x: int, y: int, t: Scalar, span: Span) -> int:
        """x / y, truncated toward zero."""
        if y == 0:
            raise self.trap(Trap.DIVISION, span)
        result = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
        if wrapped(result, t) != result:
            raise self.trap(Trap.OVERFLOW, span)
        return result

    def convert(self, x: Value, t: Scalar) -> Value:
        """A scalar as another type."""
        numbers = self.world.numbers
        if t is Scalar.BOOL:
            return bool(real(x) != 0)
        if t.is_float:
            return numbers.rounded(x if isinstance(x, Dual) else numbers.leaf(x), t)
        plain = real(x)
        return saturated(plain, t) if not isinstance(plain, int) else wrapped(plain, t)

    def called(self, e: T.Call) -> Operand:
        """The result of a call."""
        routine = self.world.routine(e.function)
        operands: list[Operand] = []
        for a, x in zip(routine.signature.arguments, e.args, strict=True):
            by_value = a.direction is Direction.IN and isinstance(a.type, Scalar)
            operands.append(self.scalar(x) if by_value else self.place(x))
        return routine.run(operands, 0)


def scalar_type(e: T.Expr) -> Scalar:
    """The type of a scalar expression."""
    assert isinstance(e.type, Scalar), "only scalars are shown"
    return e.type
