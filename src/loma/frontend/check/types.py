"""Types: what an annotation names, the table of structs, and Diff of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from loma.diagnostics import Span
from loma.frontend import surface, typed
from loma.frontend.check.generic_types import GenericStructs
from loma.frontend.check.structs import Nesting
from loma.frontend.codes import arrays as array_codes
from loma.frontend.codes import generics as generic_codes
from loma.frontend.codes import methods as method_codes
from loma.frontend.codes import names as name_codes
from loma.frontend.codes import syntax as syntax_codes
from loma.frontend.codes import types as codes
from loma.frontend.codes.syntax import DEPTH
from loma.frontend.convert import fits_in, rounded
from loma.frontend.errors import Finding
from loma.frontend.tuples import Tuples
from loma.ir.derived import diff_struct, diff_type, dual_name, dual_struct
from loma.ir.types import (
    BOOL,
    F32,
    F64,
    I32,
    I64,
    TAPE,
    ArrayType,
    Scalar,
    StructDef,
    StructType,
    TapeType,
    Type,
    type_text,
)

RESERVED: Final = frozenset((
    "int", "float", "i32", "i64", "f32", "f64", "bool", "Array", "Diff", "In", "Out", "InOut"))
FEW: Final = 50
SCALARS: Final[dict[str, Type]] = {
    "i32": I32, "i64": I64, "f32": F32, "f64": F64, "bool": BOOL, "Tape": TAPE,
}


class Types:
    """The structs of a file, and what its annotations mean."""

    def __init__(
        self, structs: Iterable[surface.Struct], float_type: Scalar, findings: list[Finding]
    ) -> None:
        self.float_type = float_type
        self.findings = findings
        structs = list(structs)
        self.declared = {s.name: s for s in structs if not s.type_params}
        self.generics = GenericStructs({s.name: s for s in structs if s.type_params})
        self.table: dict[str, StructDef] = {}
        self.poisoned: set[tuple[str, str]] = set()
        self.mentioned: list[Type] = []
        self.used_diff = False
        self.defaults: dict[str, dict[str, typed.Literal]] = {}
        self.tuples = Tuples(
            self.table, float_type, self.declared, self.differential, self.members)
        self.places = {s.name: {m.name: m.span for m in s.members} for s in self.declared.values()}
        self.nesting = Nesting(self.table, self.places, self._root, findings, self.poisoned)
        for s in list(self.declared.values()):
            self.define(s)
        self.nesting.visit_all()
        self.generics.settled = True
        for s in self.declared.values():
            self._check_standard(s)

    def text(self, t: Type | None) -> str:
        """The type as loma source."""
        if t is None:
            return "nothing"
        return self.tuples.text(t) or type_text(t, self.float_type)

    def members(self, name: str) -> dict[str, Type]:
        """The members of a struct; Diff structs come into being when asked for."""
        if name not in self.table:
            self.table[name] = self._standard(name)
        return dict(self.table[name].members)

    def differential(self, t: Type) -> Type:
        """Diff[t]."""
        self.used_diff = True
        found = diff_type(t, self.float_type)
        self.mentioned.append(found)
        return found

    def complete(self) -> dict[str, StructDef]:
        """The table, with every struct that anything in it or in the program mentions."""
        todo: list[Type] = [*self.mentioned, *(StructType(name) for name in self.table)]
        seen: set[str] = set()
        while todo:
            match todo.pop():
                case ArrayType(element):
                    todo.append(element)
                case StructType(name) if name not in seen:
                    seen.add(name)
                    todo += self.members(name).values()
        return dict(self.table)

    def resolve(self, e: surface.TypeExpr) -> Type | None:  # noqa: C901 - one dispatch
        """The type that an annotation means; None once it has been reported."""
        match e:
            case surface.NamedType(name):
                return self._named(name, e.span)
            case surface.ArrayTypeExpr():
                return self._array(e)
            case surface.ShapedTypeExpr(_, sizes):
                self._misplaced(sizes)
                return None
            case surface.DiffTypeExpr(inner):
                return self._diff(e, inner)
            case surface.TupleTypeExpr():
                return self._tuple(e)
            case surface.StackTypeExpr():
                self.findings.append(method_codes.stack_place(e.span))
                return None
            case surface.KnownType(type):
                return type
            case surface.GenericTypeExpr():
                return self.generics.resolve(e, self)
            case surface.CallableTypeExpr():
                self.findings.append(generic_codes.misplaced_callable(e.span))
                return None
            case surface.BadType():
                return None

    def primal_of(self, t: Type | None) -> Type | None:
        """The type of which `t` is the differential, as far as that can be told."""
        match t:
            case StructType(name) if name in self._duals():
                return self._duals()[name].members[0][1]
            case StructType(name) if name.startswith("_d"):
                return StructType(name.removeprefix("_d"))
            case Scalar() if not t.is_float:
                return t
            case _:
                return None

    def _named(self, name: str, span: Span) -> Type | None:
        if name in self.generics.bound:
            return self.generics.bound[name]
        if name in self.generics.untyped:
            return None
        if name in ("int", "float"):
            return I32 if name == "int" else self.float_type
        if name in self.declared:
            return StructType(name)
        if name in SCALARS:
            return SCALARS[name]
        if self._is_standard(name):
            self.used_diff = True
            self.mentioned.append(StructType(name))
            return StructType(name)
        if name in self.generics.declared:
            params = [p.name for p in self.generics.declared[name].type_params]
            self.findings.append(generic_codes.needs_types(span, name, params))
            return None
        few = len(self.findings) < FEW
        known = ("int", "float", *SCALARS, *self.declared) if few else ()
        self.findings.append(name_codes.unknown_type(span, name, known))
        return None

    def _duals(self) -> dict[str, StructDef]:
        return {dual_name(s, self.float_type): dual_struct(s, self.float_type) for s in (F32, F64)}

    def _is_standard(self, name: str) -> bool:
        """Whether the name is that of a differential type."""
        if name.count("_d") > DEPTH:
            return False
        root = self._root(name)
        if root != name and (root in self.declared or self.tuples.is_tuple(root)):
            return True
        return any(
            name == "_d" * k + dual for dual in self._duals()
            for k in range((len(name) - len(dual)) // 2 + 1))

    def _standard(self, name: str) -> StructDef:
        """The definition that a differential type has."""
        duals = self._duals()
        if name in duals:
            return duals[name]
        inner = name.removeprefix("_d")
        return diff_struct(StructDef(inner, tuple(self.members(inner).items())), self.float_type)

    def _diff(self, e: surface.TypeExpr, inner: surface.TypeExpr) -> Type | None:
        t = self.resolve(inner)
        match t:
            case None:
                return None
            case ArrayType(element, size):
                shown = f"Diff[{self.text(element)}]"
                whole = f"Array[{shown}]" if size is None else f"Array[{shown}, {size}]"
                self.findings.append(codes.diff_of_array(e.span, whole))
                return None
            case TapeType():
                self.findings.append(codes.misplaced_type(
                    e.span, "a `Tape`", "inside `Diff`", "write `Tape`"))
                return None
            case _:
                return self.differential(t)

    def _misplaced(self, sizes: tuple[surface.Expr | surface.SizeName, ...]) -> None:
        """Reports sizes that only arguments and local variables have."""
        for size in sizes:
            if isinstance(size, surface.SizeName):
                self.findings.append(array_codes.size_misplaced(size.span, size.name))
                return
        self.findings.append(codes.array_size(sizes[0].span))

    def _array(self, e: surface.ArrayTypeExpr) -> Type | None:
        if e.growable:
            self.findings.append(codes.misplaced_type(
                e.span, "a growable array", "anything but a local variable or an `InOut`",
                "write `Array[T]` or `Array[T, 10]`"))
            return None
        element = self.element(e)
        if e.size is None or element is None:
            return None if element is None else ArrayType(element)
        match e.size:
            case surface.Number(int() as size) if not isinstance(size, bool):
                if size >= 1 and self._holds(ArrayType(element, size)):
                    return ArrayType(element, size)
                if size > 1:
                    self.findings.append(codes.too_large(e.size.span))
                    return None
            case surface.Bad():
                return None
        self.findings.append(codes.array_size(e.size.span))
        return None

    def _holds(self, t: Type) -> bool:
        """Whether memory can hold the type; members of structs are measured later, together."""
        return self.nesting.measure(t).fits

    def _tuple(self, e: surface.TupleTypeExpr) -> Type | None:
        types: list[Type] = []
        for x in e.elements:
            t = self.resolve(x)
            if isinstance(t, TapeType) or isinstance(t, ArrayType) and t.size is None:
                self.findings.append(method_codes.tuple_element(x.span, self.text(t)))
            elif t is not None:
                types.append(t)
        return self.tuples.type_of(types) if len(types) == len(e.elements) else None

    def element(self, e: surface.ArrayTypeExpr) -> Type | None:
        """The type of an array's elements."""
        element = self.resolve(e.element)
        if isinstance(element, TapeType):
            self.findings.append(codes.misplaced_type(
                e.element.span, "a `Tape`", "an element of an array", "use one tape"))
            return None
        return element

    def define(self, s: surface.Struct) -> None:
        """Enters a struct into the table."""
        if s.name in RESERVED:
            self.findings.append(name_codes.builtin(s.name_span, s.name))
        if not s.members:
            self.findings.append(codes.empty_struct(s.name_span, s.name))
        seen: dict[str, Span] = {}
        members: list[tuple[str, Type]] = []
        for m in s.members:
            if m.name in seen:
                self.findings.append(
                    name_codes.duplicate_member(m.name, s.name, seen[m.name], m.span))
                continue
            seen[m.name] = m.span
            t = self._member(m)
            if t is None:
                self.poisoned.add((s.name, m.name))
            else:
                members.append((m.name, t))
                self._default(s.name, m, t)
        self.table[s.name] = StructDef(s.name, tuple(members))

    def _member(self, m: surface.StructMember) -> Type | None:
        t = self.resolve(m.type)
        if self.tuples.elements(t) is not None:
            self.findings.append(codes.misplaced_type(
                m.type.span, "a tuple", "a member", "write a class with its elements"))
            return None
        if isinstance(t, TapeType):
            self.findings.append(codes.misplaced_type(
                m.type.span, "a `Tape`", "a member", "pass the tape as an argument of its own"))
            return None
        return t

    def _default(self, struct: str, m: surface.StructMember, t: Type) -> None:
        match m.default:
            case None | surface.Bad():
                return
            case surface.Number(value) if isinstance(t, Scalar) and fits_in(value, t):
                found = rounded(value, t)
                if found is not None:
                    literal = typed.Literal(found, t, span=m.default.span)
                    self.defaults.setdefault(struct, {})[m.name] = literal
                    return
        self.findings.append(
            syntax_codes.member_default(m.default.span, m.name, self.text(t)))

    def has_default(self, t: Type) -> bool:
        """Whether a declaration of that type sets members to their defaults."""
        while isinstance(t, ArrayType) and t.size is not None:
            t = t.element
        if not isinstance(t, StructType) or not self.defaults:
            return False
        return t.name in self.defaults or any(
            self.has_default(inner) for inner in self.members(t.name).values())

    def struct_named(self, name: str) -> StructType | None:
        """The struct that a call of that name makes."""
        bound = self.generics.bound.get(name)
        if isinstance(bound, StructType):
            return bound
        if name in self.declared:
            return StructType(name)
        if not self._is_standard(name):
            return None
        self.used_diff = True
        self.mentioned.append(StructType(name))
        return StructType(name)

    def _root(self, name: str) -> str:
        """The declared struct of which `name` is the differential, to whatever order."""
        while name not in self.declared and name.startswith("_d"):
            name = name.removeprefix("_d")
        return name

    def _check_standard(self, s: surface.Struct) -> None:
        """Reports a class that is named like a differential type and differs from it."""
        inner = s.name.removeprefix("_d")
        if s.name not in self._duals() and (inner == s.name or not (
                inner in self.declared or self._is_standard(inner))):
            return
        standard = self._standard(s.name)
        if standard.members != self.table[s.name].members:
            shown = ", ".join(f"`{n} : {self.text(t)}`" for n, t in standard.members)
            self.findings.append(name_codes.odd_differential(s.name_span, s.name, shown))


def grows(e: surface.TypeExpr | None) -> bool:
    """Whether a type is written as a growable array."""
    return isinstance(e, surface.ArrayTypeExpr) and e.growable
