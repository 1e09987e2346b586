"""Holes that other tools got wrong, with small arrays of our own, and tools that get them right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import generic_filter

from convcli import Kernel, KernelError, UsageError, filter_image
from convcli.imaging.frames import filtered
from convcli.imaging.opening import Limits, open_source
from convcli.imaging.options import FilterOptions
from convcli.imaging.stages.filter import Filter
from convcli.kernels.load import load_chain

NAN = np.nan


def raster(x: Any, kernel: Any, **options: Any) -> np.ndarray:
    return np.asarray(filter_image(np.asarray(x), kernel, values=True, **options))


def stored(x: np.ndarray, folder: Path, kernel: str, **options: Any) -> np.ndarray:
    """The same of an array in a file, which is read where it is stored."""
    np.save(folder / "x.npy", x)
    with open_source(str(folder / "x.npy"), Limits(), parts=True) as source:
        chain = Filter(source, load_chain(kernel), FilterOptions(values=True, **options))
        return filtered(chain, source.first).pixels[..., 0]


# ------------------------------------------------------------------ what others got wrong

AROUND = np.array([[1, 2, 3], [4, NAN, 6], [7, 8, 9]])
ONES = Kernel(np.ones((3, 3)), name="ones")


@pytest.mark.parametrize("declared", [False, True])
def test_gdal_15246_one_nan_among_numbers_that_sum_to_40(declared: bool) -> None:
    """Every sum and mean was NaN, unless the file declared some no-data value."""
    x = np.where(np.isnan(AROUND), -999, AROUND) if declared else AROUND
    options: dict[str, Any] = {"nodata": -999} if declared else {}
    gone = -999.0 if declared else NAN
    np.testing.assert_equal(raster(x, ONES, **options)[1, 1], gone)
    np.testing.assert_equal(raster(x, "sum:3", **options)[1, 1], gone)
    assert raster(x, ONES, fill=True, **options)[1, 1] == 45
    assert raster(x, "sum:3", fill=True, **options)[1, 1] == 40
    assert raster(x, "box:3", fill=True, **options)[1, 1] == 5


@pytest.mark.parametrize("algorithm", ["direct", "fft"])
def test_pygeoprocessing_87_holes_did_not_close_again(algorithm: str, stages: Any) -> None:
    """Of mostly missing cells, holes grew with every block. Right: where nothing votes, no more."""
    x = np.full((9, 11), NAN)
    x[4, 5] = 5
    want = np.full_like(x, NAN)
    want[2:7, 3:8] = 5
    np.testing.assert_array_equal(stages(x, "box:5", algorithm=algorithm, fill=True), want)


@pytest.mark.parametrize("algorithm", ["direct", "fft"])
def test_pygeoprocessing_109_spots_of_a_cow(algorithm: str, stages: Any) -> None:
    """Spots of 1 among missing cells, which are 0: what was no spot became noise of the transform."""
    rng = np.random.default_rng(0)
    spots = np.kron(rng.random((4, 5)) < 0.4, np.ones((9, 9))).astype(np.float32)
    y, x = np.ogrid[-7:8, -7:8]
    decay = Kernel(np.exp(-np.hypot(y, x) / 2) * (np.hypot(y, x) < 7), name="decay")
    options = {"algorithm": algorithm, "nodata": 0}
    kept = stages(spots, decay, **options)
    np.testing.assert_allclose(kept, spots * decay.sum, rtol=1e-6)
    assert (kept[spots == 0] == 0).all()
    filled = stages(spots, decay, fill=True, **options)
    near = raster(spots, Kernel((decay.weights > 0).astype(float)), border="reflect") > 0
    np.testing.assert_allclose(filled, near * decay.sum, rtol=1e-6)
    assert 0 < (filled == 0).sum() < (spots == 0).sum()


@pytest.mark.parametrize("algorithm", ["direct", "fft"])
def test_pygeoprocessing_473_nan_as_the_declared_value(algorithm: str, stages: Any) -> None:
    """NaN is not equal to NaN: nothing was left out, and whole blocks were lost."""
    x = np.arange(100, dtype=np.float32).reshape(10, 10)
    x[5, 5] = NAN
    cross = Kernel([[0, 1, 0], [1, 1, 1], [0, 1, 0]], name="cross")
    got = stages(x, cross, algorithm=algorithm, nodata=NAN)
    assert np.argwhere(np.isnan(got)).tolist() == [[5, 5]]
    assert got[4, 5] == pytest.approx(5 * (35 + 44 + 45 + 46) / 4)
    assert got[5, 6] == pytest.approx(5 * (46 + 56 + 57 + 66) / 4)
    assert got[4, 4] == pytest.approx(5 * 44)


def test_pygeoprocessing_138_holes_are_filled_by_those_around() -> None:
    """On an inclined plane the mean round a hole is what was there."""
    plane = np.add.outer(3.0 * np.arange(9), 2.0 * np.arange(12))
    x, holes = plane.copy(), ([3, 5, 5], [3, 4, 8])
    x[holes] = NAN
    filled = raster(x, "box:3", fill=True)
    np.testing.assert_allclose(filled[holes], plane[holes])
    assert not np.isnan(filled).any()
    assert np.argwhere(np.isnan(raster(x, "box:3"))).tolist() == np.transpose(holes).tolist()


def test_xarray_spatial_606_the_border_ate_its_way_in() -> None:
    """What lies outside was NaN, and each pass made another ring of it."""
    x = np.zeros((5, 5))
    x[2, 2] = 9
    once = raster(x, "box:3", border="missing")
    np.testing.assert_allclose(once[1:4, 1:4], 1)
    assert not np.isnan(once).any()
    rows = np.array([1 / 2, 2 / 3, 1, 2 / 3, 1 / 2])
    twice = raster(x, "box:3 | box:3", border="missing")
    np.testing.assert_allclose(twice, np.outer(rows, rows))


# ------------------------------------------------------------------ slopes beside holes


def test_an_inclined_plane_is_half_as_steep_beside_a_hole() -> None:
    x = np.broadcast_to(3.0 * np.arange(9), (7, 9)).copy()
    x[:, 5:] = NAN
    got = raster(x, "sobel-x")
    np.testing.assert_array_equal(got[:, 1:4], 24)
    np.testing.assert_array_equal(got[:, 4], 12)
    assert np.isnan(got[:, 5:]).all()
    assert np.isnan(raster(x, "sobel-x", missing="propagate")[:, 4:]).all()


@pytest.mark.parametrize("kernel", ["sobel-x", "sobel", "laplacian", "sharpen", "emboss", "log:1"])
def test_flat_ground_stays_flat_round_holes(kernel: str) -> None:
    x = np.full((11, 13), 1234.0)
    flat = raster(x, kernel)
    x[np.random.default_rng(1).random(x.shape) < 0.15] = NAN
    got = raster(x, kernel)
    np.testing.assert_allclose(got[~np.isnan(x)], flat[~np.isnan(x)], atol=1e-9)
    assert np.isnan(got[np.isnan(x)]).all()


# ------------------------------------------------------------------ the value that says missing


def test_a_result_that_happens_to_say_missing_moves_on() -> None:
    x = np.array([[6, 8, 4, 8, -9]], np.int16)
    got = raster(x, Kernel([[1, 1]], 0.5), nodata=7, padding="valid")
    assert got.tolist() == [[8, 6, 6, 0]]


def test_a_type_that_has_no_such_value_is_refused() -> None:
    x = np.array([[1, 2, -9999]], np.int16)
    with pytest.raises(UsageError, match="--nodata"):
        raster(x, "box:3", nodata=-9999, depth="uint8")


@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("options", [{"padding": "full"}, {"fill": True}])
def test_what_has_no_result_beside_holes_has_one_where_there_are_none(
    options: dict[str, Any], dtype: str, tmp_path: Path
) -> None:
    """In memory, and from a file, of which nobody knows before that nothing is missing."""
    x = np.random.default_rng(1).integers(0, 99, (6, 7)).astype(dtype)
    whole = raster(x, "sharpen", **options)
    assert stored(x, tmp_path, "sharpen", **options).tolist() == whole.tolist()
    if dtype == "float32":
        x[2, 3] = NAN
        for how in (raster, lambda x, *k, **o: stored(x, tmp_path, *k, **o)):
            with pytest.raises(UsageError, match="sharpen"):
                how(x, "sharpen", **options)


def test_bands_are_light_where_that_is_asked_for() -> None:
    """They have a white if their type has one."""
    x = np.full((4, 5, 6), 1000, np.uint16)
    assert (filter_image(x, "box:3", bias=1) == 1001).all()
    assert (filter_image(x, "box:3", bias=1, values=False) == 1257).all()
    with pytest.raises(KernelError, match="brightness"):
        filter_image(x, "box:3", luma=True, values=False)
    with pytest.raises(UsageError, match="int16 samples have no white"):
        filter_image(x.astype(np.int16), "box:3", values=False)


def test_a_way_that_a_kernel_has_not_is_refused_whatever_the_picture() -> None:
    for dtype in ("uint8", "float32", "int64"):
        with pytest.raises(UsageError, match="negative weights"):
            filter_image(np.ones((5, 6), dtype), "sharpen", missing="renormalize")


# ------------------------------------------------------------------ tools that get them right

TENT = np.outer([1, 2, 3, 1, 2], [2, 1, 4]) / 63


@pytest.mark.parametrize(
    ("border", "mode"),
    [
        ("reflect", "mirror"),
        ("symmetric", "reflect"),
        ("edge", "nearest"),
        ("wrap", "wrap"),
        ("missing", "constant"),
    ],
)
@pytest.mark.parametrize("fill", [False, True])
def test_a_loop_in_scipy_that_knows_nan(border: str, mode: str, fill: bool) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(100, 20, (13, 17))
    x[rng.random(x.shape) < 0.4] = NAN

    def mean(cells: np.ndarray) -> float:
        there = ~np.isnan(cells)
        weights = TENT.ravel()[there]
        return float((weights * cells[there]).sum() / weights.sum()) if there.any() else NAN

    want = generic_filter(x, mean, TENT.shape, mode=mode, cval=NAN)
    if not fill:
        want[np.isnan(x)] = NAN
    got = raster(x, Kernel(TENT), border=border, fill=fill)
    np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.ci
@pytest.mark.parametrize(
    ("border", "boundary", "share"),
    [
        ("constant:0", "fill", 0),  # with holes it counts the outside twice
        ("edge", "extend", 0),
        ("edge", "extend", 0.3),
        ("wrap", "wrap", 0.3),
    ],
)
@pytest.mark.parametrize("fill", [False, True])
def test_astropy(border: str, boundary: str, share: float, fill: bool) -> None:
    convolution = pytest.importorskip("astropy.convolution")
    rng = np.random.default_rng(3)
    x = rng.normal(100, 20, (14, 19))
    x[rng.random(x.shape) < share] = NAN
    kernel = np.outer([1, 2, 5, 2, 1], [3, 4, 5])
    want = convolution.convolve(
        x, kernel, boundary=boundary, nan_treatment="interpolate", preserve_nan=not fill
    )
    # It convolves: its kernel is turned round.
    got = raster(x, Kernel(kernel / kernel.sum()), border=border, fill=fill, flip=True)
    np.testing.assert_allclose(got, want, rtol=1e-12)
