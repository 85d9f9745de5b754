"""What generated Slang rests on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from loma.backends.c_words import words
from loma.backends.device import limits
from loma.backends.device_entry import PART
from loma.backends.flat_sums import PLACES, ROW, TEAM

WORDS: Final = words("""
    new delete class virtual template typename operator throw catch static_cast this_type uint
    half uniform buffer vector matrix interface extension property associatedtype import export
    module public private internal implementing where let var func throws try no_diff none this
    This in out inout ref groupshared precise sampler texture cbuffer tbuffer namespace shared
    snorm unorm discard mutating nonmutating get set each expand is as dyn functor float2
    float3 float4 float2x2 float3x3 float4x4 int2 int3 int4 uint2 uint3 uint4 double2 double3
    double4 bool2 bool3 bool4 int8_t int16_t uint8_t uint16_t uint32_t uint64_t saturate lerp
    dot cross normalize length distance clamp sign frac rcp rsqrt mad step smoothstep transpose
    determinant reflect refract any all select mul ddx ddy countbits max min abs asfloat asint
    asuint asdouble _tid _total_threads _member _first _next _end _k _sum _words _capacity _error
    ctx StructuredBuffer RWStructuredBuffer Texture2D SamplerState InterlockedAdd LOMA_ADD
    loma_context loma_tape loma_sum
""")

MACROS: Final = {
    **limits("LL"),
    "NAN": "asfloat(0x7fc00000u)",
    "INFINITY": "asfloat(0x7f800000u)",
}

ATOMIC: Final = "#define LOMA_ADD(place, x) InterlockedAdd(place, x)\n"
SEQUENTIAL: Final = """// The threads run one after the other.
#define LOMA_ADD(place, x) place += x
"""

TO_INT: Final = """
// Toward zero; what does not fit becomes the nearest integer that does, and nan becomes 0.
int loma_to_int32({real} x)
{
    return x != x ? 0
        : x < -2147483648.0{f} ? INT32_MIN
        : x >= 2147483648.0{f} ? INT32_MAX
        : (int)x;
}
"""

TO_LONG: Final = """
// Toward zero; what does not fit becomes the nearest integer that does, and nan becomes 0.
int64_t loma_to_int64({real} x)
{
    return x != x ? 0LL
        : x < -9223372036854775808.0{f} ? INT64_MIN
        : x >= 9223372036854775808.0{f} ? INT64_MAX
        : (int64_t)x;
}
"""

SHIFTS: Final = """
// A count that is negative or not below the width shifts everything out, or leaves the sign.
{int} loma_shl{width}({int} x, {int} count)
{
    return count < 0 || count >= {width} ? ({int})0 : ({int})(({uint})x << ({uint})count);
}

{int} loma_shr{width}({int} x, {int} count)
{
    return x >> (count < 0 || count >= {width} ? ({int}){width} - 1 : count);
}
"""

FUNCTIONS: Final = {
    "loma_pow": """
// As in C: the intrinsic wants a base that is not negative.
T loma_pow<T : __BuiltinFloatingPointType>(T x, T y)
{
    if (y == T(0))
        return T(1);
    if (x >= T(0))
        return pow(x, y);
    T whole = trunc(y);
    T p = pow(-x, y);
    if (whole != y)
        return p / T(0) * T(0);
    return trunc(whole / T(2)) * T(2) == whole ? p : -p;
}
""",
    "loma_round": """
// Halves away from zero.
T loma_round<T : __BuiltinFloatingPointType>(T x)
{
    T whole = trunc(x);
    return abs(x - whole) < T(0.5) ? whole : whole + (x < T(0) ? T(-1) : T(1));
}
""",
    "loma_hypot": """
T loma_hypot<T : __BuiltinFloatingPointType>(T x, T y)
{
    T large = max(abs(x), abs(y)), small = min(abs(x), abs(y));
    if (large == T(0) || large - large != T(0))
        return large;
    T ratio = small / large;
    return large * sqrt(T(1) + ratio * ratio);
}
""",
    "loma_cbrt": """
T loma_cbrt<T : __BuiltinFloatingPointType>(T x)
{
    T a = abs(x);
    if (a == T(0) || a - a != T(0))
        return x;
    T y = pow(a, T(1) / T(3));
    y -= (y * y * y - a) / (T(3) * y * y);
    return x < T(0) ? -y : y;
}
""",
    "loma_expm1": """
// W. Kahan's way: the errors of exp and log cancel.
T loma_expm1<T : __BuiltinFloatingPointType>(T x)
{
    T u = exp(x);
    if (u == T(1))
        return x;
    T less = u - T(1);
    if (less == T(-1) || u - u != T(0))
        return less;
    return less * (x / log(u));
}
""",
    "loma_log1p": """
