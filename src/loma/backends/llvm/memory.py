"""Addresses, loads and stores, and the life of local memory."""

from __future__ import annotations

from collections.abc import Iterable

from loma.backends.llvm.code import TBAA, Code
from loma.backends.llvm.effects import Place
from loma.backends.llvm.layout import GROWABLE, TAPE, VALUE
from loma.diagnostics import Span
from loma.ir.builder import place_type, type_of
from loma.ir.nodes import (
    Accum,
    Alloc,
    Load,
    LoadRef,
    Op,
    Operand,
    Path,
    Store,
    StoreRef,
    Trap,
    Var,
    View,
    Window,
)
from loma.ir.types import ArrayType, Ref, Scalar, StructType, Type


def place(code: Code, root: Var, path: Path) -> Scalar:
    """The scalar type of a place."""
    t = place_type(root.content, path, code.unit.structs)
    assert isinstance(t, Scalar), f"{root.name} is not a scalar at {path}"
    return t


def address(code: Code, root: Var, path: Path, span: Span, grow: bool = False) -> str:
    """The address of a place; `grow` makes a growable root reach it first."""
    if is_growable(root):
        element, rest = _growable_element(code, root, path, span, grow)
        assert isinstance(root.content, ArrayType)
        return _gep(code, element, root.content.element, rest)
    return _gep(code, code.names[root], root.content, path)


def _gep(code: Code, base: str, content: Type, path: Path) -> str:
    """The address of a part of a value of type `content` at `base`."""
    if not path:
        return base
    layout = code.unit.layout
    indices: list[str] = []
    if isinstance(content, ArrayType) and content.size is None:
        content = content.element
        first, *path_rest = path
        assert not isinstance(first, str), "a field of an array"
        indices.append(code.index(first))
    else:
        indices.append("i32 0")
        path_rest = list(path)
    base_type = layout.spell(content)
    for step in path_rest:
        match content, step:
            case StructType(name), str():
                indices.append(f"i32 {layout.member_index(name, step)}")
                content = layout.structs[name].member(step)
            case ArrayType(element, int()), _:
                assert not isinstance(step, str), "a field of an array"
                indices.append(code.index(step))
                content = element
            case _:
                raise AssertionError(f"no path {step} into {content}")
    return code.value(f"getelementptr inbounds {base_type}, ptr {base}, {', '.join(indices)}")


# Growable arrays: { data, index of the first element, number of elements }.


def as_i64(code: Code, x: Operand) -> str:
    """An index as a 64-bit integer."""
    if type_of(x) is Scalar.I64:
        return code.read(x)
    return code.value(f"sext i32 {code.read(x)} to i64")


def _parts(code: Code, descriptor: str) -> tuple[str, str, str]:
    fields = _fields(code, GROWABLE, descriptor)
    data = code.value(f"load ptr, ptr {descriptor}, align 8")
    low, length = (code.value(f"load i64, ptr {f}, align 8") for f in fields)
    return data, low, length


def _fields(code: Code, type: str, descriptor: str) -> list[str]:
    """The addresses of the second and third field of a descriptor."""
    where = f"getelementptr inbounds {type}, ptr {descriptor}, i32 0"
    return [code.value(f"{where}, i32 {i}") for i in (1, 2)]


def _growable_element(
    code: Code, root: Var, path: Path, span: Span, grow: bool,
) -> tuple[str, Path]:
    """The address of the element that a path enters first, and the rest of the path."""
    assert isinstance(root.content, ArrayType) and path and not isinstance(path[0], str)
    index, descriptor = as_i64(code, path[0]), code.names[root]
    size = code.unit.layout.size(root.content.element)
    if grow:
        _, low, length = _parts(code, descriptor)
        offset = code.value(f"sub i64 {index}, {low}")
        inside = code.value(f"icmp ult i64 {offset}, {length}")
        more, go = code.fresh_label("grow"), code.fresh_label("in")
        code.line(f"br i1 {inside}, label %{go}, label %{more}")
        code.block(more)
        site = code.unit.sites.memory(span)
        amount = f"i64 {index}, i64 {size}, i32 {site}"
        code.line(f"call void @loma_grow(ptr %ctx, ptr {descriptor}, {amount})")
        code.line(f"br label %{go}")
        code.block(go)
    data, low, _ = _parts(code, descriptor)
    offset = code.value(f"sub i64 {index}, {low}")
    spelled = code.unit.layout.spell(root.content.element)
    return code.value(f"getelementptr {spelled}, ptr {data}, i64 {offset}"), path[1:]


def _load_growable(code: Code, root: Var, path: Path, load: str, zero: str, span: Span) -> str:
    """What `load` reads at a place of a growable root, or `zero` outside its span."""
    assert not isinstance(path[0], str)
    index = as_i64(code, path[0])
    _, low, length = _parts(code, code.names[root])
    offset = code.value(f"sub i64 {index}, {low}")
    inside = code.value(f"icmp ult i64 {offset}, {length}")
    read, join = code.fresh_label("read"), code.fresh_label("join")
    before = code.label
    code.line(f"br i1 {inside}, label %{read}, label %{join}")
    code.block(read)
    where = address(code, root, path, span)
    found = code.value(f"{load}, ptr {where}")
    after = code.label
    code.line(f"br label %{join}")
    code.block(join)
    type = load.split()[1]
    return code.value(f"phi {type} [ {zero}, %{before} ], [ {found}, %{after} ]")


def is_growable(root: Var) -> bool:
    """Whether any index of a root is within its bounds, because it grows."""
    return isinstance(root.type, Ref) and root.type.growable


