"""Fixed parts of generated headers, and the error channel that they declare."""

from __future__ import annotations

from typing import Final

OPEN: Final = """#ifdef __cplusplus
extern "C" {
#endif
"""
CLOSE: Final = """
#ifdef __cplusplus
}
#endif
"""
NAMED: Final = """#define LOMA_QUOTED(x) #x
#define LOMA_STRING(x) LOMA_QUOTED(x)
#define LOMA_NAMED(name) __asm__(LOMA_STRING(__USER_LABEL_PREFIX__) name)
"""
ERRORS: Final = """/* Why the last call of the thread stopped itself: NULL if it went well. */
const char *loma_last_error(void);

typedef struct loma_error {
    const char *trap, *file;
    int line;
    const char *message;
} loma_error;

/* Gives and clears what loma_last_error speaks of; 0 if there is nothing. */
int loma_take_error(loma_error *taken);

/* Most bytes of tapes and local arrays that were alive at once in the last call of the calling
thread. */
size_t loma_most_bytes(void);

/* Most bytes that a call may hold; 0: most of the machine's memory. */
extern size_t loma_memory_limit;
"""
NO_ERRORS: Final = """/* No function of this program can stop itself: always NULL. */
const char *loma_last_error(void);
"""
NO_TRAPS: Final = """
const char *loma_last_error(void)
{
    return NULL;
}
"""
