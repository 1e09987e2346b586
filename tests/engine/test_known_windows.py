"""Ranks and morphology beside the values in SciPy's and scikit-image's own tests.

Those of SciPy 1.17 are from ``scipy/ndimage/tests/test_filters.py`` and ``test_morphology.py``
(Copyright SciPy Developers, BSD-3-Clause), those of scikit-image from ``filters/rank/tests/
test_rank.py`` and ``morphology/tests/test_gray.py`` (Copyright the scikit-image team, BSD-3-Clause).
The arrays that its tests keep beside them are in ``tests/data/known_windows.zlib``, made with::

    pip download --no-deps --python-version 3.7 --platform manylinux1_x86_64 \
        --only-binary :all: scikit-image==0.15.0
    unzip scikit_image-0.15.0-*.whl "skimage/data/*.npz"   # gray_morph_output, rank_filter_tests

as bytes one behind the other: the picture of ``test_gray.py``, which is ``data.coffee()`` in gray and
a twentieth of its size, then the arrays of :data:`SHAPES` by :data:`TAKEN`, then of :data:`RANKS`.

Where definitions differ, the case is put into ours:

- The names of borders: ``reflect`` is our ``symmetric``, ``mirror`` our ``reflect``, ``nearest`` our
  ``edge``. In ``skimage.filters.rank`` nothing votes outside: ``missing``.
- An even window of SciPy's has its centre one cell further on, and ``origin`` moves it: a row or
  column of cells that do not count puts the footprint there (:func:`centred`).
- ``rank=`` of ``rank_filter`` is the percentile that takes that number.
- The structure of ``grey_erosion`` is subtracted, that of ``grey_dilation`` added, as our heights;
  cells beside its footprint have no height that none could reach.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from convcli.arithmetic.borders import Border
from convcli.engine.dispatch import execute
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

from .windows import centred

WHOLE = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
TYPES = [*WHOLE, "float32", "float64"]
SYMMETRIC = Border("symmetric")


def filtered(x, operation, footprint, *numbers, border=SYMMETRIC):
    kernel = Kernel(np.asarray(footprint, float), operation=operation, numbers=numbers)
    x = np.atleast_2d(x)[..., None]
    plan = plan_filter(x.shape, x.dtype, [kernel], border=border, values=True)
    return execute(plan, x).pixels[..., 0]


def line(side, origin=0):
    return centred(np.ones((1, side)), 0, origin)


def heights(footprint, height):
    """A flat structure over a footprint's cells; the others are too low to be taken."""
    counts = centred(footprint)
    return np.where(counts, height, -99)


ONE, FIVE = [1, 2, 3, 4, 5], [3, 2, 5, 1, 4]
A = [[3, 2, 5, 1, 4], [7, 6, 9, 3, 5], [5, 8, 3, 7, 1]]
B = [[3, 2, 5, 1, 4], [5, 8, 3, 7, 1], [5, 6, 9, 3, 5]]
WIDE, PART, LESS = np.ones((2, 3)), [[1, 0, 1], [1, 1, 0]], [[1, 0, 1], [0, 1, 0]]
TURNED = [[0, 1, 1], [1, 0, 1]]
MIN, MAX, MEDIAN = ("rank", 0), ("rank", 100), ("rank", 50)
MIN_A = [[2, 2, 1, 1, 1], [2, 2, 1, 1, 1], [5, 3, 3, 1, 1]]
MAX_A = [[3, 5, 5, 5, 4], [7, 9, 9, 9, 5], [8, 9, 9, 9, 7]]
MIN_PART = [[2, 2, 1, 1, 1], [2, 3, 1, 3, 1], [5, 5, 3, 3, 1]]
MAX_PART = [[3, 5, 5, 5, 4], [7, 7, 9, 9, 5], [7, 9, 8, 9, 7]]
DILATED = [[7, 7, 9, 9, 5], [7, 9, 8, 9, 7], [8, 8, 8, 7, 7]]
SECOND_B = [[2, 2, 1, 1, 1], [3, 3, 2, 1, 1], [5, 5, 3, 3, 1]]
FIFTH_B = [[3, 5, 5, 5, 4], [5, 5, 7, 5, 4], [6, 8, 8, 7, 5]]
MEDIAN_B = [[3, 3, 2, 4, 4], [5, 5, 5, 4, 4], [5, 6, 7, 5, 5]]
MIDDLE = [[3, 3, 2, 4, 4], [3, 5, 2, 5, 1], [5, 5, 8, 3, 5]]
ALONG = [[5, 2, 5, 1, 1], [5, 8, 3, 5, 5], [6, 6, 5, 5, 5]]
BELOW = [[3, 5, 2, 5, 1], [5, 5, 8, 3, 5], [5, 6, 6, 5, 5]]
LEAST = [[2, 3, 1, 4, 1], [5, 3, 7, 1, 1], [5, 5, 3, 3, 3]]

