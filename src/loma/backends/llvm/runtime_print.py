"""The half of the runtime that shows values: what `print` and messages with values rest on.

A float is shown with the fewest digits that read as the same number (`ir/shown.py` has the rule).
"""

from __future__ import annotations

from typing import Final

from loma.backends.llvm.layout import literal
from loma.ir.builder import const
from loma.ir.shown import DIGITS, NORMAL
from loma.ir.types import Scalar

DECLARATIONS: Final = """
@loma_printer = global ptr null
@loma_format_int = private constant [5 x i8] c"%lld\\00"
@loma_format_real = private constant [5 x i8] c"%.*g\\00"
@loma_format_text = private constant [5 x i8] c"%.*s\\00"
@loma_nan = private constant [3 x i8] c"nan"
@loma_point = private constant [2 x i8] c".0"
@loma_true = private constant [4 x i8] c"True"
@loma_false = private constant [5 x i8] c"False"
declare i32 @snprintf(ptr, i64, ptr, ...)
declare i32 @printf(ptr, ...)
declare float @strtof(ptr, ptr)
declare double @strtod(ptr, ptr)
"""

TEXT: Final = """
define internal i64 @loma_put_text(ptr %line, i64 %at, ptr %text, i64 %n) nounwind #2 {
  %to = getelementptr i8, ptr %line, i64 %at
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %text, i64 %n, i1 false)
  %after = add i64 %at, %n
  ret i64 %after
}

define internal i64 @loma_put_bool(ptr %line, i64 %at, i1 %x) nounwind #2 {
  %text = select i1 %x, ptr @loma_true, ptr @loma_false
  %n = select i1 %x, i64 4, i64 5
  %r = call i64 @loma_put_text(ptr %line, i64 %at, ptr %text, i64 %n)
  ret i64 %r
}

define internal i64 @loma_put_i64(ptr %line, i64 %at, i64 %x) nounwind #2 {
  %to = getelementptr i8, ptr %line, i64 %at
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(ptr %to, i64 32, ptr @loma_format_int, i64 %x)
  %n1 = sext i32 %n to i64
  %after = add i64 %at, %n1
  ret i64 %after
}

define internal i64 @loma_put_i32(ptr %line, i64 %at, i32 %x) nounwind #2 {
  %wide = sext i32 %x to i64
  %r = call i64 @loma_put_i64(ptr %line, i64 %at, i64 %wide)
  ret i64 %r
}

define internal void @loma_print(ptr %line, i64 %n) nounwind #2 {
  %to = load ptr, ptr @loma_printer
  %none = icmp eq ptr %to, null
  br i1 %none, label %plain, label %hand
hand:
  call void %to(ptr %line, i64 %n)
  ret void
plain:
  %short = trunc i64 %n to i32
  %r = call i32 (ptr, ...) @printf(ptr @loma_format_text, i32 %short, ptr %line)
  ret void
}
"""

FLOAT: Final = """
define internal i64 @loma_put_@KIND@(ptr %line, i64 %at, @TYPE@ %x) nounwind #2 {
entry:
  %to = getelementptr i8, ptr %line, i64 %at
  %nan = fcmp uno @TYPE@ %x, %x
  br i1 %nan, label %none, label %number
none:
  %r = call i64 @loma_put_text(ptr %line, i64 %at, ptr @loma_nan, i64 3)
  ret i64 %r
number:
  %minus = fneg @TYPE@ %x
  %negative = fcmp olt @TYPE@ %x, 0.0
  %size = select i1 %negative, @TYPE@ %minus, @TYPE@ %x
  %tiny = fcmp olt @TYPE@ %size, @NORMAL@
  %first = select i1 %tiny, i32 1, i32 @LEAST@
  %wide = @WIDE@
  br label %try
try:
  %digits = phi i32 [ %first, %number ], [ %more, %again ]
  %n = call i32 (ptr, i64, ptr, ...) @snprintf(
      ptr %to, i64 32, ptr @loma_format_real, i32 %digits, double %wide)
  %back = call @TYPE@ @@READ@(ptr %to, ptr null)
  %same = fcmp oeq @TYPE@ %back, %x
  %last = icmp eq i32 %digits, @MOST@
  %stop = or i1 %same, %last
  br i1 %stop, label %scan, label %again
again:
  %more = add i32 %digits, 1
  br label %try
scan:
  %length = sext i32 %n to i64
  br label %look
look:
  %i = phi i64 [ 0, %scan ], [ %next, %step ]
  %over = icmp sge i64 %i, %length
  br i1 %over, label %whole, label %step
step:
  %p = getelementptr i8, ptr %to, i64 %i
  %c = load i8, ptr %p
  %dot = icmp eq i8 %c, 46
  %letter = icmp ugt i8 %c, 96
  %marked = or i1 %dot, %letter
  %next = add i64 %i, 1
  br i1 %marked, label %done, label %look
done:
  %after = add i64 %at, %length
  ret i64 %after
whole:
  %end = add i64 %at, %length
  %r2 = call i64 @loma_put_text(ptr %line, i64 %end, ptr @loma_point, i64 2)
  ret i64 %r2
}
"""

TELL: Final = """
define internal void @loma_tell(
    ptr %ctx, ptr %line, i64 %n, i32 %site) noreturn cold nounwind #2 {
  %rec = call ptr @loma_record()
  %size = call i64 @llvm.umin.i64(i64 %n, i64 959)
  %at = getelementptr i8, ptr %rec, i64 64
  call void @llvm.memcpy.p0.p0.i64(ptr %at, ptr %line, i64 %size, i1 false)
  %end = getelementptr i8, ptr %at, i64 %size
  store i8 0, ptr %end
  call void @loma_trap(ptr %ctx, i32 %site)
  unreachable
}
"""

PRINT_TO: Final = """
define void @loma_print_to(ptr %printer) nounwind {
  store ptr %printer, ptr @loma_printer
  ret void
}
"""


def _float(kind: Scalar, type: str, read: str, wide: str) -> str:
    least, most = DIGITS[kind]
    filled = {
        "KIND": kind.value, "TYPE": type, "READ": read, "WIDE": wide,
        "NORMAL": literal(const(NORMAL[kind], Scalar.F64)), "LEAST": str(least), "MOST": str(most)}
    text = FLOAT
    for name, value in filled.items():
        text = text.replace(f"@{name}@", value)
    return text


FLOATS: Final = (
    _float(Scalar.F32, "float", "strtof", "fpext float %x to double")
    + _float(Scalar.F64, "double", "strtod", "bitcast double %x to double"))


def text(context: bool) -> str:
    """The runtime of a module that shows values; `context`: one that can trap."""
    memcpy = "" if context else "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)\n"
    tell = TELL if context else ""
    return "".join([memcpy, DECLARATIONS, TEXT, FLOATS, tell, PRINT_TO])
