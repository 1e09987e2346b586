"""The threads that tensors are computed on: errors, forks, ends, and too few of them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from convcli.ops import tensor_threads
from convcli.ops.tensor_threads import run_all


@pytest.fixture(autouse=True)
def three_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tensor_threads, "cores", lambda: 3)
    tensor_threads._turns.cache_clear()
    yield
    tensor_threads._turns.cache_clear()


def test_an_error_comes_when_no_task_runs_any_more() -> None:
    begun, done = threading.Barrier(3), []

    def fail() -> None:
        begun.wait(60)
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("wrong")
        done.append(0)

    def late() -> None:
        begun.wait(60)
        time.sleep(0.2)
        done.append(1)

    # Whoever fails first, the slow one has ended.
    with pytest.raises(ValueError, match="wrong"):
        run_all([fail, fail, late], blas=False)
    assert 1 in done


def test_tasks_are_done_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done: list[int] = []
    run_all([lambda n=n: done.append(n) for n in range(5)], blas=False)
    assert sorted(done) == [*range(5)]


def test_several_threads_may_ask_at_once() -> None:
    def sums(_: int) -> int:
        done: list[int] = []
        run_all([lambda n=n: done.append(n) for n in range(20)], blas=False)
        return sum(done)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(sums, range(50))) == {190}


FORKED = """
import os, signal
from convcli.ops.tensor_threads import run_all
done = []
tasks = [lambda n=n: done.append(n) for n in range(9)]
run_all(tasks, blas=False)
child = os.fork()
if not child:
    signal.alarm(120)
    run_all(tasks, blas=False)
    os._exit(len(done) != 18)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_has_threads_of_its_own_and_waiting_ones_hold_up_no_end() -> None:
    environment = {**os.environ, "CONVCLI_THREADS": "3"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], env=environment, timeout=300
    )
    assert done.returncode == 0
