"""A Python function in machine code that calls loma code on copies of nothing: for derivatives.

It takes numbers, NumPy arrays and structs of both apart, makes new arrays for all outputs, and
writes none of the caller's. As in `python_call`, what it does not know it leaves to slower code:
it gives the object `miss`, and has done nothing. The table goes on with the objects that an
`ArrayCall` speaks of.
"""

from __future__ import annotations

from typing import Final, assert_never

from loma.backends.llvm import flat_call
from loma.backends.llvm.array_shape import (
    ArrayCall,
    Item,
    Leaf,
    Made,
    Record,
    Result,
    Seed,
    Whole,
)
from loma.backends.llvm.flat_object import compile_flat
from loma.backends.llvm.flat_shape import Dim
from loma.backends.llvm.layout import MEMORY, VALUE, literal
from loma.backends.llvm.python_args import (
    DECLARATIONS,
    HEAD,
    META,
    MOST,
    NUMBERS,
    TABLE,
    TYPE,
    Reader,
)
from loma.ir.nodes import Const
from loma.ir.types import Scalar

NAME: Final = "loma_array_call"
BYTE_BOOL: Final = 0  # NumPy's number for its own bool, which buffers hold
MORE: Final = """
@PyDict_Type = external global i8
declare ptr @PyObject_GetAttr(ptr, ptr)
declare ptr @PyDict_GetItem(ptr, ptr)
declare i64 @PyDict_Size(ptr)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyErr_NoMemory()
"""


def compile_array_call(shape: ArrayCall) -> bytes:
    """The object code for calls of a shape."""
    return compile_flat(shape.call, DECLARATIONS, MORE, *_Call(shape).whole(), META)


