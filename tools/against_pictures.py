"""Pictures and other files that the command lines of tools/against.py take, made from their names.

    python tools/against_pictures.py FOLDER NAME...

``png-16-rgba-turned.png`` is a PNG of 16 bits with colour and alpha and an orientation tag;
``big`` ones have three megapixels, ``mid`` ones one. The same name gives the same file.
"""

from __future__ import annotations

import io
import json
import os
import re
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

SUFFIX = {
    "png": ".png", "apng": ".png", "jpeg": ".jpg", "strips": ".tif", "tiles": ".tif",
    "webp": ".webp", "gif": ".gif", "bmp": ".bmp", "ppm": ".ppm", "pgm": ".pgm", "pfm": ".pfm",
    "avif": ".avif", "npy": ".npy", "raw": ".raw", "zarr": ".zarr",
}  # fmt: skip
CHANNELS = {"gray": 1, "graya": 2, "rgb": 3, "rgba": 4, "cmyk": 4}
SIDES = {"": (61, 75), "mid": (1000, 1100), "big": (1536, 2048)}
"""Rows and columns."""
DTYPES = {"8": "u1", "16": "u2", "half": "f2", "float": "f4", "double": "f8"}
NAME = re.compile(
    rf"({'|'.join(SUFFIX)})-({'|'.join(DTYPES)})-({'|'.join(CHANNELS)})(-frames)?(-turned)?(?:-(mid|big))?\.\w+"
)


def name_of(
    form: str, depth: str, colour: str, frames: bool = False, turned: bool = False, size: str = ""
) -> str:
    """The file name that :func:`make` makes such a picture from."""
    parts = [form, depth, colour, "frames" * frames, "turned" * turned, size]
    return "-".join(part for part in parts if part) + SUFFIX[form]


def is_made(name: str) -> bool:
    """Whether :func:`make` knows the name."""
    return name in OTHERS or NAME.fullmatch(name) is not None


def make(folder: Path, name: str) -> None:
    """Make one file, or folder, below ``folder``."""
    if name in OTHERS:
        OTHERS[name](folder / name)
        return
    match = NAME.fullmatch(name)
    assert match, name
    form, depth, colour, frames, turned, size = match.groups()
    count = 3 if frames else 1
    pages = [samples(name, n, SIDES[size or ""], depth, colour) for n in range(count)]
    if form == "zarr":
        _zarr(folder / name, pages[0])
    else:
        data = WRITERS[form](pages, colour, bool(turned))
        (folder / name).write_bytes(data)


def samples(name: str, frame: int, sides: tuple[int, int], depth: str, colour: str) -> Any:
    """``(H, W, C)``: slopes, an edge and some noise; alpha with none, some and all."""
    import numpy as np

    height, width = sides
    channels = CHANNELS[colour]
    rng = np.random.default_rng(zlib.crc32(f"{name} {frame}".encode()))
    y, x = np.mgrid[:height, :width]
    levels = np.empty((height, width, channels))
    for c in range(channels):
        wave = 0.5 + 0.35 * np.sin(x / (4.0 + c) + frame) * np.cos(y / (6.0 + c))
        levels[..., c] = wave + 0.05 * rng.standard_normal((height, width))
    levels[height // 3 : height // 2, width // 4 : width // 2] = 0.95
    if colour in ("graya", "rgba"):
        alpha = np.clip(1.5 - 2 * np.hypot(x / width - 0.5, y / height - 0.5) + 0.1 * frame, 0, 1)
        levels[..., -1] = np.where(x < 3, 0, alpha)
    levels = np.clip(levels, 0, 1)
    whole = {"8": 255, "16": 65535}.get(depth)
    if whole:
        levels = np.rint(levels * whole)
    return levels.astype(DTYPES[depth])


EXIF_TURNED = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
"""A directory with the tag 274, orientation 6: a quarter turn."""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(pages: list[Any], colour: str, turned: bool) -> bytes:
    import imagecodecs

    data = bytes(imagecodecs.png_encode(pages[0]))
    head = 8 + 25  # the signature and IHDR
    return data[:head] + _chunk(b"eXIf", EXIF_TURNED) * turned + data[head:]


def _apng(pages: list[Any], colour: str, turned: bool) -> bytes:
    height, width, channels = pages[0].shape
    bits = pages[0].dtype.itemsize * 8
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    out = [b"\x89PNG\r\n\x1a\n"]
    out.append(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)))
    out.append(_chunk(b"acTL", struct.pack(">II", len(pages), 0)))
    out.append(_chunk(b"eXIf", EXIF_TURNED) * turned)
    number = 0
    for n, page in enumerate(pages):
        control = struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0)
        out.append(_chunk(b"fcTL", control))
        number += 1
        rows = page.astype(page.dtype.newbyteorder(">")).reshape(height, -1)
        packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
        if n:
            out.append(_chunk(b"fdAT", struct.pack(">I", number) + packed))
            number += 1
        else:
            out.append(_chunk(b"IDAT", packed))
    return b"".join([*out, _chunk(b"IEND", b"")])


