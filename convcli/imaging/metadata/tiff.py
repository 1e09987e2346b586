"""What the pages of a TIFF say besides their pixels, and the same said in EXIF.

EXIF is a TIFF directory, so captions, camera and place have the same tags in both: what a page says
goes into the EXIF of a JPEG, and what the EXIF of a JPEG says becomes fields of a page.
"""

from __future__ import annotations

import io
import struct

from convcli.imaging.header import Metadata
from convcli.imaging.metadata.georeference import POSITION
from convcli.imaging.metadata.photoshop import iptc_of
from convcli.imaging.metadata.profiles import sound_profile
from convcli.imaging.metadata.tiff_fields import (
    ASCII,
    BYTE,
    LONG,
    RATIONAL,
    SHORT,
    UNDEFINED,
    Field,
    Fields,
    Read,
    TiffReader,
    append_fields,
    directories,
)
from convcli.imaging.metadata.upright import take_orientation

__all__ = [
    "CAPTIONS",
    "DESCRIPTION",
    "IPTC",
    "PHOTOSHOP",
    "RESOLUTION",
    "X_RESOLUTION",
    "Y_RESOLUTION",
    "exif_block",
    "exif_dpi",
    "exif_fields",
    "page_fields",
    "read_pages",
    "resolution",
    "text_field",
]

MAX_PAGES = 10_000

CAPTIONS = {
    269: "DocumentName",
    270: "ImageDescription",
    271: "Make",
    272: "Model",
    285: "PageName",
    305: "Software",
    306: "DateTime",
    315: "Artist",
    316: "HostComputer",
    33432: "Copyright",
    40091: "XPTitle",
    40092: "XPComment",
    40093: "XPAuthor",
    40094: "XPKeywords",
    40095: "XPSubject",
    18246: "Rating",
    18249: "RatingPercent",
}
"""Fields that readers of EXIF look for in its first directory, and readers of TIFF in a page."""
COMPRESSION, ORIENTATION, X_RESOLUTION, Y_RESOLUTION, UNIT = 259, 274, 282, 283, 296
DESCRIPTION, SUBPAGES, IPTC, PHOTOSHOP, LAYERS, PROFILE, PACKET = (
    *(270, 330, 33723, 34377, 37724, 34675, 700),
)
RESOLUTION = (X_RESOLUTION, Y_RESOLUTION, UNIT)
NO_UNIT, INCH, CENTIMETRE = 1, 2, 3

STRUCTURE = frozenset(
    # Sizes, samples, strips, tiles and tables of compressions, which the writer says anew; the
    # least and largest sample, which a filter changes; curves for samples of the old depth.
    (
        *(254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281),
        *(284, 288, 289, 290, 291, 292, 293, 317, 320, 322, 323, 324, 325, 326, 327, 328, 332),
        *(333, 334, 336, 338, 339, 340, 341, 342, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521),
        *(529, 530, 531, 532, 32995, 32996, 32997, 32998, 50674),
        *(PROFILE, PACKET, SUBPAGES, LAYERS),  # these go, or have gone, another way
    )
)
UNREAD = STRUCTURE - {COMPRESSION, ORIENTATION, PROFILE, PACKET, SUBPAGES, LAYERS}
DNG = (50706, 50707)
"""The version of a raw picture, with which a filtered one would be developed a second time."""
NOT_IN_EXIF = (ORIENTATION, *RESOLUTION)


def read_pages(read: Read, size: int, notes: list[str], most: int = MAX_PAGES) -> list[Metadata]:
    """What travels along with each page of a TIFF of so many bytes; ``notes`` hear what is damaged.

    It tells of upright pixels.
    """
    pages: list[Metadata] = []
    reader = TiffReader(read, size, UNREAD)
    try:
        for fields in directories(reader, most):
            pages.append(_page_metadata(fields, reader.lost, notes))
            reader.lost = set()
    except ValueError:
        notes.append("its last pages are damaged; what they say was left out")
    for page in pages[1:]:
        pages[0].stale += page.stale
    return pages


def _page_metadata(fields: Fields, lost: set[int], notes: list[str]) -> Metadata:
    meta = Metadata(compression=_number(fields, COMPRESSION), dpi=_dpi(fields))
    if meta.dpi is None and _number(fields, UNIT) == NO_UNIT:
        meta.aspect = _aspect(fields)
    profile, packet = fields.get(PROFILE), fields.get(PACKET)
    meta.xmp = packet.data if packet else None
    meta.icc = sound_profile(profile.data, notes) if profile else None
    gone = {
        "pictures below a page": SUBPAGES in fields or SUBPAGES in lost,
        "layers": LAYERS in fields,
        "that it is a raw picture (DNG)": any(tag in DNG for tag in fields),
    }
    meta.stale = [what for what, found in gone.items() if found]
    meta.stale += [f"TIFF tag {tag}" for tag in sorted(lost - STRUCTURE)]
    meta.fields = {tag: f for tag, f in fields.items() if tag not in STRUCTURE and tag not in DNG}
    orientation = take_orientation(meta, notes, _number(fields, ORIENTATION))
    if orientation >= 5:
        _swap(meta.fields)
    if orientation != 1 and POSITION & meta.fields.keys():
        # Readers of georeferences know no orientation, and place the pixels as they are stored.
        meta.stale.append("georeference of pixels that were turned")
        meta.fields = {tag: f for tag, f in meta.fields.items() if tag not in POSITION}
    return meta


