"""The pictures that are filtered: a photograph, enlarged, with the noise of a sensor."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

PORTRAIT = Path(__file__).parents[1] / "samples" / "portrait.png"


def photograph(width: int, height: int, dtype: str = "uint8") -> np.ndarray:
    """An RGB array (height, width, 3), the same at every call."""
    rng = np.random.default_rng(0)
    with Image.open(PORTRAIT) as image:
        large = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))
    out = np.empty((height, width, 3), dtype)
    scale = 257 if dtype == "uint16" else 1
    for top in range(0, height, 256):
        part = large[top : top + 256].astype(np.float32)
        noisy = (part + rng.normal(0, 3, part.shape)) * scale
        out[top : top + 256] = noisy.clip(0, 255 * scale).round()
    return out


def write(path: Path, width: int, height: int, dtype: str = "uint8") -> Path:
    """Write it as the suffix says, as other programs would."""
    pixels = photograph(width, height, dtype)
    if dtype == "uint16":
        path.write_bytes(imagecodecs.png_encode(pixels, level=6))
    elif path.suffix == ".jpg":
        Image.fromarray(pixels).save(path, quality=92)
    else:
        Image.fromarray(pixels).save(path)
    return path
