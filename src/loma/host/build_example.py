"""A small C program that calls one function: it fills the arguments, calls, and prints what came
out."""

from __future__ import annotations

import math
from typing import Final

from loma.backends.c import C, Text
from loma.backends.cfamily import Types
from loma.ir.nodes import Argument, Direction, Function, Module
from loma.ir.types import ArrayType, Scalar, StructType, TapeType, Type

LENGTH: Final = 8
THREADS: Final = 4
VALUES: Final = {
    Scalar.BOOL: "1",
    Scalar.I32: "2",
    Scalar.I64: "2",
    Scalar.F32: "0.5f",
    Scalar.F64: "0.5",
}


def example(f: Function, module: Module, text: Text, header: str) -> str:
    """The C text of a program that calls `f`."""
    return _Example(f, module, text).program(header)


class _Example:
    def __init__(self, f: Function, module: Module, text: Text) -> None:
        self._f = f
        self._structs = module.structs
        self._called = text.called[f.name]
        self._types = Types(C, text.structs)
        self._lines: list[str] = []

    def program(self, header: str) -> str:
        """The whole program."""
        given = [self._argument(a) for a in self._f.signature.arguments]
        if self._f.signature.simd:
            given.append(str(THREADS))
        call = f"{self._called}({', '.join(given)});"
        result = self._f.signature.result
        self._lines.append(
            call if result is None else f"{self._types.declare(result, 'result')} = {call}"
        )
        self._lines += [
            "if (loma_last_error() != NULL) {",
            '    fprintf(stderr, "%s\\n", loma_last_error());',
            "    return 1;",
            "}",
        ]
        for a in self._f.signature.arguments:
            if a.direction is not Direction.IN:
                self._print(a.type, f"arg_{a.name}", a.name)
        if result is not None:
            self._print(result, "result", "result")
        body = "\n".join(f"    {line}" for line in [*self._lines, "return 0;"])
        return f'#include <stdio.h>\n\n#include "{header}"\n\nint main(void)\n{{\n{body}\n}}\n'

    def _argument(self, a: Argument) -> str:
        """Declares what an argument refers to; gives the operand of the call."""
        name = f"arg_{a.name}"
        t = a.type
        if a.shape and isinstance(t, ArrayType):
            int_ = int(VALUES[Scalar.I32])
            length = math.prod(n if isinstance(n, int) else int_ for n in a.shape)
            t = ArrayType(t.element, max(length, LENGTH))
        self._declare(t, name, "0" if a.direction is Direction.OUT else None)
        by_value = a.direction is Direction.IN or isinstance(a.type, ArrayType)
        return name if by_value else f"&{name}"

    def _declare(self, t: Type, name: str, value: str | None) -> None:
        """Declares memory whose floats are `value`, or their usual value when it is None."""
        match t:
            case Scalar():
                self._lines.append(f"{self._types.declare(t, name)} = {value or VALUES[t]};")
            case StructType():
                self._lines.append(f"{self._types.declare(t, name)} = {{0}};")
                self._fill(t, name, name, value)
            case ArrayType(Scalar() as element, size):
                shown = ", ".join(
                    [value or ("0" if element.is_int else VALUES[element])] * (size or LENGTH)
                )
                declared = self._types.declare(ArrayType(element, size or LENGTH), name)
                self._lines.append(f"{declared} = {{{shown}}};")
            case ArrayType(element, size):
                self._lines.append(
                    f"{self._types.declare(ArrayType(element, size or LENGTH), name)} = {{0}};"
                )
                for i in range(size or LENGTH):
                    self._fill(element, f"{name}[{i}]", f"{name}_{i}", value)
            case TapeType():
                raise AssertionError("tapes stay inside of programs")

    def _fill(self, t: Type, place: str, name: str, value: str | None) -> None:
        """Sets the floats and the pointers of memory that is zero; `name` is for what pointers
        point to."""
        match t:
            case Scalar() if t.is_float and value is None:
                self._lines.append(f"{place} = {VALUES[t]};")
            case StructType(struct):
                for member, inner in self._structs[struct].members:
                    self._fill(inner, f"{place}.{C.field(member)}", f"{name}_{member}", value)
            case ArrayType(_, None):
                self._declare(t, name, value)
                self._lines.append(f"{place} = {name};")
            case ArrayType(element, int(size)):
                for i in range(size):
                    self._fill(element, f"{place}[{i}]", f"{name}_{i}", value)
            case _:
                pass

    def _print(self, t: Type, place: str, label: str) -> None:
        """Prints a value; of an array its first element."""
        match t:
            case Scalar():
                form = "%g" if t.is_float else "%lld"
                shown = place if t.is_float else f"(long long){place}"
                self._lines.append(f'printf("{label} = {form}\\n", {shown});')
            case StructType(struct):
                for member, inner in self._structs[struct].members:
                    self._print(inner, f"{place}.{C.field(member)}", f"{label}.{member}")
            case ArrayType(element):
                self._print(element, f"{place}[0]", f"{label}[0]")
            case TapeType():
                pass
