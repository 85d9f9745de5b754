"""A core module as one LLVM module in text: bodies of functions, entries in the C convention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from loma.backends.llvm import (
    abi,
    control,
    deep,
    interrupt,
    runtime,
    runtime_print,
    runtime_stack,
    vectors,
)
from loma.backends.llvm.code import LIKELY, METADATA, Code, Site, Sites, Unit, entry, internal
from loma.backends.llvm.effects import Effects, analyse, exported
from loma.backends.llvm.exports import exports
from loma.backends.llvm.layout import VALUE, Layout
from loma.ir.analysis.clashes import clashes
from loma.ir.analysis.sums import reassociable
from loma.ir.builder import type_of
from loma.ir.nodes import Argument, Direction, Function, Module, Op, Trap
from loma.ir.types import ArrayType, Ref, Scalar, StructType

# In a large module LLVM does not optimise what seldom runs: bodies for arguments that overlap (#1),
# and the runtime (#2). They take half of the compile time otherwise. What runs once in a call or
# less, never in a loop, is never optimised (#3).
LARGE: Final = 50_000
# LLVM's time grows with the square of a function's length: from here on it is translated as it is.
HUGE: Final = 500_000
SKIPPED: Final = "optnone noinline"
EXTENT: Final = "@loma_extent("
GROUPS: Final = {1: "nounwind", 2: "noinline", 3: SKIPPED}


@dataclass(frozen=True, slots=True)
class Emitted:
    """LLVM text, and what a host must know of it.

    `entries`: for each callable function whether it may trap. `sites`: the meaning of the numbers
    in the error channel. `prints`: whether anything is shown as text. `extents`: whether
    it asks for the lengths of the host's arrays.
    """

    text: str
    entries: dict[str, bool]
    sites: tuple[Site, ...]
    prints: bool = False
    extents: bool = False


def emit(module: Module, triple: str, strict: bool, shared: bool = False) -> Emitted:
    """The module for a target; `shared`: with what a shared library needs."""
    layout = Layout(module.structs)
    effects = analyse(module, layout, interruptible=not shared)
    unit = Unit(module, layout, effects, Sites(module.file), strict, not (strict or shared))
    convention = abi.convention(triple)
    bodies: list[str] = []
    for f in module.functions.values():
        bodies += function(unit, f)
    callable_ = exported(module)
    for f in callable_:
        bodies += _Entry(unit, f, convention).lines()
    prints = any("@loma_put_" in line for line in bodies)
    extents = any(EXTENT in line for line in bodies)
    head = [f'target triple = "{triple}"', runtime.ALWAYS]
    head += _runtime(effects, "\n".join(bodies), triple, prints)
    head += [*layout.definitions(), *sorted(unit.intrinsics)]
    entries = {f.name: f.name in unit.effects.context for f in callable_}
    if shared:
        bodies += exports(entries, unit.sites.all, traps=bool(unit.effects.context))
    large = sum(map(len, bodies)) > LARGE
    attributes = [
        f"attributes #{n} = {{ {SKIPPED if large else kept} }}" for n, kept in GROUPS.items()]
    attributes += [f"attributes #{n} = {{ {text} }}" for text, n in unit.groups.items()]
    attributes += [vectors.kept(list(unit.versions))] if unit.versions else []
    text = "\n".join([*head, *bodies, *attributes, METADATA, *unit.metadata, ""])
    return Emitted(text, entries, tuple(unit.sites.all), prints, extents)


def _runtime(effects: Effects, used: str, triple: str, prints: bool) -> Iterator[str]:
    """The parts of the runtime that the bodies use."""
    if effects.context:
        yield runtime.text("@loma_tape" in used, "@loma_grow" in used, EXTENT in used)
    if prints:
        yield runtime_print.text(bool(effects.context))
    if effects.watched:
        yield interrupt.RUNTIME
    if effects.recursive:
        yield runtime_stack.text(triple)


def function(unit: Unit, f: Function) -> list[str]:
    """The body of a function, called from loma code and from its entry."""
    sums = frozenset[Op]() if unit.strict else reassociable(f.body)
    code = Code(unit, f.name, sums, vectors.undecided(f.body) if unit.wide else frozenset())
    params = ["ptr %ctx"] if f.name in unit.effects.context else []
    for p in f.params:
        name = code.fresh()
        code.bind(p, name)
        params.append(f"{_pointer(f) if isinstance(p.type, Ref) else VALUE[p.type]} {name}")
    attributes = f"nounwind {_effort(f)}"
    if f.name in unit.effects.recursive:
        attributes += ' "disable-tail-calls"="true"'
        _check_depth(code, f)
    yields = control.region(code, f.body)
    result = VALUE[type_of(f.body.yields[0])] if yields else "void"
    code.line(f"ret {result} {yields[0]}" if yields else "ret void")
    if sum(map(len, code.lines)) > HUGE:
        attributes += f" {SKIPPED}"
    return code.finish(
        f"define internal {result} {internal(f.name)}({', '.join(params)}) {attributes} {{")


def _effort(f: Function) -> str:
    """The attribute that says how hard LLVM tries."""
    if f.cold:
        return SKIPPED
    return "noinline" if f.part else "#1" if f.fast else ""


def _pointer(f: Function) -> str:
    return "ptr noalias" if f.distinct else "ptr"


def _check_depth(code: Code, f: Function) -> None:
    here = code.value("call ptr @llvm.frameaddress.p0(i32 0)")
    where = code.value("getelementptr %loma.ctx, ptr %ctx, i32 0, i32 6")
    lowest = code.value(f"load ptr, ptr {where}, align 8")
    enough = code.value(f"icmp ugt ptr {here}, {lowest}")
    go, low = code.fresh_label("go"), code.fresh_label("low")
    code.line(f"br i1 {enough}, label %{go}, label %{low}, !prof !{LIKELY}")
    code.block(low)
    site = code.unit.sites.number(f.span, Trap.DEPTH)
    code.line(f"call void @loma_deeper(ptr %ctx, ptr {here}, i32 {site})")
    code.line(f"br label %{go}")
    code.block(go)
    if f.name in code.unit.effects.watched:
        code.poll(f.span)


class _Entry:
    """The function that hosts call: takes the platform's C convention apart, and catches traps."""

    def __init__(self, unit: Unit, f: Function, convention: abi.Convention) -> None:
        self.unit = unit
        self.f = f
        self.code = Code(unit, f.name, frozenset())
        self.registers = abi.Registers(convention, unit.layout)
        self.params: list[str] = []
        self.args: list[str] = []
        self.sret = ""
        self.result: StructType | None = None
        self.returned: abi.Passing | None = None

    def lines(self) -> list[str]:
        """The whole entry."""
        f, code = self.f, self.code
        traps = f.name in self.unit.effects.context
        result = self._result()
        for a in f.signature.arguments:
            self._argument(a)
        if f.signature.simd:
            self.args.append(f"i32 {self._param('i32')}")
        if self.result is not None:
            self.args.append(f"ptr {self.sret}")
        inner = VALUE[type_of(f.body.yields[0])] if f.body.yields else "void"
        if f.name in self.unit.effects.deep:
            return self._deep(result, inner)
        if traps:
            self.args.insert(0, "ptr %ctx")
            self._enter(result)
        call = f"call {inner} {self._callee(int(traps))}({', '.join(self.args)})"
        self._return(result, self._called(call, inner, traps))
        return code.finish(self._head(result))

    def _head(self, result: str) -> str:
        effort = f"nounwind {SKIPPED}" if self.f.cold else "nounwind"
        return f"define {result} @{entry(self.f.name)}({', '.join(self.params)}) {effort} {{"

    def _called(self, call: str, inner: str, traps: bool) -> str:
        """The result of the call, after which the context is left."""
        code = self.code
        call += " noinline" * traps
        value = code.value(call) if inner != "void" else ""
        if inner == "void":
            code.line(call)
        if traps:
            deep.leave(code)
        return value

    def _deep(self, result: str, inner: str) -> list[str]:
        """The entry of a function that recurses."""
        value, runner = deep.call(self.code, self.args, self._callee(0), inner)
        self._return(result, value)
        return [*runner, *self.code.finish(self._head(result))]

    def _callee(self, shift: int) -> str:
        """The fast twin's body, unless a written array starts where another argument does."""
        f, context = self.f, self.unit.effects.context
        if not f.fast or (f.name in context) != (f.fast in context):
            return internal(f.name)
        if not clashes(f):
            return internal(f.fast)
        met = "false"
        for i, j in clashes(f):
            other = self.args[j + shift].split()[-1]
            equal = self.code.value(f"icmp eq {self.args[i + shift]}, {other}")
            met = equal if met == "false" else self.code.value(f"or i1 {met}, {equal}")
        return self.code.value(f"select i1 {met}, ptr {internal(f.name)}, ptr {internal(f.fast)}")

    def _param(self, type: str, extra: str = "") -> str:
        name = self.code.fresh()
        self.params.append(f"{type}{extra} {name}")
        return name

    def _memory(self, t: StructType) -> str:
        """Stack memory for a struct, rounded up so that whole registers can be copied."""
        size = -(-max(self.unit.layout.size(t), 1) // 16) * 16
        return self.code.local(f"[{size} x i8]", 16)

    def _result(self) -> str:
        """The C result type; a struct in memory makes the first parameter."""
        t = self.f.signature.result
        match t:
            case None:
                return "void"
            case Scalar():
                return "i32" if t is Scalar.BOOL else VALUE[t]
            case StructType():
                self.result = t
                self.returned = self.registers.result(t)
                if isinstance(self.returned, abi.InMemory):
                    self.sret = self._param("ptr", f" sret({self.unit.layout.spell(t)}) align 8")
                    self._clear()
                    return "void"
                self.sret = self._memory(t)
                self._clear()
                return f"{{ {', '.join(p.type for p in self.returned.pieces)} }}"
            case _:
                raise AssertionError(f"{self.f.name} returns a {t}")

    def _clear(self) -> None:
        assert self.result is not None
        size = self.unit.layout.size(self.result)
        self.code.line(
            f"call void @llvm.memset.p0.i64(ptr align 4 {self.sret}, i8 0, i64 {size}, i1 false)")

    def _argument(self, a: Argument) -> None:
        match a.type:
            case _ if a.direction is not Direction.IN:
                self._pointer()
            case Scalar():
                self._scalar(a.type)
            case StructType():
                self._struct(a.type)
            case ArrayType():
                self._pointer()
            case _:
                raise AssertionError(f"{a.name} cannot come from a host")

    def _pointer(self) -> None:
        self.registers.pointer()
        self.args.append(f"ptr {self._param('ptr')}")

    def _scalar(self, t: Scalar) -> None:
        self.registers.scalar(t)
        if t is Scalar.BOOL:
            truth = self.code.value(f"icmp ne i32 {self._param('i32')}, 0")
            self.args.append(f"i1 {truth}")
        else:
            self.args.append(f"{VALUE[t]} {self._param(VALUE[t])}")

    def _struct(self, t: StructType) -> None:
        match self.registers.struct(t):
            case abi.InMemory(byval):
                kind = f" byval({self.unit.layout.spell(t)}) align 8" if byval else ""
                self.args.append(f"ptr {self._param('ptr', kind)}")
            case abi.InRegisters(pieces):
                copy = self._memory(t)
                for p in pieces:
                    where = self._at(copy, p.offset)
                    self.code.line(f"store {p.type} {self._param(p.type)}, ptr {where}, align 4")
                self.args.append(f"ptr {copy}")

    def _at(self, base: str, offset: int) -> str:
        return self.code.value(f"getelementptr i8, ptr {base}, i64 {offset}") if offset else base

    def _enter(self, result: str) -> None:
        """Sets up the context and the landing place of traps."""
        code = self.code
        deep.enter(code)
        code.line("br i1 %first, label %run, label %trapped")
        code.block("trapped")
        deep.leave(code)
        if self.result is not None:
            self._clear()
        code.line("ret void" if result == "void" else f"ret {result} zeroinitializer")
        code.block("run")

    def _return(self, result: str, value: str) -> None:
        code = self.code
        if isinstance(self.returned, abi.InRegisters):
            value = "poison"
            for i, p in enumerate(self.returned.pieces):
                piece = code.value(f"load {p.type}, ptr {self._at(self.sret, p.offset)}, align 4")
                value = code.value(f"insertvalue {result} {value}, {p.type} {piece}, {i}")
        elif self.f.signature.result is Scalar.BOOL:
            value = code.value(f"zext i1 {value} to i32")
        code.line("ret void" if result == "void" else f"ret {result} {value}")
