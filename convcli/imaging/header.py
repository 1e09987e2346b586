"""What is known of a picture before a pixel is read, and all that travels along with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.records import Record, field

if TYPE_CHECKING:
    from convcli.imaging.array_axes import Axes
    from convcli.imaging.metadata.changes import Changes
    from convcli.imaging.metadata.tiff_fields import Fields

__all__ = [
    "COLOURS",
    "GEO_KEYS",
    "Header",
    "Metadata",
    "as_sample",
    "full_scale",
    "is_light",
    "widened",
]

COLOURS = {"gray": 1, "rgb": 3, "cmyk": 4}
"""Number of colour channels of each colour space, alpha not counted.

Beside them there is ``bands``: any number of bands of which nothing says that they are colours.
"""


GEO_KEYS = 34735
"""The field of a TIFF that says in which coordinates its pixels lie."""


class Metadata(Record):
    """What a file says about its pixels, in the forms that the writers need."""

    icc: bytes | None = None
    exif: bytes | None = None
    """A TIFF structure, without the ``Exif`` header that JPEG puts before it."""
    xmp: bytes | None = None
    photoshop: bytes | None = None
    """Photoshop's image resources, of which IPTC's captions are one."""
    dpi: tuple[float, float] | None = None
    aspect: tuple[int, int] | None = None
    """Dots across and down for the same length, where no unit of length is given."""
    comments: list[bytes] = field(default_factory=list)
    fields: Fields = field(default_factory=dict)
    """What a page of a TIFF says that has no home in the other fields."""
    blocks: list[tuple[str, str, bytes]] = field(default_factory=list)
    """What only one format has a place for: the format, the block's name in it, the block."""
    stale: list[str] = field(default_factory=list)
    """Names of what the source said that would not be true of any other picture."""
    loop: int | None = None
    pfm_scale: float | None = None
    """The third number of a PFM's header: the unit of its samples, which are kept as they are."""
    background: int | None = None
    png_chunks: list[tuple[bytes, bytes]] = field(default_factory=list)
    """PNG chunks that have no home in the other fields: text, gamma, time, other people's."""
    jpeg: dict[str, Any] = field(default_factory=dict)
    """Quantisation tables and subsampling of the source, if it was a JPEG."""
    lossless: bool = True
    """Whether the source's own compression was lossless (WebP comes both ways)."""
    compression: int | None = None
    """TIFF's number of it."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Metadata) and vars(self) == vars(other)

    @property
    def silent(self) -> bool:
        """Whether nothing is said, as of most small pictures: nothing need be imported then."""
        said = (self.icc, self.exif, self.xmp, self.photoshop, self.dpi, self.aspect)
        lists = (self.comments, self.fields, self.blocks, self.png_chunks, self.stale)
        return not any(said) and not any(lists)


class Header(Record):
    """What a source, a stage or a sink says of its pixels.

    Parameters
    ----------
    format
        Name of the format, as in ``PNG``.
    space, alpha
        Colour space, a key of ``COLOURS`` or ``bands``, and whether a channel of alpha follows.
    dtype
        Type of the samples: of white 255, 65535, or 1.0 for floating point.
    size
        Height and width in pixels, upright; of the first page where pages differ.
    """

    format: str
    space: str
    alpha: bool
    dtype: np.dtype[Any]
    size: tuple[int, int]
    bands: int = field(default=0, kw_only=True)
    """How many there are in the space ``bands``."""
    nodata: float | int | None = field(default=None, kw_only=True)
    """The value that stands for a missing sample, if the file declares one; NaN may be it."""
    n_frames: int = field(default=1, kw_only=True)
    animated: bool = field(default=False, kw_only=True)
    still_first: bool = field(default=False, kw_only=True)
    """Whether the first frame is what programs without animation show, and no part of it."""
    flat: bool = field(default=False, kw_only=True)
    """Whether an array of samples has no axis of channels."""
    axes: Axes | None = field(default=None, kw_only=True)
    """Those of the source's array, where they are named: frames are the planes along them."""
    changes: Changes | None = field(default=None, kw_only=True)
    """How pixels lie beside the source's, for files that say where theirs are."""
    chunks: tuple[int, int] | None = field(default=None, kw_only=True)
    """Rows and columns that are stored together, where that matters."""
    meta: Metadata = field(default_factory=Metadata, kw_only=True)
    notes: list[str] = field(default_factory=list, kw_only=True)
    """What the user should hear about: metadata that had to be dropped and the like."""
    name: str = field(default="picture", kw_only=True)
    """For messages."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels, alpha counted."""
        return (*self.size, self.colours + self.alpha)

    @property
    def is_raster(self) -> bool:
        """Whether samples are values in units of their own, as far as the file says.

        They are if their type is none of pictures, if a value stands for missing ones, if bands
        are not said to be colours, and if the file tells where on the earth they lie. Otherwise
        they are light, from black to white.
        """
        bands, declared = self.space == "bands", self.nodata is not None
        return bands or declared or GEO_KEYS in self.meta.fields or not is_light(self.dtype)

    @property
    def colours(self) -> int:
        """Number of channels, alpha not counted."""
        return self.bands or COLOURS[self.space]

    def said(self) -> dict[str, Any]:
        """All that it says, by name."""
        return {name: getattr(self, name) for name in Header._fields}

    def but(self, **changes: Any) -> Header:
        """A header that says the same but for the ``changes``."""
        return Header(**self.said() | changes)


def is_light(dtype: Any) -> bool:
    """Whether pictures have samples of this type: from black to a white that is known.

    >>> is_light("uint16"), is_light("int16"), is_light("uint32"), is_light("float32")
    (True, False, False, True)
    """
    dtype = np.dtype(dtype)
    return bool(dtype.kind == "f" or (dtype.kind == "u" and dtype.itemsize <= 2))


def full_scale(dtype: Any) -> float:
    """The value of white: 255, 65535, or 1.0 for floating point; of alpha, the largest of its type.

    Of 64 bits the largest that is a floating-point number too.

    >>> full_scale("uint16")
    65535.0
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        return 1.0
    most = int(np.iinfo(dtype).max)
    return float(most) if dtype.itemsize < 8 else float(np.nextafter(float(most), 0))


def as_sample(value: float | int, dtype: np.dtype[Any]) -> float | int | None:
    """A value as samples of the type hold it; None if they cannot.

    >>> as_sample(-9999.0, np.dtype("int16")), as_sample(-9999, np.dtype("uint8"))
    (-9999, None)
    """
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            held = float(np.float64(str(value)).astype(dtype))  # of any number of digits
        return None if math.isinf(held) and abs(value) != math.inf else held
    if dtype.kind not in "iu" or value != value or abs(value) == math.inf or value != int(value):
        return None
    limits = np.iinfo(dtype)
    return int(value) if limits.min <= value <= limits.max else None


def widened(bits: int) -> str:
    """The note on samples that come at a greater depth than they are stored with.

    >>> widened(1)
    'its 1-bit samples were widened to 8 bits'
    >>> widened(12)
    'its 12-bit samples were put into 16 bits as they are'
    """
    if bits < 8:
        return f"its {bits}-bit samples were widened to 8 bits"
    return f"its {bits}-bit samples were put into 16 bits as they are"
