"""A file with all that it imports -> one list of definitions, each name unique in the program.

Each file is a `Unit`. Its imports are followed first, depth first; then its names are replaced by
their unique names (`rename`), on Python's tree; then it is parsed. Names of the main file stay as
they are; `dot` of the module `geometry` becomes `geometry_dot`. Of the standard library only those
definitions are taken that the program names.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from loma.diagnostics import Files, Span
from loma.frontend import surface
from loma.frontend.codes import modules as codes
from loma.frontend.codes import syntax as syntax_codes
from loma.frontend.constants import Constant
from loma.frontend.errors import Finding, raise_all
from loma.frontend.parse.program import Parser
from loma.frontend.pseudo import PSEUDO, VALUES
from loma.frontend.rename import Renamer, defined, single_name
from loma.frontend.search import (
    PACKAGE,
    STANDARD,
    Dotted,
    Search,
    folder_of,
    given_folders,
    is_package,
)
from loma.frontend.source import Source, open_source, read
from loma.frontend.unit import Unit

IMPORTS: Final = (ast.Import, ast.ImportFrom)


def parse_program(
    source: Source, path: Sequence[str | Path], findings: list[Finding]
) -> surface.Module:
    """The definitions of a file and of all that it imports; raises a UserError for wrong imports.
    """
    tree = read(source, findings)
    if not any(isinstance(node, IMPORTS) for node in tree.body):
        return Parser(source, findings).module(tree)
    return _Loader(path, findings).program(source, tree)


@dataclass(eq=False)
class _Loader:
    """The units of one program, and the unique names that are taken."""

    path: Sequence[str | Path]
    findings: list[Finding]
    search: Search = field(init=False)
    units: dict[Path, Unit] = field(default_factory=dict)
    open: list[tuple[Path, str]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    prefixes: set[str] = field(default_factory=set)
    shown: dict[str, str] = field(default_factory=dict)
    digests: dict[Path, str] = field(default_factory=dict)
    reported: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.search = Search(given_folders(self.path))

    def program(self, source: Source, tree: ast.Module) -> surface.Module:
        """The whole program, the definitions of imported files first."""
        main = Unit("", source, tree.body)
        main.own = {name: name for name in defined(tree.body)}
        main.names = dict(main.own)
        self.taken |= main.own.keys()
        self._follow(main, folder_of(source.file))
        order = [*self.units.values(), main]
        files = Files(
            {u.source.file: u.source.text for u in order}, self.shown,
            tuple([(str(p), d) for p, d in self.digests.items()]
                  + [(str(p), "") for p in self.search.missing]))
        used: set[str] = set()
        for unit in reversed(order):
            self._rename(unit, used)
        raise_all(self.findings, source.text, files)
        classes = {made for u in order for name, made in u.own.items()
                   if isinstance(defined(u.tree).get(made), ast.ClassDef)}
        constants = {name: Constant(value, Span()) for name, value in VALUES.items()}
        parts: list[surface.Definition] = []
        for unit in order:
            parser = Parser(unit.source, self.findings)
            parser.constants = constants
            parser.classes = set(classes)
            made = parser.module(ast.Module(unit.tree, [])).definitions
            parts += made
        internal = frozenset(name for u in order[:-1] for name in u.own.values())
        return surface.Module(tuple(parts), internal, files)

    # Names.

    def _rename(self, unit: Unit, used: set[str]) -> None:
        """Gives the definitions of a unit their unique names; of a lazy one only what is used."""
        renamer = Renamer(unit, used, self.findings)
        body = [node for node in unit.tree if not isinstance(node, IMPORTS)]
        if not unit.lazy:
            unit.tree = [renamer.visit(node) for node in body]
            return
        waiting = {i: unit.own.get(single_name(node), "") for i, node in enumerate(body)}
        done: dict[int, ast.stmt] = {}
        while wanted := [i for i, name in waiting.items() if not name or name in used]:
            for i in wanted:
                del waiting[i]
                done[i] = renamer.visit(body[i])
        unit.tree = [done[i] for i in sorted(done)]

    def _unique(self, unit: Unit, prefix: str) -> None:
        """Chooses the names that the definitions of an imported unit have in the program."""
        for name, node in defined(unit.tree).items():
            made = name if isinstance(node, ast.ClassDef) else f"{prefix}_{name}"
            if made in self.taken:
                made = f"{prefix}_{name}"
            while made in self.taken:
                made += "_"
            self.taken.add(made)
            unit.own[name] = unit.names[name] = made
            self.shown[made] = f"{unit.title}.{name}"

    def _prefix(self, title: Dotted) -> str:
        made = title[-1]
        if made in self.prefixes:
            made = "_".join(title)
        while made in self.prefixes:
            made += "_"
        self.prefixes.add(made)
        return made

    # Imports.

    def _follow(self, unit: Unit, folder: Path) -> None:
        """Loads what a unit imports, and makes it known there."""
        for node in unit.tree:
            match node:
                case ast.Import(names):
                    for alias in names:
                        self._import(unit, alias, folder)
                case ast.ImportFrom():
                    for alias in node.names:
                        self._import_from(unit, node, alias, folder)
                case _:
                    pass

    def _import(self, unit: Unit, alias: ast.alias, folder: Path) -> None:
        """import a.b, import a.b as g."""
        parts, span = tuple(alias.name.split(".")), unit.source.span(alias)
        found = self._module(parts, folder, span)
        bound = parts if alias.asname is None else (alias.asname,)
        if found is not None and self._free(unit, bound[0], span, whole=len(bound) == 1):
            unit.units[bound] = found
            unit.places.setdefault(bound[0], span)

    def _import_from(
        self, unit: Unit, node: ast.ImportFrom, alias: ast.alias, folder: Path
    ) -> None:
        """from a.b import c as d, for one name."""
        span, name = unit.source.span(alias), alias.name
        parts = tuple((node.module or "").split(".")) if node.module else ()
        if node.level:
            for _ in range(node.level - 1):
                if folder.resolve().parent == folder.resolve():
                    self.findings.append(codes.outside(unit.source.span(node)))
                    return
                folder = folder / ".."
        found = self._member(parts, name, folder, bool(node.level), span, unit.source.span(node))
        local = alias.asname or name
        if found is None or not self._free(unit, local, span):
            return
        unit.places[local] = span
        if isinstance(found, Unit):
            unit.units[(local,)] = found
        else:
            unit.names[local] = found

    def _member(
        self, parts: Dotted, name: str, folder: Path, relative: bool, span: Span, whole: Span
    ) -> Unit | str | None:
        """A name of a module, or a module of a package; None once it has been reported."""
        folders = [folder] if relative else self.search.folders(parts or (name,), folder)
        inner = self.search.find((*parts, name), folders) if name != "*" else None
        if inner is not None and relative and not parts:
            return self._load(inner, (name,), span)
        if relative and not parts:
            base = self.search.find((folder.resolve().name,), [folder / ".."])
            title: Dotted = (folder.resolve().name,)
            if base is None or not is_package(base):
                self._not_found(span, name, folders)
                return None
        else:
            title = parts
            base = None if parts in PSEUDO else self.search.find(parts, folders)
        return self._chosen(base, inner, title, name, span, whole, folders)

    def _chosen(
        self, base: Path | None, inner: Path | None, title: Dotted, name: str, span: Span,
        whole: Span, folders: Sequence[Path],
    ) -> Unit | str | None:
        """A name of the module in the file `base`, else the module in the file `inner`."""
        unit = PSEUDO.get(title) if base is None else self._load(base, title, span)
        if base is not None and unit is None:
            return None
        if unit is not None and name == "*":
            self.findings.append(codes.star(whole, ".".join(title), unit.names))
            return None
        found = None if unit is None else unit.member(name)
        if found is None and inner is not None:
            return self._load(inner, (*title, name), span)
        if unit is None:
            self._not_found(span, ".".join(title), folders)
        elif found is None:
            self.findings.append(codes.no_such_name(span, ".".join(title), name, unit.names))
        return found

    def _free(self, unit: Unit, name: str, span: Span, whole: bool = True) -> bool:
        """Whether a file may give a name to what it imports; reports a clash."""
        first = unit.places.get(name)
        if name in unit.own:
            first = unit.source.span(defined(unit.tree)[name])
            first = Span(first.file, first.line, first.column, first.line, first.column + 1)
        if first is None or (not whole and name not in unit.own):
            return True
        self.findings.append(codes.clash(span, name, first))
        return False

    def _module(self, parts: Dotted, folder: Path, span: Span) -> Unit | None:
        """A module by its whole name; None once it has been reported."""
        if parts in PSEUDO:
            return PSEUDO[parts]
        folders = self.search.folders(parts, folder)
        file = self.search.find(parts, folders)
        if file is None:
            self._not_found(span, ".".join(parts), folders)
            return None
        return self._load(file, parts, span)

    def _not_found(self, span: Span, name: str, folders: Sequence[Path]) -> None:
        """Reports a module that does not exist, once for each file that imports it."""
        if (span.file, name) not in self.reported:
            self.reported.add((span.file, name))
            self.findings.append(codes.not_found(span, name, _shown(folders)))

    def _load(self, file: Path, title: Dotted, span: Span) -> Unit | None:
        """The unit of a file, loaded once; None for a file that is being loaded."""
        place = file.resolve()
        if place in self.units:
            return self.units[place]
        shown = ".".join(title)
        opened = [p for p, _ in self.open]
        if place in opened:
            chain = [name for _, name in self.open[opened.index(place):]]
            self.findings.append(codes.circular(span, [*chain, chain[0]]))
            return None
        try:
            data = file.read_bytes()
            text = data.decode()
        except (OSError, UnicodeDecodeError):
            self.findings.append(syntax_codes.unreadable(span))
            return None
        self.digests[file] = hashlib.sha256(data).hexdigest()
        source = open_source(text, str(file))
        unit = Unit(shown, source, read(source, self.findings).body, lazy=title[:2] == STANDARD)
        self._unique(unit, self._prefix(title))
        self.open.append((place, shown))
        self._follow(unit, file.parent)
        self.open.pop()
        self.units[place] = unit
        return unit


def _shown(folders: Sequence[Path]) -> list[str]:
    """Where was looked, for people."""
    if folders == [PACKAGE.parent]:
        return ["the standard library"]
    return list(dict.fromkeys(f"`{f}`" for f in folders))
