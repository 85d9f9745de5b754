"""A function in machine code that calls loma code with nothing but buffers and lengths.

    i32 loma_flat(ptr table, ptr buffers, ptr lengths)

`buffers` are those of the inputs, then those of the outputs; `table` is what `ADDRESSES` lists. It
gives 0, the number of a trap (whose record stays), or -1 when there is no memory.
"""

from __future__ import annotations

from typing import Final, assert_never

from loma.backends.llvm.abi import InMemory, InRegisters
from loma.backends.llvm.flat_shape import (
    Built,
    Call,
    Column,
    Count,
    Counts,
    Dim,
    Direct,
    Leaf,
    Operand,
    Place,
    Rows,
)
from loma.backends.llvm.layout import MEMORY, VALUE
from loma.backends.llvm.writer import Text
from loma.ir.types import Scalar

NAME: Final = "loma_flat"
ADDRESSES: Final = ("function", "key of the error records")
NO_MEMORY: Final = -1
SMALL: Final = 4096  # bytes that fit on the stack
BYTES: Final = {Scalar.BOOL: 1, Scalar.I32: 4, Scalar.I64: 8, Scalar.F32: 4, Scalar.F64: 8}
"""Sizes in buffers; a bool is one byte there."""
DECLARATIONS: Final = """
declare ptr @calloc(i64, i64)
declare void @free(ptr)
declare ptr @pthread_getspecific(i32)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
"""


def flat_call(call: Call) -> str:
    """The text of the function."""
    if call.batch is None:
        return "\n".join(_One(call, f"define i32 @{NAME}").whole())
    return "\n".join(
        [*_One(call, "define internal i32 @loma_one").whole(), *_many(call, call.batch)])


def _many(call: Call, batch: tuple[bool, ...]) -> list[str]:
    """The function that makes a number of calls, one after another."""
    text = Text()
    leaves = [*call.inputs, *call.outputs]
    every = [*batch, *(True for _ in call.outputs)]
    here = text.local(f"[{max(len(leaves), 1)} x ptr]")
    times = text.load("i64", "%dims", 8 * (call.lengths - 1))
    steps = [leaf_bytes(text, leaf) if many else "0" for leaf, many in zip(leaves, every)]
    with text.loop(times) as i:
        for k, step in enumerate(steps):
            start = text.load("ptr", "%data", 8 * k)
            text.store("ptr", text.at(start, text.value(f"mul i64 {i}, {step}")), here, 8 * k)
        status = text.value(f"call i32 @loma_one(ptr %table, ptr {here}, ptr %dims)")
        well = text.value(f"icmp eq i32 {status}, 0")
        good, bad = text.label("good"), text.label("bad")
        text.line(f"br i1 {well}, label %{good}, label %{bad}")
        text.block(bad)
        text.line(f"ret i32 {status}")
        text.block(good)
    text.line("ret i32 0")
    return text.lines(f"define i32 @{NAME}(ptr %table, ptr %data, ptr %dims) nounwind")


def leaf_bytes(text: Text, leaf: Leaf) -> str:
    """The bytes of a buffer."""
    size, product = BYTES[leaf.type], ""
    for d in leaf.dims:
        if isinstance(d, Dim):
            length = text.load("i64", "%dims", 8 * d.index)
            product = length if not product else text.value(f"mul i64 {product}, {length}")
        else:
            size *= d
    return text.value(f"mul i64 {product}, {size}") if product else str(size)


