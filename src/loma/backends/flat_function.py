"""Prints a kernel as one entry point, which holds the thread's statements, without pointers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from loma.backends.cfamily import Printer, Root, Types
from loma.backends.cfamily_statements import Program
from loma.backends.device_function import Stops, ThreadPrinter
from loma.backends.flat_sums import FlatSum
from loma.ir import imperative as T
from loma.ir.kernel import Kernel
from loma.ir.nodes import Argument, Direction, Trap, Var
from loma.ir.text_expr import ATOM
from loma.ir.types import ArrayType, Scalar, Type

if TYPE_CHECKING:
    from loma.backends.flat import FlatDialect


@dataclass(frozen=True, slots=True)
class Words:
    """Atomic words: their type, and how one is read and written; `{type}` is that of the value."""

    type: str
    load: str
    store: str

    def types(self, types: Types) -> Types:
        """The same types, all scalars being atomic words."""
        memory = dict.fromkeys(Scalar, self.type)
        structs = {name: f"{shown}_atomic" for name, shown in types.structs.items()}
        return Types(replace(types.dialect, memory=memory), structs)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: what the host gives, and what the thread calls it. `type` is that of a value, or
    of a buffer's elements, of which there may be a `single` one."""

    given: str
    name: str
    type: str
    buffer: bool
    written: bool
    single: bool


@dataclass(frozen=True, slots=True)
class FlatEntry:
    """What an entry is made of: the names of the thread's index and of the number of threads (which
    is empty if nobody asks), whether it needs memory for tapes or can stop itself, its statements,
    and what its lanes sum up. Where they do, the statements stand in a loop over threads.
    """

    name: str
    parameters: list[Parameter]
    thread: str
    threads: str
    context: bool
    types: Types
    lines: list[str]
    sums: list[FlatSum]

    @property
    def copies(self) -> Iterator[tuple[str, str]]:
        """Names of values that the thread assigns to, each with what the host gives."""
        return ((p.name, p.given) for p in self.parameters if p.name != p.given)


@dataclass(frozen=True, slots=True)
class _Printer(Printer):
    """Expressions; a word in the memory of `atomic` roots is loaded as such."""

    atomic: frozenset[Var]
    words: Words | None

    def place(self, p: T.Place, write: bool = False) -> tuple[str, int]:
        """A place; one in atomic memory is loaded, unless it is written."""
        text, binding = Printer.place(self, p, write)
        if write or self.words is None or p.root not in self.atomic:
            return text, binding
        if not isinstance(p.type, Scalar):
            return text, binding
        return self.words.load.format(type=self.dialect.memory[p.type], at=text), ATOM


