"""Random expressions: well typed, smooth almost everywhere, of moderate size and slope."""

from __future__ import annotations

import re

from properties.reductions import float_reduction, int_reduction
from properties.scope import FLOAT, INT, LENGTH, WIDE, Callee, Place, Scope, Variable

from loma.ir.types import ArrayType, Scalar, Type


def literal(s: Scope) -> str:
    """A float literal of moderate size."""
    if s.rng.random() < 0.1:
        return "SCALE"
    return f"{s.rng.choice([0.25, 0.3, 0.5, 0.7, 1.0, 1.25, 1.5, 0.1, 0.9]):g}"


def index(s: Scope, bound: int, depth: int = 1) -> str:
    """An int expression in 0 .. bound-1."""
    counters = [v.name for v in s.variables if v.counter]
    kind = s.rng.random()
    if counters and kind < 0.4:
        name = s.rng.choice(counters)
        return name if bound >= LENGTH else f"wrap({name}, {bound})"
    if kind < 0.7 or depth <= 0:
        return str(s.rng.randrange(bound))
    return f"wrap({int_expr(s, depth - 1)}, {bound})"


def filled(s: Scope, p: Place, depth: int = 1) -> str:
    """The place with its indices chosen."""
    return re.sub(r"<(\d+)>", lambda m: index(s, int(m.group(1)), depth), p.text)


def int_expr(s: Scope, depth: int) -> str:
    """An int expression of any value."""
    places = s.places(INT)
    kind = s.rng.random()
    if depth <= 0 or kind < 0.35:
        return int_leaf(s, places)
    if kind < 0.45:
        return f"({int_expr(s, depth - 1)}) / {s.rng.randint(2, 5)}"
    if kind < 0.52:
        return f"float2int({float_expr(s, depth - 1)} * 3.0)"
    if kind < 0.58:
        return f"-({int_expr(s, depth - 1)})"
    called = call(s, INT, depth - 1) if kind < 0.7 else None
    if called:
        return called
    if kind < 0.85:
        return whole(s, depth)
    operator = s.rng.choice("+-*")
    return f"({int_expr(s, depth - 1)} {operator} {int_expr(s, depth - 1)})"


def int_leaf(s: Scope, places: list[Place]) -> str:
    """A variable of integers, or a literal."""
    wide = s.places(WIDE)
    if wide and s.rng.random() < 0.3:
        return f"i32({filled(s, s.rng.choice(wide), 0)})"
    if places and s.rng.random() < 0.75:
        return filled(s, s.rng.choice(places), 0)
    return str(s.rng.randint(0, 6))


def whole(s: Scope, depth: int) -> str:
    """An operator of integers alone, or a choice between two of them."""
    a, by = int_expr(s, depth - 1), s.rng.choice([-3, -1, 2, 3, 4, 7])
    match s.rng.randrange(11):
        case 10:
            return int_reduction(s, depth - 1, float_expr, int_expr)
        case 9:
            return f"({a}) ** ({int_expr(s, depth - 1)} & 3)"
        case 0 | 1:
            return f"({a}) // {by}"
        case 2 | 3:
            return f"({a}) % {by}"
        case 4 | 5:
            return f"({a} {s.rng.choice('&|^')} {int_expr(s, depth - 1)})"
        case 6:
            return f"(({a}) {s.rng.choice(['<<', '>>'])} {s.rng.choice([0, 1, 2, 40])})"
        case 7:
            return f"~({a})"
        case _:
            return f"({a} if {condition(s, 0)} else {int_expr(s, depth - 1)})"


def leaf(s: Scope, depth: int) -> str:
    """A small float."""
    places = s.places(FLOAT)
    if places and s.rng.random() < 0.8:
        p = s.rng.choice(places)
        text = filled(s, p, depth)
        if p.variable.tame:
            return text
        return s.rng.choice([f"sin({text})", f"0.1 * {text}", f"cos(0.5 * {text})"])
    return literal(s)


def float_expr(s: Scope, depth: int) -> str:  # noqa: C901
    """A float expression: bounded if its leaves are."""
    if depth <= 0:
        return leaf(s, 0)
    a = float_expr(s, depth - 1)
    match s.rng.randrange(26):
        case 0 | 1 | 2:
            return f"({a} + {float_expr(s, depth - 1)})"
        case 3 | 4:
            return f"({a} - {float_expr(s, depth - 1)})"
        case 5 | 6 | 7 | 8:
            return f"{paren(a)} * {paren(float_expr(s, depth - 1))}"
        case 9:
            return f"{paren(a)} / (2.0 + sin({float_expr(s, depth - 1)}))"
        case 10:
            return f"{s.rng.choice(['sin', 'cos'])}({a})"
        case 11:
            return f"sqrt(1.5 + cos({a}))"
        case 12:
            return f"exp(sin({a}))"
        case 13:
            return f"log(2.5 + sin({a}))"
        case 14:
            return powers(s, a, depth)
        case 15:
            return f"-({a})"
        case 16:
            return f"wrap({int_expr(s, depth - 1)}, 5) * 0.2 * {paren(a)}"
        case 17:
            return f"({float_expr(s, 0)} < {float_expr(s, 0)}) * {paren(a)}"
        case 18 | 19:
            return f"({a} if {condition(s, 0)} else {float_expr(s, depth - 1)})"
        case 20:
            return f"(0.11 + {a}) % {s.rng.choice(['0.7', '-1.3'])}"
        case 21:
            return elementary(s, a)
        case 23:
            return float_reduction(s, depth - 1, float_expr)
        case 22:
            return chosen(s, a, float_expr(s, depth - 1))
        case _:
            return call(s, FLOAT, depth - 1) or member_of_call(s, depth - 1) or leaf(s, 1)


