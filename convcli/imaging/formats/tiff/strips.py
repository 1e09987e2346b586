"""The strips and tiles of a TIFF: whether all of a page are in the file, and as long as they must be.

Pillow takes rows that are not there from whatever lies behind, tifffile gives zeros for them, both
take what libjpeg makes up, and libtiff looks at no checksum. Source: TIFF 6.0 specification (1992), sections 3, 15 and 22.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from isal import isal_zlib

from convcli.errors import InputError
from convcli.imaging.formats.jpeg.check import jpeg_faults
from convcli.imaging.formats.jpeg.markers import frame_header
from convcli.imaging.options import MAX_PIXELS

__all__ = [
    "JPEG",
    "LZMA",
    "Strips",
    "check_strips",
    "is_sound",
    "strip_notes",
    "strips_of",
]

PLAIN, JPEG, LZMA = 1, 7, 34925
FAX = (2, 3, 4)
FOLDED = (8, 32946, LZMA)
"""Those with a checksum."""
SUBSAMPLED = 6
"""The kind of pixel, YCbCr, that takes fewer bits than its samples have."""


class Strips(NamedTuple):
    """What the tags of a page say of them; sizes in pixels."""

    kind: str
    wanted: int
    rows: int
    columns: int
    width: int
    height: int
    """Of the page."""
    bits: int
    """Of a pixel, or of a sample where planes are stored apart; 0 if the tags do not say."""
    compression: int
    offsets: Sequence[int]
    counts: Sequence[int]
    tables: bytes
    """Of JPEG, for all of them."""

    def size(self, index: int) -> tuple[int, int]:
        """Rows and columns of one, as far as they are within the page."""
        across = math.ceil(self.width / self.columns)
        row, column = divmod(index % (across * math.ceil(self.height / self.rows)), across)
        return (
            min(self.rows, self.height - row * self.rows),
            min(self.columns, self.width - column * self.columns),
        )

    def least(self, index: int) -> int:
        """How many bytes one has at least."""
        if self.compression != PLAIN:
            return 1
        rows = self.rows if self.kind == "tiles" else self.size(index)[0]
        return rows * math.ceil(self.columns * self.bits / 8)

    @property
    def absent(self) -> int:
        """How many of them are nowhere in the file, as of pictures that are mostly empty."""
        pairs = zip(self.offsets[: self.wanted], self.counts[: self.wanted], strict=False)
        return sum(
            not count and not (offset and self.compression == PLAIN) for offset, count in pairs
        )

    @property
    def told(self) -> bool:
        """Whether there is one for each part of the page, no more and no less, and none is empty.

        Pillow lays those that are too many over the others.
        """
        return len(self.offsets) == self.wanted and not self.absent

    @property
    def alone(self) -> bool:
        """Whether the length is known without being told: libtiff then does not mind a wrong one."""
        return self.compression == PLAIN and self.wanted == 1


def strips_of(get: Callable[[int], Any]) -> Strips:
    """Ask for the tags of a page by their numbers; ``get`` gives None where there is none."""

    def numbers(tag: int, default: int = 0) -> tuple[int, ...]:
        value = get(tag)
        value = default if value is None else value
        return tuple(map(int, value)) if isinstance(value, (tuple, list)) else (int(value),)

    width, height = numbers(256)[0], numbers(257)[0]
    tiled = get(322) is not None
    if tiled:
        columns, rows = numbers(322)[0], numbers(323)[0]
    else:
        columns, rows = width, min(numbers(278, height)[0], height)
    columns, rows = max(columns, 1), max(rows, 1)
    samples, bits = numbers(277, 1)[0], numbers(258, 1)
    offsets = () if get(324 if tiled else 273) is None else numbers(324 if tiled else 273)
    counts = () if get(325 if tiled else 279) is None else numbers(325 if tiled else 279)
    apart = numbers(284, 1)[0] == 2
    pixel = bits[0] * (1 if apart else samples)
    across = math.ceil(width / columns)
    return Strips(
        kind="tiles" if tiled else "strips",
        wanted=across * math.ceil(height / rows) * (samples if apart else 1),
        rows=rows,
        columns=columns,
        width=width,
        height=height,
        bits=0 if get(262) == SUBSAMPLED else pixel,
        compression=numbers(259, PLAIN)[0],
        offsets=offsets,
        # Nothing lies where the file's head is, whatever length is claimed.
        counts=tuple(count if at else 0 for at, count in zip(offsets, counts, strict=False)),
        tables=bytes(get(347) or b""),
    )


def check_strips(strips: Strips, size: int, name: str) -> list[str]:
    """Refuse a page whose pixels are not all in a file of ``size`` bytes; notes on empty parts.

    Raises
    ------
    InputError
        If a strip or tile is missing, too short, or cut short.
    """
    kind, wanted = strips.kind, strips.wanted
    if not wanted:
        raise InputError(f"{name}: the header claims {strips.width}x{strips.height} pixels")
    if strips.rows * strips.columns > MAX_PIXELS and kind == "tiles":
        raise InputError(
            f"{name}: the header claims tiles of {strips.columns}x{strips.rows} pixels"
        )
    if strips.compression in FAX and strips.bits != 1:
        raise InputError(
            f"{name}: the TIFF claims {strips.bits} bits for each pixel in the codes of fax machines, "
            "which have one"
        )
    have = min(len(strips.offsets), len(strips.counts))
    if have < wanted:
        raise InputError(f"{name}: the TIFF has {have} of the {wanted} {kind} of its pixels")
    notes = []
    for index in range(wanted):
        offset, count, least = strips.offsets[index], strips.counts[index], strips.least(index)
        if strips.alone and count < least and offset:
            notes.append(f"its pixels take {least} bytes, and it says {count}; all were read")
        elif count < least and (count or (offset and strips.compression == PLAIN)):
            raise InputError(
                f"{name}: {count} bytes for number {index + 1} of the {wanted} {kind} of the TIFF; "
                f"its pixels take {least}"
            )
        if (count or strips.alone) and offset + (
            least if strips.compression == PLAIN else count
        ) > size:
            raise InputError(
                f"{name}: the TIFF is cut short in number {index + 1} of its {wanted} {kind}"
            )
    empty = strips.absent
    if empty:
        notes.append(f"{empty} of its {wanted} {kind} are not there and were left empty")
    return notes


def strip_notes(get: Callable[[int], Any], data: bytes, name: str) -> list[str]:
    """As :func:`check_strips`, for a whole file; and what is wrong within each."""
    strips = strips_of(get)
    notes = dict.fromkeys(check_strips(strips, len(data), name))
    for index in range(strips.wanted):
        start, length = strips.offsets[index], strips.counts[index]
        number = f"number {index + 1} of the {strips.wanted} {strips.kind} of the TIFF"
        part = data[start : start + length]
        if not length:
            continue
        if strips.compression in FOLDED and not is_sound(part, strips.compression):
            raise InputError(f"{name}: {number} is damaged")
        if strips.compression == JPEG:
            frame, (rows, columns) = frame_header(part), strips.size(index)
            if frame is not None and (frame.height < rows or frame.width < columns):
                raise InputError(
                    f"{name}: {number} has {frame.width}x{frame.height} pixels, "
                    f"and should have {columns}x{rows}"
                )
            for fault in jpeg_faults(part, strips.tables):
                notes[f"{number}: {fault}"] = None
    return list(notes)


def is_sound(data: bytes, compression: int) -> bool:
    """Whether folded data can be unfolded to their end, and have the checksum that they should."""
    import lzma

    unfold: Any = lzma.LZMADecompressor() if compression == LZMA else isal_zlib.decompressobj()
    made = b"."
    try:
        while made and not unfold.eof:
            made = unfold.decompress(data, 1 << 20)
            data = b"" if compression == LZMA else unfold.unconsumed_tail
    except (isal_zlib.error, lzma.LZMAError):  # type: ignore[misc]
        return False
    return bool(unfold.eof)
