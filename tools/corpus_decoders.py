"""What other programs see in a picture file: Pillow, tifffile, imagecodecs, OpenCV.

Nothing of convcli is used here. Each decoder gives what it reads as a :class:`Shown`, in one form
whatever the library's own, or None where it is known to lose something (Pillow halves 16-bit
colour, say), or raises what the library raises.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageOps

try:
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
except ImportError:  # one judge less
    cv2 = None

__all__ = ["DECODERS", "Shown", "captions", "decode", "deep_frames", "kind_of"]

MAGIC = {
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "JPEG": rb"\xff\xd8\xff",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "WEBP": rb"RIFF....WEBP",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM",
    "PPM": rb"P[1-6][\s#]",
    "PFM": rb"P[fF][\s#]",
    "AVIF": rb"....ftyp.*avi[fs]",
}
TIFF_TEXTS = (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432)
MAX_PIXELS = 89_478_485
"""Pillow refuses twice as many."""
ORIENTATION = 274
MADE_ANEW = ("XML:com.adobe.xmp", "Raw profile type exif", "Raw profile type xmp")
for library in ("PIL", "tifffile", "imagecodecs"):
    logging.getLogger(library).addHandler(logging.NullHandler())
warnings.simplefilter("ignore")


class Shown(NamedTuple):
    """A picture as one decoder sees it, upright: frames (H, W, C), alpha last if there is any."""

    frames: list[np.ndarray]
    space: str
    alpha: bool
    durations: list[float] | None = None
    """Milliseconds, where the decoder says."""
    tolerance: int = 0
    """By how much the decoder may be off: OpenCV truncates each time it lays frames over."""

    @property
    def mode(self) -> str:
        return f"{self.space}{' + alpha' * self.alpha} {self.frames[0].dtype}"


def kind_of(data: bytes) -> str:
    """The format by its first bytes; "" where it is none that convcli reads."""
    for kind, pattern in MAGIC.items():
        if re.match(pattern, data[:64], re.DOTALL):
            return kind
    return ""


def opened(data: bytes) -> Any:
    """The file as Pillow opens it, sizes limited: convcli, which has its own limit, lifts Pillow's."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    return Image.open(io.BytesIO(data))


# ---------------------------------------------------------------- Pillow

SPACES = {
    "1": "gray",
    "L": "gray",
    "LA": "gray",
    "I;16": "gray",
    "I": "gray",
    "F": "gray",
    "P": "rgb",
    "PA": "rgb",
    "RGB": "rgb",
    "RGBA": "rgb",
    "CMYK": "cmyk",
}


def with_pillow(data: bytes) -> Shown | None:
    """Pillow, turned by ``ImageOps.exif_transpose``; it knows no PFM in colour."""
    if data[:2] == b"PF":
        return None
    image = opened(data)
    if _pillow_loses(data, image):
        return None
    count = 1 if image.format in ("MPO", "JPEG") else getattr(image, "n_frames", 1)
    if image.format == "GIF":
        image.seek(count - 1)  # it grows where a frame lies beyond its edge
    frames, modes, durations = [], [], []
    for index in range(count):
        image.seek(index)
        image.load()
        durations.append(float(image.info.get("duration", 0) or 0))
        still = ImageOps.exif_transpose(image)
        mode = still.mode.replace("I;16B", "I;16").replace("I;16L", "I;16")
        if mode not in SPACES:
            return None
        clear = "transparency" in image.info or mode in ("LA", "RGBA", "PA")
        clear |= mode == "P" and image.palette.mode == "RGBA"
        modes.append((SPACES[mode], clear))
        frames.append(still)
    space = "rgb" if any(s == "rgb" for s, _ in modes) else modes[0][0]
    alpha = any(clear for _, clear in modes)
    arrays = [_pillow_array(still, space, alpha) for still in frames]
    return Shown(arrays, space, alpha, durations if count > 1 else None)


