"""Netpbm files of every kind: as text and as bytes, of any maximum, and of floats."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.opening import decode_picture
from convcli.imaging.source import Source
from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Request

RNG = np.random.default_rng(3)


def opened(data: bytes) -> tuple[Source, np.ndarray]:
    picture = decode_picture(data, "x")
    (frame,) = picture.frames
    return picture, frame.pixels


def as_text(levels: np.ndarray) -> bytes:
    return b"\n".join(b" ".join(b"%d" % v for v in row.ravel()) for row in levels)


def as_bytes(levels: np.ndarray, top: int) -> bytes:
    return levels.astype(">u2" if top > 255 else "u1").tobytes()


@pytest.mark.parametrize("top", [1, 2, 100, 255, 256, 1023, 65534, 65535])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_maximum_is_white(top: int, channels: int) -> None:
    """At 8 bits up to 255, at 16 above; text says the same as bytes."""
    levels = RNG.integers(0, top, (4, 5, channels), endpoint=True)
    levels[0, :2] = [0] * channels, [top] * channels
    white = 255 if top < 256 else 65535
    for kind, body in ((channels // 2 + 2, as_text(levels)), (5 + channels // 2, None)):
        head = f"P{kind}\n5 4\n{top}\n".encode()
        data = head + (as_bytes(levels, top) if body is None else body)
        picture, pixels = opened(data)
        assert (picture.dtype, picture.space) == (
            np.dtype("uint8" if top < 256 else "uint16"),
            "gray" if channels == 1 else "rgb",
        )
        np.testing.assert_array_equal(pixels, np.rint(levels / top * white))
        if top < 256:
            pillow = np.asarray(Image.open(io.BytesIO(data)))
            np.testing.assert_array_equal(pixels, pillow.reshape(pixels.shape))


@pytest.mark.parametrize(
    ("data", "levels"),
    [
        (b"P2#a\n# b\r3 #c\n1\n#d\n9 0 3#e\n9", [0, 85, 255]),
        (b"P2 3 1 9\t0\r\n3\n#9 9 9\n\n9#", [0, 85, 255]),
        (b"P5#a\n3#b\n1 9\n\0\3#", [0, 85, 255]),
        (b"P5 3 1 9#a\n\0\3\t", [0, 85, 255]),
        (b"P1 3 1 01 # 1\n0", [255, 0, 255]),
        (b"P1 3 1#a\n010", [255, 0, 255]),
        (b"P4 3 1\n\x40", [255, 0, 255]),
    ],
)
def test_comments_and_blanks_may_stand_anywhere(data: bytes, levels: list[int]) -> None:
    assert opened(data)[1].ravel().tolist() == levels


@pytest.mark.parametrize("width", [1, 7, 8, 9])
def test_bits_as_text_and_packed_agree(width: int) -> None:
    image = Image.fromarray(RNG.integers(0, 2, (3, width)).astype(bool))
    out = io.BytesIO()
    image.save(out, "PPM")
    packed = out.getvalue()
    assert packed.startswith(b"P4")
    bits = 1 - np.asarray(image).astype(int)
    text = b"P1\n%d 3\n" % width + as_text(bits)
    for data in (
        packed,
        text,
        text.replace(b" ", b"").replace(b"P1\n%d" % width, b"P1 %d " % width),
    ):
        np.testing.assert_array_equal(opened(data)[1][..., 0], np.asarray(image) * 255)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"P2 3 1 255 1 2", "cut short"),
        (b"P5 3 1 255 12", "cut short"),
        (b"P5 3 1 1000 12345", "cut short"),
        (b"P1 3 1 01", "cut short"),
        (b"P4 9 1 1", "cut short"),
        (b"P2 3", "header is cut short"),
        (b"P2 3 1 255 1 -2 3", "'-'"),
        (b"P2 3 1 255 1 2 300", "300, above its maximum of 255"),
        (b"P2 1 1 255 99999999999999999999", "no level"),
        (b"P1 3 1 012", "0 and 1"),
        (b"P5 3 1 65536\n123456", "allowed: 1 to 65535"),
        (b"P5 3 1 0\n123456", "allowed: 1 to 65535"),
        (b"P5 3 x 9\n123456", "'x' in the header"),
        (b"Pf 1 1 0\n1234", "scale '0'"),
        (b"PF 1 1 -1\n1234", "cut short"),
    ],
)
def test_what_is_not_right_is_refused_in_one_line(data: bytes, says: str) -> None:
    with pytest.raises(InputError) as caught:
        opened(data)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"P5 1 1 9\n\5P5 1 1 9\n\5", b"P2 1 1 9 5 6", b"P1 1 1 1 1"])
def test_a_second_picture_is_left_out_with_a_note(data: bytes) -> None:
    picture, pixels = opened(data)
    assert pixels.size == 1
    assert picture.notes[-1] == "what follows its first picture was left out"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", ["-1.0", "1", "2.5e1", "-0.125"])
def test_floats_are_filtered_and_written_back(channels: int, scale: str, tmp_path: Path) -> None:
    """Both byte orders, the lowest row first; the scale is a remark that stays."""
    pixels = RNG.normal(0, 9, (4, 5, channels)).astype(np.float32)
    order = "<f4" if scale.startswith("-") else ">f4"
    kind = "f" if channels == 1 else "F"
    data = f"P{kind}\n5 4\n{scale}\n".encode() + pixels[::-1].astype(order).tobytes()
    (tmp_path / "in.pfm").write_bytes(data)
    np.testing.assert_array_equal(opened(data)[1], pixels)
    kernels = (load_kernel("identity"),)
    (report,) = Batch(Request((str(tmp_path / "in.pfm"),), kernels)).run()
    assert report.job.output.endswith(".pfm")
    written = Path(report.job.output).read_bytes()
    again, found = opened(written)
    np.testing.assert_array_equal(found, pixels)
    assert abs(again.meta.pfm_scale) == abs(float(scale))
    if channels == 1:
        pillow = Image.open(io.BytesIO(written))
        np.testing.assert_array_equal(np.asarray(pillow), pixels[..., 0])
        assert pillow.info["scale"] == abs(float(scale))


def test_a_scale_that_a_format_cannot_hold_is_named(tmp_path: Path) -> None:
    (tmp_path / "in.pfm").write_bytes(b"Pf\n1 1\n-2.5\n" + np.float32(1).tobytes())
    request = Request(
        (str(tmp_path / "in.pfm"),), (load_kernel("identity"),), output=str(tmp_path / "out.tif")
    )
    (report,) = Batch(request).run()
    assert any("2.5" in note for note in report.outline.header.notes)
