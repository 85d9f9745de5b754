"""What a random program may name at one point: variables, their types, and places inside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from loma.ir.types import ArrayType, Scalar, StructDef, StructType, Type, has_pointer

FLOAT = Scalar.F32  # stands for `float` in generated text
INT = Scalar.I32
WIDE = Scalar.I64
LENGTH = 4  # every pointer array has at least so many elements


@dataclass
class Variable:
    """A variable: how it may be used, and whether its floats are small."""

    name: str
    type: Type
    readable: bool = True
    writable: bool = True
    tame: bool = True
    only_at: str | None = None  # a kernel's Out array: the one index that a thread owns
    counter: bool = False  # a loop counter: read only, known to lie in 0 .. LENGTH - 1


@dataclass(frozen=True)
class Place:
    """A scalar (or aggregate) that a statement can name."""

    text: str
    type: Type
    variable: Variable


@dataclass
class Formal:
    """An argument of a generated function.

    `sizes`: of an array of named size, each with what the tests take for it; its `element`.
    """

    name: str
    type: Type
    direction: str = "In"
    lengths_of: str | None = None  # this array of int holds the lengths of that one's rows
    small: bool = False  # an int in 0 .. LENGTH - 1, because it counts
    value: int | None = None  # an int that is the size of an array
    sizes: tuple[tuple[str, int], ...] = ()
    element: Type | None = None

    @property
    def spelled(self) -> str:
        """The type as loma text."""
        if not self.sizes or self.element is None:
            return spelled(self.type)
        sizes = [n if n.isdigit() else f'"{n}"' for n, _ in self.sizes]
        return f"Array[{spelled(self.element)}, {', '.join(sizes)}]"


@dataclass
class Callee:
    """A function that may be called; `shape` is how, if not by its name; `elements` are those
    of the tuple that it returns.
    """

    name: str
    formals: list[Formal]
    result: Type | None
    pure: bool = True
    recursive: bool = False
    shape: str = ""
    elements: tuple[Type, ...] = ()
    is_method: bool = False

    def called(self, operands: list[str]) -> str:
        """The text of a call."""
        return self.shape.format(*operands) if self.shape else f"{self.name}({', '.join(operands)})"


@dataclass
class Scope:
    """The names that are visible, and where we are."""

    rng: Random
    structs: dict[str, StructDef]
    callees: list[Callee] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    loops: int = 0
    in_loop: bool = False
    kernel: bool = False
    result: Type | None = None
    calls_left: int = 4
    elements: tuple[Type, ...] = ()  # of the tuple that is returned

    def inner(self) -> Scope:
        """The scope of a nested block: shares the variables, adds its own."""
        made = Scope(self.rng, self.structs, self.callees, list(self.variables), self.loops,
                     self.in_loop, self.kernel, self.result, self.calls_left,
                     self.elements)
        return made

    def places(self, wanted: Type, *, write: bool = False) -> list[Place]:
        """Every variable path of that type; an index is left as `{}`."""
        found: list[Place] = []
        for v in self.variables:
            if (v.writable if write else v.readable) and not (write and v.counter):
                self.descend(Place(v.name, v.type, v), wanted, found)
        return found

    def descend(self, p: Place, wanted: Type, found: list[Place]) -> None:
        """Appends every place of the wanted type inside a place."""
        if p.type == wanted or (
            isinstance(wanted, ArrayType)
            and wanted.size is None
            and isinstance(p.type, ArrayType)
            and p.type.element == wanted.element
            and (p.type.size is None or p.type.size >= LENGTH)
        ):
            found.append(p)
            return
        match p.type:
            case ArrayType(element, size):
                bound = LENGTH if size is None else size
                owned = p.variable.only_at if p.text == p.variable.name else None
                mark = f"[{owned}]" if owned else f"[<{bound}>]"
                self.descend(Place(p.text + mark, element, p.variable), wanted, found)
            case StructType(name):
                for member, t in self.structs[name].members:
                    self.descend(Place(f"{p.text}.{member}", t, p.variable), wanted, found)
            case _:
                pass

    def can_be_local(self, t: Type) -> bool:
        """Whether a zeroed variable of the type is of any use (it has no pointer)."""
        return not has_pointer(t, self.structs)


def spelled(t: Type) -> str:
    """The type as loma text."""
    match t:
        case Scalar():
            return "float" if t.is_float else "i64" if t is WIDE else "int"
        case StructType(name):
            return name
        case ArrayType(element, None):
            return f"Array[{spelled(element)}]"
        case ArrayType(element, size):
            return f"Array[{spelled(element)}, {size}]"
        case _:
            raise AssertionError(t)
