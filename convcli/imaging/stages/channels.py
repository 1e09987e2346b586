"""A chain of kernels made ready: normalised, and the channels that it runs over."""

from __future__ import annotations

from collections.abc import Sequence

from convcli.errors import KernelError, ShapeError
from convcli.imaging.header import Header
from convcli.imaging.options import FilterOptions
from convcli.imaging.stages.alpha import leaves_alpha
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import facts_of
from convcli.records import NamedTuple

__all__ = ["Channels", "channels_of", "prepare_chain"]

SPACE_OF = {1: "gray", 3: "rgb", 4: "cmyk"}


class Channels(NamedTuple):
    """Which channels the chain runs over, and what comes out."""

    widen: bool
    """A gray picture is repeated into R, G and B for a bank over three channels."""
    over_alpha: bool
    """A bank takes alpha as one of its channels."""
    space: str
    alpha: bool
    bands: int = 0
    """How many there are where they are no colours."""


def prepare_chain(kernels: Sequence[Kernel], options: FilterOptions) -> tuple[Kernel, ...]:
    """Normalise every kernel, and put ``scale`` and ``bias`` on the last."""
    if not kernels:
        raise KernelError("no kernel was given; name one with --kernel")
    for kernel in kernels:
        facts = kernel.scale, kernel.bias, kernel.combine, kernel.absolute
        if not kernel.is_correlation and facts != (1, 0, "none", False):
            raise KernelError(f"{kernel.name!r} is no sum: it has no scale, bias or absolute value")
    chain = [_normalised(k) if options.normalize else k for k in kernels]
    last = chain[-1]
    if not last.is_correlation and (options.scale, options.bias) != (1, 0):
        raise KernelError(f"{last.name!r} is no sum to scale or add to: drop --scale and --bias")
    chain[-1] = last.replace(scale=last.scale * options.scale, bias=last.bias + options.bias)
    return tuple(chain)


def _normalised(kernel: Kernel) -> Kernel:
    if not kernel.is_correlation:
        raise KernelError(f"{kernel.name!r} is no sum to normalise: drop --normalize")
    total = kernel.sum
    if (leaves_alpha(kernel) and kernel.shape != (1, 1)) or total == 0:
        raise KernelError(
            f"kernel {kernel.name!r} cannot be normalised: its weights sum to 0; "
            "drop --normalize, or divide by --scale"
        )
    return kernel.replace(scale=kernel.scale / total)


def channels_of(picture: Header, chain: Sequence[Kernel], *, values: bool) -> Channels:
    """Which channels of a picture, or bands of ``values``, the chain runs over.

    Raises
    ------
    ShapeError
        If a kernel mixes another number of channels, or the result would be no picture.
    """
    channels = picture.colours
    over_alpha, widen = False, False
    for kernel in chain:
        if facts_of(kernel).joins and not values:
            channels = 1
        if not kernel.is_bank:
            continue
        wanted = kernel.weights.shape[1]
        if wanted == 3 and channels == 1 and not values:
            widen = True
        elif wanted == channels + 1 and picture.alpha and not (over_alpha or values):
            over_alpha = True
        elif wanted != channels:
            raise ShapeError(
                f"{picture.name}: kernel {kernel.name!r} mixes {wanted} channels, and the picture has "
                f"{channels} at that point of the chain"
            )
        channels = kernel.weights.shape[0]
    colours = channels
    alpha = picture.alpha
    if over_alpha:
        alpha = channels in (2, 4)
        colours = channels - alpha
    if values or picture.space == "bands":
        if colours == picture.colours:
            return Channels(False, False, picture.space, alpha, picture.bands)
        space = "gray" if colours == 1 else "bands"
        return Channels(False, False, space, alpha, 0 if colours == 1 else colours)
    if colours not in SPACE_OF:
        raise ShapeError(
            f"{picture.name}: the chain gives {channels} channels; a picture has 1, 3 or 4, and alpha"
        )
    return Channels(widen, over_alpha, SPACE_OF[colours], alpha)
