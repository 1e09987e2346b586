"""Erosion, ranges, deviations and modes in memory, side by side: 24 megapixels, gray.

    python benchmarks/windows.py [--rounds 5] [--threads 2] [--json FILE]
                                 [--write docs/performance.md] [ROW ...]

Each peer's output is compared with convcli's first, all but the edges; then all run once per round,
in turn, and the medians count. A peer that takes over 3 seconds runs once. Peers that are not
installed are left out. ``CONVCLI_LOOPS=numpy`` measures the fallback.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from engine import fastest, verdict
from report import Line, add_outputs, compared, facts, leave, machine_line

from convcli.engine.dispatch import execute, loops
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

SIZE = (6000, 4000)
VERY_SLOW = 3.0
NUMPY_BARS = (1.5, 5.0)


class Row(NamedTuple):
    """What is done with which footprint, in which type, and the ratios that are asked for."""

    name: str
    operation: str
    footprint: np.ndarray
    dtype: str
    bar: float
    goal: float

    @property
    def side(self) -> int:
        """Of the square around the footprint."""
        return int(self.footprint.shape[0])

    @property
    def is_square(self) -> bool:
        """Whether all cells count."""
        return bool(self.footprint.all())


def disk(radius: int) -> np.ndarray:
    """Cells whose centres lie within the radius and a bit."""
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return (x * x + y * y <= radius * radius + radius * 0.2).astype(float)


def rows() -> list[Row]:
    """The rows, by name."""
    found = [
        Row(f"erode {side} {dtype}", "erode", np.ones((side, side)), dtype, 0.9, 1.5)
        for dtype in ("uint8", "uint16", "float32")
        for side in (3, 7, 15, 31, 101)
    ]
    found += [
        Row(f"erode disk {radius}", "erode", disk(radius), "uint8", 2, 6) for radius in (3, 7, 15)
    ]
    found += [
        Row(f"bilateral 9 {colours}", "bilateral", disk(4), "uint8", 0.8, 1.5)
        for colours in ("gray", "rgb")
    ]
    for name, bar, goal in (("range", 0.9, 1.5), ("stddev", 0.9, 1.5), ("mode", 10, 40)):
        found += [Row(f"{name} {n}", name, np.ones((n, n)), "uint8", bar, goal) for n in (7, 31)]
    return found


SIGMAS = 3.0, 30.0
"""Of bilateral means: of the distance, and of the difference."""


def ours(row: Row, x: np.ndarray, threads: int) -> Callable[[], np.ndarray]:
    """convcli's engine, into an output that it was given."""
    operation, numbers = {"stddev": ("spread", (1,)), "bilateral": ("bilateral", SIGMAS)}.get(
        row.operation, (row.operation, ())
    )
    kernel = Kernel(row.footprint, operation=operation, numbers=numbers)
    x = x.reshape(*x.shape[:2], -1)
    plan = plan_filter(x.shape, x.dtype, [kernel], threads=threads, backend="numpy")
    out = np.empty(plan.shape_out, plan.out_dtype)
    return lambda: execute(plan, x, out).pixels.squeeze()


def opencv(cv2: Any, row: Row, x: np.ndarray, threads: int) -> Callable[[], np.ndarray] | None:
    """OpenCV, which has no modes."""
    cv2.setNumThreads(threads)
    element, out, size = row.footprint.astype(np.uint8), np.empty_like(x), (row.side, row.side)
    border = {"borderType": cv2.BORDER_REFLECT_101}
    if row.operation == "erode":
        return lambda: cv2.erode(x, element, out, **border)
    if row.operation == "range":
        low = np.empty_like(x)
        return lambda: cv2.subtract(
            cv2.dilate(x, element, out, **border), cv2.erode(x, element, low, **border), out
        )
    if row.operation == "mode":
        return None
    if row.operation == "bilateral":
        space, alike = SIGMAS
        return lambda: cv2.bilateralFilter(x, row.side, alike, space, out, **border)
    mean, squares = (np.empty(x.shape, np.float32) for _ in range(2))

    def deviation() -> np.ndarray:
        cv2.boxFilter(x, cv2.CV_32F, size, mean, **border)
        cv2.sqrBoxFilter(x, cv2.CV_32F, size, squares, **border)
        cv2.multiply(mean, mean, mean)
        cv2.subtract(squares, mean, squares)
        cv2.max(squares, 0, squares)
        cv2.sqrt(squares, squares)
        return np.asarray(cv2.convertScaleAbs(squares, out))

    return deviation


def scipy(ndimage: Any, row: Row, x: np.ndarray) -> Callable[[], np.ndarray] | None:
    """SciPy's erosion."""
    if row.operation != "erode":
        return None
    how: dict[str, Any] = {"size": row.side} if row.is_square else {"footprint": row.footprint}
    return partial(ndimage.minimum_filter, x, mode="mirror", **how)


def scikit(rank: Any, row: Row, x: np.ndarray) -> Callable[[], np.ndarray] | None:
    """scikit-image's ranges and modes of bytes."""
    element = row.footprint.astype(np.uint8)
    calls = {"mode": "modal", "range": "gradient"}
    if row.operation not in calls:
        return None
    return partial(getattr(rank, calls[row.operation]), x, element)


