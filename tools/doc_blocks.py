"""The fenced blocks of a Markdown file, and the ones that the compiler writes.

    ```loma                    a program; the blocks below it in the file refer to it
    ```loma f64                the same, with `float` being f64
    ```loma printed NAME       a function or derivative of that program as text
    ```loma error CODE         a program with a fault
    ```text shown              the text that the compiler gives for that fault
    ```loma file NAME          a program that the console lines below it find under that name
    ```console                 `$ loma ...` lines, each with what it writes
    ```python                  executed with `lib` and `structs`, the program above, compiled

`python tools/doc_blocks.py` writes the printed, shown and console blocks anew, then the reference
of the Python API and the notebooks.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loma import driver
from loma.diagnostics import UserError
from loma.ir.text import function_text

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the words after that, its text, and its first line."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int


def documents() -> list[Path]:
    """Every documentation file with blocks."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(markdown: str) -> Iterator[Block]:
    """The blocks in order."""
    for m in FENCE.finditer(markdown):
        line = markdown.count("\n", 0, m.start(3)) + 1
        yield Block(m[1], tuple(m[2].split()), m[3], line)


def refreshed(markdown: str, console: bool = True) -> str:
    """The file with the blocks that the compiler writes written anew."""
    program = fault = ""
    files: dict[str, str] = {}

    def block(m: re.Match[str]) -> str:
        nonlocal program, fault
        text = m[3]
        match (m[1], *m[2].split()):
            case ("loma",) | ("loma", "f64"):
                program = text
            case ("loma", "file", name):
                program = files[name] = text
            case ("loma", "error", _):
                fault = text
            case ("loma", "printed", name):
                text = printed(program, name)
            case ("text", "shown"):
                text = shown(fault) + "\n"
            case ("console",) if console:
                text = session(text, files)
        return f"```{m[1]}{m[2]}\n{text}```"

    return FENCE.sub(block, markdown)


def session(text: str, files: dict[str, str]) -> str:
    """The lines that begin with `$ loma`, each followed by what it writes."""
    commands = [line for line in text.splitlines() if line.startswith("$ ")]
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_text(content, encoding="utf-8")
        return "\n".join(f"{c}\n{output(c, folder)}" for c in commands)


def output(command: str, folder: str) -> str:
    """What a line `$ loma ...` writes."""
    words = shlex.split(command)
    assert words[:2] == ["$", "loma"], command
    here = str(Path(driver.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": here, "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "loma", *words[2:]], cwd=folder, env=env,
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    lines = (done.stdout + done.stderr).strip("\n").splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def printed(program: str, name: str) -> str:
    """A function of a program as text, made readable rather than fast."""
    module = driver.core_module(program, fast=False)
    return function_text(module.functions[name], module)


def shown(program: str) -> str:
    """What the compiler says about a program with a fault."""
    try:
        driver.core_module(program, "example.py")
    except UserError as e:
        return e.to_string()
    raise SystemExit(f"this program has no fault:\n{program}")


if __name__ == "__main__":
    for path in documents():
        path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")
    for tool in ("api_reference", "notebooks"):
        subprocess.run([sys.executable, Path(__file__).parent / f"{tool}.py"], check=True)
