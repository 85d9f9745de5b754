"""A handler for XLA's foreign function interface in machine code, which calls loma code.

XLA gives a frame with the buffers; their shapes are fixed and were checked when the program was
traced. Once the code is loaded, its global `loma_table` gets the addresses that `flat_call` needs,
and then that of an array of messages, one for each trap.
"""

from __future__ import annotations

from typing import Final

from loma.backends.llvm import flat_call
from loma.backends.llvm.flat_object import compile_flat
from loma.backends.llvm.flat_shape import Call, Dim
from loma.backends.llvm.writer import Text

NAME: Final = "loma_xla"
TABLE: Final = "loma_table"
WORDS: Final = len(flat_call.ADDRESSES) + 1
EXTENSION, API, ARGUMENTS, RESULTS = 8, 16, 72, 112  # in a frame
KIND, NEXT = 8, 24  # in an extension
DATA, DIMS = 24, 40  # in a buffer
VERSION, MAKE_ERROR = 32, 48  # in the interface
METADATA: Final = 1
ERROR_BYTES: Final = 28
NO_MEMORY_CODE, TRAP_CODE = 8, 9  # resource exhausted, failed precondition
GLOBALS: Final = f"""
@{TABLE} = global [{WORDS} x i64] zeroinitializer
@loma_no_memory = private constant [28 x i8] c"no memory for the arguments\\00"
"""


def compile_xla_call(call: Call) -> bytes:
    """The object code of the handler for a call."""
    return compile_flat(call, GLOBALS, *_Handler(call).whole())


class _Handler(Text):
    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call

    def whole(self) -> list[str]:
        """Everything."""
        self._metadata()
        call = self.call
        data = self.local(f"[{max(len(call.inputs) + len(call.outputs), 1)} x ptr]")
        lengths = self.local(f"[{max(call.lengths, 1)} x i64]")
        for first, at, count in ((0, ARGUMENTS, len(call.inputs)),
                                 (len(call.inputs), RESULTS, len(call.outputs))):
            buffers = self.load("ptr", "%frame", at)
            for i in range(count):
                buffer = self.load("ptr", buffers, 8 * i)
                self.store("ptr", self.load("ptr", buffer, DATA), data, 8 * (first + i))
                if not first:
                    self._dims(i, buffer, lengths)
        for take, index in call.told:
            size = self.wide(call.inputs[take].type.bytes, self.load("ptr", data, 8 * take))
            self.store("i64", size, lengths, 8 * index)
        status = self.value(
            f"call i32 @{flat_call.NAME}(ptr @{TABLE}, ptr {data}, ptr {lengths})")
        self.need(self.value(f"icmp eq i32 {status}, 0"), "bad")
        self.line("ret ptr null")
        self._errors(status)
        return self.lines(f"define ptr @{NAME}(ptr %frame) nounwind")

    def _metadata(self) -> None:
        """Answers the question which version of the interface this is: the one that asks."""
        extension = self.load("ptr", "%frame", EXTENSION)
        with self.when(self.value(f"icmp ne ptr {extension}, null")):
            kind = self.load("i32", extension, KIND)
            with self.when(self.value(f"icmp eq i32 {kind}, {METADATA}")):
                metadata = self.load("ptr", extension, NEXT)
                api = self.load("ptr", "%frame", API)
                self.store("i32", 0, metadata, 24)
                self.store("i32", 3, metadata, 28)
                with self.when(self.value(f"icmp ne ptr {api}, null")):
                    self.store("i64", self.load("i64", api, VERSION), metadata, 24)
                self.store("i32", 0, metadata, 32)
                self.line("ret ptr null")
                self.block(self.label("never"))

    def _dims(self, i: int, buffer: str, lengths: str) -> None:
        """Learns lengths from an input."""
        batch = self.call.batch is not None and self.call.batch[i]
        dims = self.call.inputs[i].dims
        if batch:
            dims = (Dim(self.call.lengths - 1), *dims)
        shape = self.load("ptr", buffer, DIMS)
        for k, d in enumerate(dims):
            if isinstance(d, Dim):
                self.store("i64", self.load("i64", shape, 8 * k), lengths, 8 * d.index)

    def _errors(self, status: str) -> None:
        """An error of XLA from a status; the record of a trap is cleared."""
        arguments = self.local("[32 x i8]")
        self.block("bad")
        api = self.load("ptr", "%frame", API)
        make = self.load("ptr", api, MAKE_ERROR)
        self.store("i64", ERROR_BYTES, arguments)
        self.store("ptr", "null", arguments, 8)
        self.store("ptr", "@loma_no_memory", arguments, 16)
        self.store("i32", NO_MEMORY_CODE, arguments, 24)
        with self.when(self.value(f"icmp sgt i32 {status}, 0")):
            key = self.load("i32", f"@{TABLE}", 8)
            record = self.value(f"call ptr @pthread_getspecific(i32 {key})")
            self.store("i32", 0, record)
            messages = self.load("ptr", f"@{TABLE}", 8 * (WORDS - 1))
            last = self.value(f"sub i32 {status}, 1")
            where = self.value(f"getelementptr ptr, ptr {messages}, i32 {last}")
            self.store("ptr", self.load("ptr", where), arguments, 16)
            self.store("i32", TRAP_CODE, arguments, 24)
        error = self.value(f"call ptr {make}(ptr {arguments})")
        self.line(f"ret ptr {error}")
