"""Elementary functions of several lanes at once: the C library's own vector versions.

LLVM calls a scalar function once for each lane, unless the call names versions for several lanes.
glibc has them on x86-64 (libmvec, with the names of its "Vector Function ABI"). Those that are
within 2 units in the last place are used; for the most important of the others there are kernels
of our own. What decides a branch or an index is always computed by the scalar function: the reverse
sweep may compute it again elsewhere, and must come to the same decision.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Final

from loma.backends.cache import Cache, key
from loma.backends.llvm import machine, vector_kernels
from loma.backends.llvm.code import PURE
from loma.backends.llvm.layout import VALUE
from loma.ir.builder import type_of
from loma.ir.nodes import Apply, Check, For, If, Op, Operand, Parallel, Region, Var, While
from loma.ir.traverse import walk
from loma.ir.types import Scalar

REGISTERS: Final = {"+avx512f": 64, "+avx2": 32, "+sse4.1": 16}
"""What a processor can have, and the bytes of a register."""
BOTH: Final = frozenset({"sinh", "tanh", "exp2", "log10", "erf", "erfc", "pow", "hypot"})
EXACT: Final = {
    Scalar.F32: BOTH | {"sin", "cos"},
    Scalar.F64: BOTH | {"acos", "cosh", "log", "log2", "log1p", "cbrt"},
}
"""Functions whose versions in the library were within 2 units in the last place (erf and erfc: 4)
at some ten million points each, special ones among them."""
COSTLY: Final = 20
"""What an elementary function costs, in additions."""


@cache
def library() -> ctypes.CDLL | None:
    """The C library's versions, their symbols now those of this process; None without them."""
    try:
        return ctypes.CDLL("libmvec.so.1", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return None


@cache
def registers() -> tuple[int, ...]:
    """The bytes of this machine's registers; none without fused products."""
    have = machine.processor()[1].split(",")
    if not machine.triple().startswith("x86_64-") or "+fma" not in have:
        return ()
    return tuple(size for feature, size in REGISTERS.items() if feature in have)


@cache
def kernel(function: str, t: Scalar) -> bytes:
    """The object code of one of our own kernels, from the disk cache if it is there."""
    text = vector_kernels.module(function, t, registers())
    store, name = Cache(), key("vectors", text, *machine.identity())
    code = store.get(name)
    if code is None:
        code = machine.translate(text)
        store.put(name, code)
    return code


def images(code: bytes) -> list[bytes]:
    """The further object code that object code needs."""
    named = sorted(set(vector_kernels.MENTIONED.findall(code)))
    found = [kernel(function.decode(), Scalar(t.decode())) for function, t in named]
    if any(b"_ZGV" in x for x in (code, *found)):
        library()
    return found


@cache
def versions(function: str, t: Scalar, arity: int) -> dict[int, str]:
    """The symbols of a C function's versions on this machine, by how many lanes they have."""
    own = vector_kernels.KERNELS.get((function, t))
    found: dict[int, str] = {}
    for size in registers():
        lanes = size // t.bytes
        if own is not None and (not own.rests or _has(own.rests, Scalar.F64, size, arity)):
            found[lanes] = vector_kernels.symbol(function, t, lanes)
        elif function in EXACT[t] and _has(function, t, size, arity):
            found[lanes] = vector_kernels.library_symbol(function, t, size, arity)
    return found


def _has(function: str, t: Scalar, size: int, arity: int) -> bool:
    """Whether the C library has a version."""
    return hasattr(library(), vector_kernels.library_symbol(function, t, size, arity))


def declarations(found: dict[int, str], t: Scalar, arity: int) -> list[str]:
    """What LLVM must know of versions."""
    out = []
    for lanes, symbol in found.items():
        vector = f"<{lanes} x {VALUE[t]}>"
        out.append(f"declare {vector} @{symbol}({', '.join([vector] * arity)}){PURE}")
    return out


def attribute(scalar: str, found: dict[int, str], arity: int) -> str:
    """The attribute of a call of `scalar` that names its versions."""
    named = (f"_ZGV_LLVM_N{n}{'v' * arity}_{scalar}({symbol})" for n, symbol in found.items())
    return f'"vector-function-abi-variant"="{",".join(named)}"'


def kept(symbols: list[str]) -> str:
    """A definition that keeps declarations which nothing calls yet."""
    listed = ", ".join(f"ptr @{s}" for s in symbols)
    return (f"@llvm.compiler.used = appending global [{len(symbols)} x ptr] [{listed}], "
            'section "llvm.metadata"')


def undecided(body: Region) -> frozenset[Op]:
    """The elementary functions in a body on whose values no branch, loop or index depends."""
    costly = [op for op in walk(body) if isinstance(op, Apply) and op.prim.cost >= COSTLY]
    if not costly:
        return frozenset()
    sources = _sources(body)
    todo = [x for op in walk(body) for x in _decisions(op)]
    deciding: set[Operand] = set()
    while todo:
        x = todo.pop()
        if x not in deciding:
            deciding.add(x)
            todo += sources.get(x, ())
    return frozenset(op for op in costly if op.out not in deciding)


def _decisions(op: Op) -> Sequence[Operand]:
    """What an operation asks to know what happens next, or where."""
    match op:
        case If(cond) | Check(cond):
            return (cond,)
        case For(start, count):
            return start, count
        case While(cond=region):
            return region.yields
        case Apply(_, args, out) if out.scalar.is_int and type_of(args[-1]).is_float:
            return args
        case _:
            return ()


def _sources(body: Region) -> dict[Operand, list[Operand]]:
    """What each variable is computed from."""
    found: dict[Operand, list[Operand]] = {}
    for op in walk(body):
        match op:
            case Apply(_, args, out):
                found[out] = list(args)
            case If(_, then, orelse, outs):
                for k, out in enumerate(outs):
                    found[out] = [then.yields[k], orelse.yields[k]]
            case Parallel(body=inner, outs=outs):
                found.update(zip(outs, ([y] for y in inner.yields), strict=True))
            case For(inits=inits, body=inner, outs=outs):
                _carried(found, (outs, inner.args[1:]), (inits, inner.yields))
            case While(inits, cond, inner, outs):
                _carried(found, (outs, inner.args, cond.args), (inits, inner.yields))
            case _:
                pass
    return found


def _carried(
    found: dict[Operand, list[Operand]],
    names: tuple[tuple[Var, ...], ...],
    values: tuple[tuple[Operand, ...], ...],
) -> None:
    """Every name of a carried value may be any of its values."""
    for same in names:
        for k, v in enumerate(same):
            found[v] = [x[k] for x in values]
