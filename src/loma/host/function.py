"""Function objects: what the decorators, `load`, `fwd_diff` and `rev_diff` give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, overload

from loma.backends.base import Options
from loma.host import generic
from loma.host.arguments import Given, decided, given, real_types, thread_number
from loma.host.call import Instance, one_dimensional
from loma.host.definitions import (
    LOCK,
    Decorated,
    Definition,
    Derived,
    Mapped,
    Member,
    definition_of,
    derivative,
)
from loma.host.description import Description, explicit_members
from loma.host.device_target import on_device
from loma.host.fast import MISS, TRAPPED, compiled
from loma.host.interop import door, opaque
from loma.host.mapped import mapped, spread
from loma.host.modules import named_structs
from loma.host.program import Program
from loma.host.ready import Ready
from loma.host.refusals import ArgumentTypeError, remark
from loma.host.values import Value
from loma.host.zeros import warn_of_derivative
from loma.ir.derived import Mode
from loma.ir.nodes import Direction, Signature
from loma.ir.signature_text import signature_text
from loma.ir.text import module_text
from loma.ir.types import F32, F64, Scalar

WARM: Final = 3  # calls from which on a kind of call is compiled as such


class Function:
    """A loma function that Python calls: with numbers, NumPy arrays, structs of both.

    It is compiled at its first call, for the real type of the arguments. Attributes: `name`,
    `signature`, `source`, `is_kernel`.
    """

    def __init__(self, definition: Definition, primal: Function | None = None) -> None:
        self._primal = primal
        self.debug: bool = primal is not None and primal.debug
        self.target: str | None = None if primal is None else primal.target
        self.derivatives: dict[Mode, Function] = {}
        self.__loma_definition__ = definition
        self.__name__ = definition.name
        self.__qualname__ = definition.name
        self.__doc__ = None
        if isinstance(definition, Decorated):
            self.__doc__ = definition.fn.__doc__
            self.__module__ = definition.fn.__module__
            self.__qualname__ = definition.fn.__qualname__
        self._program: Program | None = None
        self._descriptions: dict[Scalar, Description] = {}
        self._instances: dict[Scalar, Instance] = {}
        self._generic: dict[tuple[object, ...], Function] = {}
        self.maps: dict[tuple[str, ...], Function] = {}
        self.told: set[str] = set()
        self.ready = Ready()

    # What it is.

    @property
    def __signature__(self) -> object:
        """The inputs, and by name the outputs: for `inspect`, and for those who rely on it."""
        from loma.host.inspecting import python_signature

        return python_signature(self)

    @property
    def name(self) -> str:
        """The function's name in its program."""
        return self.program.name

    @property
    def program(self) -> Program:
        """All that the function needs, as the names in it are now."""
        program = self._program
        if program is not None and program.holds():
            return program
        with LOCK:
            made = Program(self.__loma_definition__, debug=self.debug)
            self._descriptions, self._instances = {}, {}
            self.ready = Ready()
            self._program = made
            made.note_user(self)
        return made

    def forget(self) -> None:
        """Compiles anew at the next call: a derivative has got a rule."""
        self._program = None
        self.ready = Ready()

    @property
    def source(self) -> str:
        """The function as loma text, with all that it needs; a derivative's own code."""
        program = self.program
        if not isinstance(self.__loma_definition__, Derived):
            return program.source
        module = program.core(program.fixed_type or F64, Options(), fast=False)
        return module_text(replace(module, structs=named_structs(module)))

    @property
    def signature(self) -> Signature:
        """The arguments and the result."""
        return self.describe(self.program.fixed_type or F64).signature

    @property
    def is_kernel(self) -> bool:
        """Whether threads run it."""
        if self.program.template is not None:
            return self.program.template.simd
        return self.signature.simd

    def __repr__(self) -> str:
        kind = "kernel" if self.is_kernel else "function"
        if self.program.template is not None:
            return f"<loma generic {kind} {self.name}>"
        return f"<loma {kind} {signature_text(self.name, self.signature, F64, ': ')}>"

    def _repr_html_(self) -> str:
        from loma.host.notebook import as_html

        return as_html(self)

    def __get__(self, instance: object, owner: type | None = None) -> Function:
        return self

    # Calls.

    @opaque
    def __call__(self, *args: Value, **kwargs: Value) -> Value:
        """Runs the function; gives its result, and the outputs that were not passed."""
        if not kwargs:
            ready = self.ready
            for get, name, found in ready.seen:
                if get(name) is not found:
                    break
            else:
                for call, instance in ready.calls:
                    out = call(*args)
                    if out is not MISS:
                        if out is TRAPPED:
                            instance.raise_error()
                        return instance.named(out) if type(out) is tuple else out
        elif self.ready.calls and (ordered := self.ready.ordered(args, kwargs)) is not None:
            return self(*ordered)
        return self.launch(None, args, kwargs)

    def led(self, threads: int, args: tuple[Value, ...], kwargs: Mapping[str, Value]) -> Value:
        """A call with a number of threads."""
        ready = self.ready
        if ready.led and ready.holds():
            ordered = ready.ordered(args, kwargs) if kwargs else args
            for call, instance in ready.led:
                out = MISS if ordered is None else call(threads, *ordered)
                if out is not MISS:
                    if out is TRAPPED:
                        instance.raise_error()
                    return instance.named(out) if type(out) is tuple else out
        return self.launch(threads, args, kwargs)

    @overload
    def __getitem__(self, key: int) -> Launch: ...
    @overload
    def __getitem__(self, key: object) -> Function | Launch: ...
    def __getitem__(self, key: object) -> Function | Launch:
        """The kernel with a number of threads, `k[n](...)`; an instance, `f[np.float64](...)`."""
        template = self.program.template
        types = None if template is None else generic.written(template, self.name, key)
        return Launch(self, key) if types is None else self._bound(types, {})

    def for_call(
        self, args: tuple[Value, ...], kwargs: Mapping[str, Value]
    ) -> tuple[Function, tuple[Value, ...], Mapping[str, Value]]:
        """The function to call, and with what: of a generic function an instance."""
        template = self.program.template
        if template is None:
            return self, args, kwargs
        types, functions, values = generic.call_of(template, self.name, args, kwargs)
        return self._bound(types, functions), (), values

    def _bound(self, types: generic.Types, functions: Mapping[str, Definition]) -> Function:
        """An instance of a generic function, made once."""
        key = (*types.items(), *functions.items())
        with LOCK:
            if key not in self._generic:
                template = self.program.template
                assert template is not None, "asked of generic functions only"
                made = generic.instance(template, self.__loma_definition__, types, functions)
                self._generic[key] = Function(made)
                self._generic[key].debug = self.debug
            return self._generic[key]

    def launch(self, threads: int | None, args: tuple[Value, ...],
               kwargs: Mapping[str, Value]) -> Value:
        """A call, with a number of threads if that is given."""
        program = self.program
        if program.template is not None:
            f, args, kwargs = self.for_call(args, kwargs)
            return f.launch(threads, args, kwargs)
        signature = self.describe(program.fixed_type or self._usual).signature
        values = given(program.spoken, signature.written, args, kwargs)
        if (call := door(values)) is not None:
            return call(self, values, threads)
        instance = self.instance(self.real_type(values))
        out = instance.call(values, threads)
        lead = threads is not None
        instance.calls[lead] += 1
        if instance.calls[lead] == WARM:
            self._quicken(instance, values, lead)
        return out

    def _quicken(self, instance: Instance, values: Given, lead: bool) -> None:
        """Lets calls of a kind that comes often run without Python in between."""
        if not self.quickens(instance):
            return
        with LOCK:
            made = compiled(instance, values, lead)
            if made is not None:
                instance.keep.append(made)
                self.quicken(made.call, instance, lead)
            if made is None or instance.has_truths:
                from loma.host.routes import plain_call

                if (call := plain_call(self, instance, lead)) is not None:
                    self.quicken(call, instance, lead)

    def quickens(self, instance: Instance) -> bool:
        """Whether calls of a kind can do without Python in between."""
        if self.target is None and instance.code.loaded.bundle.extents:
            return False
        narrow = instance.description.float_type is F32
        return self.target is None and not (narrow and not self._decided_by_arrays())

    def quicken(self, call: Callable[..., Any], instance: Instance, lead: bool = False) -> None:
        """Tries `call` first from now on: it gives MISS for arguments that it does not take.

        `lead`: it takes the number of threads before them.
        """
        with LOCK:
            self.ready.watch(self)
            self.ready.add(call, instance, lead)

    def _decided_by_arrays(self) -> bool:
        """Whether an input array's dtype is always there to decide the real type."""
        if self.program.fixed_type is not None:
            return True
        free = self.free()
        return any(
            a.name in free and one_dimensional(a.type) and a.direction is not Direction.OUT
            for a in self.signature.arguments)

    def free(self) -> list[str]:
        """The arguments that hold a `float`, which the call decides."""
        wide, narrow = self.describe(F64), self.describe(F32)
        return [
            a.name for a, b in zip(wide.signature.arguments, narrow.signature.arguments)
            if wide.scalars(a.type) != narrow.scalars(b.type)]

    @property
    def _usual(self) -> Scalar:
        return next(iter(self._descriptions), F64)

    def beside(self, key: tuple[str, ...], make: Callable[[], Mapped]) -> Function:
        """A function of a text about this one, made once for each key."""
        found = self.maps.get(key)
        if found is None:
            found = self.maps.setdefault(key, Function(make()))
            found.debug = self.debug
        return found

    def map(self, *args: Value, **kwargs: Value) -> Value:
        """The function on each element of arrays; arguments are broadcast as NumPy does it."""
        signature = self.signature
        values = given(self.name, signature.written, args, kwargs)
        names_, flat, shape = spread(self.name, signature, values)
        kernel = self.beside(names_, lambda: mapped(
            self.__loma_definition__, self.name, signature, names_))
        out = kernel(**flat)
        if isinstance(out, tuple):
            return type(out)(*(x.reshape(shape) for x in out))
        return out.reshape(shape)

    def __reduce__(self) -> str | tuple[Any, ...]:
        definition = self.__loma_definition__
        match definition:
            case Decorated():
                return self.__qualname__
            case Member(program, name):
                from loma.host.library import member

                float_type = program.float_type.value
                return member, (program.text, program.file, float_type, name, program.path)
            case Derived(mode, primal, _):
                transform = fwd_diff if mode is Mode.FORWARD else rev_diff
                return transform, (self._primal or Function(primal),)
            case Mapped():
                raise TypeError("a mapped function cannot be pickled")

    # Compilation.

    def real_type(self, values: Mapping[str, Value]) -> Scalar:
        """What `float` stands for in a call: arrays and NumPy scalars decide, else f64."""
        fixed = self.program.fixed_type
        if fixed is not None:
            return fixed
        if not any(F32 in real_types(x) for x in values.values()):
            return F64
        explicit = explicit_members(self.describe(F64), self.describe(F32))
        found = {n: real_types(values[n], explicit) for n in self.free() if n in values}
        return decided(self.name, found)

    def describe(self, float_type: Scalar) -> Description:
        """What a caller must know, for a real type."""
        program = self.program
        found = self._descriptions.get(float_type)
        if found is None:
            with LOCK:
                found = self._descriptions[float_type] = program.describe(float_type)
            remark(found.remarks)
        return found

    def instance(self, float_type: Scalar) -> Instance:
        """The function for a real type, which is compiled when its code is needed first."""
        program = self.program
        found = self._instances.get(float_type)
        if found is None:
            with LOCK:
                description = self.describe(float_type)
                if self.target is not None:
                    found = on_device(program, description, float_type, self.target)
                else:
                    build = partial(program.build, float_type, Options(debug=self.debug))
                    found = Instance(
                        program.name, description, build, program.structs, program.spoken)
                self._instances[float_type] = found
                warn_of_derivative(self.__loma_definition__)
        return found


