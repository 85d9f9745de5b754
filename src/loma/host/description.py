"""What calls must know of a function, its machine code, and both as bytes for the disk cache."""

from __future__ import annotations

import json
from dataclasses import dataclass

from loma.backends.interface import Interface
from loma.backends.llvm import load_object
from loma.backends.llvm.loaded import Jitted
from loma.host.build import LENGTH
from loma.host.facts import Facts
from loma.host.printing import connected
from loma.ir.nodes import Signature
from loma.ir.types import ArrayType, Scalar, Structs, StructType, Type


@dataclass(frozen=True, slots=True)
class Description:
    """What a caller must know of a function."""

    signature: Signature
    structs: Structs
    facts: Facts
    float_type: Scalar
    remarks: tuple[str, ...] = ()

    def scalars(self, t: Type) -> list[Scalar]:
        """The scalars that a type consists of, in order."""
        match t:
            case Scalar():
                return [t]
            case StructType(name):
                return [s for _, inner in self.structs[name].members for s in self.scalars(inner)]
            case ArrayType(element):
                return self.scalars(element)
            case _:
                return []

    def to_bytes(self) -> bytes:
        """The description as bytes."""
        interface = Interface(self.structs, {"f": self.signature}).to_bytes()
        head = json.dumps([self.facts.to_json(), self.float_type.value, self.remarks]).encode()
        return len(head).to_bytes(LENGTH, "little") + head + interface

    @staticmethod
    def from_bytes(data: bytes) -> Description:
        """The inverse of `to_bytes`."""
        stop = LENGTH + int.from_bytes(data[:LENGTH], "little")
        known, float_type, remarks = json.loads(data[LENGTH:stop])
        interface = Interface.from_bytes(data[stop:])
        return Description(
            interface.signatures["f"], interface.structs, Facts.from_json(known),
            Scalar(float_type), tuple(remarks))


def explicit_members(wide: Description, narrow: Description) -> frozenset[str]:
    """The names of members of structs that have the same type in calls of either real type."""
    pairs = [(a[0], wide.scalars(a[1]) == narrow.scalars(b[1]))
             for name, s in wide.structs.items() if name in narrow.structs
             for a, b in zip(s.members, narrow.structs[name].members)]
    return frozenset(n for n, same in pairs if same) - {n for n, same in pairs if not same}


@dataclass(frozen=True, slots=True)
class Code:
    """Machine code of a function; `writes` are the In arguments whose memory it may write."""

    loaded: Jitted
    name: str
    writes: tuple[int, ...]

    @staticmethod
    def from_bytes(data: bytes) -> Code:
        """Loads what `to_bytes` gave."""
        stop = LENGTH + int.from_bytes(data[:LENGTH], "little")
        name, writes = json.loads(data[LENGTH:stop])
        return Code(connected(load_object(data[stop:])), name, tuple(writes))


def code_bytes(name: str, writes: list[int], code: bytes) -> bytes:
    """The code of a function, with what a call must know of it, for the cache."""
    head = json.dumps([name, writes]).encode()
    return len(head).to_bytes(LENGTH, "little") + head + code
