"""Programs that use the standard library, each beside the same in NumPy.

A program is the body of `f(x : In[Array[float]], y : Out[Array[float]])`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

Numbers: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Case:
    """A program, the sizes of its input and output, and what it should compute."""

    imports: str
    body: str
    size: int
    outputs: int
    meaning: Callable[[Numbers], Any]
    smooth: bool = True

    @property
    def text(self) -> str:
        """The whole program."""
        body = "\n".join(f"    {line}" for line in self.body.strip().splitlines())
        return (f"{self.imports}\n\ndef f(x : In[Array[float]], y : Out[Array[float]]):\n{body}\n"
                "d = fwd_diff(f)\nr = rev_diff(f)\n")


CASES: Final[dict[str, Case]] = {}


def vector(n: int, start: int) -> str:
    """A vector of some of the inputs."""
    return f"vec{n}({', '.join(f'x[{start + k}]' for k in range(n))})"


def stored(n: int, value: str, start: int = 0) -> str:
    """The elements of a vector to the outputs."""
    return f"v{start} = {value}\n" + "\n".join(
        f"y[{start + k}] = v{start}.{c}" for k, c in enumerate("xyzw"[:n]))


def matrix(n: int, start: int = 0) -> str:
    """A matrix of some of the inputs, row by row."""
    rows = ", ".join(vector(n, start + n * i) for i in range(n))
    return f"mat{n}.rows({rows})"


def spread(n: int, value: str) -> str:
    """The elements of a matrix to the outputs."""
    return (f"out = {value}\nfor i in range({n}):\n    for j in range({n}):\n"
            f"        y[{n} * i + j] = out[i, j]")


def unit(v: Numbers) -> Numbers:
    return v / np.sqrt(v @ v)


def vectors(n: int) -> None:
    imports = f"from loma.std.vec import vec{n}, dot, distance, length, lerp, normalize, project"
    a, b = f"a = {vector(n, 0)}\n", f"b = {vector(n, n)}\n"
    both = a + b

    def binary(name: str, body: str, meaning: Callable[[Numbers, Numbers], Any],
               outputs: int = n, smooth: bool = True) -> None:
        CASES[f"vec{n} {name}"] = Case(
            imports, both + body, 2 * n, outputs, lambda x: meaning(x[:n], x[n:]), smooth)

    binary("sum", stored(n, "a + b - 2 * a / 3 + -b * 0.5"),
           lambda a, b: a + b - 2 * a / 3 - b / 2)
    binary("products", stored(n, f"a * b / (b * b + vec{n}.full(1.0))"),
           lambda a, b: a * b / (b * b + 1))
    binary("dot", "y[0] = a @ b + a.dot(a) + dot(b, b)",
           lambda a, b: [a @ b + a @ a + b @ b], 1)
    binary("length", "y[0] = abs(a) + length(b) * a.length_squared() + distance(a, b)",
           lambda a, b: [np.sqrt(a @ a) + np.sqrt(b @ b) * (a @ a)
                         + np.sqrt((a - b) @ (a - b))], 1)
    binary("normalize", stored(n, "normalize(a) + 2 * b.normalized()"),
           lambda a, b: unit(a) + 2 * unit(b))
    binary("lerp", stored(n, "lerp(a, b, a.x)"), lambda a, b: a + a[0] * (b - a))
    binary("project", stored(n, "project(a, b)"), lambda a, b: (a @ b) / (b @ b) * b)
    binary("min max", stored(n, "a.min(b) * 2 + a.max(b)"),
           lambda a, b: 2 * np.minimum(a, b) + np.maximum(a, b))
    binary("items", f"for k in range({n}):\n    a[k] *= b[{n - 1} - k] + k\n" + stored(n, "a"),
           lambda a, b: a * (b[::-1] + np.arange(n)))
    binary("equal", "y[0] = 1.0 if a == a and a != b else 0.0", lambda a, b: [1.0], 1)


for dimension in (2, 3, 4):
    vectors(dimension)

CASES["vec2 cross and turned"] = Case(
    "from loma.std.vec import vec2", "a = vec2(x[0], x[1])\nb = vec2(x[2], x[3])\n"
    "t = a.turned()\ny[0] = a.cross(b)\ny[1] = t.x * x[2]\ny[2] = t.y",
    4, 3, lambda x: [x[0] * x[3] - x[1] * x[2], -x[1] * x[2], x[0]])
CASES["vec3 cross"] = Case(
    "from loma.std.vec import vec3, cross",
    f"a = {vector(3, 0)}\nb = {vector(3, 3)}\n" + stored(3, "cross(a, b) + b.cross(a * a)"),
    6, 3, lambda x: np.cross(x[:3], x[3:]) + np.cross(x[3:], x[:3] ** 2))
CASES["reflect"] = Case(
    "from loma.std.vec import vec3, reflect, normalize",
    f"a = {vector(3, 0)}\nn = normalize({vector(3, 3)})\n" + stored(3, "reflect(a, n)"),
    6, 3, lambda x: x[:3] - 2 * (x[:3] @ unit(x[3:])) * unit(x[3:]))


def refracted(x: Numbers) -> Numbers:
    a, n = unit(x[:3]), unit(x[3:6])
    c = a @ n
    k = 1 - 0.6**2 * (1 - c * c)
    result: Numbers = 0.6 * a - (0.6 * c + np.sqrt(k)) * n
    return result


CASES["refract"] = Case(
    "from loma.std.vec import vec3, refract, normalize",
    f"a = normalize({vector(3, 0)})\nn = normalize({vector(3, 3)})\n"
    + stored(3, "refract(a, n, 0.6)"), 6, 3, refracted)


def matrices(n: int) -> None:
    imports = (f"from loma.std.mat import mat{n}, determinant, inverse, solve, transpose\n"
               f"from loma.std.vec import vec{n}")
    m = f"m = {matrix(n)}\n"

    def square(name: str, body: str, meaning: Callable[[Numbers], Any], outputs: int) -> None:
        CASES[f"mat{n} {name}"] = Case(
            imports, m + body, n * n, outputs, lambda x: np.ravel(meaning(x.reshape(n, n))))

    square("sums", spread(n, f"m + 2 * m.transposed() - m / 4 + -m * 0.1 + mat{n}.identity()"),
           lambda m: m + 2 * m.T - m / 4 - 0.1 * m + np.eye(n), n * n)
    square("product", spread(n, "m @ transpose(m) @ m"), lambda m: m @ m.T @ m, n * n)
    square("times vector", stored(n, "m @ m[1] + m.column(0) * m.trace()"),
           lambda m: m @ m[1] + m[:, 0] * np.trace(m), n)
    square("determinant", "y[0] = m.determinant() + determinant(m @ m)",
           lambda m: [np.linalg.det(m) + np.linalg.det(m @ m)], 1)
    square("inverse", spread(n, "m.inverse()"), np.linalg.inv, n * n)
    square("inverse twice", spread(n, "inverse(m @ m.inverse() + m)"),
           lambda m: np.linalg.inv(np.eye(n) + m), n * n)
    square("solve", stored(n, "solve(m, m.row(0)) + m.solve(m.column(1) * m[0, 0])"),
           lambda m: np.linalg.solve(m, m[0]) + np.linalg.solve(m, m[:, 1] * m[0, 0]), n)
    square("made", "m[0, 1] = m[1, 0] * 2\nm[1, 1] += m[0, 1]\n"
           + spread(n, f"mat{n}.diagonal(m.row(0)) @ mat{n}.columns({', '.join(['m[1]'] * n)})"),
           lambda m: made(m.copy()), n * n)


def made(m: Numbers) -> Numbers:
    m[0, 1] = m[1, 0] * 2
    m[1, 1] += m[0, 1]
    result: Numbers = np.diag(m[0]) @ np.stack([m[1]] * len(m), axis=1)
    return result


for dimension in (2, 3, 4):
    matrices(dimension)

CASES["outer"] = Case(
    "from loma.std.mat import outer\nfrom loma.std.vec import vec3",
    spread(3, f"outer({vector(3, 0)}, {vector(3, 3)})"), 6, 9,
    lambda x: np.outer(x[:3], x[3:]).ravel())
CASES["solve of any size"] = Case(
    "from loma.std.linalg import solve",
    "a : Array[float, 5, 5]\nb : Array[float, 5]\ns : Array[float, 5]\n"
    "for i in range(5):\n    b[i] = x[i]\n    for j in range(5):\n"
    "        a[i, j] = x[(7 * i + 3 * j) % 11] * (1 + i * j % 3)\n"
    "solve(a, b, s)\nfor i in range(5):\n    y[i] = s[i]", 11, 5,
    lambda x: np.linalg.solve(
        np.array([[x[(7 * i + 3 * j) % 11] * (1 + i * j % 3) for j in range(5)]
                  for i in range(5)]), x[:5]))


def hamilton(a: Numbers, b: Numbers) -> Numbers:
    """The product of two quaternions, by scalar and vector parts."""
    return np.array([a[0] * b[0] - a[1:] @ b[1:],
                     *(a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:]))])


def conjugate(a: Numbers) -> Numbers:
    return a * np.array([1, -1, -1, -1])


def turned(q: Numbers, v: Numbers) -> Numbers:
    return hamilton(hamilton(q, np.array([0, *v])), conjugate(q))[1:]


def rotation(axis: Numbers, angle: float) -> Numbers:
    """Rodrigues' formula."""
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    result: Numbers = np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k
    return result


