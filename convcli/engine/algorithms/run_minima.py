"""Flat erosion and dilation by runs: extrema of runs along the rows, then of rows.

The extremum of a run comes from that of a shorter one, which overlaps itself: about ``log2`` of
its length steps, whatever the length. A box is one run, high; another footprint is a list of runs,
of which those of the same length are found together. The compiled loops find those of high stacks
of runs by blocks of rows, in three steps for any height; along a row that would not take many
samples at once.

Source: M. van Herk, A fast algorithm for local minimum and maximum filters (1992), and J. Gil and
M. Werman, Computing 2-D min, median, and max filters (1993).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.engine.algorithms.gpu_picks import on_gpu
from convcli.engine.costs import on_cpu
from convcli.engine.cpu.compiled_windows import CompiledPicks, can_compile
from convcli.engine.cpu.picking import NumpyPicks, Values
from convcli.engine.picks import Picks
from convcli.engine.step import Method, Problem

__all__ = ["RUNS", "Block", "blocks_of", "steps_of"]


class Block(NamedTuple):
    """A rectangle of a footprint: runs of ``length`` cells from ``left`` on, one below the other."""

    length: int
    top: int
    height: int
    left: int


def blocks_of(footprint: NDArray[Any], *, apart: bool = False) -> tuple[Block, ...]:
    """Rectangles that cover a footprint and nothing else, the shortest first; ``apart``, each once.

    >>> blocks_of(np.array([[0, 1], [0, 1], [1, 1], [0, 1]]))
    (Block(length=1, top=0, height=4, left=1), Block(length=2, top=2, height=1, left=0))
    """
    found: dict[tuple[int, int], list[list[int]]] = {}
    for row, cells in enumerate(footprint != 0):
        edges = np.flatnonzero(np.diff(cells.astype(np.int8), prepend=0, append=0))
        for left, right in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            stacks = found.setdefault((right - left, left), [])
            top = stacks[-1][0] if stacks else row
            between = bool((footprint[top : row + 1, left:right] != 0).all())
            near = bool(stacks) and (stacks[-1][1] == row - 1 if apart else between)
            if near and (apart or _worth_joining(stacks[-1], row)):
                stacks[-1][1] = row
            else:
                stacks.append([row, row])
    return tuple(
        Block(length, top, bottom - top + 1, left)
        for (length, left), stacks in sorted(found.items())
        for top, bottom in stacks
    )


def _worth_joining(stack: list[int], row: int) -> bool:
    """Whether one high rectangle takes no more steps than two with a gap between them."""
    top, bottom = stack
    return steps_of(row - top + 1) <= steps_of(bottom - top + 1) + 1


def steps_of(cells: int) -> int:
    """Steps to the extremum of a run from those of its cells, and one to join it to others.

    >>> [steps_of(n) for n in (1, 2, 3, 4, 5, 9)]
    [1, 2, 3, 3, 4, 5]
    """
    return (cells - 1).bit_length() + 1


class RunMinima:
    """Any flat footprint."""

    name = "runs"

    def offer(self, problem: Problem) -> Method | None:
        if not isinstance(problem, Picks) or problem.picked.gray:
            return None
        blocks = blocks_of(problem.weights[0])
        longest = max(block.length for block in blocks)
        lengths = len({block.length for block in blocks})
        steps = max(steps_of(longest) - 1, lengths) + sum(steps_of(b.height) for b in blocks)
        kind = problem.picked.dtype
        loops = "compiled" if can_compile() else "numpy"
        price = on_cpu(self.name, f"{steps} steps", loops, self.name, kind, steps)
        here = _Compiled(problem, price, blocks) if can_compile() else _Numpy(problem, price)
        return on_gpu(self.name, problem, here) if problem.on_gpu else here


RUNS = RunMinima()


class _Compiled(CompiledPicks):
    function = "extrema"


class _Numpy(NumpyPicks):
    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Rectangles of the footprint, the shortest runs first."""
        return blocks_of(self.problem.weights[0])

    def values(self) -> Values:
        p, (rows_map, cols_map) = self.problem, self.problem.maps
        op = np.maximum if p.picked.largest else np.minimum

        def extrema(plane: NDArray[Any], rows: int, cols: int) -> NDArray[Any]:
            runs, have, out = plane, 1, None
            for length, top, height, left in self.blocks:
                runs = _longer(op, runs, have, length, cols_map.dilation, 1)
                have = length
                first, start = top * rows_map.dilation, left * cols_map.dilation
                # Only what the outputs read, before anything is done to it.
                reach = (rows - 1) * rows_map.stride + (height - 1) * rows_map.dilation + 1
                part = runs[first : first + reach]
                part = part[:, start : start + (cols - 1) * cols_map.stride + 1 : cols_map.stride]
                part = _longer(op, part, 1, height, rows_map.dilation, 0)[:: rows_map.stride]
                if out is None:
                    out = part if part.base is None else part.copy()
                else:
                    op(out, part, out=out)
            assert out is not None
            return out

        return extrema


def _longer(
    op: np.ufunc, values: NDArray[Any], have: int, taps: int, pitch: int, axis: int
) -> NDArray[Any]:
    """Picks of runs of ``taps`` cells from those of ``have``, which are less.

    >>> _longer(np.maximum, np.array([[1, 5, 2, 7, 3]]), 1, 3, 1, 1)
    array([[5, 7, 7]])
    """
    size = values.shape[axis]

    def run(start: int, stop: int) -> NDArray[Any]:
        return values[start:stop] if axis == 0 else values[:, start:stop]

    while have < taps:
        more = min(have, taps - have)
        size -= more * pitch
        values = op(run(0, size), run(more * pitch, more * pitch + size))
        have += more
    return values
