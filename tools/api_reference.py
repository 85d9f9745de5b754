"""The reference of the Python API: the public names of `loma` with signatures and docstrings.

`python tools/api_reference.py` writes `docs/api.md` anew.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from pathlib import Path

import loma
from loma.host.names import Builtin
from loma.ir.prims import FUNCTIONS

TARGET = Path(__file__).parent.parent / "docs" / "api.md"
HEAD = """# Python API

Everything here is a name of the package `loma`. `python tools/api_reference.py` makes this page
from the docstrings.
"""
SECTIONS = {
    "Programs": ("function", "kernel", "simd", "load", "compile", "Function"),
    "Derivatives": ("grad", "value_and_grad", "jvp", "vjp", "jacobian", "hessian", "hvp",
                    "fwd_diff", "rev_diff", "custom_fwd", "custom_rev"),
    "Seeing inside": ("explain", "Explanation", "nan_hunt", "check_rule"),
    "Errors and warnings": ("UserError", "CompileError", "RunError", "ArgumentTypeError",
                            "ArgumentValueError", "CopyWarning", "LomaWarning"),
    "Types of arguments": ("In", "Out", "InOut", "NoDiff", "Array", "Diff", "Stack", "Tape"),
}
MEMBERS = {"Function": ("name", "source", "signature", "is_kernel", "map")}
ALIASES = {
    "In": "`In[T]`: an argument that the function reads.",
    "Out": "`Out[T]`: an argument that the function writes.",
    "InOut": "`InOut[T]`: an argument that the function reads and writes.",
    "NoDiff": "`In[NoDiff[T]]`: an argument by which no derivative is taken.",
    "Tape": "A store that grows, last in first out: `push` and `pop`.",
}


def text() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, names in SECTIONS.items():
        parts.append(f"## {title}\n")
        parts += [entry(name) for name in names]
    parts += ["## Names of the language\n", builtins(), version()]
    return "\n".join(parts)


def entry(name: str) -> str:
    """One public name."""
    found = getattr(loma, name)
    if name in ALIASES:
        return f"### {name}\n\n{ALIASES[name]}\n"
    if isinstance(found, type):
        return class_entry(name, found)
    return f"### {name}\n\n```py\n{signature(name, found)}\n```\n\n{doc(found)}\n"


def class_entry(name: str, cls: type) -> str:
    """A class with what it has of its own in public."""
    bases = [b.__name__ for b in cls.__bases__ if b is not object]
    head = f"class {name}" + (f"({', '.join(bases)})" if bases else "")
    parts = [f"### {name}\n\n```py\n{head}\n```\n\n{doc(cls)}\n"]
    if dataclasses.is_dataclass(cls):
        rows = [f"* `{f.name}: {f.type}`" for f in dataclasses.fields(cls)]
        parts.append("\n".join(rows) + "\n")
    for member, x in vars(cls).items():
        if member.startswith("_") or member not in MEMBERS.get(name, vars(cls)):
            continue
        if isinstance(x, property):
            parts.append(f"* `{member}`: {doc(x)}")
        elif inspect.isfunction(x):
            parts.append(f"* `{signature(member, x)}`: {doc(x)}")
    return "\n".join(parts) + "\n"


def signature(name: str, f: typing.Any) -> str:
    """How a function is called."""
    found = inspect.signature(f)
    parameters = [p for p in found.parameters.values() if p.name != "self"]
    for k, p in enumerate(parameters):
        kind = p.annotation if isinstance(p.annotation, str) else p.empty
        parameters[k] = p.replace(annotation=Raw(kind)) if kind is not p.empty else p
    result = found.return_annotation
    result = Raw(result) if isinstance(result, str) else result
    shown = str(found.replace(parameters=parameters, return_annotation=result))
    lines = f"{name}{shown}"
    if len(lines) <= 100:
        return lines
    head, _, rest = lines.partition("(")
    inside, _, after = rest.rpartition(")")
    if " -> " in after or not after:
        return f"{head}(\n    " + inside.replace(", ", ",\n    ") + f",\n){after}"
    return lines


class Raw(str):
    """An annotation that is shown without quotes."""

    def __repr__(self) -> str:
        return str(self)


def doc(x: object) -> str:
    """A docstring without its margin."""
    return inspect.cleandoc(getattr(x, "__doc__", None) or "").strip()


def builtins() -> str:
    """The builtins: what the language reference describes."""
    named = {n for names in SECTIONS.values() for n in names}
    rest = [n for n in loma.__all__ if n not in named and not n.startswith("__")]
    assert all(isinstance(getattr(loma, n), Builtin) for n in rest), "a name without a section"
    pure = [n for n in rest if n in FUNCTIONS]
    other = [n for n in rest if n not in FUNCTIONS]

    def listed(names: list[str]) -> str:
        return ", ".join(f"`{n}`" for n in sorted(names))

    return (
        "Inside of decorated functions these have the meaning of [the language](language.md). "
        f"Outside of them they cannot be called.\n\nFunctions of numbers: {listed(pure)}.\n\n"
        f"Others: {listed(other)}.\n")


def version() -> str:
    """How to ask for the version."""
    return "`loma.__version__` is the version of the package.\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
