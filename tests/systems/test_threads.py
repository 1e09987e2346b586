"""Results in order from several threads, and a helper beside its owner."""

from __future__ import annotations

import threading
import time

import pytest

from convcli.system.threads import Beside, in_order


def squared_slowly(n: int) -> int:
    time.sleep(0.002 * (5 - n % 6))  # later ones are done first
    return n * n


@pytest.mark.parametrize("threads", [1, 2, 7, 40])
def test_results_come_in_order(threads: int) -> None:
    assert list(in_order(squared_slowly, range(20), threads)) == [n * n for n in range(20)]


def test_nothing_comes_of_nothing() -> None:
    assert list(in_order(squared_slowly, [], 3)) == []


def test_each_comes_before_all_are_done() -> None:
    rest = threading.Event()

    def first_at_once(n: int) -> int:
        if n:
            assert rest.wait(60)
        return n

    results = in_order(first_at_once, range(3), 2)
    assert next(results) == 0
    rest.set()
    assert list(results) == [1, 2]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_is_raised_here_and_ends_the_others(threads: int) -> None:
    seen: list[int] = []
    before = threading.active_count()

    def fails_at_four(n: int) -> int:
        seen.append(n)
        if n == 4:
            raise KeyError(n)
        time.sleep(0.001)
        return n

    with pytest.raises(KeyError, match="4"):
        list(in_order(fails_at_four, range(10_000), threads))
    assert len(seen) < 5_000
    assert threading.active_count() == before


def test_who_stops_listening_ends_the_threads() -> None:
    before = threading.active_count()
    results = in_order(squared_slowly, range(10_000), 2)
    assert next(results) == 0
    results.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("thread", [True, False])
def test_beside_gives_results_and_errors(thread: bool) -> None:
    names, before = [], threading.active_count()
    with Beside(thread) as beside:
        for n in range(3):
            beside.begin(lambda n: names.append(threading.current_thread().name) or n, n)
            assert beside.result() == n
        beside.begin(int, "no number")
        with pytest.raises(ValueError, match="no number"):
            beside.result()
    assert (threading.current_thread().name in names) is not thread
    assert threading.active_count() == before


def test_what_is_under_way_is_finished_when_its_owner_fails() -> None:
    done, before = [], threading.active_count()

    def owner() -> None:
        with Beside() as beside:
            beside.begin(lambda: time.sleep(0.02) or done.append(1))
            raise KeyError("owner")

    with pytest.raises(KeyError, match="owner"):
        owner()
    assert done == [1]
    assert threading.active_count() == before
