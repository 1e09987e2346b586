"""The fields of a TIFF, as raw bytes: of its pages, and of EXIF blocks, which are TIFFs without
pixels.

A library that takes a text apart has to guess its encoding, and puts together other bytes than it
read, or refuses to. So what travels along is read and written here, and libraries do the pixels.

A directory is never changed where it stands: a new one is written at the end, with the old fields
and the new ones, and the link to the old one is led there. No value moves, so that what points to
it still does: the strips of a page, and whatever a camera has put into its maker notes.

Source: TIFF 6.0, section 2; the design of BigTIFF, libtiff.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import IO, TypeAlias

from convcli.records import NamedTuple

__all__ = [
    "ASCII",
    "BITS",
    "BLACK_IS_ZERO",
    "BYTE",
    "DOUBLE",
    "EXIF",
    "GPS",
    "KIND",
    "LONG",
    "PALETTE",
    "RATIONAL",
    "RGB",
    "SAMPLES",
    "SHORT",
    "WHITE_IS_ZERO",
    "Field",
    "Fields",
    "Read",
    "TiffReader",
    "append_fields",
    "directories",
]

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, DOUBLE = 1, 2, 3, 4, 5, 7, 12
LONG8, SLONG8, IFD8 = 16, 17, 18
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
SIZES |= {13: 4, LONG8: 8, SLONG8: 8, IFD8: 8}
RATIONALS = (5, 10)
ADDRESSES = (13, IFD8)
"""Kinds of values that are places in the file."""
EXIF, GPS, INTEROP = 34665, 34853, 40965
DIRECTORIES = (EXIF, GPS, INTEROP)
"""Fields that point to a directory of more fields, which travels along."""
MOST_DEEP = 3
BITS, KIND, SAMPLES = 258, 262, 277
"""Tags of a page: bits of each sample, how samples become colours, samples of a pixel."""
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = 0, 1, 2, 3
"""Some of those kinds."""

Read: TypeAlias = Callable[[int, int], bytes]
"""Where to read, and how many bytes; fewer come where the file ends."""


class Field(NamedTuple):
    """A field's type by its number in TIFF, and its value, the low byte first."""

    kind: int
    data: bytes
    fields: Fields | None = None
    """Of a directory that it points to, instead of a value."""

    def numbers(self) -> tuple[float, ...]:
        """The value of a type of whole numbers or of floating point."""
        code = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 16: "Q"}
        return struct.unpack(f"<{len(self.data) // SIZES[self.kind]}{code[self.kind]}", self.data)


Fields: TypeAlias = dict[int, Field]
"""By tag."""


class _Layout(NamedTuple):
    """What differs between little-endian and big-endian, TIFF and BigTIFF."""

    order: str
    big: bool

    @property
    def link(self) -> int:
        """Where the link to the first directory stands."""
        return 8 if self.big else 4

    @property
    def counts(self) -> str:
        """Format of the number of a directory's fields."""
        return self.order + ("Q" if self.big else "H")

    @property
    def word(self) -> str:
        """Format of an address."""
        return self.order + ("Q" if self.big else "I")

    @property
    def entry(self) -> str:
        """Format of a field: tag, type, count, and the value or its address."""
        return self.order + ("HHQ8s" if self.big else "HHI4s")


def _layout(head: bytes) -> _Layout:
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    version = struct.unpack(f"{order or '<'}H", head[2:4])[0] if len(head) >= 8 else 0
    if order is None or version not in (42, 43):
        raise ValueError("no TIFF header")
    return _Layout(order, version == 43)


def _swapped(kind: int, data: bytes, order: str) -> bytes:
    """A value in the other byte order, if that is not low byte first."""
    size = 4 if kind in RATIONALS else SIZES[kind]
    if order == "<" or size == 1:
        return data
    return b"".join(data[i : i + size][::-1] for i in range(0, len(data), size))


