"""The C text for programs that recurse: a large stack of their own for each thread."""

from __future__ import annotations

from typing import Final

from loma.backends.base import DEFAULT_STACK

STACK: Final = r"""
/* Recursion runs on a stack of its own, which the system provides page by page as frames reach
   it. A thread keeps its stack, unless a call went deep. Beyond a soft limit a call counts as deep;
   near the end of the stack the program stops itself. */
size_t loma_stack_size = {DEFAULT};
static _Thread_local const char *stack_last; /* where a call on an own stack ends at last */
static _Thread_local int stack_inside;       /* 1: a call is running on it, 2: and went deep */

static void loma_deeper(loma_context *ctx, const char *here, int line)
{
    if (stack_last == NULL || here <= stack_last)
        loma_trap(ctx, "DEPTH", line, "recursion is too deep");
    stack_inside = 2;
    ctx->stack_end = stack_last;
}

static inline void loma_check_stack(loma_context *ctx, int line)
{
    const char *here = (const char *)__builtin_frame_address(0);
    if (here < ctx->stack_end)
        loma_deeper(ctx, here, line);
}

#if defined(__x86_64__) || defined(__aarch64__)
static pthread_key_t stack_key;
static pthread_once_t stack_once = PTHREAD_ONCE_INIT;

static void loma_make_stack_key(void)
{
    pthread_key_create(&stack_key, free);
}

static size_t *loma_own_stack(void)
{
    pthread_once(&stack_once, loma_make_stack_key);
    size_t *stack = pthread_getspecific(stack_key);
    for (size_t size = loma_stack_size; stack == NULL && size >= 4194304; size /= 4)
        if ((stack = malloc(size)) != NULL)
            *stack = size;
    if (stack != NULL && pthread_setspecific(stack_key, stack) != 0) {
        free(stack);
        stack = NULL;
    }
    return stack;
}

static void loma_switch(void (*run)(void *), char *top, void *pack)
{
#if defined(__x86_64__)
    __asm__ volatile("movq %%rsp, %%rbx\n\tmovq %2, %%rsp\n\tcallq *%1\n\tmovq %%rbx, %%rsp"
        : "+D"(pack)
        : "r"(run), "r"(top)
        : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2",
        "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
        "xmm14", "xmm15", "memory", "cc");
#else
    register void *first __asm__("x0") = pack;
    __asm__ volatile("mov x19, sp\n\tmov sp, %2\n\tblr %1\n\tmov sp, x19"
        : "+r"(first)
        : "r"(run), "r"(top)
        : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
        "x15", "x16", "x17", "x19", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8",
        "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21",
        "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", "memory", "cc");
#endif
}
#endif

static void loma_on_stack(void (*run)(void *), void *pack)
{
#if defined(__x86_64__) || defined(__aarch64__)
    size_t *stack = stack_inside ? NULL : loma_own_stack();
    if (stack != NULL) {
        char *low = (char *)stack, *top = low + (*stack & ~(size_t)63);
        const char *outer = stack_end;
        top -= (uintptr_t)top & 63;
        stack_end = top - 1048576;
        stack_last = low + 262144;
        stack_inside = 1;
        loma_switch(run, top, pack);
        if (stack_inside == 2) {
            pthread_setspecific(stack_key, NULL);
            free(stack);
        }
        stack_end = outer;
        stack_last = NULL;
        stack_inside = 0;
        return;
    }
#endif
    run(pack);
}
""".replace("{DEFAULT}", str(DEFAULT_STACK))

HEADER: Final = """\
/* Bytes of the stack on which a recursive program runs, for threads yet to call it. */
extern size_t loma_stack_size;
"""


def entry(name: str, called: str, result: str, fields: list[tuple[str, str]], zero: str
          ) -> list[str]:
    """The type of a packed call, and the function that makes it; `fields` declare the arguments
    and name them.
    """
    held = [*(f"{declared};" for declared, _ in fields), *([f"{result} result;"] if result else [])]
    held = held or ["char nothing;"]
    given = ", ".join(["&ctx", *(f"pack->{field}" for _, field in fields)])
    call = f"{'pack->result = ' if result else ''}{called}({given});"
    trapped = [f"        pack->result = {zero};"] if result else []
    return [
        f"\ntypedef struct {name} {{",
        *(f"    {line}" for line in held),
        f"}} {name};",
        f"\nstatic void {name}_run(void *packed)",
        "{",
        f"    {name} *pack = packed;",
        "    loma_context ctx;",
        "    loma_enter(&ctx);",
        "    if (setjmp(ctx.exit) != 0) {",
        "        loma_leave(&ctx);",
        *trapped,
        "        return;",
        "    }",
        f"    {call}",
        "    loma_leave(&ctx);",
        "}",
    ]


def switched(name: str, given: list[str], result: str, zero: str) -> list[str]:
    """The body of the entry."""
    zeros = [zero] if result or not given else []
    return [
        "{",
        f"    {name} loma_pack = {{{', '.join([*given, *zeros])}}};",
        f"    loma_on_stack({name}_run, &loma_pack);",
        *(["    return loma_pack.result;"] if result else []),
        "}",
    ]
