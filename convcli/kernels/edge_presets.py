"""Presets that find edges, with their formulas: gradients, compass banks, Laplacians."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.formulas import (
    Array,
    Parts,
    direction,
    gaussian_row,
    grid,
    outer,
    pascal,
    radius_of,
    rotations,
)
from convcli.kernels.kernel import MAX_SIDE, Combine
from convcli.kernels.parameters import Parameter
from convcli.kernels.preset import PILLOW, SIGMA, SIZE, TEXTBOOK, Preset, fixed, rows

__all__ = ["EDGES"]

LOW = Parameter(
    "low", "lines go on at steps of so many levels of 255; half of high by default", 0, math.inf
)
HIGH = Parameter("high", "and have one of so many; twice low by default, or 51", 0, math.inf)
CANNY_SIGMA = Parameter("sigma", "of the blur, in pixels; 0 for none", 0, 1666, default=1.4)

_ROBERTS_X, _ROBERTS_Y = "1 0;0 -1", "0 1;-1 0"
SOBEL_SIZE = Parameter("size", "side", 3, 7, default=3, choices=(3, 5, 7))
LOG_SIZE = Parameter("size", "side; 2 ceil(4 sigma) + 1 by default", 1, MAX_SIDE - 1, odd=True)

# A gradient is a smoothing row across and a differentiating row along.
_SOBEL = {
    3: ([1, 2, 1], [-1, 0, 1]),
    5: ([1, 4, 6, 4, 1], [-1, -2, 0, 2, 1]),
    7: (pascal(7), [-1, -4, -5, 0, 5, 4, 1]),
}
_FARID = (
    [0.0376593, 0.2491534, 0.4263746, 0.2491534, 0.0376593],
    [-0.1096038, -0.2766910, 0, 0.2766910, 0.1096038],
)


def _sobel(size: float = 3) -> tuple[object, object]:
    return _SOBEL[int(size)]


Gradient = Callable[..., tuple[object, object]]


def _x(gradient: Gradient, **values: float) -> Parts:
    return Parts(outer(*gradient(**values)))


def _y(gradient: Gradient, **values: float) -> Parts:
    return Parts(outer(*gradient(**values)).T)


def _both(gradient: Gradient, **values: float) -> Parts:
    along_x = outer(*gradient(**values))
    return Parts(np.stack([along_x, along_x.T]))


def _gradients(
    name: str,
    gradient: Gradient,
    source: str,
    quality: str,
    parameters: tuple[Parameter, ...] = (),
    required: int = 0,
    value: str = "",
    also: str = "",
) -> list[Preset]:
    """The presets ``name-x``, ``name-y`` and their magnitude ``name``.

    scikit-image calls the former ``name_v`` and ``name_h``, by the edges that they find.
    """

    def preset(
        end: str, purpose: str, build: Callable[..., Parts], combine: Combine, also: str
    ) -> Preset:
        return Preset(
            name + end,
            "edges",
            purpose,
            partial(build, gradient),
            source,
            "derivative",
            parameters,
            combine,
            absolute=True,
            required=required,
            example=f"{name}{end}:{value}" if value else "",
            also=also,
            sized="" if value else f"sobel{end}",
        )

    return [
        preset("-x", "slope to the right: vertical edges", _x, "none", f"{name}-v"),
        preset("-y", "slope downwards: horizontal edges", _y, "none", f"{name}-h"),
        preset("", f"edges in every direction, {quality}", _both, "magnitude", also),
    ]


def _log(sigma: float, size: float | None = None) -> Parts:
    """Laplacian of Gaussian, ``(r^2 - 2 sigma^2) / sigma^4 * G``, shifted to sum to zero.

    Marr and Hildreth (1980). The centre is negative, as that of ``laplacian``.
    """
    radius = radius_of("log", sigma, size, 4)
    x, y = grid(radius)
    row = gaussian_row(sigma, radius)
    weights = (x * x + y * y - 2 * sigma**2) / sigma**4 * outer(row, row)
    return Parts(weights - weights.mean())


def _dog(sigma: float = 1, wider: float = 1.6, size: float | None = None) -> Parts:
    """Difference of Gaussians, the narrower less the wider, each of sum one."""
    radius = radius_of("dog", max(sigma, wider), size)
    narrow, wide = gaussian_row(sigma, radius), gaussian_row(wider, radius)
    return Parts(outer(narrow, narrow) - outer(wide, wide))


def _gaussian_slope(sigma: float, size: float | None = None) -> tuple[Array, Array]:
    """Smoothing and differentiating rows; a ramp that rises by 1 per pixel gives exactly 1."""
    radius = radius_of("dgauss", sigma, size)
    smooth = gaussian_row(sigma, radius)
    offsets = np.arange(-radius, radius + 1.0)
    slope = offsets * smooth
    return smooth, slope / (slope * offsets).sum()


def _gabor(
    wavelength: float,
    angle: float = 0,
    sigma: float | None = None,
    aspect: float = 1,
    phase: float = 0,
) -> Parts:
    """A wave under a Gaussian window: answers to stripes of one width and direction.

    ``exp(-(u^2 + aspect^2 v^2) / 2 sigma^2) * cos(2 pi u / wavelength + phase)``, ``u`` along
    ``angle`` (Daugman 1985). ``sigma`` is 0.56 wavelengths by default (one octave wide). The
    window's mean is taken out, so flat areas give zero, and the absolute weights sum to 2, so
    the response stays within the range of the picture.
    """
    sigma = 0.56 * wavelength if sigma is None else sigma
    x, y = grid(radius_of("gabor", sigma / min(1, aspect), None))
    cosine, sine = direction(angle)
    u, v = x * cosine - y * sine, x * sine + y * cosine
    window = np.exp(-(u * u + (aspect * v) ** 2) / (2 * sigma**2))
    wave = np.cos(2 * math.pi * u / wavelength + math.radians(phase))
    weights = window * (wave - (window * wave).sum() / window.sum())
    return Parts(weights * (2 / np.abs(weights).sum()))


def _canny(low: float | None = None, high: float | None = None, sigma: float = 1.4) -> Parts:
    """The Gaussian, whose slopes are looked at."""
    if high is None:
        high = 51 if low is None else 2 * low
    low = high / 2 if low is None else low
    if low > high:
        turned = f"canny:{high:g},{low:g}" + (f",{sigma:g}" if sigma != 1.4 else "")
        raise KernelError(
            f"canny: low is {low:g}; it must not be above high, which is {high:g}; did you mean "
            f"{turned!r}?"
        )
    row = gaussian_row(sigma, radius_of("canny", sigma, None)) if sigma else np.ones(1)
    return Parts(outer(row, row), operation="canny", numbers=(low, high, sigma))


EDGES = [
    *_gradients("sobel", _sobel, "Sobel and Feldman 1968; sizes as OpenCV getDerivKernels",
                "the usual choice", (SOBEL_SIZE,), value="5",
                also="edge edges edge-detection gradient gradient-magnitude"),
    *_gradients("scharr", lambda: ([3, 10, 3], [-1, 0, 1]), "Scharr 2000",
                "truer in direction than sobel"),
    *_gradients("prewitt", lambda: ([1, 1, 1], [-1, 0, 1]), "Prewitt 1970", "plain mean across"),
    *_gradients("freichen", lambda: ([1, math.sqrt(2), 1], [-1, 0, 1]), "Frei and Chen 1977",
                "equal in every direction"),
    *_gradients("farid", lambda: _FARID, "Farid and Simoncelli 2004, 5 taps",
                "accurate in direction, 5x5"),
    *_gradients("dgauss", _gaussian_slope, "derivative of a Gaussian: Canny 1986",
                "of one scale, robust to noise", (SIGMA, SIZE), required=1, value="2",
                also="gaussian-gradient gaussian-gradient-magnitude gaussian-derivative"),
    Preset("roberts-x", "edges", "slope towards the upper left, 2x2",
           fixed(_ROBERTS_X), "Roberts 1963", "derivative", absolute=True,
           also="roberts-pos-diag", sized="sobel-x"),
    Preset("roberts-y", "edges", "slope towards the upper right, 2x2",
           fixed(_ROBERTS_Y), "Roberts 1963", "derivative", absolute=True,
           also="roberts-neg-diag", sized="sobel-y"),
    Preset("roberts", "edges", "edges in every direction, 2x2, the sharpest",
           lambda: Parts(np.stack([rows(_ROBERTS_X), rows(_ROBERTS_Y)])), "Roberts 1963",
           "derivative", combine="magnitude", absolute=True, also="roberts-cross", sized="sobel"),
    Preset("kirsch", "edges", "the strongest of eight compass directions",
           lambda: Parts(rotations(rows("5 5 5;-3 0 -3;-3 -3 -3"))), "Kirsch 1971",
           "derivative", combine="maximum", absolute=True),
    Preset("robinson", "edges", "the strongest of eight compass directions, gentler",
           lambda: Parts(rotations(rows("-1 0 1;-2 0 2;-1 0 1"))), "Robinson 1977",
           "derivative", combine="maximum", absolute=True),
    Preset("laplacian", "edges", "fine detail and corners; the centre is -4",
           fixed("0 1 0;1 -4 1;0 1 0"), TEXTBOOK, "derivative", absolute=True,
           also="laplace laplacian4", sized="log"),
    Preset("laplacian8", "edges", "fine detail, diagonals too; the centre is -8",
           fixed("1 1 1;1 -8 1;1 1 1"), TEXTBOOK, "derivative", absolute=True, sized="log"),
    Preset("log", "edges", "spots and edges of one scale (Laplacian of Gaussian)", _log,
           "Marr and Hildreth 1980", "derivative", (
               Parameter("sigma", "standard deviation in pixels", 0.05, 1249), LOG_SIZE),
           absolute=True, required=1, example="log:2",
           also="laplacian-of-gaussian gaussian-laplace marr-hildreth mexican-hat"),
    Preset("dog", "edges", "spots and edges between two scales (difference of Gaussians)",
           _dog, "Marr and Hildreth 1980; 1.6 approximates log", "derivative",
           (Parameter("sigma", "standard deviation of the narrower", 0.05, 1666, default=1),
            Parameter("wider", "standard deviation of the wider", 0.05, 1666, default=1.6), SIZE),
           absolute=True, example="dog:2,3.2",
           also="difference-of-gaussians difference-of-gaussian"),
    Preset("gabor", "edges", "stripes of one width and direction", _gabor, "Daugman 1985",
           "derivative",
           (Parameter("wavelength", "pixels from stripe to stripe", 2, 1000),
            Parameter("angle", "direction of the wave in degrees, counterclockwise", -360, 360, default=0),
            Parameter("sigma", "size of the window; 0.56 wavelengths by default", 0.3, 1666),
            Parameter("aspect", "shorter (above 1) or longer stripes", 0.1, 10, default=1),
            Parameter("phase", "degrees", -360, 360, default=0)),
           absolute=True, required=1, example="gabor:8,45"),
    Preset("canny", "edges", "white lines a pixel thin where brightness changes most, on black",
           _canny, "Canny 1986", "other", (LOW, HIGH, CANNY_SIGMA), example="canny:20,40,2",
           also="canny-edges canny-edge-detector"),
    Preset("outline", "edges", "light outlines on black, as Pillow's FIND_EDGES",
           fixed("-1 -1 -1;-1 8 -1;-1 -1 -1"), f"{PILLOW}.FIND_EDGES", "derivative",
           also="find-edges"),
    Preset("contour", "edges", "dark outlines on white, as Pillow's CONTOUR",
           fixed("-1 -1 -1;-1 8 -1;-1 -1 -1", bias=255), f"{PILLOW}.CONTOUR", "derivative"),
]  # fmt: skip
