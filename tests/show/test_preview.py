"""Previews: the right colours in the right places, and nothing at all in a pipe."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.imaging.source import Frame, Source
from convcli.imaging.thumbnail import GROUND, thumbnail
from convcli.show import preview
from convcli.show.console import make_console
from convcli.show.preview import show_pictures, side_by_side


def picture(pixels: np.ndarray[Any, Any], space: str = "rgb", alpha: bool = False) -> Source:
    return Source("PNG", space, alpha, pixels.dtype, pixels.shape[:2], [Frame(pixels)])


def halves(dtype: str, white: float) -> np.ndarray[Any, Any]:
    """Red on the left, blue on the right."""
    pixels = np.zeros((40, 64, 3), dtype)
    pixels[:, :32, 0] = white
    pixels[:, 32:, 2] = white
    return pixels


@pytest.mark.parametrize(("dtype", "white"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_a_thumbnail_keeps_shape_and_colours_at_any_depth(dtype: str, white: float) -> None:
    small = thumbnail(picture(halves(dtype, white)), 16, 16)
    assert small.shape == (10, 16, 3)
    assert (small[:, :8] == [255, 0, 0]).all()
    assert (small[:, 8:] == [0, 0, 255]).all()


def test_a_thumbnail_averages_and_never_enlarges() -> None:
    stripes = np.zeros((8, 8, 1), np.uint8)
    stripes[:, ::2] = 200
    assert np.unique(thumbnail(picture(stripes, "gray"), 4, 4)).tolist() == [100]
    assert thumbnail(picture(stripes, "gray"), 100, 100).shape == (8, 8, 3)


def test_transparent_and_cmyk_pixels_look_like_themselves() -> None:
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0, :, :] = 255
    small = thumbnail(picture(clear, alpha=True), 2, 2)
    assert small[0].tolist() == [[255] * 3] * 2
    assert small[1].tolist() == [[GROUND] * 3] * 2
    ink = np.array([[[0, 255, 255, 0]]], np.uint8)
    assert thumbnail(picture(ink, "cmyk"), 1, 1).tolist() == [[[255, 0, 0]]]


def test_two_pictures_stand_beside_each_other() -> None:
    strip = side_by_side([picture(halves("uint8", 255)), picture(halves("uint8", 255))], 34, 20)
    assert strip.shape == (10, 34, 3)
    assert (strip[:, 16:18] == 0).all()
    assert (strip[:, :8] == strip[:, 18:26]).all()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_half_blocks_carry_the_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "_graphics", lambda: None)
    for name, value in (("TERM", "xterm-256color"), ("COLORTERM", "truecolor")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    show_pictures([picture(halves("uint8", 255))], make_console(file=out, width=80))
    text = out.getvalue()
    assert "38;2;255;0;0" in text
    assert "48;2;0;0;255" in text
    assert text.count("▀") % text.count("\n") == 0
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    show_pictures([picture(halves("uint8", 255))], make_console(file=plain, width=80))
    assert "38;2" not in plain.getvalue()
    assert set(plain.getvalue()) - set(" ░▒▓█\n") == set()


def test_a_terminal_that_shows_pixels_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for textual-image: which renderable it gets, and what it is given."""
    given: list[tuple[Any, int]] = []

    class Sixel:
        def __init__(self, image: Any, width: int) -> None:
            given.append((image, width))

        def __rich__(self) -> str:
            return "<pixels>"

    library, renderable = ModuleType("textual_image"), ModuleType("textual_image.renderable")
    renderable.Image, renderable.HalfcellImage, renderable.UnicodeImage = Sixel, object, int  # type: ignore[attr-defined]
    library.renderable = renderable  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "textual_image", library)
    monkeypatch.setitem(sys.modules, "textual_image.renderable", renderable)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    show_pictures([picture(halves("uint8", 255))] * 2, make_console(file=out, width=80))
    assert "<pixels>" in out.getvalue()
    [(image, width)] = given
    assert np.asarray(image)[0, 0].tolist() == [255, 0, 0]
    assert width == -(-image.width // preview.SHARP)
    renderable.Image = object  # type: ignore[attr-defined]
    assert preview._graphics() is None


def test_nothing_is_shown_in_a_pipe(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from convcli.cli.app import run

    Image.fromarray(halves("uint8", 255)).save(tmp_path / "a.png")
    target = tmp_path / "b.png"
    assert (
        run(["filter", str(tmp_path / "a.png"), "-k", "box:3", "-o", str(target), "--preview"]) == 0
    )
    assert target.exists()
    assert capfd.readouterr().out == ""
