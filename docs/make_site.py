"""Build the documents as a site, in site/ of the repository.

python docs/make_site.py [FOLDER]

The pages of docs/ and two of the repository's root are put into one folder, with the pictures in
dark colours, the interactive pages of the lessons and the table of contents that docs/index.md
gives; Sphinx makes HTML of it (see conf.py). A warning is an error, and so is a link that leads
nowhere or a page that would load anything from elsewhere.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import make_lessons

DOCS = Path(__file__).parent
ROOT = DOCS.parent
FROM_ROOT = ["CHANGELOG.md", "CONTRIBUTING.md"]
"""Pages of the repository's root that are pages of the site too."""

TO_TAKE = ["samples/lesson.ipynb"]
"""Files that pages offer; a reader of the site takes them from it."""

UNLISTED = ["tutorial.md"]
"""Pages that only old links lead to: they have no place in the table of contents."""

LOADING = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}
"""Elements that a browser loads by itself, without a click."""


# The folder that Sphinx reads


def gather(folder: Path) -> None:
    """All pages in one folder, with links as they are from there."""
    shutil.copytree(
        DOCS, folder, ignore=shutil.ignore_patterns("*.pyc", "__pycache__", "make_*.py")
    )
    for name in FROM_ROOT:
        text = (ROOT / name).read_text("utf-8").replace("](docs/", "](")
        (folder / name).write_text(text, "utf-8")
    for name in TO_TAKE:
        shutil.copyfile(ROOT / name, folder / Path(name).name)
    for page in folder.rglob("*.md"):
        text = page.read_text("utf-8")
        up = "../" * len(page.relative_to(folder).parent.parts)
        for name in FROM_ROOT:
            text = text.replace(f"](../{up}{name}", f"]({up}{name}")
        for name in TO_TAKE:
            for before in (f"](../{up}{name}", f"]({name}"):
                text = text.replace(before, f"]({up}{Path(name).name}")
        page.write_text(text, "utf-8")


def contents(index: str) -> str:
    """A hidden table of contents for each heading of the index that has links below it."""
    tables = []
    for section in index.split("\n## ")[1:]:
        links = re.findall(r"\[([^]]+)\]\(([\w./-]+)\.md\)", section)
        caption = section.partition("\n")[0]
        entries = [f"{name} <{page}>" for name, page in links]
        tables += ["```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```", ""]
    return "\n".join(tables)


def drawings(folder: Path) -> dict[str, str]:
    """The command that writes a drawing, by the drawing's name, from all pages."""
    line = re.compile(r"^(?:\$ )?(convcli (?:draw|kernel show) .*-o (\S+\.svg))$", re.MULTILINE)
    found = [line.findall(page.read_text("utf-8")) for page in sorted(folder.rglob("*.md"))]
    return {name: command for page in found for command, name in page}


def in_dark(text: str, prefix: str, images: Path, commands: dict[str, str]) -> str:
    """Show each drawing as it is in light or in dark, as the site is set.

    The dark one is made now, by the same command with ``--theme dark``.
    """

    def both(found: re.Match[str]) -> str:
        alt, name = found[1], found[2]
        if name not in commands or "--theme" in commands[name]:
            return found[0]
        dark = images / f"dark-{name}"
        if not dark.exists():
            make_lessons.run(f"{commands[name]} --theme dark")
            shutil.move(name, dark)
        return "\n".join(
            f'<img class="only-{theme}" src="{prefix}{file}" alt="{alt}">'
            for theme, file in (("light", name), ("dark", dark.name))
        )

    return re.sub(rf"^!\[(.*)\]\({re.escape(prefix)}(\S+\.svg)\)$", both, text, flags=re.MULTILINE)


def interactive(text: str, made: Path) -> str:
    """Behind a block whose commands write pages of HTML, links to those pages, made now; one page
    alone stands there itself."""

    def block(found: re.Match[str]) -> str:
        pages = re.findall(r"^\$ (convcli .* -o (\S+)\.html)$", found[0], re.MULTILINE)
        for line, name in pages:
            make_lessons.run(line)
            made.mkdir(parents=True, exist_ok=True)
            shutil.move(f"{name}.html", made)
        if not pages:
            return found[0]
        only = pages[0][1] if len(pages) == 1 else ""
        links = "\n".join(
            f'<a href="{name}.html">Open {"the interactive page" if only else name}</a>'
            for _, name in pages
        )
        frame = (
            f'<iframe class="interactive" src="{only}.html" loading="lazy" '
            'title="The interactive page of this lesson"></iframe>\n'
        )
        return f'{found[0]}\n\n<p class="interactive">{links}</p>\n{frame if only else ""}'

    return re.sub(r"^```console\n[^`]*^```$", block, text, flags=re.MULTILINE)


def stage(folder: Path) -> None:
    """Everything that Sphinx reads, in ``folder``."""
    gather(folder)
    index = folder / "index.md"
    index.write_text(index.read_text("utf-8") + "\n" + contents(index.read_text("utf-8")), "utf-8")
    for name in UNLISTED:
        text = (folder / name).read_text("utf-8")
        (folder / name).write_text(f"---\norphan: true\n---\n\n{text}", "utf-8")
    (folder / "_extra").mkdir()
    commands = drawings(folder)
    for page in sorted(folder.rglob("*.md")):
        where = page.relative_to(folder).parent
        prefix = "../" * len(where.parts) + "images/"
        with tempfile.TemporaryDirectory() as name, make_lessons.workplace(Path(name)):
            text = in_dark(page.read_text("utf-8"), prefix, folder / "images", commands)
            page.write_text(interactive(text, folder / "_extra" / where), "utf-8")


# What is checked of the built site


class Links(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.places |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        loads = LOADING.get(tag)
        if loads in values and values.get("rel") not in (
            "canonical",
            "search",
            "index",
            "next",
            "prev",
        ):
            self.loads.append(values[loads])


def faults(site: Path) -> list[str]:
    """Links of a built site that lead nowhere, and what it would load from elsewhere."""
    found = []
    pages = {path.resolve(): Links(path.read_text("utf-8")) for path in site.rglob("*.html")}
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        for target in page.loads:
            if urlsplit(target).scheme not in ("", "data") or target.startswith("//"):
                found.append(f"{name} loads {target}")
        for target in page.links + page.loads:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not there.is_file():
                found.append(f"{name} points to {target}, which is not there")
            elif parts.fragment and unquote(parts.fragment) not in pages[there].places:
                found.append(f"{name} points to {target}, a place that is not there")
    for path in site.rglob("*.css"):
        for target in re.findall(
            r"(?:url\(\s*[\"']?|@import\s+[\"'])((?:https?:)?//[^\"')\s]+)", path.read_text("utf-8")
        ):
            found.append(f"{path.relative_to(site)} loads {target}")
    return found


def build(target: Path) -> int:
    """Build the site in ``target``; how the process should end."""
    from sphinx.cmd.build import build_main

    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source"
        stage(source)
        shutil.rmtree(target, ignore_errors=True)
        options = ["-b", "html", "-q", "-W", "--keep-going", "-d", f"{name}/doctrees"]
        code = build_main([*options, str(source), str(target)])
    (target / ".buildinfo").unlink(missing_ok=True)
    if code:
        return code
    found = faults(target)
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    if not found:
        count = len(list(target.rglob("*.html")))
        sys.stdout.write(f"{target / 'index.html'}: {count} pages, {size / 1e6:.1f} MB\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(build(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "site")))
