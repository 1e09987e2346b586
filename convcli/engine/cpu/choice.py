"""Which inner loops run on the CPU: the compiled ones or NumPy's."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import Any

from convcli.errors import UsageError

__all__ = ["CODE", "compiled", "loops"]

VARIABLE = "CONVCLI_LOOPS"
CODE = {"uint8": "B", "uint16": "H", "int16": "h", "float32": "f", "float64": "d"}
"""How the compiled loops call the types."""


def loops() -> tuple[str, str]:
    """``compiled`` or ``numpy``, and why.

    The environment variable ``CONVCLI_LOOPS`` forces one of them.

    Raises
    ------
    UsageError
        If the variable asks for loops that there are not.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted == "numpy":
        return "numpy", f"{VARIABLE}=numpy"
    if wanted not in ("", "compiled"):
        raise UsageError(f"{VARIABLE} is {wanted!r}; allowed: compiled, numpy")
    module, reason = _load()
    if wanted and module is None:
        raise UsageError(f"{VARIABLE}=compiled, but {reason}")
    return ("numpy", reason) if module is None else ("compiled", reason)


def compiled() -> Any:
    """The extension module.

    Raises
    ------
    UsageError
        If it cannot be loaded.
    """
    module, reason = _load()
    if module is None:
        raise UsageError(reason)
    return module


@cache
def _load() -> tuple[Any, str]:
    try:
        module = import_module("convcli._loops")
    except ModuleNotFoundError:
        return None, "the extension convcli._loops was not built when convcli was installed"
    except ImportError as error:  # there, but broken: say so instead of being slow in silence
        return None, f"the extension convcli._loops does not load: {error}"
    return module, f"convcli._loops with {module.isa()}"
