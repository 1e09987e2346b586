"""The only way in: files, standard input and URLs as sources of frames."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from convcli.errors import InputError, RoomError, UsageError
from convcli.imaging.ahead import take
from convcli.imaging.atomic import display_name
from convcli.imaging.files import STDIN, read_bytes
from convcli.imaging.formats import (
    HEAD_BYTES,
    every_format,
    format_of_file,
    format_of_suffix,
    recognised,
    sniff,
)
from convcli.imaging.limits import check_frames, check_size, decoding
from convcli.imaging.options import BASE_BYTES, LEAST_ROOM, most_pixels
from convcli.imaging.row_stream import DoesNotFlow, is_large
from convcli.imaging.source import Frame, Source
from convcli.imaging.urls import is_url, read_url
from convcli.records import NamedTuple
from convcli.system.files import open_to_read
from convcli.system.machine import free_memory

if TYPE_CHECKING:
    from convcli.imaging.formats.raw import RawLayout

__all__ = [
    "Limits",
    "decode_picture",
    "decoded_bytes",
    "fits",
    "name_of",
    "open_source",
    "open_stored",
    "read_at_once",
    "read_picture",
    "stored_source",
]

COPIES = 4
"""Arrays as large as the picture that are in memory when it is filtered whole: the input, the
result, and one more each while filtering and encoding."""


LEAST_BYTES = BASE_BYTES + 64 * 2**20
"""What a run without ``--memory`` may take however little is free: enough for small parts."""


class Limits(NamedTuple):
    """What a picture may take, and what is to be known of one that does not tell."""

    max_pixels: int | None = None
    """What the user allows, of every picture. Otherwise one that is decoded has at most
    :data:`convcli.imaging.options.MAX_PIXELS`, and one that is read where it is stored is as large as
    its file can hold: memory does not grow with it."""
    memory: int | None = None
    """Bytes that the user allows this process, the program included: what has to be read whole and
    does not fit is refused."""
    jobs: int = 1
    """Processes that share what is free where the user sets no limit: what has to be read whole and
    takes more than a share is left until a process has all of it."""
    raw: RawLayout | None = None
    bands: tuple[int, ...] = ()
    """Those that are wanted, counted from 1; all of them where it is empty."""

    @property
    def room(self) -> int:
        """Bytes that this process may take in all: ``memory``, or a quarter of what is free.

        Not below ``LEAST_BYTES``, unless asked for: a small array would be refused on a full
        machine.
        """
        if self.memory is not None:
            return self.memory
        return max(free_memory() // 4 // self.jobs, LEAST_BYTES)


def name_of(where: str) -> str:
    """A file or standard input, for messages."""
    return "standard input" if where == STDIN else display_name(where)


def open_source(
    where: str,
    limits: Limits,
    *,
    parts: bool = False,
    whole: bool = True,
    flows: bool = False,
    lap: Callable[[str], None] = lambda stage: None,
) -> Source:
    """Open a file, a URL, or standard input for ``-``.

    Pictures whose files are stored for it are read part by part as they are needed, if the result
    can be written so too and they are large; all others are decoded.

    Parameters
    ----------
    parts, whole
        Whether the result can be written part by part, or has to be encoded whole, or either.
    flows
        Whether a large picture may come whose rows are decoded as they are asked for, or that is
        read where it is stored (``Source.by_choice``), though it would fit: once it is planned it
        may be better read at once.
    lap
        Told when the bytes are read and have yet to be decoded.

    Raises
    ------
    InputError
        If the file is damaged or larger than is allowed.
    UsageError
        If there is no such file, or it does not fit into the memory that the user allows.
    """
    source = stored_source(where, limits, parts=parts, whole=whole, flows=flows)
    if source is not None:
        in_parts = parts and (source.n_frames == 1 or not whole)  # pages are encoded whole
        return source if in_parts else read_at_once(source, limits)
    name = name_of(where)
    source = _begun(where, name, limits, flows=flows, lap=lap)
    if source is None:
        data = read_url(where) if is_url(where) else read_bytes(where)
        if limits.memory is not None or (limits.jobs > 1 and len(data) > LEAST_ROOM):
            copies = COPIES if whole else 1
            _require(limits, name, len(data) + copies * decoded_bytes(data, name))
        lap("read")
        source = decode_picture(data, name, max_pixels=limits.max_pixels)
    source.name, source.flat = name, source.shape[2] == 1
    return _bands_of(source, limits)


def _begun(
    where: str, name: str, limits: Limits, *, flows: bool, lap: Callable[[str], None]
) -> Source | None:
    """A picture that was begun while the program started, or one that flows, if either is."""
    begun = take(where)
    try:
        source = None
        if begun is not None:
            source = begun.picture(name, most_pixels(limits.max_pixels))
        elif flows:
            source = _flowing(where, name, limits.max_pixels)
        if source is None:
            return None
        lap("read")
        return source if flows or not source.flows else read_at_once(source, limits)
    except DoesNotFlow:
        return None


def _flowing(where: str, name: str, max_pixels: int | None) -> Source | None:
    """A picture whose rows are decoded as they are asked for, of a file that has such."""
    if where == STDIN or is_url(where) or not Path(where).is_file():
        return None
    with contextlib.suppress(OSError), io.FileIO(open_to_read(where)) as file:
        found = recognised(file.read(HEAD_BYTES))
        most = most_pixels(max_pixels)
        source = found.open(where, name, most, None) if found and found.flows else None
        if source is None or is_large(*source.size):
            return source
        source.close()
    return None  # what is wrong is said by who reads it whole


def read_at_once(source: Source, limits: Limits) -> Source:
    """The source with all its pixels in memory, the file let go: damage is found before it goes on.

    Raises
    ------
    InputError
        If it is damaged.
    UsageError
        If it does not fit into the memory that the user allows.
    """
    with source:
        height, width = source.size
        check_size(source.name, width, height, most_pixels(limits.max_pixels))
        need = COPIES * math.prod(source.shape) * source.dtype.itemsize * source.n_frames
        _require(limits, source.name, need)
        frames = [Frame(plane.pixels) for plane in source.frames]
    source.frames = frames
    return source


def stored_source(
    where: str, limits: Limits, *, parts: bool, whole: bool, flows: bool = False
) -> Source | None:
    """A source that reads where the samples are stored; None if it is to be decoded.

    The arguments are those of :func:`open_source`.
    """
    if where == STDIN:
        return None
    found = format_of_suffix(where)
    can_be_decoded = found is not None and found.in_parts and not found.is_array
    if can_be_decoded and not parts:
        return None
    is_raw = limits.raw is not None and limits.raw.is_raw
    is_picture = not is_raw and found is not None and not found.in_parts
    if is_picture and not Path(where).is_dir():  # a folder may be an array, whatever it is called
        return None
    source = open_stored(where, limits.raw, limits.max_pixels)
    if source is None:
        return None
    if limits.max_pixels is not None:
        _check_stored(source, limits.max_pixels)
    could_be_whole = can_be_decoded and whole and fits(source, limits)
    if not could_be_whole or (flows and source.n_frames == 1 and is_large(*source.size)):
        source = _bands_of(source, limits)
        source.by_choice = could_be_whole
        return source
    source.close()
    return None


def _check_stored(source: Source, max_pixels: int) -> None:
    """Refuse what is stored in a file for being large, as decoders refuse what they decode."""
    height, width = source.size
    taken = math.prod(source.shape) * source.dtype.itemsize * source.n_frames
    try:
        check_size(source.name, width, height, max_pixels)
        check_frames(source.name, source.n_frames, taken, max_pixels)
    except InputError:
        source.close()
        raise


def _bands_of(source: Source, limits: Limits) -> Source:
    """The source with the bands that are wanted."""
    if not limits.bands:
        return source
    from convcli.imaging.band_choice import chosen

    try:
        return chosen(source, limits.bands)
    except UsageError:
        source.close()
        raise


def fits(source: Source, limits: Limits) -> bool:
    """Whether a picture may be decoded at once: its samples, in and out and encoded, fit."""
    if math.prod(source.size) > most_pixels(limits.max_pixels):
        return False
    need = math.prod(source.shape) * (source.dtype.itemsize * 4 + 4) + BASE_BYTES
    return need <= limits.room


def _require(limits: Limits, name: str, need: int) -> None:
    """Refuse what does not fit into the memory of this process, beside the program."""
    if limits.memory is not None:
        allowed = limits.memory
    elif limits.jobs > 1:
        allowed = free_memory() // limits.jobs
    else:
        return
    if need > max(allowed - BASE_BYTES, LEAST_ROOM):
        raise RoomError(
            f"{name}: it has to be read whole, which takes {(need + BASE_BYTES) / 2**20:,.0f} MB "
            "here; raise --memory"
        )


def open_stored(
    path: str, layout: RawLayout | None = None, max_pixels: int | None = None
) -> Source | None:
    """Open a picture to be read part by part, or give None where it can only be read whole.

    It may have more than ``max_pixels``, if the file is large enough to hold them.

    Raises
    ------
    InputError
        If the file is damaged.
    UsageError
        If it holds what is no picture, or a raw file has no ``layout``.
    """
    found = format_of_suffix(path)
    if is_url(path) and not (found and found.is_folder):
        return None  # fetched whole
    if layout is not None and layout.is_raw and not (found and found.in_parts):
        found = format_of_file("", raw=True)
    elif Path(path).is_dir():
        found = next((f for f in every_format() if f.recognises_folder(path)), found)
    most = most_pixels(max_pixels)
    return found.open(path, display_name(path), most, layout) if found else None


def read_picture(path: str, *, max_pixels: int | None = None) -> Source:
    """Read a picture file, or standard input for ``-``. See :func:`decode_picture`."""
    name = "standard input" if path == STDIN else path
    return decode_picture(read_bytes(path), name, max_pixels=max_pixels)


def decode_picture(data: bytes, name: str, *, max_pixels: int | None = None) -> Source:
    """Decode a picture in any of the formats, whatever its name says.

    Pixels come at the depth of the file, palettes expanded, 1 bit as 8 bits, turned upright.

    Raises
    ------
    InputError
        If the bytes are no picture, damaged, larger than ``max_pixels``, or hold samples that
        cannot be kept exactly.
    """
    found = sniff(data, name)
    with decoding(name, found.name):
        return found.read(data, name, most_pixels(max_pixels))


def decoded_bytes(data: bytes, name: str) -> int:
    """Bytes of the samples of a picture file: of the frame that is decoded at a time, or all pages.

    Told by its header alone.

    Raises
    ------
    InputError
        If there is no header of a picture.
    """
    found = sniff(data, name)
    with decoding(name, found.name):
        return found.decoded_bytes(data, name)
