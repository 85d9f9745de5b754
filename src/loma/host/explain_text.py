"""An explanation of a gradient as text and as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from loma.diagnostics import source_lines

if TYPE_CHECKING:
    from loma.host.explain import Explanation

COLUMN: Final = 46
HTML: Final = """<style>
.loma-explain td {{ text-align: left; vertical-align: top; padding: 0 1em 0 0; }}
.loma-explain .stored {{ color: #b3541e; }} .loma-explain .again {{ color: #2d7d46; }}
</style><table class="loma-explain">{rows}</table><p>{summary}</p>"""


def as_text(e: Explanation) -> str:
    """The program's lines, each with what happens to its values, and the figures."""
    out = [f"gradient of {e.function}"]
    for number, line in _lines(e):
        notes = list(map(str, e.at(number)))
        head = f"{number:4} | {line}"
        if not notes:
            out.append(head.rstrip())
            continue
        if len(head) > COLUMN:
            out.append(head)
            head = ""
        out.append(f"{head:<{COLUMN}}  # {notes[0]}")
        out += [f"{'':{COLUMN}}  # {n}" for n in notes[1:]]
    return "\n".join([*out, *_summary(e)])


def as_html(e: Explanation) -> str:
    """The same as a table."""
    rows = []
    for number, line in _lines(e):
        notes = "<br>".join(
            f'<span class="{"stored" if str(x).startswith("stores") else "again"}">'
            f"{escape(str(x))}</span>" for x in e.at(number))
        code = f"<pre style='margin:0'>{escape(line)}</pre>"
        rows.append(f"<tr><td>{number}</td><td>{code}</td><td>{notes}</td></tr>")
    summary = "<br>".join(map(escape, _summary(e)))
    return HTML.format(rows="".join(rows), summary=summary)


def _lines(e: Explanation) -> list[tuple[int, str]]:
    """The lines to show: the function, and others of which something is to be said."""
    text = source_lines(e.source)
    wanted = {*range(e.first, e.last + 1), *(x.line for x in e.notes)}
    return [(n, text[n - 1]) for n in sorted(wanted) if 0 < n <= len(text)]


def _summary(e: Explanation) -> list[str]:
    out = [f"tape: {e.formula} bytes"]
    if e.figures is None:
        return out
    f = e.figures
    for frame in e.frames:
        if frame.count.startswith("runs"):
            out.append(f"  {frame.count} = {frame.times}")
    out[0] += f" = {f.tape_bytes} in this call"
    out.append(f"memory: {f.predicted_bytes} bytes predicted, {f.measured_bytes} measured")
    out.append(f"operations: {f.gradient_cost} for the gradient, {f.primal_cost} for the function, "
               f"ratio {f.ratio:.2f}")
    return out
