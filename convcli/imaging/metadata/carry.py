"""Which format has room for what a picture says, and what becomes of the rest.

Formats say what they have room for (``Format.carries``); :func:`carry` turns what a file said into
what another can say, and names what it cannot. Of what has no place of its own much finds one in
EXIF or in the fields of a page; arrays have no place for anything. Writers write all that they are
given.
"""

from __future__ import annotations

from convcli.imaging.formats import Format
from convcli.imaging.formats.png.metadata import says_nothing, text_of
from convcli.imaging.header import Header, Metadata
from convcli.imaging.metadata.georeference import GEO
from convcli.imaging.metadata.nodata import NO_DATA, no_data_text
from convcli.imaging.metadata.photoshop import with_iptc
from convcli.imaging.metadata.stack_description import kind_of_stack
from convcli.imaging.metadata.tiff import (
    CAPTIONS,
    DESCRIPTION,
    IPTC,
    PHOTOSHOP,
    RESOLUTION,
    exif_block,
    exif_dpi,
    exif_fields,
    resolution,
    text_field,
)
from convcli.imaging.metadata.tiff_fields import EXIF, GPS, Fields
from convcli.records import NamedTuple

__all__ = ["carried", "carry"]

NAMES = {
    "icc": "ICC profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "photoshop": "IPTC and Photoshop block",
    "dpi": "resolution",
    "aspect": "shape of a pixel",
    "comments": "comment",
}
MOST_NAMED = 12
KEYWORDS = {
    "Title": 269,
    "Description": 270,
    "Author": 315,
    "Copyright": 33432,
    "Software": 305,
}
"""Texts of a PNG that have a field of their own in EXIF and TIFF."""


class _Left(NamedTuple):
    """What has found no place yet."""

    fields: Fields
    comments: list[bytes]
    lost: list[str]


def carry(picture: Header, fmt: Format) -> None:
    """Let a picture say what a format has room for, and one note name the rest."""
    picture.meta, lost = carried(picture.meta, fmt)
    parts = {
        f"{fmt.name} has no place for that": lost,
        "true of the old pixels only": list(dict.fromkeys(picture.meta.stale)),
    }
    said = "; ".join(f"{_listed(names)} ({why})" for why, names in parts.items() if names)
    if said:
        picture.notes.append(f"left out: {said}")
    if picture.nodata is not None and "nodata" not in fmt.carries.split():
        value = no_data_text(picture.nodata)
        picture.notes.append(f"its no-data value {value} is not said by {fmt.name}")


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def carried(meta: Metadata, fmt: Format) -> tuple[Metadata, list[str]]:
    """What a file of a format can say of it, and the names of what it cannot."""
    room = frozenset(fmt.carries.split())
    new = meta.but(fields={})
    left = _Left(dict(meta.fields), list(meta.comments), [])
    taken = set(meta.fields) | set(exif_fields(meta.exif) if meta.exif else ())
    if "png_chunks" not in room:
        new.png_chunks = []
        _place_texts(meta, taken, left)
    if "comments" not in room and room & {"exif", "fields"}:
        _place_comment(taken, left)
    new.comments = left.comments
    if "fields" in room:
        new.fields = left.fields
    else:
        _place_fields(new, left, room)
    if "dpi" not in room and "exif" in room:
        _place_resolution(new)
    if "aspect" not in room and new.aspect and new.aspect[0] == new.aspect[1]:
        new.aspect = None  # a square, as everybody assumes
    _drop(new, fmt, room, left.lost)
    return new, list(dict.fromkeys(left.lost))


def _place_texts(meta: Metadata, taken: set[int], left: _Left) -> None:
    """What the chunks of a PNG say, for a format that has none."""
    for kind, body in meta.png_chunks:
        keyword, text = text_of(kind, body)
        tag = KEYWORDS.get(keyword)
        if keyword == "Comment":
            left.comments.append(text.encode())
        elif tag and tag not in taken:
            left.fields[tag] = text_field(text.encode())
            taken.add(tag)
        elif keyword:
            left.lost.append(f"text {keyword!r}")
        elif not says_nothing(kind, body, meta):
            left.lost.append(f"chunk {kind.decode('latin-1')}")


def _place_comment(taken: set[int], left: _Left) -> None:
    """A comment is the description of a picture that has no other."""
    if left.comments and DESCRIPTION not in taken:
        left.fields[DESCRIPTION] = text_field(left.comments.pop(0))


def _place_fields(new: Metadata, left: _Left, room: frozenset[str]) -> None:
    """What a page of a TIFF says, for a format that has no pages: most of it is EXIF."""
    fields, lost = left.fields, left.lost
    for tag in RESOLUTION:
        fields.pop(tag, None)  # they stand in ``dpi`` and ``aspect``
    fields.pop(NO_DATA, None)  # in the header
    iptc, resources = fields.pop(IPTC, None), fields.pop(PHOTOSHOP, None)
    if iptc or resources:
        records = iptc.data if iptc else None
        new.photoshop = with_iptc(resources.data if resources else b"", records)
    kind = kind_of_stack(fields[DESCRIPTION].data) if DESCRIPTION in fields else None
    if kind:
        del fields[DESCRIPTION]
        if kind != "tifffile":  # which describes nothing but the size of an array
            lost.append(f"description by {kind}")
    own = {tag: fields.pop(tag) for tag in (*CAPTIONS, EXIF, GPS) if tag in fields}
    if "exif" in room:
        new.exif = exif_block(new.exif, own)
    else:
        lost += [CAPTIONS.get(tag, NAMES["exif"]) for tag in own]
    if GEO & fields.keys():
        lost.append("georeference")
    lost += [f"TIFF tag {tag}" for tag in sorted(fields.keys() - GEO)]


def _place_resolution(new: Metadata) -> None:
    """In EXIF, where a format has no other place for it."""
    if new.dpi is not None:
        if exif_dpi(new.exif) != new.dpi:
            new.exif = exif_block(new.exif, resolution(new.dpi))
        new.dpi = None


def _drop(new: Metadata, fmt: Format, room: frozenset[str], lost: list[str]) -> None:
    """Take away what the format has no place for."""
    for name, called in NAMES.items():
        value, most = getattr(new, name), fmt.room.get(name)
        if not value or (name in room and (most is None or len(value) <= most)):
            continue
        lost.append(called if name not in room else f"{called} of more than {most:,} bytes")
        setattr(new, name, [] if name == "comments" else None)
    lost += [name for of, name, _ in new.blocks if of != fmt.name]
    new.blocks = [block for block in new.blocks if block[0] == fmt.name]
