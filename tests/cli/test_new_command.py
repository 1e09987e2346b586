"""A command is one file and its name: what else there is of it follows from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import convcli.cli
from convcli.cli import commands
from convcli.cli.typed import build

COMMAND = '''
"""``convcli count-cells``: how many cells a tensor has."""

from convcli.cli import tensor_options as on
from convcli.cli.declared import Commands

app = Commands()


@app.command()
def count_cells(x: on.X, dims: on.Dims = None) -> None:
    """Count the cells of a tensor."""
    from convcli.cli.tensor_io import read

    print(read(x, "X").size)
'''


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command, as somebody adds it: a file, and a line in the list."""
    (tmp_path / "count_cells.py").write_text(COMMAND)
    monkeypatch.setattr(convcli.cli, "__path__", [*convcli.cli.__path__, str(tmp_path)])
    monkeypatch.setattr(commands, "COMMANDS", (*commands.COMMANDS, "count-cells"))


@pytest.mark.usefixtures("added")
def test_it_runs_and_is_listed(convcli: Callable[..., Any]) -> None:
    assert convcli("count-cells", "1 2 3; 4 5 6").out == b"6\n"
    assert b"Count the cells of a tensor." in convcli("--help").out
    assert b"Spatial axes (1, 2 or 3)" in convcli("count-cells", "--help").out
    refused = convcli("count-cell", "1 2 3")
    assert refused.code == 2
    assert "did you mean 'count-cells'?" in refused.err
    assert convcli("count-cells").err.endswith("see 'convcli count-cells --help'\n")


@pytest.mark.usefixtures("added")
def test_the_shell_completes_it() -> None:
    root = build()
    context = root.make_context("convcli", [], resilient_parsing=True)
    assert "count-cells" in [item.value for item in root.shell_complete(context, "cou")]
