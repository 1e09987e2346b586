"""The picture formats: the one list of them, and what a format is.

Nothing of a format is imported before it is asked for, and its readers and writers not before
they run: the list is walked from the beginning until the format is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from convcli.errors import InputError, UsageError
from convcli.records import NamedTuple

if TYPE_CHECKING:
    import io

    from convcli.imaging.atomic import Data
    from convcli.imaging.formats.raw import RawLayout
    from convcli.imaging.header import Header, Metadata
    from convcli.imaging.sink import Sink
    from convcli.imaging.source import Source

__all__ = [
    "ARRAYS",
    "HEAD_BYTES",
    "NUMBERS",
    "PICTURES",
    "Coding",
    "Finish",
    "Format",
    "every_format",
    "format_of_file",
    "format_of_name",
    "format_of_path",
    "format_of_suffix",
    "is_array_folder",
    "is_array_name",
    "named",
    "pictures",
    "recognised",
    "sniff",
]

PICTURES = {
    "png": "PNG",
    "jpeg": "JPEG",
    "tiff": "TIFF",
    "webp": "WebP",
    "gif": "GIF",
    "bmp": "BMP",
    "pnm": "PPM, PFM",
    "avif": "AVIF",
}
"""The files and folders beside this one that hold formats, in the order in which users see them
and in which first bytes are looked at, and how help texts spell what is in them."""

ARRAYS = {"zarr": "Zarr", "npy": ".npy", "raw": ""}
"""Those that hold samples and nothing else."""

NUMBERS = "int8 uint8 int16 uint16 int32 uint32 int64 uint64 float32 float64"
"""Types of samples that arrays hold."""

HEAD_BYTES = 64
"""First bytes of a file, by which it is recognised."""

Finish: TypeAlias = "Callable[[str, int], Source]"
"""Makes a picture of what was read ahead; given the file's name and the most pixels allowed."""


class Coding(NamedTuple):
    """How a picture is to be encoded, as far as a format has the choice."""

    quality: int | None = None
    """1 to 100; None keeps the source's own, where that can be."""
    compression: str = "default"
    threads: int = 1


class Format:
    """What files of a format look like, what they can hold, how they are read and written.

    A file of :data:`FORMATS` derives a class from this, and has one object of each format that
    it knows in a list of its own called ``FORMATS``. Of a picture it defines at least
    ``recognises``, ``read``, ``decoded_bytes`` and ``encode``; of an array ``open`` and ``create``.
    """

    name: str
    """As users see it, in capitals."""
    suffixes: tuple[str, ...]
    """Endings of file names, the usual one first."""
    spaces: str
    """Colour spaces that it holds, with ``a`` for alpha."""
    dtypes: str = "uint8"
    """Types of samples that it holds."""
    animations = False
    """Whether it holds frames that are shown one after the other."""
    pages = False
    """Whether it holds pages, which need not be of one size."""
    stacks = False
    """Whether it holds planes of one size along named axes."""
    longest = 2**31 - 1
    """Most pixels a side."""

    loop: int | None = None
    """How often an animation is shown whose file does not say; None is for ever, as elsewhere."""
    still_first = False
    """Whether it can hold a picture before an animation that is no part of it."""
    carries: str = ""
    """What it has a place for, by the names of :class:`convcli.imaging.header.Metadata`; ``nodata``
    of :class:`convcli.imaging.header.Header`."""
    room: ClassVar[Mapping[str, int]] = {}
    """Most bytes of one of them, where there is a limit."""

    in_parts = False
    """Whether it is stored so that parts of a picture can be read and written."""
    flows = False
    """Whether rows can be read in order with ``open``, and written so with ``create`` to the bytes
    that ``encode`` gives: large pictures go band by band, and only some of it is in memory."""
    is_array = False
    """Whether it holds samples and nothing else, known by its file's name: no pipe can carry it."""
    is_folder = False
    """Whether it is no file but a folder of files, or as many objects behind a URL."""
    needs_layout = False
    """Whether nothing in it says what its samples are."""

    decode_ns = 4.0
    """Nanoseconds of one thread for a byte of samples, of photographs, roughly: for ``auto``, on a
    machine as fast as that of the engine's cost table."""
    encode_ns = 14.0
    """The same to encode them."""

    def holds(self, space: str, alpha: bool, dtype: str) -> bool:
        """Whether a picture fits without losing anything."""
        return space + "a" * alpha in self.spaces.split() and dtype in self.dtypes.split()

    @property
    def suffix(self) -> str:
        """The usual ending of a file name."""
        return self.suffixes[0]

    def loses(self, picture: Header, quality: int | None) -> bool:
        """Whether samples that it holds may be others when they are read again."""
        return False

    def recognises(self, head: bytes) -> bool:
        """Whether a file with these first bytes, 64 or all, is of this format."""
        return False

    def recognises_folder(self, path: str) -> bool:
        """Whether a folder is of this format, whatever it is called."""
        return False

    def read(self, data: bytes, name: str, max_pixels: int) -> Source:
        """Decode a file at its own depth, upright.

        Sizes are checked before anything is allocated (``limits.check_size``), and a file that is
        cut short is refused, also where a library would make up what is missing; what follows the
        end of a picture is left out with a note. Whatever else a library raises counts as damage.

        Raises
        ------
        InputError
            If it is damaged, larger than ``max_pixels``, or has samples that cannot be kept.
        """
        raise NotImplementedError(f"a file of {self.name} is opened, and not decoded from bytes")

    def decoded_bytes(self, data: bytes, name: str) -> int:
        """Bytes of the samples that are decoded at a time, by the header alone; it may be cut."""
        raise NotImplementedError(f"a file of {self.name} is opened, and not decoded from bytes")

    def prefetch(
        self, file: io.FileIO, size: int, max_pixels: int, wanted: Callable[[], bool]
    ) -> Callable[[], Finish | None] | None:
        """How a thread reads a large file of so many bytes ahead; None if that does not pay.

        What the thread needs is imported at once. It gives up when nothing is ``wanted`` any more.
        """
        return None

    def encode(self, picture: Source, coding: Coding) -> Data:
        """A file of all frames of a picture that the format holds, perhaps made as it is taken.

        An ``OSError`` or ``ValueError`` says that it cannot be made.
        """
        raise NotImplementedError(f"{self.name} is written part by part")

    def open(
        self, path: str, name: str, max_pixels: int, layout: RawLayout | None
    ) -> Source | None:
        """A picture that is read part by part; None for a file that can only be read whole."""
        return None

    def create(
        self, path: str, header: Header, like: Source, coding: Coding
    ) -> AbstractContextManager[Sink]:
        """A file that is written part by part, or a folder, which holds more when the block ends.

        Parameters
        ----------
        path
            Where there is an empty file, or nothing where a folder is to be.
        header
            Of the result.
        like
            Where it comes from, for what is stored as the source is.
        coding
            How it is to be encoded, as far as there is a choice.
        """
        raise NotImplementedError(f"{self.name} is encoded whole")

    def whole_rows(self, meta: Metadata, space: str, alpha: bool) -> bool:
        """Whether parts have to be as wide as the picture."""
        return False

    def chunks(self, like: Source, shape: tuple[int, ...]) -> tuple[int, int] | None:
        """Rows and columns of a piece of the file that no two may write to at once, if any are."""
        return None


