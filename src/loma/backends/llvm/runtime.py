"""The runtime of a module that can trap or allocate: LLVM IR, nothing but libc below it.

Every call of such a function from a host makes a context on its stack: where to jump when the
program stops itself, and a list of the live heap blocks. Trapping is a `longjmp` to the entry,
which frees that list; so loma functions neither test for errors after calls nor clean up. What
happened is left in a record of the calling thread.

    context  jump buffer, newest block, spare tape chunk, bytes now, most bytes, limit,
             lowest stack address, site, whether the user wants it to stop and when it first asked
    record   site (0: all went well), owner (address of the module's @loma_state), most bytes,
             lowest stack address, the same where a call on an own stack ends at last, whether
             one runs (2: deep); from byte 64 on, a message with values
    block    64 bytes before its data: malloc's address, previous, next, bytes; and, for a chunk of
             a tape, the tape's next free byte, start and end in the chunk before
    state    ready, pthread key of the record, limit in bytes, bytes of own stacks, their pthread
             key, the thread in which Ctrl-C stops programs, the host's functions that tell
             whether a signal waits: set by who loads the object, or at the first call; whether
             any call has stopped itself
    extents  (debug mode) a count, then for each array of the call where it begins and where it
             ends, in order; a pthread key leads to it
"""

from __future__ import annotations

from typing import Final

from loma.backends.llvm.runtime_threads import THREADS

RECORD_BYTES: Final = 1024

TYPES: Final = """
%loma.ctx = type { [64 x i64], ptr, ptr, i64, i64, i64, ptr, i32, i32, i64 }
%loma.record = type { i32, ptr, i64, ptr, ptr, i32 }
%loma.block = type { ptr, ptr, ptr, i64, ptr, ptr, ptr }
%loma.state = type { i32, i32, i64, i64, i32, i64, ptr, i32 }
"""

DECLARATIONS: Final = """
@loma_state = global %loma.state zeroinitializer
@loma_once = internal global i32 0
@loma_lost = internal global %loma.record zeroinitializer
declare noalias ptr @malloc(i64)
declare noalias ptr @calloc(i64, i64)
declare void @free(ptr)
declare i32 @_setjmp(ptr) returns_twice
declare void @longjmp(ptr, i32) noreturn
declare ptr @pthread_getspecific(i32)
declare i32 @pthread_setspecific(i32, ptr)
declare i32 @pthread_key_create(ptr, ptr)
declare i32 @pthread_once(ptr, ptr)
declare i64 @pthread_self()
declare i32 @pthread_getattr_np(i64, ptr)
declare i32 @pthread_attr_getstack(ptr, ptr, ptr)
declare i32 @pthread_attr_destroy(ptr)
declare i64 @sysconf(i32)
declare ptr @llvm.frameaddress.p0(i32)
declare { i64, i1 } @llvm.umul.with.overflow.i64(i64, i64)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
"""

