"""The notebook of the samples runs, and every cell shows something."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parents[1] / "samples"
LESSON = SAMPLES / "lesson.ipynb"
KINDS = {
    "_repr_svg_": "image/svg+xml",
    "_repr_html_": "text/html",
    "_repr_latex_": "text/latex",
    "_repr_png_": "image/png",
}


def cells(kind: str) -> list[dict[str, Any]]:
    notebook = json.loads(LESSON.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_it_is_stored_small_and_without_outputs() -> None:
    assert LESSON.stat().st_size < 20_000
    for cell in cells("code"):
        assert cell["outputs"] == [] and cell["execution_count"] is None


def test_its_cells_run_in_order_and_show_what_they_end_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(SAMPLES)
    names: dict[str, Any] = {}
    shown: list[str] = []
    for cell in cells("code"):
        tree = ast.parse("".join(cell["source"]))
        last = tree.body[-1]
        if not isinstance(last, ast.Expr):
            exec(compile(tree, cell["id"], "exec"), names)
            continue
        exec(compile(ast.Module(tree.body[:-1], []), cell["id"], "exec"), names)
        value = eval(compile(ast.Expression(last.value), cell["id"], "eval"), names)
        methods = [name for name in KINDS if hasattr(value, name)]
        if isinstance(value, tuple) and not methods:
            assert value == (112, 112)  # the size that is asked for
            continue
        assert methods and getattr(value, methods[0])(), cell["id"]
        shown.append(KINDS[methods[0]])
    assert {*shown} == {*KINDS.values()} and len(shown) > 12


def test_every_name_of_a_notebook_is_taught_in_it() -> None:
    text = "".join("".join(cell["source"]) for cell in cells("code"))
    for name in ("draw", "explore", "explain", "latex", "trace", "filter_image", "load_kernel"):
        assert f"convcli.{name}(" in text


@pytest.mark.ci
def test_jupyter_runs_it(tmp_path: Path) -> None:
    if os.environ.get("CI") != "true":
        for name in ("nbclient", "ipykernel"):
            pytest.importorskip(name, reason="the extra `notebook` is not installed")
    import nbclient
    import nbformat

    notebook = nbformat.read(LESSON, as_version=4)
    nbformat.validate(notebook)
    resources = {"metadata": {"path": str(SAMPLES)}}
    done = nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    kinds = set()
    for cell in done.cells:
        for output in cell.get("outputs", []):
            assert output.output_type == "execute_result", output  # nothing on standard error
            kinds |= {*output.data}
    assert {*KINDS.values()} <= kinds
    nbformat.write(done, tmp_path / "done.ipynb")
    assert (tmp_path / "done.ipynb").stat().st_size > 200_000
