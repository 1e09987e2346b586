"""The instructions that are written for ranks and extrema, carried out by NumPy on many windows."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.engine.gpu.cell_text import ThreadGrid
from convcli.engine.gpu.line_text import line_text, tile_of
from convcli.engine.gpu.networks import ALIVE, CODE, LINE, best_network

SLOW = pytest.mark.slow


def carried_out(lines, grid: ThreadGrid, load, item, skew, trials=100):
    """What a thread finds on random rows of few values; and the rows, ``(rows, samples, trials)``."""
    rng = np.random.default_rng(len(lines))
    rows = max(grid.seen, grid.lanes)
    x = rng.integers(0, 4, (rows, grid.span, trials), dtype=np.int8)
    values, words, found, least = {}, {}, {}, 0
    for line in lines:
        name, _, rest = line.partition("(")
        args = rest.rstrip(")").split(",")
        if name == "WORD":
            assert args[0] not in words  # loaded once
            words[args[0]] = int(args[1]), int(args[2])
        elif name == "CELL":
            *parts, place = args[1:]
            parts = parts[:: max(item // 4, 1)]
            lanes = []
            for part in parts:
                word, _, quarter = part.partition(".")
                row, at = words[word]
                byte = at * load + "xyzw".find(quarter or "x") * 4 + int(place) * item
                lanes.append(x[row, byte // item - skew])
            values[args[0]] = np.stack(lanes)
        elif name in ("LOWER", "UPPER"):
            assert args[0] not in values  # computed once
            pick = np.minimum if name == "LOWER" else np.maximum
            values[args[0]] = pick(values[args[1]], values[args[2]])
        elif name == "FOUND":
            assert int(args[1]) >= least  # else a thread at the end of a row would leave it out
            for lane, value in enumerate(values[args[2]]):
                found[lane * grid.group + int(args[0]), int(args[1])] = value
        elif name == "BEYOND":
            least = int(args[0])
        else:
            assert name == "ANEW"
            least = 0
    return found, x


def windows(x, grid: ThreadGrid, row, sample):
    """The cells of a window, ``(cells, trials)``."""
    (height, width), top = grid.kernel, row * grid.stride[0]
    left = grid.column(sample)
    cells = x[top : top + (height - 1) * grid.dilation[0] + 1 : grid.dilation[0]]
    return cells[:, left : left + (width - 1) * grid.tap + 1 : grid.tap].reshape(height * width, -1)


def finds_the_rank(kernel, rank, channels=1, stride=(1, 1), dilation=(1, 1), items=(1, 1)):
    before = kernel[1] // 2
    made = best_network(kernel, rank, channels, stride, dilation, items, before)
    assert made is not None
    grid = made.grid
    # The narrowest is taken whatever it holds.
    assert made.alive <= (ALIVE if grid.samples * items[0] > 8 else 1.35 * ALIVE)
    assert len(made.lines) * LINE[items[0]] <= (CODE if grid.samples * items[0] > 8 else 2 * CODE)
    found, x = carried_out(made.lines, grid, made.load, items[0], made.skew)
    assert len(found) == grid.rows * grid.samples
    for (row, sample), value in found.items():
        want = np.sort(windows(x, grid, row, sample), axis=0)[rank]
        np.testing.assert_array_equal(value, want)


@pytest.mark.parametrize("rank", range(9))
@pytest.mark.parametrize(
    ("channels", "items"), [(1, (1, 1)), (3, (2, 2)), (4, (4, 1)), (3, (8, 8))]
)
def test_every_rank_of_3x3(rank, channels, items):
    finds_the_rank((3, 3), rank, channels, items=items)


@pytest.mark.parametrize(
    "rank",
    [pytest.param(n, marks=() if n in (0, 1, 6, 12, 17, 23, 24) else SLOW) for n in range(25)],
)
def test_every_rank_of_5x5(rank):
    finds_the_rank((5, 5), rank, channels=1 + rank % 4)


@pytest.mark.parametrize("rank", [0, 24, *(pytest.param(n, marks=SLOW) for n in (1, 30, 48))])
@pytest.mark.parametrize(
    ("channels", "items"), [(1, (1, 1)), (3, (1, 2)), (1, (4, 4)), (2, (8, 8))]
)
def test_ranks_of_7x7(rank, channels, items):
    finds_the_rank((7, 7), rank, channels, items=items)


@pytest.mark.parametrize("height", [1, 2, 4, 7])
@pytest.mark.parametrize("width", [1, 2, 3, 6])
def test_medians_of_every_size(height, width):
    finds_the_rank((height, width), height * width // 2, channels=1 + (height + width) % 3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("stride", "dilation"), [((2, 1), (1, 1)), ((1, 3), (1, 2)), ((4, 2), (3, 5))]
)
def test_strides_and_dilations(channels, stride, dilation):
    for item in (1, 2, 4, 8):
        finds_the_rank((4, 3), 5, channels, stride, dilation, (item, item))


@pytest.mark.parametrize("item", [1, 2, 4, 8])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("width", [1, 2, 5, 8, 16, 17, 61])
def test_extrema_along_a_row(width, channels, item):
    for largest in (False, True):
        tile = tile_of((9, width), channels, (item, item), before=width // 2)
        if tile is None:
            assert width * channels * item > 1000  # it takes several passes
            continue
        grid, lines = tile.line, line_text(tile, item, largest=largest)
        found, x = carried_out(lines, grid, 16, item, tile.skew, trials=20)
        assert len(found) == grid.rows * grid.samples
        pick = np.max if largest else np.min
        for (row, sample), value in found.items():
            np.testing.assert_array_equal(value, pick(windows(x, grid, row, sample), axis=0))
        comparisons = sum(line.startswith(("LOWER", "UPPER")) for line in lines)
        shared = max(width - grid.samples / channels, 0) * channels / grid.samples
        assert comparisons <= (3 + shared + channels / grid.samples * 3) * grid.samples
