"""What a few bytes of a Zarr's header claim is not believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli.errors import InputError, ShapeError
from convcli.imaging.formats.shared.array_file import MOST_FOLDED
from convcli.imaging.formats.zarr import store
from convcli.imaging.opening import open_stored
from convcli.imaging.options import FilterOptions
from convcli.imaging.stages.filter import Filter
from convcli.kernels.load import load_kernel

zarr = pytest.importorskip("zarr")


def claiming(folder: Path, shape: tuple[int, ...], chunks: tuple[int, ...]) -> str:
    """A header of 200 bytes, and no chunk."""
    path = folder / "x.zarr"
    path.mkdir()
    facts: dict[str, Any] = {"zarr_format": 2, "shape": shape, "chunks": chunks, "dtype": "|u1"}
    facts |= {"compressor": None, "fill_value": 0, "order": "C", "filters": None}
    (path / ".zarray").write_text(json.dumps(facts))
    return str(path)


@pytest.mark.parametrize(
    ("shape", "chunks", "says"),
    [
        ((10**9, 10**9), (10**9, 10**9), "one chunk is 1000000000x1000000000"),
        ((10**9, 10**9), (100, 100), "are not believed of"),
        ((10**6, 10**6), (1, 1), "1,000,000,000,000 chunks are not believed of"),
        ((10**4, 10**4), (1, 1), "100,000,000 chunks are not believed of"),
        ((10**9, 1), (10**4, 1), "1x1000000000 pixels"),
    ],
)
def test_a_header_alone_is_refused(
    tmp_path: Path, shape: tuple[int, ...], chunks: tuple[int, ...], says: str
) -> None:
    path = claiming(tmp_path, shape, chunks)
    with pytest.raises(InputError, match=rf"x\.zarr: .*{says}.*--max-pixels"):
        open_stored(path)


def test_what_is_trusted_is_still_no_axis_of_a_billion_cells(tmp_path: Path) -> None:
    path = claiming(tmp_path, (10**9, 10**9), (10**9, 10**9))
    source = open_stored(path, max_pixels=10**18)
    assert source is not None
    with pytest.raises(ShapeError, match="an axis has 1,000,000,000 cells"):
        Filter(source, [load_kernel("box:3")], FilterOptions())


def test_missing_chunks_of_a_small_picture_are_read(tmp_path: Path) -> None:
    source = open_stored(claiming(tmp_path, (50, 70), (20, 20)))
    assert source is not None
    assert not source.first.read((((0, 50),), ((0, 70),))).any()


@pytest.mark.parametrize("enough", [True, False])
def test_a_picture_is_believed_if_its_chunks_can_hold_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enough: bool
) -> None:
    array = zarr.create_array(
        str(tmp_path / "x.zarr"), shape=(200, 100), chunks=(50, 50), dtype="u1"
    )
    array[:50, :50] = np.random.default_rng(1).integers(0, 256, (50, 50))
    stored = array.nbytes_stored()
    monkeypatch.setattr(store, "MOST_FOLDED", 200 * 100 / stored + (0.01 if enough else -0.01))
    assert 200 * 100 / stored < MOST_FOLDED
    if enough:
        assert open_stored(str(tmp_path / "x.zarr"), max_pixels=10_000) is not None
        return
    with pytest.raises(InputError, match=f"100x200 pixels in 8 chunks .* of {stored:,} stored"):
        open_stored(str(tmp_path / "x.zarr"), max_pixels=10_000)
    assert open_stored(str(tmp_path / "x.zarr"), max_pixels=20_000) is not None
