"""One printer for languages like C; what differs between them is a `Dialect`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from loma.ir.imperative import Expr, From, Operation, Place, scalar_type
from loma.ir.nodes import Const, Var
from loma.ir.prims import arithmetic as A
from loma.ir.prims import bits
from loma.ir.prims.math import SQRT
from loma.ir.prims.record import Prim
from loma.ir.text_expr import ATOM, ExpressionPrinter, shortest
from loma.ir.types import ArrayType, Scalar, StructType, TapeType, Type

ACCESS: Final = 15
UNARY: Final = 14
OR: Final = 3
AND: Final = 4
CHOICE: Final = 2

LEVELS: Final[dict[str, int]] = {
    "*": 12,
    "/": 12,
    "+": 11,
    "-": 11,
    "<": 9,
    "<=": 9,
    ">": 9,
    ">=": 9,
    "==": 8,
    "!=": 8,
    "&": 7,
    "^": 6,
    "|": 5,
    "&&": AND,
    "||": OR,
}
SYMBOLS: Final[dict[Prim, str]] = {A.AND: "&&", A.OR: "||"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What is particular to one language: spellings of types, literals and functions.

    `value` and `memory` spell scalars in variables and in memory, `literal` is the suffix of
    floats, `math` that of elementary functions; `to_int` names the saturating conversions; `taken`
    are names that no variable may use, `words` those of the language itself. `shared` qualifies the
    elements of an array that is reached by a pointer, `long` is the suffix of 64-bit integers.
    `zero` starts an aggregate with zeros (empty: all start so; after a semicolon: a statement that
    does). `outer` is a statement at the start of a loop around one that counts down.
    `reciprocal_root` is a function for 1/sqrt(x) of f32, nearly exact.

    What follows `reciprocal_root` is C's unless a language says otherwise. `variable` declares one.
    `array` spells the type of an array, where a declaration begins with the name. `choice` and
    `cast` are calls; `special` spells literals (with a type, those of that type), `names`
    functions; `truth` makes the number of a bool that memory holds. `step` counts up or down by
    one. `braces`: a single statement needs them. `one_counter`: the head of a loop declares but one
    variable.
    """

    name: str
    value: Mapping[Scalar, str]
    memory: Mapping[Scalar, str]
    literal: Mapping[Scalar, str]
    math: Mapping[Scalar, str]
    to_int: Mapping[Scalar, str]
    tape: str
    growable: str
    taken: frozenset[str]
    words: frozenset[str]
    shared: str = ""
    long: str = "LL"
    zero: str = "{0}"
    outer: str = ""
    reciprocal_root: str = ""
    variable: str = "{type} {name}"
    array: str = ""
    choice: str = ""
    cast: str = ""
    special: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    truth: str = "{}"
    step: tuple[str, str] = ("++{}", "--{}")
    braces: bool = False
    one_counter: bool = False

    def declared(self, type: str, name: str) -> str:
        """The declaration of a variable."""
        return self.variable.format(type=type, name=name)

    def when(self, cond: str, then: str) -> str:
        """A single statement under a condition, on one line."""
        return f"if ({cond}) {{ {then} }}" if self.braces else f"if ({cond}) {then}"

    def function(self, prim: Prim, type: Scalar) -> str:
        """The name of an elementary function."""
        name = prim.spelling.get("c", prim.name)
        return self.names.get(name, name) + self.math[type]

    def field(self, name: str) -> str:
        """The name of a member: no word of the language, and different for different members."""
        return f"{name}_" if self.is_word(name.rstrip("_")) or self.is_word(name) else name

    def is_word(self, name: str) -> bool:
        """Whether the language keeps a name for itself."""
        return name in self.words or name[:1] == "_" and (name[1:2] == "_" or name[1:2].isupper())


@dataclass(frozen=True, slots=True)
class Types:
    """Declarations of a dialect; `structs` says what each struct is called there."""

    dialect: Dialect
    structs: Mapping[str, str]

    def declare(self, t: Type, name: str) -> str:
        """The declaration of memory that holds a `t`; the type alone without a name."""
        if self.dialect.array:
            return f"{name}: {self._kind(t)}" if name else self._kind(t)
        match t:
            case Scalar():
                return f"{self.dialect.memory[t]} {name}".rstrip()
            case StructType(struct):
                return f"{self.structs[struct]} {name}".rstrip()
            case TapeType():
                return f"{self.dialect.tape} {name}"
            case ArrayType(ArrayType(_, int()) as element, None):
                return self.dialect.shared + self.declare(element, f"(*{name})")
            case ArrayType(element, None):
                return self.dialect.shared + self.declare(element, f"*{name}")
            case ArrayType(element, size):
                return self.declare(element, f"{name}[{size}]")
            case _:
                assert_never(t)


    def local(self, t: Type, name: str) -> str:
        """The declaration of a variable that holds a `t`."""
        return self.dialect.declared(self._kind(t), name) if self.dialect.array else (
            self.declare(t, name))

    def _kind(self, t: Type) -> str:
        """A type, in a language whose declarations begin with the name."""
        match t:
            case Scalar():
                return self.dialect.memory[t]
            case StructType(struct):
                return self.structs[struct]
            case TapeType():
                return self.dialect.tape
            case ArrayType(element, size):
                inner = self._kind(element)
                return self.dialect.array.format(inner if size is None else f"{inner}, {size}")
            case _:
                assert_never(t)


