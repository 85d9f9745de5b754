"""loma, a differentiable language.

`compile` takes a program's text to a library (the course's door). `function` and `kernel` compile
Python functions, which are then called with NumPy arrays; `grad`, `jvp`, `vjp` ... differentiate
them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from loma.diagnostics import CompileError, RunError, UserError
    from loma.host.check_rule import check_rule
    from loma.host.course import compile
    from loma.host.decorators import function as function
    from loma.host.decorators import kernel as kernel
    from loma.host.explaining import Explanation, explain
    from loma.host.function import Function, fwd_diff, rev_diff
    from loma.host.hunting import nan_hunt
    from loma.host.library import load
    from loma.host.names import (
        Array,
        Diff,
        In,
        InOut,
        NoDiff,
        Out,
        Stack,
        Tape,
        acos,
        argmax,
        argmin,
        asin,
        atan,
        atan2,
        atomic_add,
        cbrt,
        ceil,
        clamp,
        copysign,
        cos,
        cosh,
        erf,
        erfc,
        exp,
        exp2,
        expm1,
        f32,
        f64,
        flat,
        float2int,
        floor,
        fma,
        fmod,
        hypot,
        i32,
        i64,
        int2float,
        isinf,
        isnan,
        log,
        log1p,
        log2,
        log10,
        make__dfloat,
        parallel,
        pop,
        pow,
        pow_log,
        push,
        select,
        sign,
        simd,
        sin,
        sinh,
        sqrt,
        stop_gradient,
        strong_mul,
        tan,
        tanh,
        thread_id,
        trunc,
    )
    from loma.host.pullbacks import vjp
    from loma.host.refusals import (
        ArgumentTypeError,
        ArgumentValueError,
        CopyWarning,
        LomaWarning,
    )
    from loma.host.rules import custom_fwd as custom_fwd
    from loma.host.rules import custom_rev as custom_rev
    from loma.host.transforms import (
        grad,
        hessian,
        hvp,
        jacobian,
        jvp,
        value_and_grad,
    )

__version__ = "0.1.0"
__all__ = [
    "ArgumentTypeError", "ArgumentValueError", "Array", "CompileError", "CopyWarning", "Diff",
    "Explanation", "Function", "In", "InOut", "LomaWarning", "NoDiff", "Out", "RunError", "Stack",
    "Tape", "UserError", "__version__", "acos", "argmax", "argmin", "asin", "atan", "atan2",
    "atomic_add", "cbrt", "ceil", "check_rule", "clamp", "compile", "copysign", "cos", "cosh",
    "custom_fwd", "custom_rev", "erf", "erfc", "exp", "exp2", "explain", "expm1", "f32", "f64",
    "flat", "float2int", "floor", "fma", "fmod", "function", "fwd_diff", "grad", "hessian", "hvp",
    "hypot", "i32", "i64", "int2float", "isinf", "isnan", "jacobian", "jvp", "kernel", "load",
    "log", "log10", "log1p", "log2", "make__dfloat", "nan_hunt", "parallel", "pop", "pow",
    "pow_log", "push", "rev_diff", "select", "sign", "simd", "sin", "sinh", "sqrt", "stop_gradient",
    "strong_mul", "tan", "tanh", "thread_id", "trunc", "value_and_grad", "vjp",
]
HOMES: Final = {
    "host.check_rule": ("check_rule",),
    "host.course": ("compile",),
    "diagnostics": ("CompileError", "RunError", "UserError"),
    "host.decorators": ("function", "kernel"),
    "host.function": ("Function", "fwd_diff", "rev_diff"),
    "host.explaining": ("Explanation", "explain"),
    "host.hunting": ("nan_hunt",),
    "host.library": ("load",),
    "host.refusals": ("ArgumentTypeError", "ArgumentValueError", "CopyWarning", "LomaWarning"),
    "host.pullbacks": ("vjp",),
    "host.rules": ("custom_fwd", "custom_rev"),
    "host.transforms": ("grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad"),
}


def __getattr__(name: str) -> object:
    """A public name, imported at its first use: `import loma` itself loads nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((home for home, names in HOMES.items() if name in names), "host.names")
    found: object = getattr(importlib.import_module(f"loma.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
