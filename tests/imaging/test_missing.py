"""Missing samples beside the loop of tests/data/missing_reference.py: all that can be varied."""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli import Kernel, UsageError, filter_image
from convcli.arithmetic.borders import BORDERS, parse_border
from convcli.engine.cpu.c_loops import loops
from convcli.kernels.load import load_kernel

NODATA = 7
Grid = dict[tuple[int, int], Any]
"""The samples of one band that are there, by row and column."""


def load_reference() -> Any:
    path = Path(__file__).parents[1] / "data" / "missing_reference.py"
    spec = importlib.util.spec_from_file_location("missing_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.reference


reference = load_reference()


# ------------------------------------------------------------------ pictures


def raster(
    dtype: str,
    shape: tuple[int, int, int] = (7, 9, 3),
    shares: Sequence[float] = (0, 0.05, 0.5),
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, list[Grid]]:
    """Noise, where it is there, and the same as fractions; each band with its share missing."""
    rng = np.random.default_rng(seed)
    if dtype.startswith("float"):
        x = (rng.integers(-999, 999, shape) / 8).astype(dtype)
    else:
        info = np.iinfo(dtype)
        x = rng.integers(max(info.min, -9000), min(info.max, 9000), shape, endpoint=True).astype(
            dtype
        )
        x[x == NODATA] = NODATA + 1
    there = rng.random(shape) >= np.asarray(shares)
    bands = [
        {(i, j): x[i, j, c].item() for i, j in zip(*there[..., c].nonzero(), strict=True)}
        for c in range(shape[2])
    ]
    x[~there] = np.nan if x.dtype.kind == "f" else NODATA
    return x, there, bands


def given(x: np.ndarray) -> dict[str, Any]:
    """What says which samples are missing."""
    return {"values": True} | ({} if x.dtype.kind == "f" else {"nodata": NODATA})


def as_samples(value: Fraction, dtype: np.dtype[Any]) -> int:
    """A whole number, halves to the even one, clipped; the value that says missing is avoided."""
    info = np.iinfo(dtype)
    kept = min(max(round(value), info.min), info.max)
    return kept + 1 if kept == NODATA else kept


def compare(
    got: np.ndarray, want: Grid, size: tuple[int, int], exact: bool, largest: float = 0.0
) -> None:
    """A band of the result beside the reference."""
    assert got.shape == size
    missing = np.isnan(got) if got.dtype.kind == "f" else got == NODATA
    there = np.zeros(size, bool)
    for at in want:
        there[at] = True
    np.testing.assert_array_equal(missing, ~there)
    top = max([largest, 1.0, *(abs(float(v)) for v in want.values())])
    for at, value in want.items():
        if got.dtype.kind != "f":
            kept = as_samples(value, got.dtype)
            assert abs(int(got[at]) - kept) <= (0 if exact else 1), (at, got[at], float(value))
        else:
            error = 1e-12 if got.dtype == np.float64 else 2e-6
            assert abs(float(got[at]) - float(value)) <= error * top, (at, got[at], float(value))


def scale_of(kernel: Kernel) -> Fraction:
    return Fraction(kernel.scale).limit_denominator(1000)


def largest_sum(x: np.ndarray, kernel: Kernel) -> float:
    """A bound of every sum, to which errors of rounding are relative."""
    samples = np.abs(np.nan_to_num(x.astype(float))).max()
    return float(samples * np.abs(kernel.weights).sum() * kernel.scale)


def check(x: np.ndarray, bands: list[Grid], kernel: Kernel, way: str, **options: Any) -> None:
    """Filter and compare every band."""
    ours = filter_image(x, kernel, **given(x), **options)
    options["least"] = options.pop("min_valid", 0.0)
    options.pop("missing", None)
    largest = largest_sum(x, kernel)
    for band, samples in enumerate(bands):
        want, size = reference(
            samples, x.shape[:2], kernel.weights, scale_of(kernel), way=way, **options
        )
        compare(ours[..., band], want, size, True, largest)


MEAN = Kernel(np.ones((3, 5)), 1 / 15, name="mean")
TENT = Kernel([[1, 2, 1], [2, 4, 2], [1, 2, 1]], 1 / 16, name="tent")
LOPSIDED = Kernel([[0, 3, 1, 0], [2, 0, 5, 1]], name="lopsided")
SLOPE = Kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], name="slope")
SHARP = Kernel([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], name="sharp")
WAYS = {"mean": MEAN, "tent": TENT, "lopsided": LOPSIDED, "slope": SLOPE, "sharp": SHARP}


