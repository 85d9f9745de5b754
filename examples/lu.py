"""LU decomposition: gradients of solutions and determinants beside their closed forms.

    python examples/lu.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from measure import Result, compare, relative

import loma

lu = loma.load(Path(__file__).with_suffix(".loma"), float_type="f64")
r_log_det = loma.rev_diff(lu.log_det)


def solved(solve: loma.Function, n: int, how: str) -> Result:
    """The gradient of seed . x for the solution x of A x = b."""
    random = np.random.default_rng(1)
    a, b, seed = random.normal(size=(n, n)), random.normal(size=n), random.normal(size=n)
    r_solve = loma.rev_diff(solve)
    x, by = solve(a, b), r_solve(a, b=b, adj_x=seed)
    w = np.linalg.solve(a.T, seed)
    error = max(relative(by.adj_b, w), relative(by.adj_a, -np.outer(w, x)),
                relative(x, np.linalg.solve(a, b)))
    return compare(f"solve{how}, n = {n}", lambda: solve(a, b),
                   lambda: r_solve(a, b=b, adj_x=seed), error, "A^-T w, -A^-T w x^T")


def determined(n: int) -> Result:
    """The gradient of the logarithm of the determinant."""
    a = np.random.default_rng(2).normal(size=(n, n))
    error = max(relative(r_log_det(a, _dreturn=(0.0, 1.0)), np.linalg.inv(a).T),
                relative(lu.log_det(a), np.linalg.slogdet(a)))
    return compare(f"log det, n = {n}", lambda: lu.log_det(a),
                   lambda: r_log_det(a, _dreturn=(0.0, 1.0)), error, "A^-T")


def run(n: int = 100) -> list[Result]:
    """The gradients for random matrices."""
    return [solved(lu.solve, n, ""), solved(lu.solve_by_rule, n, " by a rule"), determined(n)]


if __name__ == "__main__":
    for result in run():
        print(result)
