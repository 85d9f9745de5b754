"""The results as a table in Markdown and as JSON."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

from benchmarks import latency
from benchmarks.measure import Row, Times

FOLDER = Path(__file__).parent
HEAD = (
    "| program | size | C | primal | gradient | primal/C (goal 1.10) | gradient/primal | goal |",
    "|---|---|--:|--:|--:|--:|--:|--:|",
)
NOTE = """\
One run of `python -m benchmarks`: `C` is `gcc -O3 -march=native -ffast-math`, `primal` and
`gradient` (which adds to the caller's adjoints) are ours by LLVM, one core. Each round measures all
three in turn; times are medians over the rounds, ratios are of the least times (of the medians in
brackets), which other work on the machine disturbs least.
"""


def time_text(seconds: float) -> str:
    """A time in microseconds or milliseconds."""
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.2f} µs"


def ratio(a: Times, b: Times | None) -> str:
    """The ratio of the least times, and of the medians."""
    return "-" if b is None else f"{a.least / b.least:.2f} ({a.median / b.median:.2f})"


def line(row: Row) -> str:
    """One row of the table."""
    c = "-" if row.c is None else time_text(row.c.median)
    cells = [
        row.case.program,
        row.case.size,
        c,
        time_text(row.primal.median),
        time_text(row.gradient.median),
        ratio(row.primal, row.c),
        ratio(row.gradient, row.primal),
        f"{row.case.goal:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def machine() -> str:
    """The processor and what else counts."""
    name = platform.processor() or platform.machine()
    try:
        for text in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if text.startswith("model name"):
                name = text.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    python = platform.python_version()
    return f"{name}, {os.cpu_count()} cores, Python {python}; load average at the end {load}."


def write(rows: list[Row], delays: list[latency.Delay]) -> None:
    """Writes both files."""
    text = [
        "# Results",
        "",
        NOTE,
        machine(),
        "",
        *HEAD,
        *map(line, rows),
        "",
        *latency.lines(delays),
        "",
    ]
    (FOLDER / "RESULTS.md").write_text("\n".join(text), encoding="utf-8")
    data = {
        "machine": machine(),
        "rows": [
            {
                "program": r.case.program,
                "size": r.case.size,
                "goal": r.case.goal,
                **{
                    name: None if t is None else {"least": t.least, "median": t.median}
                    for name, t in (("c", r.c), ("primal", r.primal), ("gradient", r.gradient))
                },
            }
            for r in rows
        ],
        "latency": [
            {"what": d.what, "least": d.least, "median": d.median, "goal": d.goal} for d in delays
        ],
    }
    (FOLDER / "results.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
