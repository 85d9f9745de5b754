"""Lowers a typed module to core IR: structured SSA, monomorphic, with every exit structured."""

from __future__ import annotations

from loma.frontend.lower.call import Facts, shared_arguments
from loma.frontend.lower.env import Exits
from loma.frontend.lower.flow import Flow, signatures
from loma.frontend.lower.loop import Loops
from loma.frontend.lower.writes import Writes, by_reference
from loma.frontend.typed import Function, Module, Symbol
from loma.ir import nodes as core
from loma.ir.builder import const
from loma.ir.derived import RETURN, THREADS
from loma.ir.nodes import Operand, Region, Var
from loma.ir.prims.gradient import STOP_GRADIENT
from loma.ir.types import I32, Ref, Scalar, TapeType


def lower(module: Module, debug: bool = False) -> core.Module:
    """The core of every function of a checked file; declared derivatives are left to the driver.

    `debug`: with checks of every division, domain and index that can be had.
    """
    table = signatures(module)
    facts = Facts(module, table, Writes(module, table), Flow(table), debug)
    functions = {name: lower_function(f, facts) for name, f in module.functions.items()}
    return core.Module(dict(module.structs), functions, module.float_type, module.file)


def lower_function(f: Function, facts: Facts) -> core.Function:
    """The core of one function."""
    params: list[Var] = []
    for symbol, argument in zip(f.params, f.signature.arguments, strict=True):
        assert symbol.type == argument.type, (
            f"{f.name}: {symbol.name} and its argument differ in type"
        )
        if by_reference(argument):
            params.append(Var(symbol.name, Ref(argument.type, argument.growable)))
        else:
            assert isinstance(argument.type, Scalar)
            params.append(Var(symbol.name, argument.type))
    result = _result(f, params)
    walk = Loops(facts, shared_arguments(f.signature, f.params), result)
    walk.thread = None if f.thread is None else params[f.params.index(f.thread)]
    body = _kernel(f, params, walk) if f.signature.simd else _body(f, params, walk)
    inside = any(isinstance(a.type, TapeType) or a.growable for a in f.signature.arguments)
    return core.Function(
        f.name, tuple(params), body, f.signature, f.span, exported=f.exported and not inside
    )


def _result(f: Function, params: list[Var]) -> Symbol | Var | None:
    match f.signature.result:
        case None:
            return None
        case Scalar() as scalar:
            return Symbol(RETURN, scalar)
        case aggregate:
            params.append(Var(RETURN, Ref(aggregate)))
            return params[-1]


def _body(f: Function, params: list[Var], walk: Loops) -> Region:
    with walk.b.nested() as ops:
        _statements(f, params, walk)
    yields: tuple[Operand, ...] = ()
    if isinstance(walk.result, Symbol):
        yields = (walk.env[walk.result],)
    return walk.b.region(ops, yields)


def _kernel(f: Function, params: list[Var], walk: Loops) -> Region:
    """One Parallel over the threads; what a thread copies or assigns is its own."""
    threads = Var(THREADS, I32)
    walk.thread = Var("thread", I32)
    with walk.b.nested() as ops:
        _statements(f, params, walk)
    params.append(threads)
    each = walk.b.region(ops, (), (walk.thread,))
    return walk.b.region([core.Parallel(threads, each, (), span=f.span)])


def _statements(f: Function, params: list[Var], walk: Loops) -> None:
    walk.b.span = f.span
    copied = walk.facts.writes.copied(f)
    constant = {s for s, a in zip(f.params, f.signature.arguments, strict=True) if a.nodiff}
    for symbol, var in zip(f.params, params, strict=False):
        if isinstance(var.type, Scalar):
            walk.env[symbol] = _entered(walk, var) if symbol in constant else var
        elif symbol in copied:
            walk.roots[symbol] = walk.local(var.content, symbol.name)
            walk.copy((walk.roots[symbol], ()), (var, ()))
        else:
            walk.roots[symbol] = var
    if isinstance(walk.result, Symbol):
        assert isinstance(walk.result.type, Scalar)
        walk.env[walk.result] = const(0, walk.result.type)
    walk.block(f.body, Exits())


def _entered(walk: Loops, var: Var) -> Operand:
    """The value of an argument that no derivative is taken by."""
    return walk.b.apply(STOP_GRADIENT, var, name=var.name) if var.scalar.is_float else var
