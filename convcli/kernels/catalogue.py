"""The presets, as data: what each is for, its weights or formula, and where it comes from.

All are in correlation orientation: a positive weight to the right answers to brightness that
grows to the right. Whole-number weights stand beside a scale.
"""

from __future__ import annotations

from functools import partial

from convcli.kernels import formulas
from convcli.kernels.edge_presets import EDGES
from convcli.kernels.kernel import MAX_SIDE
from convcli.kernels.parameters import Parameter
from convcli.kernels.preset import (
    AMOUNT,
    PILLOW,
    SIGMA,
    SIZE,
    TEXTBOOK,
    Preset,
    fixed,
    mix,
    strengthened,
)

__all__ = ["ALIASES", "GROUPS", "PRESETS", "Preset"]

ANGLE = Parameter("angle", "degrees, counterclockwise", -360, 360, default=0)
UNSHARP_SIZE = SIZE._replace(
    named=True,
    note="side, by name (elsewhere the third number is a threshold, which no kernel has); "
    "2 ceil(3 sigma) + 1 by default",
)

_BLUR = [
    Preset(
        "gaussian", "blur", "soft blur; without a sigma the binomial 3x3", formulas.gaussian,
        "sampled Gaussian; binomial 3x3: Burt and Adelson 1983", "smooth",
        (SIGMA, SIZE), example="gaussian:1.5",
        also="blur gauss gaussian-blur gaussian-filter gauss-blur gblur soften",
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
        "box", "blur", "mean of a square or rectangle, 3x3 by itself", lambda width=3, height=None: formulas.box(width, height),
        TEXTBOOK, "smooth",
        (
            Parameter("width", "columns", 1, MAX_SIDE, default=3, whole=True),
            Parameter("height", "rows; the width by default", 1, MAX_SIDE, whole=True),
        ),
        example="box:9x5",
        also="average mean avg uniform box-blur box-filter uniform-filter mean-filter average-blur avg-blur",
    ),
    Preset(
        "disk", "blur", "blur of a lens out of focus", formulas.disk, "scikit-image morphology.disk",
        "smooth", (Parameter("radius", "pixels", 0, (MAX_SIDE - 1) // 2),), required=1,
        example="disk:5", also="bokeh lens-blur defocus pillbox",
    ),
    Preset(
        "motion", "blur", "blur of a moving camera", formulas.motion, "MATLAB fspecial('motion')",
        "smooth", (Parameter("length", "pixels", 1, MAX_SIDE - 3), ANGLE), required=1,
        example="motion:15,45", also="motion-blur dblur",
    ),
    Preset(
        "smooth", "blur", "very slight blur", fixed("1 1 1;1 5 1;1 1 1", 1 / 13), f"{PILLOW}.SMOOTH",
        "smooth", sized="gaussian",
    ),
    Preset(
        "smooth-more", "blur", "slight blur",
        fixed("1 1 1 1 1;1 5 5 5 1;1 5 44 5 1;1 5 5 5 1;1 1 1 1 1", 1 / 100),
        f"{PILLOW}.SMOOTH_MORE", "smooth", sized="gaussian",
    ),
]  # fmt: skip

_SHARPEN = [
    Preset(
        "sharpen", "sharpen", "strong sharpening, diagonals too",
        strengthened("-1 -1 -1;-1 8 -1;-1 -1 -1"), TEXTBOOK, "sharpen", (AMOUNT,),
        example="sharpen:0.5", also="sharpen8 sharpen-8-neighbours sharpness",
    ),
    Preset(
        "sharpen4", "sharpen", "sharpening", strengthened("0 -1 0;-1 4 -1;0 -1 0"), TEXTBOOK,
        "sharpen", (AMOUNT,), example="sharpen4:2", also="sharpen-4-neighbours",
    ),
    Preset(
        "unsharp", "sharpen", "sharpening by subtracting a blur", formulas.unsharp,
        "unsharp masking; 5x5 as on Wikipedia, Kernel (image processing)", "sharpen",
        (SIGMA, AMOUNT, UNSHARP_SIZE), example="unsharp:2,0.8", also="unsharp-mask usm",
    ),
    Preset(
        "detail", "sharpen", "slight sharpening", fixed("0 -1 0;-1 10 -1;0 -1 0", 1 / 6),
        f"{PILLOW}.DETAIL", "sharpen", sized="sharpen4",
    ),
    Preset(
        "edge-enhance", "sharpen", "crisp edges", fixed("-1 -1 -1;-1 10 -1;-1 -1 -1", 1 / 2),
        f"{PILLOW}.EDGE_ENHANCE", "sharpen", sized="sharpen",
    ),
    Preset(
        "edge-enhance-more", "sharpen", "crisper edges; the weights of sharpen",
        fixed("-1 -1 -1;-1 9 -1;-1 -1 -1"), f"{PILLOW}.EDGE_ENHANCE_MORE", "sharpen",
    ),
]  # fmt: skip

_EFFECTS = [
    Preset("identity", "effects", "the picture as it is",
           lambda size=1: formulas.identity(size), "the unit of convolution", "point",
           (Parameter("size", "side", 1, MAX_SIDE - 1, default=1, odd=True),), example="identity:3",
           also="unity original"),
    Preset("emboss", "effects", "a relief lit from the upper left, brightness kept",
           strengthened("-2 -1 0;-1 0 1;0 1 2"), "Wikipedia, Kernel (image processing)", "other",
           (AMOUNT,), example="emboss:2", also="relief"),
    Preset("emboss-pillow", "effects", "a grey relief; the weights of Pillow's EMBOSS",
           fixed("-1 0 0;0 1 0;0 0 0", bias=128), f"{PILLOW}.EMBOSS (which applies its rows "
           "from the bottom up)", "other", sized="emboss"),
]  # fmt: skip

_COLOUR = [
    Preset("invert", "colour", "the negative", fixed("-1", bias=255), "255 - v", "point",
           also="negate negative inverse"),
    Preset("grayscale", "colour", "brightness as screens show it (Rec. 709)",
           mix("2126 7152 722", 1e-4), "ITU-R BT.709", "point",
           also="greyscale gray grey grayscale-709 desaturate monochrome mono luminance"),
    Preset("grayscale-601", "colour", "brightness as in JPEG and television (Rec. 601)",
           mix("299 587 114", 1e-3), "ITU-R BT.601", "point"),
    Preset("sepia", "colour", "an old photograph",
           mix("393 769 189;349 686 168;272 534 131", 1e-3), "W3C Filter Effects, sepia(1)",
           "point", also="sepia-tone"),
    Preset("channel-swap", "colour", "red and blue exchanged (RGB to BGR)",
           mix("0 0 1;0 1 0;1 0 0"), "exchange of channels", "point",
           also="bgr"),
]  # fmt: skip

PRESETS: dict[str, Preset] = {
    preset.name: preset for preset in [*_BLUR, *_SHARPEN, *EDGES, *_EFFECTS, *_COLOUR]
}
"""Name -> preset, in the order of ``convcli kernel list``."""

GROUPS = ("blur", "sharpen", "edges", "effects", "colour")

ALIASES: dict[str, str] = {
    alias: preset.name for preset in PRESETS.values() for alias in preset.also.split()
}
"""Other names that load the same kernel."""
