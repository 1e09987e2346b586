"""Ranks and morphology where some samples do not vote, beside loops over Python's lists."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli import Kernel, KernelError, UsageError, filter_image
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Source
from convcli.imaging.stages.filter import Filter
from convcli.kernels.load import load_chain, load_kernel

NODATA = 7
PATH = Path(__file__).parents[1] / "data" / "missing_reference.py"
SPEC = importlib.util.spec_from_file_location("missing_reference", PATH)
assert SPEC is not None
assert SPEC.loader is not None
reference = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(reference)

Take = Callable[[list[Any]], Any]


def middle(values: list[Any]) -> Any:
    return sorted(values)[len(values) // 2]


def ninetieth(values: list[Any]) -> Any:
    return sorted(values)[len(values) * 90 // 100]


def commonest(values: list[Any]) -> Any:
    return min(values, key=lambda value: (-values.count(value), value))


OPERATIONS: dict[str, tuple[Take, bool]] = {
    "mode:3x4": (commonest, False),
    "median:3": (middle, False),
    "median:4x3": (middle, False),
    "percentile:90,0 1 1; 1 0 1": (ninetieth, False),
    "min:cross:1": (min, False),
    "max:3x5": (max, False),
    "erode:1 1 0; 0 1 1; 0 1 0": (min, False),
    "dilate:1 1 0; 0 1 1; 0 1 0": (max, True),
}
"""What is taken of the values that vote, and whether the footprint is mirrored."""


def filtered(
    x: np.ndarray,
    votes: np.ndarray,
    kernel: Kernel,
    take: Take,
    mirrored: bool,
    *,
    fill: bool = False,
    least: float = 0.0,
    own: bool = False,
    border: str = "reflect",
    stride: int = 1,
    dilation: int = 1,
    padding: str = "same",
) -> list[list[list[Any]]]:
    """The results of all windows and channels, None where one is missing.

    ``own``: where none votes it is the sample under the centre.
    """
    cells = kernel.weights
    if mirrored:  # about the centre, which is the cell before the middle of an even side
        cells = np.pad(cells, [(1 - side % 2, 0) for side in cells.shape])[::-1, ::-1]
    mode, _, level = border.partition(":")
    rows = reference.windows(x.shape[:2], cells.shape, mode, stride, dilation, padding)
    centre = (cells.shape[0] - 1) // 2 * cells.shape[1] + (cells.shape[1] - 1) // 2
    counted = np.flatnonzero(cells)
    enough = max(math.ceil(least * len(counted) - 1e-9), 1)
    outside = float(level or 0)

    def seen(at: Any, c: int) -> tuple[Any, bool]:
        if at is None:
            return outside, True
        return (x[at][c], bool(votes[at][c])) if at != (-1, -1) else (None, False)

    found = []
    for line in rows:
        found.append([[None] * x.shape[2] for _ in line])
        for place, window in enumerate(line):
            for c in range(x.shape[2]):
                under = [seen(window[n], c) for n in counted]
                values = [value for value, there in under if there]
                value, there = seen(window[centre], c)
                if own:
                    found[-1][place][c] = take(values) if values else value
                elif len(values) >= enough and (fill or there):
                    found[-1][place][c] = take(values)
    return found


def raster(dtype: str, seed: int = 0, share: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Noise with many equal values, and where it is there; a corner lacks all."""
    rng = np.random.default_rng(seed)
    if dtype.startswith("float"):
        x = rng.normal(size=(8, 9, 2)).round(1).astype(dtype) + 0  # no -0
    else:
        info = np.iinfo(dtype)
        low, high = max(info.min, -(2**50)), min(info.max, 2**50)
        x = rng.integers(low, high, (8, 9, 2), dtype, endpoint=True)
        x[x == NODATA] = 8
    there = rng.random(x.shape) >= (share, share / 4)
    there[:4, :4] = False
    x[~there] = np.nan if x.dtype.kind == "f" else NODATA
    return x, there