QUAT = "from loma.std.quat import quat, slerp\nfrom loma.std.vec import vec3"
TWO = ("p = quat(x[0], x[1], x[2], x[3])\nq = quat(x[4], x[5], x[6], x[7])\n")
PARTS = "\ny[0] = z.w\ny[1] = z.x\ny[2] = z.y\ny[3] = z.z"
CASES["quaternion product"] = Case(
    QUAT, TWO + "z = p * q - q * (0.5 * p) / 2 + -p" + PARTS, 8, 4,
    lambda x: hamilton(x[:4], x[4:]) - hamilton(x[4:], x[:4]) / 4 - x[:4])
CASES["quaternion inverse"] = Case(
    QUAT, TWO + "z = p.inverse() * abs(q) + q.conjugate() * p.dot(q) * quat.identity()" + PARTS,
    8, 4, lambda x: conjugate(x[:4]) / (x[:4] @ x[:4]) * np.sqrt(x[4:] @ x[4:])
    + conjugate(x[4:]) * (x[:4] @ x[4:]))
CASES["quaternion rotates"] = Case(
    QUAT, TWO + stored(3, "p.normalized().rotate(vec3(q.x, q.y, q.z))"), 8, 3,
    lambda x: turned(unit(x[:4]), x[5:]))
CASES["quaternion of an axis"] = Case(
    QUAT, spread(3, "quat.turning(vec3(x[0], x[1], x[2]).normalized(), x[3]).matrix()"), 4, 9,
    lambda x: rotation(unit(x[:3]), x[3]).ravel())


