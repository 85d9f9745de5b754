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
from loma.backends.flat_sums import LANES, TEAM, Sums
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


SEQUENTIAL_SUMS: Final = Sums(
    declare="loma_sum<{type}> {name} = {{}};",
    next="loma_next({name}, _k);",
    chosen="",
    take="{type} _sum = loma_all({name});",
    nonzero="_sum != 0",
    scalars=SCALARS,
)
SUMS: Final = replace(
    SEQUENTIAL_SUMS,
    chosen="if (_member == {member})",
    take="{type} _sum = loma_group_{kind}({member});",
    put="loma_parts_{kind}[{member}][_member] = loma_all({name});",
    barrier="GroupMemoryBarrierWithGroupSync();",
)


def _entry(e: FlatEntry, sums: Sums, lanes: int) -> list[str]:
    given = ["uint _tid : SV_DispatchThreadID", "uniform int _total_threads"]
    given += map(_parameter, e.parameters)
    types = {p.name: p.type for p in e.parameters}
    opening = [f"{types[name]} {name} = {value};" for name, value in e.copies]
    if e.threads:
        opening.append(f"int {e.threads} = _total_threads;")
    if e.context:
        given += ["RWStructuredBuffer<uint> _words", "uniform uint _capacity"]
        given += ["RWStructuredBuffer<int> _error"]
    body = _lane(e, sums, lanes, opening) if e.sums else _thread(e, opening)
    head = f"void {e.name}({', '.join(given)})"
    group = TEAM if e.sums else 64
    return ['[shader("compute")]', f"[numthreads({group}, 1, 1)]", head, "{",
            *(INDENT + x for x in body), "}\n"]


def _thread(e: FlatEntry, opening: list[str]) -> list[str]:
    """A lane that is one thread."""
    leave = ["if (_tid >= _total_threads)", f"{INDENT}return;"]
    context = ["loma_context ctx = { _tid, (uint)_total_threads, 0, _capacity, false };"]
    return [*leave, f"int {e.thread} = (int)_tid;", *opening, *(context if e.context else []),
            *e.lines]


def _lane(e: FlatEntry, sums: Sums, lanes: int, opening: list[str]) -> list[str]:
    """A lane that takes several threads, and adds up what they add."""
    context = ["if (ctx.stopped)", f"{INDENT}break;", "ctx.used = 0;"] if e.context else []
    memory = [f"loma_context ctx = {{ _tid, min(_end, {lanes}), 0, _capacity, false }};"]
    member = [f"uint _member = _tid % {TEAM};"] if sums.put else []
    inner = [f"uint _k = _next / {lanes};", *sums.each(sums.next, e.sums),
             f"int {e.thread} = (int)_next;", *context, *opening, *e.lines]
    return [
        "uint _end = (uint)max(_total_threads, 0);",
        *member,
        *(memory if e.context else []),
        *sums.each(sums.declare, e.sums),
        f"uint _first = _tid < {lanes} ? _tid : _end;",
        f"for (uint _next = _first; _next < _end; _next += {lanes}) {{",
        *(INDENT + x for x in inner), "}",
        *sums.end(e.sums),
    ]


TARGET: Final = FlatDialect(
    dialect=SLANG,
    opening=defined(MACROS),
    runtime=partial(runtime, atomic=True),
    entry=partial(_entry, sums=SUMS, lanes=LANES),
    lanes=LANES,
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
SEQUENTIAL: Final = replace(
    TARGET,
    runtime=partial(runtime, atomic=False),
    entry=partial(_entry, sums=SEQUENTIAL_SUMS, lanes=TEAM),
    lanes=TEAM,
)
"""For a device that runs threads one after the other, and has no atomic additions of floats."""