class _One(Text):
    """The function for one call."""

    def __init__(self, call: Call, head: str) -> None:
        super().__init__()
        self.call = call
        self.head = head
        self.lengths: dict[int, str] = {}
        self.heaps: list[str] = []
        self.made: list[tuple[Built, str]] = []

    def whole(self) -> list[str]:
        """Everything."""
        operands = [self._operand(o) for o in self.call.operands]
        if self.call.threads is not None:
            operands.append(self._short(self.call.threads))
        self._run(operands)
        status = self._status()
        for place, base in self.made:
            for column in place.columns:
                if column.give is not None:
                    self._copy(place, base, column, give=True)
        self._free()
        self.line(f"ret i32 {status}")
        self.block("none")
        self._free()
        self.line(f"ret i32 {NO_MEMORY}")
        return self.lines(f"{self.head}(ptr %table, ptr %data, ptr %dims) nounwind")

    # Small steps.

    def _input(self, take: int) -> str:
        return self.load("ptr", "%data", 8 * take)

    def _output(self, give: int) -> str:
        return self.load("ptr", "%data", 8 * (len(self.call.inputs) + give))

    def _count(self, c: Count) -> str:
        """A length, read once."""
        if not isinstance(c, Dim):
            return str(c)
        found = self.lengths.get(c.index)
        if found is None:
            found = self.lengths[c.index] = f"%dim{c.index}"
            self.locals += [f"{found}_p = getelementptr i64, ptr %dims, i64 {c.index}",
                            f"{found} = load i64, ptr {found}_p"]
        return found

    def _product(self, counts: Counts, size: int = 1) -> str:
        """So many elements of a size."""
        fixed, product = size, ""
        for c in counts:
            if isinstance(c, int):
                fixed *= c
            else:
                length = self._count(c)
                product = length if not product else self.value(f"mul i64 {product}, {length}")
        if not product or fixed == 1:
            return product or str(fixed)
        return self.value(f"mul i64 {product}, {fixed}")

    def _heap(self, size: str) -> str:
        """Zeroed memory that is freed at the end."""
        cell = self.local("ptr")
        self.locals.append(f"store ptr null, ptr {cell}")
        self.heaps.append(cell)
        some = self.value(f"add i64 {size}, 8")
        made = self.value(f"call ptr @calloc(i64 1, i64 {some})")
        self.need(self.value(f"icmp ne ptr {made}, null"), "none")
        self.store("ptr", made, cell)
        return made

    def _free(self) -> None:
        for cell in self.heaps:
            self.line(f"call void @free(ptr {self.load('ptr', cell)})")

    # Arguments.

    def _short(self, count: Count) -> str:
        return f"i32 {self.value(f'trunc i64 {self._count(count)} to i32')}"

    def _operand(self, o: Operand) -> str:
        if o.count is not None:
            return self._short(o.count)
        if o.scalar is not None:
            assert o.take is not None
            return f"{MEMORY[o.scalar]} {self._number(o.scalar, self._input(o.take))}"
        assert o.place is not None
        base = self._place(o.place)
        match o.passing:
            case InRegisters(pieces):
                return ", ".join(
                    f"{p.type} {self.value(f'load {p.type}, ptr {self.at(base, p.offset)}')}"
                    for p in pieces)
            case InMemory(byval=True):
                assert isinstance(o.place, Built)
                return f"ptr byval([{o.place.size} x i8]) align 8 {base}"
            case InMemory() | None:
                return f"ptr {base}"

    def _number(self, type: Scalar, where: str) -> str:
        """A number in a buffer."""
        if type is not Scalar.BOOL:
            return self.load(VALUE[type], where)
        true = self.value(f"icmp ne i8 {self.load('i8', where)}, 0")
        return self.value(f"zext i1 {true} to i32")

    def _place(self, p: Place) -> str:
        match p:
            case Direct():
                return self._direct(p)
            case Built():
                return self._built(p)
            case Rows():
                base = self._place(p.all)
                table = self._heap(self._product((p.count,), 8))
                with self.loop(self._count(p.count)) as i:
                    step = self.value(f"mul i64 {i}, {self._product((p.each,), p.size)}")
                    cell = self.value(f"getelementptr ptr, ptr {table}, i64 {i}")
                    self.store("ptr", self.at(base, step), cell)
                return table
            case _:
                assert_never(p)

    def _direct(self, p: Direct) -> str:
        size = self._product(p.counts, p.size)
        if p.give is None:
            assert p.take is not None
            source = self._input(p.take)
            if not p.written:
                return source
            made = self._heap(size)
        else:
            made = self._output(p.give)
            if p.take is None:
                self.line(f"call void @llvm.memset.p0.i64(ptr {made}, i8 0, i64 {size}, i1 false)")
                return made
            source = self._input(p.take)
        self.line(
            f"call void @llvm.memcpy.p0.p0.i64(ptr {made}, ptr {source}, i64 {size}, i1 false)")
        return made

    def _built(self, p: Built) -> str:
        size = self._product(p.counts, p.size)
        if size.isdigit() and int(size) <= SMALL:
            base = self.local(f"[{max(int(size), 16)} x i8]", 16)
            self.line(f"call void @llvm.memset.p0.i64(ptr {base}, i8 0, i64 {size}, i1 false)")
        else:
            base = self._heap(size)
        for column in p.columns:
            if column.take is not None:
                self._copy(p, base, column, give=False)
        for offset, inner in p.pointers:
            self.store("ptr", self._place(inner), base, offset)
        self.made.append((p, base))
        return base

    def _copy(self, p: Built, base: str, column: Column, give: bool) -> None:
        """Copies one column, between memory and its buffer."""
        index = column.give if give else column.take
        assert index is not None
        buffer = self._output(index) if give else self._input(index)
        cursor = self.local("i64")
        self.store("i64", 0, cursor)
        loops = ((self._product(p.counts), p.size), *((str(n), s) for n, s in column.loops))
        self._nest(loops, self.at(base, column.offset), column.type, buffer, cursor, give)

    def _nest(self, loops: tuple[tuple[str, int], ...], here: str, type: Scalar, buffer: str,
              cursor: str, give: bool) -> None:
        if loops:
            (count, stride), *rest = loops
            with self.loop(count) as i:
                inner = self.at(here, self.value(f"mul i64 {i}, {stride}"))
                self._nest(tuple(rest), inner, type, buffer, cursor, give)
            return
        i = self.load("i64", cursor)
        there = self.at(buffer, self.value(f"mul i64 {i}, {BYTES[type]}"))
        self.store("i64", self.value(f"add i64 {i}, 1"), cursor)
        if give:
            self._give(type, self.load(MEMORY[type], here), there)
        else:
            self.store(MEMORY[type], self._number(type, there), here)

    def _give(self, type: Scalar, value: str, buffer: str) -> None:
        if type is Scalar.BOOL:
            true = self.value(f"icmp ne i32 {value}, 0")
            self.store("i8", self.value(f"zext i1 {true} to i8"), buffer)
        else:
            self.store(MEMORY[type], value, buffer)

    # The call.

    def _run(self, operands: list[str]) -> None:
        target = self.load("ptr", "%table")
        result = self.call.result
        if result is None:
            self.line(f"call void {target}({', '.join(operands)})")
        elif result.scalar is not None:
            assert result.give is not None
            made = self.value(f"call {MEMORY[result.scalar]} {target}({', '.join(operands)})")
            self._give(result.scalar, made, self._output(result.give))
        else:
            assert result.place is not None
            base = self._built(result.place)
            match result.passing:
                case InRegisters(pieces):
                    kind = f"{{ {', '.join(p.type for p in pieces)} }}"
                    made = self.value(f"call {kind} {target}({', '.join(operands)})")
                    for i, p in enumerate(pieces):
                        part = self.value(f"extractvalue {kind} {made}, {i}")
                        self.store(p.type, part, base, p.offset)
                case _:
                    hidden = f"ptr sret([{result.place.size} x i8]) align 8 {base}"
                    self.line(f"call void {target}({', '.join([hidden, *operands])})")

    def _status(self) -> str:
        """0, or the number of the trap."""
        if not self.call.traps:
            return "0"
        cell = self.local("i32")
        self.store("i32", 0, cell)
        key = self.load("i32", "%table", 8)
        record = self.value(f"call ptr @pthread_getspecific(i32 {key})")
        with self.when(self.value(f"icmp ne ptr {record}, null")):
            self.store("i32", self.load("i32", record), cell)
        return self.load("i32", cell)
