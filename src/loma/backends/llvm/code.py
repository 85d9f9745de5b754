"""The state of emission: the lines of one function, names of values, what the module collects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from loma.backends.llvm.effects import Effects
from loma.backends.llvm.layout import MEMORY, VALUE, Layout, literal, symbol
from loma.diagnostics import NOWHERE, Span
from loma.ir.builder import type_of
from loma.ir.nodes import Module, Op, Operand, Trap, Var
from loma.ir.types import Ref, Scalar, Structs

# Metadata numbers; METADATA defines them at the end of every module.
TBAA: Final = {
    Scalar.F32: 10, Scalar.F64: 11, Scalar.I32: 12, Scalar.I64: 13, Scalar.BOOL: 14, None: 15}
LIKELY: Final = 31
PURE: Final = " nounwind willreturn memory(none)"
OWN_MEMORY: Final = "memory(argmem: readwrite, inaccessiblemem: readwrite)"
RARE: Final = 32
METADATA: Final = "\n".join(
    ['!0 = !{!"loma"}', f'!{LIKELY} = !{{!"branch_weights", i32 1000000, i32 1}}',
     f'!{RARE} = !{{!"branch_weights", i32 1, i32 1000000}}']
    + [f'!{n + 10} = !{{!"{n}", !0, i64 0}}\n!{n} = !{{!{n + 10}, !{n + 10}, i64 0}}'
       for n in TBAA.values()])


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the program that can trap."""

    trap: Trap
    file: str
    line: int
    message: str


@dataclass(slots=True)
class Sites:
    """Every place that can trap, numbered from 1; the error channel carries the number."""

    file: str
    all: list[Site] = field(default_factory=list)
    _numbers: dict[tuple[Site, ...], int] = field(default_factory=dict)

    def number(self, span: Span, *traps: Trap, message: str = "") -> int:
        """The number of the first of these traps at a place; the others follow it."""
        file = self.file if span is NOWHERE or not span.line else span.file
        sites = tuple(Site(t, file, span.line, message) for t in traps)
        known = self._numbers.get(sites)
        if known is None:
            known = self._numbers[sites] = len(self.all) + 1
            self.all.extend(sites)
        return known

    def memory(self, span: Span) -> int:
        """The number for an allocation: MEMORY, then LIMIT."""
        return self.number(span, Trap.MEMORY, Trap.LIMIT)


@dataclass(slots=True)
class Unit:
    """What all functions of a module share while it is emitted. `wide`: the C library's versions of
    functions for several lanes may be called, and `versions` are those that are."""

    module: Module
    layout: Layout
    effects: Effects
    sites: Sites
    strict: bool
    wide: bool
    intrinsics: set[str] = field(default_factory=set)
    metadata: list[str] = field(default_factory=list)
    constants: dict[bytes, str] = field(default_factory=dict)
    versions: dict[str, None] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)

    def group(self, attributes: str) -> int:
        """The number of a group of attributes."""
        return self.groups.setdefault(attributes, 10 + len(self.groups))

    def node(self, text: str) -> int:
        """The number of a fresh metadata node; `{}` in its text stands for the node itself."""
        number = 100 + len(self.metadata)
        self.metadata.append(f"!{number} = " + text.replace("{}", f"!{number}"))
        return number

    def constant(self, data: bytes) -> str:
        """The symbol of constant bytes."""
        name = self.constants.get(data)
        if name is None:
            name = self.constants[data] = f"@loma_text{len(self.constants)}"
            escaped = "".join(f"\\{b:02X}" for b in data)
            self.intrinsics.add(f'{name} = private constant [{len(data)} x i8] c"{escaped}"')
        return name

    @property
    def structs(self) -> Structs:
        """The module's structs."""
        return self.module.structs


def internal(name: str) -> str:
    """The symbol of a function's body, called from loma code only."""
    return f"@loma_f_{symbol(name)}"


def entry(name: str) -> str:
    """The symbol that hosts call, in the C convention."""
    return f"loma_x_{symbol(name)}"