SCIPY = [
    ("minimum_filter01", MIN, line(2), ONE, [1, 1, 2, 3, 4]),
    ("minimum_filter02", MIN, line(3), ONE, [1, 1, 2, 3, 4]),
    ("minimum_filter03", MIN, line(2), FIVE, [3, 2, 2, 1, 1]),
    ("minimum_filter04", MIN, line(3), FIVE, [2, 2, 1, 1, 1]),
    ("minimum_filter05", MIN, centred(WIDE), A, MIN_A),
    ("minimum_filter07", MIN, centred(PART), A, MIN_PART),
    ("minimum_filter08", MIN, centred(PART, -1, -1), A,
     [[3, 1, 3, 1, 1], [5, 3, 3, 1, 1], [3, 3, 1, 1, 1]]),
    ("minimum_filter09", MIN, centred(PART, -1, 0), A,
     [[2, 3, 1, 3, 1], [5, 5, 3, 3, 1], [5, 3, 3, 1, 1]]),
    ("maximum_filter01", MAX, line(2), ONE, ONE),
    ("maximum_filter02", MAX, line(3), ONE, [2, 3, 4, 5, 5]),
    ("maximum_filter03", MAX, line(2), FIVE, [3, 3, 5, 5, 4]),
    ("maximum_filter04", MAX, line(3), FIVE, [3, 5, 5, 5, 4]),
    ("maximum_filter05", MAX, centred(WIDE), A, MAX_A),
    ("maximum_filter07", MAX, centred(PART), A, MAX_PART),
    ("maximum_filter08", MAX, centred(PART, -1, -1), A,
     [[7, 9, 9, 5, 5], [9, 8, 9, 7, 5], [8, 8, 7, 7, 7]]),
    ("maximum_filter09", MAX, centred(PART, -1, 0), A,
     [[7, 7, 9, 9, 5], [7, 9, 8, 9, 7], [8, 8, 8, 7, 7]]),
    ("rank01", MAX, line(2), ONE, ONE),
    ("rank01 median", MEDIAN, line(2), ONE, ONE),
    ("rank02", MEDIAN, line(3), ONE, ONE),
    ("rank03", MAX, line(2), FIVE, [3, 3, 5, 5, 4]),
    ("rank04", MEDIAN, line(3), FIVE, [3, 3, 2, 4, 4]),
    ("rank06", ("rank", 17), centred(WIDE), B, SECOND_B),
    ("rank07", ("rank", 67), centred(WIDE), B, FIFTH_B),  # number 4 of 6
    ("rank08", MEDIAN, centred(WIDE), B, MEDIAN_B),
    ("rank09", ("rank", 35), centred(LESS), B, MIDDLE),
    ("rank10", MIN, centred(PART), A, MIN_PART),
    ("rank11", MAX, centred(PART), A, MAX_PART),
    ("rank12", MEDIAN, centred(LESS), B, MIDDLE),
    ("rank13", MEDIAN, centred(LESS, -1, -1), B, ALONG),
    ("rank14", MEDIAN, centred(LESS, -1, 0), B, BELOW),
    ("rank15", MIN, centred(LESS, -1, 0), B, LEAST),
    ("grey_erosion01", ("erode",), centred(PART), A, MIN_PART),
    ("grey_erosion02", ("erode", 1), heights(PART, 0), A, MIN_PART),
    ("grey_erosion03", ("erode", 1), heights(PART, 1), A, np.subtract(MIN_PART, 1)),
    ("grey_dilation01", ("dilate",), centred(TURNED), A, DILATED),
    ("grey_dilation02", ("dilate", 1), heights(TURNED, 0), A, DILATED),
    ("grey_dilation03", ("dilate", 1), heights(TURNED, 1), A, np.add(DILATED, 1)),
]  # fmt: skip
"""The test's name, the operation and its numbers, where it is in ours, the input, the output."""


