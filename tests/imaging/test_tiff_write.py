"""Compressed TIFFs: strips made by several threads, of bands of any height, are tifffile's own."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tifffile

from convcli.engine.cpu.tiles import Tile
from convcli.imaging.formats import Coding, format_of_suffix
from convcli.imaging.header import Header, Metadata
from convcli.imaging.sink import PlanePart, encode_picture, open_sink
from convcli.imaging.source import Frame, Source

RNG = np.random.default_rng(4)


@pytest.mark.parametrize(("number", "name"), [(5, "lzw"), (8, "zlib"), (32773, "packbits")])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64", "int64"])
@pytest.mark.parametrize("channels", [1, 3])
def test_strips_are_those_of_tifffile(
    number: int,
    name: str,
    dtype: str,
    channels: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("convcli.imaging.formats.tiff.write.STRIP", 1500)
    pixels = RNG.integers(0, 99, (61, 43, channels)).cumsum(1).astype(dtype)
    meta = Metadata(compression=number)
    header = Header(
        "TIFF", "rgb" if channels > 1 else "gray", False, np.dtype(dtype), (61, 43), meta=meta
    )
    if dtype in ("int32", "int64") and channels > 1:
        header = header.but(space="bands", bands=channels)
    picture = Source.of(header, [Frame(pixels)])
    fmt = format_of_suffix("x.tif")
    assert fmt is not None
    whole = encode_picture(picture, fmt, "x", threads=2)
    path = tmp_path / "x.tif"
    with open_sink(
        str(path), fmt, header, picture, overwrite=False, coding=Coding(threads=2)
    ) as sink:
        cuts = [0, 1, 2, 40, 41, 61]
        sink.write(
            (PlanePart(Tile(top, bottom, 0, 43)), pixels[top:bottom])
            for top, bottom in pairwise(cuts)
        )
    assert path.read_bytes() == whole
    rows = max(1500 // (43 * channels * pixels.itemsize), 1)
    theirs = io.BytesIO()
    predictor = name != "packbits" and dtype != "int64"
    tifffile.imwrite(
        theirs,
        pixels.squeeze(),
        compression=name,
        predictor=predictor,
        rowsperstrip=rows,
        photometric=header.space if header.space == "rgb" else "minisblack",
        planarconfig="contig" if channels > 1 else None,
    )
    theirs.seek(0)
    with tifffile.TiffFile(path) as ours, tifffile.TiffFile(theirs) as want:
        for page in (ours.pages.first, want.pages.first):
            assert (page.rowsperstrip, page.predictor) == (
                rows,
                1 if not predictor else 3 if "float" in dtype else 2,
            )
        got = _strips(ours)
        assert got == _strips(want)
        assert len(got) == -(-61 // rows)
        np.testing.assert_array_equal(ours.asarray(), pixels.squeeze())


def _strips(file: tifffile.TiffFile) -> list[bytes]:
    page = file.pages.first
    file.filehandle.seek(0)
    data = file.filehandle.read()
    places = zip(page.dataoffsets, page.databytecounts, strict=True)
    return [data[offset : offset + count] for offset, count in places]
