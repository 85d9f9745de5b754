"""A forward derivative, from the values of a function and its transposed reverse rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loma.ad.duals import Half, Together
from loma.ad.errors import NotDifferentiable
from loma.ad.places import copy_leaves
from loma.ir.builder import Builder
from loma.ir.derived import DVAL, RETURN, VAL, diff_type, forward_signature
from loma.ir.nodes import Argument, Call, Direction, Function, Module, Operand, Region, Var
from loma.ir.traverse import clone_region
from loma.ir.types import ArrayType, Ref, Scalar, Type, has_float, has_pointer


@dataclass(frozen=True, slots=True)
class Values:
    """How values are computed.

    `body` is the primal, what it calls inlined. `still` names the forward derivative of a still
    copy, which sets tangents to zero where it writes; empty if all outputs are certainly written.
    """

    body: Function
    still: str


class Joined:
    """Sets up the arguments of the forward derivative and puts its pieces together."""

    def __init__(
        self,
        rule: Function,
        primal: Function,
        name: str,
        module: Module,
        transposed: Function,
        values: Values,
    ) -> None:
        self.rule = rule
        self.primal = primal
        self.name = name
        self.module = module
        self.transposed = transposed
        self.values = values
        self.b = Builder(module.structs, rule.span)
        self.halves: dict[Var, Half] = {}
        self.subst: dict[Var, Operand] = {}
        self.params: list[Var] = []
        self.back: list[tuple[Var, Var]] = []
        self.rest: Iterator[Var] = iter(transposed.params)

    def function(self) -> Function:
        """The whole: copies, values, tangents, copies back."""
        primal, module = self.primal, self.module
        for a in primal.signature.written:
            self.argument(a)
        last, result = self.result()
        for a in primal.signature.sizes:
            self.argument(a)
        self.params += last
        yields = self.computed(result)
        for op in clone_region(self.transposed.body, self.subst).ops:
            self.b.emit(op)
        for tangent, into in self.back:
            local = self.subst[tangent]
            assert isinstance(local, Var), "the adjoint of an InOut is memory"
            copy_leaves(self.b, local, into, module.structs)
        together = Together(self.rule.name, self.halves, module.structs, module.float_type)
        ops = tuple(y for op in self.b.ops for y in together.op(op))
        signature = forward_signature(primal.signature, module.float_type)
        whole = clone_region(Region((), ops, yields), {})
        params = tuple(self.params)
        return Function(self.name, params, whole, signature, self.rule.span, primal.exported)

    # Arguments.

    def result(self) -> tuple[list[Var], Var | None]:
        """The last parameter, and where the result goes; its adjoint is where its tangent goes."""
        t = self.primal.signature.result
        if t is None or (isinstance(t, Scalar) and not t.is_float):
            return [], None
        if not has_float(t, self.module.structs):
            root = Var(RETURN, Ref(t))
            return [root], root
        whole = Var(RETURN, Ref(diff_type(t, self.module.float_type)))
        self.halves[next(self.rest)] = Half(whole, DVAL)
        return [whole], self.outside(Half(whole, VAL), t)

    def outside(self, half: Half, t: Type) -> Var:
        """A root that stands for one half."""
        root = Var(half.root.name, Ref(t))
        self.halves[root] = half
        return root

    def has_tangent(self, a: Argument) -> bool:
        """Whether an argument is one of duals."""
        return not a.nodiff and has_float(a.type, self.module.structs)

    def argument(self, a: Argument) -> None:
        """One argument of the forward derivative, and what it is to the transposed rule."""
        if not self.has_tangent(a):
            by_value = isinstance(a.type, Scalar) and a.direction is Direction.IN
            kind = a.type if by_value else Ref(a.type)
            assert isinstance(kind, Scalar | Ref)
            self.params.append(Var(a.name, kind))
            if a.direction is not Direction.OUT:
                self.plain(a, self.params[-1])
            return
        whole = Var(a.name, Ref(diff_type(a.type, self.module.float_type)))
        self.params.append(whole)
        match a.direction:
            case Direction.IN:
                self.take(next(self.rest), Half(whole, VAL), a.type)
                self.take(next(self.rest), Half(whole, DVAL), a.type)
            case Direction.OUT:
                self.halves[next(self.rest)] = Half(whole, DVAL)
            case Direction.INOUT:
                self.both(a, whole)

    def plain(self, a: Argument, whole: Var) -> None:
        """An argument without derivatives: the transposed rule takes its value."""
        value = next(self.rest)
        if a.direction is Direction.IN:
            self.subst[value] = whole
        else:
            self.bounded(a)
            self.copied(value, whole, a)

    def take(self, p: Var, half: Half, t: Type) -> None:
        """A parameter of the transposed rule that is one half of an input."""
        if isinstance(p.type, Ref):
            self.halves[p] = half
            return
        assert isinstance(t, Scalar)
        self.subst[p] = self.b.load(half.root, (half.field,), p.name)

    def both(self, a: Argument, whole: Var) -> None:
        """An InOut: its value before the call, and its tangent, travel through locals."""
        self.bounded(a)
        value, tangent = next(self.rest), next(self.rest)
        self.copied(value, self.outside(Half(whole, VAL), a.type), a)
        into = self.outside(Half(whole, DVAL), a.type)
        self.copied(tangent, into, a)
        self.back.append((tangent, into))

    def bounded(self, a: Argument) -> None:
        """Refuses an InOut that cannot be copied."""
        if not self.copyable(a.type):
            raise NotDifferentiable(
                self.rule.name,
                self.rule.span,
                f"`{a.name}` is an InOut array of unknown length, so that the forward rule does "
                "not follow from the reverse rule",
                "write the forward rule too",
            )

    def copyable(self, t: Type) -> bool:
        """Whether a value is of known size and without pointers."""
        unbounded = isinstance(t, ArrayType) and t.size is None
        return not unbounded and not has_pointer(t, self.module.structs)

    def copied(self, p: Var, outside: Var, a: Argument) -> None:
        """Gives the transposed rule a copy of what an InOut holds before the call."""
        if isinstance(p.type, Scalar):
            self.subst[p] = self.b.load(outside, (), a.name)
        else:
            self.subst[p] = self.copy(outside, a.type, a.name)

    def copy(self, outside: Var, t: Type, name: str) -> Var:
        """A local copy."""
        local = self.b.alloc(t, name)
        copy_leaves(self.b, outside, local, self.module.structs)
        return local

    # Values.

    def computed(self, result: Var | None) -> tuple[Operand, ...]:
        """Computes values, and gives what the derivative returns as a scalar."""
        arguments = self.primal.signature.arguments
        moved = [a for a in arguments if a.direction is not Direction.IN or self.has_tangent(a)]
        if all(self.copyable(a.type) for a in moved):
            return self.called(result)
        subst: dict[Var, Operand] = {}
        for p, whole, a in zip(self.values.body.params, self.params, arguments, strict=False):
            if not self.has_tangent(a):
                subst[p] = whole
            elif isinstance(p.type, Ref):
                subst[p] = self.outside(Half(whole, VAL), a.type)
            else:
                subst[p] = self.b.load(whole, (VAL,), a.name)
        if result is not None and len(self.values.body.params) > len(arguments):
            subst[self.values.body.params[-1]] = result
        body = clone_region(self.values.body.body, subst)
        for op in body.ops:
            self.b.emit(op)
        if result is not None and body.yields:
            self.b.store(result, (), body.yields[0])
            return ()
        return body.yields

    def called(self, result: Var | None) -> tuple[Operand, ...]:
        """Values by a call of the function, on copies."""
        back: list[tuple[Var, Var]] = []
        args = [
            self.operand(a, whole, back)
            for a, whole in zip(self.primal.signature.arguments, self.params, strict=False)
        ]
        if self.values.still:
            self.b.emit(Call(self.values.still, tuple(self.params), (), span=self.rule.span))
        outs: tuple[Var, ...] = ()
        t = self.primal.signature.result
        if isinstance(t, Scalar):
            outs = (Var("value", t),)
        elif t is not None:
            assert result is not None
            args.append(self.b.alloc(t, RETURN))
            back.append((self._root(args[-1]), result))
        self.b.emit(Call(self.primal.name, tuple(args), outs, span=self.rule.span))
        for local, into in back:
            copy_leaves(self.b, local, into, self.module.structs)
        if outs and result is not None:
            self.b.store(result, (), outs[0])
            return ()
        return outs

    def _root(self, x: Operand) -> Var:
        assert isinstance(x, Var), "memory is a root"
        return x

    def operand(self, a: Argument, whole: Var, back: list[tuple[Var, Var]]) -> Operand:
        """What the function itself takes for one argument."""
        if not self.has_tangent(a):
            outside = whole
            if a.direction is Direction.IN:
                return whole
        elif isinstance(a.type, Scalar) and a.direction is Direction.IN:
            return self.b.load(whole, (VAL,), a.name)
        else:
            outside = self.outside(Half(whole, VAL, kept=bool(self.values.still)), a.type)
        local = self.copy(outside, a.type, a.name)
        if a.direction is not Direction.IN:
            back.append((local, outside))
        return local
