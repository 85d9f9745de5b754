"""Mutated programs are loaded or refused, in bounded time; nothing else happens.

The default is small; `LOMA_FUZZ_COUNT` and `LOMA_FUZZ_SEED` make it large.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable

import pytest
from frontend.programs import PROGRAMS

from loma.diagnostics import UserError
from loma.frontend import load

COUNT = int(os.environ.get("LOMA_FUZZ_COUNT", "400"))
SEED = int(os.environ.get("LOMA_FUZZ_SEED", "20240901"))
LIMIT_S = 10.0
TOKEN = re.compile(r"\n[ ]*|[A-Za-z_]\w*|[0-9.]+|\s+|:=|->|[<>=!]=|.", re.DOTALL)
ODD = (
    "é", "变量", "𝔵", "\u202e", "\0", "\ud800", "\t", "\x0c", "\r", "\\", "#", '"', "'", '"""', "$",
    "9" * 400, "9" * 5000, "1e999", "1e-999", "0x" + "f" * 300, "1_000", "0777", "1j", "-", "not",
    "lambda", "class", "def", "return", "if", "else", "while", "for", "break", "import", "yield",
    "await", "async", "None", "True", "...", "(", ")", "[", "]", "{", "}", ":", ",", ".", "@", "*",
    "**", "//", "%", "=", "==", ":=", "->", "int", "float", "Array", "Diff", "In", "Out", "InOut",
    "Tape", "_dfloat", "_d_dfloat", "_dVec3", "Vec3", "thread_id()", "atomic_add", "push", "pop",
    "fwd_diff", "rev_diff", "make__dfloat", "x", "n", "i", "0", "1", "2147483648", "\n", "\n    ",
)


def drop(tokens: list[str], rng: random.Random) -> None:
    """Leaves one token out."""
    del tokens[rng.randrange(len(tokens))]


def double(tokens: list[str], rng: random.Random) -> None:
    """Writes one token twice."""
    at = rng.randrange(len(tokens))
    tokens.insert(at, tokens[at])


def swap(tokens: list[str], rng: random.Random) -> None:
    """Exchanges two tokens."""
    a, b = rng.randrange(len(tokens)), rng.randrange(len(tokens))
    tokens[a], tokens[b] = tokens[b], tokens[a]


def copy(tokens: list[str], rng: random.Random) -> None:
    """Overwrites one token by another of the program: the result often parses."""
    tokens[rng.randrange(len(tokens))] = rng.choice(tokens)


def insert(tokens: list[str], rng: random.Random) -> None:
    """Inserts something odd."""
    tokens.insert(rng.randrange(len(tokens)), rng.choice(ODD))


def replace(tokens: list[str], rng: random.Random) -> None:
    """Overwrites one token by something odd."""
    tokens[rng.randrange(len(tokens))] = rng.choice(ODD)


def rename(tokens: list[str], rng: random.Random) -> None:
    """Gives one name, everywhere, another spelling."""
    names = [t for t in tokens if t.isidentifier()]
    if names:
        old, new = rng.choice(names), rng.choice([*names, "é", "sin", "_dfloat", "double"])
        tokens[:] = [new if t == old else t for t in tokens]


def nest(tokens: list[str], rng: random.Random) -> None:
    """Wraps one token in many brackets or operators."""
    at, depth = rng.randrange(len(tokens)), rng.choice((3, 60, 150, 300, 3000))
    left, right = rng.choice((("(", ")"), ("[", "]"), ("sin(", ")"), ("-", ""), ("not ", ""),
                              ("1+", ""), ("1**", ""), ("Array[", "]"), ("Diff[", "]"),
                              ("", ".x"), ("", "[0]"), ("", "(1)"), ("lambda:", "")))
    tokens[at] = left * depth + tokens[at] + right * depth


def cut(tokens: list[str], rng: random.Random) -> None:
    """Ends the file early."""
    del tokens[rng.randrange(len(tokens)) + 1:]


MUTATIONS: tuple[Callable[[list[str], random.Random], None], ...] = (
    drop, double, swap, copy, copy, copy, insert, replace, rename, rename, nest, cut)


def mutant(rng: random.Random) -> str:
    """A program with a few faults."""
    tokens = TOKEN.findall(rng.choice(PROGRAMS))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if tokens:
            rng.choice(MUTATIONS)(tokens, rng)
    return "".join(tokens)


@pytest.mark.parametrize("program", PROGRAMS)
def test_seeds_are_valid(program: str) -> None:
    """The programs that the fuzzer starts from load."""
    assert load(program).functions


@pytest.mark.parametrize(("seed", "count"), [(SEED, COUNT)])
def test_mutants(seed: int, count: int) -> None:
    """Each mutant loads or raises a UserError that can be shown."""
    refused = 0
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        program = mutant(rng)
        start = time.perf_counter()
        try:
            load(program, "fuzz.loma")
        except UserError as error:
            refused += 1
            assert error.to_string(), f"mutant {number}"
        except BaseException as error:
            where = f"seed {seed}, mutant {number}: {error!r}"
            raise AssertionError(f"{where}\n{program[:3000]}") from error
        assert time.perf_counter() - start < LIMIT_S, f"seed {seed}, mutant {number}"
    assert refused > count // 2
