"""Expressions and literals as loma source."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, assert_never

from loma.ir.builder import rounded
from loma.ir.imperative import Expr, From, Operation, Place, Result, scalar_type
from loma.ir.names import BUILTIN
from loma.ir.nodes import Const, Var
from loma.ir.prims import arithmetic as A
from loma.ir.types import Scalar

ATOM: Final = 20
SIGN: Final = A.NEG.precedence
COMPARISONS: Final = (A.LT, A.LE, A.GT, A.GE, A.EQ, A.NE)
LEAST: Final = {Scalar.I32: -(1 << 31), Scalar.I64: -(1 << 63)}


def shortest(value: float, type: Scalar) -> str:
    """The shortest decimal that reads as this finite float of the type."""
    if type is Scalar.F64:
        return repr(value)
    value = float(rounded(value, type))
    digits = next(d for d in range(1, 18) if rounded(float(f"{value:.{d}g}"), type) == value)
    return repr(float(f"{value:.{digits}g}"))


def quoted(message: str) -> str:
    """A string literal."""
    return json.dumps(message, ensure_ascii=False)


class ExpressionPrinter(ABC):
    """Prints expressions; a language says how it writes what they are made of.

    Each piece comes with how tightly it binds, by numbers of the language's own.
    """

    __slots__ = ()

    def of(self, e: Expr, level: int = 0) -> str:
        """The expression, in parentheses where it binds less tightly than `level`."""
        text, binding = self._bound(e)
        return f"({text})" if binding < level else text

    def _bound(self, e: Expr) -> tuple[str, int]:
        match e:
            case Var():
                return self._variable(e), ATOM
            case Const():
                return self._literal(e)
            case Place():
                return self._place(e)
            case Result(function, args):
                return self._result(function, args), ATOM
            case Operation():
                return self._operation(e)
            case From():
                raise AssertionError("a step of a path stands in a path")
            case _:
                assert_never(e)

    @abstractmethod
    def _variable(self, v: Var) -> str: ...

    @abstractmethod
    def _literal(self, c: Const) -> tuple[str, int]: ...

    @abstractmethod
    def _place(self, p: Place) -> tuple[str, int]: ...

    @abstractmethod
    def _result(self, function: str, args: tuple[Expr, ...]) -> str: ...

    @abstractmethod
    def _operation(self, e: Operation) -> tuple[str, int]: ...


@dataclass(frozen=True, slots=True)
class Expressions(ExpressionPrinter):
    """Prints the expressions of one function; `name` says what its variables and roots are
    called, `taken` are names that the program has given to functions and structs."""

    name: Callable[[Var], str]
    float_type: Scalar
    taken: Collection[str] = ()

    def alone(self, e: Expr) -> str:
        """The expression where nothing else says its type."""
        return self.of(self._typed((e,))[0])

    def _variable(self, v: Var) -> str:
        return self.name(v)

    def _place(self, p: Place) -> tuple[str, int]:
        return self.place(p), ATOM

    def _result(self, function: str, args: tuple[Expr, ...]) -> str:
        return self.call(function, args)

    def place(self, p: Place) -> str:
        """A place: a root followed by members and indices."""
        text = self.name(p.root)
        for s in p.path:
            if isinstance(s, From):
                text = self._from(text, s)
            else:
                text += f".{s}" if isinstance(s, str) else f"[{self.of(s)}]"
        return text

    def _from(self, text: str, s: From) -> str:
        """The array that begins at an element of the array that a text names."""
        begins = isinstance(s.start, Const) and s.start.value == 0
        start, size = "" if begins else self.of(s.start), s.type.size
        if s.depth > 1:
            return self._flat(text if begins else f"{text}[{start}:]")
        if size is None:
            return f"{text}[{start}:]"
        stop = f"{self.of(s.start, A.ADD.precedence)} + {size}" if start else str(size)
        return f"{text}[{start}:{stop}]"

    def _flat(self, text: str) -> str:
        return f"{self.builtin('flat')}({text})"

    def builtin(self, name: str) -> str:
        """What a builtin is called where the program may have taken its name."""
        return BUILTIN * (name in self.taken) + name

    def call(self, function: str, args: tuple[Expr, ...]) -> str:
        """A call."""
        return f"{function}({', '.join(self.of(a) for a in args)})"

    def _literal(self, c: Const) -> tuple[str, int]:
        if c.type is Scalar.BOOL:
            return str(bool(c.value)), ATOM
        value = c.value
        if c.type.is_int:
            if value == LEAST[c.type]:
                return f"-{-int(value) - 1} - 1", A.SUB.precedence
            return str(int(value)), SIGN if value < 0 else ATOM
        if math.isnan(value):
            return "0.0 / 0.0", A.DIV.precedence
        if math.isinf(value):
            return ("1.0 / 0.0" if value > 0 else "-1.0 / 0.0"), A.DIV.precedence
        return shortest(float(value), c.type), SIGN if math.copysign(1.0, value) < 0 else ATOM

    def _operation(self, e: Operation) -> tuple[str, int]:
        if e.prim is A.CAST:
            return f"{self._conversion(scalar_type(e.args[0]), e.type)}({self.of(e.args[0])})", ATOM
        args = self._typed(e.args[1:]) if e.prim is A.SELECT else self._typed(e.args)
        if e.prim is A.SELECT:
            args = (e.args[0], *args)
        if not e.prim.symbol:
            name = e.prim.spelling.get("loma", e.prim.name)
            return self.call(self.builtin(name), args), ATOM
        level = e.prim.precedence
        if e.prim.arity == 1:
            space = " " if e.prim.symbol.isalpha() else ""
            return f"{e.prim.symbol}{space}{self.of(args[0], level)}", level
        left = level + 1 if e.prim in COMPARISONS else level
        return f"{self.of(args[0], left)} {e.prim.symbol} {self.of(args[1], level + 1)}", level

    def _typed(self, args: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """The operands; the first of nothing but literals says its type where `float` or `int`
        would be wrong."""
        if not all(isinstance(a, Const) for a in args):
            return args
        first = args[0]
        assert isinstance(first, Const), "all are literals"
        if first.type in (self.float_type, Scalar.I32, Scalar.BOOL):
            return args
        return (Operation(A.CAST, (first,), first.type), *args[1:])

    def _conversion(self, source: Scalar, target: Scalar) -> str:
        if source is Scalar.I32 and target is self.float_type:
            return "int2float"
        if source is self.float_type and target is Scalar.I32:
            return "float2int"
        return target.value
