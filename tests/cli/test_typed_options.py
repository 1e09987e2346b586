"""What people type around the kernel: where the result goes, percentages, colours, strides."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage

Cli = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    levels = np.random.default_rng(5).integers(0, 256, (6, 9, 3), np.uint8)
    for name in ("in.png", "b.png"):
        Image.fromarray(levels).save(tmp_path / name)
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(convcli: Cli, *command: str) -> str:
    """The one line of a command that did nothing."""
    before = sorted(Path().rglob("*"))
    done = convcli("filter", *command)
    assert done.code == 2, done.err
    assert done.err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before
    return str(done.err)


# ---------------------------------------------------------------- where the result goes


@pytest.mark.parametrize(
    ("inputs", "meant"),
    [
        ("in.png new.png", "-o new.png"),
        ("in.png b.png new/", "-o new/"),
        ("in.png b.png new", "-o new/"),
        ("in.png out", "-o out/"),
        ("in.png invert", "-k invert"),
    ],
)
def test_an_output_named_last_as_elsewhere(
    convcli: Cli, folder: Path, inputs: str, meant: str
) -> None:
    message = refused(convcli, *inputs.split(), "-k", "sobel")
    assert f"nothing was done; did you mean {meant}?" in message
    *rest, _ = inputs.split()
    done = convcli("filter", *rest, "-k", "sobel", *shlex.split(meant))
    assert done.code == 0, done.err


def test_a_missing_picture_among_several_fails_alone(convcli: Cli, folder: Path) -> None:
    done = convcli("filter", "in.png", "b.png", "new.png", "-k", "sobel")
    assert done.code == 1
    assert Path("in-sobel.png").exists()
    assert Path("b-sobel.png").exists()
    done = convcli("filter", "in.png", "new.png", "-k", "box", "-o", "out/")
    assert done.code == 1
    assert Path("out/in.png").exists()


def test_a_name_without_suffix_may_have_been_meant_as_a_folder(convcli: Cli, folder: Path) -> None:
    assert "x/ is a folder" in refused(convcli, "in.png", "-k", "box", "-o", "x")
    assert convcli("filter", "in.png", "-k", "box", "-o", "x/").code == 0
    assert Path("x/in.png").exists()
    message = refused(convcli, "in.png", "-k", "box", "-o", "nowhere/x.png")
    assert "there is no folder" in message
    assert "in.png is not a folder" in refused(convcli, "in.png", "-k", "box", "-o", "in.png/x.png")


# ---------------------------------------------------------------- percentages and colours

DEPTHS = {"uint8": 255, "uint16": 65535}


def made(convcli: Cli, name: str, image: np.ndarray, *options: str) -> np.ndarray:
    """A TIFF of any depth, filtered."""
    tifffile.imwrite(name, image, photometric="rgb" if image.ndim == 3 else "minisblack")
    done = convcli("filter", name, *options, "-o", "out.tif", "--overwrite")
    assert done.code == 0, done.err
    result: np.ndarray = tifffile.imread("out.tif")
    return result.astype(float)


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize(
    ("options", "times", "plus"),
    [
        (["--bias", "20%"], 1, 0.2),
        (["--bias", "-10%"], 1, -0.1),
        (["--bias=51"], 1, 0.2),
        (["--scale", "1/4"], 0.25, 0),
        (["--scale", "50%", "--bias", "25%"], 0.5, 0.25),
    ],
)
def test_shares_of_white(
    convcli: Cli, folder: Path, dtype: str, options: list[str], times: float, plus: float
) -> None:
    full = DEPTHS[dtype]
    image = np.linspace(0, full, 40).astype(dtype).reshape(5, 8)
    found = made(convcli, "a.tif", image, "-k", "identity", *options)
    np.testing.assert_allclose(found, (image * times + plus * full).clip(0, full), atol=0.5 + 1e-6)


@pytest.mark.parametrize("options", [["--bias", "half"], ["--scale", "nan"], ["--bias", "%"]])
def test_shares_that_are_none(convcli: Cli, folder: Path, options: list[str]) -> None:
    message = refused(convcli, "in.png", "-k", "box", *options)
    assert re.search(r"number; write it as in (128|2, 1/16) or 50%", message)


@pytest.mark.parametrize("dtype", DEPTHS)
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)], ids=["gray", "rgb"])
@pytest.mark.parametrize(
    ("border", "share"),
    [
        ("constant:white", 1),
        ("white", 1),
        ("constant:Black", 0),
        ("constant:silver", 192 / 255),
        ("constant:#808080", 128 / 255),
        ("constant:20%", 0.2),
    ],
)
def test_the_outside_in_gray_by_name(
    convcli: Cli, folder: Path, dtype: str, shape: tuple[int, ...], border: str, share: float
) -> None:
    full = DEPTHS[dtype]
    image = np.random.default_rng(2).integers(0, full + 1, shape).astype(dtype)
    found = made(
        convcli, "a.tif", image, "-k", "1 2 1; 2 4 2; 1 2 1", "--normalize", "--border", border
    )
    weights = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    weights = weights.reshape(3, 3, *(1,) * (len(shape) - 2))
    want = ndimage.correlate(image.astype(float), weights, mode="constant", cval=share * full)
    np.testing.assert_allclose(found, want, atol=1)


@pytest.mark.parametrize(
    ("border", "words"),
    [
        ("constant:red", "'red' is no level; allowed: 0 (black) to 255 (white), a percentage, or"),
        ("constant:transparent", "a gray colour such as white"),
        ("constant:nan", "'nan' is no level"),
        ("128", "did you mean 'constant:128'?"),
        ("50%", "did you mean 'constant:50%'?"),
        ("white:3", "only constant takes a value"),
        ("mirrored", "did you mean 'mirror'?"),
    ],
)
def test_borders_that_are_none(convcli: Cli, folder: Path, border: str, words: str) -> None:
    assert words in refused(convcli, "in.png", "-k", "box", "--border", border)


@pytest.mark.parametrize(
    ("elsewhere", "name"),
    [
        ("cv2.BORDER_REFLECT_101", "reflect"),
        ("BORDER_REPLICATE", "edge"),
        ("tile", "wrap"),
        ("duplicate", "edge"),
        ("zeros", "constant:0"),
        ("grid-mirror", "symmetric"),
    ],
)
def test_borders_of_elsewhere_are_printed_as_ours(
    convcli: Cli, folder: Path, elsewhere: str, name: str
) -> None:
    done = convcli("filter", "in.png", "-k", "box", "--border", elsewhere, "--dry-run")
    assert f"border {name}," in done.err


# ---------------------------------------------------------------- strides


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("size", [(6, 8), (7, 9)])
def test_the_padding_that_keeps_every_second_position(
    convcli: Cli, folder: Path, side: int, size: tuple[int, int]
) -> None:
    image = np.random.default_rng(4).integers(0, 256, size).astype(np.uint8)
    kernel = ("-k", f"binomial:{side}")
    every = made(convcli, "a.tif", image, *kernel)
    padded = ("--stride", "2", "--padding", str(side // 2))
    assert (made(convcli, "a.tif", image, *kernel, *padded) == every[::2, ::2]).all()
    first = [(n + 1) % 2 for n in size]  # as the help says: 1, 3, 5 of an even side
    same = made(convcli, "a.tif", image, *kernel, "--stride", "2")
    assert (same == every[first[0] :: 2, first[1] :: 2]).all()


# ---------------------------------------------------------------- rasters

HUGE = "1" + "0" * 400


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (f"--nodata {HUGE}", "in.tif is of type int16, which has no 1000000000"),
        (f"--nodata :{HUGE}", "the result is of type int16, which has no 1000000000"),
        (f"--nodata :{HUGE} --depth float", "the result is of type float32, which has no 10000"),
        ("--nodata 70000", "--nodata takes one that its samples can have, and IN:OUT another"),
        ("--nodata -9:70000", "no 70000 to stand for what is missing; name another with --nodata"),
        ("--nodata -9:nan", "the result is of type int16, which has no nan"),
        ("--nodata -9:none", "what is missing in the result needs a value"),
        ("--nodata nope", "'nope' is no value; did you mean 'none'?"),
        ("--bands 1-3", "not understood; did you mean '1,2,3'?; allowed"),
        ("--bands 3..1", "'3..1' is not understood; allowed"),
        (f"--bands {HUGE}x", "'1000000000000000000000000000000000000000' is not understood"),
    ],
)
def test_what_is_mistyped_about_rasters(
    convcli: Cli, folder: Path, options: str, words: str
) -> None:
    tifffile.imwrite("in.tif", np.full((5, 6), -9, np.int16))
    message = refused(convcli, "in.tif", "-k", "box:3", *options.split())
    assert words in message
    assert len(message) < 300


def test_a_value_of_many_digits_is_one_of_floats(convcli: Cli, folder: Path) -> None:
    x = np.ones((5, 6), np.float32)
    x[2, 3] = 1e30
    tifffile.imwrite("in.tif", x)
    done = convcli("filter", "in.tif", "-k", "box:3", "--nodata", str(10**30), "-o", "out.tif")
    assert done.code == 0, done.err
    assert (tifffile.imread("out.tif") != 1).sum() == 1


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ("", "not understood; allowed: letters"),
        ("t,lat,long", "y and x are needed; did you mean 'lon'?"),
        ("bands,hight,width", "y and x are needed; did you mean 'height'?"),
        ("tyz", "y and x are needed"),
    ],
)
def test_axes_that_are_mistyped(convcli: Cli, folder: Path, axes: str, words: str) -> None:
    np.save("in.npy", np.ones((3, 4, 5), np.float32))
    assert words in refused(convcli, "in.npy", "-k", "box:3", "--axes", axes)


@pytest.mark.parametrize(("option", "value"), [("--device", "one"), ("--jobs", "1.5")])
def test_a_whole_number_is_asked_for_in_plain_words(
    convcli: Cli, folder: Path, option: str, value: str
) -> None:
    Image.fromarray(np.zeros((4, 5), np.uint8)).save("in.png")
    assert f"{value!r} is not a whole number" in refused(
        convcli, "in.png", "-k", "box:3", option, value
    )
