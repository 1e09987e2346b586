"""The way through floats, whole or in strips: the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import convcli
from convcli.imaging import frames, schedule

OPTIONS: dict[str, dict[str, Any]] = {
    "alpha": {},
    "alpha_strided": {"stride": (2, 3), "border": "wrap"},
    "alpha_valid_constant": {"padding": "valid", "border": "constant:30", "depth": 16},
    "linear": {"linear": True},
    "luma": {"luma": True},
    "luma_linear_float": {"luma": True, "linear": True, "range": "float"},
    "offset": {"linear": True, "range": "offset", "flip": True},
}


@pytest.mark.parametrize("kernel", ["gaussian:3", "sobel-x", ["unsharp:2,0.8", "sobel-y"]])
@pytest.mark.parametrize("name", OPTIONS)
def test_strips_give_the_same_bits(name: str, kernel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    channels = 4 if name.startswith("alpha") else 3
    pixels = rng.integers(0, 256, (300, 211, channels), dtype=np.uint8)
    monkeypatch.setattr(schedule, "STRIPS_FROM", 1 << 60)
    whole = convcli.filter_image(pixels, kernel, **OPTIONS[name])
    monkeypatch.setattr(schedule, "STRIPS_FROM", 1)
    for threads in (1, 2):
        strips = convcli.filter_image(pixels, kernel, threads=threads, **OPTIONS[name])
        assert strips.dtype == whole.dtype
        np.testing.assert_array_equal(strips, whole)


def test_strips_are_taken_for_large_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    real = frames.frame_schedule

    def counted(*args: Any, **how: Any) -> schedule.Schedule:
        made = real(*args, **how)
        calls.append(len(made.places))
        return made

    monkeypatch.setattr(frames, "frame_schedule", counted)
    pixels = np.zeros((1024, 1024, 4), np.uint8)
    convcli.filter_image(pixels, "gaussian:1")
    assert calls.pop() > 1
    convcli.filter_image(pixels[:100], "gaussian:1")
    assert calls == [1]
