"""The command line under test: runs a command in a folder of its own with a cache of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loma.cli import app

PROGRAM = """\
class Pair:
    a : float
    b : float

def g(x : In[float], y : Out[float]):
    y = sin(x) * x

def f(x : In[float], n : In[int]) -> float:
    s : float = 0
    t : float
    for i in range(n):
        g(s + x, t)
        s = s + t
    return s

@simd
def k(a : In[float], x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    y[i] = a * x[i] * x[i]

def swap(p : In[Pair]) -> Pair:
    q : Pair
    q.a = p.b
    q.b = p.a * p.b
    return q

def divide(n : In[int], m : In[int]) -> int:
    return n / m

def count(x : In[Array[int]], n : In[int], total : InOut[int]):
    for i in range(n):
        total = total + x[i]

d_f = fwd_diff(f)
r_f = rev_diff(f)
r_k = rev_diff(k)
"""


class Ran:
    """What a command did: its exit code, and what it wrote to either stream."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err


Loma = Callable[..., Ran]


@pytest.fixture
def loma(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loma:
    """Runs `loma` with arguments, in a folder that holds `p.py`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOMA_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "LOMA_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "p.py").write_text(PROGRAM)

    def run(*arguments: str, stdin: str = "") -> Ran:
        result = CliRunner().invoke(app, list(arguments), input=stdin, prog_name="loma")
        assert "Traceback" not in result.output
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], None]:
    """Writes a file into the folder."""

    def put(name: str, text: str) -> None:
        (tmp_path / name).write_text(text)

    return put
