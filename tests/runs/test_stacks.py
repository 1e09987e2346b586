"""Stacks of planes: each is filtered on its own, and the axes stay as they are.

The reference walks over the planes in NumPy: a tap at a time, in float64.
"""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from convcli.engine.backends import NUMPY
from convcli.errors import InputError, UsageError
from convcli.extensions import extension
from convcli.imaging.array_axes import parse_axes
from convcli.imaging.formats.raw import RawLayout
from convcli.imaging.options import BASE_BYTES, LEAST_ROOM, FilterOptions
from convcli.kernels.load import load_kernel
from convcli.runs.request import Job, Report, Request
from convcli.runs.run_job import run_job

WEIGHTS = np.array([[1, 2, 0], [0, 4, 3], [5, 0, 1]])
KERNEL = "1 2 0; 0 4 3; 5 0 1"
LITTLE = BASE_BYTES + LEAST_ROOM
"""Memory for a plane of half a megabyte or so: others are made in several parts."""
compiled = pytest.mark.skipif(
    extension("_loops").module is None,
    reason="parts are no lower than NumPy's tiles, as large as a plane",
)
SIZES = {"t": 3, "z": 2, "y": 23, "x": 31, "c": 3}


def noise(shape: tuple[int, ...], stored: str, seed: int = 0) -> np.ndarray:
    rng, dtype = np.random.default_rng(seed), np.dtype(stored)
    if dtype.kind == "f":
        return rng.random(shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype.newbyteorder("="), True).astype(dtype)


def plane_filtered(plane: np.ndarray, stride: int = 1) -> np.ndarray:
    """A plane ``(H, W, C)`` under the kernel over 16, mirrored at its borders."""
    wide = np.pad(plane.astype(np.float64), ((1, 1), (1, 1), (0, 0)), "reflect")
    sums = sum(
        WEIGHTS[i, j] * wide[i : i + len(plane), j : j + plane.shape[1]]
        for i, j in product(range(3), repeat=2)
    )
    sums = np.asarray(sums)[::stride, ::stride] / 16
    if plane.dtype.kind == "f":
        return sums
    limits = np.iinfo(plane.dtype)
    return np.rint(sums).clip(limits.min, limits.max)


def stack_filtered(array: np.ndarray, axes: str, stride: int = 1) -> np.ndarray:
    """The same of every plane of an array, the axes in their order."""
    stack = [axis for axis in axes if axis not in "yxc"]
    own = [*stack, "y", "x", *("c" if "c" in axes else "")]
    moved = array.transpose([axes.index(axis) for axis in own])
    size, channels = moved.shape[len(stack) :][:2], moved.shape[-1] if "c" in axes else 1
    planes = moved.reshape(-1, *size, channels)
    done = np.stack([plane_filtered(plane, stride) for plane in planes])
    shape = (*moved.shape[: len(stack)], *done.shape[1:3], *moved.shape[len(stack) + 2 :])
    return done.reshape(shape).transpose([own.index(axis) for axis in axes])


def run(
    source: Path, target: Path, axes: str = "", raw: RawLayout | None = None, **more: Any
) -> Report:
    options = {"scale": 1 / 16, "backend": NUMPY} | more.pop("options", {})
    done: list[int] = more.pop("done", [])
    request = Request(
        (str(source),),
        (load_kernel(more.pop("kernel", KERNEL)),),
        FilterOptions(**options),
        raw=raw or RawLayout(axes=tuple(axes)),
        **more,
    )
    job = Job(str(source), str(target))
    return run_job(request, job, part_done=lambda made, parts: done.append(made))


AXES = ["tyx", "yxt", "tzyx", "tcyx", "zytcx", "ctxy", "yzx", "xyt", "tyxzc"]


@pytest.mark.parametrize("stored", ["u1", ">u2", "f2", "<f4", ">f8"])
@pytest.mark.parametrize("axes", AXES)
def test_npy_keeps_its_axes(tmp_path: Path, axes: str, stored: str) -> None:
    array = noise(tuple(SIZES[axis] for axis in axes), stored)
    np.save(tmp_path / "x.npy", array)
    report = run(tmp_path / "x.npy", tmp_path / "o.npy", axes, options={"stride": (1, 1)})
    done, expected = np.load(tmp_path / "o.npy"), stack_filtered(array, axes)
    assert done.shape == array.shape
    assert (
        report.parts
        == report.outline.header.n_frames
        == array.size // (23 * 31) // (3 if "c" in axes else 1)
    )
    if array.dtype.kind == "f":
        np.testing.assert_allclose(done, expected, rtol=1e-6, atol=1e-6)
    else:
        np.testing.assert_array_equal(done, expected)


