"""The tests of the PyTorch and JAX doors run where both are installed; else one skip says so."""

from __future__ import annotations

import importlib.util

from interop.fake_gpu import cupy, gpu

__all__ = ["cupy", "gpu"]

PACKAGES = ("torch", "jax")
MISSING = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
collect_ignore_glob = ["test_torch*.py", "test_jax*.py"] if MISSING else []
