"""What a derivative costs, in weighted operations: add and multiply 1, divide and root 4,
transcendental 20.
"""

from __future__ import annotations

import random

import pytest

from loma.driver import core_module
from loma.ir.interp import Interpreter
from loma.ir.types import F64

UNARY = ("sin", "cos", "exp", "sqrt", "log")
SEEDS = range(12)


def straight_line(seed: int, statements: int = 30, inputs: int = 5) -> str:
    """A random program without branches whose values stay between about 0.1 and 10."""
    pick = random.Random(seed)
    names = [f"x{i}" for i in range(inputs)]
    lines = []
    for i in range(statements):
        a, b = pick.choice(names), pick.choice(names)
        match pick.randrange(8):
            case 0 | 1:
                e = f"0.5 * {a} + 0.5 * {b}"
            case 2:
                e = f"{a} - 0.1 * {b} + 1.0"
            case 3 | 4:
                e = f"sqrt({a} * {b} + 0.5)"
            case 5:
                e = f"{a} / ({b} + 1.0) + 0.5"
            case 6:
                e = f"pow({a} + 0.5, 0.5) + 0.2"
            case _:
                e = {
                    "sin": f"sin({a}) + 1.5",
                    "cos": f"cos({a}) + 1.5",
                    "exp": f"exp(0.1 * {a})",
                    "sqrt": f"sqrt({a} + 0.5)",
                    "log": f"log({a} + 2.0)",
                }[pick.choice(UNARY)]
        lines.append(f"    t{i} : float = {e}")
        names.append(f"t{i}")
    total = " + ".join(f"t{i}" for i in range(statements))
    args = ", ".join(f"x{i} : In[float]" for i in range(inputs))
    body = "\n".join(lines)
    return (
        f"def f({args}) -> float:\n{body}\n    return {total}\n"
        "d_f = fwd_diff(f)\nr_f = rev_diff(f)\n"
    )


def costs(source: str, inputs: int) -> tuple[int, int, int]:
    """Weighted operations of the primal, the forward and the reverse derivative."""
    module = core_module(source, float_type=F64)
    found = []
    for name, args in (
        ("f", [1.0] * inputs),
        ("d_f", [{"val": 1.0, "dval": 1.0} for _ in range(inputs)]),
        ("r_f", [a for _ in range(inputs) for a in (1.0, [0.0])] + [1.0]),
    ):
        run = Interpreter(module, counting=True)
        run.run(name, args)
        found.append(run.cost)
    return found[0], found[1], found[2]


@pytest.mark.parametrize("seed", SEEDS)
def test_reverse_costs_at_most_four_primals(seed: int) -> None:
    primal, forward, reverse = costs(straight_line(seed), 5)
    assert reverse <= 4 * primal
    assert forward <= 4 * primal


@pytest.mark.parametrize(
    "expression",
    [
        "x + y",
        "x - y",
        "x * y",
        "x / y",
        "-x",
        "sin(x)",
        "cos(x)",
        "sqrt(x)",
        "exp(x)",
        "log(x)",
        "pow(x, y)",
    ],
)
def test_each_primitive_costs_at_most_five(expression: str) -> None:
    source = (
        f"def f(x : In[float], y : In[float]) -> float:\n    return {expression}\n"
        "d_f = fwd_diff(f)\nr_f = rev_diff(f)\n"
    )
    primal, _, reverse = costs(source, 2)
    handing_out = 2  # adding to the caller's adjoints
    assert reverse - handing_out <= 5 * primal


def test_forward_mode_calls_each_function_once() -> None:
    """Nested calls are not evaluated again at each level: the cost is linear in the depth."""

    def chain(depth: int) -> int:
        calls = "x"
        for _ in range(depth):
            calls = f"g({calls})"
        source = (
            f"def g(x : In[float]) -> float:\n    return sin(x) * x\n"
            f"def f(x : In[float]) -> float:\n    return {calls}\n"
            "d_f = fwd_diff(f)\n"
        )
        run = Interpreter(core_module(source, float_type=F64), counting=True)
        run.run("d_f", [{"val": 0.7, "dval": 1.0}])
        return run.cost

    assert chain(16) == 4 * chain(4)
