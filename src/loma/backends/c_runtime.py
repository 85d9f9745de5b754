"""The C text that generated programs rest on; each part is emitted only where it is needed."""

from __future__ import annotations

from typing import Final

from loma.backends import c_print, c_stack

CONTEXT: Final = r"""
/* A program that stops itself (division by zero, ...) jumps back to the function that the host
   called, which frees all memory that is alive; what happened is in a record of the thread. */

typedef struct loma_block {
    struct loma_block *previous, *next;
    size_t size;
    size_t unused; /* keeps what follows aligned */
} loma_block;

typedef struct loma_context {
    jmp_buf exit;
    loma_block blocks; /* head of the ring of all blocks that are alive */
    size_t bytes, most;
    const char *stack_end;
} loma_context;

static _Thread_local loma_error error;
static _Thread_local const char *stack_end;
static _Thread_local size_t most_bytes;
size_t loma_memory_limit = 0;

const char *loma_last_error(void)
{
    return error.trap ? error.message : NULL;
}

int loma_take_error(loma_error *taken)
{
    *taken = error;
    error.trap = NULL;
    return taken->trap != NULL;
}

size_t loma_most_bytes(void)
{
    return most_bytes;
}

static _Noreturn void loma_trap(loma_context *ctx, const char *trap, int line, const char *message)
{
    error = (loma_error){trap, loma_files[line >> LOMA_LINE], line & ((1 << LOMA_LINE) - 1),
        message};
    longjmp(ctx->exit, 1);
}

static size_t loma_default_limit(void)
{
#if defined(_SC_PHYS_PAGES) && defined(_SC_PAGESIZE)
    return (size_t)sysconf(_SC_PHYS_PAGES) / 10 * 8 * (size_t)sysconf(_SC_PAGESIZE);
#else
    return SIZE_MAX / 2;
#endif
}

static const char *loma_find_stack_end(void)
{
#ifdef __linux__
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        void *low = NULL;
        size_t size = 0;
        pthread_attr_getstack(&attributes, &low, &size);
        pthread_attr_destroy(&attributes);
        return (const char *)low + (size / 4 < 1048576 ? size / 4 : 1048576);
    }
#endif
    return (const char *)__builtin_frame_address(0) - 262144;
}

static void loma_enter(loma_context *ctx)
{
    if (loma_memory_limit == 0)
        loma_memory_limit = loma_default_limit();
    if (stack_end == NULL)
        stack_end = loma_find_stack_end();
    error.trap = NULL;
    ctx->blocks.previous = ctx->blocks.next = &ctx->blocks;
    ctx->bytes = ctx->most = 0;
    ctx->stack_end = stack_end;
}

static void loma_leave(loma_context *ctx)
{
    for (loma_block *b = ctx->blocks.next; b != &ctx->blocks;) {
        loma_block *next = b->next;
        free(b);
        b = next;
    }
    most_bytes = ctx->most;
}
"""

HEAP: Final = r"""
/* Memory that is zeroed, and freed at the latest when the host's call ends. */
static void *loma_allocate(loma_context *ctx, int64_t count, size_t size, int line)
{
    if (count < 0)
        count = 0;
    if (size != 0 && (size_t)count > (loma_memory_limit - ctx->bytes) / size)
        loma_trap(ctx, "LIMIT", line, "the tape grew beyond its limit");
    loma_block *b = calloc(1, sizeof(loma_block) + (size_t)count * size);
    if (b == NULL)
        loma_trap(ctx, "MEMORY", line, "out of memory for a tape or a local array");
    b->size = (size_t)count * size;
    b->previous = &ctx->blocks;
    b->next = ctx->blocks.next;
    b->next->previous = b;
    ctx->blocks.next = b;
    ctx->bytes += b->size;
    if (ctx->bytes > ctx->most)
        ctx->most = ctx->bytes;
    return b + 1;
}

static void loma_release(loma_context *ctx, void *data)
{
    if (data == NULL)
        return;
    loma_block *b = (loma_block *)data - 1;
    b->previous->next = b->next;
    b->next->previous = b->previous;
    ctx->bytes -= b->size;
    free(b);
}
"""

