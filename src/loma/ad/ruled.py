"""Reverse rules for calls of functions that have a derivative of their own (a rule).

The rule is called where the call is reversed, on the inputs as they were at the call. What the
function overwrites has its adjoint consumed: directly where all of it is certainly written, else by
the reverse of a *still* copy of the function, which writes constants to the same places. Where an
operand has no memory of its own, a still sweep runs instead of the function, and the body of the
rule in place of the rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from loma.ad.adjoints import Adjoints
from loma.ad.errors import NotDifferentiable
from loma.ad.layouts import beginning_at
from loma.ad.memory import MemoryRules
from loma.ad.once import disjoint
from loma.ad.places import LastWrite, Mirror, Overlay, Shadow
from loma.ad.saved import Saved
from loma.ad.state import Rule
from loma.ir.analysis.activity import differentiable
from loma.ir.analysis.roots import bases
from loma.ir.builder import const
from loma.ir.nodes import (
    Argument,
    Call,
    Const,
    Direction,
    Function,
    LoadRef,
    Op,
    Operand,
    Path,
    Var,
    View,
    Window,
)
from loma.ir.traverse import clone_region, op_reads, outs, reads, walk
from loma.ir.types import ArrayType, Ref, Scalar


class RuledCalls(MemoryRules):
    """What calls a function with a rule."""

    def ruled_call(
        self, op: Call, env: Adjoints, rule: Rule | NotDifferentiable
    ) -> list[Op]:
        """Forward: the call, and what must be kept for it. Reverse: the rule."""
        if not any(self.active(x) for x in (*op.args, *op.outs)):
            return self.passive_call(op, rule)
        if isinstance(rule, NotDifferentiable):
            raise rule
        self.check_apart(op, rule)
        if rule.silent and all(env.get(v) is None for v in op.outs):
            return self.passive_call(op, rule)
        outputs = [
            (i, x)
            for i, x in enumerate(op.args)
            if isinstance(x, Var) and _is_output(rule.primal, i) and self.adjoint_of(x) is not None
        ]
        filled = all(rule.fills(i, x.content) for i, x in outputs)
        changes = any(a.direction is Direction.INOUT for a in rule.primal.signature.arguments)
        swept = any(map(self.has_no_memory, op.args)) or (changes and not filled)
        site = _Site(self, op, rule, swept)
        site.call(env)
        if swept:
            still = self.swept_call(op, rule)
            return [*site.before, *still, *site.kept]  # the rule takes first what is kept last
        if not filled:
            still = self.split_call(replace(op, function=rule.still), self.adjoints())
            return [*still, *site.before, *site.kept, op]
        for _, x in outputs:
            Saved(self.b, self.structs).zero(self.shadow(x))
        return [*site.before, *site.kept, op]

    def check_apart(self, op: Call, rule: Rule) -> None:
        """Refuses an input that the call itself certainly overwrites."""
        memory = [(i, x) for i, x in enumerate(op.args) if isinstance(x, Var)]
        memory = [(i, x) for i, x in memory if self.adjoint_of(x) is not None]
        written = [x for i, x in memory if _is_output(rule.primal, i)]
        arguments = rule.primal.signature.arguments
        for i, x in memory:
            read = i < len(arguments) and arguments[i].direction is Direction.IN
            if read and any(self.meet(x, y) for y in written):
                raise self.refuse(
                    op.span,
                    f"`{op.function}` has a rule of its own, and writes to what it is also "
                    f"given as `{arguments[i].name}`",
                    "pass a copy",
                )

    def meet(self, x: Var, y: Var) -> bool:
        """Whether two roots are certainly not apart; parts with different beginnings are taken to
        be.
        """
        p, q = self.steps(x), self.steps(y)
        same = self.root_base(x) is self.root_base(y)
        return same and (p == q or (len(p) != len(q) and not disjoint(p, q)))

    def steps(self, root: Var) -> Path:
        """The path to where a root begins."""
        op = self.defs.get(root)
        if not isinstance(op, View | Window | LoadRef):
            return ()
        return (*self.steps(op.root), *op.path)

    def passive_call(self, op: Call, rule: Rule | NotDifferentiable) -> list[Op]:
        """A call through which nothing flows back."""
        if not any(map(self.has_no_memory, op.args)):
            return [op]
        if isinstance(rule, NotDifferentiable):
            raise rule
        return self.swept_call(op, rule)

    def swept_call(self, op: Call, rule: Rule) -> list[Op]:
        """The call by a still sweep, which consumes the adjoints of the outputs that it writes."""
        outputs = frozenset(i for i, _ in enumerate(op.args) if _is_output(rule.primal, i))
        return self.split_call(op, self.adjoints(), outputs)

    def adjoint_of(self, x: Var) -> Var | None:
        """The adjoint memory of a root, if there is any."""
        policy = self.adjoint.get(self.root_base(x))
        if policy is None or not differentiable(x, self.structs):
            return None
        return policy.root

    def split_call(
        self, op: Call, env: Adjoints, still: frozenset[int] | None = None
    ) -> list[Op]:
        """A call reversed through the two halves of its callee's derivative."""
        raise NotImplementedError

    def is_last(self, op: Call, root: Var) -> bool:
        """Whether a call runs once, and nothing after it touches a root."""
        if self.is_level or op not in self.top:
            return False
        later = self.top[self.top.index(op) + 1 :]
        return not any(
            isinstance(x, Var) and self.root_base(x) is root
            for o in later
            for x in op_reads(o)
        )


