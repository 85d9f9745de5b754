"""What a call from Python must know of a function beyond its signature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, TypeAlias

from loma.frontend import typed
from loma.host.requests import nodes, request_of, signature_of
from loma.ir.derived import Mode, reverse_signature
from loma.ir.nodes import Direction, Signature

BRANCHING: Final = (typed.If, typed.While, typed.For)
CHOOSING: Final = (typed.Logical, typed.Conditional, typed.Reduce)
Sizes: TypeAlias = Mapping[str, tuple[str | None, ...]]


@dataclass(frozen=True, slots=True)
class Facts:
    """`threads`: the arrays that a kernel indexes by plain `thread_id()`; `each`: those of them
    of which every thread surely uses its element. `like`: for an Out argument the argument that
    has its shape. `sizes`: named sizes of dimensions. `sums`: Out arguments that are added to,
    never overwritten.
    """

    threads: tuple[str, ...] = ()
    like: Mapping[str, str] = field(default_factory=dict)
    sizes: Sizes = field(default_factory=dict)
    sums: tuple[str, ...] = ()
    each: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Facts:
        """The inverse of `to_json`."""
        sizes = {name: tuple(s) for name, s in data["sizes"].items()}
        return Facts(tuple(data["threads"]), data["like"], sizes, tuple(data["sums"]),
                     tuple(data["each"]))


def facts(program: typed.Module, name: str, sizes: Mapping[str, Sizes]) -> Facts:
    """The facts about a function or derivative; `sizes` are those of the written functions."""
    found = request_of(program, name)
    if isinstance(found, typed.Function):
        every = {**named(found.signature), **sizes.get(name, {})}
        return Facts(tuple(indexed(found, found.body)), {}, every,
                     each=tuple(indexed(found, _surely(found.body))))
    inner = facts(program, found.primal, sizes)
    match found.mode:
        case Mode.FORWARD:
            return inner
        case Mode.REVERSE:
            return _reverse(inner, signature_of(program, found.primal))


def named(signature: Signature) -> Sizes:
    """The names of the sizes of the arguments."""
    return {a.name: tuple([n if isinstance(n, str) else None for n in a.shape])
            for a in signature.written if any(isinstance(n, str) for n in a.shape)}


def pairs(signature: Signature) -> dict[str, str]:
    """For each argument that has one, the name of its adjoint in the reverse derivative."""
    rest = iter(reverse_signature(signature).arguments)
    found: dict[str, str] = {}
    for a in signature.written:
        if a.direction is not Direction.OUT:
            next(rest)
        if not a.nodiff:
            found[a.name] = next(rest).name
    return found


def _reverse(inner: Facts, signature: Signature) -> Facts:
    adjoint = pairs(signature)
    kept = {a.name for a in signature.written if a.direction is not Direction.OUT}
    inputs = [a.name for a in signature.written
              if a.direction is Direction.IN and a.name in adjoint]

    def both(names: Iterable[str]) -> list[str]:
        return [x for n in names
                for x in ([n] if n in kept else []) + ([adjoint[n]] if n in adjoint else [])]

    sizes = {x: inner.sizes[n] for n in inner.sizes for x in both([n])}
    return Facts(
        tuple(both(inner.threads)),
        {adjoint[n]: n for n in inputs},
        sizes,
        tuple(adjoint[n] for n in inputs),
        tuple(both(inner.each)),
    )


def indexed(f: typed.Function, parts: tuple[typed.Stmt, ...]) -> list[str]:
    """The arguments that parts of a kernel index by plain `thread_id()`."""
    if not f.signature.simd:
        return []
    plain = _thread_numbers(f)
    found: dict[str, None] = {}
    for n in nodes(parts):
        match n:
            case typed.Index(typed.Name(base), index, _, at) | typed.View(
                typed.Name(base), index, _, _, at
            ) if base in f.params and _by_thread(base, index, at, plain):
                found[base.name] = None
            case _:
                pass
    return list(found)


def _surely(body: tuple[typed.Stmt, ...]) -> tuple[typed.Stmt, ...]:
    """The statements that every thread runs, all of them."""
    found: list[typed.Stmt] = []
    for s in body:
        parts = list(nodes(s))
        if not isinstance(s, BRANCHING) and not any(isinstance(n, CHOOSING) for n in parts):
            found.append(s)
        if any(isinstance(n, typed.Return | typed.Assert) for n in parts):
            break
    return tuple(found)


def _by_thread(
    base: typed.Symbol, index: typed.Expr, at: typed.At, plain: set[typed.Symbol]
) -> bool:
    """Whether the first index into an array is the thread's number."""
    if at:
        index, size = at[0]
        if size is not base.shape[0]:
            return False
    elif base.shape:
        return False
    return isinstance(index, typed.ThreadId) or (
        isinstance(index, typed.Name) and index.symbol in plain)


def _thread_numbers(f: typed.Function) -> set[typed.Symbol]:
    """The variables that are the thread's number, and never anything else."""
    assigned: Counter[typed.Symbol] = Counter()
    numbers: set[typed.Symbol] = set()
    for n in nodes(f.body):
        match n:
            case typed.Declare(symbol, value) | typed.Assign(typed.Name(symbol), value):
                assigned[symbol] += value is not None
                copy = isinstance(value, typed.Name) and value.symbol in numbers
                if copy or isinstance(value, typed.ThreadId):
                    numbers.add(symbol)
            case _:
                pass
    return {s for s in numbers if assigned[s] == 1}
