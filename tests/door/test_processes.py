"""Threads, forks and spawned processes; what is compiled lasts in the disk cache."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import loma
from loma import Array, In, Out, sin, thread_id

FILE = '''
import sys, time
import numpy as np
import loma
from loma import Array, In, Out, sin, thread_id

@loma.kernel
def k(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = sin(a * x[i])

print(float(k(2.0, np.ones(3))[0]), loma.grad(loma.load("""
def f(x : In[float]) -> float:
    return x * x
""").f)(3.0).x)
print("loma.ad.reverse" in sys.modules)
'''

POOL = '''
import multiprocessing, sys
import numpy as np
import loma
from loma import Array, In, Out, sin, thread_id

@loma.kernel
def k(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = sin(a * x[i])

def job(n):
    return float(k(1.0, np.full(3, float(n)))[0])

if __name__ == "__main__":
    first = job(1)
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        assert np.allclose(pool.map(job, range(4)), np.sin(range(4)))
        assert np.allclose(pool.apply(k, (1.0, np.ones(2))), np.sin(1))
    print("fine")
'''


@loma.kernel
def k(a: In[float], x: In[Array[float]], y: Out[Array[float]]):
    i: int = thread_id()
    y[i] = sin(a * x[i])


@loma.function
def spin(n: In[int]) -> float:
    s: float = 0.0
    for i in range(n):
        s = sin(s + 1.0)
    return s


def job(n: int) -> float:
    return float(k(1.0, np.full(3, float(n)))[0])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes(method: str, tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(POOL)
    done = subprocess.run([sys.executable, str(path), method], capture_output=True, text=True,
                          timeout=100, check=False)
    assert done.stdout.split() == ["fine"], done.stderr


def test_a_fork_while_another_thread_compiles() -> None:
    def compile_many() -> None:
        for i in range(10):
            loma.load(f"def f(x : In[float]) -> float:\n    return x * {i}\n").f(1.0)

    worker = threading.Thread(target=compile_many)
    worker.start()
    for _ in range(3):
        child = os.fork()
        if not child:
            os._exit(0 if abs(job(2) - np.sin(2)) < 1e-15 else 1)
        assert os.waitpid(child, 0)[1] == 0
    worker.join()


def test_eight_threads() -> None:
    x = np.linspace(0, 1, 20_000)
    wrong: list[int] = []

    def run(n: int) -> None:
        for _ in range(30):
            if not np.allclose(k(float(n), x), np.sin(n * x)):
                wrong.append(n)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_eight_threads_compile_at_once() -> None:
    f = loma.load("def f(x : In[float]) -> float:\n    return x * x * 1.5\n").f
    found: list[float] = []
    threads = [threading.Thread(target=lambda: found.append(loma.grad(f)(2.0).x))
               for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert found == [6.0] * 8


def test_the_lock_of_python_is_released() -> None:
    spin(1)
    n = 1_000_000
    start = time.perf_counter()
    spin(n)
    n = int(n * 0.5 / (time.perf_counter() - start))
    for _ in range(2):  # interpreted, then compiled call
        worker = threading.Thread(target=spin, args=(n,))
        worker.start()
        ticks = 0
        while worker.is_alive():
            time.sleep(0.005)
            ticks += 1
        assert ticks > 10


def test_a_warm_start(tmp_path: Path) -> None:
    """The second process neither differentiates nor compiles."""
    path = tmp_path / "program.py"
    path.write_text(FILE)
    environment = {**os.environ, "LOMA_CACHE_DIR": str(tmp_path / "cache")}
    for _ in range(2):
        done = subprocess.run([sys.executable, str(path)], env=environment, capture_output=True,
                              text=True, check=True)
        value, gradient = map(float, done.stdout.split()[:2])
        assert value == pytest.approx(np.sin(2)) and gradient == 6
