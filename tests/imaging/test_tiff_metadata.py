"""What a TIFF says besides its pixels comes out of a filter byte by byte, whatever reads it."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from convcli.arithmetic.window import conv_window
from convcli.imaging.band_choice import chosen
from convcli.imaging.header import Metadata
from convcli.imaging.metadata.bands import bands_after, choose_bands
from convcli.imaging.metadata.georeference import follow, moved
from convcli.imaging.metadata.revise import effect_of
from convcli.imaging.metadata.tiff_fields import ASCII, DOUBLE, SHORT, Field
from convcli.imaging.opening import decode_picture, open_stored
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Source
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Report, Request

H, W = 6, 9
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
TEXTS = {
    270: "Größe µm".encode(),
    315: "Åsa".encode("latin-1"),
    33432: "© 2024 Ann".encode(),
    305: b"\x83\x65\x83\x58\x83\x67 \xff",  # Shift-JIS, and what is no text at all
    269: b"two\0texts",
    65000: b"private",
}
ROUTES = ["pillow", "tifffile", "parts", "compressed_parts", "big_endian", "bigtiff"]
"""What reads or writes a picture: each has its own way to its tags."""


def made(route: str, **options: Any) -> bytes:
    """A TIFF that goes one of the ways."""
    dtype = options.pop("dtype", "uint8" if route in ("pillow", "big_endian") else "uint16")
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        np.arange(H * W, dtype=dtype).reshape(H, W),
        bigtiff=route == "bigtiff",
        byteorder=">" if route == "big_endian" else "<",
        compression="zstd" if route == "compressed_parts" else None,
        **{"metadata": None, "software": False, **options},
    )
    return out.getvalue()


def filtered(
    data: bytes, folder: Path, suffix: str = ".tif", kernel: str = "identity", **options: Any
) -> tuple[bytes, Report]:
    """The file that comes out, and the report."""
    source, target = folder / "in.tif", folder / f"out{suffix}"
    source.write_bytes(data)
    memory = options.pop("memory", None)
    request = Request(
        (str(source),),
        (load_kernel(kernel),),
        FilterOptions(**options),
        output=str(target),
        memory=memory,
        overwrite=True,
    )
    (report,) = Batch(request).run()
    assert isinstance(report, Report)
    assert ("decode" in report.seconds) == (memory is None)  # read whole, or part by part
    return target.read_bytes(), report


def raw(data: bytes, code: int, page: int = 0) -> tuple[int, bytes] | None:
    """Type and bytes of a tag, as they lie in the file."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages[page].tags.get(code)
        if tag is None:
            return None
        return int(tag.dtype), data[tag.valueoffset : tag.valueoffset + tag.valuebytecount]


def memory_of(route: str) -> int | None:
    return 1 if route.endswith("parts") else None


@pytest.mark.parametrize("route", ROUTES)
def test_texts_keep_their_bytes_in_any_encoding(route: str, tmp_path: Path) -> None:
    tags = [(code, 2, len(text) + 1, text + b"\0", True) for code, text in TEXTS.items()]
    data = made(route, extratags=tags)
    out, report = filtered(data, tmp_path, memory=memory_of(route))
    for code, text in TEXTS.items():
        assert raw(data, code) == raw(out, code) == (2, text + b"\0")
    assert report.warnings == []


def test_ome_with_a_micro_sign_keeps_its_bytes(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "x.ome.tif",
        np.zeros((2, H, W), np.uint16),
        metadata={"axes": "ZYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"},
    )
    data = (tmp_path / "x.ome.tif").read_bytes()
    out, report = filtered(data, tmp_path)
    assert "µ".encode() in data
    assert raw(out, 270) == raw(data, 270)
    assert report.warnings == []


