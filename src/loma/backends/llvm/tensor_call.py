"""A Python function in machine code: takes tensors apart by DLPack's C interface, calls loma code.

It follows CPython's METH_FASTCALL convention: one tensor for each input buffer. It gives a tuple
of new tensors. Tensors that it does not take (another dtype, another device, another layout) it
leaves to slower code: it gives the object `miss`, and has done nothing. Addresses of this process
come in a table, the data of the bytes object `self`: those of `flat_call`, then those of `TABLE`.
"""

from __future__ import annotations

from typing import Final

from loma.backends.llvm import flat_call
from loma.backends.llvm.flat_object import compile_flat
from loma.backends.llvm.flat_shape import Call, Counts, Dim, Leaf
from loma.backends.llvm.python_ends import Ends
from loma.ir.types import Scalar

NAME: Final = "loma_tensor_call"
HEAD: Final = 32  # where the data of a bytes object begins
TABLE: Final = (
    "type", "other type", "from object", "empty", "keywords", "device", "miss", "trapped",
    "is_neg", "bool", "i32", "i64", "f32", "f64")
KINDS: Final = {  # DLPack's code, bits and lanes
    Scalar.BOOL: 6 | 8 << 8 | 1 << 16, Scalar.I32: 0 | 32 << 8 | 1 << 16,
    Scalar.I64: 0 | 64 << 8 | 1 << 16, Scalar.F32: 2 | 32 << 8 | 1 << 16,
    Scalar.F64: 2 | 64 << 8 | 1 << 16}
DATA, DEVICE, RANK, KIND, SHAPE, STRIDES, OFFSET, BYTES = 0, 8, 16, 20, 24, 32, 40, 48
CPU: Final = 1
MOST: Final = (1 << 31) - 1  # threads
DECLARATIONS: Final = """
@_Py_FalseStruct = external global i8
declare ptr @PyObject_VectorcallMethod(ptr, ptr, i64, ptr)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyLong_FromLongLong(i64)
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare ptr @PyErr_NoMemory()
declare void @PyErr_Clear()
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
"""


def compile_tensor_call(call: Call) -> bytes:
    """The object code for calls with tensors."""
    return compile_flat(call, DECLARATIONS, *_Call(call).whole())


