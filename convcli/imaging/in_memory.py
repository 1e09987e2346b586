"""Pictures and arrays in memory as sources, and results as what was given."""

from __future__ import annotations

from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.engine.numerics import OUT_DTYPES
from convcli.errors import UsageError
from convcli.imaging.files import STDIN
from convcli.imaging.formats.shared.array_file import Space, space_of
from convcli.imaging.formats.shared.pillow import SPACES, to_pillow
from convcli.imaging.header import COLOURS, Header
from convcli.imaging.source import Frame, Pixels, Source

if TYPE_CHECKING:
    from convcli.imaging.stages.part_shown import Mask

__all__ = ["check_fits_image", "given_mask", "given_picture", "like_given"]

IMAGES = (Image.Image, str, Path)
"""What a Pillow image is given back for."""


def given_picture(image: Any, *, values: bool | None = None) -> Source:
    """A Pillow image, an array, or the path or URL of a picture as a source.

    Raises
    ------
    InputError
        If the file is no picture, or damaged.
    UsageError
        If it is of a mode, a shape or a type that is not taken.
    """
    if isinstance(image, str | Path):
        from convcli.imaging.opening import Limits, open_source

        if image == STDIN:
            raise UsageError("'-' is standard input, which only the command reads; give a file")
        return open_source(fspath(image), Limits())
    if isinstance(image, Image.Image):
        return _from_pillow(image)
    return _from_array(_array(image), values=values)


def like_given(image: Any, result: Header, pixels: Pixels) -> Any:
    """The result as an image, or an array with as many dimensions as the one that was given."""
    if isinstance(image, IMAGES):
        made = to_pillow(pixels, result.space, result.alpha)
        if result.meta.icc is not None:
            made.info["icc_profile"] = result.meta.icc
        return made
    return pixels[..., 0] if np.ndim(image) == 2 and pixels.shape[-1] == 1 else pixels


def check_fits_image(image: Any, result: Header) -> None:
    """Refuse what no Pillow image can hold where one was given.

    Raises
    ------
    UsageError
        If it has other bands than Pillow's modes, or samples of another type.
    """
    if not isinstance(image, IMAGES):
        return
    plain = (result.space, result.alpha) == ("gray", False)
    deep = plain and result.dtype.name in ("uint16", "float32")
    if (result.space, result.alpha) not in SPACES.values() or not (deep or result.dtype == "uint8"):
        raise UsageError(
            f"Pillow has no image of {result.colours + result.alpha} bands of {result.dtype}; "
            "allowed: uint8 of gray, RGB or CMYK, uint16 or float32 of gray; give an array instead"
        )


def given_mask(given: Any) -> Mask | None:
    """A Pillow image or an array as a mask, if there is one.

    Raises
    ------
    UsageError
        If it is not gray, or of a type that is not taken.
    """
    if given is None:
        return None
    from convcli.imaging.mask import check_mask
    from convcli.imaging.stages.part_shown import Mask

    if isinstance(given, np.ndarray) and given.dtype == np.bool_:
        given = given.astype(np.uint8) * 255
    picture = given_picture(given)
    picture.name = "mask"
    check_mask(picture)
    return Mask(picture.first, picture.name)


def _array(image: Any) -> NDArray[Any]:
    if np.ma.is_masked(image):
        raise UsageError(
            "a masked array is not taken, whose mask would be lost; give image.filled(V) and "
            "nodata=V"
        )
    try:
        return np.asarray(image)
    except TypeError as error:  # of what lies on a device, which its library does not move unasked
        raise UsageError(
            f"a {type(image).__module__.partition('.')[0]} {type(image).__name__} is not taken, an "
            f"array in host memory is ({error})"
        ) from error


def _from_pillow(image: Image.Image) -> Source:
    image = _expanded(image)
    mode = "I;16" if image.mode.startswith("I;16") else image.mode
    if mode not in SPACES:
        raise UsageError(
            f"an image of mode {mode!r} is not taken; allowed: 1, P, {', '.join(SPACES)}"
        )
    space, alpha = SPACES[mode]
    pixels = np.asarray(image)
    pixels = pixels.reshape(*pixels.shape[:2], COLOURS[space] + alpha)
    return _picture(pixels, Space(space, alpha))


def _expanded(image: Image.Image) -> Image.Image:
    """Palettes, black and white, and colours times alpha as what they stand for."""
    if image.mode == "P":
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    plain = {"1": "L", "PA": "RGBA", "RGBa": "RGBA", "La": "LA", "RGBX": "RGB"}.get(image.mode)
    return image if plain is None else image.convert(plain)


def _from_array(array: np.ndarray[Any, Any], *, values: bool | None) -> Source:
    if array.ndim not in (2, 3) or array.size == 0:
        raise UsageError(
            f"an array of shape {array.shape} is not taken; allowed: (H, W), (H, W, C)"
        )
    if array.dtype.name not in OUT_DTYPES:
        raise UsageError(
            f"an array of {array.dtype} is not taken; allowed: {', '.join(OUT_DTYPES)}"
        )
    pixels = np.ascontiguousarray(array.reshape(*array.shape[:2], -1))
    count = pixels.shape[-1]
    if values and count > 1:
        return _picture(pixels, Space("bands", bands=count))
    return _picture(pixels, space_of(count, array.dtype, "memory"))


def _picture(pixels: np.ndarray[Any, Any], what: Space) -> Source:
    size, frames = pixels.shape[:2], [Frame(pixels)]
    return Source("memory", what.space, what.alpha, pixels.dtype, size, frames, bands=what.bands)
