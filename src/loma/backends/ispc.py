"""ISPC: kernels as `foreach` loops, for the vectors of CPUs.

What a thread computes is varying, memory is uniform; reads at varying places are gathers, and what
threads add to one place is reduced once. Local arrays whose size is not known are left to 'llvm',
which compiles the same kernels to the same vectors.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from loma.backends.device import DeviceDialect, relative
from loma.backends.device import refusal as device_refusal
from loma.backends.device_entry import SCALARS, Entries, Entry
from loma.backends.device_function import ThreadPrinter
from loma.backends.flat import shape_reasons
from loma.ir.kernel import Kernel
from loma.ir.nodes import Apply, Argument, Module, Var
from loma.ir.traverse import walk
from loma.ir.types import Scalar

ISPC: Final = replace(
    relative("ispc", """
        uniform varying foreach foreach_tiled foreach_active foreach_unique cif cfor cwhile cdo
        export launch sync task soa unmasked programIndex programCount taskIndex taskCount
        reduce_add reduce_min reduce_max extract insert broadcast rotate shuffle abs min max clamp
        select int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 new delete print assert
        assume in lanemask rsqrt rcp isnan round floor ceil size_t operator template typename
    """),
    literal={Scalar.F32: "f", Scalar.F64: "d"},
    math={Scalar.F32: "", Scalar.F64: ""},
    names={"fabs": "abs"},
    shared="uniform ",
    zero="; memset(&{0}, 0, sizeof({0}));",
)

KNOWN: Final = frozenset(
    {"fabs_libm", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "exp", "log", "pow", "sqrt",
     "floor", "ceil", "round", "trunc", "select", "cast"}
)
"""Functions that ISPC has under C's name, or that need none."""

TYPES: Final = """
typedef int32 int32_t;
typedef unsigned int32 uint32_t;
typedef int64 int64_t;
typedef unsigned int64 uint64_t;
typedef int8 char;
"""
MACROS: Final = {
    "NAN": "floatbits(0x7fc00000)",
    "INFINITY": "floatbits(0x7f800000)",
    "LOMA_SHARED": "uniform",
    "LOMA_FUNCTION": "static inline",
    "LOMA_FIRST(place, number)": "atomic_compare_exchange_global(place, 0, number)",
}
BITS: Final = {
    Scalar.BOOL: ("x ? 1 : 0", "x != 0"),
    Scalar.I32: ("(uint32_t)x", "(int32_t)x"),
    Scalar.I64: ("x", "(int64_t)x"),
    Scalar.F32: ("intbits(x)", "floatbits(x)"),
    Scalar.F64: ("intbits(x)", "doublebits(x)"),
}
ADD: Final = """
LOMA_FUNCTION void loma_add_{kind}(uniform {type} *place, {type} x)
{
    atomic_add_global(place, x);
}
"""


def refusal(k: Kernel, module: Module) -> str | None:
    """Why ISPC cannot run a kernel, or None if it can."""
    common = device_refusal(k, module, "ispc", pointers=False)
    common = common or next(shape_reasons("ispc", k, module), None)
    if common is not None:
        return f"{common}; 'llvm' compiles it to the same vectors"
    for op in walk(k.thread.body):
        if isinstance(op, Apply) and not op.prim.symbol and op.prim.name not in KNOWN:
            return f"the kernel `{k.name}` calls `{op.prim.name}`, which the target 'ispc' has not"
    return None


class IspcThread(ThreadPrinter):
    """Prints the function of one thread: pointers to memory are uniform; sums are varying, and
    doubles, which do not stagnate."""

    def signature(self, name: str, context: bool) -> str:
        """The function's head."""
        return _adapted(super().signature(name, context))

    def _parameter(self, a: Argument, p: Var) -> str:
        text = super()._parameter(a, p).replace("*restrict ", "*").replace("*", "* uniform ", 1)
        return f"varying {text}".replace("float", "double") if p in self._own else text


def _adapted(text: str) -> str:
    """What each thread has is varying, and at one place for all."""
    for kind, name in (("loma_context", "ctx"), ("loma_tape", "tape")):
        text = text.replace(f"{kind} *{name}", f"varying {kind} * uniform {name}")
    return text


def _parameter(text: str) -> str:
    """A parameter of an entry: all are uniform, structs are references."""
    if text.startswith("uniform "):
        return text if "* uniform" in text else text.replace("*", "* uniform ")
    kind, name = text.split()
    plain = kind in {*SCALARS.values(), "uint32_t", "uint64_t"}
    return f"uniform {text}" if plain else f"const uniform {kind} &{name}"


def _sums(e: Entry) -> list[str]:
    places = [(name, place[1:] if place[0] == "&" else f"*{place}") for _, name, place in e.sums]
    return [f"{place} += reduce_add({name});" for name, place in places]


TARGET: Final = DeviceDialect(
    dialect=ISPC,
    types=TYPES,
    macros=MACROS,
    bits=BITS,
    add=lambda t: ADD,
    add_all="",
    entries=Entries(
        head="export void {name}({parameters})",
        lane="programIndex",
        lanes="programCount",
        loop=("foreach ({index} = 0 ... _threads) {{",),
        leave="continue;",
        parameter=_parameter,
        sum=lambda t: "double",
        after=_sums,
    ),
    pointers=False,
    printer=IspcThread,
    adapted=_adapted,
)