TAPE: Final = r"""
/* A last-in first-out store of scalars, in chunks. */
typedef struct loma_chunk {
    struct loma_chunk *below;
    char *top_below, *end_below;
} loma_chunk;

typedef struct loma_tape {
    loma_chunk *chunk;
    char *top, *end;
} loma_tape;

static void loma_more(loma_context *ctx, loma_tape *tape, int line)
{
    size_t full = tape->chunk ? (size_t)(tape->end - (char *)(tape->chunk + 1)) : 512;
    size_t size = full < 8388608 ? full * 2 : full;
    loma_chunk *chunk = loma_allocate(ctx, 1, sizeof *chunk + size, line);
    *chunk = (loma_chunk){tape->chunk, tape->top, tape->end};
    *tape = (loma_tape){chunk, (char *)(chunk + 1), (char *)(chunk + 1) + size};
}

static void loma_less(loma_context *ctx, loma_tape *tape)
{
    loma_chunk *chunk = tape->chunk;
    *tape = (loma_tape){chunk->below, chunk->top_below, chunk->end_below};
    loma_release(ctx, chunk);
}

static inline void *loma_push(loma_context *ctx, loma_tape *tape, ptrdiff_t size, int line)
{
    if (tape->end - tape->top < size)
        loma_more(ctx, tape, line);
    tape->top += size;
    return tape->top - size;
}

static inline void *loma_pop(loma_context *ctx, loma_tape *tape, size_t size, int line)
{
    while (tape->chunk != NULL && tape->top == (char *)(tape->chunk + 1))
        loma_less(ctx, tape);
    if (tape->chunk == NULL || (size_t)(tape->top - (char *)(tape->chunk + 1)) < size)
        loma_trap(ctx, "INDEX", line, "pop from an empty tape");
    return tape->top -= size;
}

static void loma_drop(loma_context *ctx, loma_tape *tape)
{
    while (tape->chunk != NULL)
        loma_less(ctx, tape);
}
"""

GROWABLE: Final = r"""
/* An endless zeroed array: only the span between the outermost elements written is kept. */
typedef struct loma_growable {
    char *data;
    int64_t first, count;
} loma_growable;

static void loma_grow(loma_context *ctx, loma_growable *a, int64_t i, size_t size, int line)
{
    bool below = a->count != 0 && i < a->first;
    uint64_t first = a->count == 0 ? (uint64_t)i : (uint64_t)a->first, count = (uint64_t)a->count;
    uint64_t least = below ? first - (uint64_t)i : (uint64_t)i - first + 1 - count;
    uint64_t more = count > 8 ? count : 8, room = (uint64_t)INT64_MAX - first - count;
    if (below)
        room = first - (uint64_t)INT64_MIN - 1;
    if (more < least)
        more = least;
    if (more - 1 > room) /* the last indices there are */
        more = room + 1;
    if (more > (uint64_t)INT64_MAX - count)
        more = (uint64_t)INT64_MAX - count;
    char *data = loma_allocate(ctx, (int64_t)(count + more), size, line);
    size_t shift = below ? (size_t)more : 0;
    if (count != 0)
        memcpy(data + shift * size, a->data, (size_t)count * size);
    loma_release(ctx, a->data);
    *a = (loma_growable){data, (int64_t)(first - shift), (int64_t)(count + more)};
}

static inline void *loma_at(loma_context *ctx, loma_growable *a, int64_t i, size_t size, int line)
{
    if ((uint64_t)i - (uint64_t)a->first >= (uint64_t)a->count)
        loma_grow(ctx, a, i, size, line);
    return a->data + (size_t)((uint64_t)i - (uint64_t)a->first) * size;
}

static inline const void *loma_peek(const loma_growable *a, int64_t i, size_t size,
    const void *zero)
{
    if ((uint64_t)i - (uint64_t)a->first >= (uint64_t)a->count)
        return zero;
    return a->data + (size_t)((uint64_t)i - (uint64_t)a->first) * size;
}

#define LOMA_AT(a, type, i, line) (*(type *)loma_at(ctx, &(a), i, sizeof(type), line))
#define LOMA_PEEK(a, type, i) (*(const type *)loma_peek(&(a), i, sizeof(type), &(const type){0}))
"""

