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
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.imaging.header import Metadata, widened
from convcli.imaging.limits import check_size
from convcli.imaging.source import Frame, Source

__all__ = ["claimed_bytes", "encode_pfm", "encode_pnm", "read_pnm"]

NUMBER = re.compile(rb"(?:\s|#[^\r\n]*[\r\n])+([^\s#]{1,40})")
END = re.compile(rb"(?:#[^\r\n]*)?\s")
COMMENT = re.compile(rb"#[ ]?([^\r\n]*)")
BITS, TEXT, COLOURED, FLOATS = b"14", b"123", b"36F", b"Ff"

Samples: TypeAlias = tuple[NDArray[Any], bytes]
"""As many as wanted, and the bytes that follow them."""


class _Netpbm(NamedTuple):
    """A file whose header is read; ``top`` is its third number, of which bits have none."""

    data: bytes
    name: str
    width: int
    height: int
    channels: int
    top: bytes
    body: int

    @property
    def wanted(self) -> int:
        return self.width * self.height * self.channels


def read_pnm(data: bytes, name: str, format: str, max_pixels: int) -> Source:
    """Decode PBM, PGM, PPM or PFM."""
    kind = data[1:2]
    file = _open(data, name, kind)
    check_size(name, file.width, file.height, max_pixels)
    meta = Metadata(comments=[] if kind in FLOATS else COMMENT.findall(data[: file.body]))
    if kind in FLOATS:
        meta.pfm_scale = _scale(file)
        pixels, rest = _floats(file, "<f4" if meta.pfm_scale < 0 else ">f4")
    elif kind in BITS:
        pixels, rest = _bits_of_text(file) if kind in TEXT else _bits(file)
    else:
        pixels, rest = _levels(file, kind in TEXT)
    notes = [widened(1)] if kind in BITS else []
    if rest.strip():
        notes.append("what follows its first picture was left out")
    return Source(
        format=format,
        space="rgb" if kind in COLOURED else "gray",
        alpha=False,
        dtype=pixels.dtype,
        size=(file.height, file.width),
        frames=[Frame(pixels.reshape(file.height, file.width, file.channels))],
        meta=meta,
        notes=notes,
    )


def claimed_bytes(data: bytes, name: str) -> int:
    """Bytes of the samples that the header promises."""
    kind = data[1:2]
    file = _open(data, name, kind)
    deep = 4 if kind in FLOATS else 2 if kind not in BITS and _whole(file.top, name) > 255 else 1
    return file.wanted * deep


def _open(data: bytes, name: str, kind: bytes) -> _Netpbm:
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
    return _Netpbm(data, name, width, height, 3 if kind in COLOURED else 1, numbers[2], at)


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


def _binary(file: _Netpbm, dtype: str, count: int) -> Samples:
    end = file.body + count * np.dtype(dtype).itemsize
    if end > len(file.data):
        raise InputError(f"{file.name}: the file is cut short")
    return np.frombuffer(file.data, dtype, count, file.body), file.data[end:]


def _floats(file: _Netpbm, dtype: str) -> Samples:
    samples, rest = _binary(file, dtype, file.wanted)
    pixels = samples.astype(np.float32).reshape(file.height, -1)[::-1]
    return pixels, rest


def _bits(file: _Netpbm) -> Samples:
    row_bytes = -(-file.width // 8)
    packed, rest = _binary(file, "u1", file.height * row_bytes)
    bits = np.unpackbits(packed.reshape(file.height, row_bytes), axis=1, count=file.width)
    return (1 - bits) * np.uint8(255), rest


def _bits_of_text(file: _Netpbm) -> Samples:
    """Digits with or without blanks between them."""
    digits = b"".join(COMMENT.sub(b"", file.data[file.body :]).split())
    bits = np.frombuffer(digits[: file.wanted], np.uint8) - ord("0")
    if len(bits) < file.wanted:
        raise InputError(f"{file.name}: the file is cut short")
    if bits.max() > 1:
        raise InputError(f"{file.name}: there are other signs than 0 and 1 among its bits")
    return (1 - bits) * np.uint8(255), digits[file.wanted :]


def _levels(file: _Netpbm, text: bool) -> Samples:
    """Levels from 0 to the maximum that the header names, as levels up to 255 or 65535."""
    top = _whole(file.top, file.name)
    if not 1 <= top <= 65535:
        raise InputError(
            f"{file.name}: a maximum value of {top}; allowed: 1 to 65535, and floats in .pfm"
        )
    stored, dtype = (">u2", np.uint16) if top > 255 else ("u1", np.uint8)
    white = np.iinfo(dtype).max
    samples, rest = _numbers(file, top) if text else _binary(file, stored, file.wanted)
    if top == white:
        return samples.astype(dtype), rest
    levels = np.rint(np.arange(white + 1) / top * white).clip(0, white)
    return levels.astype(dtype)[samples], rest


def _numbers(file: _Netpbm, top: int) -> Samples:
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
    samples = samples[: file.wanted]
    if samples.max() > top:
        raise InputError(f"{file.name}: a sample of {samples.max()}, above its maximum of {top}")
    return samples, rest


def encode_pnm(pixels: NDArray[Any], comments: Sequence[bytes] = ()) -> bytes:
    """Encode an array (H, W, 1 or 3) of uint8 or uint16 as binary PGM or PPM.

    Every line of a comment becomes a line of the header.

    >>> encode_pnm(np.zeros((1, 2, 1), np.uint16))
    b'P5\\n2 1\\n65535\\n\\x00\\x00\\x00\\x00'
    """
    height, width, channels = pixels.shape
    kind = 5 if channels == 1 else 6
    lines = [b"# " + line for comment in comments for line in comment.splitlines()]
    size = f"{width} {height}\n{np.iinfo(pixels.dtype).max}\n".encode()
    head = b"\n".join([b"P%d" % kind, *lines, size])
    return head + pixels.astype(pixels.dtype.newbyteorder(">"), copy=False).tobytes()


def encode_pfm(pixels: NDArray[Any], scale: float | None) -> bytes:
    """Encode an array (H, W, 1 or 3) of float32, low bytes first; the scale is written along.

    >>> encode_pfm(np.ones((1, 1, 1), np.float32), None)
    b'Pf\\n1 1\\n-1.0\\n\\x00\\x00\\x80?'
    """
    height, width, channels = pixels.shape
    head = f"P{'f' if channels == 1 else 'F'}\n{width} {height}\n{-abs(scale or 1.0)}\n".encode()
    return head + pixels[::-1].astype("<f4").tobytes()
