"""Elementary functions of several lanes at once, where the C library's are not exact enough.

Each is LLVM text, compiled once for a machine; its lanes take the same steps. The argument is
reduced to a short interval (Cody and Waite, "Software Manual for the Elementary Functions", 1980),
where a polynomial, fitted for the least greatest error, gives the function. Or it is computed in 64
bits, and rounded. Errors are below 1.5 units in the last place. Where sine and cosine get a number
beyond `FAR`, or none, each lane calls the scalar function.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from loma.backends.llvm.layout import VALUE
from loma.ir.types import Scalar

PREFIX: Final = "loma_lanes_"
MENTIONED: Final = re.compile(PREFIX.encode() + rb"(\w+?)_\d+x(f32|f64)")
"""A kernel's name in object code: its function, and its type."""
WIDENED: Final = ("tan", "asin", "acos", "atan", "cosh", "log2", "expm1", "log1p", "cbrt")
ARGUMENTS: Final = ("%x", "%z")
LETTERS: Final = {64: "e", 32: "d", 16: "b"}
"""How the C library's names begin, by the bytes of a register."""
EXP_F64: Final = (
    0.5, 0.16666666666666682, 0.04166666666666609, 0.008333333333316909, 0.001388888888911741,
    0.0001984126989669772, 2.480158692440128e-05, 2.755723454438973e-06, 2.7557582926112823e-07,
    2.5112148902514146e-08, 2.0826504809888825e-09)
EXP_F32: Final = (
    0.49999993407264387, 0.16666520053250347, 0.04166839525255956, 0.008368785475049085,
    0.001381441775015399)
SIN: Final = tuple(map(float.fromhex, (
    "-0x1.5555555555555p-3", "0x1.111111111110bp-7", "-0x1.a01a01a018ab1p-13",
    "0x1.71de3a533549ap-19", "-0x1.ae645292c4417p-26", "0x1.61208f239ecdfp-33",
    "-0x1.aaa37a050c7dfp-41")))
COS: Final = tuple(map(float.fromhex, (
    "0x1.5555555555555p-5", "-0x1.6c16c16c16c10p-10", "0x1.a01a01a018dbdp-16",
    "-0x1.27e4fb75fa712p-22", "0x1.1eed8ca03d904p-29", "-0x1.93933457f615cp-37",
    "0x1.aac3e5b3c43fcp-45")))
LOG_F32: Final = (
    0.33333312260909004, -0.25000009014479346, 0.20002141299869466, -0.16668039745481142,
    0.1421911959355001, -0.12404584013758306, 0.11890478101939178, -0.11682615222816516,
    0.06749696148266875)
ATAN: Final = tuple(map(float.fromhex, (
    "-0x1.5555555555553p-2", "0x1.99999999994a1p-3", "-0x1.2492492470bf3p-3",
    "0x1.c71c71b8ca52dp-4", "-0x1.745d1574bb89cp-4", "0x1.3b138aec622dap-4",
    "-0x1.110ee7975a12cp-4", "0x1.e1b59c34a4e08p-5", "-0x1.ade0b37ffd337p-5",
    "0x1.7f2d3cfac651dp-5", "-0x1.48d73857ad0e3p-5", "0x1.f26aca4caa93cp-6",
    "-0x1.1ab4551409f41p-6", "0x1.54c6b91ed8312p-8")))
LN2: Final = 0.6931471805599453, 2.3190468138462996e-17
LN2_F32: Final = 0.693359375, -2.12194440e-4
HALF_PI: Final = 1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33
QUARTER_PI: Final = HALF_PI[0] / 2, HALF_PI[1] / 2
FAR: Final = 1e5
"""Beyond it, three parts of a quarter turn are too few."""


