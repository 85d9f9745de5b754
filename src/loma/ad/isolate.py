"""Gives the operands of calls with a rule memory of their own, where they are parts of arguments.

A scalar, struct or array of known length that is, or lies in, an Out or InOut argument of the
caller travels through a local, so that the rule meets plain memory.
"""

from __future__ import annotations

from dataclasses import replace

from loma.ad.places import copy_leaves
from loma.ad.state import Rule, RuleOf
from loma.ir.analysis.roots import bases
from loma.ir.builder import Builder
from loma.ir.nodes import Call, Direction, Function, Op, Operand, Region, Var
from loma.ir.traverse import map_regions, walk
from loma.ir.types import ArrayType, Ref, Structs, has_pointer


def isolated(f: Function, rule_of: RuleOf, structs: Structs) -> Function:
    """The function with such operands passed through locals."""
    calls = (op.function for op in walk(f.body) if isinstance(op, Call))
    if not any(isinstance(rule_of(g), Rule) for g in calls):
        return f
    return replace(f, body=_Isolate(f, rule_of, structs).region(f.body))


class _Isolate:
    """The walk over one body; `outer` are its arguments that hold results."""

    def __init__(self, f: Function, rule_of: RuleOf, structs: Structs) -> None:
        self.rule_of = rule_of
        self.structs = structs
        self.base = bases(f.body)
        arguments = f.signature.arguments
        results = [p for p, a in zip(f.params, arguments) if a.direction is not Direction.IN]
        self.outer = {*results, *f.params[len(arguments) :]}

    def region(self, r: Region) -> Region:
        """A region with its calls rewritten."""
        return Region(r.args, tuple(y for x in r.ops for y in self.op(x)), r.yields)

    def op(self, x: Op) -> list[Op]:
        """What becomes of one operation."""
        rule = self.rule_of(x.function) if isinstance(x, Call) else None
        if isinstance(x, Call) and isinstance(rule, Rule):
            return self.call(x, rule)
        return [map_regions(x, self.region)]

    def call(self, x: Call, rule: Rule) -> list[Op]:
        """A call with its operands copied to locals and back."""
        b = Builder(self.structs, x.span)
        args = list(x.args)
        back: list[tuple[Var, Var]] = []
        for i, a in enumerate(x.args):
            if not isinstance(a, Var) or not self.moves(a):
                continue
            args[i] = local = b.alloc(a.content, a.name)
            if not rule.fills(i, a.content):
                copy_leaves(b, a, local, self.structs)
            if direction(rule, i) is not Direction.IN:
                back.append((local, a))
        b.emit(replace(x, args=tuple(args)))
        for local, a in back:
            copy_leaves(b, local, a, self.structs)
        return b.ops

    def moves(self, x: Operand) -> bool:
        """Whether an operand lies in a result of the caller, and can be copied."""
        if not isinstance(x, Var) or not isinstance(x.type, Ref):
            return False
        content = x.type.content
        unbounded = isinstance(content, ArrayType) and content.size is None
        copyable = not unbounded and not has_pointer(content, self.structs)
        return copyable and self.base.get(x, x) in self.outer


def direction(rule: Rule, i: int) -> Direction:
    """The direction of an operand; a returned struct is written."""
    arguments = rule.primal.signature.arguments
    return arguments[i].direction if i < len(arguments) else Direction.OUT