@pytest.mark.parametrize("case", SCIPY, ids=lambda case: case[0].replace(" ", "-"))
def test_scipy_s_cases(case, loops):
    _, operation, footprint, x, want = case
    gray = operation in (("erode", 1), ("dilate", 1))  # 64-bit integers are refused there
    for dtype in [dtype for dtype in TYPES if not (gray and "int64" in dtype)]:
        got = filtered(np.array(x, dtype), operation[0], footprint, *operation[1:])
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, np.atleast_2d(want))


TEN = np.arange(10)
MINMAX_1D = [
    (1, "symmetric", TEN, TEN),
    (5, "symmetric", [0, 0, 0, 1, 2, 3, 4, 5, 6, 7], [2, 3, 4, 5, 6, 7, 8, 9, 9, 9]),
    (5, "edge", [0, 0, 0, 1, 2, 3, 4, 5, 6, 7], [2, 3, 4, 5, 6, 7, 8, 9, 9, 9]),
    (5, "wrap", [0, 0, 0, 1, 2, 3, 4, 5, 0, 0], [9, 9, 4, 5, 6, 7, 8, 9, 9, 9]),
]


@pytest.mark.parametrize(("side", "border", "low", "high"), MINMAX_1D)
def test_scipy_s_minmaximum_filter1d(side, border, low, high, loops):
    for operation, want in ((MIN, low), (MAX, high), (("erode",), low), (("dilate",), high)):
        got = filtered(TEN, operation[0], line(side), *operation[1:], border=Border(border))
        np.testing.assert_array_equal(got[0], want)


def test_scipy_s_minmaximum_filter1d_with_a_constant(loops):
    got = filtered(TEN, "rank", line(5), 0, border=Border("constant", -1.0))
    np.testing.assert_array_equal(got[0], [-1, -1, 0, 1, 2, 3, 4, 5, -1, -1])
    got = filtered(TEN, "rank", line(5), 100, border=Border("constant", 10.0))
    np.testing.assert_array_equal(got[0], [10, 10, 4, 5, 6, 7, 8, 9, 10, 10])


WRAPPED = {
    20: [0.25754605] * 20,
    10: [0.25266576, 0.27894721, 0.30445588, 0.30958242, 0.30445588, 0.30445588, 0.27894721,
         0.30445588, 0.27894721, 0.30445588, 0.30445588, 0.25754605, 0.22183391, 0.18015438,
         0.22183391, 0.25266576, 0.25754605, 0.25266576, 0.25266576, 0.25266576],
    3: [0.25266576, 0.30958242, 0.27894721, 0.27894721, 0.27894721, 0.30445588, 0.31442572,
        0.30445588, 0.18015438, 0.14831921, 0.18015438, 0.25754605, 0.32910465, 0.25754605,
        0.17736568, 0.17736568, 0.09089549, 0.22183391, 0.25266576, 0.30958242],
    15: [0.27894721, 0.25266576, 0.25266576, 0.25266576, 0.27894721, 0.27894721, 0.27894721,
         0.27894721, 0.25754605, 0.25754605, 0.22183391, 0.22183391, 0.25266576, 0.25266576,
         0.22183391, 0.22183391, 0.25266576, 0.25266576, 0.25754605, 0.25754605],
}  # fmt: skip


@pytest.mark.parametrize("side", WRAPPED)
def test_scipy_s_gh_22250(side, loops):
    x = 0.4 * np.random.default_rng(42).random(20)
    got = filtered(x, "rank", line(side), 50, border=Border("wrap"))
    # The values there are written with eight digits.
    np.testing.assert_allclose(got[0], WRAPPED[side], rtol=0, atol=5.1e-9)


def test_scipy_s_windows_larger_than_what_they_lie_on(loops):
    x = np.array([272, 58, 67, 163, 463, 608, 87, 108, 1378])
    got = filtered(x, "rank", line(9), 50, border=Border("constant"))
    np.testing.assert_array_equal(got[0], [58, 67, 87, 108, 163, 108, 108, 108, 87])  # gh_22333
    two = np.array([1, 2], np.float32)
    np.testing.assert_array_equal(filtered(two, "rank", line(5), 50)[0], [2, 1])  # gh_23075
    for side in (1, 5, 100):
        for border in ("symmetric", "edge", "wrap", "reflect"):
            got = filtered(two[1:], "rank", line(side), 50, border=Border(border))
            assert got.tolist() == [[2]]
    for value, side, level in (
        (2, 5, 0),
        (2, 100, 0),
        (2, 5, 17.7),
        (2, 100, 1.4),
        (9, 137, -7807.7),
    ):
        x = np.array([value], np.float32)
        got = filtered(x, "rank", line(side), 50, border=Border("constant", level))
        assert got[0, 0] == np.float32(level)
    np.testing.assert_array_equal(filtered(np.ones(8), "rank", line(19), 50), np.ones((1, 8)))


