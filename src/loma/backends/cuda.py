"""CUDA C++: kernels as text for NVRTC."""

from __future__ import annotations

from typing import Final

from loma.backends.c import C
from loma.backends.c_words import words
from loma.backends.cfamily import Dialect
from loma.backends.device import SCALARS, DeviceDialect, Entry, round_of
from loma.ir.layout import INDENT
from loma.ir.types import Scalar

WORDS: Final = words("""
    and and_eq asm bitand bitor catch class compl const_cast decltype delete dynamic_cast
    explicit export friend mutable namespace new noexcept not not_eq operator or or_eq private
    protected public reinterpret_cast static_assert static_cast template this throw try typeid
    typename using virtual wchar_t xor xor_eq threadIdx blockIdx blockDim gridDim warpSize dim3
    half float1 float2 float3 float4 int1 int2 int3 int4 uint1 uint2 uint3 uint4 double1
    double2 double3 double4 __device__ __global__ __shared__ __constant__ min max abs saturate
    clock assert printf malloc free memcpy memset rsqrt norm norm3d norm4d sinpi cospi sincos
    fdividef umin umax ullmin ctx _lane _next _words _capacity _heap _size _error
""")

CUDA: Final = Dialect(
    name="cuda",
    value=SCALARS,
    memory={**SCALARS, Scalar.BOOL: "int32_t"},
    literal=C.literal,
    math=C.math,
    to_int=C.to_int,
    tape="loma_tape",
    growable="loma_growable",
    words=C.words | WORDS,
    taken=C.taken | WORDS,
    zero="{}",
    reciprocal_root="rsqrtf",
)

OPENING: Final = r"""
#ifdef __CUDACC_RTC__
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long long int64_t;
typedef unsigned long long uint64_t;
#else
#include <stdint.h>
#endif
#ifndef INT32_MIN
#define INT32_MIN (-2147483647 - 1)
#define INT32_MAX 2147483647
#define INT64_MIN (-9223372036854775807LL - 1)
#define INT64_MAX 9223372036854775807LL
#endif
#ifndef NAN
#define NAN __int_as_float(0x7fffffff)
#define INFINITY __int_as_float(0x7f800000)
#endif
#define restrict __restrict__
#define LOMA_SHARED
#define LOMA_FUNCTION static __device__ __forceinline__
#define LOMA_FIRST(place, number) atomicCAS(place, 0, number)
#define LOMA_ZERO(type) type()
"""

BITS: Final = {
    Scalar.BOOL: ("x", "x != 0"),
    Scalar.I32: ("(uint32_t)x", "(int32_t)x"),
    Scalar.I64: ("x", "(int64_t)x"),
    Scalar.F32: ("__float_as_uint(x)", "__uint_as_float(x)"),
    Scalar.F64: ("__double_as_longlong(x)", "__longlong_as_double((int64_t)x)"),
}

ADD: Final = r"""
LOMA_FUNCTION void loma_add_{kind}({type} *place, {type} x)
{
    atomicAdd({cast}place, {convert}x);
}
"""

POOL: Final = r"""
/* What the threads of a block add to memory that they only add to is collected by place, in double
   precision, and reaches memory once, when the block has done its work: so many threads can add to
   one place. A key is an address, plus one where doubles lie there. */
#define LOMA_PLACES 256
static __shared__ unsigned long long loma_keys[LOMA_PLACES];
static __shared__ double loma_sums[LOMA_PLACES];

LOMA_FUNCTION void loma_pool_begin()
{
    for (int i = threadIdx.x; i < LOMA_PLACES; i += blockDim.x) {
        loma_keys[i] = 0;
        loma_sums[i] = 0;
    }
    __syncthreads();
}

LOMA_FUNCTION bool loma_collect(unsigned long long key, double x)
{
    unsigned place = (unsigned)(key >> 2) + 61 * (unsigned)(key >> 10);
    for (int tries = 0; tries < 2; ++tries, place += 97) {
        unsigned long long *found = &loma_keys[place % LOMA_PLACES];
        unsigned long long there = *(volatile unsigned long long *)found;
        if (there == 0)
            there = atomicCAS(found, 0ULL, key);
        if (there == 0 || there == key) {
            atomicAdd(&loma_sums[place % LOMA_PLACES], x);
            return true;
        }
    }
    return false;
}

LOMA_FUNCTION void loma_pool_end()
{
    __syncthreads();
    for (int i = threadIdx.x; i < LOMA_PLACES; i += blockDim.x) {
        const unsigned long long key = loma_keys[i];
        if (key % 2)
            atomicAdd((double *)(key - 1), loma_sums[i]);
        else if (key)
            atomicAdd((float *)key, (float)loma_sums[i]);
    }
}
"""

