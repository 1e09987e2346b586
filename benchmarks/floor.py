"""What a filter of a PNG cannot do without: read, inflate, copy, deflate, write. No filter at all.

    python benchmarks/floor.py IN.png OUT.png [--no-sync]

The floor of benchmarks/process.py. The bytes go through the libraries of convcli (ISA-L inflates,
the loops that pack photographs for it deflate, or ISA-L where they are not built; strips of a
megabyte that end with a full flush), one thread inflating beside as many as there are processors
that copy and deflate; files are written as convcli does,
into a temporary that the disk has before it takes the other's place, or with ``--no-sync`` as most
programs do. NumPy is not imported, nor anything else that is not needed. The rows stay as they are
filtered in the file, so undoing and choosing PNG's filters is no part of it, and the result has the
same pixels.
"""

import io
import os
import struct
import sys
import threading
from collections import deque
from collections.abc import Iterator

from isal import isal_zlib

try:
    from convcli._png import pack as pack_codes
except ImportError:  # not built, or before it had its own
    pack_codes = None

READ, STRIP, FLUSHED = 768 << 10, 1 << 20, 1 << 22
BASE, FULL_FLUSH, FINISH, DEFLATED = 65521, 3, 4, 8


def chunks(file: object) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk, the file behind its head; whoever asks reads the data."""
    file.seek(8)
    while head := file.read(8):
        length, kind = struct.unpack(">I4s", head)
        yield kind, length


def strips(path: str, kept: list[tuple[bytes, bytes]]) -> Iterator[memoryview]:
    """The inflated data, cut into strips; other chunks before it go into ``kept``."""
    inflate = isal_zlib.decompressobj()
    gathered, size, rest, started = [], 0, b"", False
    with io.BufferedReader(io.FileIO(path), READ) as file:
        for kind, length in chunks(file):
            data = file.read(length)
            file.read(4)
            if kind == b"IDAT":
                started = True
                gathered.append(data)
                size += length
            elif not started:
                kept.append((kind, data))
            if size >= READ or kind == b"IEND":
                block = rest + inflate.decompress(b"".join(gathered))
                gathered, size = [], 0
                view, cut = memoryview(block), 0
                while len(block) - cut > STRIP:
                    yield view[cut : cut + STRIP]
                    cut += STRIP
                rest = block[cut:]
    yield memoryview(rest)


def pack(strip: memoryview, last: bool) -> tuple[bytes, int, int]:
    """A copy of it deflated, its checksum and its length."""
    copied = bytes(strip)
    if pack_codes is not None and copied:
        made = pack_codes(copied, last)
    else:
        deflate = isal_zlib.compressobj(1, DEFLATED, -15)
        made = deflate.compress(copied) + deflate.flush(FINISH if last else FULL_FLUSH)
    return made, isal_zlib.adler32(copied), len(copied)


class Packers:
    """Threads that pack strips, whose results are taken in order."""

    def __init__(self, count: int) -> None:
        self.waiting: deque[tuple[list, memoryview, bool]] = deque()
        self.change = threading.Condition()
        for _ in range(count):
            threading.Thread(target=self.work, daemon=True).start()

    def work(self) -> None:
        while True:
            with self.change:
                while not self.waiting:
                    self.change.wait()
                place, strip, last = self.waiting.popleft()
            made = pack(strip, last)
            with self.change:
                place.append(made)
                self.change.notify_all()

    def put(self, strip: memoryview, last: bool) -> list:
        place: list = []
        with self.change:
            self.waiting.append((place, strip, last))
            self.change.notify_all()
        return place

    def take(self, place: list) -> tuple[bytes, int, int]:
        with self.change:
            while not place:
                self.change.wait()
        return place[0]


def join(first: int, second: int, length: int) -> int:
    """Adler-32 of two byte strings joined."""
    a1, b1, a2, b2 = first & 0xFFFF, first >> 16, second & 0xFFFF, second >> 16
    return (b1 + b2 + length * (a1 - 1)) % BASE << 16 | (a1 + a2 - 1) % BASE


class Output:
    """Chunks to a file; the disk begins early, as with convcli."""

    def __init__(self, path: str, sync: bool) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self.sync, self.written, self.begun = sync, 0, 0
        self.write(b"\x89PNG\r\n\x1a\n")

    def write(self, data: bytes) -> None:
        self.written += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self.fd, view) :]
        if self.sync and self.written - self.begun >= FLUSHED and hasattr(os, "posix_fadvise"):
            span = self.begun, self.written - self.begun
            os.posix_fadvise(self.fd, *span, os.POSIX_FADV_DONTNEED)
            self.begun = self.written

    def chunk(self, kind: bytes, data: bytes) -> None:
        check = isal_zlib.crc32(data, isal_zlib.crc32(kind))
        self.write(struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", check))


def copy(source: str, target: str, sync: bool) -> None:
    """The whole file, with bounded memory."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packers, kept = Packers(count or 1), []
    output = Output(f"{target}.part", sync)
    places: deque[list] = deque()
    checksum, head = 1, b"\x78\x01"

    def drain(most: int) -> None:
        nonlocal checksum, head
        while len(places) > most:
            made, adler, length = packers.take(places.popleft())
            output.chunk(b"IDAT", head + made)
            head, checksum = b"", join(checksum, adler, length)

    before = None
    for strip in strips(source, kept):
        if before is None:
            for kind, data in kept:
                output.chunk(kind, data)
        else:
            places.append(packers.put(before, False))
        before = strip
        drain(4 * (count or 1))
    places.append(packers.put(before, True))
    drain(0)
    output.chunk(b"IDAT", struct.pack(">I", checksum))
    output.chunk(b"IEND", b"")
    if sync:
        os.fsync(output.fd)
    os.close(output.fd)
    os.replace(f"{target}.part", target)  # noqa: PTH105 - pathlib's import would be a part of the floor


if __name__ == "__main__":
    copy(sys.argv[1], sys.argv[2], "--no-sync" not in sys.argv)
    sys.stdout.flush()
    os._exit(0)  # as convcli does: the interpreter is not taken apart
