"""Otsu's threshold beside loops over histograms in fractions, and in one piece as in parts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from convcli import filter_image
from convcli.arithmetic.borders import Border
from convcli.engine.backends import NUMPY
from convcli.engine.cpu.tiles import grid
from convcli.imaging.frames import FilteredFrames, filtered
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Source
from convcli.imaging.stages.filter import Filter
from convcli.kernels.load import load_chain

SPACES = {1: ("gray", False), 2: ("gray", True), 3: ("rgb", False), 4: ("rgb", True)}


def otsu(counts: dict[Any, int]) -> Any:
    """The value of the largest variance between what is up to it and what is above; the first."""
    total = sum(counts.values())
    best: tuple[Any, Fraction] = (None, Fraction(-1))
    for level in sorted(counts):
        low = {v: n for v, n in counts.items() if v <= level}
        n = sum(low.values())
        if n == total:
            return level if best[0] is None else best[0]
        means = [
            Fraction(sum(v * k for v, k in part.items()), sum(part.values()))
            for part in (low, {v: k for v, k in counts.items() if v > level})
        ]
        between = n * (total - n) * (means[0] - means[1]) ** 2
        if between > best[1]:
            best = level, between
    raise AssertionError(counts)


def histogram(values: np.ndarray) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def of_floats(values: np.ndarray) -> float:
    """In 256 bins from the smallest to the largest; the level is a bin's centre."""
    values = values[np.isfinite(values)].astype(float)
    counts, edges = np.histogram(values, 256, (values.min(), values.max()))
    at = otsu({i: n for i, n in enumerate(counts.tolist()) if n})
    return float(edges[at] + edges[at + 1]) / 2


def source(*frames: np.ndarray, **said: Any) -> Source:
    first = frames[0]
    space, alpha = SPACES.get(first.shape[2], ("bands", False))
    if space == "bands":
        said["bands"] = first.shape[2]
    planes = [Frame(frame) for frame in frames]
    return Source("memory", space, alpha, first.dtype, first.shape[:2], planes, **said)


def made(x: np.ndarray, spec: str, **options: Any) -> tuple[np.ndarray, tuple[float, ...]]:
    chain = Filter(source(x), load_chain(spec), FilterOptions(**options))
    (frame,) = FilteredFrames(chain, source(x))
    return frame.pixels, chain.outline.levels[0]


def photograph(shape: tuple[int, ...] = (40, 31, 3), seed: int = 1) -> np.ndarray:
    """Two kinds of surface, both noisy, in levels of 0 to 255."""
    rng = np.random.default_rng(seed)
    bright = rng.random(shape[:2]) < 0.4
    levels = np.where(bright[..., None], 170, 60) + rng.normal(0, 25, shape)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "int64"])
def test_whole_numbers_are_counted_one_by_one(dtype: str) -> None:
    scale, offset = {"int8": (0.5, -64), "uint8": (1, 0)}.get(dtype, (100, 0))
    x = (photograph().astype(float) * scale + offset).astype(dtype)
    x[0] += 1
    got, (level,) = made(x, "otsu")
    want = otsu(histogram(x))
    unit = 257 if dtype == "uint16" else 1
    assert level == want / unit
    white = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    np.testing.assert_array_equal(got, np.where(x > want, white, 0).astype(dtype))
    np.testing.assert_array_equal(filter_image(x, f"threshold:{level!r}"), got)


