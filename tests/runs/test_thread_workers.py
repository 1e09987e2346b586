"""Files of a batch on threads of one process: what a GPU wants, here with the CPU in its place."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.engine.backends import NUMPY, Backend, Choice
from convcli.engine.gpu.pipeline import PINNED_EACH
from convcli.errors import InputError, RoomError
from convcli.imaging.limits import decoding
from convcli.imaging.options import BASE_BYTES, FilterOptions
from convcli.kernels.load import load_kernel
from convcli.runs import batch, thread_workers
from convcli.runs.batch import Batch
from convcli.runs.journal import Journal, options_hash
from convcli.runs.memory import limits_of
from convcli.runs.request import Job, Report, Request
from convcli.runs.run_job import Failure, run_job
from convcli.runs.thread_workers import ThreadWorkers
from convcli.runs.workers import Workers

REQUEST = Request(
    ("in",),
    (load_kernel("gaussian:1"), load_kernel("sobel-x")),
    FilterOptions(threads=1, backend=NUMPY),
    output="out",
    recursive=True,
    jobs=3,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return tmp_path


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are given to threads, as if a GPU had been chosen, and filtered on the CPU."""
    monkeypatch.setattr(batch, "no_gpu", str)
    monkeypatch.setattr(
        "convcli.runs.batch_choice.choose_for", lambda *given: Choice(Backend("cupy"), "said so")
    )
    plain = thread_workers.attempt

    def on_cpu(request: Request, job: Job, book: Journal | None) -> Report | Failure:
        options = request.options._replace(chosen=None, backend=NUMPY)
        return plain(request._replace(options=options), job, book)

    monkeypatch.setattr(thread_workers, "attempt", on_cpu)


ANY = REQUEST._replace(options=FilterOptions())
"""As ``auto``, for :func:`on_gpu`."""


def pictures(count: int, size: tuple[int, int] = (19, 23)) -> None:
    rng = np.random.default_rng(4)
    for number in range(count):
        levels = rng.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(levels).save(f"in/{number:03}.png")