POOLED: Final = r"""
/* Where the threads of a warp that are here add to one place, one of them does it for all. */
LOMA_FUNCTION void loma_pool_{kind}({type} *place, {type} x)
{
    const unsigned active = __activemask(), first = __ffs(active) - 1;
    const unsigned long long here = (unsigned long long)place;
    if (!__all_sync(active, here == __shfl_sync(active, here, first))) {
        atomicAdd(place, x);
        return;
    }
    if (active == 0xffffffffu) {
        for (int apart = 16; apart > 0; apart /= 2)
            x += __shfl_down_sync(active, x, apart);
    } else {
        const {type} own = x;
        for (unsigned others = active & (active - 1); others; others &= others - 1)
            x += __shfl_sync(active, own, __ffs(others) - 1);
    }
    if (threadIdx.x % 32 == first && !loma_collect(here{mark}, x))
        atomicAdd(place, x);
}
"""

ADD_ALL: Final = r"""
/* Adds what all threads of a block have to one place: one atomic addition for each block. */
LOMA_FUNCTION void loma_add_all_{kind}({type} *place, {type} x)
{
    __shared__ {type} part[32];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    for (int apart = 16; apart > 0; apart /= 2)
        x += __shfl_down_sync(0xffffffffu, x, apart);
    if (lane == 0)
        part[warp] = x;
    __syncthreads();
    if (warp == 0) {
        x = lane < warps ? part[lane] : 0;
        for (int apart = 16; apart > 0; apart /= 2)
            x += __shfl_down_sync(0xffffffffu, x, apart);
        if (lane == 0 && x != 0)
            atomicAdd(place, x);
    }
    __syncthreads();
}
"""


def _add(t: Scalar) -> str:
    cast, convert = ("", "")
    if t is Scalar.I64:
        cast, convert = "(unsigned long long *)", "(unsigned long long)"
    text = ADD.replace("{kind}", t.value).replace("{type}", SCALARS[t])
    return text.replace("{cast}", cast).replace("{convert}", convert)


def _add_all(t: Scalar) -> str:
    return ADD_ALL.replace("{kind}", t.value).replace("{type}", SCALARS[t])


def _pool(types: set[Scalar]) -> str:
    texts = [POOL]
    for t in sorted(types, key=lambda t: t.value):
        text = POOLED.replace("{kind}", t.value).replace("{type}", SCALARS[t])
        texts.append(text.replace("{mark}", " + 1" if t is Scalar.F64 else ""))
    return "".join(texts)


def _entry(e: Entry) -> list[str]:
    parameters = [*e.parameters, "int32_t _threads"]
    body = []
    if e.context:
        parameters += [
            "uint32_t *_words",
            "uint32_t _capacity",
            "char *_heap",
            "uint64_t _size",
            "int32_t *_error",
        ]
        body += [
            "const uint64_t _lane = blockIdx.x * (uint64_t)blockDim.x + threadIdx.x;",
            "loma_context ctx = {",
            f"{INDENT}_words + 8 * _lane, gridDim.x * (uint64_t)blockDim.x * 8, 0, _capacity,",
            f"{INDENT}_heap + _lane * _size, 0, 0, _size, _error, false",
            "};",
        ]
    body += ["loma_pool_begin();"] if e.pools else []
    body += [f"{SCALARS[t]} {name} = 0;" for t, name, _ in e.sums]
    body += [
        "for (int64_t _next = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; _next < _threads;",
        f"{INDENT * 2}_next += gridDim.x * (int64_t)blockDim.x) {{",
        *(INDENT + line for line in round_of(e)),
        "}",
    ]
    body += [f"loma_add_all_{t.value}({place}, {name});" for t, name, place in e.sums]
    body += ["loma_pool_end();"] if e.pools else []
    head = f'extern "C" __global__ void {e.name}({", ".join(parameters)})'
    return [head, "{", *(INDENT + x for x in body), "}"]


TARGET: Final = DeviceDialect(
    dialect=CUDA,
    opening=OPENING,
    doubles="",
    bits=BITS,
    add=_add,
    add_all=_add_all,
    entry=_entry,
    pointers=True,
    pool=_pool,
)
