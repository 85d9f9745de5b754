"""Makes derivatives on demand, by name.

Preparing a function that calls a derivative makes the derivative first; a transform that meets a
call asks for the derivative of the callee.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from loma.ad.errors import NotDifferentiable
from loma.ad.forward import forward
from loma.ad.function import Phantom, refuse_phantoms, reverse
from loma.ad.incoming import must_writes
from loma.ad.nodiff import cut, flagged, marked
from loma.ad.rulebook import Rulebook
from loma.ad.split import Splitter
from loma.diagnostics import Span
from loma.frontend import typed
from loma.frontend.lower.program import lower
from loma.ir.analysis.races import Race, races
from loma.ir.analysis.roots import written_params
from loma.ir.derived import Mode, implicit_name
from loma.ir.derived import marked as signature_marked
from loma.ir.nodes import Call, Function, Signature
from loma.ir.traverse import is_parallel, walk
from loma.ir.types import TapeType
from loma.opt import induction, inline, pipeline, promote, raise_accum, raise_loops
from loma.pointerless import Pointerless

BEFORE_AD: Final = (*pipeline.BEFORE_AD, promote.promote_params, pipeline.simplify)
"""Before a differentiation that wants what is called inlined: always so for the fast product."""
SHARED: Final = (*pipeline.BEFORE_AD, promote.promote_own_params, pipeline.simplify)
"""The same for programs with parallel loops, whose rounds may add to what a function is given."""
IN_MEMORY: Final = pipeline.BEFORE_AD
"""The same, with what a function writes to scalar arguments left in memory."""
DISPLAY: Final = (
    promote.run,
    pipeline.simplify,
    raise_loops.run,
    induction.run,
    pipeline.simplify,
    raise_accum.run,
)
"""For the readable product: before differentiation and in the end. Nothing is inlined."""
QUICK: Final = (inline.run, promote.run)
"""For a look at what flows where."""

Change = Callable[[Function], Function]
NamedBody = Callable[[str], Function]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A derivative to make; a forward one carries `width` tangents. `held`: the arguments of the
    primal that are constants to it.
    """

    name: str
    mode: Mode
    primal: str
    width: int = 1
    held: frozenset[str] = frozenset()


