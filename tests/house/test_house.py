"""What ruff, mypy and import-linter cannot say about the house style."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from loma.backends.targets import DEVICES

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "loma").rglob("*.py"))
BACKENDS = ROOT / "src" / "loma" / "backends"
MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("name", DEVICES)
def test_a_language_for_devices_is_one_small_file(name: str) -> None:
    """What languages share is the emitter's."""
    assert len((BACKENDS / f"{name}.py").read_text().splitlines()) < 150


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_state_is_final(path: Path) -> None:
    """A module-level list, dict or set is a table: annotated Final, and never assigned to again."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, MUTABLE):
            names = [t.id for t in node.targets if isinstance(t, ast.Name)]
            assert names == ["__all__"], f"{path.name}:{node.lineno}: mutable module state"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_function_changes_module_state(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Global), f"{path.name}:{node.lineno}: global statement"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_exception_has_a_reason(path: Path) -> None:
    """`# noqa: CODE - reason`; the usual one is `one dispatch`, a function that is one `match`."""
    assert not re.findall(r".*# noqa(?!: [A-Z0-9, ]+ - \w).*", path.read_text())


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "src", "tests", "compat", "benchmarks", "tools", "examples"],
        ["mypy"],
    ],
    ids=lambda c: c[0],
)
def test_linters(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_point_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_import_is_light() -> None:
    """`import loma` loads neither a compiler nor an array library."""
    code = (
        "import sys, loma; heavy = {'numpy', 'llvmlite', 'torch', 'rich', 'typer'}; "
        "heavy &= set(sys.modules); "
        "sys.exit(f'loads {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
