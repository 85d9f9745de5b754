"""A Python function in machine code: takes NumPy arrays and numbers apart, and calls loma code.

It follows CPython's METH_FASTCALL convention. What it meets and does not know (another dtype, a
list, overlapping memory ...) it leaves to slower code: it gives back the object `miss`, and has
done nothing. Addresses of this process come in a table, the data of the bytes object `self`:

    0 the loma function    1 numpy.ndarray    2 PyArray_Zeros    3 PyArray_Scalar
    4 PyArray_DescrFromType    5 numpy.float64    6 numpy.float32    7 key of the error records
    8 the object `miss`    9 the object `trapped`

The fields of arrays are read at the places where NumPy 2 has them, on 64-bit platforms.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import Final

from loma.backends.llvm import machine
from loma.backends.llvm.code import LIKELY
from loma.backends.llvm.layout import MEMORY, VALUE
from loma.backends.llvm.python_shape import Shape, Slot
from loma.ir.nodes import Direction
from loma.ir.types import Scalar

NAME: Final = "loma_python_call"
TABLE: Final = 32  # where the data of a bytes object begins
NUMBERS: Final = {  # NumPy's numbers for element types
    Scalar.BOOL: 5, Scalar.I32: 5, Scalar.I64: 7, Scalar.F32: 11, Scalar.F64: 12}
READABLE: Final = 0x101  # contiguous, aligned
WRITABLE: Final = 0x501
TYPE, DATA, RANK, SHAPE, DESCR, FLAGS, NUMBER, ORDER = 8, 16, 24, 32, 56, 64, 28, 26

HEAD: Final = """
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
declare ptr @pthread_getspecific(i32)
"""
META: Final = f'!{LIKELY} = !{{!"branch_weights", i32 1000000, i32 1}}'


def compiler_lock() -> AbstractContextManager[object] | None:
    """The lock that llvmlite holds while it is inside LLVM; None when it is not loaded."""
    module = sys.modules.get("llvmlite.binding.ffi")
    return None if module is None else module.lib._lock


def compile_call(shape: Shape) -> bytes:
    """The object code for calls of a shape."""
    return machine.compile_text(text(shape, machine.triple()))


def load_call(code: bytes) -> tuple[int, object]:
    """The address of the function in object code, and what keeps it alive."""
    import llvmlite.binding as binding

    jit = binding.create_lljit_compiler(machine.target_machine(), use_jit_link=True)
    library = binding.JITLibraryBuilder().add_object_img(code).add_current_process()
    library.export_symbol(NAME)
    tracker = library.link(jit, NAME)
    return tracker[NAME], (jit, tracker)


def text(shape: Shape, triple: str) -> str:
    """The LLVM text of the function that Python calls."""
    inputs = [s.direction is not Direction.OUT and not s.hidden for s in shape.slots]
    every = [not s.hidden for s in shape.slots]
    parts = [f'target triple = "{triple}"', HEAD, *_Call(shape, inputs, NAME + "_short").lines()]
    few, all_ = sum(inputs), sum(every)
    full = NAME + "_short"
    if few < all_:
        full = NAME + "_full"
        parts += _Call(shape, every, full).lines()
    parts.append(f"""