@dataclass(frozen=True, slots=True)
class Root:
    """How a place starts: the text of a root, and whether it is a pointer to what it holds.

    A `private` one is memory that only the thread sees.
    """

    text: str
    pointer: bool = False
    growable: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class Printer(ExpressionPrinter):
    """Prints expressions; `name` and `root` say what variables and roots are, `call` prints calls,
    `line` is the source's."""

    dialect: Dialect
    types: Types
    name: Callable[[Var], str]
    root: Callable[[Var], Root]
    call: Callable[[str, tuple[Expr, ...]], str]
    line: Callable[[], int]

    def _variable(self, v: Var) -> str:
        return self.name(v)

    def _place(self, p: Place) -> tuple[str, int]:
        text, binding = self.place(p)
        return (f"{text} != 0", LEVELS["!="]) if p.type is Scalar.BOOL else (text, binding)

    def _result(self, function: str, args: tuple[Expr, ...]) -> str:
        return self.call(function, args)

    # Places.

    def place(self, p: Place, write: bool = False) -> tuple[str, int]:
        """A place as something that can be read, assigned, or whose address can be taken."""
        root = self.root(p.root)
        if root.growable and p.path:
            return self._growable(p, root, write)
        text, path = root.text, p.path
        if root.pointer:
            if not path:
                return f"*{text}", UNARY
            assert isinstance(path[0], str), "only a struct is behind a pointer"
            text, path = f"{text}->{self.dialect.field(path[0])}", path[1:]
        for k, s in enumerate(path):
            before = path[k - 1] if k else None
            after = path[k + 1] if k + 1 < len(path) else None
            if isinstance(s, From):
                text = text if self._joins(s, after) else self._from(text, s, root.private)
            elif isinstance(before, From) and self._joins(before, s):
                text += f"[{self._sum(before.start, s)}]"
            else:
                text += self._step(s)
        return text, ACCESS

    def _joins(self, s: From, after: Expr | str | None) -> bool:
        """Whether where an array begins can be added to the index that follows."""
        return s.depth == 1 and after is not None and not isinstance(after, str | From)

    def _sum(self, start: Expr, index: Expr | str) -> str:
        assert not isinstance(index, str), "an index"
        if isinstance(start, Const) and start.value == 0:
            return self.of(index)
        return f"{self.of(start, LEVELS['+'])} + {self.of(index, LEVELS['+'] + 1)}"

    def _from(self, text: str, s: From, private: bool) -> str:
        """The array that begins at an element of the array that a text names."""
        if not (isinstance(s.start, Const) and s.start.value == 0):
            text = f"({text} + {self.of(s.start, LEVELS['+'] + 1)})"
        if s.depth == 1:
            return text
        kind = self.types.declare(ArrayType(s.type.element), "").strip()
        return f"(({kind.removeprefix(self.dialect.shared) if private else kind}){text})"

    def _step(self, s: Expr | str) -> str:
        return f".{self.dialect.field(s)}" if isinstance(s, str) else f"[{self.of(s)}]"

    def _growable(self, p: Place, root: Root, write: bool) -> tuple[str, int]:
        content = p.root.content
        assert isinstance(content, ArrayType) and not isinstance(p.path[0], str), (
            "a growable root is an array"
        )
        element = self.types.declare(content.element, "")
        name = f"*{root.text}" if root.pointer else root.text
        text = f"{name}, {element}, {self.of(p.path[0])}"
        text = f"LOMA_AT({text}, {self.line()})" if write else f"LOMA_PEEK({text})"
        return text + "".join(self._step(s) for s in p.path[1:]), ACCESS

    def address(self, p: Place) -> str:
        """A pointer to a place; an array is a pointer to its first element."""
        root = self.root(p.root)
        if not p.path and root.pointer:
            return root.text
        text, binding = self.place(p, write=True)
        if isinstance(p.type, ArrayType) and not (root.growable and not p.path):
            return text
        return f"&{text}" if binding >= UNARY else f"&({text})"

    # Values.

    def _literal(self, c: Const) -> tuple[str, int]:
        value = c.value
        if c.type is Scalar.BOOL:
            return ("true" if value else "false"), ATOM
        if c.type.is_int:
            return self._integer(int(value), c.type)
        if math.isnan(value):
            return self._special("NAN", c.type), ATOM
        if math.isinf(value):
            text = self._special("INFINITY", c.type)
            return f"{'-' * (value < 0)}{text}", ATOM if value > 0 else UNARY
        binding = UNARY if math.copysign(1.0, value) < 0 else ATOM
        return shortest(float(value), c.type) + self.dialect.literal[c.type], binding

    def _integer(self, value: int, type: Scalar) -> tuple[str, int]:
        least = -(1 << (8 * type.bytes - 1))
        suffix = "" if -(1 << 31) < value < (1 << 31) else self.dialect.long
        if value == least:
            return self._special(f"INT{8 * type.bytes}_MIN", type), ATOM
        return f"{value}{suffix}", UNARY if value < 0 else ATOM

    def _special(self, name: str, type: Scalar) -> str:
        known = self.dialect.special
        return known.get(f"{name} {type.value}", known.get(name, name))

    def _operation(self, e: Operation) -> tuple[str, int]:  # noqa: C901 - one dispatch
        match e.prim:
            case A.CAST:
                return self._cast(e.args[0], e.type)
            case A.SELECT:
                return self._choice(*e.args)
            case A.NEG:
                inner = self.of(e.args[0], UNARY)
                return ("- " if inner.startswith("-") else "-") + inner, UNARY
            case A.NOT:
                return self._not(e.args[0])
            case bits.BIT_NOT:
                return f"~{self.of(e.args[0], UNARY)}", UNARY
            case bits.SHL | bits.SHR:
                inner = ", ".join(self.of(a) for a in e.args)
                return f"loma_{e.prim.name}{8 * e.type.bytes}({inner})", ATOM
            case bits.BIT_AND | bits.BIT_OR | bits.BIT_XOR:
                return self._bitwise(e.prim.symbol, e.args)
            case A.DIV if self.dialect.reciprocal_root and _is_reciprocal_root(e):
                root = e.args[1]
                assert isinstance(root, Operation), "a square root"
                return f"{self.dialect.reciprocal_root}({self.of(root.args[0])})", ATOM
            case prim if not prim.symbol:
                inner = ", ".join(self.of(a) for a in e.args)
                return f"{self.dialect.function(prim, e.type)}({inner})", ATOM
            case prim:
                return self._infix(SYMBOLS.get(prim, prim.symbol), e.args)

    def _choice(self, cond: Expr, x: Expr, y: Expr) -> tuple[str, int]:
        if self.dialect.choice:
            shown = {"cond": self.of(cond), "x": self.of(x), "y": self.of(y)}
            return self.dialect.choice.format_map(shown), ATOM
        return f"{self.of(cond, CHOICE + 1)} ? {self.of(x)} : {self.of(y, CHOICE)}", CHOICE

    def _infix(self, symbol: str, args: tuple[Expr, ...]) -> tuple[str, int]:
        level = LEVELS[symbol]
        inner = AND + 1 if level == OR else level
        left = self.of(args[0], level if level > AND or _is(args[0], symbol) else inner)
        return f"{left} {symbol} {self.of(args[1], max(inner, level + 1))}", level

    def _bitwise(self, symbol: str, args: tuple[Expr, ...]) -> tuple[str, int]:
        """Operands in parentheses: few know by heart how tightly these bind."""
        chained = isinstance(args[0], Operation) and args[0].prim.symbol == symbol
        left = self.of(args[0], LEVELS[symbol] if chained else UNARY)
        return f"{left} {symbol} {self.of(args[1], UNARY)}", LEVELS[symbol]

    def _not(self, e: Expr) -> tuple[str, int]:
        match e:
            case Operation(A.EQ, args):
                return self._infix("!=", args)
            case Operation(A.NE, args):
                return self._infix("==", args)
            case Operation(A.NOT, (x,)):
                return self._bound(x)
            case Operation(A.OR | A.AND as prim, args):
                negated = tuple(Operation(A.NOT, (x,), Scalar.BOOL) for x in args)
                return self._infix("&&" if prim is A.OR else "||", negated)
            case _:
                return f"!{self.of(e, UNARY)}", UNARY

    def _cast(self, e: Expr, target: Scalar) -> tuple[str, int]:
        source = scalar_type(e)
        if target is Scalar.BOOL:
            return f"{self.of(e, LEVELS['!='] + 1)} != 0", LEVELS["!="]
        if source.is_float and target.is_int:
            return f"{self.dialect.to_int[target]}({self.of(e)})", ATOM
        kind = self.dialect.value[target]
        if self.dialect.cast:
            return self.dialect.cast.format(type=kind, x=self.of(e)), ATOM
        return f"({kind}){self.of(e, UNARY)}", UNARY


def _is_reciprocal_root(e: Operation) -> bool:
    """Whether a division is that of 1 by a square root, in f32."""
    x, y = e.args
    return (
        e.type is Scalar.F32
        and isinstance(x, Const)
        and x.value == 1
        and isinstance(y, Operation)
        and y.prim is SQRT
    )


def _is(e: Expr, symbol: str) -> bool:
    """Whether an expression is printed with this logical operator outermost."""
    if isinstance(e, Operation) and e.prim is A.NOT:
        inner = e.args[0]
        return isinstance(inner, Operation) and {A.OR: "&&", A.AND: "||"}.get(inner.prim) == symbol
    return isinstance(e, Operation) and SYMBOLS.get(e.prim) == symbol
