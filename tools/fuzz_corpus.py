"""Pictures to be damaged: the samples, and small generated files of every format and kind."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convcli.imaging.formats.png.chunks import DEPTHS, SIGNATURE, chunk

__all__ = ["pictures"]

ROOT = Path(__file__).parents[1]


def _saved(fmt: str, image: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


@cache
def pictures() -> dict[str, bytes]:
    """The corpus: the samples, and generated files of every format and kind."""
    import tifffile

    from convcli.imaging.formats.png.write import apng_parts, encode_png
    from convcli.imaging.header import Metadata
    from convcli.imaging.source import Frame

    samples = ROOT / "samples"
    found = {p.name: p.read_bytes() for p in (samples / "sideways.jpg", samples / "spin.gif")}
    rgb = np.random.default_rng(7).integers(0, 256, (19, 23, 3), dtype=np.uint8)
    rgb[4:12] = 200
    image = Image.fromarray(rgb)
    moving = {"save_all": True, "duration": [40, 60]}
    moving["append_images"] = [image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    found |= {
        "rgb.png": _saved("PNG", image, exif=exif.tobytes(), dpi=(72, 72)),
        "palette.png": _saved("PNG", image.quantize(9), transparency=2),
        "interlaced.png": _saved("PNG", image.convert("1")),
        "gray-alpha.png": _saved("PNG", image.convert("LA")),
        "deep.png": encode_png(rgb.astype(np.uint16) * 257, Metadata(xmp=b"<x/>")),
        "moving.png": b"".join(apng_parts([Frame(rgb, 40), Frame(rgb[::-1], 80)], 2, Metadata())),
        "plain.jpg": _saved("JPEG", image, exif=exif.tobytes(), comment=b"hello"),
        "progressive.jpg": _saved("JPEG", image, progressive=True, subsampling=0),
        "cmyk.jpg": _saved("JPEG", image.convert("CMYK")),
        "plain.gif": _saved("GIF", image.quantize(16)),
        "plain.bmp": _saved("BMP", image),
        "palette.bmp": _saved("BMP", image.quantize(16)),
        "plain.tif": _saved("TIFF", image, exif=exif),
        "lzw.tif": _saved("TIFF", image, compression="tiff_lzw"),
        "jpeg.tif": _saved("TIFF", image, compression="jpeg"),
        "fax.tif": _saved("TIFF", image.convert("1"), compression="group4"),
        "pages.tif": _saved("TIFF", image, save_all=True, append_images=[image.convert("L")]),
        "plain.webp": _saved("WEBP", image, exif=exif),
        "lossless.webp": _saved("WEBP", image, lossless=True),
        "moving.webp": _saved("WEBP", image, **moving),
        "plain.ppm": _saved("PPM", image),
        "deep.pgm": b"P5\n11 9\n65535\n" + rgb[:9, :11, :2].tobytes(),
        "plain.pbm": _saved("PPM", image.convert("1")),
        "text.pgm": b"P2\n3 2\n255\n1 2 3\n4 5 6\n",
        "float.pfm": b"Pf\n3 2\n-1.0\n" + np.arange(6, dtype="<f4").tobytes(),
        "plain.avif": _saved("AVIF", image),
    }
    for name, array, how in (
        ("deep.tif", rgb.astype(np.uint16) * 257, {"compression": "zlib", "predictor": True}),
        ("float.tif", (rgb / 255).astype(np.float32), {}),
        ("tiled.tif", np.tile(rgb.astype(np.uint16), (2, 2, 1)), {"tile": (16, 16)}),
        ("big.tif", rgb.astype(np.uint16), {"bigtiff": True}),
    ):
        out = io.BytesIO()
        with tifffile.TiffWriter(out, bigtiff=bool(how.pop("bigtiff", False))) as writer:
            writer.write(array, photometric="rgb", **how)
        found[name] = out.getvalue()
    for name, array in (("gray.npy", rgb[..., 0]), ("deep.npy", rgb.astype(">u2"))):
        out = io.BytesIO()
        np.save(out, array)
        found[name] = out.getvalue()
    return found | _pngs() | _jpegs(image) | _tiffs(rgb)


ADAM7 = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2)]
"""First row, every how many, first column, every how many; the last pass is every other row."""


def _pngs() -> dict[str, bytes]:
    """Every colour type, depth and interlacing, with a transparent colour where there may be one."""
    rng = np.random.default_rng(8)
    found = {}
    for colour, samples in {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.items():
        for depth in DEPTHS[colour]:
            for laced in (0, 1):
                bits = samples * depth
                whole = [(0, 1, 0, 1)] if not laced else [*ADAM7, (1, 2, 0, 1)]
                raw = b"".join(
                    bytes([rng.integers(5)]) + rng.bytes((bits * len(range(x, 15, dx)) + 7) // 8)
                    for y, dy, x, dx in whole
                    for _ in range(y, 12, dy)
                )
                ihdr = struct.pack(">IIBBBBB", 15, 12, depth, colour, 0, 0, laced)
                parts = [SIGNATURE, chunk(b"IHDR", ihdr)]
                if colour == 3:
                    parts.append(chunk(b"PLTE", rng.bytes(3 << depth)))
                if colour < 4 and laced:
                    key = rng.bytes(1 << depth - 1) if colour == 3 else b"\0\1" * samples
                    parts.append(chunk(b"tRNS", key))
                packed = zlib.compress(raw)
                half = len(packed) // 2
                parts += [chunk(b"IDAT", packed[:half]), chunk(b"IDAT", packed[half:])]
                found[f"{colour}-{depth}-{laced}.png"] = b"".join([*parts, chunk(b"IEND", b"")])
    return found


def _jpegs(image: Image.Image) -> dict[str, bytes]:
    image = image.resize((61, 47))
    return {
        "gray.jpg": _saved("JPEG", image.convert("L")),
        "restarts.jpg": _saved("JPEG", image, restart_marker_blocks=3),
        "progressive-restarts.jpg": _saved(
            "JPEG", image, progressive=True, restart_marker_rows=1, quality=90
        ),
        "422.jpg": _saved("JPEG", image, subsampling=1, optimize=True),
    }


def _tiffs(rgb: np.ndarray) -> dict[str, bytes]:
    """Strips and tiles, by every compression that both Pillow and tifffile know."""
    import tifffile

    found = {}
    for how in ("none", "lzw", "zlib", "packbits", "zstd", "lzma", "jpeg"):
        for tile in (None, (16, 16)):
            for array in (rgb, rgb[..., 0].astype(np.uint16) * 3):
                if how == "jpeg" and array.dtype != np.uint8:
                    continue
                out = io.BytesIO()
                compression = None if how == "none" else how
                rows = None if tile else 5
                if how == "jpeg":
                    rows = None if tile else 8
                kind = "rgb" if array.ndim == 3 else "minisblack"
                tifffile.imwrite(
                    out,
                    array,
                    photometric=kind,
                    compression=compression,
                    rowsperstrip=rows,
                    tile=tile,
                    metadata=None,
                )
                found[f"{how}-{array.dtype}-{'tiles' if tile else 'strips'}.tif"] = out.getvalue()
    return found
