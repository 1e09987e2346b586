"""What ``auto`` chooses, and what happens when a GPU that was chosen fails."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from convcli.engine.backends import NUMPY, Backend, pick_backend, weigh
from convcli.engine.dispatch import execute
from convcli.engine.gpu import cupy_run as gpu_run
from convcli.engine.gpu.predicted import cpu_seconds, gpu_seconds
from convcli.engine.gpu.workload import Workload
from convcli.engine.plan import plan_filter
from convcli.engine.speeds import Speeds, load_speeds, speeds_path
from convcli.errors import BackendError
from convcli.kernels.kernel import Kernel

PHOTO = (4000, 6000, 3)
SOBEL = Kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
HEAVY = Kernel(np.random.default_rng(0).normal(size=(31, 31)) / 60)
FAST = {
    "start": 0.5,
    "upload": 3e10,
    "download": 3e10,
    "host_copy": 2e10,
    "memory": 3e12,
    "multiply_adds": 2e13,
}
SLOW = {"start": 3.0, "upload": 1e9, "download": 1e9, "memory": 5e10, "multiply_adds": 1e12}


def plan_of(kernel=SOBEL, count=1, **options):
    return plan_filter(PHOTO, "uint8", [kernel], count=count, threads=2, **options)


@pytest.mark.parametrize(
    ("numbers", "kernel", "count", "taken"),
    [
        (FAST, SOBEL, 1, "numpy"),
        (FAST, SOBEL, 1000, "cupy"),
        (FAST, HEAVY, 10, "cupy"),
        (SLOW, SOBEL, 1000, "numpy"),
        (SLOW, HEAVY, 1, "numpy"),
        (SLOW, HEAVY, 1000, "cupy"),
        ({}, SOBEL, 1, "numpy"),
        ({}, HEAVY, 100, "cupy"),
    ],
    ids=[
        "fast_one_photo",
        "fast_batch",
        "fast_few_heavy",
        "slow_bus_batch",
        "slow_one_heavy",
        "slow_heavy_batch",
        "builtin_one_photo",
        "builtin_heavy_batch",
    ],
)
def test_the_sooner_end_is_taken(pretend_cupy, speeds, numbers, kernel, count, taken):
    pretend_cupy()
    speeds(**numbers)
    plan = plan_of(kernel, count)
    assert plan.backend.name == taken
    assert "on the CPU" in plan.backend_reason
    assert "on a GPU, start included" in plan.backend_reason
    assert plan.fallback == (taken == "cupy")
    if taken == "cupy":
        assert plan.backend_reason.startswith("device 0, Pretended Device; ")


def test_cupy_is_not_imported_where_the_cpu_ends_sooner(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text("raise SystemExit('imported')")
    code = (
        "from convcli.engine.plan import plan_filter; from convcli.kernels.kernel import Kernel;"
        "p = plan_filter((400, 600, 3), 'uint8', [Kernel([[1, 2, 1]])]); print(p.backend_reason)"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "on the CPU" in done.stdout


def test_without_cupy_the_reason_is_that(monkeypatch):
    monkeypatch.setattr("convcli.engine.backends.find_spec", lambda name: None)
    work = Workload((("compiled direct int16", 1e9, 0.0),), 1, (), 0, 0, 0, 1)
    assert weigh(work, 1) == (NUMPY, "CuPy is not installed")
    assert pick_backend(None) == (NUMPY, "CuPy is not installed")


@pytest.mark.parametrize("value", ["", "-1", " "])
def test_hidden_devices_are_seen_without_importing(monkeypatch, pretend_cupy, value):
    pretend_cupy()
    monkeypatch.setitem(sys.modules["cupy"].__dict__, "cuda", None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    plan = plan_of(HEAVY, 1000)
    assert (plan.backend, plan.backend_reason) == (
        NUMPY,
        "CUDA_VISIBLE_DEVICES hides every GPU",
    )


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ({"fail": "cudaErrorNoDevice"}, "no CUDA device"),
        ({"fail": "cudaErrorInsufficientDriver"}, "driver is too old"),
        ({"fail": "cudaErrorInsufficientDriver", "driver": False}, "no NVIDIA driver"),
        ({"nvrtc": "libnvrtc.so.13: cannot open"}, "NVRTC"),
    ],
    ids=["no_device", "old_driver", "no_driver", "no_nvrtc"],
)
def test_a_gpu_that_is_not_there_leaves_the_cpu(pretend_cupy, speeds, trouble, words):
    pretend_cupy(**trouble)
    speeds(**FAST)
    plan = plan_of(HEAVY, 1000)
    assert plan.backend == NUMPY
    assert words in plan.backend_reason
    assert "backend cupy" not in plan.backend_reason


@pytest.mark.parametrize(
    ("workers", "counts"),
    [(1, (1, 2, 10, 100, 1000)), (2, (1, 2, 10, 100, 1000)), (16, (16, 160, 1600))],
)
def test_where_a_gpu_is_ahead_more_pictures_never_favour_the_cpu(
    pretend_cupy, speeds, workers, counts
):
    pretend_cupy()
    speeds(**FAST)
    work = plan_of(HEAVY).work
    gains = []
    for count in counts:
        situation = load_speeds(), count, workers, 8
        gains.append(cpu_seconds(work, *situation) - gpu_seconds(work, *situation))
    assert gains == sorted(gains)


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "{}", '{"cpu": "fast"}', json.dumps({"cpu": -1}), "null"],
    ids=["empty", "list", "nothing", "words", "negative", "null"],
)
def test_speeds_that_make_no_sense_are_not_used(speeds, text):
    path = speeds_path()
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert load_speeds() == Speeds()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cpu_rows", {"compiled direct int16, uint8": [1.0]}),
        ("cpu_rows", {"compiled direct int16, uint8": [1.0, -1.0]}),
        ("cpu_rows", [1.0]),
        ("overlap", 1.5),
        ("serial", "all"),
        ("doubles", 0),
    ],
)
def test_one_figure_that_makes_no_sense_is_enough(speeds, name, value):
    speeds(start=3.0)
    assert load_speeds().start == 3.0
    path = speeds_path()
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    load_speeds.cache_clear()
    assert load_speeds() == Speeds()


def failing(monkeypatch, message):
    def run_chain(plan, x, out):
        raise BackendError(message)

    monkeypatch.setattr(gpu_run, "run_chain", run_chain)


def test_auto_ends_on_the_cpu_when_the_gpu_fails(monkeypatch):
    failing(monkeypatch, "backend cupy: device 0 is out of memory; use --backend numpy")
    x = np.random.default_rng(1).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    plan = plan_filter(x.shape, x.dtype, [SOBEL], backend="numpy")
    outcome = execute(plan._replace(backend=Backend("cupy"), fallback=True), x)
    np.testing.assert_array_equal(outcome.pixels, execute(plan, x).pixels)
    assert outcome.note == "done on the CPU, since the GPU could not: device 0 is out of memory"


def test_what_was_asked_for_by_name_never_falls_back(monkeypatch):
    failing(monkeypatch, "backend cupy: device 0 is out of memory; use --backend numpy")
    x = np.zeros((4, 5, 3), np.uint8)
    plan = plan_filter(x.shape, x.dtype, [SOBEL], backend="numpy")._replace(backend=Backend("cupy"))
    with pytest.raises(BackendError, match="out of memory; use --backend numpy"):
        execute(plan, x)
