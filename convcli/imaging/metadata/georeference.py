"""Georeferences of TIFF: where on the earth pixels lie, following them through a filter.

A filter with a stride, or without padding, gives pixels that are larger or lie elsewhere. Source:
OGC GeoTIFF 1.1, section 7 (tags) and annex B (raster space); GDAL's tag 50844, of which (0, 0) is
the centre of a pixel.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from convcli.arithmetic.window import Window
from convcli.imaging.header import GEO_KEYS
from convcli.imaging.metadata.bands import GDAL_METADATA
from convcli.imaging.metadata.tiff_fields import DOUBLE, SHORT, Field, Fields
from convcli.records import NamedTuple

__all__ = ["GEO", "POSITION", "Move", "follow", "is_point", "moved"]

PIXEL_SCALE, TIE_POINTS, MATRIX, KEYS = 33550, 33922, 34264, GEO_KEYS
RPC = 50844
POSITION = frozenset((PIXEL_SCALE, TIE_POINTS, MATRIX, RPC))
"""Where pixels lie; the other tags say in which coordinates, and what their values mean."""
GEO = frozenset((PIXEL_SCALE, TIE_POINTS, MATRIX, KEYS, 34736, 34737, GDAL_METADATA, RPC))
RASTER_TYPE, IS_POINT = 1025, 2
RPC_NUMBERS, RPC_OFFSETS, RPC_SCALES = 92, (2, 3), (7, 8)
"""How many numbers, and where those of rows and columns stand."""


class Move(NamedTuple):
    """Along one axis the old position is ``shift + scale`` times the new one, in pixels."""

    shift: float = 0.0
    scale: int = 1

    @property
    def of_corners(self) -> Move:
        """That of the corners of pixels, if this is that of their centres.

        >>> Move(0.5, 2).of_corners
        Move(shift=0.0, scale=2)
        """
        return Move(self.shift + (1 - self.scale) / 2, self.scale)

    def back(self, old: float) -> float:
        """The new position of an old one."""
        return (old - self.shift) / self.scale


def moved(windows: Iterable[Window], *, point: bool) -> Move:
    """Where the new pixels lie along one axis, after the windows of a chain.

    Positions are those of corners of pixels; where a pixel is a ``point``, of centres.

    >>> moved([Window(6, 3, 2, 1, 0, 1)], point=False)
    Move(shift=0.5, scale=2)
    """
    shift, scale = 0.0, 1
    for window in windows:
        centre = (window.effective_kernel - 1) / 2 - window.before
        shift, scale = shift + scale * centre, scale * window.stride
    centres = Move(shift, scale)
    return centres if point else centres.of_corners


def is_point(fields: Fields) -> bool:
    """Whether a pixel is a point, by the geo keys; otherwise it is an area, as by default."""
    keys = fields.get(KEYS)
    if keys is None or keys.kind != SHORT:
        return False
    numbers = keys.numbers()
    found = {numbers[i]: numbers[i + 3] for i in range(4, len(numbers) - 3, 4)}
    return found.get(RASTER_TYPE) == IS_POINT


def follow(fields: Fields, rows: Iterable[Window], cols: Iterable[Window]) -> Fields:
    """The fields of a page, with its georeference that of the pixels that a filter gives."""
    if not GEO & fields.keys():
        return fields
    fields = dict(fields)
    rows, cols = list(rows), list(cols)
    point = is_point(fields)
    y, x = moved(rows, point=point), moved(cols, point=point)
    for tag, change in ((PIXEL_SCALE, _scaled), (TIE_POINTS, _tied), (MATRIX, _affine)):
        if tag in fields and fields[tag].kind == DOUBLE:
            fields[tag] = _doubles(change(list(fields[tag].numbers()), x, y))
    if RPC in fields and fields[RPC].kind == DOUBLE:  # (0, 0) is always the centre of a pixel
        y, x = moved(rows, point=True), moved(cols, point=True)
        fields[RPC] = _doubles(_rational(list(fields[RPC].numbers()), x, y))
    return fields


def _doubles(values: list[float]) -> Field:
    return Field(DOUBLE, struct.pack(f"<{len(values)}d", *values))


def _scaled(scale: list[float], x: Move, y: Move) -> list[float]:
    return [value * m for value, m in zip(scale, (x.scale, y.scale, 1), strict=False)]


def _tied(points: list[float], x: Move, y: Move) -> list[float]:
    """Each tie point is column, row, layer, and the place that lies there."""
    for i in range(0, len(points) - 5, 6):
        points[i], points[i + 1] = x.back(points[i]), y.back(points[i + 1])
    return points


def _affine(matrix: list[float], x: Move, y: Move) -> list[float]:
    """Each row of the matrix gives one coordinate from column, row, layer and 1."""
    for i in range(0, len(matrix) - 3, 4):
        across, down, layer, origin = matrix[i : i + 4]
        origin += across * x.shift + down * y.shift
        matrix[i : i + 4] = [across * x.scale, down * y.scale, layer, origin]
    return matrix


def _rational(numbers: list[float], x: Move, y: Move) -> list[float]:
    if len(numbers) == RPC_NUMBERS:
        for offset, scale, move in zip(RPC_OFFSETS, RPC_SCALES, (y, x), strict=True):
            numbers[offset], numbers[scale] = (
                move.back(numbers[offset]),
                numbers[scale] / move.scale,
            )
    return numbers
