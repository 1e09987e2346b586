"""The algorithms of a correlation, one file each, and the choice of one by predicted cost."""

from __future__ import annotations

from collections.abc import Sequence

from convcli.engine.algorithms.box_filter import BOX
from convcli.engine.algorithms.direct_correlation import DIRECT
from convcli.engine.algorithms.fft_correlation import FFT
from convcli.engine.algorithms.separable_correlation import SEPARABLE
from convcli.engine.step import Algorithm, Problem, Step
from convcli.errors import UsageError

__all__ = ["ALGORITHMS", "CORRELATION", "choose"]

CORRELATION: tuple[Algorithm, ...] = (DIRECT, SEPARABLE, BOX, FFT)
"""In the order in which they are shown; of two that cost the same, the first is taken."""

ALGORITHMS = tuple(algorithm.name for algorithm in CORRELATION)


def choose(problem: Problem, algorithms: Sequence[Algorithm], forced: str | None = None) -> Step:
    """Weigh the algorithms for one step and take the cheapest, or the one asked for, if it is there.

    Raises
    ------
    UsageError
        If the algorithm asked for cannot do this step.
    """
    if forced not in [algorithm.name for algorithm in algorithms]:
        forced = None
    offers = [offer for a in algorithms if (offer := a.offer(problem)) is not None]
    estimates = tuple(offer.estimate for offer in offers)
    if forced is None:
        best = min(offers, key=lambda offer: offer.estimate.cost)
        return Step(best, f"{best.estimate.note}: the least predicted cost", estimates)
    for offer in offers:
        if offer.estimate.name == forced:
            return Step(offer, f"{offer.estimate.note}: asked for", estimates)
    raise UsageError(
        f"algorithm {forced!r} cannot do this kernel within the promised accuracy; "
        f"possible: {', '.join(e.name for e in estimates)}"
    )