@dataclass
class Lanes:
    """The lines of a function of so many lanes; a value is the name of a vector of `type`.
    `needed` are declarations."""

    lanes: int
    type: Scalar
    lines: list[str] = field(default_factory=list)
    needed: set[str] = field(default_factory=set)

    @property
    def wide(self) -> bool:
        """Whether floats have 64 bits."""
        return self.type is Scalar.F64

    @property
    def fraction(self) -> int:
        """The bits of a float below its exponent."""
        return 52 if self.wide else 23

    @property
    def real(self) -> str:
        """Floats."""
        return f"<{self.lanes} x {VALUE[self.type]}>"

    @property
    def bits(self) -> str:
        """Integers of the same width."""
        return f"<{self.lanes} x i{8 * self.type.bytes}>"

    def value(self, text: str) -> str:
        """A further line, and its result."""
        self.lines.append(f"%v{len(self.lines)} = {text}")
        return f"%v{len(self.lines) - 1}"

    def number(self, x: float) -> str:
        """The same number in every lane."""
        near = x if self.wide else struct.unpack("f", struct.pack("f", x))[0]
        return f"splat ({VALUE[self.type]} 0x{struct.pack('>d', near).hex().upper()})"

    def bits_of(self, x: float) -> int:
        """The bits of a number."""
        return int.from_bytes(struct.pack(">d" if self.wide else ">f", x), "big")

    def whole(self, n: int) -> str:
        """The same integer in every lane."""
        return f"splat (i{8 * self.type.bytes} {n})"

    def apply(self, name: str, *args: str) -> str:
        """An instruction on floats."""
        return self.value(f"{name} {self.real} {', '.join(args)}")

    def integer(self, name: str, *args: str) -> str:
        """An instruction on integers."""
        return self.value(f"{name} {self.bits} {', '.join(args)}")

    def fma(self, x: str, y: str, z: str) -> str:
        """x * y + z, rounded once."""
        name = f"@llvm.fma.v{self.lanes}f{8 * self.type.bytes}"
        return self.value(
            f"call {self.real} {name}({self.real} {x}, {self.real} {y}, {self.real} {z})")

    def size(self, x: str) -> str:
        """x without its sign."""
        name = f"@llvm.fabs.v{self.lanes}f{8 * self.type.bytes}"
        return self.value(f"call {self.real} {name}({self.real} {x})")

    def polynomial(self, coefficients: tuple[float, ...], x: str) -> str:
        """Horner's rule; the first coefficient is the constant."""
        out = self.number(coefficients[-1])
        for c in coefficients[-2::-1]:
            out = self.fma(out, x, self.number(c))
        return out

    def choose(self, cond: str, x: str, y: str) -> str:
        """x where a condition holds, else y."""
        return self.value(
            f"select <{self.lanes} x i1> {cond}, {self.real} {x}, {self.real} {y}")

    def as_bits(self, x: str) -> str:
        """Floats as integers of the same bits."""
        return self.value(f"bitcast {self.real} {x} to {self.bits}")

    def as_real(self, x: str) -> str:
        """The inverse of `as_bits`."""
        return self.value(f"bitcast {self.bits} {x} to {self.real}")

    def nearest(self, x: str, factor: float) -> tuple[str, str]:
        """The integer next to x * factor, as a float and as an integer; it must not be large."""
        magic = 1.5 * 2.0**self.fraction  # where the last place of a float is 1
        shifted = self.fma(x, self.number(factor), self.number(magic))
        whole = self.integer("sub", self.as_bits(shifted), self.whole(self.bits_of(magic)))
        return self.apply("fsub", shifted, self.number(magic)), whole

    def as_float(self, n: str) -> str:
        """An integer, which must not be large, as a float."""
        magic = 1.5 * 2.0**self.fraction
        shifted = self.integer("add", n, self.whole(self.bits_of(magic)))
        return self.apply("fsub", self.as_real(shifted), self.number(magic))

    def power(self, n: str) -> str:
        """2**n, for an integer that is an exponent of ordinary floats."""
        biased = self.integer("add", n, self.whole(1023 if self.wide else 127))
        return self.as_real(self.integer("shl", biased, self.whole(self.fraction)))

    def less(self, x: str, k: str, parts: tuple[float, ...]) -> str:
        """x - k * (the sum of the parts)."""
        negative = self.value(f"fneg {self.real} {k}")
        for part in parts:
            x = self.fma(negative, self.number(part), x)
        return x


def _exp(b: Lanes) -> str:
    """exp(k log 2 + r) = 2**k exp(r); the power in two factors, as it may be too large for one."""
    least, most = (-746.0, 710.0) if b.wide else (-104.0, 89.0)
    x = b.choose(b.apply("fcmp ogt", "%x", b.number(most)), b.number(most), "%x")
    x = b.choose(b.apply("fcmp olt", x, b.number(least)), b.number(least), x)
    k, whole = b.nearest(x, 1.4426950408889634)
    r = b.less(x, k, LN2 if b.wide else LN2_F32)
    q = b.polynomial(EXP_F64 if b.wide else EXP_F32, r)
    y = b.apply("fadd", b.fma(b.apply("fmul", r, r), q, r), b.number(1.0))
    half = b.integer("ashr", whole, b.whole(1))
    y = b.apply("fmul", y, b.power(half))
    return b.apply("fmul", y, b.power(b.integer("sub", whole, half)))


def _sin(b: Lanes) -> str:
    return _turned(b, 0)


def _cos(b: Lanes) -> str:
    return _turned(b, 1)


