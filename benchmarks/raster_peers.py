"""How each tool filters an elevation model with holes: one process, asked by rasters.py.

    python benchmarks/raster_peers.py PEER ARRAY.npy

It holds the array in memory and answers each line on standard input, ``{"row": NAME, "size": N,
"save": PATH, "holes": BOOL}``, with the seconds of one call on N x N cells at the shore of the lake,
the peak memory beyond the array, and its result in PATH if one is named.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Call = Callable[[Array], Array]


class Row(NamedTuple):
    """A filter: the kernel for convcli, and its weights for those that take weights."""

    name: str
    weights: Array
    box: int = 0
    sigma: float = 0.0
    slope: bool = False


def _rows() -> dict[str, Row]:
    made = [Row(f"box:{k}", np.full((k, k), 1 / k**2), box=k) for k in (3, 5, 7, 15, 31)]
    for sigma in (2, 5):
        t = np.arange(-3 * sigma, 3 * sigma + 1)
        g = np.exp(-t * t / (2 * sigma * sigma))
        made.append(Row(f"gaussian:{sigma}", np.outer(g, g) / g.sum() ** 2, sigma=sigma))
    sobel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    made.append(Row("sobel-x", sobel, slope=True))
    made.append(Row("sobel", sobel, slope=True))
    return {row.name: row for row in made}


ROWS = _rows()


def convcli(row: Row, threads: int | None = None) -> Call:
    from convcli import filter_image

    return lambda x: filter_image(x, row.name, values=True, threads=threads)


def two_passes(row: Row, smooth: Call, gradients: Callable[[Array], list[Array]]) -> Call:
    """The usual trick: filter the values with 0 for what is missing, and what is there."""

    def mean(x: Array) -> Array:
        there = ~np.isnan(x)
        certain = there.astype(np.float32)
        out = smooth(np.where(there, x, np.float32(0)))
        out /= smooth(certain)
        out[~there] = np.nan
        return out

    def slope(x: Array) -> Array:
        there = ~np.isnan(x)
        values = gradients(np.where(there, x, np.float32(0)))
        certain = gradients(there.astype(np.float32))
        along = [v - x * c for v, c in zip(values, certain, strict=True)]
        return along[0] if len(along) == 1 else np.hypot(*along)

    return slope if row.slope else mean


def scipy_two(row: Row) -> Call:
    return two_passes(row, *_scipy(row))


def scipy_plain(row: Row) -> Call:
    smooth, gradients = _scipy(row)
    if not row.slope:
        return smooth
    return lambda x: gradients(x)[0] if row.name == "sobel-x" else np.hypot(*gradients(x))


def _scipy(row: Row) -> tuple[Call, Callable[[Array], list[Array]]]:
    import scipy.ndimage as nd

    if row.box:
        return (lambda x: nd.uniform_filter(x, row.box, mode="mirror")), list
    if row.sigma:
        return (lambda x: nd.gaussian_filter(x, row.sigma, mode="mirror", truncate=3.0)), list
    axes = (1,) if row.name == "sobel-x" else (1, 0)
    return np.asarray, lambda x: [nd.sobel(x, axis, mode="mirror") for axis in axes]


def opencv_two(row: Row) -> Call:
    import cv2

    border = cv2.BORDER_REFLECT_101
    if row.box:
        return two_passes(row, lambda x: cv2.blur(x, (row.box,) * 2, borderType=border), list)
    if row.sigma:
        size = (int(6 * row.sigma) + 1,) * 2
        return two_passes(
            row, lambda x: cv2.GaussianBlur(x, size, row.sigma, borderType=border), list
        )
    turns = ((1, 0),) if row.name == "sobel-x" else ((1, 0), (0, 1))
    return two_passes(
        row, np.asarray, lambda x: [cv2.Sobel(x, -1, *t, borderType=border) for t in turns]
    )


def astropy(row: Row) -> Call | None:
    from astropy.convolution import convolve

    if row.slope:
        return None  # it refuses to interpolate under kernels that sum to 0
    return lambda x: convolve(
        x, row.weights, boundary="extend", nan_treatment="interpolate", preserve_nan=True
    )


def focal(row: Row) -> Call | None:
    """xarray-spatial's filters that leave NaN out: of 3x3 cells, or slow."""
    import xarray as xr
    from xrspatial.focal import apply, mean

    if row.name == "box:3":
        return lambda x: mean(xr.DataArray(x)).data
    ones = np.ones(row.weights.shape)
    return (lambda x: apply(xr.DataArray(x), ones).data) if row.box else None


def convolve_2d(row: Row) -> Call | None:
    from xrspatial.convolution import convolve_2d

    return None if row.name == "sobel" else lambda x: convolve_2d(x, row.weights)


def slope(row: Row) -> Call | None:
    """The gradient as an angle."""
    import xarray as xr
    from xrspatial import slope

    if row.name != "sobel":
        return None
    return lambda x: slope(xr.DataArray(x, attrs={"res": (1, 1)})).data


