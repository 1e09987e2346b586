"""Write what the commands of the lessons print into the lessons, and their pictures.

python docs/make_lessons.py

A lesson is a page of Markdown by hand. In its `console` blocks, what follows a line `$ convcli ...`
is what that command prints, and comes from here. Its pictures are those that its commands write.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from make_gallery import DOCS, IMAGES, SAMPLES, embedded

BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)
FALSE = 1
"""How `convcli check` ends where both sides differ, which a lesson may show."""


def pages() -> list[Path]:
    return [*sorted((DOCS / "lessons").glob("*.md")), DOCS / "lecture.md"]


def commands(text: str) -> list[str]:
    """The command lines in the console blocks of a page."""
    blocks = "\n".join(BLOCK.findall(text))
    return [line[2:] for line in blocks.splitlines() if line.startswith("$ ")]


def run(line: str) -> str:
    """Run one command in this process, in the current folder; what a terminal would show."""
    from convcli.cli.app import run as convcli

    words = shlex.split(line)
    if words[0] != "convcli":
        raise SystemExit(f"{line}\nis no command of convcli")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = convcli(words[1:])
    if code and (code, words[1]) != (FALSE, "check"):
        raise SystemExit(f"{line}\nended with {code}: {out.getvalue()}")
    return out.getvalue()


@contextlib.contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Stand in ``folder``, which has the samples, as in a clone of the repository."""
    shutil.copytree(SAMPLES, folder / "samples", dirs_exist_ok=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


def filled(text: str) -> str:
    """The page with what its commands print now; runs all of them, in order, where it stands."""

    def block(found: re.Match[str]) -> str:
        lines = [line for line in found[0].splitlines() if line.startswith("$ ")]
        return "".join(f"{line}\n{printed(line[2:])}" for line in lines)

    def printed(line: str) -> str:
        return "".join(f"{row.rstrip()}\n" for row in run(line).splitlines())

    return BLOCK.sub(block, text)


def main() -> None:
    for page in pages():
        text = page.read_text("utf-8")
        with tempfile.TemporaryDirectory() as name, workplace(Path(name)) as folder:
            page.write_text(filled(text), "utf-8")
            for picture in embedded(text):
                if (folder / picture).exists():
                    shutil.copyfile(folder / picture, IMAGES / picture)
                elif not (IMAGES / picture).exists():
                    raise SystemExit(f"{page.name}: no command writes {picture}")
        sys.stdout.write(f"{page.relative_to(DOCS)}: {len(commands(text))} commands\n")


if __name__ == "__main__":
    main()
