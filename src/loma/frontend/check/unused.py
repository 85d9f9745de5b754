"""Generic functions that no call makes instances of: what can be said about them without types.

Their type parameters stand for no type, as if what is wrong with them had been reported. So what
depends on them is silent, and the rest is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from loma.frontend import surface
from loma.frontend.check.scope import Context
from loma.frontend.check.sizes import hidden_sizes
from loma.frontend.check.stmt import FunctionChecker
from loma.frontend.errors import Finding
from loma.frontend.search import is_standard
from loma.ir.nodes import Argument, Signature

Sign: TypeAlias = Callable[[surface.Arg], Argument | None]
Unused: TypeAlias = list[tuple[surface.Function, frozenset[str]]]


def unused(
    functions: Iterable[surface.Function], structs: Iterable[surface.Struct], known: set[str]
) -> Unused:
    """The generic functions without instances, each with the names that stand for no type.

    `known`: the names of what has instances.
    """
    found = [(f, frozenset(p.name for p in f.type_params))
             for f in functions if f.name not in known]
    for s in structs:
        if s.type_params and s.name not in known:
            names = frozenset((s.name, *(p.name for p in s.type_params)))
            found += [(f, names | {p.name for p in f.type_params}) for f in s.methods]
    return [(f, names) for f, names in found if not is_standard(f.span.file)]


def check_unused(wanted: Unused, context: Context, sign: Sign) -> list[Finding]:
    """What is wrong with generic functions, whatever their types are."""
    findings, generics = context.findings, context.types.generics
    before = len(findings)
    for f, names in wanted:
        with generics.without(names):
            checker = FunctionChecker(context, f.name, f.simd)
            known = [a for arg in f.args if _has_type(arg) and (a := sign(arg)) is not None]
            hidden = hidden_sizes(f, context.types)
            checker.untyped(f, Signature((*known, *hidden)))
    return findings[before:]


def _has_type(arg: surface.Arg) -> bool:
    return not isinstance(arg.type, surface.CallableTypeExpr | surface.StackTypeExpr)
