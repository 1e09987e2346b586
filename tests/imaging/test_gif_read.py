"""GIFs as others write them: frames that cover a part, every disposal, holes, odd edges."""

from __future__ import annotations

import io
import struct
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.opening import decode_picture

SIZE = 5, 7
TABLE = bytes([200, 0, 0, 0, 200, 0, 0, 0, 200, 9, 8, 7])
COLOURS = np.frombuffer(TABLE, np.uint8).reshape(4, 3)
BACKGROUND = 3


class Shot(NamedTuple):
    codes: np.ndarray
    x: int = 0
    y: int = 0
    disposal: int = 0
    clear: int | None = None


def gif(shots: list[Shot], table: bytes = TABLE) -> bytes:
    parts = [b"GIF89a", struct.pack("<HHBBB", SIZE[1], SIZE[0], 0xF1, BACKGROUND, 0), table]
    for shot in shots:
        image = Image.fromarray(shot.codes)
        image.putpalette(TABLE)
        out = io.BytesIO()
        image.save(out, "GIF", optimize=False)
        alone = out.getvalue()
        stream = alone[alone.index(b"\x2c", 13 + (3 << (alone[10] & 7) + 1)) + 10 : -1]
        packed = shot.disposal << 2 | (shot.clear is not None)
        parts.append(b"\x21\xf9\x04" + struct.pack("<BHB", packed, 5, shot.clear or 0) + b"\0")
        height, width = shot.codes.shape
        parts.append(struct.pack("<B4HB", 0x2C, shot.x, shot.y, width, height, 0) + stream)
    return b"".join([*parts, b";"])


def expected(shots: list[Shot], size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """RGBA, pixel by pixel. Cleared is transparent, or the background where no frame has holes."""
    holes = any(shot.clear is not None for shot in shots)
    ground = (0, 0, 0, 0) if holes else (*COLOURS[BACKGROUND], 255)
    canvas = np.zeros((*size, 4), np.uint8)
    canvas[:] = ground
    seen = []
    for number, shot in enumerate(shots):
        before = canvas.copy()
        for (row, column), code in np.ndenumerate(shot.codes):
            if code != shot.clear:
                canvas[row + shot.y, column + shot.x] = (*COLOURS[code], 255)
        seen.append(canvas.copy())
        for row, column in np.ndindex(shot.codes.shape):
            at = row + shot.y, column + shot.x
            if shot.disposal == 2 or (shot.disposal == 3 and number == 0):
                canvas[at] = ground
            elif shot.disposal == 3:
                canvas[at] = before[at]
    return seen


def check(shots: list[Shot], size: tuple[int, int] = SIZE) -> None:
    picture = decode_picture(gif(shots), "x")
    seen = expected(shots, size)
    assert picture.alpha or all((frame[..., 3] == 255).all() for frame in seen)
    for frame, wanted in zip(picture.frames, seen, strict=True):
        pixels = frame.pixels if picture.alpha else np.insert(frame.pixels, 3, 255, -1)
        np.testing.assert_array_equal(pixels, wanted, err_msg=str(shots))


@pytest.mark.parametrize("clear", [None, 2])
def test_every_disposal_after_every_other(clear: int | None) -> None:
    """A frame that names none leaves its pixels, whatever the frame before it named."""
    rng = np.random.default_rng(4)
    for disposals in product(range(4), repeat=3):
        shots = [Shot(rng.integers(0, 4, SIZE, np.uint8), 0, 0, disposals[0], clear)]
        shots += [Shot(rng.integers(0, 4, (2, 3), np.uint8), 1, 1, disposals[1], clear)]
        shots += [Shot(rng.integers(0, 4, (3, 2), np.uint8), 2, 0, disposals[2], clear)]
        shots += [Shot(rng.integers(0, 4, (1, 4), np.uint8), 3, 4, 0, clear)]
        check(shots)


def test_what_was_cleared_stays_so_under_a_frame_that_goes_again() -> None:
    """Alpha is looked for in all frames: the ground comes back with the canvas before."""
    rng = np.random.default_rng(5)
    some = np.array([0, 1, 3], np.uint8)
    for disposals in product(range(4), repeat=3):
        for holes in product([None, 2], repeat=2):
            shots = [Shot(rng.choice(some, SIZE), 0, 0, disposals[0])]
            shots += [Shot(rng.choice(some, SIZE), 0, 0, disposals[1], holes[0])]
            shots += [Shot(rng.choice(some, (3, 4)), 2, 1, disposals[2], holes[1])]
            shots += [Shot(rng.integers(0, 4, (5, 6), np.uint8), 0, 0, 0, 2)]
            check(shots)


def test_holes_that_show_only_other_frames_make_no_alpha() -> None:
    """As programs write that make files small: what did not change is left clear."""
    solid = Shot(np.zeros(SIZE, np.uint8))
    change = Shot(np.array([[1, 2], [2, 1]], np.uint8), 1, 1, 0, 2)
    assert not decode_picture(gif([solid, change]), "x").alpha
    check([solid, change])
    assert decode_picture(gif([solid._replace(disposal=2), change]), "x").alpha
    check([solid._replace(disposal=2), change])


@pytest.mark.parametrize("count", [1, 2])
def test_what_the_first_frame_leaves_open_is_ground(count: int) -> None:
    check([Shot(np.ones((2, 2), np.uint8), 1, 1, 1)] * count)
    check([Shot(np.ones((2, 2), np.uint8), 1, 1, 1, 0)] * count)


def test_a_frame_beyond_the_edge_makes_the_canvas_larger_from_the_start() -> None:
    check([Shot(np.zeros(SIZE, np.uint8)), Shot(np.ones((2, 3), np.uint8), 6, 5)], (7, 9))


def test_tables_that_are_ramps_of_gray_are_gray() -> None:
    codes = np.random.default_rng(1).integers(0, 4, SIZE, np.uint8)
    ramp = bytes(k for k in range(4) for _ in range(3))
    picture = decode_picture(gif([Shot(codes), Shot(codes[:2])], ramp), "x")
    assert (picture.space, picture.alpha) == ("gray", False)
    np.testing.assert_array_equal(next(iter(picture.frames)).pixels[..., 0], codes)


def test_nothing_to_see_is_refused() -> None:
    for data in (
        gif([]),
        gif([Shot(np.zeros((1, 1), np.uint8))]).replace(b"\1\0\1\0\0", b"\0\0\1\0\0"),
    ):
        with pytest.raises(InputError, match=r"no picture|without pixels"):
            decode_picture(data, "x")
