"""The same bytes from a Dask cluster as from one process, for files and for large pictures.

Nothing here waits for a clock: a machine may be as slow as it likes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from PIL import Image

from convcli.errors import RunError
from convcli.imaging.formats.png.chunks import walk
from convcli.runs.cluster import connect

distributed = pytest.importorskip("distributed")
zarr = pytest.importorskip("zarr")

CONVCLI = [sys.executable, "-m", "convcli", "filter"]
CONNECT = "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"

Start: TypeAlias = Callable[..., tuple[str, list[subprocess.Popen[bytes]]]]


def run(*args: str, cwd: Path, connect: str = "1 hour") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {CONNECT: connect}
    done = subprocess.run(
        [*CONVCLI, *args], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def assert_same(one: Path, two: Path) -> None:
    """The same files with the same bytes; of a PNG, say in what it differs."""
    ours, theirs = files(one), files(two)
    assert ours.keys() == theirs.keys()
    assert not {n: unlike(ours[n], theirs[n]) for n in ours if ours[n] != theirs[n]}


def unlike(one: bytes, two: bytes) -> str:
    if not one.startswith(b"\x89PNG") or not two.startswith(b"\x89PNG"):
        return f"{len(one)} and {len(two)} bytes"
    chunks = [[(kind, bytes(body)) for kind, body, _ in walk(data, "x")] for data in (one, two)]
    other = {kind for kind, _ in set(chunks[0]) ^ set(chunks[1])}
    rows = [zlib.decompress(b"".join(b for k, b in found if k == b"IDAT")) for found in chunks]
    return f"chunks {other}, the filtered rows are {'the same' if rows[0] == rows[1] else 'others'}"


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
def cluster(tmp_path: Path) -> Iterator[Start]:
    """Starts a scheduler and two workers, as on the hosts of a real cluster, over TCP.

    The first worker runs a script before its first task, if one is given. All are there when
    the address of the scheduler and their processes come back.
    """
    processes: list[subprocess.Popen[bytes]] = []

    def launch(*args: str) -> None:
        with (tmp_path / f"log{len(processes)}").open("wb") as log:  # no pipe, which could fill up
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *args],
                cwd=tmp_path,
                # A worker waits for its scheduler however slow the machine is. A scheduler asks
                # one that has died for what it had made, and must give that up in the end.
                env=os.environ | ({CONNECT: "1 hour"} if args[0] == "worker" else {}),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        processes.append(process)

    def wait() -> None:
        for number, process in enumerate(processes):
            assert process.poll() is None, (tmp_path / f"log{number}").read_text()
        time.sleep(0.05)

    def start(script: str = "") -> tuple[str, list[subprocess.Popen[bytes]]]:
        about = tmp_path / "scheduler.json"
        launch(
            *"scheduler --host 127.0.0.1 --port 0 --no-dashboard --scheduler-file".split(),
            "scheduler.json",
        )
        address = ""
        while not address:
            wait()
            with suppress(FileNotFoundError, ValueError):  # not there, or not yet whole
                address = json.loads(about.read_text())["address"]
        (tmp_path / "first.py").write_text(script)
        for more in (["--preload", str(tmp_path / "first.py")], []):
            launch("worker", address, *"--nthreads 1 --no-nanny --no-dashboard".split(), *more)
        with distributed.Client(address, timeout="1 hour", set_as_default=False) as client:
            while len(client.nthreads()) < 2:
                wait()
        return address, processes[1:]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_a_local_cluster_writes_the_same_bytes(folder: Path) -> None:
    one = run("-r", "in", "-k", "gaussian:2", "-o", "one", cwd=folder)
    two = run("-r", "in", "-k", "gaussian:2", "-o", "two", "--cluster", "local:2", cwd=folder)
    assert one.returncode == two.returncode == 1
    assert "1 of 12 pictures failed: in/2.png" in two.stderr
    assert_same(folder / "one", folder / "two")
    assert len(files(folder / "two")) == 11


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["-k", "gaussian:5"],
        ["-k", "sobel", "--range", "stretch", "--stride", "2"],
        ["-k", "otsu | box:3 | otsu | max:3"],
    ],
    ids=["halo", "stretch_strided", "otsu"],
)
def test_a_large_picture_on_a_real_cluster(
    folder: Path, cluster: Start, options: list[str]
) -> None:
    address, _ = cluster()
    assert run("x.zarr", *options, "-o", "one.zarr", cwd=folder).returncode == 0
    done = run("x.zarr", *options, "-o", "two.zarr", "--cluster", address, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert files(folder / "one.zarr") == files(folder / "two.zarr")
    for name in ("one.npy", "two.npy"):
        more = ["--cluster", address] if name == "two.npy" else []
        assert run("x.zarr", *options, "-o", name, *more, cwd=folder).returncode == 0
    assert (folder / "one.npy").read_bytes() == (folder / "two.npy").read_bytes()
    assert (np.load(folder / "one.npy") == zarr.open_array(str(folder / "two.zarr"))[...]).all()


DYING = """
import os, signal
from convcli.imaging.atomic import write_atomic as write
from convcli.runs import whole_file

others = iter(range(2))

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def begun(data):
    yield next(iter(data))
    die()

def dying(path, data, **options):
    if next(others, None) is not None:
        return write(path, data, **options)
    if MOMENT != "before":
        write(path, begun(data) if MOMENT == "within" else data, **options)
    die()

whole_file.write_atomic = dying
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_lost_worker_loses_nothing(folder: Path, cluster: Start, moment: str) -> None:
    """One dies in its third task: before it writes its file, within that, or untold after it."""
    for index in range(40):
        Image.fromarray(noise(200, 220, 3, seed=index)).save(folder / "in" / f"more{index}.png")
    (folder / "in/2.png").unlink()
    address, (first, second) = cluster(f"MOMENT = {moment!r}\n{DYING}")
    assert run("-r", "in", "-k", "gaussian:3", "-o", "one", cwd=folder).returncode == 0
    args = ["-r", "in", "-k", "gaussian:3", "-o", "two", "--cluster", address]
    done = run(*args, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (first.poll(), second.poll()) == (-signal.SIGKILL, None)
    assert_same(folder / "one", folder / "two")


@pytest.mark.slow
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
        pytest.param(["--cluster", "local:none"], 2, "number of processes", marks=pytest.mark.slow),
        (["--cluster", "local:1000000000"], 2, "1 to 1,024"),
        (["--cluster", "local:2", "--in-place"], 2, "exclude each other"),
    ],
    ids=["nobody_there", "no_address", "no_number", "too_many", "in_place"],
)
def test_mistakes_are_said_in_one_line(
    folder: Path, args: list[str], code: int, words: str
) -> None:
    more = [] if "--in-place" in args else ["-o", "out/"]
    before = files(folder / "in")
    done = run("in/0.png", "-k", "box:3", *args, *more, cwd=folder, connect="1s")
    assert done.returncode == code
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert files(folder / "in") == before
    assert not (folder / "out").exists()


@pytest.mark.parametrize("missing", ["require_descriptors", "require_threads"])
def test_processes_that_cannot_be_started_here_are_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    errors = {OSError(24, "no room"): "no room", MemoryError(): "not enough memory"}
    for error, said in errors.items():

        def fail(count: int, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(f"convcli.runs.cluster.{missing}", fail)
        with ExitStack() as stack, pytest.raises(RunError, match=rf"local:2: .*\({said}\)"):
            connect("local:2", stack)
