"""Small pictures of every kind, for ``tools/corpus.py``.

    python tools/corpus_make.py FOLDER

Format by mode, depth, compression, interlacing, tiles, planes, byte order, orientation, frames and
what travels along: some 2,500 files, the same each time. PNG, BMP and Netpbm are written from their
specifications, since no library writes every kind of them; the rest by Pillow and tifffile.
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
import zlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image, ImageCms

__all__ = ["KINDS", "apng", "bmp", "png"]

H, W = 17, 23
Named = Iterator[tuple[str, bytes]]
RNG = np.random.default_rng(20261126)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def levels(channels: int, white: int, height: int = H, width: int = W) -> np.ndarray:
    """A ramp with noise and a flat patch, so that every filter and compression has some work."""
    y, x = np.mgrid[0:height, 0:width]
    ramp = [(x * (c + 1) + y * (3 - c)) % (width + height) for c in range(channels)]
    values = np.stack(ramp, -1) / (width + height) + RNG.normal(0, 0.05, (height, width, channels))
    values[height // 3 : height // 2, width // 4 : width // 2] = 0.8
    return np.rint(values.clip(0, 1) * white).astype(np.int64)


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = orientation, "maker", "2026:11:26 10:00:00"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:26 10:00:00"
    return exif


def xmp_of(orientation: int) -> bytes:
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:tiff='
        b'"http://ns.adobe.com/tiff/1.0/" tiff:Orientation="%d"/></rdf:RDF></x:xmpmeta>'
        % orientation
    )


def saved(image: Any, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


# ---------------------------------------------------------------- PNG

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
ADAM7 += ((1, 0, 2, 1),)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def rows_of(pixels: np.ndarray, depth: int) -> bytes:
    """Rows as PNG packs them, each with the filter 0 or 1 (Sub)."""
    out = []
    for number, row in enumerate(pixels):
        if depth < 8:
            bits = (row.reshape(-1, 1) >> np.arange(depth - 1, -1, -1)) & 1
            raw = np.packbits(bits.astype(np.uint8).ravel()).tobytes()
        else:
            raw = row.astype(">u2" if depth == 16 else "u1").tobytes()
        if number % 2:
            step = max(depth * pixels.shape[-1] // 8, 1)
            before = bytes(step) + raw[:-step]
            raw = bytes((a - b) & 255 for a, b in zip(raw, before, strict=True))
        out.append(bytes([number % 2]) + raw)
    return b"".join(out)


def png(
    pixels: np.ndarray, colour: int, depth: int, *, interlaced: bool = False, more: bytes = b""
) -> bytes:
    """A PNG of any kind; ``more`` are the chunks before its pixels."""
    head = struct.pack(
        ">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, colour, 0, 0, interlaced
    )
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    parts = [pixels[y::dy, x::dx] for y, x, dy, dx in passes]
    data = zlib.compress(b"".join(rows_of(part, depth) for part in parts if part.size))
    half = len(data) // 2
    body = chunk(b"IDAT", data[:half]) + chunk(b"IDAT", data[half:])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + body + chunk(b"IEND", b"")


def palette_of(depth: int) -> bytes:
    return bytes(RNG.integers(0, 256, 3 << depth, np.uint8))


def clear_of(colour: int, depth: int, pixels: np.ndarray) -> bytes:
    """A tRNS chunk: the first pixel's colour, or every alpha for a palette."""
    if colour == 3:
        return chunk(b"tRNS", bytes(range(0, 256, 256 >> depth)))
    return chunk(b"tRNS", pixels[0, 0].astype(">u2").tobytes())


def pngs() -> Named:
    for colour, depths in DEPTHS.items():
        for depth, interlaced, clear in product(depths, (False, True), (False, True)):
            if clear and colour in (4, 6):
                continue
            for turn, described in product(range(1, 9), (False, True)):
                pixels = levels(CHANNELS[colour], 2**depth - 1)
                more = chunk(b"PLTE", palette_of(depth)) if colour == 3 else b""
                more += clear_of(colour, depth, pixels) if clear else b""
                if turn > 1 or described:
                    more += chunk(b"eXIf", exif_of(turn).tobytes()[6:])
                if described:
                    more = (
                        chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(ICC))
                        * (colour not in (0, 4))
                        + more
                    )
                    more += chunk(b"tEXt", b"Title\0a title") + chunk(
                        b"iTXt", b"Note\0\0\0\0\0" + "größer".encode()
                    )
                    more += chunk(b"pHYs", struct.pack(">IIB", 11811, 5906, 1))
                words = f"{colour}-{depth}{'-interlaced' * interlaced}{'-clear' * clear}"
                data = png(pixels, colour, depth, interlaced=interlaced, more=more)
                yield f"png-{words}-turn{turn}{'-described' * described}.png", data
    for number, (width, height) in enumerate(product((1, 2, 5, 9), (1, 3, 8))):
        for colour, depth in ((0, 1), (2, 8), (6, 16)):
            pixels = levels(CHANNELS[colour], 2**depth - 1, height, width)
            data = png(pixels, colour, depth, interlaced=number % 2 == 0)
            yield f"png-small-{width}x{height}-{colour}-{depth}.png", data