def _pillow(pages: list[Any], format: str, turned: bool, mode: str = "", **how: Any) -> bytes:
    from PIL import Image

    modes = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
    images = []
    for page in pages:
        plain = page[..., 0] if page.shape[2] == 1 else page
        image = Image.fromarray(plain)
        if mode:  # the same samples under another name
            image = Image.frombytes(mode, image.size, page.tobytes())
        assert image.mode in (mode, modes[page.shape[2]])
        images.append(image)
    if turned:
        how["exif"] = EXIF_TURNED if format != "JPEG" else b"Exif\0\0" + EXIF_TURNED
    if len(images) > 1:
        how |= {"save_all": True, "append_images": images[1:], "duration": 100, "loop": 0}
    out = io.BytesIO()
    images[0].save(out, format, **how)
    return out.getvalue()


def _tiff(pages: list[Any], colour: str, turned: bool, **how: Any) -> bytes:
    import tifffile

    out = io.BytesIO()
    photometric = {"g": "minisblack", "r": "rgb", "c": "separated"}[colour[0]]
    with tifffile.TiffWriter(out) as writer:
        for page in pages:
            writer.write(
                page[..., 0] if page.shape[2] == 1 else page,
                photometric=photometric,
                planarconfig=None if page.shape[2] == 1 else "contig",
                extrasamples=["unassalpha"] if colour.endswith("a") else None,
                extratags=[(274, "H", 1, 6, True)] if turned else (),
                metadata=None,
                software=False,
                contiguous=False,
                **how,
            )
    return out.getvalue()


def _netpbm(pages: list[Any], colour: str, turned: bool) -> bytes:
    page = pages[0]
    height, width, channels = page.shape
    most = 255 if page.dtype.itemsize == 1 else 65535
    head = f"P{'5' if channels == 1 else '6'}\n{width} {height}\n{most}\n".encode()
    return head + page.astype(page.dtype.newbyteorder(">")).tobytes()


def _pfm(pages: list[Any], colour: str, turned: bool) -> bytes:
    page = pages[0]
    height, width, channels = page.shape
    head = f"{'Pf' if channels == 1 else 'PF'}\n{width} {height}\n-1.0\n".encode()
    return head + page[::-1].astype("<f4").tobytes()


def _npy(pages: list[Any], colour: str, turned: bool) -> bytes:
    import numpy as np

    out = io.BytesIO()
    np.save(out, pages[0][..., 0] if colour == "gray" else pages[0])
    return out.getvalue()


def _zarr(path: Path, page: Any) -> None:
    import zarr

    plain = page[..., 0] if page.shape[2] == 1 else page
    chunks = (min(256, page.shape[0]), min(256, page.shape[1]), page.shape[2])[: plain.ndim]
    array = zarr.create_array(store=str(path), shape=plain.shape, chunks=chunks, dtype=plain.dtype)
    array[:] = plain


WRITERS: dict[str, Any] = {
    "png": _png,
    "apng": _apng,
    "jpeg": lambda p, c, t: _pillow(p, "JPEG", t, "CMYK" * (c == "cmyk"), quality=92),
    "strips": lambda p, c, t: _tiff(p, c, t, rowsperstrip=16),
    "tiles": lambda p, c, t: _tiff(p, c, t, tile=(64, 64), compression="zlib", predictor=True),
    "webp": lambda p, c, t: _pillow(p, "WEBP", t, lossless=True, method=0),
    "gif": lambda p, c, t: _pillow(p, "GIF", t),
    "bmp": lambda p, c, t: _pillow(p, "BMP", t),
    "ppm": _netpbm,
    "pgm": _netpbm,
    "pfm": _pfm,
    "avif": lambda p, c, t: _pillow(p, "AVIF", t, quality=90, speed=10),
    "npy": _npy,
    "raw": lambda p, c, t: p[0].tobytes(),
}


def samples_of(name: str, data: bytes) -> Any:
    """The samples of a result, to say where two differ."""
    import numpy as np

    suffix = Path(name).suffix
    if suffix == ".npy":
        return np.load(io.BytesIO(data))
    if suffix == ".tif":
        import tifffile

        return tifffile.imread(io.BytesIO(data))
    if suffix == ".png":
        import imagecodecs

        return imagecodecs.png_decode(data)
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)))


def _text(text: str) -> Any:
    return lambda path: path.write_text(text, encoding="utf-8")


