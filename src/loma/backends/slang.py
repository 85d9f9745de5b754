"""Slang: kernels as compute entry points, whose arrays are structured buffers.

An entry takes `_tid` and `_total_threads`, then the arguments in order; buffers for tapes follow.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from loma.backends.c import C
from loma.backends.device import DEVICE, defined
from loma.backends.flat import FlatDialect
from loma.backends.flat_function import FlatEntry, Parameter
from loma.backends.slang_runtime import MACROS, WORDS, runtime
from loma.ir.layout import INDENT
from loma.ir.types import Scalar

SCALARS: Final = {
    Scalar.BOOL: "bool",
    Scalar.I32: "int",
    Scalar.I64: "int64_t",
    Scalar.F32: "float",
    Scalar.F64: "double",
}
OWN: Final = frozenset({"erf", "erfc", "expm1", "log1p", "cbrt", "hypot", "pow", "round"})
"""Functions that Slang has not, or with another meaning: the runtime has them."""


SLANG: Final = replace(
    DEVICE,
    name="slang",
    value=SCALARS,
    memory={**SCALARS, Scalar.BOOL: "int"},
    literal={Scalar.F32: "f", Scalar.F64: "l"},
    math={Scalar.F32: "", Scalar.F64: ""},
    words=C.words | WORDS,
    taken=C.taken | WORDS,
    zero="{}",
    special={"NAN f64": "double(NAN)", "INFINITY f64": "double(INFINITY)"},
    names={name: f"loma_{name}" for name in OWN},
)


def _parameter(p: Parameter) -> str:
    if not p.buffer:
        return f"uniform {p.type} {p.given}"
    return f"{'RW' if p.written or p.single else ''}StructuredBuffer<{p.type}> {p.given}"


def _entry(e: FlatEntry) -> list[str]:
    given = ["uint _tid : SV_DispatchThreadID", "uniform int _total_threads"]
    given += map(_parameter, e.parameters)
    opening = ["if (_tid >= _total_threads)", f"{INDENT}return;", f"int {e.thread} = (int)_tid;"]
    types = {p.name: p.type for p in e.parameters}
    opening += [f"{types[name]} {name} = {value};" for name, value in e.copies]
    if e.threads:
        opening.append(f"int {e.threads} = _total_threads;")
    if e.context:
        given += ["RWStructuredBuffer<uint> _words", "uniform uint _capacity"]
        given += ["RWStructuredBuffer<int> _error"]
        opening.append("loma_context ctx = { _tid, (uint)_total_threads, 0, _capacity, false };")
    head = f"void {e.name}({', '.join(given)})"
    body = [INDENT + x for x in (*opening, *e.lines)]
    return ['[shader("compute")]', "[numthreads(64, 1, 1)]", head, "{", *body, "}\n"]


TARGET: Final = FlatDialect(
    dialect=SLANG,
    opening=defined(MACROS),
    runtime=partial(runtime, atomic=True),
    entry=_entry,
    struct=("struct {}\n{{", "{};", "};\n"),
    add="LOMA_ADD({at}, {x});",
    add_real="LOMA_ADD({at}, {x});",
    stop="loma_stop(ctx, _error, {number});",
    stopped="ctx.stopped",
    push="loma_push_{kind}(ctx, _words, _error, {tape}, {x})",
    pop="loma_pop_{kind}(ctx, _words, _error, {tape}, {number})",
    drop="loma_drop(ctx, _words, {tape});",
    values=False,
)
SEQUENTIAL: Final = replace(TARGET, runtime=partial(runtime, atomic=False))
"""For a device that runs threads one after the other, and has no atomic additions of floats."""
