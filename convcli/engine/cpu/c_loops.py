"""The compiled loops of filters: whether they are here, and how they call the types."""

from __future__ import annotations

from typing import Any, NamedTuple

from convcli.errors import UsageError
from convcli.extensions import extension

__all__ = ["CODE", "NO_LOOPS", "Loops", "c_loops", "loops"]

CODE = {"uint8": "B", "uint16": "H", "int16": "h", "float32": "f", "float64": "d"}
"""How the compiled loops call the types."""


class Loops(NamedTuple):
    """The inner loops that filters take on the CPU: ``compiled`` or ``numpy``, and why."""

    name: str
    reason: str
    compiled: bool
    bytes: bool = False
    """Whether the instruction set has the loops on bytes, with vectors of 32 bytes or more."""


NO_LOOPS = Loops("numpy", "", False)


def loops() -> Loops:
    """The loops that there are, as ``CONVCLI_LOOPS`` wants them.

    Raises
    ------
    UsageError
        If ``CONVCLI_LOOPS`` asks for loops that there are not.
    """
    module, why = extension("_loops")
    if module is None:
        return NO_LOOPS._replace(reason=why)
    return Loops("compiled", f"convcli._loops with {why}", True, module.isa() != "base")


def c_loops() -> Any:
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
