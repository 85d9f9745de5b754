"""Reads calls and their arguments as people type them: Python literals, nothing that could run.

f(1.0, [1, 2, 3], y={"re": 1.0, "im": 0.0}, n=4)
value = number | True | False | inf | nan | [value, ...] | (value, ...) | {name: value, ...}
      | Struct(value, ...) | Struct(name=value, ...) | [value] * count
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeAlias

from loma.diagnostics import CompileError

Literal: TypeAlias = "float | int | bool | list[Literal] | tuple[Literal, ...] | dict[str, Literal]"

NAMES: Final[Mapping[str, float | bool]] = {
    "True": True,
    "False": False,
    "inf": math.inf,
    "nan": math.nan,
}
DEEPEST: Final = 60
LONGEST: Final = 50_000_000
TOKEN: Final = re.compile(
    r"""\s*(?:
    (?P<number>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)
  | (?P<name>[^\W\d]\w*)
  | (?P<quoted>"[^"\\]*"|'[^'\\]*')
  | (?P<sign>[-+*()\[\]{},:=])
  | (?P<end>$)
)""",
    re.VERBOSE,
)


class CallError(CompileError):
    """A call that does not fit: its text, an argument, or what the function takes."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The operands of a call, by position and by name."""

    positional: tuple[Literal, ...] = ()
    named: Mapping[str, Literal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A function's name and what it is called with."""

    function: str
    arguments: Arguments


def parse_call(text: str) -> Call:
    """The call in a text such as `f(1.0, n=2)`."""
    reader = _Reader(text)
    if reader.kind != "name":
        reader.fail("expected a call such as f(1.0, 2.0)")
    function = reader.take()
    reader.expect("(")
    arguments = reader.arguments(")")
    reader.finish()
    return Call(function, arguments)


def parse_arguments(text: str) -> Arguments:
    """The arguments in a text such as `1.0, n=2`."""
    reader = _Reader(text)
    arguments = reader.arguments("")
    reader.finish()
    return arguments


class _Reader:
    """A text and the token at which reading stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kind = ""
        self.token = ""
        self.start = 0
        self.end = 0
        self.depth = 0
        self._next()

    def _next(self) -> None:
        found = TOKEN.match(self.text, self.end)
        if found is None or found.lastgroup is None:
            rest = self.text[self.end :]
            self.start = self.end + len(rest) - len(rest.lstrip())
            self.fail("this is not part of a literal")
        self.kind, self.token = found.lastgroup, found.group(found.lastgroup)
        self.start, self.end = found.span(found.lastgroup)

    def take(self) -> str:
        """The token, which is passed."""
        token = self.token
        self._next()
        return token

    def at(self, sign: str) -> bool:
        """Whether reading stands at a sign; at the end, for an empty one."""
        return self.token == sign and self.kind in ("sign", "end")

    def expect(self, sign: str) -> None:
        """Passes a sign that must be here."""
        if not self.at(sign):
            self.fail(f"expected `{sign}`")
        self._next()

    def finish(self) -> None:
        """The text must end here."""
        if self.kind != "end":
            self.fail("nothing may follow here")

    def fail(self, message: str) -> NoReturn:
        """Raises an error that points at the token."""
        raise CallError(f"{message}\n  {self.text}\n  {' ' * self.start}^")

    def arguments(self, close: str) -> Arguments:
        """Values, then names with values, up to a closing sign, which is passed."""
        positional: list[Literal] = []
        named: dict[str, Literal] = {}
        while not self.at(close):
            if self.kind == "name" and self.text[self.end :].lstrip().startswith("="):
                self._named(named)
            elif named:
                self.fail("a value without a name must stand before those with one")
            else:
                positional.append(self.value())
            self._separated(close)
        if close:
            self._next()
        return Arguments(tuple(positional), named)

    def _named(self, named: dict[str, Literal]) -> None:
        if self.token in named:
            self.fail(f"`{self.token}` is given twice")
        name = self.take()
        self.expect("=")
        named[name] = self.value()

    def _separated(self, close: str) -> None:
        if self.at(","):
            self._next()
        elif not self.at(close):
            self.fail(f"expected `,` or `{close}`" if close else "expected `,`")

    def value(self) -> Literal:
        """One value."""
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail("this is nested too deep")
        found = self._repeated(self._plain())
        self.depth -= 1
        return found

    def _plain(self) -> Literal:
        match self.kind, self.token:
            case "number", _:
                return _number(self.take())
            case "name", name if name in NAMES:
                self._next()
                return NAMES[name]
            case "name", _:
                return self._struct()
            case "sign", "-" | "+":
                return self._signed(self.take())
            case "sign", "[":
                return self._items("]")
            case "sign", "(":
                return tuple(self._items(")"))
            case "sign", "{":
                return self._members()
            case _:
                self.fail("expected a value")

    def _signed(self, sign: str) -> float | int:
        found = self._plain()
        if isinstance(found, bool) or not isinstance(found, float | int):
            self.fail("only a number has a sign")
        return -found if sign == "-" else found

    def _items(self, close: str) -> list[Literal]:
        self._next()
        items: list[Literal] = []
        while not self.at(close):
            items.append(self.value())
            self._separated(close)
        self._next()
        return items

    def _members(self) -> dict[str, Literal]:
        self._next()
        members: dict[str, Literal] = {}
        while not self.at("}"):
            if self.kind not in ("name", "quoted"):
                self.fail("expected the name of a member")
            name = self.take().strip("'\"")
            self.expect(":")
            members[name] = self.value()
            self._separated("}")
        self._next()
        return members

    def _struct(self) -> Literal:
        name = self.take()
        if not self.at("("):
            self.fail(
                f"`{name}` is no value: write a number, a list, or a struct such as {name}(...)"
            )
        self._next()
        given = self.arguments(")")
        if given.named and given.positional:
            self.fail("name all members, or none")
        return dict(given.named) if given.named else given.positional

    def _repeated(self, value: Literal) -> Literal:
        if not self.at("*"):
            return value
        self._next()
        if not isinstance(value, list) or self.kind != "number" or not self.token.isdigit():
            self.fail("only `[...] * count` is understood")
        count = int(self.token)
        if count * len(value) > LONGEST:
            self.fail("this list is too long")
        self._next()
        return value * count


def _number(text: str) -> float | int:
    plain = text.replace("_", "")
    if plain.isdigit():
        return int(plain) if len(plain) <= 4000 else math.inf
    return float(plain)
