"""Decoding plain PNGs as their bytes come: ISA-L inflates while C loops undo the row filters.

Why not a library: on 24 megapixels Pillow takes 0.5 to 1.1 s to an array, libpng 0.54 s, this
0.1 s with identical pixels. Plain means 8 or 16 bits, gray or RGB with or without alpha, not
interlaced, no transparent colour, no palette, no animation. Whatever is unusual or damaged is left
to libpng, which knows best what to say of it; so nothing is read here that it would refuse.

Its rows come all at once (:func:`read_plain`), or in bands, of which only some are in memory
(:class:`PlainFile`).

NumPy is not needed, so that a thread can begin before it is imported; and the lock of the
interpreter, which an import holds, is asked for as seldom as can be.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
from collections.abc import Callable, Iterator
from typing import Protocol

from isal import igzip_lib, isal_zlib

from convcli.errors import InputError
from convcli.extensions import extension
from convcli.imaging.formats.png.chunks import SIGNATURE, Ihdr, chunk, read_ihdr
from convcli.imaging.formats.png.rows import CHANNELS, AllRows, Bands, Unusual
from convcli.imaging.row_stream import RowStream
from convcli.records import NamedTuple
from convcli.system.files import read_at
from convcli.system.machine import Buffer
from convcli.system.threads import Beside

__all__ = ["Plain", "PlainFile", "read_plain"]

UNUSUAL = (b"tRNS", b"acTL", b"fcTL")
END = chunk(b"IEND", b"")
MOST_BEHIND = 1 << 12
"""Bytes behind its end that are looked at: all of them zeros are not worth a word."""
SLAB_BYTES = 3 << 18
"""Most bytes read at a time, and most of a chunk that holds no pixels but is kept."""
RAW_BYTES = 1 << 20
"""Most bytes inflated at a time, so that no bomb fills the memory; with more, each time in fresh
memory, inflating takes a third longer."""

# The stub of isal types this class as an instance.
InflateError: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]


class _Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class Plain(NamedTuple):
    """A decoded plain PNG.

    ``pixels`` holds the samples row by row, in the machine's byte order; ``rest`` is the file
    without its pixel data, as far as its end mark.
    """

    header: Ihdr
    rest: bytes
    pixels: Buffer


def read_plain(
    file: _Readable, size: int, max_pixels: int, going_on: Callable[[], bool] = lambda: True
) -> Plain | None:
    """Decode a plain PNG, or give None if the library should have it, or say what is wrong.

    Parameters
    ----------
    file
        Where its bytes are read from; unbuffered is best.
    size
        How many there are, about.
    max_pixels
        Larger pictures are not begun.
    going_on
        Asked between slabs of the file; once it says no, the rest is left.
    """
    if extension("_png").module is None:
        return None
    try:
        return _Reader(file, size).decode(max_pixels, going_on)
    except (Unusual, InputError, ValueError, struct.error, InflateError):
        return None


class _Slab:
    """The part of a file that is at hand."""

    def __init__(self, file: _Readable, size: int) -> None:
        self._file = file
        # An eighth of a small file: inflating the first is to begin soon.
        self._buffer = memoryview(bytearray(min(SLAB_BYTES, max(1 << 16, size // 8))))
        self._start = self._end = 0

    def __len__(self) -> int:
        return len(self._buffer)

    @property
    def at_hand(self) -> memoryview:
        """What was read and not yet used."""
        return self._buffer[self._start : self._end]

    def use(self, count: int) -> None:
        """Leave so many bytes behind."""
        self._start += count

    def take(self, count: int) -> bytes:
        """The next bytes, read where they are not at hand."""
        while self._end - self._start < count:
            self.fill()
        out = bytes(self.at_hand[:count])
        self.use(count)
        return out

    def fill(self) -> None:
        """Read on, after what is at hand."""
        if not self.fill_if_more():  # the file ends too soon, or what is wanted does not fit
            raise Unusual

    def fill_if_more(self) -> bool:
        """The same where there is more, and room for it."""
        left = bytes(self.at_hand)
        self._buffer[: len(left)] = left
        self._start, self._end = 0, len(left)
        got = self._file.readinto(self._buffer[len(left) :])
        self._end += got or 0
        return bool(got)


class _Reader:
    """One file on its way to pixels."""

    def __init__(self, file: _Readable, size: int) -> None:
        self._slab = _Slab(file, size)
        self._in_threads = size > 2 * len(self._slab)
        self._rest = bytearray()

    def header(self) -> Ihdr:
        """The header of a picture that is plain as far as that says."""
        self._rest += self._slab.take(len(SIGNATURE))
        if self._rest != SIGNATURE:
            raise Unusual
        self._take(*self._next())
        header = read_ihdr(bytes(self._rest), "")  # which checks it
        if header.interlaced or header.depth not in (8, 16) or header.colour_type not in CHANNELS:
            raise Unusual
        return header

    def decode(self, max_pixels: int, going_on: Callable[[], bool]) -> Plain:
        """The picture."""
        header = self.header()
        if header.width * header.height > max_pixels:
            raise Unusual
        rows = AllRows(header)
        for _ in self._inflate(rows.undo, rows.raw_bytes):
            if not going_on():
                raise Unusual
        return Plain(header, bytes(self._rest), rows.finished())

    def bands(self, rest: bytes, room: Callable[[int], Buffer]) -> Iterator[memoryview]:
        """Its rows, some at a time, of a file that without its pixel data is ``rest``."""
        rows = Bands(self.header(), room)
        for _ in self._inflate(rows.undo, rows.raw_bytes):
            yield from rows.full()
        rows.finish()
        if bytes(self._rest) != rest:
            raise Unusual
        yield from rows.full()

    def _inflate(self, undo: Callable[[bytes], None], raw_bytes: int) -> Iterator[None]:
        """Inflate piece after piece, and beside it undo the last rows and read the next piece."""
        inflate = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_ZLIB)
        pieces = self._pieces()
        raw = b""
        piece = next(pieces, None)
        if piece is None or not _zlib_header(bytes(piece[:2]), raw_bytes):
            raise Unusual

        def undo_and_read(raw: bytes, read: bool) -> memoryview | None:
            undo(raw)
            return next(pieces, None) if read else None

        with Beside(self._in_threads) as beside:
            while not inflate.eof:
                # It keeps what it did not come to, and asks for more when it has used it up.
                read = bool(inflate.needs_input)
                if read and piece is None:
                    raise Unusual
                yield
                beside.begin(undo_and_read, raw, read)
                raw = inflate.decompress(piece if read else b"", RAW_BYTES)
                following = beside.result()
                piece = following if read else piece
        undo(raw)
        if inflate.unused_data or piece is not None:
            raise Unusual

    def _pieces(self) -> Iterator[memoryview]:
        """The compressed data in pieces, each of which stays until the next but one is made."""
        this, other = (memoryview(bytearray(len(self._slab))) for _ in range(2))
        gather = extension("_png").module.gather
        left, kind = self._kept(b"IDAT")
        crc = isal_zlib.crc32(kind)
        while left >= 0:
            used, made, left, crc = gather(self._slab.at_hand, left, crc, this)
            self._slab.use(used)
            if made:
                yield this[:made]
                this, other = other, this
            if left >= 0:
                self._slab.fill()
        self._take(*self._kept(b"IEND"))
        if not self._rest.endswith(END):
            raise Unusual
        while len(self._slab.at_hand) < MOST_BEHIND and self._slab.fill_if_more():
            pass
        self._rest += self._slab.at_hand[:MOST_BEHIND]  # what follows the end, to be told of

    def _next(self) -> tuple[int, bytes]:
        """Length and type of the next chunk."""
        length, kind = struct.unpack(">I4s", self._slab.take(8))
        return length, kind

    def _kept(self, until: bytes) -> tuple[int, bytes]:
        """Length and type of the next chunk of a kind; the ancillary ones before it are kept."""
        while True:
            length, kind = self._next()
            if kind == until:
                return length, kind
            _check_kept(kind)
            self._take(length, kind)

    def _take(self, length: int, kind: bytes) -> None:
        """Keep a chunk."""
        self._rest += struct.pack(">I4s", length, kind)
        self._rest += self._slab.take(length + 4)


class PlainFile:
    """A plain PNG whose rows are made from the first on, as often as they are asked for.

    What stands behind its pixels is read before them, since a result says it before its own.

    ``fd`` is its own from now on.

    Raises
    ------
    ValueError
        If the library should have it.
    """

    def __init__(self, fd: int) -> None:
        self._file = io.FileIO(fd)
        try:
            self._size = os.fstat(fd).st_size
            self.header = self._reader().header()
            self.rest = _without_pixels(fd)
            if extension("_png").module is None:
                raise Unusual
        except (InputError, OSError, ValueError, struct.error) as error:
            self.close()
            raise Unusual from error

    def stream(self) -> RowStream:
        """Its rows, of which the first ones begin to be made."""
        header = self.header
        row_bytes = header.width * CHANNELS[header.colour_type] * header.depth // 8
        return RowStream(header.height, row_bytes, self._bands)

    def _bands(self, room: Callable[[int], Buffer]) -> Iterator[memoryview]:
        """All rows, some at a time: samples in the machine's byte order."""
        return self._reader().bands(self.rest, room)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def _reader(self) -> _Reader:
        self._file.seek(0)
        return _Reader(self._file, self._size)


