"""Reverse rules for calls of functions that have a derivative of their own (a rule).

The rule is called where the call is reversed, on the inputs as they were at the call. What the
function overwrites has its adjoint consumed: directly where all of it is certainly written, else by
the reverse of a *still* copy of the function, which writes constants to the same places.
"""

from __future__ import annotations

from dataclasses import replace

from loma.ad.adjoints import Adjoints
from loma.ad.errors import NotDifferentiable
from loma.ad.memory import MemoryRules
from loma.ad.places import LastWrite, Overlay, Plain, Shadow
from loma.ad.saved import Saved
from loma.ad.state import Rule
from loma.ir.analysis.activity import differentiable
from loma.ir.builder import const
from loma.ir.nodes import Argument, Call, Const, Direction, Function, Op, Operand, Var
from loma.ir.traverse import op_reads, reads
from loma.ir.types import ArrayType, Ref, Scalar


class RuledCalls(MemoryRules):
    """What calls a function with a rule."""

    def ruled_call(
        self, op: Call, env: Adjoints, rule: Rule | NotDifferentiable
    ) -> list[Op]:
        """Forward: the call, and what must be kept for it. Reverse: the rule."""
        if not any(self.active(x) for x in (*op.args, *op.outs)):
            self.check_plain(op)
            return [op]
        if isinstance(rule, NotDifferentiable):
            raise rule
        if rule.silent and all(env.get(v) is None for v in op.outs):
            return [op]
        site = _Site(self, op, rule)
        for i, (a, x) in enumerate(zip(rule.primal.signature.arguments, op.args, strict=False)):
            site.operand(i, a, x)
        args = (*site.args, *site.seeds(env), *site.sizes)
        self.b.emit(Call(rule.reverse.name, args, (), span=op.span))
        for x, adjoint in site.temporaries:
            env.add(x, self.b.load(adjoint, (), "adj"))
        return self.consumed(op, rule, site.before)

    def check_plain(self, op: Call) -> None:
        """Refuses operands without plain memory."""
        for x in op.args:
            if isinstance(x, Var) and isinstance(x.type, Ref):
                self.plain(op, x)

    def plain(self, op: Call, x: Var) -> None:
        """Refuses an operand without plain memory."""
        base = self.root_base(x)
        if isinstance(self.primal.get(base, Plain()), Overlay):
            raise self.refuse(
                op.span,
                f"`{base.name}`, an Out or InOut array, is passed to `{op.function}`, which has a "
                "rule of its own",
                "pass a local array",
            )

    def consumed(self, op: Call, rule: Rule, before: list[Op]) -> list[Op]:
        """Consumes the adjoints of what the call overwrites; gives the forward code.

        What the still copy leaves on the tape lies below what is kept for the rule.
        """
        outputs = [
            (i, x)
            for i, x in enumerate(op.args)
            if isinstance(x, Var) and _is_output(rule.primal, i) and self.adjoint_of(x) is not None
        ]
        if all(rule.fills(i, x.content) for i, x in outputs):
            for _, x in outputs:
                Saved(self.b, self.structs).zero(self.shadow(x))
            return [*before, op]
        if any(a.direction is Direction.INOUT for a in rule.primal.signature.arguments):
            raise self.refuse(
                op.span,
                f"`{op.function}` has a rule of its own and may leave a part of an Out argument "
                "as it was, beside an InOut argument",
                "make the Out argument InOut too",
            )
        still = self.split_call(replace(op, function=rule.still), self.adjoints())
        elsewhere = [x for _, x in outputs if not self.is_plain(x)]
        for x in elsewhere:
            if not self.is_last(op, self.root_base(x)):
                self.plain(op, x)
        return [*still, *before, *([] if elsewhere else [op])]  # what it would write is not read

    def is_plain(self, x: Var) -> bool:
        """Whether what is written to a root goes to the root itself."""
        return isinstance(self.primal.get(self.root_base(x), Plain()), Plain)

    def adjoint_of(self, x: Var) -> Var | None:
        """The adjoint memory of a root, if there is any."""
        policy = self.adjoint.get(self.root_base(x))
        if policy is None or not differentiable(x, self.structs):
            return None
        return policy.root

    def split_call(self, op: Call, env: Adjoints) -> list[Op]:
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
    """The operands that a rule takes at one call."""

    def __init__(self, state: RuledCalls, op: Call, rule: Rule) -> None:
        self.state = state
        self.op = op
        self.rule = rule
        self.read = set(reads(rule.reverse.body))
        self.args: list[Operand] = []
        self.sizes: list[Operand] = []
        self.before: list[Op] = []
        self.temporaries: list[tuple[Operand, Var]] = []

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
        self.state.plain(self.op, x)
        b, saved = self.state.b, Saved(self.state.b, self.state.structs)
        if isinstance(x.content, Scalar):
            with b.nested() as ops:
                value = b.load(x, (), x.name)
            self.before += ops
            return value
        if self.rule.reverse.params[len(self.args)] not in self.read:
            return saved.blank(x)
        stable = self.state.reloads.operands.get(self.op, frozenset())
        if i in stable and not written and i not in self.state.callees.writes(self.op.function):
            return x
        kept = saved.keep(x, self.state.defs.get(x), self.state.tape)
        if kept is None:
            raise self.state.refuse(
                self.op.span,
                f"`{self.state.root_base(x).name}` may be overwritten after this call of "
                f"`{self.op.function}`, whose reverse rule reads it, and its length is not known",
                "pass an array that stays as it is, or a local array of known length",
            )
        self.before += kept.before
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

    def shadow(self, x: Var) -> Var:
        """The adjoint memory of a root; the root itself stands in for an adjoint of integers."""
        if not differentiable(x, self.state.structs):
            return x if not isinstance(x.content, Scalar) else self.state.b.alloc(x.content, "adj")
        policy = self.state.adjoint.get(self.state.root_base(x))
        if isinstance(policy, Shadow):
            return self.state.shadow(x)
        if policy is None and not (isinstance(x.content, ArrayType) and x.content.size is None):
            return self.state.b.alloc(x.content, f"adj_{x.name}")
        if isinstance(policy, LastWrite):
            base = self.state.root_base(x)
            if x is base and self.state.is_last(self.op, base):
                return policy.root
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
            return self.shadow(x)
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

