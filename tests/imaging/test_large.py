"""Pictures filtered part by part equal the same pictures filtered in one piece."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from convcli.arithmetic.borders import Border
from convcli.engine.backends import NUMPY
from convcli.engine.cpu.tiles import grid
from convcli.errors import InputError, UsageError
from convcli.imaging.formats.raw import RawLayout
from convcli.imaging.frames import FilteredFrames
from convcli.imaging.opening import open_stored
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Source
from convcli.imaging.stages.filter import Filter
from convcli.kernels.load import load_kernel

SPACES = {1: ("gray", False), 2: ("gray", True), 3: ("rgb", False), 4: ("rgb", True)}


def noise(shape: tuple[int, int, int], dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if dtype.startswith("float"):
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def in_memory(pixels: np.ndarray) -> Source:
    space, alpha = SPACES[pixels.shape[2]]
    return Source("TIFF", space, alpha, pixels.dtype, pixels.shape[:2], [Frame(pixels)], name="x")


def whole(pixels: np.ndarray, kernels: list[str], options: FilterOptions) -> tuple[np.ndarray, Any]:
    space, alpha = SPACES[pixels.shape[2]]
    source = Source("TIFF", space, alpha, pixels.dtype, pixels.shape[:2], [Frame(pixels)])
    chain = Filter(source, [load_kernel(k) for k in kernels], options)
    (frame,) = FilteredFrames(chain, source)
    return frame.pixels, chain.outline


def in_parts(
    source: Source, kernels: list[str], options: FilterOptions, size: tuple[int, int] | None = None
) -> tuple[np.ndarray, Any]:
    chain = Filter(source, [load_kernel(k) for k in kernels], options._replace(backend=NUMPY))
    plan = chain.outline.plan
    cut = size or plan.steps[-1].tile
    places = grid(*plan.shape_out[:2], *cut)
    plane = source.first
    simple = chain.is_simple(plane)

    def look(survey: Any, answers: tuple[Any, ...]) -> list[Any]:
        return [survey.look(place.ranges) for place in grid(*survey.shape[:2], *cut)]

    chain.begin()
    answers = chain.answers(plane, look, simple=simple)
    stage = chain.stage(plane, simple=simple, answers=answers)
    rows: dict[int, list[np.ndarray]] = {}
    for place in places:
        rows.setdefault(place.top, []).append(stage.read(place.ranges))
    chain.count(0.0)
    return np.concatenate([np.concatenate(r, axis=1) for r in rows.values()]), chain.outline


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize(
    ("channels", "kernels", "options"),
    [
        (3, ["gaussian:2"], {}),
        (3, ["gaussian:3", "sobel"], {"range": "stretch"}),
        (3, ["gaussian:2"], {"linear": True}),
        (3, ["sharpen", "box:5"], {"luma": True}),
        (4, ["gaussian:2", "sharpen"], {}),
        (4, ["gaussian:1", "sobel-x"], {"stride": 2}),
        (4, ["sobel-x"], {"range": "offset"}),
        (4, ["laplacian"], {"stride": (2, 3), "padding": "full"}),
        (4, ["box:3", "emboss"], {"linear": True, "luma": True}),
        (2, ["gaussian:2"], {"depth": "16"}),
        (1, ["sepia"], {}),
        (1, ["sepia"], {"linear": True}),
        (2, ["sepia", "box:3"], {}),
        (4, ["gaussian:2"], {"range": "stretch"}),
        (4, ["sobel"], {"range": "stretch", "depth": "16"}),
    ],
    ids=[
        "blur", "stretch", "linear", "luma", "transparent", "transparent_strided",
        "alpha_left_alone", "alpha_strided", "all_at_once", "gray_alpha_16", "bank_on_gray",
        "bank_on_gray_linear", "bank_on_gray_with_alpha",
        "transparent_stretch", "kept_alpha_stretch",
    ],
)  # fmt: skip
def test_parts_equal_the_whole(
    channels: int, kernels: list[str], options: dict[str, Any], border: str
) -> None:
    pixels = noise((151, 83, channels))
    chosen = FilterOptions(border=Border(border, 40.0 if border == "constant" else 0.0), **options)
    expected, _ = whole(pixels, kernels, chosen)
    got, _ = in_parts(in_memory(pixels), kernels, chosen, (47, 30))
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def test_an_opaque_picture_with_alpha() -> None:
    pixels = noise((90, 70, 4))
    pixels[..., 3] = 255
    expected, _ = whole(pixels, ["gaussian:2"], FilterOptions())
    got, _ = in_parts(in_memory(pixels), ["gaussian:2"], FilterOptions(), (32, 70))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("channels", [3, 4])
def test_clipping_is_counted_once(channels: int) -> None:
    pixels = noise((600, 90, channels))
    _, one = whole(pixels, ["sharpen"], FilterOptions())
    _, many = in_parts(in_memory(pixels), ["sharpen"], FilterOptions())
    assert one.clipped_fraction == many.clipped_fraction > 0.01


# ------------------------------------------------------------------ files


def tiff(path: Path, pixels: np.ndarray, **options: Any) -> None:
    data = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    photometric = "rgb" if pixels.shape[2] >= 3 else "minisblack"
    alpha = ["unassalpha"] if pixels.shape[2] in (2, 4) else None
    planar = "contig" if pixels.shape[2] > 1 else None
    tifffile.imwrite(
        path, data, photometric=photometric, extrasamples=alpha, planarconfig=planar, **options
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rowsperstrip": 7},
        {"rowsperstrip": 5, "compression": "lzw"},
        {"tile": (32, 48)},
        {"tile": (16, 32), "compression": "adobe_deflate", "predictor": True},
        {"bigtiff": True, "byteorder": ">"},
    ],
    ids=["plain", "strips", "packed_strips", "tiles", "packed_tiles", "big_endian"],
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiff_by_strips_and_tiles(
    tmp_path: Path, options: dict[str, Any], dtype: str, channels: int
) -> None:
    pixels = noise((101, 77, channels), dtype)
    tiff(tmp_path / "x.tif", pixels, **options)
    source = open_stored(str(tmp_path / "x.tif"))
    assert source is not None
    with source:
        assert source.shape == pixels.shape
        assert source.dtype == pixels.dtype
        got = source.first.read((((3, 40), (90, 101)), ((0, 11), (50, 77))))
        rows, cols = [*range(3, 40), *range(90, 101)], [*range(11), *range(50, 77)]
        np.testing.assert_array_equal(got, pixels[rows][:, cols])
        expected, _ = whole(pixels, ["gaussian:2"], FilterOptions())
        part, _ = in_parts(source, ["gaussian:2"], FilterOptions(), (30, 50))
        np.testing.assert_array_equal(part, expected)


@pytest.mark.parametrize(
    "options",
    [
        {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)},
        {"photometric": "minisblack", "extratags": [(274, 3, 1, 6, True)]},
        {"photometric": "miniswhite"},
    ],
    ids=["palette", "turned", "white_is_zero"],
)
def test_what_must_be_read_whole(tmp_path: Path, options: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "x.tif", noise((20, 30, 1))[..., 0], **options)
    assert open_stored(str(tmp_path / "x.tif")) is None


def _read_all(path: Path) -> None:
    source = open_stored(str(path))
    assert source is not None
    with source:
        source.first.read((((0, 40),), ((0, 50),)))


@pytest.mark.parametrize("cut", [0, 100, 300])
def test_a_tiff_cut_short(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.tif"
    tiff(path, noise((40, 50, 3)), compression="adobe_deflate")
    path.write_bytes(path.read_bytes()[: -cut - 1] if cut else b"II*\0")
    with pytest.raises(InputError, match=r"x\.tif"):
        _read_all(path)


@pytest.mark.parametrize("shape", [(33, 21), (33, 21, 1), (33, 21, 3)])
@pytest.mark.parametrize("stored", ["u1", ">u2", "<f4", "f2", ">f8"])
def test_npy_and_raw(tmp_path: Path, shape: tuple[int, ...], stored: str) -> None:
    values = (np.random.default_rng(1).random(shape) * 200).astype(stored)
    np.save(tmp_path / "x.npy", values)
    (tmp_path / "x.raw").write_bytes(values.tobytes())
    full = values.reshape(33, 21, -1)
    for path, layout in (("x.npy", None), ("x.raw", RawLayout(shape, stored))):
        source = open_stored(str(tmp_path / path), layout)
        assert source is not None
        with source:
            assert source.dtype.isnative
            assert source.flat == (len(shape) == 2)
            got = source.first.read((((5, 9), (20, 33)), ((2, 21),)))
            np.testing.assert_array_equal(got, full[[*range(5, 9), *range(20, 33)], 2:])


@pytest.mark.parametrize(
    ("values", "error", "word"),
    [
        (np.zeros((2, 3, 4, 5), "u1"), UsageError, "no picture"),
        (np.zeros((4, 0, 3), "u1"), UsageError, "every axis needs a cell"),
        (np.asfortranarray(np.zeros((4, 5), "u1")), UsageError, "column by column"),
        (np.array([["a"]]), InputError, "holds"),
    ],
    ids=["four_axes", "no_cell", "fortran", "text"],
)
def test_arrays_that_are_no_pictures(
    tmp_path: Path, values: np.ndarray, error: type[Exception], word: str
) -> None:
    np.save(tmp_path / "x.npy", values)
    with pytest.raises(error, match=word):
        open_stored(str(tmp_path / "x.npy"))


def test_npy_that_claims_too_much(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((40, 50), "u1"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="2,000 bytes, and 1,999 follow"):
        open_stored(str(path))


def test_infinity_is_refused_where_it_is_read(tmp_path: Path) -> None:
    values = np.zeros((40, 50), "f4")
    values[20, 3] = np.inf
    np.save(tmp_path / "x.npy", values)
    source = open_stored(str(tmp_path / "x.npy"))
    assert source is not None
    chain = Filter(source, [load_kernel("box")], FilterOptions())
    with source, pytest.raises(InputError, match=r"not finite numbers \(infinite\)"):
        chain.stage(source.first, simple=False).read((((10, 30),), ((0, 50),)))


# ------------------------------------------------------------------ Zarr


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("chunks", [(16, 16), (50, 7), (200, 200)], ids=["square", "tall", "one"])
def test_zarr(tmp_path: Path, version: int, chunks: tuple[int, int]) -> None:
    zarr = pytest.importorskip("zarr")
    pixels = noise((101, 77, 3), "uint16")
    array = zarr.create_array(
        str(tmp_path / "x.zarr"), shape=pixels.shape, chunks=(*chunks, 3), dtype="u2",
        zarr_format=version,
    )  # fmt: skip
    array[...] = pixels
    source = open_stored(str(tmp_path / "x.zarr"))
    assert source is not None
    expected, _ = whole(pixels, ["gaussian:4"], FilterOptions(stride=2))
    got, _ = in_parts(source, ["gaussian:4"], FilterOptions(stride=2), (20, 20))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("axes", ["tczyx", "yxc", "cyx", "yx"])
def test_ome_zarr_names_its_axes(tmp_path: Path, axes: str) -> None:
    zarr = pytest.importorskip("zarr")
    sizes = {"y": 31, "x": 43, "c": 3, "t": 1, "z": 1}
    pixels = noise((31, 43, 3 if "c" in axes else 1))
    group = zarr.create_group(str(tmp_path / "x.zarr"), zarr_format=2)
    shape = tuple(sizes[a] for a in axes)
    array = group.create_array(
        "0", shape=shape, chunks=tuple(min(n, 16) for n in shape), dtype="u1"
    )
    named = pixels if "c" in axes else pixels[..., 0]
    order = [("yxc" if "c" in axes else "yx").index(a) for a in axes if a in "yxc"]
    array[...] = named.transpose(order).reshape(shape)
    scales = {"axes": [{"name": a} for a in axes], "datasets": [{"path": "0"}], "version": "0.4"}
    group.attrs["multiscales"] = [scales]
    source = open_stored(str(tmp_path / "x.zarr"))
    assert source is not None
    np.testing.assert_array_equal(source.first.read((((5, 31),), ((2, 40),))), pixels[5:, 2:40])