class Launch:
    """A kernel with a number of threads, ready to be called."""

    def __init__(self, function: Function, threads: object) -> None:
        if not function.is_kernel:
            raise ArgumentTypeError(
                f"`{function.name}` is no kernel: it has no number of threads")
        self.threads = thread_number(function.name, threads)
        self.function = function

    @opaque
    def __call__(self, *args: Value, **kwargs: Value) -> Value:
        """Runs the kernel."""
        return self.function.led(self.threads, args, kwargs)


# Derivatives.


def fwd_diff(f: Function) -> Function:
    """The forward derivative of a function: every float becomes a pair of value and derivative."""
    return _transformed(f, "fwd_diff", Mode.FORWARD)


def rev_diff(f: Function) -> Function:
    """The reverse derivative of a function: inputs get adjoints, outputs give theirs."""
    return _transformed(f, "rev_diff", Mode.REVERSE)


def _transformed(f: Function, transform: str, mode: Mode) -> Function:
    """A derivative of a function: one object, so that it is compiled once."""
    definition = _definition(f, transform)
    made = f.derivatives.get(mode)
    if made is None:
        made = f.derivatives.setdefault(mode, Function(derivative(definition, mode), f))
    return made


def _definition(f: object, transform: str) -> Definition:
    found = definition_of(f)
    if found is None:
        raise TypeError(
            f"`{transform}` differentiates what `@loma.function` or `@loma.kernel` made, not {f!r}")
    return found
