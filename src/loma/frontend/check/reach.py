"""Which definitions a program needs: its own, and of imported files what these reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from loma.frontend import typed


def needed(
    functions: Mapping[str, typed.Function],
    derivatives: Iterable[typed.Derivative],
    internal: frozenset[str],
    calls: Mapping[str, set[str]],
    rules: Iterable[typed.Derivative],
) -> tuple[dict[str, typed.Function], tuple[typed.Derivative, ...]]:
    """The functions and derivatives without internal ones that nobody needs; internal ones are not
    exported.
    """
    primals = {d.name: d.primal for d in derivatives}
    todo = [name for name in (*functions, *primals) if name not in internal]
    kept = set[str]()
    while todo:
        name = todo.pop()
        if name not in kept:
            kept.add(name)
            todo += calls.get(name, ())
            todo += [primals[name]] if name in primals else []
            todo += [r.name for r in rules if r.primal == name]
    return (
        {n: replace(f, exported=False) if n in internal else f
         for n, f in functions.items() if n in kept},
        tuple([replace(d, exported=d.name not in internal)
               for d in derivatives if d.name in kept]),
    )