def arc(x: Numbers, t: float) -> Numbers:
    a, b = unit(x[:4]), unit(x[4:])
    if a @ b < 0:
        b = -b
    w = np.arccos(a @ b)
    result: Numbers = (np.sin((1 - t) * w) * a + np.sin(t * w) * b) / np.sin(w)
    return result


CASES["slerp"] = Case(
    QUAT, TWO + "z = slerp(p.normalized(), q.normalized(), 0.3)" + PARTS, 8, 4,
    lambda x: arc(x, 0.3))
CASES["slerp the other way"] = Case(
    QUAT, TWO + "z = slerp(p.normalized(), -q.normalized(), 0.8)" + PARTS, 8, 4,
    lambda x: arc(np.array([*x[:4], *-x[4:]]), 0.8))

TABLE = "t : Array[float, 6]\nfor i in range(6):\n    t[i] = x[i]\n"


def summed(x: Numbers) -> float:
    return float(np.log(np.sum(np.exp(x))))


CASES["logsumexp"] = Case(
    "from loma.std.logexp import logsumexp", TABLE + "y[0] = logsumexp(t)", 6, 1,
    lambda x: [summed(x)])
CASES["softmax"] = Case(
    "from loma.std.logexp import softmax",
    TABLE + "s : Array[float, 6]\nsoftmax(t, s)\nfor i in range(6):\n    y[i] = s[i]", 6, 6,
    lambda x: np.exp(x) / np.sum(np.exp(x)))
