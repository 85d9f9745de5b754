"""The half of the runtime for modules that recurse: a large stack of their own for each thread.

The entry of such a function packs its operands and runs on that stack, which is memory that the
system provides page by page as frames reach it. A thread keeps its stack, unless a call went deep:
then it is given back. Where no such stack can be had, the ordinary one serves.

A function that recurses compares its frame's address with the context's lowest one. That is at
first a soft limit (`@loma_deeper` notes that a call went deep), then the end of the stack but for a
margin, where the program stops itself.
"""

from __future__ import annotations

from typing import Final

SMALLEST: Final = 1 << 22
SOFT: Final = 1 << 20
MARGIN: Final = 1 << 18

SWITCH: Final = {
    "x86_64": (
        '"movq %rsp, %rbx\\0Amovq $2, %rsp\\0Acallq *$1\\0Amovq %rbx, %rsp", '
        '"=&{rdi},r,r,0,~{rax},~{rbx},~{rcx},~{rdx},~{rsi},~{r8},~{r9},~{r10},~{r11},'
        + ",".join(f"~{{xmm{k}}}" for k in range(16))
        + ',~{memory},~{dirflag},~{fpsr},~{flags}"'),
    "aarch64": (
        '"mov x19, sp\\0Amov sp, $2\\0Ablr $1\\0Amov sp, x19", '
        '"=&{x0},r,r,0,~{x19},~{x30},' + ",".join(f"~{{x{k}}}" for k in range(1, 18)) + ","
        + ",".join(f"~{{v{k}}}" for k in range(32)) + ',~{memory},~{cc}"'),
}
"""Calls a function on another stack: its address is $1, the top of the stack $2."""

STACK: Final = """
define internal ptr @loma_stack() nounwind #2 {
  %keyp = getelementptr %loma.state, ptr @loma_state, i32 0, i32 4
  %key = load i32, ptr %keyp
  %old = call ptr @pthread_getspecific(i32 %key)
  %some = icmp ne ptr %old, null
  br i1 %some, label %have, label %make
have:
  ret ptr %old
make:
  %sizep = getelementptr %loma.state, ptr @loma_state, i32 0, i32 3
  %wanted = load i64, ptr %sizep
  br label %try
try:
  %size = phi i64 [ %wanted, %make ], [ %less, %fail ]
  %small = icmp ult i64 %size, @SMALLEST@
  br i1 %small, label %none, label %ask
none:
  ret ptr null
ask:
  %new = call ptr @malloc(i64 %size)
  %no = icmp eq ptr %new, null
  br i1 %no, label %fail, label %keep
fail:
  %less = lshr i64 %size, 2
  br label %try
keep:
  store i64 %size, ptr %new
  %r = call i32 @pthread_setspecific(i32 %key, ptr %new)
  %kept = icmp eq i32 %r, 0
  br i1 %kept, label %done, label %drop
drop:
  call void @free(ptr %new)
  ret ptr null
done:
  ret ptr %new
}

define internal void @loma_on_stack(ptr %run, ptr %pack) nounwind #2 {
entry:
  %rec = call ptr @loma_record()
  %insidep = getelementptr %loma.record, ptr %rec, i32 0, i32 5
  %inside = load i32, ptr %insidep
  %already = icmp ne i32 %inside, 0
  br i1 %already, label %plain, label %look
look:
  %stack = call ptr @loma_stack()
  %none = icmp eq ptr %stack, null
  br i1 %none, label %plain, label %go
plain:
  call void %run(ptr %pack)
  ret void
go:
  %lowp = getelementptr %loma.record, ptr %rec, i32 0, i32 3
  %hardp = getelementptr %loma.record, ptr %rec, i32 0, i32 4
  %low = load ptr, ptr %lowp
  %size = load i64, ptr %stack
  %end = getelementptr i8, ptr %stack, i64 %size
  %endi = ptrtoint ptr %end to i64
  %topi = and i64 %endi, -64
  %top = inttoptr i64 %topi to ptr
  %soft = getelementptr i8, ptr %top, i64 -@SOFT@
  %hard = getelementptr i8, ptr %stack, i64 @MARGIN@
  store ptr %soft, ptr %lowp
  store ptr %hard, ptr %hardp
  store i32 1, ptr %insidep
  %x = call ptr asm sideeffect @SWITCH@(ptr %run, ptr %top, ptr %pack)
  %deep = load i32, ptr %insidep
  store i32 0, ptr %insidep
  store ptr %low, ptr %lowp
  store ptr null, ptr %hardp
  %far = icmp eq i32 %deep, 2
  br i1 %far, label %back, label %done
back:
  %keyp = getelementptr %loma.state, ptr @loma_state, i32 0, i32 4
  %key = load i32, ptr %keyp
  %s = call i32 @pthread_setspecific(i32 %key, ptr null)
  call void @free(ptr %stack)
  br label %done
done:
  ret void
}
"""

PLAIN: Final = """
define internal void @loma_on_stack(ptr %run, ptr %pack) nounwind #2 {
  call void %run(ptr %pack)
  ret void
}
"""

DEEPER: Final = """
define internal void @loma_deeper(ptr %ctx, ptr %here, i32 %site) cold nounwind #2 {
  %rec = call ptr @loma_record()
  %hardp = getelementptr %loma.record, ptr %rec, i32 0, i32 4
  %hard = load ptr, ptr %hardp
  %none = icmp eq ptr %hard, null
  %over = icmp ule ptr %here, %hard
  %stop = or i1 %none, %over
  br i1 %stop, label %trap, label %go
trap:
  call void @loma_trap(ptr %ctx, i32 %site)
  unreachable
go:
  %insidep = getelementptr %loma.record, ptr %rec, i32 0, i32 5
  store i32 2, ptr %insidep
  %lowp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 6
  store ptr %hard, ptr %lowp
  ret void
}
"""


def text(triple: str) -> str:
    """The runtime for a target."""
    machine = triple.split("-")[0].replace("arm64", "aarch64")
    stack = STACK if machine in SWITCH else PLAIN
    for name, value in {
            "SWITCH": SWITCH.get(machine, ""), "SOFT": str(SOFT), "MARGIN": str(MARGIN),
            "SMALLEST": str(SMALLEST)}.items():
        stack = stack.replace(f"@{name}@", value)
    return DEEPER + stack
