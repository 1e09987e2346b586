"""The picture formats: how a file is recognised, and what each can hold."""

from __future__ import annotations

from pathlib import PurePath
from typing import NamedTuple

from convcli.errors import InputError, UsageError

__all__ = ["FORMATS", "Format", "format_of_name", "format_of_path", "sniff"]


class Format(NamedTuple):
    """What one format can hold; ``spaces`` names colour spaces, with ``a`` for alpha."""

    name: str
    suffixes: tuple[str, ...]
    spaces: frozenset[str]
    dtypes: frozenset[str]
    frames: bool = False
    longest: int = 2**31 - 1
    """Most pixels a side."""

    def holds(self, space: str, alpha: bool, dtype: str) -> bool:
        """Whether a picture fits without losing anything."""
        return (space + "a" * alpha) in self.spaces and dtype in self.dtypes

    @property
    def suffix(self) -> str:
        """The usual ending of a file name."""
        return self.suffixes[0]


def _format(
    name: str,
    suffixes: str,
    spaces: str,
    dtypes: str = "uint8",
    frames: bool = False,
    longest: int = 2**31 - 1,
) -> Format:
    return Format(
        name,
        tuple(suffixes.split()),
        frozenset(spaces.split()),
        frozenset(dtypes.split()),
        frames,
        longest,
    )


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        _format("PNG", ".png .apng", "gray graya rgb rgba", "uint8 uint16", True),
        _format("JPEG", ".jpg .jpeg .jpe .jfif", "gray rgb cmyk", longest=65500),
        _format(
            "TIFF",
            ".tif .tiff",
            "gray graya rgb rgba cmyk cmyka",
            "uint8 uint16 float32 float64",
            True,
        ),
        _format("WEBP", ".webp", "gray graya rgb rgba", frames=True, longest=16383),
        _format("GIF", ".gif", "gray graya rgb rgba", frames=True, longest=65535),
        _format("BMP", ".bmp .dib", "gray rgb rgba"),
        _format("PPM", ".ppm .pgm .pnm .pbm", "gray rgb", "uint8 uint16"),
        _format("PFM", ".pfm", "gray rgb", "float32"),
        _format("AVIF", ".avif", "gray rgb rgba"),
    )
}
"""Every format that is read and written. Anything else is refused, whatever its name says."""

_BY_SUFFIX = {suffix: f for f in FORMATS.values() for suffix in f.suffixes}


def format_of_path(path: str) -> Format:
    """The format that a file name asks for.

    >>> format_of_path("a/b.JPG").name
    'JPEG'
    """
    suffix = PurePath(path).suffix
    found = _BY_SUFFIX.get(suffix.lower())
    if found is None:
        what = f"the suffix {suffix!r} of {path!r}" if suffix else f"{path!r} has no suffix, which"
        raise UsageError(
            f"{what} names no format that can be written; use one of "
            + " ".join(f.suffix for f in FORMATS.values())
        )
    return found


def format_of_name(name: str) -> Format:
    """The format called ``name``, as in ``png``, ``jpg`` or ``tiff``.

    >>> format_of_name("jpg").name
    'JPEG'
    """
    key = name.lower().lstrip(".")
    found = FORMATS.get(key.upper()) or _BY_SUFFIX.get(f".{key}")
    if found is None:
        raise UsageError(
            f"format {name!r} is not known; allowed: " + ", ".join(f.lower() for f in FORMATS)
        )
    return found


def sniff(data: bytes, name: str) -> str:
    """Name the format of a file by its first bytes.

    Raises
    ------
    InputError
        If it is none of the formats; the suffix is never believed.
    """
    head = bytes(data[:64])
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if head[:2] == b"BM":
        return "BMP"
    if head[:1] == b"P" and (head[2:3].isspace() or head[2:3] == b"#"):
        if head[1:2] in b"123456":
            return "PPM"
        if head[1:2] in b"Ff":
            return "PFM"
    if head[4:8] == b"ftyp" and (b"avif" in head or b"avis" in head):
        return "AVIF"
    if not head:
        raise InputError(f"{name}: the file is empty")
    raise InputError(f"{name}: not a picture in a format that is read: " + ", ".join(FORMATS))
