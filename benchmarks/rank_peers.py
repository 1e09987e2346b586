"""The rows of benchmarks/ranks.py, and how each peer does the same."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from engine_peers import Row, Run

from convcli.kernels.kernel import Kernel


@dataclass
class RankRow(Row):
    """A row with the side of its square and the percent of its rank."""

    side: int = 3
    percent: float = 50.0


def rows() -> list[RankRow]:
    """The rows of docs/performance.md about ranks."""

    def row(side: int, picture: str, bar: float, goal: float, percent: float = 50.0) -> RankRow:
        kernel = Kernel(np.ones((side, side)), operation="rank", numbers=(percent,))
        name = f"median:{side}" if percent == 50 else f"percentile:{percent:g},{side}"
        return RankRow(name, picture, kernel, bar, goal, tolerance=0, side=side, percent=percent)

    found = [row(side, p, 0.8, 1.2) for side in (3, 5) for p in ("gray8", "rgb8")]
    found += [row(side, "gray8", 4, 10) for side in (7, 9, 15, 31, 101)]
    for picture in ("gray16", "grayf"):
        found += [row(side, picture, 0.8, 1.2) for side in (3, 5)]
        found += [row(side, picture, 20, 60) for side in (7, 15, 31)]
    found += [row(side, "gray8", 4, 10, 90.0) for side in (7, 31)]
    return found


def opencv(cv2: Any, row: RankRow, x: np.ndarray, threads: int) -> dict[str, Run]:
    """Medians: of bytes, and of others up to 5x5."""
    cv2.setNumThreads(threads)
    if row.percent != 50 or (x.dtype != np.uint8 and row.side > 5):
        return {}
    call = partial(cv2.medianBlur, x, row.side)
    return {"OpenCV": Run(lambda out: call(dst=out), np.empty_like(x))}


def scipy(ndimage: Any, row: RankRow, x: np.ndarray, threads: int) -> dict[str, Run]:
    """One thread."""
    size = (row.side, row.side, 1)[: x.ndim]
    rank = int(row.side**2 * row.percent // 100)

    def call(out: Any) -> Any:
        found = ndimage.rank_filter(x, rank, size=size, output=out, mode="mirror")
        return out if found is None else found

    return {"SciPy": Run(call, np.empty_like(x))}


def skimage(rank: Any, row: RankRow, x: np.ndarray, threads: int) -> dict[str, Run]:
    """Histograms of gray bytes; those of 16 bits take a quarter of an hour."""
    if x.ndim > 2 or x.dtype != np.uint8 or row.percent != 50:
        return {}
    square = np.ones((row.side, row.side), np.uint8)

    def call(out: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return rank.median(x, square, out=out)

    return {"scikit-image": Run(call, np.empty_like(x))}


def pillow(image: Any, row: RankRow, x: np.ndarray, threads: int) -> dict[str, Run]:
    """From picture to picture of its own."""
    if x.dtype != np.uint8:
        return {}
    from PIL import ImageFilter

    source = image.fromarray(x)
    chosen = ImageFilter.RankFilter(row.side, int(row.side**2 * row.percent // 100))
    return {"Pillow": Run(lambda _: source.filter(chosen))}


def vips(pyvips: Any, row: RankRow, x: np.ndarray, threads: int) -> dict[str, Run]:
    """Windows that are sorted; its threads are set by VIPS_CONCURRENCY."""
    source = pyvips.Image.new_from_array(x)
    index = int(row.side**2 * row.percent // 100)

    def call(_: Any) -> Any:
        return source.rank(row.side, row.side, index).numpy()

    return {"vips": Run(call)}


PEERS: dict[str, Callable[[Any, RankRow, np.ndarray, int], dict[str, Run]]] = {
    "cv2": opencv,
    "scipy.ndimage": scipy,
    "skimage.filters.rank": skimage,
    "PIL.Image": pillow,
    "pyvips": vips,
}


def peers(row: RankRow, x: np.ndarray, threads: int) -> dict[str, Run]:
    """All that are installed and can do the row."""
    found: dict[str, Run] = {}
    for module, make in PEERS.items():
        try:
            library = importlib.import_module(module)
        except (ImportError, OSError):
            continue
        found |= make(library, row, x, threads)
    return found
