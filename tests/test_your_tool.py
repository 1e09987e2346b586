"""docs/your-tool.md: every line of convcli runs, and gives what the task says.

The references are SciPy's filters (whose ``mirror`` is the border ``reflect``), or NumPy's sums.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import make_lessons
import numpy as np
import pytest
import tifffile
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from scipy import linalg, ndimage, signal

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "your-tool.md").read_text("utf-8")
TASK = re.compile(r"^### (\d+)\. (.+)\n\n```text\n((?:.+\n)+)```\n\n\S", re.MULTILINE)
TOOLS = "ImageMagick vips FFmpeg GDAL Pillow OpenCV SciPy PyTorch convcli".split()


class Task(NamedTuple):
    number: int
    title: str
    lines: list[tuple[str, str]]

    def ours(self) -> list[str]:
        return [line for tool, line in self.lines if tool == "convcli"]


def tasks() -> list[Task]:
    found = []
    for number, title, block in TASK.findall(PAGE):
        lines = [(line[:13].strip(), line[13:]) for line in block.splitlines()]
        found.append(Task(int(number), title, lines))
    return found


def test_there_are_forty_tasks_in_all_tools() -> None:
    assert [task.number for task in tasks()] == list(range(1, 41))
    assert {tool for task in tasks() for tool, _ in task.lines} == set(TOOLS)
    for task in tasks():
        tools = [tool for tool, _ in task.lines]
        assert tools[-1] == "convcli"
        assert len(tools) > 1
        assert all(line.startswith("convcli ") for line in task.ours())
    assert PAGE.count("\nconvcli ") == sum(len(task.ours()) for task in tasks())
    assert len(CHECKS) == 40


class Pictures:
    """The pictures that the page speaks of; sides that differ, and are odd."""

    def __init__(self) -> None:
        x, y = np.meshgrid(np.arange(45), np.arange(37))
        noise = np.random.default_rng(5).normal(0, 9, (37, 45, 3))
        disk = 90 * (np.hypot(x - 20, y - 17) < 11)[..., None] * np.array([1.0, 0.8, 0.6])
        shade = np.stack([2 * x + y, x + 3 * y, 4 * np.abs(x - y)], axis=-1)
        self.colour = (30 + shade + disk + noise).clip(0, 255).astype(np.uint8)
        self.gray = np.asarray(Image.fromarray(self.colour).convert("L"))
        self.x, self.g = self.colour.astype(float), self.gray.astype(float)
        heights = tifffile.imread(ROOT / "samples" / "terrain.tif").astype(float)
        self.dem = np.where(heights == -32768, np.nan, heights)

    def write(self, folder: Path) -> None:
        Image.fromarray(self.colour).save(folder / "in.png")
        Image.fromarray(self.gray).save(folder / "gray.png")
        (folder / "dem.tif").write_bytes((ROOT / "samples" / "terrain.tif").read_bytes())
        (folder / "sharpen.mat").write_text("3 3 1 0\n0 -1 0\n-1 5 -1\n0 -1 0\n")


P = Pictures()
X, G = P.x, P.g


def close(got: np.ndarray, wanted: np.ndarray, within: float) -> None:
    """``within`` a level is what weights that are no whole numbers may do to a rounding."""
    assert got.shape == wanted.shape
    worst = np.nanmax(np.abs(got.astype(float) - wanted))
    assert worst <= within


def levels(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255)


def blurred(x: np.ndarray, sigma: float) -> np.ndarray:
    sigmas = (sigma, sigma, 0)[: x.ndim]
    return ndimage.gaussian_filter(x, sigmas, mode="mirror", truncate=6)


def summed(x: np.ndarray, weights: str) -> np.ndarray:
    w = np.array([row.split() for row in weights.split(";")], float)
    return ndimage.correlate(x, w.reshape(w.shape + (1,) * (x.ndim - 2)), mode="mirror")


def windows(x: np.ndarray, radius: int) -> np.ndarray:
    """The values under each window of a gray picture, in the last axis."""
    side = 2 * radius + 1
    found = sliding_window_view(np.pad(x, radius, mode="reflect"), (side, side))
    return found.reshape(*x.shape, -1)


def read(name: str) -> np.ndarray:
    return tifffile.imread(name) if name.endswith(".tif") else np.asarray(Image.open(name))


def sobel(x: np.ndarray) -> np.ndarray:
    return np.hypot(*(ndimage.sobel(x, axis, mode="mirror") for axis in (0, 1)))


def one_picture(wanted: np.ndarray, within: float = 0, name: str = "out.png"):
    def check(printed: str) -> None:
        close(read(name), wanted, within)

    return check


def unsharp_above_a_threshold(printed: str) -> None:
    detail = X - blurred(X, 2)
    far = np.abs(np.abs(detail) - 10) > 1  # at the threshold a rounding decides
    wanted = np.where(np.abs(detail) > 10, levels(X + 1.5 * detail), X)
    assert far.mean() > 0.8
    assert 0.05 < (wanted != X).mean() < 0.9
    close(np.where(far, read("out.png"), 0), np.where(far, wanted, 0), 1)


def part(printed: str) -> None:
    wanted = X.copy()
    wanted[8:24, 10:30] = levels(blurred(X, 3))[8:24, 10:30]
    close(read("out.png"), wanted, 1)
    outside = np.ones(G.shape, bool)
    outside[8:24, 10:30] = False
    np.testing.assert_array_equal(read("out.png")[outside], X[outside])


def thin_edges(printed: str) -> None:
    """Where it is steep, and from LOW on: a step of 20 levels is one of 4 * 20 in Sobel's sums,
    times 0.64 after a blur of 1."""
    edges = read("out.png")
    assert set(np.unique(edges)) == {0, 255}
    steep = sobel(blurred(G, 1))[edges == 255]
    assert 30 < len(steep) < 0.2 * edges.size
    assert steep.min() > 0.95 * 4 * 20 * 0.64
    assert steep.max() > 4 * 60 * 0.64


def three_reliefs(printed: str) -> None:
    inner = (slice(1, -1), slice(1, -1))
    image = Image.fromarray(P.colour)
    from PIL import ImageFilter

    names = {"edges": "FIND_EDGES", "contour": "CONTOUR", "relief": "EMBOSS"}
    for name, kernel in names.items():
        wanted = np.asarray(image.filter(getattr(ImageFilter, kernel)))
        np.testing.assert_array_equal(read(f"{name}.png")[inner], wanted[inner])


def bilateral() -> np.ndarray:
    y, x = np.mgrid[-4:5, -4:5]
    near = np.where(np.hypot(x, y) <= 4, np.exp(-(x * x + y * y) / (2 * 3 * 3)), 0).ravel()
    values = windows(G, 4)
    weights = near * np.exp(-((values - G[..., None]) ** 2) / (2 * 30 * 30))
    return (weights * values).sum(-1) / weights.sum(-1)


def most_frequent() -> np.ndarray:
    return np.apply_along_axis(lambda v: np.bincount(v).argmax(), -1, windows(P.gray, 2))


def otsu() -> np.ndarray:
    def spread(level: int) -> float:
        low, high = G[level >= G], G[level < G]
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2

    best = max(range(int(G.min()), int(G.max())), key=spread)
    return np.where(best < G, 255.0, 0.0)


def terrain(make: np.ndarray, within: float):
    """Where no cell of the window is missing, and none lies outside."""

    def check(printed: str) -> None:
        got = tifffile.imread("out.tif").astype(float)
        whole = ~np.isnan(make)
        whole[[0, -1]] = whole[:, [0, -1]] = False
        assert whole.mean() > 0.8
        close(got[whole], make[whole], within)

    return check


def disk(radius: int) -> np.ndarray:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (x * x + y * y <= radius * radius)[..., None]


def numbers(wanted: np.ndarray):
    """The result is what is printed last."""

    def check(printed: str) -> None:
        words = printed.rpartition(": ")[2].partition("\n")[2].split()
        assert [float(word) for word in words] == np.ravel(wanted).tolist()

    return check


def rows(wanted: np.ndarray):
    """Each row of a matrix is printed, one below the other."""

    def check(printed: str) -> None:
        found = re.findall(r"[⎡⎢⎣]([-\d ]+)[⎤⎥⎦]", printed)
        assert [[int(n) for n in row.split()] for row in found][: len(wanted)] == wanted.tolist()

    return check


def words(*wanted: str):
    def check(printed: str) -> None:
        for word in wanted:
            assert word in printed

    return check


SHARPEN = "0 -1 0; -1 5 -1; 0 -1 0"
SCHARR_Y = "-3 -10 -3; 0 0 0; 3 10 3"
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
MIRROR = {"mode": "mirror"}
SIGNAL = np.array([3, 6, 5, 4, 8, 9, 1])
STAMPED = np.convolve([1, 0, 2, 0, 3, 0], [1, 2, 1])[1:7]
POOLED = np.array([[5, 8, 7]])
CHECKS = {
    1: one_picture(levels(blurred(X, 2)), 1),
    2: one_picture(levels(ndimage.uniform_filter(X, (9, 9, 1), **MIRROR)), 1),
    3: one_picture(levels(summed(X, SHARPEN))),
    4: one_picture(levels(summed(X, SHARPEN))),
    5: one_picture(levels(summed(G, "0 0 0; 1 0 0; 0 0 0"))),
    6: one_picture(levels(X + 0.8 * (X - blurred(X, 2))), 1),
    7: unsharp_above_a_threshold,
    8: part,
    9: one_picture(levels(abs(ndimage.sobel(G, 1, **MIRROR)))),
    10: one_picture(ndimage.sobel(G, 1, **MIRROR), 1e-3, "out.tif"),
    11: one_picture(levels(sobel(G)), 1),
    12: one_picture(levels(abs(summed(G, SCHARR_Y)))),
    13: one_picture(levels(abs(ndimage.laplace(G, **MIRROR)))),
    14: one_picture(blurred(G, 1) - blurred(G, 1.6), 0.2, "out.tif"),
    15: thin_edges,
    16: three_reliefs,
    17: one_picture(ndimage.median_filter(X, (5, 5, 1), **MIRROR)),
    18: one_picture(ndimage.rank_filter(X, 44, (7, 7, 1), **MIRROR)),
    19: one_picture(ndimage.maximum_filter(X, (3, 3, 1), **MIRROR)),
    20: one_picture(ndimage.minimum_filter(X, footprint=disk(3), mode="constant", cval=999)),
    21: one_picture(ndimage.grey_opening(X, (5, 5, 1), **MIRROR)),
    22: one_picture(ndimage.white_tophat(G, 9, **MIRROR)),
    23: one_picture(ndimage.morphological_gradient(G, 3, **MIRROR)),
    24: one_picture(levels(bilateral()), 1),
    25: one_picture(most_frequent()),
    26: one_picture(levels(X @ SEPIA.T), 1),
    27: one_picture(levels(X @ [0.299, 0.587, 0.114]), 1),
    28: one_picture(255 - X),
    29: one_picture(otsu()),
    30: terrain(sobel(P.dem) * 100 / 240, 1e-3),
    31: terrain(np.ptp(windows(P.dem, 1), axis=-1), 0),
    32: numbers(np.convolve([3, 4, 5], [2, 1])),
    33: numbers(signal.correlate2d(np.arange(1, 10).reshape(3, 3), [[1, 0], [0, -1]], "valid")),
    34: numbers(np.correlate(np.pad(SIGNAL, 1), [-1, 0, 1])[::2]),
    35: numbers(STAMPED),
    36: numbers(POOLED),
    37: numbers(np.correlate([1, 2, 3, 4], [1, 1])),
    38: rows(sliding_window_view(np.arange(1, 10).reshape(3, 3), (2, 2)).reshape(4, 4).T),
    39: rows(linalg.convolution_matrix([1, 2, 3], 4, "full").T),
    40: words("64x112x112", f"{64 * 3 * 7 * 7 + 64:,} = "),
}


@pytest.mark.parametrize("task", tasks(), ids=lambda task: f"{task.number}-{task.title}")
def test_our_line_does_what_the_task_says(task: Task, tmp_path: Path) -> None:
    with make_lessons.workplace(tmp_path):
        P.write(tmp_path)
        printed = "".join(make_lessons.run(line) for line in task.ours())
        CHECKS[task.number](printed)
