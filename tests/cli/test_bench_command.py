"""``convcli bench`` on a small picture: what it measures, says and keeps."""

from __future__ import annotations

import json

import pytest

from convcli.cli.app import run
from convcli.engine.speeds import load_speeds, speeds_path
from convcli.errors import BackendError


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    load_speeds.cache_clear()
    yield
    load_speeds.cache_clear()


def without_gpu(monkeypatch):
    def missing(number=0):
        raise BackendError("backend cupy: there is no GPU in this test")

    monkeypatch.setattr("convcli.engine.gpu.device.require_device", missing)


def test_table_marks_what_auto_takes_and_says_why_no_gpu(monkeypatch, capsys):
    without_gpu(monkeypatch)
    assert run("bench --size 120x80 -k sobel-x -k gaussian:2 --gray".split()) == 0
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert next(line for line in lines if line[:1] == ["kernel"]) == (
        "kernel direct separable box fft MP/s".split()
    )
    assert next(line for line in lines if line[:1] == ["sobel-x"]).count("*") == 1
    assert "random 120x80x1 8-bit picture" in out
    assert "No GPU: there is no GPU in this test." in out


def test_json_holds_every_time(monkeypatch, capsys):
    without_gpu(monkeypatch)
    assert run("bench --size 64x48 -k box:5 --json".split()) == 0
    found = json.loads(capsys.readouterr().out)
    (entry,) = found["kernels"]
    assert (found["width"], found["height"], found["channels"]) == (64, 48, 3)
    assert entry["kernel"] == "box:5"
    assert entry["taken"] in entry["ms"]
    assert {"direct", "separable", "box"} <= set(entry["ms"])
    assert all(value > 0 for value in entry["ms"].values())
    assert entry["gpu_ms"] is None
    assert found["no_gpu"] == "there is no GPU in this test"


def test_calibrating_keeps_what_auto_reads(monkeypatch, capsys):
    without_gpu(monkeypatch)
    assert run("bench --size 64x48 -k sobel-x --calibrate --json".split()) == 0
    found = json.loads(capsys.readouterr().out)["calibration"]
    assert found["path"] == str(speeds_path())
    speeds = load_speeds()
    assert speeds.cpu == found["cpu"] > 0
    assert speeds.device == ""


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, capsys, tmp_path):
    without_gpu(monkeypatch)
    (tmp_path / "convcli").write_text("a file where the folder should be")
    assert run("bench --size 64x48 -k sobel-x --calibrate".split()) == 1
    assert "set XDG_CACHE_HOME" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["10", "0x5", "ax7", "5x-1", "99999x9"])
def test_sizes_that_are_none(size, capsys):
    assert run(["bench", "--size", size]) == 2
    assert "give WxH, as in 3000x2000" in capsys.readouterr().err


def test_a_kernel_of_other_channels_is_refused(monkeypatch, capsys):
    without_gpu(monkeypatch)
    assert run("bench --size 20x20 -k grayscale --gray".split()) == 2
    assert "mixes 3 channels" in capsys.readouterr().err
