"""Runs the ported programs and writes the table and the pictures of docs/examples.md.

    python examples/table.py
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from measure import Result, shown

PORTS = ("tracer", "ode", "lu", "fft", "bodies")
PAGE = Path(__file__).parents[1] / "docs" / "examples.md"
PICTURES = PAGE.parent / "img" / "examples"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)


def row(name: str, r: Result) -> str:
    """A line of the table."""
    return (f"| [`{name}`](../examples/{name}.loma) | {r.what} | {shown(r.primal)} | "
            f"{shown(r.gradient)} | {r.gradient / r.primal:.1f} | {r.reference} | "
            f"{r.error:.0e} |\n")


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    lines = ["| program | what | time | of the gradient | ratio | compared with | difference |\n",
             "|---|---|---|---|---|---|---|\n"]
    for name in PORTS:
        port = importlib.import_module(name)
        lines += [row(name, r) for r in port.run()]
        if hasattr(port, "picture"):
            port.picture(PICTURES / f"{name}.png")
    PAGE.write_text(TABLE.sub(lambda _: "".join(lines), PAGE.read_text()))


if __name__ == "__main__":
    main()
