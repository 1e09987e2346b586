"""Decoding with Pillow: every format and mode that it reads without losing anything."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.errors import InputError
from convcli.imaging.formats.bmp import profile_of_bmp
from convcli.imaging.formats.jpeg.check import jpeg_faults
from convcli.imaging.formats.jpeg.large import LargeJpeg, begin_jpeg
from convcli.imaging.formats.jpeg.metadata import read_jpeg_metadata
from convcli.imaging.formats.quiet import listen_to_libtiff, silence_libtiff, silence_logs
from convcli.imaging.formats.webp.container import read_webp_metadata
from convcli.imaging.header import COLOURS, Metadata
from convcli.imaging.limits import check_frames, check_size, decoding
from convcli.imaging.metadata.profiles import sound_profile
from convcli.imaging.metadata.tiff import exif_dpi
from convcli.imaging.metadata.upright import (
    ORIENTATION,
    orientation_of,
    packet_of,
    take_orientation,
    turn_upright,
)
from convcli.imaging.source import Frame, Source

__all__ = ["open_with_pillow", "picture_of", "read_with_pillow", "sample_bytes"]

PLUGINS = {
    "PNG": "PngImagePlugin",
    "JPEG": "JpegImagePlugin",
    "TIFF": "TiffImagePlugin",
    "WEBP": "WebPImagePlugin",
    "GIF": "GifImagePlugin",
    "BMP": "BmpImagePlugin",
    "AVIF": "AvifImagePlugin",
}

CONTAINERS = {"JPEG": read_jpeg_metadata, "WEBP": read_webp_metadata}
"""Formats whose blocks are walked here: Pillow passes on some of them, and some in pieces."""

# Pillow's modes -> colour space and alpha. Palettes and bilevel pictures are expanded first.
SPACES = {
    "L": ("gray", False),
    "LA": ("gray", True),
    "RGB": ("rgb", False),
    "RGBA": ("rgb", True),
    "CMYK": ("cmyk", False),
    "I;16": ("gray", False),
    "F": ("gray", False),
}


def read_with_pillow(
    data: bytes, name: str, kind: str, max_pixels: int, begun: LargeJpeg | None = None
) -> Source:
    """Decode with Pillow, held to the one format that the first bytes showed.

    The pixels of a JPEG may have been ``begun`` before.
    """
    if kind == "WEBP":
        _check_riff(data, name)
    if kind == "JPEG" and begun is None:
        begun = begin_jpeg(data, max_pixels)
    image = open_with_pillow(data, kind)
    meta = Metadata()
    notes: list[str] = []
    if kind in CONTAINERS:
        CONTAINERS[kind](data, meta, notes)
        loop = image.info.get("loop")
        meta.loop = int(loop) if loop is not None else None
    else:
        _collect(image, data, meta, notes)
    if kind == "JPEG":
        meta.jpeg = _jpeg_settings(image)
        check_size(name, image.width, image.height, max_pixels)
        notes += jpeg_faults(data)  # while the pixels are decoded, if they are begun
    if kind == "WEBP":
        meta.lossless = b"VP8L" in data[:64] or b"VP8L" in data[: min(len(data), 1 << 12)]
    if kind == "AVIF" and (bits := _avif_bits(data)) > 8:
        notes.append(f"its {bits}-bit samples were narrowed to 8 bits, which is all that is read")
    orientation = take_orientation(meta, notes)
    return picture_of(image, kind, name, meta, notes, max_pixels, orientation, begun)


def _avif_bits(data: bytes) -> int:
    """Bits of a sample, which Pillow does not tell and makes 8 of: 8, 10 or 12.

    Source: AV1 Codec ISO Media File Format Binding, 2.3.3: the third byte of the box ``av1C``.
    """
    high_bitdepth, twelve_bit = 0x40, 0x20
    at = data.find(b"av1C") + 6
    flags = data[at] if 6 <= at < len(data) else 0
    return (12 if flags & twelve_bit else 10) if flags & high_bitdepth else 8


def open_with_pillow(data: bytes, kind: str) -> Any:
    """Open lazily: the header is read, the pixels are not."""
    # Sizes are checked here, with a limit that the user can move.
    Image.MAX_IMAGE_PIXELS = None
    plugin: Any = import_module(f"PIL.{PLUGINS[kind]}")
    silence_logs()
    if kind == "TIFF":
        silence_libtiff()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "JPEG":
            # What Image.open comes to, without importing the plugins of four other formats: 4 ms.
            return plugin.jpeg_factory(io.BytesIO(data), "")
        return Image.open(io.BytesIO(data), formats=[kind])


def picture_of(
    image: Any,
    kind: str,
    name: str,
    meta: Metadata,
    notes: list[str],
    max_pixels: int,
    orientation: int = 1,
    begun: LargeJpeg | None = None,
) -> Source:
    """Wrap an opened image: frames are decoded and turned upright as they are asked for.

    The pixels of a large JPEG may be decoded already, by a faster library than Pillow.
    """
    n_frames = int(getattr(image, "n_frames", 1))
    if image.format == "MPO":
        # The other pictures of a multi-picture JPEG are previews and depth maps of the first.
        if n_frames > 1:
            notes.append(f"{n_frames - 1} secondary pictures of the JPEG were left out")
        n_frames = 1
    width, height = image.size
    check_size(name, width, height, max_pixels)
    if n_frames == 1:
        frames: Any = [_frame(image, name, orientation, None, notes, begun)]
        first = frames[0].pixels
        mode = _mode_after_expansion(image)
    else:
        if kind != "TIFF":  # whose pages are of several sizes, and were counted one by one
            check_frames(name, n_frames, n_frames * sample_bytes(image), max_pixels)
        mode = _common_mode(image, n_frames, name, max_pixels)
        frames = _Frames(image, n_frames, name, orientation, mode, notes)
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
        animated=n_frames > 1 and kind != "TIFF",
        meta=meta,
        notes=notes,
    )


class _Frames:
    """The frames of an animation or the pages of a document, decoded at each walk."""

    def __init__(
        self, image: Any, count: int, name: str, orientation: int, mode: str, notes: list[str]
    ) -> None:
        self._of = image, count, name, orientation, mode, notes

    def __iter__(self) -> Iterator[Frame]:
        image, count, name, orientation, mode, notes = self._of
        for index in range(count):
            with decoding(name, image.format):
                _seek(image, index, name)
                frame = _frame(image, name, orientation, mode, notes)
            yield frame


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
        taken += sample_bytes(image)
        check_frames(name, count, taken, max_pixels)
        modes.add(_mode_after_expansion(image))
    image.seek(0)
    if len(modes) == 1:
        return str(modes.pop())
    if not modes <= {"L", "LA", "RGB", "RGBA"}:
        raise InputError(f"{name}: its pages mix the modes {', '.join(sorted(modes))}")
    colour = any(mode.startswith("RGB") for mode in modes)
    return ("RGB" if colour else "L") + "A" * any(mode.endswith("A") for mode in modes)


def sample_bytes(image: Any) -> int:
    """What the samples of a frame take at least."""
    mode = _mode_after_expansion(image)
    space, alpha = SPACES.get(mode, ("gray", False))
    item = {"I;16": 2, "F": 4}.get(mode, 1)
    return int(image.width * image.height * (COLOURS[space] + alpha) * item)


def _mode_after_expansion(image: Any) -> str:
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


def _frame(
    image: Any,
    name: str,
    orientation: int,
    mode: str | None,
    notes: list[str],
    begun: LargeJpeg | None = None,
) -> Frame:
    pixels = None
    if begun is not None and begun.shape == (image.height, image.width, len(image.getbands())):
        pixels = begun.pixels()
    if pixels is None:
        with warnings.catch_warnings(), listen_to_libtiff() as said:
            warnings.simplefilter("ignore")
            _load(image)
            minded = (f"its pixels were read, but libtiff says: {text}" for text in sorted(said))
            notes += [note for note in minded if note not in notes]
            pixels = _expand(image, name, mode)
    disposal = image.info.get("disposal", getattr(image, "disposal_method", 0))
    return Frame(
        pixels=turn_upright(pixels, orientation),
        duration=float(image.info.get("duration", 0) or 0),
        disposal=int(disposal or 0),
    )


def _load(image: Any) -> None:
    """Decode the frame. Pillow turns each page of a TIFF itself: by what we read, not by its EXIF.

    Its EXIF object loses tags to whoever collects metadata, and it knows fewer spellings of XMP.
    """
    if image.format == "TIFF":
        image.getexif()[ORIENTATION] = orientation_of(
            image.tag_v2.get(ORIENTATION), packet_of(image.info.get("xmp"))
        )
    image.load()


def _expand(image: Any, name: str, mode: str | None) -> NDArray[Any]:
    """Pixels as an array (H, W, C), palettes and bilevel pictures expanded."""
    target = mode or _mode_after_expansion(image)
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


def _collect(image: Any, data: bytes, meta: Metadata, notes: list[str]) -> None:
    """Take what travels along from Pillow's ``info``: of BMP and AVIF."""
    info = image.info
    icc = info.get("icc_profile") if image.format == "AVIF" else profile_of_bmp(data)
    meta.icc = sound_profile(icc, notes) if icc else None
    exif = info.get("exif")
    meta.exif = exif.removeprefix(b"Exif\0\0") if exif else None
    xmp = info.get("xmp")
    meta.xmp = xmp.encode() if isinstance(xmp, str) else xmp
    x, y = (float(value) for value in info.get("dpi", (0, 0)))
    meta.dpi = (x, y) if x > 0 and y > 0 else exif_dpi(meta.exif)


def _jpeg_settings(image: Any) -> dict[str, Any]:
    """Quantisation tables and subsampling, so that saving again loses as little as possible."""
    from PIL import JpegImagePlugin

    settings: dict[str, Any] = {"qtables": dict(image.quantization)}
    sampling = JpegImagePlugin.get_sampling(image)
    if sampling != -1:
        settings["subsampling"] = sampling
    if image.info.get("progressive") or image.info.get("progression"):
        settings["progressive"] = True
    return settings


def _check_riff(data: bytes, name: str) -> None:
    claimed = int.from_bytes(data[4:8], "little") + 8
    if claimed > len(data):
        raise InputError(f"{name}: the WebP is cut short: {len(data)} bytes of {claimed}")
