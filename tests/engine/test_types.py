"""Every type of a raster against sums of Python integers, which neither round nor overflow."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np
import pytest

from convcli.arithmetic.borders import Border
from convcli.engine.dispatch import execute, stretched
from convcli.engine.numerics import LIMITS
from convcli.engine.plan import plan_filter
from convcli.engine.regions import run_plan
from convcli.errors import BackendError, UsageError
from convcli.kernels.kernel import Kernel

from .windows import reader

pytestmark = pytest.mark.usefixtures("loops")

RNG = np.random.default_rng(17)
GAUSS = np.exp(-(np.linspace(-2, 2, 5) ** 2))
KERNELS = {
    "whole": Kernel(RNG.integers(-9, 10, (3, 2)), bias=-3),
    "mean": Kernel(np.full((3, 5), 1 / 15)),
    "sum": Kernel(np.ones((5, 4)), bias=2),
    "gauss": Kernel(np.outer(GAUSS, GAUSS[1:-1]) / np.outer(GAUSS, GAUSS[1:-1]).sum()),
    "real": Kernel(RNG.normal(size=(3, 4)) / 3, bias=1.25),
    "sobel": Kernel(
        np.array([[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]]),
        combine="magnitude",
    ),
    "compass": Kernel(RNG.integers(-4, 5, (3, 2, 3)), combine="maximum", scale=0.5),
    "bank": Kernel(RNG.integers(-3, 4, (3, 2, 2, 3))),
}
BORDERS = [("constant", -77), ("edge", 0), ("reflect", 0), ("symmetric", 0), ("wrap", 0)]
MOST = 2**40
"""Of the samples in 64 bits: their sums stay below 2**53."""


def known(dtype):
    low, high = LIMITS[dtype]
    return max(low, -MOST), min(high, MOST)


def raster(dtype, shape, rng=RNG):
    """Values of the whole range, its ends among them."""
    low, high = known(dtype)
    x = rng.integers(low, high, shape, endpoint=True, dtype=dtype)
    x[rng.random(shape) < 0.2], x[rng.random(shape) < 0.1] = low, high
    return x


def sums(x, plane, rows, cols, border):
    """Of the weights, which are Python integers, times the samples, in every window."""
    options = {"constant_values": -1} if border.is_constant else {}
    down, across = (
        np.pad(np.arange(w.size), (w.before, w.after), mode=border.mode, **options)
        for w in (rows, cols)
    )
    cells = x.astype(object)[down[:, None], across]
    cells[(down < 0)[:, None] | (across < 0)] = int(border.value)
    total = 0
    for (i, j), weight in np.ndenumerate(plane):
        top, left = i * rows.dilation, j * cols.dilation
        part = cells[
            top : top + (rows.output - 1) * rows.stride + 1 : rows.stride,
            left : left + (cols.output - 1) * cols.stride + 1 : cols.stride,
        ]
        total = total + part * weight
    return total


def exact(x, kernel, step, border):
    """Values of the kernel as fractions, or their roots' squares where it is a magnitude."""
    w = kernel.weights
    unit = max(Fraction(float(v)).denominator for v in w.flat)
    whole = np.vectorize(lambda v: int(Fraction(float(v)) * unit), otypes=[object])(w)
    at = step.rows, step.cols, border
    if kernel.is_bank:
        members = [
            np.stack([sum(sums(x[..., c], f[c], *at) for c in range(len(f))) for f in whole], -1)
        ]
    else:
        members = [
            np.stack([sums(x[..., c], plane, *at) for c in range(x.shape[2])], -1)
            for plane in (whole[None] if w.ndim == 2 else whole)
        ]
    to_value = np.vectorize(lambda n: Fraction(n, unit) * Fraction(kernel.scale), otypes=[object])
    members = [to_value(m) for m in members]
    if kernel.combine == "magnitude":
        return sum(m * m for m in members)
    bias = Fraction(kernel.bias)
    return (members[0] if len(members) == 1 else np.maximum.reduce(members)) + bias


