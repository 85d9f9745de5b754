"""A gradient as a function of the language, so that transforms differentiate it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from loma.host.call import result_name
from loma.host.definitions import Mapped, derivative
from loma.host.description import Description
from loma.host.function import Function
from loma.host.refusals import ArgumentTypeError
from loma.ir.derived import Mode
from loma.ir.names import Names
from loma.ir.nodes import Argument, Direction
from loma.ir.signature_text import argument_type_text
from loma.ir.types import F32, F64, ArrayType, Scalar, Type, has_pointer


def gradient_function(f: Function, number: str, names: Sequence[str]) -> Function:
    """The gradient of an output that is a number, by some inputs: returned, if it is one number,
    else in outputs `grad_x`.
    """

    def made() -> Mapped:
        text, primal = _Text(f, tuple(names), number).whole(), f.__loma_definition__
        return Mapped(primal, text, "grad", {"reverse": derivative(primal, Mode.REVERSE)})

    return f.beside(("", number, *names), made)


@dataclass(eq=False)
class Text:
    """The text of a function that calls a derivative of another one."""

    f: Function
    params: list[str] = field(default_factory=list, init=False)
    lines: list[str] = field(default_factory=list, init=False)
    passed: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.fixed = self.f.program.fixed_type
        self.wide: Description = self.f.describe(self.fixed or F64)
        self.written = self.wide.signature.written
        narrow = self.wide if self.fixed else self.f.describe(F32)
        self.narrow = {a.name: a for a in narrow.signature.written}
        self.supply = Names([*(a.name for a in self.wide.signature.arguments),
                             *(n for a in self.written for n in a.shape if isinstance(n, str))])
        self.sizes = {a.name: self._shape(a) for a in self.written}

    def _shape(self, a: Argument) -> tuple[str | int, ...]:
        """The sizes of an array: where it has none, a name for its length."""
        t = a.type
        inner = t.element if isinstance(t, ArrayType) else t
        if has_pointer(inner, self.wide.structs) or (
                a.direction is Direction.OUT and isinstance(t, ArrayType) and t.size is None
                and not a.shape):
            raise ArgumentTypeError(
                f"`{self.f.name}`: the derivative cannot be differentiated again, since "
                f"argument `{a.name}` is an array without sizes",
                'give it a named size, `Array[float, "n"]`')
        if isinstance(t, ArrayType) and t.size is None and not a.shape:
            return (self.supply.fresh(f"size_{a.name}"),)
        return a.shape

    def text(self, a: Argument, local: bool = False) -> str:
        """The type of an argument; the sizes of a local array are expressions."""
        shown = []
        for b, float_type in ((a, self.fixed or F64), (self.narrow[a.name], self.fixed or F32)):
            made = Argument(a.name, b.type, Direction.IN, shape=self.sizes[a.name])
            shown.append(argument_type_text(made, float_type))
        found = shown[1] if "f64" in shown[1] else shown[0]
        return found.replace('"', "") if local else found


@dataclass(eq=False)
class _Text(Text):
    """The program that calls the reverse derivative with what it needs."""

    names: tuple[str, ...]
    number: str
    outputs: dict[str, str] = field(default_factory=dict)

    def whole(self) -> str:
        """The text, with places for the names."""
        chosen = [a for a in self.written if a.name in self.names]
        alone = len(chosen) == 1 and isinstance(chosen[0].type, Scalar)
        self.outputs = {a.name: self.supply.fresh(f"grad_{a.name}") for a in chosen}
        for a in self.written:
            self._argument(a)
        if self.wide.signature.result is not None:
            self.passed.append(self._seed(self.wide.signature.result))
        arrow = f" -> {self.text(chosen[0])}" if alone else ""
        for a in chosen:
            out, text = self.outputs[a.name], self.text(a)
            (self.lines if alone else self.params).append(
                f"{out} : {text if alone else f'Out[{text}]'}")
        last = [f"return {out}" for out in self.outputs.values() if alone]
        body = [*self.lines, f"{{reverse}}({', '.join(self.passed)})", *last]
        head = f"def {{name}}({', '.join(self.params)}){arrow}:\n"
        return head + "".join(f"    {line}\n" for line in body)

    def _argument(self, a: Argument) -> None:
        """One argument, and what the reverse derivative gets of it."""
        inputs = a.direction is not Direction.OUT
        if inputs:
            text = self.text(a)
            self.params.append(f"{a.name} : In[{f'NoDiff[{text}]' if a.nodiff else text}]")
            self.passed.append(a.name if a.direction is Direction.IN else self._copy(a))
        if a.nodiff:
            return
        if a.name in self.outputs:
            self.passed.append(self.outputs[a.name])
        elif a.name == self.number:
            self.passed.append(self._local(a, "1.0") if inputs else "1.0")
        else:
            self.passed.append(self._local(a))

    def _local(self, a: Argument, value: str = "") -> str:
        """A variable of an argument's type, zero if it is not given a value."""
        name = self.supply.fresh(f"adj_{a.name}")
        self.lines.append(f"{name} : {self.text(a, local=True)}{value and f' = {value}'}")
        return name

    def _copy(self, a: Argument) -> str:
        """A copy of what the function changes."""
        name = self.supply.fresh(f"own_{a.name}")
        array = isinstance(a.type, ArrayType)
        value = "" if array else f" = {a.name}"
        self.lines.append(f"{name} : {self.text(a, local=True)}{value}")
        if array:
            self.lines.append(f"{name}[:] = {a.name}[:]")
        return name

    def _seed(self, t: Type) -> str:
        """The adjoint of the result."""
        if self.number == result_name(self.wide.signature):
            return "1.0"
        if isinstance(t, Scalar):
            return "0.0" if t.is_float else "0"
        name = self.supply.fresh("seed")
        text = argument_type_text(Argument(name, t), self.fixed or F64)
        self.lines.append(f"{name} : {text}")
        return name