BLOCKS: Final = """
define internal void @loma_trap(ptr %ctx, i32 %site) noreturn cold nounwind #2 {
  %p = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 7
  store i32 %site, ptr %p
  %ever = getelementptr %loma.state, ptr @loma_state, i32 0, i32 7
  store volatile i32 1, ptr %ever
  call void @longjmp(ptr %ctx, i32 1)
  unreachable
}

define internal ptr @loma_block(ptr %ctx, i64 %bytes, i32 %site, i1 %zero) nounwind #2 {
  %nowp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 3
  %mostp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 4
  %limitp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 5
  %now = load i64, ptr %nowp
  %limit = load i64, ptr %limitp
  %left = sub i64 %limit, %now
  %fits = icmp ule i64 %bytes, %left
  br i1 %fits, label %get, label %over
over:
  %site1 = add i32 %site, 1
  call void @loma_trap(ptr %ctx, i32 %site1)
  unreachable
get:
  %total = add i64 %bytes, 128
  br i1 %zero, label %clear, label %raw
clear:
  %a = call ptr @calloc(i64 1, i64 %total)
  br label %got
raw:
  %b = call ptr @malloc(i64 %total)
  br label %got
got:
  %m = phi ptr [ %a, %clear ], [ %b, %raw ]
  %none = icmp eq ptr %m, null
  br i1 %none, label %fail, label %link
fail:
  call void @loma_trap(ptr %ctx, i32 %site)
  unreachable
link:
  %mi = ptrtoint ptr %m to i64
  %up = add i64 %mi, 127
  %di = and i64 %up, -64
  %off = sub i64 %di, %mi
  %data = getelementptr i8, ptr %m, i64 %off
  %head = getelementptr i8, ptr %data, i64 -64
  %firstp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 1
  %first = load ptr, ptr %firstp
  store ptr %m, ptr %head
  %prevp = getelementptr %loma.block, ptr %head, i32 0, i32 1
  store ptr null, ptr %prevp
  %nextp = getelementptr %loma.block, ptr %head, i32 0, i32 2
  store ptr %first, ptr %nextp
  %sizep = getelementptr %loma.block, ptr %head, i32 0, i32 3
  store i64 %bytes, ptr %sizep
  store ptr %data, ptr %firstp
  %now1 = add i64 %now, %bytes
  store i64 %now1, ptr %nowp
  %most = load i64, ptr %mostp
  %most1 = call i64 @llvm.umax.i64(i64 %most, i64 %now1)
  store i64 %most1, ptr %mostp
  %alone = icmp eq ptr %first, null
  br i1 %alone, label %done, label %back
back:
  %fp = getelementptr i8, ptr %first, i64 -56
  store ptr %data, ptr %fp
  br label %done
done:
  ret ptr %data
}

define internal noalias ptr @loma_array(ptr %ctx, i64 %count, i64 %size, i32 %site) nounwind #2 {
  %n = call i64 @llvm.smax.i64(i64 %count, i64 0)
  %r = call { i64, i1 } @llvm.umul.with.overflow.i64(i64 %n, i64 %size)
  %bytes = extractvalue { i64, i1 } %r, 0
  %over = extractvalue { i64, i1 } %r, 1
  %ask = select i1 %over, i64 -1, i64 %bytes
  %p = call ptr @loma_block(ptr %ctx, i64 %ask, i32 %site, i1 true)
  ret ptr %p
}

define internal void @loma_free(ptr %ctx, ptr %data) nounwind #2 {
  %none = icmp eq ptr %data, null
  br i1 %none, label %done, label %go
go:
  %head = getelementptr i8, ptr %data, i64 -64
  %prevp = getelementptr %loma.block, ptr %head, i32 0, i32 1
  %prev = load ptr, ptr %prevp
  %nextp = getelementptr %loma.block, ptr %head, i32 0, i32 2
  %next = load ptr, ptr %nextp
  %sizep = getelementptr %loma.block, ptr %head, i32 0, i32 3
  %size = load i64, ptr %sizep
  %firstp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 1
  %first = icmp eq ptr %prev, null
  %pn = getelementptr i8, ptr %prev, i64 -48
  %link = select i1 %first, ptr %firstp, ptr %pn
  store ptr %next, ptr %link
  %last = icmp eq ptr %next, null
  br i1 %last, label %out, label %fix
fix:
  %np = getelementptr i8, ptr %next, i64 -56
  store ptr %prev, ptr %np
  br label %out
out:
  %nowp = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 3
  %now = load i64, ptr %nowp
  %now1 = sub i64 %now, %size
  store i64 %now1, ptr %nowp
  %m = load ptr, ptr %head
  call void @free(ptr %m)
  br label %done
done:
  ret void
}
"""

