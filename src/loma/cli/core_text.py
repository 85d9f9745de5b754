"""The core IR as text, one operation on a line: `%name` is a value or a root."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from loma.ir.names import Names
from loma.ir.nodes import (
    Accum,
    Alloc,
    Apply,
    Call,
    Check,
    Const,
    For,
    Function,
    If,
    Load,
    LoadRef,
    Op,
    Operand,
    Parallel,
    Path,
    Pop,
    Print,
    Push,
    Region,
    Store,
    StoreRef,
    Text,
    Var,
    View,
    While,
    Window,
)
from loma.ir.types import Ref, Scalar, type_text

INDENT = "    "


def function_text(f: Function) -> str:
    """A function with its body."""
    return "\n".join(_Printer().function(f)) + "\n"


class _Printer:
    def __init__(self) -> None:
        self.names = Names(set())
        self.called: dict[Var, str] = {}

    def function(self, f: Function) -> list[str]:
        """The lines of a function."""
        params = ", ".join(self.bound(p) for p in f.params)
        return [f"func {f.name}({params})", *self.region(f.body)]

    def region(self, r: Region) -> list[str]:
        """Operations and the final yield, indented."""
        lines = [line for op in r.ops for line in self.op(op)]
        if r.yields:
            lines.append(f"yield {self.listed(r.yields)}")
        return [INDENT + line for line in lines]

    def bound(self, v: Var) -> str:
        """A variable where it is bound, with its type."""
        self.called[v] = "%" + self.names.fresh(v.name)
        match v.type:
            case Scalar():
                return f"{self.called[v]} : {v.type.value}"
            case Ref(content, growable):
                grows = ", ..." if growable else ""
                return f"{self.called[v]} : &{type_text(content, Scalar.BOOL)}{grows}"

    def outs(self, outs: tuple[Var, ...]) -> str:
        """Results, bound, before what gives them."""
        return f"{', '.join(map(self.bound, outs))} = " if outs else ""

    def operand(self, x: Operand) -> str:
        """A use of a variable, or a literal."""
        return f"{x.value!r}" if isinstance(x, Const) else self.called[x]

    def listed(self, xs: Iterable[Operand]) -> str:
        """Operands between commas."""
        return ", ".join(map(self.operand, xs))

    def text(self, before: str, text: Text) -> str:
        """What is shown to people, if anything."""
        shown = [repr(p) if isinstance(p, str) else self.operand(p) for p in text]
        return before + ", ".join(shown) if shown else ""

    def place(self, root: Var, path: Path) -> str:
        """A root and a path into it."""
        steps = [f".{p}" if isinstance(p, str) else f"[{self.operand(p)}]" for p in path]
        return self.called[root] + "".join(steps)

    def op(self, op: Op) -> list[str]:
        """The lines of an operation."""
        match op:
            case If(cond, then, orelse, outs):
                head = f"if {self.operand(cond)}:"
                body = [*self.region(then), "else:", *self.region(orelse)]
                return [f"{self.outs(outs)}{head}", *body]
            case For() | While() | Parallel():
                return self.loop(op)
            case _:
                return [self.simple(op)]

    def loop(self, op: For | While | Parallel) -> list[str]:
        """The lines of a loop."""
        match op:
            case For(start, count, step, inits, body, outs):
                bounds = (f"{self.operand(x)}" for x in (start, count, step))
                head = "for start={} count={} step={}".format(*bounds)
                head = f"parallel {head}" if op.parallel else head
                regions = [(self.entry("do", body, inits), body)]
            case While(inits, cond, body, outs):
                head = "while"
                regions = [
                    (self.entry("test", cond, inits), cond),
                    (self.entry("do", body, ()), body),
                ]
            case Parallel(count, body, outs):
                head = f"parallel count={self.operand(count)}"
                regions = [(self.entry("do", body, ()), body)]
        lines = [line for label, region in regions for line in (label, *self.region(region))]
        inner = [INDENT + line for line in lines]
        return [f"{self.outs(outs)}{head}:", *inner]

    def entry(self, label: str, region: Region, inits: tuple[Operand, ...]) -> str:
        """The head of a region with its arguments and what they start from."""
        offset = len(region.args) - len(inits)
        shown = [self.bound(v) for v in region.args]
        for k, x in enumerate(inits):
            shown[offset + k] += f" = {self.operand(x)}"
        return f"{label} ({', '.join(shown)}):"

    def simple(self, op: Op) -> str:  # noqa: C901 - one dispatch
        """An operation without regions."""
        match op:
            case Apply(prim, args, out):
                shown = self.listed(args)
                return f"{self.bound(out)} = {prim.name} {shown}"
            case Load(root, path, out):
                return f"{self.bound(out)} = load {self.place(root, path)}"
            case Store(root, path, value):
                return f"store {self.place(root, path)}, {self.operand(value)}"
            case Accum(root, path, value):
                return f"accum {self.place(root, path)}, {self.operand(value)}"
            case View(root, path, out):
                return f"{self.bound(out)} = view {self.place(root, path)}"
            case Window(root, path, out):
                return f"{self.bound(out)} = window {self.place(root, path)}"
            case LoadRef(root, path, out):
                return f"{self.bound(out)} = loadref {self.place(root, path)}"
            case StoreRef(root, path, value):
                return f"storeref {self.place(root, path)}, {self.operand(value)}"
            case Alloc(out, count):
                length = "" if count is None else f" {self.operand(count)}"
                return f"{self.bound(out)} = alloc{length}"
            case Push(tape, values):
                return f"push {self.called[tape]}, {self.listed(values)}"
            case Pop(tape, outs):
                return f"{self.outs(outs)}pop {self.called[tape]}"
            case Check(cond, trap, _, text):
                return f"check {self.operand(cond)}, {trap.name}" + self.text(", ", text)
            case Print(text):
                return "print" + self.text(" ", text)
            case Call(function, args, outs):
                return f"{self.outs(outs)}call {function}({self.listed(args)})"
            case If() | For() | While() | Parallel():
                raise AssertionError("an operation with regions takes several lines")
            case _:
                assert_never(op)
