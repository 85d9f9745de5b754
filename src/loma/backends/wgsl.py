"""WGSL: kernels as compute entry points for WebGPU.

Arrays are buffers of group 0 in the order of the arguments; what is passed by value lies in one
struct behind them. There are no pointers, no doubles and no 64-bit integers; what threads add to
together is made of atomic words, and floats are added by compare-and-swap.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from loma.backends.c import sorted_structs, tidy
from loma.backends.cfamily import ATOM, Dialect, Printer, Types
from loma.backends.cfamily_facts import facts
from loma.backends.cfamily_statements import Program
from loma.backends.device import DeviceText, KernelFacts
from loma.backends.device_function import Stops
from loma.backends.slang import Flat, every, printed, structs
from loma.backends.slang import refusal as flat_refusal
from loma.backends.wgsl_runtime import OPENING, WORDS, runtime
from loma.ir import imperative as T
from loma.ir.kernel import Kernel
from loma.ir.layout import INDENT
from loma.ir.names import Names
from loma.ir.nodes import Apply, Argument, Const, Direction, Load, Module, Store, Trap, Var
from loma.ir.prims import arithmetic as A
from loma.ir.prims.record import Prim
from loma.ir.traverse import walk
from loma.ir.types import ArrayType, Scalar, StructDef, StructType, TapeType, Type

GROUP: Final = 64
SCALARS: Final = {
    Scalar.BOOL: "bool",
    Scalar.I32: "i32",
    Scalar.I64: "i32",  # rounds of loops; programs that compute with them are refused
    Scalar.F32: "f32",
    Scalar.F64: "f64",
}
OWN: Final = frozenset({"pow", "round", "hypot", "log10", "fmod", "copysign"})
"""Functions of the runtime: WGSL has them not, or with another meaning."""
NAMES: Final = {"fabs": "abs", "log10_libm": "log10"}
MISSING: Final = frozenset({"erf", "erfc_libm", "expm1", "log1p", "cbrt_libm", "strong_mul"})


ROW: Final = 4194240
"""Threads in one row of a dispatch: 65535 groups."""
SPECIAL: Final = {
    "NAN": "bitcast<f32>(loma_nan)",
    "INFINITY": "bitcast<f32>(loma_infinity)",
    "-INFINITY": "-bitcast<f32>(loma_infinity)",
    "INT32_MIN": "(-2147483647 - 1)",
}
ADD: Final = """{
    let _x: f32 = {x};
    loop {
        let _old = atomicLoad(&{at});
        let _new = bitcast<u32>(bitcast<f32>(_old) + _x);
        if (atomicCompareExchangeWeak(&{at}, _old, _new).exchanged) { break; }
    }
}"""
LOOP: Final = re.compile(r"for \((\w+) (\w+) =")
TWO: Final = re.compile(r"for \((\w+) (\w+) = 0, (\w+) = (.*); \2 < (.*); \+\+\2, .*\) \{$")
STEP: Final = re.compile(r"(\+\+|--)(\w+)\) \{$")
BREAK: Final = re.compile(r"if \((.*)\) break;")


class WgslDialect(Dialect):
    """Spells elementary functions."""

    def function(self, prim: Prim, type: Scalar) -> str:
        """The name of an elementary function."""
        name = NAMES.get(prim.spelling.get("c", prim.name), prim.spelling.get("c", prim.name))
        return f"loma_{name}" if name in OWN else name


WGSL: Final = WgslDialect(
    name="wgsl",
    value=SCALARS,
    memory={**SCALARS, Scalar.BOOL: "i32"},
    literal={Scalar.F32: "f", Scalar.F64: ""},
    math={Scalar.F32: "", Scalar.F64: ""},
    to_int={Scalar.I32: "loma_to_int32", Scalar.I64: "loma_to_int32"},
    tape="loma_tape",
    growable="",
    words=WORDS,
    taken=WORDS,
    long="",
    zero="",
)


class WgslTypes(Types):
    """Declarations: the name comes first."""

    def declare(self, t: Type, name: str) -> str:
        """The declaration of memory that holds a `t`; the type alone without a name."""
        match t:
            case Scalar():
                kind = self.dialect.memory[t]
            case StructType(struct):
                kind = self.structs[struct]
            case TapeType():
                kind = self.dialect.tape
            case ArrayType(element, size):
                count = "" if size is None else f", {size}"
                kind = f"array<{self.declare(element, '')}{count}>"
        return f"{name}: {kind}" if name else kind


def wgsl_text(module: Module, kernels: list[Kernel]) -> DeviceText:
    """Kernels of a module as one module of WGSL; none may have a `refusal`."""
    supply = Names(WGSL.taken)
    used = {n: s for n, s in structs(module).items() if not _wide(StructType(n), module)}
    shown = {name: supply.fresh(f"S{name}" if name[:1] == "_" else WGSL.field(name))
             for name in used}
    entries = {k.name: supply.fresh(WGSL.field(k.name)) for k in kernels}
    threads = Module(used, {k.thread.name: k.thread for k in kernels}, module.float_type)
    known = facts(threads)
    program = Program(threads, known, WGSL, WgslTypes(WGSL, shown), entries, False)
    stops = Stops()
    printers = {k.name: _Thread(k, program, stops) for k in kernels}
    body = "\n".join(printed(printers[k.name].text(entries[k.name])) for k in kernels)
    declared: list[str] = []
    for s in sorted_structs(threads):
        for name, atomic in ((shown[s.name], False), (f"{shown[s.name]}_atomic", True)):
            if not atomic or "_atomic" in body:
                declared.append(_struct(program.types, s, name, atomic))
    text = "\n".join([OPENING, *declared, runtime(body), body])
    found = {
        k.name: KernelFacts(
            entries[k.name], k.thread.name in known.context, "loma_tape" in body,
            False, 0, printers[k.name].written)
        for k in kernels
    }
    return DeviceText(tidy(text), found, tuple(stops.found))


def refusal(k: Kernel, module: Module) -> str | None:
    """Why WGSL cannot run a kernel, or None if it can."""
    common = flat_refusal(k, module, "wgsl")
    if common is not None:
        return common
    for a in k.thread.signature.arguments:
        if _wide(a.type, module):
            return (
                f"the kernel `{k.name}` takes `{a.name} : {a.type}`: the target 'wgsl' has no "
                "64-bit numbers; use f32 and i32"
            )
    for op in walk(k.thread.body):
        if isinstance(op, Apply) and op.prim.name in MISSING:
            return f"the kernel `{k.name}` calls `{op.prim.name}`, which the target 'wgsl' has not"
        if _computes_wide(op):
            return f"the kernel `{k.name}` computes in 64 bits: the target 'wgsl' has none"
    return None


def _computes_wide(op: object) -> bool:
    """Whether an operation wants 64 bits: all but the counting of rounds."""
    match op:
        case Load(out=out):
            return out.type in (Scalar.I64, Scalar.F64)
        case Store(value=Const(type=t)) | Store(value=Var(type=t)):
            return t in (Scalar.I64, Scalar.F64)
        case Apply(prim, args, out):
            if out.type is Scalar.F64 or any(a.type is Scalar.F64 for a in args):
                return True
            counts = prim in (A.ADD, A.SUB) and isinstance(args[1], Const) and args[1].value == 1
            return out.type is Scalar.I64 and not counts and prim is not A.SELECT
        case _:
            return False


def _wide(t: Type, module: Module) -> bool:
    match t:
        case Scalar():
            return t in (Scalar.I64, Scalar.F64)
        case ArrayType(element):
            return _wide(element, module)
        case StructType(name):
            return any(_wide(m, module) for _, m in module.structs[name].members)
        case _:
            return False


def _struct(types: Types, s: StructDef, name: str, atomic: bool) -> str:
    lines = []
    for m, t in s.members:
        kind = _atomic(types, t) if atomic else types.declare(t, "")
        lines.append(f"{INDENT}{WGSL.field(m)}: {kind},")
    return "\n".join([f"struct {name} {{", *lines, "}\n"])


def _atomic(types: Types, t: Type) -> str:
    """A type with all scalars as atomic words."""
    match t:
        case Scalar():
            return "atomic<u32>"
        case ArrayType(element, size):
            return f"array<{_atomic(types, element)}{'' if size is None else f', {size}'}>"
        case _:
            return f"{types.declare(t, '')}_atomic"


@dataclass(frozen=True, slots=True)
class _Printer(Printer):
    """Expressions: casts are calls, choices are `select`, words that are added to are atomic."""

    atomic: Callable[[Var], bool]

    def place(self, p: T.Place, write: bool = False) -> tuple[str, int]:
        """A place; one in atomic memory is loaded, unless it is written."""
        text, binding = Printer.place(self, p, write)
        if write or not self.atomic(p.root) or not isinstance(p.type, Scalar):
            return text, binding
        return f"bitcast<{WGSL.memory[p.type]}>(atomicLoad(&{text}))", ATOM

    def _literal(self, c: Const) -> tuple[str, int]:
        text, binding = Printer._literal(self, c)
        return SPECIAL.get(text, text), binding

    def _operation(self, e: T.Operation) -> tuple[str, int]:
        if e.prim is A.SELECT:
            cond, x, y = e.args
            return f"select({self.of(y)}, {self.of(x)}, {self.of(cond)})", ATOM
        return Printer._operation(self, e)

    def _cast(self, e: T.Expr, target: Scalar) -> tuple[str, int]:
        text, binding = Printer._cast(self, e, target)
        if text.startswith(f"({WGSL.value[target]})"):
            return f"{WGSL.value[target]}({self.of(e)})", ATOM
        return text, binding


class _Thread(Flat):
    """Prints a kernel's entry, its buffers before it."""

    stopped = "loma_stopped"

    def _parameters(self) -> list[str]:
        self._buffers: list[tuple[str, Argument, Var]] = []
        self._values: list[tuple[str, Argument]] = []
        self._atomic = {
            s.place.root for s in every(self._body.block)
            if isinstance(s, T.Add) and s.place.root in self._given}
        self._show = _Printer(
            WGSL, self.program.types, self._called, self._root, self._call, lambda: self._line,
            lambda v: v in self._atomic)
        return super()._parameters()

    def _parameter(self, a: Argument, p: Var) -> str:
        if isinstance(a.type, ArrayType) or a.direction is not Direction.IN:
            entry = self.program.called[self.kernel.name]
            name = self._name(self._storage.of(p), f"{entry}_{a.name}")
            self._buffers.append((name, a, p))
        else:
            name = self._name(self._storage.of(p), a.name)
            if p not in self.f.params[-2:]:
                self._values.append((name, a))
        return ""

    def text(self, name: str) -> list[str]:
        """The bindings and the entry."""
        thread, threads = (self._called(v) for v in self.f.params[-2:])
        lines = [piece for line in self.lines() for piece in line.split("\n")]
        given = [f"{INDENT}{self.program.types.declare(a.type, v)}," for v, a in self._values]
        out = [f"struct {name}_arguments {{", *given, f"{INDENT}loma_threads: i32,",
               f"{INDENT}loma_capacity: u32,", "}"]
        for k, (buffer, a, p) in enumerate(self._buffers):
            out.append(self._binding(k, buffer, a, p))
        count = len(self._buffers)
        out.append(f"@group(0) @binding({count}) var<storage, read> {name}_args: "
                   f"{name}_arguments;\n")
        opening = [
            f"let {thread}: i32 = i32(_at.x + _at.y * {ROW}u);",
            f"let {threads}: i32 = {name}_args.loma_threads;",
            f"if ({thread} >= {threads}) {{ return; }}",
            *(f"var {v} = {name}_args.{v};" for v, _ in self._values),
        ]
        if self.traps:
            opening += [f"loma_thread = u32({thread});", f"loma_stride = u32({threads});",
                        f"loma_capacity = {name}_args.loma_capacity;"]
        head = f"fn {name}(@builtin(global_invocation_id) _at: vec3<u32>) {{"
        return [*out, f"@compute @workgroup_size({GROUP})", head,
                *(INDENT + x for x in (*opening, *lines)), "}\n"]

    def _binding(self, k: int, name: str, a: Argument, p: Var) -> str:
        types = self.program.types
        element = a.type.element if isinstance(a.type, ArrayType) else a.type
        kind = _atomic(types, element) if p in self._atomic else types.declare(element, "")
        access = "read_write" if p in self._written or p in self._atomic else "read"
        return f"@group(0) @binding({k}) var<storage, {access}> {name}: array<{kind}>;"

    # Statements.

    def _set(self, v: Var, value: T.Expr) -> str:
        v = self._storage.of(v)
        if v not in self._undeclared:
            return f"{self._called(v)} = {self._show.of(value)};"
        self._undeclared.discard(v)
        return f"var {self._called(v)}: {self._scalar(v.scalar)} = {self._show.of(value)};"

    def _early(self, s: T.Stmt) -> Iterator[str]:
        for v in self._declared.get(s, ()):
            yield f"var {self._called(v)}: {self._scalar(v.scalar)};"
        self._undeclared = set()

    def _local(self, s: T.Local) -> str:
        name = self._name(s.root, s.root.name)
        if isinstance(s.root.content, TapeType):
            self._alive.append(s)
        return f"var {self.program.types.declare(s.root.content, name)};"

    def _simple(self, s: T.Stmt) -> str:
        match s:
            case T.Add(place, value) if place.root in self._atomic:
                at, x = self._show.place(place, write=True)[0], self._show.of(value)
                if not T.scalar_type(value).is_float:
                    return f"atomicAdd(&{at}, bitcast<u32>({x}));"
                return ADD.replace("{at}", at).replace("{x}", x)
            case T.Assign(place, value) if place.root in self._atomic:
                at = self._show.place(place, write=True)[0]
                return f"atomicStore(&{at}, bitcast<u32>({self._stored(place, value)}));"
            case T.Assign(place, value):
                at = self._show.place(place, write=True)[0]
                return f"{at} = {self._stored(place, value)};"
            case _:
                return super()._simple(s)

    def _stored(self, place: T.Place, value: T.Expr) -> str:
        text = self._show.of(value)
        return f"i32({text})" if place.type is Scalar.BOOL else text

    def _count(self, s: T.Count) -> list[str]:
        head, *rest = super()._count(s)
        if (both := TWO.match(head)) is None:
            head = LOOP.sub(r"for (var \2: \1 =", head)
            return [STEP.sub(r"\2\1) {", head), *rest]
        kind, k, index, start, count = both.groups()
        first = self._supply.fresh(f"{index}_first")
        return [
            f"let {first}: {kind} = {start};",
            f"for (var {k}: {kind} = 0; {k} < {count}; {k}++) {{",
            f"{INDENT}let {index}: {kind} = {first} + {k} * ({s.step});",
            *rest,
        ]

    def _loop(self, s: T.Loop) -> list[str]:
        return [BREAK.sub(r"if (\1) { break; }", x).replace("for (;;) {", "loop {")
                for x in super()._loop(s)]

    def _stmt(self, s: T.Stmt) -> list[str]:
        out = super()._stmt(s)
        return [piece for line in out for piece in line.split("\n")]

    def _stopped(self) -> list[str]:
        return [f"if (loma_stopped) {{ {self._leave()} }}"]

    def _stop(self, number: int) -> str:
        return f"loma_stop({number});"

    def _push(self, tape: T.Place, e: T.Expr) -> str:
        name, x = self._show.place(tape)[0], self._show.of(e)
        bits = f"select(0u, 1u, {x})" if T.scalar_type(e) is Scalar.BOOL else f"bitcast<u32>({x})"
        return f"if (!loma_push(&{name}, {bits})) {{ {self._leave()} }}"

    def _pop(self, tape: T.Place, v: Var) -> str:
        number = self._reason(Trap.INDEX, "pop from an empty tape")[0]
        word = f"loma_pop(&{self._show.place(tape)[0]}, {number})"
        made = f"{word} != 0u" if v.scalar is Scalar.BOOL else (
            f"bitcast<{WGSL.value[v.scalar]}>({word})")
        return f"{self._called(v)} = {made};\n" + "\n".join(self._stopped())

    def _free(self, root: Var) -> str:
        return f"loma_drop(&{self._names[root]});"