def _pillow_array(image: Any, space: str, alpha: bool) -> np.ndarray:
    if image.mode.startswith("I;16") or image.mode == "I":
        pixels = np.asarray(image).astype(np.uint16)
    elif image.mode == "F":
        pixels = np.asarray(image)
    else:
        target = {"gray": "L", "rgb": "RGB", "cmyk": "CMYK"}[space] + "A" * alpha
        pixels = np.asarray(image if image.mode == target else image.convert(target))
    return pixels.reshape(*pixels.shape[:2], -1)


def _pillow_loses(data: bytes, image: Any) -> bool:
    """Where Pillow is known to lose depth, alpha, or the way frames are laid over others."""
    if image.format == "PNG":
        moves = getattr(image, "is_animated", False)
        deep = data[24] == 16 and (moves or data[25] != 0 or b"tRNS" in data)
        return deep or (getattr(image, "is_animated", False) and _lays_over(data))
    if kind_of(data) == "PPM":
        return image.mode == "RGB" and maximum(data) > 255
    if image.format == "GIF":
        # It takes a disposal that is not named from the frame before, clears to an opaque colour
        # unless the frame itself is transparent somewhere, and fills with the first colour.
        controls = re.findall(rb"!\xf9\x04(.)..(?:.)\0", data, re.DOTALL)
        ways = [flags[0] >> 2 & 7 for flags in controls]
        some = {bool(flags[0] & 1) for flags in controls}
        return len(ways) > 1 and max(ways) > 1 and (len(some) > 1 or 0 in ways[1:])
    if image.format == "TIFF":
        bits = np.atleast_1d(image.tag_v2.get(258, 1))
        return bool(image.mode == "I" or (bits.max() > 8 and image.mode not in ("F", "I;16")))
    return False


def _lays_over(png: bytes) -> bool:
    """Whether a frame is laid over others, or clears its place: Pillow takes alpha for a colour."""
    at, odd = png.find(b"fcTL"), False
    while at >= 0:
        dispose, blend = png[at + 28 : at + 30]
        odd |= bool(dispose or (blend and (png[25] in (4, 6) or b"tRNS" in png)))
        at = png.find(b"fcTL", at + 1)
    return odd


# ---------------------------------------------------------------- tifffile


