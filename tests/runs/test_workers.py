"""Worker processes that cannot be started, or end: nobody waits for them."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.imaging.options import BASE_BYTES
from convcli.kernels.load import load_kernel
from convcli.runs import workers
from convcli.runs.batch import Batch
from convcli.runs.request import Job, Request
from convcli.runs.run_job import Failure
from convcli.system.machine import require_descriptors
from convcli.system.process import start_method
from convcli.system.threads import require_threads

pytestmark = pytest.mark.skipif(start_method() != "fork", reason="plays a fork that fails")

HANGS = 300
"""Seconds after which a command that takes one hangs, on however slow a machine."""
REQUEST = Request(("in",), (load_kernel("box:3"),), output="out", recursive=True, jobs=3)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for level in range(8):
        Image.fromarray(np.full((9, 11), level, np.uint8)).save(f"in/{level}.png")
    return tmp_path


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let so many processes be started, and no more."""
    real, left = os.fork, [0]

    def fork() -> int:
        if not left[0]:
            raise BlockingIOError(errno.EAGAIN, "no room")
        left[0] -= 1
        return real()

    def allow(count: int) -> None:
        left[0] = count
        monkeypatch.setattr(os, "fork", fork)

    return allow


SHARED = 2 * BASE_BYTES + 2**22
"""Memory of which each of two workers has 2 MB beside the program."""


def large_files() -> None:
    """Three pictures that take more, each 4 MB to be filtered whole, between those of the folder:
    whoever does them in turn does not do them last."""
    noise = np.random.default_rng(1).integers(0, 256, (500, 600, 3), np.uint8)
    for number in range(3):
        Image.fromarray(noise).save(f"in/{number}-large.jpg")


def test_the_workers_of_a_batch_share_the_memory(folder: Path) -> None:
    """There are no more than it has room for; what a share is too little for is done alone."""
    large_files()
    request = REQUEST._replace(memory=SHARED, jobs=2)
    batch = Batch(request)
    assert batch.workers == 2
    results = list(batch.run())
    assert not [result for result in results if isinstance(result, Failure)]
    assert len(list((folder / "out").iterdir())) == 11
    large = ["large" in report.job.output for report in results]
    assert large == [False] * 8 + [True] * 3
    few = REQUEST._replace(memory=int(1.9 * BASE_BYTES), output="few")
    assert Batch(few).workers == 1


def test_what_needs_all_the_memory_is_done_here_where_no_worker_can_be_started_for_it(
    folder: Path, forks: Callable[[int], None]
) -> None:
    large_files()
    forks(2)
    results = list(Batch(REQUEST._replace(memory=SHARED, jobs=2)).run())
    assert not [result.error for result in results if isinstance(result, Failure)]
    assert len(list((folder / "out").iterdir())) == 11


def test_what_does_not_fit_alone_either_is_refused_as_that(folder: Path) -> None:
    Image.new("RGB", (4400, 3000)).save("in/large.jpg", progressive=True)
    request = REQUEST._replace(memory=2 * BASE_BYTES, jobs=2)
    (failed,) = [result for result in Batch(request).run() if isinstance(result, Failure)]
    assert "has to be read whole" in str(failed.error)
    assert len(list((folder / "out").iterdir())) == 8


@pytest.mark.parametrize(("there", "said"), [(0, "none of 3"), (1, "1 of 3"), (3, "")])
def test_fewer_workers_do_all_the_files(
    folder: Path, forks: Callable[[int], None], there: int, said: str
) -> None:
    forks(there)
    batch = Batch(REQUEST)
    assert not [r for r in batch.run() if isinstance(r, Failure)]
    assert len(list((folder / "out").iterdir())) == 8
    wanted = f"{said} worker processes could be started (no room); the files took longer for that"
    assert batch.tally.notes == ([wanted] if said else [])


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no signals to hold back")
def test_an_interrupt_while_a_worker_starts_waits_for_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A terminal interrupts the children as well, before they have come to ignore it."""
    real, here = os.fork, os.getpid()

    def fork() -> int:
        child = real()
        os.kill(os.getpid(), signal.SIGINT)
        return child

    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(KeyboardInterrupt):
        list(Batch(REQUEST).run())
    assert os.getpid() == here
    assert capfd.readouterr().err == ""
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & {signal.SIGINT}


def test_a_file_that_kills_its_worker_is_not_tried_in_this_process(
    folder: Path, forks: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, attempt = os.getpid(), workers.attempt

    def deadly(request: Any, job: Job, *rest: Any) -> Any:
        if job.input == "in/3.png":
            assert os.getpid() != here
            os.kill(os.getpid(), signal.SIGKILL)
        return attempt(request, job, *rest)

    monkeypatch.setattr(workers, "attempt", deadly)
    forks(2)
    (failure,) = (r for r in Batch(REQUEST).run() if isinstance(r, Failure))
    assert failure.job.input == "in/3.png"
    assert "worker was killed" in str(failure.error)
    assert len(list((folder / "out").iterdir())) == 7


@pytest.mark.parametrize("limit", [16, 28])
def test_few_descriptors_for_workers(folder: Path, limit: int) -> None:
    words = f"{sys.executable} -m convcli filter -r in -k box:3 -o out -j 4"
    done = subprocess.run(
        ["bash", "-c", f"ulimit -n {limit}; exec {words}"],
        capture_output=True,
        text=True,
        timeout=HANGS,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "out").iterdir())) == 8
    assert "of 4 worker processes could be started (Too many open files)" in done.stderr


def test_a_worker_ends_with_its_line_whoever_was_forked_after_it(folder: Path) -> None:
    one = workers._Worker(REQUEST, None, [])
    other = workers._Worker(REQUEST, None, [one])
    for worker in (one, other):
        worker.line.close()  # as the end of this process does
        worker.process.join(HANGS)
        assert worker.process.exitcode == 0


def test_an_interrupt_within_an_answer_leaves_nobody_waiting(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of the answer is not taken for the next one."""
    real, here, calls = Connection.recv, os.getpid(), []

    def interrupted(self: Connection) -> Any:
        if os.getpid() == here:
            calls.append(self)
            if len(calls) == 1:
                os.read(self.fileno(), 3)
                raise KeyboardInterrupt
        return real(self)

    monkeypatch.setattr(Connection, "recv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(Batch(REQUEST).run())
    assert calls[0] not in calls[1:]


def test_what_there_is_no_room_for_is_refused_and_given_back() -> None:
    require_threads(3)
    require_descriptors(3)
    taken = [os.dup(0) for _ in range(100)]  # among them all that were free between others
    for _ in range(5):
        os.close(taken.pop())
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[-1] + 6, limits[1]))
    try:
        for _ in range(2):  # what was opened is closed again
            require_descriptors(5)
            with pytest.raises(OSError, match="Too many open files"):
                require_descriptors(6)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in taken:
            os.close(descriptor)
