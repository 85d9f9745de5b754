"""Builds the wheel, and checks it in a fresh environment of every Python that it is for.

    python tools/check_wheel.py

A Python counts when `python3.N` is on the path, or pyenv has it; at least one must be there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERSIONS = ("3.11", "3.12", "3.13")
PROGRAM = '''\
import importlib.metadata, sys
import numpy as np
import loma
from loma import Array, In, Out, sin, thread_id

@loma.kernel
def waves(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = sin(a * x[i])

@loma.function
def wave(a: In[float], x: In[float]) -> float:
    return sin(a * x)

x = np.linspace(0.0, 1.0, 5)
for _ in range(5):
    np.testing.assert_allclose(waves(2.0, x), np.sin(2.0 * x), rtol=1e-14)
    np.testing.assert_allclose(loma.grad(wave)(2.0, 0.5), [0.5 * np.cos(1.0), 2 * np.cos(1.0)])
np.testing.assert_allclose(loma.jacobian(waves, wrt="x")(2.0, x), np.diag(2 * np.cos(2 * x)))
structs, lib = loma.compile("def f(x : In[float]) -> float:\\n    return x * x\\n")
assert lib.f(3.0) == 9.0
assert not {"torch", "jax"} & set(sys.modules)
print(importlib.metadata.version("loma-lang"), loma.__file__)
'''


def interpreters() -> dict[str, str]:
    """The Pythons of this machine that the wheel is for, by version."""
    found: dict[str, str] = {}
    for version in VERSIONS:
        kept = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        candidates = [shutil.which(f"python{version}"), *map(str, kept), sys.executable]
        for candidate in candidates:
            if candidate is not None and _version(candidate) == version:
                found[version] = candidate
                break
    return found


def _version(python: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def check(python: str, wheel: Path, folder: Path) -> str:
    """Installs the wheel into a fresh environment, and runs a program there from afar."""
    run = {"check": True, "cwd": folder, "capture_output": True, "text": True}
    subprocess.run([python, "-m", "venv", "env"], **run)
    own = str(folder / "env" / "bin" / "python")
    quiet = ["-q", "--disable-pip-version-check"]
    subprocess.run([own, "-m", "pip", "install", *quiet, str(wheel)], **run)
    (folder / "program.py").write_text(PROGRAM)
    said = subprocess.run([own, "-I", "program.py"], **run).stdout.strip()
    shown = subprocess.run([str(folder / "env" / "bin" / "loma"), "--help"], **run).stdout
    assert "compile" in shown, shown
    assert str(folder) in said, f"another package was imported: {said}"
    return said.split()[0]


def main() -> None:
    """Checks every interpreter."""
    found = interpreters()
    if not found:
        sys.exit(f"no Python of {', '.join(VERSIONS)} is here")
    with tempfile.TemporaryDirectory() as place:
        made = Path(place) / "wheels"
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "-q", "--disable-pip-version-check",
             "--no-deps", "-w", str(made), str(ROOT)], check=True)
        (wheel,) = made.glob("*.whl")
        for version, python in found.items():
            folder = Path(place) / version
            folder.mkdir()
            try:
                print(f"{wheel.name} works on Python {version} ({check(python, wheel, folder)})")
            except subprocess.CalledProcessError as e:
                sys.exit(f"Python {version}: {e.cmd} failed\n{e.stdout}\n{e.stderr}")
    absent = [v for v in VERSIONS if v not in found]
    if absent:
        print(f"not here: Python {', '.join(absent)}")


if __name__ == "__main__":
    main()
