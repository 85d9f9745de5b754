"""The example of a module with a loma kernel trains."""

from __future__ import annotations

import runpy
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "torch_module.py"


def test_the_module_trains() -> None:
    losses = runpy.run_path(str(EXAMPLE))["train"]()
    assert losses[-1] < 0.02 * losses[0]
