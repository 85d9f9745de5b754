"""Times functions in turn, so that what else the machine does hits all of them alike."""

from __future__ import annotations

import ctypes
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.cases import Case
from loma.host.course import compile as compile_loma

PROGRAMS = Path(__file__).parent / "programs"
ROUNDS = 200
SLICE = 0.0005
"""Seconds that one sample lasts at least: short ones are less often interrupted."""
FLAGS = ("-O3", "-march=native", "-ffast-math", "-shared", "-fPIC")


@dataclass(frozen=True)
class Times:
    """Seconds per call: the least and the median over the rounds."""

    least: float
    median: float


@dataclass(frozen=True)
class Row:
    """What was measured of a case; `c` is None without a C compiler."""

    case: Case
    c: Times | None
    primal: Times
    gradient: Times


def interleaved(functions: Mapping[str, Callable[[], object]]) -> dict[str, Times]:
    """The time of each function, all of them measured in every round."""
    repeats = {
        name: 1 + int(SLICE / _once(f, 1)) for name, f in functions.items() if _once(f, 1) >= 0
    }
    samples: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, f in functions.items():
            samples[name].append(_once(f, repeats[name]))
    return {name: Times(min(s), statistics.median(s)) for name, s in samples.items()}


def _once(f: Callable[[], object], times: int) -> float:
    start = perf_counter()
    for _ in range(times):
        f()
    return max((perf_counter() - start) / times, 1e-8)


def compiled_c(program: str, folder: str) -> Any | None:
    """The program in C as a library, if there is gcc."""
    if shutil.which("gcc") is None:
        return None
    library = str(Path(folder) / f"{program}.so")
    subprocess.run(
        ["gcc", *FLAGS, "-o", library, str(PROGRAMS / f"{program}.c"), "-lm"], check=True
    )
    return ctypes.CDLL(library)


def measured(case: Case) -> Row:
    """The times of one case."""
    structs, lib = compile_loma(
        (PROGRAMS / f"{case.program}.loma").read_text(encoding="utf-8"), target="llvm"
    )
    primal, gradient = case.make(structs)
    ours, reverse = lib.primal, lib.gradient  # type: ignore[attr-defined]
    functions = {"primal": lambda: ours(*primal), "gradient": lambda: reverse(*gradient)}
    with tempfile.TemporaryDirectory() as folder:
        c = compiled_c(case.program, folder)
        if c is not None:
            f = c.c_primal
            f.argtypes, f.restype = ours.argtypes, ours.restype
            functions["c"] = lambda: f(*primal)
        times = interleaved(functions)
    return Row(case, times.get("c"), times["primal"], times["gradient"])
