"""Machine code that reads arguments of Python: numbers and NumPy arrays.

What it meets and does not know goes to the block `miss`. The fields of arrays are read at the
places where NumPy 2 has them, on 64-bit platforms. Addresses of this process come in a table, the
data of the bytes object `%self`; the first of them are those of `TABLE`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from loma.backends.llvm.code import LIKELY
from loma.backends.llvm.flat_shape import Count, Counts, Dim
from loma.backends.llvm.layout import VALUE
from loma.backends.llvm.python_ends import Ends
from loma.ir.types import Scalar

HEAD: Final = 32  # where the data of a bytes object begins
TABLE: Final = (
    "function", "key of the error records", "ndarray", "zeros", "scalar", "descr", "float64",
    "float32", "miss", "trapped", "empty")
NUMBERS: Final = {  # NumPy's numbers for element types
    Scalar.BOOL: 5, Scalar.I32: 5, Scalar.I64: 7, Scalar.F32: 11, Scalar.F64: 12}
READABLE: Final = 0x101  # contiguous, aligned
WRITABLE: Final = 0x501
TYPE, DATA, RANK, SHAPE, DESCR, FLAGS, NUMBER, ORDER = 8, 16, 24, 32, 56, 64, 28, 26
MOST: Final = (1 << 31) - 1  # threads, and elements that an int can count
DECLARATIONS: Final = """
@PyFloat_Type = external global i8
@PyLong_Type = external global i8
@_Py_NoneStruct = external global i8
@_Py_TrueStruct = external global i8
@_Py_FalseStruct = external global i8
declare i64 @PyLong_AsLongLongAndOverflow(ptr, ptr)
declare double @PyLong_AsDouble(ptr)
declare ptr @PyErr_Occurred()
declare void @PyErr_Clear()
declare ptr @PyLong_FromLongLong(i64)
declare ptr @PyBool_FromLong(i64)
declare ptr @PyTuple_New(i64)
declare i32 @PyTuple_SetItem(ptr, i64, ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
"""
META: Final = f'!{LIKELY} = !{{!"branch_weights", i32 1000000, i32 1}}'


class Reader(Ends):
    """The body of a function that takes arguments of Python; `sizes` are the lengths known."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[int, str] = {}
        self.numbers = NUMBERS

    def table(self, name: str) -> str:
        """An address of this process."""
        return self.load("ptr", "%self", HEAD + 8 * TABLE.index(name))

    def need(self, condition: str, otherwise: str = "miss") -> None:
        """Goes to another block unless a condition holds, as it nearly always does."""
        good = self.label("good")
        self.line(f"br i1 {condition}, label %{good}, label %{otherwise}, !prof !{LIKELY}")
        self.block(good)

    # Lengths.

    def length(self, c: Count) -> str:
        """A length that is known by now."""
        return self.sizes[c.index] if isinstance(c, Dim) else str(c)

    def agree(self, c: Count, found: str) -> None:
        """Learns a length, or checks that it is the one that is known."""
        if isinstance(c, Dim) and c.index not in self.sizes:
            self.sizes[c.index] = found
        else:
            self.need(self.value(f"icmp eq i64 {found}, {self.length(c)}"))

    # Arguments.

    def array(self, type: Scalar, dims: Counts, x: str, written: bool = False,
              record: int = 0) -> str:
        """Where the elements of an array are; its lengths agree."""
        kind = self.load("ptr", x, TYPE)
        self.need(self.value(f"icmp eq ptr {kind}, {self.table('ndarray')}"))
        descr = self.load("ptr", x, DESCR)
        wanted = WRITABLE if written else READABLE
        masked = self.value(f"and i32 {self.load('i32', x, FLAGS)}, {wanted}")
        good = self._records(descr, record) if record else self._elements(descr, type)
        for other in (f"icmp eq i32 {masked}, {wanted}",
                      f"icmp eq i32 {self.load('i32', x, RANK)}, {len(dims)}"):
            good = self.value(f"and i1 {good}, {self.value(other)}")
        self.need(good)
        shape = self.load("ptr", x, SHAPE)
        for k, d in enumerate(dims):
            self.agree(d, self.load("i64", shape, 8 * k))
        return self.load("ptr", x, DATA)

    def _elements(self, descr: str, type: Scalar) -> str:
        """Whether a description is that of numbers of a type."""
        number = self.load("i32", descr, NUMBER)
        same = self.value(f"icmp eq i32 {number}, {self.numbers[type]}")
        native = self.value(f"icmp eq i8 {self.load('i8', descr, ORDER)}, {ord('=')}")
        return self.value(f"and i1 {same}, {native}")

    def _records(self, descr: str, record: int) -> str:
        """Whether a description is one of the two objects that stand for a record type."""
        one, other = (self.value(f"icmp eq ptr {descr}, {self._record(record, k)}")
                      for k in (-2, -1))
        return self.value(f"or i1 {one}, {other}")

    def _record(self, record: int, k: int) -> str:
        """One of the two objects that stand for a record type; -2: the one of new arrays."""
        return self.load("ptr", "%self", HEAD + 8 * (len(TABLE) + 2 * record + k))

    def number(self, type: Scalar, x: str) -> str:
        """A number, as loma holds it in a register; of an int, the whole 64 bits."""
        if type.is_float:
            return self._real(type, x)
        return self._truth(x) if type is Scalar.BOOL else self._integer(type, x)

    def _real(self, type: Scalar, x: str) -> str:
        """A float: of Python, of NumPy in the same precision, or an int."""
        kind = self.load("ptr", x, TYPE)
        cell, done = self.local("double"), self.label("done")
        exact = self.value(f"icmp eq ptr {kind}, @PyFloat_Type")
        if type is Scalar.F64:
            same = self.value(f"icmp eq ptr {kind}, {self.table('float64')}")
            exact = self.value(f"or i1 {exact}, {same}")
        with self._case(exact, done, f", !prof !{LIKELY}"):
            self.store("double", self.load("double", x, 16), cell)
        if type is Scalar.F32:
            narrow = self.value(f"icmp eq ptr {kind}, {self.table('float32')}")
            with self._case(narrow, done):
                wide = self.value(f"fpext float {self.load('float', x, 16)} to double")
                self.store("double", wide, cell)
        self.need(self.value(f"icmp eq ptr {kind}, @PyLong_Type"))
        number = self.value(f"call double @PyLong_AsDouble(ptr {x})")
        self._no_error()
        self.store("double", number, cell)
        self.line(f"br label %{done}")
        self.block(done)
        found = self.load("double", cell)
        return found if type is Scalar.F64 else self.value(f"fptrunc double {found} to float")

    @contextmanager
    def _case(self, condition: str, done: str, profile: str = "") -> Iterator[None]:
        """Instructions that run if a condition holds, and then go to `done`."""
        this, other = self.label("this"), self.label("other")
        self.line(f"br i1 {condition}, label %{this}, label %{other}{profile}")
        self.block(this)
        yield
        self.line(f"br label %{done}")
        self.block(other)

    def _no_error(self) -> None:
        error = self.value("call ptr @PyErr_Occurred()")
        bad, good = self.label("bad"), self.label("good")
        fine = self.value(f"icmp eq ptr {error}, null")
        self.line(f"br i1 {fine}, label %{good}, label %{bad}")
        self.block(bad)
        self.line("call void @PyErr_Clear()")
        self.line("br label %miss")
        self.block(good)

    def _truth(self, x: str) -> str:
        yes = self.value(f"icmp eq ptr {x}, @_Py_TrueStruct")
        no = self.value(f"icmp eq ptr {x}, @_Py_FalseStruct")
        self.need(self.value(f"or i1 {yes}, {no}"))
        return self.value(f"zext i1 {yes} to i32")

    def _integer(self, type: Scalar, x: str) -> str:
        kind = self.load("ptr", x, TYPE)
        self.need(self.value(f"icmp eq ptr {kind}, @PyLong_Type"))
        over = self.local("i32")
        found = self.value(f"call i64 @PyLong_AsLongLongAndOverflow(ptr {x}, ptr {over})")
        flag = self.load("i32", over)
        self.need(self.value(f"icmp eq i32 {flag}, 0"))
        if type is Scalar.I32:
            back = self.value(f"sext i32 {self.short(found)} to i64")
            self.need(self.value(f"icmp eq i64 {back}, {found}"))
        return found

    def short(self, x: str) -> str:
        """The lower half of an int."""
        return self.value(f"trunc i64 {x} to i32")

    # What comes back.

    def descr(self, type: Scalar) -> str:
        """NumPy's description of an element type."""
        return self.value(f"call ptr {self.table('descr')}(i32 {self.numbers[type]})")

    def new(self, type: Scalar, dims: Counts, otherwise: str, how: str = "zeros",
            record: int = 0) -> str:
        """A new array, zeroed unless it is made "empty"."""
        cells = self.local(f"[{max(len(dims), 1)} x i64]")
        for k, d in enumerate(dims):
            self.store("i64", self.length(d), cells, 8 * k)
        if record:
            descr = self._record(record, -2)
            self.line(f"call void @Py_IncRef(ptr {descr})")
        else:
            descr = self.descr(type)
        made = self.value(
            f"call ptr {self.table(how)}(i32 {len(dims)}, ptr {cells}, ptr {descr}, i32 0)")
        self.need(self.value(f"icmp ne ptr {made}, null"), otherwise)
        return made

    def object(self, type: Scalar, value: str) -> str:
        """A number as a new object, floats as NumPy's."""
        if not type.is_float:
            wide = value if type is Scalar.I64 else self.value(f"sext i32 {value} to i64")
            make = "PyBool_FromLong" if type is Scalar.BOOL else "PyLong_FromLongLong"
            return self.value(f"call ptr @{make}(i64 {wide})")
        cell = self.local("double")
        self.store(VALUE[type], value, cell)
        descr = self.descr(type)
        made = self.value(f"call ptr {self.table('scalar')}(ptr {cell}, ptr {descr}, ptr null)")
        self.line(f"call void @Py_DecRef(ptr {descr})")
        return made