def rounded(kernel, value):
    if kernel.combine != "magnitude":
        return round(value)
    root = isqrt(int(value))
    return root + (value > root * root + root)


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("name", KERNELS)
def test_every_type_against_integers(name, dtype):
    kernel = KERNELS[name]
    low, high = LIMITS[dtype]
    for number, (mode, value) in enumerate(BORDERS):
        x = raster(dtype, (6 + number, 9, 2))
        border = Border(mode, max(value, low))
        stride = (1, (2, 3), 1, 2, (1, 2))[number]
        plan = plan_filter(
            x.shape, dtype, [kernel], border=border, stride=stride, values=True, bounds=known(dtype)
        )
        got = execute(plan, x)
        want = exact(x, kernel, plan.steps[0], border)
        whole = np.vectorize(lambda v: rounded(kernel, v), otypes=[object])(want)
        inside = np.clip(whole, low, high)
        off = np.abs(got.pixels.astype(object) - inside).max()
        if name in ("gauss", "real") or (name == "sobel" and "64" in dtype):
            assert off <= 1
        else:
            assert off == 0
            assert got.clipped == ((whole < low) | (whole > high)).sum()
        assert got.pixels.dtype == dtype


@pytest.mark.parametrize("dtype", LIMITS)
def test_floats_hold_what_the_values_are(dtype):
    x = raster(dtype, (7, 8, 2))
    for name in ("whole", "gauss", "sum"):
        kernel = KERNELS[name]
        plan = plan_filter(
            x.shape, dtype, [kernel], range="float", out_dtype="float64", values=True,
            bounds=known(dtype), precise=True,
        )  # fmt: skip
        got = execute(plan, x).pixels
        want = exact(x, kernel, plan.steps[0], Border())
        reach = float(np.abs(kernel.weights).sum()) * max(map(abs, known(dtype)))
        off = np.abs(got - want.astype(float)).max()
        assert off <= (0 if name != "gauss" else 1e-15 * reach)


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint32", "int64"])
@pytest.mark.parametrize("algorithm", ["direct", "separable", "box", "fft"])
def test_algorithms_and_regions_give_the_same_integers(dtype, algorithm):
    x, kernel = raster(dtype, (37, 53, 2)), Kernel(np.full((6, 5), 2.0), bias=-40)
    bounds = (-(2**30), 2**30) if dtype == "int64" else None
    x = np.clip(x, *bounds) if bounds else x
    options = {"bounds": bounds, "algorithm": algorithm, "threads": 1}
    plan = plan_filter(x.shape, dtype, [kernel], **options)
    got = execute(plan, x)
    want = exact(x, kernel, plan.steps[0], Border())
    low, high = LIMITS[dtype]
    whole = np.vectorize(round, otypes=[object])(want)
    assert (got.pixels == np.clip(whole, low, high).astype(dtype)).all()
    assert got.clipped == ((whole < low) | (whole > high)).sum()
    assert got.clipped or dtype == "int64"
    part, _ = run_plan(plan, reader(x), (((11, 30),), ((7, 50),)))
    assert (part == got.pixels[11:30, 7:50]).all()


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32", "float32", "float64"])
@pytest.mark.parametrize("target", LIMITS)
def test_a_change_of_type_keeps_values(dtype, target):
    if dtype in LIMITS:
        x = raster(dtype, (5, 7, 1))
    else:
        x = np.array([-1e30, -2.0**63, -129, -2.5, -0.5, 0.5, 1.5, 250, 1e5, 2.0**62, 2.0**63,
                      2.0**64, np.inf], dtype).reshape(1, -1, 1)  # fmt: skip
    plan = plan_filter(x.shape, dtype, [Kernel([[1.0]])], out_dtype=target, values=True)
    low, high = LIMITS[target]
    want = [
        round(v) if np.isfinite(v) else (high + 1 if v > 0 else low - 1) for v in x.ravel().tolist()
    ]
    got = execute(plan, x)
    assert got.pixels.ravel().tolist() == [min(max(v, low), high) for v in want]
    assert got.clipped == sum(not low <= v <= high for v in want)


@pytest.mark.parametrize("dtype", LIMITS)
def test_outputs_past_the_caches_and_in_float32_sums(dtype, monkeypatch):
    """What is too large for the caches takes another way to memory, in pieces."""
    monkeypatch.setattr("convcli.engine.cpu.compiled_loops._STREAMED", 0)
    x = RNG.integers(0, 256, (3, 401, 2), np.uint8)
    for name in ("whole", "mean"):
        plan = plan_filter(x.shape, "uint8", [KERNELS[name]], out_dtype=dtype, values=True)
        want = exact(x, KERNELS[name], plan.steps[0], Border())
        whole = np.clip(np.vectorize(round, otypes=[object])(want), *LIMITS[dtype])
        assert (execute(plan, x).pixels == whole).all()


