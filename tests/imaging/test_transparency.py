"""Colours next to transparency, against sums of colour times alpha pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.arithmetic.borders import Border
from convcli.engine.backends import NUMPY
from convcli.errors import KernelError
from convcli.imaging.api import filter_image
from convcli.imaging.frames import filtered
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Source
from convcli.imaging.stages.filter import Filter
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel

BLUR = np.array([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
MODES = {"constant:0": 0.0, "constant:51": 0.2, "constant:255": 1.0, "edge": None, "reflect": None}


def picture(channels: int) -> np.ndarray:
    """Random colours, half transparent here and there, with a hole that the kernel fits into."""
    rng = np.random.default_rng(channels)
    x = rng.random((9, 11, channels + 1)).astype(np.float32)
    x[..., -1] = rng.choice([0, 0.25, 1], x.shape[:2])
    x[3:7, 4:9, -1] = 0
    x[0, :, -1] = 0.5  # where the border matters
    return x


def by_the_pixel(
    x: np.ndarray, weights: np.ndarray, scale: float, bias: float, border: str
) -> np.ndarray:
    """The weighted mean of colours, each counted by its alpha; what lies outside is opaque."""
    out = np.zeros(x.shape)
    height, width, channels = x.shape
    for y, left in np.ndindex(height, width):
        colour, alpha = np.zeros(channels - 1), 0.0
        for (i, j), w in np.ndenumerate(weights):
            row, column = y + i - 1, left + j - 1
            if MODES[border] is not None and not (0 <= row < height and 0 <= column < width):
                cell = np.append(np.full(channels - 1, MODES[border]), 1.0)
            elif border == "edge":
                cell = x[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
            else:
                row = abs(row) if row < height else 2 * (height - 1) - row
                column = abs(column) if column < width else 2 * (width - 1) - column
                cell = x[row, column]
            colour += w * cell[:-1].astype(float) * cell[-1]
            alpha += w * cell[-1]
        alpha /= weights.sum()
        if alpha:
            out[y, left, :-1] = scale * colour / alpha + bias / 255
        out[y, left, -1] = alpha
    return out


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("scale, bias", [(1 / 16, 0.0), (1 / 16, 40.0), (1 / 8, -25.5)])
def test_colours_are_weighted_by_their_alpha(
    channels: int, border: str, scale: float, bias: float
) -> None:
    x = picture(channels)
    kernel = Kernel(BLUR, scale=scale, bias=bias)
    got = filter_image(x, kernel, border=border, backend="numpy")
    want = by_the_pixel(x, BLUR, scale, bias, border)
    assert (want[..., -1] == 0).any()
    np.testing.assert_allclose(got, want, atol=2e-6)


@pytest.mark.parametrize("dtype, white", [("uint8", 255), ("uint16", 65535)])
def test_bias_and_border_mean_the_same_at_every_depth(dtype: str, white: int) -> None:
    x = np.rint(picture(3) * white).astype(dtype)
    kernel = Kernel(BLUR, scale=1 / 16, bias=40)
    got = filter_image(x, kernel, border="constant:51", backend="numpy")
    want = by_the_pixel(x / white, BLUR, 1 / 16, 40, "constant:51").clip(0, 1) * white
    assert np.abs(got - want).max() <= 1


@pytest.mark.parametrize(
    "weights", [[[-1.0, 0, 1]], [[0, 1.0, 0], [1, -4, 1], [0, 1, 0]], [[1.0]], [[-1.0]]]
)
def test_differences_and_single_taps_leave_alpha_as_it_is(weights: list[list[float]]) -> None:
    x = picture(3)
    got = filter_image(x, Kernel(weights), range="float", backend="numpy")
    np.testing.assert_allclose(got[..., -1], x[..., -1], atol=1e-7)
    opaque = filter_image(x[..., :3], Kernel(weights), range="float", backend="numpy")
    np.testing.assert_allclose(got[..., :3], opaque, atol=1e-6)


def test_a_sum_that_is_small_beside_the_weights_is_no_difference() -> None:
    x = picture(1)
    kernel = np.array([[-500.0, 1001.0, -500.0]])
    got = filter_image(x, Kernel(kernel), backend="numpy", range="float")
    padded = np.pad(x[..., 1].astype(float), ((0, 0), (1, 1)), "reflect")
    want = (padded[:, :-2] * -500 + padded[:, 1:-1] * 1001 + padded[:, 2:] * -500).clip(0, 1)
    np.testing.assert_allclose(got[..., 1], want, atol=1e-4)


def test_what_can_be_normalised() -> None:
    """One tap can, though it leaves alpha as it is; a stack and a difference cannot."""
    x = picture(3)
    got = filter_image(x, Kernel([[4.0]]), normalize=True, backend="numpy")
    np.testing.assert_allclose(got, x, atol=1e-6)
    stack = Kernel(np.array([[[1.0, 2.0]], [[3.0, 0.0]]]), combine="magnitude")
    for kernel in (stack, Kernel([[-1.0, 1.0]]), Kernel([[0.0]])):
        with pytest.raises(KernelError, match="cannot be normalised"):
            filter_image(x, kernel, normalize=True, backend="numpy")


@pytest.mark.parametrize("padding", ["same", "valid", "full", 1])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("algorithm", ["direct", "fft"])
def test_alpha_that_is_left_alone_is_exact_whatever_the_algorithm(
    padding: str, stride: int, algorithm: str
) -> None:
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 256, (23, 31, 4), dtype=np.uint8)
    header = Source("PNG", "rgb", True, pixels.dtype, (23, 31), [Frame(pixels)])
    kernels = [load_kernel("sobel-x"), load_kernel("1 0 -1")]
    alphas = []
    for name in (None, algorithm):
        options = FilterOptions(padding=padding, stride=stride, algorithm=name, backend=NUMPY)
        alphas.append(filtered(Filter(header, kernels, options), header.first).pixels[..., -1])
    np.testing.assert_array_equal(*alphas)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("luma", [False, True])
@pytest.mark.parametrize(("weights", "dilation", "shift"), [("1 -1", 2, 1), ("1 -1", 1, 0)])
def test_alpha_is_that_of_one_cell_of_the_window(
    weights: str, dilation: int, shift: int, luma: bool, flip: bool
) -> None:
    """The cell before the middle, however the kernel is turned, in one piece and in parts."""
    rng = np.random.default_rng(6)
    pixels = rng.integers(0, 256, (9, 14, 4), dtype=np.uint8)
    header = Source("PNG", "rgb", True, pixels.dtype, (9, 14), [Frame(pixels)])
    options = FilterOptions(
        dilation=(1, dilation), flip=flip, luma=luma, backend=NUMPY, border=Border("edge")
    )
    chain = Filter(header, [load_kernel(weights)], options)
    want = pixels[..., -1][:, np.maximum(np.arange(14) - shift, 0)]
    whole = filtered(chain, header.first).pixels
    np.testing.assert_array_equal(whole[..., -1], want)
    stage = chain.stage(header.first, simple=chain.is_simple(header.first))
    parts = [stage.read((((0, 9),), (cols,))) for cols in ((0, 5), (5, 14))]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
