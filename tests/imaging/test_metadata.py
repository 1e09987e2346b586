"""What a picture says besides its pixels: kept block by block, said anew, or named in one note."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from convcli.imaging.formats import every_format, pictures
from convcli.imaging.formats.jpeg.markers import segments
from convcli.imaging.formats.png.chunks import chunk, walk
from convcli.imaging.header import Metadata
from convcli.imaging.metadata.exif import revised_exif, revised_xmp, without_orientation
from convcli.imaging.metadata.photoshop import resource, without_previews
from convcli.imaging.metadata.tiff_fields import TiffReader, directories
from convcli.imaging.options import FilterOptions
from convcli.kernels.load import load_kernel
from convcli.runs.batch import Batch
from convcli.runs.request import Report, Request

ROOT = Path(__file__).parents[2]
H, W = 6, 8
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
Filtered = Callable[..., tuple[bytes, list[str]]]


def saved(fmt: str, mode: str = "RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    pixels = np.arange(H * W * 3, dtype=np.uint8).reshape(H, W, 3)
    Image.fromarray(pixels).convert(mode).save(out, fmt, **options)
    return out.getvalue()


@pytest.fixture
def filtered(tmp_path: Path) -> Filtered:
    """Filter a file by its suffix into another; give it and the warnings."""

    def run(data: bytes, suffix: str, to: str = "", **options: Any) -> tuple[bytes, list[str]]:
        source, target = tmp_path / f"in{suffix}", tmp_path / f"out{to or suffix}"
        source.write_bytes(data)
        request = Request(
            (str(source),),
            (load_kernel("identity"),),
            FilterOptions(**options),
            output=str(target),
            overwrite=True,
        )
        (report,) = Batch(request).run()
        assert isinstance(report, Report)
        return target.read_bytes(), report.warnings

    return run


def test_the_table_of_the_documents_is_what_happens(tmp_path: Path) -> None:
    """Every block, from every format to every format, is found again or named in the one note."""
    import make_metadata as maker

    columns = {name.upper() for name in maker.SUFFIXES}
    missing = {found.name for found in pictures()} - columns - {"PFM"}  # which is as PPM
    assert not missing, "SUFFIXES of docs/make_metadata.py has no column for a format"
    written = (ROOT / "docs" / "metadata.md").read_text(encoding="utf-8")
    assert maker.page(maker.table(tmp_path)) == written, "run: python docs/make_metadata.py"


def test_every_format_says_what_it_carries() -> None:
    known = set(Metadata._fields) | {"nodata"}
    for found in every_format():
        carried = set(found.carries.split())
        assert carried <= known
        assert found.room.keys() <= carried


# ------------------------------------------------------------------------------------------ JPEG


def jpeg(*more: tuple[int, bytes], **options: Any) -> bytes:
    data = saved("JPEG", **options)
    added = [struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in more]
    return data[:20] + b"".join(added) + data[20:]


def bodies(data: bytes, marker: int) -> list[bytes]:
    return [data[at + 4 : end] for found, at, end in segments(data) if found == marker]


def test_every_segment_of_a_jpeg_comes_back(filtered: Filtered) -> None:
    extended = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + bytes(8) + b"<more/>"
    own = [(0xE1, extended), (0xE1, b"FLIR\0..."), (0xE0, b"AVI1"), (0xE5, b""), (0xEF, b"\0x")]
    data = jpeg(*own, (0xFE, b"one"), (0xFE, b"\xfftwo"))
    out, warnings = filtered(data, ".jpg")
    for marker, body in own:
        assert body in bodies(out, marker)
    assert bodies(out, 0xFE) == [b"one", b"\xfftwo"]
    assert warnings == []


def test_resources_and_profiles_longer_than_a_segment_are_cut_and_joined(
    filtered: Filtered,
) -> None:
    block = resource(0x0404, b"\x1c\x02\x78\0\x03cap") + resource(1060, bytes(range(256)) * 300)
    profile = ICC + bytes(100_000)
    pieces = [block[:65000], block[65000:]]
    data = jpeg(*((0xED, b"Photoshop 3.0\0" + piece) for piece in pieces), icc_profile=profile)
    out, _ = filtered(data, ".jpg")
    assert b"".join(body[14:] for body in bodies(out, 0xED)) == block
    with Image.open(io.BytesIO(out)) as image:
        assert image.info["icc_profile"] == profile


def test_what_tells_of_other_pictures_is_left_out(filtered: Filtered) -> None:
    stale = [(0xE0, b"JFXX\0\x10thumbnail"), (0xE2, b"MPF\0offsets"), (0xEE, b"Adobe\0d\0\0\0\0\1")]
    out, warnings = filtered(jpeg(*stale), ".jpg")
    assert not any(body[:4] in (b"JFXX", b"MPF\0") for _, body in stale if body in out)
    assert warnings == []
    out, warnings = filtered(jpeg((0xEB, b"JP\0\1a signature")), ".jpg")
    assert b"a signature" not in out
    assert warnings == ["left out: content credentials (C2PA) (true of the old pixels only)"]


@pytest.mark.parametrize(
    "header",
    [(1, 300, 150), (2, 118, 119), (0, 1, 2), (0, 1, 1)],
    ids=["inch", "cm", "shape", "none"],
)
def test_density_keeps_its_unit(header: tuple[int, int, int], filtered: Filtered) -> None:
    data = saved("JPEG")
    density = struct.pack(">BHH", *header)
    out, _ = filtered(data[:13] + density + data[18:], ".jpg")
    assert out[13:18] == density


def test_cmyk_keeps_its_resolution(filtered: Filtered) -> None:
    exif = Image.Exif()
    exif[282] = exif[283] = 240.0
    exif[296] = 2
    out, warnings = filtered(saved("JPEG", "CMYK", exif=exif), ".jpg")
    with Image.open(io.BytesIO(out)) as image:
        assert image.info["dpi"] == (240, 240)
    tiff = saved("TIFF", "CMYK", dpi=(240, 120))
    out, warnings = filtered(tiff, ".tif", ".jpg")
    with Image.open(io.BytesIO(out)) as image:
        assert (image.getexif()[282], image.getexif()[283]) == (240, 120)
    assert warnings == []


@pytest.mark.parametrize(("what", "size"), [("EXIF", 65527), ("XMP", 65504)])
def test_what_a_segment_cannot_hold_is_named(what: str, size: int, filtered: Filtered) -> None:
    for more in (0, 1):
        text = b"x" * (size + more - (0 if what == "XMP" else 26))
        exif = (
            b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 271, 2, len(text), 26) + bytes(4) + text
        )
        data = saved("PNG", exif=exif) if what == "EXIF" else saved("WEBP", xmp=text)
        out, warnings = filtered(data, ".png" if what == "EXIF" else ".webp", ".jpg")
        assert (text in out) == (more == 0)
        found = [f"left out: {what} of more than {size:,} bytes (JPEG has no place for that)"]
        assert warnings == found * more


# -------------------------------------------------------------------- what a filter makes false


def exif_with_thumbnail(order: str) -> bytes:
    """First directory, EXIF with a maker note, directory of a thumbnail, thumbnail."""

    def directory(entries: list[tuple[int, int, int, int]], following: int) -> bytes:
        table = b""
        for tag, kind, count, value in entries:
            # A SHORT stands in the first two bytes of the four.
            packed = struct.pack(order + ("H" if kind == 3 else "I"), value)
            table += struct.pack(f"{order}HHI", tag, kind, count) + packed.ljust(4, b"\0")
        return struct.pack(f"{order}H", len(entries)) + table + struct.pack(f"{order}I", following)

    first = directory([(274, 3, 1, 1), (0x8769, 4, 1, 38)], 92)
    below = directory([(0x927C, 7, 12, 80), (40962, 3, 1, 80), (40963, 4, 1, 60)], 0)
    thumbnail = directory([(513, 4, 1, 122), (514, 4, 1, 9)], 0)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return head + first + below + b"maker's note" + thumbnail + b"thumbnail"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_exif_tells_the_new_size_and_shows_no_old_picture(
    order: str, fmt: str, filtered: Filtered
) -> None:
    suffix, block = f".{fmt.lower()}", exif_with_thumbnail(order)
    source = saved(fmt, exif=b"Exif\0\0" + block)
    with Image.open(io.BytesIO(source)) as image:  # Pillow writes that of an AVIF anew
        block = image.info["exif"].removeprefix(b"Exif\0\0")
    out, warnings = filtered(source, suffix, stride=2)
    with Image.open(io.BytesIO(out)) as image:
        exif = image.getexif()
        details = exif.get_ifd(0x8769)
        assert (details[40962], details[40963]) == (W // 2, H // 2)
        assert exif.get_ifd(1) == {}
        kept = image.info["exif"].removeprefix(b"Exif\0\0")
    assert kept.index(b"maker's note") == block.index(b"maker's note")
    assert b"thumbnail" not in out
    assert warnings == []


@pytest.mark.parametrize("order", ["<", ">"])
def test_no_value_moves_when_the_orientation_goes(order: str) -> None:
    block = exif_with_thumbnail(order)
    bare = without_orientation(block)
    found = Image.Exif()
    found.load(bare)
    assert 274 not in found
    assert found.get_ifd(0x8769)[0x927C] == b"maker's note"
    assert bare.index(b"maker's note") == block.index(b"maker's note")
    assert without_orientation(bare) == bare
    assert without_orientation(block[:12]) == block[:12]


def test_a_damaged_block_stays_as_it_is() -> None:
    whole = exif_with_thumbnail("<")
    for end in range(8, len(whole)):
        assert len(revised_exif(whole[:end], (3, 4))) <= end
    assert revised_exif(b"XX*\0\x08\0\0\0", (3, 4)) == b"XX*\0\x08\0\0\0"


def test_xmp_tells_the_new_size_and_shows_no_old_picture() -> None:
    packet = (
        b"<a exif:PixelXDimension='80' tiff:ImageLength = \"60\"><tiff:ImageWidth>80</tiff:ImageWidth>"
        b"<xmp:Thumbnails><b>80</b></xmp:Thumbnails><c/></a>"
    )
    assert revised_xmp(packet, (3, 4)) == (
        b"<a exif:PixelXDimension='4' tiff:ImageLength = \"3\"><tiff:ImageWidth>4</tiff:ImageWidth>"
        b"<c/></a>"
    )
    assert revised_xmp(b"<xmp:Thumbnails>" * 3, (3, 4)) == b"<xmp:Thumbnails>" * 3


def test_previews_among_resources_are_left_out() -> None:
    kept = resource(0x0404, b"abc") + b"8BIM\x04\x25\x04name\0" + struct.pack(">I", 2) + b"xy"
    previews = resource(0x0409, b"old") + resource(0x040C, b"pixels")
    assert without_previews(kept + previews + kept) == kept + kept
    assert without_previews(kept + b"8BIM") == kept + b"8BIM"  # damaged


# ------------------------------------------------------------------------------------------- PNG


def png(*more: tuple[bytes, bytes], mode: str = "RGB", **options: Any) -> bytes:
    data = saved("PNG", mode, **options)
    at = data.index(b"IDAT") - 4
    return data[:at] + b"".join(chunk(kind, body) for kind, body in more) + data[at:]


def chunks(data: bytes) -> dict[bytes, bytes]:
    return {kind: bytes(body) for kind, body, _ in walk(data, "x")}


def test_other_people_s_chunks_are_kept_if_they_may_be_copied(filtered: Filtered) -> None:
    out, warnings = filtered(png((b"prVt", b"a"), (b"prVT", b"b"), (b"sTER", b"\0")), ".png")
    assert chunks(out)[b"prVt"] == b"a"
    assert warnings == ["left out: chunk prVT, chunk sTER (true of the old pixels only)"]


def test_what_tells_of_old_pixels_alone_is_no_loss(filtered: Filtered) -> None:
    stale = [(b"sBIT", b"\5\6\5"), (b"iDOT", bytes(28)), (b"hIST", bytes(512))]
    out, warnings = filtered(png(*stale[:2]), ".png")
    assert not {kind for kind, _ in stale} & chunks(out).keys()
    assert warnings == []


@pytest.mark.parametrize(
    ("mode", "said", "told"),
    [
        ("RGB", struct.pack(">3H", 1, 2, 3), struct.pack(">3H", 1, 2, 3)),
        ("L", struct.pack(">H", 9), struct.pack(">H", 9)),
        ("1", struct.pack(">H", 1), struct.pack(">H", 255)),
        ("P", b"\2", None),
    ],
)
def test_a_background_is_that_of_the_expanded_picture(
    mode: str, said: bytes, told: bytes | None, filtered: Filtered
) -> None:
    data = png((b"bKGD", said), mode=mode)
    if told is None:
        colours = chunks(data)[b"PLTE"][6:9]
        told = struct.pack(">3H", *colours)
    assert chunks(filtered(data, ".png")[0])[b"bKGD"] == told


def test_that_colours_are_srgb_is_taken_for_granted(filtered: Filtered) -> None:
    standard = (b"gAMA", struct.pack(">I", 45455)), (b"sRGB", b"\0")
    assert filtered(png(*standard), ".png", ".bmp")[1] == []
    assert filtered(png(standard[0]), ".png", ".bmp")[1] == []
    assert filtered(png((b"gAMA", struct.pack(">I", 100000))), ".png", ".bmp")[1] == [
        "left out: chunk gAMA (BMP has no place for that)"
    ]


@pytest.mark.parametrize("comment", [b"plain", "Größe".encode(), "日本".encode(), b"\xe9\xff"])
def test_a_comment_becomes_a_text(comment: bytes, filtered: Filtered) -> None:
    out, warnings = filtered(saved("JPEG", comment=comment), ".jpg", ".png")
    with Image.open(io.BytesIO(out)) as image:
        image.load()
        try:
            expected = comment.decode()
        except UnicodeDecodeError:
            expected = comment.decode("latin-1")
        assert image.text["Comment"] == expected
    back, _ = filtered(out, ".png", ".jpg")
    assert bodies(back, 0xFE) == [expected.encode()]
    assert warnings == []


def test_texts_become_captions_where_there_are_none(filtered: Filtered) -> None:
    texts = (
        (b"tEXt", b"Author\0Ann"),
        (b"tEXt", b"Copyright\0\xa9 2024"),
        (b"zTXt", b"Title\0\0" + b"!"),
    )
    out, warnings = filtered(png(*texts), ".png", ".tif")
    with Image.open(io.BytesIO(out)) as image:
        assert image.getexif()[315] == "Ann"
        assert "© 2024".encode() in out
    assert len(warnings) == 1  # the damaged one
    exif = Image.Exif()
    exif[315] = "Bob"
    out, warnings = filtered(png(texts[0], exif=exif), ".png", ".webp")
    with Image.open(io.BytesIO(out)) as image:
        assert image.getexif()[315] == "Bob"
    assert warnings == ["left out: text 'Author' (WEBP has no place for that)"]


# ----------------------------------------------------------------------------------- GIF and WebP


def test_blocks_of_an_animated_gif_come_back(filtered: Filtered) -> None:
    frame, other = (Image.new("RGB", (W, H), colour) for colour in ("red", "blue"))
    out = io.BytesIO()
    frame.save(out, "GIF", save_all=True, append_images=[other], loop=3, duration=50)
    own = b"\x21\xff\x0bSOMEBODY1.0\x03abc\0", b"\x21\xfe\x03one\0", b"\x21\xfe\x03two\0"
    text = b"\x21\x01\x0c" + bytes(12) + b"\2hi\0"
    data = out.getvalue()[:-1] + b"".join(own) + text + b";"
    again, warnings = filtered(data, ".gif")
    assert all(block in again for block in own)
    assert again.count(b"NETSCAPE2.0") == 1
    assert warnings == ["left out: text to be drawn over it (true of the old pixels only)"]
    with Image.open(io.BytesIO(again)) as image:
        assert (image.n_frames, image.info["loop"]) == (2, 3)


@pytest.mark.parametrize("n_frames", [1, 2])
def test_chunks_of_a_webp_come_back(n_frames: int, filtered: Filtered) -> None:
    frames = [Image.new("RGB", (W, H), (i * 40, 0, 0)) for i in range(n_frames)]
    out = io.BytesIO()
    frames[0].save(
        out, "WEBP", save_all=True, append_images=frames[1:], lossless=True, icc_profile=ICC
    )
    more = b"priv\x03\0\0\0abc\0" + b"C2PA\x02\0\0\0xy"
    data = out.getvalue() + more
    data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    again, warnings = filtered(data, ".webp")
    assert again.endswith(more[:12])
    assert warnings == ["left out: content credentials (C2PA) (true of the old pixels only)"]
    with Image.open(io.BytesIO(again)) as image:
        image.load()
        assert (image.n_frames, image.info["icc_profile"]) == (n_frames, ICC)


def test_a_webp_that_says_nothing_stays_plain(filtered: Filtered) -> None:
    assert b"VP8X" not in filtered(saved("WEBP", lossless=True), ".webp")[0]


def test_lines_of_a_netpbm_header_are_comments(filtered: Filtered) -> None:
    pixels = bytes(range(W * H))
    data = b"P5\n# one\n#two\n%d # three\n%d\n255\n" % (W, H) + pixels
    out, warnings = filtered(data, ".pgm")
    assert out == b"P5\n# one\n# two\n# three\n%d %d\n255\n" % (W, H) + pixels
    assert warnings == []
    back, _ = filtered(out, ".pgm", ".gif")
    assert back.count(b"\x21\xfe") == 3


def test_the_profile_of_a_bmp_is_found(filtered: Filtered) -> None:
    data = saved("BMP")
    header = struct.pack("<I", 124) + data[18:54] + bytes(16) + b"DEBM" + bytes(52)
    start = 124 + len(data) - 54
    header += struct.pack("<III", start, len(ICC), 0)
    assert len(header) == 124
    whole = data[:10] + struct.pack("<I", 14 + 124) + header + data[54:] + ICC
    out, warnings = filtered(whole, ".bmp", ".png")
    with Image.open(io.BytesIO(out)) as image:
        assert image.info["icc_profile"] == ICC
    assert warnings == []
    said = ["left out: ICC profile (BMP has no place for that)"]
    assert filtered(whole, ".bmp")[1] == said


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "GIF", "WEBP"])
def test_what_follows_the_end_of_a_picture_is_named(fmt: str, filtered: Filtered) -> None:
    suffix = f".{fmt.lower()}"
    for mode in ("RGB", "1") if fmt == "PNG" else ("RGB",):  # read by us, and by libpng
        out, warnings = filtered(saved(fmt, mode) + bytes(3) + b"a film" * 9, suffix)
        assert b"a film" not in out
        said = "left out: what follows its end (true of the old pixels only)"
        assert [w for w in warnings if "left out" in w] == [said]
        assert not any("left out" in w for w in filtered(saved(fmt, mode) + bytes(9), suffix)[1])


# ------------------------------------------------------------------------- all files of a command


def test_every_file_of_a_batch_has_its_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from convcli.cli.app import run

    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path(f"{name}.jpg").write_bytes(jpeg((0xED, b"Photoshop 3.0\0" + resource(0x0404, b"x"))))
    assert run("filter a.jpg b.jpg -k identity -o out/{stem}.png -j 2".split()) == 0
    notes = [line for line in capfd.readouterr().err.splitlines() if "warning" in line]
    said = "left out: IPTC and Photoshop block (PNG has no place for that)"
    assert sorted(notes) == [f"convcli: warning: {n}.jpg: {said}" for n in ("a", "b")]


# ------------------------------------------------------------------------------- hostile fields


def reader(data: bytes) -> TiffReader:
    return TiffReader(lambda at, n: data[at : at + n], len(data))


def test_directories_below_themselves_and_values_over_each_other_end() -> None:
    entries = [(0x8769, 4, 1, 8)] + [(1000 + i, 7, 1500, 8 + i) for i in range(99)]
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + struct.pack("<I", 8)
    found = reader(data + bytes(500))
    (page,) = directories(found, 1000)
    read = sum(len(field.data) for field in page.values())
    assert read <= len(data) + 500
    assert found.lost


def test_a_value_that_pages_share_is_read_for_each() -> None:
    directory = struct.pack("<HHHII", 1, 700, 1, 40, 68)
    data = b"II*\0" + struct.pack("<I", 8)
    for i in range(3):
        data += directory + struct.pack("<I", (i + 1) * 18 + 8 if i < 2 else 0)
    data = data.ljust(68, b"\0") + b"<" * 40
    assert [page[700].data for page in directories(reader(data), 9)] == [b"<" * 40] * 3
