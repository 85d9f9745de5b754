"""Entries of functions that recurse: the call itself happens on a stack of its own."""

from __future__ import annotations

from dataclasses import dataclass

from loma.backends.llvm.code import Code
from loma.backends.llvm.layout import symbol


@dataclass(frozen=True, slots=True)
class Pack:
    """The operands of a call in memory: the arguments, the callee, and room for the result."""

    type: str
    types: tuple[str, ...]
    result: str

    @staticmethod
    def of(args: list[str], result: str) -> Pack:
        """The pack for arguments with their types; `result` is void where there is none."""
        types = tuple(a.rsplit(" ", 1)[0] for a in args)
        fields = (*types, "ptr", *(() if result == "void" else (result,)))
        return Pack(f"{{ {', '.join(fields)} }}", types, "" if result == "void" else result)

    def at(self, code: Code, pack: str, k: int) -> str:
        """The address of a field."""
        return code.value(f"getelementptr {self.type}, ptr {pack}, i32 0, i32 {k}")


def call(code: Code, args: list[str], callee: str, result: str) -> tuple[str, list[str]]:
    """Calls `callee` on the other stack; gives its result, and the function that runs there."""
    pack = Pack.of(args, result)
    memory, n = code.local(pack.type, 16), len(args)
    for k, a in enumerate([*args, f"ptr {callee}"]):
        code.line(f"store {a}, ptr {pack.at(code, memory, k)}")
    if pack.result:
        code.line(f"store {pack.result} zeroinitializer, ptr {pack.at(code, memory, n + 1)}")
    code.line(f"call void @loma_on_stack(ptr @loma_r_{symbol(code.name)}, ptr {memory})")
    value = ""
    if pack.result:
        value = code.value(f"load {pack.result}, ptr {pack.at(code, memory, n + 1)}")
    return value, _runner(Code(code.unit, code.name, frozenset()), pack)


def _runner(code: Code, pack: Pack) -> list[str]:
    """The function that catches traps and calls."""
    n = len(pack.types)
    enter(code)
    code.line("br i1 %first, label %run, label %trapped")
    code.block("trapped")
    leave(code)
    code.line("ret void")
    code.block("run")
    args = ["ptr %ctx"]
    for k, t in enumerate(pack.types):
        where = pack.at(code, "%pack", k)
        args.append(f"{t} {code.value(f'load {t}, ptr {where}')}")
    callee = code.value(f"load ptr, ptr {pack.at(code, '%pack', n)}")
    text = f"call {pack.result or 'void'} {callee}({', '.join(args)}) noinline"
    if pack.result:
        value = code.value(text)
        code.line(f"store {pack.result} {value}, ptr {pack.at(code, '%pack', n + 1)}")
    else:
        code.line(text)
    leave(code)
    code.line("ret void")
    return code.finish(
        f"define internal void @loma_r_{symbol(code.name)}(ptr %pack) nounwind noinline {{")


def enter(code: Code) -> None:
    """Sets up the context and the landing place of traps; %first tells a call from a trap."""
    code.locals.append("%ctx = alloca %loma.ctx, align 16")
    code.line("%rec = call ptr @loma_enter(ptr %ctx)")
    if code.name in code.unit.effects.watched:
        code.line("call void @loma_watch(ptr %ctx)")
    code.line("%jumped = call i32 @_setjmp(ptr %ctx) returns_twice")
    code.line("%first = icmp eq i32 %jumped, 0")


def leave(code: Code) -> None:
    """Frees what is left of the context, and leaves a record."""
    if code.name in code.unit.effects.watched:
        code.line("call void @loma_unwatch(ptr %ctx)")
    code.line("call void @loma_leave(ptr %ctx, ptr %rec)")
