"""Prints core IR as loma source that parses again and computes the same values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from typing import Final

from loma.diagnostics import InternalError, Span
from loma.ir import imperative as T
from loma.ir.builder import place_type
from loma.ir.coalesce import Storage, declarations, ordered
from loma.ir.derived import RETURN
from loma.ir.layout import Line, indented, wrapped
from loma.ir.names import LANGUAGE, Names
from loma.ir.nodes import Const, Function, Module, Operand, Trap, Var
from loma.ir.prims import arithmetic as A
from loma.ir.shown import Value, braces, call_operands
from loma.ir.text_expr import Expressions, quoted
from loma.ir.text_kernel import called_from_kernels, sunk
from loma.ir.text_return import returned
from loma.ir.types import ArrayType, Ref, Scalar, StructDef, StructType, Type, type_text
from loma.ir.unssa import Style, imperative

LOMA: Final = Style(implied_checks=True)


def module_text(module: Module) -> str:
    """The whole module as loma source: structs, then functions."""
    parts = [struct_text(s, module) for s in module.structs.values()]
    kernels = called_from_kernels(module)
    parts += [_text(_Printer(f, module, f.name in kernels)) for f in module.functions.values()]
    return "\n\n".join(parts)


def function_text(f: Function, module: Module) -> str:
    """One function as loma source."""
    return _text(_Printer(f, module, f.name in called_from_kernels(module)))


def function_lines(f: Function, module: Module) -> list[tuple[str, Span]]:
    """The lines of `function_text`, each with the primal source that it stems from."""
    printer = _Printer(f, module, f.name in called_from_kernels(module))
    return [(line.text, line.span) for line in printer.lines()]


def struct_text(s: StructDef, module: Module) -> str:
    """A struct as loma source."""
    members = [f"    {name} : {type_text(t, module.float_type)}" for name, t in s.members]
    return "\n".join([f"class {s.name}:", *(members or ["    pass"])]) + "\n"


def _text(printer: _Printer) -> str:
    return "\n".join(line.text for line in printer.lines()) + "\n"


class _Printer:
    def __init__(self, f: Function, module: Module, atomic: bool) -> None:
        self._f = sunk(f) if f.signature.simd else f
        self._module = module
        self._atomic = atomic
        self._supply = Names(LANGUAGE | set(module.functions) | set(module.structs))
        self._names: dict[Var, str] = {}
        self._expr = Expressions(
            self._called, module.float_type, {*module.functions, *module.structs}
        )
        self._body = imperative(self._f, module, LOMA)
        self._storage = Storage(self._f.params, self._body)
        self._declared = declarations(self._body, self._storage)
        self._to_declare: set[Var] = set()

    def lines(self) -> list[Line]:
        """The function's lines."""
        params = self._params()
        block, value = returned(self._f, self._body.block, self._module)
        body = [] if value is not None else list(self._opening())
        body += self._block(block)
        body += self._closing(value)
        result = self._f.signature.result
        arrow = "" if result is None else f" -> {self._type(result)}"
        head = [Line("@simd", self._f.span)] if self._f.signature.simd else []
        head += [Line(f"def {self._f.name}({', '.join(params)}){arrow}:", self._f.span)]
        all_lines = head + indented(body or [Line("pass", self._f.span)])
        return [piece for line in all_lines for piece in wrapped(line)]

    def _params(self) -> list[str]:
        shown: list[str] = []
        for a, p in zip(self._f.signature.arguments, self._f.params, strict=False):
            name = self._name(self._storage.of(p), a.name)
            kind = self._type(a.type)
            kind = f"{kind[:-1]}, ...]" if a.growable else kind
            kind = f"NoDiff[{kind}]" if a.nodiff else kind
            shown.append(f"{name} : {a.direction.value}[{kind}]")
        return shown

    def _opening(self) -> Iterator[Line]:
        result = self._f.signature.result
        if isinstance(result, StructType):
            name = self._name(self._f.params[-1], RETURN)
            yield Line(f"{name} : {result.name}", self._f.span)

    def _closing(self, value: T.Place | T.CallStmt | None) -> Iterator[Line]:
        """The return statement; `value` is the local or the call that a struct result comes
        from."""
        match value:
            case T.Place():
                yield Line(f"return {self._expr.place(value)}", self._f.span)
            case T.CallStmt(function, args):
                yield Line(f"return {self._expr.call(function, args[:-1])}", self._f.span)
            case None if isinstance(self._f.signature.result, StructType):
                yield Line(f"return {self._names[self._f.params[-1]]}", self._f.span)
            case None if self._body.result is not None:
                yield Line(f"return {self._expr.of(self._body.result)}", self._f.span)
            case _:
                pass

    # Names.

    def _name(self, v: Var, hint: str) -> str:
        name = self._supply.fresh(re.sub(r"\W", "_", hint) or "t")
        self._names[v] = name
        return name

    def _type(self, t: Type) -> str:
        return type_text(t, self._module.float_type)

    def _called(self, v: Var) -> str:
        return self._names[self._storage.of(v)]

    # Statements.

    def _block(self, block: T.Block) -> list[Line]:
        out: list[Line] = []
        skip = False
        for s, following in zip_longest(block, block[1:]):
            if skip:
                skip = False
                continue
            self._to_declare = set()
            for v in self._declared.get(s, ()):
                self._name(v, self._storage.hint(v))
                self._to_declare.add(v)
            skip = _defines(s, following, self._module)
            if skip:
                assert isinstance(s, T.Local) and isinstance(following, T.CallStmt), (
                    "a struct and its call"
                )
                out += self._local_result(s, following)
            else:
                out += self._declared_first(s)
        return out

    def _declared_first(self, s: T.Stmt) -> list[Line]:
        """A statement, after the declarations of variables that it does not declare by assigning
        them."""
        if not isinstance(s, T.Let | T.Copy):
            early = [
                Line(f"{self._called(v)} : {self._type(v.scalar)}", s.span)
                for v in self._declared.get(s, ())
            ]
            self._to_declare = set()
            return early + self._stmt(s)
        return self._stmt(s)

    def _nested(self, block: T.Block) -> list[Line]:
        with self._supply.scope():
            return self._block(block)

    def _stmt(self, s: T.Stmt) -> list[Line]:
        match s:
            case T.Let(var, value):
                return [self._set(var, value, s.span)]
            case T.Copy():
                return self._copy(s)
            case T.Branch():
                return self._branch(s)
            case T.Count():
                return self._count(s)
            case T.Loop():
                return self._loop(s)
            case T.Threads():
                return self._threads(s)
            case _:
                return [Line(self._simple(s), s.span)]

    def _set(self, v: Var, value: T.Expr, span: Span) -> Line:
        """Assigns a variable; declares it where this is its first mention."""
        v = self._storage.of(v)
        declared = ""
        if v in self._to_declare:
            self._to_declare.discard(v)
            declared = f" : {self._type(v.scalar)}"
        return Line(f"{self._called(v)}{declared} = {self._expr.of(value)}", span)

    def _copy(self, s: T.Copy) -> list[Line]:
        out: list[Line] = []
        for v, e in ordered(s, self._storage):
            if self._storage.of(v) not in self._names:
                self._name(v, v.name)
                self._to_declare.add(v)
            out.append(self._set(v, e, s.span))
        return out

    def _simple(self, s: T.Stmt) -> str:  # noqa: C901 - one dispatch
        show = self._expr
        match s:
            case T.Assign(place, value) | T.Bind(place, value):
                return f"{show.place(place)} = {show.of(value)}"
            case T.Add(place, value) if self._atomic:
                return f"{show.builtin('atomic_add')}({show.place(place)}, {show.of(value)})"
            case T.Add(place, value):
                where = show.place(place)
                return f"{where} = {where} + {show.of(value, A.ADD.precedence + 1)}"
            case T.Local():
                return self._local(s)
            case T.Hold():
                return self._hold(s)
            case T.Push(tape, values):
                given = ", ".join([show.place(tape), *map(show.of, values)])
                return f"{show.builtin('push')}({given})"
            case T.Pop(tape, targets):
                given = ", ".join([show.place(tape), *map(self._called, targets)])
                return f"{show.builtin('pop')}({given})"
            case T.Assert():
                return self._assert(s)
            case T.Print(text):
                return f"print({call_operands(self._told(text), quoted)})"
            case T.CallStmt(function, args):
                return self._call(function, args)
            case _:
                raise AssertionError(f"{type(s).__name__} is printed elsewhere")

    def _assert(self, s: T.Assert) -> str:
        if s.text and not s.message:
            return f"assert {self._expr.of(s.cond)}, f{quoted(braces(self._told(s.text)))}"
        message = s.message or ("" if s.trap is Trap.ASSERT else s.trap.value)
        return f"assert {self._expr.of(s.cond)}" + (f", {quoted(message)}" if message else "")

    def _told(self, text: T.Text) -> list[Value | str]:
        return [p if isinstance(p, str) else Value(self._expr.alone(p)) for p in text]

    def _local(self, s: T.Local) -> str:
        name = self._name(s.root, s.root.name)
        assert isinstance(s.root.type, Ref), "a local is a root"
        match s.root.content:
            case ArrayType(element, None) if s.count is not None or s.root.type.growable:
                length = "..." if s.count is None else self._expr.of(s.count)
                return f"{name} : Array[{self._type(element)}, {length}]"
            case content:
                return f"{name} : {self._type(content)}"

    def _hold(self, s: T.Hold) -> str:
        """Copies the struct in which a pointer lies: the copy keeps the pointer."""
        *path, member = s.place.path
        if not isinstance(member, str):
            raise InternalError(
                f"{self._f.name}: an array of arrays is overwritten while it is read"
            )
        holder = T.Place(s.place.root, tuple(path), s.place.type)
        name = self._supply.fresh(s.root.name)
        self._names[s.root] = f"{name}.{member}"
        kind = place_type(s.place.root.content, tuple(_steps(path)), self._module.structs)
        return f"{name} : {self._type(kind)} = {self._expr.place(holder)}"

    def _local_result(self, s: T.Local, call: T.CallStmt) -> list[Line]:
        value = self._expr.call(call.function, call.args[:-1])
        return [Line(f"{self._local(s)} = {value}", s.span)]

    def _call(self, function: str, args: tuple[T.Expr, ...]) -> str:
        if isinstance(self._module.functions[function].signature.result, StructType):
            return f"{self._expr.of(args[-1])} = {self._expr.call(function, args[:-1])}"
        return self._expr.call(function, args)

    # Control.

    def _branch(self, s: T.Branch) -> list[Line]:
        cond = self._expr.of(s.cond)
        then, orelse = self._nested(s.then), self._nested(s.orelse)
        if not then:
            if not orelse:
                return (
                    [Line(f"if {cond}:", s.span), *indented([Line("pass", s.span)])]
                    if T.calls(s.cond)
                    else []
                )
            cond = self._expr.of(T.Operation(A.NOT, (s.cond,), Scalar.BOOL))
            then, orelse = orelse, []
        out = [Line(f"if {cond}:", s.span), *indented(then)]
        if not orelse:
            return out
        if _is_elif(orelse):
            return [*out, Line(f"el{orelse[0].text}", orelse[0].span), *orelse[1:]]
        return [*out, Line("else:", s.span), *indented(orelse)]

    def _count(self, s: T.Count) -> list[Line]:
        bounds = self._rounds(s)
        with self._supply.scope(), self._threaded(s.parallel):
            name = self._name(s.index, s.index.name)
            body = self._block(s.body) or [Line("pass", s.span)]
        return [Line(f"for {name} in {bounds}:", s.span), *indented(body)]

    @contextmanager
    def _threaded(self, parallel: bool) -> Iterator[None]:
        """A block in which additions to memory are atomic if the rounds around it are unordered."""
        outside = self._atomic
        self._atomic = outside or parallel
        yield
        self._atomic = outside

    def _rounds(self, s: T.Count) -> str:
        if s.parallel:
            return f"parallel({self._expr.of(s.count if s.stop is None else s.stop)})"
        return f"range({self._range(s)})"

    def _range(self, s: T.Count) -> str:
        show = self._expr
        start = show.of(s.start)
        step = [] if s.step == 1 else [str(s.step)]
        if s.stop is not None:
            plain = isinstance(s.start, Const) and s.start.value == 0 and not step
            return show.of(s.stop) if plain else ", ".join([start, show.of(s.stop), *step])
        return ", ".join([start, show.of(stop_of(s)), *step])

    def _loop(self, s: T.Loop) -> list[Line]:
        with self._supply.scope():
            test = self._block(s.test)
            cond = self._expr.of(s.cond if not test else T.Operation(A.NOT, (s.cond,), Scalar.BOOL))
            body = self._block(s.body)
        if not test:
            return [Line(f"while {cond}:", s.span), *indented(body or [Line("pass", s.span)])]
        leave = [Line(f"if {cond}:", s.span), *indented([Line("break", s.span)])]
        return [Line("while True:", s.span), *indented([*test, *leave, *body])]

    def _threads(self, s: T.Threads) -> list[Line]:
        if self._f.signature.simd:
            name = self._name(s.index, s.index.name)
            value = f"{self._expr.builtin('thread_id')}()"
            return [Line(f"{name} : int = {value}", s.span), *self._block(s.body)]
        sums = [
            Line(f"{self._called(v)} : {self._type(v.scalar)} = 0.0", s.span) for v, _ in s.sums
        ]
        count = self._expr.of(s.count)
        with self._supply.scope():
            name = self._name(s.index, s.index.name)
            body = self._block(s.body)
            for v, e in s.sums:
                added = self._expr.of(e, A.ADD.precedence + 1)
                body.append(Line(f"{self._called(v)} = {self._called(v)} + {added}", s.span))
        return [*sums, Line(f"for {name} in range({count}):", s.span), *indented(body)]


