"""Tensors as text: a line with the shape, then the numbers in aligned columns, slice by slice."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.arithmetic.sizes import cross
from convcli.errors import TensorError
from convcli.ops.exact import as_floats, has_symbols
from convcli.ops.polynomial import Polynomial
from convcli.show.console import make_console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = [
    "abbreviated",
    "aligned",
    "bracketed",
    "cell_text",
    "describe",
    "grid",
    "show_tensor",
    "tensor_document",
]

Array = np.ndarray[Any, Any]

MAX_ROWS = 12
MAX_COLUMNS = 16
MAX_SLICES = 6
EDGE = 3
"""Rows, columns and slices kept at both ends of what is cut."""


def describe(array: Array) -> str:
    """Shape and type in words; fractions are exact.

    >>> describe(np.zeros((2, 3)))
    '2x3 float64'
    """
    kind = array.dtype.name
    if array.dtype.kind == "O":
        kind = "symbolic" if has_symbols(array) else "exact"
    return f"{cross(array.shape) or 'scalar'} {kind}"


def cell_text(value: Any) -> str:
    """A number as short as it can be read, a fraction, or a polynomial.

    >>> cell_text(np.float32(0.1)), cell_text(-0.0), cell_text(np.int64(7))
    ('0.1', '0', '7')
    """
    if isinstance(value, (float, np.floating)):
        text = f"{value:.6g}"
        return "0" if text == "-0" else text
    return str(value)


def bracketed(text: str, value: Any) -> str:
    """The text of a number or polynomial as one factor of a product.

    >>> bracketed("-2", -2), bracketed("a", Polynomial.of("a"))
    ('(-2)', 'a')
    >>> bracketed("a-1", Polynomial.of("a") - 1)
    '(a-1)'
    """
    several = isinstance(value, Polynomial) and len(value.terms) > 1
    return f"({text})" if text.startswith("-") or several else text


def tensor_document(array: Array) -> dict[str, Any]:
    """The object that ``--json`` prints and that is read back: shape, dtype, data.

    Raises
    ------
    TensorError
        If a value is not finite, which JSON cannot say.

    >>> tensor_document(np.array([[1, 2]]))
    {'shape': [1, 2], 'dtype': 'int64', 'data': [[1, 2]]}
    """
    array = as_floats(array)
    if array.dtype.kind == "O":
        texts = [v if isinstance(v, int) else _symbol(v) for v in array.flat]
        filled = np.empty(len(texts), object)
        filled[:] = texts
        data = filled.reshape(array.shape).tolist()
        return {"shape": list(array.shape), "dtype": "symbolic", "data": data}
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise TensorError(
            f"the result has values beyond {array.dtype.name}; JSON cannot hold them: use -o FILE.npy"
        )
    return {"shape": list(array.shape), "dtype": array.dtype.name, "data": array.tolist()}


def _symbol(value: Any) -> Any:
    text = str(value)
    try:
        return json.loads(text)  # a polynomial without names is a number
    except ValueError:
        return text


def abbreviated(size: int, limit: int) -> list[int | None]:
    """Indices to show, with None where some are left out.

    >>> abbreviated(4, 12), abbreviated(20, 12)
    ([0, 1, 2, 3], [0, 1, 2, None, 17, 18, 19])
    """
    if size <= limit:
        return list(range(size))
    return [*range(EDGE), None, *range(size - EDGE, size)]


def grid(matrix: Array, rows: list[int | None], columns: list[int | None]) -> list[list[str]]:
    """Texts of the chosen rows and columns, with dots for those left out."""
    texts = []
    for r in rows:
        if r is None:
            texts.append(["⋮" if c is not None else "⋱" for c in columns])
        else:
            texts.append(["…" if c is None else cell_text(matrix[r, c]) for c in columns])
    return texts


def aligned(texts: list[list[str]]) -> list[str]:
    """Rows with their columns right-aligned, two spaces apart.

    >>> aligned([["1", "20"], ["-3", "4"]])
    [' 1  20', '-3   4']
    """
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
        for row in texts
    ]


def _fitting(matrix: Array, rows: list[int | None], width: int) -> list[list[str]]:
    """As many columns as fit into ``width`` characters."""
    size = matrix.shape[1]
    texts = grid(matrix, rows, abbreviated(size, MAX_COLUMNS))
    while len(aligned(texts)[0]) > width and size > 2:
        keep = max((len(texts[0]) - 2) // 2, 1)
        columns = [*range(keep), None, *range(size - keep, size)]
        if len(columns) >= len(texts[0]):
            break
        texts = grid(matrix, rows, columns)
    return texts


def show_tensor(array: Array, title: str, console: Console | None = None) -> None:
    """Print the title with shape and type, then the numbers; large arrays are abbreviated."""
    from rich.text import Text

    console = console or make_console()
    line = Text(title, "bold")
    line.append(f"  {describe(array)}", "cyan")
    console.print(line, soft_wrap=True)
    if array.ndim == 0:
        console.print(f"  {cell_text(array.item())}")
        return
    planes = array.reshape((1,) * max(2 - array.ndim, 0) + array.shape)
    lead = planes.shape[:-2]
    places = list(itertools.product(*map(range, lead)))
    for index in abbreviated(len(places), MAX_SLICES):
        if index is None:
            console.print(Text(f"  … {len(places) - 2 * EDGE} more slices …", "dim"))
            continue
        if lead:
            console.print(Text(f"  [{', '.join(map(str, places[index]))}]", "dim"))
        for row in _plane(planes[places[index]], console.width - 4):
            console.print(row, soft_wrap=True)


def _plane(matrix: Array, width: int) -> list[Text]:
    from rich.text import Text

    rows = abbreviated(matrix.shape[0], MAX_ROWS)
    lines = aligned(_fitting(matrix, rows, width))
    return [Text("    " + line) for line in lines]
