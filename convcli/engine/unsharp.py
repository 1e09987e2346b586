"""Unsharp masking with a threshold: what differs little from its surroundings is left as it is.

With the blur ``b`` of the samples ``x``, an amount ``a`` and a threshold ``t``::

    x + a (x - b)    where |x - b| > t
    x                elsewhere

Source: Pillow's ``UnsharpMask``, whose ``b`` is rounded to whole levels; here it is not.

Missing samples stand for the one under the centre, as they do for kernels with negative weights:
``x - b`` is ``sum(w a (x_c - x))``, where ``a`` is 0 for those. Where the centre is missing, so is
the result.
"""

from __future__ import annotations

import numpy as np

from convcli.arithmetic.borders import Border
from convcli.engine.algorithms import CORRELATION, choose
from convcli.engine.algorithms.blur_and_compare import BLUR_AND_COMPARE, Sharpening
from convcli.engine.correlate import OPERATION as CORRELATE
from convcli.engine.numerics import EPS32, EPS64, LIMITS, Bounds
from convcli.engine.operations import CpuOnly
from convcli.engine.picks import plane
from convcli.engine.step import Problem, Signal, Slot, Step
from convcli.kernels.kernel import Kernel

__all__ = ["OPERATION", "Unsharp"]


class Unsharp(CpuOnly):
    """With the numbers amount and threshold, which counts as a bias does; the weights are the blur's."""

    algorithms = (BLUR_AND_COMPARE,)

    def problem(self, kernel: Kernel, slot: Slot) -> tuple[Problem, Signal]:
        """What is to be computed at a place of the chain, and what is known of the result."""
        amount, threshold = kernel.numbers
        weights = plane(kernel)
        blur = Kernel(weights, 1 / weights.sum(), name=kernel.name)
        lacks = slot.border.is_missing
        inner = slot._replace(target="", range="clip")
        if lacks:  # NaN stands for what is outside
            inner = inner._replace(signal=slot.signal._replace(dtype=slot.precision))
        steps = [_summed(blur, inner)]
        if inner.signal.dtype not in LIMITS:
            there = Signal(slot.precision, Bounds(0.0, 1.0), 0.0)
            for signal, value in ((inner.signal, slot.border.value), (there, 1.0)):
                border = Border(slot.border.mode, 0.0 if lacks else value)
                at = inner._replace(border=border, signal=signal)
                steps.append(_summed(blur, at))
        bounds = slot.bounds
        if bounds is not None:
            most = amount * (bounds.high - bounds.low)
            bounds = Bounds(bounds.low - most, bounds.high + most)
        requantize = slot.requantize(bounds and [bounds], accumulate=slot.precision, exact=False)
        if lacks:
            requantize = requantize.with_nan()
        problem = Sharpening(
            slot,
            kernel,
            requantize,
            steps=tuple(steps),
            amount=amount,
            threshold=threshold * slot.level,
        )
        reach = slot.white if slot.bounds is None else slot.bounds.magnitude
        fine = EPS64 if slot.precision == "float64" else EPS32
        error = (1 + 2 * amount) * slot.signal.error
        error += fine * reach * (2 + amount * (2 + float(np.count_nonzero(weights)) ** 0.5))
        return problem, Signal(slot.precision, requantize.known(bounds and [bounds]), error)


OPERATION = Unsharp()


def _summed(blur: Kernel, slot: Slot) -> Step:
    problem, _ = CORRELATE.problem(blur, slot)
    return choose(problem, CORRELATION)
