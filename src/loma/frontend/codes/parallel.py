"""E09xx: reductions and parallel loops."""

from __future__ import annotations

from typing import Final

from loma.diagnostics import Span
from loma.frontend.codes.base import finding
from loma.frontend.errors import Finding

FORM: Final = "write it as `sum(x[i] for i in range(n))`; nest a second one: `sum(sum(...) ...)`"


def reduction_form(span: Span, what: str) -> Finding:
    """A reduction that loma does not have.

    `sum`, `min`, `max`, `argmin` and `argmax` run over one `range`. They may be nested. A
    condition is a conditional expression: `sum(x[i] if c else 0.0 for i in range(n))`.

        def f(x : In[Array[float]], n : In[int]) -> float:
            return sum(x[i] for i in range(n) if i > 2)
    """
    return finding("E0901", f"a reduction {what}", span, help=FORM)


def reduced(span: Span, kind: str, found: str) -> Finding:
    """A reduction of values that are no numbers.

    Numbers are added and compared.

        class Vec2:
            x : float
            y : float

        def f(v : In[Array[Vec2]], n : In[int]) -> float:
            s = sum(v[i] for i in range(n))
            return s.x
    """
    return finding("E0902", f"`{kind}` takes numbers", span, f"this is `{found}`",
                   "reduce a member or an element")
