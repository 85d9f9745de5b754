"""The tutorials run: every cell of every notebook, in order; the notebooks are current."""

from __future__ import annotations

import ast
import importlib.util
import json
import linecache
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))


def tool(name: str) -> ModuleType:
    """A script of the folder `tools` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_run(path: Path) -> None:
    """As a kernel runs them: one set of names, and the source of each cell at hand."""
    names: dict[str, object] = {"__name__": "__main__"}
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for k, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        text, where = "".join(cell["source"]), f"{path.stem}[{k}]"
        linecache.cache[where] = (len(text), None, text.splitlines(keepends=True), where)
        exec(compile(ast.parse(text, where), where, "exec"), names)


def test_there_are_five_with_an_exercise_each() -> None:
    assert len(NOTEBOOKS) == 5
    for path in NOTEBOOKS:
        assert path.read_text(encoding="utf-8").count("## Exercise") == 1


def test_notebooks_are_current() -> None:
    """`python tools/notebooks.py` would change nothing."""
    made = tool("notebooks")
    assert [p.with_suffix(".ipynb") for p in made.sources()] == NOTEBOOKS
    for path in made.sources():
        wanted = made.notebook(path.read_text(encoding="utf-8"))
        assert path.with_suffix(".ipynb").read_text(encoding="utf-8") == wanted
