"""The kernels of a program as text in the language of a device, for people and for files."""

from __future__ import annotations

from loma.backends import slang
from loma.backends.device import DeviceError
from loma.host.course_device import TARGETS, kernel_text, kernels_for
from loma.ir.nodes import Module


def listing(module: Module, target: str, *, strict: bool = False) -> str:
    """The text; kernels that the target cannot run are named at its end. Raises DeviceError where
    there is no kernel at all."""
    kernels = kernels_for(module, target, strict=strict)
    if not kernels:
        raise DeviceError(
            f"there is no kernel to show for '{target}': only functions marked `@simd` run there"
        )
    refuse = slang.TARGET.refusal if target == "slang" else TARGETS[target].refusal
    notes = [why for k in kernels if (why := refuse(k, module)) is not None]
    text = kernel_text(module, target, strict=strict)
    return "".join([text.rstrip("\n") + "\n", *(f"// left out: {why}\n" for why in notes)])
