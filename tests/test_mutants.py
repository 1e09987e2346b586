"""``tools/mutants.py`` on a package of its own: what it changes, and what it says of the tests."""

from __future__ import annotations

import ast
import json
import os
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


def changes(sites: list[list[object]]) -> list[tuple[str, str]]:
    """What becomes what, the rest of the line left out."""
    found = []
    for mutant in (m for site in sites for m in site):
        before, after = mutant.line, mutant.becomes  # type: ignore[attr-defined]
        head = os.path.commonprefix([before, after])
        tail = os.path.commonprefix([before[len(head) :][::-1], after[len(head) :][::-1]])
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


def unseen():
    return 1
"""
NOTICES = """
import subprocess, sys
from tiny.sums import total

def test_total():
    assert total([1, 2, -5]) == 3

def test_in_a_process():
    code = "from tiny.sums import unseen; raise SystemExit(unseen() != 1)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

def test_that_fails_anyway():
    assert total([]) == 1
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in {
        "tiny/__init__.py": "",
        "tiny/sums.py": SUMS,
        "tests/test_sums.py": NOTICES,
        "pyproject.toml": "[tool.pytest.ini_options]\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    return tmp_path


def run(project: Path, *words: str) -> tuple[int, str, dict[str, str]]:
    """The exit code, what was said, and the verdict on each change."""
    command = [sys.executable, str(TOOLS / "mutants.py"), *words]
    command += ["--root", str(project), "--package", "tiny", "--tests", "tests", "--pytest", ""]
    command += ["--cache", str(project / "cache"), "--json", str(project / "found.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == ""
    found = json.loads((project / "found.json").read_text()).values()
    return done.returncode, done.stdout, {e["becomes"]: e["state"] for e in found}


def test_one_change_is_noticed_and_another_is_not(project: Path) -> None:
    before = {path: path.read_bytes() for path in (project / "tiny").glob("*.py")}
    code, said, found = run(project, "sums.py", "--seed", "3", "--count", "100")
    assert code == 1
    assert found["result -= value"] == found["pass"] == "killed"
    assert found.get("return 2", "killed") == found.get("return 0", "killed") == "killed"
    assert "if value <= 0:" in found or "if value >= 0:" in found
    missed = {becomes for becomes, state in found.items() if state == "survived"}
    assert set(re.findall(r"^    \+ (.*)", said, re.MULTILINE)) == missed
    assert {path: path.read_bytes() for path in (project / "tiny").glob("*.py")} == before
    # The same again, quickly: what was killed is not tried again, and what survives has a reason.
    entries = [
        f"[[equivalent]]\nfile = 'tiny/sums.py'\nbecomes = '{becomes}'\nreason = 'So it is.'\n"
        for becomes in missed
    ]
    (project / "tools").mkdir()
    (project / "tools/mutants.toml").write_text("\n".join(entries))
    page = project / "page.md"
    code, said, found = run(
        project, "sums.py", "--seed", "3", "--count", "100", "--page", str(page)
    )
    assert code == 0
    assert set(found.values()) == {"killed", "equivalent"}
    killed = list(found.values()).count("killed")
    row = f"| `sums.py` | 3 | {len(found)} | {killed} | {len(found) - killed} | 0 |"
    assert row in page.read_text()
    assert page.read_text().count("So it is.") == len(found) - killed


def test_a_change_that_is_named_is_tried(project: Path) -> None:
    (project / "tools").mkdir()
    (project / "tools/mutants.toml").write_text(
        "[[named]]\nfile = 'tiny/sums.py'\nline = 'return result'\nbecomes = 'return result + 1'\n"
        "[[named]]\nfile = 'tiny/sums.py'\nline = 'if value < 0:'\nbecomes = 'if value < -4:'\n"
    )
    code, _, found = run(project, "--named")
    assert code == 1
    assert found == {"return result + 1": "killed", "if value < -4:": "survived"}


def listed(kind: str) -> list[dict[str, str]]:
    return tomllib.loads((TOOLS / "mutants.toml").read_text())[kind]


@pytest.mark.parametrize("kind", ["equivalent", "named"])
def test_the_list_is_of_lines_that_are_there(kind: str) -> None:
    entries = listed(kind)
    assert entries
    for entry in entries:
        lines = [line.strip() for line in (ROOT / entry["file"]).read_text().splitlines()]
        assert entry["line"] in lines, f"{entry['file']} has no line {entry['line']}"
        if kind == "equivalent":
            assert entry["reason"]