@pytest.mark.parametrize("route", ROUTES)
def test_tags_of_every_type_keep_their_values(route: str, tmp_path: Path) -> None:
    """In the other byte order too, which is not written."""
    values: dict[int, tuple[int, Any]] = {
        65001: (1, b"\1\2\3\4\5"),
        65003: (3, (1, 2, 65535)),
        65004: (4, (7,)),
        65005: (5, (1, 3, 2, 7)),
        65007: (7, b"any thing"),
        65008: (8, (-1, 2)),
        65010: (10, (-1, 3)),
        65011: (11, (0.5, 2.0)),
        65012: (12, (0.1,)),
        33723: (7, b"\x1c\x02\x78\0\x07caption"),
        318: (5, (3127, 10000, 3290, 10000)),
        50844: (12, tuple(float(i) for i in range(92))),
    }
    tags = [
        (code, kind, len(value) // (2 if kind in (5, 10) else 1), value, True)
        for code, (kind, value) in values.items()
    ]
    data = made(route, extratags=tags)
    out, report = filtered(data, tmp_path, memory=memory_of(route))
    assert report.warnings == []
    with tifffile.TiffFile(io.BytesIO(data)) as a, tifffile.TiffFile(io.BytesIO(out)) as b:
        before, after = a.pages.first.tags, b.pages.first.tags
        for code, (kind, value) in values.items():
            assert (int(after[code].dtype), after[code].value) == (kind, before[code].value)
            assert np.ravel(before[code].value).tolist() == np.ravel(value).tolist()
    with Image.open(io.BytesIO(out)) as image:
        image.load()  # no library stumbles over it


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_each_page_says_what_it_said(dtype: str, tmp_path: Path) -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        for page in range(3):
            writer.write(
                np.full((H, W), page, dtype),
                description=f"page {page}",
                resolution=(100 + page, 200),
                iccprofile=ICC if page == 1 else None,
                extratags=[(285, 2, 0, f"name {page}", True)],
                metadata=None,
            )
    data = out.getvalue()
    again, _ = filtered(data, tmp_path)
    for page in range(3):
        for code in (270, 285, 282, 283, 296, 34675):
            assert raw(again, code, page) == raw(data, code, page)
        # Pillow follows the links from page to page too.
        with Image.open(io.BytesIO(again)) as image:
            image.seek(page)
            assert np.asarray(image).max() == page


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("unit", ["CENTIMETER", "NONE"])
def test_resolution_keeps_its_unit(route: str, unit: str, tmp_path: Path) -> None:
    data = made(route, resolution=((11811, 100), (2, 1)), resolutionunit=unit)
    out, _ = filtered(data, tmp_path, memory=memory_of(route))
    with tifffile.TiffFile(io.BytesIO(data)) as a, tifffile.TiffFile(io.BytesIO(out)) as b:
        for code in (282, 283, 296):
            assert a.pages.first.tags[code].value == b.pages.first.tags[code].value


@pytest.mark.parametrize("route", ["pillow", "parts"])
def test_no_resolution_is_made_up(route: str, tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.fromarray(np.zeros((H, W), "uint8")).save(out, "TIFF")
    again, _ = filtered(out.getvalue(), tmp_path, memory=memory_of(route))
    assert raw(again, 282) is raw(again, 296) is None


def test_a_description_that_is_none_of_a_stack_stays(tmp_path: Path) -> None:
    text = b'{"shape of things": [1, 2]}'
    data = made("tifffile", extratags=[(270, 2, 0, text, True)])
    out, _ = filtered(data, tmp_path, stride=2)
    assert raw(out, 270) == (2, text + b"\0")


# ------------------------------------------------------------------------------- EXIF and place


def exif() -> Image.Exif:
    block = Image.Exif()
    block[0x010F], block[0x8298] = "Maker", "Ann"
    block.get_ifd(0x8769)[0x9003] = "2024:01:02 03:04:05"
    block.get_ifd(0x8769)[0x927C] = b"maker's note"
    block.get_ifd(0x8825)[2] = (48.0, 8.0, 15.0)
    return block


def test_exif_and_place_of_a_photograph_go_into_a_tiff_and_back(tmp_path: Path) -> None:
    picture = tmp_path / "photo.jpg"
    Image.fromarray(np.zeros((H, W, 3), "uint8")).save(picture, exif=exif())
    for source, target in (("photo.jpg", "1.tif"), ("1.tif", "2.tif"), ("2.tif", "3.jpg")):
        kernels = (load_kernel("identity"),)
        paths = str(tmp_path / source), str(tmp_path / target)
        (report,) = Batch(Request((paths[0],), kernels, output=paths[1])).run()
        assert isinstance(report, Report)
        assert report.warnings == []
        with Image.open(paths[1]) as image:
            found = image.getexif()
            assert (found[0x010F], found[0x8298]) == ("Maker", "Ann")
            assert found.get_ifd(0x8769)[0x9003] == "2024:01:02 03:04:05"
            assert found.get_ifd(0x8769)[0x927C] == b"maker's note"
            assert found.get_ifd(0x8825)[2] == (48.0, 8.0, 15.0)


# --------------------------------------------------------------------------------- georeference


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "shift"),
    [
        *((n, 1, 2, -0.5) for n in (6, 7)),
        *((6, 3, 2, 0.5), (7, 3, 2, -0.5), (6, 5, 2, 0.5), (7, 5, 2, -0.5)),
        *((n, 2, 2, 0) for n in (6, 7)),
        (6, 2, 1, 0.5),
        *((6, 3, 3, 0), (8, 3, 3, 0), (7, 3, 3, -1)),
    ],
)
def test_the_corner_moves_with_the_first_window(
    size: int, kernel: int, stride: int, shift: float
) -> None:
    window = conv_window(size, kernel, stride=stride, padding="same")
    assert moved([window], point=False).shift == shift