TAKEN = ["black_tophat", "closing", "dilation", "erosion", "opening", "white_tophat"]
OURS = dict(zip(TAKEN, ["blackhat", "close", "dilate", "erode", "open", "tophat"], strict=True))
Y, X = np.abs(np.mgrid[-4:5, -4:5])
SHAPES = {
    "diamond_2": X + Y <= 2,
    "diamond_3": X + Y <= 3,
    "disk_1": X * X + Y * Y <= 1,
    "disk_2": X * X + Y * Y <= 4,
    "disk_3": X * X + Y * Y <= 9,
    "square_2": np.ones((2, 2)),
    "square_3": np.maximum(X, Y) <= 1,
    "star_2": (np.maximum(X, Y) <= 2) | (X + Y <= 3),
    "star_3": (np.maximum(X, Y) <= 3) | (X + Y <= 4),
}
RANKS = {
    "gradient": ("range",),
    "maximum": MAX,
    "median": MEDIAN,
    "minimum": MIN,
    "modal": ("mode",),
    "percentile": MIN,  # 0 by default
}


@pytest.fixture(scope="module")
def kept():
    """The arrays of scikit-image's tests by name; ``coffee`` is the picture."""
    path = Path(__file__).parents[1] / "data" / "known_windows.zlib"
    samples, found = np.frombuffer(zlib.decompress(path.read_bytes()), np.uint8), {}
    names = ["coffee", *(f"{shape}_{taken}" for shape in SHAPES for taken in TAKEN), *RANKS]
    for name in names:
        shape = (25, 25) if name in RANKS else (20, 30)
        found[name], samples = np.split(samples, [shape[0] * shape[1]])
        found[name] = found[name].reshape(shape)
    assert not len(samples)
    return found


@pytest.mark.parametrize("name", RANKS)
def test_scikit_image_s_rank_filters(kept, name, loops):
    """``TestRank.test_rank_filter``: a disk of radius 1 over noise, outside which nothing votes."""
    noise = np.rint(255 * np.random.RandomState(0).rand(25, 25))  # its img_as_ubyte
    operation, *numbers = RANKS[name]
    for dtype in ("uint8", "int16", "uint16", "float32"):
        got = filtered(
            noise.astype(dtype), operation, SHAPES["disk_1"], *numbers, border=Border("missing")
        )
        np.testing.assert_array_equal(got, kept[name])


@pytest.mark.parametrize("taken", TAKEN)
@pytest.mark.parametrize("border", ["symmetric", "missing"])
def test_scikit_image_s_gray_morphology(kept, taken, border):
    """``TestMorphology.test_gray_morphology``, by either border that it has had.

    An even square of its has the centre of SciPy's in a dilation, and ours in an erosion; in what is
    made of both it reads other samples outside, so there the outermost are left out.
    """
    for shape, cells in SHAPES.items():
        even, mixed = shape == "square_2", taken not in ("erosion", "dilation")
        footprint = cells if even and taken == "erosion" else centred(cells)
        got = filtered(kept["coffee"], OURS[taken], footprint, border=Border(border))
        inner = np.s_[1:-1, 1:-1] if even and mixed else np.s_[:]
        np.testing.assert_array_equal(got[inner], kept[f"{shape}_{taken}"][inner])


FLOATS = np.array(
    [[0.55, 0.72, 0.60, 0.54, 0.42], [0.65, 0.44, 0.89, 0.96, 0.38], [0.79, 0.53, 0.57, 0.93, 0.07],
     [0.09, 0.02, 0.83, 0.78, 0.87], [0.98, 0.80, 0.46, 0.78, 0.12]]
)  # fmt: skip
FLOAT_RESULTS = {
    "erode": [[0.55, 0.44, 0.54, 0.42, 0.38], [0.44, 0.44, 0.44, 0.38, 0.07],
              [0.09, 0.02, 0.53, 0.07, 0.07], [0.02, 0.02, 0.02, 0.78, 0.07],
              [0.09, 0.02, 0.46, 0.12, 0.12]],
    "dilate": [[0.72, 0.72, 0.89, 0.96, 0.54], [0.79, 0.89, 0.96, 0.96, 0.96],
               [0.79, 0.79, 0.93, 0.96, 0.93], [0.98, 0.83, 0.83, 0.93, 0.87],
               [0.98, 0.98, 0.83, 0.78, 0.87]],
    "open": [[0.55, 0.55, 0.54, 0.54, 0.42], [0.55, 0.44, 0.54, 0.44, 0.38],
             [0.44, 0.53, 0.53, 0.78, 0.07], [0.09, 0.02, 0.78, 0.78, 0.78],
             [0.09, 0.46, 0.46, 0.78, 0.12]],
    "close": [[0.72, 0.72, 0.72, 0.54, 0.54], [0.72, 0.72, 0.89, 0.96, 0.54],
              [0.79, 0.79, 0.79, 0.93, 0.87], [0.79, 0.79, 0.83, 0.78, 0.87],
              [0.98, 0.83, 0.78, 0.78, 0.78]],
}  # fmt: skip


