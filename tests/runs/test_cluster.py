"""The same bytes from a Dask cluster as from one process, for files and for large pictures."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("distributed")
zarr = pytest.importorskip("zarr")

CONVCLI = [sys.executable, "-m", "convcli", "filter"]


def run(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*CONVCLI, *args], cwd=cwd, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures, one of them damaged, and a Zarr image of several chunks."""
    for index in range(12):
        path = tmp_path / "in" / f"{'deep' * (index % 2)}" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(40, 60 + index, 3, seed=index)).save(path)
    (tmp_path / "in/2.png").write_bytes(b"nothing")
    array = zarr.create_array(
        str(tmp_path / "x.zarr"), shape=(700, 500, 3), chunks=(128, 100, 3), dtype="u1"
    )
    array[...] = noise(700, 500, 3)
    return tmp_path


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A scheduler and two workers, started as on the hosts of a real cluster, over TCP."""
    processes: list[subprocess.Popen[str]] = []

    def start(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *args],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    assert scheduler.stderr is not None
    address = ""
    for line in scheduler.stderr:
        found = re.search(r"tcp://127\.0\.0\.1:\d+", line)
        if found:
            address = found[0]
            break
    for _ in range(2):
        start("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
    yield address, processes
    for process in processes:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def test_a_local_cluster_writes_the_same_bytes(folder: Path) -> None:
    one = run("-r", "in", "-k", "gaussian:2", "-o", "one", cwd=folder)
    two = run("-r", "in", "-k", "gaussian:2", "-o", "two", "--cluster", "local:2", cwd=folder)
    assert one.returncode == two.returncode == 1
    assert "1 of 12 pictures failed: in/2.png" in two.stderr
    assert files(folder / "one") == files(folder / "two")
    assert len(files(folder / "two")) == 11


@pytest.mark.parametrize(
    "options",
    [["-k", "gaussian:5"], ["-k", "sobel", "--range", "stretch", "--stride", "2"]],
    ids=["halo", "stretch_strided"],
)
def test_a_large_picture_on_a_real_cluster(
    folder: Path, cluster: tuple[str, list[subprocess.Popen[str]]], options: list[str]
) -> None:
    address, _ = cluster
    assert run("x.zarr", *options, "-o", "one.zarr", cwd=folder).returncode == 0
    done = run("x.zarr", *options, "-o", "two.zarr", "--cluster", address, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert files(folder / "one.zarr") == files(folder / "two.zarr")
    for name in ("one.npy", "two.npy"):
        more = ["--cluster", address] if name == "two.npy" else []
        assert run("x.zarr", *options, "-o", name, *more, cwd=folder).returncode == 0
    assert (folder / "one.npy").read_bytes() == (folder / "two.npy").read_bytes()
    assert (np.load(folder / "one.npy") == zarr.open_array(str(folder / "two.zarr"))[...]).all()


def test_a_lost_worker_loses_nothing(
    folder: Path, cluster: tuple[str, list[subprocess.Popen[str]]]
) -> None:
    address, (_, first, _) = cluster
    for index in range(300):
        Image.fromarray(noise(200, 220, 3, seed=index)).save(folder / "in" / f"more{index}.png")
    (folder / "in/2.png").unlink()
    assert run("-r", "in", "-k", "gaussian:3", "-o", "one", cwd=folder).returncode == 0
    command = [*CONVCLI, "-r", "in", "-k", "gaussian:3", "-o", "two", "--cluster", address]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        made = folder / "two"
        while not made.exists() or len(list(made.iterdir())) < 60:
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.01)
        os.kill(first.pid, signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert files(folder / "one") == files(folder / "two")


def test_a_cluster_run_goes_on_where_it_was_killed(folder: Path) -> None:
    (folder / "in/2.png").unlink()
    args = ["-r", "in", "-k", "box:3", "-o", "two", "--cluster", "local:1", "--resume"]
    assert run(*args, cwd=folder).returncode == 0
    (folder / "two/4.png").unlink()
    again = run(*args, cwd=folder)
    assert again.returncode == 0
    assert "1 done, 10 done before" in again.stderr


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--cluster", "tcp://127.0.0.1:9"], 1, "no scheduler with workers answers"),
        (["--cluster", "somewhere"], 2, "is no scheduler; allowed: tcp://"),
        (["--cluster", "local:none"], 2, "number of processes"),
        (["--cluster", "local:2", "--in-place"], 2, "exclude each other"),
    ],
    ids=["nobody_there", "no_address", "no_number", "in_place"],
)
def test_mistakes_are_said_in_one_line(
    folder: Path, args: list[str], code: int, words: str
) -> None:
    more = [] if "--in-place" in args else ["-o", "out/"]
    before = files(folder / "in")
    done = run("in/0.png", "-k", "box:3", *args, *more, cwd=folder)
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert files(folder / "in") == before
    assert not (folder / "out").exists()
