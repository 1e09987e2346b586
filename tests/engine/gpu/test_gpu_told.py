"""What is said of a result that the CPU made in the place of a GPU: that the CPU made it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.cli import app
from convcli.engine.backends import Backend
from convcli.engine.gpu import cupy_run
from convcli.errors import BackendError

pytestmark = pytest.mark.gpu


@pytest.fixture
def on_gpu(cupy, monkeypatch):
    """``auto`` takes the GPU."""
    monkeypatch.setattr("convcli.engine.plan.weigh", lambda *_: (Backend("cupy"), "predicted"))
    return cupy


def fails(*_, **__):
    raise BackendError("backend cupy: device 0 failed; use --backend numpy")


def told(capfd, *line):
    """What ``-v`` and what ``--json`` says, of the backend and of why."""
    assert app.run(["filter", *map(str, line), "-v", "--json"]) == 0
    out, err = capfd.readouterr()
    found = json.loads(out)
    said = f"  {found['backend']}"
    assert any(
        text.startswith(said) and found["backend_reason"] in text for text in err.split("\n")
    )
    return found["backend"], found["backend_reason"]


CPU = "numpy", "done on the CPU, since the GPU could not: device 0 failed"


@pytest.mark.parametrize("alpha", [False, True])
def test_the_backend_is_the_one_that_did_it(on_gpu, monkeypatch, capfd, tmp_path, alpha):
    x = np.random.default_rng(1).integers(0, 256, (19, 23, 3 + alpha)).astype(np.uint8)
    source, line = tmp_path / "a.png", [tmp_path / "a.png", "-k", "gaussian:1", "-o"]
    Image.fromarray(x).save(source)
    assert told(capfd, *line, tmp_path / "b.png") == ("cupy", "predicted")
    where = (
        "convcli.imaging.stages.on_device.upload"
        if alpha
        else "convcli.engine.gpu.cupy_run.run_chain"
    )
    monkeypatch.setattr(where, fails)
    assert told(capfd, *line, tmp_path / "c.png") == CPU


def test_what_the_cpu_takes_before_it_is_tried(on_gpu, monkeypatch, capfd, tmp_path):
    """Beside missing samples a median has no kernel for a GPU, which shows once they are seen."""
    x = np.random.default_rng(2).normal(size=(19, 23)).astype(np.float32)
    x[4:9, 6:13] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", x)
    backend, why = told(capfd, tmp_path / "a.tif", "-k", "median:3", "-o", tmp_path / "b.tif")
    assert backend == "numpy"
    assert "is done on the CPU only beside samples that do not vote" in why


def test_frames_that_the_cpu_took_are_counted(on_gpu, monkeypatch, capfd, tmp_path):
    x = np.random.default_rng(3).integers(0, 256, (3, 19, 23)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", x, photometric="minisblack", metadata=None)
    run, calls = cupy_run.run_chain, []

    def sometimes(plan, x, out=None):
        calls.append(plan)
        return fails() if len(calls) == 2 else run(plan, x, out)

    monkeypatch.setattr(cupy_run, "run_chain", sometimes)
    backend, why = told(capfd, tmp_path / "a.tif", "-k", "gaussian:1", "-o", tmp_path / "b.tif")
    assert len(calls) == 3
    assert (backend, why) == ("cupy", f"predicted; 1 of 3 frames by the CPU: {CPU[1]}")
