"""What sees all its samples goes the plain way beside what does not, to the same bits."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import numpy as np
import pytest

from convcli import filter_image
from convcli.engine import algorithms
from convcli.engine.algorithms import in_turn
from convcli.engine.step import Method
from convcli.imaging.stages import nonlinear, partly_hidden
from convcli.imaging.stages.lacking import lacking

SPECS = ["median:3", "percentile:90,1x4", "erode:disk:2", "dilate:4x3", "open:3", "range:3",
         "stddev:3", "mode:3x2"]  # fmt: skip
GEOMETRY: list[dict[str, Any]] = [
    {},
    {"stride": (2, 1), "border": "wrap"},
    {"padding": "valid", "dilation": 2, "border": "constant:200"},
    {"padding": "full", "border": "edge"},
]


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of which a small picture has several."""
    for module in iter_modules(algorithms.__path__):  # which are imported when they are needed
        import_module(f"{algorithms.__name__}.{module.name}")
    methods: list[type] = [Method]
    for method in methods:
        methods += method.__subclasses__()
        if "tile" in vars(method) and method is not Method and method is not in_turn._InTurn:
            monkeypatch.setattr(method, "tile", (7, 9))


def pictures() -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    rng = np.random.default_rng(4)
    rgba = rng.integers(0, 9, (41, 53, 4), dtype=np.uint8) * 28
    rgba[..., 3] = rng.integers(1, 256, rgba.shape[:2])
    rgba[:8, 4:9, 3] = 0
    rgba[30, 40, 3] = 0
    gray = rng.integers(0, 60000, (37, 44, 2), dtype=np.uint16)
    gray[3:5, :6, 1] = 77
    floats = rng.normal(size=(37, 44)).astype(np.float32).round(1) + 0
    floats[20:22, 30:] = np.nan
    return {
        "rgba": (rgba, {}),
        "rgba16": (rgba.astype(np.uint16) * 257, {}),
        "raster": (gray, {"nodata": 77, "values": True}),
        "floats": (floats, {"values": True}),
    }


@pytest.mark.parametrize("kind", pictures())
@pytest.mark.parametrize("spec", SPECS)
def test_parts_are_what_the_whole_would_be(
    kind: str, spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, options = pictures()[kind]
    parted = []

    def noted(*args: Any, **more: Any) -> Any:
        found = lacking(*args, **more)
        parted.append(found != [args[3]])
        return found

    for geometry in (GEOMETRY[0], GEOMETRY[1 + SPECS.index(spec) % 3]):
        with monkeypatch.context() as patch:
            for module in (nonlinear, partly_hidden):
                patch.setattr(module, "lacking", noted)
            got = filter_image(x, spec, **options, **geometry)
        with monkeypatch.context() as patch:
            patch.setattr(nonlinear, "lacking", lambda *args, **_: [args[3]])
            patch.setattr(partly_hidden, "same_from_samples", lambda _: False)
            want = filter_image(x, spec, **options, **geometry)
        np.testing.assert_array_equal(
            got.view(np.uint8), want.view(np.uint8), err_msg=f"{geometry}"
        )
    assert any(parted)


def test_outside_that_is_missing_counts_as_lacking() -> None:
    x = pictures()["raster"][0]
    kwargs: dict[str, Any] = {"nodata": 77, "values": True, "border": "missing"}
    got = filter_image(x, "max:3", **kwargs)
    padded = np.pad(np.where(x == 77, 0, x), [(1, 1), (1, 1), (0, 0)])
    want = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1)).max((-1, -2))
    np.testing.assert_array_equal(got, np.where(x == 77, 77, want))
