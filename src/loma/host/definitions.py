"""What a Function object stands for: a decorated function, a derivative, a function of a text.

The names in a decorated function mean what they mean in Python: they are looked up in its closure
and its module, at each call anew. So a constant that changes, or a helper that is defined again,
makes the function compile again; it never runs with an old value.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import linecache
import math
import numbers
import os
import threading
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CellType, FunctionType, ModuleType
from typing import Final, Protocol, TypeAlias, TypeVar
from weakref import WeakSet

from loma.backends.llvm.python_call import compiler_lock
from loma.diagnostics import Diagnostic, Files, UserError
from loma.frontend import parsed, surface
from loma.frontend.check.generic import is_template
from loma.frontend.methods import lifted
from loma.frontend.python import Dotted, Written, placed, scan
from loma.host import names
from loma.host.classes import NUMPY_TYPES, TYPES, Obj, is_numpy_scalar, type_text
from loma.ir.derived import MODES, Mode, implicit_name
from loma.ir.prims import FUNCTIONS
from loma.ir.types import Scalar


class Missing:
    """Stands for the value of a name that is not defined (yet)."""


MISSING: Final = Missing()
PACKAGE: Final = __name__.partition(".")[0]
ALIASES: Final = {
    "absolute": "abs", "fabs": "abs", "arccos": "acos", "arcsin": "asin", "arctan": "atan",
    "arctan2": "atan2", "maximum": "max", "minimum": "min", "power": "pow"}
CALLABLES: Final = (Callable, typing.Callable)
TRANSFORMS: Final = "loma.host.function"


class User(Protocol):
    """Who keeps what was compiled of definitions."""

    def forget(self) -> None:
        """Compiles anew at the next call."""


@dataclass(eq=False)
class Decorated:
    """A function of a Python file.

    `rule_of`: the derivative that it is. `rules`: those that it has. `users`: who has compiled it.
    """

    fn: FunctionType
    simd: bool
    rule_of: tuple[Mode, Definition] | None = None
    rules: dict[Mode, Decorated] = field(default_factory=dict)
    users: WeakSet[User] = field(default_factory=WeakSet)
    written: Written = field(init=False)
    derived: dict[Mode, Derived] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.written = scan(*_source(self.fn))
        code = self.fn.__code__
        cells = self.fn.__closure__ or ()
        self.cells: dict[str, CellType] = dict(zip(code.co_freevars, cells))
        self.nearby: dict[str, Obj] = {}
        missing = {d[0] for d in self.written.outer if self._root(d[0]) is MISSING}
        if missing:
            around = _outside()
            self.nearby = {name: around[name] for name in missing if name in around}

    @property
    def name(self) -> str:
        """The function's own name."""
        return self.fn.__name__

    def lookup(self, dotted: Dotted) -> Obj:
        """What a name in the function refers to now; MISSING when it has no value."""
        found = self._root(dotted[0])
        for attribute in dotted[1:]:
            found = getattr(found, attribute, MISSING)
        return found

    def _root(self, name: str) -> Obj:
        if name in self.cells:
            try:
                return self.cells[name].cell_contents
            except ValueError:
                return MISSING
        if name in self.fn.__globals__:
            return self.fn.__globals__[name]
        return self.nearby.get(name, getattr(builtins, name, MISSING))

    def namespace(self) -> dict[str, Obj]:
        """The names that annotations of a class nearby may use."""
        found = {name: self._root(name) for name in self.cells}
        return {**self.fn.__globals__, **self.nearby, **found}


