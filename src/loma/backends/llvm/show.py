"""Text with values: `print`, and checks whose messages show values."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from loma.backends.llvm.code import LIKELY, Code
from loma.backends.llvm.layout import VALUE
from loma.backends.llvm.memory import as_i64, is_growable
from loma.ir.builder import type_of
from loma.ir.nodes import Check, Operand, Print, Text, Var
from loma.ir.shown import size_bound
from loma.ir.types import ArrayType


def print_(code: Code, op: Print) -> None:
    """Hands a line to whoever shows it."""
    line, size = _line(code, op.text)
    code.line(f"call void @loma_print(ptr {line}, i64 {size})")


def check(code: Code, op: Check) -> None:
    """Traps unless a condition holds."""
    site = code.unit.sites.number(op.span, op.trap, message=op.message)
    lengths: dict[Operand, str] = {}
    holds = code.read(op.cond)
    if op.within is not None:
        array, index = op.within
        if is_growable(array):
            return
        lengths[array] = _length(code, array)
        holds = _inside(code, index, lengths[array])
    if op.message or not op.text:
        code.trap_unless(holds, site)
        return
    good, bad = code.fresh_label("ok"), code.fresh_label("told")
    code.line(f"br i1 {holds}, label %{good}, label %{bad}, !prof !{LIKELY}")
    code.block(bad)
    line, size = _line(code, op.text, lengths)
    code.line(f"call void @loma_tell(ptr %ctx, ptr {line}, i64 {size}, i32 {site})")
    code.line("unreachable")
    code.block(good)


def _length(code: Code, array: Var) -> str:
    """The length of an array, below zero where nobody knows it."""
    content = array.content
    assert isinstance(content, ArrayType), "an array has a length"
    if content.size is not None:
        return str(content.size)
    if array in code.counts:
        return code.counts[array]
    size = code.unit.layout.size(content.element)
    return code.value(f"call i64 @loma_extent(ptr {code.names[array]}, i64 {size})")


def _inside(code: Code, index: Operand, length: str) -> str:
    """Whether an index is below the end of an array, as far as its length is known."""
    unknown = code.value(f"icmp slt i64 {length}, 0")
    below = code.value(f"icmp slt i64 {as_i64(code, index)}, {length}")
    return code.value(f"or i1 {unknown}, {below}")


def _line(
    code: Code, text: Text, lengths: Mapping[Operand, str] = MappingProxyType({})
) -> tuple[str, str]:
    """Stack memory that holds the text, and how long it is; `lengths` are those of arrays."""
    line = code.line_buffer(size_bound(text) + 1)
    size = "0"
    for piece in text:
        if isinstance(piece, str):
            data = piece.encode()
            given = f"ptr {code.unit.constant(data)}, i64 {len(data)}"
            size = code.value(f"call i64 @loma_put_text(ptr {line}, i64 {size}, {given})")
        elif piece in lengths:
            given = f"i64 {lengths[piece]}"
            size = code.value(f"call i64 @loma_put_i64(ptr {line}, i64 {size}, {given})")
        else:
            kind, value = type_of(piece), code.read(piece)
            given = f"{VALUE[kind]} {value}"
            size = code.value(f"call i64 @loma_put_{kind.value}(ptr {line}, i64 {size}, {given})")
    return line, size
