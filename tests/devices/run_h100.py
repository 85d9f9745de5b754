"""All that must be shown on an NVIDIA GPU, with one log: `python tests/devices/run_h100.py`.

    --log FILE      where the log goes (run_h100.log)
    --only PARTS    some of: tests, figures, checks, speed, pictures, slang, sanitizer
    --jobs N        tests at once (8)

The parts: every kernel test on CUDA; how far each kernel and its derivatives are from `llvm`;
random kernels, atomics and memory for longer; measurements beside JAX and PyTorch; the ray tracer
and the demo; Slang's kernels; compute-sanitizer over all kernels, where it is.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PYTHON = sys.executable
SANITIZED = """
import sys
sys.path[:0] = [{tests!r}, {src!r}]
from devices.kernels import KERNELS
from devices.ulps import row
from loma.ir.types import Scalar
cases = [case for case in KERNELS if case.name != "ragged"]
for case in cases:
    row(case, "cuda", Scalar("f32"))
print(len(cases), "kernels and their derivatives up to second order")
"""


def commands(jobs: int) -> dict[str, list[tuple[list[str], int]]]:
    """What to run for each part, and for how many seconds at most."""
    program = SANITIZED.format(tests=str(ROOT / "tests"), src=str(ROOT / "src"))
    sanitizer = shutil.which("compute-sanitizer") or "compute-sanitizer"
    pytest = [PYTHON, "-m", "pytest", "--tb=short", "-p", "no:cacheprovider", "-rs",
              "-W", "ignore"]
    several = ["-n", str(jobs)] if jobs > 1 else []
    return {
        "machine": [(["nvidia-smi", "--query-gpu=name,driver_version,memory.total",
                      "--format=csv,noheader"], 30)],
        "tests": [([*pytest, *several, str(HERE / "test_cuda.py"), str(HERE / "test_nvrtc.py")],
                   550)],
        "figures": [([PYTHON, str(HERE / "figures.py"), f"cuda:{t}"], 300) for t in ("f32", "f64")],
        "checks": [([PYTHON, "benchmarks/gpu.py", "--checks"], 300)],
        "speed": [([PYTHON, "benchmarks/gpu.py"], 400)],
        "pictures": [
            ([PYTHON, "examples/raytrace.py", "cuda"], 60),
            ([PYTHON, "examples/raytrace.py", "llvm"], 60),
            ([PYTHON, "examples/gpu_sphere.py", "cuda"], 60),
            ([PYTHON, "-m", "loma", "demo", "--target", "cuda"], 120)],
        "slang": [([*pytest, *several, "-k", "slang", str(HERE / "test_slang.py"),
                    str(HERE / "test_kernels.py"), str(HERE / "test_sums.py")], 200),
                  ([PYTHON, "examples/raytrace.py", "slang"], 60)],
        "sanitizer": [
            ([sanitizer, "--tool", tool, "--error-exitcode", "9", PYTHON, "-c", program], 500)
            for tool in ("memcheck", "racecheck")],
    }


def environment() -> dict[str, str]:
    """Where Python finds loma and its tests."""
    paths = [str(ROOT / "src"), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in paths if p),
            "PYTHONUNBUFFERED": "1", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def run(command: list[str], limit: int) -> tuple[str, str]:
    """How a command ended, and what it said."""
    begun = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit,
                              cwd=ROOT, env=environment(), check=False)
        ended, said = f"ended with {done.returncode}", done.stdout + done.stderr
    except subprocess.TimeoutExpired as e:
        found = e.stdout or b""
        said = found.decode(errors="replace") if isinstance(found, bytes) else found
        ended = f"stopped after {limit} s"
    except OSError as e:
        ended, said = "not started", str(e)
    return f"{ended}, {time.perf_counter() - begun:.0f} s", said


def main() -> None:
    """Runs the parts one after the other."""
    options = argparse.ArgumentParser()
    options.add_argument("--log", default="run_h100.log")
    options.add_argument("--only", default="tests,figures,checks,speed,pictures,slang,sanitizer")
    options.add_argument("--jobs", type=int, default=8)
    given = options.parse_args()
    known = commands(given.jobs)
    with open(given.log, "w") as log:
        for part in ["machine", *given.only.split(",")]:
            for command, limit in known[part]:
                shown = " ".join(w if len(w) < 200 else "..." for w in command)
                ended, said = run(command, limit)
                log.write(f"\n== {part}: {shown}\n{said.rstrip()}\n-- {ended}\n")
                log.flush()
                sys.stdout.write(f"== {part}: {shown}\n{said.rstrip()[-2500:]}\n-- {ended}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
