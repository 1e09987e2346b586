"""Presets of mathematical morphology, on gray levels."""

from __future__ import annotations

from convcli.kernels.order_presets import square
from convcli.kernels.preset import Preset

__all__ = ["MORPHOLOGY"]

SERRA = "Serra, Image Analysis and Mathematical Morphology, 1982"


def _preset(name: str, purpose: str, operation: str = "", also: str = "") -> Preset:
    return Preset(
        name, "morphology", purpose, square(), SERRA, "other", example=f"{name}:5",
        operation=operation or name, also=also,
    )  # fmt: skip


# B is the footprint, and -B the same with rows and columns reversed.
MORPHOLOGY = [
    _preset("erode", "the smallest value under B: what is dark grows", also="erosion"),
    _preset("dilate", "the largest value under -B: what is bright grows", also="dilation"),
    _preset("open", "eroded, then dilated: bright spots that B does not fit into go",
            also="opening"),
    _preset("close", "dilated, then eroded: dark spots that B does not fit into go", also="closing"),
    _preset("tophat", "less its opening: the bright spots alone", also="white-tophat"),
    _preset("blackhat", "its closing less the picture: the dark spots alone",
            also="bottomhat black-tophat"),
    _preset("morph-gradient", "dilated less eroded: edges as wide as B", "gradient",
            "morphological-gradient beucher"),
]  # fmt: skip
