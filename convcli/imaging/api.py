"""``convcli.filter_image``: the same as the command, on pictures and arrays in memory."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from convcli.arithmetic.borders import Border, parse_border
from convcli.arithmetic.region import Region, parse_region
from convcli.engine.backends import Backend
from convcli.engine.plane_windows import Padding2d
from convcli.errors import UsageError
from convcli.imaging.band_choice import chosen
from convcli.imaging.frames import filtered
from convcli.imaging.grays import gray_level
from convcli.imaging.in_memory import check_fits_image, given_mask, given_picture, like_given
from convcli.imaging.options import WAYS, FilterOptions
from convcli.imaging.source import Source
from convcli.imaging.stages.filter import Filter
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_chain

__all__ = ["AllKeywords", "Kernels", "Picture", "filter_image", "planned"]

NUMBERS = (int, float, np.integer, np.floating)

Sample = TypeVar(
    "Sample",
    np.uint8,
    np.uint16,
    np.float32,
    np.float64,
    np.int8,
    np.int16,
    np.int32,
    np.int64,
    np.uint32,
    np.uint64,
)
Pixels: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[Sample]]
Named: TypeAlias = str | Path | Kernel | NDArray[Any]
Kernels: TypeAlias = Named | Sequence[Named | float | Sequence[object]]
"""One kernel or a chain. One kind of sequence: of two, mypy takes a mixed list for neither."""


Picture: TypeAlias = Image.Image | str | Path | ArrayLike
"""What is filtered: an image, the path of one, or an array."""


class Keywords(TypedDict, total=False):
    """What does not change the type of the result."""

    padding: Padding2d
    stride: int | tuple[int, int]
    dilation: int | tuple[int, int]
    border: str | Border
    flip: bool
    normalize: bool
    scale: float
    bias: float
    luma: bool
    linear: bool
    values: bool | None
    bands: Sequence[int]
    nodata: float | int | str | tuple[float | int | str | None, float | int] | None
    missing: str | None
    fill: bool
    min_valid: float
    region: str | tuple[int, int, int, int] | None
    mask: Image.Image | NDArray[Any] | None
    backend: str
    threads: int | None


@overload
def filter_image(  # type: ignore[overload-overlap] # text is array-like to NumPy's types
    image: Image.Image | str | Path,
    kernel: Kernels,
    *,
    range: str = "auto",
    depth: str | int | None = None,
    **options: Unpack[Keywords],
) -> Image.Image: ...
@overload
def filter_image(
    image: NDArray[Sample],
    kernel: Kernels,
    *,
    range: Literal["auto", "clip", "abs", "offset", "stretch"] = "auto",
    depth: None = None,
    **options: Unpack[Keywords],
) -> Pixels[Sample]: ...
@overload
def filter_image(
    image: ArrayLike,
    kernel: Kernels,
    *,
    range: str = "auto",
    depth: str | int | None = None,
    **options: Unpack[Keywords],
) -> Pixels[Any]: ...


def filter_image(
    image: Any,
    kernel: Any,
    *,
    padding: Padding2d = "same",
    stride: int | tuple[int, int] = 1,
    dilation: int | tuple[int, int] = 1,
    border: str | Border = "reflect",
    flip: bool = False,
    normalize: bool = False,
    scale: float = 1.0,
    bias: float = 0.0,
    range: str = "auto",
    depth: str | int | None = None,
    luma: bool = False,
    linear: bool = False,
    values: bool | None = None,
    bands: Sequence[int] = (),
    nodata: float | int | str | tuple[float | int | str | None, float | int] | None = None,
    missing: str | None = None,
    fill: bool = False,
    min_valid: float = 0.0,
    region: str | tuple[int, int, int, int] | None = None,
    mask: Image.Image | NDArray[Any] | None = None,
    backend: str = "auto",
    threads: int | None = None,
) -> Any:
    """Filter a picture with a kernel or a chain of kernels.

    Parameters
    ----------
    image
        The path or URL of a picture, a Pillow image of any mode but I, HSV, LAB and YCbCr, or an array ``(H, W)`` or
        ``(H, W, C)`` of whole numbers of 8 to 64 bits, float32 or float64. uint8, uint16 and floats
        of up to four channels are light: white is 255, 65535 or 1.0, two and four channels are
        gray and RGB with alpha. All others, and these with ``values=True``, are values in units
        of their own, of any number of bands.
    kernel
        A name, a file, a literal, an array, a :class:`convcli.Kernel`, a chain of names and
        literals such as ``"gaussian:2 | sobel"``, or a list of these.
    padding
        ``"same"``, ``"valid"``, ``"full"``, a number, ``(PH, PW)`` or
        ``((top, bottom), (left, right))``.
    stride, dilation
        One number, or one for the height and one for the width.
    border
        ``constant[:V]``, ``edge``, ``reflect``, ``symmetric``, ``wrap``, ``missing`` (of a raster),
        or another tool's name; V is 0 to 255, a percentage, or a gray colour such as ``white``.
    flip
        Mathematical convolution instead of correlation.
    normalize, scale, bias
        Divide each kernel by its sum; multiply the result; add to it, with 255 as white, or a value.
    range
        ``auto``, ``clip``, ``abs``, ``offset``, ``stretch`` or ``float``.
    depth
        ``8``, ``16``, ``"float"``, or a type such as ``"int16"``; by default that of the image.
    luma, linear
        Filter brightness only; filter in linear light.
    values
        Whether samples are values, and nothing is scaled; by default as said above.
    bands
        Those that are filtered, counted from 1, in this order; all by default.
    nodata
        The value that stands for missing samples; NaN does so by itself. ``"none"``: nothing does. A
        pair is the value of the image, or None, and that of the result.
    missing, fill, min_valid
        What sums make of missing samples (``renormalize``, ``centre`` or ``propagate``; ranks and
        morphology leave them out, or propagate them); whether
        there is a result where the centre is missing; which share of a window must be there.
    region
        The part that is filtered, as ``"X,Y,WxH"`` in pixels or percent, or ``(x, y, width,
        height)``: all other samples stay as they are.
    mask
        How much of the result shows: a gray image or array of the image's size, uint8, uint16,
        floats from 0 to 1, or bool.
    backend, threads
        ``auto``, ``numpy`` or ``cupy``; all cores by default.

    Returns
    -------
    The same kind as ``image``: a Pillow image (of a file too), or an array with as many
    dimensions.

    Raises
    ------
    UsageError
        If an option, a shape or a type does not fit.

    Examples
    --------
    >>> step = np.array([[0, 0, 9, 9]] * 3, np.uint8)
    >>> filter_image(step, "sobel-x")[1].tolist()
    [0, 36, 36, 0]
    """
    options = _options(
        padding=padding,
        stride=stride,
        dilation=dilation,
        border=border,
        flip=flip,
        normalize=normalize,
        scale=scale,
        bias=bias,
        range=range,
        depth=depth,
        luma=luma,
        linear=linear,
        values=values,
        bands=bands,
        nodata=nodata,
        missing=missing,
        min_valid=min_valid,
        fill=fill,
        region=region,
        backend=backend,
        threads=threads,
    )
    chain, picture = _planned(image, kernel, options, mask)
    return like_given(image, chain.outline.header, filtered(chain, picture.first).pixels)


class TypeKeywords(TypedDict, total=False):
    """Keywords that change the type of the result."""

    range: str
    depth: str | int | None


class AllKeywords(Keywords, TypeKeywords, total=False):
    """All that :func:`filter_image` takes besides the image and the kernels."""


def planned(image: Any, kernel: Any, **options: Unpack[AllKeywords]) -> Filter:
    """What :func:`filter_image` would do, with nothing done yet; it takes and raises the same."""
    unknown = [name for name in options if name not in AllKeywords.__annotations__]
    if unknown:
        known = ", ".join(AllKeywords.__annotations__)
        raise TypeError(f"{unknown[0]!r} is no option of filter_image; allowed: {known}")
    mask = options.pop("mask", None)
    return _planned(image, kernel, _options(**options), mask)[0]


def _planned(image: Any, kernel: Any, options: FilterOptions, mask: Any) -> tuple[Filter, Source]:
    named = kernel if _is_chain(kernel) else [kernel]
    kernels = [step for one in named for step in load_chain(one)]
    picture = chosen(given_picture(image, values=options.values), options.bands)
    chain = Filter(picture, kernels, options, given_mask(mask))
    check_fits_image(image, chain.outline.header)
    return chain, picture


def _options(
    border: str | Border = "reflect",
    depth: str | int | None = None,
    bands: Sequence[int] = (),
    nodata: Any = None,
    missing: str | None = None,
    min_valid: float = 0.0,
    region: Any = None,
    backend: str = "auto",
    **others: Any,
) -> FilterOptions:
    """The options as the stages know them, from the words of the keywords."""
    return FilterOptions(
        border=border if isinstance(border, Border) else parse_border(border, gray_level),
        depth=None if depth is None else str(depth),
        **_of_rasters(bands, nodata, missing, min_valid),
        region=_region(region),
        backend=Backend.parse(backend),
        **others,
    )


def _is_chain(kernel: Any) -> bool:
    """Whether it is a list of kernels, not one kernel given as nested lists of numbers."""
    return (
        isinstance(kernel, Sequence)
        and not isinstance(kernel, str)
        and all(isinstance(item, str | Path | Kernel | np.ndarray) for item in kernel)
    )


def _of_rasters(bands: Any, nodata: Any, missing: str | None, min_valid: float) -> dict[str, Any]:
    """The options of that name, checked as those of the command line are when they are read."""
    try:
        numbers = tuple(map(operator.index, bands))
    except TypeError:
        numbers = (0,)
    if numbers and min(numbers) < 1:
        raise UsageError(f"bands is {bands!r}; allowed: numbers from 1, as in [4, 3, 2]")
    named = nodata if isinstance(nodata, tuple) else (nodata, None)
    words = (None, "nan", "none"), (None,)
    if len(named) != 2 or any(
        not (one in known if one is None or isinstance(one, str) else isinstance(one, NUMBERS))
        for one, known in zip(named, words, strict=True)
    ):
        raise UsageError(
            f"nodata is {nodata!r}; allowed: a number, 'nan', 'none', None, and a pair of the "
            "image's and the result's, as in (-9999, 0) or (None, 0)"
        )
    if missing is not None and missing not in WAYS:
        raise UsageError(f"missing is {missing!r}; allowed: {', '.join(WAYS)}")
    if not isinstance(min_valid, NUMBERS) or not 0 <= min_valid <= 1:
        raise UsageError(f"min_valid is {min_valid!r}; it must be 0 to 1")
    before, after = (one.item() if isinstance(one, np.generic) else one for one in named)
    found: dict[str, Any] = {"bands": numbers, "nodata": before, "nodata_out": after}
    return found | {"missing": missing, "min_valid": float(min_valid)}


def _region(given: Any) -> Region | None:
    if given is None:
        return None
    if isinstance(given, str):
        return parse_region(given, "region")
    try:
        x, y, width, height = map(operator.index, given)
    except (TypeError, ValueError):
        x = -1
    if x < 0:
        raise UsageError(
            f"region is {given!r}; allowed: 'X,Y,WxH', or four whole numbers (x, y, width, height)"
        )
    return parse_region(f"{x},{y},{width}x{height}", "region")
