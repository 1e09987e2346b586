"""A TrueType font inside a PDF: whole, with the widths and the letters of the glyphs in use.

Sources: ISO 32000-1 (PDF 1.7), sections 9.7 and 9.9; OpenType 1.9, tables cmap (format 4), head,
hhea, hmtx.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from convcli.imaging.raster import font_file

__all__ = ["PdfFont"]

Add = Callable[[bytes], int]
"""Takes the body of an object, and says its number."""


class PdfFont:
    """The font of the drawings, regular or bold.

    >>> font = PdfFont(bold=False)
    >>> font.shown("1·2"), round(font.width("1·2", 10), 1)
    ('001200770013', 14.3)
    """

    def __init__(self, bold: bool) -> None:
        self.name = "DejaVuSansCondensed" + "-Bold" * bold
        self._data = font_file(bold).read_bytes()
        count = struct.unpack_from(">H", self._data, 4)[0]
        entries = (struct.unpack_from(">4s4xII", self._data, 12 + 16 * i) for i in range(count))
        self._tables = {tag: self._data[start : start + length] for tag, start, length in entries}
        head, hhea, hmtx = (self._tables[tag] for tag in (b"head", b"hhea", b"hmtx"))
        self._units: int = struct.unpack_from(">H", head, 18)[0]
        self._box = struct.unpack_from(">4h", head, 36)
        self._height = struct.unpack_from(">2h", hhea, 4)
        metrics = struct.unpack_from(">H", hhea, 34)[0]
        self._advances = struct.unpack_from(">" + "H2x" * metrics, hmtx)
        self._glyphs = _glyphs(self._tables[b"cmap"])
        self.used: dict[int, str] = {}
        """Glyphs that texts are made of, with their letters."""

    def shown(self, text: str) -> str:
        """The numbers of its glyphs in hexadecimal; a letter that is missing is glyph 0, a box."""
        glyphs = [self._glyphs.get(ord(letter), 0) for letter in text]
        self.used |= dict(zip(glyphs, text, strict=True))
        return "".join(f"{glyph:04X}" for glyph in glyphs)

    def width(self, text: str, size: float) -> float:
        """How wide a text is."""
        glyphs = (self._glyphs.get(ord(letter), 0) for letter in text)
        return sum(self._advance(glyph) for glyph in glyphs) * size / 1000

    def _advance(self, glyph: int) -> int:
        # Glyphs after the last that has a width of its own are as wide as it.
        return self._scaled(self._advances[min(glyph, len(self._advances) - 1)])

    def _scaled(self, value: int) -> int:
        return round(value * 1000 / self._units)

    def write(self, add: Add) -> int:
        """Add its objects, once all texts are known; the number of the font."""
        packed = zlib.compress(self._data, 9)
        about = f"<< /Length {len(packed)} /Length1 {len(self._data)} /Filter /FlateDecode >>"
        file = add(about.encode() + b"\nstream\n" + packed + b"\nendstream")
        box = " ".join(str(self._scaled(edge)) for edge in self._box)
        up, down = (self._scaled(height) for height in self._height)
        descriptor = add(
            f"<< /Type /FontDescriptor /FontName /{self.name} /Flags 4 /FontBBox [{box}] "
            f"/ItalicAngle 0 /Ascent {up} /Descent {down} /CapHeight {up} /StemV 80 "
            f"/FontFile2 {file} 0 R >>".encode()
        )
        widths = " ".join(f"{g} [{self._advance(g)}]" for g in sorted(self.used))
        below = add(
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{self.name} "
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> "
            f"/FontDescriptor {descriptor} 0 R /CIDToGIDMap /Identity /W [{widths}] >>".encode()
        )
        letters = zlib.compress(self._letters().encode(), 9)
        about = f"<< /Length {len(letters)} /Filter /FlateDecode >>"
        names = add(about.encode() + b"\nstream\n" + letters + b"\nendstream")
        return add(
            f"<< /Type /Font /Subtype /Type0 /BaseFont /{self.name} /Encoding /Identity-H "
            f"/DescendantFonts [{below} 0 R] /ToUnicode {names} 0 R >>".encode()
        )

    def _letters(self) -> str:
        """What each glyph stands for, so that texts can be selected, searched and read aloud."""
        pairs = [f"<{g:04X}> <{t.encode('utf-16-be').hex()}>" for g, t in sorted(self.used.items())]
        blocks = [pairs[start : start + 100] for start in range(0, len(pairs), 100)]
        maps = [
            f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks
        ]
        return "\n".join(
            [
                "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
                "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
                "/CMapName /Adobe-Identity-UCS def /CMapType 2 def",
                "1 begincodespacerange <0000> <FFFF> endcodespacerange",
                *maps,
                "endcmap CMapName currentdict /CMap defineresource pop end end",
            ]
        )


def _glyphs(cmap: bytes) -> dict[int, int]:
    """The glyph of each character."""
    for number in range(struct.unpack_from(">H", cmap, 2)[0]):
        start = struct.unpack_from(">4xI", cmap, 4 + 8 * number)[0]
        if struct.unpack_from(">H", cmap, start)[0] == 4:
            break
    else:
        raise AssertionError("the font has no table of characters in format 4")
    twice = struct.unpack_from(">H", cmap, start + 6)[0]
    form, count = f">{twice // 2}H", twice // 2
    ends = struct.unpack_from(form, cmap, start + 14)
    starts, deltas, offsets = (
        struct.unpack_from(form, cmap, start + 16 + twice * part) for part in (1, 2, 3)
    )
    found = {}
    for segment in range(count):
        for code in range(starts[segment], min(ends[segment], 0xFFFE) + 1):
            glyph = code
            if offsets[segment]:
                here = start + 16 + twice * 3 + 2 * segment
                place = here + offsets[segment] + 2 * (code - starts[segment])
                glyph = struct.unpack_from(">H", cmap, place)[0]
            found[code] = (glyph + deltas[segment]) & 0xFFFF if glyph else 0
    return found
