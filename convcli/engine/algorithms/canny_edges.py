"""Canny's edges of a whole picture: gradients by correlation, then what few pixels are steep enough."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.engine.costs import OWN_COSTS, CostEstimate
from convcli.engine.step import Maps, Method, Problem, Step

__all__ = ["CANNY", "Edges", "connected"]

_BAND_SAMPLES = 1 << 17
_ALIKE = 2.0**-18
"""Part of the steepest by which others may differ and count as the same: both sides of a step are
as steep but for roundings."""


class Edges(Problem):
    """Edges at least ``limits`` steep, in sums of Sobel's weights, and where they are ``white``.

    ``touched`` counts missing cells under the windows of gradients; ``lacks`` says that those outside
    the picture are. ``joint`` says that channels are colours, of which one picture comes out.
    """

    def __init__(
        self,
        *args: Any,
        blur: Step | None,
        slopes: tuple[Step, Step],
        touched: Step,
        lacks: bool,
        joint: bool,
        limits: tuple[float, float],
        white: float,
        **rest: Any,
    ) -> None:
        super().__init__(*args, **rest)
        self.blur, self.slopes, self.touched = blur, slopes, touched
        self.lacks, self.joint, self.limits, self.white = lacks, joint, limits, white


class CannyEdges:
    """The one way to do it."""

    name = "hysteresis"

    def offer(self, problem: Problem) -> Method | None:
        if not isinstance(problem, Edges):
            return None
        p = problem
        steps = [*([p.blur] if p.blur else []), *p.slopes]
        names = ", ".join(step.algorithm for step in steps)
        cost = (
            (sum(step.cost for step in steps) + OWN_COSTS[self.name])
            * p.shape_in[2]
            / p.shape_out[2]
        )
        return _Whole(p, CostEstimate(self.name, round(cost, 3), f"of the whole picture; {names}"))


CANNY = CannyEdges()


class _Steep(NamedTuple):
    """Pixels of a padded picture that are steep enough, from first to last, and their slopes."""

    at: NDArray[np.intp]
    across: NDArray[np.float64]
    down: NDArray[np.float64]


class _Whole(Method):
    problem: Edges

    @property
    def tile(self) -> tuple[int, int]:
        return self.problem.shape_out[:2]

    def run(self, x: NDArray[Any], out: NDArray[Any], maps: Maps, threads: int, count: bool) -> int:
        from convcli.engine.requantize import Requantizer

        p = self.problem
        assert x.shape == p.shape_in, "edges are of whole pictures"
        x = np.ascontiguousarray(x)
        lost = np.isnan(x) if x.dtype.kind == "f" else np.zeros((), bool)
        none = not lost.any()
        if not none:
            x = np.where(lost, x.dtype.type(0), x)
            lost = lost.any(axis=-1, keepdims=True) if p.joint else lost
        gone = None
        if p.lacks or not none:
            mask = np.zeros(p.touched.shape_in, np.uint8)
            mask[...] = lost
            gone = _made(p.touched, mask, threads) != 0
        blurred = _made(p.blur, x, threads) if p.blur else x
        across, down = (_made(step, blurred, threads) for step in p.slopes)
        rounding = self._rounding(blurred)
        del blurred
        values = np.empty(p.shape_out, p.accumulate)
        with np.errstate(all="ignore"):
            for band in range(p.shape_out[2]):
                part = slice(None) if p.joint else slice(band, band + 1)
                hidden = None if gone is None else gone[..., band]
                found = self._edges(across[..., part], down[..., part], hidden, rounding, threads)
                values[..., band] = found
            values *= p.white
            if not none:
                values[lost] = np.nan
            return Requantizer(p.requantize).put(values, out, count)

    def _rounding(self, blurred: NDArray[Any]) -> float:
        """By how much slopes that should be the same may differ, which grows with the values."""
        p = self.problem
        if all(step.exact for step in p.slopes):
            return 0.0
        most = p.values
        if most is None:
            most = float(np.max(np.abs(blurred), where=np.isfinite(blurred), initial=0))
        return 16 * float(np.finfo(p.accumulate).eps) * most

    def _edges(
        self,
        across: NDArray[Any],
        down: NDArray[Any],
        hidden: NDArray[np.bool_] | None,
        rounding: float,
        threads: int,
    ) -> NDArray[np.bool_]:
        """Where edges are, of slopes ``(rows, columns, colours)``."""
        height, width, _ = across.shape
        low, high = self.problem.limits
        steepness = np.zeros((height + 2, width + 2))  # nothing is steep outside
        bands = _candidates(across, down, hidden, low, steepness, threads)
        flat = steepness.ravel()
        alike = max(_ALIKE * float(flat.max()), rounding)
        thin = _ridges(bands, flat, width + 2, alike, threads)
        labels = connected(thin, width + 2)
        held = np.zeros(len(thin), bool)
        held[labels[flat[thin] >= high]] = True
        found = np.zeros(flat.shape, bool)
        found[thin[held[labels]]] = True
        return found.reshape(steepness.shape)[1:-1, 1:-1]


def _made(step: Step, x: NDArray[Any], threads: int) -> NDArray[Any]:
    out = np.empty(step.shape_out, step.requantize.out_dtype)
    step.method.run(x, out, step.maps, threads, count=False)
    return out


def _candidates(
    across: NDArray[Any],
    down: NDArray[Any],
    hidden: NDArray[np.bool_] | None,
    low: float,
    steepness: NDArray[np.float64],
    threads: int,
) -> list[_Steep]:
    """Pixels, band by band, that are at least ``low`` steep.

    How steep all are is put into a picture with a margin. Of several colours the steepest counts,
    the first of those that are alike.
    """
    from convcli.engine.cpu.tiles import Tile, grid, work_through

    height, width, colours = across.shape
    rows = max(_BAND_SAMPLES // (width * colours), 1)
    found: dict[int, _Steep] = {}

    def work(tile: Tile) -> int:
        band = slice(tile.top, tile.bottom)
        x, y = across[band].astype(np.float64), down[band].astype(np.float64)
        squares = x * x + y * y
        if colours > 1:
            most = squares.argmax(axis=-1)[..., None]
            x, y, squares = (np.take_along_axis(a, most, -1) for a in (x, y, squares))
        size = np.sqrt(squares[..., 0])
        if hidden is not None:
            size[hidden[band]] = 0.0
        steepness[tile.top + 1 : tile.bottom + 1, 1:-1] = size
        row, column = np.nonzero(size >= low)
        at = (row + tile.top + 1) * (width + 2) + column + 1
        found[tile.top] = _Steep(at, x[row, column, 0], y[row, column, 0])
        return 0

    work_through(grid(height, width, rows, width), lambda: work, threads)
    return [found[top] for top in sorted(found)]


def _ridges(
    bands: list[_Steep], steepness: NDArray[np.float64], pitch: int, alike: float, threads: int
) -> NDArray[np.intp]:
    """Those that are steeper than their neighbours, from first to last."""
    from convcli.engine.cpu.tiles import Tile, work_through

    def work(tile: Tile) -> int:
        steep = bands[tile.top]
        bands[tile.top] = steep._replace(at=steep.at[_is_ridge(steep, steepness, pitch, alike)])
        return 0

    places = [Tile(number, number + 1, 0, 1) for number in range(len(bands))]
    work_through(places, lambda: work, threads)
    return np.concatenate([band.at for band in bands])


def _is_ridge(
    steep: _Steep, steepness: NDArray[np.float64], pitch: int, alike: float
) -> NDArray[np.bool_]:
    """Whether each is steeper than what lies before and behind it along the gradient.

    Along the longer of its two parts a gradient leads one pixel on, between two neighbours. One of
    two that are as steep is an edge: the upper or left one.
    """
    at, across, down = steep
    wide, tall = np.abs(across), np.abs(down)
    upright = tall >= wide
    longer = np.maximum(wide, tall)
    share = np.minimum(wide, tall) / np.where(longer > 0, longer, 1.0)
    same = np.where((across < 0) == (down < 0), 1, -1)
    straight = np.where(upright, pitch, 1)
    aslant = np.where(upright, pitch + same, 1 + same * pitch)
    own = steepness[at]

    def beside(way: int) -> NDArray[np.float64]:
        near = steepness[at + way * straight] * (1 - share)
        found: NDArray[np.float64] = near + steepness[at + way * aslant] * share
        return found

    found: NDArray[np.bool_] = (own > beside(-1) + alike) & (own + alike >= beside(1))
    return found


def connected(at: NDArray[np.intp], pitch: int) -> NDArray[np.intp]:
    """For each pixel, in ascending order, the first of those that it hangs together with by neighbours.

    Roots of pairs that touch are hung below one another until each pair has one root.

    >>> connected(np.array([11, 14, 22, 33, 35]), 10).tolist()
    [0, 1, 0, 0, 4]
    """
    labels = np.arange(len(at))
    numbers = np.full(int(at.max(initial=0)) + pitch + 2, -1, np.int32)
    numbers[at] = labels
    pairs = []
    for step in (1, pitch - 1, pitch, pitch + 1):
        place = numbers[at + step]
        there = np.flatnonzero(place >= 0)
        pairs.append((there, place[there].astype(np.intp)))
    one, other = (np.concatenate(each) for each in zip(*pairs, strict=True))
    while len(one):
        first, second = labels[one], labels[other]
        apart = first != second
        one, other, first, second = one[apart], other[apart], first[apart], second[apart]
        labels[np.maximum(first, second)] = np.minimum(first, second)
        while True:
            roots = labels[labels]
            if np.array_equal(roots, labels):
                break
            labels = roots
    return labels
