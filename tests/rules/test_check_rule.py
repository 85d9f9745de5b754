"""Rules compared with each other, and with derivatives found without them."""

from __future__ import annotations

from pathlib import Path

import pytest

import loma
from loma.host.check_rule import check_rule

SOURCE = """
class V:
    x : float
    y : float

def f(v : In[V], a : In[Array[float]], n : In[int], c : In[NoDiff[float]], z : InOut[float],
      out : Out[float]) -> float:
    out = v.x * a[0] * c
    z = z * v.y
    return sin(v.x) + a[n - 1] * z

@custom_fwd(f)
def f_fwd(v : In[Diff[V]], a : In[Array[Diff[float]]], n : In[int], c : In[float],
          z : InOut[Diff[float]], out : Out[Diff[float]]) -> Diff[float]:
    r : Diff[float]
    out.val = v.x.val * a[0].val * c
    out.dval = (v.x.dval * a[0].val + v.x.val * a[0].dval) * c
    z.dval = z.dval * v.y.val + FACTOR * z.val * v.y.dval
    z.val = z.val * v.y.val
    r.val = sin(v.x.val) + a[n - 1].val * z.val
    r.dval = cos(v.x.val) * v.x.dval + a[n - 1].dval * z.val + a[n - 1].val * z.dval
    return r
REVERSE
"""
REVERSE = """
@custom_rev(f)
def f_rev(v : In[V], dv : Out[V], a : In[Array[float]], da : Out[Array[float]], n : In[int],
          dn : Out[int], c : In[float], z : In[float], dz : InOut[float], dout : In[float],
          dr : In[float]):
    end : float = dz + a[n - 1] * dr
    dv.x += cos(v.x) * dr + a[0] * c * dout
    dv.y += z * end
    da[0] += v.x * c * dout
    da[n - 1] += z * v.y * dr
    dz = v.y * end
"""


def made(tmp_path: Path, factor: str, reverse: str = REVERSE) -> loma.Function:
    file = tmp_path / "program.loma"
    file.write_text(SOURCE.replace("FACTOR", factor).replace("REVERSE", reverse))
    return loma.load(file).f  # type: ignore[no-any-return]


def test_right_rules_pass(tmp_path: Path) -> None:
    found = check_rule(made(tmp_path, "1.0"))
    assert found.passed and found.written == ("forward", "reverse")
    assert "rule is off by" in str(found) and "differ by" in str(found)


def test_a_wrong_rule_is_off_by_its_fault(tmp_path: Path) -> None:
    found = check_rule(made(tmp_path, "1.5"))
    assert not found.passed
    assert found.forward is not None and found.forward > 0.01
    assert found.reverse is not None and found.reverse < found.tolerance
    assert found.apart is not None and found.apart > 0.01
    assert "wrong" in str(found)


def test_a_derivative_that_follows_is_checked_too(tmp_path: Path) -> None:
    found = check_rule(made(tmp_path, "1.0", ""))
    assert found.passed and found.written == ("forward",)
    assert found.reverse is not None and "the reverse derivative is off by" in str(found)
    wrong = check_rule(made(tmp_path, "1.5", ""))
    assert wrong.reverse is not None and wrong.reverse > 0.01
    assert wrong.apart is not None and wrong.apart < wrong.tolerance


def test_a_function_without_rules_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "program.loma"
    file.write_text("def f(x : In[float]) -> float:\n    return x\n")
    with pytest.raises(loma.ArgumentTypeError, match="has no rules"):
        loma.check_rule(loma.load(file).f)
