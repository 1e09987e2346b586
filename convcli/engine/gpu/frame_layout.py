"""The frame of a picture: copies of the cells that windows see which leave it.

No kernel knows a border. A reader (a thread, or a block) that sees rows and samples of the picture
alone reads there; the others read one of four parts, which ``cuda/frame.cu`` fills beforehand::

    top      rows that readers see of which the first lies above the picture, full width
    bottom   the same of readers of which the last row lies below it
    left     of the other readers, those whose first sample lies left of the picture
    right    and those whose last sample lies right of it

How large the parts are follows from where readers stand: at multiples of a step, each seeing as
many cells. ``VIEW`` in ``cuda/common.cu`` makes the same choice.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from convcli.engine.axis_maps import OUTSIDE
from convcli.engine.gpu.kernel_source import KernelSource
from convcli.engine.gpu.row_maps import SeenCells

if TYPE_CHECKING:
    from convcli.engine.gpu.device_protocol import Device

__all__ = ["FrameLayout", "Readers", "View", "frame_of", "frame_source", "view_of"]

WORD = 16
"""Bytes that a thread fills; rows start at multiples of it."""

FILLERS = 128
"""Threads of a block that fills a frame."""


class Readers(NamedTuple):
    """Where those stand along an axis that ask for a view, in cells of the padded axis."""

    number: int
    step: int
    """From one to the next."""
    length: int
    """Cells that each sees."""
    end: int
    """Where the last one's cells end; it may see fewer."""

    def outside(self, first: int, end: int) -> tuple[int, int]:
        """How many see cells before ``first``, and the first that sees some from ``end`` on.

        >>> Readers(number=4, step=16, length=18, end=66).outside(1, 65)
        (1, 3)
        """
        low = min(-(-first // self.step), self.number)
        high = max((end - self.length) // self.step + 1, low)
        if high >= self.number - 1:  # the last sees its own number of cells
            high = self.number - (self.end > end)
        return low, min(max(high, low), self.number)

    def seen(self, start: int, stop: int) -> tuple[int, int]:
        """Cells that some of them see."""
        if start >= stop:
            return 0, 0
        last = self.end if stop == self.number else (stop - 1) * self.step + self.length
        return start * self.step, last


class FramePart(NamedTuple):
    """A band or a strip: ``rows`` rows of ``words`` words, from a place in the padded picture."""

    row: int
    sample: int
    rows: int
    words: int


class FrameLayout(NamedTuple):
    """How a frame lies in memory, and where in it the padded picture would begin.

    ``at`` is, for each part, the place in the frame of row 0, sample 0 of the padded picture.
    """

    parts: tuple[FramePart, ...]
    at: tuple[int, ...]
    bands: int
    """Samples from row to row of a band."""
    strips: int
    words: int
    """Of 16 bytes, of all parts."""


def frame_of(
    rows: Readers, samples: Readers, inside: tuple[int, int, int, int], skew: int, item: int
) -> FrameLayout:
    """Lay out a frame.

    Parameters
    ----------
    inside
        First row and last plus one, first sample and last plus one that can be read in the
        picture, counted in the padded one.
    skew
        Samples from the start of a word to a reader's first sample.
    item
        Bytes of a sample.
    """
    top, bottom = rows.outside(*inside[:2])
    left, right = samples.outside(*inside[2:])
    per = WORD // item
    middle = rows.seen(top, bottom)
    wide = (0, samples.end) if top or bottom < rows.number else (0, 0)
    columns = [wide, wide, samples.seen(0, left), samples.seen(right, samples.number)]
    lines = [rows.seen(0, top), rows.seen(bottom, rows.number), middle, middle]
    words = [-(-(skew + b - a) // per) if b > a else 0 for a, b in columns]
    # Both strips are read with one pitch.
    words[2:] = [max(words[2:])] * 2
    parts, at, begin = [], [], 0
    for (row, end), (sample, stop), wide_words in zip(lines, columns, words, strict=True):
        count = end - row if stop > sample else 0
        parts.append(FramePart(row, sample, count, wide_words))
        at.append(begin + skew - sample - row * wide_words * per)
        begin += count * wide_words * per
    return FrameLayout(tuple(parts), tuple(at), words[0] * per, words[2] * per, begin // per)


@cache
def frame_source() -> KernelSource:
    """The kernel that fills frames, one for pictures of every type."""
    text = Path(__file__).parent.joinpath("cuda", "frame.cu").read_text("utf-8")
    return KernelSource("frame", text)


class View(NamedTuple):
    """What a kernel needs in order to see beyond the picture."""

    frame: Any
    """Memory on the device."""
    arguments: tuple[np.generic, ...]
    """``VIEW_ARGUMENTS`` of ``cuda/common.cu``."""


def view_of(
    device: Device,
    data: Any,
    seen: tuple[SeenCells, SeenCells],
    readers: tuple[Readers, Readers],
    channels: int,
    border: np.generic,
    skew: int,
) -> View:
    """Fill the frame of a picture for a launch.

    Parameters
    ----------
    data
        The picture, ``(rows, pitch)``.
    seen
        The rows and the columns that the outputs see.
    readers
        Down, and across in samples.
    border
        The constant that stands outside, as a sample of the picture.
    skew
        Samples from the start of a word to a reader's first sample.
    """
    rows, cols = seen
    pitch = int(data.shape[1])
    inside = (rows.first, rows.end, cols.first * channels, cols.end * channels)
    if cols.length <= cols.end and border.dtype != np.int32:
        # No sample of the output depends on what lies behind a row, so all of its memory may be
        # read; but integers must not overflow.
        inside = (*inside[:3], cols.first * channels + pitch)
    frame = frame_of(*readers, inside, skew, border.dtype.itemsize)
    picture_at = (rows.place - rows.first) * pitch - inside[2]
    numbers = (frame.bands, frame.strips, picture_at, *frame.at)
    arguments: list[np.generic] = [*map(np.int64, numbers), *map(np.int32, inside)]
    if not frame.words:
        return View(data, tuple(arguments))
    memory = device.xp.empty((1, frame.words * WORD // border.dtype.itemsize), border.dtype.name)
    places = [rows.before, rows.after, cols.before, cols.after, np.array([OUTSIDE], np.int32)]
    known = device.kept(np.concatenate(places))
    filling = (data, memory, known, *_filling(frame, seen, channels, border, pitch, skew))
    device.launch(frame_source(), (-(-frame.words // FILLERS), 1), (FILLERS, 1), filling)
    return View(memory, tuple(arguments))


def _filling(
    frame: FrameLayout,
    seen: tuple[SeenCells, SeenCells],
    channels: int,
    border: np.generic,
    pitch: int,
    skew: int,
) -> list[np.generic]:
    """What ``frame.cu`` takes after the picture, the frame and the map of the border."""
    rows, _ = seen
    bits = np.array([border, *[0] * 7], border.dtype).view(np.int64)[0]
    result = [bits, np.int64(pitch)]
    end = 0
    for part in frame.parts:
        end += part.rows * part.words
        result += [np.int64(end), *map(np.int32, (part.row, part.sample, max(part.words, 1)))]
    numbers = [skew, border.dtype.itemsize, channels, rows.place]
    for axis in seen:
        numbers += [axis.first, axis.end - axis.first, axis.after.size]
    return [*result, *map(np.int32, numbers)]
