"""Split mode: the two halves of a callee's derivative, with a tape between them.

    aug_g(args, tape) -> results       runs g and pushes what the reverse sweep needs
    adj_g(adjoints, tape, seed)        pops it; consumes the adjoints of memory, adds to those of
      scalars

A callee is instantiated by what the call site guarantees: which memory stays unchanged until adj
runs, and whether two of its arguments may be the same memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from loma.ad.adjoints import Adjoints
from loma.ad.incoming import MustWrite
from loma.ad.isolate import isolated
from loma.ad.layouts import Parts, give_adjoint, give_primal, layout_of
from loma.ad.restore import Level, Plan, needed_at, plan, push_pop
from loma.ad.reverse import Sweep
from loma.ad.rotate import rotated
from loma.ad.state import Halves, Layout, RuleOf, State
from loma.ir.analysis.activity import differentiable
from loma.ir.analysis.reload import Reloads, reloads
from loma.ir.analysis.roots import Written, bases
from loma.ir.derived import RETURN, SEED
from loma.ir.nodes import (
    Alloc,
    Argument,
    Call,
    Direction,
    Function,
    Load,
    LoadRef,
    Module,
    Op,
    Operand,
    Region,
    Signature,
    Var,
)
from loma.ir.traverse import clone_region, walk
from loma.ir.types import TAPE, Ref, Scalar

Key = tuple[str, frozenset[int], bool, tuple[tuple[int, Layout], ...], frozenset[int], bool]


@dataclass(slots=True)
class Splitter:
    """Makes halves on demand. `function` gives the core of a callee; `made` collects the halves
    by name, `plans` what each level stores and runs again.
    """

    module: Module
    function: Callable[[str], Function]
    written: Written
    must_write: MustWrite
    taken: set[str]
    made: dict[str, Function] = field(default_factory=dict)
    instances: dict[Key, Halves] = field(default_factory=dict)
    rule: RuleOf = lambda _: None
    exact: bool = False
    plans: list[tuple[Level, Plan]] = field(default_factory=list)

    def writes(self, function: str) -> frozenset[int]:
        """The positions of the memory that a function may write."""
        return self.written.get(function, frozenset())

    def halves(self, call: Call, sweep: State, still: frozenset[int] | None) -> Halves:
        """The halves that suit a call site: those of a still sweep, if it is told which operands
        are outputs.
        """
        g = self.function(call.function)
        key = self.key(g, call, sweep, still)
        if key not in self.instances:
            has_return = bool(g.params) and g.params[-1].name == RETURN
            at = len(g.params) - (1 if has_return else 0)
            names = self.fresh(f"_aug_{g.name}"), self.fresh(f"_adj_{g.name}")
            _, stable, merged, layouts, fixed, is_still = key
            halves = Halves(*names, at, stable, dict(layouts), fixed)
            self.instances[key] = halves
            self.make(g, halves, merged, is_still)
        return self.instances[key]

    def key(self, g: Function, call: Call, sweep: State, still: frozenset[int] | None) -> Key:
        """What a call site guarantees."""
        refs = [i for i, x in enumerate(call.args) if isinstance(x.type, Ref)]
        at_site = [sweep.root_base(x) for i in refs if isinstance(x := call.args[i], Var)]
        touched = self.written.get(g.name, frozenset(refs))
        merged = len(set(at_site)) < len(at_site) and bool(touched)
        layouts = {
            i: layout
            for i in refs
            if isinstance(x := call.args[i], Var)
            and (layout := layout_of(sweep, x)) != Layout()
        }
        stable = sweep.reloads.operands.get(call, frozenset()) & frozenset(refs) - layouts.keys()
        fixed = frozenset(
            i
            for i, x in enumerate(call.args)
            if (still is not None and i not in still) or self.is_fixed(x, sweep)
        )
        is_still = sweep.still or still is not None
        kept = frozenset() if merged else stable
        return g.name, kept, merged, tuple(layouts.items()), fixed, is_still

    def is_fixed(self, x: Operand, sweep: State) -> bool:
        """Whether a callee is to take an operand as constant.

        If `exact`, whatever does not depend on an input; else what is marked, which saves instances
        that differ in little.
        """
        if not isinstance(x, Var) or not differentiable(x, sweep.structs):
            return False
        if sweep.still:
            return not sweep.active(x)
        if isinstance(x.type, Ref) and sweep.root_base(x) in sweep.activity.fixed:
            return True
        return self.exact and not sweep.activity.is_varied(x)

    @contextmanager
    def undone_by(self, error: type[Exception]) -> Iterator[None]:
        """Forgets the halves made within the block if it raises: they may call missing ones."""
        made, instances = dict(self.made), dict(self.instances)
        try:
            yield
        except error:
            self.made, self.instances = made, instances
            raise

    def fresh(self, name: str) -> str:
        """A function name that is not taken."""
        candidate, k = name, 2
        while candidate in self.taken:
            candidate, k = f"{name}_{k}", k + 1
        self.taken.add(candidate)
        return candidate

    def make(self, g: Function, halves: Halves, merged: bool, still: bool) -> None:
        """Both halves of one instance."""
        g = rotated(g) if still else isolated(rotated(g), self.rule, self.module.structs)
        fixed = [g.params[i] for i in halves.fixed]
        sweep = Sweep(g, self.module, self.reloads_of(g, halves, merged), self, fixed, still)
        sweep.is_level = True
        tape = Var("tape", Ref(TAPE))
        sweep.joint.tape = tape
        primals = {
            p: give_primal(sweep, p, layout)
            for i, p in enumerate(g.params)
            if (layout := halves.layouts.get(i)) is not None and layout.overlaid
        }
        params, arguments = _adjoint_parameters(g, halves, sweep)
        env = sweep.adjoints()
        seeds, seed_args = _seeds(g)
        forward, reverse = sweep.sweep(
            g.body, env, [*seeds, *([None] * (len(g.body.yields) - len(seeds)))]
        )
        reverse += _handed_out(sweep, env, params)
        level = Level.of(
            forward, [p for p in g.params if isinstance(p.type, Scalar)], (), sweep.reloads.loads
        )
        choice = plan(level, needed_at(level, reverse, (), ()))
        sweep.check_saved(choice, level)
        self.plans.append((level, choice))
        push, pop = push_pop(tape, choice.saved, g.span)
        ops = (*sweep.joint.start, *forward, *push)
        self.add_aug(g, halves, tape, Region((), ops, g.body.yields), primals)
        adj_params = (*_order(g, params, halves), tape, *(v for v in seeds if isinstance(v, Var)))
        body = clone_region(Region((), (*pop, *choice.again, *reverse), ()), {})
        tape_argument = Argument("tape", TAPE, Direction.INOUT)
        signature = Signature((*arguments, tape_argument, *seed_args))
        self.made[halves.adj] = Function(
            halves.adj, adj_params, body, signature, g.span, exported=False
        )

    def reloads_of(self, g: Function, halves: Halves, merged: bool) -> Reloads:
        """What the adj half may read again: memory of stable parameters only, since locals are
        gone.
        """
        unstable = {
            p for i, p in enumerate(g.params) if isinstance(p.type, Ref) and i not in halves.stable
        }
        found = reloads(g.body, self.written, unstable, merged)
        return only_alive(g, found, set(g.params) - unstable)

    def add_aug(
        self, g: Function, halves: Halves, tape: Var, body: Region, primals: Mapping[Var, Parts]
    ) -> None:
        """The forward half as a function; `primals` are the parts of overlaid parameters."""
        params: list[Var] = []
        arguments: list[Argument] = []
        for p, a in zip(g.params[: halves.tape_at], g.signature.arguments, strict=True):
            parts = primals.get(p)
            params += [p] if parts is None else parts.roots
            arguments += [a] if parts is None else parts.arguments()
        params.append(tape)
        arguments.append(Argument("tape", TAPE, Direction.INOUT))
        result = g.signature.result
        for p in g.params[halves.tape_at :]:  # a struct is returned in memory
            parts = primals.get(p)
            params += [p] if parts is None else parts.roots
            arguments += [] if parts is None else parts.arguments()
            result = result if parts is None else None
        signature = Signature(tuple(arguments), result)
        self.made[halves.aug] = Function(
            halves.aug, tuple(params), clone_region(body, {}), signature, g.span, exported=False
        )


def only_alive(f: Function, found: Reloads, alive: set[Var]) -> Reloads:
    """Of the loads that stay current, those from roots that still exist in the reverse scope."""
    base = bases(f.body)
    roots = {op.out: op.root for op in _loads(f.body)}

    def lives(root: Var) -> bool:
        return base.get(root, root) in alive

    loads = {v for v in found.loads if lives(roots[v])}
    operands = {
        call: frozenset(i for i in stable if isinstance(x := call.args[i], Var) and lives(x))
        for call, stable in found.operands.items()
    }
    return Reloads(loads, operands)


def _loads(body: Region) -> list[Load | LoadRef]:
    return [op for op in walk(body) if isinstance(op, Load | LoadRef)]


def top_allocations(body: Region) -> set[Var]:
    """The local roots that live as long as the body itself."""
    return {op.out for op in body.ops if isinstance(op, Alloc)}


def _adjoint_parameters(
    g: Function, halves: Halves, sweep: Sweep
) -> tuple[Mapping[Var, Parts], list[Argument]]:
    """The adjoint of each differentiable parameter, and the arguments of adj that stand for all
    of them.
    """
    params: dict[Var, Parts] = {}
    arguments: list[Argument] = []
    for i, p in enumerate(g.params):
        if i in halves.stable:
            arguments += Parts((p,)).arguments()
        if not differentiable(p, sweep.structs) or i in halves.fixed:
            continue
        if isinstance(p.type, Ref):
            params[p] = give_adjoint(sweep, p, halves.layouts.get(i, Layout()))
        else:
            params[p] = Parts((Var(f"adj_{p.name}", Ref(p.type)),))
        arguments += params[p].arguments()
    return params, arguments


def _handed_out(sweep: Sweep, env: Adjoints, params: Mapping[Var, Parts]) -> list[Op]:
    """What adds the adjoints of scalar parameters to those of the caller."""
    with sweep.b.nested() as last:
        for p, parts in params.items():
            if isinstance(p.type, Scalar) and (adjoint := env.get(p)) is not None:
                sweep.b.accum(parts.roots[0], (), adjoint)
    return last


def _order(g: Function, adjoints: Mapping[Var, Parts], halves: Halves) -> list[Var]:
    found: list[Var] = []
    for i, p in enumerate(g.params):
        if i in halves.stable:
            found.append(p)
        if p in adjoints:
            found += adjoints[p].roots
    return found


def _seeds(g: Function) -> tuple[list[Operand], list[Argument]]:
    """The adjoint of a scalar float result, as a parameter."""
    match g.signature.result:
        case Scalar() as s if s.is_float:
            return [Var(SEED, s)], [Argument(SEED, s)]
        case _:
            return [], []
