"""Ctrl-C: loops that may run long look, at each turn, at a flag that a signal handler sets.

The handler is there only while a call from the main thread of a host that asked for it is running
(the host writes that thread into `@loma_state`), and only once that call has run for a while: most
are done before, and are spared the system calls. It hands the signal on to the host's own handler.
A host without one has the default action back at once. The call then stops itself, and frees what
it holds, like any trap.

The flag is 0 where there is nothing to do, 1 where the user wants the program to stop, else 2 and
the number of looks so far. After MANY looks, or when a coarse clock has moved on (read at looks 0,
1, 2, 4, 8 ...), the handler is installed. If the clock has moved, a signal may have come before: by
the host's own functions, the program asks whether one waits.
"""

from __future__ import annotations

from typing import Final

from loma.ir.nodes import Call, Const, For, Module, Op, Parallel, Region, While
from loma.ir.traverse import regions, walk

FEW: Final = 64
"""Turns of an inner loop that are written out or over in no time."""

MANY: Final = 64
"""Looks after which a call counts as long."""

RUNTIME: Final = f"""
@loma_watched = internal global ptr null
@loma_action = internal global [32 x i64] zeroinitializer, align 16
@loma_outer = internal global [32 x i64] zeroinitializer, align 16
declare i32 @sigaction(i32, ptr, ptr)
declare i32 @clock_gettime(i32, ptr)

define internal void @loma_signal(i32 %number) nounwind #3 {{
  %ctx = load volatile ptr, ptr @loma_watched
  %none = icmp eq ptr %ctx, null
  br i1 %none, label %on, label %set
set:
  %stop = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 8
  store volatile i32 1, ptr %stop
  br label %on
on:
  %outer = load volatile ptr, ptr @loma_outer
  %to = ptrtoint ptr %outer to i64
  %real = icmp ugt i64 %to, 1
  br i1 %real, label %hand, label %done
hand:
  call void %outer(i32 %number, ptr null, ptr null)
  br label %done
done:
  ret void
}}

define internal void @loma_watch(ptr %ctx) nounwind #3 {{
  %stop = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 8
  %mainp = getelementptr %loma.state, ptr @loma_state, i32 0, i32 5
  %main = load i64, ptr %mainp
  %self = call i64 @pthread_self()
  %here = icmp eq i64 %main, %self
  %busy = load volatile ptr, ptr @loma_watched
  %idle = icmp eq ptr %busy, null
  %both = and i1 %here, %idle
  %look = select i1 %both, i32 2, i32 0
  store i32 %look, ptr %stop
  ret void
}}

define internal i1 @loma_look(ptr %ctx) noinline cold nounwind #3 {{
  %stop = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 8
  %sincep = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 9
  %flag = load volatile i32, ptr %stop
  %wanted = icmp eq i32 %flag, 1
  br i1 %wanted, label %leave, label %count
leave:
  ret i1 false
count:
  %next = add i32 %flag, 1
  store volatile i32 %next, ptr %stop
  %turn = sub i32 %flag, 2
  %many = icmp sge i32 %turn, {MANY}
  br i1 %many, label %arm, label %few
few:
  %less = sub i32 %turn, 1
  %bits = and i32 %turn, %less
  %read = icmp eq i32 %bits, 0
  br i1 %read, label %clock, label %go
clock:
  %time = alloca [2 x i64], align 16
  %r = call i32 @clock_gettime(i32 6, ptr %time)
  %ns = getelementptr i64, ptr %time, i64 1
  %now = load i64, ptr %ns
  %first = icmp eq i32 %turn, 0
  br i1 %first, label %begin, label %compare
begin:
  store i64 %now, ptr %sincep
  br label %go
compare:
  %since = load i64, ptr %sincep
  %still = icmp eq i64 %since, %now
  br i1 %still, label %go, label %late
late:
  call void @loma_arm(ptr %ctx)
  %waits = call i1 @loma_waiting()
  br i1 %waits, label %leave, label %go
arm:
  call void @loma_arm(ptr %ctx)
  br label %go
go:
  ret i1 true
}}

define internal void @loma_arm(ptr %ctx) nounwind #3 {{
  %stop = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 8
  store volatile i32 0, ptr %stop
  store volatile ptr %ctx, ptr @loma_watched
  store ptr @loma_signal, ptr @loma_action
  %r = call i32 @sigaction(i32 2, ptr @loma_action, ptr @loma_outer)
  %outer = load i64, ptr @loma_outer
  %real = icmp ugt i64 %outer, 1
  br i1 %real, label %done, label %back
back:
  call void @loma_unwatch(ptr %ctx)
  br label %done
done:
  ret void
}}

define internal i1 @loma_waiting() nounwind #3 {{
  %p = getelementptr %loma.state, ptr @loma_state, i32 0, i32 6
  %host = load ptr, ptr %p
  %none = icmp eq ptr %host, null
  br i1 %none, label %no, label %ask
ask:
  %ensure = load ptr, ptr %host
  %occurredp = getelementptr ptr, ptr %host, i64 1
  %occurred = load ptr, ptr %occurredp
  %releasep = getelementptr ptr, ptr %host, i64 2
  %release = load ptr, ptr %releasep
  %againp = getelementptr ptr, ptr %host, i64 3
  %again = load ptr, ptr %againp
  %lock = call i32 %ensure()
  %came = call i32 %occurred()
  call void %release(i32 %lock)
  %yes = icmp ne i32 %came, 0
  br i1 %yes, label %repeat, label %no
repeat:
  call void %again()
  ret i1 true
no:
  ret i1 false
}}

define internal void @loma_unwatch(ptr %ctx) nounwind #3 {{
  %busy = load volatile ptr, ptr @loma_watched
  %mine = icmp eq ptr %busy, %ctx
  br i1 %mine, label %restore, label %done
restore:
  %r = call i32 @sigaction(i32 2, ptr @loma_outer, ptr null)
  store volatile ptr null, ptr @loma_watched
  br label %done
done:
  ret void
}}
"""


def long_loops(module: Module) -> dict[Op, str]:
    """The loops that look at the flag, each with the name of its function: those around other
    loops or around calls, and those of which nobody knows when they end.

    Innermost counted loops are left alone: they end soon, and may become vectors.
    """
    return {
        op: f.name for f in module.functions.values() for op in walk(f.body)
        if isinstance(op, While) or (isinstance(op, For | Parallel) and _holds_loop(op.body))}


def _holds_loop(body: Region) -> bool:
    return any(
        isinstance(op, While | Call | Parallel)
        or (isinstance(op, For) and not _is_short(op))
        or any(_holds_loop(inner) for inner in regions(op))
        for op in body.ops)


def _is_short(op: For) -> bool:
    return op.block or (isinstance(op.count, Const) and op.count.value <= FEW)