def apng(
    shots: list[tuple[np.ndarray, int, int, int, int]], colour: int, depth: int, *, still: bool
) -> bytes:
    """An animation of (pixels, x, y, dispose, blend); with ``still`` the first is no part of it."""
    data = b""
    sequence = 0
    for number, (pixels, x, y, dispose, blend) in enumerate(shots):
        packed = zlib.compress(rows_of(pixels, depth))
        if number or not still:
            place = (pixels.shape[1], pixels.shape[0], x, y)
            delay = (1 + number, 30)
            body = struct.pack(">5I2H2B", sequence, *place, *delay, dispose, blend)
            data += chunk(b"fcTL", body)
            sequence += 1
        if number:
            data += chunk(b"fdAT", struct.pack(">I", sequence) + packed)
            sequence += 1
        else:
            data += chunk(b"IDAT", packed)
    height, width = shots[0][0].shape[:2]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    head += chunk(b"acTL", struct.pack(">II", len(shots) - still, 2))
    if colour == 3:
        head += chunk(b"PLTE", palette_of(depth)) + chunk(b"tRNS", bytes([0, 90, 180]))
    return b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b"")


def apngs() -> Named:
    for colour, depth in (
        (0, 8),
        (2, 8),
        (3, 8),
        (4, 8),
        (6, 8),
        (0, 16),
        (2, 16),
        (4, 16),
        (6, 16),
    ):
        for dispose, blend, still in product(range(3), range(2), (False, True)):
            whole, part = [
                levels(CHANNELS[colour], 2**depth - 1, h, w) for h, w in ((H, W), (9, 7))
            ]
            shots = [(whole, 0, 0, 0, 0), (whole[::-1], 0, 0, dispose, blend)]
            shots += [(part, 5, 3, dispose, blend), (part[:4], 9, 9, 0, blend)]
            data = apng(shots, colour, depth, still=still)
            yield f"apng-{colour}-{depth}-dispose{dispose}-blend{blend}{'-still' * still}.png", data


# ---------------------------------------------------------------- JPEG, WebP, AVIF, GIF


def eight(mode: str) -> Any:
    channels = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "1": 1, "P": 3}[mode]
    pixels = levels(channels, 255).astype(np.uint8)
    if mode == "1":
        return Image.fromarray(pixels[..., 0] > 127)
    if mode == "P":
        return Image.fromarray(pixels).quantize(60)
    return Image.fromarray(pixels.squeeze(), mode)


def described(turn: int, full: bool) -> dict[str, Any]:
    more: dict[str, Any] = {"exif": exif_of(turn).tobytes()}
    return more | {"icc_profile": ICC, "xmp": xmp_of(turn)} if full else more


def jpegs() -> Named:
    for mode, sampling, progressive, turn in product(
        ("L", "RGB", "CMYK"), (0, 1, 2), (False, True), range(1, 9)
    ):
        full = turn % 2 == 0
        more = described(turn, full and mode == "RGB")
        more |= {"comment": "a comment", "dpi": (300, 150)} if full else {}
        data = saved(
            eight(mode), "JPEG", quality=90, subsampling=sampling, progressive=progressive, **more
        )
        yield f"jpeg-{mode}-{sampling}{'-progressive' * progressive}-turn{turn}.jpg", data
    for rows in (1, 2):
        yield f"jpeg-restart{rows}.jpg", saved(eight("RGB"), "JPEG", restart_marker_rows=rows)


def webps() -> Named:
    for mode, lossless, turn, count in product(("RGB", "RGBA"), (True, False), range(1, 9), (1, 3)):
        frames = [eight(mode) for _ in range(count)]
        more = {"save_all": True, "append_images": frames[1:], "duration": [40, 70, 90]}
        more = (more if count > 1 else {}) | described(turn, turn % 2 == 0)
        data = saved(frames[0], "WEBP", lossless=lossless, exact=True, **more)
        yield f"webp-{mode}-{'lossless' if lossless else 'lossy'}-turn{turn}-{count}.webp", data


