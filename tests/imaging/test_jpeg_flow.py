"""JPEGs whose rows flow from the decoder to the encoder are those that are made whole."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.arithmetic.borders import Border
from convcli.arithmetic.region import parse_region
from convcli.extensions import extension
from convcli.imaging import ahead, row_stream, schedule
from convcli.imaging.formats.jpeg import flow as jpeg_flow
from convcli.imaging.formats.jpeg import large as jpeg_large
from convcli.imaging.formats.jpeg import write as jpeg_write
from convcli.imaging.formats.jpeg.markers import segments
from convcli.imaging.opening import decode_picture
from convcli.imaging.options import MAX_PIXELS, FilterOptions
from convcli.kernels.load import load_chain
from convcli.runs import run_job
from convcli.runs.batch import Batch
from convcli.runs.request import Report, Request

READERS = {"convcli-ahead", "convcli-jpeg", "convcli-rows"}
"""Threads that end with what they read."""
compiled = pytest.mark.skipif(extension("_png").module is None, reason="needs the compiled loops")
RNG = np.random.default_rng(4)
HEIGHT, WIDTH = 331, 117
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("sobel-x", "jpg", {}),
    ("gaussian:2", "jpg", {"threads": 1, "quality": 60}),
    ("box:5+median:3", "png", {}),
    ("box:9", "jpg", {"stride": (2, 3), "padding": 2}),
    ("gaussian:1", "ppm", {"border": Border("wrap")}),
    ("sobel-x", "jpg", {"range": "stretch"}),
    ("gaussian:1", "png", {"region": parse_region("20,30,40x50")}),
    ("unsharp:2", "jpg", {"linear": True}),
]


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    ramps = np.add.outer(np.arange(HEIGHT) * 3, np.arange(WIDTH) * 5)[..., None]
    pixels = ((ramps * 255 // 1600 + RNG.integers(0, 90, (HEIGHT, WIDTH, 3))) % 256).astype(
        np.uint8
    )
    out = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(out, "JPEG", **options)
    return out.getvalue()


def flow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so small that every picture flows in many bands."""
    monkeypatch.setattr(jpeg_large, "LARGE", 1)
    monkeypatch.setattr(jpeg_flow, "BAND_BYTES", 3 * WIDTH * 40)
    monkeypatch.setattr(row_stream, "FLOWING", 1)
    monkeypatch.setattr(row_stream, "FIRST_BYTES", 3000)
    monkeypatch.setattr(row_stream, "AHEAD_BYTES", 1000)
    monkeypatch.setattr(schedule, "BAND", 1)
    monkeypatch.setattr(run_job, "fits", lambda source, limits: False)


def filtered(source: Path, target: Path, kernels: str, **said: Any) -> Report:
    quality = said.pop("quality", None)
    request = Request(
        inputs=(str(source),),
        kernels=tuple(step for text in kernels.split("+") for step in load_chain(text)),
        options=FilterOptions(**{"threads": 2, **said}),
        output=str(target),
        quality=quality,
    )
    (report,) = Batch(request).run()
    assert isinstance(report, Report)
    return report


@compiled
@pytest.mark.parametrize(
    ("mode", "options"),
    [("RGB", {}), ("L", {"optimize": True}), ("RGB", {"subsampling": 1, "restart_marker_rows": 2})],
    ids=["420", "gray", "422"],
)
def test_the_bytes_are_those_of_the_whole_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(jpeg_write, "LARGE", 1)
    monkeypatch.setattr(jpeg_write, "BAND_PIXELS", 48 * WIDTH)
    source = tmp_path / "in.jpg"
    source.write_bytes(jpeg(mode, dpi=(72, 72), comment=b"kept", quality=92, **options))
    names = [f"{number}.{case[1]}" for number, case in enumerate(CASES)]
    whole = [filtered(source, tmp_path / f"w{name}", k, **said)
             for name, (k, _, said) in zip(names, CASES, strict=True)]  # fmt: skip
    assert {report.parts for report in whole} == {1}
    flow(monkeypatch)
    for name, (kernels, _, said), expected in zip(names, CASES, whole, strict=True):
        report = filtered(source, tmp_path / f"f{name}", kernels, **said)
        made, wanted = ((tmp_path / f"{way}{name}").read_bytes() for way in "fw")
        assert made == wanted, (kernels, said)
        assert report.parts > 1, kernels
        assert report.warnings == expected.warnings
    assert not [t for t in threading.enumerate() if t.name in READERS]


def damaged() -> dict[str, bytes]:
    whole = jpeg()
    start = next(end for marker, _, end in segments(whole) if marker == 0xDA)
    table = next(at for marker, at, _ in segments(whole) if marker == 0xDB)
    half = (start + len(whole)) // 2
    return {
        "ended": whole[:half].rstrip(b"\xff") + b"\xff\xd9",
        "cut": whole[:half],
        "no_quantisation": whole[: table + 4] + b"\x3f" + whole[table + 5 :],
        "more": whole[:start] + whole[start:-2] + b"abc\xff\xd9",
        "progressive": jpeg(progressive=True),
        "cmyk": jpeg("CMYK"),
    }


@compiled
@pytest.mark.parametrize("kind", [*damaged(), "several", "turned"])
def test_what_does_not_flow_says_what_it_always_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "several":
        pictures = [Image.open(io.BytesIO(jpeg())) for _ in range(2)]
        out = io.BytesIO()
        pictures[0].save(out, "MPO", save_all=True, append_images=pictures[1:])
        data = out.getvalue()
    elif kind == "turned":
        exif = Image.Exif()
        exif[0x112] = 6
        data = jpeg(exif=exif)
    else:
        data = damaged()[kind]
    source = tmp_path / "in.jpg"
    source.write_bytes(data)

    def made() -> tuple[Any, bytes]:
        target = tmp_path / "out.jpg"
        try:
            report = filtered(source, target, "box:3")
        except Exception as error:
            return str(error), b""
        said = report.warnings, report.outline.header.size
        bytes_made = target.read_bytes()
        target.unlink()
        return said, bytes_made

    whole = made()
    flow(monkeypatch)
    assert made() == whole
    monkeypatch.setattr(ahead, "LEAST_BYTES", 1)
    ahead.begin(str(source), MAX_PIXELS)
    assert made() == whole
    assert not [t for t in threading.enumerate() if t.name in READERS]
    assert [path.name for path in tmp_path.iterdir()] == ["in.jpg"]


@compiled
def test_rows_are_decoded_while_the_program_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow(monkeypatch)
    monkeypatch.setattr(ahead, "LEAST_BYTES", 1)
    source = tmp_path / "in.jpg"
    data = jpeg()
    source.write_bytes(data)
    ahead.begin(str(source), MAX_PIXELS)
    begun = ahead.take(str(source))
    assert begun is not None
    picture = begun.picture("in.jpg", MAX_PIXELS)
    assert picture.flows
    expected = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(
        picture.first.read((((40, 99),), ((3, 90),))), expected[40:99, 3:90]
    )
    np.testing.assert_array_equal(picture.first.pixels, expected)  # from the first row on again
    picture.close()
    assert decode_picture(data, "in.jpg").meta.jpeg == picture.meta.jpeg