@pytest.mark.parametrize("kernel", [1, 2, 5])
def test_the_corner_moves_in_without_padding_and_out_with_full(kernel: int) -> None:
    for padding, sign in (("valid", 1), ("full", -1)):
        window = conv_window(9, kernel, padding=padding)
        assert moved([window], point=False).shift == sign * (kernel - 1) / 2


def tag(code: int, kind: int, values: Any) -> tuple[int, int, int, Any, bool]:
    return code, kind, len(values), values, True


def placed(how: str, point: bool) -> tuple[list[Any], Any]:
    """Tags that place a picture, and the function from column and row of a corner to the place."""
    keys = tag(34735, 3, (1, 1, 0, 1, 1025, 0, 1, 2 if point else 1))
    if how == "matrix":  # rotated and sheared
        a, b, d, e, f, h = 2.0, 0.5, 100.0, 0.25, -3.0, 900.0
        matrix = (a, b, 0.0, d, e, f, 0.0, h, *[0.0] * 7, 1.0)
        return [keys, tag(34264, 12, matrix)], lambda x, y: (a * x + b * y + d, e * x + f * y + h)
    ties = (1.0, 2.0, 0.0, 100.0, 900.0, 0.0)
    return (
        [keys, tag(33550, 12, (2.0, 3.0, 0.0)), tag(33922, 12, ties)],
        lambda x, y: (100 + 2 * (x - 1), 900 - 3 * (y - 2)),
    )


def place_by(data: bytes) -> Any:
    """The same function from the tags of a file, by GeoTIFF's words."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = {t.code: t.value for t in file.pages.first.tags}
    if 34264 in tags:
        m = np.reshape(tags[34264], (4, 4))
        return lambda x, y: tuple((m @ [x, y, 0, 1])[:2])
    (sx, sy, _), (i, j, _, x0, y0, _) = tags[33550], tags[33922]
    return lambda x, y: (x0 + sx * (x - i), y0 - sy * (y - j))


@pytest.mark.parametrize("how", ["ties", "matrix"])
@pytest.mark.parametrize("point", [False, True], ids=["area", "point"])
@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ("box:3", {"stride": 2, "memory": 1}),
        ("box:5x2", {"stride": (3, 2)}),
        ("box:4x3", {"padding": "valid", "dilation": (1, 2)}),
        ("box:2", {"padding": ((3, 0), (1, 2)), "stride": 2}),
        ("box:3", {"padding": "full"}),
    ],
    ids=["stride", "even", "valid", "padding", "full"],
)
def test_pixels_stay_where_they_are_on_earth(
    how: str, point: bool, kernel: str, options: dict[str, Any], tmp_path: Path
) -> None:
    """Samples that are the place of their own pixel's centre: a mean is the place of its middle."""
    tags, place = placed(how, point)
    half = 0.0 if point else 0.5
    y, x = np.mgrid[0:14, 0:17] + half
    for axis in (0, 1):
        pixels = np.asarray(place(x, y)[axis], np.float64)
        out = io.BytesIO()
        tifffile.imwrite(out, pixels, extratags=tags, metadata=None)
        done, report = filtered(out.getvalue(), tmp_path, kernel=kernel, range="float", **options)
        assert report.warnings == []
        got = tifffile.imread(io.BytesIO(done))
        rows, cols = np.mgrid[0 : got.shape[0], 0 : got.shape[1]]
        by = place_by(done)
        expected = np.vectorize(lambda c, r: by(c + half, r + half)[axis])(cols, rows)  # noqa: B023
        inside = (slice(2, -2), slice(2, -2))  # nothing from outside the picture
        np.testing.assert_allclose(got[inside], expected[inside], rtol=1e-12)
        assert raw(done, 34735) == raw(out.getvalue(), 34735)


