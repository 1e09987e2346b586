"""What people type after -k, from the habits of a dozen programs: it is right, or the line that is
right is offered, and that line works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps
from scipy import ndimage

import convcli as package
from convcli.errors import KernelError
from convcli.kernels.foreign_filters import FOREIGN_FILTERS
from convcli.kernels.hints import refusal
from convcli.kernels.load import load_chain

Cli = Callable[..., Any]

TAKEN = {
    # plain words
    "blur": "gaussian",
    "blur:2": "gaussian:2",
    "edge": "sobel",
    "edges": "sobel",
    "mean": "box",
    "average:5": "box:5",
    "negate": "invert",
    "bilateral:3,30": "bilateral",
    "bilateral-blur:2,20": "bilateral:2,20",
    "Surface Blur": "bilateral",
    "canny-edges": "canny",
    "bilateralFilter": "bilateral",
    "negative": "invert",
    "grey": "grayscale",
    "Gray": "grayscale",
    "sharpen:2": "sharpen:2",
    "emboss:2": "emboss:2",
    "sobelx": "sobel-x",
    # Pillow
    "FIND_EDGES": "outline",
    "EDGE_ENHANCE_MORE": "edge-enhance-more",
    "UnsharpMask": "unsharp",
    "GaussianBlur": "gaussian",
    # Photoshop, GIMP
    "Gaussian Blur": "gaussian",
    "Unsharp Mask": "unsharp",
    "lens blur:3": "disk:3",
    "Motion Blur:9,45": "motion:9,45",
    "Difference of Gaussians": "dog",
    # scikit-image, SciPy, libvips
    "sobel_h": "sobel-y",
    "sobel_v": "sobel-x",
    "roberts_pos_diag": "roberts-x",
    "gaussian_laplace:2": "log:2",
    "uniform_filter": "box",
    "gaussblur:1.5": "gaussian:1.5",
    "laplace": "laplacian",
    # ImageMagick
    "Disk:3.5": "disk:3.5",
    "Unity": "identity",
    # ranks and morphology, as Pillow, SciPy, OpenCV, libvips and ImageMagick call them
    "median:3": "median",
    "MedianFilter": "median",
    "medianBlur:5": "median:5",
    "ModeFilter:5": "mode:5",
    "minimum_filter:9x5": "min:9x5",
    "percentile:90,7": "percentile:90,7",
    "percentile:90.0,disk:2": "percentile:90,disk:2",
    "stdev:5,5": "stddev:5",
    "dilation:2": "dilate:2",
    "erode:plus:3": "erode:cross:3",
    "erode:ball:2.5": "erode:disk:2.5",
    "opening:0,1,0;1,1,1;0,1,0": "open:0 1 0; 1 1 1; 0 1 0",
    "erode:[[0, 1], [1, 1]]": "erode:0 1; 1 1",
    "erode:heights:0 5 0; 5 9 5; 0 5 0": "erode:heights:0 5 0; 5 9 5; 0 5 0",
    "bottomhat:diamond:2": "blackhat:diamond:2",
    # chains
    "gaussian:2 | sobel": "gaussian:2, sobel",
    "blur:1|edges|negate": "gaussian:1, sobel, invert",
    "1 2 1; 2 4 2 | sobel": "kernel, sobel",
}

HINTED = {
    # a number joined as elsewhere, or to a misspelt name
    "gaussian=2": "gaussian:2",
    "gaussian(2)": "gaussian:2",
    "gaussian 2": "gaussian:2",
    "gaussian2": "gaussian:2",
    "gausian:2": "gaussian:2",
    "gaussain 1.5": "gaussian:1.5",
    "gaussian:5px": "gaussian:5",
    "gaussian:radius=2": "gaussian:2",
    "gaussian:sigma 2": "gaussian:sigma=2",
    "blurr:3": "gaussian:3",
    "box(5x3)": "box:5x3",
    "blur 5x5": "gaussian:size=5",
    "sharpen:3x3": "sharpen",
    "sharpen 50%": "sharpen:0.5",
    "motion:15 45": "motion:15,45",
    # numbers for presets that take none
    "smooth:2": "gaussian:2",
    "scharr:5": "sobel:5",
    "laplacian:3": "log:3",
    "laplacian:8": "laplacian8",
    "grayscale:601": "grayscale-601",
    "invert:2": "invert",
    # ImageMagick
    "Gaussian:0x2": "gaussian:2",
    "Gaussian:3x2": "gaussian:2,size=7",
    "Gaussian:0,2": "gaussian:2",
    "Blur:0x1": "gaussian:1",
    "sharpen:0x1.5": "unsharp:1.5",
    "unsharp:0x2+1.5+0.02": "unsharp:2,1.5,threshold=5.1",
    "LoG:0x2": "log:2",
    "DoG:0,1,1.6": "dog:1,1.6",
    "Sobel:0": "sobel-x",
    "Sobel:90": "sobel-y",
    "Prewitt:90": "prewitt-y",
    "Laplacian:0": "outline",
    # FFmpeg
    "gblur=sigma=2": "gaussian:sigma=2",
    "boxblur=2:1": "box:5",
    "unsharp=5:5:1.5": "unsharp:amount=1.5",
    'convolution="0 -1 0 -1 5 -1 0 -1 0"': "0 -1 0; -1 5 -1; 0 -1 0",
    "convolution=0 -1 0 -1 5 -1 0 -1 0:1 1 1 1 1 1 1 1 1": "0 -1 0; -1 5 -1; 0 -1 0",
    # Pillow, OpenCV, NumPy, SciPy, scikit-image, CSS
    "GaussianBlur(2)": "gaussian:2",
    "ImageFilter.GaussianBlur(radius=2)": "gaussian:2",
    "ImageFilter.FIND_EDGES": "outline",
    "BoxBlur(2)": "box:5",
    "UnsharpMask(2, 150, 3)": "unsharp:2,1.5,threshold=3",
    "UnsharpMask(radius=2, percent=150, threshold=3)": "unsharp:2,1.5,threshold=3",
    "Kernel((3,3),[0,-1,0,-1,5,-1,0,-1,0])": "0 -1 0; -1 5 -1; 0 -1 0",
    "cv2.GaussianBlur(img, (5, 5), 1.5)": "gaussian:1.5,5",
    "canny:0x1+10%+30%": "canny:25.5,76.5,1",
    "-canny 0x2+5%+20%": "canny:12.75,51,2",
    "cv2.Canny(img, 100, 200)": "canny:25,50,0",
    "feature.canny(image, sigma=3)": "canny:sigma=3",
    "cannny": "canny",
    "cv2.bilateralFilter(img, 9, 75, 50)": "bilateral:50,75,disk:4",
    "denoise_bilateral(image, sigma_color=0.1, sigma_spatial=3)": "bilateral:3,25.5",
    "cv2.GaussianBlur(img,(5,5),0)": "gaussian:size=5",
    "gaussian:5,1.5": "gaussian:1.5,5",
    "cv2.blur(img,(5,3))": "box:5x3",
    "np.array([[0,-1,0],[-1,5,-1],[0,-1,0]])": "[[0,-1,0],[-1,5,-1],[0,-1,0]]",
    "scipy.ndimage.gaussian_laplace(2)": "log:2",
    "skimage.filters.sobel_h": "sobel-y",
    "blur(5px)": "gaussian:5",
    "grayscale(100%)": "grayscale",
    # ranks and morphology
    "-statistic median 3x3": "median:3x3",
    "statistic:mode:5": "mode:5",
    "-statistic Minimum 5x3": "min:5x3",
    "-morphology Erode Disk:3": "erode:disk:3",
    "-morphology Dilate Square:2": "dilate:5",
    "morphology:open": "open",
    "neighbors:mode": "mode",
    "erode disk 3": "erode:disk:3",
    "rank:3": "median:3",
    "rank:5,5,12": "median:5",
    "rank 3 3 8": "percentile:88.89,3",
    "RankFilter(3, 0)": "percentile:0,3",
    "MedianFilter(size=5)": "median:5",
    "cv2.medianBlur(img, 5)": "median:5",
    "cv2.erode(img, np.ones((5,3)))": "erode:3x5",
    "cv2.morphologyEx(img, cv2.MORPH_GRADIENT, k)": "morph-gradient",
    "filters.rank.median(img, disk(5))": "median:disk:5",
    "median=radius=2": "median:5",
    "median5": "median:5",
    "erode:dusk:3": "erode:disk:3",
    "gradient:disk:3": "morph-gradient:disk:3",
    # Photoshop
    "unsharp:2,150%": "unsharp:2,1.5",
    "unsharp:2,1.5,0.02": "unsharp:2,1.5,threshold=5.1",
    # thresholds
    "threshold:50%": "threshold:127.5",
    "-threshold 40%": "threshold:102",
    "threshold=0.2": "threshold:51",
    "cv2.threshold(img, 127, 255, cv2.THRESH_BINARY)": "threshold:127",
    "binarize 90": "threshold:90",
    "cv2.threshold(img, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)": "otsu",
    "filters.threshold_otsu(img)": "otsu",
    # levels are 255 to white
    "canny:10%,20%": "canny:25.5,51",
    "canny:10%,20%,2": "canny:25.5,51,2",
    "bilateral:3,10%": "bilateral:3,25.5",
    "bilateral:3,10%,disk:4": "bilateral:3,25.5,disk:4",
    "unsharp:2,1.5,threshold=5%": "unsharp:2,1.5,threshold=12.75",
    "unsharp:threshold=5%": "unsharp:threshold=12.75",
    # chains
    "sobel,invert": "sobel | invert",
    "gaussian:2,sobel": "gaussian:2 | sobel",
    "sobel -> invert": "sobel | invert",
    "blur sobel": "blur | sobel",
}

NEAREST = {
    "hysteresis": "-k canny",
    "denoise-nl-means": "-k bilateral:3,30",
    "despeckle": "-k median:3",
    "reduce_noise:5": "-k median:5",
    "black_threshold:100": "-k threshold:100",
    "black-threshold 30%": "-k threshold:76.5",
    "white-threshold:0": "-k threshold:0",
    "brightness 150%": "-k identity --scale 1.5",
    "shrink 50%": "-k box:2 --stride 2",
    "pixelate": "-k box:8 --stride 8",
    "pixelate:16": "-k box:16 --stride 16",
    "pixelate:0": "-k box:8 --stride 8",
    "High Pass:5": "-k dog:0.05,5 --range offset",
    "brightness:1.5": "-k identity --scale 1.5",
}


def filtered(convcli: Cli, *options: str) -> np.ndarray:
    done = convcli("filter", "in.png", *options, "-o", "out.png", "--overwrite")
    assert done.code == 0, done.err
    with Image.open("out.png") as image:
        return np.asarray(image).astype(int)


def refused(convcli: Cli, typed: str) -> str:
    """The one line about it; nothing was done."""
    done = convcli("filter", "in.png", "-k", typed, "-o", "out.png")
    assert done.code == 2, done.err
    assert done.err.count("\n") == 1
    assert not Path("out.png").exists()
    return str(done.err)


@pytest.mark.parametrize("typed", TAKEN)
def test_what_is_taken(typed: str) -> None:
    assert ", ".join(kernel.name for kernel in load_chain(typed)) == TAKEN[typed]


@pytest.mark.parametrize("typed", HINTED)
def test_the_line_that_is_offered_works(typed: str) -> None:
    with pytest.raises(KernelError) as caught:
        load_chain(typed)
    assert f"did you mean {HINTED[typed]!r}?" in str(caught.value)
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert package.filter_image(image, HINTED[typed]).size


@pytest.mark.parametrize("typed", ["gausian:2", "Gaussian:0x2", "sobel,invert"])
def test_the_command_offers_it_in_one_line(convcli: Cli, folder: Path, typed: str) -> None:
    assert f"did you mean {HINTED[typed]!r}?" in refused(convcli, typed)
    filtered(convcli, "-k", HINTED[typed])


@pytest.mark.parametrize("typed", NEAREST)
def test_what_is_no_convolution_says_what_comes_nearest(
    convcli: Cli, folder: Path, typed: str
) -> None:
    message = refused(convcli, typed)
    assert message.endswith(f" {NEAREST[typed]}\n")
    filtered(convcli, *shlex.split(NEAREST[typed]))


def test_every_line_for_what_is_found_elsewhere_works(convcli: Cli, folder: Path) -> None:
    lines = set()
    for name in FOREIGN_FILTERS:
        message = refusal(name)
        line = re.fullmatch(rf"'{name}' .*? (-k .*)|'{name}' is not .* comes near it", message)
        assert line is not None, message
        lines.add(line[1])
    assert None in lines
    for line in lines - {None}:
        filtered(convcli, *shlex.split(line))


@pytest.mark.parametrize("typed", ["zzzzzz", "gaussian:0", "gaussian:1,8", "sobel:4", "x.csv"])
def test_nothing_is_offered_where_nothing_is_near(convcli: Cli, folder: Path, typed: str) -> None:
    message = refused(convcli, typed)
    assert "did you mean" not in message
    assert "nearest" not in message


def test_a_chain_is_written_with_bars_as_in_shape(convcli: Cli, folder: Path) -> None:
    chain = filtered(convcli, "-k", "gaussian:2 | sobel | invert")
    assert (chain == filtered(convcli, "-k", "gaussian:2", "-k", "sobel", "-k", "invert")).all()
    Path("k.txt").write_text("1 2\n")
    assert (
        filtered(convcli, "-k", "k.txt | invert") == filtered(convcli, "-k", "1 2", "-k", "invert")
    ).all()
    Path("a|b.csv").write_text("2\n")
    assert filtered(convcli, "-k", "a|b.csv").any(), "a file may have a bar in its name"
    assert "chain of 2" in convcli("kernel", "show", "gaussian | sobel").err
    image = np.eye(5, dtype=np.uint8) * 255
    same = package.filter_image(image, ["gaussian", "sobel"])
    assert (package.filter_image(image, "gaussian | sobel") == same).all()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("blur:2 in.png", "did you mean 'convcli filter IMAGE -k blur:2'?"),
        ("in.png -k blur", "did you mean 'convcli filter in.png -k KERNEL'?"),
        ("fliter in.png", "did you mean 'filter'?"),
    ],
)
def test_a_command_that_was_left_out(convcli: Cli, folder: Path, typed: str, meant: str) -> None:
    done = convcli(*typed.split())
    assert done.code == 2
    assert meant in done.err
    assert done.err.count("\n") == 1


# ---------------------------------------------------------------- weights that were overlooked


def test_a_row_that_is_probably_a_square_is_said_once(convcli: Cli, folder: Path) -> None:
    Path("two.png").write_bytes(Path("in.png").read_bytes())
    command = ("filter", "in.png", "two.png", "-k", "0,-1,0,-1,5,-1,0,-1,0", "--overwrite")
    assert convcli(*command).err.count("row of 9; for 3x3 write ; after every third") == 1
    assert convcli(*command, "--quiet").err == ""


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (["-k", "k.txt"], "the weights of k sum to 16; --normalize divides by that"),
        (["-k", "sharpen", "-k", "k.txt"], "the weights of k sum to 16; --normalize divides"),
        (["-k", "-1 -2 -1"], "the weights of kernel sum to -4; --normalize divides by that"),
        (["-k", "sharpen"], "--range stretch, offset or float"),
        (["-k", "0 -1 0; -1 4 -1; 0 -1 0"], "--range stretch, offset or float"),
        (["-k", "k.txt", "--normalize", "--scale", "3"], "--range stretch, offset or float"),
    ],
)
def test_clipping_names_the_sum_that_caused_it(
    convcli: Cli, folder: Path, options: list[str], advice: str
) -> None:
    Path("k.txt").write_text("1 2 1\n2 4 2\n1 2 1\n")
    done = convcli("filter", "in.png", *options, "-o", "out.png")
    assert done.code == 0
    assert re.search(r"clipped[:;] " + re.escape(advice), done.err), done.err
    assert ("--normalize" in done.err) == ("--normalize" in advice)


# ---------------------------------------------------------------- the lines mean the same


def source(mode: str = "RGB") -> Image.Image:
    with Image.open("in.png") as image:
        return image.convert(mode)


def test_a_box_of_a_radius_is_that_of_pillow(convcli: Cli, folder: Path) -> None:
    blurred = source().filter(ImageFilter.BoxBlur(2))
    ours = filtered(convcli, "-k", HINTED["BoxBlur(2)"], "--border", "edge")
    assert abs(ours - np.asarray(blurred).astype(int)).max() <= 1


def test_a_threshold_is_that_of_pillow(convcli: Cli, folder: Path) -> None:
    for level in (100, 128):
        cut = source().point(lambda v, level=level: 255 * (v > level))
        assert (filtered(convcli, "-k", f"threshold:{level}") == np.asarray(cut)).all()


def test_pixels_of_a_mosaic_are_means(convcli: Cli, folder: Path) -> None:
    means = np.asarray(source().reduce(8)).astype(int)
    assert abs(filtered(convcli, *shlex.split(NEAREST["pixelate"])) - means).max() <= 1


def test_an_auto_contrast_is_that_of_pillow(convcli: Cli, folder: Path) -> None:
    source("L").point(lambda v: 60 + v // 3).save("in.png")
    ours = filtered(convcli, *shlex.split(refusal("autocontrast").partition("nearest is ")[2]))
    assert abs(ours - np.asarray(ImageOps.autocontrast(source("L"))).astype(int)).max() <= 1


def test_a_high_pass_is_the_picture_less_its_blur(convcli: Cli, folder: Path) -> None:
    image = np.asarray(source("RGB")).astype(float)
    blurred = ndimage.gaussian_filter(image, (5, 5, 0), radius=(15, 15, 0), mode="mirror")
    ours = filtered(convcli, *shlex.split(NEAREST["High Pass:5"]))
    np.testing.assert_allclose(ours, (image - blurred + 127.5).clip(0, 255), atol=1)


def test_the_sides_of_an_edge_are_named_as_in_scikit_image() -> None:
    """``sobel_h`` finds horizontal edges: it answers to brightness that changes downwards."""
    ramp = np.add.outer(np.arange(9.0), np.zeros(9))
    for name in ("sobel_h", "scharr_h", "prewitt_h", "farid_h"):
        kernel = package.load_kernel(name)
        assert ndimage.correlate(ramp, kernel.weights)[4, 4] > 0


@pytest.mark.parametrize("text", ["x" * 100_000, "a " * 50_000, "gaussian" + "(" * 100_000])
def test_a_long_text_gets_a_short_line(text: str) -> None:
    assert len(refusal(text)) < 300
