"""Linear light, against the curve of IEC 61966-2-1 in Python's own floats."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from convcli.imaging.stages.light import from_linear, luminance, to_linear

LEVELS = sorted({*range(256), *(10 + k / 64 for k in range(64)), 10.31475, 10.31476, -3, -200, 400})


def light(value: float) -> float:
    """Of an sRGB value; the branches meet at 0.04045."""
    size = abs(value)
    out = size / 12.92 if size <= 0.04045 else ((size + 0.055) / 1.055) ** 2.4
    return out if value >= 0 else -out


def test_levels_as_the_standard_has_them() -> None:
    values = np.array(LEVELS) / 255
    np.testing.assert_allclose(to_linear(values), [light(float(v)) for v in values], rtol=1e-13)


def test_the_way_back() -> None:
    """The standard's own rounding of its constants leaves a step of 2e-7 where the branches meet."""
    values = np.array(LEVELS) / 255
    np.testing.assert_allclose(from_linear(to_linear(values)), values, rtol=1e-6)
    linear = np.linspace(0.0031308 / 2, 0.0031308 * 2, 401)
    want = [12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in linear]
    np.testing.assert_allclose(from_linear(linear), want, rtol=1e-13)


def test_the_curve_keeps_its_type_and_sign() -> None:
    values = np.array([-0.5, -0.01, -0.0, 0.0, 0.01, 0.5], np.float32)
    assert to_linear(values).dtype == from_linear(values).dtype == np.float32
    assert np.signbit(to_linear(values)).tolist() == [True, True, True, False, False, False]


def test_luminance_is_that_of_bt_709() -> None:
    red, green, blue = luminance(np.eye(3)[None]).ravel().tolist()
    assert (red, green, blue) == (0.2126, 0.7152, 0.0722)
    assert Fraction("0.2126") + Fraction("0.7152") + Fraction("0.0722") == 1
    assert luminance(np.ones((2, 4, 3), np.float32)).shape == (2, 4, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_light_beyond_numbers_is_refused(dtype: str) -> None:
    from convcli.errors import InputError

    with pytest.raises(InputError, match="has no linear light"):
        to_linear(np.array([np.finfo(dtype).max]))