class Derivation:
    """The functions made so far, and the names of those that can be made.

    `raw`: as lowered or derived. `prepared`: the same, simplified for being differentiated or
    inlined. `wanted`: derivatives that are made when someone asks for them by name.
    """

    def __init__(self, program: typed.Module, fast: bool, debug: bool = False) -> None:
        self.program = program
        self.fast = fast
        bodies = {name for name, f in program.functions.items() if f.thread}
        kept = {d.primal for d in program.derivatives}
        core = inline.inline_only(lower(program, debug), bodies, kept)
        self.module = core
        self.raw: dict[str, Function] = dict(core.functions)
        self.parallel = any(is_parallel(op) for f in core.functions.values() for op in walk(f.body))
        self.prepared: dict[str, Function] = {}
        self.traced: dict[str, Function] = {}
        self.pointerless = Pointerless(self)
        self.wanted = {
            d.name: Wanted(d.name, d.mode, d.primal, d.width, d.held) for d in program.derivatives
        }
        self.requested = {d.name for d in program.derivatives if d.exported}
        self.declared = {
            (d.mode, d.primal, d.width, d.held): d.name for d in reversed(program.derivatives)
        }
        must_write = must_writes(self.prepare)
        written = {(r.mode, r.primal): r.name for r in program.rules}
        self.rules = Rulebook(written, core, self, must_write)
        self.variants: dict[tuple[str, str, frozenset[int]], str] = {}
        self.uncut = {name for name, f in core.functions.items() if marked(f)}
        self.splitter = Splitter(
            core, self.reversible, {}, must_write, {*self.raw, *self.wanted}, rule=self.rules.rule
        )

    # Functions by name.

    def function(self, name: str) -> Function:
        """A function as lowered, or as derived; made now if need be."""
        if name not in self.raw:
            self.derive(self.wanted[name])
        if name in self.uncut:
            self.uncut.remove(name)
            f = self.raw[name]
            self.raw[name] = self.cut(f, marked(f))
        return self.raw[name]

    def cut_variant(self, name: str, positions: frozenset[int]) -> str:
        """A function through which no derivative flows from some of its memory."""
        f = self.function(name)
        if marked(f) >= positions:
            return name
        return self.variant("cut", f, positions, lambda f: self.cut(f, positions))

    def cut(self, f: Function, positions: frozenset[int]) -> Function:
        """The function with no derivative through what it reads from some of its memory, though
        a pointer may lead there.
        """
        if self.pointerless.concerns(f):
            f = self.without_pointers(self.simplified(f, QUICK))
        return cut(f, positions, self.cut_variant)

    def plain_variant(self, name: str, positions: frozenset[int]) -> str:
        """A function of which exactly that memory is marked as without derivatives."""
        f = self.function(name)
        if marked(f) == positions:
            return name
        if name in self.rules:
            raise NotDifferentiable(
                name,
                f.span,
                f"`{name}` has a rule of its own, and is called with arrays that have derivatives "
                "where its arguments are NoDiff, or without where they are not",
                "mark the same arguments as NoDiff in the caller, or write `stop_gradient` there",
            )
        return self.variant("plain", f, positions, lambda f: flagged(f, positions, f.name))

    def variant(
        self, kind: str, f: Function, positions: frozenset[int], change: Change
    ) -> str:
        """The name of a changed copy of a function, made once."""
        key = kind, f.name, positions
        if key not in self.variants:
            self.variants[key] = self.fresh(f"_{kind}_{f.name}")
            copy = replace(f, name=self.variants[key], exported=False)
            self.raw[copy.name] = copy
            self.raw[copy.name] = change(copy)
            if kind == "apart" and marked(copy):
                self.uncut.add(copy.name)
        return self.variants[key]

    def fresh(self, name: str) -> str:
        """A function name that is not taken."""
        return self.splitter.fresh(name)

    def add(self, f: Function) -> None:
        """Makes a function known by its name."""
        self.raw[f.name] = f

    def finish(self, f: Function) -> Function:
        """A derivative simplified."""
        return pipeline.run(pipeline.AFTER_AD, f, self.module)

    def reversed(
        self, f: Function, name: str, exact: bool = False
    ) -> tuple[Function, list[Phantom]]:
        """The reverse derivative of a core function, what reads phantoms still in it.

        `exact`: nothing is differentiated that does not depend on an input.
        """
        reachable = {g: self.reversible(g) for g in self.called(f, self.reversible)}
        self.rules.prepare(reachable)
        before = self.splitter.written, self.splitter.exact
        self.splitter.written = written_params(reachable | {f.name: f})
        self.splitter.exact = exact
        try:
            return reverse(f, name, self.module, self.splitter)
        finally:
            self.splitter.written, self.splitter.exact = before

    def prepare(self, name: str) -> Function:
        """The function simplified for differentiation, what it calls inlined (if fast)."""
        if name not in self.prepared:
            f = self.function(name)
            called = self.called(f)
            if self.fast:
                known = {g: self.prepared.get(g, self.raw[g]) for g in self.open(called)}
                known[name] = f
                passes = SHARED if self.parallel else BEFORE_AD
                f = pipeline.run(passes, f, replace(self.module, functions=known))
            else:
                f = pipeline.run(DISPLAY, f, self.module)
            self.prepared[name] = f
        return self.prepared[name]

    def reversible(self, name: str) -> Function:
        """The same without pointers in local memory."""
        if name not in self.traced:
            self.traced[name] = self.without_pointers(self.prepare(name))
        return self.traced[name]

    def without_pointers(self, f: Function) -> Function:
        """The function with integers for the pointers in its local memory."""
        return self.pointerless.of(f)

    def open(self, called: Iterable[str]) -> list[str]:
        """The functions that may be inlined before differentiation: those without rules."""
        return [g for g in called if g not in self.rules]

    def is_ruled(self, f: Function) -> bool:
        """Whether a function calls one that was kept apart for its rules."""
        return any(isinstance(op, Call) and op.function in self.rules for op in walk(f.body))

    def called(self, f: Function, body: NamedBody | None = None) -> dict[str, None]:
        """Every function that `f` may reach, made; by `body`, if not as they were made."""
        found: dict[str, None] = {}
        todo = [f]
        while todo:
            for op in walk(todo.pop().body):
                if isinstance(op, Call) and op.function not in found:
                    found[op.function] = None
                    todo.append((body or self.function)(op.function))
        return found

    def races(self) -> list[tuple[str, bool, Race]]:
        """The conflicts between the threads of the file's own kernels, and between the rounds of
        its parallel loops, by function; whether that is a kernel. Those of a kernel are not told
        again where it is launched.
        """
        own = [f for f in self.module.functions.values() if any(map(is_parallel, walk(f.body)))]
        found: dict[tuple[Span, Span], tuple[str, bool, Race]] = {}
        for f in sorted(own, key=lambda f: not f.signature.simd):
            for race in races(self.prepare(f.name)):
                key = race.write.span, race.other.span
                found.setdefault(key, (f.name, f.signature.simd, race))
        return list(found.values())

    # Derivatives.

    def name_of(
        self, primal: str, mode: Mode, width: int = 1, held: frozenset[str] = frozenset()
    ) -> str:
        """The name of a derivative: the declared one, else the implicit one, which is then
        wanted.
        """
        rule = self.rules.written.get((mode, primal)) if width == 1 and not held else None
        name = rule or self.declared.get((mode, primal, width, held))
        if name is None:
            name = implicit_name(primal, mode, width)
            if held:
                name = self.declared[mode, primal, width, held] = self.fresh(f"_held{name}")
            self.wanted.setdefault(name, Wanted(name, mode, primal, width, held))
        return name

    def derive(self, want: Wanted) -> None:
        """Makes a derivative."""
        if want.width > 1 and want.primal in self.rules:
            raise NotDifferentiable(
                want.primal,
                self.function(want.primal).span,
                f"`{want.primal}` has a rule of its own, which takes one direction at a time",
                "ask for one direction",
            )
        ruled = None if want.held else self.rules.derive(want.name, want.mode, want.primal)
        if ruled is not None:
            self.raw[want.name] = ruled
            self.add_halves()
        elif want.mode is Mode.FORWARD:
            self.raw[want.name] = self.forward_of(want, self.prepare(want.primal))
        else:
            self.derive_reverse(want, self.prepare(want.primal))
        if want.name in self.requested:
            self.raw[want.name] = with_export(self.raw[want.name])

    def forward_of(self, want: Wanted, f: Function) -> Function:
        """A forward derivative, of the primal as it was prepared."""

        def called(name: str, plain: frozenset[int]) -> str:
            """The derivative of a callee that takes some memory without tangents."""
            if not want.held or name in self.rules:
                return self.name_of(self.plain_variant(name, plain), Mode.FORWARD, want.width)
            free = self.plain_variant(name, frozenset())
            arguments = self.signature(name).arguments
            held = frozenset(a.name for i, a in enumerate(arguments) if i in plain)
            return self.name_of(free, Mode.FORWARD, want.width, held)

        f = holding(f, want.held)
        if marked(f):
            f = self.without_pointers(f)
        made = forward(f, want.name, self.module, called, self.signature, want.width)
        return self.finish(holding(made, want.held, False))

    def signature(self, name: str) -> Signature:
        """What callers see of a function."""
        return self.function(name).signature

    def derive_reverse(self, want: Wanted, f: Function) -> None:
        """Makes a reverse derivative; one that is refused may still be had with what it calls
        inlined (the readable product), or with the scalars of Out arguments in memory, where the
        run can tell whether they are written when they are read.
        """
        try:
            self.reverse_of(want, f)
        except NotDifferentiable as refused:
            again = self.in_memory if self.fast else self.inlined
            try:
                self.reverse_of(want, again(want.primal))
            except NotDifferentiable:
                raise refused from None

    def inlined(self, name: str, passes: tuple[pipeline.Pass, ...] = SHARED) -> Function:
        """The function simplified for differentiation, what it calls inlined."""
        return self.simplified(self.function(name), passes)

    def simplified(self, f: Function, passes: tuple[pipeline.Pass, ...]) -> Function:
        """A function after some passes, what it calls inlined."""
        known = {g: self.raw[g] for g in self.open(self.called(f))} | {f.name: f}
        return pipeline.run(passes, f, replace(self.module, functions=known))

    def in_memory(self, name: str) -> Function:
        """The same without its scalar arguments in values; so for what it is the tangent of."""
        want = self.wanted.get(name)
        f = self.function(name)
        if want is not None and want.mode is Mode.FORWARD and want.primal not in self.rules:
            f = self.forward_of(want, self.in_memory(want.primal))
        return self.simplified(f, IN_MEMORY)

    def reverse_of(self, want: Wanted, f: Function) -> None:
        """Makes a reverse derivative, and the halves of the callees that stay calls."""
        with self.splitter.undone_by(NotDifferentiable):
            held = holding(self.without_pointers(f), want.held)
            made, phantoms = self.reversed(held, want.name)
            made = self.finish(holding(made, want.held, False))
            refuse_phantoms(want.primal, made, phantoms)
        self.raw[want.name] = made
        self.add_halves()

    def add_halves(self) -> None:
        """Makes the halves of callees that stay calls known by their names."""
        for name, half in self.splitter.made.items():
            if name not in self.raw:
                self.raw[name] = self.finish(half)

    def export_callees(self) -> None:
        """Makes the implicit derivatives of all functions that the differentiated ones call.

        One that has no derivative of its own is left out: its callers were differentiated with it
        inlined.
        """
        done: set[tuple[Mode, str]] = set()
        todo = [(d.mode, d.primal) for d in self.program.derivatives if d.width == 1]
        while todo:
            mode, primal = todo.pop()
            if (mode, primal) in done:
                continue
            done.add((mode, primal))
            for op in walk(self.function(primal).body):
                if isinstance(op, Call) and self.raw[op.function].exported:
                    self.export(op.function, mode)
                if isinstance(op, Call) and op.function in self.program.functions:
                    todo.append((mode, op.function))

    def make_all(self) -> None:
        """Makes every derivative that is wanted by now."""
        while missing := [w for w in self.wanted.values() if w.name not in self.raw]:
            for want in missing:
                self.function(want.name)

    def export(self, function: str, mode: Mode) -> None:
        """Makes one implicit derivative, if there is one."""
        known = set(self.wanted)
        name = self.name_of(function, mode)
        try:
            self.function(name)
        except NotDifferentiable:
            if name in known:
                raise
            del self.wanted[name]


def holding(f: Function, names: frozenset[str], nodiff: bool = True) -> Function:
    """The function with some of its arguments as NoDiff, or as others again."""
    return replace(f, signature=signature_marked(f.signature, names, nodiff)) if names else f


def with_export(f: Function) -> Function:
    """The function for callers outside, if they can pass its arguments."""
    inside = any(isinstance(a.type, TapeType) or a.growable for a in f.signature.arguments)
    return replace(f, exported=not inside)
