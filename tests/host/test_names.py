"""The names for Python files are those of the language."""

from __future__ import annotations

import builtins

import loma
from loma.frontend.check.call import BUILTINS
from loma.host import names

MORE = {"Tape", "argmax", "argmin", "make__dfloat", "parallel"}
"""What is no builtin function of the checker: a type, reductions, a constructor, a range."""
NAMES = {name for name, x in vars(names).items() if isinstance(x, names.Builtin)}


def test_builtins_are_those_of_the_language() -> None:
    wanted = {name for name in BUILTINS if not hasattr(builtins, name)} | {"pow"}
    assert wanted | MORE == NAMES


def test_each_is_called_as_it_is_named() -> None:
    assert all(getattr(names, name).__name__ == name for name in NAMES)


def test_all_are_exported() -> None:
    assert set(loma.__all__) >= NAMES
    assert all(getattr(loma, name) is getattr(names, name) for name in NAMES)


def test_every_export_has_a_home() -> None:
    assert all(hasattr(loma, name) for name in loma.__all__)
