"""Primitives as LLVM instructions: a table from the primitive's name to its spelling."""

from __future__ import annotations

from typing import Final

from loma.backends.llvm import vectors
from loma.backends.llvm.code import PURE, Code
from loma.backends.llvm.layout import VALUE
from loma.diagnostics import InternalError
from loma.ir.builder import type_of
from loma.ir.nodes import Apply
from loma.ir.types import Scalar

INT: Final = {
    "add": "add",
    "sub": "sub",
    "mul": "mul",
    "idiv": "sdiv",
    "bit_and": "and",
    "bit_or": "or",
    "bit_xor": "xor",
}
FLOAT: Final = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "fmod": "frem"}
BOOL: Final = {"and": "and", "or": "or"}
COMPARE: Final = {
    "lt": ("olt", "slt"),
    "le": ("ole", "sle"),
    "gt": ("ogt", "sgt"),
    "ge": ("oge", "sge"),
    "eq": ("oeq", "eq"),
    "ne": ("une", "ne"),
}
INTRINSICS: Final = frozenset(
    {
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "atan2",
        "sinh",
        "cosh",
        "tanh",
        "sqrt",
        "exp",
        "exp2",
        "log",
        "log2",
        "log10",
        "pow",
        "fabs",
        "floor",
        "ceil",
        "trunc",
        "round",
        "fma",
        "copysign",
    }
)
LIBRARY: Final = frozenset({"expm1", "log1p", "cbrt", "hypot", "erf", "erfc"})
CONTRACTED: Final = frozenset({"add", "sub", "mul"})


def apply(code: Code, op: Apply) -> None:
    """Emits a primitive."""
    code.bind(op.out, _spell(code, op))


def _spell(code: Code, op: Apply) -> str:  # noqa: C901 - one dispatch
    name, args = op.prim.name, [code.read(x) for x in op.args]
    type = type_of(op.args[-1])
    spelled = VALUE[type]
    match name:
        case "neg":
            negate = "fneg" if type.is_float else "sub"
            return code.value(f"{negate} {spelled} {'' if type.is_float else '0, '}{args[0]}")
        case "not":
            return code.value(f"xor i1 {args[0]}, true")
        case "select":
            return code.value(f"select i1 {args[0]}, {spelled} {args[1]}, {spelled} {args[2]}")
        case "bit_not":
            return code.value(f"xor {spelled} {args[0]}, -1")
        case "shl" | "shr":
            return _shift(code, name, spelled, 8 * type.bytes, args)
        case "cast":
            return cast(code, args[0], type, op.out.scalar)
    if name in COMPARE:
        ordered, signed = COMPARE[name]
        kind = f"fcmp {ordered}" if type.is_float else f"icmp {signed}"
        return code.value(f"{kind} {spelled} {args[0]}, {args[1]}")
    table = FLOAT if type.is_float else BOOL if type is Scalar.BOOL else INT
    if name in table:
        return code.value(f"{table[name]}{_flags(code, op)} {spelled} {args[0]}, {args[1]}")
    return _function(code, op, op.prim.spelling.get("llvm", name), args)


def _shift(code: Code, name: str, spelled: str, width: int, args: list[str]) -> str:
    """A shift; a count that is negative or not below the width shifts everything out."""
    inside = code.value(f"icmp ult {spelled} {args[1]}, {width}")
    most = 0 if name == "shl" else width - 1
    count = code.value(f"select i1 {inside}, {spelled} {args[1]}, {spelled} {most}")
    shifted = code.value(f"{'shl' if name == 'shl' else 'ashr'} {spelled} {args[0]}, {count}")
    if name == "shr":
        return shifted
    return code.value(f"select i1 {inside}, {spelled} {shifted}, {spelled} 0")


def _flags(code: Code, op: Apply) -> str:
    """Contraction of products, reassociation of sums that a loop carries; none in strict mode."""
    if code.unit.strict or not op.out.scalar.is_float or op.prim.name not in CONTRACTED:
        return ""
    return " reassoc contract" if op in code.sums else " contract"


def _function(code: Code, op: Apply, name: str, args: list[str]) -> str:
    """A call of an intrinsic, or of the C library where LLVM has none."""
    type = type_of(op.args[-1])
    spelled, narrow = VALUE[type], type is Scalar.F32
    if name in LIBRARY:
        full, facts = f"{name}{'f' if narrow else ''}", PURE
    elif name in INTRINSICS:
        full, facts = f"llvm.{name}.{'f32' if narrow else 'f64'}", ""
    else:
        raise InternalError(f"the llvm backend has no spelling for the primitive `{name}`")
    code.declare(f"declare {spelled} @{full}({', '.join([spelled] * len(args))}){facts}")
    group = _versions(code, name, full, type, len(args)) if op in code.wide else ""
    return code.value(f"call {spelled} @{full}({', '.join(f'{spelled} {a}' for a in args)}){group}")


def _versions(code: Code, name: str, full: str, type: Scalar, arity: int) -> str:
    """The attributes of a call that may become one for several lanes."""
    found = vectors.versions(name, type, arity)
    for declaration in vectors.declarations(found, type, arity):
        code.declare(declaration)
    code.unit.versions.update(dict.fromkeys(found.values()))
    return f" #{code.unit.group(vectors.attribute(full, found, arity))}" if found else ""


def cast(code: Code, value: str, source: Scalar, target: Scalar) -> str:
    """A conversion; float to int truncates toward zero and saturates, NaN gives 0."""
    if source is target:
        return value
    old, new = VALUE[source], VALUE[target]
    if target is Scalar.BOOL:
        compare = f"fcmp une {old} {value}, 0.0" if source.is_float else f"icmp ne {old} {value}, 0"
        return code.value(compare)
    if source.is_float and target.is_int:
        name = f"@llvm.fptosi.sat.{new}.{'f32' if source is Scalar.F32 else 'f64'}"
        code.declare(f"declare {new} {name}({old})")
        return code.value(f"call {new} {name}({old} {value})")
    return code.value(f"{_conversion(source, target)} {old} {value} to {new}")


def _conversion(source: Scalar, target: Scalar) -> str:
    if source is Scalar.BOOL:
        return "uitofp" if target.is_float else "zext"
    if source.is_int and target.is_float:
        return "sitofp"
    longer = target.bytes > source.bytes
    if source.is_float:
        return "fpext" if longer else "fptrunc"
    return "sext" if longer else "trunc"
