"""A plan on part of a picture, with the borders of the whole, to the same bits.

A step's outputs are computed in the very tiles that the whole picture would be cut into, since
the order of a sum may depend on the place in its tile. So what is wanted is widened to whole
tiles, the input cells that those read are looked up in the border's index maps, and the loops run
on a cutout of just these cells. Chains do this from the last step back to the first.

Source: the halo of parallel stencil codes; ``dask.array.map_overlap`` has it for one step and
without the wide borders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.engine import dispatch
from convcli.engine.axis_maps import Span, merged
from convcli.engine.plan import Plan, Step

__all__ = ["Ranges", "Read", "Span", "cells", "join", "needed", "run_plan", "run_step", "within"]

Ranges: TypeAlias = tuple[tuple[Span, ...], tuple[Span, ...]]
"""Ascending runs of rows and of columns; the cutout holds their product, runs side by side."""

Read: TypeAlias = Callable[[Ranges], NDArray[Any]]
"""Gives the cutout ``(rows, columns, channels)`` of a picture."""


def cells(ranges: Ranges) -> tuple[int, int]:
    """Rows and columns of a cutout.

    >>> cells((((0, 2), (7, 9)), ((0, 5),)))
    (4, 5)
    """
    rows, cols = (sum(stop - start for start, stop in spans) for spans in ranges)
    return rows, cols


def join(*ranges: Ranges) -> Ranges:
    """The smallest cutout that holds several.

    >>> join((((0, 2),), ((0, 5),)), (((1, 4),), ((0, 3),)))
    (((0, 4),), ((0, 5),))
    """
    rows, cols = (merged([span for r in ranges for span in r[axis]], 0) for axis in (0, 1))
    return rows, cols


def within(have: Ranges, want: Ranges) -> tuple[slice, slice] | None:
    """Where a cutout of one piece stands in another, or None if it is not all in one run.

    >>> within((((0, 3), (7, 20)), ((0, 5),)), (((8, 9),), ((1, 5),)))
    (slice(4, 5, None), slice(1, 5, None))
    """
    place = []
    for spans, wanted in zip(have, want, strict=True):
        if len(wanted) != 1:
            return None
        (first, last), offset = wanted[0], 0
        for start, stop in spans:
            if start <= first and last <= stop:
                place.append(slice(offset + first - start, offset + last - start))
                break
            offset += stop - start
        else:
            return None
    rows, cols = place
    return rows, cols


def needed(step: Step, want: Ranges) -> Ranges:
    """Input cells of a step from which :func:`run_step` makes the outputs ``want``."""
    rows, cols = step.axes
    return rows.needed(want[0]), cols.needed(want[1])


def run_step(
    plan: Plan, step: Step, x: NDArray[Any], have: Ranges, want: Ranges
) -> tuple[NDArray[Any], int]:
    """Outputs ``want`` of a step from a cutout of its input.

    Parameters
    ----------
    plan
        The plan of the whole picture, for the CPU.
    step
        One of its steps.
    x
        The cutout ``have``, which holds at least :func:`needed`.

    Returns
    -------
    The outputs, and how many of the computed samples lay outside the range. Where ``want`` is
    made of whole tiles, nothing else was computed.
    """
    x = dispatch.native(x)
    axes = step.axes
    result = np.empty((*cells(want), step.shape_out[2]), step.requantize.out_dtype)
    clipped = 0
    for (top, left), (rows, cols) in zip(
        product(_offsets(want[0]), _offsets(want[1])), product(*want), strict=True
    ):
        around = axes[0].aligned(rows), axes[1].aligned(cols)
        maps = axes[0].local(around[0], have[0]), axes[1].local(around[1], have[1])
        shape = (around[0][1] - around[0][0], around[1][1] - around[1][0], step.shape_out[2])
        whole = around == (rows, cols) and result.shape == shape
        out = result if whole else np.empty(shape, step.requantize.out_dtype)
        clipped += dispatch.run_step(plan, step, x, out, maps)
        if not whole:
            height, width = rows[1] - rows[0], cols[1] - cols[0]
            a, b = rows[0] - around[0][0], cols[0] - around[1][0]
            result[top : top + height, left : left + width] = out[a : a + height, b : b + width]
    return result, clipped


def _offsets(spans: Sequence[Span]) -> list[int]:
    offsets = [0]
    for start, stop in spans[:-1]:
        offsets.append(offsets[-1] + stop - start)
    return offsets


def run_plan(plan: Plan, read: Read, want: Ranges) -> tuple[NDArray[Any], int]:
    """Part of a filtered picture: outputs ``want`` of a whole chain.

    ``stretch`` is left out: values come as they are before it.

    >>> from convcli.engine.dispatch import execute
    >>> from convcli.engine.plan import plan_filter
    >>> from convcli.kernels.kernel import Kernel
    >>> x = np.arange(200, dtype=np.uint8).reshape(20, 10, 1)
    >>> plan = plan_filter(x.shape, x.dtype, [Kernel([[1, 2, 1]])], range="clip")
    >>> read = lambda r: x[slice(*r[0][0]), slice(*r[1][0])]
    >>> part, _ = run_plan(plan, read, (((4, 7),), ((2, 5),)))
    >>> bool((part == execute(plan, x).pixels[4:7, 2:5]).all())
    True
    """
    wants = [want]
    for step in reversed(plan.steps):
        wants.append(needed(step, wants[-1]))
    wants.reverse()
    x = read(wants[0])
    clipped = 0
    for step, have, outputs in zip(plan.steps, wants[:-1], wants[1:], strict=True):
        x, clipped = run_step(plan, step, x, have, outputs)
    return x, clipped
