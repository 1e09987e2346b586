"""The algorithms of the compiled loops of tensors, and the choice of one by predicted cost.

Costs are counted in products as direct convolution computes them in full panels, and depend on
shapes alone: neither threads nor the other images of a batch change a result.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

__all__ = [
    "ALGORITHMS",
    "DEPTHWISE",
    "DIRECT",
    "WINOGRAD",
    "ConvAlgorithm",
    "ConvProblem",
    "choose",
]


class ConvProblem(NamedTuple):
    """A convolution of one image; channels are those of each group."""

    channels: int
    per_group: int
    groups: int
    outputs: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    bits: int
    """Of a number: 32 or 64."""


class ConvAlgorithm(Protocol):
    """One way to compute the sums of a convolution."""

    code: int
    """What ``loops/job.h`` calls it."""

    def offer(self, problem: ConvProblem) -> float | None:
        """The predicted cost; None where the algorithm is not for this problem."""


class _Direct:
    """Sums in the order of the weight: the error is at most ``terms * u * sum(|w| |x|)``."""

    code = 0

    def offer(self, problem: ConvProblem) -> float | None:
        outputs = problem.groups * math.prod(problem.outputs)
        copied = 0.5 if problem.per_group > 1 else 1.0
        terms = problem.channels * math.prod(problem.kernel)
        return outputs * terms * (max(problem.per_group, 4) + copied)


class _Depthwise:
    """The same sums, where each group has one channel to read."""

    code = 1

    def offer(self, problem: ConvProblem) -> float | None:
        if problem.channels > 1 or problem.per_group > 4:
            return None
        outputs = problem.groups * math.prod(problem.outputs)
        return outputs * math.prod(problem.kernel) * problem.per_group


class _Winograd:
    """F(2x2, 3x3): 16 products for four outputs instead of 36, for float32.

    Exact on whole numbers while sixteen times ``sum(|w|) * max(|x|)`` stays below 2**24. Else the
    error is relative to the largest cell under the window, not to each term: see ``bound``.
    """

    code = 2

    def offer(self, problem: ConvProblem) -> float | None:
        if (
            problem.kernel[-2:] != (3, 3)
            or len(problem.kernel) != 2
            or problem.stride != (1, 1)
            or problem.dilation != (1, 1)
            or problem.bits != 32
        ):
            return None
        tiles = math.prod(-(-size // 2) for size in problem.outputs)
        pairs = problem.channels * max(problem.per_group, 4)
        moved = 160 * (problem.channels + problem.per_group)
        return problem.groups * (tiles * (16 * pairs + moved) + 300 * pairs)

    @staticmethod
    def bound(channels: int) -> int:
        """Units in the last place of ``sum over c of sum(|w|) * max(|x| under the window)``.

        Two additions for a cell, four for a weight, one for each channel and five back; and on the
        way the terms stand for at most four times as much on each axis.
        """
        return 16 * (channels + 11)


DIRECT, DEPTHWISE, WINOGRAD = _Direct(), _Depthwise(), _Winograd()
ALGORITHMS: tuple[ConvAlgorithm, ...] = (DIRECT, DEPTHWISE, WINOGRAD)


def choose(problem: ConvProblem) -> ConvAlgorithm:
    """The cheapest algorithm.

    >>> same = dict(groups=1, kernel=(3, 3), stride=(1, 1), dilation=(1, 1), bits=32)
    >>> choose(ConvProblem(64, 64, outputs=(56, 56), **same)) is WINOGRAD
    True
    >>> choose(ConvProblem(3, 64, outputs=(56, 56), **same)) is DIRECT
    True
    """
    offers = {a: cost for a in ALGORITHMS if (cost := a.offer(problem)) is not None}
    return min(offers, key=lambda algorithm: offers[algorithm])
