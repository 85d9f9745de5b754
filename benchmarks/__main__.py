"""`python -m benchmarks [PROGRAM ...]`: measures, prints a table, and writes RESULTS.md and
results.json beside. `python -m benchmarks --doors`: calls from Python, in DOORS.md."""

from __future__ import annotations

import sys

from benchmarks import doors, latency
from benchmarks.cases import CASES
from benchmarks.measure import measured
from benchmarks.report import HEAD, line, write


def main(programs: list[str]) -> None:
    """Measures the programs named, or all and the latencies (`latency`: only those)."""
    print("\n".join(HEAD))
    rows = []
    for case in CASES:
        if not programs or case.program in programs:
            rows.append(measured(case))
            print(line(rows[-1]), flush=True)
    if not programs or programs == ["latency"]:
        delays = latency.measured()
        print("\n".join(latency.lines(delays)))
        if rows:
            write(rows, delays)


if sys.argv[1:] == ["--doors"]:
    doors.main()
else:
    main(sys.argv[1:])