def test_every_step_of_a_chain_and_every_tie_point_moves() -> None:
    windows = [
        conv_window(20, 3, stride=2, padding="valid"),
        conv_window(9, 2, stride=3, padding="valid"),
    ]
    fields = {33922: Field(DOUBLE, struct.pack("<12d", 7, 8, 0, 1, 2, 0, 13, 14, 0, 3, 4, 0))}
    after = follow(fields, windows, windows)[33922].numbers()
    # Corners: the first step takes 0 to 1/2 of the old pixels, the second to half of 2 less.
    shift = 0.5 + 2 * ((2 - 1) / 2 + (1 - 3) / 2)
    expected = [(7 - shift) / 6, (8 - shift) / 6, 0, 1, 2, 0, (13 - shift) / 6, (14 - shift) / 6]
    assert after == pytest.approx([*expected, 0, 3, 4, 0])


def test_rational_polynomials_follow() -> None:
    numbers = np.arange(92, dtype="<f8")
    fields = {50844: Field(DOUBLE, numbers.tobytes())}
    rows, cols = (
        conv_window(20, 3, stride=2, padding="valid"),
        conv_window(20, 5, stride=3, padding="valid"),
    )
    after = follow(fields, [rows], [cols])[50844].numbers()
    # Centres: the first window's lies on row 1 and column 2.
    assert after[2:4] == ((2 - 1) / 2, (3 - 2) / 3)
    assert after[7:9] == (7 / 2, 8 / 3)
    assert [*after[:2], *after[4:7], *after[9:]] == [0, 1, 4, 5, 6, *range(9, 92)]


def test_what_gdal_knows_of_a_band_stays_but_for_its_statistics(tmp_path: Path) -> None:
    items = [b'<Item name="STATISTICS_MEAN" sample="0">4.5</Item>', b'<Item name="BAND">NIR</Item>']
    xml = b"<GDALMetadata>\n  " + b"\n  ".join(items) + b"\n</GDALMetadata>"
    tags = [(42112, 2, 0, xml, True), (42113, 2, 0, b"9999.0", True), tag(34737, 2, b"WGS 84|")]
    data = made("tifffile", extratags=tags)
    out, _ = filtered(data, tmp_path)
    assert raw(out, 42112) == (2, b"<GDALMetadata>\n  " + items[1] + b"\n</GDALMetadata>\0")
    assert raw(out, 42113) == raw(data, 42113)
    assert raw(out, 34737) == raw(data, 34737)


def described(*items: tuple[str, int | None, str, str]) -> bytes:
    """GDAL's items: name, band, role, value."""
    lines = [
        f'  <Item name="{name}"'
        + (f' sample="{band}" role="{role}"' if band is not None else "")
        + f">{value}</Item>\n"
        for name, band, role, value in items
    ]
    return ("<GDALMetadata>\n" + "".join(lines) + "</GDALMetadata>\0").encode()


ITEMS = (
    ("AREA", None, "", "x &amp; y"),
    ("DESCRIPTION", 0, "description", "red"),
    ("OFFSET", 0, "offset", "10"),
    ("SCALE", 0, "scale", "0.1"),
    ("UNITTYPE", 1, "unittype", "m"),
    ("OFFSET", 1, "offset", "-2.5"),
    ("DESCRIPTION", 2, "description", "blue"),
)


