"""What generated kernels rest on, in the common core of CUDA C++ and OpenCL C.

LOMA_SHARED     how pointers to memory that all threads see are qualified
LOMA_FUNCTION   how a function of the device is declared
LOMA_FIRST(p,n) *p becomes n if it is 0, atomically
LOMA_ZERO(t)    a zero of a type
"""

from __future__ import annotations

from typing import Final

MEMORY: Final = r"""
/* What a launch gives its threads: words for tapes (eight words of a thread lie beside eight of the
   next), bytes for local arrays, and a place for the number of the first error. */
typedef struct loma_context {
    LOMA_SHARED uint32_t *words;
    uint64_t stride;
    uint32_t used, capacity;
    LOMA_SHARED char *heap;
    uint64_t filled, top, size;
    LOMA_SHARED int32_t *error;
    bool stopped;
} loma_context;

#define LOMA_WORD(i) ctx->words[((i) >> 3) * ctx->stride + ((i) & 7)]
#define LOMA_TAPE_FULL (-1)
#define LOMA_HEAP_FULL (-2)

LOMA_FUNCTION void loma_stop(loma_context *ctx, int32_t number)
{
    LOMA_FIRST(ctx->error, number);
    ctx->stopped = true;
}
"""

HEAP: Final = r"""
/* Blocks that are released in the reverse order give their memory back at once, others with
   them. */
typedef struct loma_block {
    uint64_t below, released;
} loma_block;

LOMA_FUNCTION LOMA_SHARED char *loma_allocate(loma_context *ctx, int64_t count, uint64_t size)
{
    uint64_t wanted = count > 0 ? ((uint64_t)count * size + 15) / 16 * 16 : 0;
    uint64_t start = ctx->filled + sizeof(loma_block);
    if ((count > 0 && wanted / (uint64_t)count < size) || wanted > ctx->size
            || start > ctx->size - wanted) {
        loma_stop(ctx, LOMA_HEAP_FULL);
        return ctx->heap;
    }
    LOMA_SHARED loma_block *block = (LOMA_SHARED loma_block *)(ctx->heap + ctx->filled);
    block->below = ctx->top;
    block->released = 0;
    ctx->top = start;
    ctx->filled = start + wanted;
    LOMA_SHARED uint32_t *data = (LOMA_SHARED uint32_t *)(ctx->heap + start);
    for (uint64_t i = 0; i < wanted / 4; ++i)
        data[i] = 0;
    return ctx->heap + start;
}

LOMA_FUNCTION void loma_release(loma_context *ctx, const LOMA_SHARED void *data)
{
    if (data == 0)
        return;
    ((LOMA_SHARED loma_block *)data - 1)->released = 1;
    while (ctx->top != 0) {
        const LOMA_SHARED loma_block *block = (LOMA_SHARED loma_block *)(ctx->heap + ctx->top) - 1;
        if (!block->released)
            return;
        ctx->filled = ctx->top - sizeof(loma_block);
        ctx->top = block->below;
    }
}
"""

TAPE: Final = r"""
/* A last-in first-out store of words, in chunks: below the first word of each but the lowest lie
   the start, the top and the end of the chunk under it. */
typedef struct loma_tape {
    uint32_t start, top, end;
} loma_tape;

LOMA_FUNCTION bool loma_room(loma_context *ctx, loma_tape *tape, uint32_t count)
{
    if (tape->top + count <= tape->end)
        return true;
    uint32_t more = tape->end - tape->start < 1024 ? 16 + (tape->end - tape->start) : 1024;
    if (more > ctx->capacity - ctx->used)
        more = ctx->capacity - ctx->used;
    if (more < count + 3) {
        loma_stop(ctx, LOMA_TAPE_FULL);
        return false;
    }
    if (tape->end != ctx->used || tape->end == 0) {
        LOMA_WORD(ctx->used) = tape->start;
        LOMA_WORD(ctx->used + 1) = tape->top;
        LOMA_WORD(ctx->used + 2) = tape->end;
        tape->start = tape->top = ctx->used + 3;
        tape->end = ctx->used;
    }
    tape->end += more;
    ctx->used += more;
    return true;
}

LOMA_FUNCTION void loma_less(loma_context *ctx, loma_tape *tape)
{
    const uint32_t below = tape->start - 3;
    if (ctx->used == tape->end)
        ctx->used = below;
    tape->start = LOMA_WORD(below);
    tape->top = LOMA_WORD(below + 1);
    tape->end = LOMA_WORD(below + 2);
}

LOMA_FUNCTION bool loma_push_word(loma_context *ctx, loma_tape *tape, uint32_t x)
{
    if (!loma_room(ctx, tape, 1))
        return false;
    LOMA_WORD(tape->top) = x;
    ++tape->top;
    return true;
}

LOMA_FUNCTION uint32_t loma_pop_word(loma_context *ctx, loma_tape *tape, int32_t number)
{
    while (tape->end != 0 && tape->top == tape->start)
        loma_less(ctx, tape);
    if (tape->end == 0) {
        loma_stop(ctx, number);
        return 0;
    }
    --tape->top;
    return LOMA_WORD(tape->top);
}

LOMA_FUNCTION void loma_drop(loma_context *ctx, loma_tape *tape)
{
    while (tape->end != 0)
        loma_less(ctx, tape);
}
"""

