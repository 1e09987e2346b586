"""Rows of weights in text: CSV, TSV, blanks, with the header that a spreadsheet puts above."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from convcli.arithmetic.numerals import parse_number
from convcli.errors import KernelError
from convcli.kernels.kernel import MAX_SIDE
from convcli.kernels.text_table import TableRow, row_remark, split_table

__all__ = ["parse_rows"]

Array = NDArray[np.float64]

_NAME = re.compile(r"(?!(?i:nan|inf|infinity)$)[^\W\d][^,;]*")
"""A cell of a header; a weight that is not finite is none."""


def parse_rows(text: str, name: str, *, numbered: bool = True) -> tuple[Array, str]:
    """Read weights row by row, as :mod:`convcli.kernels.text_table` cuts them.

    Parameters
    ----------
    text
        The rows; a first row of names, in a file, is a header.
    name
        What messages call it: a file, or ``literal``.
    numbered
        Whether it is a file, of which messages name the line.

    Returns
    -------
    weights, remark
        ``remark`` says what whoever wrote them may have overlooked; mostly it is empty.

    Raises
    ------
    KernelError
        If a row is not numbers or not as long as the first; names the line.

    >>> parse_rows("1, 0, -1\\n2 0 -2  # twice", "k.txt")[0].tolist()
    [[1.0, 0.0, -1.0], [2.0, 0.0, -2.0]]
    >>> parse_rows("1 2\\n3", "k.txt")
    Traceback (most recent call last):
    ...
    convcli.errors.KernelError: k.txt, line 2: this row has 1 weight, the first has 2; every row must be equally long
    """
    table = split_table(text, name, numbered=numbered)
    header = table[0] if numbered and len(table) > 1 and _is_header(table[0]) else None
    rows: list[list[float]] = []
    for row in table[header is not None :]:
        rows.append(_weights(row))
        if len(rows[-1]) != len(rows[0]):
            count = len(rows[-1])
            raise KernelError(
                f"{row.place}: this row has {count} weight{'s' * (count != 1)}, the first has "
                f"{len(rows[0])}; every row must be equally long"
            )
        if max(len(rows), len(rows[0])) > MAX_SIDE:
            raise KernelError(f"{row.place}: more than {MAX_SIDE} weights in a row or column")
    if not rows:
        raise KernelError(f"{name} holds no weights")
    remark = row_remark(text, len(rows[0])) if len(rows) == 1 else ""
    if numbered and len(rows) > 1 and len(rows[0]) == 1 and "\n" not in text.strip():
        remark = f"a column of {len(rows)}, for ; ends a row; a row is written with commas"
    if header is not None:
        remark = f"read without its first line, which is a header: {', '.join(header.cells)}"
    return np.array(rows), remark


def _is_header(row: TableRow) -> bool:
    return all(_NAME.fullmatch(cell) for cell in row.cells)


def _weights(row: TableRow) -> list[float]:
    try:
        return [parse_number(cell) for cell in row.cells]
    except ValueError as error:
        if "" in row.cells:
            raise KernelError(
                f"{row.place}: a cell is empty; write 0 where there is none"
            ) from error
        raise KernelError(f"{row.place}: {error}") from error
