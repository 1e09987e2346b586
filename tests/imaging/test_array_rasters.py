"""Arrays of science: every type and byte order, bands, what is missing, places and units."""

from __future__ import annotations

import base64
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli.arithmetic.borders import Border
from convcli.engine import numerics
from convcli.imaging.formats import NUMBERS, every_format
from convcli.imaging.formats.raw import RawLayout
from convcli.imaging.formats.zarr.attributes import declared_missing
from convcli.imaging.opening import open_stored
from convcli.imaging.options import FilterOptions
from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Job, Report, Request
from convcli.runs.run_job import run_job

INTEGERS = [name for name in numerics.DTYPES if "int" in name]


def run(source: Path, target: Path, kernel: str, axes: str = "", **options: Any) -> Report:
    request = Request(
        (str(source),),
        (load_kernel(kernel),),
        FilterOptions(**options),
        raw=RawLayout(axes=tuple(axes)),
    )
    return run_job(request, Job(str(source), str(target)))


def opened(path: Path, layout: RawLayout | None = None) -> Any:
    source = open_stored(str(path), layout)
    assert source is not None
    with source:
        return source, source.first.pixels


def test_the_types_that_arrays_hold_are_those_that_the_engine_gives() -> None:
    assert sorted(NUMBERS.split()) == sorted(numerics.OUT_DTYPES)
    arrays = [fmt for fmt in every_format() if fmt.is_array]
    assert {fmt.dtypes for fmt in arrays} == {NUMBERS}
    assert all(fmt.stacks for fmt in arrays)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", INTEGERS)
def test_whole_numbers_of_every_type_and_byte_order(tmp_path: Path, name: str, order: str) -> None:
    """Against Python's integers: a sum of differences that spans the type, cut to it."""
    dtype = np.dtype(name).newbyteorder(order)
    limits = np.iinfo(dtype)
    most = min(limits.max, 2**50)  # wider ones are held as float64
    rng = np.random.default_rng(1)
    array = rng.integers(max(limits.min, -most), most, (7, 9, 5), np.dtype(name), True)
    array = array.astype(dtype)
    np.save(tmp_path / "x.npy", array)
    (tmp_path / "x.raw").write_bytes(array.tobytes())
    source, pixels = opened(tmp_path / "x.raw", RawLayout(array.shape, dtype.str))
    assert (source.space, source.bands, source.alpha) == ("bands", 5, False)
    np.testing.assert_array_equal(pixels, array)
    run(tmp_path / "x.npy", tmp_path / "o.npy", "1 0 -1", range="clip")
    done = np.load(tmp_path / "o.npy")
    assert done.dtype == np.dtype(name)
    for (y, x, band), value in np.ndenumerate(done):
        left, right = (
            int(array[y, 1 if not 0 <= i < 9 and i < 0 else 7 if i > 8 else i, band])
            for i in (x - 1, x + 1)
        )
        assert value == min(max(left - right, limits.min), limits.max)


@pytest.mark.parametrize(
    ("channels", "stored", "space"),
    [
        (1, "u1", ("gray", False, 0)),
        (2, "u2", ("gray", True, 0)),
        (3, "f4", ("rgb", False, 0)),
        (4, "f2", ("rgb", True, 0)),
        (5, "u1", ("bands", False, 5)),
        (1, "i2", ("gray", False, 0)),
        (2, "i2", ("bands", False, 2)),
        (4, "u4", ("bands", False, 4)),
        (3, "i8", ("bands", False, 3)),
    ],
)
def test_what_channels_of_an_array_are(
    tmp_path: Path, channels: int, stored: str, space: tuple[str, bool, int]
) -> None:
    np.save(tmp_path / "x.npy", np.zeros((5, 6, channels), stored))
    source, _ = opened(tmp_path / "x.npy")
    assert (source.space, source.alpha, source.bands) == space
    assert source.shape == (5, 6, channels)


def test_what_may_be_a_stack_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "volume.npy", np.zeros((6, 20, 30), "u1"))
    np.save(tmp_path / "cube.npy", np.zeros((20, 30, 6), "u1"))
    (note,) = opened(tmp_path / "volume.npy")[0].notes
    assert "20x6 pixels of 30 bands" in note
    assert "--axes zyx" in note
    assert opened(tmp_path / "cube.npy")[0].notes == []
    assert opened(tmp_path / "volume.npy", RawLayout(axes=("z", "y", "x")))[0].notes == []


