"""The course's module `slang_utils`: importable, but loma has no Slang target yet."""

from typing import NoReturn


def create_slang_device() -> NoReturn:
    """Says that there is no Slang target yet."""
    raise NotImplementedError("loma has no target 'slang' yet: use target='c' or target='llvm'")
