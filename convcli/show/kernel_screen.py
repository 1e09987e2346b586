"""``convcli kernel``: the catalogue, and one kernel with what it does."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from convcli.kernels.catalogue import GROUPS, PRESETS
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import facts_of, has_heights
from convcli.kernels.properties import Part, Properties, describe
from convcli.show.console import PIPE_WIDTH, make_console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["catalogue_json", "kernel_json", "show_catalogue", "show_kernel"]

Array = NDArray[np.float64]


def catalogue_json() -> str:
    """The catalogue as a JSON array."""
    entries = [
        {
            "name": preset.name,
            "also": preset.also.split(),
            "group": preset.group,
            "purpose": preset.purpose,
            "example": preset.example or preset.name,
            "parameters": [
                {"name": p.name, "meaning": p.note, "allowed": p.allowed, "default": p.default}
                for p in preset.parameters
            ],
            "footprint": preset.has_footprint,
            "source": preset.source,
        }
        for preset in PRESETS.values()
    ]
    return json.dumps(entries, indent=2)


def show_catalogue(console: Console | None = None) -> None:
    """Every preset with its parameters and what it is for, by group."""
    from rich.text import Text

    console = console or make_console()
    column = max(map(len, PRESETS)) + 4
    for group in GROUPS:
        console.print(Text(group, "bold"))
        for preset in PRESETS.values():
            if preset.group == group:
                line = Text(f"  {preset.name}".ljust(column) + preset.purpose)
                line.stylize("cyan", 0, column)
                if preset.takes:
                    line.append(f": {preset.example} ({preset.takes})", "dim")
                _print_hanging(console, line, column)
    other = "Other names are taken too (blur, mean, edges, negative, FIND_EDGES): --json lists all."
    _print_hanging(console, Text(other, "dim"), 0)


def _print_hanging(console: Console, line: Text, indent: int) -> None:
    """Wrap a line at the terminal's width, its second line under its second column."""
    from rich.text import Text

    head, body = line.divide([indent])
    for number, piece in enumerate(body.wrap(console, max(console.width - indent, 20))):
        piece.rstrip()
        console.print((head if number == 0 else Text(" " * indent)) + piece, soft_wrap=True)


def kernel_json(kernel: Kernel) -> str:
    """One kernel and its properties as a JSON object."""
    found = describe(kernel)
    return json.dumps(
        {
            "name": kernel.name,
            "purpose": kernel.note,
            "remark": kernel.remark,
            "shape": kernel.weights.shape,
            "weights": kernel.weights.tolist(),
            "scale": kernel.scale,
            "bias": kernel.bias,
            "role": kernel.role,
            "combine": kernel.combine,
            "absolute": kernel.absolute,
            "source": kernel.source,
            "operation": kernel.operation,
            "numbers": kernel.numbers,
            "sum": found.total,
            "range": [found.low, found.high],
            "range_reached": found.exact,
            "nonzero": found.nonzero,
            "effect": found.effect,
            "parts": [
                {
                    "sum": part.total,
                    "symmetry": part.symmetry,
                    "rank": part.rank,
                    "columns": part.columns.T.tolist(),
                    "rows": part.rows.tolist(),
                    "error": part.error,
                }
                for part in found.parts
            ],
        }
    )


def show_kernel(kernel: Kernel, console: Console | None = None) -> None:
    """Weights, sum, range, symmetry, rank, factors, and what the kernel does."""
    from rich.text import Text

    console = console or make_console()
    found = describe(kernel)
    title = Text(kernel.name, "bold cyan")
    title.append(f"  {_size(kernel)}", "not bold default")
    if kernel.note:
        title.append(f"  {kernel.note}", "not bold default")
    console.print(title, soft_wrap=True)
    for heading, weights in _pictures(kernel):
        console.print()
        if heading:
            console.print(Text(heading, "dim"))
        if kernel.is_correlation or has_heights(kernel) or facts_of(kernel).weighs:
            _print_weights(console, weights)
        else:
            _print_cells(console, weights)
    console.print()
    facts = list(_facts(kernel, found))
    column = max(len(key) for key, _ in facts) + 2
    for key, value in facts:
        line = Text(f"{key:<{column}}{value}")
        line.stylize("dim", 0, len(key))
        _print_hanging(console, line, column)


