"""The samples of a result: made of samples by one plan, or of layers of floats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.regions import needed
from convcli.errors import UsageError
from convcli.imaging.header import full_scale
from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.alpha import picker, picks_in_place
from convcli.imaging.stages.carry_out import (
    Counts,
    SampleCounts,
    chain_on,
    step_on,
    whole_of,
)
from convcli.imaging.stages.missing import Missing
from convcli.imaging.stages.plans import Plans

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges
    from convcli.imaging.stages.float_layers import LayerStage

__all__ = ["Correlated", "Requantised", "Result", "declared"]


class Result(Plane):
    """A plane of the result; what is counted goes to ``counts``."""

    def __init__(self, plans: Plans, size: tuple[int, int], counts: Counts) -> None:
        self.plans, self.counts = plans, counts
        self.plan = plan = plans.chained(size)
        channels = 3 if plans.luma else plan.shape_out[2]
        self.shape = (*plan.shape_out[:2], channels + plans.alpha)
        self.dtype = np.dtype(plans.out_dtype)

    def _at_depth(self, alpha: Pixels) -> Pixels:
        """Alpha at the depth of the result."""
        if alpha.dtype == self.dtype:
            return alpha
        all_of_it = whole_of(alpha.shape)
        return step_on(self.plans.deepening(alpha.shape, alpha.dtype), alpha, all_of_it, all_of_it)


class Correlated(Result):
    """A chain whose colours go from samples to samples in one plan, alpha left as it is."""

    def __init__(self, plane: Plane, plans: Plans, counts: Counts, *, opaque: bool) -> None:
        super().__init__(plans, plane.shape[:2], counts)
        self.plane, self.opaque = plane, opaque

    def read(self, want: Ranges) -> Pixels:
        """A region of the filtered picture, before ``stretch`` where that is the range."""
        plan = self.plans.chained(self.plane.shape[:2])
        done = chain_on(plan, self._colours, want, self.counts)
        if not self.plans.alpha:
            return done
        if self.opaque:
            alpha = np.full((*done.shape[:2], 1), full_scale(self.dtype), self.dtype)
        else:
            alpha = self._alpha(want)
        return np.concatenate([done, alpha], axis=-1)

    def _colours(self, want: Ranges) -> Pixels:
        colours, _ = self.plans.split(self.plane.read(want))
        return np.ascontiguousarray(colours)

    def _alpha(self, want: Ranges) -> Pixels:
        """Alpha as it was, at the positions of the output."""
        plans, size, dtype = self.plans, self.plane.shape[:2], self.plane.dtype
        if all(kernel.is_correlation for kernel in plans.chain):
            picking = [plans.picking(size, dtype, [picker(k.shape) for k in plans.chain])]
        else:
            steps = zip(plans.chain, plans.chained(size).steps, strict=True)
            picking = [plans.picking_under(kernel, step, dtype) for kernel, step in steps]
        if all(map(picks_in_place, picking)):
            return self._at_depth(self.plane.read(want)[..., -1:])
        if len(picking) == 1:
            picked = chain_on(picking[0], lambda have: self.plane.read(have)[..., -1:].copy(), want)
            return self._at_depth(np.asarray(picked, dtype))
        wants = [want]
        for plan in reversed(picking):
            wants.insert(0, needed(plan.steps[0], wants[0]))
        picked = self.plane.read(wants[0])[..., -1:].copy()
        for plan, have, outputs in zip(picking, wants[:-1], wants[1:], strict=True):
            picked = np.asarray(step_on(plan, picked, have, outputs), dtype)
        return self._at_depth(picked)


class Requantised(Result):
    """Layers of floats as samples."""

    def __init__(
        self, before: LayerStage, plans: Plans, size: tuple[int, int], counts: Counts
    ) -> None:
        super().__init__(plans, size, counts)
        self.before = before

    def read(self, want: Ranges) -> Pixels:
        """A region of the filtered picture, before ``stretch`` where that is the range."""
        xp = self.plans.xp
        colours, alpha, _, there = self.before.read(want)
        all_of_it = whole_of(colours.shape)
        plan = self.plans.ending(colours.shape, colours.dtype)
        own = Counts()
        told = self.plans.ends_so(colours.dtype) and self.plans.missing.says is not None
        if self.plans.ends_so(colours.dtype):
            done = colours
            own.add(SampleCounts(done.size))
        else:
            done = step_on(plan, colours, all_of_it, all_of_it, own)
        if self.plans.options.range == "stretch":  # said when the samples are made of these
            lost, moved = 0, 0
            done = done if there is None else xp.where(there != 0, done, np.nan)
        else:
            done, lost, moved = declared(done, there, self.plans.missing, told=told, xp=xp)
        samples, clipped, *_ = own.total
        self.counts.add(SampleCounts(samples - lost, clipped, lost, moved), *own.notes)
        if alpha is None:
            return done
        if self.plans.missing.by_alpha:
            alpha = self._told(alpha, there)
        made: Pixels = xp.concatenate([done, self._at_depth(alpha)], axis=-1)
        return made

    def _told(self, alpha: Pixels, there: NDArray[np.uint8] | None) -> Pixels:
        """Alpha of 0 where all bands are missing, and not where one is there."""
        xp, white = self.plans.xp, np.asarray(full_scale(alpha.dtype)).astype(alpha.dtype)[()]
        shown: Pixels = xp.where(alpha == 0, white, alpha)
        if there is None:
            return shown
        told: Pixels = xp.where(there.any(axis=-1, keepdims=True), shown, alpha.dtype.type(0))
        return told


def _alike(there: NDArray[Any]) -> bool:
    """Whether all bands of each pixel are there, or none."""
    lost = there == 0
    return bool((lost == lost[..., :1]).all())


def declared(
    samples: Pixels,
    there: NDArray[np.uint8] | None,
    missing: Missing,
    *,
    told: bool = False,
    xp: Any = np,
) -> tuple[Pixels, int, int]:
    """Samples of which those that are missing say so, and no others.

    One that happens to have the value that says so moves to the next one. ``told``: those that are
    missing say so already. ``xp`` is the module of the arrays.

    Returns
    -------
    The samples, perhaps in place, how many are missing, and how many moved.

    Raises
    ------
    UsageError
        If some are missing, and neither alpha nor a value of their type says so.
    """
    says, moved = missing.says, 0
    if says is not None and not np.isnan(says):
        same = samples == samples.dtype.type(says)
        if there is not None:
            same &= there != 0
        moved = int(xp.count_nonzero(same))
        if moved:
            samples = xp.where(same, _next_to(says, samples.dtype), samples)
    if there is None:
        return samples, 0, moved
    lost = int(there.size - xp.count_nonzero(there))
    if says is None:
        if not (missing.by_alpha and _alike(there)):
            raise UsageError(
                f"{lost:,} samples of the result are missing, and nothing says which value of "
                f"{samples.dtype.name} stands for them: name one with --nodata V, or take "
                "--depth float"
            )
        says = 0  # alpha says it
    if not told:
        xp.copyto(samples, samples.dtype.type(says), where=there == 0)
    return samples, lost, moved


def _next_to(value: float | int, dtype: np.dtype[Any]) -> Any:
    """The value beside another: above it, or below the largest."""
    if dtype.kind == "f":
        return np.nextafter(dtype.type(value), dtype.type(np.inf if value < 0 else -np.inf))
    return dtype.type(value - 1 if value == np.iinfo(dtype).max else value + 1)
