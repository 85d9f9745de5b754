"""From source text to a callable gradient, with an empty cache and a warm one; and the import."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 9
PROGRAMS = Path(__file__).parent / "programs"
COMPILE = """
import sys, time
import llvmlite.binding
from loma.host.course import compile
source = sys.stdin.read()
start = time.perf_counter()
structs, lib = compile(source, target="llvm")
lib.gradient
print(time.perf_counter() - start)
"""
IMPORT = """
import time
start = time.perf_counter()
import loma.host.course, llvmlite.binding
print(time.perf_counter() - start)
"""


@dataclass(frozen=True)
class Delay:
    """Seconds that something takes, and the goal."""

    what: str
    least: float
    median: float
    goal: float


def straight(statements: int) -> str:
    """A function of so many statements in a row, and its gradient."""
    body = [
        f"    v{i} : float = {('sin(v%d) * x', 'v%d * v0 + 0.5', 'v%d - v1 * y')[i % 3] % (i - 1)}"
        for i in range(2, statements)
    ]
    lines = [
        "def primal(x : In[float], y : In[float]) -> float:",
        "    v0 : float = x * y",
        "    v1 : float = v0 + x",
        *body,
        f"    return v{statements - 1}",
        "gradient = rev_diff(primal)",
    ]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Bench:
    """A folder for caches, that of Python's bytecode included."""

    folder: str

    def timed(self, script: str, source: str, cache: str) -> float:
        """The seconds that a fresh Python says it took."""
        environment = {
            **os.environ,
            "LOMA_CACHE_DIR": f"{self.folder}/{cache}",
            "PYTHONPYCACHEPREFIX": f"{self.folder}/python",
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run(
            [sys.executable, "-c", script],
            input=source,
            text=True,
            capture_output=True,
            check=True,
            env=environment,
        )
        return float(done.stdout)

    def delay(
        self,
        what: str,
        goal: float,
        script: str,
        source: str = "",
        warm: bool = False,
        rounds: int = ROUNDS,
    ) -> Delay:
        """The time of a script, after one run that is not counted; `warm`: with one cache for all
        runs.
        """
        samples = [
            self.timed(script, source, f"{what} {0 if warm else k}") for k in range(rounds + 1)
        ][1 if rounds > 1 else 0 :]
        return Delay(what, min(samples), statistics.median(samples), goal)


def measured() -> list[Delay]:
    """The delays of the ray tracer, of straight-line code, and of very much straight-line code."""
    ray_tracer = (PROGRAMS / "raytrace.loma").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        found = [bench.delay("import loma.host.course and llvmlite", 0.25, IMPORT)]
        for name, source in (
            ("ray tracer", ray_tracer),
            ("100 statements in a row", straight(100)),
        ):
            for warm, goal in ((False, 0.15), (True, 0.01)):
                what = f"{name}: source to gradient, {'warm' if warm else 'empty'} cache"
                found.append(bench.delay(what, goal, COMPILE, source, warm))
        primal = straight(64_000).rsplit("gradient", 1)[0]
        what = "64 000 statements in a row: source to function, empty cache"
        found.append(
            bench.delay(what, 15.0, COMPILE.replace("gradient", "primal"), primal, rounds=1)
        )
        what = "8 000 statements in a row: source to gradient, empty cache"
        found.append(bench.delay(what, 15.0, COMPILE, straight(8_000), rounds=1))
    return found


def text(seconds: float) -> str:
    """A time in milliseconds or seconds."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1e3:.1f} ms"


def lines(delays: list[Delay]) -> list[str]:
    """The table."""
    return [
        "| latency | least | median | goal |",
        "|---|--:|--:|--:|",
        *(f"| {d.what} | {text(d.least)} | {text(d.median)} | {text(d.goal)} |" for d in delays),
    ]
