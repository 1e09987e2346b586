"""What the documents say is run: commands, Python, and the generated reference."""

from __future__ import annotations

import doctest
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convcli.imaging.formats import every_format

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def readme_commands() -> list[str]:
    lines = [line for block in blocks(README, "sh") for line in block.splitlines()]
    inline = re.findall(r"^`(convcli [^`]+)`$", README, re.MULTILINE)
    return inline + [line for line in lines if line.startswith(("convcli", "cat "))]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", readme_commands())
def test_the_commands_of_the_readme_run(command: str, workplace: Path) -> None:
    before = set(workplace.rglob("*"))
    script = f'convcli() {{ {shlex.quote(sys.executable)} -m convcli "$@"; }}; {command}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if "filter" in command or " -o " in command:
        assert set(workplace.rglob("*")) > before
    else:
        assert done.stdout.strip()


def test_the_readme_has_one_line_to_set_up_and_one_to_test() -> None:
    setup, tests = (line for line in README.splitlines() if line.startswith("python3 -m venv"))
    assert "convcli filter samples/portrait.png --kernel sobel-x" in setup
    assert "pytest" in tests


@pytest.mark.parametrize("page", ["README.md", "docs/notebooks.md"])
def test_the_python_of_a_page_is_true(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    source = "\n".join(blocks((ROOT / page).read_text("utf-8"), "python"))
    test = doctest.DocTestParser().get_doctest(source, {}, page, page, 0)
    result = doctest.DocTestRunner().run(test)
    assert result.attempted > 2
    assert result.failed == 0


@pytest.fixture(scope="module")
def maker() -> Any:
    """The script that writes the reference."""
    import make_reference

    return make_reference


def rows(page: str) -> list[tuple[str, str]]:
    """Headings, and the names and the help of options, in order."""
    found = re.findall(r"^(?:## (.+)|\| (`.+?`) \| (.*?) ?\|)$", page, re.MULTILINE)
    return [(heading or names, text) for heading, names, text in found]


def test_the_reference_has_every_command_and_option(maker: Any) -> None:
    """Typer adds defaults and ranges behind a help text, each version in its own way."""
    written, now = rows((ROOT / "docs" / "cli.md").read_text("utf-8")), rows(maker.reference())
    assert [name for name, _ in written] == [name for name, _ in now]
    assert len(now) > 100
    for (name, one), (_, two) in zip(written, now, strict=True):
        assert one.partition(" [")[0] == two.partition(" [")[0], name


@pytest.mark.ci
def test_the_reference_is_what_the_pinned_typer_writes(maker: Any) -> None:
    written = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert maker.reference() == written, "run: python docs/make_reference.py"


PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))


def places(page: Path) -> set[str]:
    """What a heading of a page is called in a link to it, as forges and the site do."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    targets = re.findall(r"\]\(([^)]+)", text) + re.findall(r'src="([^"]+)"', text)
    for target in targets:
        if not target.startswith("http"):
            name, _, place = target.partition("#")
            there = page.parent / name if name else page
            assert there.exists(), f"{page.name} points to {target}"
            assert not place or place in places(there), f"{page.name} points to {target}"


def test_the_reference_names_the_formats_that_may_be_larger_by_default() -> None:
    """What only flows (PNG, JPEG) is held to the default."""
    rows = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8").splitlines()
    row = next(row for row in rows if "`--max-pixels`" in row and "Default" in row).casefold()
    for found in every_format():
        assert (found.name.casefold() in row) == found.in_parts, found.name
