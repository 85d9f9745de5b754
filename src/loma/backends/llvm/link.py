"""Shared libraries from object code, where a C compiler is at hand to link."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from loma.backends import toolchain


def write_library(obj: bytes, output: Path, names: Iterable[str]) -> Path:
    """Writes a shared library that exports `names`, or an object file where nothing links.

    Gives its path.
    """
    compiler = toolchain.find_compiler()
    if compiler is None:
        output.parent.mkdir(parents=True, exist_ok=True)
        path = output.with_name(output.name + ".o")
        path.write_bytes(obj)
        return path
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "module.o"
        library = Path(folder) / f"module{toolchain.shared_library_suffix()}"
        source.write_bytes(obj)
        files = ["-o", str(library), str(source)]
        visible = _visible(Path(folder), names)
        toolchain.run([*compiler.command, "-shared", *files, *visible, "-lm", "-lpthread"], "")
        return toolchain.install(library, output)


def _visible(folder: Path, names: Iterable[str]) -> list[str]:
    """The options that hide every symbol but these."""
    script = folder / "symbols"
    if sys.platform == "darwin":
        script.write_text("".join(f"_{n}\n" for n in names), encoding="utf-8")
        return [f"-Wl,-exported_symbols_list,{script}"]
    listed = "".join(f' "{n}";' for n in names)
    script.write_text(f"{{ global:{listed} local: *; }};\n", encoding="utf-8")
    return [f"-Wl,--version-script={script}"]
