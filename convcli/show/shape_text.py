"""Reports as text: plain for pipes, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from convcli.show.shape_document import Code, Document, Formula, Notes, Pairs, Part, Table

__all__ = [
    "column_widths",
    "plain_lines",
    "to_csv",
    "to_json",
    "to_latex",
    "to_markdown",
    "to_plain",
]


def to_json(document: Document) -> str:
    """The report's data, as one JSON object."""
    return json.dumps(document.data, indent=2) + "\n"


def to_csv(document: Document) -> str:
    """The report's records, with a heading line."""
    out = io.StringIO()
    records = list(document.records)
    if records:
        writer = csv.DictWriter(out, fieldnames=list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    return out.getvalue()


def column_widths(table: Table) -> list[int]:
    """Characters of each column's widest cell."""
    return [
        max([len(column.heading), *(len(row[i]) for row in table.rows)])
        for i, column in enumerate(table.columns)
    ]


def _align(table: Table, cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.rjust(width) if column.align == "right" else cell.ljust(width)
        for cell, width, column in zip(cells, widths, table.columns, strict=True)
    ]


def to_plain(document: Document) -> str:
    """Aligned text without colour or boxes, whole at any width.

    >>> print(to_plain(Document("sizes", [Pairs([("n", "32"), ("kernel", "5")])], {})), end="")
    sizes
    <BLANKLINE>
    n       32
    kernel  5
    """
    chunks = [document.title]
    chunks += ["\n".join(plain_lines(part)) for part in document.parts]
    return "\n\n".join(chunks) + "\n"


def plain_lines(part: Part) -> list[str]:
    """One part of a report as plain lines."""
    if isinstance(part, Table):
        widths = column_widths(part)
        headings = [column.heading for column in part.columns]
        lines = ["  ".join(_align(part, row, widths)).rstrip() for row in [headings, *part.rows]]
        rule = "  ".join("-" * width for width in widths)
        lines.insert(1, rule)
        if part.footer:
            lines.insert(len(lines) - part.footer, rule)
        return lines
    if isinstance(part, Formula):
        return [*([part.title + ":"] if part.title else []), *part.lines]
    if isinstance(part, (Pairs, Code)):
        width = max((len(label) for label, _ in part.rows), default=0)
        return [f"{label.ljust(width)}  {text}" for label, text in part.rows]
    lines = [f"- {line}" for line in part.lines]
    return [f"{part.title}:", *lines] if part.title else [line[2:] for line in lines]


def to_markdown(document: Document) -> str:
    """GitHub's Markdown.

    >>> print(to_markdown(Document("sizes", [Notes(["a | b"])], {})), end="")
    ### sizes
    <BLANKLINE>
    - a \\| b
    """
    chunks = [f"### {_markdown_escape(document.title)}"]
    chunks += ["\n".join(_markdown(part)) for part in document.parts]
    return "\n\n".join(chunks) + "\n"


def _markdown_escape(text: str) -> str:
    for mark in "\\|*_~[]<>`":
        text = text.replace(mark, "\\" + mark)
    return text


def _markdown(part: Part) -> list[str]:
    if isinstance(part, Table):
        rows = [[column.heading for column in part.columns], *part.rows]
        lines = ["| " + " | ".join(_markdown_cell(cell) for cell in row) + " |" for row in rows]
        marks = ["---:" if column.align == "right" else ":---" for column in part.columns]
        lines.insert(1, "| " + " | ".join(marks) + " |")
        return lines
    if isinstance(part, Formula):
        return [*([f"**{part.title}**", ""] if part.title else []), "```", *part.lines, "```"]
    if isinstance(part, Code):
        return [f"- {label}: `{code}`" for label, code in part.rows]
    if isinstance(part, Pairs):
        return [
            f"- **{' '.join(label.split())}**: {_markdown_escape(text)}"
            for label, text in part.rows
        ]
    lines = [f"- {_markdown_escape(line)}" for line in part.lines]
    return [f"**{part.title}**", "", *lines] if part.title else lines


def _markdown_cell(cell: str) -> str:
    """A cell; leading blanks, which show the depth of a branch, are kept as such."""
    bare = cell.lstrip()
    return "&nbsp;" * (len(cell) - len(bare)) + _markdown_escape(bare)


TEX = {
    "\\": r"\textbackslash{}",
    **{mark: "\\" + mark for mark in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


def _tex(text: str) -> str:
    return "".join(TEX.get(mark, mark) for mark in text).replace("-\\textgreater{}", "$\\to$")


def to_latex(document: Document) -> str:
    """A fragment for a LaTeX document; needs no package.

    >>> print(to_latex(Document("a_b -> c", [Notes(["50 %"])], {})), end="")
    \\paragraph{a\\_b $\\to$ c}
    <BLANKLINE>
    \\begin{itemize}
      \\item 50 \\%
    \\end{itemize}
    """
    chunks = [rf"\paragraph{{{_tex(' '.join(document.title.split()))}}}"]
    chunks += ["\n".join(_latex(part)) for part in document.parts]
    return "\n\n".join(chunks) + "\n"


def _latex(part: Part) -> list[str]:
    if isinstance(part, Table):
        return _latex_table(part)
    if isinstance(part, Formula):
        title = [f"{_tex(part.title)}:"] if part.title else []
        return [*title, rf"\[ {part.latex} \]"]
    if isinstance(part, Notes):
        items = [rf"  \item {_tex(line)}" for line in part.lines]
        title = [f"{_tex(part.title)}:"] if part.title else []
        return [*title, r"\begin{itemize}", *items, r"\end{itemize}"]
    body = [
        rf"  {_tex(' '.join(label.split()))} & "
        + (rf"\texttt{{{_tex(text)}}}" if isinstance(part, Code) else _tex(text))
        + r" \\"
        for label, text in part.rows
    ]
    return [r"\begin{tabular}{ll}", *body, r"\end{tabular}"]


def _latex_table(table: Table) -> list[str]:
    spec = "".join("r" if column.align == "right" else "l" for column in table.columns)
    rows = [
        "  " + " & ".join(_latex_cell(cell) for cell in row) + r" \\"
        for row in [[column.heading for column in table.columns], *table.rows]
    ]
    rows.insert(1, r"  \hline")
    if table.footer:
        rows.insert(len(rows) - table.footer, r"  \hline")
    return [rf"\begin{{tabular}}{{{spec}}}", *rows, r"\end{tabular}"]


def _latex_cell(cell: str) -> str:
    bare = cell.lstrip()
    return r"\quad " * ((len(cell) - len(bare)) // 2) + _tex(bare)
