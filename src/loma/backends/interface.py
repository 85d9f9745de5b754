"""What a host sees of a compiled module, and its form as JSON beside a cached object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never

from loma.ir.nodes import Argument, Direction, Module, Signature
from loma.ir.types import ArrayType, Scalar, StructDef, StructType, TapeType, Type

Json: TypeAlias = Any  # a type as JSON: a string, an object or a list


@dataclass(frozen=True, slots=True)
class Interface:
    """The structs, and the signatures of the functions that hosts can call."""

    structs: Mapping[str, StructDef]
    signatures: Mapping[str, Signature]

    @staticmethod
    def of(module: Module) -> Interface:
        """The interface of a core module; functions that take a tape stay inside."""
        signatures = {
            f.name: f.signature for f in module.functions.values()
            if f.exported and not any(isinstance(a.type, TapeType) for a in f.signature.arguments)}
        return Interface(module.structs, signatures)

    def to_bytes(self) -> bytes:
        """The interface as JSON."""
        structs = [[s.name, [[n, _encode(t)] for n, t in s.members]] for s in self.structs.values()]
        signatures = {
            name: [
                [[a.name, _encode(a.type), a.direction.value, a.shape, a.hidden, a.nodiff]
                 for a in s.arguments],
                None if s.result is None else _encode(s.result), s.simd]
            for name, s in self.signatures.items()}
        return json.dumps([structs, signatures]).encode()

    @staticmethod
    def from_bytes(data: bytes) -> Interface:
        """The inverse of `to_bytes`."""
        structs, signatures = json.loads(data)
        table = {
            name: StructDef(name, tuple((n, _decode(t)) for n, t in members))
            for name, members in structs}
        return Interface(table, {name: _signature(*s) for name, s in signatures.items()})


def _signature(
    arguments: list[tuple[str, Json, str, list[str | int], bool, bool]], result: Json, simd: bool
) -> Signature:
    return Signature(
        tuple(Argument(name, _decode(t), Direction(d), shape=tuple(shape), hidden=hidden, nodiff=c)
              for name, t, d, shape, hidden, c in arguments),
        None if result is None else _decode(result), simd)


def _encode(t: Type) -> Json:
    match t:
        case Scalar():
            return t.value
        case StructType(name):
            return {"struct": name}
        case ArrayType(element, size):
            return [_encode(element), size]
        case TapeType():
            return {"tape": True}
        case _:
            assert_never(t)


def _decode(x: Json) -> Type:
    match x:
        case str():
            return Scalar(x)
        case {"struct": name}:
            return StructType(name)
        case [element, size]:
            return ArrayType(_decode(element), size)
        case _:
            return TapeType()
