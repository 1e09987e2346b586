"""The rows of benchmarks/engine.py, and how each peer does the same."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel


@dataclass
class Row:
    """A filter: the kernel for convcli, the bar and the goal, and what was measured."""

    name: str
    picture: str
    kernel: Kernel
    bar: float
    goal: float
    sigma: float = 0.0
    box: int = 0
    stride: int = 1
    dilation: int = 1
    tolerance: float = 1.0
    results: dict[str, Any] = field(default_factory=dict)


@dataclass
class Run:
    """One tool on one row.

    ``call`` fills the output it is given, or makes a new one for None, and returns it; ``out``
    is the one kept from round to round, None for a tool that takes none.
    """

    call: Callable[[Any], Any]
    out: Any = None
    array: Callable[[Any], np.ndarray] = np.asarray


def gaussian(sigma: float) -> np.ndarray:
    """Sampled, to three deviations."""
    t = np.arange(-np.ceil(3 * sigma), np.ceil(3 * sigma) + 1)
    g = np.exp(-t * t / (2 * sigma * sigma))
    return np.outer(g, g) / g.sum() ** 2


def random(size: int) -> np.ndarray:
    """Full rank, sum of absolute weights 2."""
    w = np.random.default_rng(size).normal(size=(size, size))
    return w / np.abs(w).sum() * 2


def rows() -> list[Row]:
    """The rows of docs/performance.md that are measured in memory."""
    small = {
        "sobel-x": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
        "prewitt-y": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
        "laplacian": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
        "sharpen": [[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]],
        "emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
    }
    found = [Row(name, "rgb8", Kernel(weights), 2, 4) for name, weights in small.items()]
    for size, bar, goal in ((3, 2, 4), (15, 1, 2), (101, 1, 2)):
        kernel = Kernel(np.ones((size, size)), scale=1 / size**2)
        found.append(Row(f"box:{size}", "rgb8", kernel, bar, goal, box=size))
    for sigma in (1, 3, 10, 30):
        found.append(
            Row(f"gaussian:{sigma}", "rgb8", Kernel(gaussian(sigma)), 0.9, 1.5, sigma=sigma)
        )
    for size in (3, 5, 7, 9, 11, 15, 31, 101):
        bar, goal = (1.2, 2) if size < 31 else (1.8, 3)
        for picture in ("gray8", "rgb8"):
            found.append(Row(f"random {size}x{size}", picture, Kernel(random(size)), bar, goal))
    for picture in ("rgb16", "rgbf"):
        found.append(Row("sobel-x", picture, Kernel(small["sobel-x"]), 1, 2))
        found.append(Row("gaussian:2", picture, Kernel(gaussian(2)), 1, 2, sigma=2))
        found.append(Row("random 7x7", picture, Kernel(random(7)), 1, 2))
    found.append(Row("random 5x5, stride 2", "rgb8", Kernel(random(5)), 1.5, 3, stride=2))
    found.append(Row("random 5x5, dilation 2", "rgb8", Kernel(random(5)), 1.5, 3, dilation=2))
    return found


def ours(row: Row, x: np.ndarray, threads: int) -> Run:
    """convcli's engine."""
    x3 = x if x.ndim == 3 else x[..., None]
    plan = plan_filter(
        x3.shape,
        x3.dtype,
        [row.kernel],
        padding=row.kernel.shape[0] // 2 * row.dilation,
        stride=row.stride,
        dilation=row.dilation,
        threads=threads,
        backend="numpy",
    )
    row.results["algorithm"] = plan.steps[0].algorithm
    return Run(lambda out: execute(plan, x3, out).pixels, np.empty(plan.shape_out, plan.out_dtype))


def copy(x: np.ndarray) -> Run:
    """What memory allows, on one thread."""

    def run(out: np.ndarray | None) -> np.ndarray:
        if out is None:
            return x.copy()
        np.copyto(out, x)
        return out

    return Run(run, np.empty_like(x))


def spread(row: Row) -> np.ndarray:
    """The kernel with its holes written out, for peers without dilation."""
    weights, d = row.kernel.weights * row.kernel.scale, row.dilation
    wide = np.zeros([(n - 1) * d + 1 for n in weights.shape])
    wide[::d, ::d] = weights
    return wide


