"""A chain of kernels on part of a picture: the same channels, light and alpha as on the whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.tiles import Tile
from convcli.engine.dispatch import stretched
from convcli.engine.plan import Plan
from convcli.engine.regions import Ranges, cells, join, needed, run_plan, run_step, tile_size
from convcli.imaging.alpha import leaves_alpha, parts, picker
from convcli.imaging.apply import Filtered, prepare
from convcli.imaging.header import full_scale
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Source
from convcli.kernels.kernel import Kernel

__all__ = ["Regional"]

SCAN_BYTES = 2**24
FLOATS = 7
"""Pictures of floats that are held at once on the way through light and transparency."""


class Regional:
    """The chain on one large picture.

    Parameters
    ----------
    source
        Where the picture is read.
    kernels, options
        As for :func:`convcli.imaging.apply.filter_picture`.

    Attributes
    ----------
    filtered
        The result's description; it has no frames, and counts grow as parts are made.
    """

    def __init__(self, source: Source, kernels: Sequence[Kernel], options: FilterOptions) -> None:
        self.source = source
        on_cpu = options.backend == "auto"
        if on_cpu:
            options = options._replace(backend="numpy")
        self.plane = source.first
        picture = replace(source, frames=())
        self.filtered: Filtered
        self.work, self.filtered = prepare(picture, kernels, options, source.name)
        if on_cpu:
            reason = "a picture that is read part by part is filtered on the CPU"
            self.filtered.plan = replace(self.filtered.plan, backend_reason=reason)
        self.plan = self.filtered.plan
        self.options = options
        self.opaque = not self.work.alpha
        self.straight = all(leaves_alpha(k) for k in self.work.chain)
        if self.work.alpha and not self.straight:
            self.opaque = self._is_opaque()
        self.simple = (self.opaque or self.straight) and not (self.work.luma or options.linear)
        self.limits: tuple[float, float] | None = None

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns that parts should be a multiple of."""
        return tile_size(self.plan, self.plan.steps[-1])

    def bytes_of(self, want: Ranges) -> int:
        """Memory that a part takes while it is made."""
        sizes: list[int] = []
        for step in reversed(self.plan.steps):
            rows, cols = cells(want)
            channels = max(step.shape_out[2], self.source.shape[2])
            item = np.dtype(step.finish.out_dtype).itemsize if self.simple else 4 * FLOATS
            sizes.append(rows * cols * channels * item)
            want = needed(self.plan, step, want)
        rows, cols = cells(want)
        item = self.source.dtype.itemsize * 2 if self.simple else 4 * FLOATS
        sizes.append(rows * cols * self.source.shape[2] * item)
        if self.filtered.range == "stretch":
            sizes[0] *= 3
        return sum(sizes) if self.simple else max(sizes) * 2

    def values(self, place: Tile) -> tuple[NDArray[Any], int]:
        """Part of the result, before ``stretch`` where that is the range."""
        want: Ranges = ((place[:2],), (place[2:],))
        if self.simple:
            done, clipped = run_plan(self.plan, self._colours, want)
            if self.work.alpha:
                done = np.concatenate([done, self._alpha(want)], axis=-1)
            return done, clipped
        colours, alpha = self._in_float(want)
        plan = self.work.last(colours.shape, colours.dtype)
        whole: Ranges = (((0, colours.shape[0]),), ((0, colours.shape[1]),))
        done, clipped = run_step(plan, plan.steps[0], colours, whole, whole)
        if alpha is not None:
            done = np.concatenate([done, self.work.depth(alpha)], axis=-1)
        return done, clipped

    def part(self, place: Tile) -> NDArray[Any]:
        """Part of the result; ``stretch`` needs ``limits`` from :meth:`find_limits` first."""
        values, clipped = self.values(place)
        self.filtered.samples += values.size
        self.filtered.clipped += clipped
        if self.limits is None:
            return values
        colours = values[..., : values.shape[-1] - 1] if self.work.alpha else values
        mapped = stretched(colours, *self.limits, self.work.out_dtype)
        if not self.work.alpha:
            return mapped
        alpha = values[..., -1:].astype(self.work.out_dtype)
        return np.concatenate([mapped, alpha], axis=-1)

    def find_limits(self, places: Sequence[Tile]) -> tuple[float, float]:
        """Walk over the picture once for the smallest and largest value of ``stretch``."""
        limits = [self.limits_of(place) for place in places]
        return min(low for low, _ in limits), max(high for _, high in limits)

    def limits_of(self, place: Tile) -> tuple[float, float]:
        """Smallest and largest value of a part."""
        values, _ = self.values(place)
        colours = values[..., : values.shape[-1] - 1] if self.work.alpha else values
        return float(colours.min()), float(colours.max())

    def _colours(self, want: Ranges) -> NDArray[Any]:
        pixels = self.plane.read(want)
        if self.work.alpha:
            pixels = np.ascontiguousarray(pixels[..., :-1])
        if self.work.layout.widen and pixels.shape[-1] == 1:
            pixels = np.repeat(pixels, 3, axis=-1)
        return pixels

    def _is_opaque(self) -> bool:
        height, width, channels = self.source.shape
        rows = max(SCAN_BYTES // (width * channels * self.source.dtype.itemsize), 1)
        white = full_scale(self.source.dtype)
        for top in range(0, height, rows):
            pixels = self.plane.read((((top, min(top + rows, height)),), ((0, width),)))
            if not (pixels[..., -1] == white).all():
                return False
        return True

    def _alpha(self, want: Ranges) -> NDArray[Any]:
        """Alpha as it was, at the positions of the output."""
        if self.opaque:
            out_dtype = self.work.out_dtype
            return np.full((*cells(want), 1), full_scale(out_dtype), out_dtype)
        pickers = [picker(kernel.shape) for kernel in self.work.chain]
        plan = self.work.keeping((*self.source.shape[:2], 1), self.source.dtype, pickers)
        alpha, _ = run_plan(plan, lambda r: self.plane.read(r)[..., -1:].copy(), want)
        return self.work.depth(np.asarray(alpha, self.source.dtype))

    def _in_float(self, want: Ranges) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """A part of :meth:`Work.through_floats`: every step on the cells that the next one needs."""
        work = self.work
        steps = self.plan.steps  # their windows are those of every plan for the same kernel
        wants = [want]
        for kernel, step in zip(reversed(work.chain), reversed(steps), strict=True):
            plans = self._plans(kernel, step.shape_in)
            wants.append(join(*(needed(plan, plan.steps[0], wants[-1]) for plan in plans)))
        wants.reverse()
        pixels = self.plane.read(wants[0])
        colours, alpha = (pixels[..., :-1], pixels[..., -1:]) if work.alpha else (pixels, None)
        if work.layout.widen and colours.shape[-1] == 1:
            colours = np.repeat(colours, 3, axis=-1)

        def correlate(at: int, x: NDArray[Any], kernel: Kernel, opaque: bool) -> NDArray[Any]:
            shape = (*steps[at].shape_in[:2], x.shape[2])
            return self._run(work.single(shape, x.dtype, kernel, opaque), x, wants[at : at + 2])

        def keep(at: int, x: NDArray[Any], kernel: Kernel) -> NDArray[Any]:
            shape = (*steps[at].shape_in[:2], 1)
            plan = work.keeping(shape, x.dtype, [picker(kernel.shape)])
            return np.asarray(self._run(plan, x, wants[at : at + 2]), x.dtype)

        return work.through_floats(colours, alpha, correlate, keep)

    def _plans(self, kernel: Kernel, shape: tuple[int, int, int]) -> list[Plan]:
        """Every plan that :meth:`_in_float` uses for one kernel; their tiles may differ."""
        work, dtype, one = self.work, self.work.float_dtype, (*shape[:2], 1)
        plans = []
        if not work.alpha or leaves_alpha(kernel):
            plans.append(work.single(shape, dtype, kernel, False))
        else:
            on_colour, on_alpha = parts(kernel)
            plans.append(work.single(shape, dtype, on_colour, False))
            plans.append(work.single(one, dtype, on_alpha, True))
        centre = picker(kernel.shape)
        if work.alpha:
            plans.append(work.keeping(one, dtype, [centre]))
        if work.luma:
            plans.append(work.single((*shape[:2], 3), dtype, centre, False))
        return plans

    def _run(self, plan: Plan, x: NDArray[Any], wants: Sequence[Ranges]) -> NDArray[Any]:
        x = np.ascontiguousarray(x)
        return run_step(plan, plan.steps[0], x, wants[0], wants[1])[0]
