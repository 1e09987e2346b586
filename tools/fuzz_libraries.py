"""Damaged pictures read by convcli and by other libraries: nobody refuses what convcli reads.

What convcli reads must be read by every library that knows the format, to the same pixels. Where
they do not agree, `fuzz_exceptions.toml` has a line that says why, or it is a finding. PNGs that
all the libraries read must be read by convcli as well.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import struct
import sys
import tempfile
import tomllib
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).parent))
from fuzz_corpus import pictures
from mutations import damage, damage_chunks, damage_scan, with_right_sums

from convcli.errors import ConvcliError
from convcli.imaging.formats.tiff.strips import strips_of
from convcli.imaging.opening import decode_picture

__all__ = ["Disagreement", "compare", "mutated", "prepare", "read_as_libraries_do"]

MAX_PIXELS = 1_000_000


class Disagreement(Exception):
    """convcli reads what a library refuses or reads otherwise."""


Frames = list[np.ndarray | None]
"""None where the pixels come in a form that is not compared."""


def read_as_libraries_do(rnd: random.Random) -> None:
    """A damaged picture: read as the libraries read it, or refused."""
    suffix, data = mutated(rnd)
    compare(suffix, data)


def mutated(rnd: random.Random) -> tuple[str, bytes]:
    """A damaged file of the corpus, in ways that its format invites, and its suffix."""
    name = rnd.choice(sorted(pictures()))
    data, suffix = pictures()[name], Path(name).suffix
    if suffix == ".png" and rnd.random() < 0.7:
        data = damage_chunks(data, rnd)
    elif suffix == ".jpg" and rnd.random() < 0.7:
        data = damage_scan(data, rnd)
    else:
        data = damage(data, rnd, list(pictures().values()))
        if suffix == ".png" and rnd.random() < 0.8:
            data = with_right_sums(data)
    return suffix, data


def prepare() -> None:
    """Import all that a case may need: it takes longer than many cases."""
    for name, data in pictures().items():
        compare(Path(name).suffix, data)


def compare(suffix: str, data: bytes) -> None:
    """Let all read a file.

    Raises
    ------
    Disagreement
        If they do not agree, and no exception says why.
    """
    refusal = ""
    with _stderr() as said:
        try:
            picture = decode_picture(data, "case", max_pixels=MAX_PIXELS)
            frames = [frame.pixels for frame in picture.frames]
        except ConvcliError as error:
            picture, refusal = None, str(error)
    if said:
        raise Disagreement(f"written to standard error: {said[0]}")
    if suffix in (".tif", ".npy"):
        _check_parts(suffix, data, None if picture is None else frames, refusal)
    if picture is None:
        if suffix == ".png" and data[:8] == b"\x89PNG\r\n\x1a\n":
            _check_refusal(suffix, data, refusal)
        return
    turned = _is_turned(data)
    for library, read in LIBRARIES.items():
        if not _knows(library, picture.format, len(frames)):
            continue
        with _stderr() as said, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                theirs = read(data)
            except Exception as error:
                theirs, words = None, f"{type(error).__name__}: {error}"
        kind = f"{suffix}, {picture.dtype} {picture.space}"
        about = f"{kind}, {picture.notes or 'without a note'}"
        if theirs is None:
            _report(f"{library} refuses {about}: {words}", data)
        elif said and library == "opencv" and not picture.notes:
            _report(f"{library} warns of {about}: {said[0]}", data)
        elif library not in TURNING and (turned or picture.space == "cmyk"):
            continue
        elif len(theirs) != len(frames):
            _report(f"{library} has {len(theirs)} frames, not {len(frames)}, of {about}", data)
        else:
            for index, (mine, other) in enumerate(zip(frames, theirs, strict=True)):
                if other is not None and (difference := _difference(mine, other)):
                    _report(
                        f"{library} reads other pixels, frame {index} of {about}: {difference}",
                        data,
                    )


def _check_parts(suffix: str, data: bytes, whole: list[np.ndarray] | None, refusal: str) -> None:
    """Whether a file that can be read part by part is, or is refused, as when it is read whole."""
    from convcli.imaging.opening import open_stored

    path = folder() / f"parts{suffix}"
    path.write_bytes(data)
    try:
        source = open_stored(str(path))
        if source is None or source.shape[0] * source.shape[1] > MAX_PIXELS:
            return
        with source:
            pixels = source.first.read(([(0, source.shape[0])], [(0, source.shape[1])]))
    except ConvcliError as error:
        if whole is not None:
            _report(f"refused part by part only: {suffix}: {error}", data)
        return
    if suffix == ".npy":
        with contextlib.suppress(Exception):
            whole = [np.load(io.BytesIO(data), allow_pickle=False).reshape(pixels.shape)]
            whole = [w.astype(w.dtype.newbyteorder("=")) for w in whole]
    if whole is None:
        _report(f"read part by part only: {suffix}: {refusal}", data)
    elif difference := _difference(pixels, whole[0]):
        _report(f"read otherwise part by part: {suffix}: {difference}", data)


@cache
def folder() -> Path:
    """A place for files, in memory where there is such a place."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="convcli-fuzz-", dir=memory if memory.is_dir() else None))


