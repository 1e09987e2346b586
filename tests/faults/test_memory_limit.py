"""``--memory`` for pictures that have to be decoded whole: kept, or refused by the header."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.cli import app
from convcli.extensions import extension
from convcli.imaging.formats.png import plain as png_plain
from convcli.imaging.formats.png.write import encode_png
from convcli.imaging.header import Metadata
from convcli.imaging.opening import decode_picture, decoded_bytes

RNG = np.random.default_rng(2)
SIZE = (2000, 3000, 3)
"""Of a picture of 18 MB, in a file of as many."""
BYTES = 2 * 2000 * 3000 * 3
BASE = 140 << 20
"""What the program itself is reckoned to take."""
compiled = pytest.mark.skipif(
    extension("_png").module is None, reason="rows of a PNG flow by the compiled loops"
)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """A picture that is upside down, so that no rows of it can flow."""
    image = Image.fromarray(RNG.integers(0, 256, SIZE, dtype=np.uint8))
    turned = image.getexif()
    turned[274] = 3
    image.save(tmp_path / "in.png", compress_level=0, exif=turned)
    return tmp_path / "in.png"


@compiled
@pytest.mark.parametrize("suffix", ["npy", "png"])
@pytest.mark.parametrize(("kernels", "limit"), [("box:3", 100), ("sobel-x -k median:3", 150)])
def test_what_flows_needs_little(
    convcli: Callable[..., Any], tmp_path: Path, suffix: str, kernels: str, limit: int
) -> None:
    pixels = RNG.integers(0, 256, (4000, 3000, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "in.png", compress_level=0)
    done = convcli(*f"filter in.png -k {kernels} -o out.{suffix} --memory {limit}M".split())
    assert done.code == 0, done.err
    assert done.peak < limit << 20


@pytest.mark.parametrize(
    "suffix",
    ["npy", "png", *(pytest.param(s, marks=pytest.mark.slow) for s in ("raw", "tif", "zarr"))],
)
def test_too_little_for_it_is_refused_before_it_is_decoded(
    convcli: Callable[..., Any], quiet: int, noise: Path, suffix: str
) -> None:
    if suffix == "zarr":
        pytest.importorskip("zarr")
    words = f"filter in.png -k box:3 -o out.{suffix} --memory 160M".split()
    done = convcli(*words)
    assert done.code == 2
    assert done.err.startswith("convcli: in.png: it has to be read whole, which takes ")
    assert done.err.endswith(" MB here; raise --memory\n")
    assert done.peak < quiet  # the file was read, and nothing decoded
    assert [p.name for p in noise.parent.iterdir() if p.name.startswith("out")] == []


@pytest.mark.parametrize("piped", [False, True])
def test_enough_for_it_is_kept_to(
    convcli: Callable[..., Any], tmp_path: Path, noise: Path, piped: bool
) -> None:
    limit = BASE + BYTES + (8 << 20)
    with noise.open("rb") as file:
        words = ["filter", "-" if piped else "in.png", "-k", "box:3", "-o", "out.npy"]
        done = convcli(*words, "--memory", str(limit), stdin=file)
    assert done.code == 0, done.err
    assert done.peak < limit
    assert np.load(tmp_path / "out.npy").shape == SIZE


@compiled
@pytest.mark.parametrize("options", [[], pytest.param(["--memory", "9G"], marks=pytest.mark.slow)])
@pytest.mark.parametrize("suffix", ["npy", "png"])
def test_it_is_decoded_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, noise: Path, options: list[str], suffix: str
) -> None:
    real, calls = png_plain.igzip_lib.IgzipDecompressor, []

    def counted(*args: Any) -> Any:
        calls.append(args)
        return real(*args)

    monkeypatch.setattr(png_plain.igzip_lib, "IgzipDecompressor", counted)
    words = ["filter", str(noise), "-k", "box:3", "-q", *options]
    assert app.run([*words, "-o", str(tmp_path / f"out.{suffix}")]) == 0
    assert len(calls) == 1


def saved(fmt: str, mode: str, **options: Any) -> bytes:
    out = io.BytesIO()
    rgb = RNG.integers(0, 256, (9, 11, 3), dtype=np.uint8)
    Image.fromarray(rgb).convert(mode).save(out, fmt, **options)
    return out.getvalue()


def pages(dtype: str, count: int) -> bytes:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for _ in range(count):
            writer.write(np.zeros((9, 11, 3), dtype), photometric="rgb", metadata=None)
    return out.getvalue()


FILES = {
    "png": saved("PNG", "RGB"),
    "png_palette": saved("PNG", "P"),
    "png_transparent": saved("PNG", "P", transparency=3),
    "png_bilevel": saved("PNG", "1"),
    "png_16": encode_png(np.zeros((9, 11, 4), np.uint16), Metadata()),
    "jpeg": saved("JPEG", "CMYK"),
    "gif": saved("GIF", "P"),
    "webp": saved("WEBP", "RGBA"),
    "bmp": saved("BMP", "L"),
    "pgm_16": b"P5 11 9 65535\n" + bytes(2 * 99),
    "pbm": b"P1 11 9\n" + b"1 " * 99,
    "pfm": b"PF 11 9 -1.0\n" + bytes(12 * 99),
    "tiff": pages("uint16", 3),
}


@pytest.mark.parametrize("kind", FILES)
def test_what_a_header_promises_is_what_the_samples_take(kind: str) -> None:
    frames = decode_picture(FILES[kind], "x").frames
    assert decoded_bytes(FILES[kind], "x") == sum(frame.pixels.nbytes for frame in frames)