def test_floats_of_a_pfm_that_are_missing(tmp_path: Path) -> None:
    rows = np.float32([[1, 2, 3], [4, np.nan, 6], [7, 8, 9]])
    (tmp_path / "x.pfm").write_bytes(b"Pf\n3 3\n-2.5\n" + rows[::-1].astype("<f4").tobytes())
    run(tmp_path / "x.pfm", tmp_path / "o.pfm", "1 1 1; 1 1 1; 1 1 1",
        border=Border("missing"), fill=True, values=True)  # fmt: skip
    head, _, body = (tmp_path / "o.pfm").read_bytes().partition(b"-2.5\n")
    assert head == b"Pf\n3 3\n"
    assert np.frombuffer(body, "<f4").reshape(3, 3)[::-1][1, 1] == 45


# ------------------------------------------------------------------ Zarr


def zarr_of(path: Path, array: np.ndarray, version: int = 3, **said: Any) -> Any:
    zarr = pytest.importorskip("zarr")
    made = zarr.create_array(
        str(path), shape=array.shape, chunks=said.pop("chunks", array.shape), dtype=array.dtype,
        zarr_format=version, **said,
    )  # fmt: skip
    made[...] = array
    return made


def read_zarr(path: Path) -> Any:
    return pytest.importorskip("zarr").open(str(path), mode="r")


def base(value: float) -> str:
    return base64.b64encode(struct.pack("<d", value)).decode()


DIMENSIONS = {"_ARRAY_DIMENSIONS": ["lat", "lon"]}


@pytest.mark.parametrize(
    ("attributes", "stored", "version", "fill", "expected"),
    [
        ({}, "i2", 3, 0, None),
        ({}, "i2", 2, 0, None),
        ({}, "i2", 2, -9999, None),
        (DIMENSIONS, "i2", 2, -9999, -9999),
        (DIMENSIONS, "u1", 2, 0, 0),
        (DIMENSIONS, "i2", 2, None, None),
        (DIMENSIONS, "i2", 3, -9999, None),
        (DIMENSIONS | {"_FillValue": 7}, "i2", 2, 0, 7),
        ({"_FillValue": -32768}, "i2", 3, 0, -32768),
        ({"_FillValue": [-1]}, "i2", 3, 0, -1),
        ({"_FillValue": 2**63 - 1}, "i8", 3, 0, 2**63 - 1),
        ({"missing_value": -1}, "i2", 3, 0, -1),
        ({"missing_value": [-1, -2]}, "i2", 3, 0, None),
        ({"_FillValue": 5, "missing_value": -1}, "i2", 3, 0, 5),
        ({"_FillValue": -9999}, "u1", 3, 0, None),
        ({"_FillValue": 0.5}, "u1", 3, 0, None),
        ({"_FillValue": True}, "u1", 3, 0, None),
        ({"_FillValue": base(-9999.9)}, "f8", 3, 0, -9999.9),
        ({"_FillValue": base(-9999.9)}, "f4", 3, 0, float(np.float32(-9999.9))),
        ({"_FillValue": 1e300}, "f4", 3, 0, None),
        ({"_FillValue": "nothing"}, "f4", 3, 0, None),
    ],
)  # fmt: skip
def test_which_value_means_missing(
    attributes: dict[str, Any], stored: str, version: int, fill: Any, expected: Any
) -> None:
    got = declared_missing(attributes, np.dtype(stored), version, fill)
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize("text", ["NaN", base(float("nan"))])
def test_nan_is_declared_in_two_ways(text: str) -> None:
    got = declared_missing({"_FillValue": text}, np.dtype("f4"), 3, 0)
    assert got is not None
    assert np.isnan(got)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("stored", ["i2", "f4"])
