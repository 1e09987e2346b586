"""Operations that are no weighted sum, where some samples do not vote: one kernel of a chain.

Missing samples do not vote, nor do those of pixels that are transparent altogether; alpha itself is
left as it is. Of ``n`` that vote, a window gives what the operation makes of them. Where none votes
the result is missing, and of a picture the sample under the footprint's centre. Where that one is
missing the result is, unless holes are filled; so it is where fewer vote than are asked for.

What does not vote is NaN on its way through the engine, so samples become floats that hold them
exactly. Where all are there they go through as they are.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.plan import Plan, Step
from convcli.engine.regions import Ranges, within
from convcli.errors import UsageError
from convcli.imaging.source import Pixels
from convcli.imaging.stages.alpha import Placed, picker_of, visible
from convcli.imaging.stages.carry_out import step_on
from convcli.imaging.stages.float_layers import Layers, LayerStage
from convcli.imaging.stages.lacking import lacking
from convcli.imaging.stages.missing import way_of
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.rasters import needs_float64
from convcli.imaging.stages.window_stage import WindowStage
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import facts_of, has_heights, picks_values

__all__ = ["Nonlinear"]


class Nonlinear(WindowStage):
    """One kernel of a chain that is no sum, on samples of type ``dtype``, not all of which vote."""

    def __init__(
        self, before: LayerStage, kernel: Kernel, step: Step, plans: Plans, dtype: np.dtype[Any]
    ) -> None:
        self.kernel, self.facts, shape = kernel, facts_of(kernel), step.shape_in
        if plans.missing.fill and plans.missing.possible and not self.facts.fills:
            raise UsageError(
                f"kernel {kernel.name!r}: --fill closes holes with what is made of the samples around, "
                "and this compares a sample with them; leave --fill out"
            )
        picks = picks_values(kernel)
        fine = plans.values and not picks and plans.between == np.float64  # asked for in the result
        self.voting = np.dtype("float64" if fine or needs_float64(dtype) else "float32")
        stays = picks and dtype != np.float16
        super().__init__(before, step, plans, dtype if stays else self.voting)
        self.plain = self.use(plans.voted(shape, dtype, kernel, self.dtype))
        outside = math.nan if self.missing.outside else None
        gaps = plans.voted(shape, self.voting, kernel, self.voting, outside=outside)
        self.gaps = self.use(gaps)
        self.taps = int(np.count_nonzero(_counting(kernel)))
        share = 1.0 if way_of(kernel, plans.options.missing) == "propagate" else self.missing.least
        self.least = 1 if plans.weighs else max(math.ceil(share * self.taps - 1e-9), 1)
        self._make_counts(step)

    def _make_counts(self, step: Step) -> None:
        """Plans that pick what lies under the centres, and count what votes."""
        plans, shape = self.plans, step.shape_in
        centre, placed = picker_of(step, mirrored=self.facts.mirrored)
        geometry = placed.how
        sides = step.rows.kernel_size, step.cols.kernel_size
        turned = plans.options.flip != self.facts.mirrored
        cells = _cells(self.kernel, sides, placed, turned)

        def under_centre(channels: int, dtype: Any) -> Plan:
            size = (*shape[:2], channels)
            return self.use(plans.sums(size, dtype, centre, dtype, any_algorithm=True, **geometry))

        self.there = self.counting(centre, **geometry)
        self.votes = None
        if self.least > 1 or self.facts.rounds:
            self.votes = self.counting(cells, **geometry)
        self.centre = None if plans.values else under_centre(shape[2], self.voting)
        self.alpha = self.picking_alpha(self.kernel)
        self.chroma = under_centre(3, plans.float_dtype) if plans.luma else None

    def read(self, want: Ranges) -> Layers:
        """Layers of a region of the filtered picture."""
        have = self.needed(want)
        x, alpha, chroma, there = self.before.read(have)
        votes = self._voters(x, alpha, there)
        if self.chroma is not None and chroma is not None:
            chroma = self.under_centres(self.chroma, chroma, have, want)
        picked = self.alpha_under(self.alpha, alpha, have, want)
        if votes is None and not self.missing.outside:
            return Layers(step_on(self.plain, x, have, want), picked, chroma)
        if votes is None:
            votes = self.all_there(x)
        found, known = self._parted(x, votes, have, want)
        if self.plans.weighs:
            return Layers(found, picked, chroma)
        return Layers(found, picked, chroma, None if known.all() else known)

    def _voters(
        self, x: Pixels, alpha: Pixels | None, there: NDArray[np.uint8] | None
    ) -> NDArray[np.uint8] | None:
        """1 where a sample votes, 0 where it does not; None if all do."""
        if not self.plans.weighs or alpha is None:
            return there
        seen = visible(alpha)
        return None if seen.all() else np.broadcast_to(seen, x.shape).astype(np.uint8)

    def _parted(
        self, x: Pixels, votes: NDArray[np.uint8], have: Ranges, want: Ranges
    ) -> tuple[Pixels, NDArray[np.uint8]]:
        """What those that vote give, and 1 where that is known; all that lacks none as it is."""
        outside = self.missing.outside
        parts = [want]
        if not (outside and self.facts.rounds):
            there: NDArray[np.bool_] = np.all(votes, axis=-1)
            parts = lacking(self.gaps.steps, there, have, want, outside=outside)
        if parts == [want]:
            return self._among(x, votes, have, want)
        found = step_on(self.plain, x, have, want)
        known = np.ones(found.shape, np.uint8)
        for part in parts:
            place, around = within(want, part), self.needed(part)
            cut = within(have, around)
            assert place is not None
            found[place], known[place] = (
                self._among(x, votes, have, part)
                if cut is None
                else self._among(x[cut], votes[cut], around, part)
            )
        return found, known

    def _among(
        self, x: Pixels, votes: NDArray[np.uint8], have: Ranges, want: Ranges
    ) -> tuple[Pixels, NDArray[np.uint8]]:
        """What those that vote give, and 1 where that is known."""
        voters = np.where(votes != 0, x.astype(self.voting), self.voting.type(np.nan))
        found = step_on(self.gaps, voters, have, want)
        voting = None if self.votes is None else step_on(self.votes, votes, have, want)
        if voting is not None and self.facts.rounds and not self.missing.outside:
            # Windows that lack nothing give the same whatever their neighbourhood lacks.
            np.copyto(found, step_on(self.plain, x, have, want), where=voting == self.taps)
        there = self.under_centres(self.there, votes, have, want) != 0
        if not self.facts.fills:
            found[~there] = np.nan
        known = ~np.isnan(found)
        if self.centre is not None:  # of a picture
            own = self.under_centres(self.centre, x.astype(self.voting), have, want)
            np.copyto(found, own.astype(found.dtype), where=~known)
            known |= there
        if voting is not None:
            known &= voting >= self.least
        if not (self.missing.fill or self.plans.weighs):
            known &= there
        if not self.plans.weighs:
            found[~known] = self.hole
        return found.astype(self.dtype, copy=False), known.view(np.uint8)


def _counting(kernel: Kernel) -> NDArray[np.bool_]:
    """The cells that count: all, where weights are heights."""
    return np.asarray((kernel.weights != 0) | has_heights(kernel))


@lru_cache(maxsize=64)
def _cells(kernel: Kernel, sides: tuple[int, int], placed: Placed, turned: bool) -> Kernel:
    """One where a cell counts, in windows with these sides, which may be wider than the footprint."""
    cells = np.zeros(placed.shape)
    top, left = (
        first + (wide - 1) // 2 - (own - 1) // 2
        for first, wide, own in zip(placed.first, sides, kernel.shape, strict=True)
    )
    there = _counting(kernel)
    height, width = kernel.shape
    cells[top : top + height, left : left + width] = there[::-1, ::-1] if turned else there
    return Kernel(cells, name="votes")
