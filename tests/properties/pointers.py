"""Random structs that share arrays: pointers that are assigned, followed, and passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from properties.expressions import condition, filled, float_expr, leaf
from properties.scope import FLOAT, LENGTH, Place, Scope, Variable

from loma.ir.types import ArrayType

if TYPE_CHECKING:
    from properties.statements import Writer

HELPERS: Final = f"""class PtrBox:
    a : Array[float]
    k : float

def ptr_total(b : In[PtrBox], n : In[int]) -> float:
    if n < 1:
        return 0.3 * b.k
    return 0.4 * b.a[n] * b.k + 0.5 * ptr_total(b, n - 1)

def ptr_walk(b : In[PtrBox], c : In[PtrBox], n : In[int]) -> float:
    if n < 1:
        return b.a[0] * c.k
    d : PtrBox = b
    if sin(b.a[n]) < 0.3 * n:
        d.a = c.a
        d.k = 0.5 * b.k * c.a[n]
    return 0.4 * ptr_walk(d, b, n - 1) + 0.3 * d.a[0]

def ptr_pick(b : In[PtrBox], c : In[PtrBox], first : In[bool]) -> PtrBox:
    if first:
        return b
    d : PtrBox = c
    d.k = 0.7 * b.k
    return d

def ptr_find(b : In[PtrBox], c : In[PtrBox], n : In[int]) -> PtrBox:
    if n < 1 or sin(b.a[n]) < 0.2 * c.k:
        return c
    d : PtrBox = ptr_find(c, b, n - 1)
    d.k = 0.5 * d.k + 0.2 * b.a[n] * d.a[0]
    return d

def ptr_turn(b : InOut[PtrBox], c : In[PtrBox], x : In[Array[float]], n : In[int]) -> float:
    if n < 1:
        return 0.4 * b.a[0] * b.k
    s : float = b.a[n]
    if s < 0.5 * n:
        b.a = x
        b.k = sin(c.a[n])
    elif s < c.k:
        b = c
    return 0.3 * ptr_turn(b, c, x, n - 1) + 0.2 * s * b.a[1]

def ptr_scale(b : InOut[PtrBox], x : In[float], n : In[int]):
    if n > 0:
        b.k = 0.5 * b.k + 0.2 * x * b.a[n % {LENGTH}]
        ptr_scale(b, 0.5 * x, n - 1)
"""


def helpers(lines: list[str]) -> list[str]:
    """What the lines of a program need."""
    return HELPERS.splitlines() if any("PtrBox" in line for line in lines) else []


def array(s: Scope, p: Place) -> str:
    """An array of unknown length: a place, or all of its elements."""
    assert isinstance(p.type, ArrayType)
    return filled(s, p, 0) + ("" if p.type.size is None else f"[0:{p.type.size}]")


def pointer(w: Writer, s: Scope) -> bool:
    """A loop over structs that share the arrays in scope; a variable holds what it computes."""
    may_write = w.rng.random() < 0.5
    places = s.places(ArrayType(FLOAT), write=may_write)
    arrays = [array(s, p) for p in places if p.variable.readable and not p.variable.only_at]
    if not arrays or s.kernel or s.loops > 1:
        return False
    p, q, b, i, v = (w.page.fresh(k) for k in ("p", "q", "b", "i", "v"))
    w.page.line(f"{p} : PtrBox = PtrBox({w.rng.choice(arrays)}, {leaf(s, 0)})")
    w.page.line(f"{q} : PtrBox = {p}")
    w.page.line(f"{b} : Array[PtrBox, 2]")
    w.page.line(f"{b}[{w.rng.randint(0, 1)}] = {q}")
    w.page.line(f"{b}[0] = {p}")
    w.page.line(f"{b}[1].a = {w.rng.choice(arrays)}")
    w.page.line(f"{v} : float = 0.5")
    w.page.line(f"for {i} in range({w.rng.randint(1, 3)}):")
    w.page.level += 1
    inside = s.inner()
    inside.variables.append(Variable(v, FLOAT, tame=False))
    for _ in range(w.rng.randint(2, 5)):
        line(w, inside, (p, q, b, i, v), arrays, may_write)
    w.page.line(f"{v} = 0.5 * {v} + 0.4 * sin({p}.a[{i}] * {q}.k) + 0.2 * {b}[{i} % 2].a[1]")
    w.page.level -= 1
    s.variables.append(Variable(v, FLOAT, tame=False))
    return True


def line(
    w: Writer, s: Scope, names: tuple[str, ...], arrays: list[str], may_write: bool
) -> None:
    """One thing that happens to the structs."""
    p, q, b, i, v = names
    if w.rng.random() < 0.5:
        p, q = q, p
    a, small = w.rng.choice(arrays), f"sin({float_expr(s, 1)})"
    options = [
        f"{p} = {q}",
        f"{p}.a = {q}.a",
        f"{p}.k = {small}",
        f"{p} = PtrBox({a}, {small})",
        f"{b}[{i} % 2] = {p}",
        f"{p} = {b}[({i} + 1) % 2]",
        f"{b}[0], {b}[1] = {b}[1], {b}[0]",
        f"{p} = ptr_pick({q}, {b}[{i} % 2], {condition(s, 0)})",
        f"{p} = {q} if {condition(s, 0)} else {b}[1]",
        f"{v} = {v} + 0.2 * ptr_total({p}, {w.rng.randint(0, 3)})",
        f"{v} = 0.5 * {v} + 0.2 * ptr_walk({p}, {b}[{i} % 2], {w.rng.randint(0, 2)})",
        f"{p} = ptr_find({q}, {b}[{i} % 2], {w.rng.randint(0, 3)})",
        f"{v} = 0.4 * {v} + 0.3 * ptr_turn({p}, {q}, {a}, {w.rng.randint(0, 3)})",
        f"ptr_scale({p}, 0.3 * {v}, 2)",
        f"{p}.a = {a}",
    ]
    if may_write:
        options += [f"{p}.a[{i}] = sin({p}.a[{i}] * {v} + {q}.k)", f"{b}[{i} % 2].a[0] = {small}"]
    chosen = w.rng.choice(options)
    if w.rng.random() < 0.4:
        w.page.line(f"if {condition(s, 0)}:")
        w.page.line(f"    {chosen}")
        if w.rng.random() < 0.2:
            w.page.line(f"    {w.rng.choice(['break', 'continue'])}")
    else:
        w.page.line(chosen)