def _turned(b: Lanes, quarters: int) -> str:
    """sin(x + quarters * pi / 2): in the quarter k, the sine or the cosine of what is left."""
    _far(b, "cos" if quarters else "sin")
    k, whole = b.nearest("%x", 2 / math.pi)
    r = b.less("%x", k, HALF_PI)
    z = b.apply("fmul", r, r)
    sine = b.fma(b.apply("fmul", r, z), b.polynomial(SIN, z), r)
    sine = b.choose(b.apply("fcmp oeq", "%x", b.number(0.0)), "%x", sine)  # keeps its sign
    most = b.fma(b.number(-0.5), z, b.number(1.0))
    rest = b.fma(b.number(-0.5), z, b.apply("fsub", b.number(1.0), most))
    cosine = b.apply(
        "fadd", most, b.fma(b.apply("fmul", z, z), b.polynomial(COS, z), rest))
    quarter = b.integer("add", whole, b.whole(quarters))
    odd = b.integer("icmp ne", b.integer("and", quarter, b.whole(1)), b.whole(0))
    y = b.choose(odd, cosine, sine)
    lower = b.integer("icmp ne", b.integer("and", quarter, b.whole(2)), b.whole(0))
    return b.choose(lower, b.value(f"fneg {b.real} {y}"), y)


def _far(b: Lanes, function: str) -> None:
    """Leaves with the results of the scalar function if an argument is beyond FAR, or none."""
    scalar, n = VALUE[b.type], b.lanes
    far = b.apply("fcmp ugt", b.size("%x"), b.number(FAR))
    some = b.value(f"call i1 @llvm.vector.reduce.or.v{n}i1(<{n} x i1> {far})")
    b.lines += [
        f"br i1 {some}, label %each, label %fast",
        "each:",
        "%i = phi i32 [0, %entry], [%next, %each]",
        f"%ys = phi {b.real} [poison, %entry], [%set, %each]",
        f"%one = extractelement {b.real} %x, i32 %i",
        f"%y = call {scalar} @llvm.{function}.f64({scalar} %one)",
        f"%set = insertelement {b.real} %ys, {scalar} %y, i32 %i",
        "%next = add i32 %i, 1",
        f"%more = icmp ult i32 %next, {n}",
        "br i1 %more, label %each, label %slow",
        "slow:",
        f"ret {b.real} %set",
        "fast:",
    ]


def _log_f32(b: Lanes) -> str:
    """log(2**e (1 + f)) = e log 2 + f - f**2 / 2 + f**3 P(f)."""
    tiny = b.apply("fcmp olt", "%x", b.number(2.0**-126))
    x = b.choose(tiny, b.apply("fmul", "%x", b.number(2.0**b.fraction)), "%x")
    bits = b.as_bits(x)
    above = b.integer("sub", bits, b.whole(b.bits_of(math.sqrt(0.5))))
    e = b.integer("ashr", above, b.whole(b.fraction))
    m = b.as_real(b.integer("sub", bits, b.integer("shl", e, b.whole(b.fraction))))
    f = b.apply("fsub", m, b.number(1.0))
    z = b.apply("fmul", f, f)
    power = b.apply("fsub", b.as_float(e), b.choose(tiny, b.number(b.fraction), b.number(0.0)))
    y = b.apply("fmul", b.apply("fmul", f, z), b.polynomial(LOG_F32, f))
    y = b.fma(b.number(-0.5), z, b.fma(power, b.number(LN2_F32[1]), y))
    y = b.fma(power, b.number(LN2_F32[0]), b.apply("fadd", f, y))
    y = b.choose(b.apply("fcmp oeq", "%x", b.number(math.inf)), "%x", y)
    y = b.choose(b.apply("fcmp oeq", "%x", b.number(0.0)), b.number(-math.inf), y)
    return b.choose(b.apply("fcmp ult", "%x", b.number(0.0)), b.number(math.nan), y)


def _atan(b: Lanes) -> str:
    return _angle(b, "%x", b.number(1.0))


def _atan2(b: Lanes) -> str:
    return _angle(b, "%x", "%z")


