"""The names of the loma language for Python files: types for annotations, builtins for bodies.

`In[T]`, `Out[T]` and `InOut[T]` are `Annotated[T, ...]`: editors and type checkers see the plain
types. Builtins have a meaning inside of decorated functions only.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Annotated, Final, Generic, NoReturn, TypeVar

from loma.ir.nodes import Direction

T = TypeVar("T")

In = Annotated[T, Direction.IN]
Out = Annotated[T, Direction.OUT]
InOut = Annotated[T, Direction.INOUT]
NoDiff = Annotated[T, "NoDiff"]
"""Inside of `In`: what no derivative is taken by."""

if TYPE_CHECKING:

    class Array(Generic[T]):
        """An array of `T`: `Array[float]`, `Array[float, 3]`, `Array[float, "n"]`."""

        def __getitem__(self, index: int) -> T: ...

        def __setitem__(self, index: int, value: T) -> None: ...

    class Diff(Generic[T]):
        """The differential type of `T`: of a float, a value `val` and its derivative `dval`."""

        val: T
        dval: T

else:

    class Array:
        """An array of `T`: `Array[float]`, `Array[float, 3]`, `Array[float, "n"]`."""

        def __class_getitem__(cls, item: object) -> types.GenericAlias:
            return types.GenericAlias(cls, item)

    class Diff:
        """The differential type of `T`: of a float, a value `val` and its derivative `dval`."""

        def __class_getitem__(cls, item: object) -> types.GenericAlias:
            return types.GenericAlias(cls, item)


if TYPE_CHECKING:

    class Stack(Generic[T]):
        """A stack of `T`, a local variable or an `InOut` argument."""

        def push(self, value: T) -> None: ...

        def pop(self) -> T: ...

        def size(self) -> int: ...

else:

    class Stack:
        """A stack of `T`, a local variable or an `InOut` argument."""

        def __class_getitem__(cls, item: object) -> types.GenericAlias:
            return types.GenericAlias(cls, item)


class Builtin:
    """A builtin of the language, to be called inside of decorated functions."""

    def __init__(self, name: str) -> None:
        self.__name__ = name
        self.__doc__ = f"The builtin `{name}` of the loma language."

    def __call__(self, *_: object) -> NoReturn:
        """Refuses: a builtin has no meaning in Python itself."""
        self._refuse()

    def __repr__(self) -> str:
        return f"<loma builtin {self.__name__}>"

    def _refuse(self) -> NoReturn:
        raise TypeError(
            f"`{self.__name__}` of loma is for functions that `@loma.function` or "
            "`@loma.kernel` decorates"
        )


sin: Final = Builtin("sin")
cos: Final = Builtin("cos")
sqrt: Final = Builtin("sqrt")
exp: Final = Builtin("exp")
log: Final = Builtin("log")
pow: Final = Builtin("pow")
acos: Final = Builtin("acos")
asin: Final = Builtin("asin")
atan: Final = Builtin("atan")
atan2: Final = Builtin("atan2")
cbrt: Final = Builtin("cbrt")
ceil: Final = Builtin("ceil")
clamp: Final = Builtin("clamp")
copysign: Final = Builtin("copysign")
cosh: Final = Builtin("cosh")
erf: Final = Builtin("erf")
erfc: Final = Builtin("erfc")
exp2: Final = Builtin("exp2")
expm1: Final = Builtin("expm1")
floor: Final = Builtin("floor")
fma: Final = Builtin("fma")
fmod: Final = Builtin("fmod")
hypot: Final = Builtin("hypot")
isinf: Final = Builtin("isinf")
isnan: Final = Builtin("isnan")
log10: Final = Builtin("log10")
log1p: Final = Builtin("log1p")
log2: Final = Builtin("log2")
sign: Final = Builtin("sign")
sinh: Final = Builtin("sinh")
tan: Final = Builtin("tan")
tanh: Final = Builtin("tanh")
trunc: Final = Builtin("trunc")
select: Final = Builtin("select")
strong_mul: Final = Builtin("strong_mul")
pow_log: Final = Builtin("pow_log")
stop_gradient: Final = Builtin("stop_gradient")
flat: Final = Builtin("flat")
argmin: Final = Builtin("argmin")
argmax: Final = Builtin("argmax")
int2float: Final = Builtin("int2float")
float2int: Final = Builtin("float2int")
thread_id: Final = Builtin("thread_id")
atomic_add: Final = Builtin("atomic_add")
parallel: Final = Builtin("parallel")
push: Final = Builtin("push")
pop: Final = Builtin("pop")
make__dfloat: Final = Builtin("make__dfloat")
f32: Final = Builtin("f32")
f64: Final = Builtin("f64")
i32: Final = Builtin("i32")
i64: Final = Builtin("i64")
Tape: Final = Builtin("Tape")
SIMD: Final = "__loma_simd__"


def simd(function: T) -> T:
    """Marks a function as a kernel; `@loma.kernel` says the same in one word."""
    setattr(function, SIMD, True)
    return function
