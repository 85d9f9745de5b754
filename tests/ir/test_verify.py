"""Each rule of the verifier refuses the smallest program that breaks it."""

from __future__ import annotations

import pytest

from loma.diagnostics import InternalError
from loma.ir.builder import Builder, const
from loma.ir.nodes import (
    Accum,
    Alloc,
    Apply,
    Argument,
    Call,
    Check,
    Const,
    Direction,
    For,
    Function,
    If,
    Load,
    LoadRef,
    Module,
    Pop,
    Push,
    Region,
    Signature,
    Store,
    Trap,
    Var,
    View,
    While,
)
from loma.ir.prims import arithmetic as A
from loma.ir.prims import math as M
from loma.ir.types import BOOL, F32, I32, TAPE, ArrayType, Ref, StructDef, StructType
from loma.ir.verify import verify

STRUCTS = {"P": StructDef("P", (("x", F32), ("a", ArrayType(F32, 2)), ("p", ArrayType(F32))))}
X, N = Var("x", F32), Var("n", I32)
XS, P = Var("xs", Ref(ArrayType(F32))), Var("p", Ref(StructType("P")))
ROWS = Var("rows", Ref(ArrayType(ArrayType(F32))))
SIGNATURE = Signature(
    (
        Argument("x", F32),
        Argument("n", I32),
        Argument("xs", ArrayType(F32)),
        Argument("p", StructType("P"), Direction.OUT),
        Argument("rows", ArrayType(ArrayType(F32))),
    ),
    F32,
)
T, C = Var("t", F32), Var("c", BOOL)
ZERO, ONE, TRUE = const(0.0, F32), const(1, I32), const(True, BOOL)
EMPTY = Region((), (), ())


def function(*ops, result=X):
    return Function("f", (X, N, XS, P, ROWS), Region((), ops, (result,)), SIGNATURE)


def test_a_legal_function_passes():
    b = Builder(STRUCTS)
    total = b.add(b.load(XS, (N,)), b.load(P, ("a", ONE)))
    b.accum(P, ("x",), total)
    row = b.load_ref(ROWS, (N,))
    b.store(row, (ONE,), total)
    b.store(b.load_ref(P, ("p",)), (N,), total)
    verify(function(*b.ops, result=total), STRUCTS)


LOOP_ARGS = (Var("i", I32), Var("s", F32))
REFUSED = [
    ("not visible", [Apply(A.ADD, (X, T), Var("u", F32))]),
    (
        "not visible",
        [If(TRUE, Region((), (Apply(A.NEG, (X,), T),), ()), EMPTY, ()), Store(XS, (N,), T)],
    ),
    ("bound twice", [Apply(A.NEG, (X,), T), Apply(A.NEG, (X,), T)]),
    ("differ in type", [Apply(A.ADD, (X, N), T)]),
    ("does not take", [Apply(M.SIN, (N,), Var("m", I32))]),
    ("gives a bool", [Apply(A.LT, (X, X), T)]),
    ("takes 2 operands", [Apply(A.ADD, (X,), T)]),
    ("is not a Scalar.F32", [Store(XS, (N,), Const(0.1, F32))]),
    ("changes the type", [Load(XS, (N,), Var("m", I32))]),
    ("scalar place", [Load(XS, (), T)]),
    ("index is not an int", [Load(XS, (X,), T)]),
    ("no member", [Load(P, ("y",), T)]),
    ("crosses a pointer", [Load(ROWS, (N, N), T)]),
    ("crosses a pointer", [Load(P, ("p", N), T)]),
    ("read by LoadRef", [View(ROWS, (N,), Var("row", Ref(ArrayType(F32))))]),
    ("pointer in memory", [LoadRef(P, ("a",), Var("row", Ref(ArrayType(F32, 2))))]),
    ("is stored where", [Store(XS, (N,), N)]),
    ("is stored where", [Accum(P, ("x",), N)]),
    ("needs a path", [View(P, (), Var("q", Ref(StructType("P"))))]),
    ("value is used as a root", [Load(X, (N,), T)]),
    ("exactly when", [Alloc(Var("a", Ref(ArrayType(F32))))]),
    ("exactly when", [Alloc(Var("a", Ref(ArrayType(F32, 3))), N)]),
    ("tape is needed", [Push(XS, (X,))]),
    ("Pop gives scalars", [Alloc(tape := Var("t", Ref(TAPE))), Pop(tape, (Var("r", Ref(F32)),))]),
    ("Check needs a bool", [Check(N, Trap.ASSERT)]),
    ("If needs a bool", [If(N, EMPTY, EMPTY, ())]),
    ("region yields", [If(TRUE, Region((), (), (X,)), EMPTY, (T,))]),
    ("yields a root", [If(TRUE, EMPTY, EMPTY, (Var("r", Ref(F32)),))]),
    ("region args", [For(ONE, N, ONE, (ZERO,), Region((), (), (X,)), (T,))]),
    ("step is zero", [For(ONE, N, const(0, I32), (), Region(LOOP_ARGS[:1], (), ()), ())]),
    ("other types", [For(ONE, N, ONE, (ZERO,), Region(LOOP_ARGS, (), (X,)), ())]),
    ("region yields", [While((), Region((), (), (X,)), EMPTY, ())]),
    ("takes 5 operands", [Call("f", (X,), ())]),
    ("operand n of f", [Call("f", (X, X, XS, P, ROWS), (T,))]),
    ("gives", [Call("f", (X, N, XS, P, ROWS), ())]),
]


@pytest.mark.parametrize("rule, ops", REFUSED, ids=lambda x: x if isinstance(x, str) else None)
def test_an_illegal_function_is_refused(rule, ops):
    f = function(*ops)
    with pytest.raises(InternalError, match=rule):
        verify(Module(STRUCTS, {"f": f}, F32))


def test_parameters_follow_the_signature():
    f = Function("f", (X,), Region((), (), (X,)), SIGNATURE)
    with pytest.raises(InternalError, match="parameters are"):
        verify(f, STRUCTS)


def test_a_kernel_is_one_parallel():
    threads = Var("_threads", I32)
    f = Function("k", (threads,), EMPTY, Signature((), None, simd=True))
    with pytest.raises(InternalError, match="one Parallel"):
        verify(f)