def powers(s: Scope, a: str, depth: int) -> str:
    """pow, with constant or variable exponent, away from where it is not smooth."""
    return s.rng.choice([
        f"pow(sin({a}), 2.0)", f"pow({a}, 2.0)", f"pow(2.0 + sin({a}), {literal(s)})",
        f"pow(1.5 + 0.5 * cos({a}), sin({float_expr(s, depth - 1)}))", f"pow(sin({a}), 3.0)",
        f"({a}) ** 2", f"sin({a}) ** {s.rng.randint(0, 5)}", f"(2.0 + sin({a})) ** -2",
        f"(1.5 + 0.5 * cos({a})) ** sin({float_expr(s, depth - 1)})"])


def elementary(s: Scope, a: str) -> str:
    """A builtin of one operand, bounded, away from where it is not smooth."""
    name = s.rng.choice([
        "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp2", "expm1", "log2", "log10",
        "log1p", "cbrt", "erf", "erfc"])
    inner = f"sin({a})"
    match name:
        case "tan" | "asin" | "acos" | "log1p":
            inner = f"0.8 * {inner}"
        case "log2" | "log10" | "cbrt":
            inner = f"1.5 + {inner}"
    return f"{name}({inner})"


def chosen(s: Scope, a: str, b: str) -> str:
    """A builtin of several operands, or one that is constant between jumps."""
    return s.rng.choice([
        f"min({a}, {b})", f"max({a}, {b}, {literal(s)})", f"clamp({a}, -0.7, {literal(s)})",
        f"abs({a})", f"copysign({a}, {b})", f"fma({a}, {literal(s)}, {b})",
        f"hypot({a}, 1.5 + sin({b}))", f"atan2({a}, 1.5 + sin({b}))",
        f"sign({a}) * {paren(b)}", f"fmod({a}, {literal(s)})",
        f"{s.rng.choice(['floor', 'ceil', 'round', 'trunc'])}({a}) * {paren(b)}",
        f"select(isnan({a}) or isinf({a}), 0.5, {b})"])


def paren(e: str) -> str:
    """The expression as a factor."""
    return (
        e if re.fullmatch(r"[\w.\[\]]+", e) or e.startswith("(") and e.count("(") == 1 else f"({e})"
    )


def operand(s: Scope, t: Type, depth: int, small: bool = False) -> str | None:
    """An operand for an In argument; None if there is none of that type."""
    if t is FLOAT:
        e = float_expr(s, depth)
        return f"sin({e})" if s.in_loop or depth > 1 else e
    if t is INT:
        return str(s.rng.randint(0, 3)) if small else int_expr(s, min(depth, 1))
    made = call(s, t, 0) if depth > 0 and s.rng.random() < 0.3 else None
    places = s.places(t)
    return made or (filled(s, s.rng.choice(places), 0) if places else None)


def call(s: Scope, result: Type, depth: int) -> str | None:
    """A call of a function without Out arguments that gives that type."""
    wanted = [
        c for c in s.callees if c.result == result and all(f.direction == "In" for f in c.formals)
    ]
    if not wanted or s.calls_left <= 0:
        return None
    return call_of(s, s.rng.choice(wanted), depth)


def call_of(s: Scope, c: Callee, depth: int) -> str | None:
    """The call of that function, if every operand can be had."""
    s.calls_left -= 1
    operands = [operand(s, f.type, depth, f.small) for f in c.formals]
    known = [o for o in operands if o is not None]
    return c.called(known) if len(known) == len(operands) else None


def member_of_call(s: Scope, depth: int) -> str | None:
    """A float member of the struct that a call returns."""
    for c in s.callees:
        if c.result is not None and not isinstance(c.result, Scalar | ArrayType):
            made = call(s, c.result, depth)
            places: list[Place] = []
            s.descend(Place("", c.result, Variable("", c.result)), FLOAT, places)
            if made and places:
                text = filled(s, s.rng.choice(places), 0)
                return f"{made}{text}"
    return None


def condition(s: Scope, depth: int = 1) -> str:
    """A bool expression that is generically away from its boundary."""
    match s.rng.randrange(11):
        case 9:
            return f"{literal(s)} < {float_expr(s, depth)} <= {float_expr(s, depth)} < 2.0"
        case 10:
            return f"0 <= {int_expr(s, depth)} < {int_expr(s, 0)} and ({condition(s, 0)})"
        case 0 | 1 | 2 | 3:
            operator = s.rng.choice(["<", ">", "<=", ">="])
            return f"{float_expr(s, depth)} {operator} {float_expr(s, depth)}"
        case 4 | 5:
            operator = s.rng.choice(["<", ">", "<=", ">=", "==", "!="])
            return f"{int_expr(s, depth)} {operator} {int_expr(s, 0)}"
        case 6:
            return f"({condition(s, 0)}) and ({condition(s, 0)})"
        case 7:
            return f"({condition(s, 0)}) or ({condition(s, 0)})"
        case _:
            return f"not ({condition(s, 0)})"
