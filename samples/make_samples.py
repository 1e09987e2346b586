"""Make the sample pictures from the portrait; run once, the results are kept in the repository.

    python samples/make_samples.py astronaut.png

The portrait is NASA's picture of Eileen Collins (public domain), as scikit-image ships it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageDraw

from convcli.imaging.formats.png.write import encode_png
from convcli.imaging.header import Metadata

HERE = Path(__file__).parent


def gray16(portrait: np.ndarray) -> bytes:
    """Luminance in linear light, which needs all of 16 bits."""
    linear = (portrait[0:256, 96:352] / 255.0) ** 2.2
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return encode_png(np.rint(luminance * 65535).astype(np.uint16)[..., None], Metadata())


def soft(portrait: np.ndarray) -> bytes:
    """A soft oval; the colour hidden under full transparency is a loud green."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    alpha = np.clip((1.0 - np.hypot(x / 0.75, y / 0.95)) * 4, 0, 1)
    rgb = portrait[0:256, 96:352].copy()
    rgb[alpha == 0] = (0, 255, 0)
    pixels = np.concatenate([rgb, np.rint(alpha * 255).astype(np.uint8)[..., None]], axis=-1)
    return encode_png(pixels, Metadata())


def spin() -> None:
    frames = []
    for index in range(8):
        frame = Image.new("RGB", (120, 90), (18, 32, 60))
        draw = ImageDraw.Draw(frame)
        start = index * 45
        draw.pieslice((25, 10, 95, 80), start, start + 110, fill=(240, 180, 40))
        draw.ellipse((50, 35, 70, 55), fill=(200, 60, 60))
        frames.append(frame)
    frames[0].save(
        HERE / "spin.gif",
        save_all=True,
        append_images=frames[1:],
        duration=[60, 60, 60, 60, 60, 60, 60, 400],
        loop=0,
    )


def sideways(portrait: Image.Image) -> None:
    """Stored lying on its side, as a phone does: EXIF orientation 6, with an sRGB profile."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "convcli"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    small = portrait.crop((96, 0, 352, 320)).transpose(Image.Transpose.ROTATE_90)
    small.save(HERE / "sideways.jpg", quality=88, exif=exif, icc_profile=profile, dpi=(300, 300))


def demo(source: Image.Image) -> None:
    """The small copy that travels with the program, for ``convcli demo``."""
    small = np.asarray(source.resize((128, 128), Image.Resampling.LANCZOS))
    target = HERE.parent / "convcli" / "cli" / "demo_portrait.png"
    target.write_bytes(encode_png(small, Metadata()))


def main() -> None:
    source = Image.open(sys.argv[1]).convert("RGB")
    portrait = np.asarray(source)
    (HERE / "portrait.png").write_bytes(Path(sys.argv[1]).read_bytes())
    (HERE / "gray16.png").write_bytes(gray16(portrait))
    (HERE / "soft.png").write_bytes(soft(portrait))
    spin()
    sideways(source)
    demo(source)


if __name__ == "__main__":
    main()