def _tree(path: Path) -> None:
    """Pictures in folders, with something that is no picture."""
    for folder, name in (
        (".", "png-8-rgb.png"),
        ("a", "jpeg-8-rgb.jpg"),
        ("a", "png-16-gray.png"),
        ("a/b", "strips-16-rgb.tif"),
        ("c", "gif-8-rgb-frames.gif"),
    ):
        (path / folder).mkdir(parents=True, exist_ok=True)
        make(path / folder, name)
    (path / "notes.txt").write_text("not a picture\n")


def _tree_with_bad(path: Path) -> None:
    _tree(path)
    OTHERS["bad.png"](path / "a" / "torn.png")


def _torn(form: str, depth: str) -> Any:
    """The first half of a file."""

    def write(path: Path) -> None:
        data = WRITERS[form]([samples("torn", 0, (64, 64), depth, "rgb")], "rgb", False)
        path.write_bytes(data[: len(data) // 2])

    return write


def _palette(path: Path) -> None:
    from PIL import Image

    page = samples("palette", 0, (29, 37), "8", "rgb")
    image = Image.fromarray(page).quantize(16)
    image.save(path, transparency=3, dpi=(72, 72))


def _interlaced(path: Path) -> None:
    """Adam7, made by hand: one bit and seven passes."""
    height, width = 21, 19
    rows = []
    page = samples("interlaced", 0, (height, width), "8", "gray")[..., 0]
    for y0, x0, dy, dx in (
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):  # fmt: skip
        part = page[y0::dy, x0::dx]
        if part.size:
            rows += [b"\0" + row.tobytes() for row in part]
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1)
    body = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(b"".join(rows)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body + _chunk(b"IEND", b""))


def _bits(path: Path) -> None:
    from PIL import Image

    page = samples("bits", 0, (29, 37), "8", "gray")[..., 0]
    Image.fromarray(page > 128).save(path)


def _rich(path: Path) -> None:
    """A JPEG with a profile, a resolution, EXIF and a comment."""
    from PIL import Image, ImageCms

    page = samples("rich", 0, (48, 64), "8", "rgb")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Its date and number are those of its making.
    profile = profile[:24] + bytes(12) + profile[36:84] + bytes(16) + profile[100:]
    exif = b"Exif\0\0" + EXIF_TURNED
    Image.fromarray(page).save(
        path, quality=80, dpi=(300, 300), exif=exif, icc_profile=profile, comment=b"a comment"
    )


def _archive(path: Path) -> None:
    import numpy as np

    with path.open("wb") as file:
        np.savez(file, x=np.arange(12.0).reshape(3, 4), w=np.ones((2, 2)))


def _tensor(path: Path) -> None:
    import numpy as np

    rng = np.random.default_rng(5)
    shape = {"x4.npy": (2, 4, 7, 6), "w4.npy": (6, 2, 3, 2)}[path.name]
    np.save(path, rng.integers(-9, 10, shape).astype("f4"))


NETWORK = """
input = [3, 32, 32]
[[layer]]
kind = "conv"
out = 8
kernel_size = 3
"""

OTHERS: dict[str, Any] = {
    "photos": _tree,
    "mixed": _tree_with_bad,
    "bad.png": _torn("png", "8"),
    "torn.jpg": _torn("jpeg", "8"),
    "torn.tif": _torn("strips", "16"),
    "palette.png": _palette,
    "interlaced.png": _interlaced,
    "bits.png": _bits,
    "bits.tif": _bits,
    "rich.jpg": _rich,
    "empty.png": _text(""),
    "notes.txt": _text("not a picture\n"),
    "list.txt": _text("png-8-rgb.png\njpeg-8-gray.jpg\n"),
    "k.csv": _text("1,2,1\n2,4,2\n1,2,1\n"),
    "k.json": _text(json.dumps({"weights": [[0, 1, 0], [1, -4, 1], [0, 1, 0]], "scale": 0.5})),
    "k.txt": _text("1 0 -1\n2 0 -2\n1 0 -1\n"),
    "bad.csv": _text("1,2\n3\n"),
    "net.toml": _text(NETWORK),
    "x.json": _text("[[1, 2, 3], [4, 5, 6], [7, 8, 9]]"),
    "x.csv": _text("1,2,3\n4,5,6\n7,8,9\n"),
    "xw.npz": _archive,
    "x4.npy": _tensor,
    "w4.npy": _tensor,
}

if __name__ == "__main__":
    target = Path(sys.argv[1])
    for wanted in sys.argv[2:]:
        if not (target / wanted).exists():
            make(target, wanted)
    sys.stdout.flush()
    os._exit(0)  # zarr's loop and imagecodecs' libraries do not always end in peace