// W. Kahan's way: the errors of the sum and of log cancel.
T loma_log1p<T : __BuiltinFloatingPointType>(T x)
{
    T u = T(1) + x;
    return u == T(1) || u - u != T(0) ? x : log(u) * (x / (u - T(1)));
}
""",
    "loma_erf": """
// Taylor's series near 0, else 1 - erfc: a continued fraction.
T loma_erf<T : __BuiltinFloatingPointType>(T x)
{
    T a = abs(x);
    if (a > T(2.5))
        return x < T(0) ? loma_erfc(a) - T(1) : T(1) - loma_erfc(a);
    T term = x, sum = x;
    for (int n = 1; n < 60; ++n) {
        term *= -x * x / T(n);
        sum += term / T(2 * n + 1);
    }
    return sum * T(1.1283791670955126l);
}
""",
    "loma_erfc": """
T loma_erfc<T : __BuiltinFloatingPointType>(T x)
{
    T a = abs(x);
    T value;
    if (a <= T(2.5)) {
        T term = a, sum = a;
        for (int n = 1; n < 60; ++n) {
            term *= -a * a / T(n);
            sum += term / T(2 * n + 1);
        }
        value = T(1) - sum * T(1.1283791670955126l);
    } else {
        T fraction = a;
        for (int n = 60; n > 0; --n)
            fraction = a + T(n) / T(2) / fraction;
        value = exp(-a * a) / (fraction * T(1.7724538509055161l));
    }
    return x < T(0) ? T(2) - value : value;
}
""",
}

CONTEXT: Final = """
// Where the tape of a thread stands: word i of a thread lies beside word i of the next.
struct loma_context
{
    uint thread, stride, used, capacity;
    bool stopped;
};

struct loma_tape
{
    uint start, top, end;
};

void loma_stop(inout loma_context ctx, RWStructuredBuffer<int> error, int number)
{
    error[0] = number;
    ctx.stopped = true;
}
"""

TAPE: Final = """
uint loma_word(loma_context ctx, uint i)
{
    return i * ctx.stride + ctx.thread;
}

bool loma_room(inout loma_context ctx, RWStructuredBuffer<uint> words,
    RWStructuredBuffer<int> error, inout loma_tape tape)
{
    if (tape.top < tape.end)
        return true;
    uint size = tape.end - tape.start;
    uint more = min(size < 1024 ? 16 + size : 1024, ctx.capacity - ctx.used);
    if (more < 4) {
        loma_stop(ctx, error, -1);
        return false;
    }
    if (tape.end != ctx.used || tape.end == 0) {
        words[loma_word(ctx, ctx.used)] = tape.start;
        words[loma_word(ctx, ctx.used + 1)] = tape.top;
        words[loma_word(ctx, ctx.used + 2)] = tape.end;
        tape.start = ctx.used + 3;
        tape.top = tape.start;
        tape.end = ctx.used;
    }
    tape.end += more;
    ctx.used += more;
    return true;
}

void loma_less(inout loma_context ctx, RWStructuredBuffer<uint> words, inout loma_tape tape)
{
    uint below = tape.start - 3;
    if (ctx.used == tape.end)
        ctx.used = below;
    tape.start = words[loma_word(ctx, below)];
    tape.top = words[loma_word(ctx, below + 1)];
    tape.end = words[loma_word(ctx, below + 2)];
}

bool loma_push_word(inout loma_context ctx, RWStructuredBuffer<uint> words,
    RWStructuredBuffer<int> error, inout loma_tape tape, uint x)
{
    if (!loma_room(ctx, words, error, tape))
        return false;
    words[loma_word(ctx, tape.top)] = x;
    tape.top += 1;
    return true;
}

uint loma_pop_word(inout loma_context ctx, RWStructuredBuffer<uint> words,
    RWStructuredBuffer<int> error, inout loma_tape tape, int number)
{
    while (tape.end != 0 && tape.top == tape.start)
        loma_less(ctx, words, tape);
    if (tape.end == 0) {
        loma_stop(ctx, error, number);
        return 0;
    }
    tape.top -= 1;
    return words[loma_word(ctx, tape.top)];
}

void loma_drop(inout loma_context ctx, RWStructuredBuffer<uint> words, inout loma_tape tape)
{
    while (tape.end != 0)
        loma_less(ctx, words, tape);
}
"""

SUM: Final = f"""
// What a lane adds up: what one thread adds, {PART} threads, {PART} times as many, and all.
struct loma_sum<T : __BuiltinFloatingPointType>
{{
    T one, few, many, all;
}};