def load(code: Code, op: Load) -> None:
    """Reads a scalar."""
    type = place(code, op.root, op.path)
    if is_growable(op.root):
        memory = "i32" if type is Scalar.BOOL else VALUE[type]
        zero = "0.0" if type.is_float else "0"
        value = _load_growable(code, op.root, op.path, f"load {memory}", zero, op.span)
        code.bind(op.out, code.value(f"icmp ne i32 {value}, 0") if type is Scalar.BOOL else value)
        return
    code.bind(op.out, code.load(type, address(code, op.root, op.path, op.span)))


def store(code: Code, op: Store) -> None:
    """Overwrites a scalar."""
    where = address(code, op.root, op.path, op.span, grow=True)
    code.store(place(code, op.root, op.path), code.read(op.value), where)


def accumulate(code: Code, op: Accum) -> None:
    """Adds to a scalar; the additions of a loop may be reassociated."""
    type = place(code, op.root, op.path)
    where = address(code, op.root, op.path, op.span, grow=True)
    old = code.load(type, where)
    if type.is_float:
        flags = "" if code.unit.strict else " reassoc contract" if code.loops else " contract"
        kind = f"fadd{flags}"
    else:
        kind = "add"
    code.store(type, code.value(f"{kind} {VALUE[type]} {old}, {code.read(op.value)}"), where)


def view(code: Code, op: View | Window) -> None:
    """A root inside a root."""
    code.bind(op.out, address(code, op.root, op.path, op.span, grow=True))


def load_ref(code: Code, op: LoadRef) -> None:
    """Reads a pointer."""
    if is_growable(op.root):
        code.bind(op.out, _load_growable(code, op.root, op.path, "load ptr", "null", op.span))
        return
    where = address(code, op.root, op.path, op.span)
    code.bind(op.out, code.value(f"load ptr, ptr {where}, align 8, !tbaa !{TBAA[None]}"))


def store_ref(code: Code, op: StoreRef) -> None:
    """Overwrites a pointer."""
    where = address(code, op.root, op.path, op.span, grow=True)
    value = pointer(code, op.value, growable=False)
    code.line(f"store ptr {value}, ptr {where}, align 8, !tbaa !{TBAA[None]}")


def pointer(code: Code, root: Var, growable: bool) -> str:
    """A root as a pointer to hand over: to its descriptor, or to its element 0."""
    if growable or not is_growable(root):
        return code.names[root]
    assert isinstance(root.content, ArrayType)
    data, low, _ = _parts(code, code.names[root])
    back = code.value(f"sub i64 0, {low}")
    spelled = code.unit.layout.spell(root.content.element)
    return code.value(f"getelementptr {spelled}, ptr {data}, i64 {back}")


# The life of local memory: from its Alloc to the end of the region that holds the Alloc.


def alloc(code: Code, op: Alloc) -> None:
    """Makes a zeroed local root."""
    layout, site = code.unit.layout, code.unit.sites.memory
    match code.unit.effects.places[op.out]:
        case Place.STACK:
            size, align = layout.size(op.out.content), layout.alignment(op.out.content)
            name = code.local(layout.spell(op.out.content), max(align, 16) if size >= 16 else align)
            code.declare("declare void @llvm.lifetime.start.p0(ptr)")
            code.declare("declare void @llvm.lifetime.end.p0(ptr)")
            code.line(f"call void @llvm.lifetime.start.p0(ptr {name})")
            where = f"ptr align {align} {name}"
            code.line(f"call void @llvm.memset.p0.i64({where}, i8 0, i64 {size}, i1 false)")
        case Place.HEAP:
            count, size = _count(code, op)
            code.counts[op.out] = count
            name = code.value(
                f"call ptr @loma_array(ptr %ctx, i64 {count}, i64 {size}, i32 {site(op.span)})")
        case Place.GROWABLE:
            name = code.local(GROWABLE, 8)
            code.line(f"store {GROWABLE} zeroinitializer, ptr {name}, align 8")
        case Place.TAPE:
            name = code.local(TAPE, 8)
            code.line(f"store {TAPE} zeroinitializer, ptr {name}, align 8")
    code.bind(op.out, name)


def _count(code: Code, op: Alloc) -> tuple[str, int]:
    """The number of elements and the bytes of one."""
    content = op.out.content
    if op.count is None:
        return "1", code.unit.layout.size(content)
    assert isinstance(content, ArrayType)
    return as_i64(code, op.count), code.unit.layout.size(content.element)


def release(code: Code, ops: Iterable[Op]) -> None:
    """Ends the life of the local roots that these operations made, the last one first."""
    for op in reversed(tuple(ops)):
        if not isinstance(op, Alloc):
            continue
        name = code.names[op.out]
        match code.unit.effects.places[op.out]:
            case Place.STACK:
                code.line(f"call void @llvm.lifetime.end.p0(ptr {name})")
            case Place.HEAP:
                code.line(f"call void @loma_free(ptr %ctx, ptr {name})")
            case Place.GROWABLE:
                data = code.value(f"load ptr, ptr {name}, align 8")
                code.line(f"call void @loma_free(ptr %ctx, ptr {data})")
            case Place.TAPE:
                _, base, _ = tape_parts(code, name)
                code.line(f"call void @loma_tape_drop(ptr %ctx, ptr {base})")


def tape_parts(code: Code, tape: str) -> tuple[str, str, str]:
    """Next free byte, start and end of the tape's newest chunk."""
    where = _fields(code, TAPE, tape)
    first = code.value(f"load ptr, ptr {tape}, align 8")
    base, end = (code.value(f"load ptr, ptr {w}, align 8") for w in where)
    return first, base, end


def empty_pop(code: Code, span: Span) -> int:
    """The trap of a pop from an empty tape."""
    return code.unit.sites.number(span, Trap.INDEX, message="pop from an empty tape")
