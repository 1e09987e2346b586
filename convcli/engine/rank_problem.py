"""What a rank filter computes: which of the values under a footprint, and in which type."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.numerics import EPS64, LIMITS, exact_type, loaded_type
from convcli.engine.requantize import Requantize
from convcli.engine.step import Problem, Signal, Slot
from convcli.errors import KernelError, UsageError
from convcli.kernels.kernel import Kernel

__all__ = ["MEDIAN", "RankProblem", "rank_of", "rank_problem"]

MEDIAN = 50.0


class RankProblem(Problem):
    """A problem whose results are values of its input.

    Attributes
    ----------
    held
        Type of the values that are compared: that of the input, unless it lacks what stands
        outside.
    outside
        What stands there; NaN does not vote.
    plain
        Whether results are written as they are found.
    """

    held: str
    outside: float
    plain: bool

    @property
    def footprint(self) -> NDArray[Any]:
        """The cells that count, as ones."""
        return np.where(self.weights[0] != 0, 1.0, 0.0)

    @cached_property
    def cells(self) -> int:
        """How many count."""
        return int(np.count_nonzero(self.weights))

    @property
    def percent(self) -> float:
        """Which value is taken."""
        return self.numbers[0] if self.numbers else MEDIAN

    @cached_property
    def order(self) -> NDArray[np.int32]:
        """Which value is taken of so many that vote, counted from 0."""
        return rank_of(np.arange(self.cells + 1), self.percent)

    @property
    def rank(self) -> int:
        """Which one where all cells vote."""
        return int(self.order[-1])

    @cached_property
    def is_extremum(self) -> bool:
        """Whether the smallest is taken, or the largest, however many vote."""
        last = np.maximum(np.arange(self.cells + 1) - 1, 0)
        return not self.order.any() or bool((self.order == last).all())

    @property
    def largest(self) -> bool:
        """Of extrema, whether the largest is taken."""
        return self.rank > 0

    @property
    def is_rectangle(self) -> bool:
        """Whether every cell counts."""
        return self.cells == self.weights.size

    @property
    def moves_by_one(self) -> bool:
        """Whether neighbouring windows stand one cell apart, and have no gaps."""
        return all(
            w.stride == 1 and (w.dilation == 1 or w.kernel_size == 1)
            for w in (self.rows, self.cols)
        )


def rank_of(votes: NDArray[Any], percent: float) -> NDArray[np.int32]:
    """Which value is taken of so many: number ``floor(n P / 100)`` from 0, at most the last.

    The percent is taken as it is written, not as the nearest double.

    >>> rank_of(np.array([1, 2, 9, 1000]), 99.9).tolist()
    [0, 1, 8, 999]
    >>> rank_of(np.array([0, 4, 5]), 50).tolist()
    [0, 2, 2]
    """
    part = Fraction(repr(float(percent))) / 100
    whole = votes.astype(object) * part.numerator // part.denominator
    return np.array(np.maximum(np.minimum(whole, votes - 1), 0), np.int32)


def rank_problem(kernel: Kernel, slot: Slot) -> tuple[RankProblem, Signal]:
    """What is to be computed at a place of the chain, and what is known of the result."""
    kernel = kernel.flipped() if slot.flip else kernel
    _check(kernel)
    held, outside = _held(slot)
    whole = held in LIMITS
    kind = held if not whole else (exact_type(slot.bounds) if slot.bounds else None) or "float64"
    found = None if slot.bounds is None else [slot.bounds]
    requantize = slot.requantize(found, accumulate=kind, exact=whole)
    low = slot.bounds.low if slot.bounds is not None else -1.0
    stays = requantize.ratio == 1.0 and requantize.offset == 0.0
    stays = stays and not (requantize.absolute and low < 0) and requantize.out_dtype == held
    plain = stays or not slot.target
    if plain:
        requantize = Requantize(out_dtype=held, clip=False, nan=not whole)
    problem = RankProblem(slot, kernel, requantize, accumulate=kind, exact=whole)
    problem.held, problem.outside, problem.plain = held, outside, plain
    lost = 0.0
    if slot.signal.dtype in LIMITS and "64" in slot.signal.dtype and not plain:
        lost = problem.values * EPS64 if problem.values and problem.values > 2.0**53 else 0.0
    return problem, Signal(requantize.out_dtype, slot.bounds, slot.signal.error + lost)


def _check(kernel: Kernel) -> None:
    if kernel.weights.ndim != 2:
        raise KernelError(
            f"kernel {kernel.name!r} has shape {kernel.weights.shape}; a rank is taken of the cells "
            "of one footprint, (kH, kW)"
        )
    if not kernel.weights.any():
        raise KernelError(f"kernel {kernel.name!r}: no cell of its footprint counts")
    percent = kernel.numbers[0] if kernel.numbers else MEDIAN
    if not 0 <= percent <= 100:
        raise UsageError(f"kernel {kernel.name!r}: percent is {percent:g}; it must be 0 to 100")


def _held(slot: Slot) -> tuple[str, float]:
    """The type in which values are compared, and what stands outside."""
    dtype = loaded_type(slot.signal.dtype)
    if dtype in LIMITS and not slot.fits(dtype):
        dtype = "float64" if "32" in dtype or "64" in dtype else "float32"
    return dtype, slot.border.outside
