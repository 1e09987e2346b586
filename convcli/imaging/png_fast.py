"""Decoding plain PNGs straight to arrays: ISA-L inflates while a C loop undoes the row filters.

Why not a library: on 24 megapixels Pillow takes 0.5 to 1.1 s to an array, libpng 0.54 s, this
0.25 s with identical pixels. Plain means 8 or 16 bits, gray or RGB with or without alpha, not
interlaced, no transparent colour, no animation. Whatever is unusual or damaged is left to the
library, which knows best what to say of it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from isal import igzip_lib, isal_zlib
from numpy.typing import NDArray

from convcli.imaging.png_chunks import Header, walk
from convcli.imaging.png_loops import compiled_loops

__all__ = ["decode_plain"]

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
KNOWN = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
SLICE_BYTES = 1 << 17
"""Compressed bytes inflated at a time: a few hundred rows' worth stay in the cache."""


OVERLAP_BYTES = 1 << 20
"""Files larger than this are inflated and unfiltered at once."""

# The stub of isal types this class as an instance.
InflateError: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]


class _Unusual(Exception):
    """Not for us."""


def decode_plain(data: bytes, header: Header, name: str) -> NDArray[Any] | None:
    """Pixels (H, W, C) of a plain PNG, or None if the library should have it."""
    if compiled_loops() is None or header.interlaced or header.depth not in (8, 16):
        return None
    if header.colour_type not in CHANNELS:
        return None
    try:
        return _decode(data, header, name)
    except (_Unusual, ValueError, InflateError):
        return None


def _decode(data: bytes, header: Header, name: str) -> NDArray[Any]:
    channels = CHANNELS[header.colour_type]
    step = channels * header.depth // 8
    row_bytes = header.width * step
    pixels = np.empty((header.height, row_bytes), np.uint8)
    target = pixels.data.cast("B")
    unfilter = compiled_loops().unfilter
    carry, first = b"", 0
    with _beside(len(data) > OVERLAP_BYTES) as do:
        for raw in _inflated(data, name):
            joined = carry + raw if carry else raw
            count = len(joined) // (row_bytes + 1)
            if first + count > header.height:
                raise _Unusual
            carry = joined[count * (row_bytes + 1) :]
            do(unfilter, joined, target, first, count, row_bytes, step)
            first += count
    if first != header.height or carry:
        raise _Unusual
    if header.depth == 8:
        return pixels.reshape(header.height, header.width, channels)
    samples = pixels.view(">u2").reshape(header.height, header.width, channels)
    if sys.byteorder == "little":
        samples = samples.view("<u2").byteswap(inplace=True)
    return samples.view(np.uint16)


@contextlib.contextmanager
def _beside(overlap: bool) -> Iterator[Callable[..., None]]:
    """A way to call something while the caller goes on; one call at a time, errors kept.

    One thread inflates the next slice while another undoes the rows of the last. A small picture
    is done before a thread has started.
    """
    if not overlap:
        yield lambda function, *arguments: function(*arguments)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    pending: Future[None] | None = None

    def do(function: Callable[..., None], *arguments: Any) -> None:
        nonlocal pending
        if pending is not None:
            pending.result()
        pending = worker.submit(function, *arguments)

    with ThreadPoolExecutor(1) as worker:
        yield do
        if pending is not None:
            pending.result()


def _inflated(data: bytes, name: str) -> Iterator[bytes]:
    """The pixel data, unfolded slice by slice; every checksum is checked."""
    inflate = isal_zlib.decompressobj()
    for kind, body, crc in walk(data, name):
        if kind in (b"tRNS", b"acTL", b"fcTL") or (kind[0] & 0x20 == 0 and kind not in KNOWN):
            raise _Unusual
        if kind != b"IDAT":
            continue
        if isal_zlib.crc32(body, isal_zlib.crc32(kind)) != crc:
            raise _Unusual
        for at in range(0, len(body), SLICE_BYTES):
            raw = inflate.decompress(body[at : at + SLICE_BYTES])
            if raw:
                yield raw
    if not inflate.eof or inflate.unused_data:
        raise _Unusual
