"""Finds everything that a definition needs, and gives it names of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Number
from typing import Final

from loma.diagnostics import Span
from loma.frontend.python import Dotted
from loma.host.classes import Member as StructMember
from loma.host.classes import members, methods
from loma.host.definitions import (
    Call,
    Class,
    Decorated,
    Definition,
    Derived,
    Mapped,
    Member,
    Missing,
    Param,
    Plain,
    Text,
    meaning,
)
from loma.host.watch import Watch
from loma.ir.derived import implicit_name

RESERVED: Final = frozenset(("make__dfloat", "_dfloat"))


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a class that the program calls, perhaps."""

    definition: Decorated
    static: bool


@dataclass(eq=False)
class Parts:
    """A definition, and all that it needs.

    `params`: the names that stand for any type, each with the types to choose from.

    `names`: what each definition is called in the program. `meanings`: what the names in a
    function stand for, as loma text. `classes`, `members`, `methods`, `places`: the structs.
    `watches`: the names whose meaning may change.
    """

    root: Definition
    texts: list[Text] = field(default_factory=list)
    names: dict[Definition, str] = field(default_factory=dict)
    meanings: dict[Decorated, dict[Dotted, str]] = field(default_factory=dict)
    classes: dict[type, str] = field(default_factory=dict)
    members: dict[type, list[StructMember]] = field(default_factory=dict)
    methods: dict[type, list[Method]] = field(default_factory=dict)
    places: dict[type, Span] = field(default_factory=dict)
    watches: list[Watch] = field(default_factory=list)
    params: dict[str, tuple[str, ...]] = field(default_factory=dict)


def gather(parts: Parts) -> None:
    """Finds everything that the root needs, and names it."""
    _Gathering(parts).run()


class _Gathering:
    def __init__(self, program: Parts) -> None:
        self.p = program
        self.taken: set[str] = set(RESERVED)
        self.calls: list[tuple[Decorated, Dotted, Definition]] = []
        self.order: dict[Definition, None] = {}
        self.used: list[tuple[Decorated, Dotted, Class]] = []
        self.mentions: set[str] = set()
        self.met: set[tuple[type, str]] = set()
        self.plain: dict[Decorated, dict[Dotted, str]] = {}

    def run(self) -> None:
        """Fills the program."""
        self._reach(self.p.root)
        for t in self.p.texts:
            self.taken |= {d.name for d in t.parts}
        self._classes()
        lifted = {m.definition for found in self.p.methods.values() for m in found}
        for d in sorted(self.order, key=lambda d: isinstance(d, Derived | Mapped)):
            if d not in lifted:
                self._name(d)
        for user, meanings in self.plain.items():
            self.p.meanings[user] = meanings
        for user, dotted, called in self.calls:
            self.p.meanings[user][dotted] = self.p.names[called]
        for user, dotted, used in self.used:
            self.p.meanings[user][dotted] = self.p.classes[used.cls] + used.tail

    def _classes(self) -> None:
        """Names the classes, and finds their methods that are mentioned, and so on."""
        done, found = 0, True
        while done < len(self.used) or found:
            for user, dotted, used in self.used[done:]:
                self._class(used.cls, user, user.written.outer[dotted])
            done, found = len(self.used), False
            for cls in list(self.p.classes):
                for method in self._methods(cls):
                    self.p.methods.setdefault(cls, []).append(method)
                    self._reach(method.definition)
                    found = True

    def _methods(self, cls: type) -> list[Method]:
        """The methods of a class that are mentioned by now, and were not before."""
        found: list[Method] = []
        for name, fn, static in methods(cls):
            if name in self.mentions and (cls, name) not in self.met:
                self.met.add((cls, name))
                made = Method(Decorated(fn, False), static)
                if not name.startswith("__") or made.definition.written.is_operator():
                    found.append(made)
        return found

    def _reach(self, root: Definition) -> None:
        todo = [root]
        while todo:
            d = todo.pop()
            if d in self.order:
                continue
            self.order[d] = None
            match d:
                case Decorated():
                    todo += [*self._links(d), *d.rules.values()]
                case Derived():
                    todo.append(d.primal)
                case Mapped():
                    todo += [d.primal, *d.others.values()]
                case Member():
                    if d.program not in self.p.texts:
                        self.p.texts.append(d.program)

    def _links(self, d: Decorated) -> list[Definition]:
        """The definitions that a decorated function names."""
        found: list[Definition] = []
        self.plain[d] = {}
        self.mentions |= d.written.mentions
        for dotted in d.written.outer:
            obj = d.lookup(dotted)
            match meaning(obj, dotted, d):
                case Plain(text):
                    self.plain[d][dotted] = text
                    if isinstance(obj, Number | Missing | tuple):
                        self.p.watches.append(Watch(d, dotted, obj))
                case Call(definition):
                    found.append(definition)
                    self.calls.append((d, dotted, definition))
                    self.p.watches.append(Watch(d, dotted, obj, definition))
                case Param(name, choices):
                    self.plain[d][dotted] = name
                    self.p.params[name] = choices
                    self.taken.add(name)
                    self.p.watches.append(Watch(d, dotted, obj))
                case Class() as used:
                    self.used.append((d, dotted, used))
                    self.p.watches.append(Watch(d, dotted, obj))
        return found

    def _class(self, cls: type, user: Decorated, place: Span) -> str:
        if cls in self.p.classes:
            return self.p.classes[cls]
        name = self.p.classes[cls] = self._fresh(cls.__name__)
        self.p.places[cls] = place
        self.p.members[cls] = members(
            cls, user.namespace(), lambda inner: self._class(inner, user, place))
        return name

    def _name(self, d: Definition) -> None:
        if isinstance(d, Derived | Mapped) and d.primal not in self.p.names:
            self._name(d.primal)
        for other in d.others.values() if isinstance(d, Mapped) else ():
            self._name(other)
        if d in self.p.names:
            return
        match d:
            case Member(_, name):
                self.p.names[d] = name
            case Decorated():
                self.p.names[d] = self._fresh(d.name)
            case Mapped():
                self.p.names[d] = self._fresh(f"{d.label}_{self.p.names[d.primal]}")
            case Derived(mode, primal, width):
                self.p.names[d] = self._fresh(implicit_name(self.p.names[primal], mode, width))

    def _fresh(self, name: str) -> str:
        made, n = name, 0
        while made in self.taken:
            n += 1
            made = f"{name}_{n}"
        self.taken.add(made)
        return made
