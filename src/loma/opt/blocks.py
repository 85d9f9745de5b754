"""What the threads of a kernel add to one place is summed up in blocks, where they run in a loop.

    for i in threads: s += x[i]      for b in blocks: part = 0.0
                               ==>                    for i in block: part += x[i]
                                                      total += part  (in 64 bits)
                                     if total != 0: s += total

So an f32 sum keeps its digits however many threads there are: no number is the sum of more than a
block. This reassociates the additions, and so it runs after the last differentiation, on the form
of a kernel for arguments that are different memory. That form is then an ordinary function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from loma.ir.analysis.clashes import clashes
from loma.ir.analysis.races import private
from loma.ir.builder import NOTHING, Builder, const
from loma.ir.derived import THREADS
from loma.ir.kernel import Sum
from loma.ir.nodes import (
    Accum,
    Alloc,
    Argument,
    For,
    Function,
    If,
    Module,
    Op,
    Operand,
    Parallel,
    Region,
    Var,
    While,
)
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import called_from, walk
from loma.ir.types import F32, F64, I32, Ref, Scalar
from loma.opt import long, promote, shared


def run(module: Module) -> Module:
    """The module with the sums of kernels and long loops in blocks; a kernel without a twin gets
    one."""
    kernels = [name for name, f in module.functions.items() if f.signature.simd]
    inner = called_from(module, kernels)
    functions = {
        name: f if f.cold or name in inner else long.run(f) for name, f in module.functions.items()
    }
    for name in kernels:
        f = module.functions[name]
        if not f.exported or f.cold:
            continue
        twin = functions[f.fast] if f.fast else _twin(f)
        if twin is not None and (made := _blocked(twin, module)) is not None:
            functions[made.name] = made
            functions[name] = replace(functions[name], fast=made.name)
    return replace(module, functions=functions)


def _twin(f: Function) -> Function | None:
    """A twin of a kernel whose arguments cannot be the same memory."""
    if clashes(f):
        return None
    return replace(f, name=f"_distinct_{f.name}", exported=False, distinct=True)


def _blocked(f: Function, module: Module) -> Function | None:
    """A twin with its sums in blocks; None if it has none of 32 bits."""
    (threads,) = f.body.ops
    assert isinstance(threads, Parallel), "a kernel is one Parallel"
    given = frozenset(p for p in f.params[:-1] if not isinstance(p.type, Ref))
    places = shared.sums(threads, frozenset(f.params), given)
    if not any(s.type is F32 for s in places):
        return None
    alone = private(f)
    meeting = shared.added(f, threads) - alone
    found = {s: ops for s, ops in places.items() if s.type is F32 and s.root in meeting}
    if not found:
        return None
    signature = replace(
        f.signature, arguments=(*f.signature.arguments, Argument(THREADS, I32)), simd=False
    )
    body = replace(f.body, ops=tuple(_body(threads, found, _apart(threads, found, alone))))
    made = replace(f, signature=signature, body=body)
    outer = threads.body.ops
    return made if all(op in outer for ops in found.values() for op in ops) else (
        promote.run(made, module))


def _apart(threads: Parallel, found: Mapping[Sum, list[Accum]], alone: AbstractSet[Var]) -> bool:
    """Whether threads do not meet but in sums, adding only to elements of their own, and have no
    loops."""
    summed = {op for ops in found.values() for op in ops}
    return not any(
        isinstance(op, For | While)
        or (isinstance(op, Accum) and op not in summed and op.root not in alone)
        for op in walk(threads.body)
    )


def _sums(found: Iterable[Sum], prefix: str, type: Scalar) -> dict[Sum, Var]:
    return {s: Var(f"{prefix}_{s.root.name}", type) for s in found}


def _body(threads: Parallel, found: Mapping[Sum, list[Accum]], apart: bool) -> list[Op]:
    """The loop over blocks, and the additions to memory."""
    b = Builder({}, threads.span)
    block, count = Var("block", I32), long.blocks(b, threads.count)
    carried, outs = _sums(found, "sum", F64), _sums(found, "sum", F64)
    with b.nested() as ops:
        parts = _block(b, threads, block, found, apart)
        sums = [b.add(v, b.apply(A.CAST, parts[s], type=F64)) for s, v in carried.items()]
    region = b.region(ops, tuple(sums), (block, *carried.values()))
    zeros = tuple(const(0.0, F64) for _ in found)
    b.emit(For(const(0, I32), count, const(1, I32), zeros, region, tuple(outs.values()),
               span=threads.span))
    for s, v in outs.items():
        total = b.apply(A.CAST, v, name=v.name, type=F32)
        some = b.apply(A.NE, total, const(0.0, F32))
        then = b.region([Accum(s.root, s.path, total, span=found[s][0].span)])
        b.emit(If(some, then, NOTHING, (), span=found[s][0].span))
    return b.ops


def _block(
    b: Builder, threads: Parallel, block: Var, found: Mapping[Sum, list[Accum]], apart: bool
) -> dict[Sum, Var]:
    """The threads of a block; their sums."""
    first, count = long.block_of(b, block, threads.count)
    outs, zeros = _sums(found, "part", F32), tuple(const(0.0, F32) for _ in found)
    b.emit(For(first, count, const(1, I32), zeros, _thread(threads.body, found),
               tuple(outs.values()), span=threads.span, block=True, independent=apart))
    return outs


def _thread(body: Region, found: Mapping[Sum, list[Accum]]) -> Region:
    """A thread that adds to the sums of its block; what it adds in branches and loops it sums up by
    itself."""
    carried = _sums(found, "part", F32)
    outer = set(body.ops)
    own = {s: Var(f"own_{s.root.name}", Ref(F32)) for s, ops in found.items()
           if not outer.issuperset(ops)}
    totals: dict[Sum, Operand] = {**carried}
    adds = {op: s for s, ops in found.items() for op in ops}
    inner = shared.Redirected({op: own[s] for op, s in adds.items() if s in own})
    b = Builder({})
    b.ops = [Alloc(v) for v in own.values()]
    for op in inner.region(body).ops:
        if isinstance(op, Accum) and op in adds:
            b.span = op.span
            totals[adds[op]] = b.add(totals[adds[op]], op.value)
        else:
            b.emit(op)
    for s, v in own.items():
        totals[s] = b.add(totals[s], b.load(v, (), v.name))
    return b.region(b.ops, tuple(totals.values()), (*body.args, *carried.values()))
