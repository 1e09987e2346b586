"""The screens of ``convcli kernel`` on terminals of several widths."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from convcli.kernels.catalogue import PRESETS
from convcli.kernels.load import load_kernel
from convcli.show.console import make_console
from convcli.show.kernel_screen import show_catalogue, show_kernel


def terminal(width: int) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return make_console(file=out, width=width), out


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_catalogue_fits(width: int) -> None:
    console, out = terminal(width)
    show_catalogue(console)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    names = {line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "}
    assert names == set(PRESETS)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "spec", ["gaussian:6", "box:3", "sobel", "sepia", "gabor:8,45", "1e300 -1e-300"]
)
def test_the_middle_of_a_kernel_fits(width: int, spec: str) -> None:
    console, out = terminal(width)
    kernel = load_kernel(spec).replace(note="")
    show_kernel(kernel, console)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert ("the middle of" in text) == (spec in ("gaussian:6", "gabor:8,45"))


def test_the_middle_holds_the_peak() -> None:
    console, out = terminal(60)
    show_kernel(load_kernel("gaussian:6"), console)
    assert f"{load_kernel('gaussian:6').weights.max():.6f}" in out.getvalue()


def test_a_pipe_gets_every_weight() -> None:
    out = io.StringIO()
    show_kernel(load_kernel("gaussian:6"), make_console(file=out))
    rows = [line.split() for line in out.getvalue().splitlines() if line.startswith("  0.")]
    assert len(rows) == 37
    assert {len(row) for row in rows} == {37}


def test_rounding_is_said_and_only_where_it_happens() -> None:
    out = io.StringIO()
    show_kernel(load_kernel("freichen-x"), make_console(file=out))
    assert "rounded to 3 decimals" in out.getvalue()
    out = io.StringIO()
    show_kernel(load_kernel("0.5 0.25"), make_console(file=out))
    assert "rounded" not in out.getvalue()
    assert "  0.50  0.25" in out.getvalue()


def test_names_with_brackets_are_printed_whole() -> None:
    out = io.StringIO()
    show_kernel(load_kernel("1").replace(name="[red]k[/red]"), make_console(file=out))
    assert out.getvalue().startswith("[red]k[/red]  1x1")