def way_by_itself(kernel: Kernel) -> str:
    return "centre" if (kernel.weights < 0).any() else "renormalize"


# ------------------------------------------------------------------ parity

TYPES = [
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float32",
    "float64",
]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", WAYS)
def test_every_type(dtype: str, name: str) -> None:
    x, _, bands = raster(dtype)
    check(x, bands, WAYS[name], way_by_itself(WAYS[name]))


@pytest.mark.parametrize("border", [*BORDERS, "constant:7.5"])
@pytest.mark.parametrize("name", ["lopsided", "slope"])
def test_every_border(border: str, name: str) -> None:
    x, _, bands = raster("int16", seed=1)
    check(x, bands, WAYS[name], way_by_itself(WAYS[name]), border=border)


def test_a_border_of_missing_cells_is_known() -> None:
    assert parse_border("missing").mode == "missing"
    assert "missing" in BORDERS


@pytest.mark.parametrize("shares", [(0, 0, 0), (1, 0.5, 0), (1, 1, 1)], ids=str)
@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("options", [{}, {"fill": True}, {"border": "missing"}], ids=str)
def test_every_share(shares: tuple[float, ...], dtype: str, options: dict[str, Any]) -> None:
    x, _, bands = raster(dtype, shares=shares, seed=2)
    check(x, bands, TENT, "renormalize", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"stride": 2},
        {"stride": 3, "border": "missing"},
        {"dilation": 2, "border": "wrap"},
        {"dilation": 2, "stride": 2, "border": "missing"},
        {"padding": "valid"},
        {"padding": "full", "fill": True, "border": "missing"},
        {"flip": True},
        {"fill": True},
        {"fill": True, "flip": True, "border": "missing", "stride": 2},
        {"min_valid": 0.5},
        {"min_valid": 0.75, "fill": True, "border": "missing"},
        {"missing": "centre"},
        {"missing": "centre", "min_valid": 0.6, "flip": True},
        {"missing": "propagate", "border": "symmetric"},
        {"missing": "propagate", "border": "missing", "dilation": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["lopsided", "mean"])
def test_every_option(options: dict[str, Any], name: str) -> None:
    x, _, bands = raster("int32", seed=3)
    check(x, bands, WAYS[name], options.get("missing", "renormalize"), **options)


@pytest.mark.parametrize("options", [{"stride": 2}, {"padding": "valid"}, {"flip": True}], ids=str)
def test_slopes_with_other_shapes(options: dict[str, Any]) -> None:
    x, _, bands = raster("float64", seed=4)
    check(x, bands, SLOPE, "centre", **options)


ALGORITHMS = [
    ("mean", "direct"), ("mean", "separable"), ("mean", "box"), ("tent", "separable"), ("tent", "fft"),
    ("lopsided", "direct"), ("lopsided", "fft"), ("slope", "separable"), ("slope", "fft"),
]  # fmt: skip


@pytest.mark.parametrize("which", ["compiled", "numpy"])
@pytest.mark.parametrize(("name", "algorithm"), ALGORITHMS)
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_every_algorithm(
    name: str, algorithm: str, dtype: str, which: str, monkeypatch: pytest.MonkeyPatch, stages: Any
) -> None:
    if which == "numpy":
        monkeypatch.setenv("CONVCLI_LOOPS", "numpy")
    elif not loops().compiled:
        pytest.skip("the loops are not compiled")
    x, _, bands = raster(dtype, seed=5)
    kernel, way = WAYS[name], way_by_itself(WAYS[name])
    got = stages(x, kernel, algorithm=algorithm, **given(x))
    for band, samples in enumerate(bands):
        want, size = reference(samples, x.shape[:2], kernel.weights, scale_of(kernel), way=way)
        compare(got[..., band], want, size, True, largest_sum(x, kernel))