def every_format() -> Iterator[Format]:
    """All of them in order, each imported when it is reached."""
    return _of([*PICTURES, *ARRAYS])


def pictures() -> Iterator[Format]:
    """Those that say themselves what they are, and can be piped."""
    return _of([*PICTURES])


def _of(files: list[str]) -> Iterator[Format]:
    for file in files:
        yield from import_module(f"{__name__}.{file}").FORMATS


def named(name: str) -> Format | None:
    """The format of a :class:`convcli.imaging.header.Header`; None for a picture of no file."""
    return next((f for f in every_format() if f.name == name), None)


def format_of_suffix(path: str) -> Format | None:
    """The format that a file name ends with, if it ends with one."""
    suffix = PurePath(path).suffix.lower()
    return next((f for f in every_format() if suffix in f.suffixes), None) if suffix else None


def is_array_name(path: str) -> bool:
    """Whether a file name is that of an array."""
    found = format_of_suffix(path)
    return found is not None and found.is_array


def is_array_folder(path: str) -> bool:
    """Whether a folder is an array: by its name, or, as one in a group, by what is in it."""
    return is_array_name(path) or any(f.recognises_folder(path) for f in every_format())


def format_of_path(path: str) -> Format:
    """The picture format that a file name asks for.

    >>> format_of_path("a/b.JPG").name
    'JPEG'
    """
    found = format_of_suffix(path)
    if found is None or found.is_array:
        suffix = PurePath(path).suffix
        what = f"the suffix {suffix!r} of {path!r}" if suffix else f"{path!r} has no suffix, which"
        raise UsageError(
            f"{what} names no format that can be written; use one of "
            + " ".join(f.suffix for f in pictures())
        )
    return found


def format_of_file(path: str, *, raw: bool = False) -> Format:
    """The format that a file name asks for, arrays included; ``raw`` samples where it names none.

    >>> format_of_file("a.npy").name, format_of_file("a.bin", raw=True).name
    ('NPY', 'RAW')
    """
    found = format_of_suffix(path)
    if found is None and raw:
        return next(f for f in every_format() if f.needs_layout)
    return found if found is not None and found.is_array else format_of_path(path)


def format_of_name(name: str) -> Format:
    """The picture format called ``name``, as in ``png``, ``jpg`` or ``tiff``.

    >>> format_of_name("jpg").name
    'JPEG'
    """
    key = name.lower().lstrip(".")
    for found in pictures():
        if key == found.name.lower() or f".{key}" in found.suffixes:
            return found
    raise UsageError(
        f"format {name!r} is not known; allowed: " + ", ".join(f.name.lower() for f in pictures())
    )


def recognised(head: bytes) -> Format | None:
    """The format of a file with these first bytes."""
    return next((f for f in every_format() if f.recognises(head)), None)


def sniff(data: bytes, name: str) -> Format:
    """The format of a file by its first bytes.

    Raises
    ------
    InputError
        If it is none of the formats; the suffix is never believed.
    """
    head = bytes(data[:HEAD_BYTES])
    found = recognised(head)
    if found is not None:
        return found
    if not head:
        raise InputError(f"{name}: the file is empty")
    listed = ", ".join(f.name for f in pictures())
    raise InputError(f"{name}: not a picture in a format that is read: {listed}")
