"""What the compiled windows check before they run, and that all of them give the same samples."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.arithmetic.borders import Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.extensions import extension
from convcli.kernels.kernel import Kernel

BLOCKS = [(1, 0, 3, 1), (3, 1, 1, 0)]
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0.0]])
WEIGHED = np.array([(1, 1, 0), (0, 1, -1)], [("row", "i8"), ("column", "i8"), ("weight", "f8")])
DISK = (np.hypot(*np.mgrid[-6:7, -6:7]) <= 6.3).astype(float)


@pytest.fixture
def windows():
    module = extension("_windows").module
    if module is None:
        pytest.skip("convcli._windows was not built")
    return module


def call(
    windows,
    function="extrema",
    blocks=BLOCKS,
    place=(0, 0, 5, 6),
    index=None,
    numbers=None,
    **changes,
):
    """A cross of bytes on 5x6 cells with a border of one, a little wrong."""
    told = {"height": 5, "width": 6, "channels": 1, "out_rows": 5, "out_cols": 6, "row_stride": 1,
            "col_stride": 1, "row_gap": 1, "col_gap": 1, "tall": 3, "wide": 3, "type": ord("B"),
            "out_type": ord("B"), "blocks": changes.pop("count", len(blocks))}  # fmt: skip
    told |= changes
    packed = np.array([told.get(name, 0) for name in windows.JOB.split()], np.int64)
    x, out = np.arange(30, dtype=np.uint8), np.zeros(30, np.uint8)
    rows, cols = (np.clip(np.arange(-1, n + 1), 0, n - 1) for n in (5, 6))
    rows = rows if index is None else np.where(rows == 2, index, rows)
    outside = np.zeros(1, np.uint8) if numbers is None else np.array(numbers)
    getattr(windows, function)(packed, x, out, rows, cols, np.array(blocks), outside, *place)
    return out.reshape(5, 6)


def test_a_good_job_is_done(windows):
    want = np.maximum(np.arange(30).reshape(5, 6) - 6, 0)
    want[0] = [0, 0, 1, 2, 3, 4]
    np.testing.assert_array_equal(call(windows), want)


@pytest.mark.parametrize(
    ("fault", "changes"),
    [
        ("does not fit its type", {"height": 6}),
        ("does not fit its type", {"type": ord("h")}),
        ("does not fit its type", {"type": 0}),
        ("does not fit its type", {"out_cols": 2**62}),
        ("stay in their type", {"out_type": ord("b")}),
        ("outside the output", {"place": (1, 0, 5, 6)}),
        ("outside the output", {"place": (0, -1, 5, 6)}),
        ("outside the output", {"place": (0, 0, 0, 6)}),
        ("more rows or columns", {"tall": 4}),
        ("more rows or columns", {"row_gap": 2}),
        ("more rows or columns", {"col_stride": 0}),
        ("more rows or columns", {"wide": 2**62}),
        ("outside the picture", {"index": 5}),
        ("outside the picture", {"index": -2}),
        ("other numbers of blocks", {"count": 3}),
        ("a block lies outside", {"blocks": [(4, 0, 1, 0)]}),
        ("a block lies outside", {"blocks": [(1, 1, 3, 1)]}),
        ("a block lies outside", {"blocks": BLOCKS[::-1]}),
        ("a block lies outside", {"blocks": [(0, 0, 1, 0)]}),
        ("other cells", {"cells": 5}),
        ("for extrema only", {"function": "modes"}),
        ("for extrema only", {"function": "modes", "cells": 6, "row_stride": 2, "place": (0, 0, 2, 6)}),
        ("of boxes", {"function": "moments", "blocks": [(1, 0, 3, 1)], "cells": 3}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(windows, fault, changes):
    with pytest.raises(ValueError, match=fault):
        call(windows, **changes)


@pytest.mark.parametrize(
    ("fault", "changes"),
    [
        ("of bytes, 16 bits and floats", {"type": ord("b")}),
        ("become what they were", {"out_type": ord("b")}),
        ("two numbers", {"numbers": None}),
        ("two numbers", {"numbers": (0.1, 0.0, 0.0)}),
        ("other numbers of cells", {"count": 3}),
        ("a cell lies outside", {"wide": 1, "place": (0, 0, 5, 1)}),
        ("too many channels", {"joint": 1, "height": 1, "width": 3, "channels": 10, "out_rows": 1,
                               "out_cols": 3, "tall": 2, "index": None, "place": (0, 0, 1, 1)}),
        ("does not fit its type", {"height": 6}),
    ],
)  # fmt: skip
def test_bilateral_means_that_do_not_fit_are_refused(windows, fault, changes):
    told = {"function": "bilateral", "blocks": WEIGHED, "numbers": (0.1, 0.0)}
    assert call(windows, **told).any()
    with pytest.raises(ValueError, match=fault):
        call(windows, **(told | changes))


def results():
    """Bytes of all that the loops make, for each set to be compared."""
    rng = np.random.default_rng(1)
    found = []
    for dtype in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "uint64",
                  "float32", "float64"):  # fmt: skip
        x = rng.integers(0, 120, (150, 83, 3)).astype(dtype)
        if dtype[0] == "f":
            x = (x - 60) / 7
            x[rng.random(x.shape) < 0.01] = np.nan
            x = x.astype(dtype)
        for weights in (np.ones((3, 3)), np.ones((1, 12)), np.ones((33, 30)), CROSS, DISK):
            for operation in ("erode", "dilate"):
                kernel = Kernel(weights, operation=operation)
                plan = plan_filter(x.shape, dtype, [kernel], border=Border("symmetric"), threads=2)
                found.append(execute(plan, x).pixels)
        if dtype in ("uint8", "int8", "uint16", "int16"):
            for weights in (np.ones((7, 7)), np.ones((2, 31))):
                kernel = Kernel(weights, operation="spread", numbers=(1,))
                for target in ("uint8", "float32", "float64"):
                    plan = plan_filter(x.shape, dtype, [kernel], out_dtype=target, values=True)
                    found.append(execute(plan, x).pixels)
        if dtype == "uint8":
            for weights in (np.ones((7, 6)), np.ones((17, 16)), DISK):
                for levels in (3, 120):
                    plan = plan_filter(x.shape, dtype, [Kernel(weights, operation="mode")])
                    found.append(execute(plan, x % levels).pixels)
    return found


@pytest.mark.parametrize("isa", ["avx512", "avx2", "base"])
def test_every_instruction_set_gives_what_numpy_gives(windows, isa, monkeypatch):
    if isa not in windows.isas():
        pytest.skip(f"this processor or build has no {isa}")
    before = windows.isa()
    try:
        windows.isa(isa)
        compiled = results()
    finally:
        windows.isa(before)
    monkeypatch.setenv("CONVCLI_LOOPS", "numpy")
    for ours, want in zip(compiled, results(), strict=True):
        np.testing.assert_array_equal(ours.view(np.uint8), want.view(np.uint8))
