"""Modules that stand for what loma has anyway: a file that Python reads too may import them."""

from __future__ import annotations

import math
from typing import Final

from loma.frontend.search import Dotted
from loma.frontend.source import Source
from loma.frontend.unit import Unit
from loma.ir.prims import FUNCTIONS

VALUES: Final = {f"math.{name}": getattr(math, name) for name in ("pi", "e", "tau", "inf", "nan")}


def _pseudo(title: str, names: dict[str, str], boundless: bool = False) -> Unit:
    return Unit(title, Source(title, "", (), True), [], names=names, boundless=boundless)


PSEUDO: Final[dict[Dotted, Unit]] = {
    ("math",): _pseudo("math", {
        **{name: name for name in FUNCTIONS if hasattr(math, name)},
        **{name.removeprefix("math."): name for name in VALUES},
    }),
    ("loma",): _pseudo("loma", {}, boundless=True),
    ("typing",): _pseudo(
        "typing", {name: name for name in ("TypeVar", "Generic", "Callable")}),
    ("collections", "abc"): _pseudo("collections.abc", {"Callable": "Callable"}),
    ("__future__",): _pseudo("__future__", {"annotations": "annotations"}),
}
