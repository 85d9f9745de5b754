"""Course scripts import slangpy even where they use it not at all: the real one if it is
installed, else this.

Without slangpy, whatever is asked of it says that it is not installed.
"""

import importlib.machinery
import importlib.util
import pathlib
import sys


def _is_copy(folder: str) -> bool:
    """Whether a folder holds this module, or a copy of it."""
    file = pathlib.Path(folder or ".") / "slangpy.py"
    return file.is_file() and file.read_text("utf-8").startswith('"""Course scripts import')


_elsewhere = [p for p in sys.path if not _is_copy(p)]
_spec = importlib.machinery.PathFinder.find_spec("slangpy", _elsewhere)

if _spec is not None and _spec.loader is not None:
    _real = importlib.util.module_from_spec(_spec)
    sys.modules[__name__] = _real
    _spec.loader.exec_module(_real)
else:

    def __getattr__(name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotImplementedError(
            f"slangpy.{name}: slangpy is not installed"
        )