def _angle(b: Lanes, y: str, x: str) -> str:
    """n pi / 4 + or - artan(t), where t is at most tan(1 / 2), and n is from 0 to 4."""
    one = b.number(1.0)
    up, across = b.size(y), b.size(x)
    steep = b.apply("fcmp ogt", up, across)
    least, most = b.choose(steep, across, up), b.choose(steep, up, across)
    q = b.apply("fdiv", least, most)
    q = b.choose(b.apply("fcmp oeq", most, b.number(0.0)), most, q)
    q = b.choose(b.apply("fcmp oeq", least, b.number(math.inf)), one, q)
    middle = b.apply("fcmp ogt", q, b.number(math.tan(0.5)))
    t = b.apply("fdiv", b.apply("fsub", q, one), b.apply("fadd", q, one))
    t = b.choose(middle, t, q)
    square = b.apply("fmul", t, t)
    t = b.fma(b.apply("fmul", t, square), b.polynomial(ATAN, square), t)
    n = b.choose(middle, one, b.choose(steep, b.number(2.0), b.number(0.0)))
    left = b.integer("icmp slt", b.as_bits(x), b.whole(0))
    n = b.choose(left, b.apply("fsub", b.number(4.0), n), n)
    turned = b.value(f"xor <{b.lanes} x i1> {steep}, {left}")
    t = b.choose(turned, b.value(f"fneg {b.real} {t}"), t)
    whole = b.apply("fmul", n, b.number(QUARTER_PI[0]))
    rest = b.fma(n, b.number(QUARTER_PI[0]), b.value(f"fneg {b.real} {whole}"))
    angle = b.apply("fadd", whole, b.apply("fadd", t, b.fma(n, b.number(QUARTER_PI[1]), rest)))
    name = f"@llvm.copysign.v{b.lanes}f64"
    angle = b.value(f"call {b.real} {name}({b.real} {angle}, {b.real} {y})")
    return b.choose(b.apply("fcmp uno", y, x), b.apply("fadd", y, x), angle)


def _widened(function: str, arity: int) -> Callable[[Lanes], str]:
    """In 64 bits, by the C library: one half of the lanes, then the other."""

    def lines(b: Lanes) -> str:
        half = b.lanes // 2
        narrow, wide = f"<{half} x float>", f"<{half} x double>"
        parts = []
        for start in (0, half):
            chosen = ", ".join(f"i32 {start + k}" for k in range(half))
            given = []
            for x in ARGUMENTS[:arity]:
                part = b.value(f"shufflevector {b.real} {x}, {b.real} poison, "
                               f"<{half} x i32> <{chosen}>")
                given.append(f"{wide} " + b.value(f"fpext {narrow} {part} to {wide}"))
            name = f"@{library_symbol(function, Scalar.F64, 4 * b.lanes, arity)}"
            y = b.value(f"call {wide} {name}({', '.join(given)})")
            parts.append(b.value(f"fptrunc {wide} {y} to {narrow}"))
        whole = ", ".join(f"i32 {k}" for k in range(b.lanes))
        b.needed.add(f"declare {wide} {name}({', '.join([wide] * arity)})")
        return b.value(f"shufflevector {narrow} {parts[0]}, {narrow} {parts[1]}, "
                       f"<{b.lanes} x i32> <{whole}>")

    return lines


@dataclass(frozen=True)
class Kernel:
    """How many arguments a kernel takes, and what makes its lines and gives its result; `rests`
    on a function of the C library for several lanes of 64 bits."""

    lines: Callable[[Lanes], str]
    arity: int = 1
    rests: str = ""


def _on_library(function: str, arity: int = 1) -> Kernel:
    return Kernel(_widened(function, arity), arity, function)


KERNELS: Final = {
    ("exp", Scalar.F64): Kernel(_exp),
    ("exp", Scalar.F32): Kernel(_exp),
    ("sin", Scalar.F64): Kernel(_sin),
    ("cos", Scalar.F64): Kernel(_cos),
    ("log", Scalar.F32): Kernel(_log_f32),
    ("atan", Scalar.F64): Kernel(_atan),
    ("atan2", Scalar.F64): Kernel(_atan2, 2),
    **{(name, Scalar.F32): _on_library(name) for name in WIDENED},
    ("atan2", Scalar.F32): _on_library("atan2", 2),
}


def library_symbol(function: str, t: Scalar, size: int, arity: int) -> str:
    """The C library's name of a function for registers of so many bytes."""
    f = "f" if t is Scalar.F32 else ""
    return f"_ZGV{LETTERS[size]}N{size // t.bytes}{'v' * arity}_{function}{f}"


def symbol(function: str, t: Scalar, lanes: int) -> str:
    """The name of a kernel."""
    return f"{PREFIX}{function}_{lanes}x{t.value}"


def module(function: str, t: Scalar, sizes: Iterable[int]) -> str:
    """A kernel, for registers of so many bytes."""
    made = [_function(function, t, size // t.bytes) for size in sizes]
    return "\n".join([*sorted(set[str]().union(*(b.needed for b, _ in made))),
                      *(text for _, text in made)])


def _function(function: str, t: Scalar, lanes: int) -> tuple[Lanes, str]:
    kernel, vector = KERNELS[function, t], f"<{lanes} x {VALUE[t]}>"
    body = Lanes(lanes, t)
    result = kernel.lines(body)
    given = ", ".join(f"{vector} {x}" for x in ARGUMENTS[:kernel.arity])
    head = f"define {vector} @{symbol(function, t, lanes)}({given}) nounwind {{"
    return body, "\n".join([head, "entry:", *body.lines, f"ret {vector} {result}", "}", ""])