@pytest.mark.parametrize(
    "chain", ["gaussian:1", "box:5", "sobel", "sum:3", "box:9 | sobel-x", "sharpen"]
)
@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("border", ["reflect", "missing"])
@pytest.mark.parametrize("stride", [1, 2])
def test_parts_are_the_whole_to_the_bit(
    chain: str, dtype: str, border: str, stride: int, stages: Any
) -> None:
    x, _, _ = raster(dtype, (61, 47, 2), (0.05, 0.5), seed=6)
    x[20:35, 10:30] = np.nan if dtype == "float32" else NODATA  # some parts have nothing at all
    options = {"border": parse_border(border), "stride": stride, **given(x)}
    np.testing.assert_array_equal(
        stages(x, chain, (13, 20), **options), stages(x, chain, **options)
    )


@pytest.mark.parametrize("dtype", ["int16", "float64"])
def test_a_chain_hands_on_what_is_missing(dtype: str) -> None:
    """The second kernel sees what the first made, unrounded, and what it could not make."""
    x, _, bands = raster(dtype, seed=7)
    options: dict[str, Any] = {"border": "missing", "min_valid": 0.5}
    got = filter_image(x, [TENT, LOPSIDED], **given(x), **options)
    for band, samples in enumerate(bands):
        first, size = reference(
            samples, x.shape[:2], TENT.weights, Fraction(1, 16), border="missing", least=0.5
        )
        want, size = reference(first, size, LOPSIDED.weights, border="missing", least=0.5)
        compare(got[..., band], want, size, False, 9e4)


def test_slopes_follow_holes_through_a_chain() -> None:
    x, _, bands = raster("float64", seed=8)
    got = filter_image(x, [MEAN, SLOPE], values=True)
    for band, samples in enumerate(bands):
        first, size = reference(samples, x.shape[:2], MEAN.weights, Fraction(1, 15))
        want, size = reference(first, size, SLOPE.weights, way="centre")
        compare(got[..., band], want, size, False)


def test_magnitudes_are_made_of_slopes_that_know_holes() -> None:
    """A slope of which nothing is there is flat, and where the centre is there, so is the result."""
    x, _, bands = raster("float64", seed=9)
    got = filter_image(x, "sobel", values=True)
    members = load_kernel("sobel").weights
    for band, samples in enumerate(bands):
        slopes = [reference(samples, x.shape[:2], w, way="centre")[0] for w in members]
        assert (~np.isnan(got[..., band])).sum() == len(samples)
        for at in samples:
            want = math.hypot(*(slope[at] for slope in slopes))
            assert got[(*at, band)] == pytest.approx(want, rel=1e-12)


def test_a_kernel_across_bands_propagates() -> None:
    x, there, _ = raster("float64", seed=10)
    bank = Kernel(
        np.array([[[[1.0]], [[-2.0]], [[0.0]]], [[[0.0]], [[0.0]], [[3.0]]]]), name="bank"
    )
    got = filter_image(x, bank, values=True)
    wanted = np.stack([x[..., 0] - 2 * x[..., 1], 3 * x[..., 2]], axis=-1)
    np.testing.assert_allclose(got, wanted)  # NaN where a band that counts is missing
    assert np.isnan(got[..., 0]).sum() == (~there[..., :2]).any(axis=-1).sum() > 0
    with pytest.raises(UsageError, match="propagate"):
        filter_image(x, bank, values=True, missing="renormalize")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_picture_with_nothing_outside_keeps_its_levels(dtype: str) -> None:
    x, _, bands = raster(dtype, shares=(0, 0, 0), seed=11)
    got = filter_image(x, TENT, border="missing")
    np.testing.assert_array_equal(got, filter_image(x, TENT, border="missing", values=True))
    white, floats = np.iinfo(dtype).max, filter_image(x, TENT, border="missing", depth="float")
    deep = filter_image(x, TENT, border="missing", depth="16").astype(float)
    for band, samples in enumerate(bands):
        want, _ = reference(samples, x.shape[:2], TENT.weights, scale_of(TENT), border="missing")
        for at, value in want.items():
            assert floats[(*at, band)] == pytest.approx(float(value) / white, abs=1e-6)
            assert abs(deep[(*at, band)] - float(value) / white * 65535) <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("chain", "how"),
    [
        ("sobel", {}),
        ("box:3 | box:3", {}),
        ("gaussian:1 | sobel-x", {}),
        ("sharpen", {"scale": 2.0}),
        ("laplacian", {"bias": 0.5}),
        ("gaussian:2", {"scale": 0.1, "bias": 3.0}),
    ],
)
@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_64_bits_go_through_every_chain_whose_sums_they_fit(
    chain: str, how: dict[str, Any], dtype: str
) -> None:
    """It is the samples that count, not what the type could hold."""
    x = np.random.default_rng(12).integers(0, 9000, (13, 17)).astype(dtype)
    x[3:5, 6], x[0, 0] = NODATA, 10**9
    got = filter_image(x, chain, nodata=NODATA, range="clip", **how)
    want = filter_image(x.astype(float), chain, nodata=NODATA, range="clip", **how)
    want = want.clip(np.iinfo(dtype).min).round()
    same = (got == want) | (want == NODATA)
    assert same.all(), (got[~same], want[~same])
    with pytest.raises(UsageError, match="too large for exact sums"):
        filter_image(x + np.dtype(dtype).type(2**52), chain, nodata=NODATA, range="clip", **how)


