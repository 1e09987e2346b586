"""Text into rows of cells: what separates them, and what a spreadsheet puts around them.

Kernels and tensors are read alike: a row ends at a line's end or at ``;``, and commas, tabs or
blanks separate its cells. Where each of several lines holds single cells between ``;``, as
spreadsheets of many countries write them, ``;`` separates cells and a comma is a decimal comma.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from convcli.errors import ConvcliError, KernelError

__all__ = ["TableRow", "row_remark", "split_table"]

_LONE = re.compile(r'"?[^\s,;"]+(?:,\d+)?"?|"[^";]*"')
"""One cell of a spreadsheet, perhaps with a decimal comma."""
_BETWEEN = re.compile(r"(?:\s*,\s*|\s+)(?![^\[\]]{0,9}\])")
"""What separates cells; in the brackets of ``x[0,1]`` it does not. What stands in brackets is
short, so that looking ahead takes no time in rows of thousands."""
_EVERY = {3: "third", 5: "fifth", 7: "seventh", 9: "ninth"}


class TableRow(NamedTuple):
    """The cells of a row, and where it stands, for messages."""

    place: str
    cells: list[str]


def split_table(
    text: str, name: str, *, numbered: bool = True, error: type[ConvcliError] = KernelError
) -> list[TableRow]:
    """Cut text into rows; what follows ``#`` is a comment, and quotes around a cell go.

    ``numbered`` adds the line to where a row stands.

    >>> [row.cells for row in split_table("1,5;2\\n3;4", "k.csv")]
    [['1.5', '2'], ['3', '4']]
    >>> split_table("1, 0; 2 0", "literal", numbered=False)[1]
    TableRow(place='literal, row 2', cells=['2', '0'])
    """
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    pieces = {n: _pieces(line) for n, line in enumerate(lines, 1) if line.strip("; ")}
    several = len(pieces) > 1 and any(len(found) > 1 for found in pieces.values())
    if several and all(map(_is_lone, (piece for found in pieces.values() for piece in found))):
        cells = {n: [_decimal(_bare(piece)) for piece in found] for n, found in pieces.items()}
        return [TableRow(_place(name, n * numbered), row) for n, row in cells.items()]
    rows = []
    for number, found in pieces.items():
        place = _place(name, number * numbered)
        if several and len(found) > 1:
            raise error(
                f"{place}: a line with ';' in it among others; separate cells by commas, tabs or "
                "blanks, and rows by line ends or by ';', not both"
            )
        for index, piece in enumerate(found, 1):
            where = f"{place}, row {index}" if len(found) > 1 else place
            if not piece:
                raise error(f"{where} is empty")
            rows.append(
                TableRow(where, [_bare(cell) for cell in _BETWEEN.split(_untrailed(piece))])
            )
    return rows


def row_remark(row: str, count: int) -> str:
    """What to say of a kernel of one row that is probably meant as several; empty otherwise.

    >>> row_remark("0,-1,0,-1,5,-1,0,-1,0", 9)
    'a row of 9; for 3x3 write ; after every third'
    >>> row_remark("1,2 3,4", 4)
    'a row of 4; for 2x2 write ; between the rows'
    """
    for side, nth in _EVERY.items():
        if count == side * side:
            return f"a row of {count}; for {side}x{side} write ; after every {nth}"
    groups = [part.count(",") + 1 for part in re.sub(r"\s*,\s*", ",", row).split()]
    if len(groups) > 1 and len(set(groups)) == 1 and groups[0] > 1:
        return f"a row of {count}; for {len(groups)}x{groups[0]} write ; between the rows"
    return ""


def _is_lone(piece: str) -> bool:
    return not piece or _LONE.fullmatch(piece) is not None


def _place(name: str, line: int) -> str:
    return f"{name}, line {line}" if line else name


def _pieces(line: str) -> list[str]:
    return [piece.strip() for piece in line.rstrip("; ").split(";")]


def _untrailed(row: str) -> str:
    return re.sub(r"\s*,$", "", row)


def _bare(cell: str) -> str:
    return cell[1:-1] if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _decimal(cell: str) -> str:
    return re.sub(r"(?<=\d),(?=\d)", ".", cell)
