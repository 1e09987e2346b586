"""docs/reliability.md names every fault, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
ROWS = 54


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    import make_reliability

    return make_reliability


def test_every_row_has_tests_or_a_reason(maker: ModuleType) -> None:
    table = maker.rows()
    assert [row["number"] for row in table] == list(range(1, ROWS + 1))
    for row in table:
        assert row["tests"] or row["reason"], f"row {row['number']} has neither"


def test_every_test_that_is_named_is_there(maker: ModuleType) -> None:
    found: dict[str, set[str]] = {}
    for name in maker.tests_of(maker.rows()):
        path, _, function = name.partition("::")
        if path not in found:
            tree = ast.parse((ROOT / path).read_text())
            found[path] = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        assert function in found[path], name


def test_the_page_is_what_would_be_written_but_for_the_counts(maker: ModuleType) -> None:
    written = (ROOT / "docs" / "reliability.md").read_text()
    table = maker.rows()
    once = {name: Counter(passed=1) for name in maker.tests_of(table)}
    counts = re.compile(
        r"(\d+ (passed|skipped)(, )?)+|\d+ of \d+ rows|in \d+ test cases|, \d+ skipped"
    )
    again, then = (counts.sub("N", text) for text in (maker.page(table, once), written))
    assert then.splitlines() == again.splitlines(), "run docs/make_reliability.py"
    assert "(0 failed" in written


def test_failures_would_show(maker: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    table = maker.rows()
    path, _, function = table[0]["tests"][0][0].partition("::")
    report.write_text(
        f'<testsuite><testcase file="{path}" name="{function}[png]"><failure/></testcase>'
        f'<testcase file="{path}" name="{function}[gif]"/></testsuite>'
    )
    text = maker.page(table, maker.outcomes(report))
    assert "**0 of 54 rows passed, in 1 test cases (1 failed, 0 skipped).**" in text
    assert "1 passed, 1 failed" in text
