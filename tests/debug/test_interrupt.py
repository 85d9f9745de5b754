"""Ctrl-C stops a program that runs long; what it holds is freed, and the process goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

HEAD = """
import os, signal, sys, threading, time
import loma
from loma import In, InOut, Array
from loma.host.course import compile

@loma.function
def collatz(x: In[float]) -> float:
    y: float = x
    while y > 0.0:
        y = y * 0.5 + 1.0
    return y

@loma.function
def nested(x: In[float], n: In[int]) -> float:
    y: float = x
    for i in range(n):
        for j in range(n):
            y = y * 0.999 + 0.001 * x * (i - j)
    return y

@loma.function
def fib(x: In[float], n: In[int]) -> float:
    if n < 2:
        return x
    return fib(x, n - 1) + fib(x, n - 2)

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

def soon(seconds=0.3):
    main = os.getpid()
    threading.Timer(seconds, lambda: os.kill(main, signal.SIGINT)).start()

def stopped(call, *args):
    soon()
    start = time.perf_counter()
    try:
        call(*args)
    except KeyboardInterrupt:
        print("stopped", time.perf_counter() - start < 5.0)
    else:
        print("not stopped")
"""


def run(body: str) -> list[str]:
    """What a Python program prints."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "program.py"
        file.write_text(HEAD + textwrap.dedent(body))
        done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True,
                              timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


def test_loops() -> None:
    assert run("""
        stopped(collatz, 1.0)
        stopped(nested, 1.0, 2_000_000)
        print(round(nested(1.0, 3), 6))
        stopped(collatz, 1.0)
    """) == ["stopped True", "stopped True", "0.991048", "stopped True"]


def test_signal_in_the_first_turn() -> None:
    """A signal that comes before the program listens for it is seen at the next turn."""
    lines = run("""
        @loma.function
        def slow(x: In[float], n: In[int], m: In[int]) -> float:
            y: float = x
            for i in range(n):
                for j in range(m):
                    y = y * 0.999 + 0.001 * x * (i - j)
            return y
        slow(1.0, 2, 2)
        stopped(slow, 1.0, 100, 300_000_000)
        print(round(slow(1.0, 3, 3), 6))
    """)
    assert lines == ["stopped True", "0.991048"]


def test_gradient_frees_its_tape() -> None:
    lines = run("""
        loma.grad(nested)(1.0, 3)
        before = resident()
        stopped(loma.grad(nested), 1.0, 40_000)
        print(resident() - before < 50_000_000)
    """)
    assert lines == ["stopped True", "True"]


def test_recursion_and_course_door() -> None:
    lines = run("""
        stopped(fib, 1.0, 90)
        _, lib = compile("def f(x : In[float]) -> float:\\n    y : float = x\\n"
                         "    while y > 0.0:\\n        y = y + 1.0\\n    return y\\n", "llvm")
        stopped(lib.f, 1.0)
    """)
    assert lines == ["stopped True"] * 2


def test_handlers_are_put_back() -> None:
    """The program's own handler stays, also one that was set between two calls."""
    lines = run("""
        nested(1.0, 3)
        def mine(number, frame):
            raise ValueError("mine")
        signal.signal(signal.SIGINT, mine)
        soon()
        try:
            collatz(1.0)
        except ValueError as e:
            print(e)
        signal.signal(signal.SIGINT, lambda *_: print("quiet"))
        soon()
        try:
            collatz(1.0)
        except loma.RunError as e:
            print(e.code)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        soon()
        try:
            time.sleep(5)
        except KeyboardInterrupt:
            print("asleep")
    """)
    assert lines == ["mine", "quiet", "CANCELLED", "asleep"]


def test_other_threads_go_on() -> None:
    """A call in another thread is not stopped."""
    lines = run("""
        found = []
        t = threading.Thread(target=lambda: found.append(fib(1.0, 38)))
        fib(1.0, 3)
        t.start()
        stopped(collatz, 1.0)
        t.join()
        print(found)
    """)
    assert lines == ["stopped True", "[np.float64(63245986.0)]"]


def test_ignored_signal() -> None:
    """Where the process ignores Ctrl-C, so does the program."""
    lines = run("""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        soon(0.05)
        print(fib(1.0, 36))
    """)
    assert lines == ["24157817.0"]


def test_kernel_without_loops_is_not_slowed() -> None:
    """Innermost counted loops have nothing to look at."""
    from loma import driver
    from loma.backends.base import Options
    from loma.backends.llvm.backend import text

    program = """
@simd
def k(x : In[Array[float]], y : Out[Array[float]]):
    i : int = thread_id()
    s : float = 0.0
    for j in range(8):
        s = s + x[i] * j
    y[i] = s

def total(x : In[Array[float]], n : In[int]) -> float:
    s : float = 0.0
    for i in range(n):
        s = s + x[i]
    return s
"""
    assert "loma_watch" not in text(driver.core_module(program), Options())


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_command_line(tmp_path) -> None:
    program = tmp_path / "long.py"
    program.write_text("def f(x : In[float]) -> float:\n    y : float = x\n    print(y)\n"
                       "    while y > 0.0:\n        y = y + 1.0\n    return y\n")
    child = subprocess.Popen([sys.executable, "-m", "loma", "run", f"{program}:f", "x=1.0"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(0.3)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)
    assert child.returncode != 0 and "Traceback" not in err
