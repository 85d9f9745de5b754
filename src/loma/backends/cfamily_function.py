"""Prints one function in a language like C: its head, its blocks, and control."""

from __future__ import annotations

from collections.abc import Iterator

from loma.backends.cfamily import ACCESS
from loma.backends.cfamily_statements import Program, Statements
from loma.ir import imperative as T
from loma.ir.derived import RETURN, THREADS
from loma.ir.layout import INDENT
from loma.ir.nodes import Argument, Const, Direction, Function, Var
from loma.ir.prims import arithmetic as A
from loma.ir.types import ArrayType, Ref, Scalar, StructType, TapeType, Type


class FunctionPrinter(Statements):
    """Prints one function."""

    def __init__(self, f: Function, program: Program) -> None:
        super().__init__(f, program)
        self.parameters = self._parameters()

    def _parameters(self) -> list[str]:
        """The declarations of the parameters, the context not among them."""
        shown = []
        arguments = self.f.signature.arguments
        for a, p in zip(arguments, self.f.params, strict=False):
            shown.append(self._parameter(a, p))
        for p in self.f.params[len(arguments) :]:
            if isinstance(p.type, Ref):
                self._name(p, RETURN)
            else:
                shown.append(f"int32_t {self._name(self._storage.of(p), THREADS)}")
        return shown

    def _parameter(self, a: Argument, p: Var) -> str:
        name = self._name(self._storage.of(p), a.name)
        types = self.program.types
        match a.type:
            case ArrayType() if isinstance(p.type, Ref) and p.type.growable:
                self._pointers.add(p)
                return f"{self.program.dialect.growable} *{name}"
            case ArrayType(element):
                alone = "restrict " if self.f.distinct and not _is_array(element) else ""
                return types.declare(ArrayType(element), alone + name)
            case TapeType():
                self._pointers.add(p)
                return f"{self.program.dialect.tape} *{name}"
            case t if a.direction is Direction.IN:
                return types.declare(t, name)
            case t:
                self._pointers.add(p)
                return types.declare(t, f"*{name}")

    @property
    def result(self) -> str:
        """The type that the function returns."""
        t = self.f.signature.result
        return "void" if t is None else self.program.types.declare(t, "")

    @property
    def given(self) -> list[str]:
        """The names of the parameters."""
        return [
            self._called(p)
            for p in self.f.params
            if not (isinstance(p.type, Ref) and p is self._slot)
        ]

    def apart(self, pairs: list[tuple[int, int]]) -> str:
        """The condition under which parameters at pairs of positions are different memory."""
        names = [self._called(p) for p in self.f.params]
        if len(pairs) == 1:
            ((i, j),) = pairs
            return f"(const void *){names[i]} != (const void *){names[j]}"
        met = list(dict.fromkeys(i for pair in pairs for i in pair))
        written = [i for i in met if sum(i in pair for pair in pairs) == len(met) - 1]
        order = [*written, *(i for i in met if i not in written)]
        given = ", ".join(names[i] for i in order)
        return f"loma_apart((const void *[]){{{given}}}, {len(written)}, {len(order)})"

    @property
    def _slot(self) -> Var | None:
        return self.f.params[-1] if isinstance(self.f.signature.result, StructType) else None

    def signature(self, name: str, context: bool) -> str:
        """The function's head."""
        parameters = (["loma_context *ctx"] if context else []) + self.parameters
        space = "" if self.result.endswith("*") else " "
        return f"{self.result}{space}{name}({', '.join(parameters) or 'void'})"

    def lines(self) -> list[str]:
        """The function's statements."""
        out: list[str] = []
        if self.f.name in self.program.facts.recursive:
            out.append(f"loma_check_stack(ctx, {self._line});")
        result = self.f.signature.result
        if isinstance(result, StructType):
            root = self.f.params[-1]
            out.append(f"{self.program.types.declare(result, self._names[root])} = {{0}};")
        alive = self._alive = []
        out += self._statements(self._body.block)
        out += self._closing(self._frees(alive))
        return out

    def _closing(self, frees: list[str]) -> Iterator[str]:
        value = self._body.result
        if isinstance(self.f.signature.result, StructType):
            yield from frees
            yield f"return {self._names[self.f.params[-1]]};"
        elif value is None:
            yield from frees
        elif frees and not isinstance(value, Const | Var):
            yield f"const {self.result} result = {self._show.of(value)};"
            yield from frees
            yield "return result;"
        else:
            yield from frees
            yield f"return {self._show.of(value)};"

    def _nested(self, block: T.Block) -> list[str]:
        outer, self._alive = self._alive, []
        with self._supply.scope():
            out = self._statements(block)
            out += self._frees(self._alive)
        self._alive = outer
        return out

    def _statements(self, block: T.Block) -> list[str]:
        out: list[str] = []
        for s in block:
            self._line = self.program.site(s.span) or self._line
            self._undeclared = set()
            for v in self._declared.get(s, ()):
                self._name(v, self._storage.hint(v))
                self._undeclared.add(v)
            if not isinstance(s, T.Let | T.Copy):
                out += self._early(s)
            out += self._stmt(s)
        return out

    def _early(self, s: T.Stmt) -> Iterator[str]:
        for v in self._declared.get(s, ()):
            zero = " = 0" if isinstance(s, T.Threads) else ""
            shown = self.program.dialect.declared(self._scalar(v.scalar), self._called(v))
            yield f"{shown}{zero};"
        self._undeclared = set()

    def _stmt(self, s: T.Stmt) -> list[str]:  # noqa: C901 - one dispatch
        match s:
            case T.Let(var, value):
                return [self._set(var, value)]
            case T.Copy():
                return self._copy(s)
            case T.Pop():
                return [self._pop(s.tape, v) for v in reversed(s.targets)]
            case T.Push(tape, values):
                return [self._push(tape, e) for e in values]
            case T.Local():
                return [self._local(s)]
            case T.Hold():
                return [self._hold(s)]
            case T.Assert():
                return self._assert(s)
            case T.Print(text):
                return self._line_of(text, "loma_print(loma_line, loma_size);")
            case T.Branch():
                return self._branch(s)
            case T.Count():
                return self._count(s)
            case T.Loop():
                return self._loop(s)
            case T.Threads():
                return self._threads(s)
            case _:
                return [self._simple(s)]

    # Control.

    def _branch(self, s: T.Branch) -> list[str]:
        then, orelse = self._nested(s.then), self._nested(s.orelse)
        cond = self._show.of(s.cond)
        if not then:
            if not orelse:
                return [f"(void)({cond});"] if T.calls(s.cond) else []
            cond = self._show.of(T.Operation(A.NOT, (s.cond,), Scalar.BOOL))
            then, orelse = orelse, []
        out = [f"if ({cond}) {{", *_indented(then)]
        if not orelse:
            return [*out, "}"]
        if orelse[0].startswith("if (") and orelse[0].endswith("{") and _closed_last(orelse):
            return [*out, f"}} else {orelse[0]}", *orelse[1:]]
        return [*out, "} else {", *_indented(orelse), "}"]

    def _count(self, s: T.Count) -> list[str]:
        show = self._show
        kind = self._scalar(s.index.scalar)
        start, stop = show.of(s.start), s.stop
        inner: list[str] = []
        with self._supply.scope():
            name = self._name(s.index, s.index.name)
            if stop is None and isinstance(s.start, Const) and isinstance(s.count, Const):
                stop = _last(s.start, s.count, s.step)
            if stop is not None:
                before = self._pragma(s)  # which wants a single counter
                compare = "<" if s.step > 0 else ">"
                test = f"{name} {compare} {show.of(stop, ACCESS)}"
                first = f"{self.program.dialect.declared(kind, name)} = {start}"
                head = f"for ({first}; {test}; {self._next(name, s.step)})"
            else:
                before, head, inner = self._counted(s, kind, name, start)
            body = [*inner, *self._outer(s), *self._nested(s.body)]
        return [*before, f"{head} {{", *_indented(body), "}"]

    def _counted(
        self, s: T.Count, kind: str, name: str, start: str
    ) -> tuple[list[str], str, list[str]]:
        """A loop with a counter beside its index: what stands before it, its head, and what its
        body begins with."""
        dialect, k = self.program.dialect, self._supply.fresh("k")
        test, more = f"{k} < {self._show.of(s.count, ACCESS)}", self._next(k, 1)
        counter = dialect.declared(kind, k)
        if not dialect.one_counter:
            first = f"{counter} = 0, {name} = {start}"
            return [], f"for ({first}; {test}; {more}, {self._next(name, s.step)})", []
        first = self._supply.fresh(f"{name}_first")
        before = f"{dialect.declared(kind, first)} = {start};"
        index = f"{dialect.declared(kind, name)} = {first} + {k} * ({s.step});"
        return [before], f"for ({counter} = 0; {test}; {more})", [index]

    def _next(self, name: str, step: int) -> str:
        if step in (1, -1):
            return self.program.dialect.step[step < 0].format(name)
        return f"{name} += {step}"

    def _outer(self, s: T.Count | T.Threads) -> list[str]:
        """What a loop around one that counts down begins with."""
        outer = self.program.dialect.outer
        return [outer] if outer and _counts_down(s.body) else []

    def _pragma(self, s: T.Count) -> list[str]:
        """The permission to reassociate the sums of a loop that writes no memory, or none that
        other rounds see."""
        if self.program.strict or not s.body or not isinstance(s.body[-1], T.Copy):
            return []
        kinds = T.Let | T.Assign | T.Add if s.independent else T.Let
        if not all(isinstance(i, kinds) and not any(map(T.calls, T.expressions(i)))
                   for i in s.body[:-1]):
            return []
        lets = {i.var: i for i in s.body if isinstance(i, T.Let)}
        links = [lets[e] for _, e in s.body[-1].pairs if isinstance(e, Var) and e in lets]
        sums = {v: lets[e].value if isinstance(e, Var) and e in lets else e
                for v, e in s.body[-1].pairs}
        added = [self._summand(v, e) for v, e in sums.items()]
        others = [e for i in s.body[:-1] if i not in links for e in T.expressions(i)]
        carried = {self._storage.of(v) for v in (*sums, *(i.var for i in links))}
        read = {self._storage.of(v) for e in (*others, *added) if e for v in T.variables(e)}
        if None in added or carried & read:
            return []
        return [f"#pragma omp simd reduction(+:{', '.join(map(self._called, sums))})"]

    def _summand(self, v: Var, e: T.Expr) -> T.Expr | None:
        """What is added to a carried value in floats, if its next value is such a sum."""
        v = self._storage.of(v)
        if not v.scalar.is_float:
            return None
        match e:
            case T.Operation(A.ADD, (Var() as x, y)) if self._storage.of(x) is v:
                return None if T.calls(y) else y
            case T.Operation(A.ADD, (y, Var() as x)) if self._storage.of(x) is v:
                return None if T.calls(y) else y
            case _:
                return None

    def _loop(self, s: T.Loop) -> list[str]:
        outer, self._alive = self._alive, []
        with self._supply.scope():
            test = self._statements(s.test)
            if not test:
                cond = self._show.of(s.cond)
            else:
                cond = self._show.of(T.Operation(A.NOT, (s.cond,), Scalar.BOOL))
            leaving = self._frees(self._alive)
            body = self._statements(s.body)
            body += self._frees(self._alive)
        self._alive = outer
        if not test:
            return [f"while ({cond}) {{", *_indented(body), "}"]
        leave = (
            [f"if ({cond}) {{", *_indented([*leaving, "break;"]), "}"]
            if leaving
            else [self.program.dialect.when(cond, "break;")]
        )
        return ["for (;;) {", *_indented([*test, *leave, *body]), "}"]

    def _threads(self, s: T.Threads) -> list[str]:
        count = self._show.of(s.count, ACCESS)
        kind = self._scalar(s.index.scalar)
        with self._supply.scope():
            name = self._name(s.index, s.index.name)
            body = self._outer(s) + self._nested(s.body)
            body += [f"{self._called(v)} += {self._show.of(e)};" for v, e in s.sums]
        first, more = self.program.dialect.declared(kind, name), self._next(name, 1)
        return [f"for ({first} = 0; {name} < {count}; {more}) {{", *_indented(body), "}"]


def _counts_down(block: T.Block) -> bool:
    """Whether a loop of a block, or of its branches, counts down."""
    return any(
        isinstance(s, T.Count)
        and s.step < 0
        or isinstance(s, T.Branch)
        and (_counts_down(s.then) or _counts_down(s.orelse))
        for s in block
    )


def _is_array(t: Type) -> bool:
    return isinstance(t, ArrayType)


def _last(start: Const, count: Const, step: int) -> Const:
    return Const(int(start.value) + int(count.value) * step, start.type)


def _indented(lines: list[str]) -> list[str]:
    return [line if line.startswith("#") else INDENT + line for line in lines]


def _closed_last(lines: list[str]) -> bool:
    """Whether lines are one statement in braces, which closes at the last line."""
    return lines[-1] == "}" and all(
        line.startswith((INDENT, "} else", "#")) for line in lines[1:-1]
    )
