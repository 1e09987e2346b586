"""What the fuzzers found, each as it was found; ``tools/fuzz.py`` looks for more."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.errors import TensorError
from convcli.imaging.formats import format_of_name
from convcli.imaging.formats.png.chunks import chunk
from convcli.imaging.opening import decode_picture
from convcli.imaging.sink import encode_picture
from convcli.imaging.source import Frame, Source
from convcli.kernels.load import load_kernel
from convcli.ops.read_tensor import read_tensor


def tiff(compression: str | None = None) -> bytes:
    out = io.BytesIO()
    rgb = np.random.default_rng(3).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(out, "TIFF", compression=compression)
    return out.getvalue()


def test_a_comment_and_thirty_empty_lines_take_no_time(tmp_path: Path) -> None:
    # The search for a table's first name went back over the empty lines in every way there is.
    path = tmp_path / "k.txt"
    path.write_text("# comment" + "\n" * 200 + " \t \n" * 200 + "1 2\n3 4\n")
    assert load_kernel(path).weights.tolist() == [[1, 2], [3, 4]]


def test_a_tensor_too_long_for_a_file_name_is_no_file() -> None:
    with pytest.raises(TensorError, match="no file, and no literal"):
        read_tensor("2a+b -c; 1 " + "9" * 400 + "[")


def test_libtiff_says_nothing_itself(tmp_path: Path) -> None:
    data = bytearray(tiff("tiff_lzw"))
    data[8:40] = b"\xff" * 32
    (tmp_path / "in.tif").write_bytes(data)
    command = [sys.executable, *"-m convcli filter in.tif -k box:3 -o o.tif".split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_warnings_of_a_decoder_are_not_shown() -> None:
    data = bytearray(tiff())
    (first,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    # A tag whose value would lie beyond the end of the file, of which Pillow warns: in the tests
    # a warning is an error.
    struct.pack_into("<HHII", data, first + 2 + 12 * (count - 1), 305, 2, 1000, len(data) - 5)
    with pytest.warns(UserWarning), Image.open(io.BytesIO(data)) as image:
        image.load()
    assert decode_picture(bytes(data), "x.tif").size == (9, 11)


@pytest.mark.parametrize(
    ("dtype", "number", "says"),
    [("float16", "1e10", "too large"), ("int64", "1.5", "whole"), ("int64", "1e30", "whole")],
)
def test_a_type_that_does_not_hold_the_numbers_is_refused(
    dtype: str, number: str, says: str
) -> None:
    with pytest.raises(TensorError, match=says):
        read_tensor(f'{{"dtype": "{dtype}", "data": [{number}]}}')


@pytest.mark.parametrize(("cut", "code"), [(0, 0), (9, 1)])
def test_codecs_do_not_log_to_standard_error(tmp_path: Path, cut: int, code: int) -> None:
    # The checksum of the transparent colour is wrong, which libpng only warns of; or pixels lack.
    pixels = np.arange(300, dtype=np.uint16).reshape(10, 30)
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    data = imagecodecs.png_encode(pixels)
    clear = struct.pack(">I", 2) + b"tRNS" + bytes(2) + b"\1\2\3\4"
    rest = chunk(b"IDAT", zlib.compress(raw[: len(raw) - cut])) + chunk(b"IEND", b"")
    (tmp_path / "in.png").write_bytes(data[:33] + clear + rest)
    command = [sys.executable, *"-m convcli filter in.png -k box:3 -o o.png -q".split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == code, done.stderr
    assert (tmp_path / "o.png").exists() == (code == 0)


def plain_tiff(width: int, height: int, rows: int, strips: int, compression: int) -> bytes:
    """A header that claims a picture, with tables of ``strips`` strips without data."""
    tables = 8 + 2 + 12 * 9 + 4
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression)]
    entries += [(262, 3, 1, 1), (277, 3, 1, 1), (273, 4, strips, tables), (278, 4, 1, rows)]
    entries += [(279, 4, strips, tables + 4 * strips)]
    table = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4)
    return head + struct.pack("<I", 8) * strips + bytes(4 * strips)


@pytest.mark.parametrize(
    "claim",
    [
        (30, 2**30, 1, 2, 1),
        (60_000, 60_000, 60_000, 2, 8),
        (60_000, 60_000, 30_000, 2, 8),
        (60_000, 60_000, 100, 600, 8),
        (1 << 23, 19, 19, 2, 8),
    ],
    ids=["plain", "one_strip", "two_strips", "strips_of_nothing", "wide"],
)
def test_a_tiff_that_claims_more_than_its_file_can_hold(
    tmp_path: Path, claim: tuple[int, int, int, int, int]
) -> None:
    # Read part by part it fits into memory, so only time (hours) would have ended it.
    (tmp_path / "in.tif").write_bytes(plain_tiff(*claim))
    words = "-m convcli filter in.tif -k box:3 -o o.tif --max-pixels 1000000"
    command = [sys.executable, *words.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert done.stderr.startswith("convcli: in.tif: ")
    assert "--max-pixels" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_height_that_is_two_numbers(tmp_path: Path) -> None:
    data = bytearray(plain_tiff(4, 4, 4, 2, 1))
    at = data.index(struct.pack("<HHI", 257, 4, 1))
    struct.pack_into("<HHII", data, at, 257, 4, 2, 8)
    (tmp_path / "in.tif").write_bytes(data)
    command = [sys.executable, *"-m convcli filter in.tif -k box:3 -o o.tif".split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "internal error" not in done.stderr


def test_a_damaged_exif_block_does_not_keep_a_tiff_from_being_written() -> None:
    entries = struct.pack("<HHII", 0x8769, 4, 1, 26)
    exif = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + entries + bytes(4)
    exif += struct.pack("<H", 1) + struct.pack("<HHII", 0x9003, 2, 5000, 40) + bytes(4)
    pixels = np.zeros((4, 5, 3), np.uint8)
    picture = Source("JPEG", "rgb", False, pixels.dtype, (4, 5), [Frame(pixels)])
    picture.meta.exif = exif
    written = encode_picture(picture, format_of_name("tiff"), "o.tif")
    (frame,) = decode_picture(written, "o.tif").frames
    np.testing.assert_array_equal(frame.pixels, pixels)


def test_a_sample_too_large_for_linear_light_is_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.tif", np.full((5, 6), 1e30, np.float32))
    command = [sys.executable, *"-m convcli filter in.tif -k box:3 --linear -o o.tif".split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("convcli: ")
    assert "1e+30" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_superscript_is_no_number() -> None:
    # str.isdigit() says yes to what int() does not read.
    with pytest.raises(TensorError, match="'¹' is neither a number nor a symbol"):
        read_tensor("¹")
