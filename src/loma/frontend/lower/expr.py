"""Lowers expressions: values, places, conditions, copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from loma.frontend.lower import debug as lower_debug
from loma.frontend.lower.env import Env
from loma.frontend.lower.range import reduction
from loma.frontend.lower.scan import speculatable, tame
from loma.frontend.typed import (
    Apply,
    Call,
    Checked,
    Conditional,
    Convert,
    Expr,
    Index,
    Let,
    Literal,
    Logical,
    Member,
    Name,
    Reduce,
    Symbol,
    ThreadId,
    View,
)
from loma.ir import nodes as core
from loma.ir.analysis.alias import same
from loma.ir.builder import Builder, const, place_type, type_of
from loma.ir.nodes import Check, Const, Operand, Path, StoreRef, Trap, Var
from loma.ir.prims import arithmetic as A
from loma.ir.types import I32, ArrayType, Scalar, Structs, StructType, TapeType, Type

Place: TypeAlias = tuple[Var, Path]
UNROLLED = 8


class Expressions:
    """Lowers into its builder; `env` holds the scalar variables, `roots` those in memory."""

    def __init__(self, structs: Structs) -> None:
        self.b = Builder(structs)
        self.env = Env()
        self.roots: dict[Symbol, Var] = {}
        self.counts: dict[Var, Operand] = {}
        self.thread: Var | None = None
        self.debug = False

    def call(self, e: Call, into: Var | None = None) -> Operand | Var | None:
        """Lowers a call; a struct comes back as a root, which is `into` if that is given."""
        raise NotImplementedError

    def checked(self, e: Checked) -> Operand:
        """A value, after the checks that come before it."""
        raise NotImplementedError

    def view_root(self, e: View) -> Var:
        """A root for a part of an array."""
        raise NotImplementedError

    # Values.

    def value(self, e: Expr, name: str = "t") -> Operand:
        """The value of a scalar expression; first operands are unwound: no deep recursion."""
        spine = [e]
        while (first := _first(spine[-1])) is not None:
            spine.append(first)
        result = self._leaf(spine.pop(), name if not spine else "t")
        while spine:
            e = spine.pop()
            self.b.span = e.span
            result = self._combine(e, result, "t" if spine else name)
        return result

    def _leaf(self, e: Expr, name: str) -> Operand:
        self.b.span = e.span
        match e:
            case Literal(value, type):
                return const(value, type)
            case Name(symbol) if symbol in self.env:
                return self.env[symbol]
            case Name() | Index() | Member():
                root, path = self.place(e)
                self.b.span = e.span
                return self.b.load(root, path, name if name != "t" else _hint(e))
            case Reduce():
                return reduction(self, e)
            case Checked():
                return self.checked(e)
            case ThreadId():
                assert self.thread is not None, "thread_id outside a kernel"
                return self.thread
            case Call():
                result = self.call(e)
                assert result is not None, f"{e.function} gives no value"
                return result
            case _:
                raise AssertionError(f"not a leaf: {e}")

    def _combine(self, e: Expr, first: Operand, name: str) -> Operand:  # noqa: C901 - one dispatch
        match e:
            case Apply(prim, args):
                operands = (first, *(self.value(a) for a in args[1:]))
                self.b.span = e.span
                if self.debug:
                    lower_debug.operation(self, e, operands)
                if prim is A.IDIV:
                    self._check_division(*operands)
                if prim is A.NEG:
                    return self.b.neg(first)
                return self.b.apply(prim, *operands, name=name)
            case Convert(_, type):
                if isinstance(first, Const) and first.type.is_float and type.is_float:
                    return const(first.value, type)
                if type_of(first) is type:
                    return first
                if self.debug:
                    lower_debug.conversion(self, e, first)
                return self.b.cast(first, type)
            case Logical(operator, _, right):
                return self._logical(operator, first, right)
            case Conditional():
                return self._conditional(e, first)
            case Let(symbol, _, body):
                with self.env.bound(symbol, first):
                    return self.value(body)
            case _:
                raise AssertionError(f"no operands: {e}")

    def _logical(self, operator: str, left: Operand, right: Expr) -> Operand:
        is_and = operator == "and"
        if isinstance(left, Const) and bool(left.value) != is_and:
            return left
        if isinstance(left, Const):
            return self.value(right)
        if self.speculates(right):
            return self.b.apply(A.AND if is_and else A.OR, left, self.value(right))
        span = self.b.span
        with self.b.nested() as ops, self.env.branch():
            other = self.value(right)
        self.b.span = span
        evaluated = self.b.region(ops, (other,))
        decided = self.b.region([], (const(not is_and, Scalar.BOOL),))
        out = Var(operator, Scalar.BOOL)
        then, orelse = (evaluated, decided) if is_and else (decided, evaluated)
        self.b.emit(core.If(left, then, orelse, (out,), span=span))
        return out

    def speculates(self, *es: Expr) -> bool:
        """Whether expressions may be evaluated for nothing."""
        return not self.debug and all(speculatable(e, self.roots) for e in es)

    def _conditional(self, e: Conditional, cond: Operand) -> Operand:
        if isinstance(cond, Const):
            return self.value(e.then if cond.value else e.orelse)
        if self.speculates(e.then, e.orelse) and tame(e.then) and tame(e.orelse):
            return self.b.apply(A.SELECT, cond, self.value(e.then), self.value(e.orelse))
        regions: list[core.Region] = []
        for side in (e.then, e.orelse):
            with self.b.nested() as ops, self.env.branch():
                found = self.value(side)
            regions.append(self.b.region(ops, (found,)))
        assert isinstance(e.type, Scalar), "structs are places"
        out, (then, orelse) = Var("t", e.type), regions
        self.b.span = e.span
        self.b.emit(core.If(cond, then, orelse, (out,), span=e.span))
        return out

    def _chosen(self, e: Conditional) -> Var:
        """A fresh root that holds the struct of the side taken."""
        cond, root = self.value(e.cond), self.local(e.type, "chosen")
        regions: list[core.Region] = []
        for side in (e.then, e.orelse):
            with self.b.nested() as ops, self.env.branch():
                self.copy((root, ()), self.place(side))
            regions.append(self.b.region(ops, ()))
        then, orelse = regions
        self.b.emit(core.If(cond, then, orelse, (), span=e.span))
        return root

    def _check_division(self, x: Operand, y: Operand) -> None:
        if not (isinstance(y, Const) and y.value != 0):
            self.check(self._differs(y, 0), Trap.DIVISION)
        lowest = -(1 << (8 * type_of(x).bytes - 1))
        safe = (isinstance(y, Const) and y.value != -1) or (
            isinstance(x, Const) and x.value != lowest
        )
        if not safe:
            large, other = self._differs(x, lowest), self._differs(y, -1)
            decided = (
                large if isinstance(other, Const) else other if isinstance(large, Const) else None
            )
            self.check(decided or self.b.apply(A.OR, large, other), Trap.OVERFLOW)

    def _differs(self, x: Operand, value: int) -> Operand:
        if isinstance(x, Const):
            return const(x.value != value, Scalar.BOOL)
        return self.b.apply(A.NE, x, const(value, type_of(x)))

    def check(self, cond: Operand, trap: Trap, message: str = "") -> None:
        """Emits a trap unless `cond` holds."""
        self.b.emit(core.Check(cond, trap, message, span=self.b.span))

    # Places.

    def place(self, e: Expr) -> Place:
        """The root and path of a place; its indices are evaluated, its pointers loaded."""
        chain: list[Index | Member] = []
        while isinstance(e, Index | Member):
            chain.append(e)
            e = e.base
        root, path, content = *self._base(e), e.type
        for step in reversed(chain):
            if isinstance(content, ArrayType) and content.size is None and path:
                self.b.span = step.span
                root, path = self.b.load_ref(root, path), ()
            match step:
                case Index():
                    index = self.value(step.index)
                    self.b.span = step.span
                    length = self.length(root, path, content)
                    if self.debug:
                        lower_debug.index(self, step, (root, path), index, length)
                    self.check_index(index, length)
                    path = (*path, index)
                case Member():
                    path = (*path, step.field)
                case _:
                    assert_never(step)
            content = step.type
        return root, path

    def length(self, root: Var, path: Path, content: Type | None) -> Operand | None:
        """The length of an array, None where it is not known."""
        match content:
            case ArrayType(_, int() as size):
                return Const(size, I32)
            case _:
                return None if path else self.counts.get(root)

    def check_index(self, index: Operand, length: Operand | None) -> None:
        """Traps where an index is outside an array of known length."""
        if length is None or (isinstance(index, Const) and isinstance(length, Const)):
            return
        length = self.b.cast(length, type_of(index))
        above = self.b.apply(A.GE, index, const(0, type_of(index)))
        below = self.b.apply(A.LT, index, length)
        inside = self.b.apply(A.AND, above, below)
        self.b.emit(Check(inside, Trap.INDEX, span=self.b.span))

    def _base(self, e: Expr) -> Place:
        match e:
            case Name(symbol):
                return self.roots[symbol], ()
            case Call():
                root = self.call(e)
                assert isinstance(root, Var), f"{e.function} gives no struct"
                return root, ()
            case Conditional():
                return self._chosen(e), ()
            case View():
                return self.view_root(e), ()
            case _:
                raise AssertionError(f"not a place: {e}")

    def operand_root(self, e: Expr) -> Var:
        """A root for a whole place, to pass on: a view, or the array that a pointer leads to."""
        if isinstance(e, View):
            return self.view_root(e)
        root, path = self.place(e)
        self.b.span = e.span
        if isinstance(e.type, ArrayType) and e.type.size is None and path:
            return self.b.load_ref(root, path, _hint(e))
        return self.b.view(root, path, _hint(e))

    def local(self, type: Type, name: str) -> Var:
        """A fresh zeroed root."""
        return self.b.alloc(type, name)

    # Copies.

    def copy(self, target: Place, source: Place) -> None:  # noqa: C901 - one dispatch
        """Copies whatever is at a place: scalars and inline arrays by value, pointers shared."""
        (to, to_path), (of, of_path) = target, source
        kind = place_type(to.content, to_path, self.b.structs)
        match kind:
            case Scalar():
                self.b.store(to, to_path, self.b.load(of, of_path))
            case StructType(name):
                for field, _ in self.b.structs[name].members:
                    self.copy((to, (*to_path, field)), (of, (*of_path, field)))
            case ArrayType(_, None):
                held = place_type(of.content, of_path, self.b.structs)
                lies = isinstance(held, ArrayType) and held.size is not None
                part = self.b.view if lies or not of_path else self.b.load_ref
                pointer = part(of, of_path)
                self.b.emit(StoreRef(to, to_path, pointer, span=self.b.span))
            case ArrayType(_, int() as size) if size <= UNROLLED:
                for k in range(size):
                    i = const(k, I32)
                    self.copy((to, (*to_path, i)), (of, (*of_path, i)))
            case ArrayType(_, int() as size):
                self._copy_elements(size, target, source)
            case TapeType():
                raise AssertionError("a tape is not copied")
            case _:
                raise AssertionError(f"no copy of {kind}")

    def _copy_elements(self, size: int, target: Place, source: Place) -> None:
        k, span = Var("k", I32), self.b.span
        with self.b.nested() as ops:
            self.copy((target[0], (*target[1], k)), (source[0], (*source[1], k)))
        body = self.b.region(ops, (), (k,))
        self.b.emit(
            core.For(const(0, I32), const(size, I32), const(1, I32), (), body, (), span=span)
        )

    # Branches.

    def join(self, cond: Operand, then: Branch, orelse: Branch) -> None:
        """Emits an If of two lowered branches; variables that differ after them are its results."""
        (then_ops, then_env), (else_ops, else_env) = then, orelse
        outs: list[Var] = []
        yields: list[tuple[Operand, Operand]] = []
        for symbol in {**then_env, **else_env}:
            old = self.env[symbol]
            a, b = then_env.get(symbol, old), else_env.get(symbol, old)
            if same(a, b):
                self.env[symbol] = a
            else:
                outs.append(Var(symbol.name, type_of(a)))
                yields.append((a, b))
                self.env[symbol] = outs[-1]
        regions = (
            self.b.region(then_ops, tuple(a for a, _ in yields)),
            self.b.region(else_ops, tuple(b for _, b in yields)),
        )
        self.b.emit(core.If(cond, *regions, tuple(outs), span=self.b.span))


Branch: TypeAlias = tuple[list[core.Op], Mapping[Symbol, Operand]]


def _first(e: Expr) -> Expr | None:
    match e:
        case Apply(_, args):
            return args[0]
        case Convert(value):
            return value
        case Logical(_, left):
            return left
        case Conditional(cond) | Let(_, cond):
            return cond
        case _:
            return None


def _hint(e: Expr) -> str:
    while True:
        match e:
            case Name(symbol):
                return symbol.name
            case Member():
                return e.field
            case Index(base):
                e = base
            case _:
                return "t"