@pytest.mark.parametrize(
    ("kernel", "options", "offsets"),
    [
        ("box:3", {}, ("10", "-2.5")),
        ("[[1, 2], [0, 1]]", {}, ("40", "-10")),
        ("sobel-x", {}, ("0", "0")),
        ("box:3", {"scale": 2.0}, ("20", "-5")),
        ("[[1, 1]]", {"normalize": True}, ("10", "-2.5")),
        ("box:3", {"range": "stretch"}, None),
        ("box:3", {"depth": "float"}, None),  # 65535 has become 1
        ("box:3", {"depth": "float32", "values": True}, ("10", "-2.5")),
    ],
)
def test_an_offset_of_gdal_grows_with_the_sum_of_the_weights(
    kernel: str, options: dict[str, Any], offsets: tuple[str, str] | None, tmp_path: Path
) -> None:
    """Scale times the sum of samples, plus the new offset, is the sum of the values."""
    data = made("tifffile", extratags=[(42112, 2, 0, described(*ITEMS), True)])
    out, _ = filtered(data, tmp_path, kernel=kernel, **options)
    found = iter(offsets or ())
    items = [(*item[:3], next(found) if item[2] == "offset" else item[3]) for item in ITEMS
             if offsets or item[2] not in ("offset", "scale", "unittype")]  # fmt: skip
    assert raw(out, 42112) == (2, described(*items))


@pytest.mark.parametrize("pages", [1, 3])
@pytest.mark.parametrize("planes", [False, True], ids=["pixels", "planes"])
@pytest.mark.parametrize("bands", [(4, 1), (2,), (3, 2, 1)], ids=str)
def test_a_shape_is_told_anew_where_bands_are_chosen(
    pages: int, planes: bool, bands: tuple[int, ...], tmp_path: Path
) -> None:
    pixels = np.random.default_rng(3).integers(0, 60000, (pages, H, W, 4), np.uint16)
    stored, data = np.moveaxis(pixels, -1, 1) if planes else pixels, io.BytesIO()
    how: dict[str, Any] = {"planarconfig": "separate" if planes else "contig"}
    about = {"note": "kept"}
    stored = stored[0] if pages == 1 else stored
    tifffile.imwrite(
        data, stored, photometric="minisblack", extrasamples=[0] * 3, metadata=about, **how
    )
    for memory in (None, 1) if pages == 1 else (None,):
        out, report = filtered(data.getvalue(), tmp_path, bands=bands, memory=memory)
        assert not report.warnings
        expected = pixels[..., [band - 1 for band in bands]]
        with tifffile.TiffFile(io.BytesIO(out)) as file:
            assert file.is_shaped
            assert file.shaped_metadata is not None
            assert np.prod(file.shaped_metadata[0]["shape"]) == expected.size
            assert file.shaped_metadata[0]["note"] == "kept"
            assert file.asarray().tobytes() == expected.tobytes()


def test_nothing_is_said_of_bands_that_were_mixed() -> None:
    fields = {42112: Field(ASCII, described(*ITEMS))}
    effect = effect_of([Kernel(np.ones((2, 3, 1, 1)))])
    assert effect.mixes
    assert bands_after(fields, *effect[::2])[42112].data == described(ITEMS[0])


def test_what_is_said_of_bands_follows_a_choice_of_them() -> None:
    meta = Metadata(fields={42112: Field(ASCII, described(*ITEMS)), 1: Field(ASCII, b"x")})
    after = choose_bands(meta, [2, 0, 2]).fields
    blue, red = ITEMS[6], ITEMS[1:4]
    expected = [ITEMS[0], (*blue[:1], 0, *blue[2:])]
    expected += [(name, 1, role, value) for name, _, role, value in red]
    expected += [(*blue[:1], 2, *blue[2:])]
    assert after[42112].data == described(*expected)
    assert after[1] == meta.fields[1]
    assert choose_bands(Metadata(), [1]).fields == {}
    pixels = np.zeros((H, W, 3), np.uint16)
    data = made("tifffile", extratags=[(42112, 2, 0, described(*ITEMS), True)])
    source = decode_picture(data, "x").but(bands=3, space="bands")
    picture = chosen(Source.of(source, [Frame(pixels, meta=source.meta)]), [3, 1, 3])
    for said in (picture.meta, picture.first.meta):
        assert said is not None
        assert said.fields[42112].data == described(*expected)
    assert meta.fields[42112].data == described(*ITEMS)