TAPES: Final = """
define internal { ptr, ptr, ptr } @loma_tape_more(
    ptr %ctx, ptr %top, ptr %base, ptr %end, i64 %need, i32 %site) nounwind cold #2 {
  %e = ptrtoint ptr %end to i64
  %b = ptrtoint ptr %base to i64
  %old = sub i64 %e, %b
  %twice = shl i64 %old, 1
  %least = call i64 @llvm.umax.i64(i64 %twice, i64 512)
  %most = call i64 @llvm.umin.i64(i64 %least, i64 67108864)
  %size = call i64 @llvm.umax.i64(i64 %most, i64 %need)
  %sparep = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 2
  %spare = load ptr, ptr %sparep
  %none = icmp eq ptr %spare, null
  br i1 %none, label %make, label %look
look:
  %sp = getelementptr i8, ptr %spare, i64 -40
  %have = load i64, ptr %sp
  %fits = icmp uge i64 %have, %size
  br i1 %fits, label %take, label %make
take:
  store ptr null, ptr %sparep
  br label %got
make:
  %new = call ptr @loma_block(ptr %ctx, i64 %size, i32 %site, i1 false)
  br label %got
got:
  %data = phi ptr [ %spare, %take ], [ %new, %make ]
  %bytes = phi i64 [ %have, %take ], [ %size, %make ]
  %head = getelementptr i8, ptr %data, i64 -64
  %tp = getelementptr %loma.block, ptr %head, i32 0, i32 4
  store ptr %top, ptr %tp
  %bp = getelementptr %loma.block, ptr %head, i32 0, i32 5
  store ptr %base, ptr %bp
  %ep = getelementptr %loma.block, ptr %head, i32 0, i32 6
  store ptr %end, ptr %ep
  %stop = getelementptr i8, ptr %data, i64 %bytes
  %r0 = insertvalue { ptr, ptr, ptr } poison, ptr %data, 0
  %r1 = insertvalue { ptr, ptr, ptr } %r0, ptr %data, 1
  %r2 = insertvalue { ptr, ptr, ptr } %r1, ptr %stop, 2
  ret { ptr, ptr, ptr } %r2
}

define internal void @loma_tape_spare(ptr %ctx, ptr %data) nounwind #2 {
  %sparep = getelementptr %loma.ctx, ptr %ctx, i32 0, i32 2
  %spare = load ptr, ptr %sparep
  %none = icmp eq ptr %spare, null
  br i1 %none, label %keep, label %look
look:
  %sp = getelementptr i8, ptr %spare, i64 -40
  %have = load i64, ptr %sp
  %dp = getelementptr i8, ptr %data, i64 -40
  %size = load i64, ptr %dp
  %bigger = icmp ugt i64 %size, %have
  br i1 %bigger, label %swap, label %drop
drop:
  call void @loma_free(ptr %ctx, ptr %data)
  ret void
swap:
  call void @loma_free(ptr %ctx, ptr %spare)
  br label %keep
keep:
  store ptr %data, ptr %sparep
  ret void
}

define internal { ptr, ptr, ptr } @loma_tape_less(
    ptr %ctx, ptr %base, i64 %need, i32 %site) nounwind cold #2 {
entry:
  br label %loop
loop:
  %at = phi ptr [ %base, %entry ], [ %bs, %down ]
  %none = icmp eq ptr %at, null
  br i1 %none, label %fail, label %down
fail:
  call void @loma_trap(ptr %ctx, i32 %site)
  unreachable
down:
  %head = getelementptr i8, ptr %at, i64 -64
  %tp = getelementptr %loma.block, ptr %head, i32 0, i32 4
  %top = load ptr, ptr %tp
  %bp = getelementptr %loma.block, ptr %head, i32 0, i32 5
  %bs = load ptr, ptr %bp
  %ep = getelementptr %loma.block, ptr %head, i32 0, i32 6
  %end = load ptr, ptr %ep
  call void @loma_tape_spare(ptr %ctx, ptr %at)
  %t = ptrtoint ptr %top to i64
  %b = ptrtoint ptr %bs to i64
  %used = sub i64 %t, %b
  %enough = icmp uge i64 %used, %need
  br i1 %enough, label %done, label %loop
done:
  %r0 = insertvalue { ptr, ptr, ptr } poison, ptr %top, 0
  %r1 = insertvalue { ptr, ptr, ptr } %r0, ptr %bs, 1
  %r2 = insertvalue { ptr, ptr, ptr } %r1, ptr %end, 2
  ret { ptr, ptr, ptr } %r2
}

define internal void @loma_tape_drop(ptr %ctx, ptr %base) nounwind #2 {
entry:
  br label %loop
loop:
  %at = phi ptr [ %base, %entry ], [ %bs, %down ]
  %none = icmp eq ptr %at, null
  br i1 %none, label %done, label %down
down:
  %bp = getelementptr i8, ptr %at, i64 -24
  %bs = load ptr, ptr %bp
  call void @loma_tape_spare(ptr %ctx, ptr %at)
  br label %loop
done:
  ret void
}
"""

