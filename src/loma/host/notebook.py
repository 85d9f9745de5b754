"""What a notebook shows of a function: its signature, text, derivatives and generated code in tabs.

The tabs are radio buttons and style rules: no script.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Final

from loma import driver
from loma.backends.base import Options
from loma.diagnostics import CompileError, Span, source_lines
from loma.host.definitions import Derived
from loma.host.generated import LLVM_START, cut
from loma.ir.derived import Mode
from loma.ir.signature_text import signature_text
from loma.ir.text import function_lines
from loma.ir.types import F64, Scalar

if TYPE_CHECKING:
    from loma.host.function import Function

CODE: Final = (
    "margin:0;max-height:32em;overflow:auto;background:#f8f8f8;color:#24292f;"
    "padding:.5em;line-height:1.3")
TITLES: Final = {Mode.FORWARD: "Forward derivative", Mode.REVERSE: "Reverse derivative"}


def as_html(f: Function) -> str:
    """The function in tabs; what cannot be had says why."""
    pages = [(title, _page(make)) for title, make in _tabs(f)]
    group = f"loma-{secrets.token_hex(4)}"
    rules = "".join(
        f"#{group}-{k}:checked~.{group}-{k}{{display:block}}"
        f"#{group}-{k}:checked~label[for={group}-{k}]{{font-weight:bold;"
        "border-bottom:2px solid}" for k in range(len(pages)))
    buttons = "".join(
        f'<input type="radio" name="{group}" id="{group}-{k}" style="display:none"'
        f'{" checked" if k == 0 else ""}>'
        f'<label for="{group}-{k}" style="padding:.2em .6em;cursor:pointer;'
        f'display:inline-block">{title}</label>'
        for k, (title, _) in enumerate(pages))
    bodies = "".join(
        f'<div class="{group} {group}-{k}">{body}</div>' for k, (_, body) in enumerate(pages))
    return f"<div><style>.{group}{{display:none}}{rules}</style>{buttons}{bodies}</div>"


def _tabs(f: Function) -> Iterator[tuple[str, Callable[[], str]]]:
    """The titles, and what makes each page."""
    yield "Signature", lambda: _signature(f)
    yield "Source", lambda: block(coloured(f.source, "python"))
    if f.program.template is not None:
        return
    if not isinstance(f.__loma_definition__, Derived):
        for mode, title in TITLES.items():
            yield title, lambda mode=mode: derivative(f, mode)  # type: ignore[misc]
    yield "LLVM", lambda: block(coloured(_llvm(f), "llvm"))
    yield "C", lambda: block(coloured(_c(f), "c"))


def _page(make: Callable[[], str]) -> str:
    try:
        return make()
    except CompileError as e:
        return block(escape(e.to_string()))


def block(code: str) -> str:
    """Code that is HTML already, in a box."""
    return f'<pre style="{CODE}">{code}</pre>'


def coloured(code: str, language: str) -> str:
    """Code with colours, as HTML."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    made = highlight(code, get_lexer_by_name(language, stripnl=False),
                     HtmlFormatter(nowrap=True, noclasses=True))
    return str(made)


def _type(f: Function) -> Scalar:
    return f.program.fixed_type or F64


def _signature(f: Function) -> str:
    """The head of the function, and what it says about itself."""
    if f.program.template is not None:
        return block(escape(repr(f)))
    head = signature_text(f.name, f.describe(_type(f)).signature, F64, ": ")
    doc = f"<p>{escape(f.__doc__)}</p>" if f.__doc__ else ""
    kind = "@simd\n" if f.is_kernel else ""
    return block(coloured(f"{kind}def {head}", "python")) + doc


def derivative(f: Function, mode: Mode) -> str:
    """A derivative as loma text; each line with the number of the line that it stems from, which is
    shown in full where the mouse is.
    """
    from loma.host.function import fwd_diff, rev_diff

    made = (fwd_diff if mode is Mode.FORWARD else rev_diff)(f)
    module = made.program.core(_type(f), Options(), fast=False)
    own = set(f.program.core(_type(f), Options(), fast=False).functions)
    lines = {file: source_lines(t) for file, t in made.program.file_texts().items()}
    code: list[str] = []
    spans: list[Span | None] = []
    for g in module.functions.values():
        if g.name in own:
            continue
        for text, span in function_lines(g, module):
            code += text.split("\n")
            spans += [span] * (text.count("\n") + 1)
        code.append("")
        spans.append(None)
    html = coloured("\n".join(code), "python").rstrip("\n").split("\n")
    return block("\n".join(_numbered(line, span, lines) for line, span in zip(html, spans)))


def _numbered(line: str, span: Span | None, lines: dict[str, list[str]]) -> str:
    """A line of a derivative after the number of the program's line."""
    text = lines.get(span.file, []) if span is not None else []
    number = span.line if span is not None and 0 < span.line <= len(text) else 0
    title = escape(text[number - 1].strip()) if number else ""
    return (f'<span title="{title}" style="color:#8c959f;user-select:none">'
            f'{number or "":>4} | </span>{line}')


def _llvm(f: Function) -> str:
    """The code of the function as LLVM gets it."""
    from loma.backends.llvm.backend import text

    code = text(f.program.core(_type(f), Options()), Options())
    return cut(code, LLVM_START, "}", f.name)


def _c(f: Function) -> str:
    return driver.BACKENDS["c"].text(f.program.core(_type(f), Options()), Options())
