"""What can be done to the cells under a window that slides over a picture.

An operation is a file with an ``OPERATION``, and a line in
:data:`convcli.kernels.operation_names.OPERATIONS`; of a file with several the line names one, as in
``convcli.engine.morphology:ERODE``. A kernel of a chain names the one that it is for; a kernel that
names none is for a correlation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from convcli.engine.plane_windows import Windowed
from convcli.engine.step import CPU_ONLY, Algorithm, Problem, Signal, Slot
from convcli.errors import UsageError
from convcli.kernels.operation_names import CORRELATE, OPERATIONS

__all__ = ["CpuOnly", "WindowOperation", "every_algorithm", "knows", "operation_of"]


class WindowOperation(Protocol):
    """What is computed from the cells under a window."""

    @property
    def algorithms(self) -> Sequence[Algorithm]:
        """All that may make an offer, in the order in which they are shown."""

    def cpu_only(self, problem: Problem) -> str:
        """Why a GPU cannot do a problem, as what is said of its kernel; empty if it can."""

    def problem(self, kernel: Windowed, slot: Slot) -> tuple[Problem, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result.

        The problem says how large the output is, which cells it reads and in which type.
        """


class CpuOnly:
    """Of an operation that no GPU does anything of."""

    def cpu_only(self, problem: Problem) -> str:
        """See :class:`WindowOperation`."""
        return CPU_ONLY


def operation_of(kernel: Windowed) -> WindowOperation:
    """The operation that a kernel is for.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    name = getattr(kernel, "operation", CORRELATE)
    if name not in OPERATIONS:
        raise UsageError(f"operation {name!r} is not known; allowed: {', '.join(OPERATIONS)}")
    return _of_module(OPERATIONS[name])


def knows(kernels: Iterable[Windowed], algorithm: str | None) -> bool:
    """Whether the operation of one of the kernels has an algorithm of that name."""
    return any(a.name == algorithm for kernel in kernels for a in operation_of(kernel).algorithms)


def every_algorithm() -> tuple[str, ...]:
    """The names of the algorithms of all operations."""
    every = (a.name for place in OPERATIONS.values() for a in _of_module(place).algorithms)
    return tuple(dict.fromkeys(every))


@cache
def _of_module(place: str) -> WindowOperation:
    module, _, name = place.partition(":")
    return cast(WindowOperation, getattr(import_module(module), name or "OPERATION"))
