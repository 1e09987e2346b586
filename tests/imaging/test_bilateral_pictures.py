"""Bilateral means of pictures and rasters, some of whose samples do not vote, beside a loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convcli import UsageError, filter_image
from convcli.kernels.load import load_kernel

NODATA = 7


def means(
    x: np.ndarray, there: np.ndarray, spec: str, alike: float, joint: bool, sigma: float
) -> np.ndarray:
    """Channels that are weighed together or not, by reflection at the border; NaN at lost centres."""
    cells = load_kernel(spec).weights != 0
    middle = [(side - 1) // 2 for side in cells.shape]
    height, width = x.shape[:2]
    found = np.full(x.shape, np.nan)

    def reflected(at: int, size: int) -> int:
        at = abs(at)
        return min(at, 2 * (size - 1) - at)

    for i, j, c in np.ndindex(x.shape):
        use = slice(None) if joint else slice(c, c + 1)
        if not there[i, j, use].all():
            continue
        top = bottom = 0.0
        for row, column in np.argwhere(cells):
            y, z = row - middle[0], column - middle[1]
            at = reflected(i + y, height), reflected(j + z, width)
            if not there[at][use].all():
                continue
            apart = float(((x[at][use].astype(float) - x[i, j, use]) ** 2).sum())
            weight = np.exp(-(y * y + z * z) / (2 * sigma**2) - apart / (2 * alike**2))
            top, bottom = top + weight * float(x[at][c]), bottom + weight
        found[i, j, c] = top / bottom
    return found


def test_the_disk_that_is_taken() -> None:
    """Of radius round(1.5 sigma), at least 1: OpenCV's, whose circle has these cells, too."""
    for sigma, radius in ((0.1, 1), (1, 2), (3, 4), (3.1, 5)):
        weights = load_kernel(f"bilateral:{sigma},20").weights
        y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        inside = np.hypot(x, y) <= radius
        np.testing.assert_array_equal(weights > 0, inside)
        want = np.where(inside, np.exp(-(x * x + y * y) / (2 * sigma**2)), 0)
        np.testing.assert_allclose(weights, want, rtol=1e-12, atol=1e-300)
    for name in (
        "bilateral:3,30,disk:4",
        "bilateral:3,30,5x3",
        "bilateral:2,7,0 1 0; 1 1 1; 0 1 0",
    ):
        assert load_kernel(load_kernel(name).name).numbers == load_kernel(name).numbers
        assert load_kernel(name).name == name
    assert load_kernel("bilateral:3,30").name == "bilateral"
    assert load_kernel("bilateral:3,30,3").weights.shape == (3, 3)
    assert load_kernel("bilateral:2,7,3").numbers == (2, 7)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("spec", ["bilateral:1.5,60,5x4", "bilateral:1.5,60"])
def test_transparent_pixels_do_not_vote(dtype: str, spec: str) -> None:
    white = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    rng = np.random.default_rng(4)
    x = (rng.random((9, 11, 4)) * white).astype(dtype)
    x[..., 3] *= rng.random((9, 11)) > 0.3
    x[:5, :5, 3] = 0
    colours, there = x[..., :3], np.repeat(x[..., 3:] > 0, 3, axis=-1)
    want = means(colours, there, spec, 60 * white / 255, True, 1.5)
    want = np.where(np.isnan(want), colours, want)
    got = filter_image(x, spec)
    np.testing.assert_array_equal(got[..., 3], x[..., 3])
    assert np.abs(got[..., :3] - want).max() <= (0.5 + 1e-4 * white if white > 1 else 2e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_missing_samples_do_not_vote(dtype: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(100, 30, (8, 10, 2)).astype(dtype)
    x[x == NODATA] = 8
    there = rng.random(x.shape) > 0.3
    x[~there] = np.nan if x.dtype.kind == "f" else NODATA
    spec = "bilateral:2,25,4x3"
    want = means(x, there, spec, 25.0, False, 2.0)
    got = filter_image(x, spec, values=True, depth="float64", nodata=(NODATA, np.nan))
    np.testing.assert_allclose(got, want, rtol=3e-6)
    with pytest.raises(UsageError, match="--fill closes holes with what is made"):
        filter_image(x, spec, values=True, nodata=NODATA, fill=True)
    few = filter_image(x, spec, values=True, depth="float64", nodata=(NODATA, np.nan), min_valid=1)
    assert 0 < (~np.isnan(few)).sum() < there.sum()


@pytest.mark.parametrize("options", [{"luma": True}, {"linear": True}], ids=str)
def test_light(options: dict[str, bool]) -> None:
    x = np.random.default_rng(3).integers(0, 256, (8, 9, 3), np.uint8)
    x[:4] = 90
    got = filter_image(x, "bilateral:1,0.001", **options)
    assert np.abs(got.astype(int) - x).max() <= 1


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_parts_are_the_whole_to_the_bit(stages: Any, dtype: str) -> None:
    x = np.random.default_rng(6).normal(90, 30, (60, 70, 3)).astype(dtype)
    x[10:30, 5:40] = np.nan if dtype == "float32" else NODATA
    spec, options = "bilateral:1.5,40 | box:3", {"nodata": NODATA}
    whole = stages(x, spec, **options)
    np.testing.assert_array_equal(stages(x, spec, (7, 20), **options), whole)
    assert 0 < (whole == NODATA).mean() < 1
