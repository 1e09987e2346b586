"""Writing PNG straight from arrays: strips of rows filtered and deflated in parallel.

Why not a library: encoding is most of the time that a user waits for a large photograph. On
24 megapixels Pillow takes 4.9 s and libpng at its fastest 1.55 s; strips deflated in two threads
take 0.07 s. Each strip ends with a full flush, so that the strips joined are one valid zlib stream
(RFC 1950, RFC 1951).

Nothing is joined in memory: a file is written part by part, beside the making of the next.

The same picture gives the same bytes, however often, beside whatever and in whatever memory it is
written; the tasks that a cluster runs twice rely on it, and ``tests/imaging/test_same_bytes.py``
holds it true. Strips are cut by the size of the picture and not by the number of threads; without
compiled loops NumPy takes the very same filters and codes; and what ISA-L makes of a strip is kept
from depending on where in memory it lies: see :mod:`convcli.imaging.formats.png.packing`. Other
releases of ISA-L and zlib, and ISA-L on other kinds of processors, may pack the same pixels into
other bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from convcli.extensions import extension
from convcli.imaging.formats.png.chunks import Ihdr, assemble, chunk, chunk_parts
from convcli.imaging.formats.png.metadata import metadata_chunks
from convcli.imaging.formats.png.packing import PACKERS
from convcli.imaging.header import Metadata
from convcli.imaging.source import Plane
from convcli.imaging.strips import taken
from convcli.records import NamedTuple
from convcli.system.threads import in_order

__all__ = ["apng_parts", "encode_png", "png_of_rows", "png_parts"]

STRIP_BYTES = {"default": 1 << 20, "small": 1 << 22}
"""Most raw bytes of a strip: long ones lose less at their seams, short ones share work evenly."""
STRIPS, LEAST_BYTES = 16, 1 << 16
"""Small pictures are cut into so many, but none shorter. Whatever the number of threads, so that
it does not change the file."""
THREADED_BYTES = 1 << 21
"""Raw bytes from which on threads are worth their start; 2.3 ms for half as many without."""
CACHED_BYTES = 1 << 16
"""Bytes of rows that NumPy filters at a time, so that they and the guesses stay in the cache."""
SAMPLED_ROWS = 8
MANY_STRIPS = 3
"""Strips from which on rows that come together, of wide pictures, are much memory to keep."""
NONE, SUB, UP, AVERAGE, PAETH = range(5)
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
ADLER_BASE = 65521


def encode_png(
    pixels: NDArray[Any], meta: Metadata, *, threads: int = 1, compression: str = "default"
) -> bytes:
    """Encode an array (H, W, C) of uint8 or uint16; C is 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA.

    Examples
    --------
    >>> encode_png(np.zeros((2, 3, 1), np.uint8), Metadata())[1:4]
    b'PNG'
    """
    return b"".join(png_parts(pixels, meta, threads=threads, compression=compression))


def png_parts(
    pixels: NDArray[Any], meta: Metadata, *, threads: int = 1, compression: str = "default"
) -> Iterator[bytes]:
    """The same in parts, to be written one after the other as they are made."""
    shape, depth = pixels.shape, pixels.dtype.itemsize * 8
    return png_of_rows(shape, depth, [pixels], meta, threads=threads, compression=compression)


def png_of_rows(
    shape: tuple[int, ...],
    depth: int,
    rows: Iterable[NDArray[Any]],
    meta: Metadata,
    *,
    threads: int = 1,
    compression: str = "default",
) -> Generator[bytes, None, None]:
    """The same of rows that come some at a time: a strip for each thread and one more are kept."""
    header = _header(shape, depth)
    before = metadata_chunks(meta, header.depth, header.colour_type)
    stream = _deflate(shape, depth, rows, threads, compression)
    with closing(stream):
        data = (part for body in stream for part in chunk_parts(b"IDAT", body))
        yield from assemble(header, before, data)


def apng_parts(
    frames: Iterable[Plane],
    n_frames: int,
    meta: Metadata,
    *,
    still_first: bool = False,
    threads: int = 1,
    compression: str = "default",
) -> Iterator[bytes]:
    """An animation of ``n_frames`` frames of one shape, each stored whole, in parts.

    Every frame replaces the one before it, so frames that happen to be equal stay frames of
    their own, with their own durations. ``still_first`` says that the first is no part of the
    animation. Source: PNG, third edition, section 11.3.6.
    """
    pixels: list[bytes] = []
    header: Ihdr | None = None
    sequence = 0
    for index, frame in enumerate(frames):
        header = header or _header(frame.pixels.shape, frame.pixels.dtype.itemsize * 8)
        if index or not still_first:
            place = header.width, header.height, 0, 0
            control = struct.pack(">5I2H2B", sequence, *place, *_delay(frame.duration), 0, 0)
            pixels.append(chunk(b"fcTL", control))
            sequence += 1
        stream = _deflate(frame.shape, header.depth, [frame.pixels], threads, compression)
        if index == 0:
            pixels += [part for body in stream for part in chunk_parts(b"IDAT", body)]
        else:  # in one piece: imagecodecs reads no more
            data = [part for body in stream for part in body]
            pixels += chunk_parts(b"fdAT", [struct.pack(">I", sequence), *data])
            sequence += 1
    assert header is not None, "an animation has at least one frame"
    before = [(b"acTL", struct.pack(">II", n_frames - still_first, meta.loop or 0))]
    before += metadata_chunks(meta, header.depth, header.colour_type)
    return assemble(header, before, pixels)


def _delay(duration: float) -> tuple[int, int]:
    """Milliseconds as a fraction of a second, as near as two numbers of 16 bits come.

    >>> _delay(40.0), _delay(1000 / 30), _delay(1e9)
    ((1, 25), (1, 30), (65535, 1))
    """
    from fractions import Fraction

    seconds = Fraction(min(max(duration / 1000, 0), 65535))
    largest = min(65535, int(65535 / seconds)) if seconds else 1
    delay = seconds.limit_denominator(largest)
    return delay.numerator, delay.denominator


def _header(shape: tuple[int, ...], depth: int) -> Ihdr:
    height, width, channels = shape
    return Ihdr(width, height, depth, COLOUR_TYPES[channels], False)


class _Strip(NamedTuple):
    """Rows that are packed together, the one above them, if there is one, and whether they end it."""

    rows: NDArray[Any]
    above: NDArray[Any]
    last: bool


def _strips(pixels: Iterable[NDArray[Any]], height: int, rows: int) -> Iterator[_Strip]:
    """Cut rows that come some at a time into strips of so many."""
    held: list[NDArray[Any]] = []
    done, count, above = 0, 0, None
    for some in pixels:
        held.append(some)
        count += len(some)
        many = MANY_STRIPS * rows < len(some) < height
        del some  # the next ones take its room
        while count and (count >= rows or done + count == height):
            strip = taken(held, min(rows, count))
            if many:
                strip = strip.copy()  # or the last ones under way would keep all of it
            done, count = done + len(strip), count - len(strip)
            yield _Strip(strip, strip[:0] if above is None else above, done == height)
            above = strip[-1:].copy()  # a view would keep all of the strip


def _deflate(
    shape: tuple[int, ...],
    depth: int,
    pixels: Iterable[NDArray[Any]],
    threads: int,
    compression: str,
) -> Generator[list[bytes], None, None]:
    """The zlib stream of the filtered rows: the bodies of its chunks, each in parts.

    They come as they are made: what is done with one goes on beside the next.
    """
    height = shape[0]
    row_bytes = shape[1] * shape[2] * depth // 8
    strip_bytes = STRIP_BYTES[compression]
    if compression == "default":
        strip_bytes = min(strip_bytes, max(LEAST_BYTES, height * row_bytes // STRIPS))
    rows = max(1, strip_bytes // (row_bytes + 1))
    if height * row_bytes < THREADED_BYTES:
        threads = 1
    spare: list[bytearray] = []  # for threads to take turns with: fresh memory has to be cleared

    def packed(strip: _Strip) -> tuple[list[bytes], int, int]:
        length = len(strip.rows) * (row_bytes + 1)
        room = spare.pop() if spare else bytearray(rows * (row_bytes + 1))
        raw = memoryview(room)[:length]
        _filter(strip.rows, strip.above, raw)
        body = PACKERS[compression](raw, zlib.Z_FINISH if strip.last else zlib.Z_FULL_FLUSH)
        adler = isal_zlib.adler32(raw)
        raw.release()
        spare.append(room)
        return body, adler, length

    checksum, begin = 1, [b"\x78\x01"]
    with closing(in_order(packed, _strips(pixels, height, rows), threads)) as done:
        for body, adler, length in done:
            yield [*begin, *body]
            begin, checksum = [], _join_adler(checksum, adler, length)
    yield [struct.pack(">I", checksum)]


def _join_adler(first: int, second: int, length: int) -> int:
    """Adler-32 of two byte strings joined, from their own and the second's length.

    >>> a, b = b"convo", b"lution"
    >>> _join_adler(isal_zlib.adler32(a), isal_zlib.adler32(b), 6) == isal_zlib.adler32(a + b)
    True
    """
    a1, b1 = first & 0xFFFF, first >> 16
    a2, b2 = second & 0xFFFF, second >> 16
    a = (a1 + a2 - 1) % ADLER_BASE
    b = (b1 + b2 + length * (a1 - 1)) % ADLER_BASE
    return b << 16 | a


def _filter(pixels: NDArray[Any], above: NDArray[Any], raw: memoryview) -> None:
    """Rows as PNG wants them: a filter byte, then the filtered bytes."""
    rows, above = np.ascontiguousarray(pixels), np.ascontiguousarray(above)
    step = pixels.shape[2] * pixels.dtype.itemsize
    drawing = _is_drawing(rows.view(np.uint8).reshape(len(rows), -1), step)
    if not drawing and (loops := extension("_png").module) is not None:
        row_bytes = pixels.shape[1] * step
        swap = pixels.dtype != pixels.dtype.newbyteorder(">")
        loops.filter(rows, above, raw, len(rows), row_bytes, step, swap)
        return
    values, before = _row_bytes(rows), _row_bytes(above)
    out = np.frombuffer(raw, np.uint8).reshape(len(rows), -1)
    if drawing:
        out[:, 0], out[:, 1:] = NONE, values
    else:
        _filter_strip(values, before, out, step)


def _is_drawing(rows: NDArray[np.uint8], step: int) -> bool:
    """Whether a few rows show few changes: drawings, with long runs, deflate best unfiltered."""
    # (np.unique would import numpy.ma, 7 ms.)
    picks = sorted(set(np.linspace(0, rows.shape[0] - 1, SAMPLED_ROWS).astype(int)))
    changes = sum(int(np.count_nonzero(rows[n, step:] != rows[n, :-step])) for n in picks)
    return bool(changes * 8 <= len(picks) * rows.shape[1])


def _filter_strip(
    rows: NDArray[np.uint8], above: NDArray[np.uint8], out: NDArray[np.uint8], step: int
) -> None:
    """Without compiled loops, to the same bytes: each row by the filter that those would take.

    The least sum of absolute differences wins, of equal ones the first: PNG specification,
    section 12.7.
    """
    many = max(1, CACHED_BYTES // rows.shape[1])
    for start in range(0, len(rows), many):
        above = _filter_rows(rows[start : start + many], above, out[start : start + many], step)


def _filter_rows(
    rows: NDArray[np.uint8], above: NDArray[np.uint8], out: NDArray[np.uint8], step: int
) -> NDArray[np.uint8]:
    """A few of them, gives the last."""
    up = np.zeros_like(rows)
    up[: len(above)], up[1:] = above, rows[:-1]
    left, corner = np.zeros_like(rows), np.zeros_like(rows)  # before the first pixel there is 0
    left[:, step:], corner[:, step:] = rows[:, :-step], up[:, :-step]
    mean = (left & up) + ((left ^ up) >> 1)
    guesses = {SUB: left, UP: up, AVERAGE: mean, PAETH: _nearest(left, up, corner)}
    least = np.full(len(rows), np.iinfo(np.uint64).max)
    for kind, guess in guesses.items():
        differences = rows - guess
        sums = np.minimum(differences, -differences).sum(axis=1, dtype=np.uint64)
        best = sums < least
        least[best] = sums[best]
        out[best, 0] = kind
        out[best, 1:] = differences[best]
    return rows[-1:]


def _nearest(a: NDArray[np.uint8], b: NDArray[np.uint8], c: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Paeth's guess: of left, above and above left, the one nearest to a + b - c (section 9.4)."""
    to_a, to_b = np.maximum(b, c) - np.minimum(b, c), np.maximum(a, c) - np.minimum(a, c)
    # |a + b - 2c| is their difference where c lies between a and b. Elsewhere it is their sum,
    # which is never the least, and no byte could hold.
    to_c = np.maximum(to_a, to_b) - np.minimum(to_a, to_b) | _mask((b > c) == (a > c))
    guess: NDArray[np.uint8] = c ^ ((b ^ c) & _mask(to_b <= to_c))
    guess ^= (a ^ guess) & _mask(to_a <= np.minimum(to_b, to_c))
    return guess


def _mask(condition: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """All bits where it holds: taking bytes by a mask is 50 times as fast as ``np.where``."""
    return -condition.view(np.uint8)


def _row_bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    big_endian = pixels.astype(pixels.dtype.newbyteorder(">"), copy=False)
    row_bytes = pixels.shape[1] * pixels.shape[2] * pixels.dtype.itemsize
    return big_endian.view(np.uint8).reshape(pixels.shape[0], row_bytes)
