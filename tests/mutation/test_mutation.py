"""Every rule broken in turn is noticed by a law; as a table: python
tests/mutation/test_mutation.py
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

import pytest

if __name__ == "__main__":
    TESTS = Path(__file__).parents[1]
    sys.path += [str(TESTS), str(TESTS.parent / "src")]

from mutation.laws import LAWS, broken
from mutation.mutants import RULES, Edit, Partial, primitive_mutants

MUTANTS: list[Edit | Partial] = [*primitive_mutants(), *RULES]


def late(number: int, frame: FrameType | None) -> None:
    """A mutant that does not end is noticed too."""
    raise TimeoutError


def noticed(mutant: Edit | Partial) -> str:
    """The first law that a mutant breaks and how; empty if none."""
    signal.signal(signal.SIGALRM, late)
    with mutant.applied():
        for name in mutant.laws:
            for fast in (True, False):
                signal.alarm(20)
                try:
                    what = broken(LAWS[name], fast)
                finally:
                    signal.alarm(0)
                if what:
                    return f"{name}{'' if fast else ', plain'}: {what}"
    return ""


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
@pytest.mark.parametrize("name", LAWS)
def test_the_compiler_obeys_the_law(name: str, fast: bool) -> None:
    assert broken(LAWS[name], fast) == ""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_mutant_is_caught(mutant: Edit | Partial) -> None:
    assert noticed(mutant)


def main() -> int:
    """Prints the table; 1 if a mutant survives."""
    survivors = 0
    for mutant in MUTANTS:
        what = noticed(mutant)
        survivors += not what
        sys.stdout.write(
            f"{'caught' if what else 'SURVIVED':9}{mutant.name:55}{what.partition(chr(10))[0]}\n"
        )
    sys.stdout.write(f"{len(MUTANTS)} mutants, {survivors} survived\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
