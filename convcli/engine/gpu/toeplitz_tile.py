"""How ``cuda/toeplitz.cu`` divides its work, and the weights as its threads take them."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd, lcm
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.engine.gpu.blocks import QUAD, BlockSize
from convcli.engine.gpu.weight_text import is_whole
from convcli.engine.numerics import WHITE

if TYPE_CHECKING:
    from convcli.engine.step import Problem

__all__ = [
    "WIDE",
    "Digits",
    "Products",
    "ToeplitzTile",
    "digits_of",
    "products_for",
    "toeplitz_tile",
]

WIDE = 32
"""Pixels of a row that a block makes, 8 by each warp."""

CELLS = 32
"""Of a row of the picture, or weights of a column, that an instruction takes."""

SHARED_BYTES = 48 << 10
"""That a block may have without asking. Four of them share a multiprocessor of 228 KiB, as their
registers allow."""

HELD = 40
"""Sums of a thread, of all groups and parts."""

MOST_PERIODS = 9
"""In an unrolled loop; in a longer one the assembler loads so far ahead that registers run out."""

MOST_TABLE = 64 << 10
"""Bytes of weights as they are laid out: half of the nearest cache."""

MOST_CHANNELS = 4

MOST_PARTS = 3

CLOSE = 1 / 32
"""Levels of the output that weights written in whole numbers may be off, all together."""

CELL_CLOCKS = 4.8
"""Of a multiprocessor, to take 16 rows of 32 cells from shared memory, with what waits for a bank. A
warp's instruction, which makes 128 products of 32, takes two, and so does what it takes of the
weights; in a clock there would be 128 multiply-adds of single numbers, one for each sample."""

AROUND = 10.0
"""Multiply-adds, for a sample, that copying bytes to shared memory and sums out of it take as long
as, beside what every kernel does around its sums: counted in the machine code."""

MOST_PACKED = 256
"""Weights of which the kernel for whole ones holds what it needs in registers, about."""

WORTH_IT = 2.0
"""Times that the arithmetic has to be less than of other kernels: what barriers and the way through
shared memory make threads wait is not in it."""


class Digits(NamedTuple):
    """Weights in base 256, with digits of -128 to 127, times a unit."""

    digits: NDArray[np.int8]
    """``(parts, rows, columns)``, the highest first."""
    unit: float

    @property
    def parts(self) -> int:
        """Digits of each."""
        return len(self.digits)


class ToeplitzTile(NamedTuple):
    """Sizes of the source, and what they come to."""

    extent: int
    """Cells of a row of the kernel that 8 outputs see, with what is there to fill up."""
    period: int
    """Rows of the kernel that fill whole instructions."""
    periods: int
    """Of a section, which is one unrolled loop."""
    sections: int
    groups: int
    """Times 16 rows of output, by a block."""
    parts: int
    lead: int
    """Pixels from the start of 16 to the first that an output sees."""

    @property
    def steps(self) -> int:
        """Instructions for a period."""
        return self.extent * self.period // CELLS

    @property
    def cost(self) -> float:
        """Multiply-adds of single numbers that take as long, for a sample."""
        products = 2 * self.periods * self.groups * self.parts
        read = (self.periods + self.groups - 1) * CELL_CLOCKS + self.periods * self.parts * 2
        return max(products, read) * self.steps * self.sections / self.groups + AROUND

    @property
    def rows(self) -> int:
        """Of the kernel, with those that fill the last section up."""
        return self.sections * self.periods * self.period

    def shared(self, channels: int) -> int:
        """Bytes that a block shares."""
        tall = 16 * self.groups
        words = -(-(self.lead - self.lead % 4 + WIDE - 8 + self.extent) // 16) | 1
        return channels * (tall + self.rows - 1) * words * 16 + tall * (WIDE * channels + 8) * 4

    def block(self, channels: int) -> BlockSize:
        """What a block makes."""
        return BlockSize(WIDE * channels, 16 * self.groups, WIDE // 8 * 32)

    def constants(self, out_dtype: str) -> dict[str, int]:
        """By their names in the source."""
        return {
            "EXTENT": self.extent,
            "PERIOD": self.period,
            "STEPS": self.steps,
            "PERIODS": self.periods,
            "SECTIONS": self.sections,
            "GROUPS": self.groups,
            "PARTS": self.parts,
            "LEAD": self.lead,
            "WIDE": WIDE,
            "TALL": 16 * self.groups,
            "THREADS": WIDE // 8 * 32,
            "NX": QUAD,
            "STORE_BYTES": gcd(16, QUAD * np.dtype(out_dtype).itemsize),
        }

    def text(self, weights: Digits) -> list[str]:
        """The weights as the source wants them."""
        words = ",".join(map(str, self.table(weights).ravel().tolist()))
        return [
            f"#define UNIT ({float(weights.unit).hex()}f)",
            f"alignas(16) static __device__ const unsigned BANDS[] = {{{words}}};",
        ]

    def table(self, weights: Digits) -> NDArray[np.uint32]:
        """``(sections, steps, periods, 32 threads, parts, 2)`` words of four weights.

        A thread holds those of column ``thread / 4`` (an output) for two times four cells.
        """
        parts, kh, kw = weights.digits.shape
        row, place = np.divmod(np.arange(self.period * self.extent), self.extent)
        rows = np.arange(self.sections * self.periods)[:, None] * self.period + row
        taps = place - self.lead % 4 - np.arange(8)[:, None]  # of each output, in each cell
        there = (rows < kh)[:, None] & ((taps >= 0) & (taps < kw))
        at = np.minimum(rows, kh - 1)[:, None], np.clip(taps, 0, kw - 1)
        found = np.where(there, weights.digits[:, *at], 0).astype(np.int8)
        # By part, section, period, output, instruction, half of its cells, four of them, cell.
        found = found.reshape(parts, self.sections, self.periods, 8, self.steps, 2, 4, 4)
        words = np.ascontiguousarray(found.transpose(1, 4, 2, 3, 6, 0, 5, 7)).view("<u4")
        return words.reshape(self.sections, self.steps, self.periods, 32, parts, 2)


def toeplitz_tile(
    kernel: tuple[int, int], channels: int, before: int, parts: int
) -> ToeplitzTile | None:
    """The sizes for a kernel, or None if it does not fit.

    Parameters
    ----------
    before
        Cells of padding before each row.
    parts
        Digits of a weight.

    >>> toeplitz_tile((15, 15), 1, 7, 2)
    ToeplitzTile(extent=24, period=4, periods=4, sections=1, groups=5, parts=2, lead=9)
    """
    if channels > MOST_CHANNELS:
        return None
    fitting = (
        tile
        for tile in _tiles(kernel, -before % 16, parts)
        if tile.shared(channels) <= SHARED_BYTES
        and tile.extent * tile.rows * tile.parts * 8 <= MOST_TABLE
    )
    return next(fitting, None)


def _tiles(kernel: tuple[int, int], lead: int, parts: int) -> Iterator[ToeplitzTile]:
    """Those of most rows first: they read each row of the picture and each weight least often."""
    extent = -(-(kernel[1] + 7 + lead % 4) // 8) * 8
    period = lcm(extent, CELLS) // extent
    periods = -(-kernel[0] // period)
    sections = -(-periods // MOST_PERIODS)
    periods = -(-periods // sections)
    for groups in (5, 3, 1):
        if groups * parts * 4 <= HELD:
            yield ToeplitzTile(extent, period, periods, sections, groups, parts, lead)


def digits_of(weights: NDArray[np.float64], *, exact: bool, off: float) -> Digits | None:
    """Weights of a plane written as whole numbers, or None if they would be too far off.

    Parameters
    ----------
    exact
        Whether they are whole, and have to stay what they are.
    off
        Levels of the output that a sum may be off.
    """
    largest = float(np.abs(weights).max())
    if exact and not is_whole(weights):
        return None
    for parts in range(1, MOST_PARTS + 1):
        most = (256**parts - 1) // 255 * 127  # every digit 127
        if exact:
            if largest <= most:
                return Digits(_written(weights, parts), 1.0)
            continue
        unit = float(np.float32(largest / most)) * (1 + 2**-20)  # never more than `most` of them
        unit = float(np.float32(unit))
        written = np.rint(weights / unit)
        wrong = weights - written * unit
        worst = max(wrong[wrong > 0].sum(), -wrong[wrong < 0].sum()) * WHITE["uint8"]
        if np.abs(written).max() <= most and worst <= off:
            return Digits(_written(written, parts), unit)
    return None


def _written(whole: NDArray[np.float64], parts: int) -> NDArray[np.int8]:
    """Digits of -128 to 127, the highest first."""
    left, found = whole.astype(np.int64), []
    for _ in range(parts):
        digit = (left + 128) % 256 - 128
        found.append(digit)
        left = (left - digit) // 256
    return np.array(found[::-1], np.int8)


class Products(NamedTuple):
    """A correlation by multiply-adds of matrices."""

    tile: ToeplitzTile
    digits: Digits


def products_for(problem: Problem) -> Products | None:
    """How the multiply-adds of matrices do a correlation, or None if they cannot or if it costs less
    otherwise."""
    p = problem
    if p.dtype != "uint8" or p.is_bank or len(p.weights) > 1 or not p.weights.any():
        return None
    if any(axis.stride > 1 or axis.dilation > 1 for axis in (p.rows, p.cols)):
        return None
    border = p.border.value
    if p.border.is_constant and not (border.is_integer() and 0 <= border <= WHITE["uint8"]):
        return None
    scale = abs(p.requantize.scale * p.requantize.ratio)
    most = WHITE["uint8"] * max(float(np.abs(p.weights).sum()), 128.0 * p.weights.size)
    if most >= 2**31 or not (p.exact or _writes_levels(p)):
        return None
    digits = digits_of(p.weights[0], exact=p.exact, off=CLOSE / scale if scale else 0.0)
    if digits is None:
        return None
    tile = toeplitz_tile(p.kernel_size, p.shape_in[2], p.cols.before, digits.parts)
    if tile is None or tile.cost * WORTH_IT > _otherwise(p, digits):
        return None
    return Products(tile, digits)


def _writes_levels(p: Problem) -> bool:
    """Whether sums are good enough that are right to a small part of a level."""
    return p.accumulate == "float32" and p.requantize.out_dtype in WHITE


def _otherwise(p: Problem, digits: Digits) -> float:
    """Multiply-adds of single numbers, for a sample, of the kernel that would do it."""
    taps = float(np.count_nonzero(p.weights))
    if not (p.exact and digits.parts == 1) or p.weights.size > MOST_PACKED:
        return taps
    rows, columns = p.kernel_size
    return min(taps, 2.0 * -(-rows // 4) * columns)  # of four bytes at once, by half of the lanes