def _size(kernel: Kernel) -> str:
    rows, columns = kernel.shape
    if kernel.is_bank:
        outputs, inputs = kernel.weights.shape[:2]
        return f"{outputs} x {inputs} channels, {rows}x{columns}"
    if kernel.weights.ndim == 3:
        return f"{len(kernel.weights)} x {rows}x{columns}"
    return f"{rows}x{columns}"


def _pictures(kernel: Kernel) -> Iterator[tuple[str, Array]]:
    """Every matrix to print, with its heading."""
    weights = kernel.weights
    if weights.ndim == 2:
        yield "", weights
    elif weights.ndim == 3:
        for number, part in enumerate(weights, 1):
            yield f"part {number} of {len(weights)}", part
    elif kernel.shape == (1, 1):
        yield "a row for each output channel, a column for each input channel", weights[:, :, 0, 0]
    else:
        for target, source in np.ndindex(*weights.shape[:2]):
            yield f"output channel {target}, input channel {source}", weights[target, source]


def _facts(kernel: Kernel, found: Properties) -> Iterator[tuple[str, str]]:
    yield "does", found.effect
    if kernel.remark:
        yield "note", kernel.remark
    if not kernel.is_correlation:
        yield from _facts_of_footprint(kernel, found)
        return
    yield "scale", _fraction(kernel.scale)
    if kernel.bias:
        yield "bias", f"{kernel.bias:g} (of 255)"
    yield "sum", _number(found.total) + (" (mean over the outputs)" if kernel.is_bank else "")
    reach = "" if found.exact else "at most "
    bounds = f"{reach}{_number(found.low)} to {_number(found.high)} for samples of 0 to 255"
    yield (
        "range",
        bounds
        + ("; absolute values are shown" if kernel.absolute and kernel.combine == "none" else ""),
    )
    if kernel.combine != "none":
        yield "combine", kernel.combine
    yield "nonzero", f"{found.nonzero} of {kernel.weights.size} weights"
    if kernel.shape != (1, 1):
        single = len(found.parts) == 1
        for number, part in enumerate(found.parts, 1):
            yield from _part_facts(part, "" if single else f" {number}")
    if kernel.source:
        yield "source", kernel.source
    yield "written in", "correlation orientation; filter --flip turns it for convolution"


def _facts_of_footprint(kernel: Kernel, found: Properties) -> Iterator[tuple[str, str]]:
    """Of what is no weighted sum."""
    if kernel.numbers and kernel.operation == "rank":
        yield "rank", f"{kernel.numbers[0]:g} percent"
    yield from (
        (name, f"{number:g}")
        for name, number in zip(facts_of(kernel).numbers, kernel.numbers, strict=False)
    )
    counted = kernel.weights.size if has_heights(kernel) else found.nonzero
    yield "footprint", f"{counted} of {kernel.weights.size} cells count"
    yield "range", f"{_number(found.low)} to {_number(found.high)} for samples of 0 to 255"
    if kernel.source:
        yield "source", kernel.source


def _part_facts(part: Part, number: str) -> Iterator[tuple[str, str]]:
    yield f"symmetry{number}", _symmetry(part)
    if part.rank is None:
        yield f"rank{number}", "not computed: the kernel is too large"
    elif part.rank == 1 and part.weights.size > 1:
        yield f"rank{number}", "1: separable, a column times a row" + _off(part.error)
        yield f"column{number}", _list(part.columns[:, 0])
        yield f"row{number}", _list(part.rows[0])
    elif part.rank > 1:
        yield (
            f"rank{number}",
            f"{part.rank}: the sum of {part.rank} separable kernels{_off(part.error)}",
        )
    else:
        yield f"rank{number}", str(part.rank)


