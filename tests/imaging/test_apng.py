"""Animated PNGs: every way a frame comes and goes, at every depth, against the specification."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.formats.png.chunks import SIGNATURE, chunk
from convcli.imaging.opening import decode_picture
from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Request

NOTHING, BACKGROUND, PREVIOUS = range(3)
SOURCE, OVER = range(2)
SIZE = 4, 5
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


class Shot(NamedTuple):
    pixels: np.ndarray
    x: int = 0
    y: int = 0
    dispose: int = NOTHING
    blend: int = SOURCE
    delay: tuple[int, int] = (1, 10)


def packed(pixels: np.ndarray, depth: int) -> bytes:
    if depth < 8:
        rows = [np.packbits(row.ravel()) for row in pixels]
    else:
        rows = list(pixels.astype(">u2" if depth == 16 else "u1"))
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))


def apng(
    shots: list[Shot],
    colour: int,
    depth: int = 8,
    still: np.ndarray | None = None,
    shared: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """An animation, written from the specification, each frame in two pieces."""
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", SIZE[1], SIZE[0], depth, colour, 0, 0, 0))]
    parts.append(chunk(b"acTL", struct.pack(">II", len(shots), 3)))
    parts += [chunk(*pair) for pair in shared]
    if still is not None:
        parts.append(chunk(b"IDAT", packed(still, depth)))
    sequence = 0
    for number, shot in enumerate(shots):
        height, width = shot.pixels.shape[:2]
        fields = sequence, width, height, shot.x, shot.y, *shot.delay, shot.dispose, shot.blend
        parts.append(chunk(b"fcTL", struct.pack(">5I2H2B", *fields)))
        sequence += 1
        data = packed(shot.pixels, depth)
        for piece in (data[:5], data[5:]):
            if number == 0 and still is None:
                parts.append(chunk(b"IDAT", piece))
            else:
                parts.append(chunk(b"fdAT", struct.pack(">I", sequence) + piece))
                sequence += 1
    return SIGNATURE + b"".join([*parts, chunk(b"IEND", b"")])


def noise(rng: np.random.Generator, colour: int, depth: int, height: int, width: int) -> np.ndarray:
    top = 2**depth - 1
    pixels = rng.integers(0, top, (height, width, CHANNELS[colour]), endpoint=True)
    if colour in (4, 6):
        pixels[..., -1] = rng.choice([0, top // 3, top], (height, width))
    return pixels.astype(np.uint16 if depth == 16 else np.uint8)


def moving(rng: np.random.Generator, colour: int, depth: int, ops: tuple[int, ...]) -> list[Shot]:
    """Three frames, the second and third of which cover a part."""
    return [
        Shot(noise(rng, colour, depth, *SIZE), 0, 0, *ops[:2]),
        Shot(noise(rng, colour, depth, 2, 3), 1, 1, *ops[2:4]),
        Shot(noise(rng, colour, depth, 3, 2), 2, 0, NOTHING, ops[4]),
    ]


def over(front: list[int], back: list[int], top: int) -> list[int]:
    """Section 13.16 in exact fractions, rounded at the end."""
    fore, rest = Fraction(front[-1], top), Fraction(back[-1], top)
    alpha = fore + rest * (1 - fore)
    if alpha == 0:
        return back
    mixed = [(f * fore + b * rest * (1 - fore)) / alpha for f, b in zip(front, back, strict=True)]
    return [round(value) for value in (*mixed[:-1], alpha * top)]


def composed(shots: list[Shot], top: int) -> list[np.ndarray]:
    """The frames as they are seen, pixel by pixel; opaque ones were given alpha."""
    canvas = np.zeros((*SIZE, shots[0].pixels.shape[-1]), int)
    seen = []
    for number, shot in enumerate(shots):
        before = canvas.copy()
        spots = [(r, c) for r in range(len(shot.pixels)) for c in range(len(shot.pixels[0]))]
        for row, column in spots:
            at = row + shot.y, column + shot.x
            front = shot.pixels[row, column].tolist()
            canvas[at] = over(front, before[at].tolist(), top) if shot.blend == OVER else front
        seen.append(canvas.copy())
        for row, column in spots:
            at = row + shot.y, column + shot.x
            if shot.dispose == BACKGROUND or (shot.dispose == PREVIOUS and number == 0):
                canvas[at] = 0
            elif shot.dispose == PREVIOUS:
                canvas[at] = before[at]
    return seen


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("colour", [0, 2, 4, 6])
def test_every_way_to_lay_and_clear_a_frame(colour: int, depth: int) -> None:
    rng, top = np.random.default_rng(colour), 2**depth - 1
    for ops in product(range(3), range(2), range(3), range(2), range(2)):
        shots = moving(rng, colour, depth, ops)
        picture = decode_picture(apng(shots, colour, depth), "x")
        if colour in (0, 2):
            shots = [
                s._replace(pixels=np.insert(s.pixels, CHANNELS[colour], top, -1)) for s in shots
            ]
        expected = composed(shots, top)
        if not picture.alpha:  # nothing ever bares the ground
            assert all((frame[..., -1] == top).all() for frame in expected)
            expected = [frame[..., :-1] for frame in expected]
        assert picture.dtype == (np.uint16 if depth == 16 else np.uint8)
        for frame, wanted in zip(picture.frames, expected, strict=True):
            np.testing.assert_array_equal(frame.pixels, wanted, err_msg=str(ops))


@pytest.mark.parametrize(
    ("colour", "depth", "shared"),
    [
        (3, 8, ((b"PLTE", bytes(range(48)) * 16), (b"tRNS", bytes([0, 100, 255])))),
        (3, 1, ((b"PLTE", b"\0\1\2\3\4\5"), (b"tRNS", b"\0"))),
        (0, 1, ()),
        (0, 16, ((b"tRNS", b"\0\7"),)),
        (2, 8, ((b"tRNS", b"\0\1\0\2\0\3"),)),
    ],
)
def test_palettes_and_transparent_colours_are_those_of_all_frames(
    colour: int, depth: int, shared: tuple[tuple[bytes, bytes], ...]
) -> None:
    """Each frame is what libpng makes of it as a picture of its own."""
    rng = np.random.default_rng(depth)
    shots = [Shot(noise(rng, colour, depth, *SIZE)) for _ in range(2)]
    picture = decode_picture(apng(shots, colour, depth, shared=shared), "x")
    assert picture.alpha == any(kind == b"tRNS" for kind, _ in shared)
    for frame, shot in zip(picture.frames, shots, strict=True):
        alone = decode_picture(
            apng([shot], colour, depth, shared=shared).replace(b"acTL", b"teXt"), "x"
        )
        np.testing.assert_array_equal(frame.pixels, next(iter(alone.frames)).pixels)


def identity(data: bytes, folder: Path, suffix: str = ".png") -> tuple[bytes, list[str]]:
    source, target = folder / "in.png", folder / f"out{suffix}"
    source.write_bytes(data)
    request = Request((str(source),), (load_kernel("identity"),), output=str(target))
    (report,) = Batch(request).run()
    return target.read_bytes(), report.outline.header.notes


@pytest.mark.parametrize("depth", [8, 16])
def test_a_picture_that_is_no_part_of_the_animation_stays_one(depth: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    still = noise(rng, 6, depth, *SIZE)
    shots = [Shot(noise(rng, 6, depth, *SIZE)), Shot(noise(rng, 6, depth, 2, 2), 1, 2)]
    data = apng(shots, 6, depth, still)
    written, notes = identity(data, tmp_path)
    assert not notes
    image = Image.open(io.BytesIO(written))
    assert image.info["default_image"]
    assert image.n_frames == 3
    if depth == 8:
        np.testing.assert_array_equal(np.asarray(image), still)
    before, after = (decode_picture(d, "x") for d in (data, written))
    assert before.still_first
    assert after.still_first
    for a, b in zip(before.frames, after.frames, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)
        assert a.duration == b.duration


def test_where_it_cannot_stay_it_is_named(tmp_path: Path) -> None:
    pixels = np.full((*SIZE, 3), 7, np.uint8)
    data = apng([Shot(pixels), Shot(pixels + 1)], 2, still=pixels + 2)
    written, notes = identity(data, tmp_path, ".gif")
    assert Image.open(io.BytesIO(written)).n_frames == 2
    assert any("before the animation" in note for note in notes)


def test_an_animation_of_16_bits_is_written_as_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    shots = [Shot(noise(rng, 2, 16, *SIZE)) for _ in range(3)]
    written, _ = identity(apng(shots, 2, 16), tmp_path)
    found = imagecodecs.apng_decode(written)
    np.testing.assert_array_equal(found, np.stack([shot.pixels for shot in shots]))


def test_times_are_kept_as_the_fractions_that_they_are(tmp_path: Path) -> None:
    pixels = np.zeros((*SIZE, 1), np.uint8)
    delays = [(1, 30), (0, 0), (5, 0), (65535, 1), (1, 65535), (1001, 24000)]
    written, _ = identity(apng([Shot(pixels, delay=d) for d in delays], 0), tmp_path)
    assert [frame.duration for frame in decode_picture(written, "x").frames] == [
        1000 * part / (whole or 100) for part, whole in delays
    ]
    assert decode_picture(written, "x").meta.loop == 3


def renumbered(data: bytes) -> bytes:
    at = data.rindex(b"fdAT")
    length = int.from_bytes(data[at - 4 : at])
    body = struct.pack(">I", 9) + data[at + 8 : at + 4 + length]
    return data[: at - 4] + chunk(b"fdAT", body) + data[at + 8 + length :]


def test_a_damaged_animation_is_refused() -> None:
    pixels = np.zeros((*SIZE, 1), np.uint8)
    good = apng([Shot(pixels), Shot(pixels)], 0)
    assert decode_picture(good, "x").n_frames == 2
    claims = good.replace(
        chunk(b"acTL", struct.pack(">II", 2, 3)), chunk(b"acTL", struct.pack(">II", 3, 3))
    )
    outside = apng([Shot(pixels), Shot(pixels, 1)], 0)
    unknown = apng([Shot(pixels), Shot(pixels, dispose=3)], 0)
    damaged = bytearray(good)
    damaged[good.rindex(b"fdAT") + 6] ^= 1
    for data, says in (
        (claims, "claims 3 frames, and the file has 2"),
        (outside, "frame 2"),
        (unknown, "frame 2"),
        (renumbered(good), "out of order"),
        (bytes(damaged), "fdAT is damaged"),
    ):
        with pytest.raises(InputError, match=says):
            list(decode_picture(data, "x").frames)


def test_an_animation_that_claims_no_frames_is_the_picture_before_it() -> None:
    """As in other programs; with a note, as for one that claims too many."""
    pixels = np.zeros((*SIZE, 1), np.uint8)
    good = apng([Shot(pixels)], 0, still=pixels + 9)
    claim = chunk(b"acTL", struct.pack(">II", 1, 3))
    for instead in (chunk(b"acTL", bytes(8)), chunk(b"acTL", b"\xff" * 8)):
        picture = decode_picture(good.replace(claim, instead), "x")
        assert (picture.n_frames, picture.animated) == (1, False)
        assert "animation is damaged" in picture.notes[0]
        np.testing.assert_array_equal(next(iter(picture.frames)).pixels, pixels + 9)
    behind = good.replace(claim, b"").replace(chunk(b"IEND", b""), claim + chunk(b"IEND", b""))
    assert decode_picture(behind, "x").n_frames == 1
