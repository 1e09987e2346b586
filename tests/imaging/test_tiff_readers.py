"""What others read of our rasters: GDAL through rasterio and its own ``gdalinfo``, OME's ome-types."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from convcli.imaging.opening import decode_picture, open_stored
from convcli.imaging.options import FilterOptions
from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Report, Request

pytestmark = [pytest.mark.ci, pytest.mark.filterwarnings("ignore")]
rasterio = pytest.importorskip("rasterio", reason="the extra `rasters` is not installed")
ome_types = pytest.importorskip("ome_types", reason="the extra `rasters` is not installed")

STRAIGHT = (30.0, 0.0, 500_000.0, 0.0, -20.0, 5_000_000.0)
ROTATED = (30.0, 2.0, 500_000.0, -1.0, -20.0, 5_000_000.0)
RNG = np.random.default_rng(3)


def filtered(source: Path, kernel: str = "identity", **options: Any) -> Path:
    target = source.with_name("out.tif")
    memory = options.pop("memory", None)
    kernels = tuple(load_kernel(word) for word in kernel.split("|"))
    request = Request(
        (str(source),),
        kernels,
        FilterOptions(**options),
        output=str(target),
        memory=memory,
        overwrite=True,
    )
    (report,) = Batch(request).run()
    assert isinstance(report, Report)
    return target


def geotiff(folder: Path, height: int, width: int, **how: Any) -> Path:
    """A raster that GDAL writes."""
    path = folder / "in.tif"
    bands = how.pop("count", 1)
    dtype = how.pop("dtype", "float32")
    point = how.pop("point", False)
    rows: dict[str, Any] = {"driver": "GTiff", "crs": "EPSG:32633", "nodata": -9999.0}
    rows |= {"height": height, "width": width, "count": bands, "dtype": dtype}
    with rasterio.open(path, "w", **{**rows, **how}) as file:
        file.write((RNG.normal(500, 100, (bands, height, width))).astype(dtype))
        if point:
            file.update_tags(AREA_OR_POINT="Point")
        file.descriptions = [f"band {n}" for n in range(bands)]
        file.units, file.offsets, file.scales = ["m"] * bands, [10.0] * bands, [0.1] * bands
    return path


CASES = [
    # rows, columns, kernel, options, corner down and across, growth
    (6, 7, "identity", {"stride": 2}, (-0.5, -0.5), 2),
    (6, 7, "box:3", {"stride": 2}, (0.5, -0.5), 2),
    (7, 6, "box:5", {"stride": 2}, (-0.5, 0.5), 2),
    (6, 7, "box:2", {"stride": 2}, (0.0, 0.0), 2),
    (6, 7, "box:2", {}, (0.5, 0.5), 1),
    (8, 7, "box:3", {"stride": 3}, (0.0, -1.0), 3),
    (9, 8, "box:3", {"padding": "valid"}, (1.0, 1.0), 1),
    (9, 8, "box:4x3", {"padding": "full"}, (-1.0, -1.5), 1),
    (9, 8, "box:3", {"padding": "valid", "dilation": 2}, (2.0, 2.0), 1),
    (9, 8, "box:3", {"padding": ((2, 0), (1, 3))}, (-1.0, 0.0), 1),
    (9, 8, "box:3|box:2", {"padding": "valid"}, (1.5, 1.5), 1),
]


@pytest.mark.parametrize(("height", "width", "kernel", "options", "corner", "grown"), CASES)
def test_gdal_finds_pixels_where_the_table_of_shifts_has_them(
    height: int, width: int, kernel: str, options: dict[str, Any], corner: tuple[float, float],
    grown: int, tmp_path: Path,
) -> None:  # fmt: skip
    """Area and point, rotated and not: GDAL's transform is that of the corner in each."""
    for affine, point in itertools.product((STRAIGHT, ROTATED), (False, True)):
        transform = rasterio.Affine(*affine)
        source = geotiff(tmp_path, height, width, transform=transform, point=point)
        for memory in (None, 1):
            out = filtered(source, kernel, memory=memory, **options)
            down, across = corner
            expected = transform @ rasterio.Affine.translation(across, down)
            expected = expected @ rasterio.Affine.scale(grown)
            with rasterio.open(source) as a, rasterio.open(out) as b:
                assert b.transform.almost_equals(expected, precision=1e-6)
                assert b.tags()["AREA_OR_POINT"] == ("Point" if point else "Area")
                facts = ("crs", "nodata", "units", "descriptions", "scales", "offsets")
                for name in facts:
                    assert getattr(a, name) == getattr(b, name), name