def _is_output(f: Function, i: int) -> bool:
    arguments = f.signature.arguments
    return i >= len(arguments) or arguments[i].direction is Direction.OUT


class _Site:
    """The operands that a rule takes at one call, and what the forward sweep does for them: before
    the function runs, and after it. `swept`: it runs in a still sweep.
    """

    def __init__(self, state: RuledCalls, op: Call, rule: Rule, swept: bool) -> None:
        self.state = state
        self.op = op
        self.rule = rule
        self.swept = swept
        self.read = set(reads(rule.reverse.body))
        self.args: list[Operand] = []
        self.sizes: list[Operand] = []
        self.before: list[Op] = []
        self.kept: list[Op] = []
        self.temporaries: list[tuple[Operand, Var]] = []
        self.inlined = False

    def call(self, env: Adjoints) -> None:
        """The rule where the call is reversed; its body, if an operand has no memory of its own."""
        state, op = self.state, self.op
        for i, (a, x) in enumerate(
            zip(self.rule.primal.signature.arguments, op.args, strict=False)
        ):
            self.operand(i, a, x)
        args = (*self.args, *self.seeds(env), *self.sizes)
        if self.inlined:
            self.body(args)
        else:
            state.b.emit(Call(self.rule.reverse.name, args, (), span=op.span))
        for x, adjoint in self.temporaries:
            env.add(x, state.b.load(adjoint, (), "adj"))

    def body(self, args: Sequence[Operand]) -> None:
        """The body of the rule on its operands."""
        state, whole = self.state, self.rule.inlined()
        body = clone_region(whole.body, dict(zip(whole.params, args, strict=True)))
        state.base.update(bases(body))
        state.defs.update((v, op) for op in walk(body) for v in outs(op))
        for op in walk(body):
            if isinstance(op, Call) and any(map(state.has_no_memory, op.args)):
                raise state.refuse(
                    self.op.span,
                    f"`{self.op.function}` has a rule of its own, which hands an array of unknown "
                    "length that is overwritten or read later to a recursive function",
                    "pass a local array",
                )
        for op in state.forward_only(body).ops:
            state.b.emit(op)

    def stand_in(self, x: Var, policy: Overlay | LastWrite) -> Var:
        """A root of the rule's body for an operand that has no memory of its own."""
        self.inlined = True
        found = Var(x.name, x.type)
        here = beginning_at(self.state, x, policy)
        self.state.primal[found] = Mirror(here) if isinstance(here, LastWrite) else here
        return found

    def operand(self, i: int, a: Argument, x: Operand) -> None:
        """What the rule takes for one operand of the call."""
        if a.hidden:
            self.sizes.append(x)
            return
        match a.direction:
            case Direction.IN:
                self.args.append(self.primal(i, x, written=False))
                if not a.nodiff:
                    self.args.append(self.adjoint(a, x))
            case Direction.OUT:
                self.args.append(self.seed(a, x))
            case Direction.INOUT:
                assert isinstance(x, Var), "an InOut is memory"
                self.args.append(self.primal(i, x, written=True))
                self.args.append(self.shadow(x))

    def primal(self, i: int, x: Operand, written: bool) -> Operand:
        """The value of an input as it was at the call."""
        if not isinstance(x, Var) or not isinstance(x.type, Ref):
            return x
        state, b = self.state, self.state.b
        saved = Saved(b, state.structs)
        if isinstance(x.content, Scalar):
            with b.nested() as ops:
                value = b.load(x, (), x.name)
            self.before += ops
            return value
        if self.rule.reverse.params[len(self.args)] not in self.read:
            return saved.blank(x)
        stable = state.reloads.operands.get(self.op, frozenset())
        if i in stable and not written and i not in state.callees.writes(self.op.function):
            overlay = state.primal.get(state.root_base(x))
            return self.stand_in(x, overlay) if isinstance(overlay, Overlay) else x
        made = state.defs.get(x)
        if written and self.swept and saved.is_known(x, made):
            with b.nested() as ops:
                x = saved.copy(x, made)
            self.before += ops
        if not saved.is_known(x, made):
            raise state.refuse(
                self.op.span,
                f"`{state.root_base(x).name}` may be overwritten after this call of "
                f"`{self.op.function}`, whose reverse rule reads it, and its length is not known",
                "pass an array that stays as it is, or a local array of known length",
            )
        kept = saved.keep(x, made, state.tape)
        self.kept += kept.before
        return kept.root

    def adjoint(self, a: Argument, x: Operand) -> Operand:
        """Where the rule adds the adjoint of an input."""
        if isinstance(x, Var) and isinstance(x.type, Ref):
            return self.shadow(x)
        assert isinstance(a.type, Scalar), "only scalars are passed by value"
        adjoint = self.state.b.alloc(a.type, f"adj_{a.name}")
        if a.type.is_float:
            self.temporaries.append((x, adjoint))
        return adjoint

    def shadow(self, x: Var, seed: bool = False) -> Var:
        """The adjoint memory of a root, a `seed` if it is only read; the root itself stands in for
        an adjoint of integers.
        """
        if not differentiable(x, self.state.structs):
            return x if not isinstance(x.content, Scalar) else self.state.b.alloc(x.content, "adj")
        policy = self.state.adjoint.get(self.state.root_base(x))
        if isinstance(policy, Shadow):
            return self.state.shadow(x)
        if policy is None and not (isinstance(x.content, ArrayType) and x.content.size is None):
            return self.state.b.alloc(x.content, f"adj_{x.name}")
        if isinstance(policy, LastWrite):
            base = self.state.root_base(x)
            last = seed and x is base and self.state.is_last(self.op, base)
            return policy.root if last else self.stand_in(x, policy)
        raise self.state.refuse(
            self.op.span,
            f"`{self.state.root_base(x).name}` is passed to `{self.op.function}`, which has a rule "
            "of its own, and there is no memory for its adjoint",
            "pass a local array",
        )

    def seed(self, a: Argument, x: Operand) -> Operand:
        """The adjoint of an output."""
        assert isinstance(x, Var), "an output is memory"
        if not isinstance(a.type, Scalar):
            return self.shadow(x, seed=True)
        if not a.type.is_float:
            return const(0, a.type)
        return self.state.b.load(self.shadow(x), (), f"adj_{a.name}")

    def seeds(self, env: Adjoints) -> list[Operand]:
        """The adjoint of the result."""
        match self.rule.primal.signature.result:
            case None:
                return []
            case Scalar() as s:
                out = self.op.outs[0]
                return [env.get_or_zero(out) if s.is_float else Const(0, s)]
            case _:
                last = self.op.args[-1]
                assert isinstance(last, Var), "a struct is returned in memory"
                return [self.shadow(last)]

