"""What has to be known of an operation besides its engine: what its results are, in which unit."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_names import WITH_HEIGHTS
from convcli.records import NamedTuple

__all__ = [
    "FACTS",
    "OperationFacts",
    "facts_of",
    "has_heights",
    "in_units",
    "nearly_whole",
    "picks_values",
    "reach_of",
    "require_sum",
    "squares_values",
]


class OperationFacts(NamedTuple):
    """Of an operation that is no weighted sum.

    ``verb`` is what becomes of a picture, for ``kernel show``.
    """

    verb: str
    flat: float | None = None
    """What it makes of a flat 1, and with it of an offset of all values; None if of another unit."""
    picks: bool = False
    """Whether each result is one of the values under the footprint, so that it keeps its meaning."""
    mirrored: bool = False
    """Whether the footprint is turned by half, and its centre with it."""
    inner: bool = False
    """Whether heights that are taken away are added again: results stay between black and white."""
    rounds: bool = False
    """Whether results are rounded, so that they may depend on what lies beside the footprint."""
    numbers: tuple[str, ...] = ()
    """What its numbers are called."""
    levels: tuple[str, ...] = ()
    """Those of them that count levels of 255."""
    weighs: bool = False
    """Whether the weights are more than a footprint."""
    joint: bool = False
    """Whether all colours of a picture are looked at together: one more number, 1, says so."""
    joins: bool = False
    """Whether one gray picture is made of all colours."""
    whole: bool = False
    """Whether each result depends on all of the picture."""
    fills: bool = True
    """Whether it makes something of a window whose centre is missing."""
    compares: bool = False
    """Whether results are black and white, whatever the size of the values."""
    marks: bool = False
    """Whether results are 0 and the kernel's scale, which is white, and 1 in a raster."""


UNKNOWN = OperationFacts("takes something else than a sum of the cells that count")

FACTS: dict[str, OperationFacts] = {
    "rank": OperationFacts("takes one of the values in their order", flat=1, picks=True),
    "mode": OperationFacts(
        "takes the most frequent value, of several the smallest", flat=1, picks=True
    ),
    "spread": OperationFacts("measures how far values lie from their mean", flat=0, rounds=True),
    "bilateral": OperationFacts(
        "averages values that are near the centre and like its own",
        flat=1,
        rounds=True,
        numbers=("sigma of distances", "sigma of differences"),
        levels=("sigma of differences",),
        joint=True,
        weighs=True,
        fills=False,
    ),
    "canny": OperationFacts(
        "draws a white line where the blurred picture is steepest, on black",
        numbers=("low", "high", "sigma"),
        levels=("low", "high"),
        marks=True,
        joint=True,
        weighs=True,
        joins=True,
        whole=True,
        fills=False,
    ),
    "range": OperationFacts("takes the largest value less the smallest", flat=0),
    "erode": OperationFacts("takes the smallest value under the footprint", flat=1, picks=True),
    "dilate": OperationFacts(
        "takes the largest value under the mirrored footprint", flat=1, picks=True, mirrored=True
    ),
    "open": OperationFacts("erodes, then dilates what came out", flat=1, picks=True, inner=True),
    "close": OperationFacts("dilates, then erodes what came out", flat=1, picks=True, inner=True),
    "tophat": OperationFacts("takes the picture less its opening", flat=0, inner=True),
    "blackhat": OperationFacts("takes the closing less the picture", flat=0, inner=True),
    "gradient": OperationFacts("takes the dilated picture less the eroded one", flat=0),
    "threshold": OperationFacts(
        "makes white what is above the level, and black the rest",
        numbers=("level",),
        compares=True,
        marks=True,
    ),
    "otsu": OperationFacts(
        "finds the level that parts the values best, and makes white what is above",
        compares=True,
        marks=True,
    ),
    "unsharp": OperationFacts(
        "sharpens what differs from its blur by more than the threshold, and leaves the rest",
        flat=1,
        rounds=True,
        numbers=("amount", "threshold"),
        levels=("threshold",),
        weighs=True,
        fills=False,
    ),
}
"""By name; an operation that is not here may give anything."""