def stop_of(s: T.Count) -> T.Expr:
    """start + count * step, simplified where literals meet."""
    kind = s.index.scalar
    match s.start, s.count:
        case Const(x), Const(n):
            return Const(x + n * s.step, kind)
        case T.Operation(A.SUB, (n, Const(1))), m if s.step == -1 and n is m:
            return Const(-1, kind)
        case _:
            pass
    span = (
        s.count
        if abs(s.step) == 1
        else T.Operation(A.MUL, (s.count, Const(abs(s.step), kind)), kind)
    )
    return T.Operation(A.ADD if s.step > 0 else A.SUB, (s.start, span), kind)


def _defines(s: T.Stmt, following: T.Stmt | None, module: Module) -> bool:
    """Whether a declaration and the call after it are `x : S = f(...)`."""
    match s, following:
        case T.Local(root), T.CallStmt(function, (*_, T.Place(target, ()))):
            result = module.functions[function].signature.result
            return target is root and isinstance(result, StructType)
        case _:
            return False


def _steps(path: list[T.Expr | str]) -> Iterator[Operand | str]:
    """A path of which only the fields matter."""
    for step in path:
        yield step if isinstance(step, str) else Const(0, Scalar.I32)


def _is_elif(lines: list[Line]) -> bool:
    """Whether lines are one if statement with its branches."""
    return lines[0].text.startswith("if ") and all(
        line.text.startswith((" ", "elif ", "else:")) for line in lines[1:]
    )
