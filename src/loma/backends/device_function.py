"""Prints what one thread of a kernel does, in a language like C for devices.

A thread cannot jump out of nested calls: where it stops itself, it notes why and returns. Each
thread has memory of its own for tapes and local arrays whose size is not known; where that is used
up, the thread stops, and the host runs the kernel again with more.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from loma.backends.cfamily import Root
from loma.backends.cfamily_function import FunctionPrinter
from loma.backends.cfamily_statements import Program
from loma.ir import imperative as T
from loma.ir.analysis.roots import bases, written_roots
from loma.ir.kernel import Kernel, Sum
from loma.ir.layout import INDENT
from loma.ir.nodes import Argument, Const, Direction, Trap, Var
from loma.ir.prims import arithmetic as A
from loma.ir.traverse import walk
from loma.ir.types import ArrayType, Scalar, TapeType, Type


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a thread stops itself: entry number n of a program is error number n + 1 of a launch."""

    trap: Trap
    file: str
    line: int
    message: str


@dataclass(slots=True)
class Stops:
    """The reasons that the kernels of a program have for stopping, numbered as they are met."""

    found: list[Stop] = field(default_factory=list)

    def number(self, stop: Stop) -> int:
        """The error number of a reason."""
        if stop not in self.found:
            self.found.append(stop)
        return self.found.index(stop) + 1


class ThreadPrinter(FunctionPrinter):
    """Prints the function of one thread."""

    def __init__(
        self, kernel: Kernel, program: Program, stops: Stops, *, pools: bool = False
    ) -> None:
        self.kernel = kernel
        self._pools = pools
        self.pooled = False
        self._stops = stops
        self._loops = 0
        self._leaves = 0
        base = bases(kernel.thread.body)
        self._written = {
            root for op in walk(kernel.thread.body) for root in written_roots(op, base, {})
        }
        self._written |= {s.root for s in kernel.sums}
        self._own = set(kernel.totals)
        self._given = set(kernel.thread.params) - self._own
        super().__init__(kernel.thread, program)

    # Parameters.

    def _parameter(self, a: Argument, p: Var) -> str:
        shared = self.program.dialect.shared
        match a.type:
            case ArrayType(element) if not isinstance(element, ArrayType):
                name = self._name(self._storage.of(p), a.name)
                constant = "" if p in self._written else "const "
                alone = "restrict " if self.f.distinct else ""
                text = self.program.types.declare(element, f"*{alone}{name}")
                return f"{shared}{constant}{text}"
            case Scalar() if a.direction is not Direction.IN and p in self._own:
                return super()._parameter(a, p)
            case t if a.direction is not Direction.IN and not isinstance(t, ArrayType | TapeType):
                return shared + super()._parameter(a, p)
            case _:
                return super()._parameter(a, p)

    @property
    def entry_parameters(self) -> list[str]:
        """The declarations of the kernel's own parameters, as the host gives them."""
        return self.parameters[: len(self.kernel.thread.params) - len(self.kernel.sums) - 2]

    @property
    def written(self) -> frozenset[int]:
        """The positions of the kernel's parameters that its threads write."""
        return self.positions(self._written)

    def positions(self, roots: AbstractSet[Var]) -> frozenset[int]:
        """The positions of these parameters of the kernel."""
        params = enumerate(self.kernel.thread.params)
        return frozenset(i for i, p in params if p in roots - self._own)

    def name_of(self, parameter: Var) -> str:
        """The name of a parameter."""
        return self._called(parameter)

    def address_of(self, s: Sum) -> str:
        """The address of the place that a sum is added to."""
        return self._show.address(T.Place(s.root, s.path, s.type))

    def _root(self, v: Var) -> Root:
        root = super()._root(v)
        own = v not in self._given and v not in self.program.facts.heap and not root.growable
        return replace(root, private=own)

    # Statements.

    def _simple(self, s: T.Stmt) -> str:
        match s:
            case T.Add(place, value) if place.root in self._given or place.crossed:
                kind = T.scalar_type(value)
                pooled = self._pools and kind.is_float and place.root in self.kernel.shared
                pooled = pooled and not place.crossed
                self.pooled |= pooled
                adds = "pool" if pooled else "add"
                given = f"{self._show.address(place)}, {self._show.of(value)}"
                return f"loma_{adds}_{kind.value}({given});"
            case _:
                return super()._simple(s)

    def _stmt(self, s: T.Stmt) -> list[str]:
        inside = isinstance(s, T.Count | T.Loop)
        before, self._loops = self._leaves, self._loops + inside
        out = [piece for line in super()._stmt(s) for piece in line.split("\n")]
        self._loops -= inside
        grows = not isinstance(s, T.Branch | T.Count | T.Loop) and any("LOMA_AT(" in x for x in out)
        left = inside and self._leaves > before
        return [*out, *self._stopped()] if grows or left else out

    def _leave(self) -> str:
        """Leaves the thread, or the innermost loop: what follows a loop asks again. (A return out
        of a loop would keep the threads of a warp apart from there on.)"""
        self._leaves += 1
        return "break;" if self._loops else "return;"

    def _stopped(self) -> list[str]:
        return [f"if ({self.stopped})", f"{INDENT}{self._leave()}"]

    stopped = "ctx->stopped"

    def _reason(self, trap: Trap, message: str) -> tuple[int, str]:
        """The error number of a reason to stop, and what a comment may say of it."""
        stop = Stop(trap, *self.program.place(self._line), message)
        return self._stops.number(stop), re.sub(r"[^ -~]|[*\\?]", "", message)

    def _assert(self, s: T.Assert) -> list[str]:
        fails = self._show.of(T.Operation(A.NOT, (s.cond,), Scalar.BOOL))
        number, why = self._reason(s.trap, s.message or _said(s.text) or s.trap.value)
        return [f"if ({fails}) {{", f"{INDENT}{self._stop(number)} /* {why} */",
                f"{INDENT}{self._leave()}", "}"]

    def _stop(self, number: int) -> str:
        return f"loma_stop(ctx, {number});"

    def _push(self, tape: T.Place, e: T.Expr) -> str:
        kind = T.scalar_type(e).value
        given = f"ctx, {self._show.address(tape)}, {self._show.of(e)}"
        return f"if (!loma_push_{kind}({given}))\n{INDENT}{self._leave()}"

    def _pop(self, tape: T.Place, v: Var) -> str:
        number, _ = self._reason(Trap.INDEX, "pop from an empty tape")
        given = f"ctx, {self._show.address(tape)}, {number}"
        kind = v.scalar.value
        return f"{self._called(v)} = loma_pop_{kind}({given});\n" + "\n".join(self._stopped())

    def _heap(self, s: T.Local, name: str) -> str:
        content = s.root.content
        types = self.program.types
        if isinstance(content, ArrayType):
            count = str(content.size) if s.count is None else self._show.of(s.count)
            element: Type = content.element
        else:
            self._pointers.add(s.root)
            count, element = "1", content
        given = f"ctx, {count}, sizeof({types.declare(element, '')})"
        kind, shown = types.declare(ArrayType(element), ""), types.declare(ArrayType(element), name)
        return f"{shown} = ({kind})loma_allocate({given});\n" + "\n".join(self._stopped())

    def _pragma(self, s: T.Count) -> list[str]:
        return []


def _said(text: T.Text) -> str:
    """What a message with values says before it comes to those of variables; an ellipsis stands
    for other values."""
    pieces = [x if isinstance(x, str) else str(x.value) if isinstance(x, Const) else "..."
              for x in text]
    return re.split(r" with [^ ]+ = ", "".join(pieces))[0]