def _swap(fields: Fields) -> None:
    """The resolution of a picture whose axes have changed places."""
    found = [fields.pop(tag, None) for tag in (Y_RESOLUTION, X_RESOLUTION)]
    for tag, field in zip((X_RESOLUTION, Y_RESOLUTION), found, strict=True):
        if field is not None:
            fields[tag] = field


def _number(fields: Fields, tag: int) -> int | None:
    field = fields.get(tag)
    return int(field.numbers()[0]) if field and field.kind in (SHORT, LONG) else None


def _dpi(fields: Fields) -> tuple[float, float] | None:
    factor = {None: 1.0, INCH: 1.0, CENTIMETRE: 2.54}.get(_number(fields, UNIT), 0.0)
    x, y = (_ratio(fields.get(tag)) * factor for tag in (X_RESOLUTION, Y_RESOLUTION))
    return (x, y) if x > 0 and y > 0 else None


def _aspect(fields: Fields) -> tuple[int, int] | None:
    across, down = (_ratio(fields.get(tag)) for tag in (X_RESOLUTION, Y_RESOLUTION))
    if across <= 0 or down <= 0:
        return None
    from fractions import Fraction

    pair = Fraction(across / down).limit_denominator(10_000)
    return pair.numerator, pair.denominator


def _ratio(field: Field | None) -> float:
    if field is None or field.kind != RATIONAL:
        return 0.0
    top, bottom = struct.unpack("<II", field.data[:8])
    return float(top / bottom) if bottom else 0.0


def page_fields(meta: Metadata) -> Fields:
    """The fields that a page of a TIFF is given."""
    fields = dict(meta.fields)
    if meta.exif is not None:
        fields = {**exif_fields(meta.exif), **fields}
    if X_RESOLUTION not in fields and meta.dpi is not None:
        fields |= _resolution(meta.dpi, INCH)
    elif X_RESOLUTION not in fields and meta.aspect is not None:
        fields |= _resolution(meta.aspect, NO_UNIT)
    if meta.photoshop is not None:
        fields.setdefault(PHOTOSHOP, Field(BYTE, meta.photoshop))
        records = iptc_of(meta.photoshop)
        if records is not None:
            fields.setdefault(IPTC, Field(UNDEFINED, records))
    if meta.xmp is not None:
        fields[PACKET] = Field(BYTE, meta.xmp)
    if meta.icc is not None:
        fields[PROFILE] = Field(UNDEFINED, meta.icc)
    return fields


def exif_fields(exif: bytes) -> Fields:
    """The first directory of an EXIF block with those below it, but for its resolution.

    That of the thumbnail is not the first; a damaged block has none: pixels matter more than the
    date they were taken.
    """
    try:
        reader = TiffReader(_reading(exif), len(exif), STRUCTURE)
        fields, _ = reader.directory(reader.first)
    except ValueError:
        return {}
    return {tag: field for tag, field in fields.items() if tag not in NOT_IN_EXIF}


def _reading(data: bytes) -> Read:
    return lambda at, size: data[at : at + size]


def exif_block(exif: bytes | None, fields: Fields) -> bytes | None:
    """The block with these fields in its first directory too; a new one if there is none."""
    if not fields:
        return exif
    file = io.BytesIO(exif or b"II*\0\0\0\0\0")
    file.seek(0, 2)
    append_fields(file, [fields])
    return file.getvalue()


def exif_dpi(exif: bytes | None) -> tuple[float, float] | None:
    """The resolution that an EXIF block states, in dots per inch."""
    try:
        reader = TiffReader(_reading(exif or b""), len(exif or b""), UNREAD)
        return _dpi(reader.directory(reader.first)[0])
    except ValueError:
        return None


def resolution(dpi: tuple[float, float]) -> Fields:
    """Fields that state a resolution, as exactly as TIFF can."""
    return _resolution(dpi, INCH)


def _resolution(dots: tuple[float, float], unit: int) -> Fields:
    from fractions import Fraction

    pairs = [Fraction(value).limit_denominator(10_000) for value in dots]
    if not all(0 < pair.numerator < 2**32 for pair in pairs):
        return {}
    fields = {
        tag: Field(RATIONAL, struct.pack("<II", pair.numerator, pair.denominator))
        for tag, pair in zip((X_RESOLUTION, Y_RESOLUTION), pairs, strict=True)
    }
    return {**fields, UNIT: Field(SHORT, struct.pack("<H", unit))}


def text_field(text: bytes) -> Field:
    """A text as TIFF has it: with a zero at its end."""
    return Field(ASCII, text + b"\0")
