"""Functions of loma texts and files: what `load` gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from loma.host.definitions import Text
from loma.host.device_target import known_target
from loma.host.function import Function
from loma.host.program import check
from loma.ir.types import Scalar


class Library:
    """The functions of a loma text, as attributes and by name."""

    def __init__(self, text: Text, target: str | None = None) -> None:
        self._text = text
        self._functions = {name: Function(m) for name, m in text.members.items()}
        for f in self._functions.values():
            f.target = known_target(target)
        self.__dict__.update(self._functions)

    def __getitem__(self, name: str) -> Function:
        return self._functions[name]

    def __getattr__(self, name: str) -> Function:
        have = ", ".join(self._functions) or "nothing"
        raise AttributeError(f"{self._text.file} has no function `{name}`; it has {have}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __repr__(self) -> str:
        return f"<loma library {self._text.file}: {', '.join(self._functions)}>"


def load(
    program: str | Path, *, float_type: str = "f32", path: Sequence[str | Path] = (),
    target: str | None = None,
) -> Library:
    """The functions of a file of loma text, or of a text itself.

    A string with a line break is a text. `float_type` is what `float` stands for: f32 or f64.
    Imported files are looked for in the folder of the file, then in those of `path`.
    `target`: the device that runs the kernels: "cuda", "opencl", "wgsl" or "ispc".
    """
    if float_type not in ("f32", "f64"):
        raise ValueError(f"`float_type` must be 'f32' or 'f64', not {float_type!r}")
    if isinstance(program, str) and "\n" in program:
        text, file = program, "<loma>"
    else:
        text, file = Path(program).read_text(), str(program)
    made = Text(text, file, Scalar(float_type), tuple(map(str, path)))
    library = Library(made, target)
    check(made)
    return library


def member(
    text: str, file: str, float_type: str, name: str, path: tuple[str, ...] = ()
) -> Function:
    """A function of a loma text: what pickling gives back."""
    return Function(Text(text, file, Scalar(float_type), path).members[name])