def gdal(row: Row) -> Call | None:
    """A kernel in a virtual raster over the array; the source has to declare what is missing."""
    import rasterio

    if row.name == "sobel":
        return None
    size, weights = len(row.weights), " ".join(map(repr, row.weights.ravel().tolist()))
    folder = Path(tempfile.mkdtemp())

    def band(body: str, x: Array) -> str:
        return (
            f'<VRTDataset rasterXSize="{x.shape[1]}" rasterYSize="{x.shape[0]}"><VRTRasterBand '
            f'dataType="Float32" band="1"><NoDataValue>nan</NoDataValue>{body}'
            "</VRTRasterBand></VRTDataset>"
        )

    def call(x: Array) -> Array:
        memory = (
            f"MEM:::DATAPOINTER={x.ctypes.data},PIXELS={x.shape[1]},LINES={x.shape[0]},"
            f"LINEOFFSET={x.strides[0]},DATATYPE=Float32"
        )
        inner = folder / "inner.vrt"
        inner.write_text(
            band(
                f'<SimpleSource><SourceFilename relativeToVRT="0">{memory}</SourceFilename>'
                "<SourceBand>1</SourceBand></SimpleSource>",
                x,
            )
        )
        outer = band(
            f'<KernelFilteredSource><SourceFilename relativeToVRT="0">{inner}</SourceFilename>'
            f'<SourceBand>1</SourceBand><Kernel normalized="{int(not row.slope)}"><Size>{size}'
            f"</Size><Coefs>{weights}</Coefs></Kernel></KernelFilteredSource>",
            x,
        )
        with rasterio.Env(GDAL_MEM_ENABLE_OPEN="YES"), rasterio.open(outer) as data:
            return data.read(1)

    return call


class Peer(NamedTuple):
    make: Callable[[Row], Call | None]
    safe: bool
    """Whether missing cells are left out of the sums, so that all cells count that are there."""
    does: str
    """With what is missing."""


FILLED = "leaves NaN out, and fills it where a neighbour is there"
PEERS = {
    "convcli": Peer(convcli, True, "leaves NaN out, keeps it where it is"),
    "convcli, one thread": Peer(lambda row: convcli(row, 1), True, "the same"),
    "OpenCV, two passes": Peer(opencv_two, True, "as the caller's two passes say"),
    "SciPy, two passes": Peer(scipy_two, True, "as the caller's two passes say"),
    "astropy": Peer(astropy, True, "leaves NaN out; refuses kernels that sum to 0"),
    "GDAL": Peer(gdal, True, "leaves NaN out; under slopes it counts as 0"),
    "xarray-spatial focal": Peer(focal, True, FILLED),
    "xarray-spatial convolve_2d": Peer(convolve_2d, False, "spreads NaN"),
    "xarray-spatial slope": Peer(slope, False, "spreads NaN"),
    "SciPy, one pass": Peer(scipy_plain, False, "spreads NaN, means along the whole row"),
}
"""Those that leave nothing out are in the tables for their time; only safe ones give the ratios."""


def safe(peer: str, row: Row) -> bool:
    """Whether the peer's results beside missing cells are right."""
    return PEERS[peer].safe and not (peer == "GDAL" and row.slope)


def shore(whole: Array, size: int) -> Array:
    """``size`` x ``size`` cells of which some are in the lake; all if that many are asked for."""
    top, left = (min(int(at * len(whole)) - size // 2, len(whole) - size) for at in (0.386, 0.55))
    top, left = max(top, 0), max(left, 0)
    return whole[top : top + size, left : left + size]


def status(name: str) -> int:
    """A line of what Linux says of this process, in bytes; 0 elsewhere."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)


def answer(call: Call, x: Array, save: str | None) -> dict[str, Any]:
    """Run it once."""
    gc.collect()
    if (peak := Path("/proc/self/clear_refs")).exists():
        peak.write_text("5")  # what has been the peak so far is forgotten
    before = status("VmRSS")
    start = time.perf_counter()
    result = call(x)
    seconds = time.perf_counter() - start
    memory = status("VmHWM") - before
    if save:
        np.save(save, result)
    return {"seconds": seconds, "memory": memory}


def main() -> None:
    peer, path = sys.argv[1:]
    warnings.simplefilter("ignore")
    replies, sys.stdout = sys.stdout, sys.stderr
    whole = np.load(path)
    calls: dict[str, Call | None] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        name, size = asked["row"], asked["size"]
        if name not in calls:
            try:
                calls[name] = PEERS[peer].make(ROWS[name])
            except ImportError as error:
                print(f"{peer}: {error}", file=sys.stderr)
                calls[name] = None
        call = calls[name]
        x = np.ascontiguousarray(shore(whole, size))
        if not asked["holes"]:
            x = np.nan_to_num(x, nan=200.0)
        reply = None if call is None else answer(call, x, asked.get("save"))
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
