"""Random statements: every construct of the language, with values that stay of moderate size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from properties import orders, stacks, tuples
from properties.calls import Caller, Page
from properties.expressions import (
    condition,
    filled,
    float_expr,
    index,
    int_expr,
    leaf,
    literal,
    operand,
)
from properties.grids import grid
from properties.parts import by_rounds
from properties.pointers import pointer
from properties.recipes import recipe
from properties.rounds import parallel_loop
from properties.scope import FLOAT, INT, LENGTH, WIDE, Place, Scope, Variable, spelled

from loma.ir.types import ArrayType, StructType, Type

MAX_LOOPS = 2


@dataclass
class Writer(Caller):
    """Writes the statements of one function."""

    def block(self, s: Scope, size: int) -> None:
        """An indented block of at least one statement."""
        self.page.level += 1
        inside = s.inner()
        start = len(self.page.lines)
        self.statements(inside, size)
        if len(self.page.lines) == start:
            self.assign_float(inside) or self.declare_scalar(inside)
        self.page.level -= 1

    def statements(self, s: Scope, size: int) -> None:
        """Some statements; the scope learns what they declare."""
        for _ in range(size):
            self.statement(s, size)

    def statement(self, s: Scope, size: int) -> None:
        """One statement."""
        choices = [
            (self.assign_float, 6),
            (self.declare_scalar, 3),
            (self.declare_aggregate, 2),
            (self.assign_int, 2),
            (self.accumulate, 2),
            (self.call_statement, 3),
            (self.copy_struct, 1),
            (self.overwrite, 2),
            (self.self_index, 1),
            (self.infer, 2),
            (self.construct, 1),
            (self.augment, 2),
            (self.show, 1),
            (lambda s: tuples.statement(self.rng, self.page, s), 2),
            (lambda s: stacks.statement(self.rng, self.page, s), 1),
            (lambda s: orders.statement(self.rng, self.page, s), 2),
        ]
        if size > 1:
            choices += [(self.branch, 3)]
            if s.loops < MAX_LOOPS:
                choices += [(self.counted_while, 2), (self.data_while, 1), (self.for_loop, 2)]
                choices += [(partial(parallel_loop, self), 2)]
            if "grids" in self.features:
                choices += [(partial(grid, self), 2)]
            if "recipes" in self.features:
                choices += [(partial(recipe, self), 6)]
            if "pointers" in self.features:
                choices += [(partial(pointer, self), 1)]
            if "parts" in self.features:
                choices += [(partial(by_rounds, self), 2)]
            if "early_return" in self.features and not s.kernel:
                choices += [(self.early_return, 1)]
        writers, weights = zip(*choices, strict=True)
        self.rng.choices(writers, weights)[0](s)

    def show(self, s: Scope) -> bool:
        """print(...), which must change nothing."""
        shown = [float_expr(s, 1), int_expr(s, 1), condition(s)]
        self.page.line(f'print({self.rng.choice(shown)}, {leaf(s, 0)}, end="")')
        return True

    # Declarations.

    def declare_scalar(self, s: Scope) -> bool:
        """x : float [= e], or an int."""
        if self.rng.random() < 0.3:
            name = self.page.fresh("n")
            value = f" = {int_expr(s, 1)}" if self.rng.random() < 0.7 else ""
            self.page.line(f"{name} : int{value}")
            s.variables.append(Variable(name, INT))
            return True
        name = self.page.fresh("v")
        if self.rng.random() < 0.25:
            self.page.line(f"{name} : float")
        else:
            self.page.line(f"{name} : float = {self.tame(s)}")
        s.variables.append(Variable(name, FLOAT))
        return True

    def declare_aggregate(self, s: Scope) -> bool:
        """A local struct or array, zeroed, then partly filled."""
        structs = [StructType(n) for n in s.structs if s.can_be_local(StructType(n))]
        options: list[Type] = [
            ArrayType(FLOAT, self.rng.randint(2, 5)),
            ArrayType(FLOAT, LENGTH),
            ArrayType(INT, LENGTH),
            ArrayType(ArrayType(FLOAT, self.rng.randint(2, 4)), self.rng.randint(2, 3)),
            *structs,
            *structs,
        ]
        if structs:
            options.append(ArrayType(self.rng.choice(structs), self.rng.randint(2, 3)))
        t = self.rng.choice(options)
        v = Variable(self.page.fresh("a"), t)
        self.page.line(f"{v.name} : {spelled(t)}")
        s.variables.append(v)
        if isinstance(t, ArrayType) and t.element == FLOAT and self.rng.random() < 0.5:
            i = self.page.fresh("i")
            self.page.line(f"for {i} in range({t.size}):")
            inside = s.inner()
            self.page.line(f"    {v.name}[{i}] = sin({leaf(inside, 0)} + {i} * 0.3)")
        elif place := self.place_in(s, v):
            self.page.line(f"{place} = {self.tame(s)}")
        return True

    def place_in(self, s: Scope, v: Variable) -> str | None:
        """A float place inside a variable."""
        inside = s.inner()
        inside.variables = [v]
        places = inside.places(FLOAT, write=True)
        return filled(s, self.rng.choice(places), 0) if places else None

    def infer(self, s: Scope) -> bool:
        """A variable that gets its type from its first value, perhaps in both branches."""
        name, kept = self.page.fresh("w"), self.page.fresh("v")
        if self.rng.random() < 0.3:
            self.page.line(f"{name} = {int_expr(s, 1)}")
            self.page.line(f"{kept} : float = 0.1 * ({name} % 5)")
        elif self.rng.random() < 0.4:
            self.page.line(f"if {condition(s)}:")
            self.page.line(f"    {name} = 1.0 * ({self.tame(s)})")
            self.page.line("else:")
            self.page.line(f"    {name} = 0.5 * {leaf(s, 0)}")
            self.page.line(f"{kept} = {name} * {self.tame(s)}")
            self.page.line(f"{kept} = 0.5 * {kept}")
        else:
            self.page.line(f"{name} = 1.0 * ({self.tame(s)})")
            self.page.line(f"{kept} : float = {name} * {literal(s)}")
        s.variables.append(Variable(kept, FLOAT))
        return True

    def construct(self, s: Scope) -> bool:
        """A struct made by its constructor, from operands in order or by name."""
        structs = [StructType(n) for n in s.structs if s.can_be_local(StructType(n))]
        if not structs:
            return False
        t = self.rng.choice(structs)
        members = s.structs[t.name].members
        values = [self.tame(s) if mt is FLOAT else operand(s, mt, 1) for _, mt in members]
        given = [(m, v) for (m, _), v in zip(members, values, strict=True) if v is not None]
        text = ""
        if len(given) == len(members):
            k = self.rng.randint(0, len(given))
            named = [f"{m}={v}" for m, v in given[k:]]
            self.rng.shuffle(named)
            text = ", ".join([v for _, v in given[:k]] + named)
        v = Variable(self.page.fresh("s"), t)
        self.page.line(f"{v.name} : {t.name} = {t.name}({text})")
        s.variables.append(v)
        return True

    # Assignments.

    def tame(self, s: Scope) -> str:
        """A float expression of size about 1."""
        e = float_expr(s, self.rng.randint(1, 2))
        return self.rng.choice(
            [f"sin({e})", f"cos({e})", f"0.5 * sin({e}) + {literal(s)}", leaf(s, 1)]
        )

    def write_place(self, s: Scope, t: Type) -> tuple[str, Place] | None:
        """A place to write, with its indices chosen."""
        places = s.places(t, write=True)
        if not places:
            return None
        p = self.rng.choice(places)
        return filled(s, p), p

    def assign_float(self, s: Scope) -> bool:
        """place = e."""
        found = self.write_place(s, FLOAT)
        if found is None:
            return False
        text, p = found
        value = self.tame(s)
        if s.in_loop and p.variable.readable and self.rng.random() < 0.6:
            value = f"0.5 * {text} + 0.3 * sin({float_expr(s, 1)})" if p.variable.tame else value
        self.page.line(f"{text} = {value}")
        self.read_back(s, text, p)
        return True

    def read_back(self, s: Scope, text: str, p: Place) -> None:
        """Reads an Out place that has just been written."""
        if not p.variable.readable and "(" not in text and self.rng.random() < 0.3:
            name = self.page.fresh("v")
            self.page.line(f"{name} : float = {text} * {leaf(s, 0)}")
            s.variables.append(Variable(name, FLOAT, tame=False))
            if self.rng.random() < 0.4:
                self.page.line(f"{text} = sin({text}) + 0.5 * {leaf(s, 0)}")

    def overwrite(self, s: Scope) -> bool:
        """x = f(x), several times over."""
        places = [p for p in s.places(FLOAT, write=True) if p.variable.readable and p.variable.tame]
        if not places:
            return False
        text = filled(s, self.rng.choice(places), 0)
        for _ in range(self.rng.randint(1, 2)):
            self.page.line(
                self.rng.choice(
                    [
                        f"{text} = sin({text} * {leaf(s, 0)})",
                        f"{text} = 0.7 * {text} * cos({text})",
                        f"{text} = {text} / (2.0 + {text} * {text})",
                        f"{text} = 0.5 * {text} + 0.25 * {leaf(s, 0)}",
                    ]
                )
            )
        return True

    def assign_int(self, s: Scope) -> bool:
        """An int place = an int expression (or a float, converted)."""
        found = self.write_place(s, INT)
        if found is None:
            return False
        value = f"{self.tame(s)} * 3.0" if self.rng.random() < 0.15 else int_expr(s, 2)
        self.page.line(f"{found[0]} = {value}")
        return True

    def accumulate(self, s: Scope) -> bool:
        """place = place + e, or atomic_add."""
        places = [
            p for p in s.places(FLOAT, write=True) if not p.variable.tame and not p.variable.only_at
        ]
        if not places:
            return False
        p = self.rng.choice(places)
        text, value = filled(s, p), self.tame(s)
        if s.kernel or self.rng.random() < 0.4:
            self.page.line(f"atomic_add({text}, {value})")
        elif p.variable.readable:
            self.page.line(f"{text} = {text} + {value}")
        return True

    def augment(self, s: Scope) -> bool:
        """place operator= e, on a float or an int."""
        places = [p for p in s.places(FLOAT, write=True) if p.variable.readable]
        whole = [p for p in s.places(INT, write=True) if p.variable.readable]
        if whole and self.rng.random() < 0.3:
            text = filled(s, self.rng.choice(whole))
            step = ["+= 1", "-= 2", "*= 3", "//= 2", "%= 5", "&= 13", "|= 2", "^= 3", "<<= 1"]
            self.page.line(f"{text} {self.rng.choice(step)}")
        elif places:
            p = self.rng.choice(places)
            text = filled(s, p)
            self.page.line(f"{text} *= 0.7 * {leaf(s, 0)}")
            if not p.variable.only_at:
                self.page.line(f"{text} {self.rng.choice(['+=', '-='])} 0.3 * {self.tame(s)}")
            if self.rng.random() < 0.3:
                self.page.line(f"{text} {self.rng.choice(['/= 2.0', '**= 2', '%= 1.7'])}")
        return bool(whole or places)

    def copy_struct(self, s: Scope) -> bool:
        """Copies a struct into a new variable or over another."""
        names = [StructType(n) for n in s.structs if s.places(StructType(n))]
        if not names:
            return False
        t = self.rng.choice(names)
        source = filled(s, self.rng.choice(s.places(t)), 0)
        targets = s.places(t, write=True)
        if targets and self.rng.random() < 0.4:
            target = filled(s, self.rng.choice(targets), 0)
            if target != source and s.can_be_local(t):
                self.page.line(f"{target} = {source}")
            return True
        v = Variable(self.page.fresh("s"), t, writable=s.can_be_local(t))
        self.page.line(f"{v.name} : {t.name} = {source}")
        s.variables.append(v)
        return True

    def self_index(self, s: Scope) -> bool:
        """An int array indexes itself, then a float array."""
        ints = [p for p in s.places(ArrayType(INT, LENGTH), write=True) if p.variable.readable]
        floats = s.places(ArrayType(FLOAT))
        if not ints or not floats:
            return False
        i = filled(s, self.rng.choice(ints), 0)
        a = filled(s, self.rng.choice(floats), 0)
        name = self.page.fresh("v")
        self.page.line(f"{i}[wrap({i}[{index(s, LENGTH)}], {LENGTH})] = {int_expr(s, 1)}")
        self.page.line(f"{name} : float = 0.5 * {a}[wrap({i}[{index(s, LENGTH)}], {LENGTH})]")
        s.variables.append(Variable(name, FLOAT, tame=not s.in_loop))
        return True

    # Control.

    def branch(self, s: Scope) -> bool:
        """if / elif / else."""
        self.page.line(f"if {condition(s)}:")
        self.block(s, self.rng.randint(1, 2))
        if self.rng.random() < 0.25:
            self.page.line(f"elif {condition(s)}:")
            self.block(s, 1)
        if self.rng.random() < 0.5:
            self.page.line("else:")
            self.block(s, self.rng.randint(1, 2))
        return True

    def looped(self, s: Scope) -> Scope:
        """The scope of a loop's body."""
        inside = s.inner()
        inside.loops += 1
        inside.in_loop = True
        inside.calls_left = min(inside.calls_left, 2)
        return inside

    def body(self, inside: Scope, counter: str | None, first: bool) -> None:
        """The body of a loop, its counter advanced at either end."""
        step = f"{counter} = {counter} + 1"
        if counter and first:
            self.page.line("    " + step)
        self.page.level += 1
        if "break" in self.features and self.rng.random() < 0.35:
            word = self.rng.choice(["break", "continue"]) if first or counter is None else "break"
            self.page.line(f"if {condition(inside)}:")
            if self.rng.random() < 0.4:
                self.page.level += 1
                self.assign_float(inside.inner())
                self.page.level -= 1
            self.page.line(f"    {word}")
        self.page.level -= 1
        self.block(inside, self.rng.randint(1, 3))
        if counter and not first:
            self.page.line("    " + step)

    def counted_while(self, s: Scope) -> bool:
        """A while loop over a counter."""
        i = self.page.fresh("i")
        bounds = [v.name for v in s.variables if v.counter] + ["2", "3", str(LENGTH)]
        bound = self.rng.choice(bounds)
        self.page.line(f"{i} : int = 0" if self.rng.random() < 0.8 else f"{i} : int")
        hinted = self.rng.random() < 0.5
        self.page.line(
            f"while ({i} < {bound}, max_iter := 10):" if hinted else f"while {i} < {bound}:"
        )
        inside = self.looped(s)
        first = self.rng.random() < 0.4
        if not first:
            inside.variables.append(Variable(i, INT, writable=False, counter=True))
        self.body(inside, i, first)
        return True

    def data_while(self, s: Scope) -> bool:
        """A while loop whose condition reads what the body computes."""
        i, v = self.page.fresh("i"), self.page.fresh("v")
        self.page.line(f"{i} : int = 0")
        self.page.line(f"{v} : float = {self.tame(s)}")
        test = f"{v} {self.rng.choice('<>')} {literal(s)}"
        extra = f" and ({condition(s, 0)})" if self.rng.random() < 0.2 else ""
        self.page.line(f"while {i} < {LENGTH} and {test}{extra}:")
        inside = self.looped(s)
        inside.variables.append(Variable(v, FLOAT))
        self.page.level += 1
        self.page.line(f"{v} = 0.8 * {v} + 0.4 * sin({float_expr(inside, 1)}) + {literal(s)}")
        self.page.level -= 1
        self.body(inside, i, first=True)
        s.variables.append(Variable(v, FLOAT, tame=False))
        return True

    def for_loop(self, s: Scope) -> bool:
        """for i in range(...)."""
        i = self.page.fresh("i")
        bounds = [v.name for v in s.variables if v.counter] + ["3", str(LENGTH)]
        bound = self.rng.choice(bounds)
        text = self.rng.choice([f"range({bound})", f"range(0, {bound})", f"range(1, {bound}, 2)",
                                f"range({LENGTH - 1}, -1, -1)"])
        self.page.line(f"for {i} in {text}:")
        inside = self.looped(s)
        inside.variables.append(Variable(i, INT, writable=False, counter=True))
        self.body(inside, None, first=False)
        return True

    def early_return(self, s: Scope) -> bool:
        """if c: return e."""
        self.page.line(f"if {condition(s)}:")
        self.page.line(f"    {self.return_text(s)}")
        return True

    def return_text(self, s: Scope) -> str:
        """A return statement of the function's type."""
        if s.elements:
            return f"return {', '.join(self.element(s, t) for t in s.elements)}"
        if s.result is None:
            return "return"
        if s.result is WIDE:
            return f"return i64({int_expr(s, 2)}) * {self.rng.choice(['3', '3000000000'])}"
        if isinstance(s.result, StructType):
            return f"return {filled(s, self.rng.choice(s.places(s.result)), 0)}"
        if s.result is INT:
            return f"return {int_expr(s, 2)}"
        parts = [leaf(s, 0) for _ in range(self.rng.randint(1, 3))]
        return f"return {' + '.join([self.tame(s), *parts])}"

    def element(self, s: Scope, t: Type) -> str:
        """An element of a tuple that is returned."""
        if t is FLOAT:
            return self.tame(s)
        if isinstance(t, StructType):
            return filled(s, self.rng.choice(s.places(t)), 0)
        return int_expr(s, 1) if t is INT else f"i64({int_expr(s, 1)})"


__all__ = ["Page", "Writer"]
