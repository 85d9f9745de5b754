"""Random well-typed loma programs, with the shapes that their inputs need.

A `Program` is text plus entries: functions to run, and the derivatives that the text requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from properties import stacks
from properties.expressions import float_expr
from properties.generics import write_generics
from properties.hand import by_hand, primal_name
from properties.launches import write_kernel
from properties.methods import write_methods
from properties.modules import completed
from properties.parts import write_parts
from properties.rules import write_rules
from properties.scope import FLOAT, INT, LENGTH, WIDE, Callee, Formal, Scope, Variable, spelled
from properties.sized import sized_formals, sizes_in_scope, write_sized
from properties.statements import Page, Writer
from properties.tuples import pair

from loma.ir.derived import Mode
from loma.ir.types import ArrayType, StructDef, StructType, Type, has_float

WRAP = """def wrap(i : In[int], n : In[int]) -> int:
    \"\"\"An index below n.\"\"\"
    r : int = i - (i / n) * n
    if r < 0:
        r = r + n
    else:
        pass
    return r
"""
FEATURES = frozenset(
    {
        "early_return",
        "break",
        "recursion",
        "kernel",
        "pointer_struct",
        "ragged",
        "inout",
        "nested_ad",
        "methods",
        "tuples",
        "stacks",
        "grids",
        "generics",
        "rules",
        "launches",
        "recipes",
        "parts",
        "pointers",
        "sized",
        "results",
        "method_entries",
    }
)
ALL = FEATURES | {"modules"}
"""With what takes files beside the text."""


@dataclass(frozen=True)
class Entry:
    """A function of the program to run, and the names of its derivatives by chain of modes."""

    name: str
    formals: tuple[Formal, ...]
    result: Type | None
    simd: bool
    chains: tuple[tuple[str, tuple[Mode, ...]], ...]


@dataclass(frozen=True)
class Program:
    """A random program."""

    seed: int
    text: str
    structs: dict[str, StructDef]
    entries: tuple[Entry, ...]
    modules: dict[str, str] = field(default_factory=dict)
    path: tuple[str, ...] = ()


@dataclass
class Generator:
    """Writes one program; `order` is the highest order of derivative that it requests."""

    seed: int
    order: int = 1
    size: int = 6
    features: frozenset[str] = FEATURES
    rng: Random = field(init=False)
    page: Page = field(init=False)
    structs: dict[str, StructDef] = field(init=False, default_factory=dict)
    callees: list[Callee] = field(init=False, default_factory=list)
    entries: list[Entry] = field(init=False, default_factory=list)
    modules: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        self.page = Page()

    def program(self) -> Program:
        """The program."""
        self.page.line("SCALE = 1.5 / 2")
        self.make_structs()
        for line in WRAP.splitlines():
            self.page.line(line)
        several = "modules" in self.features and self.rng.random() < 0.3
        if several and self.rng.random() < 0.6:
            self.module("base")
        for _ in range(self.rng.randint(1, 3)):
            self.helper()
        self.extras()
        if several:
            self.module("pieces")
        if "kernel" in self.features and self.rng.random() < 0.3:
            self.kernel()
        else:
            self.function()
        if "method_entries" in self.features and not self.modules and self.rng.random() < 0.2:
            self.method()
        lines = completed(self.page.lines, self.modules)
        return Program(
            self.seed, "\n".join(lines) + "\n", self.structs, tuple(self.entries), self.modules
        )

    def module(self, name: str) -> None:
        """Moves what is written so far into a file of its own."""
        self.modules[name] = "\n".join(completed(self.page.lines, self.modules)) + "\n"
        self.page.lines.clear()

    def method(self) -> None:
        """A method that is run and differentiated."""
        methods = [c for c in self.callees if c.is_method]
        if methods:
            c = self.rng.choice(methods)
            primal = primal_name(c)
            name = primal.replace(".", "_")
            self.request(name, c.formals, c.result, simd=False, primal=primal)

    def extras(self) -> None:
        """Functions of the constructs that a program may use or not."""
        constructs: list[tuple[str, float, Callable[[], object]]] = [
            ("generics", 0.4, lambda: self.calls(
                write_generics(self.rng, self.page, self.structs))),
            ("rules", 0.4, lambda: self.calls(write_rules(self.rng, self.page))),
            ("tuples", 0.5, self.tuple_function),
            ("stacks", 0.3, self.stack_function),
            ("launches", 0.3, lambda: write_kernel(self)),
            ("parts", 0.3, lambda: self.calls([write_parts(self.page, self.rng.randrange(3))])),
            ("sized", 0.2, lambda: self.calls([write_sized(self.page)])),
            ("recursion", 0.4, self.recursive),
            ("nested_ad", 0.35 if self.order < 3 else 0.0, lambda: self.calls(
                by_hand(self.rng, self.page, self.structs, self.callees))),
        ]
        for feature, share, write in constructs:
            if feature in self.features and self.rng.random() < share:
                write()

    def calls(self, made: list[Callee]) -> None:
        """Lets what follows call functions."""
        self.callees += made

    # Types.

    def make_structs(self) -> None:
        """A few structs, nested in each other."""
        for k in range(self.rng.randint(0, 3)):
            earlier = [StructType(n) for n in self.structs]
            members: list[tuple[str, Type]] = [("x", FLOAT)]
            options: list[Type] = [
                FLOAT,
                INT,
                ArrayType(FLOAT, self.rng.randint(2, 4)),
                ArrayType(INT, LENGTH),
                ArrayType(ArrayType(FLOAT, 2), 2),
            ]
            options += [t for e in earlier for t in (e, ArrayType(e, 2))]
            if "pointer_struct" in self.features and self.rng.random() < 0.3:
                options = [ArrayType(FLOAT), *options]
            for j in range(self.rng.randint(0, 3)):
                members.append((f"m{j}", self.rng.choice(options)))
            self.rng.shuffle(members)
            self.structs[f"S{k}"] = StructDef(f"S{k}", tuple(members))
        for d in self.structs.values():
            self.page.line(f"class {d.name}:")
            for name, t in d.members:
                default = " = 0.5 * SCALE" if t is FLOAT and self.rng.random() < 0.2 else ""
                self.page.line(f"    {name} : {spelled(t)}{default}")
            if "methods" in self.features:
                self.callees += write_methods(self.rng, self.page, d, self.structs)

    def scope(self, formals: list[Formal], result: Type | None, kernel: bool = False) -> Scope:
        """The scope at the top of a function's body."""
        s = Scope(self.rng, self.structs, list(self.callees), kernel=kernel, result=result)
        for f in formals:
            is_array = isinstance(f.type, ArrayType)
            writable = f.direction != "In" or not is_array and not f.small
            if f.direction == "In" and isinstance(f.type, StructType):
                writable = s.can_be_local(f.type)
            s.variables.append(
                Variable(
                    f.name,
                    f.type,
                    readable=f.direction != "Out",
                    writable=writable and f.lengths_of is None and f.value is None,
                    tame=f.direction != "Out",
                    counter=f.small,
                )
            )
        return s

    def header(
        self, name: str, formals: list[Formal], result: Type | None,
        elements: tuple[Type, ...] = (),
    ) -> None:
        """The `def` line."""
        args = ", ".join(f"{f.name} : {f.direction}[{f.spelled}]" for f in formals)
        arrow = f" -> {spelled(result)}" if result is not None else ""
        arrow = f" -> tuple[{', '.join(map(spelled, elements))}]" if elements else arrow
        self.page.line(f"def {name}({args}){arrow}:")

    def body(self, s: Scope, size: int) -> None:
        """Statements, and the return at the end."""
        writer = Writer(self.rng, self.page, self.features)
        self.page.level += 1
        start = len(self.page.lines)
        for t in {t: None for t in (s.result, *s.elements)}:
            if isinstance(t, StructType):
                local = Variable(self.page.fresh("s"), t)
                self.page.line(f"{local.name} : {t.name}")
                s.variables.append(local)
        writer.statements(s, size)
        for v in [v for v in s.variables if not v.readable and not s.kernel]:
            place = writer.place_in(s, v)
            if place and self.rng.random() < 0.8:
                self.page.line(f"{place} = {writer.tame(s)}")
        if s.result is not None or s.elements:
            self.page.line(writer.return_text(s))
        elif len(self.page.lines) == start and not s.kernel:
            self.page.line("return")
        self.page.level -= 1

    # Functions.

    def helper(self) -> None:
        """A function that others call."""
        name = self.page.fresh("h")
        formals = [Formal(self.page.fresh("x"), FLOAT)]
        options: list[Type] = [FLOAT, FLOAT, INT, ArrayType(FLOAT), ArrayType(FLOAT)]
        options += [StructType(n) for n in self.structs]
        for _ in range(self.rng.randint(0, 2)):
            formals.append(Formal(self.page.fresh("x"), self.rng.choice(options)))
        result: Type | None = self.rng.choice([FLOAT, FLOAT, FLOAT, INT, None, None])
        locals_ = [
            StructType(n)
            for n in self.structs
            if Scope(self.rng, self.structs).can_be_local(StructType(n))
        ]
        if locals_ and self.rng.random() < 0.25:
            result = self.rng.choice(locals_)
        if result is None:
            outs: list[Type] = [FLOAT, FLOAT, ArrayType(FLOAT), *locals_]
            for _ in range(self.rng.randint(1, 2)):
                direction = (
                    "InOut" if "inout" in self.features and self.rng.random() < 0.3 else "Out"
                )
                formals.append(Formal(self.page.fresh("y"), self.rng.choice(outs), direction))
        self.header(name, formals, result)
        s = self.scope(formals, result)
        s.loops = 1
        self.body(s, self.rng.randint(1, 3))
        self.callees.append(Callee(name, formals, result))

    def tuple_function(self) -> None:
        """A function that returns a tuple."""
        structs = [StructType(n) for n in self.structs]
        types = [FLOAT, self.rng.choice([FLOAT, INT, *structs])]
        formals = [Formal(self.page.fresh("x"), t) for t in types]
        made = pair(self.rng, self.page, self.scope(formals, None))
        self.callees.append(made)

    def stack_function(self) -> None:
        """A function that works on a stack."""
        s = self.scope([], None)
        structs = [StructType(n) for n in self.structs if s.can_be_local(StructType(n))]
        element = self.rng.choice([FLOAT, *structs])
        self.callees.append(stacks.function(self.rng, self.page, s, element))

    def recursive(self) -> None:
        """A function that calls itself with a smaller counter."""
        name, x, n, y = (self.page.fresh(k) for k in ("r", "x", "n", "y"))
        formals = [Formal(x, FLOAT), Formal(n, INT, small=True)]
        s = self.scope(formals, FLOAT)
        s.callees = []
        if self.rng.random() < 0.5:
            self.header(name, formals, FLOAT)
            self.page.line(f"    if {n} <= 0:")
            self.page.line(f"        return {float_expr(s, 1)}")
            self.page.line(
                f"    return 0.5 * {x} * {name}(sin({float_expr(s, 1)}), {n} - 1)"
                f" + {float_expr(s, 1)}"
            )
            self.callees.append(Callee(name, formals, FLOAT, recursive=True))
            return
        formals.append(Formal(y, FLOAT, "Out"))
        self.header(name, formals, None)
        t = self.page.fresh("t")
        self.page.line(f"    {t} : float")
        self.page.line(f"    if {n} > 0:")
        self.page.line(f"        {name}(sin({float_expr(s, 1)}), {n} - 1, {t})")
        self.page.line(f"        {y} = sin({t}) * {x} + {float_expr(s, 1)}")
        if self.rng.random() < 0.5:
            self.page.line("    else:")
            self.page.line(f"        {y} = {float_expr(s, 1)}")
        self.callees.append(Callee(name, formals, None, recursive=True))

    def formals(self) -> list[Formal]:
        """The arguments of the function that is run."""
        inouts = ["InOut"] if "inout" in self.features else []
        formals = [
            Formal(self.page.fresh("x"), FLOAT),
            Formal(self.page.fresh("n"), INT, small=True),
        ]
        options: list[Type] = [FLOAT, INT, ArrayType(FLOAT), ArrayType(INT), ArrayType(FLOAT, 4)]
        options += [WIDE] if "results" in self.features else []
        options += [t for n in self.structs for t in (StructType(n), ArrayType(StructType(n)))]
        for _ in range(self.rng.randint(0, 3)):
            formals.append(Formal(self.page.fresh("x"), self.rng.choice(options)))
        if "ragged" in self.features and self.rng.random() < 0.25:
            rows = self.page.fresh("x")
            formals.append(Formal(rows, ArrayType(ArrayType(FLOAT))))
            formals.append(Formal(self.page.fresh("x"), ArrayType(INT), lengths_of=rows))
        for _ in range(self.rng.randint(0, 2)):
            direction = self.rng.choice([*inouts, "Out", "Out"])
            formals.append(Formal(self.page.fresh("y"), self.rng.choice(options), direction))
        if "ragged" in self.features and self.rng.random() < 0.2:
            direction = self.rng.choice([*inouts, "Out"])
            formals.append(Formal(self.page.fresh("y"), ArrayType(ArrayType(FLOAT)), direction))
        if "sized" in self.features and self.rng.random() < 0.3:
            formals += sized_formals(self.rng, self.page, self.structs)
        return formals

    def function(self) -> None:
        """The function that is run and differentiated."""
        name, formals = "f", self.formals()
        result, elements = self.results(formals)
        self.header(name, formals, result, elements)
        s = self.scope(formals, result)
        s.elements = elements
        s.variables += sizes_in_scope(formals)
        self.ragged_sum(s, formals)
        self.body(s, self.size)
        self.request(name, formals, result, simd=False)

    def results(self, formals: list[Formal]) -> tuple[Type | None, tuple[Type, ...]]:
        """What the function gives: a number, several, or nothing."""
        written = any(f.direction != "In" for f in formals)
        if "results" in self.features and self.rng.random() < 0.25:
            if written and self.rng.random() < 0.3:
                return WIDE, ()
            s = Scope(self.rng, self.structs)
            structs = [StructType(n) for n in self.structs if s.can_be_local(StructType(n))]
            some = (FLOAT, FLOAT, WIDE, INT, *structs)
            return None, (FLOAT, *self.rng.choices(some, k=self.rng.randint(1, 2)))
        return (None if written and self.rng.random() < 0.25 else FLOAT), ()

    def ragged_sum(self, s: Scope, formals: list[Formal]) -> None:
        """A sum over rows of different lengths."""
        for f in formals:
            if f.lengths_of is not None:
                total, i, j = (self.page.fresh(k) for k in ("v", "i", "j"))
                self.page.line(f"    {total} : float")
                self.page.line(f"    for {i} in range({LENGTH}):")
                self.page.line(f"        {j} : int")
                self.page.line(f"        while {j} < {f.name}[{i}]:")
                self.page.line(
                    f"            {total} = {total} + sin({f.lengths_of}[{i}][{j}]) * 0.3"
                )
                self.page.line(f"            {j} = {j} + 1")
                s.variables.append(Variable(total, FLOAT, tame=False))

    def kernel(self) -> None:
        """A kernel: each thread owns one element of the Out arrays."""
        name, i = "f", self.page.fresh("i")
        formals = [
            Formal(self.page.fresh("x"), FLOAT),
            Formal(self.page.fresh("x"), ArrayType(FLOAT)),
        ]
        options: list[Type] = [FLOAT, INT, ArrayType(FLOAT), ArrayType(INT)]
        options += [t for n in self.structs for t in (StructType(n), ArrayType(StructType(n)))]
        for _ in range(self.rng.randint(0, 2)):
            formals.append(Formal(self.page.fresh("x"), self.rng.choice(options)))
        owned = Formal(self.page.fresh("y"), ArrayType(FLOAT), "Out")
        total = Formal(self.page.fresh("y"), self.rng.choice([FLOAT, ArrayType(FLOAT)]), "Out")
        formals += [owned, total]
        self.page.line("@simd")
        self.header(name, formals, None)
        self.page.line(f"    {i} : int = thread_id()")
        s = self.scope([f for f in formals if f.direction == "In"], None, kernel=True)
        s.variables.append(Variable(i, INT, writable=False, counter=True))
        s.variables.append(Variable(owned.name, owned.type, readable=False, tame=False, only_at=i))
        shared = Variable(total.name, total.type, readable=False, writable=False, tame=False)
        self.body(s, self.size - 1)
        writer = Writer(self.rng, self.page, self.features)
        place = shared.name if total.type is FLOAT else f"{shared.name}[wrap({i} * 3, {LENGTH})]"
        self.page.line(f"    {owned.name}[{i}] = {writer.tame(s)}")
        self.page.line(f"    atomic_add({place}, {writer.tame(s)})")
        self.request(name, formals, None, simd=True)

    # Derivatives.

    def request(
        self, name: str, formals: list[Formal], result: Type | None, simd: bool, primal: str = ""
    ) -> None:
        """The derivative definitions: both first orders, and one chain of each higher order."""
        chains: list[tuple[str, tuple[Mode, ...]]] = []
        differentiable = any(has_float(f.type, self.structs) for f in formals)
        wanted = [(m,) for m in Mode] if self.order >= 1 and differentiable else []
        for order in range(2, self.order + 1):
            wanted.append(tuple(self.rng.choice(list(Mode)) for _ in range(order)))
        for modes in wanted:
            last = primal or name
            for mode in modes:
                known = next(
                    (d for d, m in chains if m == (*self._modes(last, chains), mode)), None
                )
                if known is None:
                    known = self.page.fresh("d")
                    self.page.line(f"{known} = {mode.value}_diff({last})")
                    chains.append((known, (*self._modes(last, chains), mode)))
                last = known
        self.entries.append(Entry(name, tuple(formals), result, simd, tuple(chains)))

    @staticmethod
    def _modes(name: str, chains: list[tuple[str, tuple[Mode, ...]]]) -> tuple[Mode, ...]:
        return next((m for d, m in chains if d == name), ())


def generate(
    seed: int, order: int = 1, size: int = 6, features: frozenset[str] = FEATURES
) -> Program:
    """The program of a seed."""
    return Generator(seed, order, size, features).program()