def _check_refusal(suffix: str, data: bytes, refusal: str) -> None:
    for library in ("libpng", "pillow", "opencv"):
        if not _knows(library, "PNG", 1):
            continue
        with _stderr():
            try:
                LIBRARIES[library](data)
            except Exception:
                return
    _report(f"convcli alone refuses {suffix}: {refusal}", data)


def _report(text: str, data: bytes) -> None:
    file = data.decode("latin-1")
    for said, inside in exceptions():
        if re.search(said, text) and re.search(inside, file):
            return
    raise Disagreement(text)


@cache
def exceptions() -> list[tuple[str, str]]:
    """What is no finding: patterns of what is reported, and of what is in the file."""
    path = Path(__file__).with_name("fuzz_exceptions.toml")
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["exception"]
    return [(entry["text"], entry.get("file", "")) for entry in entries]


def _difference(mine: np.ndarray, other: np.ndarray) -> str:
    if mine.dtype == np.uint16 and other.dtype == np.uint8:
        mine = (mine >> 8).astype(np.uint8)  # Pillow's high byte
    if mine.dtype != other.dtype:
        return f"{mine.dtype} and {other.dtype}"
    if mine.shape[-1] != other.shape[-1]:
        mine, other = _with_all(mine), _with_all(other)
    if mine.shape != other.shape:
        return f"{mine.shape} and {other.shape}"
    # A missing sample of floats is NaN for all; which of its bits are set is not compared.
    differs = (mine != other) & ((mine == mine) | (other == other))
    return f"{differs.any(-1).mean():.1%} of {mine.shape}" if differs.any() else ""


def _is_turned(data: bytes) -> bool:
    """Whether the pixels are stored otherwise than upright, as Pillow sees it."""
    with warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data)) as image:
            return image.getexif().get(0x0112, 1) != 1
    return False


def _with_all(pixels: np.ndarray) -> np.ndarray:
    """RGB and alpha."""
    channels = pixels.shape[-1]
    colours = pixels[..., : 1 if channels < 3 else 3]
    top = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    alpha = pixels[..., -1:] if channels in (2, 4) else np.full_like(pixels[..., :1], top)
    return np.concatenate([np.broadcast_to(colours, (*pixels.shape[:2], 3)), alpha], -1)


# ---------------------------------------------------------------- libraries


