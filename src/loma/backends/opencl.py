"""OpenCL C: kernels as text for the driver's compiler."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from loma.backends.device import DeviceDialect, relative
from loma.backends.device_entry import SCALARS, Entries, Entry
from loma.ir.layout import INDENT
from loma.ir.types import Scalar

GROUP: Final = 64
"""Threads in a group."""

OPENCL: Final = replace(
    relative("opencl", """
        __kernel kernel __global global __local local __constant constant __private private generic
        __generic pipe read_only write_only read_write image2d_t sampler_t event_t half uchar ushort
        uint ulong size_t ptrdiff_t intptr_t uintptr_t float2 float3 float4 float8 float16 int2 int3
        int4 int8 int16 double2 double3 double4 select mix step clamp degrees radians sign cross dot
        distance length normalize mad mad24 mul24 rotate barrier mem_fence printf pown rootn rsqrt
        native_sin half_sin min max abs vload4 vstore4 shuffle as_float as_int as_uint as_double
        as_long prefetch get_global_id get_local_id get_group_id get_global_size get_local_size
        get_num_groups maxmag minmag bitselect _part _member
    """),
    math={Scalar.F32: "", Scalar.F64: ""},
    shared="__global ",
    long="L",
)

TYPES: Final = """
typedef int int32_t;
typedef uint uint32_t;
typedef long int64_t;
typedef ulong uint64_t;
"""
MACROS: Final = {
    "LOMA_SHARED": "__global",
    "LOMA_FUNCTION": "static",
    "LOMA_FIRST(place, number)": "atomic_cmpxchg((volatile __global int *)(place), 0, number)",
    "LOMA_ZERO(type)": "(type){0}",
}
BITS: Final = {
    Scalar.BOOL: ("x", "x != 0"),
    Scalar.I32: ("as_uint(x)", "as_int(x)"),
    Scalar.I64: ("x", "as_long(x)"),
    Scalar.F32: ("as_uint(x)", "as_float(x)"),
    Scalar.F64: ("as_ulong(x)", "as_double(x)"),
}

ADD_INT: Final = """
LOMA_FUNCTION void loma_add_{kind}(__global {type} *place, {type} x)
{
    {atomic}_add((volatile __global {type} *)place, x);
}
"""
ADD_REAL: Final = """
LOMA_FUNCTION void loma_add_{kind}(__global {type} *place, {type} x)
{
    volatile __global {word} *bits = (volatile __global {word} *)place;
    {word} old = *bits, seen;
    while ((seen = {atomic}_cmpxchg(bits, old, as_{word}(as_{type}(old) + x))) != old)
        old = seen;
}
"""
ADD_ALL: Final = """
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
    text = ADD_REAL if t.is_float else ADD_INT
    if t.bytes == 4:
        return text.replace("{atomic}", "atomic").replace("{word}", "uint")
    return LONG_ATOMICS + text.replace("{atomic}", "atom").replace("{word}", "ulong")


def _widest(e: Entry) -> Scalar:
    """The type of the memory in which threads put their sums."""
    return Scalar.F64 if any(t is Scalar.F64 for t, _, _ in e.sums) else Scalar.F32


def _part(e: Entry) -> list[str]:
    """Local memory, which the host gives: groups that PoCL 3.1 runs at once share what a kernel
    declares."""
    return [f"__local {SCALARS[_widest(e)]} *_part"] if e.sums else []


def _sums(e: Entry) -> list[str]:
    """Hands the sums of all threads to one thread for each, which adds them up. One barrier serves
    all (PoCL takes minutes to compile dozens)."""
    if not e.sums:
        return []
    begins = [f"_part + {k * GROUP}" if k else "_part" for k in range(len(e.sums))]
    parts = [x if t is _widest(e) else f"(__local {SCALARS[t]} *)({x})"
             for x, (t, _, _) in zip(begins, e.sums, strict=True)]
    lines = ["const uint _member = get_local_id(0);"]
    lines += [f"*({p} + _member) = {name};" for p, (_, name, _) in zip(parts, e.sums, strict=True)]
    lines.append("barrier(CLK_LOCAL_MEM_FENCE);")
    for k, (p, (t, _, place)) in enumerate(zip(parts, e.sums, strict=True)):
        lines += [f"if (_member == {k})", f"{INDENT}loma_add_all_{t.value}({place}, {p});"]
    return lines


TARGET: Final = DeviceDialect(
    dialect=OPENCL,
    doubles="#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n",
    types=TYPES,
    macros=MACROS,
    bits=BITS,
    add=_add,
    add_all=ADD_ALL,
    entries=Entries(
        head="__kernel void {name}({parameters})",
        lane="get_global_id(0)",
        lanes="get_global_size(0)",
        parts=True,
        more=_part,
        after=_sums,
    ),
    pointers=False,
)
