"""Compiles and runs WGSL by the package wgpu, which is imported where it is used."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeAlias

from loma.backends.device import DeviceError, DeviceText
from loma.backends.device_launch import Argument, Buffer, Scalar
from loma.backends.flat_sums import TEAM
from loma.backends.wgsl import GROUP, ROW

Handle: TypeAlias = Any  # an object of wgpu

INSTALL: Final = "pip install 'loma-lang[wgsl]'"


class WgpuError(DeviceError):
    """wgpu, or a device for it, is missing, or its compiler failed."""


@cache
def device() -> Handle:
    """The first device that there is."""
    try:
        import wgpu
    except ImportError:
        raise WgpuError(f"the target 'wgsl' needs wgpu: {INSTALL}") from None
    try:
        adapter = wgpu.gpu.request_adapter_sync(power_preference="high-performance")
        most = "max-storage-buffers-per-shader-stage"
        return adapter.request_device_sync(required_limits={most: adapter.limits[most]})
    except Exception as e:  # wgpu raises RuntimeError, and errors of its own
        raise WgpuError(
            "no WebGPU device was found: install a driver for Vulkan, for example Mesa's "
            f"(mesa-vulkan-drivers): {str(e).splitlines()[0]}"
        ) from None


def describe() -> str:
    """What kernels run on."""
    info = device().adapter.info
    return f"{info['device']} by {info['backend_type']}"


class WgpuDevice:
    """A WebGPU device with a program."""

    copies = True
    flag = None

    def __init__(self, text: DeviceText) -> None:
        self._device = device()
        import wgpu

        self._flags = wgpu
        self._text = {k.entry: k for k in text.kernels.values()}
        try:
            self._module = self._device.create_shader_module(code=text.source)
        except Exception as e:  # wgpu.GPUError, which some versions have not
            raise WgpuError(f"the WGSL compiler failed: {e}") from None
        self._made: dict[str, tuple[Handle, list[Handle]]] = {}

    def group(self, threads: int) -> int:
        """Threads in a group."""
        return GROUP

    @property
    def groups(self) -> int:
        """As many groups as there are threads for."""
        return 1 << 25

    @property
    def memory(self) -> int:
        """Bytes that threads may share."""
        return int(self._device.limits["max-storage-buffer-binding-size"])

    def begin(self) -> None:
        """A call begins."""

    def follow(self, other: WgpuDevice) -> None:
        """WebGPU has no two views of one memory."""
        raise WgpuError("the target 'wgsl' wants different memory for different arguments")

    def allocate(self, size: int) -> Buffer:
        """Fresh memory."""
        use = self._flags.BufferUsage
        size = max(4, -(-size // 4) * 4)
        try:
            return self._device.create_buffer(
                size=size, usage=use.STORAGE | use.COPY_SRC | use.COPY_DST
            )
        except Exception as e:  # out of memory
            raise MemoryError(f"the WebGPU device has no {size} bytes: {e}") from None

    def restore(self, buffer: Buffer, copy: Buffer) -> None:
        """Copies as much as the smaller of the two has into `buffer`."""
        encoder = self._device.create_command_encoder()
        encoder.copy_buffer_to_buffer(copy, 0, buffer, 0, min(copy.size, buffer.size))
        self._device.queue.submit([encoder.finish()])

    def clear(self, buffer: Buffer, start: int) -> None:
        """Fills memory from a byte on with zeros."""
        encoder = self._device.create_command_encoder()
        encoder.clear_buffer(buffer, start)
        self._device.queue.submit([encoder.finish()])

    def write_error(self, buffer: Buffer, value: int) -> None:
        """Sets an error number."""
        self._device.queue.write_buffer(buffer, 0, struct.pack("<i", value))

    def upload(self, data: memoryview) -> Buffer:
        """A copy of the host's memory."""
        buffer = self.allocate(data.nbytes)
        if data.nbytes:
            self._device.queue.write_buffer(buffer, 0, bytes(data) + bytes(-data.nbytes % 4))
        return buffer

    def download(self, buffer: Buffer, data: memoryview) -> None:
        """Copies to the host's memory, once all is done."""
        if data.nbytes:
            data[:] = self._device.queue.read_buffer(buffer)[: data.nbytes]

    def own(self, value: object) -> Buffer | None:
        """The memory of the device that a value stands for, if it does."""
        return value if isinstance(value, self._flags.GPUBuffer) else None

    def span(self, buffer: Buffer) -> tuple[int, int]:
        """Where memory begins and ends, in numbers that differ for different memory."""
        return id(buffer), id(buffer) + 1

    def launch(
        self, entry: str, groups: int, group: int, arguments: Sequence[Argument]
    ) -> None:
        """Runs a kernel."""
        known = self._text[entry]
        given, extra = list(arguments), []
        capacity = 0
        if known.context:
            given, (tape, words, _, _, error) = given[:-5], given[-5:]
            capacity, extra = int(words.value), [tape, error]
        count = int(given[-1].value)
        lanes = groups * group if known.lanes else count
        if groups * group < lanes:
            raise MemoryError("the WebGPU device has no memory for the tapes of so many threads")
        values = [a.data for a in given if isinstance(a, Scalar)]
        buffers = [a for a in given if not isinstance(a, Scalar)]
        words_ = b"".join(values) + struct.pack("<II", capacity, lanes)
        buffers.append(self.upload(memoryview(words_)))
        written = [i in known.writes for i, a in enumerate(given) if not isinstance(a, Scalar)]
        pipeline, layouts = self._pipeline(entry, [*written, False], bool(extra))
        groups = -(-lanes // (TEAM if known.lanes else GROUP))
        row = ROW // GROUP
        self._submit(pipeline, layouts, [buffers, extra], (min(groups, row), -(-groups // row)))

    def _submit(
        self, pipeline: Handle, layouts: list[Handle], sets: list[list[Buffer]],
        groups: tuple[int, int],
    ) -> None:
        encoder = self._device.create_command_encoder()
        run = encoder.begin_compute_pass()
        run.set_pipeline(pipeline)
        for i, (layout, buffers) in enumerate(zip(layouts, sets, strict=False)):
            entries = [{"binding": k, "resource": {"buffer": b, "offset": 0, "size": b.size}}
                       for k, b in enumerate(buffers)]
            run.set_bind_group(i, self._device.create_bind_group(layout=layout, entries=entries))
        run.dispatch_workgroups(*groups)
        run.end()
        self._device.queue.submit([encoder.finish()])

    def _pipeline(
        self, entry: str, written: list[bool], context: bool
    ) -> tuple[Handle, list[Handle]]:
        """A kernel, and the layouts of its bindings."""
        if entry not in self._made:
            layouts = [self._layout(written)]
            if context:
                layouts.append(self._layout([True, True]))
            whole = self._device.create_pipeline_layout(bind_group_layouts=layouts)
            stage = {"module": self._module, "entry_point": entry}
            made = self._device.create_compute_pipeline(layout=whole, compute=stage)
            self._made[entry] = made, layouts
        return self._made[entry]

    def _layout(self, written: list[bool]) -> Handle:
        kinds = ("read-only-storage", "storage")
        return self._device.create_bind_group_layout(entries=[
            {"binding": k, "visibility": self._flags.ShaderStage.COMPUTE,
             "buffer": {"type": kinds[w]}}
            for k, w in enumerate(written)])
