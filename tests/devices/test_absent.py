"""What is missing is said in one sentence, with what to install or use instead, by every door."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import loma
from loma import Array, Out, thread_id
from loma.backends import cuda_load, ispc_load, wgsl_load
from loma.backends.device import DeviceError
from loma.cli import app
from loma.diagnostics import CompileError
from loma.host import doctor
from loma.host.course import compile

TEXT = "@simd\ndef k(y : Out[Array[float]]):\n    y[thread_id()] = 1.0\n"
Patch = pytest.MonkeyPatch
TYPES = SimpleNamespace(
    **{n: SimpleNamespace(name=n) for n in ("metal", "vulkan", "cuda", "cpu")})
"""The kinds of devices of slangpy."""


def without(*modules: str) -> Callable[[Patch], None]:
    """These modules cannot be imported."""

    def apply(patch: Patch) -> None:
        for name in modules:
            patch.setitem(sys.modules, name, None)

    return apply


def module(patch: Patch, name: str, **members: Any) -> None:
    """A module of that name is what `import` finds, in its package too."""
    made: Any = ModuleType(name)
    vars(made).update(members)
    patch.setitem(sys.modules, name, made)
    package, _, last = name.rpartition(".")
    if package:
        module(patch, package, **{last: made})


def refusing(what: Exception) -> Callable[..., Any]:
    """A function that raises."""

    def call(*args: Any, **named: Any) -> Any:
        raise what

    return call


def driver(start: Callable[[int], Any]) -> Callable[[Patch], None]:
    """CUDA's package is here; its driver starts like this."""
    results = SimpleNamespace(CUDA_SUCCESS=0, CUDA_ERROR_NO_DEVICE=100, CUDA_ERROR_OUT_OF_MEMORY=2)
    return lambda patch: module(patch, "cuda.bindings.driver", cuInit=start, CUresult=results)


def opencl(platforms: Callable[[], Any]) -> Callable[[Patch], None]:
    """pyopencl is here, and finds these platforms."""
    return lambda patch: module(patch, "pyopencl", get_platforms=platforms, Error=RuntimeError)


def wgpu(patch: Patch) -> None:
    gpu = SimpleNamespace(request_adapter_sync=refusing(RuntimeError("no adapter\nat all")))
    module(patch, "wgpu", gpu=gpu)


def slang(patch: Patch) -> None:
    """slangpy is here, and no device starts."""
    start = refusing(RuntimeError("no such device\nand more"))
    module(patch, "slangpy", DeviceType=TYPES, create_device=start)


def slang_alone(patch: Patch) -> None:
    """Slang's CPU device, and no C++ compiler."""

    def create_device(type: Any) -> Any:
        if type is not TYPES.cpu:
            raise RuntimeError("none")
        return SimpleNamespace(desc=SimpleNamespace(type=type),
                               info=SimpleNamespace(adapter_name="CPU"))

    module(patch, "slangpy", DeviceType=TYPES, create_device=create_device)
    patch.setattr(shutil, "which", lambda name: None)


def ispc_alone(patch: Patch) -> None:
    """The compiler, and no linker."""
    patch.setattr(shutil, "which", lambda name: "/bin/true")
    patch.setattr(ispc_load, "find_compiler", lambda: None)


ABSENT: dict[str, tuple[str, Callable[[Patch], None], str]] = {
    "cuda: package": (
        "cuda", without("cuda", "cuda.bindings", "cuda.bindings.driver", "cuda.bindings.nvrtc"),
        r"needs cuda-bindings: pip install 'loma-lang\[cuda\]'$"),
    "cuda: driver": (
        "cuda", driver(refusing(RuntimeError("libcuda.so"))),
        r"^no NVIDIA driver was found: install it .*, or use the target 'opencl', 'slang'"),
    "cuda: device": (
        "cuda", driver(lambda flags: (100,)), "^no NVIDIA GPU was found, .*use the target"),
    "cuda: start": (
        "cuda", driver(lambda flags: (803,)), r"driver does not start, 803: update it, or use"),
    "opencl: package": (
        "opencl", without("pyopencl"), r"needs pyopencl: pip install 'loma-lang\[opencl\]'$"),
    "opencl: driver": (
        "opencl", opencl(refusing(RuntimeError("PLATFORM_NOT_FOUND_KHR"))),
        "^no OpenCL device was found: install a driver, for example PoCL"),
    "opencl: device": (
        "opencl", opencl(list), "^no OpenCL device was found: install a driver, for example PoCL"),
    "slang: package": (
        "slang", without("slangpy"), r"needs slangpy: pip install 'loma-lang\[slang\]'$"),
    "slang: device": (
        "slang", slang, "no device for Slang was found: install a driver for Vulkan or CUDA, or"),
    "slang: compiler": (
        "slang", slang_alone, r"CPU device needs a C\+\+ compiler on the path: install g\+\+ or"),
    "wgsl: package": ("wgsl", without("wgpu"), r"needs wgpu: pip install 'loma-lang\[wgsl\]'$"),
    "wgsl: device": (
        "wgsl", wgpu, "^no WebGPU device was found: install a driver for Vulkan.* no adapter$"),
    "ispc: compiler": (
        "ispc", lambda patch: patch.setattr(shutil, "which", lambda name: None),
        "needs the compiler `ispc` on the path: install it, or use the target 'llvm'"),
    "ispc: linker": (
        "ispc", ispc_alone, "needs a C compiler to link: install gcc or clang, or pip install"),
}


@pytest.fixture(params=ABSENT.values(), ids=ABSENT)
def absent(
    request: pytest.FixtureRequest, monkeypatch: Patch
) -> tuple[str, str]:
    """A target on a machine that lacks something, and what is to be said."""
    target, apply, said = request.param
    kept: tuple[Any, ...] = (cuda_load._driver, wgsl_load.device)
    for f in kept:
        f.cache_clear()
    apply(monkeypatch)
    request.addfinalizer(lambda: [f.cache_clear() for f in kept])
    return target, said


def test_by_compile(absent: tuple[str, str]) -> None:
    target, said = absent
    with pytest.raises(DeviceError, match=said) as caught:
        compile(TEXT, target=target)
    assert "\n" not in str(caught.value)


def test_by_python(absent: tuple[str, str]) -> None:
    target, said = absent
    if target == "slang":
        with pytest.raises(CompileError, match=said):
            compile(TEXT, target=target)
        return

    @loma.kernel(target=target)
    def ones(y: Out[Array[float]]) -> None:
        y[thread_id()] = 1.0

    with pytest.raises(DeviceError, match=said):
        ones[3](bytearray(12))


def test_by_the_doctor(absent: tuple[str, str]) -> None:
    target, said = absent
    (found,) = (f for f in doctor.examine() if f.name == f"target {target}")
    assert not found.works
    assert re.search(said, found.detail)


def test_by_the_demo(absent: tuple[str, str], tmp_path: Path) -> None:
    target, said = absent
    if target == "slang":
        return
    done = CliRunner().invoke(
        app, ["demo", "--quick", "--target", target, "-o", str(tmp_path / "x.png")])
    assert done.exit_code == 1
    shown = " ".join(done.output.split())
    assert re.search(said.strip("^$"), shown), shown
