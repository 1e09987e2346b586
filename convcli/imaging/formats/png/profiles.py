"""EXIF and XMP that stand in the text chunks of a PNG, as hex digits.

ImageMagick and ExifTool wrote them so before PNG had a chunk for EXIF, and ImageMagick still does.
Source: ImageMagick, ``coders/png.c``, "Raw profile type": name, length and digits in lines.
"""

from __future__ import annotations

import zlib

from convcli.imaging.header import Metadata

__all__ = ["take_profiles"]

TEXTS = (b"tEXt", b"zTXt", b"iTXt")
KEYWORDS = tuple(b"Raw profile type " + name for name in (b"exif", b"APP1", b"xmp"))
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
"""What blocks of JPEG begin with, which these are."""


def take_profiles(meta: Metadata, notes: dict[str, None]) -> None:
    """Move such profiles from the text chunks to where EXIF and XMP are looked for.

    A chunk of their own counts more. Texts have been unfolded before, so that none is too long.
    """
    rest = []
    for kind, raw in meta.png_chunks:
        keyword = raw.partition(b"\0")[0]
        if kind not in TEXTS or keyword not in KEYWORDS:
            rest.append((kind, raw))
            continue
        try:
            profile = _digits(_text(kind, raw))
        except (ValueError, IndexError):
            notes[f"its text {keyword.decode()!r} is malformed and was left out"] = None
            continue
        field = "xmp" if profile.startswith(XMP) or keyword.endswith(b"xmp") else "exif"
        profile = profile.removeprefix(XMP if field == "xmp" else EXIF)
        if getattr(meta, field) is None:
            setattr(meta, field, profile)
        elif getattr(meta, field) != profile:
            notes[f"a second {field.upper()}, in {keyword.decode()!r}, was left out"] = None
    meta.png_chunks = rest


def _text(kind: bytes, raw: bytes) -> bytes:
    """The text of a chunk: behind the keyword, a method in zTXt, and languages in iTXt."""
    text, folded = raw.split(b"\0", 1)[1], kind == b"zTXt"
    if kind == b"zTXt":
        text = text[1:]
    elif kind == b"iTXt":
        folded, text = text[0] == 1, text[2:].split(b"\0", 2)[2]
    return zlib.decompress(text) if folded else text


def _digits(text: bytes) -> bytes:
    """What the hex digits stand for; ``ValueError`` if they are not as many as is said."""
    _, length, digits = text.split(maxsplit=2)
    profile = bytes.fromhex(digits.decode("ascii"))
    if len(profile) != int(length):
        raise ValueError("another length than it says")
    return profile