def pillow(modules: tuple[Any, Any], row: Row, x: np.ndarray) -> Callable[[], Any] | None:
    """Pillow, from picture to picture of its own."""
    image, filters = modules
    if row.operation != "mode" and not (row.operation == "erode" and row.is_square):
        return None
    if x.dtype != np.uint8 or (row.operation == "erode" and row.side > 15):
        return None
    made = image.fromarray(x)
    which = filters.ModeFilter if row.operation == "mode" else filters.MinFilter
    return lambda: made.filter(which(row.side))


def peers(row: Row, x: np.ndarray, threads: int) -> dict[str, Callable[[], Any] | None]:
    """All that are installed and have it."""
    makers = {
        "OpenCV": (("cv2",), lambda m: opencv(m[0], row, x, threads)),
        "SciPy": (("scipy.ndimage",), lambda m: scipy(m[0], row, x)),
        "scikit-image": (("skimage.filters.rank",), lambda m: scikit(m[0], row, x)),
        "Pillow": (("PIL.Image", "PIL.ImageFilter"), lambda m: pillow((m[0], m[1]), row, x)),
    }
    found = {}
    for name, (modules, make) in makers.items():
        try:
            loaded = [import_module(module) for module in modules]
        except ImportError:
            continue
        found[name] = make(loaded)
    return found


def timed(call: Callable[[], Any]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def agrees(row: Row, got: np.ndarray, want: np.ndarray) -> bool:
    """Whether two outputs are the same, all but the edges and, for deviations, a level."""
    inside = np.s_[row.side : -row.side, row.side : -row.side]
    if row.name == "bilateral 9 rgb":  # OpenCV adds up the differences of the channels
        return bool(np.abs(got[inside] - want[inside].astype(float)).mean() < 4)
    if row.operation in ("stddev", "bilateral"):
        return int(np.abs(got[inside].astype(int) - want[inside]).max()) <= 1
    if row.operation == "mode":  # where several are as frequent, tools differ
        return float((got[inside] == want[inside]).mean()) > 0.5
    return np.array_equal(got[inside], want[inside])


def measure(row: Row, x: np.ndarray, rounds: int, threads: int) -> dict[str, float]:
    """Milliseconds of all that give the same."""
    calls: dict[str, Callable[[], Any]] = {"convcli": ours(row, x, threads)}
    reference = calls["convcli"]().copy()
    times: dict[str, list[float]] = {"convcli": []}
    for name, call in peers(row, x, threads).items():
        if call is None:
            continue
        start = time.perf_counter()
        if not agrees(row, reference, np.asarray(call())):
            print(f"{row.name}: {name} differs, left out", file=sys.stderr)
            continue
        first = time.perf_counter() - start
        calls[name], times[name] = call, [first * 1e3] if first > VERY_SLOW else []
    for _ in range(rounds):
        for name, call in calls.items():
            if not times[name] or times[name][0] < VERY_SLOW * 1e3:
                times[name].append(timed(call))
    return {name: median(t) for name, t in times.items()}


def line_of(row: Row, times: dict[str, float]) -> Line | None:
    """A line of the table; none without a peer."""
    best = fastest(times)
    bar, goal = (row.bar, row.goal) if loops().compiled else NUMPY_BARS
    if best is None:
        return None
    ratio = times[best] / times["convcli"]
    cells = [row.name, f"{times['convcli']:.1f}", best, f"{times[best]:.1f}", f"{ratio:.2f}"]
    return Line([*cells, f"{bar:g}", verdict(ratio, bar, goal)], ratio, bar)


HEAD = "row, ms, fastest peer, its ms, ratio, bar, verdict"
ESSENTIAL = (
    *("erode 3 uint8", "erode 31 uint8", "erode 7 uint16", "erode 3 float32", "erode 7 float32"),
    *("erode disk 7", "bilateral 9 rgb", "range 7", "stddev 31", "mode 7"),
)
"""The rows that the page shows; all, and every peer, stand in the file beside it."""
LIBRARIES = ("opencv-python-headless", "scipy", "scikit-image", "pillow")


def main() -> None:
    """Measure the rows whose names are given, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    add_outputs(parser)
    options = parser.parse_args()
    from pictures import photograph

    colours = photograph(*SIZE)
    gray = np.ascontiguousarray(colours[..., 1])
    white = {"uint8": 1, "uint16": 257, "float32": np.float32(1 / 255)}
    lines: list[Line] = []
    kept: list[dict[str, Any]] = []
    for row in rows():
        if options.rows and not any(word in row.name for word in options.rows):
            continue
        source = colours if row.name.endswith("rgb") else gray
        x = (source.astype(row.dtype) * white[row.dtype]).astype(row.dtype)
        times = measure(row, x, options.rounds, options.threads)
        kept.append({"row": row.name, "bar": row.bar, "goal": row.goal, "median": times})
        print(row.name, times, flush=True)
        if line := line_of(row, times):
            lines.append(line)
    data = {"facts": facts(LIBRARIES), "loops": loops(), "rows": kept}
    section = {"compiled": "windows", "numpy": "windows-numpy"}[loops().name]
    shown = compared(HEAD, lines, ESSENTIAL)
    leave(options, section, f"{machine_line(data['facts'])}\n\n{shown}", data)


if __name__ == "__main__":
    main()