def test_ground_control_points_and_rational_polynomials_move(tmp_path: Path) -> None:
    from rasterio.control import GroundControlPoint
    from rasterio.rpc import RPC

    points = [(0.0, 0.0, 5.0, 50.0), (0.0, 8.0, 6.0, 50.0), (6.5, 3.0, 5.5, 49.0)]
    gcps = [GroundControlPoint(row, col, x, y) for row, col, x, y in points]
    places = {"line_off": 3.0, "line_scale": 5.0, "samp_off": 4.5, "samp_scale": 4.0}
    ground = {
        f"{name}_{what}": 10.0 for name in ("height", "lat", "long") for what in ("off", "scale")
    }
    terms = ("line_num", "line_den", "samp_num", "samp_den")
    rpc = RPC(**places, **ground, **{f"{term}_coeff": [1.0] * 20 for term in terms})
    source = geotiff(tmp_path, 7, 8, gcps=gcps, rpcs=rpc)
    out = filtered(source, "box:3", stride=2)  # corners: down -1/2, across 1/2; centres: 0 and 1
    with rasterio.open(out) as file:
        got = [(p.row, p.col, p.x, p.y) for p in file.gcps[0]]
        assert got == [((r + 0.5) / 2, (c - 0.5) / 2, x, y) for r, c, x, y in points]
        assert (file.rpcs.line_off, file.rpcs.samp_off) == (1.5, 1.75)
        assert (file.rpcs.line_scale, file.rpcs.samp_scale) == (2.5, 2.0)


@pytest.mark.skipif(shutil.which("gdalinfo") is None, reason="GDAL's programs are not installed")
def test_gdalinfo_tells_the_same_before_and_after(tmp_path: Path) -> None:
    source = geotiff(tmp_path, 33, 31, transform=rasterio.Affine(*ROTATED), count=5)

    def info(path: Path) -> dict[str, Any]:
        done = subprocess.run(["gdalinfo", "-json", path], capture_output=True, check=True)
        told: dict[str, Any] = json.loads(done.stdout)
        for name in ("description", "files"):
            del told[name]
        told["metadata"].pop("IMAGE_STRUCTURE")
        for band in told["bands"]:  # ours are stored pixel by pixel
            del band["block"]
        return told

    before = info(source)
    for memory in (None, 1):
        assert info(filtered(source, memory=memory)) == before


@pytest.mark.parametrize(
    ("dtype", "count", "how"),
    [
        ("uint8", 3, {"photometric": "rgb", "tiled": True, "blockxsize": 16, "blockysize": 16}),
        ("uint16", 5, {"interleave": "band", "compress": "lzw", "predictor": 2}),
        ("float32", 2, {"interleave": "pixel", "compress": "deflate", "predictor": 3}),
        ("float32", 1, {"compress": "lerc_zstd"}),
        ("float64", 4, {"interleave": "band", "tiled": True, "blockxsize": 32, "blockysize": 16}),
        ("int16", 1, {"compress": "zstd", "predictor": 2, "sparse_ok": True}),
        ("int32", 6, {"compress": "lzma", "BIGTIFF": "YES"}),
        ("uint32", 3, {"compress": "packbits", "ENDIANNESS": "BIG"}),
        ("uint64", 2, {"compress": "deflate"}),
        ("int64", 2, {"interleave": "band"}),
    ],
)
def test_overviews_and_masks_of_gdal(
    dtype: str, count: int, how: dict[str, Any], tmp_path: Path
) -> None:
    mask = RNG.integers(0, 2, (61, 83), np.uint8) * np.uint8(255)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = geotiff(tmp_path, 61, 83, dtype=dtype, count=count, nodata=None, **how)
        with rasterio.open(path, "r+") as file:
            file.write_mask(mask)
            file.build_overviews([2, 4])
    with rasterio.open(path) as file:
        pixels = np.moveaxis(file.read(), 0, -1)
        assert file.mask_flag_enums[0] == [rasterio.enums.MaskFlags.per_dataset]
    picture = decode_picture(path.read_bytes(), "x")
    assert (picture.n_frames, picture.alpha, picture.colours) == (1, True, count)
    stored = open_stored(str(path))
    assert stored is not None
    with stored:
        for plane in (picture.first, stored.first):
            assert plane.dtype == dtype
            np.testing.assert_array_equal(plane.pixels[..., :-1], pixels)
            np.testing.assert_array_equal(plane.pixels[..., -1] != 0, mask != 0)


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("holes", ["in one band", "in all", "everywhere"])
@pytest.mark.parametrize("how", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 32}])
def test_lerc_keeps_nan_in_masks(
    bands: int, interleave: str, holes: str, how: dict[str, Any], tmp_path: Path
) -> None:
    path = geotiff(
        tmp_path, 45, 37, dtype="float32", count=bands, nodata=None, compress="lerc_deflate",
        interleave=interleave, **how,
    )  # fmt: skip
    with rasterio.open(path, "r+") as file:
        pixels = RNG.normal(size=(bands, 45, 37)).astype(np.float32)
        pixels[: 1 if holes == "in one band" else None, 3:9, 4:40] = np.nan
        pixels = pixels * np.nan if holes == "everywhere" else pixels
        file.write(pixels)
    stored = open_stored(str(path))
    assert stored is not None
    with stored:
        for plane in (decode_picture(path.read_bytes(), "x").first, stored.first):
            np.testing.assert_array_equal(plane.pixels, np.moveaxis(pixels, 0, -1))


