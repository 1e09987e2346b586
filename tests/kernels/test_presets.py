"""The catalogue against facts from outside: textbooks' numbers, Pillow, SciPy."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFilter
from scipy import ndimage, signal

from convcli.errors import KernelError
from convcli.kernels import blur_presets
from convcli.kernels.catalogue import ALIASES, GROUPS, PRESETS
from convcli.kernels.foreign_filters import FOREIGN_FILTERS
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel
from convcli.kernels.preset_names import preset_of, squeezed

EXAMPLES = json.loads((Path(__file__).parents[1] / "data" / "worked_examples.json").read_text())


def scaled(spec: str) -> np.ndarray:
    kernel = load_kernel(spec)
    return kernel.weights * kernel.scale


@pytest.mark.parametrize("title", EXAMPLES["kernels"])
def test_given_weights_are_exact(title: str) -> None:
    name = title.split(" ")[0]
    want = [[float(Fraction(w)) for w in row] for row in EXAMPLES["kernels"][title]]
    assert scaled(name).tolist() == want


WRITTEN = {
    "laplacian": "0 1 0/1 -4 1/0 1 0",
    "laplacian8": "1 1 1/1 -8 1/1 1 1",
    "sharpen": "-1 -1 -1/-1 9 -1/-1 -1 -1",
    "sharpen4": "0 -1 0/-1 5 -1/0 -1 0",
    "scharr-x": "-3 0 3/-10 0 10/-3 0 3",
    "scharr-y": "-3 -10 -3/0 0 0/3 10 3",
    "prewitt-x": "-1 0 1/-1 0 1/-1 0 1",
    "roberts-x": "1 0/0 -1",
    "roberts-y": "0 1/-1 0",
    "emboss": "-2 -1 0/-1 1 1/0 1 2",
    "emboss-pillow": "-1 0 0/0 1 0/0 0 0",
    "sobel-x:5": "-1 -2 0 2 1/-4 -8 0 8 4/-6 -12 0 12 6/-4 -8 0 8 4/-1 -2 0 2 1",
    "identity": "1",
    "identity:3": "0 0 0/0 1 0/0 0 0",
    "invert": "-1",
}


@pytest.mark.parametrize("spec", WRITTEN)
def test_weights_as_written(spec: str) -> None:
    want = [[float(n) for n in row.split()] for row in WRITTEN[spec].split("/")]
    assert scaled(spec).tolist() == want


def test_sobel_7_is_the_product_of_its_factors() -> None:
    column, row = [1, 6, 15, 20, 15, 6, 1], [-1, -4, -5, 0, 5, 4, 1]
    assert (load_kernel("sobel-x:7").weights == np.outer(column, row)).all()
    assert (load_kernel("sobel-y:7").weights == np.outer(row, column)).all()


def test_farid_is_the_published_pair() -> None:
    """Farid and Simoncelli (2004), table of 5 taps, with the digits that scikit-image prints."""
    smooth = [0.0376593171958126, 0.249153396177344, 0.426374573253687]
    slope = [0.109603762960254, 0.276690988455557]
    column = np.array([*smooth, smooth[1], smooth[0]])
    row = np.array([-slope[0], -slope[1], 0, slope[1], slope[0]])
    np.testing.assert_allclose(load_kernel("farid-x").weights, np.outer(column, row), atol=5e-8)
    np.testing.assert_allclose(load_kernel("farid-y").weights, np.outer(row, column), atol=5e-8)


def test_unsharp_5x5_is_the_textbook_one() -> None:
    row = np.array([1, 4, 6, 4, 1])
    want = np.outer(row, row).astype(float)
    want[2, 2] = -476
    assert (scaled("unsharp") == want / -256).all()


@pytest.mark.parametrize(
    ("name", "pillow"),
    [
        ("outline", ImageFilter.FIND_EDGES),
        ("contour", ImageFilter.CONTOUR),
        ("detail", ImageFilter.DETAIL),
        ("edge-enhance", ImageFilter.EDGE_ENHANCE),
        ("edge-enhance-more", ImageFilter.EDGE_ENHANCE_MORE),
        ("smooth", ImageFilter.SMOOTH),
        ("smooth-more", ImageFilter.SMOOTH_MORE),
        ("emboss-pillow", ImageFilter.EMBOSS),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_same_as_pillow(name: str, pillow: type[ImageFilter.BuiltinFilter]) -> None:
    size, scale, offset, weights = pillow.filterargs
    kernel = load_kernel(name)
    assert kernel.shape == size
    assert kernel.weights.ravel().tolist() == list(weights)
    assert kernel.scale == 1 / scale
    assert kernel.bias == offset


@pytest.mark.parametrize("sigma", [0.3, 1, 2.75])
def test_gaussian_is_that_of_scipy(sigma: float) -> None:
    radius = int(np.ceil(3 * sigma))
    impulse = np.zeros((2 * radius + 1, 2 * radius + 1))
    impulse[radius, radius] = 1
    want = ndimage.gaussian_filter(impulse, sigma, radius=radius, mode="constant")
    np.testing.assert_allclose(scaled(f"gaussian:{sigma}"), want, rtol=1e-12, atol=1e-18)


def test_gaussian_takes_a_size() -> None:
    assert load_kernel("gaussian:1.5,9").shape == (9, 9)
    same = load_kernel("gaussian:sigma=1.5,size=9")
    assert (same.weights == load_kernel("gaussian:1.5,size=9").weights).all()


def test_binomial_is_repeated_pair_sums() -> None:
    row = np.array([1.0])
    for _ in range(8):
        row = signal.convolve(row, [1.0, 1.0])
    kernel = load_kernel("binomial:9")
    assert (kernel.weights == np.outer(row, row)).all()
    assert kernel.sum == 1


def test_box_is_width_by_height() -> None:
    kernel = load_kernel("box:7x5")
    assert kernel.shape == (5, 7)
    assert kernel.sum == 1
    assert (load_kernel("box:width=7,height=5").weights == kernel.weights).all()
    assert load_kernel("box:6").shape == (6, 6)


def test_disk_counts_pixels_within_the_radius() -> None:
    weights = scaled("disk:2.5")
    inside = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if x * x + y * y <= 6.25]
    assert np.count_nonzero(weights) == len(inside) == 21
    assert {*weights[weights > 0].tolist()} == {1 / 21}


def test_motion_along_the_axes_is_a_box() -> None:
    assert scaled("motion:9").tolist() == [[1 / 9] * 9]
    assert scaled("motion:9,90").tolist() == [[1 / 9]] * 9
    assert scaled("motion:9,180").tolist() == [[1 / 9] * 9]


def test_motion_angle_turns_counterclockwise() -> None:
    weights = scaled("motion:15,30")
    assert weights[0].argmax() > weights[-1].argmax(), "the line rises to the right"
    np.testing.assert_allclose(weights, weights[::-1, ::-1], atol=1e-15)
    np.testing.assert_allclose(scaled("motion:15,-30"), weights[::-1], atol=1e-15)


def test_log_is_the_laplacian_of_the_gaussian() -> None:
    size, sigma = 25, 3.0
    impulse = np.zeros((size, size))
    impulse[12, 12] = 1
    want = ndimage.gaussian_laplace(impulse, sigma, mode="constant", truncate=4)
    np.testing.assert_allclose(scaled("log:3"), want, atol=3e-6)
    assert abs(scaled("log:3").sum()) < 1e-15


def test_dog_is_a_difference() -> None:
    want = scaled("gaussian:1,size=11") - scaled("gaussian:1.6,size=11")
    assert (scaled("dog:1,1.6,11") == want).all()
    assert load_kernel("dog").shape == (11, 11)


def test_derivative_of_gaussian_measures_a_ramp() -> None:
    ramp = np.add.outer(np.zeros(40), 3.0 * np.arange(40))
    assert ndimage.correlate(ramp, scaled("dgauss-x:2"))[20, 20] == pytest.approx(3)
    assert ndimage.correlate(ramp.T, scaled("dgauss-y:2"))[20, 20] == pytest.approx(3)
    assert ndimage.correlate(ramp, scaled("dgauss-y:2"))[20, 20] == pytest.approx(0)


def test_gabor_answers_to_its_own_stripes() -> None:
    y, x = np.mgrid[:80, :80]

    def answer(spec: str, picture: np.ndarray) -> float:
        return float(np.abs(ndimage.correlate(picture, scaled(spec))[30:50, 30:50]).max())

    rising = np.cos(2 * np.pi / 8 * (x * np.cos(0.6) - y * np.sin(0.6)))
    own = answer(f"gabor:8,{np.degrees(0.6)}", rising)
    assert own > 0.8
    assert answer(f"gabor:8,{np.degrees(-0.6)}", rising) < own / 3
    assert answer("gabor:8", np.ones((80, 80))) < 1e-12
    assert np.abs(scaled("gabor:8,20,aspect=0.5,phase=90")).sum() == pytest.approx(2)


def test_unsharp_adds_what_the_blur_removes() -> None:
    identity = np.zeros((13, 13))
    identity[6, 6] = 1
    want = identity + 0.8 * (identity - scaled("gaussian:2"))
    np.testing.assert_allclose(scaled("unsharp:2,0.8"), want, atol=1e-15)


@pytest.mark.parametrize("name", ["kirsch", "robinson"])
def test_compass_turns_by_an_eighth(name: str) -> None:
    stack = load_kernel(name).weights
    assert stack.shape == (8, 3, 3)
    assert len({part.tobytes() for part in stack}) == 8
    for turn in range(8):
        # Two eighths are a quarter turn, which NumPy knows on its own.
        assert (stack[(turn + 2) % 8] == np.rot90(stack[turn], -1)).all()
    assert (stack.sum(axis=(1, 2)) == 0).all()


GRADIENTS = ["sobel", "sobel:5", "scharr", "prewitt", "freichen", "farid", "dgauss:1.5"]


@pytest.mark.parametrize("spec", GRADIENTS)
def test_a_magnitude_is_made_of_its_x_and_y(spec: str) -> None:
    name, colon, value = spec.partition(":")
    along_x, along_y = (load_kernel(f"{name}-{axis}{colon}{value}").weights for axis in "xy")
    both = load_kernel(spec)
    assert both.combine == "magnitude"
    assert (both.weights == [along_x, along_y]).all()
    assert (along_y == along_x.T).all()
    ramp = np.add.outer(np.zeros(9), np.arange(9.0))
    assert ndimage.correlate(ramp, along_x)[4, 4] > 0, "positive to the right"


def test_colour_banks_add_up() -> None:
    assert load_kernel("grayscale").weights.shape == (1, 3, 1, 1)
    assert load_kernel("grayscale").sum == 1
    assert load_kernel("grayscale-601").sum == 1
    assert scaled("grayscale").ravel().tolist() == pytest.approx([0.2126, 0.7152, 0.0722])
    assert scaled("sepia")[0].ravel().tolist() == pytest.approx([0.393, 0.769, 0.189])
    rgb = np.array([1.0, 2, 3])
    assert (scaled("channel-swap")[:, :, 0, 0] @ rgb == [3, 2, 1]).all()


def example(name: str) -> str:
    return PRESETS[name].example if PRESETS[name].required else name


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_says_what_it_is(name: str) -> None:
    preset = PRESETS[name]
    assert preset.name == name
    assert preset.group in GROUPS
    assert len(preset.purpose) > 5
    assert preset.source
    kernel = load_kernel(example(name))
    assert kernel.role == preset.role
    assert kernel.source == preset.source
    if preset.parameters:
        assert load_kernel(preset.example).name == preset.example.replace("x5", ",5")


@pytest.mark.parametrize("name", PRESETS)
def test_roles_agree_with_sums(name: str) -> None:
    kernel = load_kernel(example(name))
    if kernel.role in ("smooth", "sharpen"):
        assert kernel.sum == pytest.approx(1)
    if kernel.role == "derivative":
        assert kernel.is_zero_sum
        # Those named after Pillow's filters clip as Pillow does.
        assert kernel.absolute == (name not in ("outline", "contour"))
    else:
        assert not kernel.absolute


def test_other_names_mean_the_same_preset() -> None:
    for alias, name in ALIASES.items():
        found = preset_of(alias)
        assert found is not None
        assert found.name == name
    names = [squeezed(name) for name in [*PRESETS, *ALIASES, *FOREIGN_FILTERS]]
    assert len(set(names)) == len(names), "each name means one thing"


@pytest.mark.parametrize("name", [" Sobel_X ", "sobelx", "SobelX", "SOBEL X"])
def test_names_are_forgiving_about_case_and_dashes(name: str) -> None:
    assert load_kernel(name).name == "sobel-x"


@pytest.mark.parametrize("name", ["sharpen", "sharpen4", "emboss"])
def test_an_amount_scales_what_is_added_to_the_picture(name: str) -> None:
    identity = np.zeros((3, 3))
    identity[1, 1] = 1
    added = scaled(name) - identity
    assert (scaled(f"{name}:2.5") == identity + 2.5 * added).all()
    assert (scaled(f"{name}:0") == identity).all()


def test_a_mean_of_any_side() -> None:
    assert (scaled("average:5") == np.full((5, 5), 1 / 25)).all()
    assert (scaled("mean") == np.full((3, 3), 1 / 9)).all()


def test_a_third_number_of_unsharp_is_not_taken_for_a_size() -> None:
    """Elsewhere it is a threshold."""
    for third in ("0.02", "3"):
        with pytest.raises(KernelError, match=r"at most 2 numbers.*threshold"):
            load_kernel(f"unsharp:2,1.5,{third}")
    sized = load_kernel("unsharp:2,1.5,size=9")
    assert sized.shape == (9, 9)
    assert load_kernel(sized.name).shape == (9, 9)


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("sobel-x:3", "sobel-x"),
        ("dog:wider=2", "dog:1,2"),
        ("dog:1,1.6", "dog"),
        ("gaussian:sigma=1.50", "gaussian:1.5"),
        ("gaussian:size=5", "gaussian:size=5"),
        ("box:7x7", "box:7,7"),
        ("motion:9,0", "motion:9"),
        ("gabor:8,phase=90", "gabor:8,0,aspect=1,phase=90"),
    ],
)
def test_one_kernel_has_one_name(spec: str, name: str) -> None:
    kernel = load_kernel(spec)
    assert kernel.name == name
    assert (load_kernel(name).weights == kernel.weights).all()


def test_names_of_files_are_safe() -> None:
    for name in PRESETS:
        assert re.fullmatch(r"[A-Za-z0-9._+-]+", load_kernel(PRESETS[name].example or name).slug)


ERRORS = {
    "gaussian:-1": ("sigma is -1", "from 0.05 to 1666", "gaussian:1.5"),
    "gaussian:0": ("sigma is 0",),
    "gaussian:1e999": ("1e999", "too large"),
    "gaussian:nan": ("'nan' is not a finite number",),
    "gaussian:abc": ("'abc' is not a number", "gaussian:1.5"),
    "gaussian:": ("colon", "gaussian:1.5"),
    "gaussian:1,8": ("size is 8", "odd"),
    "gaussian:1,9,9": ("at most 2", "sigma, size"),
    "gaussian:sgma=2": ("no parameter 'sgma'", "did you mean 'sigma'"),
    "gaussian:sigma=2,sigma=3": ("sigma is given twice",),
    "gaussian:sigma=2,9": ("'9' follows a named", "name it"),
    "gaussian:1,size=10001": ("size is 10001", "9999"),
    "gaussian:sigma=": ("nothing is given",),
    "box:10001": ("width is 10001", "10000"),
    "box:2.5": ("width is 2.5", "whole"),
    "sobel-x:4": ("size is 4", "3, 5, 7"),
    "log:1249.9": ("sigma",),
    "binomial:28": ("size is 28", "27"),
    "disk": ("needs radius", "disk:5"),
    "gabor:angle=3": ("needs wavelength", "gabor:8,45"),
    "laplacian:3": ("takes no numbers", "'3'"),
    "missing.csv": ("there is no file 'missing.csv'",),
    "1-sharpen.csv": ("there is no file '1-sharpen.csv'",),
    "1 0 O": ("'O' is not a number",),
    "blurr": ("did you mean 'gaussian'",),
    "gausian-5x5": ("did you mean 'gaussian-5x5'",),
    "Sharpn 4": ("did you mean 'sharpen4'",),
    "gausian-7x7": ("did you mean 'gaussian:size=7'",),
    "sobel |": ("'|' without a kernel",),
    "sobel | invert": ("a chain of 2 kernels",),
    "zzzzzz": ("there is no kernel 'zzzzzz'", "convcli kernel list"),
    "-": ("standard input",),
    "": ("no kernel is given",),
}


@pytest.mark.parametrize("spec", ERRORS)
def test_errors_say_what_would_work(spec: str) -> None:
    from convcli.errors import KernelError

    with pytest.raises(KernelError) as caught:
        load_kernel(spec)
    for piece in ERRORS[spec]:
        assert piece in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("disk:0", "1"),
        ("gabor:8", "gabor:8,0"),
        ("gabor:8", "gabor:8,aspect=1,phase=0"),
        ("motion:9", "motion:9,0"),
        ("box:3", "box:3,3"),
        ("box:1", "1"),
    ],
)
def test_what_is_left_out_and_the_least_that_is_allowed(short: str, long: str) -> None:
    assert (scaled(short) == scaled(long)).all()
    if short in ("gabor:8", "motion:9"):  # and there is one name for both
        assert load_kernel(long).name == load_kernel(short).name == short


def test_what_a_preset_cannot_do_without_is_named_first() -> None:
    with pytest.raises(KernelError, match=r"^motion needs length \(pixels\), a number from 1 to"):
        load_kernel("motion")


@pytest.mark.parametrize("literal", ["3x0: 1", "0x3: 1", "1x10001: 1", "10001x1: 1"])
def test_sides_of_a_literal(literal: str) -> None:
    with pytest.raises(KernelError, match=r"says .*; 1x1 to 10000x10000 is allowed"):
        load_kernel(literal)


@pytest.mark.parametrize("shape", [(1, 10_001), (10_001, 1)])
def test_no_side_is_longer_than_10_000(shape: tuple[int, int]) -> None:
    with pytest.raises(KernelError, match="at most 10000x10000"):
        Kernel(np.ones(shape))
    assert Kernel(np.ones(tuple(min(side, 10_000) for side in shape))).weights.size == 10_000


def test_a_kernel_too_wide_says_how_wide() -> None:
    """Before its memory is asked for; the limits of the parameters are below it."""
    with pytest.raises(KernelError, match="asks for a kernel of 20401x20401; at most 10000x10000"):
        blur_presets.gaussian(3400.0)


ODD, ANGLE, SIGMA = "an odd whole number from 1 to 9999", "a number from -360 to 360", (
    "a number from 0.05 to 1666"  # three sigmas to both sides fit into 10,000
)  # fmt: skip
ALLOWED = {
    "gaussian": {"sigma": SIGMA, "size": ODD},
    "binomial": {"size": "a whole number from 1 to 27"},
    "box": {"width": "a whole number from 1 to 10000", "height": "a whole number from 1 to 10000"},
    "sum": {"width": "a whole number from 1 to 10000", "height": "a whole number from 1 to 10000"},
    "percentile": {"percent": "a number from 0 to 100"},
    "canny": {
        "low": "a number from 0 on",
        "high": "a number from 0 on",
        "sigma": "a number from 0 to 1666",
    },
    "bilateral": {"sigma_space": SIGMA, "sigma_range": "a number from 1e-09 on"},
    "disk": {"radius": "a number from 0 to 4999"},
    "motion": {"length": "a number from 1 to 9997", "angle": ANGLE},
    "unsharp": {
        "sigma": SIGMA,
        "amount": "a number from 0 to 100",
        "size": ODD,
        "threshold": "a number from 0 on",
    },
    "threshold": {"level": "a number"},
    "sobel": {"size": "one of 3, 5, 7"},
    "sobel-x": {"size": "one of 3, 5, 7"},
    "sobel-y": {"size": "one of 3, 5, 7"},
    "dgauss": {"sigma": SIGMA, "size": ODD},
    "dgauss-x": {"sigma": SIGMA, "size": ODD},
    "dgauss-y": {"sigma": SIGMA, "size": ODD},
    "log": {"sigma": "a number from 0.05 to 1249", "size": ODD},  # four sigmas
    "dog": {"sigma": SIGMA, "wider": SIGMA, "size": ODD},
    "gabor": {
        "wavelength": "a number from 2 to 1000",  # a shorter one has no samples between
        "angle": ANGLE,
        "sigma": "a number from 0.3 to 1666",
        "aspect": "a number from 0.1 to 10",
        "phase": ANGLE,
    },
    "identity": {"size": ODD},
    "sharpen": {"amount": "a number from 0 to 100"},
    "sharpen4": {"amount": "a number from 0 to 100"},
    "emboss": {"amount": "a number from 0 to 100"},
}


def test_the_numbers_that_each_preset_takes() -> None:
    found = {
        name: {parameter.name: parameter.allowed for parameter in preset.parameters}
        for name, preset in PRESETS.items()
        if preset.parameters
    }
    assert found == ALLOWED


@pytest.mark.parametrize("name", ALLOWED)
def test_the_least_and_the_most_are_taken_and_nothing_beyond(name: str) -> None:
    """By number, where they make no kernel of thousands of weights."""
    for parameter, allowed in ALLOWED[name].items():
        if not allowed.startswith(("a number", "one of")):
            continue
        rest = [p.name for p in PRESETS[name].parameters]
        needed = [p for p in rest[: PRESETS[name].required] if p != parameter]
        others = "".join(f",{p}=3" for p in needed)
        numbers = [float(n) for n in re.findall(r"-?[0-9.]+(?:e-\d+)?", allowed.replace(",", ""))]
        if not numbers:
            continue
        ends = [numbers[0] - 0.01, *([] if allowed.endswith("on") else [numbers[-1] + 0.01])]
        for beyond in ends:
            with pytest.raises(KernelError, match=re.escape(allowed)):
                load_kernel(f"{name}:{parameter}={beyond:g}{others}")
        if numbers[0] < 400:
            assert load_kernel(f"{name}:{parameter}={numbers[0]:g}{others}").weights.size