@dataclass(eq=False)
class Text:
    """A loma program as text."""

    text: str
    file: str
    float_type: Scalar
    path: tuple[str, ...] = ()

    @functools.cached_property
    def module(self) -> surface.Module:
        """The file with what it imports, not yet checked."""
        return parsed(self.text, self.file, self.path)

    @property
    def files(self) -> Files:
        """The files that it consists of."""
        return self.module.files

    @property
    def parts(self) -> tuple[surface.Definition, ...]:
        """Its definitions, and those that it imports."""
        return self.module.definitions

    @functools.cached_property
    def members(self) -> dict[str, Member]:
        """Its functions and derivatives by name."""
        internal = self.module.internal
        own = [d for d in self.parts if d.name not in internal]
        names = [d.name for d in own if not isinstance(d, surface.Struct)]
        return {n: Member(self, n) for n in (*names, *self._methods({d.name for d in own}))}

    def _methods(self, own: set[str]) -> list[str]:
        """The functions that the methods of its classes become."""
        structs = [d for d in self.parts if isinstance(d, surface.Struct) and not d.type_params]
        made, methods = lifted(structs, {d.name for d in self.parts}, [])
        plain = {f.name for f in made if not is_template(f)}
        return [f for s, table in methods.table.items() if s in own
                for functions in table.values() for f in functions if f in plain]


@dataclass(eq=False)
class Member:
    """A function or derivative of a loma text."""

    program: Text
    name: str
    derived: dict[Mode, Derived] = field(default_factory=dict)


@dataclass(eq=False)
class Derived:
    """A derivative of another definition; `width`: how many tangents a forward one carries."""

    mode: Mode
    primal: Definition
    width: int = 1
    derived: dict[Mode, Derived] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name that it has when no one gives it another one."""
        return implicit_name(self.primal.name, self.mode, self.width)


@dataclass(eq=False)
class Mapped:
    """A function that calls another definition, or is an instance of it.

    The text has places for both names, and for those of `others`. `label`: its name begins so.
    """

    primal: Definition
    text: str
    label: str = "map"
    others: dict[str, Definition] = field(default_factory=dict)
    derived: dict[Mode, Derived] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name that it has when no one gives it another one."""
        return f"{self.label}_{self.primal.name}"


Definition: TypeAlias = Decorated | Member | Derived | Mapped
LOCK: Final = threading.RLock()


def _before_fork() -> None:
    """Waits until no thread compiles: a child would wait for its locks for ever."""
    LOCK.acquire()
    if (lock := compiler_lock()) is not None:
        lock.__enter__()


def _after_fork() -> None:
    if (lock := compiler_lock()) is not None:
        lock.__exit__(None, None, None)
    LOCK.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


def derivative(primal: Definition, mode: Mode) -> Derived:
    """The derivative of a definition: one object, however often it is asked for."""
    with LOCK:
        return primal.derived.setdefault(mode, Derived(mode, primal))


def definition_of(x: Obj) -> Definition | None:
    """The definition that a Function object stands for."""
    return getattr(x, "__loma_definition__", None)


# What names stand for.


