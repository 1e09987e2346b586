"""The pictures that are filtered: a photograph, enlarged, with the noise of a sensor."""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

PORTRAIT = Path(__file__).parents[1] / "samples" / "portrait.png"


def photograph(width: int, height: int, dtype: str = "uint8") -> np.ndarray:
    """An RGB array (height, width, 3), the same at every call."""
    rng = np.random.default_rng(0)
    with Image.open(PORTRAIT) as image:
        large = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))
    out = np.empty((height, width, 3), dtype)
    scale = 257 if dtype == "uint16" else 1
    for top in range(0, height, 256):
        part = large[top : top + 256].astype(np.float32)
        noisy = (part + rng.normal(0, 3, part.shape)) * scale
        out[top : top + 256] = noisy.clip(0, 255 * scale).round()
    return out


def write(path: Path, width: int, height: int, dtype: str = "uint8") -> Path:
    """Write it as the suffix says, as other programs would."""
    pixels = photograph(width, height, dtype)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="rgb", rowsperstrip=64, metadata=None)
    elif dtype == "uint16":
        path.write_bytes(imagecodecs.png_encode(pixels, level=6))
    elif path.suffix == ".jpg":
        Image.fromarray(pixels).save(path, quality=92)
    else:
        Image.fromarray(pixels).save(path)
    return path


BAND = 200
"""Rows that are made at a time; a file of a thousand megapixels is never in memory."""


def band(width: int, height: int, dtype: str, top: int) -> np.ndarray:
    """Rows ``top`` to ``top + BAND`` of such a photograph, made by themselves."""
    rng = np.random.default_rng(top)
    shown = min(top + BAND, height) - top
    with Image.open(PORTRAIT) as image:
        small = image.convert("RGB")
    rows = small.height / height
    box = (0.0, top * rows, float(small.width), (top + shown) * rows)
    part = small.resize((width, shown), Image.Resampling.BICUBIC, box=box)
    made = np.asarray(part).astype(np.float32)
    made += 3 * rng.standard_normal(made.shape, np.float32)
    scale = 257 if dtype == "uint16" else 1
    return (made * scale).clip(0, 255 * scale).round().astype(dtype)


def write_in_bands(path: Path, width: int, height: int, dtype: str = "uint8") -> Path:
    """Write it as the suffix says, PNG or plain TIFF, with a few bands in memory."""
    made = path.with_name(f"{path.name}.part")
    if path.suffix == ".png":
        _png(made, width, height, dtype)
    else:
        tops = range(0, height, BAND)
        tifffile.imwrite(
            made,
            (band(width, height, dtype, top) for top in tops),
            shape=(height, width, 3),
            dtype=dtype,
            photometric="rgb",
            rowsperstrip=BAND,
            metadata=None,
            bigtiff=width * height * 3 * np.dtype(dtype).itemsize > 4e9,
        )
    made.rename(path)
    return path


def _png(path: Path, width: int, height: int, dtype: str) -> None:
    """Chunks of 8 KB, as libpng writes them, the rows filtered by Sub or Up, deflated by zlib."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I4s", len(data), kind) + data + check

    checksum, tail = 1, b"\x78\x9c"
    depth = 8 * np.dtype(dtype).itemsize
    with path.open("wb") as file:
        head = struct.pack(">2I5B", width, height, depth, 2, 0, 0, 0)
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head))
        for raw, body in _deflated(width, height, dtype):
            checksum = zlib.adler32(raw, checksum)
            tail += body
            whole = len(tail) // 8192 * 8192
            file.write(b"".join(chunk(b"IDAT", tail[i : i + 8192]) for i in range(0, whole, 8192)))
            tail = tail[whole:]
        file.write(chunk(b"IDAT", tail + struct.pack(">I", checksum)) + chunk(b"IEND", b""))


def _deflated(width: int, height: int, dtype: str) -> Iterator[tuple[bytes, bytes]]:
    """Bands as PNG filters them, and the same deflated, made by all processors and in order."""

    def make(top: int) -> tuple[bytes, bytes]:
        raw = _filtered(band(width, height, dtype, top))
        deflate = zlib.compressobj(6, zlib.DEFLATED, -15, 8, zlib.Z_FILTERED)
        end = zlib.Z_FINISH if top + BAND >= height else zlib.Z_FULL_FLUSH
        return raw, deflate.compress(raw) + deflate.flush(end)

    threads = os.cpu_count() or 1
    waiting: deque[Future[tuple[bytes, bytes]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for top in range(0, height, BAND):
            waiting.append(pool.submit(make, top))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _filtered(pixels: np.ndarray) -> bytes:
    """The first row by Sub, the others by Sub or Up, whichever leaves less, as libpng chooses."""
    step = 3 * pixels.dtype.itemsize
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(len(pixels), -1)
    sub, up = rows.copy(), rows.copy()
    sub[:, step:] -= rows[:, :-step]
    up[1:] -= rows[:-1]
    left = [np.minimum(d, -d).sum(axis=1, dtype=np.int64) for d in (sub, up)]
    chosen = left[1] < left[0]
    chosen[0] = False
    out = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    out[:, 0] = 1 + chosen
    out[:, 1:] = np.where(chosen[:, None], up, sub)
    return out.tobytes()
