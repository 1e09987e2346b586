"""GIF containers, block by block."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from convcli.imaging.formats import format_of_name
from convcli.imaging.opening import decode_picture
from convcli.imaging.sink import encode_picture
from convcli.imaging.source import Frame, Source


def encoded(stills: list[np.ndarray], loop: int | None = None) -> bytes:
    frames = [Frame(pixels, 50) for pixels in stills]
    alpha = stills[0].shape[2] == 4
    picture = Source(
        "GIF",
        "rgb",
        alpha,
        np.dtype("uint8"),
        (6, 7),
        frames,
        n_frames=len(frames),
        animated=len(frames) > 1,
    )
    picture.meta.loop = loop
    return encode_picture(picture, format_of_name("gif"), "o.gif")


def solid(level: int, channels: int = 4) -> np.ndarray:
    pixels = np.full((6, 7, channels), level, np.uint8)
    if channels == 4:
        pixels[..., 3] = 255
    return pixels


def controls(data: bytes) -> list[int]:
    """The disposal of each frame: 0 unspecified, 2 cleared."""
    return [data[k + 3] >> 2 & 7 for k in range(len(data)) if data[k : k + 3] == b"\x21\xf9\x04"]


def test_before_a_frame_with_holes_the_canvas_is_cleared() -> None:
    """And only then: every frame covers the canvas. The first follows the last."""
    holes = solid(140)
    holes[1:4, 2:5, 3] = 0
    assert controls(encoded([solid(40), solid(90), holes])) == [0, 2, 0]
    assert controls(encoded([holes, solid(90), solid(40)])) == [0, 0, 2]
    assert controls(encoded([holes])) == [0]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_loop_of_an_animation_is_kept(count: int) -> None:
    data = encoded([solid(50 * k, 3) for k in range(count)], loop=7)
    assert (b"NETSCAPE2.0\x03\x01\x07\0\0" in data) == (count > 1)
    assert len(controls(data)) == count


def test_a_frame_that_names_no_time_takes_none() -> None:
    data = encoded([solid(50 * k, 3) for k in range(2)])
    still = data.replace(b"\x21\xf9\x04\x00\x05\x00", b"\x21\xf9\x04\x00\x00\x00")
    assert still.count(b"\x21\xf9\x04\x00\x00\x00") == 2
    for file, duration in ((data, 50.0), (still, 0.0)):
        assert [frame.duration for frame in decode_picture(file, "x").frames] == [duration] * 2


@pytest.mark.parametrize("colours", [255, 256, 4096])
@pytest.mark.parametrize("channels", [3, 4])
def test_as_many_colours_as_there_is_room_for(colours: int, channels: int) -> None:
    """256, or 255 and a transparent one; as they are where they are no more."""
    codes = np.arange(colours).reshape(-1, 64 if colours == 4096 else 1)
    rgb = np.stack([codes % 16 * 16, codes // 16 % 16 * 16, codes // 256 * 16], -1)
    pixels = np.full((*codes.shape, channels), 255, np.uint8)
    pixels[..., :3] = rgb
    if channels == 4:
        pixels[0, 0, 3] = 0
    picture = Source("GIF", "rgb", channels == 4, np.dtype("uint8"), codes.shape, [Frame(pixels)])
    data = encode_picture(picture, format_of_name("gif"), "o.gif")
    (frame,) = decode_picture(data, "x").frames
    seen = frame.pixels[..., -1] == 255 if channels == 4 else np.ones(codes.shape, bool)
    found = np.unique(frame.pixels[seen][:, :3], axis=0)
    assert len(found) == min(colours, 256) - (channels == 4)
    if colours < 256 or (colours == 256 and channels == 3):
        np.testing.assert_array_equal(frame.pixels[seen], pixels[seen])


def composed(data: bytes) -> list[np.ndarray]:
    """Every frame as Pillow shows it."""
    image = Image.open(io.BytesIO(data))
    frames = []
    for index in range(image.n_frames):
        image.seek(index)
        frames.append(np.asarray(image.convert("RGBA")))
    return frames


@pytest.mark.parametrize("colours", [1, 255, 256])
def test_other_programs_see_the_holes_after_an_opaque_frame(colours: int) -> None:
    """Of 256 colours one makes room for the transparent one, without which none is seen."""
    codes = np.arange(42 * 7).reshape(-1, 7) % colours
    opaque = np.full((*codes.shape, 4), 255, np.uint8)
    opaque[..., 0], opaque[..., 1] = codes, codes // 2
    holes = opaque.copy()
    holes[1:4, 2:5, 3] = 0
    picture = Source(
        "GIF",
        "rgb",
        True,
        opaque.dtype,
        codes.shape,
        [Frame(opaque), Frame(holes)],
        n_frames=2,
        animated=True,
    )
    data = encode_picture(picture, format_of_name("gif"), "o.gif")
    first, second = composed(data)
    assert (first[..., 3] == 255).all()
    np.testing.assert_array_equal(second[..., 3], holes[..., 3])
    worst = np.abs(first.astype(int) - opaque).max()
    assert worst <= (1 if colours == 256 else 0)
    assert len(picture.notes) == (colours == 256)


@pytest.mark.parametrize("colours", [256, 300])
def test_colours_that_find_no_room_are_counted_in_a_note(colours: int) -> None:
    rgb = np.random.default_rng(colours).choice(2**24, colours, replace=False)
    rgb = np.stack([rgb >> 16, rgb >> 8 & 255, rgb & 255], -1).astype(np.uint8)[None]
    frames = [Frame(rgb), Frame(rgb[:, :1].repeat(colours, 1))]
    picture = Source(
        "GIF", "rgb", False, rgb.dtype, (1, colours), frames, n_frames=2, animated=True
    )
    data = encode_picture(picture, format_of_name("gif"), "o.gif")
    worst = np.abs(composed(data)[0][..., :3].astype(int) - rgb).max()
    if colours <= 256:
        assert (worst, picture.notes) == (0, [])
    else:
        (note,) = picture.notes
        assert f"off by up to {worst} levels" in note
        assert "1 of 2 have more" in note


def test_half_transparent_pixels_and_odd_times_are_named() -> None:
    faint = solid(40)
    faint[0, 0, 3] = 100
    picture = Source(
        "WEBP",
        "rgb",
        True,
        faint.dtype,
        (6, 7),
        [Frame(faint, 33), Frame(solid(9), 40)],
        n_frames=2,
        animated=True,
    )
    encode_picture(picture, format_of_name("gif"), "o.gif")
    alpha, time = picture.notes
    assert "half-transparent" in alpha
    assert "3 ms" in time


@pytest.mark.parametrize("suffix", ["png", "webp", "gif"])
@pytest.mark.parametrize("loop", [None, 0, 3])
def test_as_often_as_the_gif_was_shown(suffix: str, loop: int | None) -> None:
    out = io.BytesIO()
    frames = [Image.fromarray(np.full((6, 7), 90 * n, np.uint8)) for n in range(2)]
    more = {} if loop is None else {"loop": loop}
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=50, **more)
    picture = decode_picture(out.getvalue(), "in.gif")
    data = encode_picture(picture, format_of_name(suffix), f"out.{suffix}")
    data = data if isinstance(data, bytes) else b"".join(data)
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 2
        once = None if suffix == "gif" else 1
        assert image.info.get("loop") == (once if loop is None else loop)
