"""A selection network as text: the instructions with which one thread makes its samples.

Every value of the network is a name, computed once for all samples of the thread that read it: of
columns that neighbouring windows share, and of rows that windows above one another share. They come
in the order in which the samples want them, from left to right, so that few are alive at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache, reduce
from itertools import accumulate, product
from math import gcd, lcm
from typing import NamedTuple

from convcli.engine.cpu.rank_networks import Comparisons, Ref, needed, network
from convcli.engine.gpu.cell_text import CellWriter, ThreadGrid

__all__ = ["ThreadNetwork", "best_network", "rank_network"]


ALIVE = 145
"""Registers that values may take; the assembler takes up to 60 more, and three blocks run at once with
168, two with 255."""

THREE_BLOCKS = 80
"""Values up to which the assembler is told to let three blocks run at once, of 168 registers: it would
spill a few to let one more run. With more values it uses what it is given, and does better untold."""

CODE, LINE = 64_000, {1: 16, 2: 64, 4: 18, 8: 75}
"""Bytes of instructions that may be written, and about how many a line is, by the bytes of a sample;
of 16 bits on chips that compare them in several."""

STARTING, PER_ROW = 60, 12
"""Instructions of a thread before the first, and for each row that it stores."""

HIGH = 7
"""Of windows of which four above one another share more than they cost registers."""

WIDEST = 32
"""Bytes of a row that a thread may make."""


@cache
def rank_network(height: int, width: int, rank: int, group: int) -> tuple[Comparisons, list[Ref]]:
    """The network of a rectangle for ``group`` rows."""
    if rank in (0, height * width - 1):
        return _extremum(height, width, group, largest=rank > 0)
    if (height, width, rank, group) == (3, 3, 4, 2):
        return _median_of_nine()
    return network(height, width, rank, group)


def _extremum(
    height: int, width: int, group: int, *, largest: bool
) -> tuple[Comparisons, list[Ref]]:
    """Down the rows that all windows share, and on from them; then along the columns by doubling."""
    net = Comparisons()
    pick = net.larger if largest else net.smaller
    rows = [net.row(row, 0) for row in range(height + group - 1)]
    above = list(accumulate(reversed(rows[: group - 1]), pick))[::-1]
    shared = reduce(pick, rows[group - 1 : height])
    below = list(accumulate(rows[height:], pick, initial=shared))
    found = [pick(a, b) for a, b in zip(above, below, strict=False)] + below[group - 1 :]
    have = 1
    while have < width:
        more = min(have, width - have)
        found = [pick(one, (one[0], one[1] + more)) for one in found]
        have += more
    return net, found


def _median_of_nine() -> tuple[Comparisons, list[Ref]]:
    """Of sorted columns, the middle of the largest low, the middle mid and the smallest high.

    Source: A. W. Paeth, Median finding on a 3x3 grid, Graphics Gems, 1990.
    """
    net = Comparisons()
    inner = [net.row(1, 0), net.row(2, 0)]
    low, high = net.smaller(*inner), net.larger(*inner)
    return net, [_of_columns(net, low, high, net.row(outer, 0)) for outer in (0, 3)]


def _of_columns(net: Comparisons, low: Ref, high: Ref, other: Ref) -> Ref:
    def along(ref: Ref, by: int) -> Ref:
        return ref[0], ref[1] + by

    least, most = net.smaller(low, other), net.larger(high, other)
    middle = net.larger(low, net.smaller(high, other))
    lows, highs = net.larger(least, along(least, 1)), net.smaller(most, along(most, 1))
    below, above = net.smaller(middle, along(middle, 1)), net.larger(middle, along(middle, 1))
    lows, highs = net.larger(lows, along(least, 2)), net.smaller(highs, along(most, 2))
    middle = net.larger(below, net.smaller(above, along(middle, 2)))
    first, last = net.smaller(lows, highs), net.larger(lows, highs)
    return net.larger(first, net.smaller(last, middle))


class ThreadNetwork(NamedTuple):
    """A way to make samples of a rank in one thread."""

    grid: ThreadGrid
    load: int
    """Bytes of a word that is loaded."""
    skew: int
    """Samples from the start of a word to the first that is seen."""
    lines: list[str]
    """Instructions in macros of ``network.cu``."""
    alive: int
    """Registers that their values take at most."""

    @property
    def blocks(self) -> int:
        """That the assembler must let run at once on a multiprocessor; 0 leaves it to it."""
        return 3 if self.alive <= THREE_BLOCKS else 0

    @property
    def cost(self) -> float:
        """To be compared: instructions per sample, and how few threads run at once."""
        grid = self.grid
        lines = len(self.lines) + STARTING + PER_ROW * grid.rows
        return lines / (grid.rows * grid.samples) * (1 + self.alive / 400)


@cache
def best_network(
    kernel: tuple[int, int],
    rank: int,
    channels: int,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    items: tuple[int, int],
    before: int,
) -> ThreadNetwork | None:
    """The cheapest that neither spills nor fills the cache of instructions.

    Parameters
    ----------
    items
        Bytes of a sample of the input and of the output.
    before
        Cells of padding before each row.
    """
    item, lanes = items[0], 2 if items[0] <= 2 else 1
    together = stride[0] == dilation[0] == 1
    groups = [4, 2] if kernel[0] >= HIGH else [min(kernel[0], 2)]
    found = []
    for group, apart in product(groups if together else [1], (False, True)):
        if apart and channels == 1:
            continue
        net, outputs = rank_network(*kernel, rank, group)
        nodes = len(needed(net, outputs))
        widths = list(_widths(channels, stride[1], items))
        for samples in widths:
            grid = ThreadGrid(kernel, samples, channels, stride, dilation, lanes, group, apart)
            if nodes * samples * LINE[item] > 1.5 * CODE:
                continue  # not worth writing
            made = _network(grid, rank, item, before)
            narrowest = samples == widths[-1] and group == 2
            if narrowest or (made.alive <= ALIVE and len(made.lines) * LINE[item] <= CODE):
                found.append(made)
                break  # narrower ones share less
    return min(found, key=lambda made: made.cost, default=None)


def _widths(channels: int, stride: int, items: tuple[int, int]) -> Iterator[int]:
    """Samples that a thread can make: whole words, whole pixels if strided."""
    unit = 4 // min(4, *items)
    if stride > 1:
        unit = lcm(unit, channels)
    yield from (n for n in (16, 8, 4, 2, 1) if n % unit == 0 and n * items[0] <= WIDEST)
    if unit not in (1, 2, 4, 8, 16):
        yield unit


def _network(grid: ThreadGrid, rank: int, item: int, before: int) -> ThreadNetwork:
    load = gcd(16, grid.samples * grid.stride[1] * item)
    skew = -before * grid.channels % (load // item)
    net, outputs = rank_network(*grid.kernel, rank, grid.group)
    lines = list(_Writer(net, grid, load, item, skew).lines(outputs))
    return ThreadNetwork(grid, load, skew, lines, _alive(lines, 2 if item == 8 else 1))


def _alive(lines: list[str], each: int) -> int:
    """Registers that are taken at once, at most: ``each`` by a value, one by a part of a word."""
    names = [line[line.index("(") + 1 : -1].split(",") if "(" in line else [] for line in lines]
    last = {name: at for at, line in enumerate(names) for name in line[1:]}
    parts = Counter(name.partition(".")[0] for name in last if name[0] == "w")
    alive = most = 0
    for at, line in enumerate(names):
        if len(line) < 2:
            continue  # makes nothing
        alive += parts.get(line[0], each)  # of what it makes, or finds
        most = max(most, alive)
        done = [name for name in set(line[1:]) if name[0] in "ctw" and last[name] == at]
        alive -= sum(1 if name[0] == "w" else each for name in done)
    return most


class _Writer(CellWriter):
    """Writes each value of a network once."""

    def __init__(self, net: Comparisons, grid: ThreadGrid, load: int, item: int, skew: int) -> None:
        super().__init__(grid, load, item, skew)
        self.nodes = net.nodes

    def lines(self, outputs: list[Ref]) -> Iterator[str]:
        """All instructions of a thread."""
        channels = self.grid.channels if self.grid.apart else 1
        for sample in sorted(range(self.grid.samples), key=lambda n: (n % channels, n)):
            column = self.grid.column(sample)
            if sample % channels > self.turn:
                self.turn = sample % channels
                yield "ANEW"
            elif sample:
                yield f"BEYOND({sample})"
            for row, (node, shift) in enumerate(outputs):
                at = column + shift * self.grid.tap
                yield from self._value(node, at)
                yield f"FOUND({row},{sample},{self._name(node, at)})"

    def _name(self, node: int, at: int) -> str:
        kind, a = self.nodes[node][:2]
        return self.name_of_cell(a, at) if kind == "row" else f"t{node}_{at}"

    def _value(self, node: int, at: int) -> Iterator[str]:
        """What a value takes that is not there yet, itself last."""
        tap, stack = self.grid.tap, [(node, at, False)]
        while stack:
            node, at, ready = stack.pop()
            kind, a, a_shift, b, b_shift = self.nodes[node]
            if kind == "row":
                yield from self.cell(a, at)
                continue
            name = self._name(node, at)
            if name in self.written:
                continue
            first, second = (a, at + a_shift * tap), (b, at + b_shift * tap)
            if not ready:
                stack += [(node, at, True), (*second, False), (*first, False)]
                continue
            self.written.add(name)
            macro = "LOWER" if kind == "min" else "UPPER"
            yield f"{macro}({name},{self._name(*first)},{self._name(*second)})"
