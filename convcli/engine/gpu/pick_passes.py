"""Which kernels carry out ranks and extrema: one pass over memory, or several for wide ones."""

from __future__ import annotations

import numpy as np

from convcli.arithmetic.window import Window
from convcli.engine.algorithms.gpu_picks import NETWORK_SIDE
from convcli.engine.gpu.kernel_pass import Pass
from convcli.engine.gpu.kernel_source import KernelSource
from convcli.engine.gpu.line_text import ExtremaTile, line_text, tile_of
from convcli.engine.gpu.networks import best_network
from convcli.engine.gpu.value_source import type_of_sums, value_source
from convcli.engine.gpu.whole_readers import Whole
from convcli.engine.picks import Picks
from convcli.engine.rank_problem import RankProblem
from convcli.engine.requantize import Requantize

__all__ = ["pick_passes"]


def pick_passes(problem: RankProblem | Picks) -> tuple[Pass, ...]:
    """Passes for a problem that a GPU can do."""
    height, width = problem.kernel_size
    if max(height, width) <= NETWORK_SIDE:
        return (_network(problem),)
    return _extrema(problem)


def _network(problem: RankProblem | Picks) -> Pass:
    dtype, out_dtype = problem.held, problem.requantize.out_dtype
    votes = isinstance(problem, RankProblem) and not problem.is_extremum
    last = problem.weights[0].size - 1
    rank = problem.rank if isinstance(problem, RankProblem) else last * problem.largest
    found = best_network(
        problem.kernel_size,
        rank,
        problem.shape_in[2],
        (problem.rows.stride, problem.cols.stride),
        (problem.rows.dilation, problem.cols.dilation),
        (np.dtype(dtype).itemsize, np.dtype(out_dtype).itemsize),
        problem.cols.before,
    )
    assert found is not None, "a problem that was refused"
    grid = found.grid
    constants = {
        "LOAD_BYTES": found.load,
        "SKEW": found.skew,
        "ROWS": grid.rows,
        "GROUP": grid.group,
        "BLOCKS": found.blocks,
        "SEEN_ROWS": grid.seen,
        "SPAN": grid.span,
        "VOTES": int(votes and "float" in dtype),
        "ABSENT_FIRST": int(not votes and problem.largest),
    }
    ranks = ""
    if constants["VOTES"]:
        assert isinstance(problem, RankProblem)
        ranks = f"__constant__ int RANKS[] = {{{','.join(map(str, problem.order.tolist()))}}};"
    body = "\n".join(found.lines)
    formula = problem.requantize
    source = value_source("network", dtype, formula, {**grid.constants, **constants}, ranks, body)
    return _pass(
        problem,
        source,
        dtype=dtype,
        samples=grid.samples,
        step=grid.samples * grid.stride[1],
        span=grid.span,
        skew=found.skew,
        whole=Whole(grid.rows, grid.samples, 32, 4),
    )


def _extrema(problem: RankProblem | Picks) -> tuple[Pass, ...]:
    """Across in as many passes as it takes; the last one goes down, too."""
    dtype, cols = problem.held, problem.cols
    height, width = problem.kernel_size
    items = np.dtype(dtype).itemsize, np.dtype(problem.requantize.out_dtype).itemsize
    passes: list[Pass] = []
    while (tile := tile_of((height, width), problem.shape_in[2], items, cols.before)) is None:
        part = _widest(width, problem.shape_in[2], items[0], cols.before)
        first = Window(cols.size, part, 1, 1, cols.before, cols.after)
        narrow = tile_of((1, part), problem.shape_in[2], (items[0], items[0]), cols.before)
        assert narrow is not None
        rows = Window(problem.shape_in[0], 1, 1, 1, 0, 0)
        passes.append(_tiled(problem, dtype, narrow, rows, first, Requantize(out_dtype=dtype)))
        # What is left sees what the first made, which has all cells that it needs.
        width -= part - 1
        cols = Window(first.output, width, 1, 1, 0, 0)
    passes.append(_tiled(problem, dtype, tile, problem.rows, cols, problem.requantize))
    return tuple(passes)


def _widest(width: int, channels: int, item: int, before: int) -> int:
    """Cells of a row that a pass can take."""
    part = width
    while tile_of((1, part), channels, (item, item), before) is None:
        part = part // 2 + 1
    return part


def _tiled(
    problem: RankProblem | Picks,
    dtype: str,
    tile: ExtremaTile,
    rows: Window,
    cols: Window,
    requantize: Requantize,
) -> Pass:
    item, largest = np.dtype(dtype).itemsize, problem.largest
    line = tile.line
    constants = {
        "LOAD_BYTES": 16,
        "SKEW": tile.skew,
        "TILE_H": tile.rows,
        "TILE_W": tile.columns,
        "TILE_WORDS": tile.words,
        "GROUP": tile.group,
        "BLOCKS": tile.blocks,
        "SPAN": tile.span,
        "LARGEST": int(largest),
        "ABSENT_FIRST": int(largest),
    }
    grid = line._replace(kernel=(rows.kernel_size, cols.kernel_size))
    body = "\n".join(line_text(tile, item, largest=largest))
    source = value_source("extrema", dtype, requantize, {**grid.constants, **constants}, "", body)
    return _pass(
        problem,
        source,
        dtype=dtype,
        rows=rows,
        cols=cols,
        requantize=requantize,
        samples=line.samples,
        step=tile.columns,
        span=tile.span,
        skew=tile.skew,
        whole=Whole(tile.rows, tile.columns, 1, 1),
    )


def _pass(
    problem: RankProblem | Picks,
    source: KernelSource,
    *,
    dtype: str,
    samples: int,
    step: int,
    span: int,
    skew: int,
    whole: Whole,
    rows: Window | None = None,
    cols: Window | None = None,
    requantize: Requantize | None = None,
) -> Pass:
    formula = requantize or problem.requantize
    return Pass(
        source=source,
        rows=rows or problem.rows,
        cols=cols or problem.cols,
        mode=problem.border.mode,
        border=problem.outside,
        channels=problem.shape_in[2],
        channels_out=problem.shape_in[2],
        dtype=dtype,
        out_dtype=formula.out_dtype,
        samples=samples,
        step=step,
        span=span,
        skew=skew,
        tile=whole.rows,
        weights=None,
        acc=type_of_sums(dtype, formula),  # the kernel is given weights, which it does not read
        whole=whole,
        unrolled=source.text.count("\nLOWER(") + source.text.count("\nUPPER("),
    )
