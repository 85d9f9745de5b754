"""The course's module `slang_utils`, backed by loma."""

import sys

from loma.backends.slang_load import create_device


def create_slang_device() -> object:
    """The first device for Slang that starts here; says on stderr which."""
    device = create_device()
    kind, name = device.desc.type.name, device.info.adapter_name
    found = "no GPU was found, " if kind == "cpu" else ""
    sys.stderr.write(f"slang_utils: {found}Slang runs on {kind} ({name})\n")
    return device
