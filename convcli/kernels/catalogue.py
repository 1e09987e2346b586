"""The presets, as data: what each is for, its weights or formula, and where it comes from.

A new preset is an entry of a list here, in ``blur_presets``, ``edge_presets``, ``order_presets`` or
``morphology_presets``, with its formula above it if it has one; names, help, completion and tests
follow. All are in correlation orientation: a positive weight to the right answers to brightness that
grows to the right. Whole-number weights stand beside a scale.
"""

from __future__ import annotations

from math import inf

import numpy as np

from convcli.kernels.blur_presets import BLUR, SHARPEN
from convcli.kernels.edge_presets import EDGES
from convcli.kernels.formulas import Parts
from convcli.kernels.kernel import MAX_SIDE
from convcli.kernels.morphology_presets import MORPHOLOGY
from convcli.kernels.operation_names import OPERATIONS
from convcli.kernels.order_presets import ORDER
from convcli.kernels.parameters import Parameter
from convcli.kernels.preset import AMOUNT, PILLOW, TEXTBOOK, Preset, fixed, mix, strengthened

__all__ = ["ALIASES", "GROUPS", "PRESETS", "Preset"]


def _identity(size: float = 1) -> Parts:
    """One in the centre."""
    weights = np.zeros((int(size), int(size)))
    weights[int(size) // 2, int(size) // 2] = 1
    return Parts(weights)


def _threshold(level: float) -> Parts:
    """White above the level, else black."""
    return Parts(np.ones((1, 1)), operation="threshold", numbers=(level,))


def _otsu() -> Parts:
    """White above the level that a picture's values are parted best by."""
    return Parts(np.ones((1, 1)), operation="otsu")


_LEVEL = Parameter(
    "level", "white is 255, as of --bias; in a raster its own unit; otsu finds it", -inf, inf
)

_EFFECTS = [
    Preset("identity", "effects", "the picture as it is",
           _identity, "the unit of convolution", "point",
           (Parameter("size", "side", 1, MAX_SIDE - 1, default=1, odd=True),), example="identity:3",
           also="unity original"),
    Preset("threshold", "effects", "white what is above a level, black the rest; 1 and 0 in a raster",
           _threshold, TEXTBOOK, "point", (_LEVEL,), required=1, example="threshold:128",
           also="binarize binarise binary thresholding"),
    Preset("otsu", "effects", "a threshold at the level that parts dark from bright best, found in each frame",
           _otsu, "Otsu 1979", "point", also="threshold:otsu threshold-otsu otsu-threshold"),
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
    preset.name: preset
    for preset in [*BLUR, *SHARPEN, *EDGES, *ORDER, *MORPHOLOGY, *_EFFECTS, *_COLOUR]
    if preset.operation in OPERATIONS
}
"""Name -> preset, in the order of ``convcli kernel list``."""

GROUPS = tuple(dict.fromkeys(preset.group for preset in PRESETS.values()))

ALIASES: dict[str, str] = {
    alias: preset.name for preset in PRESETS.values() for alias in preset.also.split()
}
"""Other names that load the same kernel."""
