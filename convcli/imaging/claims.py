"""What a file will take once it is decoded, told by its header alone."""

from __future__ import annotations

import io
import math

from convcli.imaging.formats import sniff
from convcli.imaging.formats.png.chunks import read_ihdr, walk
from convcli.imaging.limits import decoding

__all__ = ["decoded_bytes"]

PNG_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
"""By colour type; palettes are expanded."""


def decoded_bytes(data: bytes, name: str) -> int:
    """Bytes of the samples of a picture file: of the frame that is decoded at a time, or all pages.

    Raises
    ------
    InputError
        If there is no header of a picture.
    """
    kind = sniff(data, name)
    with decoding(name, kind):
        if kind == "PNG":
            header = read_ihdr(data, name)
            alpha = any(chunk == b"tRNS" for chunk, _, _ in walk(data, name))
            samples = PNG_SAMPLES[header.colour_type] + alpha
            return header.width * header.height * samples * max(header.depth // 8, 1)
        if kind == "TIFF":
            from convcli.imaging.formats.tiff.pages import walk_pages

            return sum(map(math.prod, walk_pages(io.BytesIO(data), name)))
        if kind in ("PPM", "PFM"):
            from convcli.imaging.formats.pnm.codec import claimed_bytes

            return claimed_bytes(data, name)
        from convcli.imaging.formats.pillow_read import open_with_pillow, sample_bytes

        return sample_bytes(open_with_pillow(data, kind))