def test_the_georeference_of_turned_pixels_is_said_to_be_left_out(tmp_path: Path) -> None:
    tags, _ = placed("ties", False)
    data = made("tifffile", extratags=[*tags, tag(274, 3, (6,)), tag(42113, 2, b"0")])
    out, report = filtered(data, tmp_path)
    assert raw(out, 33550) is raw(out, 33922) is None
    assert raw(out, 42113) == raw(data, 42113)
    (note,) = report.warnings
    assert note.startswith("left out: georeference of pixels that were turned")


def test_damaged_geo_tags_are_kept_as_they_are() -> None:
    odd = {
        33550: Field(SHORT, b"\1\0"),
        33922: Field(DOUBLE, struct.pack("<2d", 1, 2)),
        34735: Field(ASCII, b"x\0"),
        50844: Field(DOUBLE, struct.pack("<d", 1)),
    }
    window = conv_window(9, 3, stride=2)
    assert follow(odd, [window], [window]) == odd


# ------------------------------------------------------------------------ descriptions of stacks


def stack(how: str, shape: tuple[int, ...], folder: Path, **metadata: Any) -> bytes:
    path = folder / ("s.ome.tif" if how == "ome" else "s.tif")
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    kind = {"imagej": {"imagej": True}, "ome": {"ome": True}, "shaped": {}}[how]
    rgb = shape[-1] == 3
    tifffile.imwrite(
        path, pixels, photometric="rgb" if rgb else "minisblack", metadata=metadata, **kind
    )
    return path.read_bytes()


@pytest.mark.parametrize("how", ["shaped", "imagej", "ome"])
@pytest.mark.parametrize("pages", [(), (3,), (2, 3)], ids=["one", "three", "two_by_three"])
@pytest.mark.parametrize("rgb", [False, True])
def test_a_stack_is_found_again_at_its_new_size(
    how: str, pages: tuple[int, ...], rgb: bool, tmp_path: Path
) -> None:
    shape = (*pages, H, W, *[3] * rgb)
    axes = "TZ"[2 - len(pages) :] + "YX" + "S" * rgb
    data = stack(how, shape, tmp_path, axes=axes)
    for options in ({"stride": 2}, {"padding": "valid"}):
        out, report = filtered(data, tmp_path, kernel="box:3", **options)
        small = (3, 5) if "stride" in options else (H - 2, W - 2)
        with tifffile.TiffFile(io.BytesIO(out)) as file:
            assert file.series[0].shape == (*pages, *small, *[3] * rgb)
            assert len(file.series) == 1
            assert file.series[0].axes[-2 - rgb :] == "YX" + "S" * rgb
        assert report.warnings == []
    same, _ = filtered(data, tmp_path, kernel="identity")
    assert raw(same, 270) == raw(data, 270)
    # Not page by page: readers of ImageJ's stacks look for the pixels behind those of the first.
    before, after = (tifffile.imread(io.BytesIO(file)) for file in (data, same))
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("how", ["shaped", "ome"])
def test_a_stack_in_parts_is_described_as_a_whole_one(how: str, tmp_path: Path) -> None:
    data = stack(how, (H, W), tmp_path)
    whole, _ = filtered(data, tmp_path, kernel="box:3", stride=2)
    parts, _ = filtered(data, tmp_path, kernel="box:3", stride=2, memory=1)
    assert raw(whole, 270) == raw(parts, 270) != raw(data, 270)


def test_the_type_and_the_size_of_a_pixel_are_told_anew(tmp_path: Path) -> None:
    data = stack("ome", (H, W), tmp_path, PhysicalSizeX=0.5, PhysicalSizeY=0.25, SignificantBits=12)
    out, _ = filtered(data, tmp_path, stride=(3, 2), range="float")
    text = raw(out, 270)[1]
    for words in (b'Type="float"', b'PhysicalSizeX="1.0"', b'PhysicalSizeY="0.75"', b'SizeX="5"'):
        assert words in text
    assert b"SignificantBits" not in text