def _pillow(data: bytes) -> Frames:
    frames: Frames = []
    with Image.open(io.BytesIO(data)) as image:
        # What the first frame of a GIF leaves open it fills with the first colour.
        covered = image.format != "GIF" or image.tile[0][1] == (0, 0, *image.size)
        for index in range(getattr(image, "n_frames", 1) if image.format != "MPO" else 1):
            image.seek(index)
            # Pillow lays strips that are too many over the others.
            sound = image.format != "TIFF" or strips_of(image.tag_v2.get).told
            image.load()
            upright = image
            with contextlib.suppress(struct.error):  # of an EXIF block that is damaged
                upright = ImageOps.exif_transpose(image)
            frames.append(_array(upright) if sound and covered else None)
        if (
            image.format == "GIF"
            and len({frame.shape for frame in frames if frame is not None}) > 1
        ):
            # A frame beyond the canvas enlarges it: convcli's frames all have that size.
            frames = [None] * len(frames)
    return frames


def _array(image: Image.Image) -> np.ndarray | None:
    mode = image.mode
    if mode in ("1", "L", "P", "PA", "LA", "RGB", "RGBA"):
        return np.asarray(image.convert("RGBA"))
    if mode in ("I;16", "F", "CMYK"):
        pixels = np.asarray(image)
        return pixels.reshape(*pixels.shape[:2], -1)
    return None


def _libpng(data: bytes) -> Frames:
    import imagecodecs

    pixels = np.asarray(imagecodecs.png_decode(data))
    return [pixels.reshape(*pixels.shape[:2], -1)]


def _opencv(data: bytes) -> Frames:
    cv2: Any = _cv2()
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("imdecode gives None")
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    return [pixels[..., [2, 1, 0, 3][: pixels.shape[-1]]] if pixels.shape[-1] > 1 else pixels]


def _tifffile(data: bytes) -> Frames:
    import tifffile

    frames: Frames = []
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        for page in file.pages:
            pixels = np.asarray(page.asarray())
            plain = getattr(page.photometric, "name", "") in ("RGB", "MINISBLACK", "SEPARATED")
            orientation = page.tags.get(274)
            plain &= page.planarconfig == 1 or page.samplesperpixel == 1
            plain &= orientation is None or orientation.value == 1
            if getattr(page.photometric, "name", "") == "MINISWHITE" and pixels.dtype.kind == "u":
                pixels, plain = np.iinfo(pixels.dtype).max - pixels, True
            plain &= page.bitspersample in (8, 16, 32, 64)
            shape = page.imagelength, page.imagewidth, -1
            native = pixels.dtype.newbyteorder("=")
            frames.append(pixels.reshape(shape).astype(native) if plain else None)
    return frames


def _webp(data: bytes) -> Frames:
    import imagecodecs

    pixels = np.asarray(imagecodecs.webp_decode(data))
    return [pixels.reshape(*pixels.shape[:2], -1)]


LIBRARIES: dict[str, Callable[[bytes], Frames]] = {
    "pillow": _pillow,
    "libpng": _libpng,
    "opencv": _opencv,
    "tifffile": _tifffile,
    "libwebp": _webp,
}
TURNING = ("pillow", "tifffile")
"""Those that give pixels upright, and CMYK as it is; those of the others are not compared then."""
FORMATS = {"libpng": ("PNG",), "opencv": ("PNG", "JPEG"), "tifffile": ("TIFF",)}
FORMATS["libwebp"] = ("WEBP",)


def _knows(library: str, fmt: str, frames: int) -> bool:
    if library == "opencv" and _cv2() is None:
        return False
    single = library in ("libpng", "opencv", "libwebp")
    return fmt in FORMATS.get(library, (fmt,)) and not (single and frames > 1)


@cache
def _cv2() -> Any:
    os.environ["OPENCV_LOG_LEVEL"] = "OFF"
    with contextlib.suppress(ImportError):
        import cv2

        return cv2
    return None


@contextlib.contextmanager
def _stderr() -> Iterator[list[str]]:
    """What C libraries write to standard error meanwhile."""
    said: list[str] = []
    kept, file = os.dup(2), os.memfd_create("stderr")
    os.dup2(file, 2)
    try:
        yield said
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        size = os.lseek(file, 0, os.SEEK_CUR)
        said += os.pread(file, size, 0).decode("utf-8", "replace").splitlines()
        os.close(file)
