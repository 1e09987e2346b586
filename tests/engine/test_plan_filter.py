"""What a plan says, and what it refuses."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from convcli.arithmetic.borders import Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.engine.requantize import Requantizer
from convcli.errors import ShapeError, UsageError
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel

SOBEL = Kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
RANDOM = np.random.default_rng(0).normal(size=(40, 40))


def planned(kernel=SOBEL, shape=(480, 640, 3), dtype="uint8", **options):
    return plan_filter(shape, dtype, [kernel], **options).steps[0]


pytestmark = pytest.mark.usefixtures("loops")


@pytest.mark.parametrize(
    ("kernel", "dtype", "accumulate", "exact"),
    [
        (SOBEL, "uint8", "int16", True),
        (SOBEL, "uint16", "float32", True),
        (SOBEL, "float32", "float32", False),
        (SOBEL, "float64", "float64", False),
        (Kernel(np.full((16, 16), 1.0)), "uint8", "uint16", True),
        (Kernel(np.full((17, 17), 1.0)), "uint8", "float32", True),
        (Kernel(np.full((17, 17), 1.0)), "uint16", "float64", True),
        (Kernel([[0.25, 0.5, 0.25]]), "uint8", "int16", True),
        (Kernel(np.full((3, 3), 1 / 9)), "uint8", "int16", True),
        (Kernel([[0.3, 0.12345]]), "uint8", "float32", False),
        (Kernel([[3e5, -3e5, 0.1]]), "uint16", "float64", False),
    ],
    ids=["sobel8", "sobel16", "sobel_f32", "sobel_f64", "sum_256", "sum_289", "sum_289_of_16",
         "quarters", "ninths", "real", "huge_real"],
)  # fmt: skip
def test_sums_get_the_type_they_need(kernel, dtype, accumulate, exact):
    step = planned(kernel, dtype=dtype)
    assert (step.accumulate, step.exact) == (accumulate, exact)


@pytest.mark.parametrize(
    ("kernel", "algorithm"),
    [
        (Kernel([[0, 1, 0], [1, -4, 1], [0, 1, 0]]), "direct"),
        (Kernel(np.outer(*[np.exp(-(np.linspace(-2, 2, 13) ** 2))] * 2)), "separable"),
        (Kernel(np.ones((201, 201))), "box"),
        (Kernel(RANDOM), "fft"),
    ],
    ids=["few_taps", "rank_one", "large_box", "large_full_rank"],
)
def test_each_algorithm_has_its_place(kernel, algorithm):
    step = planned(kernel)
    assert step.algorithm == algorithm
    cheapest = min(step.candidates, key=lambda c: c.cost)
    assert cheapest.name == algorithm
    assert cheapest.note in step.reason


def test_a_kernel_of_two_terms_is_separated_into_both():
    step = planned(load_kernel("dog:1,1.6"), algorithm="separable")
    assert [len(terms) for terms in step.method.factors] == [2]
    with pytest.raises(UsageError, match="cannot do this kernel"):  # three terms save no taps
        planned(Kernel(np.random.default_rng(0).normal(size=(4, 4))), algorithm="separable")


def test_strided_work_is_not_transformed_and_dropped():
    assert planned(Kernel(RANDOM[:20, :20]), stride=8).algorithm != "fft"


def test_constant_border_widens_the_bounds():
    assert planned(border=Border("constant", 255)).accumulate == "int16"
    assert planned(border=Border("constant", 9000)).accumulate == "float32"


def test_clipping_is_counted_only_where_it_can_happen():
    assert planned().requantize.clip
    assert not planned(Kernel(np.ones((3, 3)), scale=1 / 9)).requantize.clip
    assert not planned(range="offset", kernel=Kernel([[0.25, -0.25]])).requantize.clip


def test_even_kernel_puts_the_odd_row_at_the_end():
    step = planned(Kernel(np.ones((4, 2))))
    assert (step.rows.before, step.rows.after) == (1, 2)
    assert (step.cols.before, step.cols.after) == (0, 1)


def test_chain_passes_shapes_and_floats_on():
    gray = Kernel(np.full((1, 3, 1, 1), 1 / 3))
    plan = plan_filter((20, 30, 3), "uint8", [SOBEL, gray], padding="valid", stride=2)
    assert [s.shape_out for s in plan.steps] == [(9, 14, 3), (5, 7, 1)]
    assert plan.steps[0].requantize.out_dtype == "float32"
    assert plan.out_dtype == "uint8"


def test_bias_is_in_levels_of_255():
    x = np.zeros((2, 2, 1), np.uint16)
    plan = plan_filter(x.shape, x.dtype, [Kernel([[0.0]], bias=51)])
    assert (execute(plan, x).pixels == 51 * 257).all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"shape": (3, 4)}, ShapeError, r"shape is \(3, 4\); it must be \(H, W, C\)"),
        ({"dtype": "complex64"}, UsageError, "'complex64' is not known; allowed: uint8"),
        ({"range": "wrap"}, UsageError, "range 'wrap' is not known"),
        ({"range": "float", "out_dtype": "uint8"}, UsageError, "cannot write uint8"),
        ({"algorithm": "magic"}, UsageError, "'magic' is not known; allowed: direct"),
        ({"algorithm": "box"}, UsageError, "cannot do this kernel .*possible: direct"),
        ({"threads": 0}, UsageError, "threads is 0"),
        ({"stride": (1, 2, 3)}, ShapeError, "stride has 3 numbers for 2 axes"),
        ({"padding": ((1, 2, 3), 1)}, ShapeError, "two numbers: before and after"),
        ({"padding": "valid", "shape": (2, 9, 1)}, ShapeError, "while planning kernel 3x3, stride 1x1"),
        ({"border": Border("mirror")}, UsageError, "border 'mirror' is not known"),
        ({"kernel": Kernel(np.ones((2, 4, 3, 3)))}, ShapeError, "reads 4 channels, but the picture has 3"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, dict) else None,
)  # fmt: skip
def test_refusals_say_what_is_allowed(change, error, words):
    with pytest.raises(error, match=words):
        planned(**change)


def test_no_kernel_is_refused():
    with pytest.raises(UsageError, match="at least one"):
        plan_filter((3, 3, 1), "uint8", [])


def test_execute_wants_the_planned_picture():
    plan = plan_filter((3, 4, 1), "uint8", [SOBEL])
    with pytest.raises(ShapeError, match=r"\(4, 3, 1\); the plan is for \(3, 4, 1\)"):
        execute(plan, np.zeros((4, 3, 1), np.uint8))
    with pytest.raises(UsageError, match="uint16; the plan is for uint8"):
        execute(plan, np.zeros((3, 4, 1), np.uint16))


@pytest.mark.parametrize("size", [3, 31, 101, 127])
def test_an_odd_box_is_finished_in_float32_and_rounds_alike(size):
    kernel = Kernel(np.ones((size, size)), scale=1 / size**2)
    requantize = planned(kernel).requantize
    assert requantize.work == "float32"
    near = np.arange(255)[:, None] * size**2 + size**2 // 2 + np.arange(-2, 4)  # around half-way
    sums = np.unique(np.concatenate([near.ravel(), [0, 255 * size**2]]).clip(0, 255 * size**2))
    out = np.empty((1, sums.size), np.uint8)
    Requantizer(requantize).apply([sums[None].astype(np.float32)], out)
    np.testing.assert_array_equal(out[0], np.rint(sums * (1 / size**2)))


def test_an_even_divisor_has_ties_and_takes_float64():
    assert planned(Kernel(np.ones((130, 130)), scale=1 / 130**2)).requantize.work == "float64"


@pytest.mark.parametrize("side", [512, 4000])
def test_a_plan_is_small_where_it_is_sent(side):
    """Each file of a batch sends one back: not with its maps, which grow with the picture."""
    plan = plan_filter((side, side, 3), "uint8", [load_kernel("gaussian:2")], backend="numpy")
    assert plan.steps[0].maps is plan.steps[0].method.problem.maps
    sent = pickle.dumps(plan)
    assert len(sent) < 8000
    x = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    small = plan_filter(x.shape, "uint8", [load_kernel("gaussian:2")], backend="numpy")
    there = pickle.loads(pickle.dumps(small))
    np.testing.assert_array_equal(execute(there, x).pixels, execute(small, x).pixels)
