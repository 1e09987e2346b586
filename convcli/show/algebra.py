"""Matrices and vectors side by side, as a lecture draws them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.kernels.blas import matmul
from convcli.ops.exact import has_symbols
from convcli.ops.identities import Identity
from convcli.ops.impulses import Impulse
from convcli.ops.matrix_product import MatrixProduct
from convcli.ops.separable import Separated
from convcli.show.console import make_console
from convcli.show.tensor_text import abbreviated, cell_text, describe, grid, show_tensor

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = [
    "show_check",
    "show_circulant",
    "show_decomposition",
    "show_impulses",
    "show_product",
    "show_response",
    "show_separated",
]

Array = np.ndarray[Any, Any]
Style = Callable[[int, int], str]

DIAGONALS = ("cyan", "green", "yellow", "magenta", "blue", "red")
SIDES = (24, 16, 10, 7)
"""Most rows and columns shown of a matrix: the first of these that fits into the width."""
LISTED = 8


def _plain(row: int, column: int) -> str:
    return ""


@dataclass(frozen=True)
class Box:
    """A matrix to be drawn in brackets, its entries in colours."""

    matrix: Array
    style: Style = _plain


def boxed(box: Box, side: int) -> list[Text]:
    """One line for each row; of more than ``side`` rows or columns the middle is left out."""
    from rich.text import Text

    matrix, style = box.matrix, box.style
    rows, columns = (abbreviated(n, side) for n in matrix.shape)
    texts = grid(matrix, rows, columns)
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = []
    for number, (r, row) in enumerate(zip(rows, texts, strict=True)):
        first, last = number == 0, number == len(rows) - 1
        left, right = "[]" if first and last else "⎡⎤" if first else "⎣⎦" if last else "⎢⎥"
        line = Text(left)
        for c, text, width in zip(columns, row, widths, strict=True):
            line.append(" " if line.plain != left else "")
            colour = style(r, c) if r is not None and c is not None else "dim"
            line.append(text.rjust(width), "dim" if text == "0" and not colour else colour)
        lines.append(line.append(right))
    return lines


def _beside(parts: Sequence[Box | str], side: int) -> list[Text]:
    """Boxes and signs next to each other, aligned at the top."""
    from rich.text import Text

    blocks = [[Text(part)] if isinstance(part, str) else boxed(part, side) for part in parts]
    lines = [Text() for _ in range(max(map(len, blocks)))]
    for block in blocks:
        width = max(line.cell_len for line in block)
        for number, line in enumerate(lines):
            piece = block[number].copy() if number < len(block) else Text()
            piece.append(" " * (width - piece.cell_len))
            line.append_text(piece)
    return lines


def _print(console: Console, lines: Sequence[Text]) -> None:
    for line in lines:
        line.rstrip()
        console.print(line, soft_wrap=True)


def _side_by_side(console: Console, parts: Sequence[Box | str]) -> None:
    """Beside each other, abbreviated until they fit; else below each other."""
    for side in SIDES:
        lines = _beside(parts, side)
        if max(line.cell_len for line in lines) <= console.width:
            _print(console, lines)
            return
    for part in parts:
        if not isinstance(part, str):
            _print(console, boxed(part, SIDES[-1]))
        elif part.strip():
            console.print(part.strip(), soft_wrap=True)


def _diagonals(matrix: Array) -> Style:
    """One colour for each diagonal that the first row or column begins."""

    def style(row: int, column: int) -> str:
        value = matrix[row, column]
        return "" if value == 0 else DIAGONALS[(column - row) % len(DIAGONALS)]

    return style


def _weights(matrix: Array) -> Style:
    """One colour for each weight: along a Toeplitz diagonal, whatever the stride."""
    order = {str(v): i for i, v in enumerate(dict.fromkeys(v for v in matrix.flat if v != 0))}

    def style(row: int, column: int) -> str:
        place = order.get(str(matrix[row, column]))
        return "" if place is None else DIAGONALS[place % len(DIAGONALS)]

    return style


def show_product(product: MatrixProduct, console: Console | None = None) -> None:
    """Print the matrix, what it is multiplied with, the product and the check."""
    from rich.text import Text

    console = console or make_console()
    console.print(Text(product.title + ":", "bold"), soft_wrap=True)
    right = product.right
    if right is not None and right.ndim > 2:  # the windows of a batch
        for number, columns in enumerate(right):
            console.print(Text(f"member {number}:"))
            _side_by_side(console, [Box(columns)])
        return
    parts: list[Box | str] = []
    if product.left is not None:
        parts += [Box(product.left, _weights(product.left)), " "]
    if right is not None:
        marks = product.padding

        def mark(row: int, column: int) -> str:
            return "magenta" if marks is not None and marks[row] else ""

        parts.append(Box(right[:, None] if right.ndim == 1 else right, mark))
    if product.result is not None:
        result = product.result
        parts += [" = ", Box(result[:, None] if result.ndim == 1 else result)]
    _side_by_side(console, parts)
    if product.padding is not None and product.padding.any():
        console.print(Text(f"{int(product.padding.sum())} cells are padding", "dim"))
    if product.note:
        console.print(Text(product.note, "dim"), soft_wrap=True)
    if product.holds is not None:
        _verdict(console, product.holds, "equals the sliding window", product.difference or 0.0)


def _verdict(console: Console, holds: bool, claim: str, difference: float) -> None:
    from rich.text import Text

    word, style = ("✓ ", "green") if holds else ("✗ NOT: ", "bold red")
    text = f"{word}{claim}; largest difference {cell_text(difference)}"
    console.print(Text(text, style), soft_wrap=True)


def show_circulant(
    c: Array, s: Array, cs: Array, sc: Array, console: Console | None = None
) -> None:
    """Print C, S and both products."""
    console = console or make_console()
    style = _diagonals(c)
    _side_by_side(console, ["C = ", Box(c, style), "   S = ", Box(s)])
    console.print()
    _side_by_side(console, ["C S = ", Box(cs), "   S C = ", Box(sc)])
    equal = bool((cs == sc).all())
    rolled = bool((matmul(np, s, s.T) == np.eye(len(s))).all())
    _verdict(
        console, equal, "C S = S C: circular convolution commutes with shifts", float(not equal)
    )
    _verdict(console, rolled, "S Sᵀ = I: a shift undone is nothing", float(not rolled))


def show_separated(
    kernel: Array, found: Separated, console: Console | None = None, *, below: int = 1
) -> None:
    """Print the kernel as a sum of columns times rows, with the error and what it saves.

    ``below`` is what all of it is divided by, where the factors are those of whole numbers.
    """
    from rich.text import Text

    console = console or make_console()
    height, width = kernel.shape
    console.print(Text(f"rank {found.rank}, largest error {cell_text(found.error)}", "bold"))
    for number in range(found.rank):
        column = found.columns[:, number, None]
        row = found.rows[number, None, :]
        sign = "kernel = " if number == 0 else "       + "
        sign += f"1/{below} " if below != 1 else ""
        if number == LISTED:
            console.print(Text(f"… {found.rank - LISTED} more", "dim"))
            break
        _side_by_side(console, [sign, Box(column), " ", Box(row)])
    passes = found.rank * (height + width)
    better = "fewer" if passes < height * width else "no fewer"
    console.print(
        Text(f"{passes} products for each output instead of {height * width}: {better}", "dim")
    )


def show_response(response: Array, *, flip: bool, console: Console | None = None) -> None:
    """Print the impulse response and what it is."""
    way = "convolution gives the kernel itself" if flip else "correlation gives the kernel reversed"
    show_tensor(response, f"response to one impulse ({way}):", console)


def show_impulses(parts: Sequence[Impulse], total: Array, console: Console | None = None) -> None:
    """Print the signal as a sum of impulses, the response to each, and their sum."""
    from rich.text import Text

    console = console or make_console()
    terms = _print_terms(parts, "x", console)
    console.print(Text("responses:", "bold"))
    summed = _print_parts(parts, terms, total, console)
    equal = bool((summed == total).all()) if total.dtype.kind in "iuO" else None
    if equal is None:
        difference = float(np.abs(summed - total).max(initial=0))
        equal = difference <= 1e-6 * float(np.abs(total).max(initial=1))
    else:
        difference = float(not equal)
    _verdict(console, equal, f"equals the output ({describe(total)})", difference)


def show_decomposition(parts: Sequence[Impulse], x: Array, console: Console | None = None) -> None:
    """Print a signal as a sum of shifted impulses, each of them, and their sum."""
    from rich.text import Text

    console = console or make_console()
    names = "n" if x.ndim == 1 else ",".join("ijk"[: x.ndim])
    terms = _print_terms(parts, f"x[{names}]", console)
    console.print(Text("impulses:", "bold"))
    summed = _print_parts(parts, terms, x, console)
    equal = bool((summed == x).all())
    _verdict(console, equal, f"the impulses add up to x ({describe(x)})", float(not equal))


def _print_terms(parts: Sequence[Impulse], name: str, console: Console) -> list[str]:
    """The sum with its first terms, which are given back."""
    from rich.text import Text

    terms = [f"{_coefficient(p.value)}δ[{_shifted(p.index)}]" for p in parts[:LISTED]]
    rest = f" + … {len(parts) - LISTED} more" if len(parts) > LISTED else ""
    console.print(Text(f"{name} = " + (" + ".join(terms) or "0") + rest, "bold"), soft_wrap=True)
    return terms


def _print_parts(
    parts: Sequence[Impulse], terms: Sequence[str], total: Array, console: Console
) -> Array:
    """The first parts beside their terms, and the sum of all, which is given back."""
    for part, term in zip(parts[:LISTED], terms, strict=True):
        _side_by_side(console, [f"  {term.ljust(max(map(len, terms)))} → ", _rows(part.response)])
    summed: Array = np.zeros_like(total)
    for part in parts:
        summed = summed + part.response
    _side_by_side(console, ["  sum = ", _rows(summed)])
    return summed


def _rows(array: Array) -> Box:
    return Box(array.reshape(-1, array.shape[-1]))


def _coefficient(value: Any) -> str:
    text = cell_text(value)
    return "" if text == "1" else f"({text})·" if text.startswith("-") else f"{text}·"


def _shifted(index: tuple[int, ...]) -> str:
    names = ("n",) if len(index) == 1 else ("i", "j", "k")[: len(index)]
    return ", ".join(n if i == 0 else f"{n}-{i}" for n, i in zip(names, index, strict=True))


def show_check(check: Identity, console: Console | None = None) -> None:
    """Print both sides of an identity, what they are made of, and the largest difference."""
    console = console or make_console()
    for name, part in check.parts.items():
        show_tensor(part, f"{name}:", console)
    show_tensor(check.left, f"{check.left_name}:", console)
    show_tensor(check.right, f"{check.right_name}:", console)
    claim = f"both sides agree (allowed: {cell_text(check.tolerance)})"
    if has_symbols(check.left):
        claim = "both sides are the same polynomials, so they agree for all values"
    _verdict(console, check.holds, claim, check.difference)
    if check.note:
        from rich.text import Text

        console.print(Text(check.note, "dim"), soft_wrap=True)