def with_tifffile(data: bytes) -> Shown | None:
    """The pages of a TIFF, as tifffile decodes them."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        shown = [_page(page) for page in file.pages]
    if None in shown:
        return None
    spaces = {(space, alpha) for _, space, alpha in shown}
    if len(spaces) != 1:
        return None
    return Shown([pixels for pixels, _, _ in shown], *spaces.pop())


def _page(page: Any) -> tuple[np.ndarray, str, bool] | None:
    kind = getattr(page.photometric, "name", str(page.photometric))
    samples = page.samplesperpixel
    space = {"MINISBLACK": "gray", "MINISWHITE": "gray", "PALETTE": "rgb", "RGB": "rgb"}.get(kind)
    space = {"YCBCR": "rgb", "SEPARATED": "cmyk"}.get(kind, space)
    if space is None or page.imagedepth != 1 or page.ndim > 3:
        return None
    pixels = page.asarray()
    if kind == "YCBCR" and page.compression.name not in ("JPEG", "OJPEG"):
        return None
    if samples > 1 and page.planarconfig.name == "SEPARATE":
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = pixels.reshape(page.imagelength, page.imagewidth, samples)
    bits = page.bitspersample
    if kind == "PALETTE":
        pixels = np.moveaxis(page.colormap, 0, -1)[pixels[..., 0]] >> 8
        pixels = pixels.astype(np.uint8)
    elif pixels.dtype == bool or bits < 8:
        white = 2 ** (1 if pixels.dtype == bool else bits) - 1
        pixels = (pixels.astype(np.uint16) * 255 // white).astype(np.uint8)
    if kind == "MINISWHITE":
        if pixels.dtype.kind != "u":
            return None
        pixels = np.iinfo(pixels.dtype).max - pixels
    extra = pixels.shape[-1] - {"gray": 1, "rgb": 3, "cmyk": 4}[space]
    named = [getattr(e, "name", "") for e in page.extrasamples or ()]
    if extra not in (0, 1) or named[:1] == ["ASSOCALPHA"]:
        return None
    if pixels.dtype == np.float16:
        pixels = pixels.astype(np.float32)
    tag = page.tags.get(ORIENTATION)
    pixels = turned(pixels, int(tag.value) if tag is not None else 1)
    return pixels.astype(pixels.dtype.newbyteorder("=")), space, bool(extra)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Upright, from what EXIF 2.32 says of tag 274: where row 0 and column 0 are to be seen."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(pixels[rows, columns])


# ---------------------------------------------------------------- imagecodecs and OpenCV


def with_imagecodecs(data: bytes) -> Shown | None:
    """Still PNG of 16 bits, WebP, AVIF, BMP; not what convcli itself reads with it."""
    kind = kind_of(data)
    if kind == "PNG" and b"acTL" in data[:2000]:
        return deep_frames(data)
    decode = {"PNG": "png_decode", "WEBP": "webp_decode", "AVIF": "avif_decode"}
    if kind not in decode or (kind == "WEBP" and b"ANMF" in data):
        return None
    pixels = getattr(imagecodecs, decode[kind])(data)
    if pixels.ndim > 3:
        return None
    return _upright(pixels.reshape(*pixels.shape[:2], -1), data)


def deep_frames(data: bytes) -> Shown | None:
    """An animation of 16 bits whose frames replace each other whole."""
    if data[24] != 16 or _lays_over(data):
        return None
    frames = list(imagecodecs.apng_decode(data))
    if data.index(b"IDAT") < data.index(b"fcTL"):  # no part of the animation, and not given
        frames = [imagecodecs.png_decode(data), *frames]
    frames = [frame.reshape(*frame.shape[:2], -1) for frame in frames]
    channels = frames[0].shape[-1]
    return Shown(frames, "gray" if channels < 3 else "rgb", channels in (2, 4))


def with_opencv(data: bytes) -> Shown | None:
    """OpenCV, animations included; CMYK becomes RGB there, palettes of BMP lose alpha."""
    if cv2 is None:
        return None
    kind, raw = kind_of(data), np.frombuffer(data, np.uint8)
    if kind == "PNG" and b"acTL" in data[:2000]:
        return _moving(raw, data) if data[24] <= 8 else None
    if kind == "GIF":
        good, found = cv2.imdecodeanimation(raw)
        if not good or len(found.frames) < 2:
            return None
        frames = [_from_bgr(frame) for frame in found.frames]
        alpha = frames[0].shape[-1] == 4
        if not alpha and re.search(rb"!\xf9\x04[\x01\x05\x09\x0d]", data):
            return None  # does not see what is transparent
        return Shown(frames, "rgb", alpha, [float(d) for d in found.durations])
    if kind not in ("PNG", "BMP", "PPM", "PFM", "WEBP") or (kind == "WEBP" and b"ANMF" in data):
        return None
    pixels = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED)
    if pixels is None or (kind == "PNG" and b"tRNS" in data) or pixels.ndim > 3:
        return None
    if kind == "PPM" and maximum(data) not in (255, 65535):
        return None  # keeps levels as they are, whatever the maximum
    if kind == "PFM" and maximum(data) != 1:
        return None  # divides by it
    return _upright(_from_bgr(pixels.reshape(*pixels.shape[:2], -1)), data)


def _moving(raw: np.ndarray, data: bytes) -> Shown | None:
    good, found = cv2.imdecodeanimation(raw)
    if not good or len(found.frames) < 2:
        return None
    if _lays_over(data) and data[25] not in (4, 6) and b"tRNS" not in data:
        return None  # clears to black, for want of alpha
    frames = [_from_bgr(frame) for frame in found.frames]
    durations = [float(d) for d in found.durations]
    if data.index(b"IDAT") < data.index(b"fcTL"):  # no part of the animation, and not given
        still = opened(data).convert("RGBA")
        frames, durations = (
            [np.asarray(still)[..., : frames[0].shape[-1]], *frames],
            [0, *durations],
        )
    return Shown(frames, "rgb", frames[0].shape[-1] == 4, durations, len(frames) * _lays_over(data))


def maximum(netpbm: bytes) -> float:
    """The third number of the header: the maximum, or the scale of floats; 1 for bits."""
    words = re.sub(rb"#[^\r\n]*", b"", netpbm[:1000]).split(None, 4)
    return 1 if words[0] in (b"P1", b"P4") else abs(float(words[3]))


def _from_bgr(pixels: np.ndarray) -> np.ndarray:
    order = {1: [0], 2: [0, 1], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[pixels.shape[-1]]
    return pixels[..., order]


def _upright(pixels: np.ndarray, data: bytes) -> Shown:
    with opened(data) if data[:1] != b"P" else Image.new("L", (1, 1)) as image:
        orientation = image.getexif().get(ORIENTATION, 1)
    channels = pixels.shape[-1]
    space = "gray" if channels < 3 else "rgb"
    return Shown([turned(pixels, orientation)], space, channels in (2, 4))


DECODERS: dict[str, Callable[[bytes], Shown | None]] = {
    "Pillow": with_pillow,
    "tifffile": with_tifffile,
    "imagecodecs": with_imagecodecs,
    "OpenCV": with_opencv,
}


def decode(data: bytes) -> Iterator[tuple[str, Shown | Exception]]:
    """What each decoder that knows the file says of it."""
    for name, decoder in DECODERS.items():
        if name != "Pillow" and _too_large(data):
            continue
        if (name == "tifffile") != (kind_of(data) == "TIFF") and name != "Pillow":
            continue
        try:
            shown = decoder(data)
        except Exception as error:
            yield name, error
        else:
            if shown is not None:
                yield name, shown


def _too_large(data: bytes) -> bool:
    """Whether Pillow refuses the size, which others would try."""
    try:
        with opened(data) as image:
            image.seek(getattr(image, "n_frames", 1) - 1)
    except Image.DecompressionBombError:
        return True
    except Exception:
        return False
    return False


# ---------------------------------------------------------------- what travels along


def captions(data: bytes) -> dict[str, Any]:
    """Profile, texts, comments and EXIF, as Pillow and tifffile tell them; nothing if they cannot.

    Not what a filter makes anew: orientation and sizes, EXIF that stands in a text of a PNG.
    """
    try:
        return _of_tiff(data) if kind_of(data) == "TIFF" else _of_others(data)
    except Exception:  # of a picture that is right it tells; others were judged by their pixels
        return {}


def _of_tiff(data: bytes) -> dict[str, Any]:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = {tag.code: tag.value for tag in file.pages[0].tags}
    found = {f"tag {code}": _plain(tags[code]) for code in TIFF_TEXTS if code in tags}
    return found | ({"profile": tags[34675]} if 34675 in tags else {})


def _of_others(data: bytes) -> dict[str, Any]:
    with opened(data) as image:
        texts, info, exif = getattr(image, "text", {}), image.info, image.getexif()
        found = {f"text {k}": str(v) for k, v in texts.items() if k not in MADE_ANEW}
        found |= {key: info[key] for key in ("icc_profile", "comment") if info.get(key)}
        found |= {"xmp": True} if info.get("xmp") else {}
        details = exif.get_ifd(0x8769)
        known = {tag: exif[tag] for tag in exif if tag in range(258, 318) and tag != ORIENTATION}
        known |= {tag: details[tag] for tag in (0x9003, 0x829A) if tag in details}
        return found | {f"EXIF {tag}": _plain(value) for tag, value in known.items()}


def _plain(value: Any) -> Any:
    try:
        return str(round(float(value), 6))
    except (TypeError, ValueError, ZeroDivisionError):
        return str(value).strip("\0 ")
