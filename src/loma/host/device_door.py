"""Kernels of the Python door on a device: NumPy arrays are copied there and back."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from loma.backends.base import Options
from loma.backends.interface import Interface
from loma.host.call import Instance, Operand
from loma.host.course_device import library_of
from loma.host.description import Description
from loma.host.marshal import ctypes_structs
from loma.host.program import Program
from loma.host.refusals import ArgumentTypeError
from loma.host.values import Value
from loma.ir.nodes import Direction
from loma.ir.types import ArrayType, Scalar, StructType


@dataclass(eq=False, repr=False)
class DeviceInstance(Instance):
    """A kernel for one real type on a device: memory of the host is copied there and back."""

    kernel: Any = None

    @property
    def traps(self) -> bool:
        """A thread that stops itself raises by itself."""
        return False

    def run(self, operands: list[Operand], threads: int | None) -> Value:
        """Runs the kernel."""
        self.kernel(*(self._given(o) for o in operands), threads)

    def _given(self, o: Operand) -> Value:
        by_value = o.argument.direction is Direction.IN
        if o.block is not None:
            memory: Value = o.block.memory
        elif isinstance(o.argument.type, StructType) and by_value:
            made = self.ctypes_classes[o.argument.type.name]
            return made.from_buffer_copy(o.memory.tobytes())
        elif by_value:
            return o.passed
        else:
            memory = o.memory
        return memory.view(np.uint8) if memory.dtype.names else memory


def instance(
    program: Program, description: Description, float_type: Scalar, target: str
) -> DeviceInstance:
    """A kernel on a device."""
    name = program.name
    if not description.signature.simd:
        raise ArgumentTypeError(
            f"`{name}` is no kernel, and only kernels run on the target '{target}'",
            "mark it with `@simd`, or load it without a target")
    module = program.core(float_type, Options(debug=program.debug))
    structs, library = library_of(module, target, False)
    kernel = getattr(library, name)
    writes = tuple(
        i for i, a in enumerate(description.signature.arguments)
        if isinstance(a.type, ArrayType) and i in kernel.writes)
    code: Any = SimpleNamespace(writes=writes, name=name)
    made = DeviceInstance(name, description, lambda: code, program.structs, kernel=kernel)
    made.__dict__["ctypes_classes"] = structs or ctypes_structs(Interface.of(module).structs)
    return made