GROWABLE: Final = r"""
/* An endless zeroed array: only the span between the outermost elements written is kept. */
typedef struct loma_growable {
    LOMA_SHARED char *data;
    int64_t first, count;
} loma_growable;

LOMA_FUNCTION bool loma_inside(const loma_growable *a, int64_t i)
{
    return (uint64_t)i - (uint64_t)a->first < (uint64_t)a->count;
}

LOMA_FUNCTION LOMA_SHARED char *loma_address(const loma_growable *a, int64_t i, uint64_t size)
{
    return a->data + ((uint64_t)i - (uint64_t)a->first) * size;
}

LOMA_FUNCTION LOMA_SHARED char *loma_at(
    loma_context *ctx, loma_growable *a, int64_t i, uint64_t size)
{
    if (loma_inside(a, i))
        return loma_address(a, i, size);
    bool below = a->count != 0 && i < a->first;
    int64_t first = a->count == 0 ? i : a->first;
    uint64_t least = below ? (uint64_t)first - (uint64_t)i : (uint64_t)i - first + 1 - a->count;
    uint64_t more = a->count > 8 ? (uint64_t)a->count : 8;
    if (more < least)
        more = least;
    LOMA_SHARED char *data = loma_allocate(ctx, (int64_t)((uint64_t)a->count + more), size);
    if (ctx->stopped)
        return data;
    uint64_t shift = below ? more : 0;
    LOMA_SHARED uint32_t *to = (LOMA_SHARED uint32_t *)(data + shift * size);
    LOMA_SHARED uint32_t *from = (LOMA_SHARED uint32_t *)a->data;
    for (uint64_t k = 0; k < (uint64_t)a->count * size / 4; ++k)
        to[k] = from[k];
    loma_release(ctx, a->data);
    a->data = data;
    a->first = (int64_t)((uint64_t)first - shift);
    a->count += (int64_t)more;
    return loma_address(a, i, size);
}

#define LOMA_AT(a, type, i, line) (*(LOMA_SHARED type *)loma_at(ctx, &(a), i, sizeof(type)))
#define LOMA_PEEK(a, type, i) \
    (loma_inside(&(a), i) ? *(LOMA_SHARED type *)loma_address(&(a), i, sizeof(type)) \
                          : LOMA_ZERO(type))
"""

TO_INT: Final = r"""
/* Toward zero; what does not fit becomes the nearest integer that does, and nan becomes 0. */
LOMA_FUNCTION int32_t loma_to_int32({real} x)
{
    return x != x ? 0
        : x < {low32} ? INT32_MIN
        : x >= {high32} ? INT32_MAX
        : (int32_t)x;
}
"""

TO_LONG: Final = r"""
/* Toward zero; what does not fit becomes the nearest integer that does, and nan becomes 0. */
LOMA_FUNCTION int64_t loma_to_int64({real} x)
{
    return x != x ? 0
        : x < {low64} ? INT64_MIN
        : x >= {high64} ? INT64_MAX
        : (int64_t)x;
}
"""

SHIFTS: Final = r"""
/* A count that is negative or not below the width shifts everything out, or leaves the sign. */
LOMA_FUNCTION int{width}_t loma_shl{width}(int{width}_t x, int{width}_t count)
{
    return count < 0 || count >= {width} ? 0 : (int{width}_t)((uint{width}_t)x << count);
}

LOMA_FUNCTION int{width}_t loma_shr{width}(int{width}_t x, int{width}_t count)
{
    return x >> (count < 0 || count >= {width} ? {width} - 1 : count);
}
"""

PUSH_WORD: Final = r"""
LOMA_FUNCTION bool loma_push_{kind}(loma_context *ctx, loma_tape *tape, {type} x)
{
    return loma_push_word(ctx, tape, {to});
}

LOMA_FUNCTION {type} loma_pop_{kind}(loma_context *ctx, loma_tape *tape, int32_t number)
{
    uint32_t x = loma_pop_word(ctx, tape, number);
    return {back};
}
"""

PUSH_PAIR: Final = r"""
LOMA_FUNCTION bool loma_push_{kind}(loma_context *ctx, loma_tape *tape, {type} x)
{
    uint64_t bits = (uint64_t){to};
    return loma_push_word(ctx, tape, (uint32_t)bits)
        && loma_push_word(ctx, tape, (uint32_t)(bits >> 32));
}

LOMA_FUNCTION {type} loma_pop_{kind}(loma_context *ctx, loma_tape *tape, int32_t number)
{
    uint64_t x = (uint64_t)loma_pop_word(ctx, tape, number) << 32;
    x |= loma_pop_word(ctx, tape, number);
    return {back};
}
"""
