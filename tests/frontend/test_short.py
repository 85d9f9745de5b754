"""What Python writes short: the bodies in short.txt are Python too, and Python says what they give.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from subjects import COMPILED, CORES, on

HEAD = "def f(x : In[float], n : In[int], a : InOut[Array[float, 3]]) -> float:\n"
REQUESTS = "\nr = rev_diff(f)\nd = fwd_diff(f)\nrr = rev_diff(d)\n"
TEXTS = (Path(__file__).parent / "short.txt").read_text().removeprefix("=== ").split("\n=== ")
BODIES = {name: body.strip() for name, _, body in (text.partition("\n") for text in TEXTS)}
CASES = [(x, n, [0.5, 1.5, 2.5]) for x in (0.3, 0.9) for n in (1, 2, 3)]


def as_python(text: str) -> Callable[..., Any]:
    """The function f of a program, run by Python."""
    names: dict[str, Any] = {"sin": math.sin}
    exec("from __future__ import annotations\n" + text, names)
    return names["f"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", BODIES)
def test_values_and_derivatives(name: str) -> None:
    """The result, the array that is left, and derivatives in both modes and of second order."""
    text = HEAD + indent(BODIES[name], "    ") + "\n"
    f = as_python(text)
    subjects = [on(how, text + REQUESTS) for how in ("oracle", *CORES, *COMPILED)]
    for x, n, a in CASES:
        left = list(a)
        wanted = f(x, n, left)
        slope = (f(x + 1e-6, n, list(a)) - f(x - 1e-6, n, list(a))) / 2e-6
        bend = (f(x + 1e-4, n, list(a)) - 2 * wanted + f(x - 1e-4, n, list(a))) / 1e-8
        duals = [{"val": v, "dval": 0.0} for v in a]
        zero = [{"val": 0.0, "dval": 0.0} for _ in a]
        for ready in subjects:
            after, result = ready.call("f", [x, n, a])
            assert result == pytest.approx(wanted, rel=1e-12)
            assert after[2] == pytest.approx(left, rel=1e-12)
            after, _ = ready.call("r", [x, 0.0, n, 0, a, [0.0] * 3, 1.0])
            assert after[1] == pytest.approx(slope, rel=1e-5, abs=1e-6)
            dual = {"val": x, "dval": 1.0}
            _, result = ready.call("d", [dual, n, duals])
            assert result["dval"] == pytest.approx(slope, rel=1e-5, abs=1e-6)
            seed = {"val": 0.0, "dval": 1.0}
            after, _ = ready.call("rr", [dual, {"val": 0.0, "dval": 0.0}, n, 0, duals, zero, seed])
            assert after[1]["val"] == pytest.approx(bend, rel=1e-3, abs=1e-4)
