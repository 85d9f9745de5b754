"""A Python function in machine code: takes NumPy arrays and numbers apart, and calls loma code.

It follows CPython's METH_FASTCALL convention. What it meets and does not know (another dtype, a
list, overlapping memory ...) it leaves to slower code: it gives back the object `miss`, and has
done nothing.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import Final

from loma.backends.llvm import machine
from loma.backends.llvm.code import LIKELY
from loma.backends.llvm.flat_shape import Dim
from loma.backends.llvm.layout import MEMORY
from loma.backends.llvm.python_args import DECLARATIONS, HEAD, META, MOST, TABLE, Reader
from loma.backends.llvm.python_shape import Shape, Slot
from loma.ir.nodes import Direction
from loma.ir.types import Scalar

NAME: Final = "loma_python_call"
RECORDS: Final = "declare ptr @pthread_getspecific(i32)"


def compiler_lock() -> AbstractContextManager[object] | None:
    """The lock that llvmlite holds while it is inside LLVM; None when it is not loaded."""
    module = sys.modules.get("llvmlite.binding.ffi")
    return None if module is None else module.lib._lock


def compile_call(shape: Shape) -> bytes:
    """The object code for calls of a shape."""
    return machine.compile_text(text(shape, machine.triple()))


def text(shape: Shape, triple: str) -> str:
    """The LLVM text of the function that Python calls."""
    inputs = [s.direction is not Direction.OUT and not s.hidden for s in shape.slots]
    every = [not s.hidden for s in shape.slots]
    few, all_ = sum(inputs) + shape.lead, sum(every) + shape.lead
    full = NAME + "_full"
    short = NAME + "_short" if shape.makes and few < all_ else full
    parts = [f'target triple = "{triple}"', DECLARATIONS, RECORDS,
             *_Call(shape, every, full).whole()]
    if short != full:
        parts += _Call(shape, inputs, short).whole()
    parts.append(f"""
