"""Object code of calls on buffers, and its loading."""

from __future__ import annotations

from loma.backends.llvm import machine
from loma.backends.llvm.flat_call import DECLARATIONS, flat_call
from loma.backends.llvm.flat_shape import Call


def compile_flat(call: Call, *more: str) -> bytes:
    """The object code of `loma_flat` for a call, and of further text that uses it."""
    head = f'target triple = "{machine.triple()}"'
    return machine.compile_text("\n".join([head, DECLARATIONS, flat_call(call), *more, ""]))


def load_flat(code: bytes, *names: str) -> tuple[dict[str, int], object]:
    """The addresses of symbols of object code, and what keeps it alive."""
    import llvmlite.binding as binding

    jit = binding.create_lljit_compiler(machine.target_machine(), use_jit_link=True)
    library = binding.JITLibraryBuilder().add_object_img(code).add_current_process()
    for name in names:
        library.export_symbol(name)
    tracker = library.link(jit, names[0])
    return {name: tracker[name] for name in names}, (jit, tracker)
