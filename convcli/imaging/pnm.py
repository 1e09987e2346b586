"""Netpbm files: 16 bits, which Pillow halves or widens, are read and written here.

Source: netpbm's ``pgm(5)`` and ``ppm(5)``: samples above 255 take two bytes, high byte first.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import InputError
from convcli.imaging.picture import Frame, Picture
from convcli.imaging.pillow_read import read_with_pillow
from convcli.imaging.read import check_size

__all__ = ["encode_pnm", "read_pnm"]

HEADER = re.compile(rb"P([56])" + rb"(?:\s|#[^\n]*\n)+(\d{1,9})" * 3 + rb"\s")


def read_pnm(data: bytes, name: str, max_pixels: int) -> Picture:
    """Decode PBM, PGM, PPM or PFM."""
    match = HEADER.match(data)
    if match is None or int(match[4]) < 256:
        return read_with_pillow(data, name, "PPM", max_pixels)
    channels = 1 if match[1] == b"5" else 3
    width, height, top = (int(match[i]) for i in (2, 3, 4))
    check_size(name, width, height, max_pixels)
    if top > 65535:
        raise InputError(f"{name}: a maximum value of {top}; at most 65535 is allowed")
    count = width * height * channels
    if len(data) - match.end() < 2 * count:
        raise InputError(f"{name}: the file is cut short")
    samples = np.frombuffer(data, ">u2", count, match.end())
    if top != 65535:
        # The same rule as for 8 bits: the maximum value is white.
        samples = np.rint(samples * (65535 / top)).clip(0, 65535)
    pixels = samples.astype(np.uint16).reshape(height, width, channels)
    space = "gray" if channels == 1 else "rgb"
    return Picture("PPM", space, False, pixels.dtype, (height, width), [Frame(pixels)])


def encode_pnm(pixels: NDArray[Any]) -> bytes:
    """Encode an array (H, W, 1 or 3) of uint8 or uint16 as binary PGM or PPM.

    >>> encode_pnm(np.zeros((1, 2, 1), np.uint16))
    b'P5\\n2 1\\n65535\\n\\x00\\x00\\x00\\x00'
    """
    height, width, channels = pixels.shape
    kind = 5 if channels == 1 else 6
    head = f"P{kind}\n{width} {height}\n{np.iinfo(pixels.dtype).max}\n".encode()
    return head + pixels.astype(pixels.dtype.newbyteorder(">"), copy=False).tobytes()