def test_missing_samples_stay_so_and_are_declared_as_they_were(
    tmp_path: Path, version: int, stored: str
) -> None:
    rng = np.random.default_rng(3)
    array = rng.integers(-90, 90, (13, 11)).astype(stored)
    array[rng.random(array.shape) < 0.2] = -9999
    said: dict[str, Any] = {"attributes": {"units": "m", "crs": "EPSG:4326", "valid_min": -100}}
    if version == 2:
        said["attributes"] |= DIMENSIONS
        said["fill_value"] = -9999
    else:
        said["attributes"]["_FillValue"] = -9999 if stored == "i2" else base(-9999)
        said["dimension_names"] = ("lat", "lon")
    (tmp_path / "x.zarr").mkdir()
    zarr_of(tmp_path / "x.zarr/dem", array, version, **said)
    kernel = "1 2 1; 2 4 2; 1 2 1"
    options = FilterOptions(border=Border("missing"))
    source, target = str(tmp_path / "x.zarr/dem"), str(tmp_path / "o.zarr")
    batch = Batch(Request((source,), (load_kernel(kernel),), options, output=target))
    (report,) = batch.run()
    assert isinstance(report, Report)
    there = array != -9999
    expected = np.full(array.shape, -9999.0)
    weights = np.outer([1, 2, 1], [1, 2, 1])
    for y, x in zip(*np.nonzero(there), strict=True):
        cells = [
            (weights[i, j], float(array[y + i - 1, x + j - 1]))
            for i in range(3)
            for j in range(3)
            if 0 <= y + i - 1 < 13 and 0 <= x + j - 1 < 11 and there[y + i - 1, x + j - 1]
        ]
        expected[y, x] = 16 * sum(w * v for w, v in cells) / sum(w for w, _ in cells)
    done = read_zarr(tmp_path / "o.zarr")
    assert done.metadata.zarr_format == version
    if stored == "i2":
        np.testing.assert_array_equal(done[...], np.rint(expected))
    else:
        np.testing.assert_allclose(done[...], expected, rtol=1e-5)
    assert done.fill_value == -9999
    attributes = dict(done.attrs)
    assert (attributes.pop("units"), attributes.pop("crs")) == ("m", "EPSG:4326")
    wanted = DIMENSIONS if version == 2 else {"_FillValue": said["attributes"]["_FillValue"]}
    assert attributes == wanted
    assert report.warnings == ["left out: valid_min (true of the old pixels only)"]
    again, _ = opened(tmp_path / "o.zarr")
    assert again.nodata == -9999


def test_an_offset_grows_with_the_weights_and_places_follow_the_pixels(tmp_path: Path) -> None:
    packing = {"scale_factor": 0.5, "add_offset": 10.0, "spatial:bbox": [0, 0, 1, 1]}
    places = {"spatial:transform": [2.0, 0, 100, 0, -2.0, 50], "spatial:shape": [12, 14]}
    zarr_of(tmp_path / "x.zarr", np.ones((12, 14), "i2"), attributes=packing | places)
    run(tmp_path / "x.zarr", tmp_path / "o.zarr", "1 1; 1 0", padding="valid", stride=2)
    said = dict(read_zarr(tmp_path / "o.zarr").attrs)
    # Corners do not move: (2 - 1)/2 + (1 - 2)/2 = 0; a pixel is twice as large.
    assert said == {
        "scale_factor": 0.5, "add_offset": 30.0,
        "spatial:transform": [4.0, 0, 100, 0, -4.0, 50], "spatial:shape": [6, 7],
    }  # fmt: skip
    report = run(tmp_path / "x.zarr", tmp_path / "p.zarr", "box:3", range="stretch")
    kept = dict(read_zarr(tmp_path / "p.zarr").attrs)
    assert kept == places | {"spatial:bbox": [0, 0, 1, 1]}
    assert "scale_factor, add_offset" in report.warnings[0]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6])
def test_bands_that_a_file_names_are_never_alpha(tmp_path: Path, count: int) -> None:
    array = np.random.default_rng(2).integers(0, 256, (count, 12, 9), np.uint8)
    zarr_of(tmp_path / "x.zarr", array, dimension_names=("band", "y", "x"))
    source, _ = opened(tmp_path / "x.zarr")
    space = {1: ("gray", 0), 3: ("rgb", 0)}.get(count, ("bands", count))
    assert (source.space, source.bands, source.alpha) == (*space, False)
    run(tmp_path / "x.zarr", tmp_path / "o.zarr", "identity")
    done = read_zarr(tmp_path / "o.zarr")
    np.testing.assert_array_equal(done[...], array)
    assert done.metadata.dimension_names == ("band", "y", "x")


