"""Shrinks a failing program: leaves out lines, simplifies expressions, while it still fails.

python tests/properties/shrink.py SEED ORDER [SUBJECT] [f32]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from properties.generator import Program, generate
from properties.laws import judge_text

from loma.ir.types import Scalar


def shrunk(text: str, fails: Callable[[str], bool]) -> str:
    """The smallest text found for which `fails` still holds."""
    changed = True
    while changed:
        changed = False
        for smaller in candidates(text):
            if smaller != text and fails(smaller):
                text, changed = smaller, True
                break
    return text


def candidates(text: str) -> Iterator[str]:
    """Simpler texts, the boldest first."""
    lines = text.split("\n")
    for start in range(len(lines)):
        stop = end_of_block(lines, start)
        yield "\n".join(lines[:start] + lines[stop:])
        if stop > start + 1 and not lines[start].lstrip().startswith(("def", "class")):
            inner = [line.removeprefix("    ") for line in lines[start + 1:stop]]
            yield "\n".join(lines[:start] + inner + lines[stop:])
        elif stop > start + 1:
            yield "\n".join(lines[:start] + lines[start + 1:])
    for k, line in enumerate(lines):
        for simpler in simpler_lines(line):
            yield "\n".join([*lines[:k], simpler, *lines[k + 1:]])


def end_of_block(lines: list[str], start: int) -> int:
    """The line after the block that a line opens (after the line itself, if it opens none)."""
    indent = len(lines[start]) - len(lines[start].lstrip())
    stop = start + 1
    while stop < len(lines) and lines[stop].strip() and (
            len(lines[stop]) - len(lines[stop].lstrip()) > indent):
        stop += 1
    return stop


def simpler_lines(line: str) -> Iterator[str]:
    """The line with one bracketed part, or one operand of a sum or product, taken out."""
    if line.lstrip().startswith(("def ", "class ", "@")):
        return
    for i, character in enumerate(line):
        if character != "(":
            continue
        stop = closing(line, i)
        word = i
        while word and (line[word - 1].isalnum() or line[word - 1] in "_"):
            word -= 1
        yield line[:word] + "0.5" + line[stop:]
        yield line[:word] + "1" + line[stop:]
        yield line[:word] + line[i + 1:stop - 1] + line[stop:]
    for mark in (" + ", " - ", " * ", " / ", " and ", " or "):
        head, _, tail = line.partition(mark)
        if tail:
            yield head
            opening = head.find("= ") + 2 if "= " in head else len(head) - len(head.lstrip())
            yield head[:opening] + tail


def closing(line: str, start: int) -> int:
    """The position after the bracket that closes the one at `start`."""
    depth = 0
    for i in range(start, len(line)):
        depth += {"(": 1, ")": -1}.get(line[i], 0)
        if depth == 0:
            return i + 1
    return len(line)


def kind(what: str) -> str:
    """The sort of failure: the error that was raised, or a wrong number."""
    found = re.search(r"\b[A-Z]\w*(Error|Exception)|[A-Z]{4,}|other places", what)
    return found.group() if found else "value"


def shrink_program(program: Program, order: int, subject: str, float_type: Scalar) -> Program:
    """The program cut down to what makes the subject fail in the same way."""
    def kinds(p: Program) -> set[str]:
        failures = judge_text(p, order, [subject], float_type).failures
        return {f.function + kind(f.what) for f in failures if f.subject == subject}

    wanted = kinds(program)

    def fails(text: str) -> bool:
        try:
            return bool(wanted & kinds(replace(program, text=text)))
        except Exception:
            return False

    return replace(program, text=shrunk(program.text, fails))


if __name__ == "__main__":
    seed, order = int(sys.argv[1]), int(sys.argv[2])
    subject = sys.argv[3] if len(sys.argv) > 3 else "core"
    float_type = Scalar.F32 if "f32" in sys.argv else Scalar.F64
    small = shrink_program(generate(seed, order, 6 if order < 2 else 3), order, subject, float_type)
    sys.stdout.write(small.text)
    for failure in judge_text(small, order, [subject], float_type).failures:
        sys.stdout.write(f"# {failure.subject} {failure.function}: {failure.what}\n")
