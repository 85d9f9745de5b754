"""`--bless` rewrites golden texts. The tests of a toolchain run where it is; else one skip each, in
`test_toolchains`, says that it is not.
"""

from __future__ import annotations

import pytest
from devices.toolchains import MISSING

SEVERAL = {
    "test_debug.py": ("opencl", "wgsl"),
    "test_traps.py": ("opencl", "wgsl", "slang", "ispc"),
}
"""Tests that run on every one of these that is there."""
collect_ignore_glob = [f"test_{name}*.py" for name in MISSING]
collect_ignore = [f for f, targets in SEVERAL.items() if all(t in MISSING for t in targets)]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--bless`, unless another folder of golden files has done so."""
    try:
        parser.addoption("--bless", action="store_true", help="rewrite expected texts")
    except ValueError:
        return


@pytest.fixture(scope="session")
def slang_device() -> object:
    """A device for Slang."""
    from loma.backends.slang_load import create_device

    return create_device()