class _Call(Reader):
    def __init__(self, shape: ArrayCall) -> None:
        super().__init__()
        self.shape = shape
        self.numbers = {**NUMBERS, Scalar.BOOL: BYTE_BOOL}
        self.cells: dict[int, str] = {}
        self.arrays: dict[int, str] = {}

    def whole(self) -> list[str]:
        """Everything."""
        call = self.shape.call
        self.data = self.local(f"[{max(len(call.inputs) + len(call.outputs), 1)} x ptr]")
        first = self.shape.lead is not None
        count = len(self.shape.arguments) + first
        self.need(self.value(f"icmp eq i64 %n, {count}"), "miss")
        if self.shape.lead is not None:
            self.agree(self.shape.lead, self.number(Scalar.I32, self.load("ptr", "%args")))
        for k, item in enumerate(self.shape.arguments):
            if item is not None:
                self._argument(item, self.load("ptr", "%args", 8 * (k + first)))
        self._limits()
        for seed in self.shape.seeds:
            self._seed(seed)
        for k in range(len(call.outputs)):
            self._output(k)
        self._run()
        found = [self._result(r) for r in self.shape.results]
        out = found[0] if len(found) == 1 else self.packed(found, "lost")
        self.drop()
        self.line(f"ret ptr {out}")
        self.ends()
        return self.lines(f"define ptr @{NAME}(ptr %self, ptr %args, i64 %n) nounwind")

    def _object(self, k: int) -> str:
        return self.load("ptr", "%self", HEAD + 8 * (len(TABLE) + k))

    # Arguments.

    def _argument(self, item: Item, x: str) -> None:
        match item:
            case Leaf():
                self._leaf(item, x)
            case Record():
                for member, inner in zip(item.members, self._members(item, x), strict=True):
                    if member is not None:
                        self._argument(member, inner)
            case None:
                pass
            case _:
                assert_never(item)

    def _leaf(self, item: Leaf, x: str) -> None:
        buffer = self.shape.call.inputs[item.take]
        where = self.local("ptr")
        if item.absent:
            some, none, done = self.label("some"), self.label("none"), self.label("done")
            given = self.value(f"icmp ne ptr {x}, @_Py_NoneStruct")
            self.line(f"br i1 {given}, label %{some}, label %{none}")
            self.block(none)
            self.store("ptr", self._filled(item.take, 0.0), where)
            self.line(f"br label %{done}")
            self.block(some)
        if buffer.dims:
            self.store("ptr", self.array(buffer.type, buffer.dims, x), where)
            if item.each and self.shape.lead is not None:
                own, least = self.length(buffer.dims[0]), self.length(self.shape.lead)
                self.need(self.value(f"icmp sge i64 {own}, {least}"))
        else:
            self.store("ptr", self._number(item, x), where)
        if item.absent:
            self.line(f"br label %{done}")
            self.block(done)
        self.store("ptr", self.load("ptr", where), self.data, 8 * item.take)

    def _number(self, item: Leaf, x: str) -> str:
        """A cell with a number, as buffers hold it."""
        type = self.shape.call.inputs[item.take].type
        cell = self.local("i64")
        found = self.number(type, x)
        if item.tells is not None:
            self.agree(item.tells, found)
        if type is Scalar.BOOL:
            self.store("i8", self.value(f"trunc i32 {found} to i8"), cell)
        else:
            self.store(VALUE[type], self.short(found) if type is Scalar.I32 else found, cell)
        return cell

    def _members(self, item: Record, x: str) -> list[str]:
        """The members of a struct."""
        cells = [self.keep() for _ in item.members]
        kind = self.load("ptr", x, TYPE)
        attributes, entries, done = (self.label(h) for h in ("attributes", "entries", "done"))
        known = self.value(f"icmp eq ptr {kind}, {self._object(item.kind)}")
        self.line(f"br i1 {known}, label %{attributes}, label %{entries}")
        self.block(attributes)
        for k, cell in enumerate(cells):
            name = self._object(item.names + k)
            found = self.value(f"call ptr @PyObject_GetAttr(ptr {x}, ptr {name})")
            self.need(self.value(f"icmp ne ptr {found}, null"), "failed")
            self.store("ptr", found, cell)
        self.line(f"br label %{done}")
        self.block(entries)
        self.need(self.value(f"icmp eq ptr {kind}, @PyDict_Type"))
        size = self.value(f"call i64 @PyDict_Size(ptr {x})")
        self.need(self.value(f"icmp eq i64 {size}, {len(cells)}"))
        for k, cell in enumerate(cells):
            name = self._object(item.names + k)
            found = self.value(f"call ptr @PyDict_GetItem(ptr {x}, ptr {name})")
            self.need(self.value(f"icmp ne ptr {found}, null"))
            self.line(f"call void @Py_IncRef(ptr {found})")
            self.store("ptr", found, cell)
        self.line(f"br label %{done}")
        self.block(done)
        return [self.load("ptr", cell) for cell in cells]

    def _limits(self) -> None:
        """Ints can count the threads, the sizes, and the elements of arrays with sizes."""
        call = self.shape.call
        counts = {c.index for c in (call.threads, *(o.count for o in call.operands))
                  if isinstance(c, Dim)}
        for index in sorted(counts):
            self.need(self.value(f"icmp ule i64 {self.sizes[index]}, {MOST}"))
        for dims in dict.fromkeys(b.dims for b in call.inputs if len(b.dims) > 1):
            product = self.length(dims[0])
            for d in dims[1:]:
                product = self.value(f"mul i64 {product}, {self.length(d)}")
            self.need(self.value(f"icmp ule i64 {product}, {MOST}"))

    def _seed(self, seed: Seed) -> None:
        self.store("ptr", self._filled(seed.take, seed.value), self.data, 8 * seed.take)

    def _filled(self, take: int, value: float) -> str:
        """Memory for an input buffer with one number everywhere."""
        buffer = self.shape.call.inputs[take]
        if not buffer.dims:
            cell = self.local("i64")
            self.store("i64", 0, cell)
            if value:
                self.store(VALUE[buffer.type], literal(Const(value, buffer.type)), cell)
            return cell
        assert not value, "arrays are filled with zeros only"
        made = self.load("ptr", self.keep(self.new(buffer.type, buffer.dims, "lost")))
        return self.load("ptr", made, 16)

    # Outputs.

    def _output(self, k: int) -> None:
        """Memory for an output buffer."""
        buffer = self.shape.call.outputs[k]
        if buffer.dims:
            cell = self.keep(self.new(buffer.type, buffer.dims, "lost", "empty"))
            self.arrays[k] = cell
            where = self.load("ptr", self.load("ptr", cell), 16)
        else:
            where = self.cells[k] = self.local("i64")
            self.store("i64", 0, where)
        self.store("ptr", where, self.data, 8 * (len(self.shape.call.inputs) + k))

    def _run(self) -> None:
        """The call without Python's lock."""
        lengths = self.local(f"[{max(self.shape.call.lengths, 1)} x i64]")
        for index in range(self.shape.call.lengths):
            self.store("i64", self.sizes[index], lengths, 8 * index)
        state = self.value("call ptr @PyEval_SaveThread()")
        table = self.at("%self", HEAD)
        status = self.value(
            f"call i32 @{flat_call.NAME}(ptr {table}, ptr {self.data}, ptr {lengths})")
        self.line(f"call void @PyEval_RestoreThread(ptr {state})")
        self.need(self.value(f"icmp sge i32 {status}, 0"), "memory")
        self.need(self.value(f"icmp eq i32 {status}, 0"), "trapped")

    def _result(self, r: Result) -> str:
        """A new object."""
        match r:
            case Whole(k) if k in self.arrays:
                found = self.load("ptr", self.arrays[k])
                self.line(f"call void @Py_IncRef(ptr {found})")
                return found
            case Whole(k):
                type = self.shape.call.outputs[k].type
                if type is Scalar.BOOL:
                    wide = self.value(f"zext i8 {self.load('i8', self.cells[k])} to i32")
                    return self.object(type, wide)
                return self.object(type, self.load(MEMORY[type], self.cells[k]))
            case Made():
                return self._struct(r)
            case _:
                assert_never(r)

    def _struct(self, r: Made) -> str:
        members = [self._result(m) for m in r.members]
        given = self.local(f"[{max(len(members), 1)} x ptr]")
        for k, m in enumerate(members):
            self.store("ptr", m, given, 8 * k)
        made = self.value(
            f"call ptr @PyObject_Vectorcall(ptr {self._object(r.maker)}, ptr {given}, i64 0, "
            f"ptr {self._object(r.names)})")
        for m in members:
            self.line(f"call void @Py_DecRef(ptr {m})")
        self.need(self.value(f"icmp ne ptr {made}, null"), "lost")
        return made
