"""``tools/mutants.py`` on a package of its own: what it changes, and what it says of the tests."""

from __future__ import annotations

import ast
import itertools
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / "tools"
sys.path.insert(0, str(TOOLS))
from mutant_c import c_sites  # noqa: E402
from mutant_sites import python_sites  # noqa: E402

PYTHON = '''
LIMIT: int = 3
"""1 < 2"""


def clip(value: int, top: int | None = 9) -> int:
    """At most 9 - 1."""
    if not value > -LIMIT:
        raise ValueError(f"{value - 1}")
    for k in range(2):  # 1 + 1
        if k == 1 and value is not None:
            continue
        value += 1.5
    return min(value, top)
'''

C = """
#if VBYTES > 16
#define LOOP(n)            \\
    for (long i = 0; i < n; i++) out[i] += *p; /* a + b */
static long take(const T *restrict v, long n)
{
    const char *name = "a - b"; // n - 1
    if (!n && v[0] <= 0x10) return -1;
    return (long)v[n - 1] * 2;
}
"""


def common(one: str, other: str) -> str:
    """What both begin with."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return "".join(letter for letter, _ in pairs)


def changes(sites: list[list[object]]) -> list[tuple[str, str]]:
    """What becomes what, the rest of the line left out."""
    found = []
    for mutant in (m for site in sites for m in site):
        before, after = mutant.line, mutant.becomes  # type: ignore[attr-defined]
        head = common(before, after)
        tail = common(before[len(head) :][::-1], after[len(head) :][::-1])
        found.append(
            (before[len(head) : len(before) - len(tail)], after[len(head) : len(after) - len(tail)])
        )
    return found


def test_places_of_python() -> None:
    sites = python_sites("x.py", PYTHON.encode())
    for mutant in (m for site in sites for m in site):
        text = PYTHON.encode()
        changed = text[: mutant.start] + mutant.after.encode() + text[mutant.stop :]
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(text))
    lines = {(m.line, m.becomes) for site in sites for m in site}
    for line, becomes in [
        ("LIMIT: int = 3", "LIMIT: int = 4"),
        ("LIMIT: int = 3", "LIMIT: int = 2"),
        (
            "def clip(value: int, top: int | None = 9) -> int:",
            "def clip(value: int, top: int | None = 8) -> int:",
        ),
        ("if not value > -LIMIT:", "if  value > -LIMIT:"),
        ("if not value > -LIMIT:", "if not value >= -LIMIT:"),
        ("if not value > -LIMIT:", "if not value >  LIMIT:"),
        ("if not value > -LIMIT:", "if False:"),
        ('raise ValueError(f"{value - 1}")', "pass"),
        ("if k == 1 and value is not None:", "if k == 1 or value is not None:"),
        ("if k == 1 and value is not None:", "if k == 1 and value is  None:"),
        ("if k == 1 and value is not None:", "if k != 1 and value is not None:"),
        ("continue", "pass"),
        ("value += 1.5", "value -= 1.5"),
        ("value += 1.5", "value += 2.25"),
        ("return min(value, top)", "return max(value, top)"),
    ]:
        assert (line, becomes) in lines
    assert not [line for line, _ in lines if "1 < 2" in line or "At most" in line]
    assert {m.function for site in sites for m in site} == {"<module>", "clip"}
    assert {m.line for site in sites for m in site if m.at_import} == {
        "LIMIT: int = 3",
        "def clip(value: int, top: int | None = 9) -> int:",
    }


def test_places_of_c() -> None:
    sites = c_sites("x.c", C.encode())
    assert changes(sites) == [
        ("0", "1"), ("0", "-1"), ("", "="), ("<", ">="), ("+", "-"), ("!", ""), ("&&", "||"),
        ("0", "1"), ("0", "-1"), ("=", ""), ("<=", ">"), ("0x10", "17"), ("0x10", "15"), ("-", "+"), ("1", "2"),
        ("1", "0"), ("-", "+"), ("1", "2"), ("1", "0"), ("*", "+"), ("2", "3"), ("2", "1"),
    ]  # fmt: skip
    assert {m.function for site in sites for m in site} == {"LOOP", "take"}


SUMS = """
def total(values):
    result = 0
    for value in values:
        if value < 0:
            continue
        result += value
    return result