@compiled
@pytest.mark.parametrize(
    ("axes", "target"), [("tyx", "o.raw"), ("yxt", "o.npy"), ("ctyx", "o.zarr")]
)
def test_raw_stacks_in_parts_with_a_stride(tmp_path: Path, axes: str, target: str) -> None:
    """Of 401 rows and columns a stride of 2 keeps 0, 2, 4, ... and parts meet anywhere."""
    sizes = {"t": 3, "y": 401, "x": 601, "c": 3}
    array = noise(tuple(sizes[axis] for axis in axes), ">u2")
    (tmp_path / "x.raw").write_bytes(array.tobytes())
    layout = RawLayout(array.shape, ">u2", tuple(axes))
    options, memory = {"stride": 2}, LITTLE + 2**20 * ("c" in axes)
    whole = run(tmp_path / "x.raw", tmp_path / f"whole-{target}", raw=layout, options=options)
    parts = run(tmp_path / "x.raw", tmp_path / target, raw=layout, options=options, memory=memory)
    assert parts.parts > whole.parts == 3
    expected = stack_filtered(array, axes, 2)
    for name in (target, f"whole-{target}"):
        if target.endswith(".raw"):
            done = np.fromfile(tmp_path / name, "u2").reshape(expected.shape)
        elif target.endswith(".npy"):
            done = np.load(tmp_path / name)
        else:
            array_of = pytest.importorskip("zarr").open_array(str(tmp_path / name), mode="r")
            assert array_of.metadata.dimension_names == tuple(axes)
            done = array_of[...]
        np.testing.assert_array_equal(done, expected)


