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


MORPHOLOGY = [
    _preset("erode", "the smallest value under the footprint: what is dark grows", also="erosion"),
    _preset("dilate", "the largest value under the footprint turned by half: what is bright grows", also="dilation"),
    _preset("open", "eroded, then dilated: bright spots smaller than the footprint go",
            also="opening"),
    _preset("close", "dilated, then eroded: dark spots smaller than the footprint go", also="closing"),
    _preset("tophat", "the picture less its opening: small bright spots alone", also="white-tophat"),
    _preset("blackhat", "the closing less the picture: small dark spots alone",
            also="bottomhat black-tophat"),
    _preset("morph-gradient", "dilated less eroded: edges as wide as the footprint", "gradient",
            "morphological-gradient beucher"),
]  # fmt: skip
