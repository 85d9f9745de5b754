"""What a program that stopped itself raises in Python."""

from __future__ import annotations

import ctypes

from loma.backends.base import TrapRecord
from loma.diagnostics import RunError
from loma.ir.nodes import Trap


def raise_stopped(error: TrapRecord) -> None:
    """Raises the error; for Ctrl-C, what Python's own handler of the signal raises, if anything."""
    if error.trap == Trap.CANCELLED.name:
        ctypes.pythonapi.PyErr_CheckSignals()
    raise RunError(error.trap, error.message or error.trap, error.file, error.line)