class Code:
    """The lines of one function; `label` is the block that is being filled. `sums` are additions
    that may be reassociated, `wide` calls that may become one for several lanes."""

    def __init__(
        self, unit: Unit, name: str, sums: frozenset[Op], wide: frozenset[Op] = frozenset()
    ) -> None:
        self.unit = unit
        self.name = name
        self.sums = sums
        self.wide = wide
        self.locals: list[str] = []
        self.lines: list[str] = []
        self.traps: dict[int, None] = {}
        self.names: dict[Var, str] = {}
        self.counts: dict[Var, str] = {}
        self.label = "entry"
        self.group = ""
        self.loops = 0
        self.count = 0
        self.line_size = 0
        self.near: dict[Var, tuple[Var, int]] = {}
        self.moving: Callable[[Operand], str | None] | None = None

    def fresh(self) -> str:
        """A name for a value."""
        self.count += 1
        return f"%v{self.count}"

    def fresh_label(self, hint: str) -> str:
        """A name for a block."""
        self.count += 1
        return f"{hint}{self.count}"

    def line(self, text: str) -> None:
        """Appends an instruction."""
        self.lines.append(text)

    def value(self, text: str) -> str:
        """Appends an instruction that has a result, and gives the result's name."""
        self.count += 1
        self.lines.append(f"%v{self.count} = {text}")
        return f"%v{self.count}"

    def block(self, label: str) -> None:
        """Starts a block."""
        self.lines.append(f"{label}:")
        self.label = label

    def local(self, type: str, align: int) -> str:
        """Stack memory, allotted once at entry."""
        name = self.fresh()
        self.locals.append(f"{name} = alloca {type}, align {align}")
        return name

    def line_buffer(self, size: int) -> str:
        """Stack memory for text, one for the whole function."""
        self.line_size = max(self.line_size, size)
        return "%line"

    def slot(self) -> int:
        """Reserves a line that is filled later (a phi whose second value is not known yet)."""
        self.lines.append("")
        return len(self.lines) - 1

    def bind(self, var: Var, name: str) -> None:
        """Says what a variable is called."""
        self.names[var] = name

    def read(self, x: Operand) -> str:
        """An operand as LLVM spells it."""
        return self.names[x] if isinstance(x, Var) else literal(x)

    def typed(self, x: Operand) -> str:
        """An operand with its type in front."""
        if isinstance(x, Var) and isinstance(x.type, Ref):
            return f"ptr {self.names[x]}"
        return f"{VALUE[type_of(x)]} {self.read(x)}"

    def index(self, x: Operand) -> str:
        """An array index with its type in front."""
        moving = None if self.moving is None else self.moving(x)
        return moving or self.typed(x)

    def declare(self, signature: str) -> None:
        """Notes that the module needs a declaration."""
        self.unit.intrinsics.add(signature)

    def trap_unless(self, cond: str, site: int) -> None:
        """Goes on only if `cond` holds."""
        label = self.fresh_label("ok")
        self.traps[site] = None
        self.line(f"br i1 {cond}, label %{label}, label %trap{site}, !prof !{LIKELY}")
        self.block(label)

    def poll(self, span: Span) -> None:
        """Goes on only if nobody wants the program to stop."""
        where = self.value("getelementptr %loma.ctx, ptr %ctx, i32 0, i32 8")
        flag = self.value(f"load volatile i32, ptr {where}, align 4")
        idle = self.value(f"icmp eq i32 {flag}, 0")
        look, on = self.fresh_label("look"), self.fresh_label("on")
        self.line(f"br i1 {idle}, label %{on}, label %{look}, !prof !{LIKELY}")
        self.block(look)
        go = self.value(f"call i1 @loma_look(ptr %ctx) {OWN_MEMORY}")
        self.trap_unless(go, self.unit.sites.number(span, Trap.CANCELLED))
        self.line(f"br label %{on}")
        self.block(on)

    def load(self, type: Scalar, address: str) -> str:
        """The scalar at an address, as a value."""
        memory = self.value(
            f"load {MEMORY[type]}, ptr {address}, align {type.bytes}, "
            f"!tbaa !{TBAA[type]}{self.group}")
        return self.value(f"icmp ne i32 {memory}, 0") if type is Scalar.BOOL else memory

    def store(self, type: Scalar, value: str, address: str) -> None:
        """Writes a scalar."""
        if type is Scalar.BOOL:
            value = self.value(f"zext i1 {value} to i32")
        self.line(
            f"store {MEMORY[type]} {value}, ptr {address}, align {type.bytes}, "
            f"!tbaa !{TBAA[type]}{self.group}")

    def finish(self, head: str) -> list[str]:
        """The whole function; `head` is its `define` line."""
        lines = [f"%line = alloca [{self.line_size} x i8], align 16"] if self.line_size else []
        out = [head, "entry:", *self.locals, *lines, *self.lines]
        for site in self.traps:
            out += [f"trap{site}:", f"call void @loma_trap(ptr %ctx, i32 {site})", "unreachable"]
        out.append("}")
        return out
