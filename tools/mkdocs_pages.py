"""What mkdocs does not know: pages of tutorials, fences with several words, links out of `docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parent))

import notebooks

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^```(\w+)( [^\n]*)?$", re.MULTILINE)
OUTSIDE = re.compile(r"\]\(\.\./([^)#\s]+)\)")
LANGUAGES = {"loma": "python", "py": "python"}


def on_files(files: Any, config: Any) -> Any:
    """A page for each tutorial, and one for each file outside of `docs` that a page links to."""
    for path in notebooks.sources():
        page = notebooks.markdown(path.read_text(encoding="utf-8"), path.stem)
        files.append(File.generated(config, f"tutorials/{path.stem}.md", content=page))
    linked = {m for path in (ROOT / "docs").glob("*.md")
              for m in OUTSIDE.findall(path.read_text(encoding="utf-8"))}
    for name in sorted(linked):
        text = (ROOT / name).read_text(encoding="utf-8")
        page = f"# {name}\n\n```python\n{text}```\n"
        files.append(File.generated(config, f"files/{name}.md", content=page))
    for file in [f for f in files if re.fullmatch(r"tutorials/.*\.py", f.src_uri)]:
        files.remove(file)
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Blocks as mkdocs takes them: one word for the language; no words for the tests."""
    def fence(m: re.Match[str]) -> str:
        return f"```{LANGUAGES.get(m[1], m[1])}"

    return OUTSIDE.sub(r"](files/\1.md)", FENCE.sub(fence, markdown))