def facts_of(kernel: Kernel) -> OperationFacts:
    """Of the operation that a kernel is for, if it is no weighted sum."""
    return FACTS.get(kernel.operation, UNKNOWN)


def picks_values(kernel: Kernel) -> bool:
    """Whether results are values of the picture as they are; heights of a gray footprint change them.

    >>> picks_values(Kernel([[1, 1]], operation="rank", numbers=(50,))), picks_values(Kernel([[1]]))
    (True, False)
    """
    return facts_of(kernel).picks and not has_heights(kernel)


def require_sum(kernel: Kernel, what: str) -> Kernel:
    """The kernel, for whom ``what`` is wanted that only the weights of a sum have.

    Raises
    ------
    KernelError
        If it is the footprint of another operation.

    >>> require_sum(Kernel([[1]], name="median", operation="rank", numbers=(50,)), "factors")
    Traceback (most recent call last):
    ...
    convcli.errors.KernelError: 'median' is no weighted sum, so it has no factors
    """
    if not kernel.is_correlation:
        raise KernelError(f"{kernel.name!r} is no weighted sum, so it has no {what}")
    return kernel


def has_heights(kernel: Kernel) -> bool:
    """Whether a footprint's weights are gray levels, which are added to what lies under them."""
    return kernel.operation in WITH_HEIGHTS and kernel.numbers == (1.0,)


def reach_of(kernel: Kernel, white: float) -> tuple[float, float]:
    """Least and greatest result for samples of 0 to ``white``; a variance is a part of white.

    >>> reach_of(Kernel([[1, 1]], operation="spread", numbers=(1,)), 255)
    (0.0, 127.5)
    """
    if has_heights(kernel) and not facts_of(kernel).inner:
        most = float(np.abs(kernel.weights).max()) * (2 - facts_of(kernel).picks)
        return -most, white + most
    if squares_values(kernel):
        return 0.0, white / 4
    if kernel.operation == "unsharp":
        most = kernel.numbers[0] * white
        return -most, white + most
    return 0.0, white / 2 if kernel.operation == "spread" else white


def squares_values(kernel: Kernel) -> bool:
    """Whether results are in the squared unit of the picture's: variances."""
    return kernel.operation == "spread" and kernel.numbers == (0.0,)


def nearly_whole(level: float) -> float:
    """The whole number that a level stands for which has been divided and multiplied again.

    >>> nearly_whole(12345 / 257 * 257), nearly_whole(127.5)
    (12345.0, 127.5)
    """
    whole = round(level) if abs(level) < 2**53 else level
    return float(whole) if abs(level - whole) <= 1e-9 * max(abs(level), 1.0) else level


@lru_cache(maxsize=64)
def in_units(kernel: Kernel, level: float, white: float | None) -> Kernel:
    """What a kernel says of levels, in the samples' unit; ``white`` is none in a raster.

    Variances are in parts of white. A threshold keeps its level, by which it is told, and has that in
    the samples' unit behind it.
    """
    facts = facts_of(kernel)
    if has_heights(kernel):
        kernel = kernel.replace(weights=kernel.weights * level)
    if kernel.operation == "threshold":
        kernel = kernel.replace(
            numbers=(kernel.numbers[0], *(kernel.numbers[1:] or (kernel.numbers[0] * level,)))
        )
    if facts.levels:
        named = zip(facts.numbers, kernel.numbers, strict=False)
        numbers = [n * level if name in facts.levels else n for name, n in named]
        together = facts.joint and white is not None
        kernel = kernel.replace(numbers=(*numbers, *[1.0] * together))
    if facts.marks:
        kernel = kernel.replace(scale=white or 1.0)
    if squares_values(kernel) and white is not None:
        kernel = kernel.replace(scale=1 / white)
    return kernel