def test_ome_s_regions_are_left_out_where_pixels_move(tmp_path: Path) -> None:
    plain = stack("ome", (H, W), tmp_path)
    region = b'<ROI ID="ROI:0"><Union><Point ID="Shape:0" X="4" Y="2"/></Union></ROI>'
    linked = raw(plain, 270)[1].rstrip(b"\0")
    linked = linked.replace(b"</Image>", b'<ROIRef ID="ROI:0"/></Image>')
    linked = linked.replace(b"</OME>", region + b"</OME>")
    data = made("tifffile", extratags=[(270, 2, 0, linked, True)], dtype="uint8")
    same, report = filtered(data, tmp_path, kernel="box:3")
    assert (raw(same, 270), report.warnings) == ((2, linked + b"\0"), [])
    out, report = filtered(data, tmp_path, stride=2)
    assert raw(out, 270) == raw(filtered(plain, tmp_path, stride=2)[0], 270)
    assert report.warnings == ["left out: OME's regions (true of the old pixels only)"]


def test_imagej_s_pixels_grow_and_its_regions_go(tmp_path: Path) -> None:
    path = tmp_path / "s.tif"
    pixels = np.zeros((2, H, W), np.uint8)
    about = {"unit": "um", "Labels": ["a", "b"], "axes": "ZYX"}
    tifffile.imwrite(path, pixels, imagej=True, resolution=(4.0, 2.0), metadata=about)
    data = path.read_bytes()
    out, report = filtered(data, tmp_path, stride=(3, 2))
    with tifffile.TiffFile(io.BytesIO(out)) as file:
        tags = file.pages.first.tags
        assert [np.divide(*tags[code].value) for code in (282, 283)] == [4 / 2, 2 / 3]
        assert 50839 not in tags
    (note,) = report.warnings
    assert note == "left out: ImageJ's regions and labels (true of the old pixels only)"
    same, report = filtered(data, tmp_path, kernel="box:3")
    with tifffile.TiffFile(io.BytesIO(same)) as file:
        assert file.imagej_metadata is not None
        assert file.imagej_metadata["Labels"] == ["a", "b"]
    assert report.warnings == []


IMAGEJ = "ImageJ=1.54f\nunit=um\nspacing=0.5\nfinterval=2.0\nmin=3.0\nmax=200.0\nxorigin=4\nyorigin=-2.5\n"


