"""The structs that tuples are: `tuple[float, int]` is `tuple_float_int` with `item0`, `item1`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from loma.ir.derived import VAL
from loma.ir.types import ArrayType, Scalar, StructDef, StructType, Type, type_text


@dataclass(slots=True)
class Tuples:
    """The tuple types of a program.

    `table` is that of all structs, `differential` makes Diff of a type. A tuple of differentials is
    the differential of a tuple: they are one type.
    """

    table: dict[str, StructDef]
    float_type: Scalar
    taken: Iterable[str]
    differential: Callable[[Type], Type]
    members: Callable[[str], dict[str, Type]]
    names: dict[tuple[Type, ...], str] = field(default_factory=dict)

    def member(self, k: int) -> str:
        """The name of an element."""
        return f"item{k}"

    def type_of(self, elements: Sequence[Type]) -> StructType:
        """The tuple of some types."""
        plain = [self._primal(t) for t in elements]
        known = tuple([t for t in plain if t is not None])
        if len(known) == len(elements) and known != tuple(elements):
            made = self.differential(self.type_of(known))
            assert isinstance(made, StructType), "Diff of a struct is a struct"
            return made
        return StructType(self._name(tuple(elements)))

    def _name(self, elements: tuple[Type, ...]) -> str:
        if elements not in self.names:
            wanted = name = "_".join(["tuple", *(self._word(t) for t in elements)])
            count = 0
            while name in self.table or name in self.taken:
                count += 1
                name = f"{wanted}_{count}"
            members = tuple([(self.member(k), t) for k, t in enumerate(elements)])
            self.table[name] = StructDef(name, members)
            self.names[elements] = name
        return self.names[elements]

    def _word(self, t: Type) -> str:
        match t:
            case ArrayType(element, size):
                return f"Array_{self._word(element)}_{size}"
            case _:
                return type_text(t, self.float_type)

    def _primal(self, t: Type) -> Type | None:
        """The type of which another one is the differential; None if there is none."""
        match t:
            case Scalar():
                return None if t.is_float else t
            case ArrayType(element, size):
                inner = self._primal(element)
                return None if inner is None else ArrayType(inner, size)
            case StructType(name) if name in ("_dfloat", "_df32", "_df64"):
                return self.members(name)[VAL]
            case StructType(name) if name.startswith("_d"):
                return StructType(name.removeprefix("_d"))
            case _:
                return None

    def elements(self, t: Type | None) -> tuple[Type, ...] | None:
        """The types of a tuple's elements; None for what is no tuple."""
        if not isinstance(t, StructType) or not self.is_tuple(t.name):
            return None
        return tuple(self.members(t.name).values())

    def is_tuple(self, name: str) -> bool:
        """Whether a struct is a tuple, or the differential of one to some order."""
        names = self.names.values()
        while name.startswith("_d") and name not in names:
            name = name.removeprefix("_d")
        return name in names

    def text(self, t: Type) -> str | None:
        """A tuple type as loma source; None for another type."""
        found = self.elements(t)
        if found is None:
            return None
        shown = [self.text(e) or type_text(e, self.float_type) for e in found]
        return f"tuple[{', '.join(shown)}]"
