"""`loma doctor`, `loma cache`, `loma build`, `loma demo`, and what all commands share."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import Loma

import loma as package
from loma.cli import call
from loma.diagnostics import InternalError

ROOT = Path(__file__).parents[2]


def test_doctor(loma: Loma) -> None:
    ran = loma("doctor")
    assert ran.code == 0
    for name in ("python", "llvmlite", "numpy", "cache", "target llvm", "matplotlib"):
        assert name in ran.out
    assert "target cuda" in ran.out and "target ispc" in ran.out


def test_doctor_without_llvm(loma: Loma, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    ran = loma("doctor")
    assert ran.code == 1
    assert "no   llvmlite" in ran.out


def test_doctor_without_compilers_or_cache(
    loma: Loma, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("LOMA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ran = loma("doctor")
    assert ran.code == 0
    assert "not on the path" in ran.out and "install gcc or clang" in ran.out
    assert "every run compiles anew" in ran.out


def test_cache(loma: Loma, tmp_path: Path) -> None:
    assert "entries   0" in loma("cache").out
    loma("run", "p.py", "--call", "f(1.0, 1)")
    assert "entries   1" in loma("cache").out
    cleared = loma("cache", "--clear")
    assert cleared.code == 0
    assert "removed 1 of 1 entries" in cleared.out and "entries   0" in cleared.out
    assert str(tmp_path / "cache") in cleared.out


def test_an_unusable_cache_is_a_warning(loma: Loma, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOMA_CACHE_DIR", "/proc/loma")
    shown = warnings.showwarning
    ran = loma("run", "p.py", "--call", "divide(6, 2)")
    assert (ran.code, ran.out) == (0, "3\n")
    assert ran.err.startswith("warning: cannot write the cache") and ran.err.count("\n") == 1
    assert warnings.showwarning is shown


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_build_c_gives_an_example_that_runs(loma: Loma, tmp_path: Path) -> None:
    ran = loma("build", "p.py", "-o", "out dir/deep")
    assert (ran.code, ran.err) == (0, "")
    assert {"p.c", "p.h", "p_example.c"} <= {f.name for f in Path("out dir/deep").iterdir()}
    command = next(s for s in ran.out.split("\n") if s.startswith("the example: "))
    command = command.removeprefix("the example: ") + " && ./p_example"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_build_llvm(loma: Loma) -> None:
    ran = loma("build", "p.py", "--target", "llvm", "-o", "lib")
    assert ran.code == 0
    assert Path(ran.out.strip()).exists()


def test_build_refuses(loma: Loma, write: Callable[[str, str], None]) -> None:
    write("bad.py", "def f(x : In[float]) -> float:\n    return y\n")
    for target in ("c", "llvm"):
        assert "error[E0201]" in loma("build", "bad.py", "--target", target).err
    write("file", "")
    assert loma("build", "p.py", "-o", "file").code == 1
    assert loma("build", "p.py", "--target", "abacus").code == 2


def test_demo_without_its_packages(loma: Loma, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = loma("demo", "--quick")
    assert ran.code == 1
    assert "loma-lang[demo]" in ran.err


def test_demo(loma: Loma) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("PIL")
    ran = loma("demo", "--output", "d.png", "--splats", "20", "--steps", "3", "--size", "48")
    assert (ran.code, ran.err) == (0, "")
    assert Path("d.png").stat().st_size > 1000
    assert "rev_diff" in ran.out


def test_demo_of_no_picture(loma: Loma) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("PIL")
    ran = loma("demo", "no.png", "--steps", "2")
    assert ran.code == 1 and ran.err.startswith("error: ") and "no.png" in ran.err


@pytest.mark.parametrize("fault", [KeyError("inner"), InternalError("bad"), MemoryError()])
def test_a_fault_of_ours_is_no_traceback(
    loma: Loma, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def broken(text: str) -> None:
        raise fault

    monkeypatch.setattr(call, "parse_call", broken)
    ran = loma("run", "p.py", "--call", "f()")
    assert ran.code == 1
    assert ran.err.startswith("error: ")


def test_interruption(loma: Loma, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(call, "parse_call", interrupted)
    ran = loma("run", "p.py", "--call", "f()")
    assert (ran.code, ran.err) == (130, "interrupted\n")


def test_version_and_help(loma: Loma) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert loma("--version").out == f"loma {project['version']}\n"
    assert package.__version__ == project["version"]
    shown = loma("--help").out
    for name in ("check", "show", "build", "run", "grad", "verify", "doctor", "cache", "demo"):
        assert name in shown


def test_the_module_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loma", "--version"], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("loma ")


def test_the_public_names() -> None:
    assert callable(package.compile)
    assert issubclass(package.UserError, package.CompileError)
    assert issubclass(package.RunError, Exception)
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError):
        _ = package.nothing


def test_importing_loads_nothing() -> None:
    code = (
        "import sys, loma; assert not {'llvmlite', 'numpy', 'rich', 'loma.driver'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_colours_only_on_a_terminal(loma: Loma, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in loma("show", "p.py", "--stage", "source").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b" in loma("show", "p.py", "--stage", "source").out
    assert "\x1b" in loma("run", "p.py", "--call", "divide(1, 0)").err
