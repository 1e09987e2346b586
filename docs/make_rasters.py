"""Make the pictures of docs/rasters.md, from the results of the page's own commands.

python docs/make_rasters.py

Heights are tinted and shaded, and what is missing is blue. The naive filters beside convcli's are
SciPy's, of the numbers as they lie in the file, and of NaN in the place of what is missing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from make_gallery import IMAGES, SAMPLES, commands, embedded, run
from PIL import Image
from scipy.ndimage import correlate, gaussian_filter

DOCS = Path(__file__).parent

PAGE = DOCS / "rasters.md"
NODATA = -32768
WATER = (66, 118, 190)
LEVELS = [150, 500, 900, 1400, 1900, 2500]
TINTS = [(96, 128, 80), (142, 158, 98), (190, 178, 122), (168, 136, 104), (190, 180, 172), (255, 255, 255)]  # fmt: skip
LIGHT = np.array([[-1, -1, 0], [-1, 0, 1], [0, 1, 1]])


def heights(path: str) -> np.ndarray:
    """Values of a file, NaN where they are missing."""
    x = tifffile.imread(path).astype(np.float64)
    return np.where(x == NODATA, np.nan, x)


def relief(z: np.ndarray) -> np.ndarray:
    """Heights as a map, lit from the upper left."""
    down, right = (np.nan_to_num(slope) for slope in np.gradient(z, 30))
    light = np.clip(0.82 + 0.45 * (right + down), 0.25, 1.15)
    tint = np.stack([np.interp(z, LEVELS, [t[c] for t in TINTS]) for c in range(3)], axis=-1)
    return painted(tint * light[..., None], np.isnan(z))


def gray(x: np.ndarray) -> np.ndarray:
    """Values from 0 to 255 as they are."""
    return painted(np.repeat(x[..., None], 3, axis=-1), np.isnan(x))


def painted(rgb: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Bytes, blue where something is missing."""
    return np.where(missing[..., None], WATER, np.nan_to_num(rgb).clip(0, 255)).astype(np.uint8)


def blurred(z: np.ndarray) -> np.ndarray:
    """``gaussian:3`` as it is done without thought."""
    return gaussian_filter(z, 3, mode="mirror", truncate=3.0)


def shaded(z: np.ndarray) -> np.ndarray:
    """The kernel of the page in the same way."""
    return correlate(z, LIGHT, mode="mirror") * 0.6 + 128


def render() -> None:
    """The pictures, in the current folder, in which the page's commands were run."""
    before = heights("samples/terrain.tif")
    raw = np.where(np.isnan(before), NODATA, before)
    pictures = {
        "terrain": relief(before),
        "smooth": relief(heights("smooth.tif")),
        "smooth-bleeds": relief(blurred(raw)),
        "smooth-spreads": relief(blurred(before)),
        "shade": gray(heights("shade.tif")),
        "shade-bleeds": gray(shaded(raw)),
        "shade-spreads": gray(shaded(before)),
        "closed": relief(heights("closed.tif")),
        "slope": gray(heights("slope.tif") * 80),
    }
    for name, pixels in pictures.items():
        image = Image.fromarray(pixels).quantize(96, dither=Image.Dither.NONE)
        image.save(f"rasters-{name}.png", optimize=True)


def make(folder: Path) -> dict[str, str]:
    """Run every command of the page in ``folder``, and draw; what each printed."""
    shutil.copytree(SAMPLES, folder / "samples", dirs_exist_ok=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        printed = {line: run(line) for line in commands(PAGE.read_text())}
        render()
        return printed
    finally:
        os.chdir(before)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        make(Path(name))
        for picture in embedded(PAGE.read_text()):
            shutil.copyfile(Path(name) / picture, IMAGES / picture)


if __name__ == "__main__":
    main()
