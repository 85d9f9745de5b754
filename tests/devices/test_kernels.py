"""Every kernel of the list and its derivatives, on every target that is here, and in the
interpreter, agree with the oracle."""

from __future__ import annotations

import pytest
from devices.kernels import KERNELS, KernelCase
from devices.running import agree, interpreted
from devices.toolchains import MISSING

from loma.backends.device import DeviceError
from loma.ir.types import F32, F64, Scalar

EVERYWHERE = (("llvm", F64), ("c", F64), ("core", F64))
DEVICES = (("opencl", F64), ("wgsl", F32), ("slang", F32), ("ispc", F32))
HERE = [(t, f) for t, f in DEVICES if t not in MISSING]


def named(x: object) -> str | None:
    """The name of a parameter of a test."""
    return x.name if isinstance(x, KernelCase) else x.value if isinstance(x, Scalar) else None


@pytest.mark.parametrize(("target", "float_type"), [*EVERYWHERE, *HERE], ids=named)
@pytest.mark.parametrize("case", KERNELS, ids=named)
def test_it_agrees_with_the_oracle(case: KernelCase, target: str, float_type: Scalar) -> None:
    if target not in case.lack:
        agree(case, target, float_type)
        return
    with pytest.raises(DeviceError, match=rf"the kernel `\w+` .* target '{target}'"):
        agree(case, target, float_type)


@pytest.mark.parametrize("name", ["reduce", "add", "smooth", "histogram"])
@pytest.mark.parametrize("threads", [1000, 10_000])
def test_many_threads_in_the_interpreter(name: str, threads: int) -> None:
    case = next(c for c in KERNELS if c.name == name)
    interpreted(case, threads)
