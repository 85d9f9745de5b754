"""A kernel as what one thread of a device does, and what threads add up together.

    kernel(k, module) -> Kernel(thread = a function of one thread, sums = what its threads add up)

Everything is inlined, so that no pointer crosses a call. Additions are sorted in three kinds. To an
element that no other thread touches: a plain addition. To a place that all threads share, and only
add to: a sum of the thread, which the device reduces before it touches memory. All others stay
`Accum`, which devices make atomic.

With `aliased`, arguments may be the same memory, and no addition to them is plain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from loma.ir.analysis.races import private
from loma.ir.analysis.roots import bases
from loma.ir.builder import type_of
from loma.ir.kernel import Kernel, Sum
from loma.ir.nodes import (
    Accum,
    Argument,
    Direction,
    Function,
    Load,
    Module,
    Op,
    Operand,
    Parallel,
    Path,
    Region,
    Signature,
    Store,
    Var,
)
from loma.ir.prims import arithmetic as A
from loma.ir.types import I32, Ref
from loma.opt import checkpoint, elements, inline, once, pipeline, promote, pull, shared, unroll
from loma.opt.owned import Owned, owned, settled, totalled
from loma.opt.rewrite import applied
from loma.opt.told import told

EVERYTHING: Final = 1_000_000
"""A budget for inlining that is never reached."""
ELEMENTS: Final = (elements.run, promote.run, pipeline.simplify)
"""What a thread keeps of its own elements becomes values."""


def kernel(
    f: Function,
    module: Module,
    *,
    strict: bool = False,
    aliased: bool = False,
    segmented: bool = True,
    owning: bool = False,
) -> Kernel:
    """The kernel `f` (a function marked simd) for devices.

    Without `segmented`, loops keep all that they push (a device without 64-bit integers does not
    count segments). With `owning`, what threads only add to elements of their own reaches memory in
    one step.
    """
    assert f.signature.simd, f"{f.name} is no kernel"
    f, lengths = told(inline.inline_calls(f, module, EVERYTHING))
    f = pipeline.run(pipeline.STRICT if strict else pipeline.FINAL, f, module)
    f = pipeline.run((unroll.run, pipeline.simplify, *ELEMENTS), f, module)
    if not aliased and not strict:
        segments = (checkpoint.run,) if segmented else ()
        f = pipeline.run((*pipeline.DISTINCT, *segments), replace(f, distinct=True), module)
    (threads,) = f.body.ops
    assert isinstance(threads, Parallel), "a kernel is one Parallel"
    alone = frozenset() if aliased else private(f)
    added = shared.added(f, threads)
    meeting = added - alone
    arrays = owned(threads.body, added & alone) if owning and not strict else []
    threads = replace(threads, body=totalled(threads.body, arrays))
    if owning and f.distinct:
        body, fetched = pull.run(f, threads, meeting)
        threads, arrays = replace(threads, body=body), [*arrays, *fetched]
        meeting -= {o.root for o in fetched}  # a few threads bring what has no owner
    elif f.distinct:
        threads = replace(threads, body=once.run(threads.body, meeting))
    sums = shared.sums(threads, meeting)
    thread = _thread(f, threads, alone, sums, arrays, tuple(lengths.values()))
    thread = pipeline.run((promote.run, pipeline.simplify), thread, module)
    kept = tuple(o.root for o in arrays)
    return Kernel(f.name, thread, tuple(sums), added, meeting, kept, lengths)


def _thread(
    f: Function,
    threads: Parallel,
    alone: frozenset[Var],
    sums: dict[Sum, list[Accum]],
    arrays: list[Owned],
    lengths: tuple[Var, ...],
) -> Function:
    (index,) = threads.body.args
    count = f.params[-1]
    totals = {s: Var(f"sum_{s.root.name}", Ref(s.type)) for s in sums}
    targets = {op: totals[s] for s, ops in sums.items() for op in ops}
    body = _Additions(bases(f.body), alone, targets).region(threads.body)
    fresh = Var("fresh", I32)
    given = (*((fresh, *(o.count for o in arrays)) if arrays else ()), *lengths)
    body = settled(body, arrays, fresh, f.span) if arrays else body
    arguments = (
        *f.signature.arguments,
        *(Argument(v.name, I32) for v in given),
        Argument(index.name, I32),
        Argument(count.name, I32),
        *(Argument(v.name, v.content, Direction.INOUT) for v in totals.values()),
    )
    return replace(
        f,
        params=(*f.params[:-1], *given, index, count, *totals.values()),
        body=Region((), body.ops, ()),
        signature=Signature(arguments),
        exported=False,
        fast="",
    )


class _Additions(shared.Redirected):
    def __init__(
        self, base: dict[Var, Var], alone: frozenset[Var], targets: dict[Accum, Var]
    ) -> None:
        super().__init__(targets)
        self.base = base
        self.alone = alone

    def op(self, op: Op) -> None:
        match op:
            case Accum(root, path, value) if (
                op not in self.targets and self.base.get(root, root) in self.alone
            ):
                self.plain(op, root, path, value)
            case _:
                super().op(op)

    def plain(self, op: Accum, root: Var, path: Path, value: Operand) -> None:
        """Reads, adds and writes: no other thread is there."""
        old = Var("old", type_of(value))
        new = applied(A.ADD, old, value, span=op.span, name="sum")
        self.ops.extend([Load(root, path, old, span=op.span), new])
        self.emit(Store(root, path, new.out, span=op.span))