def known() -> np.ndarray:
    n = np.arange(6000)
    noise = (n * 7919 + 104729) % 1009
    kinds = np.where((n // 75 + n % 75) % 3 == 0, 40 + noise % 61, 120 + noise % 97)
    return kinds.reshape(80, 75, 1)


def test_as_scikit_image_has_it() -> None:
    """skimage.filters.threshold_otsu, 0.26, on the same numbers."""
    x = known()
    noise = ((np.arange(6000) * 7919 + 104729) % 1009).reshape(80, 75, 1)
    assert made(x.astype(np.uint8), "otsu")[1] == (100,)
    assert made((x * 211 + noise).astype(np.uint16), "otsu")[1] == (25417 / 257,)
    assert made((x - 100).astype(np.int16), "threshold:otsu")[1] == (0,)
    for dtype, level in (("float64", 0.5775711202923626), ("float32", 0.5775711209280416)):
        (found,) = made(np.sqrt(x / 300).astype(dtype), "otsu", values=True)[1]
        assert abs(found - level) < 1e-15


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("values", [False, True])
def test_floats_have_256_bins(dtype: str, values: bool) -> None:
    x = (photograph() / 255 + np.random.default_rng(3).random((40, 31, 3)) / 99).astype(dtype)
    x[2, 3:6] = np.nan
    got, (level,) = made(x, "otsu", values=values)
    want = of_floats(x)
    assert abs(level / (1 if values else 255) - want) < 1e-15
    np.testing.assert_array_equal(got, np.where(np.isnan(x), np.nan, x > want))


def test_of_several_levels_that_part_as_well_the_first_is_taken() -> None:
    row = np.array([[[0], [1], [2]]], np.uint8)
    assert made(row, "otsu")[1] == (0,)
    x = np.repeat(np.array([10, 20, 200, 210], np.uint8), [7, 3, 3, 7]).reshape(4, 5, 1)
    assert made(x, "otsu")[1] == (20,)  # and any other up to 199
    rng = np.random.default_rng(4)
    for _ in range(40):
        few = rng.integers(0, 9, (3, 7, 1)).astype(np.int32) * 1000 + 10**8
        assert made(few, "otsu")[1] == (otsu(histogram(few)),)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_a_flat_frame_is_black(dtype: str) -> None:
    x = np.full((5, 4, 1), 3, dtype)
    for spec in ("otsu", "box:3 | otsu"):
        got, (level,) = made(x, spec, values=True)
        assert not got.any()
        assert abs(level - 3) < 1e-6  # of floats a mean is a last bit off
    gone = np.full((5, 4, 1), np.nan, np.float32)
    assert np.isnan(made(gone, "otsu", values=True)[0]).all()


def test_between_the_kernels_it_sees_floats() -> None:
    x = photograph((30, 29, 1))
    means = np.pad(x[..., 0].astype(np.float32), 1, mode="reflect")
    means = np.lib.stride_tricks.sliding_window_view(means, (3, 3)).sum((-2, -1)) / np.float32(9)
    got, (level,) = made(x, "box:3 | otsu | max:3")
    assert abs(level - of_floats(means)) < 1e-4  # a mean is a last bit off
    clear = np.abs(means - level) > 1e-3
    white = filter_image(x[..., 0], "box:3 | otsu")
    np.testing.assert_array_equal(white[clear], 255 * (means > level)[clear])
    np.testing.assert_array_equal(got[..., 0], filter_image(white, "max:3"))


def test_what_is_missing_or_transparent_is_not_counted() -> None:
    x = photograph((30, 29, 3))
    hidden = np.concatenate([x, np.full((30, 29, 1), 77, np.uint8)], axis=2)
    hidden[:12, :, 3] = 0
    hidden[:12, :, :3] = 255
    got, levels = made(hidden, "otsu")
    assert levels == (otsu(histogram(x[12:])),)
    np.testing.assert_array_equal(got[12:, :, :3], np.where(x[12:] > levels[0], 255, 0))
    np.testing.assert_array_equal(got[:12], hidden[:12])
    raster = x.astype(np.int16)
    raster[:12] = -1
    got, levels = made(raster, "otsu", values=True, nodata=-1)
    assert levels == (otsu(histogram(x[12:])),)
    np.testing.assert_array_equal(got, np.where(raster < 0, -1, raster > levels[0]))
    floats = np.where(raster < 0, np.nan, raster).astype(np.float32)
    assert made(floats, "otsu", values=True)[1] == (of_floats(floats),)


def in_parts(x: np.ndarray, spec: str, size: tuple[int, int], **options: Any) -> Any:
    chain = Filter(source(x), load_chain(spec), FilterOptions(backend=NUMPY, **options))
    plane = source(x).first
    simple = chain.is_simple(plane)

    def look(survey: Any, answers: tuple[Any, ...]) -> list[Any]:
        return [survey.look(place.ranges) for place in grid(*survey.shape[:2], *size)]

    answers = chain.answers(plane, look, simple=simple)
    stage = chain.stage(plane, simple=simple, answers=answers)
    out = np.empty(stage.shape, stage.dtype)
    for top, bottom, left, right in grid(*stage.shape[:2], *size):
        out[top:bottom, left:right] = stage.read((((top, bottom),), ((left, right),)))
    return out, chain.outline.levels[0]


OPTIONS: list[dict[str, Any]] = [
    {},
    {"stride": 2, "range": "stretch"},
    {"linear": True},
    {"luma": True, "padding": "full"},
    {"border": Border("wrap"), "depth": "float"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("spec", ["otsu", "gaussian:1 | otsu | erode:3", "otsu | box:3 | otsu"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_parts_are_the_whole_to_the_bit(spec: str, options: dict[str, Any], channels: int) -> None:
    x = photograph((50, 41, channels), 5)
    if channels == 4:
        x[..., 3] = 255 - x[..., 3] // 99
        x[5:20, 7:30, 3] = 0
    want, levels = made(x, spec, **options)
    got, found = in_parts(x, spec, (13, 17), **options)
    np.testing.assert_array_equal(got, want)
    assert found == levels
    assert len(levels) == spec.count("otsu")


@pytest.mark.parametrize("spec", ["otsu", "median:3 | otsu | dilate:3", "box:3 | otsu"])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_parts_of_a_raster_are_the_whole_to_the_bit(spec: str, dtype: str) -> None:
    x = photograph((50, 41, 2), 6).astype(dtype)
    x[10:30, 5:20] = np.nan if dtype == "float32" else -1
    options = {"values": True} | ({} if dtype == "float32" else {"nodata": -1})
    want, levels = made(x, spec, **options)
    got, found = in_parts(x, spec, (13, 17), **options)
    np.testing.assert_array_equal(got, want)
    assert found == levels


def test_strips_and_threads_have_the_same_bits() -> None:
    x = np.concatenate([photograph((1100, 1000, 1)), np.full((1100, 1000, 1), 255, np.uint8)], 2)
    x[300:500, 100:300, 1] = 0
    found = [made(x, "gaussian:1 | otsu", threads=n) for n in (1, 3)]
    parts = in_parts(x, "gaussian:1 | otsu", (400, 999))
    for got, levels in (found[1], parts):
        np.testing.assert_array_equal(got, found[0][0])
        assert levels == found[0][1]


def test_each_frame_has_its_own_level() -> None:
    frames = [photograph((20, 21, 3), seed) // (seed + 1) for seed in range(3)]
    picture = source(*frames)
    chain = Filter(picture, load_chain("otsu"), FilterOptions())
    for _ in range(2):  # frames may be made anew
        pixels = [frame.pixels for frame in FilteredFrames(chain, picture)]
        levels = [(otsu(histogram(frame)),) for frame in frames]
        assert chain.outline.levels == levels
        assert len(set(levels)) == 3
    for x, (level,), got in zip(frames, levels, pixels, strict=True):
        np.testing.assert_array_equal(got, np.where(x > level, 255, 0))
    again = filtered(chain, Frame(frames[0])).pixels
    np.testing.assert_array_equal(again, pixels[0])


def test_behind_what_takes_whole_pictures() -> None:
    x = np.repeat(photograph((1100, 60, 1)), 12, axis=1)[..., 0]
    edges = filter_image(x, "canny")
    assert 0 < edges.mean() < 255
    np.testing.assert_array_equal(filter_image(x, "canny | otsu"), edges)


def test_part_of_a_picture_has_the_level_of_the_whole() -> None:
    x = photograph()
    x[:10] //= 3
    whole = filter_image(x, "box:3 | otsu")
    part = filter_image(x, "box:3 | otsu", region=(3, 2, 9, 6))
    want = x.copy()
    want[2:8, 3:12] = whole[2:8, 3:12]
    np.testing.assert_array_equal(part, want)
