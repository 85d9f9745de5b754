"""Lowers calls: what is passed by value, by reference, and through a temporary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loma.diagnostics import InternalError
from loma.frontend.lower.flow import Flow
from loma.frontend.lower.scan import base_of, mentions
from loma.frontend.lower.views import Views
from loma.frontend.lower.writes import Writes, by_reference
from loma.frontend.typed import Call, Expr, Module, Name, Symbol
from loma.ir import nodes as core
from loma.ir.nodes import Direction, Operand, Signature, Var
from loma.ir.types import Scalar, StructType


@dataclass(frozen=True, slots=True)
class Facts:
    """What lowering knows of the whole file."""

    module: Module
    signatures: Mapping[str, Signature]
    writes: Writes
    flow: Flow
    debug: bool = False


class Calls(Views):
    """Lowers calls."""

    def __init__(self, facts: Facts, shared: frozenset[Symbol]) -> None:
        super().__init__(facts.module.structs)
        self.debug = facts.debug
        self.facts = facts
        self.shared = shared  # the arguments whose memory callers may reach by another name

    def call(self, e: Call, into: Var | None = None) -> Operand | Var | None:
        """Lowers a call; a struct comes back as a root, which is `into` if that is given."""
        signature = self.facts.signatures.get(e.function)
        if signature is None:
            raise InternalError(f"call of an unknown function {e.function}")
        back: list[tuple[Symbol, Var]] = []
        args = [self._operand(e, k, back) for k in range(len(e.args))]
        self.b.span = e.span
        result: Var | None = None
        outs: tuple[Var, ...] = ()
        match signature.result:
            case Scalar() as scalar:
                result = Var(e.function, scalar)
                outs = (result,)
            case None:
                pass
            case aggregate:
                result = into or self.local(aggregate, e.function)
                args.append(result)
        self.b.emit(core.Call(e.function, tuple(args), outs, span=e.span))
        for symbol, temporary in back:
            self.env[symbol] = self.b.load(temporary, (), symbol.name)
        return result

    def _operand(self, e: Call, k: int, back: list[tuple[Symbol, Var]]) -> Operand:
        argument, operand = self.facts.signatures[e.function].arguments[k], e.args[k]
        if not by_reference(argument):
            return self.value(operand)
        match operand:
            case Name(symbol) if symbol in self.env:
                return self._through_memory(symbol, back)
            case _ if argument.direction is Direction.IN and isinstance(argument.type, StructType):
                return self._private(e, k)
            case _:
                return self.operand_root(operand)

    def _through_memory(self, symbol: Symbol, back: list[tuple[Symbol, Var]]) -> Var:
        value = self.env[symbol]
        assert isinstance(symbol.type, Scalar)
        temporary = self.local(symbol.type, symbol.name)
        self.b.store(temporary, (), value)
        back.append((symbol, temporary))
        return temporary

    def _private(self, e: Call, k: int) -> Var:
        """An In struct: its own memory, or a copy if another operand lets the callee write it."""
        root = self.operand_root(e.args[k])
        written = self.facts.writes.positions[e.function]
        if not any(self._may_clash(e.args[k], e.args[j]) for j in written if j != k):
            return root
        copy = self.local(root.content, root.name)
        self.copy((copy, ()), (root, ()))
        return copy

    def _may_clash(self, a: Expr, b: Expr) -> bool:
        (s, s_crossed), (t, t_crossed) = base_of(a), base_of(b)
        if s is t and s is not None:
            return True
        return (s_crossed or s in self.shared) and (t_crossed or t in self.shared)

    def owned(self, target: Expr, call: Call) -> Var | None:
        """The root of a local struct variable that a call may write its result into directly."""
        match target:
            case Name(symbol) if symbol not in self.shared and symbol.type == target.type:
                return None if mentions(symbol, *call.args) else self.roots[symbol]
            case _:
                return None


def shared_arguments(signature: Signature, params: tuple[Symbol, ...]) -> frozenset[Symbol]:
    """The arguments that refer to memory of the caller."""
    return frozenset(
        s
        for s, a in zip(params, signature.arguments, strict=True)
        if a.direction is not Direction.IN or not isinstance(a.type, Scalar | StructType)
    )
