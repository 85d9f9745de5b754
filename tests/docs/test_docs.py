"""Every example in the documentation is executed, every text that the compiler wrote is current."""

from __future__ import annotations

import builtins
import ctypes
import doctest
import importlib.util
import linecache
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from loma import driver
from loma.diagnostics import UserError
from loma.host.course import compile

ROOT = Path(__file__).parent.parent.parent
TOOLS = ROOT / "tools"
NUMBER = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?|[-+]?(?:inf|nan)\b")


def tool(name: str) -> ModuleType:
    """A script of the folder `tools` as a module."""
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


doc_blocks = tool("doc_blocks")
DOCUMENTS = doc_blocks.documents()


class Close(doctest.OutputChecker):
    """Compares numbers with the precision of f32, everything else as it stands."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        """Whether the output is the wanted one."""
        if super().check_output(want, got, optionflags):
            return True
        wanted, found = (list(map(float, NUMBER.findall(s))) for s in (want, got))
        same_text = NUMBER.sub("0", want) == NUMBER.sub("0", got)
        return same_text and wanted == pytest.approx(found, rel=2e-6, abs=1e-9)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_examples_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs compile, faulty ones are refused, Python lines give what is written."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"ctypes": ctypes, "np": np, "compile": compile}
    files: dict[str, str] = {}
    for block in doc_blocks.blocks(path.read_text(encoding="utf-8")):
        where = f"{path.name}:{block.line}"
        match (block.language, *block.words):
            case ("loma",) | ("loma", "f64") | ("loma", "file", _):
                if block.words[:1] == ("file",):
                    files[block.words[1]] = block.text
                    (tmp_path / block.words[1]).write_text(block.text, encoding="utf-8")
                kind = "f64" if "f64" in block.words else "f32"
                made = compile(block.text, "llvm", float_type=kind, file=where)
                names["structs"], names["lib"] = made
            case ("loma", "error", code):
                with pytest.raises(UserError) as caught:
                    driver.core_module(block.text, where)
                assert code in [d.code for d in caught.value.diagnostics], where
            case ("console",):
                found = doc_blocks.session(block.text, files)
                assert Close().check_output(block.text, found, 0), f"{where}\n{found}"
            case ("python",):
                execute(block.text, names, where)


def execute(text: str, names: dict[str, object], where: str) -> None:
    """Runs a block of Python: a session with prompts, or plain statements."""
    if ">>>" not in text:
        linecache.cache[where] = (len(text), None, text.splitlines(keepends=True), where)
        exec(builtins.compile(text, where, "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(text, names, where, where, 0)
    report: list[str] = []
    runner = doctest.DocTestRunner(Close(), verbose=False, optionflags=doctest.ELLIPSIS)
    runner.run(test, out=report.append, clear_globs=False)
    names.update(test.globs)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_printed_texts_are_current(path: Path) -> None:
    """`python tools/doc_blocks.py` would change nothing."""
    text = path.read_text(encoding="utf-8")
    assert doc_blocks.refreshed(text, console=False) == text


def test_error_index_is_current() -> None:
    """`python tools/error_index.py` would change nothing."""
    made = tool("error_index")
    assert made.TARGET.read_text(encoding="utf-8") == made.text()


def test_api_reference_is_current() -> None:
    """`python tools/api_reference.py` would change nothing."""
    made = tool("api_reference")
    assert made.TARGET.read_text(encoding="utf-8") == made.text()


def test_every_page_has_its_place_on_the_site() -> None:
    """The navigation names every page, and every tutorial."""
    placed = re.findall(r"^ +- .*: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    pages = [p.name for p in (ROOT / "docs").glob("*.md")]
    pages += [f"tutorials/{p.stem}.md" for p in (ROOT / "docs" / "tutorials").glob("*.ipynb")]
    assert sorted(placed) == sorted(pages)


def test_links_lead_somewhere() -> None:
    """Every relative link in the documentation names a file, and every anchor a heading."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose):
            file, _, anchor = target.partition("#")
            linked = path if not file else path.parent / file
            assert linked.exists(), f"{path.name} links to {target}"
            if anchor:
                assert anchor in anchors(linked), f"{path.name} links to {target}"


def anchors(path: Path) -> set[str]:
    """The anchors of a file's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
