"""What is read while the program starts is what the ordinary way reads, or nothing."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli.extensions import extension
from convcli.imaging import ahead as ahead_module
from convcli.imaging import opening
from convcli.imaging.ahead import LEAST_BYTES, Ahead, begin, take
from convcli.imaging.formats.png import rows as png_rows
from convcli.imaging.formats.png.plain import Plain, read_plain
from convcli.imaging.formats.png.write import encode_png
from convcli.imaging.header import Metadata
from convcli.imaging.opening import decode_picture
from convcli.imaging.options import MAX_PIXELS
from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Request

RNG = np.random.default_rng(19)
compiled = pytest.mark.skipif(extension("_png").module is None, reason="needs the compiled loops")


@pytest.fixture(autouse=True)
def of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead_module, "LEAST_BYTES", 0)


def noisy(shape: tuple[int, ...], dtype: str = "uint8") -> np.ndarray:
    return RNG.integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def ahead(path: Path, max_pixels: int = MAX_PIXELS) -> Ahead | None:
    before = sys.getswitchinterval()
    begin(str(path), max_pixels)
    got = take(str(path))
    assert take(str(path)) is None, "taken twice"
    assert sys.getswitchinterval() == before
    assert "convcli-ahead" not in {thread.name for thread in threading.enumerate()}
    return got


@compiled
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("shape", [(3, 5, 1), (40, 31, 2), (700, 900, 3), (1200, 1100, 4)])
def test_a_plain_png_comes_as_pixels(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    pixels, path = noisy(shape, dtype), tmp_path / "in.png"
    path.write_bytes(encode_png(pixels, Metadata(dpi=(72, 72), icc=b"profile")))
    got = ahead(path)
    assert got is not None
    assert [type(read) for read in got.finish.args] == [Plain]
    path.unlink()  # nothing more is read of it
    picture = got.picture("in.png", MAX_PIXELS)
    ordinary = decode_picture(encode_png(pixels, Metadata(dpi=(72, 72), icc=b"profile")), "in.png")
    np.testing.assert_array_equal(next(iter(picture.frames)).pixels, pixels)
    assert picture.meta == ordinary.meta
    assert (picture.format, picture.space, picture.alpha, picture.dtype, picture.size) == (
        ordinary.format,
        ordinary.space,
        ordinary.alpha,
        ordinary.dtype,
        ordinary.size,
    )


@pytest.mark.parametrize("size", [(40, 30), (1300, 1100)])
def test_a_jpeg_comes_as_its_bytes_or_more(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "in.jpg"
    Image.fromarray(noisy((*size, 3))).save(path)
    got = ahead(path)
    assert got is not None
    data, begun = got.finish.args
    assert data == path.read_bytes()
    assert (begun is not None) == (size[0] > 1000)
    (frame,) = got.picture("in.jpg", MAX_PIXELS).frames
    (ordinary,) = decode_picture(path.read_bytes(), "in.jpg").frames
    np.testing.assert_array_equal(frame.pixels, ordinary.pixels)


def test_small_files_are_not_worth_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead_module, "LEAST_BYTES", LEAST_BYTES)
    for height, worth in ((300, False), (900, True)):
        path = tmp_path / f"{height}.jpg"
        Image.fromarray(noisy((height, 1300, 3))).save(path, quality=95)
        assert (path.stat().st_size >= LEAST_BYTES) == worth
        assert (ahead(path) is not None) == worth


def palette(path: Path) -> None:
    Image.fromarray(noisy((9, 9))).convert("P").save(path)


def cut(path: Path) -> None:
    path.write_bytes(encode_png(noisy((60, 50, 3)), Metadata())[:-500])


def damaged(path: Path) -> None:
    data = bytearray(encode_png(noisy((60, 50, 3)), Metadata()))
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def large(path: Path) -> None:
    path.write_bytes(encode_png(noisy((60, 51, 3)), Metadata()))


def tiff(path: Path) -> None:
    Image.fromarray(noisy((9, 9))).save(path, "TIFF")


def pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(
    "make",
    [palette, cut, damaged, large, tiff, pipe, Path.mkdir, Path.touch, lambda path: None],
    ids="palette cut damaged large tiff pipe folder empty missing".split(),
)
def test_anything_else_is_left_to_the_ordinary_way(make, tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    make(path)
    assert ahead(path, 3050) is None


@pytest.mark.parametrize("name", ["-", "", "a\0b", "s3://bucket/a.png", "/dev/null"])
def test_names_that_are_no_files_are_left_alone(name: str) -> None:
    begin(name, MAX_PIXELS)
    assert take(name) is None


@compiled
def test_too_large_a_picture_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_png(noisy((60, 50, 3)), Metadata())
    asked = []
    monkeypatch.setattr(png_rows, "_room", lambda size: asked.append(size) or bytearray(size))
    assert read_plain(io.BytesIO(data), len(data), 2999) is None
    assert asked == []
    assert read_plain(io.BytesIO(data), len(data), 3000) is not None
    assert asked == [9000]


@compiled
def test_a_program_that_ends_does_not_wait() -> None:
    data = encode_png(noisy((900, 800, 3)), Metadata())
    asked = []

    def going_on() -> bool:
        asked.append(1)
        return len(asked) < 3

    assert read_plain(io.BytesIO(data), len(data), MAX_PIXELS, going_on) is None
    assert len(asked) == 3
    assert read_plain(io.BytesIO(data), len(data), MAX_PIXELS) is not None


def test_filtering_takes_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "in.png"
    source.write_bytes(encode_png(noisy((300, 400, 3)), Metadata(icc=b"profile")))

    def done(name: str) -> bytes:
        out = tmp_path / name
        kernels = (load_kernel("sobel-x"), load_kernel("gaussian:1"))
        request = Request(inputs=(str(source),), kernels=kernels, output=str(out))
        list(Batch(request).run())
        return out.read_bytes()

    ordinary = done("ordinary.png")
    begin(str(source), MAX_PIXELS)
    if extension("_png").module is not None:
        monkeypatch.setattr(opening, "read_bytes", None)
    assert done("ahead.png") == ordinary


@compiled
def test_it_needs_no_numpy(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    path.write_bytes(encode_png(noisy((300, 700, 3), "uint16"), Metadata()))
    code = (
        "import sys\n"
        "from convcli.imaging.ahead import begin, take\n"
        "begin(sys.argv[1], 210000)\n"
        "assert len(take(sys.argv[1]).finish.args[0].pixels) == 300 * 700 * 6\n"
        "assert 'numpy' not in sys.modules and 'PIL' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True, timeout=300)
