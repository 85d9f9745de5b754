"""Text with values: `print`, and checks whose messages show values."""

from __future__ import annotations

from loma.backends.llvm.code import LIKELY, Code
from loma.backends.llvm.layout import VALUE
from loma.ir.builder import type_of
from loma.ir.nodes import Check, Print, Text
from loma.ir.shown import size_bound


def print_(code: Code, op: Print) -> None:
    """Hands a line to whoever shows it."""
    line, size = _line(code, op.text)
    code.line(f"call void @loma_print(ptr {line}, i64 {size})")


def check(code: Code, op: Check) -> None:
    """Traps unless a condition holds."""
    site = code.unit.sites.number(op.span, op.trap, message=op.message)
    if op.message or not op.text:
        code.trap_unless(code.read(op.cond), site)
        return
    good, bad = code.fresh_label("ok"), code.fresh_label("told")
    code.line(f"br i1 {code.read(op.cond)}, label %{good}, label %{bad}, !prof !{LIKELY}")
    code.block(bad)
    line, size = _line(code, op.text)
    code.line(f"call void @loma_tell(ptr %ctx, ptr {line}, i64 {size}, i32 {site})")
    code.line("unreachable")
    code.block(good)


def _line(code: Code, text: Text) -> tuple[str, str]:
    """Stack memory that holds the text, and how long it is."""
    line = code.line_buffer(size_bound(text) + 1)
    size = "0"
    for piece in text:
        if isinstance(piece, str):
            data = piece.encode()
            given = f"ptr {code.unit.constant(data)}, i64 {len(data)}"
            size = code.value(f"call i64 @loma_put_text(ptr {line}, i64 {size}, {given})")
        else:
            kind, value = type_of(piece), code.read(piece)
            given = f"{VALUE[kind]} {value}"
            size = code.value(f"call i64 @loma_put_{kind.value}(ptr {line}, i64 {size}, {given})")
    return line, size