def test_compiled_loops_read_every_type(loops):
    for dtype in LIMITS:
        plan = plan_filter((64, 64, 1), dtype, [KERNELS["mean"]], bounds=(0, 100))
        assert plan.loops.name == loops
        assert ("64" in dtype) or plan.steps[0].accumulate == "int16"
    x = raster("int16", (30, 33, 1))
    box = plan_filter(x.shape, "int16", [Kernel(np.ones((12, 12)))], out_dtype="int32")
    assert box.steps[0].algorithm == "box"
    want = exact(x, Kernel(np.ones((12, 12))), box.steps[0], Border())
    assert (execute(box, x).pixels == want).all()


@pytest.mark.parametrize("dtype", LIMITS)
@pytest.mark.parametrize("target", ["int8", "int32", "uint64"])
def test_small_sums_of_boxes_and_transforms(dtype, target):
    """In 16 bits, from and to types that have more or less."""
    x = RNG.integers(0, 100, (17, 19, 2), dtype=dtype)
    kernel = Kernel(np.ones((4, 5)))
    for algorithm in ("box", "fft"):
        for value in (40000, -40000, 3):
            border = Border("constant", value)
            options = {"bounds": (0, 100), "algorithm": algorithm, "border": border}
            plan = plan_filter(x.shape, dtype, [kernel], out_dtype=target, values=True, **options)
            want = exact(x, kernel, plan.steps[0], border)
            whole = np.clip(np.vectorize(round, otypes=[object])(want), *LIMITS[target])
            assert (execute(plan, x).pixels == whole).all()


def test_a_chain_leaves_out_nothing_that_is_seen_in_32_bits():
    rng = np.random.default_rng(2)
    column, row = rng.random((2, 9)), rng.random((2, 9))
    weights = np.outer(column[0], row[0]) + 5e-8 * np.outer(column[1], row[1])
    kernel = Kernel(weights / weights.sum())
    x = raster("int32", (20, 21, 1))
    pick = Kernel([[1.0, 0], [0, 0]])
    plan = plan_filter(x.shape, "int32", [kernel, pick], algorithm="separable")
    assert plan.steps[0].algorithm == "separable"
    got = execute(plan, x).pixels
    want = exact(x, kernel, plan.steps[0], Border())
    assert np.abs(got - np.vectorize(round, otypes=[object])(want)).max() <= 1


def test_what_is_not_within_a_level_is_not_offered():
    weights = np.full((9, 9), 0.1 / 80)
    weights[4, 4] = 0.9**0.7  # no multiple of the others
    kernel = Kernel(weights)
    for most, there in ((2**40, True), (2**47, False)):
        step = plan_filter((99, 99, 1), "int64", [kernel], bounds=(-most, most)).steps[0]
        assert ("fft" in {c.name for c in step.candidates}) == there
    to_whole = plan_filter((9, 9, 1), "float32", [kernel], out_dtype="int16", values=True)
    assert to_whole.steps[0].accumulate == "float64"
    for values in (False, True):
        step = plan_filter((99, 99, 1), "uint8", [KERNELS["gauss"]], values=values).steps[0]
        notes = [c.note for c in step.candidates if c.name == "separable"]
        assert not (values and "in 16 bits" in notes[0])


def test_stretched_values_that_are_none_are_the_lowest():
    values = np.array([np.nan, 1.0, 2.0])
    for dtype in ("int64", "uint64", "int16"):
        assert stretched(values, 1.0, 2.0, dtype).tolist() == [0, 0, LIMITS[dtype][1]]