def test_a_wider_type_declares_the_value_that_was_named() -> None:
    """And not the one that the type of the samples had for it."""
    x = np.array([[1, 1e20, 3]], np.float32)
    got = filter_image(x, "identity", nodata=1e20, depth="float64")
    assert got.tolist() == [[1, 1e20, 3]]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"nodata": "3"}, "nodata is '3'"),
        ({"nodata": (1,)}, r"nodata is \(1,\)"),
        ({"nodata": [1, 2]}, "nodata is"),
        ({"nodata": (1, "none")}, "nodata is"),
        ({"missing": "center"}, "missing is 'center'"),
        ({"min_valid": 25}, "min_valid is 25"),
        ({"min_valid": math.nan}, "min_valid is nan"),
        ({"min_valid": "25%"}, "min_valid is '25%'"),
        ({"bands": 1}, "bands is 1"),
        ({"bands": [0]}, r"bands is \[0\]"),
        ({"bands": [1.5]}, "bands is"),
    ],
)
def test_words_that_python_could_say_by_mistake(how: dict[str, Any], said: str) -> None:
    """They were believed, or ended in an error that is no word of ours."""
    with pytest.raises(UsageError, match=said):
        filter_image(np.ones((3, 3)), "box:3", **how)


def test_masks_of_arrays_are_not_lost() -> None:
    x = np.arange(12.0).reshape(3, 4)
    with pytest.raises(UsageError, match=r"filled\(V\)"):
        filter_image(np.ma.masked_equal(x, 5), "box:3")
    np.testing.assert_array_equal(filter_image(np.ma.array(x), "box:3"), filter_image(x, "box:3"))


@pytest.mark.parametrize(
    ("mode", "how"),
    [("L", {"depth": "int16", "values": True}), ("RGB", {"bands": [1, 2]}), ("RGB", {"depth": 16})],
)
def test_what_pillow_cannot_hold_is_refused(mode: str, how: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Pillow has no image"):
        filter_image(Image.new(mode, (4, 3)), "box:3", **how)


@pytest.mark.parametrize("how", [{"linear": True}, {"luma": True}])
def test_light_leaves_nothing_out_and_says_so(how: dict[str, Any]) -> None:
    x = np.full((3, 4, 3), 7, np.uint8)
    with pytest.raises(UsageError, match="--nodata none"):
        filter_image(x, "box:3", values=False, nodata=7, **how)


def test_what_float32_cannot_hold_is_infinite_without_a_word() -> None:
    """NumPy warned of it on standard error."""
    x = np.full((5, 6), -3e38, np.float32)
    x[2, 2], x[4, 5] = np.nan, 3e38
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = filter_image(x, "sobel")
    assert np.isnan(got[2, 2])
    assert np.isinf(got[4, 4])
