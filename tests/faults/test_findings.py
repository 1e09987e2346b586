"""What the fuzzers found, each as it was found; ``tools/fuzz.py`` looks for more."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli.errors import InputError, TensorError
from convcli.imaging.read import decode_picture
from convcli.kernels.load import load_kernel
from convcli.ops.read import read_tensor


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
    try:
        picture = decode_picture(bytes(data), "x.tif")
    except InputError:
        return
    assert picture.size == (9, 11)


@pytest.mark.parametrize(
    ("dtype", "number", "says"),
    [("float16", "1e10", "too large"), ("int64", "1.5", "whole"), ("int64", "1e30", "whole")],
)
def test_a_type_that_does_not_hold_the_numbers_is_refused(
    dtype: str, number: str, says: str
) -> None:
    with pytest.raises(TensorError, match=says):
        read_tensor(f'{{"dtype": "{dtype}", "data": [{number}]}}')
