"""What generated WGSL rests on."""

from __future__ import annotations

from typing import Final

from loma.backends.c_words import words
from loma.backends.device_entry import PART
from loma.backends.flat_sums import PLACES, ROW, TEAM

WORDS: Final = words("""
    alias array atomic bitcast break case const const_assert continue continuing default diagnostic
    discard else enable false fn for if let loop mat2x2 mat3x3 mat4x4 override ptr requires return
    sampler select struct switch texture_1d texture_2d true type u32 i32 f32 f16 bool var vec2 vec3
    vec4 while workgroup storage uniform private function read write read_write abs acos all any
    asin atan atan2 ceil clamp cos cosh cross degrees determinant distance dot exp exp2 floor fma
    fract length log log2 max min mix modf normalize pow radians reflect round saturate sign sin
    sinh smoothstep sqrt step tan tanh transpose trunc asm bf16 do enum f64 handle i8 i16 i64 mat
    premerge regardless typedef u8 u16 u64 unless using vec void active as async await become
    class common from get goto impl import in inline inout lambda layout macro match meta mod
    module move mut mutable namespace new nil null of operator package packoffset pass patch pixel
    pub ref require self set shared target this trait union unsafe unsized use varying virtual where
    NULL Self abstract alignas alignof asm_fragment attribute auto binding_array cast catch co_await
    co_return co_yield coherent column_major compile compile_fragment concept const_cast consteval
    constexpr constinit crate debugger decltype delete demote demote_to_helper dynamic_cast explicit
    export extends extern external fallthrough filter final finally friend fxgroup groupshared highp
    implements instanceof interface lowp macro_rules mediump noexcept noinline nointerpolation
    noperspective nullptr partial pixelfragment precise precision priv protected public readonly
    register reinterpret_cast resource restrict sizeof smooth snorm static static_assert static_cast
    std subroutine super template thread_local throw try typeid typename typeof unorm volatile wgsl
    with writeonly yield
    _words _error _args _lane _lanes _member _next _end _k _sum _old _new _x loma_used
    loma_stopped NAN INFINITY
""")

ADD: Final = """{
    let _x: f32 = {x};
    loop {
        let _old = atomicLoad(&{at});
        let _new = bitcast<u32>(bitcast<f32>(_old) + _x);
        if (atomicCompareExchangeWeak(&{at}, _old, _new).exchanged) { break; }
    }
}"""

OPENING: Final = {
    "loma_nan": "var<private> loma_nan: u32 = 0x7fc00000u;",
    "loma_infinity": "var<private> loma_infinity: u32 = 0x7f800000u;",
}

CONTEXT: Final = """
// Where the tapes of a thread stand: word i of a thread lies beside word i of the next.
@group(1) @binding(0) var<storage, read_write> _words: array<u32>;
@group(1) @binding(1) var<storage, read_write> _error: array<atomic<i32>>;
var<private> loma_thread: u32;
var<private> loma_stride: u32;
var<private> loma_used: u32;
var<private> loma_capacity: u32;
var<private> loma_stopped: bool;

struct loma_tape {
    start: u32,
    top: u32,
    end: u32,
}

fn loma_stop(number: i32) {
    atomicStore(&_error[0], number);
    loma_stopped = true;
}
"""

TAPE: Final = """
fn loma_word(i: u32) -> u32 {
    return i * loma_stride + loma_thread;
}

fn loma_room(tape: ptr<function, loma_tape>) -> bool {
    if ((*tape).top < (*tape).end) { return true; }
    let size = (*tape).end - (*tape).start;
    let more = min(select(1024u, 16u + size, size < 1024u), loma_capacity - loma_used);
    if (more < 4u) {
        loma_stop(-1);
        return false;
    }
    if ((*tape).end != loma_used || (*tape).end == 0u) {
        _words[loma_word(loma_used)] = (*tape).start;
        _words[loma_word(loma_used + 1u)] = (*tape).top;
        _words[loma_word(loma_used + 2u)] = (*tape).end;
        (*tape).start = loma_used + 3u;
        (*tape).top = loma_used + 3u;
        (*tape).end = loma_used;
    }
    (*tape).end += more;
    loma_used += more;
    return true;
}

fn loma_less(tape: ptr<function, loma_tape>) {
    let below = (*tape).start - 3u;
    if (loma_used == (*tape).end) { loma_used = below; }
    (*tape).start = _words[loma_word(below)];
    (*tape).top = _words[loma_word(below + 1u)];
    (*tape).end = _words[loma_word(below + 2u)];
}

fn loma_push(tape: ptr<function, loma_tape>, x: u32) -> bool {
    if (!loma_room(tape)) { return false; }
    _words[loma_word((*tape).top)] = x;
    (*tape).top += 1u;
    return true;
}

fn loma_pop(tape: ptr<function, loma_tape>, number: i32) -> u32 {
    while ((*tape).end != 0u && (*tape).top == (*tape).start) { loma_less(tape); }
    if ((*tape).end == 0u) {
        loma_stop(number);
        return 0u;
    }
    (*tape).top -= 1u;
    return _words[loma_word((*tape).top)];
}

fn loma_drop(tape: ptr<function, loma_tape>) {
    while ((*tape).end != 0u) { loma_less(tape); }
}
"""