"""
NOTICES = """
import subprocess, sys
from tiny.sums import total

def test_total():
    assert total([1, 2, -5]) == 3

def test_in_a_process():
    code = "from tiny.sums import total; raise SystemExit(total([]))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

def test_that_fails_anyway():
    assert total([]) == 1
"""
LIST = """
[[named]]
file = "tiny/sums.py"
line = "return result"
becomes = "return result or 7"

[[equivalent]]
file = "tiny/sums.py"
function = "total"
line = "if value < 0:"
becomes = ["if value <= 0:", "if value < 1:", "if value < -1:"]
reason = "No such number comes."
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with a test that sees one change of its only function and misses another."""
    root = tmp_path_factory.mktemp("project")
    for name, text in {
        "tiny/__init__.py": "",
        "tiny/sums.py": SUMS,
        "tests/test_sums.py": NOTICES,
        "pyproject.toml": "[tool.pytest.ini_options]\n",
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "-q", root], check=True)
    return root


def run(project: Path, *words: str) -> tuple[int, str, dict[str, tuple[str, str]]]:
    """The exit code, what was said, and for each change the verdict and why."""
    command = [sys.executable, str(TOOLS / "mutants.py"), *words, "-j", "1"]
    command += ["--root", str(project), "--package", "tiny", "--tests", "tests", "--pytest", ""]
    command += ["--cache", str(project / "cache"), "--json", str(project / "found.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == ""
    found = json.loads((project / "found.json").read_text()).values()
    return done.returncode, done.stdout, {e["becomes"]: (e["state"], e["why"]) for e in found}


@pytest.mark.slow
def test_what_no_test_notices_is_told(project: Path) -> None:
    code, said, found = run(project, "sums.py", "--count", "9")
    assert code == 1
    missed = [becomes for becomes, (state, _) in found.items() if state == "survived"]
    assert set(missed) & {"if value <= 0:", "if value < 1:", "if value < -1:"}
    assert sorted(re.findall(r"^    \+ (.*)", said, re.MULTILINE)) == sorted(missed)
    killed = {becomes: why for becomes, (state, why) in found.items() if state == "killed"}
    assert killed["result -= value"] == killed["pass"] == "tests/test_sums.py::test_total"
    assert (project / "tiny/sums.py").read_text() == SUMS


@pytest.mark.slow
def test_with_reasons_nothing_is_missed(project: Path) -> None:
    """And what was killed before is not tried again; a named change of a line is."""
    (project / "tools").mkdir()
    (project / "tools/mutants.toml").write_text(LIST)
    page = project / "page.md"
    words = ["sums.py", "--count", "9", "--named", "--page", str(page)]
    code, said, found = run(project, *words)
    assert code == 0, said
    assert found["return result or 7"] == ("killed", "tests/test_sums.py::test_in_a_process")
    states = [state for state, _ in found.values()]
    assert set(states) == {"killed", "equivalent"}
    row = [len(found) - 1, states.count("killed") - 1, states.count("equivalent"), 0]
    assert f"| `sums.py` | 1 | {' | '.join(map(str, row))} |" in page.read_text()
    assert page.read_text().count("No such number comes.") == row[2]
    assert "noticed by `test_in_a_process`" in page.read_text()


def listed(kind: str) -> list[dict[str, str]]:
    return tomllib.loads((TOOLS / "mutants.toml").read_text())[kind]


@pytest.mark.parametrize("kind", ["equivalent", "named"])
def test_the_list_is_of_lines_that_are_there(kind: str) -> None:
    entries = listed(kind)
    assert entries
    for entry in entries:
        lines = [line.strip() for line in (ROOT / entry["file"]).read_text().splitlines()]
        assert entry.get("line", lines[0]) in lines, f"{entry['file']} has no line {entry['line']}"
        if kind == "equivalent":
            assert entry["reason"]
