"""Machine code that gives objects to Python, and gives back what it holds wherever it ends."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from loma.backends.llvm.writer import Text


class Ends(Text):
    """The body of a function that Python calls; `kept` are the cells of objects that it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []

    @abstractmethod
    def table(self, name: str) -> str:
        """An address of this process."""

    def keep(self, x: str = "null") -> str:
        """A cell of an object that is given back at the end."""
        cell = self.local("ptr")
        self.locals.append(f"store ptr null, ptr {cell}")
        self.kept.append(cell)
        self.store("ptr", x, cell)
        return cell

    def drop(self) -> None:
        """Gives back what is kept."""
        for cell in self.kept:
            x = self.load("ptr", cell)
            with self.when(self.value(f"icmp ne ptr {x}, null")):
                self.line(f"call void @Py_DecRef(ptr {x})")

    def packed(self, found: Sequence[str], otherwise: str) -> str:
        """A tuple of new objects."""
        whole = self.value(f"call ptr @PyTuple_New(i64 {len(found)})")
        self.need(self.value(f"icmp ne ptr {whole}, null"), otherwise)
        for i, x in enumerate(found):
            self.value(f"call i32 @PyTuple_SetItem(ptr {whole}, i64 {i}, ptr {x})")
        return whole

    def gives(self, name: str) -> None:
        """Ends with one of the marks."""
        mark = self.table(name)
        self.line(f"call void @Py_IncRef(ptr {mark})")
        self.line(f"ret ptr {mark}")

    def ends(self) -> None:
        """The ends other than the result: each gives back what is kept."""
        self.block("failed")
        self.line("call void @PyErr_Clear()")
        self.line("br label %miss")
        for name in ("miss", "trapped"):
            self.block(name)
            self.drop()
            self.gives(name)
        self.block("memory")
        self.value("call ptr @PyErr_NoMemory()")
        self.line("br label %lost")
        self.block("lost")
        self.drop()
        self.line("ret ptr null")
