"""LU decomposition: gradients of solutions and determinants beside their closed forms.

    python examples/lu.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from measure import Result, compare, relative

import loma

lu = loma.load(Path(__file__).with_suffix(".loma"), float_type="f64")
r_solve, r_log_det = loma.rev_diff(lu.solve), loma.rev_diff(lu.log_det)


def run(n: int = 100) -> list[Result]:
    """The two gradients for a random matrix."""
    random = np.random.default_rng(1)
    a, b, seed = random.normal(size=(n, n)), random.normal(size=n), random.normal(size=n)
    x = lu.solve(a, b)
    by = r_solve(a, b=b, adj_x=seed)
    inverse = np.linalg.inv(a).T
    error = max(relative(by.adj_b, inverse @ seed),
                relative(by.adj_a, -np.outer(inverse @ seed, x)),
                relative(x, np.linalg.solve(a, b)))
    solved = compare(f"solve, n = {n}", lambda: lu.solve(a, b),
                     lambda: r_solve(a, b=b, adj_x=seed), error, "-A^-T w x^T and A^-T w")
    by_a = r_log_det(a, _dreturn=(0.0, 1.0))
    error = max(relative(by_a, inverse), relative(lu.log_det(a), np.linalg.slogdet(a)))
    determined = compare(f"log det, n = {n}", lambda: lu.log_det(a),
                         lambda: r_log_det(a, _dreturn=(0.0, 1.0)), error, "A^-T")
    return [solved, determined]


if __name__ == "__main__":
    for result in run():
        print(result)
