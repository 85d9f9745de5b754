"""Functions that call derivatives themselves: of functions and methods, on numbers and structs."""

from __future__ import annotations

from random import Random

from properties.calls import Page
from properties.scope import FLOAT, INT, Callee, Formal, Place, Scope, Variable, spelled

from loma.ir.types import ArrayType, Scalar, StructDef, StructType, Type, has_pointer

Structs = dict[str, StructDef]


def by_hand(rng: Random, page: Page, structs: Structs, callees: list[Callee]) -> list[Callee]:
    """g(x) from a derivative of a function, which is called with tangents or adjoints."""
    usable = [c for c in callees if _usable(c, structs)]
    if not usable:
        return []
    c = rng.choice(usable)
    hand = _Hand(rng, page, structs, page.fresh("x"))
    return [hand.forward(c) if rng.random() < 0.5 else hand.reverse(c)]


def primal_name(c: Callee) -> str:
    """What a derivative calls the function: `S.method`, or a name."""
    first = c.formals[0].type if c.formals else None
    return f"{first.name}.{c.name}" if c.is_method and isinstance(first, StructType) else c.name


def _usable(c: Callee, structs: Structs) -> bool:
    if c.shape and not (c.is_method or c.name.endswith("]")) or c.elements:
        return False
    if c.result is not None and (c.result is INT or isinstance(c.result, ArrayType)):
        return False
    types = [f.type for f in c.formals] + ([] if c.result is None else [c.result])
    plain = all(isinstance(t, Scalar | StructType) and not has_pointer(t, structs) for t in types)
    changed = [f for f in c.formals if f.direction != "In"]
    return plain and (c.result is not None or bool(changed)) and all(
        isinstance(f.type, StructType) for f in changed)


class _Hand:
    def __init__(self, rng: Random, page: Page, structs: Structs, x: str) -> None:
        self.rng = rng
        self.page = page
        self.structs = structs
        self.x = x

    def head(self, name: str) -> None:
        self.page.line(f"def {name}({self.x} : In[float]) -> float:")

    def number(self) -> str:
        """A float of the body."""
        return self.rng.choice(["1.0", "0.5", self.x, f"sin({self.x})", f"0.3 * {self.x}"])

    def filled(self, place: str, t: Type, fields: tuple[str, ...]) -> None:
        """Statements that fill a place: numbers under `fields`, where a float is a pair."""
        match t:
            case Scalar() if t is FLOAT:
                for field in fields:
                    self.page.line(f"    {place}{field} = {self.number()}")
            case Scalar():
                self.page.line(f"    {place} = {self.rng.randint(0, 3)}")
            case StructType(name):
                for m, inner in self.structs[name].members:
                    self.filled(f"{place}.{m}", inner, fields)
            case ArrayType(element, int() as size):
                for i in self.rng.sample(range(size), 2):
                    self.filled(f"{place}[{i}]", element, fields)
            case _:
                raise AssertionError(t)

    def floats(self, place: str, t: Type) -> list[str]:
        """The float places inside."""
        found: list[Place] = []
        Scope(self.rng, self.structs).descend(Place(place, t, Variable(place, t)), FLOAT, found)
        return [p.text.replace("<", "").replace(">", "") for p in found if "<" not in p.text]

    def forward(self, c: Callee) -> Callee:
        """The directional derivative, through Diff values."""
        name, d = self.page.fresh("h"), self.page.fresh("d")
        self.page.line(f"{d} = fwd_diff({primal_name(c)})")
        self.head(name)
        operands: list[str] = []
        for k, f in enumerate(c.formals):
            if f.type is INT:
                operands.append("2")
                continue
            self.page.line(f"    u{k} : Diff[{spelled(f.type)}]")
            self.filled(f"u{k}", f.type, (".val", ".dval"))
            operands.append(f"u{k}")
        call = f"{d}({', '.join(operands)})"
        field = self.rng.choice([".dval", ".dval", ".val"])
        if c.result is None:
            self.page.line(f"    {call}")
        values = [call] if c.result is FLOAT else self.floats(call, c.result) if c.result else [
            p for k, f in enumerate(c.formals) if f.direction != "In"
            for p in self.floats(f"u{k}", f.type)]
        self.page.line(f"    return {self.rng.choice(values)}{field}")
        return Callee(name, [Formal(self.x, FLOAT)], FLOAT)

    def reverse(self, c: Callee) -> Callee:
        """A sum over the gradient."""
        name, d = self.page.fresh("h"), self.page.fresh("d")
        self.page.line(f"{d} = rev_diff({primal_name(c)})")
        self.head(name)
        operands, sums = [], ["0.0"]
        for k, f in enumerate(c.formals):
            self.page.line(f"    g{k} : {spelled(f.type)}")
            if f.direction != "In":
                self.filled(f"g{k}", f.type, ("",))
            if f.direction == "Out":
                operands.append(f"g{k}")
                continue
            if isinstance(f.type, StructType):
                self.page.line(f"    u{k} : {spelled(f.type)}")
                self.filled(f"u{k}", f.type, ("",))
                sums += self.floats(f"g{k}", f.type)
            operands += [f"u{k}" if isinstance(f.type, StructType) else
                         self.number() if f.type is FLOAT else "2", f"g{k}"]
            sums += [f"g{k}"] if f.type is FLOAT else []
        if c.result is FLOAT:
            operands.append(self.number())
        elif c.result is not None:
            self.page.line(f"    seed : {spelled(c.result)}")
            self.filled("seed", c.result, ("",))
            operands.append("seed")
        self.page.line(f"    {d}({', '.join(operands)})")
        self.page.line(f"    return {' + '.join(sums)}")
        return Callee(name, [Formal(self.x, FLOAT)], FLOAT)