@pytest.mark.parametrize("operation", FLOAT_RESULTS)
def test_scikit_image_s_floats_and_16_bits(operation, loops):
    """``test_float`` and ``test_uint16``: the footprint that is taken by default, a cross."""
    want = np.array(FLOAT_RESULTS[operation])
    np.testing.assert_array_equal(filtered(FLOATS, operation, SHAPES["disk_1"]), want)
    x, levels = (np.rint(65535 * values).astype(np.uint16) for values in (FLOATS, want))
    np.testing.assert_array_equal(filtered(x, operation, SHAPES["disk_1"]), levels)


def test_scikit_image_s_small_cases(loops):
    cross, square = SHAPES["disk_1"], np.ones((3, 3))
    x = np.array([[5, 6, 2], [7, 2, 2], [3, 5, 1]], np.uint8)  # test_discontiguous_out_array
    assert filtered(x, "dilate", cross).tolist() == [[7, 6, 6], [7, 7, 2], [7, 5, 5]]
    assert filtered(x, "erode", cross).tolist() == [[5, 2, 2], [2, 2, 1], [3, 1, 1]]
    assert filtered([1, 2, 3, 2, 1], "erode", line(3)).tolist() == [[1, 1, 2, 1, 1]]
    for dtype in (np.uint8, np.uint16):  # test_structuring_element: shift_x and shift_y are 1
        x = np.zeros((6, 6), dtype)
        x[2, 2] = 255
        want = np.zeros((6, 6), dtype)
        want[(2, 3, 3, 3, 4, 4), (2, 2, 3, 4, 3, 4)] = 255
        steps = centred([[1, 1, 0], [1, 1, 1], [0, 0, 1]], 1, 1)
        np.testing.assert_array_equal(filtered(x, *MAX[:1], steps, 100), want)
    for bits in range(17):  # test_16bit
        x = np.zeros((21, 21), np.uint16)
        x[10, 10] = 2**bits - 1
        assert filtered(x, "rank", square, 0)[10, 10] == 0
        assert filtered(x, "rank", square, 100)[10, 10] == 2**bits - 1
    x = np.array([[0, 0, 0], [1, 1, 1], [0, 0, 0]], np.uint8)  # test_median_default_value
    for footprint, want in ((square, 0), (cross, 1)):
        assert filtered(x, "rank", footprint, 50, border=Border("missing"))[1, 1] == want


@pytest.mark.parametrize("sides", [(2, 2), (2, 1), (1, 2)])
def test_scikit_image_s_eccentric_elements(sides, loops):
    """``TestEccentricStructuringElements``: one pixel, and footprints with an even side.

    Its opening and closing read on beyond the picture, ours see the border after either step, so the
    picture is wider by one sample and what is compared is what it was.
    """
    cells, black = np.ones(sides), np.full((6, 6), 255, np.uint8)
    black[2, 2] = 0
    white, none = 255 - black, np.zeros((6, 6), np.uint8)
    # Its erosion and dilation have the same even window, so the one's is turned beside the other's.
    eroded = filtered(black, "erode", centred(cells))
    np.testing.assert_array_equal(
        eroded, 255 - filtered(white, "dilate", centred(cells)[::-1, ::-1])
    )
    for x, opened, closed in ((black, black, none + 255), (white, none, white)):
        for operation, want in (
            ("open", opened),
            ("close", closed),
            ("tophat", x - opened),
            ("blackhat", closed - x),
        ):
            got = filtered(x, operation, cells)
            np.testing.assert_array_equal(got[1:5, 1:5], want[1:5, 1:5])
