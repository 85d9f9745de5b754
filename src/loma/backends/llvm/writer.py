"""Writes LLVM text of small functions: names, blocks, loops."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Text:
    """The body of one function; local memory is made at its beginning."""

    def __init__(self) -> None:
        self.body: list[str] = []
        self.locals: list[str] = []
        self.count = 0

    def line(self, text: str) -> None:
        """One instruction without a value."""
        self.body.append(text)

    def value(self, text: str) -> str:
        """One instruction; gives its value."""
        self.count += 1
        self.body.append(f"%v{self.count} = {text}")
        return f"%v{self.count}"

    def local(self, type: str, alignment: int = 8) -> str:
        """Local memory."""
        self.count += 1
        self.locals.append(f"%v{self.count} = alloca {type}, align {alignment}")
        return f"%v{self.count}"

    def label(self, hint: str) -> str:
        """A new name for a block."""
        self.count += 1
        return f"{hint}{self.count}"

    def block(self, name: str) -> None:
        """Begins a block."""
        self.body.append(f"{name}:")

    def at(self, base: str, offset: int | str) -> str:
        """An address, some bytes further."""
        return base if offset == 0 else self.value(f"getelementptr i8, ptr {base}, i64 {offset}")

    def load(self, type: str, base: str, offset: int | str = 0) -> str:
        """What is in memory."""
        return self.value(f"load {type}, ptr {self.at(base, offset)}")

    def store(self, type: str, value: str | int, base: str, offset: int | str = 0) -> None:
        """Puts something into memory."""
        self.line(f"store {type} {value}, ptr {self.at(base, offset)}")

    def wide(self, bytes: int, where: str) -> str:
        """An int in memory, as 64 bits."""
        if bytes == 8:
            return self.load("i64", where)
        return self.value(f"sext i{8 * bytes} {self.load(f'i{8 * bytes}', where)} to i64")

    def need(self, condition: str, otherwise: str) -> None:
        """Goes to another block unless a condition holds."""
        good = self.label("good")
        self.line(f"br i1 {condition}, label %{good}, label %{otherwise}")
        self.block(good)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Instructions that run if a condition holds."""
        yes, after = self.label("yes"), self.label("after")
        self.line(f"br i1 {condition}, label %{yes}, label %{after}")
        self.block(yes)
        yield
        self.line(f"br label %{after}")
        self.block(after)

    @contextmanager
    def loop(self, count: str | int) -> Iterator[str]:
        """Instructions that run `count` times; gives the number of the round."""
        cell = self.local("i64")
        head, inside, after = self.label("head"), self.label("inside"), self.label("after")
        self.store("i64", 0, cell)
        self.line(f"br label %{head}")
        self.block(head)
        i = self.load("i64", cell)
        more = self.value(f"icmp slt i64 {i}, {count}")
        self.line(f"br i1 {more}, label %{inside}, label %{after}")
        self.block(inside)
        yield i
        self.store("i64", self.value(f"add i64 {i}, 1"), cell)
        self.line(f"br label %{head}")
        self.block(after)

    def lines(self, head: str) -> list[str]:
        """The whole function."""
        return [f"{head} {{", "entry:", *self.locals, *self.body, "}"]
