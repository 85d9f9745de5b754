"""Writes docs/errors.md from the error codes: `python tools/error_index.py`.

Every page is the docstring of the code's constructor, with its example and what the compiler says.
"""

from __future__ import annotations

from pathlib import Path

from loma import driver
from loma.diagnostics import UserError
from loma.frontend.codes.index import Entry, index
from loma.ir.nodes import Trap

TARGET = Path(__file__).parent.parent / "docs" / "errors.md"

HEAD = """# Error index

This file is written by `python tools/error_index.py` from the compiler's own table. Do not edit it.

A program that cannot be compiled raises a `UserError` with one diagnostic for each fault. Each
diagnostic has a code. This page lists the codes, in order. For each code it shows a program with
that fault and the text that the compiler gives for it.

The first digits tell the kind of fault:

| codes | kind |
|---|---|
| E01 | syntax that loma does not have |
| E02 | names |
| E03 | types |
| E04 | calls |
| E05 | order of statements, and assignment |
| E06 | requests for derivatives |

A program that stops itself while it runs raises a `RunError`. Those are
[at the end](#errors-at-run-time).

Codes that begin with R are remarks of `loma check`; the program compiles. R0605 says that threads
of a kernel are assumed not to read what other threads write, because that could not be decided.
"""

# Faults that are found after checking: the examples in docstrings are for the checker's own tests.
EXAMPLES = {
    "E0603": """def f(x : In[float], y : Out[float]):
    y = y * x

r = rev_diff(f)
""",
}

TRAPS = """
## Errors at run time

A `RunError` has the fields `code`, `file` and `line`. The line is the line of the loma program.

| code | message |
|---|---|
"""


def page(entry: Entry) -> str:
    """The section of one code."""
    parts = [f"\n## {entry.code}\n\n{entry.title}\n"]
    if entry.text:
        parts.append(f"\n{entry.text}\n")
    example = entry.example if entry.example.strip() else EXAMPLES.get(entry.code, "")
    if example:
        parts.append(f"\n```loma error {entry.code}\n{example.rstrip()}\n```\n")
        parts.append(f"\n```text\n{shown(example)}\n```\n")
    return "".join(parts)


def shown(example: str) -> str:
    """What the compiler says about a program."""
    try:
        driver.core_module(example, "example.loma")
    except UserError as e:
        return e.to_string()
    raise SystemExit(f"this example of the index compiles:\n{example}")


def text() -> str:
    """The whole file."""
    traps = "".join(f"| `{t.name}` | {t.value} |\n" for t in Trap)
    return HEAD + "".join(map(page, index())) + TRAPS + traps


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
