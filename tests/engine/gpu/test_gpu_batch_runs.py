"""Batches that a GPU filters, by the command: on a device, or on what stands in for CuPy."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli.cli import app
from convcli.engine.gpu import cupy_run
from convcli.runs import workers

CHAIN = ["-k", "gaussian-5x5", "-k", "sobel-x"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Pictures of two sizes and depths, one with alpha, and a file that is none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(2)
    for number in range(10):
        size = (40, 60, 3) if number % 3 else (31, 45, 4)
        Image.fromarray(rng.integers(0, 256, size, np.uint8)).save(f"in/{number}.png")
    Image.fromarray(rng.integers(0, 65536, (40, 60)).astype(np.uint16)).save("in/wide.png")
    Path("in/zz.png").write_text("no picture")
    return tmp_path


def run(*words):
    return app.run(["filter", "-r", "in", *CHAIN, *map(str, words)])


def files(name):
    return {path.name: path.read_bytes() for path in Path(name).glob("*")}


@pytest.mark.gpu
def test_the_files_are_those_of_the_cpu_and_come_from_threads(cupy, folder, monkeypatch, capfd):
    assert run("-o", "cpu", "--backend", "numpy", "-j", 1) == 1
    wanted = capfd.readouterr().err
    monkeypatch.setattr(workers, "Workers", None)  # no process is started
    plain, threads, meet, come = cupy_run.run_chain, set(), threading.Barrier(2), count()

    def run_chain(plan, x, out=None):
        if threading.get_ident() not in threads:
            threads.add(threading.get_ident())
            if next(come) < 2:
                meet.wait(60)  # a second thread has come before the first is done
        return plain(plan, x, out)

    monkeypatch.setattr("convcli.engine.gpu.cupy_run.run_chain", run_chain)
    assert run("-o", "gpu", "--backend", "cupy", "-j", 4, "--json") == 1
    said, err = capfd.readouterr()
    lines = [json.loads(line) for line in said.splitlines()]
    assert {line["backend"] for line in lines if "error" not in line} == {"cupy"}
    assert len(lines) == 12
    assert [line["input"] for line in lines if "error" in line] == ["in/zz.png"]
    assert threading.main_thread().ident not in threads
    assert len(threads) >= 2
    for told in (wanted, err):
        assert "in/zz.png" in told
        assert "1 of 12 pictures failed: in/zz.png; 11 done, in " in told
    got, want = files("gpu"), files("cpu")
    assert got.keys() == want.keys()
    for name in got:
        one, other = (np.asarray(Image.open(io.BytesIO(f[name]))).astype(int) for f in (got, want))
        assert np.abs(one - other).max() <= 1


@pytest.mark.gpu
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_device_that_is_not_there_is_said_once_and_nothing_is_done(cupy, folder, capfd, jobs):
    assert run("-o", "out", "--device", 99, "-j", jobs) == 2
    said = capfd.readouterr()
    assert said.err.count("\n") == 1
    assert "backend cupy: there is no device 99" in said.err
    assert not said.out
    assert not Path("out").exists()


@pytest.mark.gpu
def test_memory_that_ends_in_one_picture_harms_no_other(cupy, folder, monkeypatch, capfd):
    assert run("-o", "want", "--backend", "cupy", "-j", 1) == 1
    plain, calls, lock = cupy.empty, [0], threading.Lock()

    def empty(shape, *given, **how):
        with lock:
            calls[0] += 1
            full = calls[0] % 7 == 3
        if full:
            raise cupy.cuda.memory.OutOfMemoryError(1 << 30, 1 << 30, 1 << 30)
        return plain(shape, *given, **how)

    monkeypatch.setattr(cupy, "empty", empty)
    assert run("-o", "got", "--backend", "cupy", "-j", 3) == 1
    err = capfd.readouterr().err
    assert calls[0] > 20
    got, want = files("got"), files("want")
    assert got.keys() <= want.keys()
    for name in want:  # each is right, or refused by name
        assert got.get(name, want[name]) == want[name]
        said = [line for line in err.splitlines() if f"in/{name}" in line and "->" not in line]
        assert name in got or "out of memory" in said[0], said[0]


@pytest.mark.gpu
@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_an_interrupt_leaves_whole_files_and_the_rest_is_resumed(cupy, folder):
    Path("in/zz.png").unlink()
    rng = np.random.default_rng(2)
    for number in range(60):
        levels = rng.integers(0, 256, (60, 80, 3), np.uint8)
        Image.fromarray(levels).save(f"in/more{number:02}.png")
    words = [sys.executable, "-m", "convcli", "filter", "-r", "in", *CHAIN, "-o", "out"]
    words += ["--backend", "cupy", "-j", "3", "-v"]
    reader, writer = os.pipe()  # full soon: who tells of files waits, and with him the batch
    os.set_blocking(writer, False)
    filled = 0
    try:
        while True:
            filled += os.write(writer, bytes(4096))
    except BlockingIOError:
        filled -= len(os.read(reader, 4096))
    os.set_blocking(writer, True)
    with subprocess.Popen(words, stderr=writer) as process:
        while len(list(Path().glob("out/*.png"))) < 3:  # temporaries come and go beside them
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            err = pipe.read()[filled:].decode()
    assert process.returncode == -signal.SIGINT
    assert err.endswith("convcli: interrupted\n")
    assert "not begun" in err
    assert "Traceback" not in err
    made = files("out")
    assert 3 <= len(made) < 60
    for name, data in made.items():
        assert not name.endswith(".tmp")
        Image.open(io.BytesIO(data)).load()
    assert run("-o", "out", "--backend", "cupy", "-j", 3, "--resume") == 0
    assert len(files("out")) == 71
    assert all(files("out")[name] == data for name, data in made.items())
