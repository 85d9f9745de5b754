"""A definition with all that it needs, as one loma program: checked, differentiated, compiled.

Both what a call must know (`Description`) and the code are kept in the disk cache under a digest
of the texts: a warm start neither checks nor compiles.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property

from loma import driver
from loma.backends.base import Options
from loma.backends.cache import Cache, key
from loma.backends.llvm import compile_object, identity
from loma.diagnostics import Span, UserError
from loma.frontend import load_parts, parsed, surface, typed
from loma.frontend.check.generic import is_template
from loma.frontend.python import number, type_expr, type_param
from loma.host.build import compiler_version
from loma.host.definitions import (
    Decorated,
    Definition,
    Derived,
    Mapped,
    Member,
    Missing,
    Text,
    User,
    file_text,
)
from loma.host.description import Code, Description, code_bytes
from loma.host.facts import facts
from loma.host.gathering import Parts, gather
from loma.host.imports import flat
from loma.host.lengths import Argument, left_untold, with_lengths
from loma.host.modules import pruned, writes
from loma.host.refusals import in_words, remark
from loma.host.requests import signature_of, sliced, vectorised
from loma.ir.derived import Mode
from loma.ir.nodes import Module
from loma.ir.types import Scalar


@dataclass(eq=False)
class Program(Parts):
    """The definitions that one definition needs, each with a name of its own.

    `debug`: arrays bring their lengths along, where that can be had.
    """

    debug: bool = False

    def __post_init__(self) -> None:
        gather(self)

    def holds(self) -> bool:
        """Whether all names in the functions still mean what they meant."""
        return all(w.holds() for w in self.watches)

    def note_user(self, user: User) -> None:
        """Lets the definitions know who compiles them, and must forget that when they change."""
        for d in self.names:
            if isinstance(d, Decorated):
                d.users.add(user)

    @property
    def complete(self) -> bool:
        """Whether every name in the functions has a value."""
        return not any(isinstance(w.found, Missing) and w.definition is None
                       for w in self.watches)

    @property
    def name(self) -> str:
        """The name of the root in the program."""
        return self.names[self.root]

    @property
    def spoken(self) -> str:
        """What errors call the root: a derivative is called as what it is of."""
        d = self.root
        while isinstance(d, Derived):
            d = d.primal
        if isinstance(d, Mapped) and d.label == "map":
            return f"{self.names[d.primal]}.map"
        return self.names[d]

    @property
    def fixed_type(self) -> Scalar | None:
        """The scalar that `float` stands for in texts of loma, if there are any."""
        return self.texts[0].float_type if self.texts else None

    @property
    def structs(self) -> dict[str, type]:
        """The Python classes of the structs."""
        return {name: cls for cls, name in self.classes.items()}

    # As text.

    @cached_property
    def source(self) -> str:
        """The whole program as loma text."""
        parts = [t.text.strip("\n") + "\n" for t in self.texts]
        for p, choices in self.params.items():
            parts.append(f"{p} = TypeVar({', '.join([repr(p), *choices])})\n".replace("'", '"'))
        for cls, name in self.classes.items():
            parts.append("\n".join([f"class {name}:", *self._class_lines(cls)]) + "\n")
        for d, name in self.names.items():
            match d:
                case Decorated():
                    rule = self._rule(d)
                    head = f"@custom_{rule[0].value}({rule[1]})\n" if rule else ""
                    parts.append(head + d.written.text(self.meanings[d], name, d.simd))
                case Derived():
                    parts.append(f"{name} = {d.mode.value}_diff({self.names[d.primal]})\n")
                case Mapped():
                    parts.append(self._mapped(d))
                case Member():
                    pass
        return "\n\n".join(parts)

    def _class_lines(self, cls: type) -> list[str]:
        lines = [m.text for m in self.members[cls]]
        for m in self.methods.get(cls, ()):
            d = m.definition
            made = d.written.text(self.meanings[d], d.name, False).rstrip("\n")
            lines += ["", *["@staticmethod"] * m.static, *made.split("\n")]
        return [f"    {line}" if line else "" for line in lines]

    def _mapped(self, d: Mapped) -> str:
        others = {key: self.names[other] for key, other in d.others.items()}
        return d.text.format(name=self.names[d], called=self.names[d.primal], **others)

    def _written(self, d: Decorated, name: str) -> surface.Function:
        """A decorated function under a name."""
        made = d.written.function(
            self.meanings[d], name, d.simd, self._type_params(d.written.span),
            frozenset(self.classes.values()))
        place = made.name_span
        match self._rule(d):
            case (mode, primal):
                assert d.rule_of is not None, "it is a rule"
                rule = surface.Derivative(name, mode, primal, self._span(d.rule_of[1]), span=place)
                return replace(made, rules=(rule,))
            case None:
                return made

    def _rule(self, d: Decorated) -> tuple[Mode, str] | None:
        """Which derivative a function is, and of what, if the program has that."""
        if d.rule_of is None or d.rule_of[1] not in self.names:
            return None
        return d.rule_of[0], self.names[d.rule_of[1]]

    @cached_property
    def template(self) -> surface.Function | None:
        """The root, if it is generic: then there is something to call only for certain types."""
        found: surface.Definition | None = None
        match self.root:
            case Decorated() as d if self.params or "Callable" in self.meanings[d].values():
                with self.showing_files():
                    found = self._written(d, self.name)
            case Member(text, name):
                found = next((p for p in text.parts if p.name == name), None)
            case _:
                pass
        return found if isinstance(found, surface.Function) and is_template(found) else None

    @cached_property
    def digest(self) -> str:
        """What the program consists of, as one key; places in files are a part of it."""
        parts = [self.name, str(self.debug)]
        for t in self.texts:
            parts += [t.file, t.text, t.float_type.value, *flat(t.files.read)]
        for cls, name in self.classes.items():
            parts += [name, repr(self.members[cls])]
            for m in self.methods.get(cls, ()):
                parts += [*self._written_as(m.definition), str(m.static)]
        for d, name in self.names.items():
            parts.append(name)
            if isinstance(d, Decorated):
                parts += [*self._written_as(d), str(d.simd), str(self._rule(d))]
            elif isinstance(d, Derived):
                parts += [d.mode.value, str(d.width), self.names[d.primal]]
            elif isinstance(d, Mapped):
                parts.append(self._mapped(d))
        parts.append(repr(self.params))
        return key("python", *parts, compiler_version())

    # As a tree.

    def checked(self, float_type: Scalar) -> typed.Module:
        """The program, checked."""
        if self.debug:
            with suppress(UserError):  # shown below, as it is without lengths
                return self._with_lengths(float_type)
        with self.showing_files():
            return self._loaded(self._parts(), float_type)

    def _with_lengths(self, float_type: Scalar) -> typed.Module:
        """The program, in which arrays bring their lengths along wherever calls tell them."""
        parts, untold = list(self._parts()), set[Argument]()
        entry = self.root
        while isinstance(entry, Derived):
            entry = entry.primal
        while True:
            try:
                return self._loaded(
                    with_lengths(parts, self.names[entry], untold), float_type)
            except UserError as e:
                more = left_untold(parts, e)
                if more is None or more in untold:
                    raise
                untold.add(more)

    def _loaded(self, parts: Iterable[surface.Definition], float_type: Scalar) -> typed.Module:
        file, text = self._main
        internal = frozenset(name for t in self.texts for name in t.module.internal)
        found = load_parts(list(parts), text, file, float_type, internal)
        if isinstance(self.root, Derived) and self.root.width > 1:
            primal = self.names[self.root.primal]
            return vectorised(found, self.name, primal, self.root.width)
        return found

    def _parts(self) -> Iterator[surface.Definition]:
        shared: set[tuple[Span, str]] = set()
        for t in self.texts:
            yield from [d for d in t.parts if (d.span, d.name) not in shared]
            shared |= {(d.span, d.name) for d in t.parts if d.name in t.module.internal}
        for cls, name in self.classes.items():
            yield self._struct(cls, name)
        for d, name in self.names.items():
            match d:
                case Decorated():
                    yield self._written(d, name)
                case Derived() if d.width == 1:
                    where = self._span(d)
                    yield surface.Derivative(
                        name, d.mode, self.names[d.primal], where, span=where)
                case Mapped():
                    yield from parsed(self._mapped(d), f"<{name}>").definitions
                case Member() | Derived():
                    pass

    def _struct(self, cls: type, name: str) -> surface.Struct:
        span, found = self.places[cls], self.methods.get(cls, [])
        members = tuple(
            surface.StructMember(m.name, type_expr(m.type, span), number(m.default, span),
                                 span=span)
            for m in self.members[cls])
        params = self._type_params(span)
        classes = frozenset(self.classes.values())
        made = [f for m in found for f in m.definition.written.method(
            self.meanings[m.definition], name, m.static, params, classes)]
        static = frozenset(m.definition.name for m in found if m.static)
        return surface.Struct(name, members, span, tuple(made), static, span=span)

    def _type_params(self, span: Span) -> dict[str, surface.TypeParam]:
        return {p: type_param(p, choices, span) for p, choices in self.params.items()}

    def _written_as(self, d: Decorated) -> list[str]:
        return [d.written.source.file, d.written.source.text, repr(self.meanings[d])]

    def _span(self, d: Definition) -> Span:
        while isinstance(d, Derived | Mapped):
            d = d.primal
        if isinstance(d, Decorated):
            return d.written.span
        return next(p.span for p in d.program.parts if p.name == d.name)

    @property
    def _main(self) -> tuple[str, str]:
        """The file of the root, and its text."""
        d = self.root
        while isinstance(d, Derived | Mapped):
            d = d.primal
        if isinstance(d, Decorated):
            return d.written.source.file, d.written.source.text
        return d.program.file, d.program.text

    @contextmanager
    def showing_files(self) -> Iterator[None]:
        """Gives errors the texts of all files that they may point into."""
        try:
            yield
        except UserError as e:
            e.texts = self.file_texts()
            raise

    def file_texts(self) -> dict[str, str]:
        """The texts of all files of the program."""
        found = {t.file: t.text for t in self.texts}
        for t in self.texts:
            found |= t.files.texts
        for d, name in self.names.items():
            if isinstance(d, Mapped):
                found[f"<{name}>"] = self._mapped(d)
        functions = [d for d in self.names if isinstance(d, Decorated)]
        for d in [*functions, *(m.definition for ms in self.methods.values() for m in ms)]:
            source = d.written.source
            found[source.file] = file_text(source.file, source.text)
        return found

    # As code.

    def describe(self, float_type: Scalar) -> Description:
        """What callers must know; raises a UserError when the program is wrong."""
        store, name = Cache(), key("description", self.digest, float_type.value)
        if (entry := store.get(name)) is not None:
            with suppress(ValueError, KeyError):
                return Description.from_bytes(entry)
        program = sliced(self.checked(float_type), self.name)
        sizes = {self.names[d]: d.written.sizes for d in self.names if isinstance(d, Decorated)}
        made = Description(
            signature_of(program, self.name), program.structs,
            facts(program, self.name, sizes), float_type, self._remarks(program))
        store.put(name, made.to_bytes())
        return made

    def _remarks(self, program: typed.Module) -> tuple[str, ...]:
        """The warnings about the root itself; those about what it calls are told there."""
        root = program.functions.get(self.name)
        if root is None:
            return ()
        s = root.span
        return tuple([in_words(d) for d in program.remarks if d.span.file == s.file
                      and s.line <= d.span.line <= s.end_line])

    def build(self, float_type: Scalar, options: Options) -> Code:
        """The machine code."""
        store = Cache()
        name = key("code", self.digest, float_type.value, str(options.strict),
                   str(options.debug), *identity())
        if (entry := store.get(name)) is not None:
            with suppress(ValueError, KeyError):
                return Code.from_bytes(entry)
        with self.showing_files():
            module = self.core(float_type, options)
        entry = code_bytes(
            self.name, writes(module, self.name), compile_object(module, options))
        store.put(name, entry)
        return Code.from_bytes(entry)

    def core(self, float_type: Scalar, options: Options, fast: bool = True) -> Module:
        """The core of the root and of what it calls, derivatives made."""
        program = sliced(self.checked(float_type), self.name)
        with self.showing_files():
            return pruned(
                driver.differentiated(
                    program, fast=fast, strict=options.strict, debug=options.debug),
                self.name)


def check(text: Text) -> None:
    """Raises a UserError when a loma text is wrong; one that was found right is remembered."""
    store, name = Cache(), key("remarks", text.text, text.file, text.float_type.value,
                               *flat(text.files.read), compiler_version())
    entry = store.get(name)
    if entry is None:
        found = load_parts(text.parts, text.text, text.file, text.float_type,
                           text.module.internal, text.files)
        entry = json.dumps([in_words(d) for d in found.remarks]).encode()
        store.put(name, entry)
    remark(json.loads(entry))
