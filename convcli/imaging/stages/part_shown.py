"""Part of a picture: the filtered plane where a region or a mask shows it, the plane elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.region import Rectangle, Region
from convcli.errors import InputError, ShapeError, UsageError
from convcli.imaging.header import Header, full_scale
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Pixels, Plane
from convcli.imaging.stages.blend import between, between_pixels
from convcli.imaging.stages.carry_out import Counts, SampleCounts
from convcli.imaging.stages.plans import Plans
from convcli.imaging.stages.result import declared

if TYPE_CHECKING:
    from convcli.engine.regions import Ranges

__all__ = ["Mask", "PartShown", "Selection", "Shown"]

BLOCK = 1 << 18
"""Samples that are blended together: what lies between the steps stays in the cache."""


class Mask(NamedTuple):
    """How much of a result shows, from black (nothing) to white (all of it)."""

    plane: Plane
    name: str

    @property
    def white(self) -> float:
        """What shows all."""
        return full_scale(self.plane.dtype)

    def shares(self, box: Rectangle) -> Pixels:
        """The mask in a part of the picture, ``(rows, columns, 1)``.

        Raises
        ------
        InputError
            If it has floats that say nothing.
        """
        shares = self.plane.read(_ranges(box))
        if shares.dtype.kind == "f" and not ((shares >= 0) & (shares <= 1)).all():
            worst = shares[~((shares >= 0) & (shares <= 1))][0]
            raise InputError(
                f"{self.name}: a mask of floats goes from 0 to 1, and it has a sample of {worst:g}"
            )
        return shares


class Shown(NamedTuple):
    """Which part of a picture changes, in words that fit through a line between processes."""

    region: Rectangle | None
    """Of the first frame."""
    mask: str | None

    @property
    def columns_first(self) -> list[int] | None:
        """The region as users write it: column, row, width, height."""
        if self.region is None:
            return None
        top, _, left, _ = self.region
        height, width = self.region.size
        return [left, top, width, height]

    def __str__(self) -> str:
        named = [] if self.region is None else [f"region {self.region}"]
        return ", ".join(named + ([] if self.mask is None else [f"mask {self.mask}"]))


class Selection(NamedTuple):
    """What shows of the result."""

    region: Region | None
    mask: Mask | None = None

    def box(self, size: tuple[int, int], name: str) -> Rectangle:
        """The part of a frame that may change.

        Raises
        ------
        ShapeError
            If the region reaches beyond the frame, or the mask is of another size.
        """
        if self.mask is not None and self.mask.plane.shape[:2] != size:
            (height, width), (rows, cols) = size, self.mask.plane.shape[:2]
            raise ShapeError(
                f"{name}: the picture has {width}x{height} pixels, upright, and the mask "
                f"{self.mask.name} has {cols}x{rows}; they must be of one size"
            )
        if self.region is None:
            return Rectangle(0, size[0], 0, size[1])
        return self.region.of(size, name)

    def shown(self, header: Header) -> Shown:
        """What shows of the first frame, for who tells of it."""
        box = self.box(header.size, header.name)
        return Shown(
            None if self.region is None else box, None if self.mask is None else self.mask.name
        )

    @staticmethod
    def check(before: Header, after: Header, options: FilterOptions) -> None:
        """Refuse what would make other pixels of those that stay.

        Raises
        ------
        UsageError
            If the result has another geometry, type, range or value for missing samples.
        """
        first = f"{before.name}: with --region or --mask the samples outside stay as they are, so"
        if options.padding != "same" or options.stride not in (1, (1, 1)):
            raise UsageError(f"{first} the filter keeps the geometry: drop --padding and --stride")
        if options.range not in ("auto", "clip", "abs"):
            raise UsageError(
                f"{first} --range {options.range} would mean something else there; allowed: auto, "
                "clip, abs"
            )
        if before.dtype != after.dtype:
            raise UsageError(f"{first} the result is {before.dtype} like them: drop --depth")
        shapes = [(h.space, h.colours, h.alpha) for h in (before, after)]
        if shapes[0] != shapes[1]:
            what = [f"{space} ({n})" + " and alpha" * alpha for space, n, alpha in shapes]
            raise UsageError(
                f"{first} the kernels keep the channels; these make {what[1]} of {what[0]}"
            )
        if options.nodata_out is not None:
            raise UsageError(
                f"{first} what is missing keeps its value: write --nodata without a colon"
            )


class PartShown(Plane):
    """A plane made of the plane before a filter and the filtered one.

    Parameters
    ----------
    make
        The filtered plane by certain plans, counting in certain counts.
    plans, counts
        Those of the filter.
    """

    def __init__(
        self,
        before: Plane,
        selection: Selection,
        make: Callable[[Plans, Counts], Plane],
        plans: Plans,
        counts: Counts,
        name: str,
    ) -> None:
        self.before, self.make, self.plans, self.counts = before, make, plans, counts
        self.shape, self.dtype = before.shape, np.dtype(plans.out_dtype)
        self.box, self.mask = selection.box(before.shape[:2], name), selection.mask

    def read(self, want: Ranges) -> Pixels:
        """A region of the picture; of the filtered one no more is made than shows."""
        ((top, bottom),), ((left, right),) = want
        shown = np.array(self.before.read(want), self.dtype, order="C")
        box = self.box.common(Rectangle(top, bottom, left, right))
        shares = None
        if self.mask is not None and box is not None:
            box, shares = _trimmed(box, self.mask.shares(box))
        if box is None:
            return shown
        counts = Counts()
        made = self.make(self.plans, counts).read(_ranges(box))
        inside = shown[box.top - top : box.bottom - top, box.left - left : box.right - left]
        self._count(counts, box, shares)
        if shares is None:
            inside[...] = made
            return shown
        rows = max(BLOCK // (inside.shape[1] * inside.shape[2]), 1)
        for first in range(0, inside.shape[0], rows):
            block = slice(first, first + rows)
            self._blend(inside[block], made[block], shares[block])
        return shown

    def _blend(self, x: Pixels, y: Pixels, m: Pixels) -> None:
        """Put into ``x`` what shows of ``y``."""
        assert self.mask is not None
        white, missing = self.mask.white, self.plans.missing
        says_value = missing.says is not None and not np.isnan(missing.says)
        if not m.any():
            return
        if (m == white).all():
            x[...] = y
            return
        if self.plans.composites or missing.by_alpha or missing.value is not None or says_value:
            self._blend_pixels(x, y, m, white)
            return
        m = np.repeat(m, x.shape[-1], axis=-1)  # rows without gaps: three times as fast
        made = between(x, y, m, white)
        if x.dtype.kind == "f":
            np.copyto(made, x, where=m == 0)
            np.copyto(made, y, where=m == white)
        x[...] = made

    def _blend_pixels(self, x: Pixels, y: Pixels, m: Pixels, white: float) -> None:
        """The same where a pixel cannot be cut into its samples."""
        shares = m[..., 0]
        full = np.nonzero(shares == white)
        x[full] = y[full]
        mixed = np.nonzero((shares != 0) & (shares != white))
        x[mixed] = self._mixed(x[mixed], y[mixed], m[mixed], white)

    def _mixed(self, x: Pixels, y: Pixels, m: Pixels, white: float) -> Pixels:
        """Pixels ``(N, channels)`` that are neither the one nor the other."""
        missing = self.plans.missing
        if self.plans.composites:
            return between_pixels(x, y, m, white)
        made = between(x, y, m, white)
        if not missing.possible:
            return made
        there = self._there(x) & self._there(y)
        if missing.by_alpha:
            there = there[..., :-1]
            made[~there.any(axis=-1), -1] = 0
        colours = made[..., : there.shape[-1]]
        said, _, moved = declared(colours, there.view(np.uint8), missing)
        colours[...] = said
        self.counts.add(SampleCounts(moved=moved))
        return made

    def _there(self, x: Pixels) -> NDArray[np.bool_]:
        """Which samples are not missing, of alpha with those of its pixel."""
        missing = self.plans.missing
        there = np.ones(x.shape, bool)
        if missing.value is not None:
            there &= x != x.dtype.type(missing.value)
        if missing.nan:
            there &= ~np.isnan(x)
        if missing.by_alpha:
            there[..., -1] = True
            there &= x[..., -1:] != 0
        return there

    def _count(self, made: Counts, box: Rectangle, shares: Pixels | None) -> None:
        """Count what shows, of what was ``made`` in a part of the picture."""
        samples, clipped, missing, moved = made.total
        height, width = box.size
        shown = np.True_ if shares is None else shares != 0
        hidden = 0 if shares is None else height * width - int(np.count_nonzero(shares))
        if clipped:  # some of it perhaps in tiles that reach beyond
            clipped = self._clipped(box, shown)
        colours = self.shape[2] - self.plans.alpha
        tally = SampleCounts(samples - hidden * colours, clipped, missing, moved)
        self.counts.add(tally, *made.notes)

    def _clipped(self, box: Rectangle, shown: NDArray[np.bool_] | np.bool_) -> int:
        """How many samples that show lay outside the range: they are made once more, unclipped."""
        plans = self.plans
        colours = self.shape[2] - plans.alpha
        values = self.make(plans.unclipped, Counts()).read(_ranges(box))[..., :colours]
        white = 1.0 if plans.values else full_scale(self.dtype)
        levels = np.rint(np.round(values * white, 9))
        limits = np.iinfo(self.dtype)
        return int(np.count_nonzero(((levels < limits.min) | (levels > limits.max)) & shown))


def _trimmed(box: Rectangle, shares: Pixels) -> tuple[Rectangle | None, Pixels]:
    """The rows and columns of a part from the first to the last of which something shows."""
    shown = shares[..., 0] != 0
    rows, cols = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    if not rows.size:
        return None, shares
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(cols[0]), int(cols[-1]) + 1
    place = Rectangle(box.top + top, box.top + bottom, box.left + left, box.left + right)
    return place, shares[top:bottom, left:right]


def _ranges(box: Rectangle) -> Ranges:
    return ((box.top, box.bottom),), ((box.left, box.right),)
