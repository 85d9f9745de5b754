"""A Jacobian or a Hessian as a function of the language, so that it is differentiated again.

It runs the forward derivative once for each number among the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from loma.host.call import result_name
from loma.host.definitions import Mapped, derivative
from loma.host.function import Function
from loma.host.nested import Text, gradient_function
from loma.host.refusals import ArgumentTypeError
from loma.ir.derived import Mode
from loma.ir.nodes import Argument, Direction
from loma.ir.types import F32, ArrayType, Scalar, Type

Sizes = tuple[str, ...]
STEP: Final = "    "


def jacobian_function(f: Function, names: Sequence[str], label: str = "jacobian") -> Function:
    """The Jacobian by some inputs: an output for each pair of output and input, or one number."""
    if f.signature.simd:
        raise TypeError(
            f"`{label}` of the kernel `{f.name}` cannot be differentiated again: "
            "only that of a function can")

    def made() -> Mapped:
        text, primal = _Text(f, tuple(names), label).whole(), f.__loma_definition__
        return Mapped(primal, text, label, {"forward": derivative(primal, Mode.FORWARD)})

    return f.beside(("", "", label, *names), made)


def hessian_function(f: Function, number: str, names: Sequence[str]) -> Function:
    """The second derivatives of an output that is a number: the Jacobian of its gradient."""
    return jacobian_function(gradient_function(f, number, names), names, "hessian")


@dataclass(frozen=True)
class _Dual:
    """A variable with the values of an argument or the result, and their tangents."""

    name: str
    of: str
    element: str
    sizes: Sizes
    value: str  # what it holds at first; empty: zeros


@dataclass(eq=False)
class _Text(Text):
    """The program that calls the forward derivative along each unit direction."""

    names: tuple[str, ...]
    label: str
    inputs: dict[str, _Dual] = field(default_factory=dict)
    outputs: list[_Dual] = field(default_factory=list)
    blocks: dict[tuple[_Dual, str], str] = field(default_factory=dict)
    resets: list[str] = field(default_factory=list)

    def whole(self) -> str:
        """The text, with places for the names."""
        for a in self.written:
            self._argument(a)
        returned = self._returned()
        call = f"{returned}{{forward}}({', '.join(self.passed)})"
        alone = self._named_blocks()
        body, arrow = [*self.lines, *self._directions(call)], ""
        if alone:
            name, element = next(iter(self.blocks.values())), self.outputs[0].element
            self.params.pop()
            body, arrow = [f"{name} : {element}", *body, f"return {name}"], f" -> {element}"
        head = f"def {{name}}({', '.join(self.params)}){arrow}:\n"
        return head + "".join(f"{STEP}{line}\n" for line in body)

    def _returned(self) -> str:
        """Where the result goes, before the call."""
        result = self.wide.signature.result
        if result is None:
            return ""
        name = self.supply.fresh("result")
        narrow = self.f.describe(self.fixed or F32).signature.result
        assert narrow is not None
        self.narrow[name], self.sizes[name] = Argument(name, narrow), ()
        if not self._is_float(Argument(name, result)):
            return ""
        if changed := [a.name for a in self.written if a.direction is not Direction.IN]:
            raise ArgumentTypeError(
                f"`{self.f.name}`: the {self.label} cannot be differentiated again, since a number "
                f"is returned, and {', '.join(f'`{n}`' for n in changed)} is written",
                "write the number to an `Out` argument too")
        dual = self._dual(Argument(name, result), "", result_name(self.wide.signature))
        self.outputs.insert(0, dual)
        return f"{dual.name} = "

    def _argument(self, a: Argument) -> None:
        """One argument, and what the forward derivative gets for it."""
        given = a.direction is not Direction.OUT
        if given:
            text = self.text(a)
            self.params.append(f"{a.name} : In[{f'NoDiff[{text}]' if a.nodiff else text}]")
        if a.nodiff or not self._is_float(a):
            self.passed.append(a.name if a.direction is Direction.IN else self._own(a))
            return
        dual = self._dual(a, a.name if given else "", a.name)
        self.passed.append(dual.name)
        if given:
            self.inputs[a.name] = dual
        if a.direction is not Direction.IN:
            self.outputs.append(dual)

    def _own(self, a: Argument) -> str:
        """A variable for what has no derivative, and is written in each run."""
        name, first = self.supply.fresh(f"own_{a.name}"), a.name
        text, whole = self.text(a, local=True), "[:]" if isinstance(a.type, ArrayType) else ""
        self.lines.append(f"{name} : {text}")
        if a.direction is Direction.OUT:
            first = self.supply.fresh(f"zero_{a.name}")
            self.lines.append(f"{first} : {text}")
        self.resets.append(f"{name}{whole} = {first}{whole}")
        return name

    def _dual(self, a: Argument, value: str, of: str) -> _Dual:
        """A variable for a value and its tangent."""
        name = self.supply.fresh(f"d_{a.name}")
        dual = _Dual(name, of, self._element(a), self._sizes(a), value)
        pair = f"Diff[{dual.element}]"
        kind = f"Array[{', '.join([pair, *dual.sizes])}]" if dual.sizes else pair
        self.lines.append(f"{dual.name} : {kind}")
        return dual

    def _named_blocks(self) -> bool:
        """An output for each pair of output and input; whether it is one number."""
        single = len(self.outputs) == len(self.names) == 1
        for o in self.outputs:
            for n in self.names:
                name = self.supply.fresh(
                    self.label if single else f"{self.label}_{o.of}_{n}")
                self.blocks[o, n] = name
                sizes = [s if s.isdecimal() else f'"{s}"'
                         for s in (*o.sizes, *self.inputs[n].sizes)]
                kind = f"Array[{', '.join([o.element, *sizes])}]" if sizes else o.element
                self.params.append(f"{name} : Out[{kind}]")
        return single and not self.outputs[0].sizes and not self.inputs[self.names[0]].sizes

    # Statements.

    def _directions(self, call: str) -> list[str]:
        """One run for each number among the inputs."""
        found: list[str] = []
        for n in self.names:
            dual = self.inputs[n]
            at = self._indices(dual.sizes)
            seeded = f"{dual.name}{_index(at)}.dval"
            duals = dict.fromkeys([*self.inputs.values(), *self.outputs])
            lines = [line for d in duals for line in self._reset(d)]
            lines += [*self.resets, f"{seeded} = 1.0", call]
            for o in self.outputs:
                to = self._indices(o.sizes)
                lines += _loops(to, o.sizes, [
                    f"{self.blocks[o, n]}{_index([*to, *at])} = {o.name}{_index(to)}.dval"])
            found += _loops(at, dual.sizes, lines)
        return found

    def _reset(self, d: _Dual) -> list[str]:
        """What a variable holds before a run."""
        at = self._indices(d.sizes)
        value = f"{d.value}{_index(at)}" if d.value else "0.0"
        place = f"{d.name}{_index(at)}"
        return _loops(at, d.sizes, [f"{place}.val = {value}", f"{place}.dval = 0.0"])

    def _indices(self, sizes: Sizes) -> list[str]:
        return [self.supply.fresh("i") for _ in sizes]

    # Types.

    def _is_float(self, a: Argument) -> bool:
        """Whether it has derivatives, which must be numbers or arrays of numbers."""
        t: Type = a.type
        while isinstance(t, ArrayType):
            t = t.element
        if not isinstance(t, Scalar):
            raise ArgumentTypeError(
                f"`{self.f.name}`: the {self.label} cannot be differentiated again, since "
                f"{f'`{a.name}`' if a in self.written else 'its result'} holds structs",
                "use `vjp` or `jvp` of `loma.fwd_diff`")
        return t.is_float

    def _sizes(self, a: Argument) -> Sizes:
        """The sizes of all dimensions."""
        outer = self.sizes.get(a.name, ())
        t = a.type.element if outer and isinstance(a.type, ArrayType) else a.type
        found = [str(s) for s in outer]
        while isinstance(t, ArrayType):
            found.append(str(t.size))
            t = t.element
        return tuple(found)

    def _element(self, a: Argument) -> str:
        """The type of its numbers: `float`, or the explicit one."""
        return self.text(a).replace("Array[", "").partition(",")[0].rstrip("]")


def _index(at: Sequence[str]) -> str:
    return f"[{', '.join(at)}]" if at else ""


def _loops(at: Sequence[str], sizes: Sizes, body: Sequence[str]) -> list[str]:
    """Statements within loops over all indices."""
    heads = [f"{STEP * k}for {i} in range({n}):" for k, (i, n) in enumerate(zip(at, sizes))]
    return [*heads, *(STEP * len(at) + line for line in body)]
