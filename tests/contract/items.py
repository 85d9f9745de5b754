"""One item of the contract: a call and what it must give, on every target in both precisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from subjects import COMPILED, EXACT, differences, on

from loma.ir.types import F32, F64, Scalar

HOWS = [("oracle", F64), *((target, t) for target in COMPILED for t in (F32, F64))]


@dataclass(frozen=True)
class Item:
    """A call, and its written operands and result in order."""

    name: str
    function: str
    args: list[Any]
    outputs: list[Any]
    threads: int = 0


def every(items: list[Item]) -> Callable[[Any], Any]:
    """Parametrises a test over items, targets and float types; the oracle is judged too."""

    def marked(test: Any) -> Any:
        test = pytest.mark.parametrize("item", items, ids=lambda i: i.name)(test)
        ids = [f"{how}-{t.value}" for how, t in HOWS]
        return pytest.mark.parametrize("how,float_type", HOWS, ids=ids)(test)

    return marked


def check(text: str, item: Item, how: str, float_type: Scalar) -> None:
    """The call gives what the item states."""
    got = on(how, text, float_type).outputs(item.function, item.args, item.threads)
    assert differences(got, item.outputs, EXACT[float_type]) == []
