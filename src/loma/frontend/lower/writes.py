"""Which arguments a function writes through: In structs to copy, operands that may clash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loma.frontend.lower.flow import expressions, statements
from loma.frontend.lower.scan import base_of, subexpressions
from loma.frontend.typed import Assign, AtomicAdd, Call, Function, Module, Pop, Symbol
from loma.ir.nodes import Argument, Direction, Signature
from loma.ir.types import ArrayType, Scalar, Structs, StructType, has_pointer


def by_reference(a: Argument) -> bool:
    """Whether the callee sees the operand's own memory."""
    return a.direction is not Direction.IN or not isinstance(a.type, Scalar)


class Writes:
    """For each function of a file, the positions of the arguments that it writes through."""

    def __init__(self, module: Module, signatures: Mapping[str, Signature]) -> None:
        self.structs: Structs = module.structs
        self.signatures = signatures
        self._calls = {name: tuple(_calls(f)) for name, f in module.functions.items()}
        self.positions: dict[str, frozenset[int]] = {
            name: self._declared(s, everything=name not in module.functions)
            for name, s in signatures.items()
        }
        self._settle(module)

    def _declared(self, s: Signature, everything: bool) -> frozenset[int]:
        return frozenset(
            k
            for k, a in enumerate(s.arguments)
            if a.direction is not Direction.IN or (everything and by_reference(a))
        )

    def _settle(self, module: Module) -> None:
        callers: dict[str, set[str]] = {}
        for f in module.functions.values():
            for call in self._calls[f.name]:
                callers.setdefault(call.function, set()).add(f.name)
        todo = list(module.functions)
        while todo:
            name = todo.pop()
            found = self.positions[name] | self._through(module.functions[name])
            if found != self.positions[name]:
                self.positions[name] = found
                todo.extend(callers.get(name, ()))

    def _through(self, f: Function) -> frozenset[int]:
        position = {symbol: k for k, symbol in enumerate(f.params)}
        found: set[int] = set()
        for symbol, crossed in self.places(f):
            match symbol:
                case Symbol() if symbol in position:
                    if crossed or not isinstance(symbol.type, StructType):
                        found.add(position[symbol])
                case _ if crossed:  # a pointer that a local struct got from some argument
                    found |= {k for s, k in position.items() if self._reaches(s)}
                case _:
                    pass
        return frozenset(k for k in found if by_reference(f.signature.arguments[k]))

    def _reaches(self, symbol: Symbol) -> bool:
        return isinstance(symbol.type, ArrayType) or has_pointer(symbol.type, self.structs)

    def places(self, f: Function) -> Iterator[tuple[Symbol | None, bool]]:
        """The base of each place that a function writes, by calls too; whether behind a pointer."""
        for s in statements(f.body):
            match s:
                case Assign() | AtomicAdd():
                    yield base_of(s.target)
                case Pop():
                    yield from map(base_of, s.targets)
                case _:
                    pass
        for call in self._calls[f.name]:
            arguments = self.signatures[call.function].arguments
            for k in sorted(self.positions[call.function]):
                symbol, crossed = base_of(call.args[k])
                # An In struct is a copy: only what its pointers lead to is written.
                private = arguments[k].direction is Direction.IN and isinstance(
                    arguments[k].type, StructType
                )
                yield symbol, crossed or private

    def copied(self, f: Function) -> set[Symbol]:
        """The In structs whose own storage a function writes: it needs a private copy of them."""
        own = {
            s
            for s, a in zip(f.params, f.signature.arguments, strict=True)
            if a.direction is Direction.IN and isinstance(a.type, StructType)
        }
        if not own:
            return set()
        return {s for s, crossed in self.places(f) if s in own and not crossed}


def _calls(f: Function) -> Iterator[Call]:
    for s in statements(f.body):
        for e in subexpressions(*expressions(s)):
            if isinstance(e, Call):
                yield e
