"""The campaign: many random programs judged by the oracle, and many malformed inputs.

python tests/campaign.py                      everything; writes tests/campaign_result.json
python tests/campaign.py --share 0.1 --seed 7 a tenth (what CI runs); the seed is printed
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from io import StringIO
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from fuzz.mutate import malformed  # noqa: E402
from properties.laws import Verdict, judge  # noqa: E402

from loma.diagnostics import UserError  # noqa: E402
from loma.driver import core_module  # noqa: E402
from loma.ir.types import Scalar  # noqa: E402

PROGRAMS, HIGHER, MALFORMED = 2000, 200, 20_000
BATCH = 200
LIMIT_PROGRAM, LIMIT_MALFORMED = 120, 10
Job = TypeVar("Job")
Answer = TypeVar("Answer")


@dataclass
class Tally:
    """What a campaign found."""

    seed: int
    programs: int = 0
    higher_order: int = 0
    comparisons: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)
    malformed: int = 0
    accepted: int = 0
    malformed_failures: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


class TooLong(Exception):
    """A job ran over its time."""


def stop(number: int, frame: FrameType | None) -> None:
    """Ends a job that takes too long."""
    raise TooLong


def program_job(job: tuple[int, int, tuple[str, ...], str]) -> tuple[Verdict | None, str]:
    """Judges one program; the first part is None when it took too long or the judge failed."""
    seed, order, subjects, float_type = job
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_PROGRAM)
    try:
        size = 6 if order < 2 else 3
        with redirect_stdout(StringIO()):  # what programs print
            return judge(seed, order, subjects, Scalar(float_type), size=size), ""
    except Exception as e:
        return None, f"{type(e).__name__}: {e}"
    finally:
        signal.alarm(0)


def malformed_job(seed: int) -> tuple[bool, str]:
    """Compiles one malformed text: whether it was accepted; what went wrong beyond user errors."""
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_MALFORMED)
    try:
        core_module(malformed(seed), "malformed.py", Scalar.F32)
    except UserError as e:
        return False, "" if e.to_string().startswith("error[") else "not rendered"
    except BaseException as e:
        return False, f"{type(e).__name__}: {e}"[:300]
    finally:
        signal.alarm(0)
    return True, ""


def each(
    work: Callable[[Job], Answer], jobs: Sequence[Job], workers: int
) -> Iterator[tuple[Job, Answer | None]]:
    """The answer for each job: None for one that took its process along."""
    for start in range(0, len(jobs), BATCH):
        batch = jobs[start : start + BATCH]
        with ProcessPoolExecutor(workers) as pool:
            futures = [(job, pool.submit(work, job)) for job in batch]
        for job, future in futures:
            try:
                yield job, future.result()
            except BrokenProcessPool:
                yield job, alone(work, job)


def alone(work: Callable[[Job], Answer], job: Job) -> Answer | None:
    """The answer for one job in a process of its own; None if it dies."""
    with ProcessPoolExecutor(1) as pool:
        try:
            return pool.submit(work, job).result()
        except BrokenProcessPool:
            return None


def run(arguments: argparse.Namespace) -> Tally:
    """The whole campaign."""
    tally = Tally(arguments.seed)
    start = time.time()
    share, subjects = arguments.share, tuple(arguments.subjects.split(","))
    first = arguments.seed * 1_000_003
    count = int(PROGRAMS * share)
    higher = int(HIGHER * share)
    jobs = [(first + k, 2 + k % 2 if k < higher else 1, subjects, "f32" if k % 8 == 7 else "f64")
            for k in range(count)]
    for (seed, *_), found in each(program_job, jobs, arguments.jobs):
        verdict, error = found if found is not None else (None, "the process died")
        note(tally, seed, verdict, error)
    tally.higher_order = higher
    texts = list(range(first, first + int(MALFORMED * share)))
    for seed, answer in each(malformed_job, texts, arguments.jobs):
        accepted, error = answer if answer is not None else (False, "the process died")
        tally.malformed += 1
        tally.accepted += accepted
        if error:
            tally.malformed_failures.append({"seed": seed, "what": error})
    tally.seconds = round(time.time() - start, 1)
    return tally


def note(tally: Tally, seed: int, verdict: Verdict | None, error: str) -> None:
    """Adds the verdict on one program."""
    tally.programs += 1
    if verdict is None:
        tally.failures.append({"seed": seed, "subject": "judge", "what": error})
        return
    tally.comparisons += verdict.checked
    for reason in verdict.refused:
        reason = re.sub(r"`\w+`", "`_`", reason)
        tally.refused[reason] = tally.refused.get(reason, 0) + 1
    tally.failures += [asdict(f) for f in verdict.failures]


def main() -> int:
    """Runs, prints a summary, writes the result; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--share", type=float, default=1.0, help="which part of the full campaign")
    parser.add_argument("--subjects", default="core,llvm",
                        help="of core, lanes, llvm, c, debug, debug-llvm")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--output", type=Path, default=HERE / "campaign_result.json")
    arguments = parser.parse_args()
    sys.stdout.write(f"campaign seed {arguments.seed}, share {arguments.share}\n")
    tally = run(arguments)
    arguments.output.write_text(json.dumps(asdict(tally), indent=1) + "\n")
    failed = len(tally.failures) + len(tally.malformed_failures)
    sys.stdout.write(
        f"{tally.programs} programs ({tally.higher_order} of orders 2 and 3), "
        f"{tally.comparisons} comparisons, {sum(tally.refused.values())} refused; "
        f"{tally.malformed} malformed ({tally.accepted} still valid); "
        f"{failed} failures in {tally.seconds} s\n"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