@pytest.mark.parametrize(
    ("kernel", "options", "told"),
    [
        ("identity", {}, IMAGEJ),
        ("box:3", {}, IMAGEJ),
        ("sharpen", {}, IMAGEJ.replace("min=3.0\nmax=200.0\n", "")),
        ("box:3", {"range": "float"}, IMAGEJ.replace("min=3.0\nmax=200.0\n", "")),
        # 6 rows and 9 columns: the corner moves by 1/2 down, and by -1/2 across.
        ("box:3", {"stride": 2}, IMAGEJ.replace("=4", "=2.25").replace("=-2.5", "=-1.5")),
    ],
)
def test_what_imagej_says_of_values_and_places_stays_true(
    kernel: str, options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    data = made("tifffile", extratags=[(270, 2, 0, IMAGEJ.encode(), True)])
    out, report = filtered(data, tmp_path, kernel=kernel, **options)
    assert raw(out, 270) == (2, told.encode() + b"\0")
    assert not any("left out" in warning for warning in report.warnings)


@pytest.mark.parametrize(
    ("function", "kernel", "told"),
    [
        ("cf=0\nc0=-32768.0\nc1=1.0\nvunit=mV\n", "box:3", "cf=0\nc0=-32768.0\nc1=1.0\nvunit=mV\n"),
        ("cf=0\nc0=-3.5\nc1=2.0\n", "[[1, 1]]", "cf=0\nc0=-7.0\nc1=2.0\n"),
        ("cf=3\nc0=-3.5\nc1=2.0\nvunit=mV\n", "[[1, 1]]", ""),  # no line
    ],
)
def test_imagej_s_calibration_of_values_follows_the_sum_of_the_weights(
    function: str, kernel: str, told: str, tmp_path: Path
) -> None:
    head = "ImageJ=1.54f\n"
    data = made("tifffile", extratags=[(270, 2, 0, (head + function).encode(), True)])
    out, _ = filtered(data, tmp_path, kernel=kernel)
    assert raw(out, 270) == (2, (head + told).encode() + b"\0")


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("writer", ["ImageJ", "tifffile"])
def test_planes_behind_the_only_directory_are_pages(
    order: str, writer: str, tmp_path: Path
) -> None:
    """As ImageJ writes stacks of more than 4 GB."""
    pixels = np.random.default_rng(5).integers(0, 65536, (2, 3, H, W), np.uint16)
    out = io.BytesIO()
    how: dict[str, Any] = {"photometric": "minisblack", "metadata": {"axes": "TZYX"}}
    if writer == "ImageJ":
        text = b"ImageJ=1.54f\nimages=6\nslices=3\nframes=2\nhyperstack=true\nspacing=0.25\n"
        with tifffile.TiffWriter(out, byteorder=order) as file:
            tags = [(270, 2, 0, text, True)]
            file.write(pixels[0, 0], extratags=tags, photometric="minisblack", metadata=None)
        # The directory lies before the pixels, so that the other planes can follow.
        out.write(pixels.reshape(-1)[H * W :].astype(f"{order}u2").tobytes())
    else:
        with tifffile.TiffWriter(out, byteorder=order) as file:
            file.write(pixels, truncate=True, **how)
    data = out.getvalue()
    source = decode_picture(data, "x")
    assert source.n_frames == 6
    got = [frame.pixels[..., 0] for frame in source.frames]
    np.testing.assert_array_equal(np.reshape(got, pixels.shape), pixels)
    (tmp_path / "x.tif").write_bytes(data)
    assert open_stored(str(tmp_path / "x.tif")) is None  # nor is the first taken for all
    again, report = filtered(data, tmp_path, kernel="identity")
    assert report.warnings == []
    with tifffile.TiffFile(io.BytesIO(again)) as file:
        assert len(file.pages) == 6
        (series,) = file.series
        assert (series.shape, series.axes) == (pixels.shape, "TZYX")
        np.testing.assert_array_equal(series.asarray(), pixels)
        if writer == "ImageJ":
            assert file.imagej_metadata is not None
            assert file.imagej_metadata["spacing"] == 0.25
    cut = decode_picture(data[:-1], "x")
    assert cut.n_frames == 1


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        (b'{"shape": [3, 6, 9]}', "tifffile"),
        (b'{"shape": [7, 7]}', "tifffile"),
        (b'{"shape": "big"}', "tifffile"),
        (b"ImageJ=1.53t\nimages=3\nslices=3\n", "ImageJ"),
        (b'<OME><Pixels SizeX="9" SizeY="6" SizeZ="3" SizeT="1" SizeC="1" Type="x">', "OME"),
    ],
)
def test_a_description_of_other_pages_is_left_out_with_a_note(
    description: bytes, kind: str, tmp_path: Path
) -> None:
    data = made("tifffile", extratags=[(270, 2, 0, description, True)])
    out, report = filtered(data, tmp_path)
    assert raw(out, 270) is None
    (note,) = report.warnings
    assert note == f"left out: description of its pages by {kind} (true of the old pixels only)"


# --------------------------------------------------------------------- what cannot be kept, said


def test_what_lies_below_a_page_is_said_to_be_left_out(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(np.zeros((H, W), np.uint16), subifds=1, metadata=None)
        writer.write(np.zeros((3, 4), np.uint16), subfiletype=1, metadata=None)
    again, report = filtered(out.getvalue(), tmp_path)
    assert raw(again, 330) is None
    assert report.warnings == ["left out: pictures below a page (true of the old pixels only)"]


def test_tags_that_point_into_the_file_or_beyond_it_are_named(tmp_path: Path) -> None:
    data = bytearray(made("tifffile", extratags=[tag(65000, 4, (8,)), tag(65001, 2, b"x" * 50)]))
    at = data.index(struct.pack("<HHI", 65000, 4, 1))
    struct.pack_into("<H", data, at + 2, 13)  # a place in the file
    at = data.index(struct.pack("<HH", 65001, 2))
    struct.pack_into("<I", data, at + 8, len(data) - 5)
    again, report = filtered(bytes(data), tmp_path)
    assert raw(again, 65000) is raw(again, 65001) is None
    assert report.warnings == [
        "left out: TIFF tag 65000, TIFF tag 65001 (true of the old pixels only)"
    ]


def test_a_raw_picture_s_tags_are_left_out(tmp_path: Path) -> None:
    data = made("tifffile", extratags=[tag(50706, 1, (1, 4, 0, 0))])
    again, report = filtered(data, tmp_path)
    assert raw(again, 50706) is None
    assert report.warnings == [
        "left out: that it is a raw picture (DNG) (true of the old pixels only)"
    ]
