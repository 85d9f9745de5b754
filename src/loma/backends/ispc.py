"""ISPC: kernels as `foreach` loops, for the vectors of CPUs.

What a thread computes is varying, memory is uniform; reads at varying places are gathers, and what
threads add to one place is reduced once. Local arrays whose size is not known are left to 'llvm',
which compiles the same kernels to the same vectors.
"""

from __future__ import annotations

from typing import Final

from loma.backends.c import C
from loma.backends.c_words import words
from loma.backends.cfamily import Dialect
from loma.backends.device import SCALARS, DeviceDialect, Entry
from loma.backends.device import refusal as device_refusal
from loma.backends.device_function import ThreadPrinter
from loma.backends.flat import shape_reasons
from loma.ir.kernel import Kernel
from loma.ir.layout import INDENT
from loma.ir.nodes import Apply, Argument, Module, Var
from loma.ir.prims.record import Prim
from loma.ir.traverse import walk
from loma.ir.types import Scalar

WORDS: Final = words("""
    uniform varying foreach foreach_tiled foreach_active foreach_unique cif cfor cwhile cdo export
    launch sync task soa unmasked programIndex programCount taskIndex taskCount reduce_add
    reduce_min reduce_max extract insert broadcast rotate shuffle abs min max clamp select int8
    int16 int32 int64 uint8 uint16 uint32 uint64 float16 new delete print assert assume in lanemask
    rsqrt rcp isnan round floor ceil size_t operator template typename
""")
KNOWN: Final = frozenset(
    {"fabs_libm", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "exp", "log", "pow", "sqrt",
     "floor", "ceil", "round", "trunc", "select", "cast"}
)
"""Functions that ISPC has under C's name, or that need none."""


class IspcDialect(Dialect):
    """Spells elementary functions."""

    def function(self, prim: Prim, type: Scalar) -> str:
        """The name of an elementary function."""
        return "abs" if prim.name == "fabs_libm" else prim.name


ISPC: Final = IspcDialect(
    name="ispc",
    value=SCALARS,
    memory={**SCALARS, Scalar.BOOL: "int32_t"},
    literal={Scalar.F32: "f", Scalar.F64: "d"},
    math={Scalar.F32: "", Scalar.F64: ""},
    to_int=C.to_int,
    tape="loma_tape",
    growable="",
    words=C.words | WORDS,
    taken=C.taken | WORDS,
    shared="uniform ",
    zero="; memset(&{0}, 0, sizeof({0}));",
)

OPENING: Final = r"""
typedef int32 int32_t;
typedef unsigned int32 uint32_t;
typedef int64 int64_t;
typedef unsigned int64 uint64_t;
typedef int8 char;
#undef INT32_MIN
#undef INT32_MAX
#undef INT64_MIN
#undef INT64_MAX
#define INT32_MIN (-2147483647 - 1)
#define INT32_MAX 2147483647
#define INT64_MIN (-9223372036854775807LL - 1)
#define INT64_MAX 9223372036854775807LL
#define NAN floatbits(0x7fc00000)
#define INFINITY floatbits(0x7f800000)
#define LOMA_SHARED uniform
#define LOMA_FUNCTION static inline
#define LOMA_FIRST(place, number) atomic_compare_exchange_global(place, 0, number)
"""

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


def _add(t: Scalar) -> str:
    return ADD.replace("{kind}", t.value).replace("{type}", SCALARS[t])


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
    """A declaration of the entry, whose parameters are all uniform; structs are references."""
    if text.startswith("uniform "):
        return text
    kind, name = text.split()
    return f"uniform {text}" if kind in SCALARS.values() else f"const uniform {kind} &{name}"


def _entry(e: Entry) -> list[str]:
    parameters = [_parameter(p) for p in (*e.parameters, "int32_t _threads")]
    body, call = [], [e.call]
    if e.context:
        parameters += [
            "uniform uint32_t * uniform _words",
            "uniform uint32_t _capacity",
            "uniform char * uniform _heap",
            "uniform uint64_t _size",
            "uniform int32_t * uniform _error",
        ]
        body += [
            "loma_context ctx = {",
            f"{INDENT}_words + 8 * programIndex, programCount * 8, 0, _capacity,",
            f"{INDENT}_heap, 0, 0, _size, _error, false",
            "};",
        ]
        again = ["ctx.used = 0;", "ctx.filled = ctx.top = 0;", e.call]
        call = ["if (!ctx.stopped) {", *(INDENT + x for x in again), "}"]
    body += [f"{SCALARS[t]} {name} = 0;".replace("float", "double") for t, name, _ in e.sums]
    body += [f"foreach ({e.index} = 0 ... _threads) {{", *(INDENT + x for x in call), "}"]
    for _, name, place in e.sums:
        target = f"*{place}" if not place.startswith("&") else place[1:]
        body.append(f"{target} += reduce_add({name});")
    head = f"export void {e.name}({', '.join(parameters)})"
    return [head, "{", *(INDENT + x for x in body), "}"]


TARGET: Final = DeviceDialect(
    dialect=ISPC,
    opening=OPENING,
    doubles="",
    bits=BITS,
    add=_add,
    add_all=lambda t: "",
    entry=_entry,
    pointers=False,
    printer=IspcThread,
    adapted=_adapted,
)
