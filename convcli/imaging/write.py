"""Encoding: a :class:`Picture` in, the bytes of a file out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from convcli.errors import OutputError, UsageError
from convcli.imaging.atomic import Data
from convcli.imaging.formats import FORMATS, Format
from convcli.imaging.header import Header
from convcli.imaging.source import Source

__all__ = ["check_fits", "encode_picture"]


def check_fits(fmt: Format, picture: Header, name: str) -> None:
    """Refuse a format that would lose a channel, depth or frames, naming those that would not.

    Raises
    ------
    UsageError
        With what the picture is and the formats that hold it.
    """
    space, alpha, dtype = picture.space, picture.alpha, picture.dtype.name
    n_frames, animated = picture.n_frames, picture.animated
    longest = max(picture.size)

    def fits(f: Format) -> bool:
        if n_frames > 1 and (not f.frames or animated == (f.name == "TIFF")):
            return False
        return f.holds(space, alpha, dtype) and longest <= f.longest

    if fits(fmt):
        return
    what = f"{dtype} {'CMYK' if space == 'cmyk' else 'RGB' if space == 'rgb' else space}"
    what += " with alpha" * alpha
    if n_frames > 1:
        what += f" in {n_frames} {'frames' if animated else 'pages'}"
    if longest > fmt.longest:
        what += f" of {longest} pixels a side, only {fmt.longest}"
    able = [f.suffix for f in FORMATS.values() if fits(f)]
    advice = f"use {' or '.join(able)}" if able else "no format holds that"
    if dtype.startswith("float"):
        advice += ", or another --range than float, or --depth 8 or 16"
    raise UsageError(f"{name}: {fmt.name} cannot hold {what}; {advice}")


def encode_picture(
    picture: Source,
    fmt: Format,
    name: str,
    *,
    quality: int | None = None,
    compression: str = "default",
    threads: int = 1,
) -> Data:
    """Encode all frames of ``picture`` in a format that holds them.

    What comes in parts is encoded as they are taken, on ``threads``.

    Raises
    ------
    UsageError
        If the format cannot hold the picture.
    OutputError
        If the encoder fails.
    """
    check_fits(fmt, picture, name)
    if picture.format == "GIF" != fmt.name and picture.meta.loop is None:
        picture.meta.loop = 1  # a GIF that does not say is shown once, others for ever
    if fmt.name != "PFM" and abs(picture.meta.pfm_scale or 1) != 1:
        picture.notes.append(f"its scale {picture.meta.pfm_scale:g} is kept in .pfm only")
    if picture.still_first and fmt.name != "PNG":
        picture = _animation_alone(picture)
    if fmt.name == "PNG":
        from convcli.imaging.formats.png.write import apng_parts, png_parts

        how: dict[str, Any] = {"threads": threads, "compression": compression}
        if picture.n_frames > 1:
            how["still_first"] = picture.still_first
            return apng_parts(picture.frames, picture.n_frames, picture.meta, **how)
        return png_parts(next(iter(picture.frames)).pixels, picture.meta, **how)
    if fmt.name in ("PPM", "PFM"):
        from convcli.imaging.formats.pnm.codec import encode_pfm, encode_pnm

        pixels = next(iter(picture.frames)).pixels
        if fmt.name == "PPM":
            return encode_pnm(pixels, picture.meta.comments)
        return encode_pfm(pixels, picture.meta.pfm_scale)
    with _our_words(name, fmt.name):
        if fmt.name == "BMP" and picture.alpha:
            from convcli.imaging.formats.bmp import encode_bmp_with_alpha

            return encode_bmp_with_alpha(next(iter(picture.frames)).pixels, picture.meta.dpi)
        if fmt.name == "GIF":
            from convcli.imaging.formats.gif.write import encode_gif

            return encode_gif(picture)
        if fmt.name == "JPEG":
            from convcli.imaging.formats.jpeg.write import jpeg_parts

            return _in_our_words(jpeg_parts(picture, quality, threads=threads), name, fmt.name)
        if fmt.name == "TIFF":
            from convcli.imaging.formats.tiff.write import encode_tiff

            return encode_tiff(picture)
        from convcli.imaging.formats.pillow_write import encode_with_pillow

        return encode_with_pillow(picture, fmt.name, quality)


def _animation_alone(picture: Source) -> Source:
    """Without the picture for programs that show no animation, which APNG alone can hold."""
    picture.notes.append("the picture before the animation, which is no part of it, was left out")
    frames = list(picture.frames)[1:]
    return replace(picture, frames=frames, n_frames=len(frames), still_first=False)


def _in_our_words(parts: Iterable[bytes], name: str, fmt: str) -> Iterator[bytes]:
    with _our_words(name, fmt):
        yield from parts


@contextmanager
def _our_words(name: str, fmt: str) -> Iterator[None]:
    """Errors of other people's encoders as ours."""
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise OutputError(f"{name}: cannot be encoded as {fmt}: {error}") from error
