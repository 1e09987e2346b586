"""``auto`` chooses once for all files of a batch, from some of them and for all workers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from convcli.cli import app
from convcli.engine import backends
from convcli.engine.backends import NUMPY, Backend, Choice
from convcli.engine.plan import plan_filter
from convcli.imaging.options import FilterOptions
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_kernel
from convcli.runs import batch_choice
from convcli.runs.batch import Batch
from convcli.runs.journal import options_hash
from convcli.runs.request import Request
from convcli.runs.thread_workers import ThreadWorkers

EAGER = {"start": 1e-9, "compile": 1e-9, "load": 1e-9, "launch": 1e-9, "upload": 1e15,
         "download": 1e15, "host_copy": 1e15, "memory": 1e17, "multiply_adds": 1e17}  # fmt: skip
SLUGGISH = {"start": 1e6}


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    for number in range(12):
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def weighed(monkeypatch):
    """What was weighed: pictures and workers of each time."""
    calls = []
    real = backends.weigh

    def weigh(work, count=1, workers=1):
        calls.append((count, workers))
        return real(work, count, workers)

    monkeypatch.setattr(batch_choice, "weigh", weigh)
    return calls


def request(pictures, tmp_path, **given):
    return Request(
        tuple(map(str, sorted(pictures.iterdir()))),
        (load_kernel("box:3"),),
        output=str(tmp_path / "out"),
        jobs=3,
        **given,
    )


def test_it_is_weighed_once_for_all_files_and_workers(
    pretend_cupy, speeds, weighed, pictures, tmp_path
):
    pretend_cupy()
    speeds(**SLUGGISH)
    batch = Batch(request(pictures, tmp_path))
    assert weighed == [(12, 3)]
    chosen = batch.request.options.chosen
    assert chosen.backend == NUMPY
    assert chosen.reason.startswith("the 12 pictures are predicted to take")
    assert "on the CPU, 3 at a time," in chosen.reason
    reports = list(batch.run())
    assert {report.plan.backend_reason for report in reports} == {chosen.reason}
    assert weighed == [(12, 3)]


def test_a_gpu_takes_them_all_from_this_process(pretend_cupy, speeds, weighed, pictures, tmp_path):
    pretend_cupy()
    speeds(**EAGER)
    batch = Batch(request(pictures, tmp_path, dry_run=True))
    assert isinstance(batch._pool, ThreadWorkers)
    assert batch.workers == 3
    reports = list(batch.run())
    assert {report.plan.backend for report in reports} == {Backend("cupy")}
    assert {report.plan.fallback for report in reports} == {True}
    assert weighed == [(12, 3)]


@pytest.mark.parametrize("count", [1, 12])
def test_a_gpu_takes_large_tiffs_that_fit(
    pretend_cupy, speeds, monkeypatch, pictures, tmp_path, count
):
    """On the CPU they are read part by part."""
    pretend_cupy()
    speeds(**EAGER)
    monkeypatch.setattr("convcli.imaging.row_stream.FLOWING", 0)
    for path in sorted(pictures.iterdir()):
        Image.open(path).save(path.with_suffix(".tif"))
        path.unlink()
    asked = request(pictures, tmp_path, dry_run=True)._replace(output=f"{tmp_path}/out/")
    reports = list(Batch(asked._replace(inputs=asked.inputs[:count])).run())
    assert {report.plan.backend for report in reports} == {Backend("cupy")}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"options": FilterOptions(backend=NUMPY)}, None),
        ({"cluster": "local:2"}, "workers of a cluster"),
    ],
)
def test_what_leaves_no_choice_opens_no_file(
    pretend_cupy, speeds, weighed, monkeypatch, pictures, tmp_path, given, said
):
    pretend_cupy()
    speeds(**EAGER)
    monkeypatch.setattr(batch_choice, "open_source", None)
    chosen = Batch(request(pictures, tmp_path, **given)).request.options.chosen
    assert weighed == []
    assert chosen is None if said is None else said in chosen.reason


def test_without_cupy_no_file_is_opened(monkeypatch, pictures, tmp_path):
    monkeypatch.setattr("convcli.engine.backends.find_spec", lambda name: None)
    monkeypatch.setattr(batch_choice, "open_source", None)
    batch = Batch(request(pictures, tmp_path))
    assert batch.request.options.chosen is None
    assert {r.plan.backend_reason for r in batch.run()} == {"CuPy is not installed"}


def test_files_that_only_the_cpu_filters_stay_there(
    pretend_cupy, speeds, weighed, pictures, tmp_path
):
    pretend_cupy()
    speeds(**EAGER)
    given = request(pictures, tmp_path)._replace(kernels=(load_kernel("canny"),))
    assert "filtered on the CPU anyway" in Batch(given).request.options.chosen.reason
    for path in sorted(pictures.iterdir())[::6]:
        path.write_bytes(b"no picture")
    Batch(request(pictures, tmp_path))
    assert weighed == [(12, 3)]  # the rest of those looked at were enough


def test_a_choice_that_was_made_is_not_weighed_again(pretend_cupy, speeds):
    pretend_cupy()
    speeds(**EAGER)
    shape, kernel = (40, 60, 3), Kernel([[1, 2, 1]])
    plan = plan_filter(shape, "uint8", [kernel], backend=Choice(NUMPY, "said before"), count=10**6)
    assert (plan.backend, plan.backend_reason, plan.work) == (NUMPY, "said before", None)
    canny = plan_filter(shape, "uint8", [load_kernel("canny")], backend=Choice(Backend("cupy"), ""))
    assert canny.backend == NUMPY
    assert "is done on the CPU only" in canny.backend_reason


def test_a_resumed_run_may_choose_otherwise(pictures, tmp_path):
    one = request(pictures, tmp_path)
    chosen = one.options._replace(chosen=Choice(Backend("cupy"), "faster"))
    assert options_hash(one) == options_hash(one._replace(options=chosen))


def test_the_command_says_so(pretend_cupy, speeds, capfd, pictures, tmp_path):
    pretend_cupy()
    speeds(**SLUGGISH)
    words = ["filter", "-r", str(pictures), "-k", "box:3", "-o", str(tmp_path / "out"), "--json"]
    assert app.run([*words, "--jobs", "2"]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    reasons = {line["backend_reason"] for line in lines if "backend_reason" in line}
    assert len(reasons) == 1
    assert "on the CPU, 2 at a time, " in reasons.pop()
