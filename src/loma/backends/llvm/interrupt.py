"""Ctrl-C: loops that may run long look, at each turn, at a flag that a signal handler sets.

The handler is there only while a call from the main thread of a host that asked for it is running
(the host writes that thread into `@loma_state`); it hands the signal on to the host's own handler.
A host without one has the default action back at once. The call then stops itself, and frees what
it holds, like any trap.
"""

from __future__ import annotations

from typing import Final

from loma.ir.nodes import Call, Const, For, Module, Op, Parallel, Region, While
from loma.ir.traverse import regions, walk

FEW: Final = 64
"""Turns of an inner loop that are written out or over in no time."""

RUNTIME: Final = """
@loma_watched = internal global ptr null
@loma_action = internal global [32 x i64] zeroinitializer, align 16
@loma_outer = internal global [32 x i64] zeroinitializer, align 16
declare i32 @sigaction(i32, ptr, ptr)

define internal void @loma_signal(i32 %number) nounwind #2 {
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
}

define internal void @loma_watch(ptr %ctx) nounwind #2 {
  %stop = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 8
  store i32 0, ptr %stop
  %mainp = getelementptr %loma.state, ptr @loma_state, i32 0, i32 5
  %main = load i64, ptr %mainp
  %self = call i64 @pthread_self()
  %here = icmp eq i64 %main, %self
  br i1 %here, label %free, label %done
free:
  %busy = load volatile ptr, ptr @loma_watched
  %idle = icmp eq ptr %busy, null
  br i1 %idle, label %look, label %done
look:
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
}

define internal void @loma_unwatch(ptr %ctx) nounwind #2 {
  %busy = load volatile ptr, ptr @loma_watched
  %mine = icmp eq ptr %busy, %ctx
  br i1 %mine, label %restore, label %done
restore:
  %r = call i32 @sigaction(i32 2, ptr @loma_outer, ptr null)
  store volatile ptr null, ptr @loma_watched
  br label %done
done:
  ret void
}
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
    return isinstance(op.count, Const) and op.count.value <= FEW