CASES["logaddexp and others"] = Case(
    "from loma.std.logexp import logaddexp, sigmoid, softplus",
    "y[0] = logaddexp(x[0], x[1])\ny[1] = sigmoid(x[2]) + sigmoid(-x[3])\n"
    "y[2] = softplus(x[4]) + softplus(-x[5])", 6, 3,
    lambda x: [np.logaddexp(x[0], x[1]), 1 / (1 + np.exp(-x[2])) + 1 / (1 + np.exp(x[3])),
               np.log1p(np.exp(x[4])) + np.log1p(np.exp(-x[5]))])
CASES["linear"] = Case(
    "from loma.std.interp import linear",
    TABLE + "y[0] = linear(t, 2.0 + x[0]) + linear(t, -1.0 - x[1] * x[1])\n"
    "y[1] = linear(t, 5.5 + x[2] * x[2])", 6, 2,
    lambda x: [np.interp(2 + x[0], range(6), x) + x[0], x[5]])
CASES["table"] = Case(
    "from loma.std.interp import table",
    TABLE + "p : Array[float, 6]\nfor i in range(6):\n    p[i] = i * i + 0.1 * x[i]\n"
    "y[0] = table(p, t, 7.0 + x[0]) + table(p, t, -2.0)\ny[1] = table(p, t, 30.0 + x[1])", 6, 2,
    lambda x: [np.interp(7 + x[0], np.arange(6) ** 2 + 0.1 * x, x) + x[0], x[5]])


def on_grid(x: Numbers) -> list[float]:
    a = x.reshape(3, 4)
    rows = [np.interp(1.4 + x[1], range(4), row) for row in a]
    return [float(np.interp(0.6 + x[0], range(3), rows)), a[2, 0]]


CASES["bilinear"] = Case(
    "from loma.std.interp import bilinear",
    "a : Array[float, 3, 4]\nfor i in range(3):\n    for j in range(4):\n"
    "        a[i, j] = x[4 * i + j]\n"
    "y[0] = bilinear(a, 0.6 + x[0], 1.4 + x[1])\ny[1] = bilinear(a, 9.0, -3.0)", 12, 2, on_grid)


def spline(y: Numbers, at: float) -> float:
    """Cubic Hermite polynomials in the Bernstein basis."""
    i = min(int(at), len(y) - 2)
    t = at - i
    a, b, c, d = (y[min(max(k, 0), len(y) - 1)] for k in range(i - 1, i + 3))
    p = [b, b + (c - a) / 6, c - (d - b) / 6, c]
    w = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3]
    return float(np.dot(p, w))


CASES["cubic"] = Case(
    "from loma.std.interp import cubic",
    TABLE + "y[0] = cubic(t, 2.5 + 0.2 * x[0])\ny[1] = cubic(t, 0.4 + 0.1 * x[1])\n"
    "y[2] = cubic(t, 4.6) + cubic(t, -3.0)", 6, 3,
    lambda x: [spline(x, 2.5 + 0.2 * x[0]), spline(x, 0.4 + 0.1 * x[1]), spline(x, 4.6) + x[0]])
CASES["scalar"] = Case(
    "from loma.std.scalar import lerp, smoothstep",
    "y[0] = lerp(x[0], x[1], x[2])\ny[1] = smoothstep(0.5 + 0.1 * x[3])\n"
    "y[2] = smoothstep(3.0 + x[1]) + smoothstep(-2.0)", 4, 3,
    lambda x: [x[0] + x[2] * (x[1] - x[0]),
               (lambda t: t * t * (3 - 2 * t))(0.5 + 0.1 * x[3]), 1.0])
