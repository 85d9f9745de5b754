"""Malformed programs: random damage to valid ones, and texts at the edge of what can be read."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from random import Random

from properties.generator import generate

TOKEN = re.compile(r"\n[ ]*|[A-Za-z_]\w*|\d+\.?\d*|[<>=!]=|:=|->|\S|[ ]+")
STRANGE = [
    "lambda",
    "yield",
    "None",
    "self",
    "@simd",
    "...",
    "**",
    "//",
    "%",
    "+=",
    ":=",
    "'text'",
    "f'{x}'",
    "1e400",
    "9" * 400,
    "0x1F",
    "1j",
    "é",
    "ℝ",
    "変数",
    "\u202e",
    "\x00",
    "\t",
    "\\",
    ";",
    "#",
    '"""',
    "Array",
    "Out",
    "Diff[",
    "In[",
    "]",
    ")",
    "(",
    "[",
    ":",
    "class",
    "def",
    "return",
    "while",
    "for",
    "import os",
    "del x",
    "global x",
    "try:",
    "with x:",
    "assert",
    "raise",
    "async",
    "match",
    "int",
    "float",
    "bool",
    "f32",
    "thread_id()",
    "2147483648",
    "-0.0",
    "fwd_diff(f)",
    "rev_diff(rev_diff(f))",
    "atomic_add(x, 1.0)",
    "max_iter := 0",
    "__init__",
    "exec('1')",
    "T",
    'T = TypeVar("T")',
    "Callable[[float], float]",
    "lambda x: x",
    "sum(x for i in range(3))",
    "argmax(",
    "parallel(3)",
    "[3](x)",
    "[1:]",
    "x[:]",
    "flat(x)",
    "len(x)",
    ".shape[0]",
    '"n"',
    "x, y = y, x",
    "return x, x",
    "tuple[float, int]",
    "Stack[float]",
    ".push(x)",
    ".pop()",
    ".size()",
    "print(x)",
    "assert x, f'{x}'",
    "stop_gradient(x)",
    "NoDiff[float]",
    "@custom_rev(f)",
    "@custom_fwd(f)",
    "@staticmethod",
    "def __add__(self, x : In[float]) -> float:",
    "import loma.std.vec",
    "from loma.std.quat import *",
    "Generic[T]",
    "InOut",
    "is not",
]
DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"```loma(?: f64| error E\d+)?\n(.*?)```", re.DOTALL)


@cache
def examples() -> tuple[str, ...]:
    """The programs of the reference: together they have every construct."""
    pages = (p.read_text() for p in sorted(DOCS.glob("*.md")))
    return tuple(found for page in pages for found in BLOCK.findall(page))


def malformed(seed: int) -> str:
    """The damaged program of a seed (a few are still valid)."""
    rng = Random(seed)
    if rng.random() < 0.06:
        return extreme(rng)
    text = valid(rng)
    if rng.random() < 0.05:
        return characters(text, rng)
    tokens = TOKEN.findall(text)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        damage(tokens, rng)
    if rng.random() < 0.2:
        transplant(tokens, TOKEN.findall(valid(rng)), rng)
    return "".join(tokens)


def valid(rng: Random) -> str:
    """A program to damage: a random one, or one of the reference."""
    if rng.random() < 0.5:
        return rng.choice(examples())
    return generate(rng.randrange(400), order=rng.randrange(3), size=3).text


def transplant(tokens: list[str], other: list[str], rng: Random) -> None:
    """A part of another program, written over a part of this one."""
    i, j, n = rng.randrange(len(tokens)), rng.randrange(len(other)), rng.randint(1, 40)
    tokens[i : i + rng.randint(0, n)] = other[j : j + n]


def damage(tokens: list[str], rng: Random) -> None:
    """One change to a list of tokens."""
    if len(tokens) < 3:
        return
    i, j = rng.randrange(len(tokens)), rng.randrange(len(tokens))
    match rng.randrange(7):
        case 0:
            del tokens[i]
        case 1:
            tokens[i], tokens[j] = tokens[j], tokens[i]
        case 2:
            tokens.insert(i, tokens[i])
        case 3:
            tokens[i] = tokens[j]
        case 4:
            tokens[i] = rng.choice(STRANGE)
        case 5:
            tokens.insert(i, f" {rng.choice(STRANGE)} ")
        case _:
            a, b = min(i, j), max(i, j)
            del tokens[a:min(b, a + 30)]


def characters(text: str, rng: Random) -> str:
    """Random characters written over the text."""
    found = list(text)
    for _ in range(rng.randint(1, 20)):
        found[rng.randrange(len(found))] = chr(
            rng.choice([rng.randrange(128), rng.randrange(0x3000)])
        )
    return "".join(found)


def extreme(rng: Random) -> str:
    """Nesting, lengths and literals beyond what anyone writes."""
    n = rng.choice([50, 300, 3000])
    return rng.choice(
        [
            "def f(x : In[float]) -> float:\n    return " + "(" * n + "x" + ")" * n + "\n",
            "def f(x : In[float]) -> float:\n    return " + "-" * n + "x\n",
            "def f(x : In[float]) -> float:\n    return " + "sin(" * n + "x" + ")" * n + "\n",
            "def f(x : In[float]) -> float:\n    return " + " + ".join(["x"] * n) + "\n",
            "def f(x : In[float]) -> float:\n    return x * " + "9" * (n * 2) + "\n",
            "def f(x : In[float]) -> float:\n    return x * 1e" + "9" * n + "\n",
            "def f("
            + ", ".join(f"x{i} : In[float]" for i in range(n))
            + ") -> float:\n    return x0\n",
            "def f(x : In[" + "Array[" * n + "float" + "]" * n + "]) -> float:\n    return 1.0\n",
            "def f(x : In[float]):\n"
            + "".join("    " * (i + 1) + "if x > 0.0:\n" for i in range(min(n, 300)))
            + "    " * (min(n, 300) + 1)
            + "return\n",
            f"def f(x : In[float]) -> float:\n    a : Array[float, {'9' * 12}]\n    return x\n",
            f"def {'f' * n * 10}(x : In[float]) -> float:\n    return x\n",
            "class A:\n    b : B\nclass B:\n    a : A\ndef f(x : In[A]):\n    return\n",
            "def f(x : In[float]) -> float:\n    return x\n"
            + "".join(
                f"d{i} = fwd_diff({'f' if i == 0 else f'd{i - 1}'})\n" for i in range(min(n, 8))
            ),
            "",
            "\n" * n,
            "\ufeff" + "pass\n",
            "\x00",
            "# nothing\n",
            "d = fwd_diff(d)\n",
            "\r\n\r\n",
            "'" * n,
            "\\\n" * n,
        ]
    )
