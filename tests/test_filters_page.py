"""docs/filters.md: made by its script, every preset on it, the same pictures, and its laws hold."""

from __future__ import annotations

import re
from pathlib import Path

import make_filters as SCRIPT
import numpy as np
import pytest
from PIL import Image

from convcli import filter_image
from convcli.kernels.catalogue import PRESETS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "filters.md").read_text()


def test_the_page_has_not_drifted() -> None:
    assert SCRIPT.page() == PAGE, "run: python docs/make_filters.py"


def test_every_operation_is_on_it() -> None:
    shown = {spec.partition(":")[0] for specs in SCRIPT.SHOWN.values() for spec in specs}
    assert shown == {name for name, preset in PRESETS.items() if preset.has_footprint} | {"canny"}
    assert shown == SCRIPT.DEFINITIONS.keys() | {"canny"}


def test_pictures_come_out_the_same(tmp_path: Path) -> None:
    SCRIPT.make(tmp_path)
    names = SCRIPT.embedded(PAGE)
    parts = SCRIPT.embedded("\n".join([*SCRIPT.LEVELS, *SCRIPT.PARTS]))
    assert len(names) == sum(map(len, SCRIPT.SHOWN.values())) + len(parts)
    for name in names:
        kept, new = (
            np.asarray(Image.open(folder / name).convert("RGB"), float)
            for folder in (ROOT / "docs" / "images", tmp_path)
        )
        assert kept.shape == new.shape
        assert np.abs(kept - new).mean() < 0.5, f"{name}: run python docs/make_filters.py"


@pytest.mark.parametrize("line", SCRIPT.CHOICES.values())
def test_what_is_advised_works(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"| `{line}` |" in PAGE
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(5).integers(0, 256, (24, 28, 3), np.uint8)
    Image.fromarray(x).save("in.png")
    SCRIPT.run(f"convcli filter in.png {line} -o out.png")
    got = np.asarray(Image.open("out.png"))
    assert got.shape[:2] == ((6, 7) if "stride" in line else (24, 28))


@pytest.mark.parametrize("row", re.findall(r"^\| `([\w-]+)` \| .* \| (.*) \|$", PAGE, re.M))
def test_the_definitions_are_what_is_done(row: tuple[str, str]) -> None:
    """Under every window of 4x3 about a cell that lies inside."""
    name, definition = row
    x = np.random.default_rng(2).integers(0, 30, (9, 11)).astype(np.int16)
    spec = f"{name}:{ {'percentile': '70,', 'bilateral': '3,9,'}.get(name, '') }3x3"
    got = filter_image(x, spec, depth="float64")[3:-3, 3:-3]
    cells = np.lib.stride_tricks.sliding_window_view(x, (3, 3)).reshape(7, 9, 9)
    low, high = (part(cells, axis=-1) for part in (np.min, np.max))
    again = [np.lib.stride_tricks.sliding_window_view(part, (3, 3)) for part in (low, high)]
    opened, closed = again[0].max((-2, -1)), again[1].min((-2, -1))
    order, inner = np.sort(cells, axis=-1), x[2:-2, 2:-2]
    near = np.exp(-((np.arange(9) // 3 - 1) ** 2) / 18 - (np.arange(9) % 3 - 1) ** 2 / 18)
    weights = near * np.exp(-((cells - cells[..., 4:5]) ** 2) / (2 * 9.0**2))
    counts = [[min(p, key=lambda v: (-p.count(v), v)) for p in r] for r in cells.tolist()]
    want = {
        "median": order[..., 4],
        "percentile": order[..., 6],
        "min": low,
        "max": high,
        "range": high - low,
        "stddev": cells.std(axis=-1),
        "variance": cells.var(axis=-1),
        "mode": np.array(counts),
        "bilateral": (weights * cells).sum(axis=-1) / weights.sum(axis=-1),
        "erode": low,
        "dilate": high,
        "morph-gradient": high - low,
    }
    within = {"open": opened, "close": closed, "tophat": inner - opened, "blackhat": closed - inner}
    if name in within:
        np.testing.assert_array_equal(got, within[name][1:-1, 1:-1])
    else:
        np.testing.assert_allclose(got, want[name][2:-2, 2:-2], rtol=1e-12)
    assert definition


def test_the_laws_of_the_page() -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(0, 256, (17, 19), np.uint8)
    spec, turned = "1 1 0; 0 1 1; 0 0 1", "1 0 0; 1 1 0; 0 1 1"
    for border in ("edge", "reflect", "wrap"):
        dual = 255 - filter_image(255 - x, f"erode:{turned}", border=border)
        np.testing.assert_array_equal(filter_image(x, f"dilate:{spec}", border=border), dual)
    for border in ("wrap", "missing"):
        opened = filter_image(x, f"open:{spec}", border=border)
        assert (opened <= x).all()
        np.testing.assert_array_equal(filter_image(opened, f"open:{spec}", border=border), opened)
    order = np.sort(rng.choice(65536, 256, replace=False)).astype(np.uint16)
    np.testing.assert_array_equal(
        filter_image(order[x], "median:5"), order[filter_image(x, "median:5")]
    )
    assert not np.array_equal(filter_image(x, f"erode:{spec}"), filter_image(x, f"erode:{turned}"))
