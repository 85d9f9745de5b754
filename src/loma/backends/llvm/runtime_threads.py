"""The half of the runtime that knows threads: their records and stacks, entering and leaving."""

from __future__ import annotations

from typing import Final

from loma.backends.base import DEFAULT_STACK

# Of the physical memory, for the tapes and heap arrays of one call.
DEFAULT_LIMIT_PERCENT: Final = 80

THREADS: Final = """
define internal void @loma_init() nounwind #3 {
  %keyp = getelementptr %loma.state, ptr @loma_state, i32 0, i32 1
  %r = call i32 @pthread_key_create(ptr %keyp, ptr @free)
  %pages = call i64 @sysconf(i32 85)
  %page = call i64 @sysconf(i32 30)
  %ram = mul i64 %pages, %page
  %part = udiv i64 %ram, 100
  %limit = mul i64 %part, @PERCENT@
  %limitp = getelementptr %loma.state, ptr @loma_state, i32 0, i32 2
  store i64 %limit, ptr %limitp
  %stackp = getelementptr %loma.state, ptr @loma_state, i32 0, i32 3
  store i64 @STACK@, ptr %stackp
  %stackkeyp = getelementptr %loma.state, ptr @loma_state, i32 0, i32 4
  %r1 = call i32 @pthread_key_create(ptr %stackkeyp, ptr @free)
  store atomic i32 1, ptr @loma_state release, align 4
  ret void
}

define internal ptr @loma_lowest() nounwind #3 {
  %attr = alloca [64 x i8], align 16
  %low = alloca ptr
  %size = alloca i64
  %self = call i64 @pthread_self()
  %r = call i32 @pthread_getattr_np(i64 %self, ptr %attr)
  %ok = icmp eq i32 %r, 0
  br i1 %ok, label %have, label %guess
guess:
  %here = call ptr @llvm.frameaddress.p0(i32 0)
  %near = getelementptr i8, ptr %here, i64 -262144
  ret ptr %near
have:
  %r2 = call i32 @pthread_attr_getstack(ptr %attr, ptr %low, ptr %size)
  %r3 = call i32 @pthread_attr_destroy(ptr %attr)
  %bytes = load i64, ptr %size
  %fourth = lshr i64 %bytes, 2
  %margin = call i64 @llvm.umin.i64(i64 %fourth, i64 1048576)
  %bottom = load ptr, ptr %low
  %safe = getelementptr i8, ptr %bottom, i64 %margin
  ret ptr %safe
}

define internal ptr @loma_record() nounwind #3 {
  %ready = load atomic i32, ptr @loma_state acquire, align 4
  %set = icmp ne i32 %ready, 0
  br i1 %set, label %look, label %init
init:
  %once = call i32 @pthread_once(ptr @loma_once, ptr @loma_init)
  br label %look
look:
  %keyp = getelementptr %loma.state, ptr @loma_state, i32 0, i32 1
  %key = load i32, ptr %keyp
  %r = call ptr @pthread_getspecific(i32 %key)
  %none = icmp eq ptr %r, null
  br i1 %none, label %make, label %done
make:
  %n = call ptr @calloc(i64 1, i64 1024)
  %failed = icmp eq ptr %n, null
  %rec = select i1 %failed, ptr @loma_lost, ptr %n
  %low = call ptr @loma_lowest()
  %lowp = getelementptr %loma.record, ptr %rec, i32 0, i32 3
  store ptr %low, ptr %lowp
  br i1 %failed, label %done, label %keep
keep:
  %s = call i32 @pthread_setspecific(i32 %key, ptr %rec)
  br label %done
done:
  %out = phi ptr [ %r, %look ], [ %rec, %make ], [ %rec, %keep ]
  ret ptr %out
}

define internal ptr @loma_enter(ptr %ctx) nounwind #3 {
  %rec = call ptr @loma_record()
  %firstp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 1
  store ptr null, ptr %firstp
  %sparep = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 2
  store ptr null, ptr %sparep
  %nowp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 3
  store i64 0, ptr %nowp
  %mostp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 4
  store i64 0, ptr %mostp
  %limp = getelementptr %loma.state, ptr @loma_state, i32 0, i32 2
  %lim = load i64, ptr %limp
  %limitp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 5
  store i64 %lim, ptr %limitp
  %lowp = getelementptr %loma.record, ptr %rec, i32 0, i32 3
  %low = load ptr, ptr %lowp
  %stackp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 6
  store ptr %low, ptr %stackp
  %sitep = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 7
  store i32 0, ptr %sitep
  store i32 0, ptr %rec
  %ownp = getelementptr %loma.record, ptr %rec, i32 0, i32 1
  store ptr @loma_state, ptr %ownp
  ret ptr %rec
}

define internal void @loma_leave(ptr %ctx, ptr %rec) nounwind #3 {
entry:
  %sitep = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 7
  %site = load i32, ptr %sitep
  store i32 %site, ptr %rec
  %mostp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 4
  %most = load i64, ptr %mostp
  %outp = getelementptr %loma.record, ptr %rec, i32 0, i32 2
  store i64 %most, ptr %outp
  %firstp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 1
  %first = load ptr, ptr %firstp
  br label %loop
loop:
  %at = phi ptr [ %first, %entry ], [ %next, %go ]
  %none = icmp eq ptr %at, null
  br i1 %none, label %done, label %go
go:
  %head = getelementptr i8, ptr %at, i64 -64
  %nextp = getelementptr %loma.block, ptr %head, i32 0, i32 2
  %next = load ptr, ptr %nextp
  %m = load ptr, ptr %head
  call void @free(ptr %m)
  br label %loop
done:
  ret void
}
""".replace("@PERCENT@", str(DEFAULT_LIMIT_PERCENT)).replace("@STACK@", str(DEFAULT_STACK))
