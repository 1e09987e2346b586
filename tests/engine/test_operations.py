"""A new operation is one file and one line of registration: ``tests/data/largest.py``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from convcli.arithmetic.borders import Border
from convcli.engine.backends import Backend
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.engine.regions import run_plan
from convcli.errors import BackendError, KernelError, UsageError
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel
from convcli.kernels.operation_names import OPERATIONS

from .windows import reader


def footprint(shape, operation="maximum"):
    """A kernel of a chain, which names the operation."""
    return Kernel(np.ones(shape), name="largest", operation=operation)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "data")
    monkeypatch.setitem(OPERATIONS, "maximum", "largest")


SCIPY = {"edge": "nearest", "reflect": "mirror", "symmetric": "reflect", "wrap": "wrap"}


def picture(dtype, shape=(61, 47, 3)):
    rng = np.random.default_rng(1)
    if dtype.startswith("float"):
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


@pytest.mark.parametrize("mode", SCIPY)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_as_scipy_has_it(dtype, mode):
    x = picture(dtype)
    plan = plan_filter(x.shape, dtype, [footprint((3, 5))], border=Border(mode), threads=2)
    want = ndimage.maximum_filter(x, (3, 5, 1), mode=SCIPY[mode])
    np.testing.assert_array_equal(execute(plan, x).pixels, want)
    assert plan.steps[0].reason == "15 neighbours: the least predicted cost"


def test_the_window_the_border_and_the_range_are_the_engine_s():
    x = picture("uint8")
    plan = plan_filter(
        x.shape, "uint8", [footprint((3, 3))], stride=2, dilation=2, out_dtype="uint16",
        border=Border("constant", 300.0),
    )  # fmt: skip
    padded = np.pad(x.astype(int), ((2, 2), (2, 2), (0, 0)), constant_values=300)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (0, 1))[..., ::2, ::2]
    want = windows.max((-1, -2))[::2, ::2] * 257
    outcome = execute(plan, x)
    np.testing.assert_array_equal(outcome.pixels, np.minimum(want, 65535))
    assert outcome.clipped == np.count_nonzero(want > 65535)


def test_in_a_chain_with_correlations_and_in_parts():
    x = picture("uint8")
    chain = [load_kernel("gaussian:1"), footprint((3, 3)), load_kernel("sobel-x")]
    plan = plan_filter(x.shape, "uint8", chain, range="float")
    blurred, edges = (plan_filter(x.shape, t, [k], range="float") for t, k in (
        ("uint8", chain[0]), ("float32", chain[2]),
    ))  # fmt: skip
    largest = ndimage.maximum_filter(execute(blurred, x).pixels, (3, 3, 1), mode="mirror")
    whole = execute(plan, x).pixels
    np.testing.assert_allclose(whole, execute(edges, largest).pixels, atol=1e-3)
    part, _ = run_plan(plan, reader(x), (((9, 30),), ((4, 20),)))
    np.testing.assert_array_equal(part, whole[9:30, 4:20])


def test_a_gpu_is_refused_by_name_and_never_weighed(pretend_gpu):
    with pytest.raises(BackendError, match="backend cupy: largest is done on the CPU only"):
        plan_filter((9, 9, 1), "uint8", [Kernel([[1]]), footprint((3, 3))], backend="cupy")
    plan = plan_filter((9000, 9000, 1), "uint8", [footprint((99, 99))], count=10**6)
    assert not plan.backend.on_gpu
    assert plan.backend_reason == "largest is done on the CPU only"


@pytest.fixture
def pretend_gpu(monkeypatch):
    picked = Backend("cupy"), "asked for"
    choice = "convcli.engine.plan.pick_backend"
    usual = plan_filter.__globals__["pick_backend"]
    monkeypatch.setattr(choice, lambda asked: picked if asked == picked[0] else usual(asked))


def test_an_operation_or_an_algorithm_that_is_not_there_says_what_is():
    with pytest.raises(UsageError, match=r"'median' is not known; allowed: correlate, .*maximum"):
        plan_filter((9, 9, 1), "uint8", [footprint((3, 3), operation="median")])
    with pytest.raises(UsageError, match=r"'fft' is not known; allowed: shifted"):
        plan_filter((9, 9, 1), "uint8", [footprint((3, 3))], algorithm="fft")
    plan = plan_filter((9, 9, 1), "uint8", [footprint((3, 3))], algorithm="shifted")
    assert plan.steps[0].reason == "9 neighbours: asked for"


def test_an_operation_s_numbers_tell_kernels_apart():
    from convcli.runs.journal import options_hash
    from convcli.runs.request import Request

    plain = footprint((3, 3))
    kernels = [plain, plain.replace(numbers=(50,)), plain.replace(numbers=[90])]
    assert [kernel.numbers for kernel in kernels] == [(), (50.0,), (90.0,)]
    assert kernels[1].flipped().numbers == (50.0,)
    kernels.append(plain.replace(operation="correlate"))
    assert len({options_hash(Request((), (kernel,))) for kernel in kernels}) == 4
    with pytest.raises(KernelError, match="finite"):
        plain.replace(numbers=(np.nan,))


def test_a_file_may_hold_several_operations(monkeypatch):
    from convcli.engine.operations import operation_of

    for name in ("OPERATION", "Maximum"):
        monkeypatch.setitem(OPERATIONS, "maximum", f"largest:{name}")
        assert operation_of(footprint((3, 3))) is getattr(__import__("largest"), name)