SUM: Final = f"""
// What a lane adds up: what one thread adds, {PART} threads, {PART} times as many, and all.
struct loma_sum {{
    one: f32,
    few: f32,
    many: f32,
    all: f32,
}}

fn loma_next(sum: ptr<function, loma_sum>, k: u32) {{
    (*sum).few += (*sum).one;
    (*sum).one = 0.0;
    if (k % {PART}u == 0u) {{
        (*sum).many += (*sum).few;
        (*sum).few = 0.0;
    }}
    if (k % {PART * PART}u == 0u) {{
        (*sum).all += (*sum).many;
        (*sum).many = 0.0;
    }}
}}

fn loma_all(sum: ptr<function, loma_sum>) -> f32 {{
    return (*sum).all + ((*sum).many + ((*sum).few + (*sum).one));
}}

var<workgroup> loma_parts: array<array<f32, {TEAM}>, {PLACES}>;

fn loma_group(place: u32) -> f32 {{
    var sum = 0.0;
    for (var i = 0u; i < {TEAM}u; i += {ROW}u) {{
        var part = 0.0;
        for (var k = i; k < i + {ROW}u; k++) {{ part += loma_parts[place][k]; }}
        sum += part;
    }}
    return sum;
}}
"""

PUSH_POP: Final = """
fn loma_push_{kind}(tape: ptr<function, loma_tape>, x: {type}) -> bool {
    return loma_push(tape, {to});
}

fn loma_pop_{kind}(tape: ptr<function, loma_tape>, number: i32) -> {type} {
    return {back};
}
"""
POP: Final = "loma_pop(tape, number)"
KINDS: Final = {
    "bool": ("bool", "select(0u, 1u, x)", f"{POP} != 0u"),
    "i32": ("i32", "bitcast<u32>(x)", f"bitcast<i32>({POP})"),
    "i64": ("i32", "bitcast<u32>(x)", f"bitcast<i32>({POP})"),  # rounds of loops
    "f32": ("f32", "bitcast<u32>(x)", f"bitcast<f32>({POP})"),
}

FUNCTIONS: Final = {
    "loma_to_int32": """
// Toward zero; what does not fit becomes the nearest integer that does, and nan becomes 0.
fn loma_to_int32(x: f32) -> i32 {
    if (x != x) { return 0; }
    if (x >= 2147483648.0) { return 2147483647; }
    if (x < -2147483648.0) { return i32(-2147483647) - 1; }
    return i32(x);
}
""",
    "loma_shl32": """
// A count that is negative or not below the width shifts everything out.
fn loma_shl32(x: i32, count: i32) -> i32 {
    return select(x << (u32(count) & 31u), 0, count < 0 || count >= 32);
}
""",
    "loma_shr32": """
// A count that is negative or not below the width leaves the sign.
fn loma_shr32(x: i32, count: i32) -> i32 {
    return x >> select(u32(count) & 31u, 31u, count < 0 || count >= 32);
}
""",
    "loma_pow": """
// As in C: the builtin wants a base that is not negative.
fn loma_pow(x: f32, y: f32) -> f32 {
    if (y == 0.0) { return 1.0; }
    if (x >= 0.0) { return pow(x, y); }
    let p = pow(-x, y);
    let whole = trunc(y);
    if (whole != y) { return bitcast<f32>(loma_nan); }
    return select(-p, p, trunc(whole / 2.0) * 2.0 == whole);
}
""",
    "loma_round": """
// Halves away from zero.
fn loma_round(x: f32) -> f32 {
    let whole = trunc(x);
    return select(whole + select(1.0, -1.0, x < 0.0), whole, abs(x - whole) < 0.5);
}
""",
    "loma_hypot": """
fn loma_hypot(x: f32, y: f32) -> f32 {
    let large = max(abs(x), abs(y));
    if (large == 0.0) { return large; }
    let ratio = min(abs(x), abs(y)) / large;
    return large * sqrt(1.0 + ratio * ratio);
}
""",
    "loma_log10": """
fn loma_log10(x: f32) -> f32 {
    return log2(x) * 0.30103;
}
""",
    "loma_fmod": """
fn loma_fmod(x: f32, y: f32) -> f32 {
    return x - y * trunc(x / y);
}
""",
    "loma_copysign": """
fn loma_copysign(x: f32, y: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(x) & 0x7fffffffu) | (bitcast<u32>(y) & 0x80000000u));
}
""",
}


def runtime(body: str) -> str:
    """What the kernels of `body` need."""
    parts = [text for name, text in FUNCTIONS.items() if f"{name}(" in body]
    if "loma_thread" in body:
        parts.append(CONTEXT)
        parts.append(TAPE if "loma_tape" in body else "")
    parts.append(SUM if "loma_sum" in body else "")
    for kind, (type, to, back) in KINDS.items():
        if f"_{kind}(&" in body:
            text = PUSH_POP.replace("{kind}", kind).replace("{type}", type)
            parts.append(text.replace("{to}", to).replace("{back}", back))
    return "\n".join(parts)