def opencv(cv2: Any, row: Row, x: np.ndarray, threads: int) -> dict[str, Run]:
    """Every function of OpenCV that does the row."""
    cv2.setNumThreads(threads)
    weights, s = spread(row).astype(np.float32), row.stride
    kept = np.empty_like(x)
    if s > 1:

        def strided(out: np.ndarray | None) -> np.ndarray:
            every = cv2.filter2D(x, -1, weights, dst=None if out is None else kept)[::s, ::s]
            if out is None:
                return every.copy()
            np.copyto(out, every)
            return out

        return {"OpenCV filter2D": Run(strided, np.empty_like(x[::s, ::s]))}
    calls: dict[str, Callable[[Any], Any]] = {
        "OpenCV filter2D": lambda out: cv2.filter2D(x, -1, weights, dst=out)
    }
    if row.box:
        calls["OpenCV blur"] = lambda out: cv2.blur(x, (row.box, row.box), dst=out)
    if row.sigma:
        n = int(np.ceil(3 * row.sigma)) * 2 + 1
        calls["OpenCV GaussianBlur"] = lambda out: cv2.GaussianBlur(x, (n, n), row.sigma, dst=out)
    u, v, vt = np.linalg.svd(row.kernel.weights * row.kernel.scale)
    if v[1:].sum() < 1e-9 * v[0] and row.dilation == 1:
        root = np.sqrt(v[0])
        column, line = (u[:, 0] * root).astype(np.float32), (vt[0] * root).astype(np.float32)
        calls["OpenCV sepFilter2D"] = lambda out: cv2.sepFilter2D(x, -1, line, column, dst=out)
    if row.name == "sobel-x":
        calls["OpenCV Sobel"] = lambda out: cv2.Sobel(x, -1, 1, 0, dst=out)
    if row.name == "laplacian":
        calls["OpenCV Laplacian"] = lambda out: cv2.Laplacian(x, -1, dst=out)
    return {name: Run(call, kept) for name, call in calls.items()}


def scipy(ndimage: Any, row: Row, x: np.ndarray) -> dict[str, Run]:
    """SciPy, in float32, which 8 bits need not to wrap around."""
    if row.kernel.weights.size > 300 and not (row.sigma or row.box):
        return {}  # minutes
    real, s, weights = x.astype(np.float32), row.stride, spread(row)
    axes = (0, 1)
    if row.sigma:
        how = {"sigma": row.sigma, "truncate": 3, "axes": axes}
        call = partial(ndimage.gaussian_filter, real, **how)
    elif row.box:
        call = partial(ndimage.uniform_filter, real, row.box, axes=axes)
    else:
        call = partial(ndimage.correlate, real, weights if x.ndim == 2 else weights[..., None])
    return {
        "SciPy": Run(
            lambda out: call(mode="mirror", output=out),
            np.empty_like(real),
            lambda out: out[::s, ::s],
        )
    }


def pillow(image: Any, filters: Any, row: Row, x: np.ndarray) -> dict[str, Run]:
    """Pillow, which filters 3x3 and 5x5 alone, but any box; from picture to picture of its own."""
    if x.dtype != np.uint8 or row.stride > 1 or row.dilation > 1:
        return {}
    picture = image.fromarray(x)
    if row.box:
        which = filters.BoxBlur(row.box // 2)
    elif row.kernel.shape in ((3, 3), (5, 5)):  # it flips vertically
        flat = (row.kernel.weights * row.kernel.scale)[::-1].ravel().tolist()
        which = filters.Kernel(row.kernel.shape, flat, 1)
    else:
        return {}
    return {"Pillow": Run(lambda out: picture.filter(which))}


def peers(row: Row, x: np.ndarray, threads: int) -> dict[str, Run]:
    """All that are installed."""
    found: dict[str, Run] = {}
    if cv2 := optional("cv2"):
        found |= opencv(cv2, row, x, threads)
    if ndimage := optional("scipy.ndimage"):
        found |= scipy(ndimage, row, x)
    if image := optional("PIL.Image"):
        found |= pillow(image, optional("PIL.ImageFilter"), row, x)
    return found


def optional(name: str) -> Any:
    """The module, or None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