def _check_kept(kind: bytes) -> None:
    """Refuse a chunk that changes what the pixels are."""
    if kind[0] & 0x20 == 0 or not kind.isalpha() or kind in UNUSUAL:
        raise Unusual


def _without_pixels(fd: int) -> bytes:
    """The chunks of a file but for its pixel data; what follows its end, as far as that is told of.

    Where chunks of pixel data are alike in size it is taken that those between are too: reading the
    pixels shows whether they were.
    """

    def head(at: int) -> tuple[int, bytes]:
        length, kind = struct.unpack(">I4s", read_at(fd, 8, at))
        return length, kind

    rest, at, kind = bytearray(SIGNATURE), len(SIGNATURE), b""
    while kind != b"IEND":
        length, kind = head(at)
        if kind != b"IDAT":
            if length > SLAB_BYTES:
                raise Unusual
            if kind not in (b"IHDR", b"IEND"):
                _check_kept(kind)
            rest += read_at(fd, 12 + length, at)
            at += 12 + length
            continue
        many = 1
        with contextlib.suppress(struct.error):  # past the end
            while head(at + 2 * many * (12 + length)) == (length, kind):
                many *= 2
        at += many * (12 + length)
    return bytes(rest + read_at(fd, MOST_BEHIND, at))


def _zlib_header(head: bytes, raw_bytes: int) -> bool:
    """Whether zlib takes the head of the compressed data as ISA-L does, who hardly looks at it.

    Deflate with at most 32 KB of window, no dictionary, and its check (RFC 1950, section 2.2). With
    a smaller window, zlib refuses what reaches back farther, for which the picture must be larger.
    """
    if len(head) < 2 or head[0] & 15 != 8 or head[0] > 0x78 or head[1] & 0x20:
        return False
    whole = head[0] == 0x78 or raw_bytes <= 256 << (head[0] >> 4)
    return whole and int.from_bytes(head, "big") % 31 == 0
