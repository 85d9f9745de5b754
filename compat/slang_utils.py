"""The course's module `slang_utils`, backed by loma."""

import sys

from loma.backends.slang_load import create_device


def create_slang_device() -> object:
    """The first device for Slang that starts here; says on stderr which, if it is the CPU."""
    device = create_device()
    if device.desc.type.name == "cpu":
        sys.stderr.write("slang_utils: no GPU was found, Slang runs on the CPU\n")
    return device
