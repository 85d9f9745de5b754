"""Reverse rules for calls, by split mode: the callee's tape lies between its two halves."""

from __future__ import annotations

from dataclasses import replace

from loma.ad.adjoints import Adjoints
from loma.ad.layouts import adjoint_operands, primal_operands
from loma.ad.places import Overlay
from loma.ad.ruled import RuledCalls
from loma.ad.state import Halves, Layout
from loma.ir.analysis.activity import differentiable
from loma.ir.nodes import Call, Op, Operand, Var
from loma.ir.types import Ref, Scalar


class CallRules(RuledCalls):
    """What calls another function."""

    def call(self, op: Call, env: Adjoints) -> list[Op]:
        """A call, by the callee's rule or by the halves of its derivative."""
        rule = None if self.still else self.callees.rule(op.function)
        return self.split_call(op, env) if rule is None else self.ruled_call(op, env, rule)

    def split_call(
        self, op: Call, env: Adjoints, still: frozenset[int] | None = None
    ) -> list[Op]:
        """Forward: aug, which leaves a tape. Reverse: adj, which consumes it; if `still`, the
        adjoints of these operands, and nothing else.
        """
        passive = not any(self.active(x) for x in (*op.args, *op.outs))
        if passive and not any(self.is_overlaid(x) for x in op.args):
            return [op]
        halves = self.callees.halves(op, self, still)
        args: list[Operand] = []
        temporaries: list[tuple[Operand, Var]] = []
        for i, x in enumerate(op.args):
            if isinstance(x, Var) and isinstance(x.type, Ref):
                args += self.memory_operand(x, i, halves)
            elif isinstance(x.type, Scalar) and x.type.is_float and i not in halves.fixed:
                adjoint = self.b.alloc(x.type, f"adj_{x.name if isinstance(x, Var) else 'arg'}")
                args.append(adjoint)
                temporaries.append((x, adjoint))
        seeds = [env.get_or_zero(v) for v in op.outs if v.scalar.is_float]
        self.b.emit(Call(halves.adj, (*args, self.tape(), *seeds), (), span=op.span))
        for x, adjoint in temporaries:
            env.add(x, self.b.load(adjoint, (), "adj"))
        with self.b.nested() as before:
            operands = self.forward_operands(op, halves)
        return [*before, replace(op, function=halves.aug, args=operands)]

    def memory_operand(self, x: Var, i: int, halves: Halves) -> list[Operand]:
        """What the adj half takes for a root: the primal if it stays, and the adjoint."""
        found: list[Operand] = [x] if i in halves.stable else []
        if differentiable(x, self.structs) and i not in halves.fixed:
            last = halves.layouts.get(i, Layout()).last_write
            found += adjoint_operands(self, x) if last else [self.shadow(x)]
        return found

    def forward_operands(self, op: Call, halves: Halves) -> tuple[Operand, ...]:
        """What the aug half takes: the operands, overlaid ones in parts, and the tape."""
        found: list[Operand] = []
        for i, x in enumerate(op.args):
            if i == halves.tape_at:
                found.append(self.tape())
            layout = halves.layouts.get(i)
            if isinstance(x, Var) and layout is not None and layout.overlaid:
                found += primal_operands(self, x)
            else:
                found.append(x)
        return (*found, self.tape()) if halves.tape_at == len(op.args) else tuple(found)

    def is_overlaid(self, x: Operand) -> bool:
        """Whether an operand is a root that has no memory of its own."""
        return isinstance(x, Var) and isinstance(self.primal.get(self.root_base(x)), Overlay)
