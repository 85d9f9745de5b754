"""Generated code, cut down to one function."""

from __future__ import annotations

import re
from typing import Final

LLVM_START: Final = r"^define [^@]*@\"?loma_[fx]_{name}\"?\("
ASM_START: Final = r"^\"?_?loma_[fx]_{name}\"?:"


def cut(code: str, start: str, end: str, name: str) -> str:
    """The parts of generated code that belong to a function."""
    begins = re.compile(start.format(name=re.escape(name)))
    out: list[str] = []
    inside = False
    for line in code.split("\n"):
        inside = inside or bool(begins.match(line))
        if inside:
            out.append(line)
            if line.startswith(end):
                inside = False
                out.append("")
    return "\n".join(out)
