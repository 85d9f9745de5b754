"""LLVM itself, through llvmlite: text to optimised object code for this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loma.diagnostics import InternalError

if TYPE_CHECKING:
    import llvmlite.binding as binding

# Characters of text from which on compile time counts more than the last few percent of speed.
LARGE_MODULE: Final = 20_000


def initialise() -> None:
    """Makes LLVM ready for this machine; may be repeated."""
    import llvmlite.binding as binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    binding.initialize_native_asmparser()


def triple() -> str:
    """This process's target."""
    import llvmlite.binding as binding

    return str(binding.get_process_triple())


def processor() -> tuple[str, str]:
    """This machine's processor, and its features as LLVM writes them."""
    import llvmlite.binding as binding

    return str(binding.get_host_cpu_name()), str(binding.get_host_cpu_features().flatten())


def identity() -> tuple[str, ...]:
    """Everything about LLVM and this machine that object code depends on."""
    import llvmlite
    import llvmlite.binding as binding

    return llvmlite.__version__, str(binding.llvm_version_info), triple(), *processor()


def target_machine() -> binding.TargetMachine:
    """A code generator for this processor; position-independent code."""
    import llvmlite.binding as binding

    initialise()
    cpu, features = processor()
    target = binding.Target.from_triple(triple())
    return target.create_target_machine(
        cpu=cpu, features=features, opt=2, reloc="pic", codemodel="default", jit=True)


def parse(text: str) -> binding.ModuleRef:
    """The module; a fault in it is a fault of the emitter."""
    import llvmlite.binding as binding

    initialise()
    try:
        return binding.parse_assembly(text)
    except RuntimeError as e:
        raise InternalError(f"the llvm backend emitted invalid code: {e}") from e


def optimise(module: binding.ModuleRef, machine: binding.TargetMachine, level: int) -> None:
    """Runs LLVM's pipeline of a level, vectorisers included."""
    import llvmlite.binding as binding

    module.data_layout = str(machine.target_data)
    tuning = binding.create_pipeline_tuning_options(speed_level=level)
    tuning.loop_vectorization = True
    tuning.slp_vectorization = level > 1
    tuning.loop_interleaving = True
    tuning.loop_unrolling = level > 1
    builder = binding.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)


def level(text: str) -> int:
    """The optimisation level for a module of this size."""
    return 1 if len(text) > LARGE_MODULE else 2


def compile_text(text: str) -> bytes:
    """The object code of a module in text."""
    machine = target_machine()
    module = parse(text)
    optimise(module, machine, level(text))
    return bytes(machine.emit_object(module))


def translate(text: str) -> bytes:
    """The object code of a module in text that is good as it is."""
    return bytes(target_machine().emit_object(parse(text)))


def assembly(text: str) -> str:
    """The machine code of a module in text, as assembly."""
    machine = target_machine()
    module = parse(text)
    optimise(module, machine, level(text))
    return str(machine.emit_assembly(module))


def optimised(text: str) -> str:
    """The module after LLVM's pipeline, in text."""
    machine = target_machine()
    module = parse(text)
    optimise(module, machine, level(text))
    return str(module)