define ptr @{NAME}(ptr %self, ptr %args, i64 %n) nounwind {{
  %few = icmp eq i64 %n, {few}
  br i1 %few, label %short, label %more
short:
  %r = tail call ptr @{NAME}_short(ptr %self, ptr %args)
  ret ptr %r
more:
  %all = icmp eq i64 %n, {all_}
  br i1 %all, label %full, label %miss
full:
  %s = tail call ptr @{full}(ptr %self, ptr %args)
  ret ptr %s
miss:
  %mp = getelementptr i8, ptr %self, i64 {TABLE + 64}
  %m = load ptr, ptr %mp
  call void @Py_IncRef(ptr %m)
  ret ptr %m
}}
""")
    return "\n".join([*parts, META, ""])


class _Call:
    """The function for one choice of the arguments that are given."""

    def __init__(self, shape: Shape, given: list[bool], name: str) -> None:
        self.shape = shape
        self.given = given
        self.name = name
        self.body: list[str] = []
        self.locals: list[str] = []
        self.count = 0
        self.passed: dict[int, str] = {}
        self.lengths: dict[int, str] = {}
        self.made: dict[int, str] = {}

    def lines(self) -> list[str]:
        """The whole function."""
        position = 0
        for i, slot in enumerate(self.shape.slots):
            if self.given[i]:
                self._argument(i, slot, self._load("ptr", "%args", 8 * position))
                position += 1
        self._equal_lengths()
        self._apart()
        for i, slot in enumerate(self.shape.slots):
            if not self.given[i]:
                self._output(i, slot)
        self._finish(self._run())
        return [f"define internal ptr @{self.name}(ptr %self, ptr %args) nounwind {{", "entry:",
                *self.locals, *self.body,
                "miss:", f"%mp = getelementptr i8, ptr %self, i64 {TABLE + 64}",
                "%m = load ptr, ptr %mp", "call void @Py_IncRef(ptr %m)", "ret ptr %m",
                "failed:", "ret ptr null", "}"]

    # Small steps.

    def _value(self, text: str) -> str:
        self.count += 1
        self.body.append(f"%v{self.count} = {text}")
        return f"%v{self.count}"

    def _local(self, type: str) -> str:
        self.count += 1
        self.locals.append(f"%v{self.count} = alloca {type}, align 8")
        return f"%v{self.count}"

    def _at(self, base: str, offset: int) -> str:
        return self._value(f"getelementptr i8, ptr {base}, i64 {offset}")

    def _load(self, type: str, base: str, offset: int) -> str:
        return self._value(f"load {type}, ptr {self._at(base, offset)}")

    def _table(self, index: int) -> str:
        return self._load("ptr", "%self", TABLE + 8 * index)

    def _label(self, hint: str) -> str:
        self.count += 1
        return f"{hint}{self.count}"

    def _need(self, condition: str, otherwise: str = "miss") -> None:
        good = self._label("good")
        self.body.append(
            f"br i1 {condition}, label %{good}, label %{otherwise}, !prof !{LIKELY}")
        self.body.append(f"{good}:")

    # Arguments.

    def _argument(self, i: int, slot: Slot, x: str) -> None:
        if slot.array:
            self._array(i, slot, x)
        elif slot.direction is not Direction.IN:
            self._need("false")  # numbers by reference are rare
            self.passed[i] = "null"
        elif slot.type.is_float:
            self.passed[i] = self._real(slot.type, x)
        elif slot.type is Scalar.BOOL:
            self.passed[i] = self._truth(x)
        else:
            self._integer(i, slot.type, x)

    def _array(self, i: int, slot: Slot, x: str) -> None:
        kind = self._load("ptr", x, TYPE)
        self._need(self._value(f"icmp eq ptr {kind}, {self._table(1)}"))
        descr = self._load("ptr", x, DESCR)
        wanted = WRITABLE if slot.written else READABLE
        masked = self._value(f"and i32 {self._load('i32', x, FLAGS)}, {wanted}")
        number = self._load("i32", descr, NUMBER)
        good = self._value(f"icmp eq i32 {number}, {NUMBERS[slot.type]}")
        for other in (f"icmp eq i32 {masked}, {wanted}",
                      f"icmp eq i32 {self._load('i32', x, RANK)}, 1",
                      f"icmp eq i8 {self._load('i8', descr, ORDER)}, {ord('=')}"):
            good = self._value(f"and i1 {good}, {self._value(other)}")
        self._need(good)
        self.passed[i] = self._load("ptr", x, DATA)
        self.lengths[i] = self._load("i64", self._load("ptr", x, SHAPE), 0)
        limits = [("sle", 2**31 - 1)] * any(s.length == i for s in self.shape.slots if s.hidden)
        for test, most in limits if slot.size is None else [("eq", slot.size)]:
            self._need(self._value(f"icmp {test} i64 {self.lengths[i]}, {most}"))

    def _real(self, type: Scalar, x: str) -> str:
        """A float: of Python, of NumPy in the same precision, or an int."""
        kind = self._load("ptr", x, TYPE)
        cell = self._local("double")
        done, plain, other = self._label("done"), self._label("plain"), self._label("other")
        exact = self._value(f"icmp eq ptr {kind}, @PyFloat_Type")
        if type is Scalar.F64:
            same = self._value(f"icmp eq ptr {kind}, {self._table(5)}")
            exact = self._value(f"or i1 {exact}, {same}")
        self.body += [f"br i1 {exact}, label %{plain}, label %{other}, !prof !{LIKELY}",
                      f"{plain}:"]
        self.body += [f"store double {self._load('double', x, 16)}, ptr {cell}",
                      f"br label %{done}", f"{other}:"]
        if type is Scalar.F32:
            narrow, rest = self._label("narrow"), self._label("rest")
            same = self._value(f"icmp eq ptr {kind}, {self._table(6)}")
            self.body += [f"br i1 {same}, label %{narrow}, label %{rest}", f"{narrow}:"]
            wide = self._value(f"fpext float {self._load('float', x, 16)} to double")
            self.body += [f"store double {wide}, ptr {cell}", f"br label %{done}", f"{rest}:"]
        self._need(self._value(f"icmp eq ptr {kind}, @PyLong_Type"))
        number = self._value(f"call double @PyLong_AsDouble(ptr {x})")
        self._no_error()
        self.body += [f"store double {number}, ptr {cell}", f"br label %{done}", f"{done}:"]
        found = self._value(f"load double, ptr {cell}")
        return found if type is Scalar.F64 else self._value(f"fptrunc double {found} to float")

    def _no_error(self) -> None:
        error = self._value("call ptr @PyErr_Occurred()")
        bad, good = self._label("bad"), self._label("good")
        fine = self._value(f"icmp eq ptr {error}, null")
        self.body += [f"br i1 {fine}, label %{good}, label %{bad}", f"{bad}:",
                      "call void @PyErr_Clear()", "br label %miss", f"{good}:"]

    def _truth(self, x: str) -> str:
        yes = self._value(f"icmp eq ptr {x}, @_Py_TrueStruct")
        no = self._value(f"icmp eq ptr {x}, @_Py_FalseStruct")
        self._need(self._value(f"or i1 {yes}, {no}"))
        return self._value(f"zext i1 {yes} to i32")

    def _integer(self, i: int, type: Scalar, x: str) -> None:
        kind = self._load("ptr", x, TYPE)
        self._need(self._value(f"icmp eq ptr {kind}, @PyLong_Type"))
        over = self._local("i32")
        found = self._value(f"call i64 @PyLong_AsLongLongAndOverflow(ptr {x}, ptr {over})")
        flag = self._value(f"load i32, ptr {over}")
        self._need(self._value(f"icmp eq i32 {flag}, 0"))
        self.lengths[i] = found
        self.passed[i] = found
        if type is Scalar.I32:
            short = self._value(f"trunc i64 {found} to i32")
            back = self._value(f"sext i32 {short} to i64")
            self._need(self._value(f"icmp eq i64 {back}, {found}"))
            self.passed[i] = short

    # Checks of several.

    def _equal_lengths(self) -> None:
        for group in self.shape.equal:
            here = [i for i in group if i in self.lengths]
            for i in here[1:]:
                self._need(self._value(
                    f"icmp eq i64 {self.lengths[here[0]]}, {self.lengths[i]}"))

    def _span(self, i: int) -> tuple[str, str]:
        size = self.shape.slots[i].type.bytes
        bytes_ = self._value(f"mul i64 {self.lengths[i]}, {size}")
        stop = self._value(f"getelementptr i8, ptr {self.passed[i]}, i64 {bytes_}")
        return self.passed[i], stop

    def _apart(self) -> None:
        """Memory that is written overlaps no other, but for an input that is the same."""
        slots = self.shape.slots
        arrays = [i for i, s in enumerate(slots) if s.array and i in self.passed]
        spans = {i: self._span(i) for i in arrays} if any(
            slots[i].written for i in arrays) else {}
        for i in spans:
            for j in spans:
                if i == j or not slots[i].written or (slots[j].written and j < i):
                    continue
                (a, b), (c, d) = spans[i], spans[j]
                before = self._value(f"icmp ule ptr {b}, {c}")
                after = self._value(f"icmp ule ptr {d}, {a}")
                fine = self._value(f"or i1 {before}, {after}")
                if not slots[j].written:
                    starts = self._value(f"icmp eq ptr {a}, {c}")
                    stops = self._value(f"icmp eq ptr {b}, {d}")
                    same = self._value(f"and i1 {starts}, {stops}")
                    fine = self._value(f"or i1 {fine}, {same}")
                self._need(fine)

    # Outputs.

    def _descr(self, type: Scalar) -> str:
        return self._value(f"call ptr {self._table(4)}(i32 {NUMBERS[type]})")

    def _output(self, i: int, slot: Slot) -> None:
        """New memory for an output; a hidden size is the length that it stands for."""
        if slot.hidden:
            self.passed[i] = self._value(f"trunc i64 {self.lengths[slot.length or 0]} to i32")
            return
        if not slot.array:
            self.passed[i] = self._local("i64")
            self.body.append(f"store i64 0, ptr {self.passed[i]}")
            return
        length = str(slot.size) if slot.length is None else self.lengths[slot.length]
        self._need(self._value(f"icmp sge i64 {length}, 0"))
        dims = self._local("i64")
        self.body.append(f"store i64 {length}, ptr {dims}")
        made = self._value(
            f"call ptr {self._table(2)}(i32 1, ptr {dims}, ptr {self._descr(slot.type)}, i32 0)")
        self._need(self._value(f"icmp ne ptr {made}, null"), "failed")
        self.made[i] = made
        self.passed[i] = self._load("ptr", made, DATA)

    def _run(self) -> str:
        """The call, without Python's lock."""
        shape = self.shape
        operands = [
            f"ptr {self.passed[i]}" if s.array or s.direction is not Direction.IN
            else f"{MEMORY[s.type]} {self.passed[i]}" for i, s in enumerate(shape.slots)]
        if shape.threads is not None:
            count = self.lengths[shape.threads]
            self._need(self._value(f"icmp sle i64 {count}, 2147483647"))
            operands.append(f"i32 {self._value(f'trunc i64 {count} to i32')}")
        target = self._table(0)
        state = self._value("call ptr @PyEval_SaveThread()")
        result = "void" if shape.result is None else MEMORY[shape.result]
        call = f"call {result} {target}({', '.join(operands)})"
        out = ""
        if shape.result is None:
            self.body.append(call)
        else:
            out = self._value(call)
        self.body.append(f"call void @PyEval_RestoreThread(ptr {state})")
        if shape.traps:
            self._trapped()
        return out

    def _trapped(self) -> None:
        key = self._load("i32", "%self", TABLE + 56)
        record = self._value(f"call ptr @pthread_getspecific(i32 {key})")
        look, bad, good = self._label("look"), self._label("bad"), self._label("good")
        none = self._value(f"icmp eq ptr {record}, null")
        self.body += [f"br i1 {none}, label %{good}, label %{look}", f"{look}:"]
        site = self._value(f"load i32, ptr {record}")
        well = self._value(f"icmp eq i32 {site}, 0")
        self.body += [f"br i1 {well}, label %{good}, label %{bad}, !prof !{LIKELY}", f"{bad}:"]
        self.body += [f"call void @Py_DecRef(ptr {m})" for m in self.made.values()]
        mark = self._table(9)
        self.body += [f"call void @Py_IncRef(ptr {mark})", f"ret ptr {mark}", f"{good}:"]

    def _finish(self, out: str) -> None:
        """The results as one Python object."""
        found: list[str] = []
        if self.shape.result is not None:
            found.append(self._object(self.shape.result, out))
        for i, slot in enumerate(self.shape.slots):
            if i in self.made:
                found.append(self.made[i])
            elif not self.given[i] and not slot.hidden:
                kind = MEMORY[slot.type]
                value = self._value(f"load {kind}, ptr {self.passed[i]}")
                found.append(self._object(slot.type, value))
        if not found:
            self.body += ["call void @Py_IncRef(ptr @_Py_NoneStruct)", "ret ptr @_Py_NoneStruct"]
            return
        if len(found) == 1:
            self.body.append(f"ret ptr {found[0]}")
            return
        whole = self._value(f"call ptr @PyTuple_New(i64 {len(found)})")
        self._need(self._value(f"icmp ne ptr {whole}, null"), "failed")
        for i, x in enumerate(found):
            self._value(f"call i32 @PyTuple_SetItem(ptr {whole}, i64 {i}, ptr {x})")
        self.body.append(f"ret ptr {whole}")

    def _object(self, type: Scalar, value: str) -> str:
        if not type.is_float:
            wide = value if type is Scalar.I64 else self._value(f"sext i32 {value} to i64")
            make = "PyBool_FromLong" if type is Scalar.BOOL else "PyLong_FromLongLong"
            return self._value(f"call ptr @{make}(i64 {wide})")
        cell = self._local("double")
        self.body.append(f"store {VALUE[type]} {value}, ptr {cell}")
        descr = self._descr(type)
        made = self._value(f"call ptr {self._table(3)}(ptr {cell}, ptr {descr}, ptr null)")
        self.body.append(f"call void @Py_DecRef(ptr {descr})")
        return made
