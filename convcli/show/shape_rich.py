"""Reports on a terminal, drawn with Rich."""

from __future__ import annotations

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from convcli.show.shape_document import Code, Document, Formula, Notes, Pairs, Part, Table
from convcli.show.shape_text import column_widths, plain_lines

__all__ = ["draw"]

LEAST_WORDS = 12
"""A column of words is folded down to this width before numbers give way."""


def draw(document: Document, console: Console) -> None:
    """Print a report part by part."""
    title, _, rest = document.title.partition("  ")
    head = Text(title, style="bold cyan")
    if rest:
        head.append(f"  {rest}", style="bold")
    console.print(head)
    for part in document.parts:
        console.print()
        if isinstance(part, Table) and _narrowest(part) >= console.width:
            # No room even for folded words: the terminal may wrap, but nothing is lost.
            console.print("\n".join(plain_lines(part)), soft_wrap=True)
        else:
            console.print(Padding(_render(part), (0, 0, 0, 1), expand=False))


def _narrowest(part: Table) -> int:
    """Columns that a table needs when its words are folded and its numbers whole."""
    widths = [
        min(width, LEAST_WORDS) if column.align == "left" else width
        for column, width in zip(part.columns, column_widths(part), strict=True)
    ]
    return sum(widths) + 2 * len(widths)


def _render(part: Part) -> RenderableType:
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Formula):
        text = Text(no_wrap=False)
        if part.title:
            text.append(f"{part.title}\n", style="dim")
        text.append("\n".join(part.lines[:-1]))
        text.append(f"\n{part.lines[-1]}", style="bold green")
        return text
    if isinstance(part, (Pairs, Code)):
        grid = RichTable.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for label, value in part.rows:
            grid.add_row(Text(label), Text(value, style="green" if isinstance(part, Code) else ""))
        return grid
    return _notes(part)


def _table(part: Table) -> RichTable:
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for column, width in zip(part.columns, column_widths(part), strict=True):
        # The wide column of words folds onto a second line before any number would be cut.
        words = column.align == "left"
        table.add_column(
            column.heading,
            justify=column.align,
            overflow="fold",
            no_wrap=not words,
            min_width=LEAST_WORDS if words and width >= LEAST_WORDS else width,
            header_style="bold",
        )
    last = len(part.rows) - part.footer
    for index, row in enumerate(part.rows):
        if index == last:
            table.add_section()
        table.add_row(
            *(
                Text(cell, style="bold yellow" if (index, place) in part.marked else "")
                for place, cell in enumerate(row)
            ),
            style="bold" if index >= last else "",
        )
    return table


def _notes(part: Notes) -> RenderableType:
    style = "bold red" if part.warning else "yellow"
    if not part.title:
        return Text("\n".join(part.lines), style="dim")
    grid = RichTable.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.title = Text(part.title, style=style)
    grid.title_justify = "left"
    for line in part.lines:
        grid.add_row(Text("-", style=style), Text(line))
    return grid
