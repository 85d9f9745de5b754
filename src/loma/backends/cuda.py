"""CUDA C++: kernels as text for NVRTC."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from loma.backends.cuda_runtime import ADD_ALL, pool
from loma.backends.device import DeviceDialect, relative
from loma.backends.device_entry import Entries, Entry
from loma.ir.types import Scalar

CUDA: Final = replace(
    relative("cuda", """
        and and_eq asm bitand bitor catch class compl const_cast decltype delete dynamic_cast
        explicit export friend mutable namespace new noexcept not not_eq operator or or_eq private
        protected public reinterpret_cast static_assert static_cast template this throw try typeid
        typename using virtual wchar_t xor xor_eq threadIdx blockIdx blockDim gridDim warpSize dim3
        half float1 float2 float3 float4 int1 int2 int3 int4 uint1 uint2 uint3 uint4 double1
        double2 double3 double4 __device__ __global__ __shared__ __constant__ min max abs saturate
        clock assert printf malloc free memcpy memset rsqrt norm norm3d norm4d sinpi cospi sincos
        fdividef umin umax ullmin
    """),
    zero="{}",
    reciprocal_root="rsqrtf",
)

TYPES: Final = """
#ifdef __CUDACC_RTC__
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#else
#include <stdint.h>
#endif
"""
MACROS: Final = {
    "NAN": "__int_as_float(0x7fffffff)",
    "INFINITY": "__int_as_float(0x7f800000)",
    "restrict": "__restrict__",
    "LOMA_SHARED": "",
    "LOMA_FUNCTION": "static __device__ __forceinline__",
    "LOMA_FIRST(place, number)": "atomicCAS(place, 0, number)",
    "LOMA_ZERO(type)": "type()",
}
BITS: Final = {
    Scalar.BOOL: ("x", "x != 0"),
    Scalar.I32: ("(uint32_t)x", "(int32_t)x"),
    Scalar.I64: ("x", "(int64_t)x"),
    Scalar.F32: ("__float_as_uint(x)", "__uint_as_float(x)"),
    Scalar.F64: ("__double_as_longlong(x)", "__longlong_as_double((int64_t)x)"),
}

ADD: Final = """
LOMA_FUNCTION void loma_add_{kind}({type} *place, {type} x)
{
    atomicAdd({unsigned *}place, {unsigned}x);
}
"""


def _add(t: Scalar) -> str:
    """There is no atomicAdd of long long."""
    kind = "unsigned long long"
    pointer, value = (f"({kind} *)", f"({kind})") if t is Scalar.I64 else ("", "")
    return ADD.replace("{unsigned *}", pointer).replace("{unsigned}", value)


def _begin(e: Entry) -> list[str]:
    return ["loma_pool_begin();"] if e.pools else []


def _end(e: Entry) -> list[str]:
    lines = [f"loma_add_all_{t.value}({place}, {name});" for t, name, place in e.sums]
    return [*lines, "loma_pool_end();"] if e.pools else lines


TARGET: Final = DeviceDialect(
    dialect=CUDA,
    types=TYPES,
    macros=MACROS,
    bits=BITS,
    add=_add,
    add_all=ADD_ALL,
    entries=Entries(
        head='extern "C" __global__ void {name}({parameters})',
        lane="blockIdx.x * (int64_t)blockDim.x + threadIdx.x",
        lanes="gridDim.x * (int64_t)blockDim.x",
        before=_begin,
        after=_end,
    ),
    pointers=True,
    pool=pool,
)
