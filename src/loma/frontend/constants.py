"""Numbers that are known while a file is read: literals, constants, arithmetic on them."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from loma.diagnostics import Span

Known: TypeAlias = float | int | bool
Table: TypeAlias = "tuple[Known | Table, ...]"

LARGEST: Final = 2**63
MOST_BITS: Final = 64
NESTING: Final = 100
FUNCTIONS: Final[Mapping[str, Callable[..., float]]] = {
    "sin": math.sin, "cos": math.cos, "sqrt": math.sqrt, "exp": math.exp, "log": math.log,
    "pow": math.pow,
}
"""The functions whose names no file may give to its own, as what they are in constants."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A name for a number, or for a table of numbers; `span` is where it was given."""

    value: Known | Table
    span: Span


def evaluate(
    node: ast.expr, constants: Mapping[str, Constant], depth: int = NESTING
) -> Known | None:
    """The number that an expression stands for; None if it is not known now."""
    match node:
        case ast.Constant(int() | float() as value):
            return None if value == math.inf else value
        case ast.Name(name) if name in constants:
            named = constants[name].value
            return None if isinstance(named, tuple) else named
        case ast.Subscript() | ast.Call(ast.Name("len"), [_], []):
            return _of_table(node, constants, depth)
        case ast.UnaryOp(ast.USub(), operand) if depth:
            inner = evaluate(operand, constants, depth - 1)
            return None if inner is None else -inner
        case ast.BinOp(left, op, right) if depth and type(op) in RULES:
            x = evaluate(left, constants, depth - 1)
            y = None if x is None else evaluate(right, constants, depth - 1)
            return None if x is None or y is None else _combined(RULES[type(op)], x, y)
        case ast.Call(ast.Name(name), [_, *_] as operands, []) if depth and name in FUNCTIONS:
            found = [evaluate(x, constants, depth - 1) for x in operands]
            known = [float(x) for x in found if x is not None]
            return _combined(FUNCTIONS[name], *known) if len(known) == len(found) else None
        case _:
            return None


def typed_constant(value: Known | None, kind: str) -> Known | None:
    """A number as a `float` or an `int`; None for one that is none."""
    if kind == "float":
        return None if value is None else float(value)
    return None if isinstance(value, float) else value


def table(node: ast.expr, constants: Mapping[str, Constant]) -> Table | None:
    """The numbers that a list stands for; None if they are not known now."""
    match node:
        case ast.List([_, *_] as items) | ast.Tuple([_, *_] as items):
            found = [evaluate(x, constants) if (inner := table(x, constants)) is None else inner
                     for x in items]
            known = tuple([x for x in found if x is not None])
            return known if len(known) == len(found) else None
        case ast.Name(name) if name in constants:
            value = constants[name].value
            return value if isinstance(value, tuple) else None
        case ast.Subscript(base, index):
            whole, at = table(base, constants), evaluate(index, constants)
            row = None if whole is None else _element(whole, at)
            return row if isinstance(row, tuple) else None
        case _:
            return None


def _of_table(
    node: ast.Subscript | ast.Call, constants: Mapping[str, Constant], depth: int
) -> Known | None:
    """An element of a table, or its length."""
    base = node.value if isinstance(node, ast.Subscript) else node.args[0]
    whole = table(base, constants) if depth else None
    if whole is None or isinstance(node, ast.Call):
        return None if whole is None else len(whole)
    found = _element(whole, evaluate(node.slice, constants, depth - 1))
    return None if isinstance(found, tuple) else found


def _element(whole: Table, at: Known | None) -> Known | Table | None:
    inside = isinstance(at, int) and -len(whole) <= at < len(whole)
    return whole[at] if inside and isinstance(at, int) else None


def _combined(rule: Callable[..., Known], *operands: Known) -> Known | None:
    try:
        value = rule(*operands)
    except (ArithmeticError, ValueError, TypeError):
        return None
    if isinstance(value, complex) or not math.isfinite(value):
        return None
    return value if isinstance(value, float) or abs(value) < LARGEST else None


def _divided(x: Known, y: Known) -> Known:
    """x / y; of two integers, truncated toward zero."""
    if isinstance(x, float) or isinstance(y, float):
        return x / y
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def _raised(x: Known, y: Known) -> Known:
    if isinstance(x, int) and isinstance(y, int) and abs(x) > 1 and abs(y) > MOST_BITS:
        raise OverflowError
    return x**y


def _of_bits(rule: Callable[[int, int], int], limit: int | None = None) -> Callable[
    [Known, Known], Known
]:
    """An operation on the bits of integers; `limit`: of the right operand, which counts them."""

    def combined(x: Known, y: Known) -> Known:
        if isinstance(x, float) or isinstance(y, float) or (limit is not None and y > limit):
            raise TypeError
        return rule(x, y)

    return combined


RULES: Final[Mapping[type[ast.operator], Callable[[Known, Known], Known]]] = {
    ast.Add: lambda x, y: x + y,
    ast.Sub: lambda x, y: x - y,
    ast.Mult: lambda x, y: x * y,
    ast.Div: _divided,
    ast.FloorDiv: lambda x, y: x // y,
    ast.Mod: lambda x, y: x % y,
    ast.Pow: _raised,
    ast.LShift: _of_bits(operator.lshift, MOST_BITS),
    ast.RShift: _of_bits(operator.rshift),
    ast.BitAnd: _of_bits(operator.and_),
    ast.BitOr: _of_bits(operator.or_),
    ast.BitXor: _of_bits(operator.xor),
}
