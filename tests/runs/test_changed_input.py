"""An input that is overwritten while it is read part by part: half of a result is never written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.engine.backends import NUMPY
from convcli.errors import InputError
from convcli.extensions import extension
from convcli.imaging.options import BASE_BYTES, LEAST_ROOM, FilterOptions
from convcli.kernels.load import load_kernel
from convcli.runs.request import Job, Report, Request
from convcli.runs.run_job import run_job
from convcli.system.files import size_and_time_within

SIZE = 2400, 1500
LITTLE = BASE_BYTES + 4 * LEAST_ROOM  # NumPy makes no parts of less than a megabyte or so
flowing = pytest.mark.skipif(
    extension("_png").module is None, reason="rows of a PNG flow by the compiled loops"
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pictures flow, in several parts."""
    monkeypatch.setattr("convcli.imaging.row_stream.FLOWING", 0)
    monkeypatch.setattr("convcli.imaging.schedule.BAND", 1 << 18)


def write(path: Path, level: int) -> None:
    """A picture of one level, always of as many bytes, as nothing is compressed."""
    x = np.full(SIZE, level, np.uint8)
    if path.suffix == ".npy":
        np.save(path, x)
    elif path.suffix == ".zarr":
        zarr = pytest.importorskip("zarr")
        if not path.exists():
            zarr.create_array(path, shape=SIZE, dtype="uint8", chunks=(100, 1500), fill_value=1)
        zarr.open_array(path)[...] = x
    elif path.suffix == ".tif":
        tifffile.imwrite(path, x, photometric="minisblack", rowsperstrip=20)
    else:
        Image.fromarray(x).save(path, compress_level=0)


def run(source: Path, target: Path, memory: int | None, **more: Any) -> Report:
    request = Request(
        (str(source),),
        (load_kernel("box:3"),),
        FilterOptions(backend=NUMPY, threads=1),
        output=str(target),
        overwrite=True,
        memory=memory,
    )
    return run_job(request, Job(str(source), str(target), True), **more)


def overwrites(source: Path) -> Any:
    """After the first part, with other pixels; the time is another one on any file system."""
    after, other = [255], source.with_name(f"other{source.suffix}")

    def part_done(done: int, parts: int) -> None:
        assert parts > 1
        if after:
            if source.is_dir():
                write(source, after.pop())  # chunk by chunk, as others would
                for chunk in source.rglob("c/*/*"):
                    os.utime(chunk, ns=(0, chunk.stat().st_mtime_ns + 10**9))
                return
            status = source.stat()
            write(other, after.pop())
            with source.open("r+b") as file:
                file.write(other.read_bytes())
            other.unlink()
            os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))

    return part_done


FORMATS = ["npy", "tif", "zarr", pytest.param("png", marks=flowing)]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("there", [False, True])
def test_what_is_larger_than_memory_is_an_error(tmp_path: Path, suffix: str, there: bool) -> None:
    source, target = tmp_path / f"in.{suffix}", tmp_path / "out.npy"
    write(source, 0)
    if there:
        target.write_bytes(b"old")
    with pytest.raises(InputError) as said:
        run(source, target, LITTLE, part_done=overwrites(source))
    assert str(said.value) == f"{source}: it was changed while it was read"
    assert {p.name for p in tmp_path.iterdir()} == {source.name, *["out.npy"][:there]}
    assert not there or target.read_bytes() == b"old"
    write(source, 7)
    run(source, target, LITTLE)
    assert (np.load(target) == 7).all(), "and nothing is wrong with what stays as it is"


@flowing
def test_what_fits_is_read_anew(tmp_path: Path) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    write(source, 0)
    report = run(source, target, None, part_done=overwrites(source))
    assert report.written
    assert (np.asarray(Image.open(target)) == 255).all()
    assert {p.name for p in tmp_path.iterdir()} == {"in.png", "out.png"}


@flowing
def test_what_cannot_go_on_because_it_changed_says_so(tmp_path: Path) -> None:
    """Rows that no longer decode: decoded whole it would be judged, but there is no room for that."""
    source = tmp_path / "in.png"
    write(source, 0)

    def spoil(report: Report) -> None:
        data = bytearray(source.read_bytes())
        chunk = data.index(b"IDAT", len(data) // 2)
        data[chunk + 100 : chunk + 200] = bytes(range(100))
        source.write_bytes(data)
        os.utime(source, ns=(0, 10**18))

    with pytest.raises(InputError, match="it was changed while it was read"):
        run(source, tmp_path / "out.npy", LITTLE, planned=spoil)
    assert [p.name for p in tmp_path.iterdir()] == ["in.png"]


@pytest.mark.parametrize("place", ["out.zarr", "0/out.zarr"])
def test_a_result_among_the_arrays_of_its_input_is_no_change(tmp_path: Path, place: str) -> None:
    zarr = pytest.importorskip("zarr")
    zarr.create_group(tmp_path / "in.zarr")
    write(tmp_path / "in.zarr" / "0.zarr", 7)
    source = (tmp_path / "in.zarr" / "0.zarr").rename(tmp_path / "in.zarr" / "0")

    def beside(report: Report) -> None:
        zarr.open_group(tmp_path / "in.zarr").create_array("1", data=np.ones((2, 2)))

    run(source, tmp_path / "in.zarr" / place, LITTLE, planned=beside)
    assert (zarr.open_array(tmp_path / "in.zarr" / place)[...] == 7).all()


def test_every_change_below_a_folder_is_seen(tmp_path: Path) -> None:
    first, second = tmp_path / "c" / "0", tmp_path / "c" / "1"
    (tmp_path / "c").mkdir()
    for chunk in (first, second):
        chunk.write_bytes(b"12")
        os.utime(chunk, (1_000, 1_000))
    seen = [size_and_time_within(tmp_path)]
    os.utime(second, (2_000, 2_000))  # dated ahead
    seen.append(size_and_time_within(tmp_path))
    os.utime(first, (500, 500))  # replaced by an older file of the same size
    seen.append(size_and_time_within(tmp_path))
    (tmp_path / ".zattrs").write_bytes(b"")
    seen.append(size_and_time_within(tmp_path))
    assert len(set(seen)) == 4
    (tmp_path / ".convcli-0123.tmp").write_bytes(b"ours")
    assert size_and_time_within(tmp_path) == seen[-1]
