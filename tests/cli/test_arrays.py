"""Arrays of several dimensions on the command line."""

from __future__ import annotations

from pathlib import Path

from cli.conftest import Loma

PROGRAM = """
def energy(a : In[Array[float, "n", "m"]], x : In[Array[float, "m"]], y : Out[Array[float, "n"]]
           ) -> float:
    s = 0.0
    for i in range(n):
        r = a[i]
        y[i] = 0.0
        for j in range(m):
            y[i] += r[j] * x[j]
        s += y[i] * y[i]
    return s

d = fwd_diff(energy)
r = rev_diff(energy)
"""


CALL = "energy([[1, 2, 3], [4, 5, 6]], [1, 0, 2])"


def test_sizes_are_told_by_lists(loma: Loma, tmp_path: Path) -> None:
    (tmp_path / "grid.py").write_text(PROGRAM)
    assert loma("run", "grid.py", "--call", CALL).out == "305.0\ny = [7.0, 16.0]\n"
    ran = loma("grad", "grid.py:energy", "--at", CALL[7:-1])
    assert "[147.0, 195.0, 243.0]" in ran.out
    ran = loma("run", "grid.py", "--call", "energy([[1, 2, 3]], [1, 2])")
    assert ran.code != 0 and "`x` has the length 2 where `m` is 3" in ran.err


def test_derivatives_are_verified_on_arrays_of_the_right_size(loma: Loma, tmp_path: Path) -> None:
    (tmp_path / "grid.py").write_text(PROGRAM)
    ran = loma("verify", "grid.py", "--samples", "2")
    assert ran.code == 0 and ran.out.count("ok") == 2


def test_a_header_says_how_arrays_are_laid_out(loma: Loma, tmp_path: Path) -> None:
    (tmp_path / "grid.py").write_text(PROGRAM)
    assert loma("build", "grid.py", "-o", "out").code == 0
    header = (tmp_path / "out" / "grid.h").read_text()
    assert "/* a[n][m], x[m], y[n] */\nfloat energy(" in header
