"""Memory of duals seen as two memories, and two memories laid into one of duals.

    apart      x : Diff[T]      becomes  a root of T for values and a root of T for tangents
    together   a root of T      becomes  the values, or the tangents, of a root of Diff[T]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from loma.ad.errors import NotDifferentiable
from loma.ir.builder import const, place_type
from loma.ir.derived import DVAL, VAL, diff_type
from loma.ir.nodes import (
    Accum,
    Alloc,
    Call,
    Check,
    Load,
    LoadRef,
    Op,
    Operand,
    Path,
    Push,
    Region,
    Store,
    StoreRef,
    Var,
    View,
    Window,
)
from loma.ir.traverse import clone_region, map_regions, operands
from loma.ir.types import ArrayType, Ref, Scalar, Structs, StructType, Type

HELP = "write the rule for this mode too"


def primal_type(t: Type, structs: Structs, float_type: Scalar) -> Type | None:
    """The type of which `t` is the Diff; None if it is none."""
    match t:
        case ArrayType(element, size):
            inner = primal_type(element, structs, float_type)
            return None if inner is None else ArrayType(inner, size)
        case StructType(name) if name in ("_dfloat", "_df32", "_df64"):
            made = dict(structs[name].members)[VAL]
            return made
        case StructType(name) if name.startswith("_d") and name[2:] in structs:
            inner = StructType(name[2:])
            return inner if diff_type(inner, float_type) == t else None
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Pair:
    """Where the values and the tangents of a root of duals live: roots, or scalar values."""

    value: Operand
    tangent: Operand


class Apart:
    """Rewrites a body that works on duals into one that works on values and tangents."""

    def __init__(
        self, function: str, pairs: Mapping[Var, Pair], structs: Structs, float_type: Scalar
    ) -> None:
        self.function = function
        self.pairs = dict(pairs)
        self.structs = structs
        self.float_type = float_type
        self.values: dict[Var, Operand] = {}

    def body(self, r: Region) -> Region:
        """The body rewritten."""
        made = self.region(r)
        return clone_region(made, self.values)

    def region(self, r: Region) -> Region:
        """A region rewritten; loads of scalar arguments are yet to be replaced."""
        return Region(r.args, tuple(y for x in r.ops for y in self.op(x)), r.yields)

    def op(self, x: Op) -> list[Op]:
        """What becomes of one operation."""
        match x:
            case Check(within=within) if within is not None:
                return []
            case Load(root, path) if root in self.pairs:
                return self.load(x, *self.part(root, path))
            case Store(root, path) | Accum(root, path) if root in self.pairs:
                half, short = self.part(root, path)
                assert isinstance(half, Var), "what is written is memory"
                return [replace(x, root=half, path=short)]
            case View(root, path, out) | Window(root, path, out) if root in self.pairs:
                return self.step(x, out, root, path)
            case LoadRef(root, path, out) if root in self.pairs:
                return self.step(x, out, root, path)
            case Alloc(out) if isinstance(out.type, Ref) and not out.type.growable:
                return self.alloc(x, out)
            case Call() | StoreRef() if any(a in self.pairs for a in operands(x)):
                what = "passes duals to a function that is not inlined (it is recursive)"
                raise NotDifferentiable(
                    self.function,
                    x.span,
                    f"its rule {what}, so that no other rule follows from it",
                    HELP,
                )
            case _:
                return [map_regions(x, self.region)]

    def load(self, x: Load, half: Operand, path: Path) -> list[Op]:
        """A load of a value or a tangent."""
        if isinstance(half, Var) and isinstance(half.type, Ref):
            return [replace(x, root=half, path=path)]
        assert not path, "a scalar has no parts"
        self.values[x.out] = half
        return []

    def part(self, root: Var, path: Path) -> tuple[Operand, Path]:
        """The half that a path to a scalar leads to, and the path in it."""
        pair = self.pairs[root]
        inner = path[:-1]
        if path and path[-1] in (VAL, DVAL) and self.is_dual(root, inner):
            return (pair.value if path[-1] == VAL else pair.tangent), inner
        return pair.value, path

    def is_dual(self, root: Var, path: Path) -> bool:
        """Whether a path leads to a dual that stands for one float."""
        place = place_type(root.content, path, self.structs)
        return isinstance(primal_type(place, self.structs, self.float_type), Scalar)

    def step(self, x: View | Window | LoadRef, out: Var, root: Var, path: Path) -> list[Op]:
        """A part of a root of duals."""
        pair = self.pairs[root]
        if isinstance(out.type, Ref) and primal_type(
            out.content, self.structs, self.float_type
        ) is None:
            value = pair.value
            if path and path[-1] in (VAL, DVAL):
                value, path = self.part(root, path)
            assert isinstance(value, Var), "a part of memory"
            return [replace(x, root=value, path=path)]
        inner = primal_type(out.content, self.structs, self.float_type)
        assert inner is not None and isinstance(pair.value, Var) and isinstance(pair.tangent, Var)
        values, tangents = Var(out.name, Ref(inner)), Var(f"d_{out.name}", Ref(inner))
        self.pairs[out] = Pair(values, tangents)
        return [
            replace(x, root=pair.value, out=values, path=path),
            replace(x, root=pair.tangent, out=tangents, path=path),
        ]

    def alloc(self, x: Alloc, out: Var) -> list[Op]:
        """A local of duals becomes two locals."""
        inner = primal_type(out.content, self.structs, self.float_type)
        if inner is None:
            return [x]
        values, tangents = Var(out.name, Ref(inner)), Var(f"d_{out.name}", Ref(inner))
        self.pairs[out] = Pair(values, tangents)
        return [replace(x, out=values), replace(x, out=tangents)]


@dataclass(frozen=True, slots=True)
class Half:
    """The values (`val`) or the tangents (`dval`) of a root of duals; to set a value is to set its
    tangent to zero, unless it is `kept`.
    """

    root: Var
    field: str
    kept: bool = False


class Together:
    """Rewrites a body such that some of its roots are halves of roots of duals."""

    def __init__(
        self, function: str, halves: Mapping[Var, Half], structs: Structs, float_type: Scalar
    ) -> None:
        self.function = function
        self.halves = dict(halves)
        self.structs = structs
        self.float_type = float_type

    def region(self, r: Region) -> Region:
        """The region rewritten."""
        return Region(r.args, tuple(y for x in r.ops for y in self.op(x)), r.yields)

    def op(self, x: Op) -> list[Op]:
        """What becomes of one operation."""
        if isinstance(x, Check) and x.within is not None:
            return []
        new = self.image(x)
        zeroed = isinstance(x, Store) and x.root in self.halves and not self.halves[x.root].kept
        if zeroed and isinstance(new, Store) and new.path and new.path[-1] == VAL:
            value = new.value
            assert isinstance(value.type, Scalar)
            path = (*new.path[:-1], DVAL)
            return [new, replace(new, path=path, value=const(0.0, value.type))]
        return [new]

    def image(self, x: Op) -> Op:
        """One operation on the halves."""
        match x:
            case Load(root, path) | Store(root, path) | Accum(root, path) if root in self.halves:
                half = self.halves[root]
                return replace(x, root=half.root, path=self.path(root, path, half))
            case View(root, _, out) | Window(root, _, out) | LoadRef(root, _, out) if (
                root in self.halves
            ):
                path = x.path
                half = self.halves[root]
                if isinstance(out.content, Scalar):
                    whole = self.path(root, path, half)
                    return replace(x, root=half.root, path=whole)
                new = Var(out.name, Ref(diff_type(out.content, self.float_type)))
                self.halves[out] = replace(half, root=new)
                return replace(x, root=half.root, out=new)
            case Push() | Call() | StoreRef() if any(a in self.halves for a in operands(x)):
                raise NotDifferentiable(
                    self.function,
                    x.span,
                    "its rule passes an argument to a function that is not inlined (it is "
                    "recursive), so that no other rule follows from it",
                    HELP,
                )
            case _:
                return map_regions(x, self.region)

    def path(self, root: Var, path: Path, half: Half) -> Path:
        """The path to a scalar inside the duals."""
        place = place_type(root.content, path, self.structs)
        is_float = isinstance(place, Scalar) and place.is_float
        return (*path, half.field) if is_float else path
