"""Footprints as they are written, and what is said of what is no weighted sum."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from convcli.errors import KernelError
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel
from convcli.kernels.properties import describe

WRITTEN = {
    "median": ("median", np.ones((3, 3)), (50,)),
    "min:4": ("min:4", np.ones((4, 4)), (0,)),
    "max:9x5": ("max:9x5", np.ones((5, 9)), (100,)),
    "median:9,5": ("median:9x5", np.ones((5, 9)), (50,)),
    "percentile:12.5": ("percentile:12.5", np.ones((3, 3)), (12.5,)),
    "percentile:percent=90,cross:1": (
        "percentile:90,cross:1", [[0, 1, 0], [1, 1, 1], [0, 1, 0]], (90,)
    ),
    "erode:disk:1": ("erode:disk:1", [[0, 1, 0], [1, 1, 1], [0, 1, 0]], ()),
    "erode:disk:1.5": ("erode:disk:1.5", np.ones((3, 3)), ()),
    "erode:diamond:2": (
        "erode:diamond:2",
        [[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0]], (),
    ),
    "dilate:1 0 2": None,
    "dilate:1 0 2;": ("dilate:1 0 2;", [[1, 0, 2]], ()),
    "open:0 1\n1 1": None,
    "variance:2x1": ("variance:2x1", [[1, 1]], (0,)),
    "stddev:disk:0": ("stddev:disk:0", [[1]], (1,)),
    "erode:heights:0 5; 5 9": ("erode:heights:0 5; 5 9", [[0, 5], [5, 9]], (1,)),
}  # fmt: skip


@pytest.mark.parametrize("spec", [spec for spec, want in WRITTEN.items() if want])
def test_what_is_written_is_the_footprint_and_its_name_the_same(spec: str) -> None:
    name, cells, numbers = WRITTEN[spec]
    for kernel in (load_kernel(spec), load_kernel(name)):
        assert (kernel.name, kernel.numbers) == (name, numbers)
        np.testing.assert_array_equal(kernel.weights, cells)
        assert not kernel.is_correlation


ADDED_UP = {
    "sum:5": ("sum:5", np.ones((5, 5)), 1),
    "sum:9x5": ("sum:9,5", np.ones((5, 9)), 1),
    "sum:width=5": ("sum:5", np.ones((5, 5)), 1),
    "sum:disk:1": ("sum:disk:1", [[0, 1, 0], [1, 1, 1], [0, 1, 0]], 1),
    "total:2 0 -1;": ("sum:2 0 -1;", [[1, 0, 1]], 1),
    "box:plus:1": ("box:cross:1", [[0, 1, 0], [1, 1, 1], [0, 1, 0]], 1 / 5),
    "mean:0 3; 1 1": ("box:0 3; 1 1", [[0, 1], [1, 1]], 1 / 3),
}


@pytest.mark.parametrize("spec", ADDED_UP)
def test_sums_and_means_of_a_footprint(spec: str) -> None:
    name, cells, scale = ADDED_UP[spec]
    for kernel in (load_kernel(spec), load_kernel(name)):
        assert (kernel.name, kernel.scale, kernel.total) == (name, scale, scale == 1)
        np.testing.assert_array_equal(kernel.weights, cells)
        assert kernel.is_correlation


@pytest.mark.parametrize("suffix", ["csv", "npy", "json"])
def test_a_file_of_cells(tmp_path: Path, suffix: str) -> None:
    cells = np.array([[0, 2.5, 0], [1, 0, 1]])
    path = tmp_path / f"cells.{suffix}"
    if suffix == "npy":
        np.save(path, cells)
    else:
        text = json.dumps(cells.tolist()) if suffix == "json" else "0,2.5,0\n1,0,1\n"
        path.write_text(text)
    for spec, name in (
        (f"erode:{path}", "erode:cells"),
        (f"percentile:9,{path}", "percentile:9,cells"),
    ):
        kernel = load_kernel(spec)
        assert kernel.name == name
        np.testing.assert_array_equal(kernel.weights, cells)


REFUSED = {
    "median:0": "a side is 0; it must be a whole number from 1 to 10000",
    "median:3x10001": "a side is 10001",
    "median:disk": "nothing follows 'disk'; it takes a radius from 0 to 4999, as in median:disk:3",
    "median:disk:": "nothing follows 'disk'",
    "median:disk:x": "'x' follows 'disk'",
    "median:ellipse:3x5": "'3x5' follows 'ellipse'",
    "erode:heights:": "nothing follows 'heights:'",
    "median:disk:5000": "the radius of 'disk' is 5000",
    "median:cros:3": "did you mean 'median:cross:3'?",
    "median:0 0; 0 0": "no cell of '0 0; 0 0' counts",
    "median:3 3": "'3 3' is no footprint",
    "median:[[[[1]]]]": "its cells must stand in rows",
    "median:absent.csv": "absent.csv",
    "median:heights:1 2; 3 4": "heights are for erosion, dilation and what is made of them",
    "sum(disk, 3)": "did you mean 'sum:disk:3'?",
    "box:cros:3": "did you mean 'box:cross:3'?",
    "box:disk": "nothing follows 'disk'",
    "box:abc": "width: 'abc' is not a number",
    "percentile": "needs percent",
    "percentile:,7": "needs percent",
    "percentile:101": "from 0 to 100",
    "percentile:90,80,7x": "no footprint; write a size (percentile:90,7",
}


@pytest.mark.parametrize("spec", REFUSED)
def test_what_is_no_footprint_is_refused_in_one_line(spec: str) -> None:
    with pytest.raises(KernelError) as caught:
        load_kernel(spec)
    assert REFUSED[spec] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_large_footprint_is_not_made_to_say_what_to_type() -> None:
    with pytest.raises(KernelError, match="did you mean 'median:9000'"):
        load_kernel("median(9000)")


@pytest.mark.parametrize(
    ("kernel", "low", "high"),
    [
        (Kernel([[1, 1]], operation="spread", numbers=(0,)), 0, 63.75),
        (Kernel([[1, 1]], operation="range"), 0, 255),
        (Kernel([[3, -4]], operation="gradient", numbers=(1,)), -8, 263),
        (Kernel([[3, -4]], operation="open", numbers=(1,)), 0, 255),
    ],
)
def test_how_far_results_reach(kernel: Kernel, low: float, high: float) -> None:
    found = describe(kernel)
    assert (found.low, found.high) == (low, high)