@dataclass(frozen=True, slots=True)
class Plain:
    """A name that is replaced by loma text."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """The name of another definition."""

    definition: Definition


@dataclass(frozen=True, slots=True)
class Class:
    """The name of a class that is used as a struct, or of a static method in it."""

    cls: type
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Param:
    """A name that stands for any type."""

    name: str
    choices: tuple[str, ...]


Meaning: TypeAlias = Plain | Call | Class | Param


def meaning(found: Obj, dotted: Dotted, user: Decorated) -> Meaning:
    """What an object is inside of a decorated function; raises a UserError for what it cannot
    be.
    """
    if isinstance(found, Missing):
        return Call(user) if dotted == (user.name,) else Plain(".".join(dotted))
    definition = user if found is user.fn else definition_of(found)
    if definition is not None:
        return Call(definition)
    if isinstance(found, TypeVar):
        return _param(found)
    text = TYPES.get(id(found)) or _builtin(found, dotted)
    if text:
        return Plain(text)
    if isinstance(found, numbers.Number | tuple):
        return Plain(_constant(found, dotted, user))
    if isinstance(found, type):
        return Plain(NUMPY_TYPES[found.__name__]) if is_numpy_scalar(found) else Class(found)
    owner = user.lookup(dotted[:-1]) if dotted[1:] else None
    if isinstance(owner, type) and isinstance(found, FunctionType):
        return Class(owner, f".{dotted[-1]}")
    raise _refused(found, dotted, user)


def _param(found: TypeVar) -> Param:
    def no_struct(cls: type) -> str:
        raise TypeError(f"`{found.__name__}` cannot be the class `{cls.__name__}`: give no choices")

    name = found.__name__
    return Param(name, tuple([type_text(t, name, no_struct) for t in found.__constraints__]))


def _builtin(found: Obj, dotted: Dotted) -> str:
    """The name of a builtin of loma, or of one of Python and its `math` that loma knows."""
    if isinstance(found, names.Builtin):
        return found.__name__
    if any(found is c for c in CALLABLES):
        return "Callable"
    if getattr(found, "__module__", "") == TRANSFORMS and found.__name__ in MODES:
        return str(found.__name__)
    if getattr(math, dotted[-1], None) is found and dotted[-1] in FUNCTIONS:
        return dotted[-1]
    if getattr(builtins, dotted[-1], None) is found:
        return dotted[-1]
    return _numeric(found)


def _numeric(found: Obj) -> str:
    """The builtin that a function of NumPy, or of `math` under another name, is for numbers."""
    if type(found).__name__ != "ufunc" and found is not math.fabs:
        return ""
    name = ALIASES.get(found.__name__, found.__name__)
    return name if name in FUNCTIONS else ""


def _constant(value: Obj, dotted: Dotted, user: Decorated) -> str:
    """A constant as a literal: a number, or a table of numbers."""
    if isinstance(value, tuple) and value:
        return f"[{', '.join(_constant(x, dotted, user) for x in value)}]"
    return _number(value, dotted, user)


def _number(value: Obj, dotted: Dotted, user: Decorated) -> str:
    """A number as a literal."""
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return str(bool(value))
    if isinstance(value, numbers.Integral):
        return f"({int(value)})" if value < 0 else str(int(value))
    if isinstance(value, numbers.Real):
        number = float(value)
        if not math.isfinite(number):
            return f'float("{number}")'
        text = repr(abs(number))
        return f"(-{text})" if math.copysign(1.0, number) < 0 else text
    raise _refused(value, dotted, user)


def _refused(found: Obj, dotted: Dotted, user: Decorated) -> UserError:
    shown = ".".join(dotted)
    kind = type(found).__name__
    article = "an" if kind[:1].lower() in "aeiou" else "a"
    if isinstance(found, FunctionType):
        message = f"`{shown}` is a Python function"
        help = f"decorate it with `@loma.function`: `{user.name}` is compiled, and calls it"
    elif isinstance(found, ModuleType):
        message, help = f"`{shown}` is a module", "name what you need of it"
    elif isinstance(found, numbers.Number):
        message, help = f"`{shown}` is {found!r}, which has no literal", "pass it as an argument"
    else:
        message = f"`{shown}` is {article} `{kind}`, which is no constant number"
        help = f"pass it to `{user.name}` as an argument"
        help += ", or make it a tuple of numbers" if isinstance(found, list) else ""
    span = user.written.outer[dotted]
    found_here = Diagnostic("E0702", message, span, label="from outside of the function", help=help)
    return UserError((found_here,), user.written.source.text)


# Sources.


def _outside() -> Mapping[str, Obj]:
    """The variables of the code that called loma."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == PACKAGE:
        frame = frame.f_back
    return {} if frame is None else frame.f_locals


def _source(fn: FunctionType) -> tuple[str, str]:
    """The function's text, padded to its place in its file, and the file's name."""
    if not isinstance(fn, FunctionType):
        raise TypeError(f"loma compiles functions made by `def`, not {fn!r}")
    file = fn.__code__.co_filename
    if fn.__name__ == "<lambda>":
        raise TypeError("loma compiles functions made by `def`, not a lambda")
    try:
        lines, start = inspect.getsourcelines(fn)
    except OSError as e:
        raise OSError(
            f"the source of `{fn.__name__}` cannot be found: define it in a file or a notebook, "
            "or give its text to `loma.load`") from e
    return placed("".join(lines), start), file


def file_text(file: str, otherwise: str) -> str:
    """A file's whole text, for the lines that diagnostics show."""
    return "".join(linecache.getlines(file)) or otherwise
