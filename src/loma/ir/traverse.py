"""Walks over core IR: what an operation reads and binds, and copies under a substitution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeAlias, assert_never

from loma.ir.nodes import (
    Accum,
    Alloc,
    Apply,
    Call,
    Check,
    For,
    If,
    Load,
    LoadRef,
    Module,
    Op,
    Operand,
    Parallel,
    Path,
    Pop,
    Print,
    Push,
    Region,
    Store,
    StoreRef,
    Var,
    View,
    While,
    Window,
)

Subst: TypeAlias = Mapping[Var, Operand]
CONTROL: Final[frozenset[type]] = frozenset((If, For, While, Parallel))
"""The operations that have regions."""


def outs(op: Op) -> tuple[Var, ...]:
    """The variables that an operation binds (not those inside its regions)."""
    match op:
        case Apply() | Load() | View() | Window() | LoadRef() | Alloc():
            return (op.out,)
        case Pop() | Call() | If() | For() | While() | Parallel():
            return op.outs
        case Store() | Accum() | StoreRef() | Push() | Check() | Print():
            return ()
        case _:
            assert_never(op)


def regions(op: Op) -> tuple[Region, ...]:
    """The regions nested directly in an operation."""
    if type(op) not in CONTROL:
        return ()
    match op:
        case If():
            return (op.then, op.orelse)
        case For() | Parallel():
            return (op.body,)
        case While():
            return (op.cond, op.body)
        case _:
            return ()


def is_parallel(op: Op) -> bool:
    """Whether the iterations of an operation are unordered."""
    return isinstance(op, Parallel) or (isinstance(op, For) and op.parallel)


def operands(op: Op) -> tuple[Operand, ...]:  # noqa: C901 - one dispatch
    """What an operation reads directly: values and roots (not what its regions read)."""
    match op:
        case Apply(_, args) | Call(_, args):
            return args
        case (
            Load(root, path) | View(root, path) | Window(root, path) | LoadRef(root, path)
        ):
            return (root, *indices(path))
        case Store(root, path, value) | Accum(root, path, value) | StoreRef(root, path, value):
            return (root, *indices(path), value)
        case Alloc(_, count):
            return () if count is None else (count,)
        case Push(tape, values):
            return (tape, *values)
        case Pop(tape):
            return (tape,)
        case Check():
            return (op.cond, *indices(op.text), *(op.within or ()))
        case Print(text):
            return indices(text)
        case If(cond):
            return (cond,)
        case For():
            return (op.start, op.count, *op.inits)
        case While():
            return op.inits
        case Parallel(count):
            return (count,)
        case _:
            assert_never(op)


def indices(path: Path) -> tuple[Operand, ...]:
    """The operands in a path."""
    return tuple(p for p in path if not isinstance(p, str))


def walk(region: Region) -> Iterator[Op]:
    """Every operation of a region, nested ones after the one that holds them."""
    todo = [iter(region.ops)]
    while todo:
        for op in todo[-1]:
            yield op
            if type(op) in CONTROL:
                todo += [iter(inner.ops) for inner in reversed(regions(op))]
                break
        else:
            todo.pop()


def reads(region: Region) -> Iterator[Var]:
    """Every variable that is read anywhere in a region, with repetition."""
    for op in region.ops:
        for x in operands(op):
            if isinstance(x, Var):
                yield x
        for inner in regions(op):
            yield from reads(inner)
    for y in region.yields:
        if isinstance(y, Var):
            yield y


def bound(region: Region) -> set[Var]:
    """Every variable that is bound anywhere in a region, its args included."""
    names = set(region.args)
    for op in region.ops:
        names.update(outs(op))
        for inner in regions(op):
            names |= bound(inner)
    return names


def free(region: Region) -> dict[Var, None]:
    """The variables that a region reads and does not bind, in order of first use (keys of a
    dict).

    This is the fast one, for a region in which each variable is bound once, as in every function.
    Reverse code binds primal variables again while it is made: `analysis.scope` is for that.
    """
    inside = bound(region)
    return {v: None for v in reads(region) if v not in inside}


def op_reads(op: Op) -> Iterator[Var]:
    """Every variable that an operation reads from outside itself, those of its regions included."""
    for x in operands(op):
        if isinstance(x, Var):
            yield x
    for inner in regions(op):
        yield from free(inner)


# Copies. A substitution maps variables to operands; a clone binds fresh variables throughout.


def clone_region(region: Region, subst: Subst, keep: bool = False) -> Region:
    """A copy under a substitution; with `keep`, bound variables stay the same objects."""
    s = dict(subst)
    args = tuple(_bind(v, s, keep) for v in region.args)
    ops = tuple(clone_op(op, s, keep) for op in region.ops)
    return Region(args, ops, tuple(value(y, s) for y in region.yields))


def clone_op(  # noqa: C901 - one dispatch
    op: Op, s: dict[Var, Operand], keep: bool = False
) -> Op:
    """A copy under a substitution, which is extended by what the copy binds."""

    def inner(region: Region) -> Region:
        return clone_region(region, s, keep)

    read = reread(op, lambda x: value(x, s))
    match read:
        case Apply(prim, args, out):
            return Apply(prim, args, _bind(out, s, keep), span=read.span)
        case Load() | View() | Window() | LoadRef() | Alloc():
            return replace(read, out=_bind(read.out, s, keep))
        case Pop() | Call():
            return replace(read, outs=tuple(_bind(v, s, keep) for v in read.outs))
        case Store() | Accum() | StoreRef() | Push() | Check() | Print():
            return read
        case If():
            then, orelse = inner(read.then), inner(read.orelse)
            return replace(
                read, then=then, orelse=orelse, outs=tuple(_bind(v, s, keep) for v in read.outs)
            )
        case For() | Parallel():
            body = inner(read.body)
            return replace(read, body=body, outs=tuple(_bind(v, s, keep) for v in read.outs))
        case While():
            cond, body = inner(read.cond), inner(read.body)
            return replace(
                read, cond=cond, body=body, outs=tuple(_bind(v, s, keep) for v in read.outs)
            )
        case _:
            assert_never(read)


def _bind(v: Var, s: dict[Var, Operand], keep: bool) -> Var:
    if keep:
        return v
    new = Var(v.name, v.type)
    s[v] = new
    return new


def value(x: Operand, s: Subst) -> Operand:
    """The operand under the substitution."""
    return s.get(x, x) if isinstance(x, Var) else x


def root_of(v: Var, f: Callable[[Operand], Operand]) -> Var:
    """A root under a rewrite, which must give a root."""
    new = f(v)
    assert isinstance(new, Var), f"root {v.name} cannot become a literal"
    return new


def reread(op: Op, f: Callable[[Operand], Operand]) -> Op:  # noqa: C901 - one dispatch
    """The operation with each operand that it reads directly rewritten by `f`; regions are kept."""

    def path(p: Path) -> Path:
        return tuple(x if isinstance(x, str) else f(x) for x in p)

    def pair(p: tuple[Var, Operand] | None) -> tuple[Var, Operand] | None:
        return None if p is None else (root_of(p[0], f), f(p[1]))

    match op:
        case Apply(prim, args, out):
            return Apply(prim, tuple(map(f, args)), out, span=op.span)
        case Call():
            return replace(op, args=tuple(map(f, op.args)))
        case Load() | View() | Window() | LoadRef():
            return replace(op, root=root_of(op.root, f), path=path(op.path))
        case Store() | Accum():
            return replace(op, root=root_of(op.root, f), path=path(op.path), value=f(op.value))
        case StoreRef():
            return replace(
                op, root=root_of(op.root, f), path=path(op.path), value=root_of(op.value, f)
            )
        case Alloc():
            return op if op.count is None else replace(op, count=f(op.count))
        case Push():
            return replace(op, tape=root_of(op.tape, f), values=tuple(f(x) for x in op.values))
        case Pop():
            return replace(op, tape=root_of(op.tape, f))
        case Check():
            return replace(op, cond=f(op.cond), text=path(op.text), within=pair(op.within))
        case Print():
            return replace(op, text=path(op.text))
        case If():
            return replace(op, cond=f(op.cond))
        case For():
            return replace(
                op, start=f(op.start), count=f(op.count), inits=tuple(f(x) for x in op.inits)
            )
        case While():
            return replace(op, inits=tuple(f(x) for x in op.inits))
        case Parallel():
            return replace(op, count=f(op.count))
        case _:
            assert_never(op)


def map_regions(op: Op, f: Callable[[Region], Region]) -> Op:
    """The operation with each nested region rewritten by `f`."""
    match op:
        case If():
            return replace(op, then=f(op.then), orelse=f(op.orelse))
        case For() | Parallel():
            return replace(op, body=f(op.body))
        case While():
            return replace(op, cond=f(op.cond), body=f(op.body))
        case _:
            return op


def called_from(module: Module, functions: Iterable[str]) -> set[str]:
    """Functions of a module, and all that they call."""
    found: set[str] = set()
    todo = list(functions)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            body = module.functions[name].body
            todo += [op.function for op in walk(body) if isinstance(op, Call)]
    return found
