"""Which inner loops run on the CPU: the compiled ones or NumPy's."""

from __future__ import annotations

from typing import Any

from convcli.errors import UsageError
from convcli.extensions import extension

__all__ = ["CODE", "compiled", "loops"]

CODE = {"uint8": "B", "uint16": "H", "int16": "h", "float32": "f", "float64": "d"}
"""How the compiled loops call the types."""


def loops() -> tuple[str, str]:
    """``compiled`` or ``numpy``, and why; see :mod:`convcli.extensions`.

    Raises
    ------
    UsageError
        If ``CONVCLI_LOOPS`` asks for loops that there are not.
    """
    module, why = extension("_loops")
    return ("numpy", why) if module is None else ("compiled", f"convcli._loops with {why}")


def compiled() -> Any:
    """The extension module.

    Raises
    ------
    UsageError
        If there is none.
    """
    module, why = extension("_loops")
    if module is None:
        raise UsageError(why)
    return module