class _Call(Ends):
    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call
        self.seen: dict[int, str] = {}

    def whole(self) -> list[str]:
        """Everything."""
        call = self.call
        inputs, outputs = self._fronted()
        self.data = self.local(f"[{max(len(inputs) + len(outputs), 1)} x ptr]")
        self.lengths = self.local(f"[{max(call.lengths, 1)} x i64]")
        self.tensor = self.local(f"[{BYTES} x i8]")
        self.array = self.local("[3 x ptr]")
        self.need(self.value(f"icmp eq i64 %n, {len(inputs)}"), "miss")
        for i, leaf in enumerate(inputs):
            self._input(i, leaf)
        for take, index in call.told:
            self._told(call.inputs[take], take, index)
        if isinstance(call.threads, Dim) and call.threads.index in self.seen:
            count = self.seen[call.threads.index]
            self.need(self.value(f"icmp sle i64 {count}, {MOST}"), "miss")
        for i, leaf in enumerate(outputs):
            self._output(len(inputs) + i, leaf)
        self._run()
        self.ends()
        return self.lines(f"define ptr @{NAME}(ptr %self, ptr %args, i64 %n) nounwind")

    def _fronted(self) -> tuple[list[Leaf], list[Leaf]]:
        """The buffers, with a dimension in front where there are many calls."""
        call = self.call
        if call.batch is None:
            return list(call.inputs), list(call.outputs)
        many = Dim(call.lengths - 1)
        inputs = [Leaf(x.type, (many, *x.dims)) if batch else x
                  for x, batch in zip(call.inputs, call.batch)]
        return inputs, [Leaf(x.type, (many, *x.dims)) for x in call.outputs]

    def table(self, name: str) -> str:
        """An address of this process."""
        index = len(flat_call.ADDRESSES) + TABLE.index(name)
        return self.load("ptr", "%self", HEAD + 8 * index)

    # Tensors that come.

    def _input(self, i: int, leaf: Leaf) -> None:
        x = self.load("ptr", "%args", 8 * i)
        kind = self.load("ptr", x, 8)
        one = self.value(f"icmp eq ptr {kind}, {self.table('type')}")
        other = self.value(f"icmp eq ptr {kind}, {self.table('other type')}")
        self.need(self.value(f"or i1 {one}, {other}"), "miss")
        self._fill(x, "failed")
        self._not_negated(x)
        dl = self.tensor
        good = self.value(f"icmp eq i32 {self.load('i32', dl, KIND)}, {KINDS[leaf.type]}")
        for field, wanted in ((DEVICE, CPU), (RANK, len(leaf.dims))):
            same = self.value(f"icmp eq i32 {self.load('i32', dl, field)}, {wanted}")
            good = self.value(f"and i1 {good}, {same}")
        self.need(good, "miss")
        if leaf.dims:
            self._dims(leaf.dims)
        self._note_data(i)

    def _told(self, leaf: Leaf, take: int, index: int) -> None:
        """Learns a length from an int, or checks that it is the one that tensors have."""
        size = self.wide(leaf.type.bytes, self.load("ptr", self.data, 8 * take))
        known = self.seen.setdefault(index, size)
        self.need(self.value(f"icmp eq i64 {size}, {known}"), "miss")
        self.need(self.value(f"icmp sge i64 {size}, 0"), "miss")
        self.store("i64", size, self.lengths, 8 * index)

    def _fill(self, x: str, otherwise: str) -> None:
        """The tensor as DLPack describes it."""
        status = self.value(f"call i32 {self.table('from object')}(ptr {x}, ptr {self.tensor})")
        self.need(self.value(f"icmp eq i32 {status}, 0"), otherwise)

    def _not_negated(self, x: str) -> None:
        """Misses tensors whose memory holds the negative of what they are (DLPack is silent)."""
        self.store("ptr", x, self.array)
        said = self.value(
            f"call ptr @PyObject_VectorcallMethod(ptr {self.table('is_neg')}, "
            f"ptr {self.array}, i64 1, ptr null)")
        self.need(self.value(f"icmp ne ptr {said}, null"), "failed")
        self.line(f"call void @Py_DecRef(ptr {said})")
        self.need(self.value(f"icmp eq ptr {said}, @_Py_FalseStruct"), "miss")

    def _dims(self, dims: Counts) -> None:
        """Checks or learns the lengths; the elements must lie side by side."""
        shape, strides = (self.load("ptr", self.tensor, at) for at in (SHAPE, STRIDES))
        self.need(self.value(f"icmp ne ptr {strides}, null"), "miss")
        expected = "1"
        for k, d in reversed(list(enumerate(dims))):
            n = self.load("i64", shape, 8 * k)
            if isinstance(d, Dim) and d.index not in self.seen:
                self.seen[d.index] = n
                self.store("i64", n, self.lengths, 8 * d.index)
            else:
                wanted = self.seen[d.index] if isinstance(d, Dim) else str(d)
                self.need(self.value(f"icmp eq i64 {n}, {wanted}"), "miss")
            beside = self.value(f"icmp eq i64 {self.load('i64', strides, 8 * k)}, {expected}")
            single = self.value(f"icmp sle i64 {n}, 1")
            self.need(self.value(f"or i1 {beside}, {single}"), "miss")
            expected = self.value(f"mul i64 {expected}, {n}")

    def _note_data(self, i: int) -> None:
        start = self.load("ptr", self.tensor, DATA)
        offset = self.load("i64", self.tensor, OFFSET)
        self.store("ptr", self.value(f"getelementptr i8, ptr {start}, i64 {offset}"),
                   self.data, 8 * i)

    # Tensors that go.

    def _output(self, i: int, leaf: Leaf) -> None:
        """A new tensor."""
        sizes = self.value(f"call ptr @PyTuple_New(i64 {len(leaf.dims)})")
        self.need(self.value(f"icmp ne ptr {sizes}, null"), "lost")
        for k, d in enumerate(leaf.dims):
            n = self.seen[d.index] if isinstance(d, Dim) else str(d)
            number = self.value(f"call ptr @PyLong_FromLongLong(i64 {n})")
            self.value(f"call i32 @PyTuple_SetItem(ptr {sizes}, i64 {k}, ptr {number})")
        for k, x in enumerate((sizes, self.table(leaf.type.value), self.table("device"))):
            self.store("ptr", x, self.array, 8 * k)
        made = self.value(
            f"call ptr @PyObject_Vectorcall(ptr {self.table('empty')}, ptr {self.array}, i64 1, "
            f"ptr {self.table('keywords')})")
        self.line(f"call void @Py_DecRef(ptr {sizes})")
        self.need(self.value(f"icmp ne ptr {made}, null"), "lost")
        self.keep(made)
        self._fill(made, "lost")
        self._note_data(i)

    def _run(self) -> None:
        """The call without Python's lock, and its results."""
        state = self.value("call ptr @PyEval_SaveThread()")
        table = self.at("%self", HEAD)
        status = self.value(
            f"call i32 @{flat_call.NAME}(ptr {table}, ptr {self.data}, ptr {self.lengths})")
        self.line(f"call void @PyEval_RestoreThread(ptr {state})")
        none = self.value(f"icmp sge i32 {status}, 0")
        self.need(none, "memory")
        self.need(self.value(f"icmp eq i32 {status}, 0"), "trapped")
        made = [self.load("ptr", cell) for cell in self.kept]
        self.line(f"ret ptr {self.packed(made, 'lost')}")