TO_INT: Final = r"""
/* Toward zero; what does not fit becomes the nearest integer that does, and nan becomes 0. */
static inline int32_t loma_to_int32(double x)
{
    return x != x ? 0 : x <= -2147483648.0 ? INT32_MIN : x >= 2147483647.0 ? INT32_MAX : (int32_t)x;
}
"""

TO_LONG: Final = r"""
/* Toward zero; what does not fit becomes the nearest integer that does, and nan becomes 0. */
static inline int64_t loma_to_int64(double x)
{
    return x != x ? 0
        : x < -9223372036854775808.0 ? INT64_MIN
        : x >= 9223372036854775808.0 ? INT64_MAX
        : (int64_t)x;
}
"""

SHIFT_LEFT: Final = r"""
/* A count that is negative or not below the width shifts everything out. */
static inline int{width}_t loma_shl{width}(int{width}_t x, int{width}_t count)
{
    return count < 0 || count >= {width} ? 0 : (int{width}_t)((uint{width}_t)x << count);
}
"""

SHIFT_RIGHT: Final = r"""
/* A count that is negative or not below the width leaves the sign. */
static inline int{width}_t loma_shr{width}(int{width}_t x, int{width}_t count)
{
    return x >> (count < 0 || count >= {width} ? {width} - 1 : count);
}
"""

APART: Final = r"""
/* Whether each of the first `written` addresses differs from all the others. */
static inline bool loma_apart(const void *const *addresses, int written, int count)
{
    for (int i = 0; i < written; ++i)
        for (int j = i + 1; j < count; ++j)
            if (addresses[i] == addresses[j])
                return false;
    return true;
}
"""

OUTER: Final = r"""
/* Keeps gcc from vectorising a loop around one that counts down: gcc 12 does it wrongly. */
#if defined(__GNUC__) && !defined(__clang__)
#define LOMA_OUTER __asm__ volatile("")
#else
#define LOMA_OUTER ((void)0)
#endif
"""

PARTS: Final = (
    ("LOMA_OUTER", OUTER),
    ("loma_context", CONTEXT),
    ("loma_check_stack", c_stack.STACK),
    ("loma_allocate", HEAP),
    ("loma_tape", TAPE),
    ("loma_growable", GROWABLE),
    ("loma_apart", APART),
    ("loma_to_int32", TO_INT),
    ("loma_to_int64", TO_LONG),
    ("loma_shl32", SHIFT_LEFT.replace("{width}", "32")),
    ("loma_shr32", SHIFT_RIGHT.replace("{width}", "32")),
    ("loma_shl64", SHIFT_LEFT.replace("{width}", "64")),
    ("loma_shr64", SHIFT_RIGHT.replace("{width}", "64")),
    *c_print.PARTS,
)
"""The parts in order, each with the name that shows that a program uses it."""


PURE: Final = ("LOMA_OUTER", "loma_to", "loma_sh", "loma_apart", "loma_p")


def pure_parts(body: str) -> str:
    """What a program needs that never stops itself."""
    return "".join(p for name, p in PARTS if name in body and name.startswith(PURE))


def needed_parts(body: str) -> list[str]:
    """What a program needs, with what that needs in turn."""
    used = body
    for name, part in reversed(PARTS):
        if name in used:
            used += part
    return [p for name, p in PARTS if name in used]


def push_pop(suffix: str, type: str) -> str:
    """The functions that push and pop one scalar type."""
    return f"""
static inline void loma_push_{suffix}(loma_context *ctx, loma_tape *tape, {type} x, int line)
{{
    memcpy(loma_push(ctx, tape, sizeof x, line), &x, sizeof x);
}}

static inline {type} loma_pop_{suffix}(loma_context *ctx, loma_tape *tape, int line)
{{
    {type} x;
    memcpy(&x, loma_pop(ctx, tape, sizeof x, line), sizeof x);
    return x;
}}
"""
