"""Arguments as people write them."""

from __future__ import annotations

from loma.ir.nodes import Argument, Signature
from loma.ir.types import F32, ArrayType, Scalar, type_text


def argument_type_text(a: Argument, float_type: Scalar = F32) -> str:
    """The type of an argument as loma source, sizes included."""
    if not a.shape:
        text = type_text(a.type, float_type)
        return f"{text[:-1]}, ...]" if a.growable else text
    assert isinstance(a.type, ArrayType), "only arrays have a shape"
    sizes, t = [f'"{n}"' if isinstance(n, str) else str(n) for n in a.shape], a.type.element
    while isinstance(t, ArrayType) and t.size is not None:
        sizes.append(str(t.size))
        t = t.element
    return f"Array[{type_text(t, float_type)}, {', '.join(sizes)}]"


def signature_text(
    name: str, signature: Signature, float_type: Scalar = F32, colon: str = " : "
) -> str:
    """A function's head as loma source."""
    shown = ", ".join(
        f"{a.name}{colon}{a.direction.value}[{argument_type_text(a, float_type)}]"
        for a in signature.written)
    result = signature.result
    arrow = "" if result is None else f" -> {type_text(result, float_type)}"
    return f"{name}({shown}){arrow}"