def avifs() -> Named:
    for mode, sampling, turn in product(("L", "RGB", "RGBA"), ("4:2:0", "4:4:4"), (1, 3, 6)):
        data = saved(eight(mode), "AVIF", subsampling=sampling, speed=10, **described(turn, False))
        yield f"avif-{mode}-{sampling.replace(':', '')}-turn{turn}.avif", data


def gifs() -> Named:
    for colours, disposal, holes, count in product((2, 16, 256), range(4), (False, True), (1, 3)):
        frames = []
        for _ in range(count):
            codes = levels(1, colours - 1)[..., 0].astype(np.uint8)
            frames.append(Image.fromarray(codes))
            frames[-1].putpalette(bytes(RNG.integers(0, 256, 3 * colours, np.uint8)))
        more: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "disposal": disposal}
        more |= {"duration": 70, "loop": 3, "comment": b"a comment"} if count > 1 else {}
        more |= {"transparency": 1} if holes else {}
        data = saved(frames[0], "GIF", optimize=False, **more)
        yield f"gif-{colours}-disposal{disposal}{'-holes' * holes}-{count}.gif", data


# ---------------------------------------------------------------- BMP, Netpbm


def bmp(
    pixels: np.ndarray, bits: int, masks: tuple[int, ...] = (), *, header: int = 40, down: bool
) -> bytes:
    """A BMP of whole pixels ``(H, W)`` of so many bits; fewer than 9 bits index a palette."""
    height, width = pixels.shape
    stride = -(-width * bits // 32) * 4
    rows = np.zeros((height, stride), np.uint8)
    if bits < 8:
        unpacked = (pixels[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        packed = np.packbits(unpacked.reshape(height, -1).astype(np.uint8), axis=1)
    else:
        count = bits // 8
        packed = ((pixels[..., None] >> (8 * np.arange(count))) & 255).reshape(height, -1)
    rows[:, : packed.shape[1]] = packed
    body = (rows if down else rows[::-1]).tobytes()
    table = (
        b"".join(bytes([*c, 0]) for c in RNG.integers(0, 256, (1 << bits, 3))) if bits < 9 else b""
    )
    fields = (header, width, -height if down else height, 1, bits, 3 if masks else 0, len(body))
    info = struct.pack("<IiiHHII", *fields) + struct.pack("<iiII", 11811, 11811, len(table) // 4, 0)
    words = struct.pack(f"<{len(masks)}I", *masks)
    info += words if header > 40 else b""
    info = info.ljust(header, b"\0") + (words if header == 40 else b"")
    start = 14 + len(info) + len(table)
    return struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start) + info + table + body


MASKS = {
    "555": (16, (0x7C00, 0x3E0, 0x1F)),
    "565": (16, (0xF800, 0x7E0, 0x1F)),
    "bgrx": (32, (0xFF0000, 0xFF00, 0xFF)),
    "bgra": (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    "rgba": (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
}


def bmps() -> Named:
    for bits, down in product((1, 4, 8, 16, 24, 32), (False, True)):
        pixels = RNG.integers(0, 1 << bits, (H, W))
        yield f"bmp-{bits}{'-down' * down}.bmp", bmp(pixels, bits, down=down)
    for (name, (bits, masks)), header, down in product(
        MASKS.items(), (40, 56, 108, 124), (False, True)
    ):
        if len(masks) == 4 and header == 40:
            continue
        full = masks if header == 40 else (*masks, 0)[:4]
        data = bmp(RNG.integers(0, 1 << bits, (H, W)), bits, full, header=header, down=down)
        yield f"bmp-{name}-{header}{'-down' * down}.bmp", data


def netpbms() -> Named:
    for text, channels, top, remark in product(
        (False, True), (1, 3), (1, 15, 100, 255, 1023, 4095, 65535), (False, True)
    ):
        values = levels(channels, top)
        kind = (2 if text else 5) + (channels == 3)
        words = "# a remark\n" if remark else ""
        head = f"P{kind}\n{words}{W} {H}\n{top}\n".encode()
        if text:
            body = "\n".join(" ".join(map(str, row.ravel())) for row in values).encode() + b"\n"
        else:
            body = values.astype(">u2" if top > 255 else "u1").tobytes()
        suffix = "pgm" if channels == 1 else "ppm"
        yield f"pnm-P{kind}-{top}{'-remark' * remark}.{suffix}", head + body
    for width in range(1, 18):
        bits = RNG.integers(0, 2, (3, width))
        text = b"\n".join(b"".join(b"%d" % b for b in row) for row in bits)
        yield f"pnm-P1-{width}.pbm", b"P1 %d 3\n" % width + text + b"\n"
        yield f"pnm-P4-{width}.pbm", b"P4 %d 3\n" % width + np.packbits(bits, axis=1).tobytes()
    for channels, order, scale in product((1, 3), "<>", ("1.0", "2.5")):
        values = RNG.normal(0.5, 1, (H, W, channels)).astype(f"{order}f4")
        sign = "-" if order == "<" else ""
        head = f"P{'f' if channels == 1 else 'F'}\n{W} {H}\n{sign}{scale}\n".encode()
        yield f"pfm-{channels}-{'little' if sign else 'big'}-{scale}.pfm", head + values.tobytes()


# ---------------------------------------------------------------- TIFF

PHOTOMETRIC = {1: "minisblack", 2: "minisblack", 3: "rgb", 4: "rgb"}


def tiff(pages: list[np.ndarray], **options: Any) -> bytes:
    out = io.BytesIO()
    head = {key: options.pop(key) for key in ("byteorder", "bigtiff") if key in options}
    with tifffile.TiffWriter(out, **head) as writer:
        for page in pages:
            writer.write(page, metadata=None, contiguous=False, **options)
    return out.getvalue()


def tiffs() -> Named:
    layouts = ("strips", "tiles", "planes")
    packings: tuple[Any, ...] = (None, "zlib", "lzw", "packbits", "zstd", "lzma")
    every = product(
        ("u1", "u2", "f2", "f4", "f8"), (1, 2, 3, 4), layouts, packings, "<>", range(1, 9)
    )
    for number, (dtype, samples, layout, packing, order, turn) in enumerate(every):
        if number % 7 or (layout == "planes" and samples == 1):
            continue  # a seventh of the product, with every pair of its factors
        white = {"u1": 255, "u2": 65535}.get(dtype, 1000)
        values = levels(samples, white)
        page = values.astype(dtype) if dtype[0] == "u" else (values / 1000).astype(dtype)
        planar = "separate" if layout == "planes" else "contig"
        stored = np.moveaxis(page, -1, 0) if layout == "planes" else page
        options: dict[str, Any] = {"photometric": PHOTOMETRIC[samples], "compression": packing}
        options |= {"planarconfig": planar} if samples > 1 else {}
        options |= {"extrasamples": ["unassalpha"]} if samples in (2, 4) else {}
        options |= {"tile": (16, 16)} if layout == "tiles" else {"rowsperstrip": 5}
        options |= {"predictor": True} if packing in ("zlib", "lzw") and number % 2 else {}
        options |= {"extratags": [(274, 3, 1, turn, True)], "byteorder": order}
        options |= {"description": "a description", "resolution": (300, 150)} if number % 3 else {}
        options |= {"bigtiff": True} if number % 5 == 0 else {}
        count = 1 + 2 * (number % 4 == 0)
        words = f"{dtype}-{samples}-{layout}-{packing}-{'II' if order == '<' else 'MM'}-turn{turn}"
        data = tiff([stored[..., 0] if samples == 1 else stored] * count, **options)
        yield f"tiff-{words}-{count}-{number}.tif", data


def odd_tiffs() -> Named:
    for mode, packing, turn in product(
        ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK"),
        ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"),
        range(1, 9),
    ):
        if packing == "jpeg" and mode in ("1", "P", "LA", "RGBA"):
            continue
        data = saved(eight(mode), "TIFF", compression=packing, tiffinfo={274: turn, 270: "a text"})
        yield f"tiff-{mode}-{packing}-turn{turn}.tif", data
    for packing, turn in product(("group3", "group4", "tiff_ccitt"), (1, 6)):
        data = saved(eight("1"), "TIFF", compression=packing, tiffinfo={274: turn})
        yield f"tiff-1-{packing}-turn{turn}.tif", data
    for dtype, white in (("u1", 255), ("u2", 65535)):
        page = levels(1, white)[..., 0].astype(dtype)
        yield f"tiff-miniswhite-{dtype}.tif", tiff([page], photometric="miniswhite")
        table = RNG.integers(0, 65536, (3, white + 1), np.uint16)
        yield f"tiff-palette-{dtype}.tif", tiff([page], photometric="palette", colormap=table)
        page = levels(4, white).astype(dtype)
        yield f"tiff-cmyk-{dtype}.tif", tiff([page], photometric="separated")


KINDS = (pngs, apngs, jpegs, webps, avifs, gifs, bmps, netpbms, tiffs, odd_tiffs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for kind in KINDS:
        for name, data in kind():
            (folder / name).write_bytes(data)
            total += 1
    print(f"{total} files in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
