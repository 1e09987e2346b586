"""Edges of pictures and rasters: gray, alpha left as it is, missing samples still missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli import KernelError, UsageError, filter_image
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.imaging.opening import Limits, open_source
from convcli.imaging.options import BASE_BYTES, FilterOptions
from convcli.imaging.schedule import PartSizes, part_schedule
from convcli.imaging.stages.filter import Filter
from convcli.kernels.load import load_chain, load_kernel

SPEC = "canny:20,40,1"


def blobs(shape: tuple[int, ...], seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 5, (shape[0] // 6 + 1, shape[1] // 7 + 1, shape[2])) * 55
    return np.repeat(np.repeat(x, 6, axis=0), 7, axis=1)[: shape[0], : shape[1]].astype(np.uint8)


def engine(x: np.ndarray, **how: Any) -> np.ndarray:
    plan = plan_filter(x.shape, x.dtype, [load_kernel(SPEC)], **how)
    return execute(plan, x).pixels


def test_a_picture_becomes_gray_white_on_black() -> None:
    x = blobs((40, 50, 3))
    want = engine(x)[..., 0]
    assert set(np.unique(want)) == {0, 255}
    got = filter_image(x, SPEC)
    assert got.shape == filter_image(x, "grayscale").shape == (40, 50, 1)
    np.testing.assert_array_equal(got[..., 0], want)
    np.testing.assert_array_equal(filter_image(x[..., 0], SPEC), engine(x[..., :1])[..., 0])
    deep = filter_image(x, SPEC, depth=16)
    np.testing.assert_array_equal(deep[..., 0], want.astype(np.uint16) * 257)
    light = filter_image(x, SPEC, linear=True)
    assert set(np.unique(light)) == {0, 255}
    twice = filter_image(filter_image(x, SPEC), "dilate:3")
    np.testing.assert_array_equal(filter_image(x, f"{SPEC} | dilate:3"), twice)


def test_alpha_is_left_as_it_is_and_nothing_is_an_edge_beside_transparency() -> None:
    x = np.concatenate([blobs((40, 50, 3)), np.full((40, 50, 1), 200, np.uint8)], axis=-1)
    got = filter_image(x, SPEC)
    np.testing.assert_array_equal(got[..., 0], engine(x[..., :3])[..., 0])
    np.testing.assert_array_equal(got[..., 1], x[..., 3])
    x[10:15, 20:30, 3] = 0
    lost = np.where(x[..., 3:] > 0, x[..., :3] / np.float32(255), np.nan).astype(np.float32)
    want = np.nan_to_num(engine(lost)[..., 0]) * 255
    got = filter_image(x, SPEC)
    np.testing.assert_array_equal(got[..., 0], want)
    np.testing.assert_array_equal(got[..., 1], x[..., 3])
    assert not got[6:19, 16:34, 0].any()
    assert got[..., 0].any()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
def test_missing_samples_stay_missing(dtype: str) -> None:
    x = blobs((40, 50, 2)).astype(dtype)
    hole = np.nan if dtype.startswith("float") else 7
    x[20, 20, 0] = x[30:, 40:, 1] = hole
    nodata = {} if dtype.startswith("float") else {"nodata": 7}
    got = filter_image(x, SPEC, values=True, **nodata)
    lost = np.isnan(x) if np.isnan(hole) else x == hole
    held = np.where(lost, np.nan, x.astype(np.float64)).astype("float64")
    if dtype != "float64":
        held = held.astype(np.float32)
    want = engine(held, values=True)
    np.testing.assert_array_equal(got, np.where(lost, hole, np.nan_to_num(want)).astype(dtype))
    assert set(np.unique(got[~lost])) == {0, 1}
    with pytest.raises(UsageError, match="leave out --missing, --fill and --min-valid"):
        filter_image(x, SPEC, values=True, fill=True, **nodata)
    both = filter_image(x, f"{SPEC} | dilate:3", values=True, **nodata)
    again = filter_image(got, "dilate:3", values=True, **nodata)
    np.testing.assert_array_equal(both, again)


def test_what_is_refused() -> None:
    x = blobs((20, 20, 3))
    with pytest.raises(KernelError, match="--luma filters one channel; canny"):
        filter_image(x, "canny", luma=True)
    with pytest.raises(
        KernelError,
        match="canny: low is 60; it must not be above high, which is 50; did you mean 'canny:50,60'",
    ):
        filter_image(x, "canny:60,50")
    with pytest.raises(UsageError, match="takes no --stride"):
        filter_image(x, "canny", stride=2)


def test_a_picture_is_one_part_and_refused_where_that_does_not_fit(tmp_path: Path) -> None:
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (600, 500))
    x[...] = blobs((600, 500, 1))[..., 0]
    want = engine(np.asarray(x)[..., None])[..., 0]
    x.flush()
    with open_source(str(tmp_path / "x.npy"), Limits(), parts=True, whole=False) as source:
        assert source.is_stored
        chain = Filter(source, load_chain(f"{SPEC} | identity"), FilterOptions())
        simple = chain.is_simple(source.first)
        how: dict[str, Any] = {
            "simple": simple,
            "whole_rows": False,
            "align": (64, 64),
            "sizes": PartSizes(enough=9),
        }
        made = part_schedule(chain, BASE_BYTES + 20 * 2**20, **how)
        assert [tuple(place) for place in made.places] == [(0, 600, 0, 500)]
        stage = chain.stage(source.first, simple=simple)
        part = stage.read((((100, 130),), ((20, 400),)))
        np.testing.assert_array_equal(part[..., 0], want[100:130, 20:400])
        with pytest.raises(
            UsageError, match=r"follows edges across .* cannot be made part by part"
        ):
            part_schedule(chain, BASE_BYTES, **how)
