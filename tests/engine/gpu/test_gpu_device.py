"""On a GPU: the same results as on the CPU, memory that runs out, streams, errors.

Where there is none, on the stand-in for CuPy, with pictures that g++'s kernels are done with soon;
``pytest -m gpu`` runs all of them, on a device if there is one.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import convcli
from convcli.arithmetic.borders import Border
from convcli.engine.dispatch import execute
from convcli.engine.gpu import host_strips, measure
from convcli.engine.gpu.cupy_device import device_of_thread
from convcli.engine.gpu.cupy_run import run_chain
from convcli.engine.gpu.measure import measure_gpu
from convcli.engine.plan import plan_filter
from convcli.engine.speeds import Speeds
from convcli.errors import BackendError, UsageError
from convcli.kernels.kernel import Kernel

pytestmark = pytest.mark.gpu
SAMPLE = Path(__file__).parents[3] / "samples" / "portrait.png"
SOBEL = Kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], absolute=True)
BLUR = Kernel(np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256)
LARGE = Kernel(np.random.default_rng(3).normal(size=(31, 31)) / 60)


@pytest.fixture(scope="module")
def cases():
    path = Path(__file__).parents[1] / "test_filter_reference.py"
    spec = importlib.util.spec_from_file_location("reference_cases_for_gpu", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def picture(shape, dtype="uint8", seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random(shape) * (1 if dtype.startswith("float") else 255.99)).astype(dtype)


@pytest.mark.parametrize(
    "seed", [*range(24), *(pytest.param(n, marks=pytest.mark.slow) for n in range(24, 150))]
)
def test_random_filters_against_float64(cupy, cases, seed):
    x, kernels, options = cases.random_case(seed + 9000)
    try:
        cases.agree(x, kernels, backend="cupy", **options)
    except ValueError as error:
        if "the output is empty" not in str(error):
            raise
        cases.agree(x, kernels, backend="cupy", **{**options, "padding": "full"})


@pytest.mark.parametrize("algorithm", ["direct", "separable", "fft"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_large_pictures_on_many_blocks(cupy, gpu_here, dtype, algorithm):
    # Tensor cores, which sum bytes under large kernels, are slow where g++ stands for them.
    slow = dtype == "uint8" and algorithm == "direct"
    x = picture(
        (1031, 1533, 3) if gpu_here else (35 if slow else 67, 133 if slow else 533, 3), dtype
    )
    kernel = BLUR if algorithm == "separable" else LARGE
    plans = [
        plan_filter(x.shape, dtype, [kernel], backend=name, algorithm=algorithm)
        for name in ("cupy", "numpy")
    ]
    got, want = (execute(plan, x).pixels.astype(np.float64) for plan in plans)
    assert np.abs(got - want).max() <= (1 if dtype.startswith("uint") else 1e-5)


def test_pictures_on_the_device_stay_there(cupy):
    x = picture((200, 301, 3))
    plan = plan_filter(x.shape, x.dtype, [SOBEL, BLUR], backend="cupy")
    there, clipped = run_chain(plan, cupy.asarray(x))
    want, clipped_want = run_chain(plan, x)
    assert isinstance(there, cupy.ndarray)
    np.testing.assert_array_equal(cupy.asnumpy(there), want)
    assert clipped == clipped_want


def test_a_view_that_begins_at_any_byte(cupy):
    x = picture((20, 32, 1))  # rows that could be read in words
    plan = plan_filter(x.shape, x.dtype, [SOBEL], backend="cupy")
    there = cupy.zeros(x.size + 1, np.uint8)[1:].reshape(x.shape)
    there[...] = cupy.asarray(x)
    got, _ = run_chain(plan, there)
    np.testing.assert_array_equal(cupy.asnumpy(got), run_chain(plan, x)[0])


def test_memory_that_kernels_still_read_is_not_sent_to(cupy):
    device = device_of_thread(0)
    with device:
        first = cupy.full((64, 64), 1, np.uint8)
        doubled = first * 2
        del first
        slab = cupy.empty((64, 64), np.uint8)  # where the first was
        device.upload(np.full((64, 64), 7, np.uint8), slab)
        device.finish()
        assert (device.host(doubled) == 2).all()
        assert (device.host(slab) == 7).all()


@pytest.mark.parametrize("border", ["constant", "reflect", "wrap"])
def test_strips_that_overlap_on_streams_are_one_picture(cupy, monkeypatch, border):
    x = picture((301, 200, 3))
    kernels, border = [SOBEL, BLUR], Border(border, 7.0 * (border == "constant"))
    plan = plan_filter(x.shape, x.dtype, kernels, backend="cupy", border=border)
    cpu = plan_filter(x.shape, x.dtype, kernels, backend="numpy", border=border)
    monkeypatch.setattr(host_strips, "strip_rows", lambda plan: plan.shape_out[0])
    want = run_chain(plan, x)
    assert np.abs(want[0].astype(int) - execute(cpu, x).pixels).max() <= 1
    monkeypatch.setattr(host_strips, "strip_rows", lambda plan: 37)
    for _ in range(2):  # the second in what the first has left: memory, buffers, maps
        got, clipped = run_chain(plan, x)
        np.testing.assert_array_equal(got, want[0])
        assert clipped == want[1]


def test_many_pictures_from_several_threads_are_right(cupy):
    pictures = [picture((333, 500, 3), seed=n) for n in range(12)]
    plan = plan_filter(pictures[0].shape, "uint8", [SOBEL], backend="cupy")
    on_cpu = plan_filter(pictures[0].shape, "uint8", [SOBEL], backend="numpy")
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda x: run_chain(plan, x), pictures))
    for x, (got, _) in zip(pictures, results, strict=True):
        np.testing.assert_array_equal(got, execute(on_cpu, x).pixels)


@pytest.fixture
def memory_limit(cupy):
    pool = cupy.get_default_memory_pool()
    device_of_thread(0).release()  # what is only kept would be given up, and make room
    yield lambda size: pool.set_limit(size=pool.used_bytes() + size)
    pool.set_limit(size=0)


def test_little_memory_means_tiles(cupy, gpu_here, memory_limit):
    x = picture((2000, 3000, 3) if gpu_here else (200, 300, 3), "uint16")
    plan = plan_filter(x.shape, x.dtype, [LARGE], backend="cupy", algorithm="direct")
    want, _ = run_chain(plan, x)
    memory_limit(x.nbytes // 2)
    got, _ = run_chain(plan, x)
    np.testing.assert_array_equal(got, want)


def test_plans_of_transforms_give_up_their_memory_before_a_second_try(cupy, memory_limit):
    pool, device = cupy.get_default_memory_pool(), device_of_thread(0)

    def filtered(height):
        x = picture((height, 90, 3), "float32")
        kernels = [LARGE]
        plan = plan_filter(x.shape, x.dtype, kernels, backend="cupy", algorithm="fft")
        return run_chain(plan, x)[0]

    wanted = filtered(120)
    device.release()
    before = pool.used_bytes()
    filtered(host_strips.FEWEST_ROWS)
    needed = pool.total_bytes() - before
    for height in range(40, 100, 4):
        filtered(height)
    pool.free_all_blocks()
    held = pool.used_bytes() - before  # by plans, and little else
    memory_limit(max(2 * needed - held, 0))
    np.testing.assert_allclose(filtered(120), wanted, atol=1e-5)  # in tiles: other last bits


def test_a_transform_that_fails_is_an_error_by_name(cupy, monkeypatch):
    from cupy.cuda import cufft

    def fail(*_, **__):
        raise cufft.CuFFTError(5)

    monkeypatch.setattr(cupy.fft, "rfft2", fail)
    x = picture((40, 50, 1))
    plan = plan_filter(x.shape, x.dtype, [LARGE], backend="cupy", algorithm="fft")
    with pytest.raises(BackendError, match=r"device 0 failed \(CuFFTError: CUFFT_INTERNAL_ERROR"):
        run_chain(plan, x)


def test_no_memory_is_an_error_by_name_and_a_note_under_auto(cupy, gpu_here, memory_limit):
    x = picture((400 if gpu_here else 40, 60_000, 3))
    plan = plan_filter(x.shape, x.dtype, [SOBEL], backend="cupy")
    memory_limit(512 << 10)  # a row of output wants 3 of 180,000 bytes, and one for itself
    with pytest.raises(BackendError, match="out of memory"):
        execute(plan, x)
    outcome = execute(plan._replace(fallback=True), x)
    assert "done on the CPU" in outcome.note
    cpu = plan_filter(x.shape, x.dtype, [SOBEL], backend="numpy")
    np.testing.assert_array_equal(outcome.pixels, execute(cpu, x).pixels)


TENSORS = [
    ((3, 6, 20, 17), (8, 3, 3, 5), {"groups": 2, "padding": 2, "stride": (2, 1)}),
    ((2, 7, 19, 23), (7, 1, 3, 3), {"groups": 7, "padding": 1, "dilation": (1, 2)}),
    ((2, 7, 40), (14, 1, 5), {"groups": 7, "stride": 3, "padding": 2}),
    ((1, 2, 6, 7, 9), (4, 2, 2, 3, 3), {"padding": 1}),
]
IDS = ["grouped", "depthwise", "depthwise_1d", "volume"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "weight", "options"), TENSORS, ids=IDS)
def test_tensors_and_their_gradients(cupy, shape, weight, options, dtype):
    rng = np.random.default_rng(6)
    x, w = rng.normal(size=shape).astype(dtype), rng.normal(size=weight).astype(dtype)
    tolerance = 1e-4 if dtype == "float32" else 1e-11
    y = convcli.conv(x, w, **options)
    there = convcli.conv(cupy.asarray(x), cupy.asarray(w), **options)
    assert isinstance(there, cupy.ndarray)
    np.testing.assert_allclose(cupy.asnumpy(there), y, atol=tolerance)
    grads = convcli.conv_grad(y, x, w, **options)
    on_device = convcli.conv_grad(*(cupy.asarray(a) for a in (y, x, w)), **options)
    for got, want in zip(on_device, grads, strict=True):
        scale = np.abs(want).max()
        np.testing.assert_allclose(cupy.asnumpy(got) / scale, want / scale, atol=tolerance)
    back = convcli.conv_transpose(cupy.asarray(y), cupy.asarray(w), **options)
    np.testing.assert_allclose(
        cupy.asnumpy(back), convcli.conv_transpose(y, w, **options), atol=50 * tolerance
    )


def convcli_command(*args, **environment):
    return subprocess.run(
        [sys.executable, "-m", "convcli", *map(str, args)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_writes_the_same_file(cupy, tmp_path):
    for name in ("cupy", "numpy"):
        done = convcli_command(
            "filter", SAMPLE, "-k", "sobel-x", "--backend", name, "-o", tmp_path / f"{name}.png"
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "cupy.png").read_bytes() == (tmp_path / "numpy.png").read_bytes()


def test_a_limit_of_the_environment_is_kept_to(cupy, tmp_path):
    words = ["filter", SAMPLE, "-k", "sobel-x", "-o"]
    little = {"CUPY_GPU_MEMORY_LIMIT": "500000"}  # a few of the picture's rows
    done = convcli_command(*words, tmp_path / "tiles.png", "--backend", "cupy", **little)
    assert done.returncode == 0, done.stderr
    assert convcli_command(*words, tmp_path / "whole.png").returncode == 0
    assert (tmp_path / "tiles.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


@pytest.mark.slow
def test_what_is_tested_of_tensors_holds_here_too(cupy):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", "cupy", "tests/ops"],
        cwd=SAMPLE.parents[1],
        env={**os.environ, "CONVCLI_TEST_BACKENDS": "cupy"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 200


@pytest.mark.parametrize(
    ("args", "environment", "words"),
    [
        (["--backend", "cupy"], {"CUDA_VISIBLE_DEVICES": ""}, "no CUDA device"),
        (["--device", "99"], {}, "there is no device 99"),
        (["--backend", "cupy"], {"CUPY_GPU_MEMORY_LIMIT": "1G"}, "CUPY_GPU_MEMORY_LIMIT is '1G'"),
    ],
    ids=["hidden", "no_such_device", "no_limit"],
)
def test_what_cannot_run_says_why_and_writes_nothing(cupy, tmp_path, args, environment, words):
    target = tmp_path / "out.png"
    done = convcli_command("filter", SAMPLE, "-k", "sobel-x", "-o", target, *args, **environment)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not target.exists()


@pytest.mark.parametrize("name", ["CUPY_CACHE_DIR", "XDG_CACHE_HOME"])
def test_a_cache_that_cannot_be_written_is_a_note(cupy, tmp_path, name):
    target = tmp_path / "out.png"
    words = ["filter", SAMPLE, "-k", "sobel-x", "-o", target, "--backend", "cupy"]
    done = convcli_command(*words, **{name: "/proc/none"})
    assert done.returncode == 0, done.stderr
    assert name in done.stderr
    assert target.exists()


def test_calibration_measures_the_device(cupy, gpu_here, tmp_path, monkeypatch):
    if not gpu_here:  # its speeds say nothing; what measures them runs, on little
        for name, size in {"BUS_BYTES": 1 << 20, "COPY_BYTES": 1 << 20, "SIDE": 128}.items():
            monkeypatch.setattr(measure, name, size)
        speeds = measure_gpu(Speeds())
        assert speeds.device == "Stand-in"
        numbers = (speeds.start, speeds.compile, speeds.upload, speeds.download, speeds.memory)
        assert all(0 < number < float("inf") for number in (*numbers, speeds.multiply_adds))
        return
    args = ("bench", "--size", "300x200", "-k", "sobel-x", "--calibrate", "--json")
    done = convcli_command(*args, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "convcli" / "speeds.json").exists()


def test_a_picture_on_a_device_is_refused_with_what_to_do(cupy):
    with pytest.raises(UsageError, match=r"a cupy ndarray is not taken, .*\.get\(\)"):
        convcli.filter_image(cupy.asarray(np.zeros((4, 5), np.uint8)), "box:3")