@pytest.mark.parametrize("least", [0, 9, 255])
def test_lerc_keeps_alpha_in_a_mask(least: int, tmp_path: Path) -> None:
    """Where it is all or nothing, that is; libtiff stores it as a sample otherwise."""
    path = geotiff(
        tmp_path, 21, 37, dtype="uint8", count=4, nodata=None, compress="lerc", photometric="rgb",
        alpha="yes",
    )  # fmt: skip
    with rasterio.open(path, "r+") as file:
        pixels = RNG.integers(0, 256, (4, 21, 37), np.uint8)
        pixels[3], pixels[3, 4:9] = 255, least
        pixels[:3, 4:9] = 0  # it keeps no colours where nothing is
        file.write(pixels)
    np.testing.assert_array_equal(
        decode_picture(path.read_bytes(), "x").first.pixels, np.moveaxis(pixels, 0, -1)
    )


@pytest.mark.parametrize("kind", ["ycbcr", "palette"])
def test_overviews_and_masks_of_pictures_that_are_read_whole(kind: str, tmp_path: Path) -> None:
    """Of subsampled JPEG, as most aerial pictures are; of a palette, as maps are."""
    mask = RNG.integers(0, 2, (64, 96), np.uint8) * np.uint8(255)
    how: dict[str, Any] = {"tiled": True, "blockxsize": 32, "blockysize": 32, "count": 1}
    if kind == "ycbcr":
        how |= {"photometric": "ycbcr", "compress": "jpeg", "count": 3}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = geotiff(tmp_path, 64, 96, dtype="uint8", nodata=None, **how)
        with rasterio.open(path, "r+") as file:
            if kind == "palette":
                file.write_colormap(1, {n: (n, 255 - n, 7, 255) for n in range(256)})
            ramp = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
            file.write(np.stack([ramp, ramp // 2, 200 - ramp])[: file.count])  # no noise: JPEG
            file.write_mask(mask)
            file.build_overviews([2])
    with rasterio.open(path) as file:
        expected = np.moveaxis(file.read(), 0, -1)
    if kind == "palette":
        table = np.array([(n, 255 - n, 7) for n in range(256)], np.uint8)
        expected = table[expected[..., 0]]
    picture = decode_picture(path.read_bytes(), "x")
    assert (picture.space, picture.alpha, picture.n_frames) == ("rgb", True, 1)
    np.testing.assert_allclose(picture.first.pixels[..., :3].astype(int), expected, atol=5)
    np.testing.assert_array_equal(picture.first.pixels[..., 3], mask)
    assert open_stored(str(path)) is None


@pytest.mark.parametrize("memory", [None, 1])
def test_ome_s_reader_finds_sizes_types_channels_and_units(
    memory: int | None, tmp_path: Path
) -> None:
    """In parts: one plane."""
    shape = (1, 1, 1, 33, 31) if memory else (2, 3, 2, 33, 31)
    path = tmp_path / "in.ome.tif"
    about: dict[str, Any] = {"axes": "TZCYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}
    about |= {"PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 2.0}
    about |= {"TimeIncrement": 3.0, "Channel": {"Name": ["DAPI", "GFP"][: shape[2]]}}
    pixels = RNG.integers(0, 65536, shape, np.uint16)
    tifffile.imwrite(path, pixels, metadata=about, photometric="minisblack")
    (before,) = ome_types.from_tiff(path).images
    out = filtered(path, "box:3", stride=(3, 2), memory=memory)
    (after,) = ome_types.from_tiff(out).images
    expected = before.pixels.model_copy(
        update={
            "size_y": 11,
            "size_x": 16,
            "physical_size_y": 0.75,
            "physical_size_x": 1.0,
        }
    )
    assert after.pixels == expected
    assert after.name == before.name
    with tifffile.TiffFile(out) as file:
        assert file.series[0].get_shape(squeeze=False) == (*shape[:3], 11, 16, 1)
        assert file.series[0].get_axes(squeeze=False) == "TZCYXS"
