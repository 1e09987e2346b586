"""Netpbm files: PBM, PGM and PPM, as text and as bytes, and PFM.

Not through Pillow, which makes 8 bits of 16-bit colour and 32 of 16-bit gray, reads no PFM in
colour, and takes most samples one by one in Python.

Source: netpbm's ``pbm(5)``, ``pgm(5)``, ``ppm(5)`` and ``pfm(5)``: blanks and comments stand between
the numbers of the header, one blank after the last; samples above 255 take two bytes, high byte
first; a PFM holds its lowest row first, and a negative scale says that low bytes come first.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.imaging.formats import Format
from convcli.imaging.formats.pnm.stored import NetpbmPlane
from convcli.imaging.formats.shared.array_file import OpenFile, bytes_at
from convcli.imaging.formats.shared.row_file import RowFile, opened
from convcli.imaging.formats.shared.strided import Read
from convcli.imaging.header import Header, Metadata, widened
from convcli.imaging.limits import check_size
from convcli.imaging.source import Frame, Plane, Source

__all__ = ["claimed_bytes", "open_pnm", "pfm_file", "pnm_file", "read_pnm"]

NUMBER = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])+([^\s#]{1,40})")
END = re.compile(rb"(?:#[^\r\n]*)?\s")
COMMENT = re.compile(rb"#[ ]?([^\r\n]*)")
BITS, TEXT, COLOURED, FLOATS = b"14", b"123", b"36F", b"Ff"

PIECE = 1 << 20
"""Bytes that are searched at a time."""

Samples: TypeAlias = tuple[NDArray[Any], bytes]
"""As many as wanted, and the bytes that follow them."""


class _Netpbm(NamedTuple):
    """A file whose header is read; ``top`` is its third number, of which bits have none."""

    data: bytes
    """All of it, or at least its header."""
    name: str
    kind: bytes
    width: int
    height: int
    channels: int
    top: bytes
    body: int

    @property
    def wanted(self) -> int:
        return self.width * self.height * self.channels

    def source(self, format: str, plane: Plane, *, more: bool) -> Source:
        """A picture of the file; whether there is ``more`` behind it."""
        meta = Metadata()
        if self.kind in FLOATS:
            meta.pfm_scale = _scale(self)
        else:
            meta.comments = COMMENT.findall(self.data[: self.body])
        notes = [widened(1)] if self.kind in BITS else []
        if more:
            notes.append("what follows its first picture was left out")
        return Source(
            format=format,
            space="rgb" if self.kind in COLOURED else "gray",
            alpha=False,
            dtype=plane.dtype,
            size=(self.height, self.width),
            frames=[plane],
            meta=meta,
            notes=notes,
            flat=self.channels == 1,
            name=self.name,
        )


def read_pnm(data: bytes, name: str, format: str, max_pixels: int) -> Source:
    """Decode PBM, PGM, PPM or PFM."""
    file = _open(data, name)
    check_size(name, file.width, file.height, max_pixels)
    if file.kind in TEXT:
        pixels, rest = _bits_of_text(file) if file.kind in BITS else _numbers_of_text(file)
        frame = Frame(pixels.reshape(file.height, file.width, file.channels))
        return file.source(format, frame, more=bool(rest.strip()))

    def read_at(offset: int, size: int) -> NDArray[np.uint8]:
        return np.frombuffer(data, np.uint8, size, offset)

    plane = _plane(file, read_at)
    more = _is_more(plane, len(data))
    return file.source(format, Frame(plane.pixels), more=more)


def open_pnm(path: str, format: Format, name: str, max_pixels: int) -> Source | None:
    """A picture of bytes, read where they lie; None for what has to be read whole, or is damaged.

    One whose samples are all there may have more than ``max_pixels``.
    """

    def make(open_file: OpenFile, head: bytes, size: int) -> Source | None:
        if not format.recognises(head) or head[1:2] in TEXT:
            return None
        try:
            file = _open(head, name)
        except InputError:
            return None
        if file.body >= len(head):
            return None  # a comment without end, or nothing behind the header
        plane = _plane(file, lambda at, n: bytes_at(open_file.fd, name, at, n), open_file)
        if file.height * plane.row_bytes > size - file.body:
            check_size(name, file.width, file.height, max_pixels)
        return file.source(format.name, plane, more=_is_more(plane, size))

    return opened(path, name, make)


def claimed_bytes(data: bytes, name: str) -> int:
    """Bytes of the samples that the header promises."""
    file = _open(data, name)
    wide = file.kind not in BITS + FLOATS and _whole(file.top, name) > 255
    deep = 4 if file.kind in FLOATS else 2 if wide else 1
    return file.wanted * deep


def _plane(file: _Netpbm, read_at: Read, open_file: OpenFile | None = None) -> NetpbmPlane:
    """The samples of a file of bytes."""
    levels, upward = None, file.kind in FLOATS
    dtype: np.dtype[Any] = np.dtype(np.uint8)
    stored: np.dtype[Any] | None = None
    if upward:
        dtype, stored = np.dtype(np.float32), np.dtype("<f4" if _scale(file) < 0 else ">f4")
    elif file.kind not in BITS:
        levels, dtype = _levels(file)
        stored = dtype.newbyteorder(">")
    shape = file.height, file.width, file.channels
    return NetpbmPlane(
        file.name, shape, dtype, read_at, open_file, file.body, stored, upward, levels
    )


def _is_more(plane: NetpbmPlane, size: int) -> bool:
    """Whether anything but blanks follows the samples in a file of so many bytes.

    Raises
    ------
    InputError
        If they are not all there.
    """
    end = plane.offset + plane.shape[0] * plane.row_bytes
    if end > size:
        raise InputError(f"{plane.name}: the file is cut short")
    pieces = (plane.read_at(at, min(PIECE, size - at)) for at in range(end, size, PIECE))
    return any(piece.tobytes().strip() for piece in pieces)


def _open(data: bytes, name: str) -> _Netpbm:
    kind = data[1:2]
    numbers, at = [b""] * 3, 2
    for index in range(2 if kind in BITS else 3):
        match = NUMBER.match(data, at)
        if match is None:
            raise InputError(f"{name}: the header is cut short")
        numbers[index], at = match[1], match.end()
    if kind not in TEXT:
        end = END.match(data, at)
        at = end.end() if end else len(data)
    width, height = (_whole(number, name) for number in numbers[:2])
    return _Netpbm(data, name, kind, width, height, 3 if kind in COLOURED else 1, numbers[2], at)


def _whole(number: bytes, name: str) -> int:
    if not re.fullmatch(rb"[0-9]{1,10}", number):
        raise InputError(f"{name}: {number.decode('latin-1')!r} in the header is no whole number")
    return int(number)


def _scale(file: _Netpbm) -> float:
    try:
        scale = float(file.top)
    except ValueError:
        scale = math.nan
    if scale == 0 or not math.isfinite(scale):
        raise InputError(
            f"{file.name}: the scale {file.top.decode('latin-1')!r} is no number but 0"
        )
    return scale


def _bits_of_text(file: _Netpbm) -> Samples:
    """Digits with or without blanks between them."""
    digits = b"".join(COMMENT.sub(b"", file.data[file.body :]).split())
    bits = np.frombuffer(digits[: file.wanted], np.uint8) - ord("0")
    if len(bits) < file.wanted:
        raise InputError(f"{file.name}: the file is cut short")
    if bits.max() > 1:
        raise InputError(f"{file.name}: there are other signs than 0 and 1 among its bits")
    return (1 - bits) * np.uint8(255), digits[file.wanted :]


def _levels(file: _Netpbm) -> tuple[NDArray[Any] | None, np.dtype[Any]]:
    """What each level from 0 to the maximum that the header names means, up to 255 or 65535.

    None where it means itself.
    """
    top = _whole(file.top, file.name)
    if not 1 <= top <= 65535:
        raise InputError(
            f"{file.name}: a maximum value of {top}; allowed: 1 to 65535, and floats in .pfm"
        )
    dtype, white = (np.dtype("u2"), 65535) if top > 255 else (np.dtype("u1"), 255)
    if top == white:
        return None, dtype
    return np.rint(np.arange(white + 1) / top * white).clip(0, white).astype(dtype), dtype


def _numbers_of_text(file: _Netpbm) -> Samples:
    levels, dtype = _levels(file)
    text = COMMENT.sub(b"", file.data[file.body :])
    strange = re.search(rb"[^\s0-9]+|[0-9]{19,}", text)
    if strange:
        raise InputError(
            f"{file.name}: {strange[0][:20].decode('latin-1')!r} among its samples is no level"
        )
    samples = np.fromstring(text, np.int64, sep=" ")
    if len(samples) < file.wanted:
        raise InputError(f"{file.name}: the file is cut short")
    rest = b"more" * (len(samples) > file.wanted)
    samples, top = samples[: file.wanted], int(file.top)
    if samples.max() > top:
        raise InputError(f"{file.name}: a sample of {samples.max()}, above its maximum of {top}")
    return (samples.astype(dtype) if levels is None else levels[samples]), rest


def pnm_file(header: Header) -> RowFile:
    """A binary PGM or PPM of uint8 or uint16; every line of a comment becomes one of the header.

    >>> header = Header("PPM", "gray", False, np.dtype(np.uint16), (1, 2))
    >>> b"".join(pnm_file(header).whole(np.zeros((1, 2, 1), np.uint16)))
    b'P5\\n2 1\\n65535\\n\\x00\\x00\\x00\\x00'
    """
    height, width, channels = header.shape
    kind = 5 if channels == 1 else 6
    lines = [b"# " + line for comment in header.meta.comments for line in comment.splitlines()]
    size = f"{width} {height}\n{np.iinfo(header.dtype).max}\n".encode()
    head = b"\n".join([b"P%d" % kind, *lines, size])
    row_bytes = width * channels * header.dtype.itemsize
    return RowFile(head, height, row_bytes, _high_byte_first)


def _high_byte_first(rows: NDArray[Any]) -> bytes:
    return rows.astype(rows.dtype.newbyteorder(">"), copy=False).tobytes()


def pfm_file(header: Header) -> RowFile:
    """A PFM of float32, low bytes first; the scale is written along.

    >>> header = Header("PFM", "gray", False, np.dtype(np.float32), (1, 1))
    >>> b"".join(pfm_file(header).whole(np.ones((1, 1, 1), np.float32)))
    b'Pf\\n1 1\\n-1.0\\n\\x00\\x00\\x80?'
    """
    height, width, channels = header.shape
    scale = -abs(header.meta.pfm_scale or 1.0)
    head = f"P{'f' if channels == 1 else 'F'}\n{width} {height}\n{scale}\n".encode()
    return RowFile(head, height, width * channels * 4, _lowest_first, upward=True)


def _lowest_first(rows: NDArray[Any]) -> bytes:
    return rows[::-1].astype("<f4").tobytes()
