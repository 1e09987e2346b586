"""``--range stretch`` of a flat picture: one value, and contrast wherever there is any."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convcli import filter_image
from convcli.arithmetic.borders import Border
from convcli.cli import app
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.engine.rounding import SamplesSeen, flat_level, rounding
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Source
from convcli.imaging.stages.filter import Filter
from convcli.kernels.load import load_chain

KERNELS = [
    "gabor:8,45",
    "log:3",
    "dog:2",
    "unsharp:3",
    "laplacian",
    "gaussian:2 | log:2",
    "log:3 | 1000",
]


def flat(dtype: str, level: float = 100) -> NDArray[Any]:
    white = {"uint8": 255, "uint16": 65535}.get(dtype, 1.0)
    return np.full((60, 70, 3), level / 255 * white, dtype)


def beside_holes(x: NDArray[Any]) -> NDArray[Any]:
    x[10:20, 30:35] = np.nan
    return x


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    ("x", "how"),
    [
        (flat("uint8"), {}),
        (flat("uint16", 201), {}),
        (flat("float32"), {}),
        (flat("float64", 77), {}),
        (flat("uint8"), {"linear": True}),
        (flat("float32", 201), {"linear": True}),
        (flat("uint8"), {"luma": True}),
        (beside_holes(flat("float32") * 1000), {"values": True}),
    ],
)
def test_a_flat_picture_stays_flat(kernel: str, x: NDArray[Any], how: dict[str, Any]) -> None:
    got = filter_image(x, kernel, range="stretch", **how)
    assert len(np.unique(got[~np.isnan(got)])) == 1


@pytest.mark.parametrize("kernel", ["dog:2", "unsharp:3", "log:3"])
def test_a_flat_picture_beside_transparency_stays_flat(kernel: str) -> None:
    alpha = np.random.default_rng(1).integers(100, 256, (60, 70, 1)).astype(np.uint8)
    got = filter_image(np.concatenate([flat("uint8"), alpha], axis=-1), kernel, range="stretch")
    assert len(np.unique(got[..., :3])) == 1


@pytest.mark.parametrize("kernel", ["log:3 | unsharp:2", "box:5"])
@pytest.mark.parametrize("how", [{}, {"linear": True}])
def test_sums_that_are_divided_by_little_alpha_stay_flat(kernel: str, how: dict[str, Any]) -> None:
    for seed in range(4):
        alpha = np.random.default_rng(seed).integers(85, 256, (60, 70, 1)).astype(np.uint8)
        x = np.concatenate([flat("uint8", 249), alpha], axis=-1)
        got = filter_image(x, kernel, range="stretch", **how)
        assert len(np.unique(got[..., :3])) == 1


@pytest.mark.parametrize("kernel", ["gaussian:2", "log:3", "gabor:8,45", "median:3 | box:31"])
@pytest.mark.parametrize("level", [1, 100])
@pytest.mark.parametrize("how", [{}, {"linear": True}, {"values": True}])
def test_a_border_beside_a_flat_picture_is_shown(
    kernel: str, level: float, how: dict[str, Any]
) -> None:
    """The picture is flat, and its results are not."""
    for dtype in ("uint8", "uint16", "float32"):
        got = filter_image(flat(dtype, level), kernel, range="stretch", border="constant", **how)
        exact = flat(dtype, level).astype(np.float64) / flat(dtype, 255)[0, 0, 0]
        want = filter_image(exact, kernel, range="stretch", border="constant", **how)
        assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.999, dtype


@pytest.mark.parametrize("how", [{}, {"linear": True}])
@pytest.mark.parametrize("kernel", ["gaussian:2", "gaussian:5", "box:3"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_colours_that_alpha_hides_do_not_unflatten(
    dtype: str, kernel: str, how: dict[str, Any]
) -> None:
    shown = np.random.default_rng(4).random((60, 70, 1)) > 0.1
    alpha = shown * (255 if dtype == "uint8" else 1)
    level = 100 if dtype == "uint8" else 0.4
    x = np.concatenate([*[shown * level] * 3, alpha], axis=-1).astype(dtype)
    got = filter_image(x, kernel, range="stretch", **how)
    assert len(np.unique(got[shown[..., 0], :3])) == 1


def test_a_border_beside_a_flat_picture_with_alpha_is_shown() -> None:
    alpha = np.random.default_rng(8).integers(30_000, 65_535, (60, 70, 1)).astype(np.uint16)
    x = np.concatenate([flat("uint16", 2), alpha], axis=-1)
    got = filter_image(x, "gaussian:2", range="stretch", border="constant")[..., :3]
    assert np.ptp(got) == 65_535


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_flat_at_another_depth(dtype: str, depth: int) -> None:
    x = flat(dtype)
    x[10:20, 30:35] = 7
    there = np.ones(x.shape, bool)
    there[10:20, 30:35] = False
    how: dict[str, Any] = {"range": "stretch", "depth": depth, "nodata": 7, "values": False}
    assert len(np.unique(filter_image(x, "dog:2", **how)[there])) == 1
    bordered = filter_image(x, "gaussian:2", border="constant:99", **how)[there]
    assert np.ptp(bordered) == 2**depth - 1


@pytest.mark.parametrize("kernel", ["gaussian:3", "log:2", "dog:2", "unsharp:2", "gabor:8,45"])
@pytest.mark.parametrize("how", [{}, {"linear": True}])
def test_a_single_level_is_stretched(kernel: str, how: dict[str, Any]) -> None:
    x = flat("uint8")
    x[30, 40] += 1
    got = filter_image(x, kernel, range="stretch", **how)
    assert (got.min(), got.max()) == (0, 255)
    far = got[:10]
    assert np.ptp(far.astype(int)) <= 1, "and its noise is not"


@pytest.mark.parametrize("kernel", ["gaussian:2", "log:2", "box:5"])
@pytest.mark.parametrize(("low", "contrast"), [(0.0, 1e-9), (1000.0, 0.05), (-3e6, 300.0)])
def test_low_contrast_is_stretched(kernel: str, low: float, contrast: float) -> None:
    """What counts is how large the samples are, not how large those of their type can be."""
    x = low + contrast * np.random.default_rng(2).random((60, 70, 1))
    got = filter_image(x.astype(np.float32), kernel, range="stretch", values=True)
    want = filter_image(
        x.astype(np.float32).astype(np.float64), kernel, range="stretch", values=True
    )
    assert (got.min(), got.max()) == (0, 1)
    assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.99


@pytest.mark.parametrize(
    "kernel", ["median:3 | gaussian:2", "median:5 | unsharp:2", "min:3 | gaussian:1"]
)
def test_a_hot_pixel_that_no_sum_sees_leaves_contrast(kernel: str) -> None:
    x = (100 + 50 * np.random.default_rng(4).random((60, 70, 1))).astype(np.float32)
    x[30, 30] = 1e9
    got = filter_image(x, kernel, range="stretch", values=True)
    want = filter_image(x.astype(np.float64), kernel, range="stretch", values=True)
    assert (got.min(), got.max()) == (0, 1)
    assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("hidden", [1, 1e4, 1e6])
def test_hidden_colours_leave_contrast(hidden: float) -> None:
    x = np.random.default_rng(5).random((60, 70, 4)).astype(np.float32)
    x[..., 3], x[:5, :5] = 1, [hidden, hidden, hidden, 0]
    got = filter_image(x, "gaussian:2", range="stretch")[..., :3]
    want = filter_image(x.astype(np.float64), "gaussian:2", range="stretch")[..., :3]
    assert (got.min(), got.max()) == (0, 1)
    assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.999


@pytest.mark.parametrize(
    ("dtype", "low", "contrast", "kernel"),
    [
        ("uint16", 60_000, 1, "gaussian:1"),
        ("uint16", 60_000, 2, "gaussian:1"),
        ("float32", 0.9, 1e-5, "gaussian:1"),
        ("float32", 0.9, 1e-5, "box:3"),
    ],
)
def test_low_contrast_of_light_is_stretched(
    dtype: str, low: float, contrast: float, kernel: str
) -> None:
    rng, shape = np.random.default_rng(0), (60, 70, 1)
    whole = dtype == "uint16"
    noise = rng.integers(0, int(contrast) + 1, shape) if whole else contrast * rng.random(shape)
    x = (low + noise).astype(dtype)
    exact = x.astype(np.float64) / (65535 if whole else 1)
    got = filter_image(x, kernel, range="stretch", linear=True)
    want = filter_image(exact, kernel, range="stretch", linear=True)
    assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("kernel", ["log:3", "dog:2", "gaussian:3"])
def test_a_flat_picture_beside_missing_samples_stays_flat(kernel: str) -> None:
    x = flat("float32", 201)
    x[10:20, 30:35, 1], x[:2] = -9999, -9999
    got = filter_image(x, kernel, range="stretch", values=True, nodata=-9999)
    assert len(np.unique(got[got != -9999])) == 1


def test_what_is_missing_does_not_count() -> None:
    x = np.random.default_rng(3).random((40, 50, 1)).astype(np.float32)
    x[:5, :5] = -1e30
    got = filter_image(x, "gaussian:2", range="stretch", values=True, nodata=-1e30)
    there = got[got != np.float32(-1e30)]
    assert (there.min(), there.max()) == (0, 1)


@pytest.mark.parametrize("kernel", ["identity", "median:3", "max:3"])
def test_what_rounds_nothing_is_stretched_whatever_it_is(kernel: str) -> None:
    x = np.ones((20, 20, 1), np.float32)
    x[10:] = np.nextafter(np.float32(1), np.float32(2))
    got = filter_image(x, kernel, range="stretch", values=True)
    assert (got.min(), got.max()) == (0, 1)


def test_sums_of_whole_numbers_round_nothing() -> None:
    for dtype in ("uint8", "uint16", "int32"):
        for kernel in ("laplacian", "sobel", "box:5", "gaussian-5x5"):
            plan = plan_filter((60, 70, 1), dtype, load_chain(kernel), range="stretch")
            assert rounding(plan, 255.0) == 0.0
    x = np.full((60, 70, 1), 60_000, np.uint16)
    x[30, 40] += 1
    got = filter_image(x, "box:15", range="stretch")
    assert (got.min(), got.max()) == (0, 65535)


def test_the_bound_holds_for_every_algorithm() -> None:
    """A slope is its own blur; what is off, is so by rounding."""
    slope = np.broadcast_to(np.linspace(0, 1, 300, dtype=np.float32)[:, None], (200, 300, 1))
    slope = np.ascontiguousarray(slope)
    for algorithm in ("direct", "separable", "box", "fft"):
        kernels, how = load_chain("box:31"), {"padding": "valid", "algorithm": algorithm}
        plan = plan_filter(slope.shape, "float32", kernels, range="stretch", **how)
        exact = plan_filter(slope.shape, "float64", kernels, range="float", **how)
        values = execute(plan._replace(range="float"), slope).pixels
        off = np.ptp(values - execute(exact, slope.astype(np.float64)).pixels)
        assert off <= rounding(plan, 1.0), algorithm
        x = np.full_like(slope, 0.3)
        assert not execute(plan, x).pixels.any(), "one value"


def test_the_engine_alone_does_the_same() -> None:
    x = flat("uint8")
    plan = plan_filter(x.shape, "uint8", load_chain("log:3"), range="stretch")
    assert not execute(plan, x).pixels.any()
    x[30, 40] += 1
    assert np.ptp(execute(plan, x).pixels) == 255
    plan = plan_filter(
        x.shape, "uint8", load_chain("gaussian:2"), range="stretch", border=Border("constant")
    )
    assert np.ptp(execute(plan, flat("uint8")).pixels) == 255, "and its border is not"
    hot = np.random.default_rng(7).random((60, 70, 1)).astype(np.float32)
    hot[30, 30] = 1e9
    chain = load_chain("median:3 | gaussian:2")
    assert np.ptp(execute(plan_filter(hot.shape, "float32", chain, range="stretch"), hot).pixels)


@pytest.mark.parametrize(
    ("place", "raised", "want"),
    [
        ((1500, 300), 0, 0),
        ((1500, 300), 1, 255),
        (slice(1500, None), 1, 255),  # each part of it but one is flat
    ],
)
def test_in_parts_as_in_one_piece(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], place: Any, raised: int, want: int
) -> None:
    x = np.full((3000, 700), 100, np.uint8)
    x[place] += raised
    source, target = tmp_path / "a.npy", tmp_path / "b.npy"
    np.save(source, x)
    line = ["-k", "log:3", "--range", "stretch", "--memory", "150M", "--json"]
    assert app.run(["filter", str(source), *line, "-o", str(target)]) == 0
    assert json.loads(capfd.readouterr().out)["parts"] > 1
    assert np.ptp(np.load(target)) == want


@pytest.mark.parametrize("step", [0, 1])
def test_parts_that_are_looked_at_apart(step: int) -> None:
    """By processes: each part is flat, and the picture is if all have the same samples."""
    x = np.full((100, 70, 1), 0.5, np.float32)
    x[50:] += step * np.spacing(np.float32(0.5))
    source = Source("memory", "gray", False, x.dtype, x.shape[:2], [Frame(x)])
    found = []
    for rows in ((0, 40), (60, 100)):
        survey = Filter(source, load_chain("gaussian:2"), FilterOptions(range="stretch")).survey(
            source.first, simple=True
        )
        assert survey is not None
        found.append(pickle.loads(pickle.dumps(survey.look(((rows,), ((0, 70),))))))
    low, high = survey.join(found)
    assert (high > low) == bool(step)


def test_threads_show_regions_in_any_order() -> None:
    x = np.random.default_rng(6).random((64, 50, 3))
    x[:] = x[0, 0]
    x[20, :, 1] = np.nan
    for last, want in ((x[0, 0, 2], float(x[0, 0].max())), (-1.0, None)):
        x[63, :, 2] = last  # each row is flat
        for seed in range(20):
            seen = SamplesSeen()
            rows = np.random.default_rng(seed).permutation(64)
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(seen.look, [x[row : row + 1] for row in rows]))
            assert flat_level(seen.found) == want


def test_a_picture_that_is_not_flat_is_looked_at_no_more() -> None:
    seen = SamplesSeen()
    seen.look(np.array([[[1, 2], [1, 3]]]))
    assert sorted(seen.found) == [(0, 1), (1, 2), (1, 3)]
    seen.look(np.array([[[4, 5], [6, 7]]]))
    assert len(seen.found) == 3