class Flat(ThreadPrinter):
    """Prints one kernel."""

    def __init__(
        self, kernel: Kernel, program: Program, stops: Stops, target: FlatDialect
    ) -> None:
        self._target = target
        self.stopped = target.stopped
        super().__init__(kernel, program, stops)

    # Parameters.

    def _parameters(self) -> list[str]:
        self._listed: list[Parameter] = []
        added = {s.place.root for s in every(self._body.block) if isinstance(s, T.Add)}
        words = self._target.words
        added |= {s.root for s in self.kernel.sums}
        self._atomic = frozenset(added & self._given if words is not None else ())
        self._show = _Printer(
            self.program.dialect, self.program.types, self._called, self._root, self._call,
            lambda: self._line, self._atomic, words)
        targets = (v for s in every(self._body.block) for v in T.targets(s))
        self._assigned = {self._storage.of(v) for v in targets}
        return super()._parameters()

    def _parameter(self, a: Argument, p: Var) -> str:
        root, types = self._storage.of(p), self.program.types
        if p in self._own or p in self.kernel.numbers:
            self._name(root, a.name)
            return ""
        if isinstance(a.type, ArrayType) or a.direction is not Direction.IN:
            entry = self.program.called[self.kernel.name]
            name = self._name(root, f"{entry}_{a.name}" if self._target.prefixed else a.name)
            element: Type = a.type.element if isinstance(a.type, ArrayType) else a.type
            if p in self._atomic and self._target.words is not None:
                types = self._target.words.types(types)
            written = p in self._written or p in self._atomic
            kind = types.declare(element, "")
            single = not isinstance(a.type, ArrayType)
            self._listed.append(Parameter(name, name, kind, True, written, single))
            return ""
        given = self._name(root, a.name)
        copied = not self._target.values and root in self._assigned
        name = self._name(root, a.name) if copied else given
        self._listed.append(Parameter(given, name, types.declare(a.type, ""), False, False, True))
        return ""

    def _root(self, v: Var) -> Root:
        if v in self._own:
            return Root(f"{self._names[v]}.one")
        signature = self.f.signature.arguments
        for a, p in zip(signature, self.f.params, strict=False):
            if p is v and a.direction is not Direction.IN and not isinstance(a.type, ArrayType):
                return Root(f"{self._names[v]}[0]")
        return super()._root(v)

    def entry(self) -> FlatEntry:
        """The entry."""
        index, count = self.kernel.numbers
        lines = [piece for line in self.lines() for piece in line.split("\n")]
        threads = self._called(count)
        asked = threads if any(threads in line for line in lines) else ""
        return FlatEntry(
            self.program.called[self.kernel.name], self._listed, self._called(index), asked,
            self.traps, self.program.types, lines, self._sums())

    def _sums(self) -> list[FlatSum]:
        return [
            FlatSum(s.type, self._called(v), self._add(T.Place(s.root, s.path, s.type), "_sum"))
            for s, v in zip(self.kernel.sums, self.kernel.totals, strict=True)
        ]

    # Statements.

    def _simple(self, s: T.Stmt) -> str:
        target = self._target
        match s:
            case T.Add(place, value) if place.root in self._given:
                return self._add(place, self._show.of(value))
            case T.Assign(place, value) if place.root in self._atomic and target.words is not None:
                at = self._show.place(place, write=True)[0]
                return target.words.store.format(at=at, x=self._stored(place, value))
            case _:
                return super()._simple(s)

    def _add(self, place: T.Place, value: str) -> str:
        real = place.type in (Scalar.F32, Scalar.F64)
        text = self._target.add_real if real else self._target.add
        at = self._show.place(place, write=True)[0]
        return text.replace("{at}", at).replace("{x}", value)

    def _leave(self) -> str:
        leave = super()._leave()
        return "continue;" if self.kernel.sums and leave == "return;" else leave

    def _stopped(self) -> list[str]:
        if self.program.dialect.braces:
            return [self.program.dialect.when(self.stopped, self._leave())]
        return super()._stopped()

    def _stop(self, number: int) -> str:
        return self._target.stop.format(number=number)

    def _push(self, tape: T.Place, e: T.Expr) -> str:
        pushed = self._target.push.format(
            kind=T.scalar_type(e).value, tape=self._show.place(tape)[0], x=self._show.of(e))
        leave = self._leave()
        if self.program.dialect.braces:
            return self.program.dialect.when(f"!{pushed}", leave)
        return f"if (!{pushed})\n    {leave}"

    def _pop(self, tape: T.Place, v: Var) -> str:
        number, _ = self._reason(Trap.INDEX, "pop from an empty tape")
        popped = self._target.pop.format(
            kind=v.scalar.value, tape=self._show.place(tape)[0], number=number)
        return f"{self._called(v)} = {popped};\n" + "\n".join(self._stopped())

    def _free(self, root: Var) -> str:
        return self._target.drop.format(tape=self._names[root])


def every(block: T.Block) -> Iterator[T.Stmt]:
    """Every statement of a block, nested ones included."""
    for s in block:
        yield s
        for inner in T.blocks(s):
            yield from every(inner)
