"""E15xx: imports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from loma.diagnostics import Span
from loma.frontend.codes.base import did_you_mean, finding
from loma.frontend.errors import Finding

FOREIGN: Final = frozenset(("numpy", "scipy", "torch", "jax", "taichi", "warp", "cupy", "numba"))


def not_found(span: Span, name: str, searched: Iterable[str]) -> Finding:
    """A module that is nowhere on the search path.

    A module `a.b` is a file `a/b.loma` or `a/b.py`, or a folder `a/b` with an `__init__` file. It
    is looked for in the folder of the file that imports it, then in the folders that were given
    (`path=[...]`, `--path`, the variable `LOMA_PATH`). Modules `loma.std...` come with loma.
    Modules of Python cannot be imported, except `math`, `typing` and `loma` itself, which stand
    for what loma has of them.

        import numpy as np
    """
    where = ", ".join(searched)
    help = ("a module is a file of loma text: give its folder with `path=[...]`, `--path` "
            "or `LOMA_PATH`")
    if name.partition(".")[0] in FOREIGN:
        help = "`sin`, `sqrt`, `sum`, `Array` and so on need no import; delete this line"
    return finding("E1501", f"there is no module `{name}`", span, f"looked for in {where}", help)


def circular(span: Span, chain: Iterable[str]) -> Finding:
    """Modules that import each other.

    Move what both need into a third module, which both import.
    """
    return finding("E1502", "modules import each other", span, " -> ".join(chain),
                   "move what both need into a third module")


def no_such_name(span: Span, module: str, name: str, known: Iterable[str]) -> Finding:
    """A name that a module does not have.

    The names of a module are what it defines, what it imports by `from`, and, for a package, the
    modules in it.

        from loma.std.scalar import lirp
    """
    known = list(known)
    has = f"it has {', '.join(f'`{n}`' for n in known[:12])}" if known else "it is empty"
    return finding("E1503", f"module `{module}` has no `{name}`", span,
                   help=did_you_mean(name, known, has))


def star(span: Span, module: str, known: Iterable[str]) -> Finding:
    """An import of everything.

    What a name means shall be seen in the file that uses it.

        from loma.std.scalar import *
    """
    names = ", ".join(list(known)[:6]) or "name"
    return finding("E1504", "an import names what it takes", span,
                   help=f"write `import {module}`, or `from {module} import {names}`")


def clash(span: Span, name: str, first: Span) -> Finding:
    """An import under a name that the file has already.

    Import it under another name: `from m import f as g`.

        from loma.std.scalar import lerp

        def lerp(a : In[float]) -> float:
            return a
    """
    return finding("E1505", f"the name `{name}` is taken", span,
                   help=f"import it under another name: `as {name}_2`",
                   notes=((first, f"`{name}` is also defined here"),) if first.line else ())


def not_a_value(span: Span, name: str) -> Finding:
    """A module where something of it is wanted.

    Write what of the module is meant.

        import loma.std.scalar as scalar

        def f(x : In[float]) -> float:
            return x * scalar
    """
    return finding("E1506", f"`{name}` is a module", span,
                   help=f"name what is meant of it, `{name}.something`")


def outside(span: Span) -> Finding:
    """A relative import that leads out of all folders.

    A dot stands for the file's own folder, each further dot for the one around it.

        from ................................ import geometry
    """
    return finding("E1507", "this relative import leads nowhere", span,
                   help="a dot stands for the file's own folder, each further dot for the one "
                        "around it")
