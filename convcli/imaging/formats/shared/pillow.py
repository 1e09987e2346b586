"""What formats share that Pillow reads and writes: every mode that it decodes without loss."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.formats.shared.quiet import silence_logs
from convcli.imaging.header import COLOURS, Metadata
from convcli.imaging.limits import check_frames, check_size, decoding
from convcli.imaging.metadata.profiles import sound_profile
from convcli.imaging.metadata.tiff import exif_dpi
from convcli.imaging.metadata.upright import turn_upright
from convcli.imaging.source import Frame, Source

__all__ = [
    "DEFAULT_QUALITY",
    "SPACES",
    "claimed_bytes",
    "collected",
    "mode_of",
    "open_with_pillow",
    "picture_of",
    "pixels_of",
    "save_with_pillow",
    "to_pillow",
]

DEFAULT_QUALITY = 90
"""Quality of JPEG and lossy WebP where the source has none to keep."""
SPACES = {
    "L": ("gray", False),
    "LA": ("gray", True),
    "RGB": ("rgb", False),
    "RGBA": ("rgb", True),
    "CMYK": ("cmyk", False),
    "I;16": ("gray", False),
    "F": ("gray", False),
}
"""Colour space and alpha of Pillow's modes. Palettes and bilevel pictures are expanded first."""
MODES = {SPACES[mode]: mode for mode in ("L", "LA", "RGB", "RGBA", "CMYK")}

Decode: TypeAlias = Callable[[Any, str, str | None, list[str]], NDArray[Any]]
"""The pixels (H, W, C) of the frame that an image is at, as :func:`pixels_of` gives them."""


def open_with_pillow(data: bytes, plugin: str, factory: str = "") -> Any:
    """Open lazily: the header is read, the pixels are not.

    ``plugin`` is Pillow's spelling of the one format that the first bytes showed, as in ``WebP``;
    a ``factory`` of it spares the import of the plugins of four other formats: 4 ms.
    """
    # Sizes are checked here, with a limit that the user can move.
    Image.MAX_IMAGE_PIXELS = None
    module: Any = import_module(f"PIL.{plugin}ImagePlugin")
    silence_logs()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if factory:
            return getattr(module, factory)(io.BytesIO(data), "")
        return Image.open(io.BytesIO(data), formats=[plugin.upper()])


def collected(image: Any, icc: bytes | None, notes: list[str]) -> Metadata:
    """What travels along, from Pillow's ``info``, for formats whose blocks are not walked here."""
    info = image.info
    meta = Metadata(icc=sound_profile(icc, notes) if icc else None)
    exif, xmp = info.get("exif"), info.get("xmp")
    meta.exif = exif.removeprefix(b"Exif\0\0") if exif else None
    meta.xmp = xmp.encode() if isinstance(xmp, str) else xmp
    x, y = (float(value) for value in info.get("dpi", (0, 0)))
    meta.dpi = (x, y) if x > 0 and y > 0 else exif_dpi(meta.exif)
    return meta


