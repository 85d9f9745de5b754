"""Which device runs a kernel of the Python door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loma.backends.targets import DEVICES

if TYPE_CHECKING:
    from loma.host.call import Instance
    from loma.host.description import Description
    from loma.host.program import Program
    from loma.ir.types import Scalar

TARGETS: Final = tuple(name for name, d in DEVICES.items() if d.arrays)


def known_target(target: str | None) -> str | None:
    """The target, if there is such a one."""
    if target is not None and target not in TARGETS:
        raise ValueError(f"unknown target {target!r}: a kernel runs on {', '.join(TARGETS)}")
    return target


def on_device(
    program: Program, description: Description, float_type: Scalar, target: str
) -> Instance:
    """A function for one real type, on a device."""
    from loma.host.device_door import instance

    return instance(program, description, float_type, target)
