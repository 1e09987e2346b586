"""Make ``terrain.tif``: a mountain range that nobody has seen, with a lake that nobody measured.

    python samples/make_terrain.py

Run once; the result is kept in the repository. 360 x 240 cells of 30 m, heights in whole metres,
as most elevation models have them. What is missing says so with -32768: the lake, whose water
gave the instrument no echo, and single cells.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

HERE = Path(__file__).parent
SHAPE, CELL, NODATA = (240, 360), 30.0, -32768
CORNER = (500_000.0, 5_200_000.0)
"""East and north of the upper left corner, in metres of UTM zone 32."""


def noise(shape: tuple[int, int], slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of deviation 1 whose amplitude falls with frequency to the power ``slope``."""
    rows, columns = np.fft.fftfreq(2 * shape[0])[:, None], np.fft.rfftfreq(2 * shape[1])
    frequency = np.hypot(rows * 2 * shape[0], columns * 2 * shape[0])
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(rng.normal(size=(2 * shape[0], 2 * shape[1])))
    wave = np.fft.irfft2(white * np.maximum(frequency, 2.0) ** -slope)[: shape[0], : shape[1]]
    return (wave - wave.mean()) / wave.std()


def heights(shape: tuple[int, int] = SHAPE, seed: int = 8) -> np.ndarray:
    """Metres above the sea, float64: crests where a noise crosses 0, rougher where it is high."""
    rng = np.random.default_rng(seed)
    crest = np.exp(-np.abs(noise(shape, 2.4, rng)) * 1.6)
    spur = np.exp(-np.abs(noise(shape, 2.1, rng)) * 2.2)
    rough = noise(shape, 1.9, rng)
    rise = 0.65 * crest + 0.35 * crest * spur
    return 350 + 1700 * rise + 150 * noise(shape, 2.6, rng) + 130 * rise * rough


def missing(height: np.ndarray, seed: int = 9) -> np.ndarray:
    """Where nothing was measured: a lake in the lowest valley, and one cell in two hundred."""
    lake = height < np.quantile(height, 0.045)
    return lake | (np.random.default_rng(seed).random(height.shape) < 0.005)


def write(path: Path) -> None:
    """The file, with all that a GeoTIFF says of place, scale and what is missing."""
    height = heights()
    cells = np.where(missing(height), NODATA, np.rint(height)).astype(np.int16)
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632)
    tifffile.imwrite(
        path,
        cells,
        photometric="minisblack",
        compression="zlib",
        predictor=2,
        rowsperstrip=64,
        metadata=None,
        extratags=[
            (33550, "d", 3, (CELL, CELL, 0.0), True),
            (33922, "d", 6, (0.0, 0.0, 0.0, *CORNER, 0.0), True),
            (34735, "H", len(keys), keys, True),
            (42113, "s", 0, str(NODATA), True),
        ],
    )


if __name__ == "__main__":
    write(HERE / "terrain.tif")
