"""OpenCL C: kernels as text for the driver's compiler."""

from __future__ import annotations

from typing import Final

from loma.backends.c import C
from loma.backends.c_words import words
from loma.backends.cfamily import Dialect
from loma.backends.device import SCALARS, DeviceDialect, Entry, round_of
from loma.ir.layout import INDENT
from loma.ir.types import Scalar

GROUP: Final = 64
"""Threads in a group."""

WORDS: Final = words("""
    __kernel kernel __global global __local local __constant constant __private private generic
    __generic pipe
    read_only write_only read_write image2d_t sampler_t event_t half uchar ushort uint ulong
    size_t ptrdiff_t intptr_t uintptr_t float2 float3 float4 float8 float16 int2 int3 int4 int8
    int16 double2 double3 double4 select mix step clamp degrees radians sign cross dot distance
    length normalize mad mad24 mul24 rotate barrier mem_fence printf pown rootn rsqrt
    native_sin half_sin min max abs vload4 vstore4 shuffle as_float as_int as_uint as_double
    as_long prefetch get_global_id get_local_id get_group_id get_global_size get_local_size
    get_num_groups ctx _lane _next _words _capacity _heap _size _error _part _member
    maxmag minmag bitselect
""")

OPENCL: Final = Dialect(
    name="opencl",
    value=SCALARS,
    memory={**SCALARS, Scalar.BOOL: "int32_t"},
    literal=C.literal,
    math={Scalar.F32: "", Scalar.F64: ""},
    to_int=C.to_int,
    tape="loma_tape",
    growable="loma_growable",
    words=C.words | WORDS,
    taken=C.taken | WORDS,
    shared="__global ",
    long="L",
)

DOUBLES: Final = "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n"
OPENING: Final = r"""
typedef int int32_t;
typedef uint uint32_t;
typedef long int64_t;
typedef ulong uint64_t;
#define INT32_MIN INT_MIN
#define INT32_MAX INT_MAX
#define INT64_MIN LONG_MIN
#define INT64_MAX LONG_MAX
#define LOMA_SHARED __global
#define LOMA_FUNCTION static
#define LOMA_FIRST(place, number) atomic_cmpxchg((volatile __global int *)(place), 0, number)
#define LOMA_ZERO(type) (type){0}
"""

BITS: Final = {
    Scalar.BOOL: ("x", "x != 0"),
    Scalar.I32: ("as_uint(x)", "as_int(x)"),
    Scalar.I64: ("x", "as_long(x)"),
    Scalar.F32: ("as_uint(x)", "as_float(x)"),
    Scalar.F64: ("as_ulong(x)", "as_double(x)"),
}

ADD_INT: Final = r"""
LOMA_FUNCTION void loma_add_{kind}(__global {type} *place, {type} x)
{
    {atomic}_add((volatile __global {type} *)place, x);
}
"""
ADD_REAL: Final = r"""
LOMA_FUNCTION void loma_add_{kind}(__global {type} *place, {type} x)
{
    volatile __global {word} *bits = (volatile __global {word} *)place;
    {word} old = *bits, seen;
    while ((seen = {atomic}_cmpxchg(bits, old, as_{word}(as_{type}(old) + x))) != old)
        old = seen;
}
"""
ADD_ALL: Final = r"""
/* Adds what all threads of a group have to one place: one atomic addition for each group. */
LOMA_FUNCTION void loma_add_all_{kind}(__global {type} *place, __local const {type} *part)
{
    {type} sum = 0;
    for (uint i = 0; i < get_local_size(0); ++i)
        sum += part[i];
    if (sum != 0)
        loma_add_{kind}(place, sum);
}
"""
LONG_ATOMICS: Final = "#pragma OPENCL EXTENSION cl_khr_int64_base_atomics : enable\n"


def _add(t: Scalar) -> str:
    wide = t in (Scalar.I64, Scalar.F64)
    text = ADD_REAL if t.is_float else ADD_INT
    text = text.replace("{kind}", t.value).replace("{atomic}", "atom" if wide else "atomic")
    text = text.replace("{word}", "ulong" if wide else "uint")
    text = text.replace("{type}", {Scalar.I32: "int", Scalar.I64: "long"}.get(t, SCALARS[t]))
    return LONG_ATOMICS + text if wide else text


def _add_all(t: Scalar) -> str:
    return ADD_ALL.replace("{kind}", t.value).replace("{type}", SCALARS[t])


def _sums(e: Entry) -> list[str]:
    """Hands the sums of all threads to one thread for each, which adds them up.

    One barrier serves all (PoCL takes minutes to compile dozens), and the host gives the local
    memory (groups that PoCL 3.1 runs at once share what a kernel declares).
    """
    if not e.sums:
        return []
    lines = ["const uint _member = get_local_id(0);"]
    parts = [f"_part + {k * GROUP}" for k in range(len(e.sums))]
    cast = [f"((__local {SCALARS[t]} *)({p}))" for p, (t, _, _) in zip(parts, e.sums, strict=True)]
    lines += [f"{c}[_member] = {name};" for c, (_, name, _) in zip(cast, e.sums, strict=True)]
    lines.append("barrier(CLK_LOCAL_MEM_FENCE);")
    for k, (c, (t, _, place)) in enumerate(zip(cast, e.sums, strict=True)):
        lines += [f"if (_member == {k})", f"{INDENT}loma_add_all_{t.value}({place}, {c});"]
    return lines


def wide(e: Entry) -> bool:
    """Whether a kernel adds up doubles."""
    return any(t is Scalar.F64 for t, _, _ in e.sums)


def _entry(e: Entry) -> list[str]:
    parameters = [*e.parameters, "int32_t _threads"]
    body: list[str] = []
    if e.context:
        parameters += [
            "__global uint32_t *_words",
            "uint32_t _capacity",
            "__global char *_heap",
            "uint64_t _size",
            "__global int32_t *_error",
        ]
        body += [
            "const uint64_t _lane = get_global_id(0);",
            "loma_context ctx = {",
            f"{INDENT}_words + 8 * _lane, get_global_size(0) * 8, 0, _capacity,",
            f"{INDENT}_heap + _lane * _size, 0, 0, _size, _error, false",
            "};",
        ]
    if e.sums:
        parameters.append("__local double *_part" if wide(e) else "__local float *_part")
    body += [f"{SCALARS[t]} {name} = 0;" for t, name, _ in e.sums]
    body += [
        "for (int64_t _next = get_global_id(0); _next < _threads; _next += get_global_size(0)) {",
        *(INDENT + line for line in round_of(e)),
        "}",
    ]
    body += _sums(e)
    return [
        f"__kernel void {e.name}({', '.join(parameters)})",
        "{",
        *(INDENT + x for x in body),
        "}",
    ]


TARGET: Final = DeviceDialect(
    dialect=OPENCL,
    opening=OPENING,
    doubles=DOUBLES,
    bits=BITS,
    add=_add,
    add_all=_add_all,
    entry=_entry,
    pointers=False,
)