def _symmetry(part: Part) -> str:
    """``symmetric left-right, top-bottom; antisymmetric under half a turn``."""
    words = [name.split(" ", 1) for name in part.symmetry]
    groups = {kind: [name for k, name in words if k == kind] for kind, _ in words}
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in groups.items()) or "none"


def _off(error: float) -> str:
    return f" (largest error of a weight {error:.1g})" if error else " (exact)"


def _list(values: Array, most: int = 15) -> str:
    shown = [f"{v + 0.0:.4g}" for v in values.tolist()]
    if len(shown) > most:
        side = most // 2
        shown = [*shown[:side], "...", *shown[-side:]]
    return " ".join(shown)


def _number(value: float) -> str:
    return f"{value + 0.0:.6g}"


def _fraction(scale: float) -> str:
    inverse = round(1 / scale) if scale and abs(1 / scale) < 1e9 else 0
    return f"1/{inverse}" if inverse > 1 and 1 / inverse == scale else _number(scale)


def _print_weights(console: Console, weights: Array) -> None:
    """The matrix, or on a terminal that is too small for it, its middle."""
    from rich.text import Text

    digits = _decimals(weights)
    style = ".4g" if digits is None else f".{digits}f"
    cells = [[f"{value + 0.0:{style}}" for value in row] for row in weights.tolist()]
    column = max(len(cell) for row in cells for cell in row) + 2
    fits = max((console.width - 1) // column, 1)
    tall = len(cells) if console.width == PIPE_WIDTH else 31
    top, left = (
        max(0, (n - most + 1) // 2) for n, most in ((len(cells), tall), (len(cells[0]), fits))
    )
    for row, values in zip(cells[top : top + tall], weights[top:], strict=False):
        line = Text()
        for cell, value in zip(row[left : left + fits], values[left:].tolist(), strict=False):
            line.append(
                f"{cell:>{column}}", "red" if value < 0 else "green" if value > 0 else "dim"
            )
        console.print(line, soft_wrap=True)
    if top or left:
        rows, columns = weights.shape
        console.print(Text(f"  (the middle of {rows}x{columns}; in a pipe all are printed)", "dim"))
    if digits is not None and (np.round(weights, digits) != weights).any():
        console.print(Text(f"  (rounded to {digits} decimals; --json has every digit)", "dim"))


def _print_cells(console: Console, weights: Array) -> None:
    """A footprint: the cells that count, and its centre; its middle where it is too large."""
    from rich.text import Text

    rows, columns = weights.shape
    most = 31 if console.width != PIPE_WIDTH else rows
    top, left = max(0, (rows - most) // 2), max(0, (columns - (console.width - 2) // 2) // 2)
    centre = (rows - 1) // 2, (columns - 1) // 2
    for row in range(top, min(top + most, rows)):
        cells = weights[row, left : left + (console.width - 2) // 2] != 0
        marks = ["#" if cell else "." for cell in cells.tolist()]
        if row == centre[0]:
            middle = centre[1] - left
            marks[middle] = "@" if cells[middle] else "o"
        console.print(Text("  " + " ".join(marks)), soft_wrap=True)
    note = (
        "  # counts, @ is the centre"
        if weights[centre]
        else "  # counts, o is the centre, which does not"
    )
    if top or left:
        note += f"; the middle of {rows}x{columns}, in a pipe all are printed"
    console.print(Text(note, "dim"))


def _decimals(weights: Array) -> int | None:
    """Decimals that show four digits of the largest weight, or as many as all weights need.

    None where the weights are so large or small that powers of ten read better.
    """
    peak = float(np.abs(weights).max())
    if peak and not 1e-6 < peak < 1e9:
        return None
    most = max(3 - math.floor(math.log10(peak)), 0) if peak else 0
    return next((d for d in range(most) if (np.round(weights, d) == weights).all()), most)