def check(x: np.ndarray, there: np.ndarray, spec: str, **options: Any) -> None:
    nodata = {} if x.dtype.kind == "f" else {"nodata": NODATA}
    got = filter_image(x, spec, values=True, **nodata, **options)
    take, mirrored = OPERATIONS[spec]
    options["least"] = options.pop("min_valid", 0.0)
    if options.pop("missing", None) == "propagate":
        options["least"] = 1.0
    want = filtered(x, there, load_kernel(spec), take, mirrored, **options)
    assert got.dtype == x.dtype
    assert got.shape == (len(want), len(want[0]), x.shape[2])
    hole = np.nan if x.dtype.kind == "f" else NODATA
    lost = 0
    for at in np.ndindex(*got.shape):
        value = want[at[0]][at[1]][at[2]]
        lost += value is None
        np.testing.assert_equal(got[at], hole if value is None else value)
    assert lost or options.get("fill") or "constant" in options.get("border", "")


@pytest.mark.parametrize("dtype", "uint8 int8 uint16 int32 int64 uint64 float32 float64".split())
@pytest.mark.parametrize("spec", OPERATIONS)
def test_missing_samples_do_not_vote(dtype: str, spec: str) -> None:
    check(*raster(dtype), spec)


@pytest.mark.parametrize(
    "options",
    [
        {"fill": True},
        {"min_valid": 0.5},
        {"min_valid": 0.7, "fill": True},
        {"missing": "propagate"},
        {"missing": "renormalize"},
        {"border": "missing"},
        {"border": "missing", "fill": True, "min_valid": 0.4},
        {"border": "wrap"},
        {"border": "edge"},
        {"border": "symmetric", "stride": 2},
        {"border": "constant:3"},
        {"dilation": 2, "border": "reflect"},
        {"padding": "valid"},
        {"padding": "full", "border": "missing"},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize(
    "spec", ["median:3", "percentile:90,0 1 1; 1 0 1", "dilate:1 1 0; 0 1 1; 0 1 0"]
)
def test_every_option(options: dict[str, Any], dtype: str, spec: str) -> None:
    check(*raster(dtype, 1), spec, **options)


def test_missing_ones_have_no_centre_to_stand_for() -> None:
    x, _ = raster("float32")
    with pytest.raises(UsageError, match="median' is no sum: missing samples are left out of it"):
        filter_image(x, "median", values=True, missing="centre")


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float64"])
@pytest.mark.parametrize("spec", ["stddev:3x4", "variance:cross:1"])
@pytest.mark.parametrize("border", ["reflect", "missing"])
def test_spread_of_what_votes(dtype: str, spec: str, border: str) -> None:
    x, there = raster(dtype, 2)
    x = np.where(there, x // 3, x).astype(dtype)
    there &= x != NODATA
    take = np.std if spec.startswith("stddev") else np.var
    options: dict[str, Any] = {"values": True, "depth": "float64", "border": border}
    if x.dtype.kind != "f":
        options["nodata"] = NODATA, math.nan
    got = filter_image(x, spec, **options)
    precise = x.astype(float)
    kernel = load_kernel(spec)
    found = filtered(precise, there, kernel, lambda v: take(np.array(v)), False, border=border)
    want = np.array([[[np.nan if v is None else v for v in p] for p in line] for line in found])
    top = np.nanmax(want)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=2e-6 * top if dtype == "float32" else 0)


def test_a_variance_of_a_picture_is_a_part_of_white_squared() -> None:
    x = np.zeros((6, 8), np.uint8)
    x[:, ::2] = 255
    faint, clear = (np.dstack([x, x, x, np.full_like(x, level)]) for level in (9, 0))
    hidden = np.concatenate([faint, clear])
    for same in (x, x.astype(np.uint16) * 257, x / 255, faint, hidden):
        for spec in ("variance:4x1", "variance:4x1 | median:1"):
            got = filter_image(same, spec, depth="float", border="wrap")
            got = got[:6, ..., :3] if got.ndim == 3 else got
            np.testing.assert_allclose(got, 0.25, rtol=1e-6)
    with pytest.raises(UsageError, match="take --depth float, or stddev in its place"):
        filter_image(x, "variance")


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
@pytest.mark.parametrize("spec", ["variance:3", "stddev:2x3", "median:3 | stddev:3"])
def test_a_result_of_64_bits_has_their_digits_beside_missing_samples(dtype: str, spec: str) -> None:
    x = np.random.default_rng(8).integers(0, 99, (9, 12)).astype(dtype)
    x[x == NODATA] += 1
    want = filter_image(x.astype(float), spec, values=True)
    x[:2, :2] = NODATA
    got = filter_image(x, spec, values=True, nodata=(NODATA, -1), depth="float64")
    np.testing.assert_allclose(got[5:, 5:], want[5:, 5:], rtol=1e-14)
    assert (got[:2, :2] == -1).all()


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
@pytest.mark.parametrize("spec", ["median:3", "mode:3x4", "open:cross:1"])
def test_values_of_64_bits_are_exact_where_none_is_missing(dtype: str, spec: str) -> None:
    ends = np.iinfo(dtype)
    x = np.random.default_rng(3).integers(ends.min, ends.max, (9, 11), dtype, endpoint=True)
    got, order = filter_image(x, spec), np.unique(x)  # ranks of the samples instead of them
    want = order[filter_image(np.searchsorted(order, x).astype(np.int32), spec)]
    np.testing.assert_array_equal(got, want)
    assert (np.abs(x.astype(float)) > 2**53).any()
    with pytest.raises(UsageError, match="too large for exact results"):
        filter_image(x, spec, nodata=int(x[3, 3]))
    with pytest.raises(UsageError, match="too large for exact results"):
        filter_image(x, f"{spec} | max:3")
    with pytest.raises(UsageError, match="too large for exact sums"):
        filter_image(x, f"{spec} | box:3")


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
@pytest.mark.parametrize(
    "spec", ["range:3", "stddev:3", "tophat:3 | box:3", "erode:heights:0 9; 3 1", "range | range"]
)
def test_64_bits_go_through_what_they_fit(spec: str, dtype: str) -> None:
    x = np.random.default_rng(4).integers(0, 9000, (9, 11), dtype)
    got = filter_image(x, spec, range="clip")
    want = filter_image(x.astype(float), spec, values=True, range="clip")
    np.testing.assert_array_equal(got, np.rint(want).clip(np.iinfo(dtype).min))
    with pytest.raises(UsageError, match=r"too large for exact (sums|results)"):
        filter_image(x + np.dtype(dtype).type(2**52), spec, range="clip")


# ------------------------------------------------------------------ several steps

COMPOSITES: dict[str, tuple[str, ...]] = {
    "open:3x2": ("erode", "dilate"),
    "close:1 1 0; 0 1 1": ("dilate", "erode"),
    "tophat:cross:1": ("erode", "dilate"),
    "blackhat:2": ("dilate", "erode"),
    "morph-gradient:3": ("dilate", "erode"),
    "range:3x2": ("max", "erode"),
}
STEPS: dict[str, tuple[Take, bool]] = {
    "erode": (min, False),
    "dilate": (max, True),
    "max": (max, False),
}


def in_turn(x: np.ndarray, there: np.ndarray, spec: str, border: str) -> np.ndarray:
    """As floats, NaN where nothing votes; a sample of one step that has no value does not vote."""
    kernel, name = load_kernel(spec), spec.partition(":")[0]

    def step(which: str, x: np.ndarray) -> np.ndarray:
        found = filtered(x, ~np.isnan(x), kernel, *STEPS[which], fill=True, border=border)
        return np.array(found, float)

    first, second = COMPOSITES[spec]
    x = np.where(there, x, np.nan).astype(float)
    one = step(first, x)
    if name in ("morph-gradient", "range"):
        return one - step(second, x)
    two = step(second, one)
    return {"tophat": x - two, "blackhat": two - x}.get(name, two)


@pytest.mark.parametrize("border", ["reflect", "missing", "wrap"])
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
@pytest.mark.parametrize("spec", COMPOSITES)
def test_steps_of_one_input(dtype: str, spec: str, border: str) -> None:
    x, there = raster(dtype, 3)
    x = np.where(there, x // 3, x).astype(dtype)  # no difference is that which says missing
    there &= x != NODATA
    nodata = {} if x.dtype.kind == "f" else {"nodata": (NODATA, -1), "depth": "int32"}
    got = filter_image(x, spec, values=True, border=border, **nodata)
    want = np.where(there, in_turn(x, there, spec, border), np.nan)
    if x.dtype.kind != "f":
        want = np.where(np.isnan(want), -1, want)
    np.testing.assert_array_equal(got, want)
    assert 0.1 < there.mean() < 0.9


@pytest.mark.parametrize("spec", COMPOSITES)
def test_steps_beside_transparent_pixels(spec: str) -> None:
    x = picture("uint8")
    votes = np.repeat(x[..., 3:] > 0, 3, axis=-1)
    want = in_turn(x[..., :3], votes, spec, "reflect")
    want = np.where(np.isnan(want), x[..., :3], want).clip(0, 255)
    got = filter_image(x, spec)
    np.testing.assert_array_equal(got[..., 3], x[..., 3])
    np.testing.assert_array_equal(got[..., :3], want)


def test_alpha_of_a_raster_says_what_is_missing() -> None:
    x, there = raster("int16", 9)
    lost = ~there.any(axis=-1)
    there = np.repeat(~lost[..., None], 2, axis=-1)
    source = Source("memory", "bands", True, x.dtype, x.shape[:2],
                    [Frame(np.dstack([x, np.where(lost, 0, 9).astype(np.int16)]))], bands=2)  # fmt: skip
    made = Filter(source, load_chain("median:3"), FilterOptions(values=True))
    stage = made.stage(source.first, simple=made.is_simple(source.first))
    got = stage.read((((0, 8),), ((0, 9),)))
    want = filtered(x, there, load_kernel("median:3"), middle, False)
    np.testing.assert_array_equal(got[..., 2] == 0, lost)
    for at in np.ndindex(8, 9):
        if not lost[at]:
            np.testing.assert_array_equal(got[at][:2], want[at[0]][at[1]])
    assert lost.any()


@pytest.mark.parametrize("own", [{"scale": 2.0}, {"bias": 1.0}, {"absolute": True}])
def test_a_kernel_that_is_no_sum_has_no_scale_or_bias(own: dict[str, Any]) -> None:
    with pytest.raises(KernelError, match="'median' is no sum: it has no scale, bias or absolute"):
        filter_image(np.zeros((4, 5)), load_kernel("median").replace(**own))


# ------------------------------------------------------------------ transparency


def picture(dtype: str) -> np.ndarray:
    """Colours, and alpha of which a block is 0 and little is opaque."""
    rng = np.random.default_rng(4)
    x = rng.random((9, 11, 4)).astype(dtype)
    if not dtype.startswith("float"):
        x = (rng.random((9, 11, 4)) * np.iinfo(dtype).max).astype(dtype)
    x[..., 3] *= rng.random((9, 11)) > 0.3
    x[:5, :5, 3] = 0
    return x


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("spec", OPERATIONS)
def test_transparent_pixels_do_not_vote_and_alpha_is_left_as_it_is(dtype: str, spec: str) -> None:
    x = picture(dtype)
    votes = np.repeat(x[..., 3:] > 0, 3, axis=-1)
    take, mirrored = OPERATIONS[spec]
    want = filtered(x[..., :3], votes, load_kernel(spec), take, mirrored, own=True)
    got = filter_image(x, spec)
    np.testing.assert_array_equal(got[..., 3], x[..., 3])
    np.testing.assert_array_equal(got[..., :3], np.array(want, dtype))
    seen = x.copy()
    seen[..., 3] = seen[..., 3] // 2 + 1 if x.dtype.kind == "u" else 0.5
    want = filtered(seen[..., :3], votes | True, load_kernel(spec), take, mirrored)
    np.testing.assert_array_equal(filter_image(seen, spec)[..., :3], np.array(want, dtype))


def test_alpha_of_the_centre_follows_a_stride_and_a_mirrored_footprint() -> None:
    x = picture("uint8")[:, :9]
    opaque = x.copy()
    opaque[..., 3] = np.arange(1, 82).reshape(9, 9)
    for some in (x, opaque):  # through floats, and in one plan
        got = filter_image(some, "dilate:2 | median:3", stride=2)
        np.testing.assert_array_equal(got[..., 3], some[::2, ::2, 3][::2, ::2])
        got = filter_image(some, "erode:2", padding="valid")
        np.testing.assert_array_equal(got[..., 3], some[:-1, :-1, 3])
        got = filter_image(some, "dilate:2", padding="valid")
        np.testing.assert_array_equal(got[..., 3], some[1:, 1:, 3])


def test_where_nothing_votes_a_picture_keeps_its_value() -> None:
    x = np.arange(24, dtype=np.uint8).reshape(4, 6)
    beside = Kernel([[0, 0, 1]], name="right", operation="rank", numbers=(50,))
    got = filter_image(x, beside, border="missing")
    np.testing.assert_array_equal(got, np.concatenate([x[:, 1:], x[:, -1:]], axis=1))


@pytest.mark.parametrize("options", [{"luma": True}, {"linear": True}], ids=str)
def test_light(options: dict[str, bool]) -> None:
    """A rank of light is that of the samples; of brightness, the chroma is that of the centre."""
    x = picture("uint8")
    if "linear" in options:
        np.testing.assert_array_equal(
            filter_image(x, "median", **options), filter_image(x, "median")
        )
        return
    x[..., 3] = 255
    flat = x.copy()
    flat[..., :3] = x[..., :1]
    np.testing.assert_array_equal(
        filter_image(flat, "median", **options), filter_image(flat, "median")
    )


# ------------------------------------------------------------------ chains and parts


def test_a_chain_with_sums_beside_missing_samples() -> None:
    x, there = raster("int16", 5)
    some = {"values": True, "nodata": NODATA}
    for first, second in (("median:3", "box:3"), ("box:3", "erode:3"), ("max:3", "median:3")):
        apart = filter_image(filter_image(x, first, depth="float32", nodata=(NODATA, math.nan),
                                          values=True), second, values=True)  # fmt: skip
        chain = filter_image(x, f"{first} | {second}", depth="float32", nodata=(NODATA, math.nan),
                             values=True)  # fmt: skip
        np.testing.assert_allclose(chain, apart, rtol=1e-6)
        assert (filter_image(x, f"{first} | {second}", **some) != NODATA).any()
    assert not there.all()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
@pytest.mark.parametrize("spec", ["median:3 | box:3 | dilate:2", "percentile:90,5 | erode:disk:2"])
@pytest.mark.parametrize("stride", [1, 2])
def test_parts_are_the_whole_to_the_bit(stages: Any, dtype: str, spec: str, stride: int) -> None:
    x = np.random.default_rng(6).normal(90, 30, (60, 70, 3)).astype(dtype)
    x[10:30, 5:60] = np.nan if dtype == "float32" else NODATA
    options = {"nodata": NODATA, "stride": stride}
    whole = stages(x, spec, **options)
    np.testing.assert_array_equal(stages(x, spec, (7, 20), **options), whole)
    assert 0 < (whole == NODATA).mean() < 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    "spec",
    ["median:3 | box:3 | dilate:2", "percentile:90,5 | erode:disk:2", "bilateral:1.5,40"],
)
def test_parts_of_a_picture_with_alpha_are_the_whole_to_the_bit(dtype: str, spec: str) -> None:
    x = np.repeat(np.repeat(picture(dtype), 5, axis=0), 4, axis=1)
    source = Source("memory", "rgb", True, x.dtype, x.shape[:2], [Frame(x)])
    made = Filter(source, load_chain(spec), FilterOptions())
    assert not made.is_simple(source.first)
    stage = made.stage(source.first, simple=False)
    whole = stage.read((((0, 45),), ((0, 44),)))
    for rows, cols in (((0, 7), (0, 44)), ((8, 29), (3, 11)), ((29, 45), (0, 40))):
        part = stage.read(((rows,), (cols,)))
        np.testing.assert_array_equal(part, whole[slice(*rows), slice(*cols)])
