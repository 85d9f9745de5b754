"""The tutorials: notebooks from Python files whose cells begin with `# %%`.

    # %% [markdown]     the comment lines below are text
    # %%                the lines below are code

`python tools/notebooks.py` writes `docs/tutorials/*.ipynb` anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "docs" / "tutorials"
CELL = re.compile(r"^# %%(.*)$", re.MULTILINE)


def sources() -> list[Path]:
    """The tutorials as Python files, in order."""
    return sorted(FOLDER.glob("*.py"))


def cells(source: str) -> list[tuple[str, str]]:
    """The cells: their kind, `markdown` or `code`, and their text."""
    parts = CELL.split(source)[1:]
    found: list[tuple[str, str]] = []
    for kind, text in zip(parts[::2], parts[1::2]):
        text = text.strip("\n")
        if "markdown" in kind:
            text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.split("\n"))
            found.append(("markdown", text))
        else:
            found.append(("code", text))
    return found


def notebook(source: str) -> str:
    """The notebook, without outputs."""
    made = []
    for k, (kind, text) in enumerate(cells(source)):
        cell: dict[str, object] = {
            "cell_type": kind, "id": f"cell-{k}", "metadata": {},
            "source": text.splitlines(keepends=True)}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        made.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def markdown(source: str, name: str) -> str:
    """The tutorial as a page."""
    parts = [text if kind == "markdown" else f"```python\n{text}\n```"
             for kind, text in cells(source)]
    return "\n\n".join([*parts, f"[This page as a notebook]({name}.ipynb)"]) + "\n"


if __name__ == "__main__":
    for path in sources():
        made = notebook(path.read_text(encoding="utf-8"))
        path.with_suffix(".ipynb").write_text(made, encoding="utf-8")