def ome_zarr(path: Path, version: int, axes: str, array: np.ndarray) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.create_group(str(path), zarr_format=version)
    kinds = {"t": "time", "c": "channel"}
    units = {"z": {"unit": "micrometer"}, "y": {"unit": "micrometer"}, "x": {"unit": "micrometer"}}
    scale = [{"t": 2.0, "z": 3.0, "y": 0.5, "x": 0.25}.get(axis, 1.0) for axis in axes]
    shift = [{"y": 10.0, "z": 1.5}.get(axis, 0.0) for axis in axes]
    steps = [
        {"type": "scale", "scale": scale},
        {"type": "translation", "translation": shift},
    ]
    scales = {
        "name": "cells",
        "axes": [{"name": a, "type": kinds.get(a, "space")} | units.get(a, {}) for a in axes],
        "datasets": [
            {"path": "full", "coordinateTransformations": steps},
            {"path": "half", "coordinateTransformations": steps},
        ],
    }
    colours = [{"label": name, "color": "FF0000"} for name in ("dapi", "gfp")]
    omero = {"channels": colours}
    if version == 3:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [scales], "omero": omero}
    else:
        group.attrs.update({"multiscales": [{"version": "0.4", **scales}], "omero": omero})
    group.attrs["made by"] = "hand"
    chunks = tuple(1 if axis in "tzc" else 8 for axis in axes)
    level = group.create_array("full", shape=array.shape, chunks=chunks, dtype=array.dtype)
    level[...] = array


@pytest.mark.parametrize(("version", "axes"), [(2, "tczyx"), (3, "czyx"), (3, "zyxc")])
def test_an_ome_zarr_stays_one(tmp_path: Path, version: int, axes: str) -> None:
    """Kernel of 4, stride 2, padding same of 20 rows: 1 before; centres move by 1.5 - 1 pixels."""
    sizes = {"t": 2, "c": 2, "z": 3, "y": 20, "x": 26}
    shape = tuple(sizes[axis] for axis in axes)
    array = np.random.default_rng(5).integers(0, 60000, shape, np.uint16)
    ome_zarr(tmp_path / "x.zarr", version, axes, array)
    run(tmp_path / "x.zarr", tmp_path / "o.zarr", "1 0 0 1; 0 0 0 0; 0 0 0 0; 0 0 0 1", stride=2)
    group = read_zarr(tmp_path / "o.zarr")
    done = group["0"]
    rows, cols = axes.index("y"), axes.index("x")
    wide = [(1, 2) if axis in (rows, cols) else (0, 0) for axis in range(len(axes))]
    padded = np.pad(array.astype(np.int64), wide, "reflect")

    def tap(i: int, j: int) -> np.ndarray:
        index: list[Any] = [slice(None)] * len(axes)
        index[rows], index[cols] = slice(i, i + 20, 2), slice(j, j + 26, 2)
        return padded[tuple(index)]

    expected = (tap(0, 0) + tap(0, 3) + tap(3, 3)).clip(0, 65535)
    np.testing.assert_array_equal(done[...], expected)
    assert done.chunks == tuple(1 if axis in "tzc" else 8 for axis in axes)
    said = dict(group.attrs)
    assert said.pop("made by") == "hand"
    old = dict(read_zarr(tmp_path / "x.zarr").attrs)
    if version == 3:
        assert done.metadata.dimension_names == tuple(axes)
        said, old = said["ome"], old["ome"]
    assert said["omero"] == old["omero"]
    (scales,), (before,) = said["multiscales"], old["multiscales"]
    assert {k: scales[k] for k in scales if k != "datasets"} == {
        k: before[k] for k in before if k != "datasets"
    }
    moved = {"y": 10.0 + 0.5 * 0.5, "x": 0.25 * 0.5, "z": 1.5}
    grown = {"t": 2.0, "z": 3.0, "y": 1.0, "x": 0.5}
    assert scales["datasets"] == [
        {
            "path": "0",
            "coordinateTransformations": [
                {"type": "scale", "scale": [grown.get(axis, 1.0) for axis in axes]},
                {"type": "translation", "translation": [moved.get(axis, 0.0) for axis in axes]},
            ],
        }
    ]
    again, _ = opened(tmp_path / "o.zarr")
    assert again.n_frames == array.size // (20 * 26 * 2)
    assert again.axes is not None
    assert again.axes.names == tuple(axes)


def test_chosen_bands_take_their_labels_along(tmp_path: Path) -> None:
    array = np.random.default_rng(6).integers(0, 60000, (2, 9, 10), np.uint16)
    ome_zarr(tmp_path / "x.zarr", 3, "cyx", array)
    run(tmp_path / "x.zarr", tmp_path / "o.zarr", "identity", bands=(2, 1))
    run(tmp_path / "x.zarr", tmp_path / "p.zarr", "identity", bands=(2,))
    for name, order in (("o.zarr", [1, 0]), ("p.zarr", [1])):
        group = read_zarr(tmp_path / name)
        np.testing.assert_array_equal(group["0"][...], array[order])
        labels = [channel["label"] for channel in group.attrs["ome"]["omero"]["channels"]]
        assert labels == [("dapi", "gfp")[band] for band in order]
