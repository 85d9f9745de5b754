"""Random kernels that programs launch, and functions that launch derivatives of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from properties.scope import FLOAT, INT, LENGTH, Callee, Formal, Variable, spelled
from properties.statements import Writer

from loma.ir.types import ArrayType, StructType, Type

if TYPE_CHECKING:
    from properties.generator import Generator

ARRAY: Final = ArrayType(FLOAT)


def write_kernel(g: Generator) -> None:
    """A kernel for launches; perhaps its derivatives, and functions that launch these."""
    name = g.page.fresh("k")
    read = _read(g)
    owned = Formal(g.page.fresh("y"), ARRAY, g.rng.choice(["Out", "InOut"]))
    shared = [Formal(g.page.fresh("y"), t, g.rng.choice(["Out", "Out", "InOut"]))
              for t in g.rng.sample([FLOAT, ARRAY], g.rng.randint(0, 2))]
    formals = [*read, owned, *shared]
    g.rng.shuffle(formals)
    g.page.line("@simd")
    g.header(name, formals, None)
    _body(g, read, owned, shared)
    threads = Formal("threads", INT, small=True)
    marks = ", ".join(f"{{{k + 1}}}" for k in range(len(formals)))
    shape = f"{name}[{{0}} + 1]({marks})"
    g.callees.append(Callee(name, [threads, *formals], None, shape=shape))
    simple = all(not isinstance(f.type, StructType) for f in formals)
    if simple and "nested_ad" in g.features and g.order < 3 and g.rng.random() < 0.4:
        g.rng.choice([_forward, _reverse])(g, name, formals)


def _body(g: Generator, read: list[Formal], owned: Formal, shared: list[Formal]) -> None:
    """Each thread writes its own element, and adds to what all of them share."""
    i = g.page.fresh("i")
    g.page.line(f"    {i} : int = thread_id()")
    s = g.scope(read, None, kernel=True)
    s.variables.append(Variable(i, INT, writable=False, counter=True))
    if owned.direction == "InOut":
        own = g.page.fresh("v")
        g.page.line(f"    {own} : float = 0.5 * {owned.name}[{i}]")
        s.variables.append(Variable(own, FLOAT))
    s.variables.append(Variable(owned.name, ARRAY, readable=False, tame=False, only_at=i))
    g.body(s, g.rng.randint(1, 3))
    writer = Writer(g.rng, g.page, g.features)
    g.page.line(f"    {owned.name}[{i}] = {writer.tame(s)}")
    for f in shared:
        place = f.name if f.type is FLOAT else f"{f.name}[wrap({i} * 3, {LENGTH})]"
        g.page.line(f"    atomic_add({place}, {writer.tame(s)})")


def _read(g: Generator) -> list[Formal]:
    options: list[Type] = [FLOAT, INT, ARRAY, ARRAY, ArrayType(INT)]
    options += [StructType(n) for n in g.structs]
    found = [Formal(g.page.fresh("x"), FLOAT)]
    for _ in range(g.rng.randint(0, 2)):
        found.append(Formal(g.page.fresh("x"), g.rng.choice(options)))
    return found


def _memory(g: Generator, name: str, member: str = "") -> None:
    """Fills a local array."""
    g.page.line(f"    for i in range({LENGTH}):")
    g.page.line(f"        {name}[i]{member} = sin(x + {g.rng.choice(['0.3', '0.7'])} * i)")


def _forward(g: Generator, kernel: str, formals: list[Formal]) -> None:
    """h(x): tangents of what the kernel writes."""
    name, d = g.page.fresh("h"), g.page.fresh("d")
    g.page.line(f"{d} = fwd_diff({kernel})")
    g.page.line(f"def {name}(x : In[float]) -> float:")
    operands, sums = [], ["0.5 * x"]
    for k, f in enumerate(formals):
        a = f"a{k}"
        operands.append(a)
        if f.type is FLOAT:
            g.page.line(f"    {a} : Diff[float]")
            g.page.line(f"    {a}.val = x")
            g.page.line(f"    {a}.dval = {g.rng.choice(['0.5', 'x'])}")
        elif f.type == ARRAY:
            g.page.line(f"    {a} : Array[Diff[float], {LENGTH}]")
            _memory(g, a, ".val")
            _memory(g, a, ".dval")
        else:
            _plain(g, a, f.type)
        if f.direction != "In":
            sums.append(f"{a}.dval" if f.type is FLOAT else f"{a}[1].dval - 0.3 * {a}[2].val")
    g.page.line(f"    {d}[{g.rng.randint(1, LENGTH)}]({', '.join(operands)})")
    g.page.line(f"    return {' + '.join(sums)}")
    g.callees.append(Callee(name, [Formal("x", FLOAT)], FLOAT))


def _plain(g: Generator, name: str, t: Type) -> None:
    size = f"Array[int, {LENGTH}]" if isinstance(t, ArrayType) else spelled(t)
    g.page.line(f"    {name} : {size}")


def _reverse(g: Generator, kernel: str, formals: list[Formal]) -> None:
    """h(x): a sum of adjoints of what the kernel reads."""
    name, d = g.page.fresh("h"), g.page.fresh("d")
    g.page.line(f"{d} = rev_diff({kernel})")
    g.page.line(f"def {name}(x : In[float]) -> float:")
    operands, sums = [], ["0.5 * x"]
    for k, f in enumerate(formals):
        wanted = [f"b{k}"] if f.direction == "Out" else [f"a{k}", f"b{k}"]
        operands += wanted
        for a in wanted:
            if f.type is FLOAT:
                g.page.line(f"    {a} : float = cos(x + {k})")
            elif f.type == ARRAY:
                g.page.line(f"    {a} : Array[float, {LENGTH}]")
                _memory(g, a)
            else:
                _plain(g, a, f.type)
        if f.direction != "Out" and f.type in (FLOAT, ARRAY):
            sums.append(f"b{k}" if f.type is FLOAT else f"b{k}[1] - 0.3 * b{k}[2]")
    g.page.line(f"    {d}[{g.rng.randint(1, LENGTH)}]({', '.join(operands)})")
    g.page.line(f"    return {' + '.join(sums)}")
    g.callees.append(Callee(name, [Formal("x", FLOAT)], FLOAT))
