"""Tapes: frames of packed scalars, last in first out, in a chain of chunks that doubles."""

from __future__ import annotations

from collections.abc import Iterable

from loma.backends.llvm.code import RARE, Code
from loma.backends.llvm.layout import TAPE, VALUE
from loma.backends.llvm.memory import empty_pop, tape_parts
from loma.ir.builder import type_of
from loma.ir.nodes import Pop, Push
from loma.ir.types import Scalar


def packed(types: Iterable[Scalar]) -> tuple[list[int], int]:
    """The offset of each scalar in a frame, and the frame's bytes; a bool takes one byte."""
    offsets: list[int] = []
    size = 0
    for t in types:
        offsets.append(size)
        size += 1 if t is Scalar.BOOL else t.bytes
    return offsets, size


def push(code: Code, op: Push) -> None:
    """Writes a frame; a new chunk when the newest one is full."""
    types = [type_of(x) for x in op.values]
    offsets, size = packed(types)
    tape = code.names[op.tape]
    top, base, end = tape_parts(code, tape)
    left = _distance(code, top, end)
    full = code.value(f"icmp ult i64 {left}, {size}")
    site = code.unit.sites.memory(op.span)
    call = (f"call {TAPE} @loma_tape_more(ptr %ctx, ptr {top}, ptr {base}, ptr {end}, "
            f"i64 {size}, i32 {site})")
    top = _refill(code, tape, full, call, top)
    for x, type, offset in zip(op.values, types, offsets, strict=True):
        where = code.value(f"getelementptr i8, ptr {top}, i64 {offset}") if offset else top
        value, memory = code.read(x), VALUE[type]
        if type is Scalar.BOOL:
            value, memory = code.value(f"zext i1 {value} to i8"), "i8"
        code.line(f"store {memory} {value}, ptr {where}, align 1")
    after = code.value(f"getelementptr i8, ptr {top}, i64 {size}")
    code.line(f"store ptr {after}, ptr {tape}, align 8")


def pop(code: Code, op: Pop) -> None:
    """Reads the newest frame and drops it; a used-up chunk is given back."""
    types = [v.scalar for v in op.outs]
    offsets, size = packed(types)
    tape = code.names[op.tape]
    top, base, _ = tape_parts(code, tape)
    used = _distance(code, base, top)
    empty = code.value(f"icmp ult i64 {used}, {size}")
    site = empty_pop(code, op.span)
    call = f"call {TAPE} @loma_tape_less(ptr %ctx, ptr {base}, i64 {size}, i32 {site})"
    top = _refill(code, tape, empty, call, top)
    frame = code.value(f"getelementptr i8, ptr {top}, i64 -{size}")
    for v, type, offset in zip(op.outs, types, offsets, strict=True):
        where = code.value(f"getelementptr i8, ptr {frame}, i64 {offset}") if offset else frame
        memory = "i8" if type is Scalar.BOOL else VALUE[type]
        value = code.value(f"load {memory}, ptr {where}, align 1")
        code.bind(v, code.value(f"trunc i8 {value} to i1") if type is Scalar.BOOL else value)
    code.line(f"store ptr {frame}, ptr {tape}, align 8")


def _distance(code: Code, low: str, high: str) -> str:
    ends = [code.value(f"ptrtoint ptr {p} to i64") for p in (high, low)]
    return code.value(f"sub i64 {ends[0]}, {ends[1]}")


def _refill(code: Code, tape: str, unless: str, call: str, top: str) -> str:
    """The next free byte, after `call` has changed the tape's chunk where the condition holds."""
    slow, go, before = code.fresh_label("chunk"), code.fresh_label("tape"), code.label
    code.line(f"br i1 {unless}, label %{slow}, label %{go}, !prof !{RARE}")
    code.block(slow)
    parts = code.value(call)
    code.line(f"store {TAPE} {parts}, ptr {tape}, align 8")
    fresh = code.value(f"extractvalue {TAPE} {parts}, 0")
    code.line(f"br label %{go}")
    code.block(go)
    return code.value(f"phi ptr [ {top}, %{before} ], [ {fresh}, %{slow} ]")