GROWABLE: Final = """
define internal void @loma_grow(
    ptr %ctx, ptr %d, i64 %index, i64 %size, i32 %site) nounwind cold #2 {
  %lowp = getelementptr { ptr, i64, i64 }, ptr %d, i32 0, i32 1
  %lenp = getelementptr { ptr, i64, i64 }, ptr %d, i32 0, i32 2
  %data = load ptr, ptr %d
  %low0 = load i64, ptr %lowp
  %len = load i64, ptr %lenp
  %new = icmp eq i64 %len, 0
  %low = select i1 %new, i64 %index, i64 %low0
  %below = icmp slt i64 %index, %low
  %under = sub i64 %low, %index
  %reach = sub i64 %index, %low
  %reach1 = add i64 %reach, 1
  %over = sub i64 %reach1, %len
  %least = select i1 %below, i64 %under, i64 %over
  %wide = call i64 @llvm.umax.i64(i64 %len, i64 8)
  %want = call i64 @llvm.umax.i64(i64 %least, i64 %wide)
  %want1 = sub i64 %want, 1
  %floor = sub i64 9223372036854775807, %low
  %floor1 = sub i64 -2, %floor
  %roof = sub i64 %floor, %len
  %room1 = select i1 %below, i64 %floor1, i64 %roof
  %more1 = call i64 @llvm.umin.i64(i64 %want1, i64 %room1)
  %more = add i64 %more1, 1
  %some = call i64 @llvm.umin.i64(i64 %more, i64 9223372036854775807)
  %sum = add i64 %len, %some
  %len1 = call i64 @llvm.umin.i64(i64 %sum, i64 9223372036854775807)
  %data1 = call ptr @loma_array(ptr %ctx, i64 %len1, i64 %size, i32 %site)
  %shift = select i1 %below, i64 %more, i64 0
  %low1 = sub i64 %low, %shift
  %skip = mul i64 %shift, %size
  %to = getelementptr i8, ptr %data1, i64 %skip
  %bytes = mul i64 %len, %size
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %data, i64 %bytes, i1 false)
  call void @loma_free(ptr %ctx, ptr %data)
  store ptr %data1, ptr %d
  store i64 %low1, ptr %lowp
  store i64 %len1, ptr %lenp
  ret void
}
"""

EXTENTS: Final = """
@loma_extents = global i32 -1

define internal i64 @loma_extent(ptr %array, i64 %size) nounwind #2 {
  %p = ptrtoint ptr %array to i64
  %null = icmp eq i64 %p, 0
  br i1 %null, label %empty, label %ask
empty:
  ret i64 0
ask:
  %key = load i32, ptr @loma_extents
  %told = icmp sge i32 %key, 0
  br i1 %told, label %look, label %unknown
look:
  %table = call ptr @pthread_getspecific(i32 %key)
  %none = icmp eq ptr %table, null
  br i1 %none, label %unknown, label %count
count:
  %n = load i64, ptr %table
  br label %loop
loop:
  %low = phi i64 [ 0, %count ], [ %low1, %half ]
  %high = phi i64 [ %n, %count ], [ %high1, %half ]
  %more = icmp ult i64 %low, %high
  br i1 %more, label %half, label %found
half:
  %sum = add i64 %low, %high
  %mid = lshr i64 %sum, 1
  %next = add i64 %mid, 1
  %beginp = getelementptr { i64, [0 x [2 x i64]] }, ptr %table, i32 0, i32 1, i64 %mid, i32 0
  %begin = load i64, ptr %beginp
  %before = icmp ule i64 %begin, %p
  %low1 = select i1 %before, i64 %next, i64 %low
  %high1 = select i1 %before, i64 %high, i64 %mid
  br label %loop
found:
  %first = icmp eq i64 %low, 0
  br i1 %first, label %unknown, label %last
last:
  %at = sub i64 %low, 1
  %endp = getelementptr { i64, [0 x [2 x i64]] }, ptr %table, i32 0, i32 1, i64 %at, i32 1
  %end = load i64, ptr %endp
  %inside = icmp ule i64 %p, %end
  br i1 %inside, label %tell, label %unknown
tell:
  %bytes = sub i64 %end, %p
  %length = udiv i64 %bytes, %size
  ret i64 %length
unknown:
  ret i64 -1
}
"""

ALWAYS: Final = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)\n"


def text(tapes: bool, growable: bool, extents: bool) -> str:
    """The runtime for a module that can trap: with tapes, growable arrays, lengths from the host
    if it has them."""
    parts = [TYPES, DECLARATIONS, BLOCKS, THREADS]
    asked = ((TAPES, tapes), (GROWABLE, growable), (EXTENTS, extents))
    return "".join([*parts, *(part for part, wanted in asked if wanted)])
