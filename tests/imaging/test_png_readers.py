"""Files of the PNG writer in the hands of other programs."""

from __future__ import annotations

import io
import shutil
import subprocess
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from convcli.imaging.formats.png import write as png_write
from convcli.imaging.formats.png.write import apng_parts, encode_png
from convcli.imaging.header import Metadata
from convcli.imaging.source import Frame

KINDS = [(channels, dtype) for channels in (1, 2, 3, 4) for dtype in ("uint8", "uint16")]
kinds = pytest.mark.parametrize(("channels", "dtype"), KINDS)


@cache
def files(channels: int, dtype: str) -> list[tuple[np.ndarray, bytes]]:
    """Pictures of every width from 1 to 70, noisy, smooth and drawn in turn, in several strips."""
    rng = np.random.default_rng(channels)
    top, out = np.iinfo(dtype).max, []
    for width in range(1, 71):
        shape = (width % 13 + 1, width, channels)
        pixels = rng.integers(0, top + 1, shape, dtype=dtype)
        if width % 3 == 1:
            pixels = np.cumsum(pixels % 9, axis=width % 2, dtype=dtype)
        elif width % 3 == 2:
            pixels = pixels // (top // 2 + 1) * dtype_scale(dtype)
        out.append((pixels, encode_png(pixels, Metadata(), threads=2)))
    return out


def dtype_scale(dtype: str) -> np.generic:
    return np.dtype(dtype).type(np.iinfo(dtype).max)


@pytest.fixture(autouse=True)
def several_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_write, "LEAST_BYTES", 300)
    monkeypatch.setattr(png_write, "STRIPS", 3)
    monkeypatch.setattr(png_write, "THREADED_BYTES", 0)


@kinds
def test_imagecodecs_reads_the_same(channels: int, dtype: str) -> None:
    for pixels, data in files(channels, dtype):
        got = np.asarray(imagecodecs.png_decode(data))
        assert got.dtype == pixels.dtype
        np.testing.assert_array_equal(got.reshape(pixels.shape), pixels)


@pytest.mark.parametrize(
    ("channels", "dtype"),
    [kind for kind in KINDS if kind[1] == "uint8" or kind[0] == 1],
)
def test_pillow_reads_the_same(channels: int, dtype: str) -> None:
    """But for colour of 16 bits, whose depth it halves."""
    for pixels, data in files(channels, dtype):
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)


@kinds
def test_opencv_reads_the_same(channels: int, dtype: str) -> None:
    cv2 = pytest.importorskip("cv2")
    # Blue, green, red; and gray with alpha as all three with alpha.
    order = {1: [0], 2: [0, 0, 0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    for pixels, data in files(channels, dtype):
        got = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert got.dtype == pixels.dtype
        expected = pixels[..., order]
        np.testing.assert_array_equal(got.reshape(expected.shape), expected)


@pytest.mark.skipif(shutil.which("pngcheck") is None, reason="pngcheck is not installed")
def test_pngcheck_finds_nothing(tmp_path: Path) -> None:
    for channels, dtype in KINDS:
        for pixels, data in files(channels, dtype):
            (tmp_path / f"{dtype}-{channels}-{pixels.shape[1]}.png").write_bytes(data)
    pixels = files(4, "uint8")[40][0]
    (tmp_path / "moving.png").write_bytes(
        b"".join(apng_parts([Frame(pixels, 40), Frame(pixels[::-1], 80)], 2, Metadata(loop=3)))
    )
    (tmp_path / "small.png").write_bytes(encode_png(pixels, Metadata(), compression="small"))
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 562
    done = subprocess.run(["pngcheck", "-q", *paths], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    # And it does look.
    damaged = bytearray(paths[0].read_bytes())
    damaged[-20] ^= 1
    paths[0].write_bytes(damaged)
    assert subprocess.run(["pngcheck", "-q", paths[0]], capture_output=True).returncode
