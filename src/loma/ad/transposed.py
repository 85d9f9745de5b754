"""The rule for the other mode, from the one that the program has written.

A forward rule is linear in the tangents, a reverse rule in the adjoints. To differentiate a rule in
reverse with respect to these alone is to transpose it. What it would still need of their values
shows that the rule is not linear; then it is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from loma.ad.duals import Apart, Pair
from loma.ad.errors import NotDifferentiable
from loma.ad.function import Phantom
from loma.ad.joined import Joined, Values
from loma.ir.analysis.activity import Activity
from loma.ir.derived import (
    RETURN,
    reverse_signature,
)
from loma.ir.nodes import (
    Accum,
    Argument,
    Call,
    Const,
    Direction,
    Function,
    Module,
    Op,
    Operand,
    Signature,
    Store,
    Var,
)
from loma.ir.traverse import operands, walk
from loma.ir.types import Ref, Scalar, has_float

Transform = Callable[[Function, str], tuple[Function, list[Phantom]]]
Finish = Callable[[Function], Function]


def reverse_from_forward(
    rule: Function,
    primal: Function,
    name: str,
    module: Module,
    transform: Transform,
    finish: Finish,
) -> Function:
    """The reverse derivative of `primal` from its forward rule.

    `transform` is reverse mode; `finish` simplifies what it makes.
    """
    split = _Split(rule, primal, module)
    linear = split.function()
    check_linear(linear, rule, split.tangents, module)
    made, phantoms = transform(linear, name)
    params = _without(finish(made), split.dropped, rule, phantoms)
    return replace(params, signature=reverse_signature(primal.signature))


def _without(
    made: Function, names: set[str], rule: Function, phantoms: list[Phantom]
) -> Function:
    """The transposed rule without the values of what it is linear in: nothing may read them."""
    named = list(zip(made.signature.arguments, made.params, strict=False))
    gone = {p for a, p in named if a.name in names}
    forbidden = gone | {p.root for p in phantoms}
    for op in walk(made.body):
        if any(isinstance(x, Var) and x in forbidden for x in operands(op)):
            raise not_linear(rule, op)
    return replace(made, params=tuple(p for p in made.params if p not in gone))


def not_linear(rule: Function, op: Op) -> NotDifferentiable:
    """The error for a rule that does not follow the chain rule, or does not show that it does."""
    why = "it is not linear in its tangents or adjoints"
    if isinstance(op, Call):
        why = "it passes them to a function that is not inlined (it is recursive)"
    return NotDifferentiable(
        rule.name,
        op.span if op.span.line else rule.span,
        f"the rule for the other mode does not follow from this one, since {why}",
        "write the rule for the other mode too",
    )


def check_linear(f: Function, rule: Function, outputs: list[Var], module: Module) -> None:
    """Refuses a rule that sets a tangent to something that depends on no tangent."""
    activity = Activity(f, module.structs)
    for op in walk(f.body):
        if isinstance(op, Store | Accum) and activity.base.get(op.root, op.root) in outputs:
            value = op.value
            constant = isinstance(value, Const) and value.value != 0
            fixed = isinstance(value, Var) and not activity.is_varied(value)
            if _is_float(value) and (constant or fixed):
                raise not_linear(rule, op)


def _is_float(x: Operand) -> bool:
    return isinstance(x.type, Scalar) and x.type.is_float


class _Split:
    """A forward rule as a function of values and tangents apart."""

    def __init__(self, rule: Function, primal: Function, module: Module) -> None:
        self.rule = rule
        self.primal = primal
        self.module = module
        self.params: list[Var] = []
        self.arguments: list[Argument] = []
        self.pairs: dict[Var, Pair] = {}
        self.dropped: set[str] = set()
        self.tangents: list[Var] = []

    def function(self) -> Function:
        """The rule taken apart."""
        s = self.primal.signature
        arguments, written = s.arguments, len(s.written)
        for a, p in zip(s.written, self.rule.params, strict=False):
            self.argument(a, p)
        result = self.primal.signature.result
        if result is not None and has_float(result, self.module.structs):
            last = self.rule.params[len(arguments)]
            self.pair(Argument(RETURN, result, Direction.OUT, self.rule.span), last)
            result = None
        for a, p in zip(s.sizes, self.rule.params[written:], strict=False):
            self.argument(a, p)
        if self.rule.signature.simd:
            self.params.append(self.rule.params[-1])
        apart = Apart(self.rule.name, self.pairs, self.module.structs, self.module.float_type)
        body = apart.body(self.rule.body)
        signature = Signature(tuple(self.arguments), result, self.rule.signature.simd)
        return replace(self.rule, params=tuple(self.params), body=body, signature=signature)

    def argument(self, a: Argument, p: Var) -> None:
        """One argument: both halves, or what has none."""
        if a.nodiff or not has_float(a.type, self.module.structs):
            self.params.append(p)
            self.arguments.append(a)
        else:
            self.pair(a, p)

    def pair(self, a: Argument, p: Var) -> None:
        """An argument of duals as two."""
        scalar = isinstance(a.type, Scalar) and a.direction is Direction.IN
        kind = a.type if scalar else Ref(a.type)
        assert isinstance(kind, Scalar | Ref)
        value, tangent = Var(a.name, kind), Var(f"d_{a.name}", kind)
        self.pairs[p] = Pair(value, tangent)
        self.params += [value, tangent]
        dot = replace(a, name=f"{a.name} tangent")
        self.arguments += [replace(a, nodiff=True), dot]
        if a.direction is Direction.OUT:
            self.tangents.append(tangent)
        else:
            self.dropped.add(dot.name)
            if a.direction is Direction.INOUT:
                self.tangents.append(tangent)


def forward_from_reverse(
    rule: Function,
    primal: Function,
    name: str,
    module: Module,
    transform: Transform,
    finish: Finish,
    values: Values,
) -> Function:
    """The forward derivative of `primal` from its reverse rule."""
    if primal.signature.simd:
        raise NotDifferentiable(
            rule.name,
            rule.span,
            "the forward rule of a kernel does not follow from its reverse rule",
            "write the forward rule too",
        )
    linear, dropped, outputs = _linear(rule, primal, module)
    check_linear(linear, rule, outputs, module)
    made, phantoms = transform(linear, name)
    made = _without(finish(made), dropped, rule, phantoms)
    return Joined(rule, primal, name, module, made, values).function()


def _linear(
    rule: Function, primal: Function, module: Module
) -> tuple[Function, set[str], list[Var]]:
    """The reverse rule, its primal inputs marked; the names of adjoints that must not be read."""
    structs = module.structs
    marks: list[bool] = []
    adjoint: list[bool] = []
    for a in primal.signature.written:
        plain = a.nodiff or not has_float(a.type, structs)
        match a.direction:
            case Direction.IN:
                marks += [True] if a.nodiff else [True, plain]
                adjoint += [False] if a.nodiff else [False, True]
            case Direction.OUT:
                marks.append(plain)
                adjoint.append(True)
            case Direction.INOUT:
                marks += [True, plain]
                adjoint += [False, True]
    result = primal.signature.result
    if result is not None:
        marks.append(not has_float(result, structs))
        adjoint.append(True)
    marks += [False for _ in primal.signature.sizes]
    adjoint += [False for _ in primal.signature.sizes]
    arguments = tuple(
        replace(a, nodiff=m, name=f"{a.name} {k}")
        for k, (a, m) in enumerate(zip(rule.signature.arguments, marks, strict=True))
    )
    dropped = {
        a.name
        for a, is_adjoint in zip(arguments, adjoint, strict=True)
        if is_adjoint and a.direction is not Direction.OUT
    }
    outputs = [
        p
        for a, p in zip(arguments, rule.params, strict=True)
        if not a.nodiff and a.direction is not Direction.IN
    ]
    return replace(rule, signature=Signature(arguments)), dropped, outputs
