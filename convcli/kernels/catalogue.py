"""The presets, as data: what each is for, its weights or formula, and where it comes from.

All are in correlation orientation: a positive weight to the right answers to brightness that
grows to the right. Whole-number weights stand beside a scale.
"""

from __future__ import annotations

from functools import partial

from convcli.kernels import formulas
from convcli.kernels.edges import EDGES
from convcli.kernels.kernel import MAX_SIDE
from convcli.kernels.parameters import Parameter
from convcli.kernels.preset import PILLOW, SIGMA, SIZE, TEXTBOOK, Preset, fixed, mix

__all__ = ["ALIASES", "GROUPS", "PRESETS", "Preset"]

ANGLE = Parameter("angle", "degrees, counterclockwise", -360, 360, default=0)

_BLUR = [
    Preset(
        "gaussian", "blur", "soft blur; without a sigma the binomial 3x3", formulas.gaussian,
        "sampled Gaussian; binomial 3x3: Burt and Adelson 1983", "smooth",
        (SIGMA, SIZE), example="gaussian:1.5",
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
        "average", "blur", "mean of 3x3", partial(formulas.box, 3), TEXTBOOK, "smooth",
    ),
    Preset(
        "box", "blur", "mean of a square or rectangle", lambda width=3, height=None: formulas.box(width, height),
        TEXTBOOK, "smooth",
        (
            Parameter("width", "columns", 1, MAX_SIDE, default=3, whole=True),
            Parameter("height", "rows; the width by default", 1, MAX_SIDE, whole=True),
        ),
        example="box:9x5",
    ),
    Preset(
        "disk", "blur", "blur of a lens out of focus", formulas.disk, "scikit-image morphology.disk",
        "smooth", (Parameter("radius", "pixels", 0, (MAX_SIDE - 1) // 2),), required=1,
        example="disk:5",
    ),
    Preset(
        "motion", "blur", "blur of a moving camera", formulas.motion, "MATLAB fspecial('motion')",
        "smooth", (Parameter("length", "pixels", 1, MAX_SIDE - 3), ANGLE), required=1,
        example="motion:15,45",
    ),
    Preset(
        "smooth", "blur", "very slight blur", fixed("1 1 1;1 5 1;1 1 1", 1 / 13), f"{PILLOW}.SMOOTH",
        "smooth",
    ),
    Preset(
        "smooth-more", "blur", "slight blur",
        fixed("1 1 1 1 1;1 5 5 5 1;1 5 44 5 1;1 5 5 5 1;1 1 1 1 1", 1 / 100),
        f"{PILLOW}.SMOOTH_MORE", "smooth",
    ),
]  # fmt: skip

_SHARPEN = [
    Preset(
        "sharpen", "sharpen", "strong sharpening, diagonals too", fixed("-1 -1 -1;-1 9 -1;-1 -1 -1"),
        TEXTBOOK, "sharpen",
    ),
    Preset(
        "sharpen4", "sharpen", "sharpening", fixed("0 -1 0;-1 5 -1;0 -1 0"), TEXTBOOK, "sharpen",
    ),
    Preset(
        "unsharp", "sharpen", "sharpening by subtracting a blur", formulas.unsharp,
        "unsharp masking; 5x5 as on Wikipedia, Kernel (image processing)", "sharpen",
        (SIGMA, Parameter("amount", "strength", 0, 100, default=1), SIZE), example="unsharp:2,0.8",
    ),
    Preset(
        "detail", "sharpen", "slight sharpening", fixed("0 -1 0;-1 10 -1;0 -1 0", 1 / 6),
        f"{PILLOW}.DETAIL", "sharpen",
    ),
    Preset(
        "edge-enhance", "sharpen", "crisp edges", fixed("-1 -1 -1;-1 10 -1;-1 -1 -1", 1 / 2),
        f"{PILLOW}.EDGE_ENHANCE", "sharpen",
    ),
    Preset(
        "edge-enhance-more", "sharpen", "crisper edges; the weights of sharpen",
        fixed("-1 -1 -1;-1 9 -1;-1 -1 -1"), f"{PILLOW}.EDGE_ENHANCE_MORE", "sharpen",
    ),
]  # fmt: skip

_EFFECTS = [
    Preset("identity", "effects", "the picture as it is",
           lambda size=1: formulas.identity(size), "the unit of convolution", "point",
           (Parameter("size", "side", 1, MAX_SIDE - 1, default=1, odd=True),), example="identity:3"),
    Preset("emboss", "effects", "a relief lit from the upper left, brightness kept",
           fixed("-2 -1 0;-1 1 1;0 1 2"), "Wikipedia, Kernel (image processing)", "other"),
    Preset("emboss-pillow", "effects", "a grey relief; the weights of Pillow's EMBOSS",
           fixed("-1 0 0;0 1 0;0 0 0", bias=128), f"{PILLOW}.EMBOSS (which applies its rows "
           "from the bottom up)", "other"),
]  # fmt: skip

_COLOUR = [
    Preset("invert", "colour", "the negative", fixed("-1", bias=255), "255 - v", "point"),
    Preset("grayscale", "colour", "brightness as screens show it (Rec. 709)",
           mix("2126 7152 722", 1e-4), "ITU-R BT.709", "point"),
    Preset("grayscale-601", "colour", "brightness as in JPEG and television (Rec. 601)",
           mix("299 587 114", 1e-3), "ITU-R BT.601", "point"),
    Preset("sepia", "colour", "an old photograph",
           mix("393 769 189;349 686 168;272 534 131", 1e-3), "W3C Filter Effects, sepia(1)",
           "point"),
    Preset("channel-swap", "colour", "red and blue exchanged (RGB to BGR)",
           mix("0 0 1;0 1 0;1 0 0"), "exchange of channels", "point"),
]  # fmt: skip

PRESETS: dict[str, Preset] = {
    preset.name: preset for preset in [*_BLUR, *_SHARPEN, *EDGES, *_EFFECTS, *_COLOUR]
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