def test_units_are_the_samples_own():
    x = np.array([[[-300], [20], [7]]], np.int16)
    one = Kernel([[1.0]], bias=100)
    assert execute(plan_filter(x.shape, "int16", [one]), x).pixels.ravel().tolist() == [
        -200,
        120,
        107,
    ]
    shown = plan_filter(x.shape, "int16", [Kernel([[1.0]])], out_dtype="uint16", range="offset")
    assert execute(shown, x).pixels.ravel().tolist() == [32468, 32788, 32775]
    y = np.array([[[10], [20], [255]]], np.uint8)
    wide = plan_filter(y.shape, "uint8", [one], out_dtype="uint16", values=True)
    assert execute(wide, y).pixels.ravel().tolist() == [110, 120, 355]
    for target, top in (("int16", 32767), ("uint8", 255), ("int64", 2**63 - 1), ("float32", 1.0)):
        plan = plan_filter(x.shape, "int16", [Kernel([[1.0]])], range="stretch", out_dtype=target)
        done = execute(plan, x)
        assert (done.pixels.min(), done.pixels.max()) == (0, top)
        assert (done.low, done.high) == (-300, 20)


def test_what_cannot_be_exact_is_refused_in_one_line():
    for dtype in ("int64", "uint64"):
        with pytest.raises(UsageError, match=r"may reach .* exact up to .*--depth float64"):
            plan_filter((5, 5, 1), dtype, [Kernel([[1.0, 2.0]])])
        plan_filter((5, 5, 1), dtype, [Kernel([[1.0, 2.0]])], out_dtype="float64")
        plan_filter((5, 5, 1), dtype, [Kernel([[1.0, 2.0]])], bounds=(0, 2**53 // 3))
        with pytest.raises(UsageError, match="may reach"):
            plan_filter((5, 5, 1), dtype, [Kernel([[1.0, 2.0]])], bounds=(0, 2**53 // 3 + 1))
        with pytest.raises(UsageError, match="may reach"):
            plan_filter((5, 5, 1), dtype, [KERNELS["gauss"]], bounds=(0, 2**52))
    for target in ("int8", "int32", "float32"):
        with pytest.raises(UsageError, match="room for negative values"):
            plan_filter((5, 5, 1), "int32", [Kernel([[1.0]])], range="offset", out_dtype=target)
    with pytest.raises(UsageError, match="finite and in order"):
        plan_filter((5, 5, 1), "int16", [Kernel([[1.0]])], bounds=(3, 2))
    with pytest.raises(UsageError, match="no sample of type uint8"):
        plan_filter((5, 5, 1), "uint8", [Kernel([[1.0]])], bounds=(-3, -2))


def test_a_gpu_takes_every_type_and_refuses_weights_near_0(monkeypatch):
    monkeypatch.setattr("convcli.engine.gpu.device.require_device", lambda n=0: "a GPU")
    for dtype in ("int8", "int16", "uint32", "int32"):
        assert plan_filter((5, 5, 1), dtype, [Kernel([[1.0]])], backend="cupy").backend.on_gpu
    near, smaller = Kernel([[1.0, 2.0**-100]]), Kernel([[1.0, 2.0**-101]], name="faint")
    masks = {"dtype": "uint8", "bounds": (0, 1), "range": "float", "values": True}
    assert plan_filter((5, 5, 1), kernels=[smaller], **masks, backend="cupy").backend.on_gpu
    assert plan_filter((5, 5, 1), kernels=[near], **masks, relative=True, backend="cupy")
    words = "faint has weights near 0, which is done on the CPU only"
    with pytest.raises(BackendError, match=f"cupy: {words}"):
        plan_filter((5, 5, 1), kernels=[smaller], **masks, relative=True, backend="cupy")
    plan = plan_filter((5, 5, 1), kernels=[smaller], **masks, relative=True)
    assert plan.backend_reason == words


def test_a_gpu_makes_no_transforms_where_it_has_to_be_exact(monkeypatch):
    monkeypatch.setattr("convcli.engine.gpu.device.require_device", lambda n=0: "a GPU")
    weights = np.random.default_rng(3).random((61, 61))
    ways = {
        name: plan_filter(
            (900, 900, 1), "float32", [Kernel(weights)], range="float", backend=name, **how
        ).steps[0].method.transform
        for name, how in [("cupy", {"relative": True}), ("cupy:1", {"precise": True}),
                          ("numpy", {"relative": True})]
    }  # fmt: skip
    assert ways == {"cupy": "", "cupy:1": "", "numpy": "float64"}


@pytest.mark.parametrize("size", [(9, 9), (31, 31), (64, 64)])
@pytest.mark.parametrize("whole", [True, False])
def test_sums_of_a_mask_are_right_beside_the_smallest_weight(size, whole):
    """One cell votes, wherever it stands under the kernel."""
    rng = np.random.default_rng(5)
    if whole:
        weights = rng.integers(1, 9, size).astype(float)
    else:
        weights = np.exp(-sum((4 * (2 * g / (n - 1) - 1)) ** 2 for g, n in
                              zip(np.indices(size), size, strict=True)))  # fmt: skip
    weights /= weights.sum()
    x = np.zeros((130, 140, 1), np.uint8)
    x[70, 60] = 1
    plan = plan_filter(
        x.shape, "uint8", [Kernel(weights)], range="float", bounds=(0, 1), border=Border("constant"),
        relative=True, precise=True, out_dtype="float64",
    )  # fmt: skip
    got = execute(plan, x).pixels[..., 0]
    up, left = plan.steps[0].rows.before, plan.steps[0].cols.before
    top, side = 70 + up, 60 + left
    part = got[top - size[0] + 1 : top + 1, side - size[1] + 1 : side + 1]
    np.testing.assert_allclose(part, weights[::-1, ::-1], rtol=1e-7)
    got[top - size[0] + 1 : top + 1, side - size[1] + 1 : side + 1] = 0
    assert np.abs(got).max() <= weights.min() * 2.0**-24


def test_an_algorithm_that_would_lose_small_weights_is_not_offered():
    weights = np.outer(GAUSS, GAUSS) + np.outer(GAUSS, GAUSS[::-1] * np.arange(5)) * 1e-13
    loose, strict = (
        plan_filter((64, 64, 1), "float32", [Kernel(weights)], relative=relative).steps[0]
        for relative in (False, True)
    )
    assert {"separable", "fft"} <= {c.name for c in loose.candidates}
    far = np.exp(-(np.linspace(-9, 9, 40) ** 2)) + 1e-13
    kernel = Kernel(np.add.outer(far, far[::-1]) * np.outer(far, far))
    names = {
        c.name
        for c in plan_filter((64, 64, 1), "float32", [kernel], relative=True).steps[0].candidates
    }
    assert names == {"direct"}
    assert strict.candidates


def test_weights_that_float32_loses_are_summed_in_float64():
    kernel = Kernel([[1e-60, 1.0, 0.3]])
    options = {"range": "float", "bounds": (0, 1), "border": Border("constant")}
    steps = [
        plan_filter((1, 9, 1), "uint8", [kernel], relative=relative, **options).steps[0]
        for relative in (False, True)
    ]
    assert [step.accumulate for step in steps] == ["float32", "float64"]


def test_sums_in_float64_where_asked_for():
    kernel = KERNELS["real"]
    assert plan_filter((9, 9, 1), "float32", [kernel]).steps[0].accumulate == "float32"
    assert (
        plan_filter((9, 9, 1), "float32", [kernel], precise=True).steps[0].accumulate == "float64"
    )
    assert plan_filter((9, 9, 1), "int32", [kernel]).steps[0].accumulate == "float64"


def test_a_picture_narrower_than_the_stride_goes_through_transforms():
    x = np.arange(48, dtype=np.uint8).reshape(16, 1, 3)
    kernel = Kernel(RNG.integers(-5, 9, (8, 1)))
    plan = plan_filter(x.shape, "uint8", [kernel], stride=2, algorithm="fft")
    whole = np.vectorize(round)(exact(x, kernel, plan.steps[0], Border()))
    assert (execute(plan, x).pixels == np.clip(whole, 0, 255)).all()


def test_a_border_beyond_the_bounds_counts():
    """Terms that are left out would be seen there, though every sample is 0."""
    rng = np.random.default_rng(3)
    kernel = Kernel(rng.normal(size=(8, 2)) @ rng.normal(size=(2, 5)))
    x = np.zeros((9, 10, 1), np.int32)
    border = Border("constant", -23937.0)
    plan = plan_filter(
        x.shape, "int32", [kernel], border=border, bounds=(0, 0), algorithm="separable"
    )
    want = exact(x, kernel, plan.steps[0], border)
    assert np.abs(execute(plan, x).pixels - np.vectorize(round, otypes=[object])(want)).max() <= 1