@compiled
def test_values_are_stretched_in_each_plane_by_itself(tmp_path: Path) -> None:
    array = np.stack([noise((400, 500), "u1") // 8 + 10, noise((400, 500), "u1", 1) // 4 + 90])
    np.save(tmp_path / "x.npy", array)
    for name, memory in (("a.npy", None), ("b.npy", LITTLE)):
        report = run(
            tmp_path / "x.npy", tmp_path / name, "zyx", kernel="identity", memory=memory,
            options={"range": "stretch", "scale": 1},
        )  # fmt: skip
        assert report.outline.tally.samples == array.size
        done = np.load(tmp_path / name)
        assert [(plane.min(), plane.max()) for plane in done] == [(0, 255), (0, 255)]


@compiled
def test_limits_of_what_is_there_stretch_a_plane(tmp_path: Path) -> None:
    """Whole parts are missing, and one plane; 0 is no value of any."""
    array = 100 + 50 * noise((3, 400, 500), "f4")
    array[0, :200] = array[1] = np.nan
    np.save(tmp_path / "x.npy", array)
    parts = []
    for name, memory in (("a.npy", None), ("b.npy", LITTLE + 5 * 2**20)):
        report = run(
            tmp_path / "x.npy", tmp_path / name, "zyx", kernel="identity", memory=memory,
            options={"range": "stretch", "scale": 1},
        )  # fmt: skip
        parts.append(report.parts)
        assert report.outline.tally.missing == 100_000 + 200_000
        assert report.outline.tally.samples == 300_000
        done = np.load(tmp_path / name)
        np.testing.assert_array_equal(np.isnan(done), np.isnan(array))
        limits = [(np.nanmin(plane), np.nanmax(plane)) for plane in done[[0, 2]]]
        assert limits == [(0, 1), (0, 1)]
    assert 3 < parts[0] < parts[1]


def test_clipped_samples_of_all_planes_are_counted_once(tmp_path: Path) -> None:
    array = noise((5, 40, 30), "u1")
    np.save(tmp_path / "x.npy", array)
    report = run(tmp_path / "x.npy", tmp_path / "o.npy", "tyx", options={"scale": 1 / 4})
    sums = stack_filtered(array.astype(float), "tyx") * 4
    assert (report.outline.tally.samples, report.outline.tally.clipped) == (
        array.size,
        (sums > 255.5).sum(),
    )


def test_planes_without_transparency_are_filtered_as_pictures_are(tmp_path: Path) -> None:
    """Whether alpha matters is asked of each plane."""
    array = noise((2, 60, 50, 4), "u1")
    array[0, ..., 3] = 255
    np.save(tmp_path / "x.npy", array)
    run(tmp_path / "x.npy", tmp_path / "o.npy", "zyxc", kernel="gaussian:2")
    for number in range(2):
        np.save(tmp_path / f"{number}.npy", array[number])
        run(tmp_path / f"{number}.npy", tmp_path / f"o{number}.npy", kernel="gaussian:2")
        np.testing.assert_array_equal(
            np.load(tmp_path / "o.npy")[number], np.load(tmp_path / f"o{number}.npy")
        )


@pytest.mark.parametrize("target", ["o.npy", "o.zarr", "o.raw"])
def test_a_plane_that_fails_leaves_nothing(tmp_path: Path, target: str) -> None:
    array = pytest.importorskip("zarr").create_array(
        str(tmp_path / "x.zarr"), shape=(3, 20, 30), chunks=(1, 20, 30), dtype="u1",
        dimension_names=("t", "y", "x"),
    )  # fmt: skip
    array[...] = noise(array.shape, "u1")
    (tmp_path / "x.zarr/c/2/0/0").write_bytes(b"damaged")
    done: list[int] = []
    with pytest.raises(InputError, match="cannot be read as Zarr"):
        run(tmp_path / "x.zarr", tmp_path / target, done=done)
    assert done == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["x.zarr"]


def test_a_cluster_writes_the_same_stacks(tmp_path: Path) -> None:
    """Two planes of the source share a chunk; its tasks write planes of one result at once."""
    zarr = pytest.importorskip("zarr")
    pytest.importorskip("distributed")
    array = noise((4, 90, 70), "u2")
    stored = zarr.create_array(
        str(tmp_path / "x.zarr"), shape=array.shape, chunks=(2, 32, 70), dtype="u2",
        dimension_names=("time", "lat", "lon"),
    )  # fmt: skip
    stored[...] = array
    words = [sys.executable, "-m", "convcli", "filter", "-k", KERNEL, "--range", "stretch"]
    words += ["x.zarr", "-o", "o.zarr", "--cluster", "local:2"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    options = {"range": "stretch", "scale": 1}
    run(tmp_path / "x.zarr", tmp_path / "here.zarr", options=options)
    here, there = (zarr.open_array(str(tmp_path / f"{n}.zarr"), mode="r") for n in ("here", "o"))
    np.testing.assert_array_equal(there[...], here[...])
    assert there.metadata.dimension_names == ("time", "lat", "lon")


@pytest.mark.parametrize(
    ("shape", "axes", "words"),
    [
        ((2, 3, 4, 5), "", r"shape \(2, 3, 4, 5\) is no picture; allowed: .* or --axes"),
        ((9,), "", "no picture"),
        ((2, 3, 4), "yx", r"has 3 axes, and 2 are named: y, x"),
        ((2, 3, 4), "zyc", "y and x are needed"),
        ((2, 3, 4), "yyx", "two of them are the same"),
        ((1001, 1, 1000, 1), "tyzx", "1,001,000 planes; at most"),
    ],
)
def test_axes_that_are_not_said_or_do_not_fit(
    tmp_path: Path, shape: tuple[int, ...], axes: str, words: str
) -> None:
    np.save(tmp_path / "x.npy", np.zeros(shape, "u1"))
    with pytest.raises(UsageError, match=words) as caught:
        run(tmp_path / "x.npy", tmp_path / "o.npy", axes)
    assert "\n" not in str(caught.value)


def test_axes_in_words() -> None:
    assert parse_axes("TZCYX") == ("t", "z", "c", "y", "x")
    assert parse_axes("Time, Latitude,lon") == ("time", "latitude", "lon")
    for text in ("", "t,,y,x", "y x", "tzc", "yxx", "lat,y,x"):
        with pytest.raises(UsageError, match="--axes"):
            parse_axes(text)


def test_pages_of_a_tiff_are_made_of_a_stack_and_not_the_other_way(tmp_path: Path) -> None:
    array = noise((3, 2, 23, 31), "u1")
    np.save(tmp_path / "x.npy", array)
    run(tmp_path / "x.npy", tmp_path / "o.tif", "tzyx")
    pages = tifffile.imread(tmp_path / "o.tif")
    np.testing.assert_array_equal(pages.reshape(array.shape), stack_filtered(array, "tzyx"))
    with pytest.raises(UsageError, match=r"o\.tif has 6 frames; .*y\.npy holds one"):
        run(tmp_path / "o.tif", tmp_path / "y.npy")
    with pytest.raises(UsageError, match=r"PNG cannot hold uint8 gray in 6 pages; use \.tif"):
        run(tmp_path / "x.npy", tmp_path / "o.png", "tzyx")
    np.save(tmp_path / "large.npy", noise((3, 300, 400), "u1"))
    with pytest.raises(UsageError, match="it has to be read whole"):
        run(tmp_path / "large.npy", tmp_path / "p.tif", "zyx", memory=LITTLE)


def test_an_array_is_asked_whether_it_holds_the_result(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", noise((20, 30, 4), "u1"), photometric="separated")
    with pytest.raises(UsageError, match=r"o\.npy: NPY cannot hold uint8 CMYK; use \.jpg or \.tif"):
        run(tmp_path / "x.tif", tmp_path / "o.npy")
    assert not (tmp_path / "o.npy").exists()
