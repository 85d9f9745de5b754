"""WGSL: kernels as compute entry points for WebGPU.

Arrays are buffers of group 0 in the order of the arguments; what is passed by value lies in one
struct behind them. There are no doubles and no 64-bit integers; what threads add to together is
made of atomic words, and floats are added by compare-and-swap.
"""

from __future__ import annotations

from typing import Final

from loma.backends.cfamily import Dialect
from loma.backends.flat import FlatDialect
from loma.backends.flat_function import FlatEntry, Words
from loma.backends.wgsl_runtime import OPENING, WORDS, runtime
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
ADD: Final = """{
    let _x: f32 = {x};
    loop {
        let _old = atomicLoad(&{at});
        let _new = bitcast<u32>(bitcast<f32>(_old) + _x);
        if (atomicCompareExchangeWeak(&{at}, _old, _new).exchanged) { break; }
    }
}"""


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


def _entry(e: FlatEntry) -> list[str]:
    buffers = [p for p in e.parameters if p.buffer]
    values = [p for p in e.parameters if not p.buffer]
    out = [f"struct {e.name}_arguments {{"]
    out += [f"{INDENT}{p.name}: {p.type}," for p in values]
    out += [f"{INDENT}loma_threads: i32,", f"{INDENT}loma_capacity: u32,", "}"]
    bound = "@group(0) @binding({}) var<storage, {}> {}: {};"
    for k, p in enumerate(buffers):
        access = "read_write" if p.written else "read"
        out.append(bound.format(k, access, p.name, f"array<{p.type}>"))
    arguments = f"{e.name}_args"
    out.append(bound.format(len(buffers), "read", arguments, f"{e.name}_arguments") + "\n")
    body = [
        f"let {e.thread}: i32 = i32(_at.x + _at.y * {ROW}u);",
        f"if ({e.thread} >= {arguments}.loma_threads) {{ return; }}",
        *(f"var {p.name} = {arguments}.{p.name};" for p in values),
    ]
    if e.threads:
        body.append(f"let {e.threads}: i32 = {arguments}.loma_threads;")
    if e.context:
        body += [f"loma_thread = u32({e.thread});",
                 f"loma_stride = u32({arguments}.loma_threads);",
                 f"loma_capacity = {arguments}.loma_capacity;"]
    head = f"fn {e.name}(@builtin(global_invocation_id) _at: vec3<u32>) {{"
    return [*out, f"@compute @workgroup_size({GROUP})", head,
            *(INDENT + x for x in (*body, *e.lines)), "}\n"]


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
