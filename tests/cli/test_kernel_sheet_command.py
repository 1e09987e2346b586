"""``convcli kernel sheet`` as it is typed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

SHEET = ("kernel", "sheet", "in.png", "sobel", "gaussian:2", "-1 0 1")


def test_a_sheet_is_written_and_told_of(convcli: Callable[..., Any], folder: Path) -> None:
    done = convcli(*SHEET, "-o", "sheet.png", "--theme", "dark")
    assert (done.code, done.out) == (0, b"")
    assert done.err == "in.png through 3 kernels -> sheet.png\n"
    with Image.open("sheet.png") as image:
        assert image.getpixel((0, 0)) == (0x11, 0x16, 0x1D)
        assert image.size[0] > 4 * 100
    assert convcli(*SHEET, "-o", "sheet.svg", "--size", "900").code == 0
    text = (folder / "sheet.svg").read_text()
    assert text.count("<image ") == 4
    assert 'width="900"' in text


def test_a_name_with_a_line_end_or_bytes_that_are_no_text_is_told_whole(
    convcli: Callable[..., Any], folder: Path
) -> None:
    for name, told in ((b"a\nb.png", "a\\nb.png"), (b"\xff.png", "\\xff.png")):
        (folder / "in.png").rename(os.fsdecode(name))
        done = convcli("kernel", "sheet", name, "sobel", "-o", "s.png", "--overwrite")
        assert done.err == f"{told} through 1 kernel -> s.png\n"
        done = convcli("explore", name, "-o", "s.html", "--overwrite")
        assert done.err == f"{told} under sobel-x -> s.html\n"
        Path(os.fsdecode(name)).rename(folder / "in.png")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (SHEET, "-o is missing"),
        ((*SHEET, "--sise", "10", "-o", "s.png"), "No such option: --sise (Possible option"),
        (("kernel", "sheet", "-k", "sobel", "in.png", "-o", "s.png"), "no such option: -k"),
        ((*SHEET, "-o", "in.png"), "in.png exists; use --overwrite"),
        ((*SHEET, "-o", "sheet.doc"), "a drawing is written as"),
        ((*SHEET, "-o", "s.png", "--theme", "dusk"), "allowed: light, dark"),
        (("kernel", "sheet", "in.png", "sobbel", "-o", "s.png"), "did you mean 'sobel"),
        (("kernel", "sheet", "gone.png", "-o", "s.png"), "gone.png"),
        (("kernel", "sheet", "in.png", "variance", "-o", "s.png"), "variance of a picture"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing(
    convcli: Callable[..., Any], folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = convcli(*arguments)
    assert done.code == 2
    assert said in done.err and done.err.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["in.png"]