def every_kind() -> None:
    """Pictures of every format, depth and way to be decoded, with what travels along."""
    rng = np.random.default_rng(5)
    rgb = rng.integers(0, 256, (60, 70, 3), np.uint8)
    alpha = rng.integers(0, 256, (60, 70, 4), np.uint8)
    wide = rng.integers(0, 65536, (60, 70, 3)).astype(np.uint16)
    for name in ("a.png", "a.webp", "a.bmp", "a.ppm", "a.gif", "a.jpg", "a.avif"):
        Image.fromarray(rgb).save(f"in/{name}")
    Image.fromarray(rgb).save("in/small.jpg", quality=30, progressive=True, dpi=(300, 300))
    Image.fromarray(rgb).quantize(17).save("in/palette.png")
    Image.fromarray(alpha).save("in/alpha.png")
    Image.fromarray(alpha).save("in/alpha.webp", lossless=True)
    Image.fromarray(alpha).save("in/alpha.tiff")
    Image.fromarray(rgb[..., 0] > 99).save("in/bits.png")
    frames = [Image.fromarray(np.roll(rgb, n, 0)) for n in range(3)]
    frames[0].save("in/moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save("in/moving.webp", save_all=True, append_images=frames[1:], lossless=True)
    tifffile.imwrite("in/wide.tif", wide, photometric="rgb", compression="zlib", predictor=True)
    tifffile.imwrite("in/float.tif", wide.astype(np.float32) / 65535, photometric="rgb")
    tifffile.imwrite("in/tiles.tif", rgb, photometric="rgb", tile=(16, 16), compression="lzw")
    large = rng.integers(0, 256, (700, 900, 3), np.uint8)
    Image.fromarray(large).save("in/large.png")
    Image.fromarray(large).save("in/large.jpg")
    for name, text in {
        "broken.png": b"\x89PNG\r\n\x1a\nno",
        "cut.jpg": b"",
        "no.tif": b"II*\0",
    }.items():
        Path("in", name).write_bytes(text)
    with Path("in/a.jpg").open("rb") as file:
        Path("in/cut.jpg").write_bytes(file.read()[:900])


def crew() -> list[threading.Thread]:
    """Threads for files that have not ended."""
    return [t for t in threading.enumerate() if t.name.startswith("convcli-") and not t.daemon]


def files(folder: str) -> list[str]:
    return [path.name for path in Path(folder).glob("*")]


def jobs_to(target: str, times: int = 1) -> list[Job]:
    names = sorted(files("in"))
    return [
        Job(f"in/{name}", f"{target}/{number}-{name}") for number in range(times) for name in names
    ]


def told(result: Report | Failure) -> dict[str, Any]:
    """What is said of a file, wherever its result went and however long it took."""
    if isinstance(result, Failure):
        return {"error": str(result.error)}
    facts = result.as_json()
    return {k: v for k, v in facts.items() if k not in ("output", "seconds", "threads")}


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_files_of_every_kind_at_once_are_those_of_one_after_the_other(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    every_kind()
    request = REQUEST._replace(output="many")
    wanted = {}
    for job in jobs_to("one"):
        try:
            wanted[job.input] = told(run_job(request, job))
        except Exception as error:
            wanted[job.input] = {"error": str(error)}
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # as the command has them
        before = list(warnings.filters), warnings.showwarning
        results = list(ThreadWorkers(request, None, 7).results(deque(jobs_to("many", times=4))))
        assert (list(warnings.filters), warnings.showwarning) == before
    assert len(results) == 4 * len(wanted)
    assert sum("error" in each for each in wanted.values()) == 3
    for result in results:
        assert told(result) == wanted[result.job.input], result.job.input
    made = sorted(Path("one").iterdir())
    assert len(made) == len(wanted) - 3
    for path in made:
        for number in range(4):
            assert Path("many", f"{number}{path.name[1:]}").read_bytes() == path.read_bytes()
    assert not list(Path("many").glob(".convcli*"))
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
    assert not crew()


def test_what_decoders_warn_of_is_not_heard_from_another_thread_either(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two decoders that each put the filters aside, the first of which is done before the other."""
    pictures(2)
    steps = [threading.Event() for _ in range(3)]

    def attempt(request: Request, job: Job, book: Journal | None) -> Report | Failure:
        if job.input.endswith("000.png"):
            with decoding("first", "PNG"):
                steps[0].set()
                steps[1].wait(30)
            steps[2].set()
        else:
            steps[0].wait(30)
            with decoding("second", "PNG"):
                steps[1].set()
                steps[2].wait(30)
                warnings.warn("a tag that is skipped", UserWarning, stacklevel=1)
        return Failure(job, InputError("done"))

    monkeypatch.setattr(thread_workers, "attempt", attempt)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        jobs = deque(sorted(jobs_to("out")))
        assert len(list(ThreadWorkers(REQUEST, None, 2).results(jobs))) == 2
        assert list(warnings.filters) == before
    assert not heard


@pytest.mark.usefixtures("on_gpu")
def test_a_gpu_has_threads_and_the_cpu_processes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(4)
    one = Batch(ANY)
    assert isinstance(one._pool, ThreadWorkers)
    assert (one.workers, one.request.options.threads) == (3, 1)
    assert isinstance(Batch(REQUEST)._pool, Workers)
    asked = REQUEST._replace(options=FilterOptions(backend=Backend("cupy")), jobs=None)
    monkeypatch.setattr(batch, "default_threads", lambda: 3)
    monkeypatch.setattr(batch, "pick_backend", lambda asked: (asked, "said to be there"))
    assert isinstance(Batch(asked)._pool, ThreadWorkers)
    assert Batch(asked).workers == 3
    alone = Batch(asked._replace(jobs=1))
    assert not isinstance(alone._pool, ThreadWorkers | Workers)
    assert alone.request.options.threads is None  # one picture may have all of them


@pytest.mark.usefixtures("on_gpu")
def test_nothing_is_forked_and_several_files_are_under_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(9)
    monkeypatch.setattr(os, "fork", None)
    plain, together = thread_workers.attempt, threading.Barrier(3)

    def attempt(request: Request, job: Job, book: Journal | None) -> Report | Failure:
        together.wait(30)  # three files have to come in before one goes on
        return plain(request, job, book)

    monkeypatch.setattr(thread_workers, "attempt", attempt)
    run = Batch(ANY)
    results = list(run.run())
    assert not [r for r in results if isinstance(r, Failure)]
    assert len(list(Path("out").iterdir())) == 9
    assert (run.tally.done, run.tally.failures, run.tally.notes) == (9, [], [])


@pytest.mark.usefixtures("on_gpu")
def test_a_file_that_fails_is_its_own_failure(folder: Path) -> None:
    pictures(9)
    Path("in/004.png").write_text("no picture")
    Path("in/005.png").write_bytes(b"")
    run = Batch(ANY)
    failures = [r for r in run.run() if isinstance(r, Failure)]
    assert sorted(f.job.input for f in failures) == ["in/004.png", "in/005.png"]
    assert (run.tally.done, sorted(run.tally.failures)) == (7, ["in/004.png", "in/005.png"])
    assert Path(".out.convcli-journal").exists()
    for name in ("004", "005"):
        Path(f"in/{name}.png").write_bytes(Path("in/003.png").read_bytes())
    resumed = Batch(ANY._replace(resume=True))
    assert [job.input for job in resumed.jobs] == ["in/004.png", "in/005.png"]
    assert not [r for r in resumed.run() if isinstance(r, Failure)]


@pytest.mark.usefixtures("on_gpu")
def test_stop_begins_no_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(40)
    Path("in/000.png").write_text("no picture")
    run = Batch(ANY._replace(on_error="stop"))
    plain, end = thread_workers.attempt, time.monotonic() + 30

    def attempt(request: Request, job: Job, book: Journal | None) -> Report | Failure:
        result = plain(request, job, book)
        # Others go on when the failure is known, however late its thread comes.
        while isinstance(result, Report) and not run._pool.stopped and time.monotonic() < end:
            time.sleep(0.001)
        return result

    monkeypatch.setattr(thread_workers, "attempt", attempt)
    results = list(run.run())
    assert sum(isinstance(r, Failure) for r in results) == 1
    made = len(files("out"))
    assert made == run.tally.done == len(results) - 1
    assert made <= 2  # those that the other threads had begun by then


@pytest.mark.usefixtures("hasty")
def test_every_line_of_the_journal_is_whole(folder: Path) -> None:
    pictures(60, (3, 4))
    book = Journal(folder / "journal", options_hash(REQUEST))
    jobs = deque(Job(f"in/{n:03}.png", f"out/{n:03}.png") for n in range(60))
    assert len(list(ThreadWorkers(REQUEST, book, 6).results(jobs))) == 60
    lines = [json.loads(line) for line in Path("journal").read_text().splitlines()]
    assert len(lines) == 120
    assert {line["state"] for line in lines} == {"ready", "done"}
    assert len({line["output"] for line in lines}) == 60
    book.close()


@pytest.mark.usefixtures("on_gpu")
@pytest.mark.parametrize("how", ["interrupt", "close"])
def test_what_is_under_way_when_a_batch_ends_is_finished(folder: Path, how: str) -> None:
    pictures(60)
    run = Batch(ANY)
    results = run.run()
    first = next(results)
    if how == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            results.throw(KeyboardInterrupt)
    else:
        results.close()
    assert isinstance(first, Report)
    made = sorted(Path("out").iterdir())
    assert 1 <= len(made) == run.tally.done < 20
    for path in made:
        with Image.open(path) as image:
            image.load()
    assert not crew()
    left = Batch(ANY._replace(resume=True))
    assert len(left.jobs) == 60 - len(made)


def test_an_interrupt_while_results_are_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(8)
    begun, go_on = threading.Event(), threading.Event()
    plain = thread_workers.attempt

    def slow(request: Request, job: Job, book: Journal | None) -> Report | Failure:
        begun.set()
        go_on.wait(30)
        return plain(request, job, book)

    class Interrupted(thread_workers.SimpleQueue):  # type: ignore[type-arg, misc]  # a C type
        def get(self, *given: Any) -> Any:
            if threading.current_thread() is threading.main_thread() and not go_on.is_set():
                begun.wait(30)
                go_on.set()
                raise KeyboardInterrupt
            return super().get(*given)

    monkeypatch.setattr(thread_workers, "attempt", slow)
    monkeypatch.setattr(thread_workers, "SimpleQueue", Interrupted)
    pool = ThreadWorkers(REQUEST, None, 2)
    with pytest.raises(KeyboardInterrupt):
        list(pool.results(deque(jobs_to("out"))))
    assert 1 <= len(pool.late) == len(files("out")) <= 2
    assert not crew()


def test_an_interrupt_just_after_a_result_was_taken_leaves_nobody_waiting(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(8)

    class Interrupted(thread_workers.SimpleQueue):  # type: ignore[type-arg, misc]  # a C type
        def get(self, *given: Any) -> Any:
            got = super().get(*given)
            if isinstance(got, thread_workers._Done) and not pool.stopped:
                raise KeyboardInterrupt
            return got

    monkeypatch.setattr(thread_workers, "SimpleQueue", Interrupted)
    pool = ThreadWorkers(REQUEST, None, 2)
    with pytest.raises(KeyboardInterrupt):
        list(pool.results(deque(jobs_to("out"))))
    assert len(files("out")) - 1 <= len(pool.late) <= 4  # but for the one that was taken
    assert not crew()


def test_what_ends_a_thread_ends_the_batch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(8)

    def broken(request: Request, job: Job, book: Journal | None) -> Report | Failure:
        raise BrokenPipeError

    monkeypatch.setattr(thread_workers, "attempt", broken)
    with pytest.raises(BrokenPipeError):
        list(ThreadWorkers(REQUEST, None, 2).results(deque(jobs_to("out"))))
    assert not crew()


@pytest.mark.parametrize(("there", "said"), [(0, "none of 3"), (2, "2 of 3"), (3, "")])
def test_fewer_threads_do_all_the_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, there: int, said: str
) -> None:
    pictures(8)
    plain, left = threading.Thread.start, [there]

    def start(self: threading.Thread) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("can't start new thread")
        plain(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    pool = ThreadWorkers(REQUEST, None, 3)
    results = list(pool.results(deque(jobs_to("out"))))
    assert len(results) == len(files("out")) == 8
    words = "threads could be started (not enough memory); the files took longer for that"
    assert pool.notes == ([f"{said} {words}"] if said else [])


def test_few_descriptors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(8)

    def require(count: int) -> None:
        if count > 2 * thread_workers.DESCRIPTORS:
            raise OSError(24, "Too many open files")

    monkeypatch.setattr(thread_workers, "require_descriptors", require)
    pool = ThreadWorkers(REQUEST, None, 3)
    assert len(list(pool.results(deque(jobs_to("out"))))) == 8
    assert pool.notes[0].startswith("2 of 3 threads could be started (Too many open files)")


def test_what_a_share_of_the_memory_is_too_little_for_is_done_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(6)
    given, here, plain = [], threading.current_thread(), thread_workers.attempt

    def attempt(request: Request, job: Job, book: Journal | None) -> Report | Failure:
        limits = limits_of(request)
        given.append((limits.memory, limits.jobs))
        if job.input.endswith(("1.png", "4.png")) and threading.current_thread() is not here:
            return Failure(job, RoomError("too much"))
        return plain(request, job, book)

    monkeypatch.setattr(thread_workers, "attempt", attempt)
    room = 600 * 2**20
    request = REQUEST._replace(memory=BASE_BYTES + room, on_error="stop")
    results = list(ThreadWorkers(request, None, 3).results(deque(jobs_to("out"))))
    assert [isinstance(r, Failure) for r in results] == [False] * 6
    assert [r.job.input for r in results[-2:]] == ["in/001.png", "in/004.png"]
    share = BASE_BYTES + (room - 3 * PINNED_EACH) // 3
    assert given == [(share, 3)] * 6 + [(BASE_BYTES + room, 1)] * 2


@pytest.mark.usefixtures("on_gpu")
@pytest.mark.parametrize(
    ("memory_mb", "wanted", "workers"), [(100, 5, 1), (140 + 112 * 2, 5, 2), (4000, 5, 5)]
)
def test_so_many_pictures_at_once_as_fit(
    folder: Path, memory_mb: int, wanted: int, workers: int
) -> None:
    pictures(6)
    run = Batch(ANY._replace(memory=memory_mb * 2**20, jobs=wanted))
    assert run.workers == workers


@pytest.mark.usefixtures("on_gpu")
def test_a_slow_reader_of_results_holds_the_batch_back(folder: Path) -> None:
    """As one who reads lines from a pipe: an interrupt then finds files that were not begun."""
    pictures(60)
    results = Batch(ANY).run()
    next(results)
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(files("out")) <= 1 + 2 * 3
    results.close()