class TiffReader:
    """Reads directories.

    Parameters
    ----------
    read
        Gives bytes of the file.
    size
        Of the file. Different values of more bytes in all are not read: they lie over each other.
    skip
        Tags whose values are not wanted.

    Attributes
    ----------
    lost
        Tags whose values lie beyond the end of the file, are of no known type, or are places in
        the file, which say nothing in another one.
    """

    def __init__(self, read: Read, size: int, skip: Collection[int] = ()) -> None:
        self._read, self._room, self._skip = read, size, skip
        self._layout = _layout(read(0, 16))
        self.first = self._word(self._layout.link)
        self.lost: set[int] = set()
        self._values: dict[tuple[int, int], bytes] = {}

    def _bytes(self, at: int, size: int) -> bytes:
        data = self._read(at, size)
        if len(data) != size:
            raise ValueError("directory beyond the end")
        return data

    def _word(self, at: int) -> int:
        word = self._layout.word
        return int(struct.unpack(word, self._bytes(at, struct.calcsize(word)))[0])

    def directory(self, at: int, depth: int = 0) -> tuple[Fields, int]:
        """The fields of a directory, and where the next one is (0 for none).

        Raises
        ------
        ValueError
            If it lies beyond the end of the file.
        """
        layout, fields = self._layout, Fields()
        head = struct.calcsize(layout.counts)
        (count,) = struct.unpack(layout.counts, self._bytes(at, head))
        size = struct.calcsize(layout.entry)
        self._room -= min(count, 65536) * size
        if count > 65536 or self._room < 0:
            raise ValueError("directory beyond the end")
        table = self._bytes(at + head, count * size)
        for tag, kind, n, inline in struct.iter_unpack(layout.entry, table):
            if tag in self._skip:
                continue
            field = self._field(tag, kind, n, inline, depth)
            if field is None:
                self.lost.add(tag)
            else:
                fields[tag] = field
        return fields, self._word(at + head + len(table))

    def _field(self, tag: int, kind: int, n: int, inline: bytes, depth: int) -> Field | None:
        order = self._layout.order
        if tag in DIRECTORIES:
            try:
                at = struct.unpack_from(self._layout.word, inline)[0]
                if kind not in (LONG, *ADDRESSES, LONG8) or depth >= MOST_DEEP:
                    return None
                return Field(LONG, b"", self.directory(at, depth + 1)[0])
            except ValueError:
                return None
        size = n * SIZES.get(kind, 0)
        if kind in ADDRESSES or not size:
            return None
        data = inline[:size]
        if size > len(inline):
            data = self._value(struct.unpack(self._layout.word, inline)[0], size)
        return Field(kind, _swapped(kind, data, order)) if len(data) == size else None

    def _value(self, at: int, size: int) -> bytes:
        """Pages may share values, which are read once."""
        if (at, size) not in self._values:
            if size > self._room:
                return b""
            self._room -= size
            self._values[at, size] = self._read(at, size)
        return self._values[at, size]


def directories(reader: TiffReader, most: int) -> Iterator[Fields]:
    """Every page's fields, at most so many; ends where a chain runs into itself."""
    at, seen = reader.first, set[int]()
    while at and at not in seen and len(seen) < most:
        seen.add(at)
        fields, at = reader.directory(at)
        yield fields


def append_fields(
    file: IO[bytes], pages: Sequence[Fields], instead_of: Collection[int] = ()
) -> None:
    """Give the pages of a TIFF these fields, in place of those of the same tags and of some more.

    An EXIF block may have no page yet, and gets one.
    """
    file.seek(0)
    layout = _layout(file.read(16))
    writer, link = _Writer(file, layout), layout.link
    for fields in pages:
        entries, following = writer.entries_at(writer.word_at(link))
        kept = {tag: entry for tag, entry in entries.items() if tag not in instead_of}
        at, end = writer.directory(kept | writer.entries_of(fields), following)
        writer.set_word(link, at)
        link = end


class _Writer:
    """Writes at the end of a file, and links to what stands there."""

    def __init__(self, file: IO[bytes], layout: _Layout) -> None:
        self._file, self._layout = file, layout

    def word_at(self, at: int) -> int:
        word = self._layout.word
        self._file.seek(at)
        return int(struct.unpack(word, self._file.read(struct.calcsize(word)))[0])

    def set_word(self, at: int, value: int) -> None:
        self._file.seek(at)
        self._file.write(struct.pack(self._layout.word, value))

    def entries_at(self, at: int) -> tuple[dict[int, bytes], int]:
        """The entries of a directory as they stand, and the address of the next."""
        if not at:
            return {}, 0
        layout, size = self._layout, struct.calcsize(self._layout.entry)
        self._file.seek(at)
        head = self._file.read(struct.calcsize(layout.counts))
        (count,) = struct.unpack(layout.counts, head)
        table = self._file.read(count * size)
        parts = [table[i : i + size] for i in range(0, len(table), size)]
        entries = {struct.unpack_from(layout.order + "H", part)[0]: part for part in parts}
        return entries, self.word_at(at + len(head) + len(table))

    def entries_of(self, fields: Fields) -> dict[int, bytes]:
        """Entries of fields, whose values and directories are written."""
        entries = {}
        for tag, field in fields.items():
            if not self._layout.big and field.kind in (LONG8, SLONG8):
                continue  # places and sizes in the BigTIFF that it comes from
            entries[tag] = self._entry(tag, field)
        return entries

    def _entry(self, tag: int, field: Field) -> bytes:
        layout = self._layout
        if field.fields is not None:
            at, _ = self.directory(self.entries_of(field.fields), 0)
            return self._packed(tag, LONG8 if layout.big else LONG, 1, struct.pack(layout.word, at))
        data = _swapped(field.kind, field.data, layout.order)
        count = len(data) // SIZES[field.kind]
        if len(data) > struct.calcsize(layout.word):
            data = struct.pack(layout.word, self._append(data))
        return self._packed(tag, field.kind, count, data)

    def _packed(self, tag: int, kind: int, count: int, inline: bytes) -> bytes:
        return struct.pack(self._layout.entry, tag, kind, count, inline)

    def directory(self, entries: dict[int, bytes], following: int) -> tuple[int, int]:
        """Write a directory; gives where it stands, and where its link to the next one."""
        layout = self._layout
        table = b"".join(entries[tag] for tag in sorted(entries))
        data = struct.pack(layout.counts, len(entries)) + table
        at = self._append(data + struct.pack(layout.word, following))
        return at, at + len(data)

    def _append(self, data: bytes) -> int:
        end = self._file.seek(0, 2)
        at = end + end % 2  # values begin on a word
        self._file.write(bytes(at - end) + data)
        return at
