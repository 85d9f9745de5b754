"""The examples of the page about PyTorch and JAX, with both installed."""

from __future__ import annotations

import doctest
import linecache
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "arrays_torch_jax.md"
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_example_runs() -> None:
    names: dict[str, object] = {}
    for k, block in enumerate(BLOCK.findall(PAGE.read_text(encoding="utf-8"))):
        where = f"<{PAGE.name} {k}>"
        if ">>>" not in block:
            linecache.cache[where] = (len(block), None, block.splitlines(keepends=True), where)
            exec(compile(block, where, "exec"), names)
            continue
        test = doctest.DocTestParser().get_doctest(block, names, where, where, 0)
        report: list[str] = []
        runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
        runner.run(test, out=report.append, clear_globs=False)
        names.update(test.globs)
        assert runner.summarize(verbose=False).failed == 0, "".join(report)