void loma_next<T : __BuiltinFloatingPointType>(inout loma_sum<T> sum, uint k)
{{
    sum.few += sum.one;
    sum.one = T(0);
    if (k % {PART} == 0) {{
        sum.many += sum.few;
        sum.few = T(0);
    }}
    if (k % {PART * PART} == 0) {{
        sum.all += sum.many;
        sum.many = T(0);
    }}
}}

T loma_all<T : __BuiltinFloatingPointType>(loma_sum<T> sum)
{{
    return sum.all + (sum.many + (sum.few + sum.one));
}}
"""

GROUPED: Final = f"""
groupshared {{type}} loma_parts_{{kind}}[{PLACES}][{TEAM}];

{{type}} loma_group_{{kind}}(uint place)
{{{{
    {{type}} sum = 0;
    for (uint i = 0; i < {TEAM}; i += {ROW}) {{{{
        {{type}} part = 0;
        for (uint k = i; k < i + {ROW}; ++k)
            part += loma_parts_{{kind}}[place][k];
        sum += part;
    }}}}
    return sum;
}}}}
"""

PUSH_POP: Final = """
bool loma_push_{kind}(inout loma_context ctx, RWStructuredBuffer<uint> words,
    RWStructuredBuffer<int> error, inout loma_tape tape, {type} x)
{
    {push}
}

{type} loma_pop_{kind}(inout loma_context ctx, RWStructuredBuffer<uint> words,
    RWStructuredBuffer<int> error, inout loma_tape tape, int number)
{
    {pop}
}
"""
ONE: Final = "return loma_push_word(ctx, words, error, tape, {to});"
POP: Final = "loma_pop_word(ctx, words, error, tape, number)"
KINDS: Final = {
    "bool": ("bool", ONE.format(to="x ? 1 : 0"), f"return {POP} != 0;"),
    "i32": ("int", ONE.format(to="asuint(x)"), f"return asint({POP});"),
    "f32": ("float", ONE.format(to="asuint(x)"), f"return asfloat({POP});"),
    "i64": (
        "int64_t",
        "uint64_t bits = (uint64_t)x;\n"
        "    return loma_push_word(ctx, words, error, tape, (uint)bits)\n"
        "        && loma_push_word(ctx, words, error, tape, (uint)(bits >> 32));",
        f"uint64_t high = {POP};\n    return (int64_t)(high << 32 | (uint64_t){POP});",
    ),
    "f64": (
        "double",
        "uint low, high;\n    asuint(x, low, high);\n"
        "    return loma_push_word(ctx, words, error, tape, low)\n"
        "        && loma_push_word(ctx, words, error, tape, high);",
        f"uint high = {POP};\n    uint low = {POP};\n    return asdouble(low, high);",
    ),
}


def runtime(body: str, atomic: bool) -> str:
    """What the kernels of `body` need."""
    parts = [(ATOMIC if atomic else SEQUENTIAL) if "LOMA_ADD(" in body else ""]
    parts += [*_functions(body).values(), *_integers(body)]
    if "loma_context" in body:
        parts.append(CONTEXT)
    if "loma_tape" in body:
        parts.append(TAPE)
    parts.append(SUM if "loma_sum" in body else "")
    for kind, type in (("f32", "float"), ("f64", "double")):
        if f"loma_group_{kind}(" in body:
            parts.append(GROUPED.format(kind=kind, type=type))
    for kind, (type, push, pop) in KINDS.items():
        if f"_{kind}(ctx, _words" in body:
            text = PUSH_POP.replace("{kind}", kind).replace("{type}", type)
            parts.append(text.replace("{push}", push).replace("{pop}", pop))
    return "\n".join(parts)


def _integers(body: str) -> Iterator[str]:
    """Conversions and shifts."""
    real, f = ("double", "l") if "double" in body else ("float", "f")
    for name, text in (("loma_to_int32", TO_INT), ("loma_to_int64", TO_LONG)):
        if name in body:
            yield text.replace("{real}", real).replace("{f}", f)
    for width, kind, unsigned in (("32", "int", "uint"), ("64", "int64_t", "uint64_t")):
        if f"loma_shl{width}" in body or f"loma_shr{width}" in body:
            text = SHIFTS.replace("{uint}", unsigned).replace("{int}", kind)
            yield text.replace("{width}", width)


def _functions(body: str) -> dict[str, str]:
    """The functions that Slang lacks and that are used, those they use in turn first."""
    found: dict[str, str] = {}

    def need(name: str) -> None:
        for inner in re.findall(r"\bloma_\w+(?=\()", FUNCTIONS[name]):
            if inner != name and inner in FUNCTIONS and inner not in found:
                need(inner)
        found.setdefault(name, FUNCTIONS[name])

    for name in FUNCTIONS:
        if f"{name}(" in body:
            need(name)
    return found
