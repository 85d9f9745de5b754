"""What generated CUDA C++ rests on: how the threads of a block add up what they have."""

from __future__ import annotations

from typing import Final

from loma.backends.device_entry import SCALARS
from loma.ir.types import Scalar

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


def pool(types: set[Scalar]) -> str:
    """What blocks need that collect additions of these types."""
    texts = [POOL]
    for t in sorted(types, key=lambda t: t.value):
        text = POOLED.replace("{kind}", t.value).replace("{type}", SCALARS[t])
        texts.append(text.replace("{mark}", " + 1" if t is Scalar.F64 else ""))
    return "".join(texts)
