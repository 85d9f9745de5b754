"""What a shared library adds to the module: plain names, and the error channel for C."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from loma.backends.llvm.code import Site, entry

LIBM: Final = (
    "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh",
    "atanh", "sqrt", "cbrt", "exp", "exp2", "exp10", "expm1", "log", "log2", "log10", "log1p",
    "pow", "fabs", "floor",
    "ceil", "trunc", "round", "roundeven", "rint", "nearbyint", "fma", "fmod",
    "fmin", "fmax", "ldexp", "frexp", "modf", "copysign", "hypot", "erf", "erfc", "sincos",
    "remainder", "scalbn", "logb")
LIBC: Final = (
    "malloc", "calloc", "free", "_setjmp", "longjmp", "pthread_getspecific", "pthread_setspecific",
    "pthread_key_create", "pthread_once", "pthread_self", "pthread_getattr_np",
    "pthread_attr_getstack", "pthread_attr_destroy", "sysconf", "memset", "memcpy", "memmove",
    "memcmp", "bcmp", "strlen", "snprintf", "printf", "strtof", "strtod",
    "sigaction", "clock_gettime")
RESERVED: Final = frozenset([*LIBC, *LIBM, *(f"{name}f" for name in LIBM)])

LAST_ERROR: Final = """
define ptr @loma_last_error() nounwind {
  %rec = call ptr @loma_record()
  %ownp = getelementptr %loma.record, ptr %rec, i32 0, i32 1
  %own = load ptr, ptr %ownp
  %mine = icmp eq ptr %own, @loma_state
  %site = load i32, ptr %rec
  %set = icmp ne i32 %site, 0
  %both = and i1 %mine, %set
  br i1 %both, label %tell, label %well
tell:
  store i32 0, ptr %rec
  %i = sub i32 %site, 1
  %p = getelementptr ptr, ptr @loma_messages, i32 %i
  %m = load ptr, ptr %p
  ret ptr %m
well:
  ret ptr null
}
"""


def plain_names(functions: Iterable[str]) -> dict[str, str]:
    """The symbol of each function in a shared library.

    It is the function's own name, unless the code needs the C library's function of that name.
    """
    return {name: entry(name) if name in RESERVED else name for name in functions}


def exports(functions: Iterable[str], sites: Iterable[Site], traps: bool) -> list[str]:
    """Aliases for the plain names; with traps, `const char *loma_last_error(void)`, too.

    That function clears what it gives.
    """
    lines = [
        f'@"{_escaped(plain)}" = alias void (), ptr @{entry(name)}'
        for name, plain in plain_names(functions).items() if plain != entry(name)]
    return lines + (_messages(sites) if traps else [])


def _messages(sites: Iterable[Site]) -> list[str]:
    texts = [f"{s.file}:{s.line}: {s.message or s.trap.value}".encode() + b"\0" for s in sites]
    lines = [
        f'@loma_message{i} = private constant [{len(t)} x i8] c"{_escaped(t)}"'
        for i, t in enumerate(texts)]
    pointers = ", ".join(f"ptr @loma_message{i}" for i in range(len(texts)))
    lines.append(f"@loma_messages = internal constant [{len(texts)} x ptr] [{pointers}]")
    return [*lines, LAST_ERROR]


def _escaped(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:02X}" for b in data)
