"""GIF containers, block by block."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.imaging.formats import format_of_name
from convcli.imaging.picture import Frame, Picture
from convcli.imaging.write import encode_picture


def encoded(stills: list[np.ndarray], loop: int | None = None) -> bytes:
    frames = [Frame(pixels, 50) for pixels in stills]
    alpha = stills[0].shape[2] == 4
    picture = Picture(
        "GIF", "rgb", alpha, np.dtype("uint8"), (6, 7), frames, len(frames), len(frames) > 1
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
