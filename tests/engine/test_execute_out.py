"""``execute(plan, x, out=...)``: the same samples, in the caller's memory."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.errors import ShapeError, UsageError
from convcli.kernels.kernel import Kernel

SOBEL = Kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
X = np.random.default_rng(4).integers(0, 256, (23, 31, 3)).astype(np.uint8)


def plan_of(*kernels, x=X, **options):
    return plan_filter(x.shape, x.dtype, kernels or [SOBEL], backend="numpy", **options)


@pytest.mark.parametrize(
    "kernels, options",
    [
        ([SOBEL], {}),
        ([SOBEL], {"out_dtype": "uint16", "stride": 2}),
        ([SOBEL], {"range": "float"}),
        ([SOBEL], {"range": "stretch"}),
        ([Kernel(np.ones((5, 5)), scale=1 / 25)], {"algorithm": "box"}),
        ([Kernel(np.arange(49.0).reshape(7, 7) / 1000)], {"algorithm": "fft"}),
        ([Kernel([[0.25, 0.5, 0.25]]), SOBEL], {}),
        ([Kernel(np.full((2, 3, 1, 1), 1 / 3))], {}),
    ],
    ids=["one", "wider_strided", "float", "stretch", "box", "fft", "chain", "bank"],
)
def test_the_same_samples_land_in_out(kernels, options):
    plan = plan_of(*kernels, **options)
    want = execute(plan, X)
    out = np.full(plan.shape_out, 77, plan.out_dtype)
    got = execute(plan, X, out)
    assert got.pixels is out
    assert (got.clipped, got.low, got.high) == (want.clipped, want.low, want.high)
    np.testing.assert_array_equal(out, want.pixels)


def test_a_picture_that_is_converted_first():
    x = (X / 255).astype(np.float16)
    plan = plan_of(x=x)
    out = np.empty(plan.shape_out, np.float32)
    assert execute(plan, x, out=out).pixels is out
    np.testing.assert_array_equal(out, execute(plan, x).pixels)


def test_out_is_reused_from_frame_to_frame():
    plan, out = plan_of(), np.empty(X.shape, np.uint8)
    for frame in (X, X[::-1], X[:, ::-1]):
        execute(plan, frame, out)
        np.testing.assert_array_equal(out, execute(plan, frame).pixels)


def readonly():
    out = np.empty(X.shape, np.uint8)
    out.setflags(write=False)
    return out


@pytest.mark.parametrize(
    "out, error, words",
    [
        (np.empty((23, 31, 1), np.uint8), ShapeError, r"\(23, 31, 1\); the plan's output is \(23"),
        (np.empty(X.shape, np.int16), UsageError, "int16; the plan's output is uint8"),
        (np.empty(X.shape, np.uint8, order="F"), UsageError, "C-contiguous"),
        (readonly(), UsageError, "writeable"),
        (X, UsageError, "shares memory"),
    ],
    ids=["shape", "type", "order", "read_only", "picture_itself"],
)
def test_an_out_that_cannot_be_is_refused(out, error, words):
    with pytest.raises(error, match=words):
        execute(plan_of(), X, out)


def test_the_other_byte_order_is_refused():
    x = X.astype(np.uint16)
    out = np.empty(x.shape, np.dtype(np.uint16).newbyteorder())
    with pytest.raises(UsageError, match="the plan's output is uint16"):
        execute(plan_of(x=x), x, out)
