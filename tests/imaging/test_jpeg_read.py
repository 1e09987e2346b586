"""Large JPEGs are decoded beside the reading of their metadata; the header decides which."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.formats.jpeg.large import begin_jpeg
from convcli.imaging.formats.jpeg.markers import FrameHeader, frame_header, segments
from convcli.imaging.formats.jpeg.read import read_jpeg
from convcli.imaging.opening import decode_picture
from convcli.imaging.options import MAX_PIXELS

y, x = np.mgrid[0:1030, 0:1040]
RGB = np.stack([x % 256, y % 256, (x * y) % 251], -1).astype(np.uint8)


def saved(mode: str = "RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(RGB).convert(mode).save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("mode", "options", "sampling"),
    [
        ("RGB", {"subsampling": 0}, ((1, 1), (1, 1), (1, 1))),
        ("RGB", {"subsampling": 1}, ((2, 1), (1, 1), (1, 1))),
        ("RGB", {"subsampling": 2, "progressive": True}, ((2, 2), (1, 1), (1, 1))),
        ("RGB", {"keep_rgb": True, "subsampling": 0}, ((1, 1), (1, 1), (1, 1))),
        ("RGB", {"exif": b"Exif\0\0" + saved("L"), "subsampling": 1}, ((2, 1), (1, 1), (1, 1))),
        ("L", {"restart_marker_rows": 3}, ((1, 1),)),
    ],
    ids=["444", "422", "progressive_420", "rgb_kept", "a_jpeg_in_exif", "gray_with_restarts"],
)
def test_begun_by_the_header_and_equal_to_pillow(
    mode: str, options: dict[str, Any], sampling: tuple[tuple[int, int], ...]
) -> None:
    options = {k: v[:60000] if k == "exif" else v for k, v in options.items()}
    data = saved(mode, **options)
    header = frame_header(data)
    assert header is not None
    assert header[1:] == (8, 1030, 1040, sampling)
    begun = begin_jpeg(data, MAX_PIXELS)
    assert begun is not None
    expected = np.asarray(Image.open(io.BytesIO(data))).reshape(1030, 1040, -1)
    np.testing.assert_array_equal(begun.pixels(), expected)
    (frame,) = decode_picture(data, "x.jpg").frames
    np.testing.assert_array_equal(frame.pixels, expected)


def test_pixels_begun_before_are_the_ones_taken() -> None:
    data = saved()
    begun, other = begin_jpeg(data, MAX_PIXELS), begin_jpeg(saved("L"), MAX_PIXELS)
    assert begun is not None
    (frame,) = read_jpeg(data, "x.jpg", MAX_PIXELS, begun).frames
    assert np.shares_memory(frame.pixels, begun.pixels())
    # Of another shape than Pillow finds in the file: decoded anew.
    (frame,) = read_jpeg(data, "x.jpg", MAX_PIXELS, other).frames
    np.testing.assert_array_equal(frame.pixels, begun.pixels())


def test_what_is_left_to_pillow() -> None:
    data = saved()
    assert begin_jpeg(data, 1030 * 1040) is not None
    assert begin_jpeg(data, 1030 * 1040 - 1) is None
    assert begin_jpeg(data[:-2], MAX_PIXELS) is None
    assert begin_jpeg(saved("CMYK"), MAX_PIXELS) is None
    small = io.BytesIO()
    Image.fromarray(RGB[:800]).save(small, "JPEG")
    assert begin_jpeg(small.getvalue(), MAX_PIXELS) is None


def test_no_header_of_any_length_is_read_past_its_end() -> None:
    head = saved(subsampling=1)[:700]
    whole = frame_header(head)
    assert whole is not None
    found = {frame_header(head[:length]) for length in range(len(head))}
    assert found == {None, whole}
    for body in (b"\xff\xff\xff", b"\xff\xc0\0\2", b"\xff\xc0\0\x0b\x08\0\1\0\1\xff\1\x11\0"):
        assert frame_header(b"\xff\xd8" + body) is None
    filled = head[:2] + b"\xff" * 5 + head[2:]  # T.81, B.1.1.2: fill bytes before a marker
    assert frame_header(filled) == whole._replace(at=whole.at + 5)
    assert len(list(segments(filled))) == len(list(segments(head)))


def test_units_that_are_coded_together() -> None:
    # T.81, A.2: 8x8 samples of the least sampled component; a single one is never interleaved.
    colour = FrameHeader(0, 8, 33, 65, ((2, 2), (1, 1), (1, 1)))
    assert colour.mcus == 3 * 5
    assert colour._replace(sampling=((2, 1), (1, 1), (1, 1))).mcus == 5 * 5
    assert colour._replace(sampling=((1, 1), (1, 1), (1, 1))).mcus == 5 * 9
    assert colour._replace(sampling=((2, 2),)).mcus == 5 * 9


def test_damage_within_is_an_error_of_the_input() -> None:
    data = bytearray(saved(quality=90))
    table = next(at for marker, at, _ in segments(bytes(data)) if marker == 0xC4)
    data[table + 4] = 0x7F  # a Huffman table of a class that there is not
    begun = begin_jpeg(bytes(data), MAX_PIXELS)
    assert begun is not None
    with pytest.raises(Exception, match=r"(?i)jpeg|huffman|bogus"):
        begun.pixels()
    with pytest.raises(InputError, match="cannot be decoded as JPEG"):
        decode_picture(bytes(data), "x.jpg")
