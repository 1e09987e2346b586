"""What pytest does for ``mutants.py``: note which test runs, and run chosen tests in their order.

Told by the environment: ``MUTANTS_NOTES`` is a file that takes a line of JSON for each test, and
``MUTANTS_CHOSEN`` one that holds the tests to run, a line each, the first to run first. Processes
that tests start are measured too: ``coverage`` begins with each (``COVERAGE_PROCESS_START``), and
takes the test's name out of pytest's variable ``PYTEST_CURRENT_TEST``.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

LONGEST = 300
"""Seconds of a test that is measured."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = os.environ.get("MUTANTS_CHOSEN")
    if chosen is None:
        return
    names = Path(chosen).read_text(encoding="utf-8").splitlines()
    rank = {name: place for place, name in enumerate(names)}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in rank])
    items[:] = sorted((i for i in items if i.nodeid in rank), key=lambda i: rank[i.nodeid])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if "MUTANTS_NOTES" in os.environ:
        import coverage

        running = coverage.Coverage.current()
        assert running is not None, "coverage did not start with the process"
        running.switch_context(item.nodeid)
        signal.signal(signal.SIGALRM, _late)
        signal.alarm(LONGEST)
        try:
            return (yield)
        finally:
            signal.alarm(0)
            running.switch_context("")
    return (yield)


def _late(*_: object) -> None:
    """A process that is measured may hang where a signal finds it in coverage's own lock."""
    raise TimeoutError(f"the test took more than {LONGEST} s")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    notes = os.environ.get("MUTANTS_NOTES")
    if notes is None or "PYTEST_XDIST_WORKER" in os.environ:  # the one that collects reports
        return
    line = json.dumps([report.nodeid, report.when, report.outcome, report.duration])
    with Path(notes).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
