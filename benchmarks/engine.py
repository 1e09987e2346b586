"""Filters in memory, side by side: 24 megapixels, the same array in, an array out.

    python benchmarks/engine.py [--rounds 7] [--threads 2] [--json FILE] [ROW ...]

Peers that are not installed are left out. Each output is compared with convcli's first, away from
the edges; then all run once per round, in turn, and the medians count. A copy of the picture is
the physical limit. ``CONVCLI_LOOPS=numpy`` measures the fallback.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from convcli.engine.dispatch import execute, loops
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

SIZE = (6000, 4000)
Run = Callable[[], np.ndarray]


@dataclass
class Row:
    """A filter: the kernel for convcli, and how each peer does the same."""

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


def pictures() -> dict[str, np.ndarray]:
    """The photograph in each type."""
    from pictures import photograph

    rgb = photograph(*SIZE)
    return {
        "rgb8": rgb,
        "gray8": np.ascontiguousarray(rgb[..., 1]),
        "rgb16": rgb.astype(np.uint16) * 257,
        "rgbf": rgb.astype(np.float32) / 255,
    }


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
    )
    row.results["algorithm"] = plan.steps[0].algorithm
    return lambda: execute(plan, x3).pixels


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
    runs: dict[str, Run] = {}
    if s == 1:
        runs["OpenCV filter2D"] = lambda: cv2.filter2D(x, -1, weights)
    else:
        runs["OpenCV filter2D"] = lambda: cv2.filter2D(x, -1, weights)[::s, ::s].copy()
    if row.box:
        runs["OpenCV blur"] = lambda: cv2.blur(x, (row.box, row.box))
    if row.sigma:
        n = int(np.ceil(3 * row.sigma)) * 2 + 1
        runs["OpenCV GaussianBlur"] = lambda: cv2.GaussianBlur(x, (n, n), row.sigma)
    u, v, vt = np.linalg.svd(row.kernel.weights * row.kernel.scale)
    if v[1:].sum() < 1e-9 * v[0] and row.dilation == s == 1:
        root = np.sqrt(v[0])
        column, line = (u[:, 0] * root).astype(np.float32), (vt[0] * root).astype(np.float32)
        runs["OpenCV sepFilter2D"] = lambda: cv2.sepFilter2D(x, -1, line, column)
    if row.name == "sobel-x":
        runs["OpenCV Sobel"] = lambda: cv2.Sobel(x, -1, 1, 0)
    if row.name == "laplacian":
        runs["OpenCV Laplacian"] = lambda: cv2.Laplacian(x, -1)
    return runs


def scipy(ndimage: Any, row: Row, x: np.ndarray) -> dict[str, Run]:
    """SciPy, in float32, which 8 bits need not to wrap around."""
    if row.kernel.weights.size > 300 and not (row.sigma or row.box):
        return {}  # minutes
    real, s, weights = x.astype(np.float32), row.stride, spread(row)
    axes = (0, 1)
    if row.sigma:
        one = lambda: ndimage.gaussian_filter(real, row.sigma, mode="mirror", truncate=3, axes=axes)  # noqa: E731
    elif row.box:
        one = lambda: ndimage.uniform_filter(real, row.box, mode="mirror", axes=axes)  # noqa: E731
    else:
        weights = weights if x.ndim == 2 else weights[..., None]
        one = lambda: ndimage.correlate(real, weights, mode="mirror")  # noqa: E731
    return {"SciPy": (lambda: one()[::s, ::s]) if s > 1 else one}


def pillow(image: Any, filters: Any, row: Row, x: np.ndarray) -> dict[str, Run]:
    """Pillow, which flips vertically and filters 3x3 and 5x5 alone, but any box."""
    if x.dtype != np.uint8 or row.stride > 1 or row.dilation > 1:
        return {}
    picture = image.fromarray(x)
    if row.box:
        return {"Pillow": lambda: np.asarray(picture.filter(filters.BoxBlur(row.box // 2)))}
    if row.kernel.shape not in ((3, 3), (5, 5)):
        return {}
    flat = (row.kernel.weights * row.kernel.scale)[::-1].ravel().tolist()
    kernel = filters.Kernel(row.kernel.shape, flat, 1)
    return {"Pillow": lambda: np.asarray(picture.filter(kernel))}


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


def difference(row: Row, got: np.ndarray, want: np.ndarray) -> float:
    """Largest difference in levels of 255, clipped to the range, away from the edges."""
    want = want.reshape(got.shape).astype(np.float64)
    white = {"uint8": 255.0, "uint16": 65535.0}.get(str(got.dtype))
    if white:
        want = want.clip(0, white)
    margin = max(row.kernel.shape) * row.dilation // row.stride
    inside = slice(margin, -margin)
    off = np.abs(got[inside, inside].astype(np.float64) - want[inside, inside]).max()
    return float(off * 255 / (white or 1.0))


def measure(row: Row, x: np.ndarray, rounds: int, threads: int) -> None:
    """Fill in the results of a row."""
    mine = ours(row, x, threads)
    runs = {"convcli": mine, "copy": x.copy} | peers(row, x, threads)
    reference = mine()
    errors = {}
    for name in list(runs):
        if name in ("convcli", "copy"):
            continue
        errors[name] = difference(row, reference, runs[name]())
        if errors[name] > row.tolerance + 0.01:
            print(f"  {name}: differs by {errors[name]:.2f} levels, left out", file=sys.stderr)
            del runs[name]
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            if sum(times[name]) > 6.0 and len(times[name]) >= 2:
                continue  # slow peers need fewer rounds
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    row.results |= {
        "median": {name: median(t) * 1e3 for name, t in times.items()},
        "fastest": {name: min(t) * 1e3 for name, t in times.items()},
        "difference": errors,
    }


def report(row: Row) -> str:
    """A line of the table."""
    times = row.results["median"]
    others = {name: t for name, t in times.items() if name not in ("convcli", "copy")}
    line = f"{row.name + ' ' + row.picture:30s} {row.results['algorithm']:10s} {times['convcli']:8.1f} "
    line += f"{times['copy'] / times['convcli']:5.2f}"
    if others:
        best = min(others, key=lambda name: others[name])
        ratio = others[best] / times["convcli"]
        verdict = "goal" if ratio >= row.goal else "bar" if ratio >= row.bar else "BELOW"
        line += f"  {ratio:6.2f} x {best} ({others[best]:.1f} ms), bar {row.bar:g}: {verdict}"
    return line


def main() -> None:
    """Measure the rows whose names are given, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    have = pictures()
    chosen = [
        r
        for r in rows()
        if not options.rows or any(w in f"{r.name} {r.picture}" for w in options.rows)
    ]
    print("loops:", *loops())
    print(f"{'row':30s} {'algorithm':10s} {'ms':>8s}  copy  ratio to the fastest peer")
    for row in chosen:
        measure(row, have[row.picture], options.rounds, options.threads)
        print(report(row), flush=True)
    if options.json:
        table = [
            {"row": r.name, "picture": r.picture, "bar": r.bar, "goal": r.goal} | r.results
            for r in chosen
        ]
        options.json.write_text(json.dumps({"loops": loops(), "rows": table}, indent=1))


if __name__ == "__main__":
    main()
