"""The C text that shows values: what `print` and messages with values rest on."""

from __future__ import annotations

from typing import Final

from loma.ir.shown import DIGITS, NORMAL
from loma.ir.types import Scalar

TEXT: Final = r"""
static inline size_t loma_put_text(char *line, size_t size, const char *text, size_t length)
{
    memcpy(line + size, text, length);
    return size + length;
}

static inline size_t loma_put_bool(char *line, size_t size, bool x)
{
    return loma_put_text(line, size, x ? "True" : "False", x ? 4 : 5);
}

static inline size_t loma_put_i64(char *line, size_t size, int64_t x)
{
    return size + (size_t)snprintf(line + size, 32, "%lld", (long long)x);
}

static inline size_t loma_put_i32(char *line, size_t size, int32_t x)
{
    return loma_put_i64(line, size, x);
}
"""

FLOAT: Final = r"""
/* The fewest digits that read as the same number. */
static inline size_t loma_put_{kind}(char *line, size_t size, {type} x)
{
    if (x != x)
        return loma_put_text(line, size, "nan", 3);
    int length = 0;
    for (int digits = {fabs}(x) < {normal} ? 1 : {least}; digits <= {most}; ++digits) {
        length = snprintf(line + size, 32, "%.*g", digits, (double)x);
        if ({read}(line + size, NULL) == x)
            break;
    }
    bool whole = true;
    for (int i = 0; i < length; ++i)
        whole = whole && line[size + (size_t)i] != '.' && line[size + (size_t)i] < 'a';
    size += (size_t)length;
    return whole ? loma_put_text(line, size, ".0", 2) : size;
}
"""

PRINT: Final = r"""
static void (*loma_printer)(const char *text, size_t size) = NULL;

void loma_print_to(void (*printer)(const char *text, size_t size))
{
    loma_printer = printer;
}

static void loma_print(const char *text, size_t size)
{
    if (loma_printer != NULL)
        loma_printer(text, size);
    else
        fwrite(text, 1, size, stdout);
}
"""

TELL: Final = r"""
static _Noreturn void loma_tell(loma_context *ctx, const char *trap, int line, const char *text,
    size_t size)
{
    static _Thread_local char told[1024];
    size = size < sizeof told ? size : sizeof told - 1;
    memcpy(told, text, size);
    told[size] = 0;
    loma_trap(ctx, trap, line, told);
}
"""

HEADER: Final = """/* Hands what programs print to a function instead of the standard output. */
void loma_print_to(void (*printer)(const char *text, size_t size));
"""


def _float(kind: Scalar, type: str, suffix: str, read: str) -> str:
    least, most = DIGITS[kind]
    filled = {
        "kind": kind.value, "type": type, "fabs": f"fabs{suffix}", "read": read,
        "normal": f"{NORMAL[kind]!r}{suffix}", "least": str(least), "most": str(most)}
    text = FLOAT
    for name, value in filled.items():
        text = text.replace(f"{{{name}}}", value)
    return text


PARTS: Final = (
    ("loma_put_", TEXT),
    ("loma_put_f32", _float(Scalar.F32, "float", "f", "strtof")),
    ("loma_put_f64", _float(Scalar.F64, "double", "", "strtod")),
    ("loma_print(", PRINT),
    ("loma_tell(", TELL),
)


def c_string(text: str) -> str:
    """A string literal; what C escapes, and what could be a trigraph, is written in octal."""
    plain = (chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}"
             for b in text.encode())
    return f'"{"".join(plain)}"'
