"""Counts skips: a missing toolchain must show. With LOMA_SKIPS=N the run fails unless exactly N
tests were skipped.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest


def _reasons(session: pytest.Session) -> Counter[str]:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    return Counter(
        r.longrepr[2] if isinstance(r.longrepr, tuple) else str(r.longrepr) for r in skipped
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    expected = os.environ.get("LOMA_SKIPS")
    if hasattr(session.config, "workerinput"):
        return  # the process that hands out the tests counts
    if (
        expected is not None
        and exitstatus == 0
        and sum(_reasons(session).values()) != int(expected)
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = _reasons(terminalreporter._session)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"skipped {count}: {reason}")
    expected = os.environ.get("LOMA_SKIPS")
    if expected is not None and sum(reasons.values()) != int(expected):
        terminalreporter.write_line(
            f"expected {expected} skips, not {sum(reasons.values())}", red=True
        )
