"""Prints the single statements of one function in a language like C."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from loma.backends.c_print import c_string
from loma.backends.cfamily import Dialect, Printer, Root, Types
from loma.backends.cfamily_facts import Facts
from loma.diagnostics import Span
from loma.ir import imperative as T
from loma.ir.coalesce import Storage, declarations, ordered
from loma.ir.layout import INDENT
from loma.ir.names import Names
from loma.ir.nodes import Argument, Const, Direction, Function, Module, Var
from loma.ir.prims import arithmetic as A
from loma.ir.shown import size_bound
from loma.ir.types import ArrayType, Ref, Scalar, StructType, TapeType
from loma.ir.unssa import Style, imperative

LINE_BITS: Final = 20
STYLE = Style(plain_bounds=True)


@dataclass(frozen=True, slots=True)
class Program:
    """A module with what is known of it; `called` is the identifier of each function.

    A place in the source is one number: the line, and above it which of `files` it is in, the
    module's own being the first. Files are added as their lines are met.
    """

    module: Module
    facts: Facts
    dialect: Dialect
    types: Types
    called: Mapping[str, str]
    strict: bool
    files: list[str] = field(default_factory=list)

    def site(self, span: Span) -> int:
        """The place where something begins; 0 if it is nowhere."""
        if not span.line:
            return 0
        if not self.files:
            self.files.append(self.module.file)
        if span.file not in self.files:
            self.files.append(span.file)
        return self.files.index(span.file) << LINE_BITS | span.line

    def place(self, site: int) -> tuple[str, int]:
        """The file and the line of a place."""
        files = self.files or [self.module.file]
        return files[site >> LINE_BITS], site & (1 << LINE_BITS) - 1


class Statements:
    """Prints statements that hold no others; knows names, and the local memory that must be
    freed."""

    def __init__(self, f: Function, program: Program) -> None:
        self.f = f
        self.program = program
        self.traps = f.name in program.facts.context
        self._supply = Names(
            {
                *program.dialect.taken,
                *program.called.values(),
                *program.types.structs.values(),
                "ctx",
                "result",
            }
        )
        self._names: dict[Var, str] = {}
        self._line = program.site(f.span)
        self._body = imperative(f, program.module, STYLE)
        self._storage = Storage(f.params, self._body)
        self._declared = declarations(self._body, self._storage)
        self._undeclared: set[Var] = set()
        self._alive: list[T.Local] = []
        self._pointers: set[Var] = set()
        self._show = Printer(
            program.dialect, program.types, self._called, self._root, self._call, lambda: self._line
        )

    def _name(self, v: Var, hint: str) -> str:
        hint = re.sub(r"\W", "_", hint) or "t"
        name = self._supply.fresh(f"{hint}_" if self.program.dialect.is_word(hint) else hint)
        self._names[v] = name
        return name

    def _called(self, v: Var) -> str:
        return self._names[self._storage.of(v)]

    def _root(self, v: Var) -> Root:
        assert isinstance(v.type, Ref), f"{v.name} is no root"
        return Root(self._names[v], v in self._pointers, v.type.growable)

    def _frees(self, alive: list[T.Local]) -> list[str]:
        return [self._free(s.root) for s in reversed(alive)]

    def _free(self, root: Var) -> str:
        name = self._names[root]
        assert isinstance(root.type, Ref), "a local is a root"
        if isinstance(root.content, TapeType):
            return f"loma_drop(ctx, &{name});"
        return f"loma_release(ctx, {name}{'.data' if root.type.growable else ''});"

    def _scalar(self, t: Scalar) -> str:
        return self.program.dialect.value[t]

    def _set(self, v: Var, value: T.Expr) -> str:
        v = self._storage.of(v)
        name = self._called(v)
        if v in self._undeclared:
            self._undeclared.discard(v)
            name = self.program.dialect.declared(self._scalar(v.scalar), name)
        return f"{name} = {self._show.of(value)};"

    def _copy(self, s: T.Copy) -> list[str]:
        out = []
        for v, e in ordered(s, self._storage):
            if self._storage.of(v) not in self._names:
                self._name(v, v.name)
                self._undeclared.add(v)
            out.append(self._set(v, e))
        return out

    def _simple(self, s: T.Stmt) -> str:
        show = self._show
        match s:
            case T.Assign(place, value):
                return f"{show.place(place, write=True)[0]} = {self._stored(place, value)};"
            case T.Add(place, value):
                return f"{show.place(place, write=True)[0]} += {show.of(value)};"
            case T.Bind(place, value):
                return f"{show.place(place, write=True)[0]} = {show.address(value)};"
            case T.CallStmt(function, args):
                return self._call_stmt(function, args)
            case _:
                raise AssertionError(f"{type(s).__name__} is printed elsewhere")

    def _stored(self, place: T.Place, value: T.Expr) -> str:
        """A value as memory holds it."""
        text = self._show.of(value)
        return self.program.dialect.truth.format(text) if place.type is Scalar.BOOL else text

    def _assert(self, s: T.Assert) -> list[str]:
        if s.text and not s.message:
            return self._told(s)
        fails = self._show.of(T.Operation(A.NOT, (s.cond,), Scalar.BOOL))
        message = c_string(s.message or s.trap.value)
        return [
            f"if ({fails})",
            f'{INDENT}loma_trap(ctx, "{s.trap.name}", {self._line}, {message});',
        ]

    def _told(self, s: T.Assert) -> list[str]:
        stop = f'loma_tell(ctx, "{s.trap.name}", {self._line}, loma_line, loma_size);'
        told = self._line_of(s.text, stop)
        if isinstance(s.cond, Const):
            return told
        fails = self._show.of(T.Operation(A.NOT, (s.cond,), Scalar.BOOL))
        return [f"if ({fails})", *told]

    def _line_of(self, text: T.Text, then: str) -> list[str]:
        """A block that puts text together, and what happens with it."""
        out = [f"char loma_line[{size_bound(text) + 1}];", "size_t loma_size = 0;"]
        for piece in text:
            if isinstance(piece, str):
                length, shown = len(piece.encode()), c_string(piece)
                out.append(f"loma_size = loma_put_text(loma_line, loma_size, {shown}, {length});")
            else:
                given = f"loma_line, loma_size, {self._show.of(piece)}"
                out.append(f"loma_size = loma_put_{T.scalar_type(piece).value}({given});")
        return ["{", *(INDENT + x for x in (*out, then)), "}"]

    def _local(self, s: T.Local) -> str:
        root, zero = s.root, self.program.dialect.zero
        name = self._name(root, root.name)
        assert isinstance(root.type, Ref), "a local is a root"
        if root.type.growable:
            self._alive.append(s)
            return f"{self.program.dialect.growable} {name} = {zero};"
        if root in self.program.facts.heap:
            self._alive.append(s)
            return self._heap(s, name)
        if isinstance(root.content, TapeType):
            self._alive.append(s)
        declared = self.program.types.local(root.content, name)
        if isinstance(root.content, Scalar) and zero:
            return f"{declared} = 0;"
        return f"{declared};{zero[1:].format(name)}" if zero[:1] in ("", ";") else (
            f"{declared} = {zero};")

    def _hold(self, s: T.Hold) -> str:
        name = self._name(s.root, s.root.name)
        declared = self.program.types.local(s.place.type, name)
        return f"{declared} = {self._show.place(s.place)[0]};"

    def _heap(self, s: T.Local, name: str) -> str:
        content = s.root.content
        if isinstance(content, ArrayType):
            count = str(content.size) if s.count is None else self._show.of(s.count)
            shown = self.program.types.declare(ArrayType(content.element), name)
        else:
            self._pointers.add(s.root)
            count, shown = "1", self.program.types.declare(content, f"*{name}")
        return f"{shown} = loma_allocate(ctx, {count}, sizeof *{name}, {self._line});"

    def _push(self, tape: T.Place, e: T.Expr) -> str:
        kind = T.scalar_type(e).value
        return (
            f"loma_push_{kind}(ctx, {self._show.address(tape)}, {self._show.of(e)}, {self._line});"
        )

    def _pop(self, tape: T.Place, v: Var) -> str:
        given = f"ctx, {self._show.address(tape)}, {self._line}"
        return f"{self._called(v)} = loma_pop_{v.scalar.value}({given});"

    def _call(self, function: str, args: tuple[T.Expr, ...]) -> str:
        signature = self.program.module.functions[function].signature
        given = [self._argument(a, e) for a, e in zip(signature.arguments, args, strict=False)]
        given += [
            self._show.of(e) for e in args[len(signature.arguments) :] if not isinstance(e, T.Place)
        ]
        if function in self.program.facts.context:
            given.insert(0, "ctx")
        return f"{self.program.called[function]}({', '.join(given)})"

    def _argument(self, a: Argument, e: T.Expr) -> str:
        by_value = isinstance(a.type, Scalar | StructType) and a.direction is Direction.IN
        if by_value or not isinstance(e, T.Place):
            return self._show.of(e)
        return self._show.address(e)

    def _call_stmt(self, function: str, args: tuple[T.Expr, ...]) -> str:
        if isinstance(self.program.module.functions[function].signature.result, StructType):
            target = args[-1]
            assert isinstance(target, T.Place), "a struct is returned to a place"
            return f"{self._show.place(target, write=True)[0]} = {self._call(function, args)};"
        return f"{self._call(function, args)};"
