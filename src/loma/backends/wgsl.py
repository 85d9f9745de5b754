"""WGSL: kernels as compute entry points for WebGPU.

Arrays are buffers of group 0 in the order of the arguments; what is passed by value lies in one
struct behind them. There are no doubles and no 64-bit integers; what threads add to together is
made of atomic words, and floats are added by compare-and-swap. Where all threads add to one place,
lanes take several threads each, so many lanes as the host says.
"""

from __future__ import annotations

from typing import Final

from loma.backends.cfamily import Dialect
from loma.backends.flat import FlatDialect
from loma.backends.flat_function import FlatEntry, Words
from loma.backends.flat_sums import TEAM, Sums
from loma.backends.wgsl_runtime import ADD, OPENING, WORDS, runtime
from loma.ir.layout import INDENT
from loma.ir.types import Scalar

GROUP: Final = 64
ROW: Final = 4194240
"""Threads in one row of a dispatch: 65535 groups."""
SCALARS: Final = {
    Scalar.BOOL: "bool",
    Scalar.I32: "i32",
    Scalar.I64: "i32",  # rounds of loops; programs that compute with them are refused
    Scalar.F32: "f32",
    Scalar.F64: "f64",
}
OWN: Final = frozenset({"pow", "round", "hypot", "log10", "fmod", "copysign"})
"""Functions of the runtime: WGSL has them not, or with another meaning."""


WGSL: Final = Dialect(
    name="wgsl",
    value=SCALARS,
    memory={**SCALARS, Scalar.BOOL: "i32"},
    literal={Scalar.F32: "f", Scalar.F64: ""},
    math={Scalar.F32: "", Scalar.F64: ""},
    to_int={Scalar.I32: "loma_to_int32", Scalar.I64: "loma_to_int32"},
    tape="loma_tape",
    growable="",
    words=WORDS,
    taken=WORDS,
    long="",
    zero="",
    variable="var {name}: {type}",
    array="array<{}>",
    choice="select({y}, {x}, {cond})",
    cast="{type}({x})",
    special={
        "NAN": "bitcast<f32>(loma_nan)",
        "INFINITY": "bitcast<f32>(loma_infinity)",
        "INT32_MIN": "(-2147483647 - 1)",
    },
    names={"fabs": "abs", **{name: f"loma_{name}" for name in OWN}},
    truth="i32({})",
    step=("{}++", "{}--"),
    braces=True,
    one_counter=True,
)


SUMS: Final = Sums(
    declare="var {name}: loma_sum;",
    next="loma_next(&{name}, _k);",
    chosen="if (_member == {member}u)",
    take="let _sum = loma_group({member}u);",
    nonzero="_sum != 0.0",
    scalars=SCALARS,
    put="loma_parts[{member}][_member] = loma_all(&{name});",
    barrier="workgroupBarrier();",
)


def _entry(e: FlatEntry) -> list[str]:
    buffers = [p for p in e.parameters if p.buffer]
    values = [p for p in e.parameters if not p.buffer]
    out = [f"struct {e.name}_arguments {{"]
    out += [f"{INDENT}{p.name}: {p.type}," for p in values]
    out += [f"{INDENT}loma_threads: i32,", f"{INDENT}loma_capacity: u32,"]
    out += [f"{INDENT}loma_lanes: u32,", "}"] if e.sums else ["}"]
    bound = "@group(0) @binding({}) var<storage, {}> {}: {};"
    for k, p in enumerate(buffers):
        access = "read_write" if p.written else "read"
        out.append(bound.format(k, access, p.name, f"array<{p.type}>"))
    arguments = f"{e.name}_args"
    out.append(bound.format(len(buffers), "read", arguments, f"{e.name}_arguments") + "\n")
    opening = [f"var {p.name} = {arguments}.{p.name};" for p in values]
    if e.threads:
        opening.append(f"let {e.threads}: i32 = {arguments}.loma_threads;")
    body = (_lane if e.sums else _thread)(e, arguments, opening)
    head = f"fn {e.name}(@builtin(global_invocation_id) _at: vec3<u32>) {{"
    return [*out, f"@compute @workgroup_size({TEAM if e.sums else GROUP})", head,
            *(INDENT + x for x in body), "}\n"]


def _thread(e: FlatEntry, arguments: str, opening: list[str]) -> list[str]:
    """A lane that is one thread."""
    index = f"let {e.thread}: i32 = i32(_at.x + _at.y * {ROW}u);"
    leave = f"if ({e.thread} >= {arguments}.loma_threads) {{ return; }}"
    memory = _memory(e, arguments, f"u32({e.thread})", f"u32({arguments}.loma_threads)")
    return [index, leave, *opening, *memory, *e.lines]


def _lane(e: FlatEntry, arguments: str, opening: list[str]) -> list[str]:
    """A lane that takes several threads, and adds up what they add."""
    context = ["if (loma_stopped) { break; }", "loma_used = 0u;"] if e.context else []
    inner = [*SUMS.each(SUMS.next, e.sums), f"let {e.thread}: i32 = i32(_next);",
             "_next += _lanes;", *context, *opening, *e.lines]
    return [
        f"let _lane = _at.x + _at.y * {ROW}u;",
        f"let _member = _at.x % {TEAM}u;",
        f"let _lanes = {arguments}.loma_lanes;",
        f"let _end = u32(max({arguments}.loma_threads, 0));",
        *_memory(e, arguments, "_lane", "_lanes"),
        *SUMS.each(SUMS.declare, e.sums),
        "var _next = select(_end, _lane, _lane < _lanes);",
        "for (var _k = 0u; _next < _end; _k++) {", *(INDENT + x for x in inner), "}",
        *SUMS.end(e.sums),
    ]


def _memory(e: FlatEntry, arguments: str, lane: str, lanes: str) -> list[str]:
    """Where a lane's tapes are."""
    return [f"loma_thread = {lane};", f"loma_stride = {lanes};",
            f"loma_capacity = {arguments}.loma_capacity;"] if e.context else []


TARGET: Final = FlatDialect(
    dialect=WGSL,
    opening=OPENING,
    runtime=runtime,
    entry=_entry,
    struct=("struct {} {{", "{},", "}\n"),
    add="atomicAdd(&{at}, bitcast<u32>({x}));",
    add_real=ADD,
    stop="loma_stop({number});",
    stopped="loma_stopped",
    push="loma_push_{kind}(&{tape}, {x})",
    pop="loma_pop_{kind}(&{tape}, {number})",
    drop="loma_drop(&{tape});",
    words=Words("atomic<u32>", "bitcast<{type}>(atomicLoad(&{at}))",
                "atomicStore(&{at}, bitcast<u32>({x}));"),
    narrow=True,
    missing=frozenset({"erf", "erfc_libm", "expm1", "log1p", "cbrt_libm", "strong_mul"}),
    prefixed=True,
)
