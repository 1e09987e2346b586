"""A format is added by one file and one line: farbfeld, a real one, and the real command on it.

https://tools.suckless.org/farbfeld/: "farbfeld", width and height as big-endian 32-bit numbers, then
big-endian 16-bit red, green, blue and alpha, row by row.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convcli.imaging.formats.png.write import encode_png
from convcli.imaging.header import Metadata
from convcli.imaging.opening import decode_picture

FILE = """
import struct

from convcli.imaging.formats import Coding, Format


class Farbfeld(Format):
    name = "FARBFELD"
    suffixes = (".ff",)
    spaces = "rgba"
    dtypes = "uint16"

    def recognises(self, head):
        return head.startswith(b"farbfeld")

    def decoded_bytes(self, data, name):
        width, height = struct.unpack_from(">II", data, 8)
        return 8 * width * height

    def read(self, data, name, max_pixels):
        import numpy as np

        from convcli.errors import InputError
        from convcli.imaging.limits import check_size
        from convcli.imaging.source import Frame, Source

        if len(data) < 16:
            raise InputError(f"{name}: the file is cut short")
        width, height = struct.unpack_from(">II", data, 8)
        check_size(name, width, height, max_pixels)
        if len(data) < 16 + self.decoded_bytes(data, name):
            raise InputError(f"{name}: the file is cut short")
        pixels = np.frombuffer(data, ">u2", 4 * width * height, 16).astype(np.uint16)
        frames = [Frame(pixels.reshape(height, width, 4))]
        return Source(self.name, "rgb", True, pixels.dtype, (height, width), frames)

    def encode(self, picture, coding):
        pixels = picture.first.pixels
        head = b"farbfeld" + struct.pack(">II", pixels.shape[1], pixels.shape[0])
        return head + pixels.astype(">u2").tobytes()


FORMATS = [Farbfeld()]
"""
REGISTERED = """
import sys
from convcli.imaging import formats
formats.__path__.append(sys.argv.pop(1))  # the file lies here, not in the package
formats.PICTURES["farbfeld"] = "farbfeld"
from convcli.__main__ import main
main()
"""
RNG = np.random.default_rng(8)
PIXELS = RNG.integers(0, 1 << 16, (5, 7, 4), np.uint16)
PNG = encode_png(PIXELS, Metadata(comments=[b"a text"]))
FF = b"farbfeld" + struct.pack(">II", 7, 5) + PIXELS.astype(">u2").tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in.png").write_bytes(PNG)
    (tmp_path / "in.ff").write_bytes(FF)
    (tmp_path / "formats").mkdir()
    (tmp_path / "formats" / "farbfeld.py").write_text(FILE)
    return tmp_path


def run(folder: Path, *words: str, given: bytes = b"", code: int = 0) -> tuple[bytes, str]:
    command = [sys.executable, "-c", REGISTERED, folder / "formats", "filter", *words]
    done = subprocess.run(command, input=given, capture_output=True, cwd=folder, timeout=300)
    said = " ".join(done.stderr.decode().split())
    assert done.returncode == code, said
    return done.stdout, said


def pixels_of(png: bytes) -> np.ndarray:
    (frame,) = decode_picture(png, "x.png").frames
    return frame.pixels


@pytest.mark.parametrize("words", [("-o", "out.ff"), ("-f", "farbfeld"), ("-f", "ff")])
def test_it_is_written(folder: Path, words: tuple[str, ...]) -> None:
    _, said = run(folder, "in.png", "-k", "1", *words)
    (written,) = folder.glob("out.ff" if words[0] == "-o" else "in-*.ff")
    assert written.read_bytes() == FF
    assert "left out: comment (FARBFELD has no place for that)" in said


def test_it_is_read(folder: Path) -> None:
    run(folder, "in.ff", "-k", "1", "-o", "out.png", "--memory", "200M")
    assert np.array_equal(pixels_of((folder / "out.png").read_bytes()), PIXELS)


def test_it_is_piped(folder: Path) -> None:
    out, _ = run(folder, "-", "-k", "1", given=FF)
    assert out == FF
    out, _ = run(folder, "-", "-k", "1", "-f", "farbfeld", given=PNG)
    assert out == FF
    out, _ = run(folder, "-", "-k", "1", "-f", "png", given=FF)
    assert np.array_equal(pixels_of(out), PIXELS)


def test_it_is_found_in_a_folder(folder: Path) -> None:
    (folder / "in.png").unlink()
    run(folder, "-r", ".", "-k", "1", "-o", "out/")
    assert (folder / "out" / "in.ff").read_bytes() == FF


def test_errors_list_it(folder: Path) -> None:
    (folder / "in.txt").write_text("no picture")
    assert " .ff" in run(folder, "in.png", "-k", "1", "-o", "out.bin", code=2)[1]
    assert ", farbfeld" in run(folder, "in.png", "-k", "1", "-f", "nope", code=2)[1]
    assert ", FARBFELD" in run(folder, "in.txt", "-k", "1", "-o", "out.png", code=1)[1]
    _, said = run(folder, "in.ff", "-k", "1", "-o", "out.jpg", code=2)
    assert "JPEG cannot hold uint16 RGB with alpha; use .png or .tif or .ff" in said
    (folder / "cut.ff").write_bytes(FF[:-1])
    assert "cut.ff: the file is cut short" in run(folder, "cut.ff", "-k", "1", code=1)[1]


def test_the_help_names_it(folder: Path) -> None:
    said = " ".join(run(folder, "--help")[0].decode().replace("│", "").split())
    assert "farbfeld, Zarr, .npy" in said
    assert " or farbfeld, for standard output" in said


def test_nobody_else_knows_it(folder: Path) -> None:
    words = [sys.executable, "-m", "convcli", "filter", "in.ff", "-k", "1", "-o", "out.png"]
    done = subprocess.run(words, capture_output=True, cwd=folder, timeout=300)
    assert done.returncode == 1
    assert b"not a picture in a format that is read" in done.stderr
