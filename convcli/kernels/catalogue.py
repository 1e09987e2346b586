"""The presets, as data: what each is for, its weights or formula, and where it comes from.

All are in correlation orientation: a positive weight to the right answers to brightness that
grows to the right. Whole-number weights stand beside a scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from convcli.kernels import formulas
from convcli.kernels.formulas import Array, Parts, outer, pascal
from convcli.kernels.kernel import MAX_SIDE, Combine, Kernel, Role
from convcli.kernels.parameters import Parameter, format_values

__all__ = ["ALIASES", "GROUPS", "PRESETS", "Preset"]


@dataclass(frozen=True, slots=True)
class Preset:
    """One entry of the catalogue; ``build`` takes the parameters by name."""

    name: str
    group: str
    purpose: str
    build: Callable[..., Parts]
    source: str
    role: Role
    parameters: tuple[Parameter, ...] = ()
    combine: Combine = "none"
    absolute: bool = False
    required: int = 0
    example: str = ""

    def make(self, values: dict[str, float] | None = None) -> Kernel:
        """The kernel, named after what was asked for.

        >>> PRESETS["box"].make({"width": 5}).name
        'box:5'
        """
        values = {k: v for k, v in (values or {}).items() if v != self._default(k)}
        parts = self.build(**values)
        asked = format_values(self.parameters, values)
        return Kernel(
            parts.weights,
            parts.scale,
            parts.bias,
            name=f"{self.name}:{asked}" if asked else self.name,
            role=self.role,
            combine=self.combine,
            absolute=self.absolute,
            source=self.source,
            note=self.purpose,
        )

    def _default(self, name: str) -> float | None:
        return next(p.default for p in self.parameters if p.name == name)


def _rows(text: str) -> Array:
    return np.array([[float(token) for token in row.split()] for row in text.split(";")])


def _fixed(rows: str, scale: float = 1, bias: float = 0) -> Callable[..., Parts]:
    return lambda: Parts(_rows(rows), scale, bias)


def _mix(rows: str, scale: float = 1) -> Callable[..., Parts]:
    """A 1x1 bank: each row holds what one output channel takes of every input channel."""
    return lambda: Parts(_rows(rows)[:, :, None, None], scale)


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
) -> list[Preset]:
    """The presets ``name-x``, ``name-y`` and their magnitude ``name``."""
    shared = {"parameters": parameters, "required": required, "absolute": True}
    value = parameters[0].choices[-1:] or (2,) if parameters else ()
    example = "".join(f":{v}" for v in value)
    rows = [
        ("-x", f"vertical edges: slope to the right, {quality}", partial(_x, gradient), "none"),
        ("-y", f"horizontal edges: slope downwards, {quality}", partial(_y, gradient), "none"),
        ("", f"edges in every direction, {quality}", partial(_both, gradient), "magnitude"),
    ]
    return [
        Preset(
            name + end,
            "edges",
            purpose,
            build,
            source,
            "derivative",
            combine=combine,  # type: ignore[arg-type]
            example=f"{name}{end}{example}" if example else "",
            **shared,  # type: ignore[arg-type]
        )
        for end, purpose, build, combine in rows
    ]


_ROBERTS_X, _ROBERTS_Y = "1 0;0 -1", "0 1;-1 0"
_SIGMA = Parameter("sigma", "standard deviation in pixels", 0.05, 1666)
_SIZE = Parameter("size", "side; 2 ceil(3 sigma) + 1 by default", 1, MAX_SIDE - 1, odd=True)
_LOG_SIZE = Parameter("size", "side; 2 ceil(4 sigma) + 1 by default", 1, MAX_SIDE - 1, odd=True)
_SOBEL_SIZE = Parameter("size", "side", 3, 7, default=3, choices=(3, 5, 7))
_ANGLE = Parameter("angle", "degrees, counterclockwise", -360, 360, default=0)
_PILLOW = "Pillow ImageFilter"
_TEXTBOOK = "Gonzalez and Woods, Digital Image Processing, chapter 3"

_BLUR = [
    Preset(
        "gaussian", "blur", "soft blur; without a sigma the binomial 3x3", formulas.gaussian,
        "sampled Gaussian; binomial 3x3: Burt and Adelson 1983", "smooth",
        (_SIGMA, _SIZE), example="gaussian:1.5",
    ),
    Preset(
        "gaussian-3x3", "blur", "soft blur, slight, in whole numbers",
        partial(formulas.binomial, 3), "binomial: Burt and Adelson 1983", "smooth",
    ),
    Preset(
        "gaussian-5x5", "blur", "soft blur, a little stronger, in whole numbers",
        partial(formulas.binomial, 5), "binomial: Burt and Adelson 1983", "smooth",
    ),
    Preset(
        "binomial", "blur", "soft blur of a given side, in whole numbers", formulas.binomial,
        "rows of Pascal's triangle: Burt and Adelson 1983", "smooth",
        # 4**26 is the last sum of weights that float64 adds up exactly.
        (Parameter("size", "side", 1, 27, whole=True),), required=1, example="binomial:7",
    ),
    Preset(
        "average", "blur", "mean of 3x3", partial(formulas.box, 3), _TEXTBOOK, "smooth",
    ),
    Preset(
        "box", "blur", "mean of a rectangle: box:7, box:9x5", lambda width=3, height=None: formulas.box(width, height),
        _TEXTBOOK, "smooth",
        (
            Parameter("width", "columns", 1, MAX_SIDE, default=3, whole=True),
            Parameter("height", "rows; the width by default", 1, MAX_SIDE, whole=True),
        ),
        example="box:7",
    ),
    Preset(
        "disk", "blur", "blur of a lens out of focus", formulas.disk, "scikit-image morphology.disk",
        "smooth", (Parameter("radius", "pixels", 0, (MAX_SIDE - 1) // 2),), required=1,
        example="disk:5",
    ),
    Preset(
        "motion", "blur", "blur of a moving camera", formulas.motion, "MATLAB fspecial('motion')",
        "smooth", (Parameter("length", "pixels", 1, MAX_SIDE - 3), _ANGLE), required=1,
        example="motion:15,45",
    ),
    Preset(
        "smooth", "blur", "very slight blur", _fixed("1 1 1;1 5 1;1 1 1", 1 / 13), f"{_PILLOW}.SMOOTH",
        "smooth",
    ),
    Preset(
        "smooth-more", "blur", "slight blur",
        _fixed("1 1 1 1 1;1 5 5 5 1;1 5 44 5 1;1 5 5 5 1;1 1 1 1 1", 1 / 100),
        f"{_PILLOW}.SMOOTH_MORE", "smooth",
    ),
]  # fmt: skip

_SHARPEN = [
    Preset(
        "sharpen", "sharpen", "strong sharpening, diagonals too", _fixed("-1 -1 -1;-1 9 -1;-1 -1 -1"),
        _TEXTBOOK, "sharpen",
    ),
    Preset(
        "sharpen4", "sharpen", "sharpening", _fixed("0 -1 0;-1 5 -1;0 -1 0"), _TEXTBOOK, "sharpen",
    ),
    Preset(
        "unsharp", "sharpen", "sharpening by subtracting a blur: unsharp:2,0.8", formulas.unsharp,
        "unsharp masking; 5x5 as on Wikipedia, Kernel (image processing)", "sharpen",
        (_SIGMA, Parameter("amount", "strength", 0, 100, default=1), _SIZE), example="unsharp:2,0.8",
    ),
    Preset(
        "detail", "sharpen", "slight sharpening", _fixed("0 -1 0;-1 10 -1;0 -1 0", 1 / 6),
        f"{_PILLOW}.DETAIL", "sharpen",
    ),
    Preset(
        "edge-enhance", "sharpen", "crisp edges", _fixed("-1 -1 -1;-1 10 -1;-1 -1 -1", 1 / 2),
        f"{_PILLOW}.EDGE_ENHANCE", "sharpen",
    ),
    Preset(
        "edge-enhance-more", "sharpen", "crisper edges; the weights of sharpen",
        _fixed("-1 -1 -1;-1 9 -1;-1 -1 -1"), f"{_PILLOW}.EDGE_ENHANCE_MORE", "sharpen",
    ),
]  # fmt: skip

_EDGES = [
    *_gradients("sobel", _sobel, "Sobel and Feldman 1968; sizes as OpenCV getDerivKernels",
                "the usual choice", (_SOBEL_SIZE,)),
    *_gradients("scharr", lambda: ([3, 10, 3], [-1, 0, 1]), "Scharr 2000",
                "truer in direction than sobel"),
    *_gradients("prewitt", lambda: ([1, 1, 1], [-1, 0, 1]), "Prewitt 1970", "plain mean across"),
    *_gradients("freichen", lambda: ([1, math.sqrt(2), 1], [-1, 0, 1]), "Frei and Chen 1977",
                "equal in every direction"),
    *_gradients("farid", lambda: _FARID, "Farid and Simoncelli 2004, 5 taps",
                "accurate in direction, 5x5"),
    *_gradients("dgauss", formulas.gaussian_slope, "derivative of a Gaussian: Canny 1986",
                "of one scale, robust to noise", (_SIGMA, _SIZE), required=1),
    Preset("roberts-x", "edges", "edges that fall to the lower right, 2x2, sharpest",
           _fixed(_ROBERTS_X), "Roberts 1963", "derivative", absolute=True),
    Preset("roberts-y", "edges", "edges that fall to the lower left, 2x2, sharpest",
           _fixed(_ROBERTS_Y), "Roberts 1963", "derivative", absolute=True),
    Preset("roberts", "edges", "edges in every direction, 2x2, sharpest",
           lambda: Parts(np.stack([_rows(_ROBERTS_X), _rows(_ROBERTS_Y)])), "Roberts 1963",
           "derivative", combine="magnitude", absolute=True),
    Preset("kirsch", "edges", "the strongest of eight compass directions",
           lambda: Parts(formulas.rotations(_rows("5 5 5;-3 0 -3;-3 -3 -3"))), "Kirsch 1971",
           "derivative", combine="maximum", absolute=True),
    Preset("robinson", "edges", "the strongest of eight compass directions, gentler",
           lambda: Parts(formulas.rotations(_rows("-1 0 1;-2 0 2;-1 0 1"))), "Robinson 1977",
           "derivative", combine="maximum", absolute=True),
    Preset("laplacian", "edges", "fine detail and corners; the centre is -4",
           _fixed("0 1 0;1 -4 1;0 1 0"), _TEXTBOOK, "derivative", absolute=True),
    Preset("laplacian8", "edges", "fine detail, diagonals too; the centre is -8",
           _fixed("1 1 1;1 -8 1;1 1 1"), _TEXTBOOK, "derivative", absolute=True),
    Preset("log", "edges", "spots and edges of one scale (Laplacian of Gaussian)", formulas.log,
           "Marr and Hildreth 1980", "derivative", (
               Parameter("sigma", "standard deviation in pixels", 0.05, 1249), _LOG_SIZE),
           absolute=True, required=1, example="log:2"),
    Preset("dog", "edges", "spots and edges between two scales (difference of Gaussians)",
           formulas.dog, "Marr and Hildreth 1980; 1.6 approximates log", "derivative",
           (Parameter("sigma", "standard deviation of the narrower", 0.05, 1666, default=1),
            Parameter("wider", "standard deviation of the wider", 0.05, 1666, default=1.6), _SIZE),
           absolute=True, example="dog:1,1.6"),
    Preset("gabor", "edges", "stripes of one width and direction", formulas.gabor, "Daugman 1985",
           "derivative",
           (Parameter("wavelength", "pixels from stripe to stripe", 2, 1000),
            Parameter("angle", "direction of the wave in degrees, counterclockwise", -360, 360, default=0),
            Parameter("sigma", "size of the window; 0.56 wavelengths by default", 0.3, 1666),
            Parameter("aspect", "shorter (above 1) or longer stripes", 0.1, 10, default=1),
            Parameter("phase", "degrees", -360, 360, default=0)),
           absolute=True, required=1, example="gabor:8,45"),
    Preset("outline", "edges", "light outlines on black, as Pillow's FIND_EDGES",
           _fixed("-1 -1 -1;-1 8 -1;-1 -1 -1"), f"{_PILLOW}.FIND_EDGES", "derivative"),
    Preset("contour", "edges", "dark outlines on white, as Pillow's CONTOUR",
           _fixed("-1 -1 -1;-1 8 -1;-1 -1 -1", bias=255), f"{_PILLOW}.CONTOUR", "derivative"),
]  # fmt: skip

_EFFECTS = [
    Preset("identity", "effects", "the picture as it is",
           lambda size=1: formulas.identity(size), "the unit of convolution", "point",
           (Parameter("size", "side", 1, MAX_SIDE - 1, default=1, odd=True),), example="identity:3"),
    Preset("emboss", "effects", "a relief lit from the lower right, brightness kept",
           _fixed("-2 -1 0;-1 1 1;0 1 2"), "Wikipedia, Kernel (image processing)", "other"),
    Preset("emboss-pillow", "effects", "a grey relief; the weights of Pillow's EMBOSS",
           _fixed("-1 0 0;0 1 0;0 0 0", bias=128), f"{_PILLOW}.EMBOSS (which applies its rows "
           "from the bottom up)", "other"),
]  # fmt: skip

_COLOUR = [
    Preset("invert", "colour", "the negative", _fixed("-1", bias=255), "255 - v", "point"),
    Preset("grayscale", "colour", "brightness as screens show it (Rec. 709)",
           _mix("2126 7152 722", 1e-4), "ITU-R BT.709", "point"),
    Preset("grayscale-601", "colour", "brightness as in JPEG and television (Rec. 601)",
           _mix("299 587 114", 1e-3), "ITU-R BT.601", "point"),
    Preset("sepia", "colour", "an old photograph",
           _mix("393 769 189;349 686 168;272 534 131", 1e-3), "W3C Filter Effects, sepia(1)",
           "point"),
    Preset("channel-swap", "colour", "red and blue exchanged (RGB to BGR)",
           _mix("0 0 1;0 1 0;1 0 0"), "exchange of channels", "point"),
]  # fmt: skip

PRESETS: dict[str, Preset] = {
    preset.name: preset for preset in [*_BLUR, *_SHARPEN, *_EDGES, *_EFFECTS, *_COLOUR]
}
"""Name -> preset, in the order of ``convcli kernel list``."""

GROUPS = ("blur", "sharpen", "edges", "effects", "colour")

ALIASES: dict[str, str] = {
    "bgr": "channel-swap",
    "find-edges": "outline",
    "greyscale": "grayscale",
    "grayscale-709": "grayscale",
    "sharpen8": "sharpen",
    "sharpen-8-neighbours": "sharpen",
}
"""Other names that load the same kernel."""
