"""Which picture codecs are at work, with their versions, for ``convcli info``."""

from __future__ import annotations

from importlib.metadata import version

from PIL import features

__all__ = ["codec_versions"]

LIBRARIES = ("jpg", "libjpeg_turbo", "zlib", "zlib_ng", "libtiff", "webp", "avif", "littlecms2")


def codec_versions() -> dict[str, str]:
    """Name -> version of Pillow, its libraries, and the other codecs.

    >>> "pillow" in codec_versions()
    True
    """
    found = {name: version(name) for name in ("pillow", "imagecodecs", "tifffile", "isal")}
    for name in LIBRARIES:
        if features.check(name):
            found[name] = str(features.version(name) or "present")
    return found
