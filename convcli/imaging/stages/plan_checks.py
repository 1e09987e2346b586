"""What goes with values, and what with light: refused before anything is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convcli.errors import KernelError, UsageError
from convcli.imaging.header import Header
from convcli.imaging.stages.missing import Missing
from convcli.kernels.operation_facts import squares_values

if TYPE_CHECKING:
    from convcli.imaging.stages.plans import Plans

__all__ = ["check_last", "check_light", "check_missing"]


def check_missing(missing: Missing, header: Header) -> None:
    """Of pictures in light, or weighted by alpha, nothing is left out."""
    beside = "goes with neither transparency, --luma nor --linear"
    if missing.outside:
        raise UsageError(f"--border missing {beside}; --border edge does")
    if missing.value is not None:
        raise UsageError(
            f"{header.name}: the value that says missing, {missing.value:g}, {beside}; "
            "--nodata none takes it as any other"
        )


def check_last(plans: Plans) -> None:
    """A variance of a picture is a part of white squared; a threshold of values gives 1 and 0."""
    names = [kernel.name for kernel in plans.chain if squares_values(kernel)]
    if names and not plans.values and np.dtype(plans.out_dtype).kind != "f":
        raise UsageError(
            f"{names[0]} of a picture is a part of white squared, which levels of "
            f"{plans.out_dtype} are too coarse for: take --depth float, or stddev in its place"
        )
    last, says = plans.chain[-1], plans.missing.says
    if plans.values and last.operation in ("threshold", "otsu", "canny") and says in (0, 1):
        raise UsageError(
            f"{last.name} gives 1 and 0, and {says:g} says that a sample is missing: name another "
            "value for the result, as in --nodata :255"
        )


def check_light(plans: Plans, header: Header) -> None:
    """Values have no light, and only colours have brightness."""
    options = plans.options
    if not (options.luma or options.linear):
        return
    if header.space == "cmyk":
        raise KernelError("CMYK has no light to work in: drop --luma and --linear")
    if options.luma and header.space == "bands" and not plans.values:
        raise KernelError("bands that are no colours have no brightness: drop --luma")
    if plans.values:
        raise UsageError(
            f"{header.name} holds values, which have no light to work in: drop --luma and "
            "--linear, or say that it is a picture with --picture"
        )
