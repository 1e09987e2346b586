"""The elevation models that are filtered: the sample's mountains, enlarged, rough, with holes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

SAMPLE = Path(__file__).parents[1] / "samples" / "terrain.tif"
NODATA = -32768
BLOCK = 500


def rows(size: int, top: int, holes: float = 0.05) -> np.ndarray:
    """``BLOCK`` rows of the model of ``size`` x ``size`` cells: float32 metres, NaN where missing.

    Two fifths of the ``holes`` are a lake, the others single cells. The same at every call.
    """
    small = tifffile.imread(SAMPLE).astype(np.float32)
    small[small == NODATA] = 200.0
    height, width = small.shape
    shown = slice(top, min(top + BLOCK, size))
    box = (0.0, shown.start * height / size, float(width), shown.stop * height / size)
    shape = (size, shown.stop - shown.start)
    image = Image.fromarray(small).resize(shape, Image.Resampling.BICUBIC, box=box)
    made = np.array(image, np.float32)
    rng = np.random.default_rng(top)
    made += rng.normal(0, 0.3, made.shape).astype(np.float32)
    y, x = np.ogrid[shown, :size]
    radius = size * (0.4 * holes / np.pi) ** 0.5
    lake = np.hypot((x - 0.55 * size) * 0.8, (y - 0.45 * size) / 0.8) < radius
    made[lake | (rng.random(made.shape) < 0.6 * holes)] = np.nan
    return made


def array(path: Path, size: int) -> None:
    """The model as ``.npy``."""
    out = np.lib.format.open_memmap(path, "w+", np.float32, (size, size))
    for top in range(0, size, BLOCK):
        out[top : top + BLOCK] = rows(size, top)
    out.flush()


def tiff(path: Path, size: int, dtype: str) -> None:
    """The model as a GeoTIFF of the type, which declares what is missing."""
    nodata = NODATA if dtype == "int16" else np.nan

    def blocks() -> object:
        for top in range(0, size, BLOCK):
            made = rows(size, top)
            if dtype == "int16":
                made = np.where(np.isnan(made), NODATA, np.rint(made))
            yield made.astype(dtype)

    tifffile.imwrite(
        path,
        blocks(),
        shape=(size, size),
        dtype=dtype,
        photometric="minisblack",
        rowsperstrip=BLOCK,
        metadata=None,
        extratags=[
            (33550, "d", 3, (30.0, 30.0, 0.0), True),
            (33922, "d", 6, (0.0, 0.0, 0.0, 500_000.0, 5_200_000.0, 0.0), True),
            (42113, "s", 0, str(nodata), True),
        ],
    )
