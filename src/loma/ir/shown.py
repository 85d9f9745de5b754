"""How values look to a person: the one rule that every way to run a program follows.

A float is shown with the fewest digits (as printf's %g counts them) that read as the same float of
its type, and always as a float: `1.0`, `0.1`, `1e+20`, `inf`, `nan`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from loma.ir.builder import rounded
from loma.ir.types import Scalar

T = TypeVar("T")
DIGITS: Final = {Scalar.F32: (6, 9), Scalar.F64: (15, 17)}
"""Digits that every decimal survives, and digits that every float survives."""
NORMAL: Final = {Scalar.F32: 2.0**-126, Scalar.F64: 2.0**-1022}
WIDEST: Final = 32
"""No scalar takes more characters."""


def shown(x: float, t: Scalar) -> str:
    """A scalar as text."""
    if t is Scalar.BOOL:
        return str(bool(x))
    if t.is_int:
        return str(int(x))
    x = float(x)
    if math.isnan(x):
        return "nan"
    least, most = DIGITS[t]
    least = 1 if abs(x) < NORMAL[t] else least
    texts = (f"{x:.{digits}g}" for digits in range(least, most + 1))
    text = next((s for s in texts if rounded(float(s), t) == x), f"{x:.{most}g}")
    return text if "." in text or text[-1].isalpha() or "e" in text else f"{text}.0"


def size_bound(text: Sequence[object]) -> int:
    """No fewer bytes than the filled text takes."""
    return sum(len(p.encode()) if isinstance(p, str) else WIDEST for p in text)


def merged(text: Iterable[T | str]) -> tuple[T | str, ...]:
    """The text with neighbouring strings joined and empty ones left out."""
    found: list[T | str] = []
    for piece in text:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif piece != "":
            found.append(piece)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Value:
    """An expression, as source text, whose value is shown."""

    source: str


def call_operands(text: Sequence[Value | str], quoted: Callable[[str], str]) -> str:
    """The operands of a `print` that shows the text."""
    plain = _separated(text)
    pieces = text if plain is None else plain
    listed = [p.source if isinstance(p, Value) else quoted(p) for p in pieces]
    return ", ".join(listed if plain is not None else [*listed, 'sep=""', 'end=""'])


def _separated(text: Sequence[Value | str]) -> list[Value | str] | None:
    """What lies between single blanks in one line, if that is what the text is."""
    last = text[-1] if text else ""
    if not isinstance(last, str) or not last.endswith("\n"):
        return None
    pieces = [*text[:-1], *([last[:-1]] if last[:-1] else [])]
    found: list[Value | str] = []
    for i, p in enumerate(pieces):
        if isinstance(p, Value):
            if i and isinstance(pieces[i - 1], Value):
                return None
            found.append(p)
        elif p != " " or i in (0, len(pieces) - 1):
            start, stop = int(i > 0), len(p) - int(i < len(pieces) - 1)
            if p[:start].strip(" ") or p[stop:].strip(" ") or start > stop:
                return None
            found.append(p[start:stop])
    return found


def braces(text: Sequence[Value | str]) -> str:
    """The text as what an f-string holds, without its quotes."""
    return "".join(
        "{" + p.source + "}" if isinstance(p, Value) else p.replace("{", "{{").replace("}", "}}")
        for p in text)
