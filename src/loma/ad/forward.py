"""Forward mode: a tangent beside every value, a dual beside every float in memory.

    forward(f): f's parameters with every type mapped to Diff; memory holds {val, dval} pairs.

A value that does not depend on an input has no tangent at all (None), so nothing is spent on it.
With a width, several directions go through one pass: each value has as many tangents, its lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from loma.ad.mixed import refuse_mixed
from loma.ad.rules import tangent
from loma.ir.analysis.activity import Activity, unvaried
from loma.ir.builder import Builder, type_of
from loma.ir.derived import RETURN, VAL, diff_type, forward_signature, lanes
from loma.ir.nodes import (
    Accum,
    Alloc,
    Apply,
    Call,
    Check,
    Const,
    For,
    Function,
    If,
    Load,
    LoadRef,
    Module,
    Op,
    Operand,
    Parallel,
    Path,
    Pop,
    Print,
    Push,
    Region,
    Signature,
    Store,
    StoreRef,
    Var,
    View,
    While,
    Window,
)
from loma.ir.traverse import clone_region, reread
from loma.ir.types import Ref, Scalar, Type

NameOf = Callable[[str, frozenset[int]], str]
SignatureOf = Callable[[str], Signature]
Dots = tuple[Operand | None, ...]


def forward(
    f: Function, name: str, module: Module, name_of: NameOf, signature_of: SignatureOf,
    width: int = 1,
) -> Function:
    """The forward derivative of `f`.

    `name_of(g, plain)` gives the name of the forward derivative of g that takes the memory at some
    positions without tangents; `signature_of(g)` is what callers see of g.
    """
    refuse_mixed(f)
    return _Forward(f, module, name_of, signature_of, width).function(name)


class _Forward:
    """The transform of one function: `val` and `dots` map primal variables to their images."""

    def __init__(
        self, f: Function, module: Module, name_of: NameOf, signature_of: SignatureOf, width: int
    ) -> None:
        self.f = f
        self.module = module
        self.name_of = name_of
        self.signature_of = signature_of
        self.plain = set(unvaried(f))
        self.activity = Activity(f, module.structs)
        self.b = Builder(module.structs, f.span)
        self.val: dict[Var, Operand] = {}
        self.dots: dict[Var, Dots] = {}
        self.width = width
        self.lanes = lanes(width)

    def function(self, name: str) -> Function:
        """The derivative as a whole."""
        params = [self.parameter(p) for p in self.f.params]
        self.ops(self.f.body.ops)
        yields: tuple[Operand, ...] = ()
        match self.f.signature.result:
            case Scalar() as s if s.is_float:
                dual = self.diff(s)
                out = Var(RETURN, Ref(dual))
                params.insert(len(params) - (1 if self.f.signature.simd else 0), out)
                y = self.f.body.yields[0]
                self.store_dual(out, (), y)
            case _:
                yields = tuple(self.value(y) for y in self.f.body.yields)
        body = clone_region(Region((), self.kernel(self.b.ops), yields), {})
        signature = forward_signature(self.f.signature, self.module.float_type, self.width)
        return Function(name, tuple(params), body, signature, self.f.span, self.f.exported)

    def kernel(self, ops: list[Op]) -> tuple[Op, ...]:
        """The operations of the body; in a kernel, each thread takes the duals of its parameters
        apart.
        """
        if not self.f.signature.simd:
            return tuple(ops)
        *entry, threads = ops
        assert isinstance(threads, Parallel), "the body of a kernel is one parallel loop"
        body = replace(threads.body, ops=(*entry, *threads.body.ops))
        return (replace(threads, body=body),)

    def parameter(self, p: Var) -> Var:
        """The parameter's image; a float is taken apart at the entry of the function."""
        if p in self.plain:
            new = p
        elif isinstance(p.type, Ref):
            new = Var(p.name, self.dual_ref(p.type))
        elif p.type.is_float:
            new = Var(p.name, Ref(self.diff(p.type)))
            self.load_dual(new, (), p)
            return new
        else:
            new = p
        self.val[p] = new
        return new

    def diff(self, t: Type) -> Type:
        """Diff of a type, with as many tangents as there are directions."""
        return diff_type(t, self.module.float_type, self.width)

    def dual_ref(self, t: Ref) -> Ref:
        """The type of a root's image."""
        return Ref(self.diff(t.content), t.growable)

    def part_ref(self, root: Var, t: Ref) -> Ref:
        """The type of the image of a part of a root."""
        return t if self.is_plain(root) else self.dual_ref(t)

    def is_plain(self, root: Var) -> bool:
        """Whether a root has no tangents."""
        return self.activity.base.get(root, root) in self.plain

    # Operands.

    def value(self, x: Operand) -> Operand:
        """The image of a value."""
        return x if isinstance(x, Const) else self.val.get(x, x)

    def root(self, x: Var) -> Var:
        """The image of a root."""
        new = self.val[x]
        assert isinstance(new, Var), f"root {x.name} has no image"
        return new

    def tangents(self, x: Operand) -> Dots:
        """The tangents of a value, None where they are zero by structure."""
        none = (None,) * self.width
        return none if isinstance(x, Const) else self.dots.get(x, none)

    def written_out(self, x: Operand) -> tuple[Operand, ...]:
        """The tangents of a value, zeros written out."""
        return tuple(self.b.number(0.0, x) if dot is None else dot for dot in self.tangents(x))

    def load_dual(self, root: Var, path: Path, v: Var) -> None:
        """The images of a variable from a dual in memory."""
        self.val[v] = self.b.load(root, (*path, VAL), v.name)
        if self.varied(v):
            self.dots[v] = tuple(
                self.b.load(root, (*path, lane), f"d_{v.name}") for lane in self.lanes
            )

    def store_dual(self, root: Var, path: Path, x: Operand) -> None:
        """A value with its tangents into a dual in memory."""
        self.b.store(root, (*path, VAL), self.value(x))
        for lane, dot in zip(self.lanes, self.written_out(x), strict=True):
            self.b.store(root, (*path, lane), dot)

    def path(self, p: Path) -> Path:
        """The image of a path."""
        return tuple(x if isinstance(x, str) else self.value(x) for x in p)

    def varied(self, v: Var) -> bool:
        """Whether a bound variable gets a tangent."""
        return isinstance(v.type, Scalar) and v.type.is_float and self.activity.is_varied(v)

    def bind(self, v: Var, model: Var | None = None) -> list[Var]:
        """Fresh images of a variable: its value, then its tangents if it (or `model`) has some."""
        image = Var(v.name, v.type)
        self.val[v] = image
        if not self.varied(v if model is None else model):
            return [image]
        dots = tuple(Var(f"d_{v.name}", v.type) for _ in self.lanes)
        self.dots[v] = dots
        return [image, *dots]

    def binds(self, vs: tuple[Var, ...]) -> tuple[Var, ...]:
        """Fresh images of several variables, in order."""
        return tuple(image for v in vs for image in self.bind(v))

    def pairs(self, xs: tuple[Operand, ...], like: tuple[Var, ...]) -> tuple[Operand, ...]:
        """The operands that fill the images of `like`: value, then tangent where there is one."""
        found: list[Operand] = []
        for x, v in zip(xs, like, strict=True):
            found.append(self.value(x))
            if self.varied(v):
                found += self.written_out(x)
        return tuple(found)

    # Operations.

    def ops(self, ops: tuple[Op, ...]) -> None:
        """Emits the images of operations."""
        for op in ops:
            self.b.span = op.span
            self.op(op)

    def region(self, region: Region, outs: tuple[Var, ...]) -> Region:
        """The image of a nested region that fills the images of `outs`."""
        args = self.binds(region.args)
        with self.b.nested() as inner:
            self.ops(region.ops)
            yields = self.pairs(region.yields, outs)
        return Region(args, tuple(inner), yields)

    def op(self, op: Op) -> None:  # noqa: C901, PLR0915 - one dispatch
        """Emits the image of one operation."""
        match op:
            case Apply():
                self.apply(op)
            case Load():
                self.load(op)
            case Store() | Accum():
                self.write(op)
            case View(root, path, out) | Window(root, path, out) | LoadRef(root, path, out):
                new = Var(out.name, self.part_ref(root, _ref(out)))
                self.val[out] = new
                self.b.emit(replace(op, root=self.root(root), path=self.path(path), out=new))
            case StoreRef(root, path, value):
                new, to = self.root(value), self.path(path)
                self.b.emit(replace(op, root=self.root(root), path=to, value=new))
            case Alloc(out, count):
                new = Var(out.name, self.dual_ref(_ref(out)))
                self.val[out] = new
                self.b.emit(
                    replace(op, out=new, count=None if count is None else self.value(count))
                )
            case Push(tape, values):
                self.b.emit(replace(op, tape=self.root(tape), values=self.frame(values)))
            case Pop(tape, outs):
                self.pop(op, tape, outs)
            case Check() | Print():
                self.b.emit(reread(op, self.value))
            case Call():
                self.call(op)
            case _:
                self.control(op)

    def apply(self, op: Apply) -> None:
        """A scalar operation and its tangent."""
        image = replace(
            op, args=tuple(self.value(x) for x in op.args), out=Var(op.out.name, op.out.scalar)
        )
        self.b.emit(image)
        self.val[op.out] = image.out
        if self.varied(op.out):
            of = [self.tangents(x) for x in op.args]
            self.dots[op.out] = tuple(
                tangent(self.b, image, tuple(dots[k] for dots in of)) for k in range(self.width)
            )

    def load(self, op: Load) -> None:
        """A load from a place or from its dual."""
        root, path = self.root(op.root), self.path(op.path)
        if not op.out.scalar.is_float or self.is_plain(op.root):
            self.val[op.out] = self.b.load(root, path, op.out.name)
            return
        self.load_dual(root, path, op.out)

    def write(self, op: Store | Accum) -> None:
        """A store or an addition to a place or to its dual."""
        root, path = self.root(op.root), self.path(op.path)
        if not type_of(op.value).is_float or self.is_plain(op.root):
            emit = self.b.store if isinstance(op, Store) else self.b.accum
            emit(root, path, self.value(op.value))
        elif isinstance(op, Store):
            self.store_dual(root, path, op.value)
        else:
            self.b.accum(root, (*path, VAL), self.value(op.value))
            for lane, dot in zip(self.lanes, self.tangents(op.value), strict=True):
                if dot is not None:
                    self.b.accum(root, (*path, lane), dot)

    def frame(self, values: tuple[Operand, ...]) -> tuple[Operand, ...]:
        """What goes onto a tape for `values`: every float with its tangents."""
        found: list[Operand] = []
        for x in values:
            found.append(self.value(x))
            if type_of(x).is_float:
                found += self.written_out(x)
        return tuple(found)

    def pop(self, op: Pop, tape: Var, outs: tuple[Var, ...]) -> None:
        """The frame that `frame` pushed."""
        images: list[Var] = []
        for v in outs:
            image = Var(v.name, v.type)
            self.val[v] = image
            images.append(image)
            if v.scalar.is_float:
                dots = tuple(Var(f"d_{v.name}", v.type) for _ in self.lanes)
                self.dots[v] = dots
                images += dots
        self.b.emit(replace(op, tape=self.root(tape), outs=tuple(images)))

    def call(self, op: Call) -> None:
        """A call of the derivative: floats travel as duals in memory."""
        plain = frozenset(
            i
            for i, x in enumerate(op.args)
            if isinstance(x, Var) and isinstance(x.type, Ref) and self.is_plain(x)
        )
        name = self.name_of(op.function, plain)
        marks = [a.nodiff for a in self.signature_of(op.function).arguments]
        marks += [False] * (len(op.args) - len(marks))
        args = [
            self.value(x) if mark and not isinstance(x.type, Ref) else self.argument(x)
            for x, mark in zip(op.args, marks, strict=True)
        ]
        if not op.outs or not op.outs[0].scalar.is_float:
            outs = self.binds(op.outs)
            self.b.emit(replace(op, function=name, args=tuple(args), outs=outs))
            return
        (out,) = op.outs
        result = self.b.alloc(self.diff(out.scalar), out.name)
        self.b.emit(replace(op, function=name, args=(*args, result), outs=()))
        self.val[out] = self.b.load(result, (VAL,), out.name)
        self.dots[out] = tuple(self.b.load(result, (x,), f"d_{out.name}") for x in self.lanes)

    def argument(self, x: Operand) -> Operand:
        """The operand of a call: a root's image, or a fresh dual for a float."""
        if isinstance(x.type, Ref):
            assert isinstance(x, Var), "roots are variables"
            return self.root(x)
        if not x.type.is_float:
            return self.value(x)
        name = x.name if isinstance(x, Var) else "arg"
        dual = self.b.alloc(self.diff(x.type), f"d_{name}")
        self.store_dual(dual, (), x)
        return dual

    def control(self, op: Op) -> None:
        """The image of an operation with regions."""
        match op:
            case If(cond, then, orelse, outs):
                then_, orelse_ = self.region(then, outs), self.region(orelse, outs)
                self.b.emit(
                    replace(
                        op, cond=self.value(cond), then=then_, orelse=orelse_, outs=self.binds(outs)
                    )
                )
            case For(start, count, _, inits, body, outs):
                carried = body.args[1:]
                first = self.pairs(inits, carried)
                image = self.region(body, carried)
                after = self.binds_like(outs, carried)
                first_round, rounds = self.value(start), self.value(count)
                self.b.emit(replace(
                    op, start=first_round, count=rounds, inits=first, body=image, outs=after))
            case While(inits, cond, body, outs):
                first = self.pairs(inits, body.args)
                test = Region(self.binds_like(cond.args, body.args), *self.condition(cond))
                image = self.region(body, body.args)
                after = self.binds_like(outs, body.args)
                self.b.emit(replace(op, inits=first, cond=test, body=image, outs=after))
            case Parallel(count, body, outs):
                image = self.region(body, outs)
                self.b.emit(replace(op, count=self.value(count), body=image, outs=self.binds(outs)))
            case _:
                raise AssertionError(f"{type(op).__name__} has no regions")

    def condition(self, cond: Region) -> tuple[tuple[Op, ...], tuple[Operand, ...]]:
        """The image of a loop's condition: its operations and what they yield."""
        with self.b.nested() as inner:
            self.ops(cond.ops)
            yields = tuple(self.value(y) for y in cond.yields)
        return tuple(inner), yields

    def binds_like(self, vs: tuple[Var, ...], like: tuple[Var, ...]) -> tuple[Var, ...]:
        """Fresh images of `vs`, with tangents wherever the variable of `like` has some."""
        pairs = zip(vs, like, strict=True)
        return tuple(image for v, model in pairs for image in self.bind(v, model))


def _ref(v: Var) -> Ref:
    assert isinstance(v.type, Ref), f"{v.name} is not a root"
    return v.type
