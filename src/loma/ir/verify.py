"""Legality of core IR: every pass leaves, and may expect, a module that passes here.

A fault is the compiler's own: an `InternalError` that names function, operation and rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, assert_never

from loma.diagnostics import InternalError
from loma.ir import nodes as core
from loma.ir.builder import rounded
from loma.ir.nodes import (
    Const,
    Function,
    Module,
    Op,
    Operand,
    Path,
    Region,
    Var,
)
from loma.ir.prims.record import Operands, Result
from loma.ir.traverse import indices, outs
from loma.ir.types import (
    BOOL,
    ArrayType,
    Ref,
    Scalar,
    StructDef,
    Structs,
    StructType,
    TapeType,
    Type,
)
from loma.ir.verify_types import accepts, core_parameters, fits


def verify(unit: Module | Function, structs: Structs | None = None) -> None:
    """Raises InternalError unless a module, or one function of it, is legal.

    Calls are checked against callees that exist; a lone function comes with its structs.
    """
    match unit:
        case Module():
            for name, f in unit.functions.items():
                if f.name != name:
                    raise InternalError(f"function {f.name} is filed under {name}")
                Verifier(f, unit.structs, unit.functions).function()
        case Function():
            Verifier(unit, structs or {}, {}).function()


class Verifier:
    """Checks one function; `visible` are the variables that may be read at this point."""

    def __init__(self, f: Function, structs: Structs, functions: Mapping[str, Function]) -> None:
        self.f = f
        self.structs: Mapping[str, StructDef] = structs
        self.functions = functions
        self.visible: set[Var] = set()
        self.bound: set[Var] = set()
        self.trail: list[Var] = []
        self.at: Op | None = None

    def fail(self, rule: str) -> NoReturn:
        """Raises the error for the operation at hand."""
        where = (
            "" if self.at is None else f", {type(self.at).__name__} at {self.at.span}: {self.at}"
        )
        raise InternalError(f"illegal core IR in {self.f.name}: {rule}{where}"[:2000])

    def need(self, holds: bool, rule: str) -> None:
        """Fails unless the rule holds."""
        if not holds:
            self.fail(rule)

    # Functions and regions.

    def function(self) -> None:
        """Checks parameters, body and result against the signature."""
        s = self.f.signature
        expected = core_parameters(s)
        found = tuple(p.type for p in self.f.params)
        self.need(found == expected, f"parameters are {found}, the signature makes them {expected}")
        self.need(not self.f.body.args, "the body of a function has args")
        for p in self.f.params:
            self.bind(p)
        yields = (s.result,) if isinstance(s.result, Scalar) else ()
        self.region(self.f.body, (), yields)
        if s.simd:
            self._kernel()

    def _kernel(self) -> None:
        match self.f.body.ops:
            case (core.Parallel(count),) if count is self.f.params[-1]:
                pass
            case _:
                self.fail("the body of a kernel is one Parallel over its threads")

    def region(self, region: Region, args: tuple[Type, ...], yields: tuple[Type, ...]) -> None:
        """Checks a region whose args and yields must be scalars of the given types."""
        outer = len(self.trail)
        found = tuple(a.type for a in region.args)
        self.need(found == args, f"region args are {found}, not {args}")
        for a in region.args:
            self.bind(a)
        for op in region.ops:
            self.at = op
            self.op(op)
        given = tuple(self.value(y) for y in region.yields)
        self.need(given == yields, f"region yields {given}, not {yields}")
        self.visible.difference_update(self.trail[outer:])
        del self.trail[outer:]

    def bind(self, v: Var) -> None:
        """Notes that a variable is bound here, for the first time."""
        self.need(v not in self.bound, f"{v.name} is bound twice")
        if isinstance(v.type, Ref):
            self.known(v.type.content)
        self.bound.add(v)
        self.visible.add(v)
        self.trail.append(v)

    def known(self, t: Type) -> None:
        """Checks that a type's struct exists."""
        match t:
            case StructType(name):
                self.need(name in self.structs, f"struct {name} is unknown")
            case ArrayType(element):
                self.known(element)
            case _:
                pass

    # Operands.

    def value(self, x: Operand) -> Scalar:
        """The type of an operand that must be a visible value."""
        if isinstance(x, Const):
            self.need(
                repr(rounded(x.value, x.type)) == repr(x.value),
                f"literal {x.value!r} is not a {x.type}",
            )
            return x.type
        self.need(x in self.visible, f"{x.name} is not visible here")
        if not isinstance(x.type, Scalar):
            self.fail(f"{x.name} is a root, a value is needed")
        return x.type

    def root(self, v: Operand) -> Ref:
        """The type of a visible root."""
        if isinstance(v, Const) or not isinstance(v.type, Ref):
            self.fail("a value is used as a root")
        self.need(v in self.visible, f"root {v.name} is not visible here")
        return v.type

    def place(self, root: Var, path: Path) -> Type:
        """The type of a place; a path stays inside one allocation."""
        content: Type = self.root(root).content
        for k, step in enumerate(path):
            match content, step:
                case ArrayType(_, None), _ if k > 0:
                    self.fail(f"a path of {root.name} crosses a pointer without LoadRef")
                case ArrayType(element), Const() | Var():
                    self.need(self.value(step).is_int, "an index is not an int")
                    content = element
                case StructType(name), str():
                    members = dict(self.structs[name].members)
                    self.need(step in members, f"{name} has no member {step}")
                    content = members[step]
                case _:
                    self.fail(f"step {step} does not fit a {content}")
        return content

    def scalar(self, root: Var, path: Path) -> Scalar:
        """The type of a place that must hold a scalar."""
        held = self.place(root, path)
        if not isinstance(held, Scalar):
            self.fail(f"a scalar place is needed, this holds a {held}")
        return held

    def pointer(self, root: Var, path: Path) -> Type:
        """The type of a place that must hold a pointer."""
        held = self.place(root, path)
        self.need(
            bool(path) and isinstance(held, ArrayType) and held.size is None,
            f"a pointer in memory is needed, this is a {held}",
        )
        return held

    # Operations.

    def op(self, op: Op) -> None:  # noqa: C901, PLR0915 - one dispatch
        """Checks one operation and binds its results."""
        match op:
            case core.Apply():
                self._apply(op)
            case core.Load():
                self.need(op.out.type is self.scalar(op.root, op.path), "a Load changes the type")
            case core.Store() | core.Accum():
                self._store(op)
            case core.View():
                self._view(op)
            case core.Window():
                self._window(op)
            case core.LoadRef():
                self.need(
                    op.out.type == Ref(self.pointer(op.root, op.path)), "a LoadRef changes the type"
                )
            case core.StoreRef():
                self._store_ref(op)
            case core.Alloc():
                self._alloc(op)
            case core.Push() | core.Pop():
                self._tape(op)
            case core.Check():
                self._check(op)
            case core.Print():
                list(map(self.value, indices(op.text)))
            case core.Call():
                self._call(op)
            case core.If():
                self._if(op)
            case core.For():
                self._for(op)
            case core.While():
                self._while(op)
            case core.Parallel():
                self._parallel(op)
            case _:
                assert_never(op)
        self.at = op
        for v in outs(op):
            self.bind(v)

    def _apply(self, op: core.Apply) -> None:
        name, types = op.prim.name, tuple(self.value(a) for a in op.args)
        self.need(len(types) == op.prim.arity, f"{name} takes {op.prim.arity} operands")
        if op.prim.operands is Operands.CHOICE:
            self.need(types[0] is BOOL, f"{name} needs a bool first")
            types = types[1:]
        self.need(len(set(types)) == 1, f"operands of {name} differ in type: {types}")
        self.need(accepts(op.prim.operands, types[0]), f"{name} does not take a {types[0]}")
        out = op.out.type
        match op.prim.result:
            case Result.SAME:
                self.need(out is types[0], f"{name} gives its operands' type, not {out}")
            case Result.BOOL:
                self.need(out is BOOL, f"{name} gives a bool, not {out}")
            case Result.GIVEN:
                self.need(isinstance(out, Scalar), f"{name} gives a scalar")

    def _check(self, op: core.Check) -> None:
        self.need(self.value(op.cond) is BOOL, "a Check needs a bool")
        shown = indices(op.text)
        if op.within is not None:
            array, index = op.within
            self.need(isinstance(self.root(array).content, ArrayType), "an index into an array")
            self.need(self.value(index).is_int, "an index is not an int")
            shown = tuple(x for x in shown if x is not array)
        list(map(self.value, shown))

    def _store(self, op: core.Store | core.Accum) -> None:
        held, given = self.scalar(op.root, op.path), self.value(op.value)
        self.need(given is held, f"a {given} is stored where a {held} lies")
        if isinstance(op, core.Accum):
            self.need(held is not BOOL, "a bool cannot be accumulated")

    def _view(self, op: core.View) -> None:
        held = self.place(op.root, op.path)
        self.need(bool(op.path), "a View needs a path")
        self.need(
            not (isinstance(held, ArrayType) and held.size is None), "a pointer is read by LoadRef"
        )
        self.need(op.out.type == Ref(held), f"a View of a {held} is {op.out.type}")

    def _window(self, op: core.Window) -> None:
        flat = op.path[len(op.path) - op.depth :]
        indices = len(flat) == op.depth and not any(isinstance(s, str) for s in flat)
        self.need(op.depth > 0 and indices, "a Window begins at an element")
        inner = all(isinstance(s, core.Const) and s.value == 0 for s in flat[1:])
        self.need(inner, "a Window begins with a whole element")
        held, out = self.place(op.root, op.path), op.out.type
        match out:
            case Ref(ArrayType(element), False):
                self.need(element == held, f"a Window on {held} is {out}")
            case _:
                self.fail(f"a Window is an array, not {out}")
        self.need(not (isinstance(op.root.type, Ref) and op.root.type.growable),
                  "a Window on a growable array")

    def _store_ref(self, op: core.StoreRef) -> None:
        held, given = self.pointer(op.root, op.path), self.root(op.value)
        self.need(fits(given, Ref(held)), f"a {given} is stored where a pointer {held} lies")

    def _alloc(self, op: core.Alloc) -> None:
        t = op.out.type
        if not isinstance(t, Ref):
            self.fail("an Alloc gives a root")
        unsized = isinstance(t.content, ArrayType) and t.content.size is None
        if op.count is not None:
            self.need(self.value(op.count).is_int, "the count of an Alloc is not an int")
        self.need(
            unsized == (op.count is not None or t.growable),
            "an Alloc has a count or is growable exactly when its array has no size",
        )
        self.need(not (t.growable and op.count is not None), "a growable Alloc has no count")

    def _tape(self, op: core.Push | core.Pop) -> None:
        self.need(isinstance(self.root(op.tape).content, TapeType), "a tape is needed")
        if isinstance(op, core.Push):
            for x in op.values:
                self.value(x)
        else:
            self.need(all(isinstance(v.type, Scalar) for v in op.outs), "a Pop gives scalars")

    def _call(self, op: core.Call) -> None:
        given = tuple(self.root(a) if _is_root(a) else self.value(a) for a in op.args)
        callee = self.functions.get(op.function)
        if callee is None:
            self.need(all(isinstance(v.type, Scalar) for v in op.outs), "a Call gives scalars")
            return
        wanted = tuple(p.type for p in callee.params)
        self.need(
            len(given) == len(wanted),
            f"{op.function} takes {len(wanted)} operands, not {len(given)}",
        )
        for a, b, p in zip(given, wanted, callee.params, strict=True):
            self.need(fits(a, b), f"operand {p.name} of {op.function} is {a}, not {b}")
        taken = tuple(v.type for v in op.outs)
        yields = tuple(_type(y) for y in callee.body.yields)
        self.need(taken == yields, f"{op.function} gives {yields}, not {taken}")

    # Control.

    def _if(self, op: core.If) -> None:
        self.need(self.value(op.cond) is BOOL, "an If needs a bool")
        types = self._outs(op)
        self.region(op.then, (), types)
        self.region(op.orelse, (), types)

    def _for(self, op: core.For) -> None:
        start, count, inits = self.value(op.start), self.value(op.count), self._inits(op)
        self.need(
            start.is_int and count is start and op.step.type is start,
            "start, count, step differ in type",
        )
        self.need(op.step.value != 0, "the step is zero")
        self.need(inits == self._outs(op), "a For carries other types than it gives")
        self.need(not (op.parallel and inits), "a parallel For carries values")
        self.region(op.body, (start, *inits), inits)

    def _while(self, op: core.While) -> None:
        inits = self._inits(op)
        self.need(inits == self._outs(op), "a While carries other types than it gives")
        self.region(op.cond, inits, (BOOL,))
        self.region(op.body, inits, inits)

    def _parallel(self, op: core.Parallel) -> None:
        count, sums = self.value(op.count), self._outs(op)
        self.need(count.is_int, "the count of a Parallel is not an int")
        self.need(all(isinstance(t, Scalar) and t.is_float for t in sums), "a Parallel sums floats")
        self.region(op.body, (count,), sums)

    def _outs(self, op: core.If | core.For | core.While | core.Parallel) -> tuple[Type, ...]:
        self.need(all(isinstance(v.type, Scalar) for v in op.outs), "control yields a root")
        return tuple(v.scalar for v in op.outs)

    def _inits(self, op: core.For | core.While) -> tuple[Type, ...]:
        return tuple(self.value(x) for x in op.inits)


def _is_root(x: Operand) -> bool:
    return isinstance(x, Var) and isinstance(x.type, Ref)


def _type(x: Operand) -> Scalar | Ref:
    return x.type
