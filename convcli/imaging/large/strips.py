"""A picture in memory on the way through floats, strip by strip, to the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.cpu.tiles import Tile
from convcli.imaging.header import COLOURS
from convcli.imaging.large.regional import Regional
from convcli.imaging.source import Frame, Source
from convcli.imaging.threads import in_order
from convcli.imaging.work import Work

__all__ = ["filter_in_strips"]


def filter_in_strips(pixels: NDArray[Any], work: Work) -> tuple[NDArray[Any], int]:
    """Filter an array (H, W, C); also give how many samples fell outside the range.

    The threads work on strips of their own, so that what lies between the steps stays in the
    cache; within a strip there is one thread.
    """
    picture = work.picture
    shape, space = pixels.shape[:2], picture.space
    source = Source(picture.format, space, picture.alpha, pixels.dtype, shape, [Frame(pixels)])
    threads = work.plan(pixels.shape[:2]).threads
    options = work.options._replace(threads=1, backend="numpy")
    regional = Regional(source, work.kernels, options)
    height, width, _ = regional.plan.shape_out
    # Strips that are short beside the kernels would compute their margins again and again.
    tile = regional.tile[0]
    margin = sum(step.rows.effective_kernel for step in regional.plan.steps)
    rows = tile * max(1, -(-2 * margin // tile))
    result = regional.filtered.picture
    out = np.empty((height, width, COLOURS[result.space] + result.alpha), work.out_dtype)

    def strip(top: int) -> int:
        bottom = min(top + rows, height)
        values, clipped = regional.values(Tile(top, bottom, 0, width))
        out[top:bottom] = values
        return clipped

    return out, sum(in_order(strip, range(0, height, rows), threads))