def pixels_of(image: Any, name: str, mode: str | None, notes: list[str]) -> NDArray[Any]:
    """Decode the frame that an image is at, in its own or a common mode."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.load()
        return _expand(image, name, mode)


def picture_of(
    image: Any,
    kind: str,
    name: str,
    meta: Metadata,
    notes: list[str],
    max_pixels: int,
    orientation: int = 1,
    *,
    one: bool = False,
    pages: bool = False,
    decode: Decode = pixels_of,
) -> Source:
    """Wrap an opened image: frames are decoded and turned upright as they are asked for.

    Parameters
    ----------
    kind, name
        Of the format and the file.
    one
        Take the first frame alone.
    pages
        Frames are pages: of any size, each counted by whoever calls.
    """
    n_frames = 1 if one else int(getattr(image, "n_frames", 1))
    check_size(name, image.width, image.height, max_pixels)
    if n_frames == 1:
        frames: Any = [_frame(image, name, orientation, None, notes, decode)]
        first = frames[0].pixels
        mode = mode_of(image)
    else:
        if not pages:
            check_frames(name, n_frames, n_frames * _sample_bytes(image), max_pixels)
        mode = _common_mode(image, n_frames, name, max_pixels)
        frames = _PillowFrames(image, n_frames, name, orientation, mode, notes, decode)
        first = next(iter(frames)).pixels
    space, alpha = SPACES[mode]
    return Source(
        format=kind,
        space=space,
        alpha=alpha,
        dtype=first.dtype,
        size=first.shape[:2],
        frames=frames,
        n_frames=n_frames,
        animated=n_frames > 1 and not pages,
        meta=meta,
        notes=notes,
    )


class _PillowFrames:
    """The frames of an animation or the pages of a document, decoded at each walk."""

    def __init__(self, image: Any, count: int, *how: Any) -> None:
        self._of = image, count, how

    def __iter__(self) -> Iterator[Frame]:
        image, count, how = self._of
        for index in range(count):
            with decoding(how[0], image.format):
                _seek(image, index, how[0])
                frame = _frame(image, *how)
            yield frame


def _frame(
    image: Any, name: str, orientation: int, mode: str | None, notes: list[str], decode: Decode
) -> Frame:
    pixels = decode(image, name, mode, notes)
    disposal = image.info.get("disposal", getattr(image, "disposal_method", 0))
    return Frame(
        pixels=turn_upright(pixels, orientation),
        duration=float(image.info.get("duration", 0) or 0),
        disposal=int(disposal or 0),
    )


def _seek(image: Any, index: int, name: str) -> None:
    try:
        image.seek(index)
    except EOFError as error:
        raise InputError(f"{name}: frame {index + 1} is missing: the file is cut short") from error


def _common_mode(image: Any, count: int, name: str, max_pixels: int) -> str:
    """The one mode that holds every frame: alpha and colour as soon as one frame has them."""
    modes, taken = set(), 0
    for index in range(count):
        _seek(image, index, name)
        check_size(name, image.width, image.height, max_pixels)
        taken += _sample_bytes(image)
        check_frames(name, count, taken, max_pixels)
        modes.add(mode_of(image))
    image.seek(0)
    if len(modes) == 1:
        return str(modes.pop())
    if not modes <= {"L", "LA", "RGB", "RGBA"}:
        raise InputError(f"{name}: its pages mix the modes {', '.join(sorted(modes))}")
    colour = any(mode.startswith("RGB") for mode in modes)
    return ("RGB" if colour else "L") + "A" * any(mode.endswith("A") for mode in modes)


def claimed_bytes(data: bytes, plugin: str, factory: str = "") -> int:
    """Bytes of the samples of a frame, told by the header; see :func:`open_with_pillow`."""
    return _sample_bytes(open_with_pillow(data, plugin, factory))


def _sample_bytes(image: Any) -> int:
    """What the samples of a frame take at least."""
    mode = mode_of(image)
    space, alpha = SPACES.get(mode, ("gray", False))
    item = {"I;16": 2, "F": 4}.get(mode, 1)
    return int(image.width * image.height * (COLOURS[space] + alpha) * item)


def mode_of(image: Any) -> str:
    """The mode that :func:`_expand` gives: lossless for every mode that is accepted."""
    mode = str(image.mode)
    if mode in ("I;16B", "I;16L", "I;16N"):
        return "I;16"
    transparent = "transparency" in image.info
    if mode == "P":
        has_alpha = transparent or (image.palette is not None and image.palette.mode == "RGBA")
        return "RGBA" if has_alpha else "RGB"
    if mode == "PA":
        return "RGBA"
    if mode in ("1", "L"):
        return "LA" if transparent else "L"
    if mode == "RGB":
        return "RGBA" if transparent else "RGB"
    return mode


def _expand(image: Any, name: str, mode: str | None) -> NDArray[Any]:
    """Pixels as an array (H, W, C), palettes and bilevel pictures expanded."""
    target = mode or mode_of(image)
    if target not in SPACES:
        raise InputError(
            f"{name}: pictures of mode {target!r} are not read, since they could not be kept "
            "exactly; convert it to gray, RGB or CMYK first"
        )
    if image.mode.startswith("I;16"):
        pixels = np.asarray(image).astype(np.uint16, copy=False)
        if "transparency" in image.info:
            raise InputError(f"{name}: 16-bit gray with a transparent level is not read")
    else:
        pixels = np.asarray(image if image.mode == target else image.convert(target))
    channels = COLOURS[SPACES[target][0]] + SPACES[target][1]
    return pixels.reshape(*pixels.shape[:2], channels)


def to_pillow(pixels: NDArray[Any], space: str, alpha: bool) -> Any:
    """A Pillow image over the same memory: uint8 of every kind, uint16 and float32 gray."""
    height, width, _ = pixels.shape
    mode = MODES[space, alpha]
    if pixels.dtype != np.uint8:
        mode = {"uint16": "I;16", "float32": "F"}[pixels.dtype.name]
        pixels = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    raw = "F;32F" if mode == "F" else mode
    pixels = np.ascontiguousarray(pixels)
    return Image.frombuffer(mode, (width, height), pixels, "raw", raw, 0, 1)


def save_with_pillow(image: Any, plugin: str, **options: Any) -> bytes:
    """A file, always in memory: a full disk is noticed when the bytes are written."""
    import_module(f"PIL.{plugin}ImagePlugin")
    out = io.BytesIO()
    image.save(out, plugin.upper(), **options)
    return out.getvalue()
