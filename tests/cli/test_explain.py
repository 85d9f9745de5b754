"""`loma explain`."""

from __future__ import annotations

from cli.conftest import Loma


def test_explain(loma: Loma) -> None:
    ran = loma("explain", "p.py:f")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("gradient of f\n")
    assert "stores `" in ran.out and "tape: 4*n bytes\n" in ran.out
    assert "measured" not in ran.out


def test_explain_a_call(loma: Loma) -> None:
    ran = loma("explain", "p.py:f", "--at", "1.0, n=9", "--float", "f64")
    assert "tape: 8*n bytes = 72 in this call" in ran.out
    assert "memory: 512 bytes predicted, 512 measured" in ran.out
    assert "ratio" in ran.out


def test_explain_a_kernel(loma: Loma) -> None:
    ran = loma("explain", "p.py:k", "--at", "2, [1, 2, 3]", "--threads", "2")
    assert (ran.code, ran.err) == (0, "")
    assert "tape: 0 bytes" in ran.out


def test_what_cannot_be_explained(loma: Loma) -> None:
    ran = loma("explain", "p.py:nothing")
    assert ran.code == 1 and "has no function `nothing`" in ran.err
    ran = loma("explain", "p.py:f", "--at", "1.0")
    assert ran.code == 1 and "needs `n`" in ran.err
    ran = loma("explain", "p.py:divide")
    assert ran.code == 0
