"""The course's door: `compile(text, target, output)` gives ctypes structs and a library."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from loma import driver
from loma.backends.base import Options
from loma.backends.llvm import LLVM
from loma.backends.targets import DEVICES
from loma.diagnostics import CompileError, UserError
from loma.host.build import Source, build
from loma.host.marshal import Library, ctypes_structs
from loma.ir.types import Scalar

FLOATS: Final = {"f32": Scalar.F32, "f64": Scalar.F64}


class TargetError(CompileError):
    """The target, or an option, is unknown or not there yet."""


def compile(
    loma_code: str,
    target: str = "c",
    output_filename: str | None = None,
    slang_device: object = None,
    print_error: bool = True,
    *,
    float_type: str = "f32",
    strict: bool = False,
    debug: bool = False,
    file: str = "<loma>",
    path: Sequence[str | Path] = (),
    opencl_context: object = None,
    opencl_device: object = None,
    opencl_command_queue: object = None,
) -> tuple[Any, Any]:
    """The structs by name, and a library whose attributes are the compiled functions.

    `output_filename` is where the shared library goes, without suffix; its folder is made. An error
    in the program is raised, and shown on stderr when `print_error`. `debug`: with checks of
    divisions, domains and indices. `file` is the name of the program in messages; files
    that it imports are looked for in its folder, then in the folders of `path`.

    For the targets `opencl`, `cuda`, `wgsl` the library holds the kernels, which run
    in `opencl_command_queue`, or on the first device that is found (the queue knows its context
    and device). For the target `slang` the result is a module of slangpy and the kernels by name,
    on `slang_device` (None: the first that starts).
    """
    if target not in driver.BACKENDS and target not in DEVICES:
        raise TargetError(_no_target(target))
    if float_type not in FLOATS:
        raise TargetError(f"unknown float type {float_type!r}: choose one of {', '.join(FLOATS)}")
    output = None if output_filename is None else Path(output_filename)
    if output is not None and output.name in ("", ".."):
        raise TargetError(f"output_filename {output_filename!r} names a folder, not a file")
    try:
        source = Source(loma_code, file, FLOATS[float_type], tuple(map(str, path)))
        if target in DEVICES:
            queue = slang_device if target == "slang" else opencl_command_queue
            return _kernels(source, target, Options(strict=strict, debug=debug), queue)
        make = partial(build, source, target, Options(strict=strict, debug=debug, output=output))
        later = target == LLVM.name and output is None
        interface, loaded = make(callees=not later)
    except UserError as e:
        if print_error:
            sys.stderr.write(e.to_string() + "\n")
        raise
    structs = ctypes_structs(interface.structs)
    return structs, Library(interface, loaded, structs, make if later else None)


def _kernels(
    source: Source, target: str, options: Options, queue: object
) -> tuple[Any, Any]:
    from loma.host.course_device import compile_kernels, compile_slang

    if target == "slang":
        return compile_slang(source, queue, debug=options.debug)
    return compile_kernels(source, target, options.strict, queue, debug=options.debug)


def _no_target(target: str) -> str:
    have = ", ".join(sorted((*driver.BACKENDS, *DEVICES)))
    return f"unknown target {target!r}: choose one of {have}"
