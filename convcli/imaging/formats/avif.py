"""AVIF, by Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convcli.imaging.formats import Coding, Format

if TYPE_CHECKING:
    from convcli.imaging.atomic import Data
    from convcli.imaging.header import Header
    from convcli.imaging.source import Source

__all__ = ["FORMATS"]


class Avif(Format):
    """AV1 Image File Format."""

    name = "AVIF"
    decode_ns, encode_ns = 2.8, 100.0
    suffixes = (".avif",)
    spaces = "gray rgb rgba"
    carries = "icc exif xmp"

    def loses(self, picture: Header, quality: int | None) -> bool:
        return True

    def recognises(self, head: bytes) -> bool:
        return head[4:8] == b"ftyp" and (b"avif" in head or b"avis" in head)

    def read(self, data: bytes, name: str, max_pixels: int) -> Source:
        from convcli.imaging.formats.shared.pillow import collected, open_with_pillow, picture_of
        from convcli.imaging.metadata.upright import take_orientation

        image = open_with_pillow(data, "Avif")
        notes: list[str] = []
        meta = collected(image, image.info.get("icc_profile"), notes)
        if (bits := _bits(data)) > 8:
            notes.append(
                f"its {bits}-bit samples were narrowed to 8 bits, which is all that is read"
            )
        orientation = take_orientation(meta, notes)
        return picture_of(image, self.name, name, meta, notes, max_pixels, orientation)

    def decoded_bytes(self, data: bytes, name: str) -> int:
        from convcli.imaging.formats.shared.pillow import claimed_bytes

        return claimed_bytes(data, "Avif")

    def encode(self, picture: Source, coding: Coding) -> Data:
        from convcli.imaging.formats.shared.pillow import save_with_pillow, to_pillow
        from convcli.imaging.metadata.exif import without_orientation

        meta = picture.meta
        said = {
            "icc_profile": meta.icc,
            "exif": b"Exif\0\0" + without_orientation(meta.exif) if meta.exif else None,
            "xmp": meta.xmp,
            "quality": coding.quality,
        }
        options = {key: value for key, value in said.items() if value}
        image = to_pillow(picture.first.pixels, picture.space, picture.alpha)
        return save_with_pillow(image, "Avif", **options)


def _bits(data: bytes) -> int:
    """Bits of a sample, which Pillow does not tell and makes 8 of: 8, 10 or 12.

    Source: AV1 Codec ISO Media File Format Binding, 2.3.3: the third byte of the box ``av1C``.
    """
    high_bitdepth, twelve_bit = 0x40, 0x20
    at = data.find(b"av1C") + 6
    flags = data[at] if 6 <= at < len(data) else 0
    return (12 if flags & twelve_bit else 10) if flags & high_bitdepth else 8


FORMATS = [Avif()]
