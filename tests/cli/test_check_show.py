"""`loma check` and `loma show`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import PROGRAM, Loma

from loma.frontend import load
from loma.host.calls import Compiled, Operands

REFUSED = """\
def f(x : InOut[Array[float]]) -> float:
    return x[0]

def g(x : In[Array[float]]):
    x[0] = 2.0

def h(x : In[Array[float]]):
    x[1] = 2.0

r_f = rev_diff(f)
r_g = rev_diff(g)
r_h = rev_diff(h)
"""


def test_check_accepts(loma: Loma) -> None:
    ran = loma("check", "p.py")
    assert (ran.code, ran.out) == (0, "ok  p.py: 6 functions, 3 derivatives\n")


def test_check_shows_every_error_and_goes_on(loma: Loma, write: Callable[[str, str], None]) -> None:
    write("bad.py", "def f(x : In[float]) -> float:\n    a : float = y\n    return z\n")
    ran = loma("check", "bad.py", "p.py")
    assert ran.code == 1
    assert ran.err.count("error[E0201]") == 2
    assert "--> bad.py:2:17" in ran.err and "return z" in ran.err
    assert "p.py: 6 functions" in ran.out


def test_check_shows_every_refused_derivative(
    loma: Loma, write: Callable[[str, str], None]
) -> None:
    write("refused.py", REFUSED)
    ran = loma("check", "refused.py")
    assert ran.code == 1
    assert "`g` cannot be differentiated" in ran.err and "refused.py:4:" in ran.err
    assert "`h` cannot be differentiated" in ran.err and "refused.py:7:" in ran.err
    assert "`f` cannot" not in ran.err


def test_check_says_what_it_takes_for_granted(
    loma: Loma, write: Callable[[str, str], None]
) -> None:
    write(
        "k.py",
        """\
@simd
def k(x : In[Array[float]], at : In[Array[int]], y : InOut[Array[float]]):
    i : int = thread_id()
    y[at[i]] = y[i] * x[i]
""",
    )
    ran = loma("check", "k.py")
    assert ran.code == 0
    assert "ok  k.py" in ran.out and "remark[R0605]: assumed: no thread of `k`" in ran.out


def test_check_reads_standard_input(loma: Loma) -> None:
    assert loma("check", "-", stdin=PROGRAM).code == 0


@pytest.mark.parametrize(
    ("file", "reason"), [("no.py", "no such file"), (".", "is a directory"), ("b.py", "UTF-8")]
)
def test_a_file_that_cannot_be_read(
    loma: Loma, file: str, reason: str, tmp_path: object, request: pytest.FixtureRequest
) -> None:
    (request.getfixturevalue("tmp_path") / "b.py").write_bytes(b"\xff\xfe\x00")
    ran = loma("check", file)
    assert ran.code == 1
    assert ran.err.startswith(f"error: cannot read {file}: ") and reason in ran.err


def test_show_derivative_is_loma_with_primal_lines(loma: Loma) -> None:
    ran = loma("show", "p.py", "--function", "f")
    assert ran.code == 0
    assert "def d_f(x : In[_dfloat]" in ran.out and "def r_f(" in ran.out
    assert "# 13: s = s + t" in ran.out
    assert "r_k" not in ran.out
    assert all(line == line.rstrip() for line in ran.out.split("\n"))


def test_shown_derivatives_parse_and_run(loma: Loma) -> None:
    shown = loma("show", "p.py").out
    structs = "class _dfloat:\n    val : float\n    dval : float\n"
    primal = PROGRAM.split("d_f = ")[0]
    compiled = Compiled(load(f"{structs}\n{primal}\n{shown}"))
    swept = compiled.call("r_f", Operands((0.5, 0.0, 2, 0, 1.0)))
    wanted = Compiled(load(PROGRAM)).call("r_f", Operands((0.5, 0.0, 2, 0, 1.0)))
    assert swept.data[1] == pytest.approx(wanted.data[1], rel=1e-5)


def test_show_makes_derivatives_that_nobody_requested(loma: Loma) -> None:
    ran = loma("show", "p.py", "-f", "swap")
    assert "def _d_fwd_swap(" in ran.out and "def _d_rev_swap(" in ran.out


@pytest.mark.parametrize(
    ("stage", "function", "part"),
    [
        ("source", "k", "@simd\ndef k("),
        ("source", "r_f", "r_f = rev_diff(f)"),
        ("typed", "f", "s : float = float(0.0)"),
        ("core", "f", "call g("),
        ("core", "k", "parallel count=%_threads"),
        ("derivative", "d_f", "def d_f("),
        ("optimised", "r_f", "def r_f("),
        ("llvm", "g", "define"),
        ("c", "g", "void g(float x, float *y)"),
        ("asm", "g", "loma_x_g:"),
    ],
)
def test_show_stages(loma: Loma, stage: str, function: str, part: str) -> None:
    ran = loma("show", "p.py", "--stage", stage, "--function", function)
    assert ran.code == 0
    assert part in ran.out


def test_show_kernels_for_devices(loma: Loma) -> None:
    for stage, part in (("cuda", "__global__ void"), ("opencl", "__kernel void"),
                        ("slang", "[numthreads"), ("wgsl", "@compute"), ("ispc", "foreach")):
        ran = loma("show", "p.py", "--stage", stage, "--function", "r_k")
        assert ran.code == 0 and part in ran.out
    ran = loma("show", "p.py", "--stage", "wgsl", "--function", "swap")
    assert ran.code == 1 and "only functions marked" in ran.err
    ran = loma("build", "p.py", "--target", "cuda", "--output", "made")
    assert ran.code == 0 and "p.cu" in ran.out


@pytest.mark.parametrize(
    "stage", ["source", "typed", "core", "derivative", "optimised", "llvm", "c", "asm"]
)
def test_show_a_whole_file(loma: Loma, stage: str) -> None:
    ran = loma("show", "p.py", "--stage", stage)
    assert ran.code == 0
    assert "swap" in ran.out or stage == "derivative"


def test_instances_are_not_listed(loma: Loma, tmp_path: Path) -> None:
    """Lists of functions have those of the file, not those that loma made of them."""
    (tmp_path / "g.loma").write_text("""
T = TypeVar("T")
def square(x : In[T]) -> T:
    return x * x
def apply(g : Callable[[float], float], x : In[float]) -> float:
    return g(x)
def f(x : In[float]) -> float:
    def inner(y : In[float]) -> float:
        return y * square(x)
    return apply(inner, x) + apply(lambda y: y, x)
""")
    assert loma("check", "g.loma").out == "ok  g.loma: 1 function, 0 derivatives\n"
    ran = loma("run", "g.loma", "--call", "zz(1)")
    assert ran.code == 1 and "no function `zz`; it has f\n" in ran.err
    assert loma("run", "g.loma", "--call", "square_float(2.0)").out == "4.0\n"


def test_show_what_is_not_there(loma: Loma) -> None:
    ran = loma("show", "p.py", "--function", "zz")
    assert ran.code == 1
    assert "no function `zz`; it has g, f, k" in ran.err
    ran = loma("show", "p.py", "--function", "d_f", "--stage", "core")
    assert ran.code == 1
    assert "no core stage" in ran.err
    assert loma("show", "p.py", "--stage", "wat").code == 2
