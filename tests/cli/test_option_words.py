"""Words that a help names or an option takes, held to the registries that know them.

Help texts are literals where making them would import at every start what only ``--help`` needs.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from convcli.arithmetic.borders import BORDERS, parse_border
from convcli.arithmetic.network import Network
from convcli.cli import complete, parse, tensor_io
from convcli.cli.drawing import FIGURES, SUFFIXES
from convcli.cli.typed import build
from convcli.engine import backends, numerics
from convcli.engine.algorithms import ALGORITHMS
from convcli.imaging.formats.png.write import STRIP_BYTES
from convcli.imaging.formats.shared import array_file
from convcli.imaging.options import MAX_PIXELS
from convcli.imaging.stages.plans import DEPTHS
from convcli.kernels import export
from convcli.runs.template import FIELDS
from convcli.show.draw.classics import CLASSICS
from convcli.show.draw.views import VIEWS

ROOT = build()
CONTEXT = ROOT.make_context("convcli", [], resilient_parsing=True)


def command(path: str) -> Any:
    found = ROOT
    for name in path.split():
        found = found.get_command(CONTEXT, name)
    return found


def help_of(path: str, option: str) -> str:
    """The help text and the metavar of one option or argument."""
    (found,) = (
        p for p in command(path).params if option in p.opts or option == p.name.replace("_", "-")
    )
    return f"{found.help} {found.metavar}"


def test_the_command_line_takes_the_words_of_who_reads_them() -> None:
    assert parse.RANGES == numerics.RANGES
    assert (*DEPTHS, *numerics.OUT_DTYPES) == parse.DEPTHS
    assert tuple(STRIP_BYTES) == parse.COMPRESSIONS


NAMED: dict[tuple[str, str], Any] = {
    ("filter", "--range"): numerics.RANGES,
    ("filter", "--algorithm"): ALGORITHMS,
    ("filter", "--backend"): backends.BACKENDS,
    ("filter", "--border"): BORDERS,
    ("filter", "--format"): complete.formats(""),
    ("filter", "--dtype"): array_file.DTYPES,
    ("filter", "--output"): [f"{{{field}}}" for field in FIELDS],
    ("filter", "--max-pixels"): [f"{MAX_PIXELS:,}"],
    ("kernel export", "--format"): export.FORMATS,
    ("kernel show", "--output"): FIGURES,
    ("shape", "--output"): FIGURES,
    ("draw", "--output"): [suffix for suffix in SUFFIXES if suffix != ".apng"],
    ("draw", "--view"): VIEWS,
    ("conv", "--output"): tensor_io.FORMATS,
}


@pytest.mark.parametrize(("path", "option"), NAMED)
def test_a_help_names_every_word(path: str, option: str) -> None:
    text = help_of(path, option)
    missing = [
        word
        for word in NAMED[path, option]
        if not re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", text)
    ]
    assert not missing, text


def test_the_input_s_help_names_every_format_and_no_other() -> None:
    listed = re.search(r"Pictures: (.*?);", help_of("filter", "inputs"))
    assert listed
    names = [name.lower() for name in listed[1].split(", ")]
    assert names == [*complete.formats(""), "zarr", ".npy"]


def test_other_tools_names_are_the_borders_that_the_help_says() -> None:
    sentence = re.search(r"names are taken too: (.*?)\.", command("filter").epilog)
    assert sentence
    for clause in sentence[1].split("; "):
        names, _, border = re.sub(r" (is|are) ", " = ", clause).partition(" = ")
        for name in re.split(r", | and ", names):
            assert parse_border(name).mode == border, clause


def test_the_built_in_networks_are_named() -> None:
    listed = re.search(r"as NETWORK: (.*), a file", help_of("shape", "--network"))
    assert listed
    names = []
    for word in listed[1].split(", "):
        first, *more = word.split("|")
        stem = first.rstrip("0123456789")
        names += [first, *(stem + number for number in more)]
    assert sorted(names) == sorted(Network.builtin_names())


def test_the_classic_animations_are_named() -> None:
    text = " ".join(command("draw").epilog.split())
    for name in CLASSICS:
        assert re.search(rf"\b{name.removesuffix('_transposed')}\b", text), name


def leaves(found: Any, path: str = "") -> Iterator[str]:
    """The paths of all commands that do something."""
    for name in found.list_commands(CONTEXT):
        child = found.get_command(CONTEXT, name)
        inner = f"{path} {name}".strip()
        yield from leaves(child, inner) if hasattr(child, "list_commands") else [inner]


def test_a_help_is_as_wide_as_the_terminal(
    convcli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typer keeps the line ends of the source behind the first paragraph."""
    monkeypatch.setenv("COLUMNS", "80")
    prose, broken = 0, []
    for path in leaves(ROOT):
        shown = convcli(*path.split(), "--help").out.decode()
        lines = [
            line[1:].rstrip() for line in shown.splitlines() if line[:1] not in {"│", "╭", "╰"}
        ]
        for line, after in itertools.pairwise(lines):
            laid_out = line.startswith(" "), after.startswith(" ")
            if not line or not after or all(laid_out) or "Usage:" in line:
                continue
            # One column stays free on each side: what ends sooner has no room for the next word.
            room = 78 - len(line) - len(" " + after.split()[0])
            prose += 1
            if laid_out[0] or (room >= 0 and not laid_out[1]):
                broken.append((path, line, after))
    assert not broken
    assert prose > 20
