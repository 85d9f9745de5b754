"""The table of kernels and targets: `python tests/devices/figures.py llvm c opencl ...`.

For each kernel and target: how far value, first and second derivatives are from `llvm`, in units of
the last place of the largest number of each output; `c:f64` names the number type. Prints JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from devices.kernels import KERNELS  # noqa: E402
from devices.ulps import row  # noqa: E402

from loma.diagnostics import UserError  # noqa: E402
from loma.ir.types import Scalar  # noqa: E402


def measured(target: str, float_type: Scalar) -> dict[str, Any]:
    """Every kernel's row on a target; a word where there is none."""
    found: dict[str, Any] = {}
    for case in KERNELS:
        if target in case.lack:
            found[case.name] = "refused"
            continue
        try:
            found[case.name] = row(case, target, float_type)
        except (UserError, AssertionError, KeyError, TypeError) as e:
            found[case.name] = f"{type(e).__name__}: {str(e)[:200]}"
    return found


if __name__ == "__main__":
    table = {}
    for word in sys.argv[1:]:
        target, _, kind = word.partition(":")
        table[word] = measured(target, Scalar(kind or "f32"))
    sys.stdout.write(json.dumps(table) + "\n")
