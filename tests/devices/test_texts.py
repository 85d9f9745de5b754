"""Kernels as text for devices: golden files."""

from __future__ import annotations

from pathlib import Path

import pytest
from devices.programs import PROGRAMS

from loma import driver
from loma.backends.targets import DEVICES
from loma.host.course_device import kernel_text

GOLDEN = Path(__file__).parent / "golden"
CASES = [(target, name) for target in DEVICES for name in PROGRAMS]


@pytest.mark.parametrize(("target", "name"), CASES)
def test_golden(target: str, name: str, request: pytest.FixtureRequest) -> None:
    text = kernel_text(driver.core_module(PROGRAMS[name], f"{name}.py"), target)
    path = GOLDEN / f"{name}{DEVICES[target].suffix}"
    if request.config.getoption("--bless"):
        path.write_text(text)
    assert text == path.read_text()
