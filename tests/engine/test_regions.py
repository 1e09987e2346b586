"""Parts of a picture, filtered with the borders of the whole, equal the whole to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convcli.arithmetic.borders import BORDERS, Border, BorderMode, parse_border
from convcli.engine import regions
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.engine.regions import Ranges, run_plan
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel

from .windows import reader


def in_parts(plan: Any, x: np.ndarray, height: int, width: int) -> np.ndarray:
    out = np.empty(plan.shape_out, plan.steps[-1].requantize.out_dtype)
    for top in range(0, out.shape[0], height):
        for left in range(0, out.shape[1], width):
            rows, cols = (
                (top, min(top + height, out.shape[0])),
                (left, min(left + width, out.shape[1])),
            )
            out[slice(*rows), slice(*cols)], _ = run_plan(plan, reader(x), ((rows,), (cols,)))
    return out


def noise(shape: tuple[int, int, int], dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype.startswith("float"):
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("mode", BORDERS)
@pytest.mark.parametrize(
    ("kernels", "options"),
    [
        (["sobel-x"], {}),
        (["gaussian:4"], {}),
        (["gaussian:2", "sobel"], {"range": "auto"}),
        (["box:9"], {}),
        (["3 1 0; -1 2 5"], {"stride": (2, 3)}),
        (["laplacian"], {"dilation": (3, 2), "padding": "full"}),
        (["gaussian:1", "sharpen", "box:3"], {"stride": 2, "padding": ((3, 1), (0, 5))}),
        (["1 2; 3 4"], {"stride": 7}),
    ],
    ids=["exact", "float", "chain", "box", "strided", "dilated", "strided_chain", "leaping"],
)
def test_parts_equal_the_whole(
    kernels: list[str],
    options: dict[str, Any],
    mode: str,
    loops: str,
) -> None:
    x = noise((301, 97, 3), "uint8")
    chain = [load_kernel(k) for k in kernels]
    border = Border(mode, 9.0 if mode == "constant" else 0.0)
    plan = plan_filter(x.shape, x.dtype, chain, border=border, threads=2, **options)
    whole = execute(plan, x).pixels
    np.testing.assert_array_equal(in_parts(plan, x, 61, 40), whole)


@pytest.mark.parametrize("algorithm", ["direct", "separable", "fft"])
@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_sums_keep_their_order(algorithm: str, dtype: str) -> None:
    # Float results show every bit of the sums, which depend on where a sample lies in its tile.
    x = noise((700, 530, 1), dtype)
    kernel = load_kernel("gaussian:3")
    plan = plan_filter(
        x.shape, dtype, [kernel, kernel], range="float", algorithm=algorithm, threads=1
    )
    whole = execute(plan, x).pixels
    np.testing.assert_array_equal(in_parts(plan, x, 133, 217), whole)


@pytest.mark.parametrize("mode", BORDERS)
def test_a_halo_larger_than_the_picture(mode: str) -> None:
    x = noise((5, 7, 2), "uint8")
    kernel = Kernel(np.arange(23.0 * 31).reshape(23, 31) % 7, name="wide")
    plan = plan_filter(x.shape, x.dtype, [kernel], border=Border(mode), range="float")
    np.testing.assert_array_equal(in_parts(plan, x, 2, 3), execute(plan, x).pixels)


def test_a_bank_of_kernels_in_parts() -> None:
    x = noise((140, 90, 3), "uint8")
    weights = np.random.default_rng(1).standard_normal((2, 3, 5, 3))
    plan = plan_filter(x.shape, x.dtype, [Kernel(weights, name="bank")], range="float")
    np.testing.assert_array_equal(in_parts(plan, x, 50, 33), execute(plan, x).pixels)


def test_clipped_samples_are_counted_once() -> None:
    x = noise((400, 300, 3), "uint8")
    plan = plan_filter(x.shape, x.dtype, [load_kernel("sharpen")])
    rows, cols = plan.steps[-1].tile
    whole = execute(plan, x)
    total = 0
    for top in range(0, 400, rows):
        for left in range(0, 300, cols):
            want = (((top, min(top + rows, 400)),), ((left, min(left + cols, 300)),))
            total += run_plan(plan, reader(x), want)[1]
    assert total == whole.clipped > 0


def test_only_the_halo_is_read() -> None:
    x = noise((4000, 40, 1), "uint8")
    plan = plan_filter(x.shape, x.dtype, [load_kernel("box:5"), load_kernel("box:3")])
    tile = max(step.tile[0] for step in plan.steps)
    seen = []

    def read(want: Ranges) -> np.ndarray:
        seen.append(want)
        return reader(x)(want)

    run_plan(plan, read, (((2000, 2001),), ((0, 40),)))
    ((rows, cols),) = seen
    assert cols == ((0, 40),)
    assert len(rows) == 1
    assert rows[0][1] - rows[0][0] <= 3 * tile + 6


def test_a_wrapped_border_reads_two_runs() -> None:
    # Taller than the tiles of any loops: those of NumPy's hold 4,000 such rows at once.
    plan = plan_filter((400_000, 40, 1), "uint8", [load_kernel("box:5")], border=Border("wrap"))
    rows, cols = regions.needed(plan.steps[0], (((0, 1),), ((0, 1),)))
    assert len(rows) == 2
    assert rows[1] == (399_998, 400_000)
    assert cols == ((0, 40),)


@pytest.mark.parametrize("algorithm", ["direct", "separable", "box", "fft"])
def test_a_border_is_one_entry(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody knows, which reads the far edge, goes through every algorithm and part."""
    far = BorderMode(lambda position, size: size - 1 if position < 0 else 0, ())
    monkeypatch.setitem(BORDERS, "far-edge", far)
    assert far.drawing == "d d d | a b c d | a a a"
    x = noise((23, 31, 2), "uint8")
    plan = plan_filter(
        x.shape,
        x.dtype,
        [load_kernel("box:5")],
        border=parse_border("Far_Edge"),
        algorithm=algorithm,
    )
    rows, cols = ([n - 1, n - 1, *range(n), 0, 0] for n in x.shape[:2])
    windows = np.lib.stride_tricks.sliding_window_view(x[rows][:, cols], (5, 5), (0, 1))
    want = np.rint(windows.mean((-1, -2)))
    assert np.array_equal(execute(plan, x).pixels, want)
    assert np.array_equal(in_parts(plan, x, 9, 13), want)


@pytest.mark.parametrize(
    ("kernel", "dtype", "apart"),
    [
        ("gaussian:3", "uint8", True),
        ("gaussian:3", "uint16", True),
        ("gaussian:1", "float32", True),
        ("sobel-x", "uint8", True),
        ("box:7", "uint16", True),
        ("emboss", "uint8", True),
        ("0.1 0 0.3; 0.7 0.11 0.2; 0 0.4 0", "float32", False),  # rounded, and with holes
    ],
)
def test_rows_are_the_same_wherever_a_part_begins(kernel: str, dtype: str, apart: bool) -> None:
    x = noise((331, 75, 3), dtype)
    plan = plan_filter(x.shape, x.dtype, [load_kernel(kernel)], range="auto", threads=1)
    (step,) = plan.steps
    if step.loops.compiled:
        assert step.least_rows == (1 if apart else step.tile[0])
    whole = execute(plan, x).pixels
    for height in (1, 2, 7, 33):
        np.testing.assert_array_equal(in_parts(plan, x, height, 75), whole)
