"""Rows of numbers: text with commas, tabs or spaces, and ImageMagick's kernel string."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels.kernel import MAX_SIDE
from convcli.kernels.numerals import parse_number

__all__ = ["is_imagemagick", "parse_imagemagick", "parse_rows"]

Array = NDArray[np.float64]

_GEOMETRY = re.compile(r"\s*(\d{1,9})(?:x(\d{1,9}))?([+-]\d+[+-]\d+)?([@<>]*)\s*:", re.ASCII)


def parse_rows(text: str, name: str, *, numbered: bool = True) -> Array:
    """Read weights row by row.

    A row ends at a line's end or at ``;``. Weights are separated by commas, tabs or spaces;
    what follows ``#`` is a comment.

    Parameters
    ----------
    text
        The rows.
    name
        What messages call it: a file, or ``literal``.
    numbered
        Whether messages add the line.

    Raises
    ------
    KernelError
        If a row is not numbers or not as long as the first; names the line.

    >>> parse_rows("1, 0, -1\\n2 0 -2  # twice", "k.txt").tolist()
    [[1.0, 0.0, -1.0], [2.0, 0.0, -2.0]]
    >>> parse_rows("1 2\\n3", "k.txt")
    Traceback (most recent call last):
    ...
    convcli.errors.KernelError: k.txt, line 2: this row has 1 weight, the first has 2; every row must be equally long
    """
    rows: list[list[float]] = []
    for place, row in _split_rows(text, name, numbered):
        rows.append(_parse_row(row, place))
        if len(rows[-1]) != len(rows[0]):
            count = len(rows[-1])
            raise KernelError(
                f"{place}: this row has {count} weight{'s' * (count != 1)}, the first has "
                f"{len(rows[0])}; every row must be equally long"
            )
        if max(len(rows), len(rows[0])) > MAX_SIDE:
            raise KernelError(f"{place}: more than {MAX_SIDE} weights in a row or column")
    if not rows:
        raise KernelError(f"{name} holds no weights")
    return np.array(rows)


def _split_rows(text: str, name: str, numbered: bool) -> Iterator[tuple[str, str]]:
    """Each row that holds something, with where it stands."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    single = sum(map(bool, lines)) < 2
    for number, line in enumerate(lines, 1):
        pieces = [piece.strip() for piece in line.split(";")]
        filled = [piece for piece in pieces if piece]
        where = f"{name}, line {number}" if numbered else name
        if len(filled) > 1 and not single:
            # Many spreadsheets write ";" between cells: never read those as rows.
            raise KernelError(
                f"{where}: a line with ';' in it among others; separate weights by commas, tabs "
                "or spaces, and rows by line ends or by ';', not both"
            )
        for index, piece in enumerate(filled, 1):
            yield (f"{where}, row {index}" if len(filled) > 1 else where), piece


def _parse_row(row: str, place: str) -> list[float]:
    row = re.sub(r",\s*$", "", row)
    tokens = re.split(r"\s*,\s*|\s+", row.strip())
    try:
        return [parse_number(token) for token in tokens]
    except ValueError as error:
        if "" in tokens:
            raise KernelError(f"{place}: a cell is empty; write 0 where there is none") from error
        raise KernelError(f"{place}: {error}") from error


def is_imagemagick(text: str) -> bool:
    """Whether text is ImageMagick's kernel string, ``WxH[+X+Y]: ...``.

    >>> is_imagemagick("3x3: 1,0,-1 2,0,-2 1,0,-1"), is_imagemagick("1 0 -1")
    (True, False)
    """
    return _GEOMETRY.match(text) is not None


def parse_imagemagick(text: str, name: str) -> Array:
    """Read ImageMagick's kernel string.

    Cells outside the kernel (``-`` or ``nan``) weigh nothing in a convolution, so they are 0.
    An origin that is not the centre (``+X+Y``) is moved there by rows and columns of zeros.
    https://imagemagick.org/Usage/morphology/#user

    >>> parse_imagemagick("2x2+0+0: 1,2 3,-", "literal").tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    >>> parse_imagemagick("3x1+0+0: 1,2,3", "literal").tolist()
    [[0.0, 0.0, 1.0, 2.0, 3.0]]
    """
    match = _GEOMETRY.match(text)
    if match is None:
        raise KernelError(f"{name} is not an ImageMagick kernel; one begins as in 3x3: 1,0,-1")
    width = int(match[1])
    height = int(match[2] or width)
    size = f"{width}x{height}"
    if match[4]:
        raise KernelError(
            f"{name}: {match[4]!r} asks ImageMagick for rotated copies; give one kernel, as in "
            f"{size}: 1,0,-1 ..."
        )
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise KernelError(f"{name} says {size}; 1x1 to {MAX_SIDE}x{MAX_SIDE} is allowed")
    body = text[match.end() :].strip()
    if ";" in body.rstrip(";"):
        raise KernelError(f"{name} is a list of kernels (';'); give one at a time")
    tokens = [token for token in re.split(r"[\s,]+", body.rstrip("; \n")) if token]
    if len(tokens) != width * height:
        raise KernelError(f"{name} says {size}, {width * height} weights, but {len(tokens)} follow")
    values = []
    for index, token in enumerate(tokens):
        try:
            hole = token in ("-", "nan", "NaN")
            values.append(0.0 if hole else parse_number(token))
        except ValueError as error:
            at = f"row {index // width + 1}, column {index % width + 1}"
            raise KernelError(f"{name}, {at}: {error}") from error
    weights = np.array(values).reshape(height, width)
    return _centred(weights, match[3], name)


def _centred(weights: Array, origin: str | None, name: str) -> Array:
    """Zeros around the weights so that ``origin`` becomes the middle cell, (k - 1) // 2."""
    if not origin:
        return weights
    height, width = weights.shape
    x, y = (int(n) for n in re.findall(r"[+-]\d+", origin))
    if not (0 <= x < width and 0 <= y < height):
        raise KernelError(f"{name}: the origin {origin} lies outside {width}x{height}")
    padded = np.pad(weights, (_margins(y, height), _margins(x, width)))
    if max(padded.shape) > MAX_SIDE:
        raise KernelError(f"{name}: the origin {origin} makes it larger than {MAX_SIDE}")
    return padded


def _margins(origin: int, size: int) -> tuple[int, int]:
    middle = (size - 1) // 2
    if origin == middle:
        return 0, 0
    return (0, 2 * origin + 1 - size) if origin > middle else (size - 1 - 2 * origin, 0)