define ptr @{NAME}(ptr %self, ptr %args, i64 %n) nounwind {{
  %few = icmp eq i64 %n, {few if shape.makes else all_}
  br i1 %few, label %short, label %more
short:
  %r = tail call ptr @{short}(ptr %self, ptr %args)
  ret ptr %r
more:
  %all = icmp eq i64 %n, {all_}
  br i1 %all, label %full, label %miss
full:
  %s = tail call ptr @{full}(ptr %self, ptr %args)
  ret ptr %s
miss:
  %mp = getelementptr i8, ptr %self, i64 {HEAD + 8 * TABLE.index("miss")}
  %m = load ptr, ptr %mp
  call void @Py_IncRef(ptr %m)
  ret ptr %m
}}
""")
    return "\n".join([*parts, META, ""])


class _Call(Reader):
    """The function for one choice of the arguments that are given."""

    def __init__(self, shape: Shape, given: list[bool], name: str) -> None:
        super().__init__()
        self.shape = shape
        self.given = given
        self.name = name
        self.passed: dict[int, str] = {}
        self.made: dict[int, str] = {}

    def whole(self) -> list[str]:
        """The whole function."""
        slots = self.shape.slots
        if self.shape.lead:
            assert self.shape.threads is not None
            self.agree(self.shape.threads, self.number(Scalar.I32, self.load("ptr", "%args")))
        order = [i for i, given in enumerate(self.given) if given]
        for position, i in enumerate(order):
            self._argument(i, slots[i], self.load("ptr", "%args", 8 * (position + self.shape.lead)))
        self._enough(order)
        self._apart()
        for i, slot in enumerate(slots):
            if not self.given[i]:
                self._output(i, slot)
        self._finish(self._run())
        self.block("miss")
        self.gives("miss")
        self.block("failed")
        self.line("ret ptr null")
        return self.lines(f"define internal ptr @{self.name}(ptr %self, ptr %args) nounwind")

    # Arguments.

    def _argument(self, i: int, slot: Slot, x: str) -> None:
        if slot.dims is not None:
            dims = (Dim(-1 - i), *slot.dims[1:]) if slot.free else slot.dims
            self.passed[i] = self.array(slot.type, dims, x, slot.written, slot.record)
        elif slot.direction is not Direction.IN:
            self.need("false")  # numbers by reference are rare
            self.passed[i] = "null"
        else:
            found = self.number(slot.type, x)
            if slot.tells is not None:
                self.agree(slot.tells, found)
            self.passed[i] = self.short(found) if slot.type is Scalar.I32 else found

    def _enough(self, order: list[int]) -> None:
        """What is written is long enough, and an int can count what it indexes."""
        for i in order:
            slot = self.shape.slots[i]
            if slot.least is not None and slot.dims is not None:
                found = self.sizes.get(-1 - i) or self.length(slot.dims[0])
                self.need(self.value(f"icmp sge i64 {found}, {self.length(slot.least)}"))
            if i in self.shape.limited:
                self.need(self.value(f"icmp sle i64 {self._count(i)}, {MOST}"))

    def _count(self, i: int, size: int = 1) -> str:
        """The number of elements of an array, times a size."""
        dims = self.shape.slots[i].dims
        assert dims is not None
        known = [self.sizes.get(-1 - i) or self.length(dims[0]), *map(self.length, dims[1:])]
        product = known[0]
        for n in [*known[1:], *([str(size)] if size > 1 else [])]:
            product = self.value(f"mul i64 {product}, {n}")
        return product

    def _span(self, i: int) -> tuple[str, str]:
        slot = self.shape.slots[i]
        bytes_ = self._count(i, slot.size if slot.record else slot.type.bytes)
        return self.passed[i], self.at(self.passed[i], bytes_)

    def _apart(self) -> None:
        """Memory that is written overlaps no other, but for an input that is the same."""
        slots = self.shape.slots
        arrays = [i for i, s in enumerate(slots) if s.dims is not None and i in self.passed]
        spans = {i: self._span(i) for i in arrays} if any(
            slots[i].written for i in arrays) else {}
        for i in spans:
            for j in spans:
                if i == j or not slots[i].written or (slots[j].written and j < i):
                    continue
                (a, b), (c, d) = spans[i], spans[j]
                before = self.value(f"icmp ule ptr {b}, {c}")
                after = self.value(f"icmp ule ptr {d}, {a}")
                fine = self.value(f"or i1 {before}, {after}")
                if not slots[j].written:
                    starts = self.value(f"icmp eq ptr {a}, {c}")
                    stops = self.value(f"icmp eq ptr {b}, {d}")
                    same = self.value(f"and i1 {starts}, {stops}")
                    fine = self.value(f"or i1 {fine}, {same}")
                self.need(fine)

    # Outputs.

    def _output(self, i: int, slot: Slot) -> None:
        """New memory for an output; a hidden size is the length that it stands for."""
        if slot.hidden:
            assert slot.tells is not None
            self.passed[i] = self.short(self.length(slot.tells))
        elif slot.dims is None:
            self.passed[i] = self.local("i64")
            self.store("i64", 0, self.passed[i])
        else:
            for d in slot.dims:
                if isinstance(d, Dim):
                    self.need(self.value(f"icmp sge i64 {self.length(d)}, 0"))
            self.made[i] = self.new(slot.type, slot.dims, "failed", record=slot.record)
            self.passed[i] = self.load("ptr", self.made[i], 16)

    def _run(self) -> str:
        """The call, without Python's lock."""
        shape = self.shape
        operands = [
            f"ptr {self.passed[i]}" if s.dims is not None or s.direction is not Direction.IN
            else f"{MEMORY[s.type]} {self.passed[i]}" for i, s in enumerate(shape.slots)]
        if shape.threads is not None:
            count = self.length(shape.threads)
            self.need(self.value(f"icmp sle i64 {count}, {MOST}"))
            operands.append(f"i32 {self.short(count)}")
        target = self.table("function")
        state = self.value("call ptr @PyEval_SaveThread()")
        call = f"{target}({', '.join(operands)})"
        out = ""
        if shape.result is None:
            self.line(f"call void {call}")
        else:
            out = self.value(f"call {MEMORY[shape.result]} {call}")
        self.line(f"call void @PyEval_RestoreThread(ptr {state})")
        if shape.traps:
            self._trapped()
        return out

    def _trapped(self) -> None:
        key = self.load("i32", "%self", HEAD + 8)
        record = self.value(f"call ptr @pthread_getspecific(i32 {key})")
        look, bad, good = self.label("look"), self.label("bad"), self.label("good")
        none = self.value(f"icmp eq ptr {record}, null")
        self.line(f"br i1 {none}, label %{good}, label %{look}")
        self.block(look)
        well = self.value(f"icmp eq i32 {self.load('i32', record)}, 0")
        self.line(f"br i1 {well}, label %{good}, label %{bad}, !prof !{LIKELY}")
        self.block(bad)
        for m in self.made.values():
            self.line(f"call void @Py_DecRef(ptr {m})")
        self.gives("trapped")
        self.block(good)

    def _finish(self, out: str) -> None:
        """The results as one Python object."""
        found: list[str] = []
        if self.shape.result is not None:
            found.append(self.object(self.shape.result, out))
        for i, slot in enumerate(self.shape.slots):
            if i in self.made:
                found.append(self.made[i])
            elif not self.given[i] and not slot.hidden:
                found.append(self.object(slot.type, self.load(MEMORY[slot.type], self.passed[i])))
        if not found:
            self.line("call void @Py_IncRef(ptr @_Py_NoneStruct)")
            found = ["@_Py_NoneStruct"]
        self.line(f"ret ptr {found[0] if len(found) == 1 else self.packed(found, 'failed')}")
