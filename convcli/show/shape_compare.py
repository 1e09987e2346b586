"""Dialects side by side, and the answers to the inverse question."""

from __future__ import annotations

from collections.abc import Sequence

from convcli.arithmetic.dialects import DialectComparison
from convcli.arithmetic.layer import Layer
from convcli.arithmetic.sizes import cross, show_padding
from convcli.arithmetic.solver import Solution
from convcli.show.shape_document import Code, Column, Document, Notes, Part, Table

__all__ = ["compare_document", "solve_document"]

MOST_SHOWN = 12


def compare_document(
    layer: Layer, spatial: Sequence[int], rows: Sequence[DialectComparison]
) -> Document:
    """A row per framework; a star where it differs from most of the others."""
    cells, marked = [], set()
    for row, comparison in enumerate(rows):
        spoken = comparison.spoken
        if spoken is None:
            cells.append((comparison.dialect, "refused", "-"))
            marked.add((row, 1))
            continue
        pads = [show_padding(*pair) for pair in spoken.padding]
        pad = pads[0] if len(set(pads)) == 1 else cross(pads)
        if comparison.output_differs:
            marked.add((row, 1))
        if comparison.padding_differs:
            marked.add((row, 2))
        cells.append(
            (
                comparison.dialect,
                cross(spoken.output) + " *" * comparison.output_differs,
                pad + " *" * comparison.padding_differs,
            )
        )
    columns = (Column("dialect", "left"), Column("output", "left"), Column("padding", "left"))
    parts: list[Part] = [Table(columns, cells, marked=frozenset(marked))]
    if any(row.output_differs or row.padding_differs for row in rows):
        parts.append(Notes(["* differs from the others (from the first, where they are split)"]))
    parts.append(Code([(row.dialect, row.spoken.code) for row in rows if row.spoken]))
    said = [f"{row.dialect}: {row.refusal}" for row in rows if not row.spoken]
    said += [f"{row.dialect}: {line}" for row in rows if row.spoken for line in row.spoken.remarks]
    if said:
        parts.append(Notes(said, title="worth knowing"))
    data = {
        "kind": layer.kind,
        "input": list(spatial),
        "dialects": [
            {
                "dialect": row.dialect,
                "output": list(row.spoken.output) if row.spoken else None,
                "padding": [list(pair) for pair in row.spoken.padding] if row.spoken else None,
                "code": row.spoken.code if row.spoken else None,
                "differs": row.output_differs or row.padding_differs or row.spoken is None,
                "remarks": list(row.spoken.remarks) if row.spoken else [row.refusal],
            }
            for row in rows
        ],
    }
    records = [
        {
            "dialect": row.dialect,
            "output": cross(row.spoken.output) if row.spoken else "",
            "padding": cross([show_padding(*p) for p in row.spoken.padding]) if row.spoken else "",
            "code": row.spoken.code if row.spoken else "",
            "refusal": row.refusal,
        }
        for row in rows
    ]
    return Document(f"{layer}  on {cross(spatial)}", parts, data, records)


def solve_document(
    kind: str, spatial: Sequence[int], wanted: Sequence[int], solutions: Sequence[Solution]
) -> Document:
    """The layers that turn one size into another, common ones first."""
    transposed = kind == "conv_transpose"
    headings = ["k", "s", "p", "d", *(["op"] if transposed else [])]
    columns = [*(Column(heading) for heading in headings), Column("", "left")]
    shown = solutions[:MOST_SHOWN]
    cells = []
    for found in shown:
        numbers = [
            str(found.kernel_size),
            str(found.stride),
            show_padding(*found.padding),
            str(found.dilation),
        ]
        if transposed:
            numbers.append(str(found.output_padding))
        cells.append([*numbers, found.remark])
    parts: list[Part] = [Table(columns, cells)]
    if len(solutions) > len(shown):
        parts.append(
            Notes(
                [
                    f"{len(solutions) - len(shown)} more; fix some of --k --s --p --d to narrow "
                    "them down, or list all with --json or --csv"
                ]
            )
        )
    records = [
        {
            "kernel_size": found.kernel_size,
            "stride": found.stride,
            "padding": list(found.padding),
            "dilation": found.dilation,
            "output_padding": found.output_padding,
        }
        for found in solutions
    ]
    data = {
        "kind": kind,
        "input": list(spatial),
        "output": list(wanted),
        "solutions": records,
    }
    flat = [
        {**record, "padding": show_padding(*found.padding)}
        for record, found in zip(records, solutions, strict=True)
    ]
    title = f"{kind} layers for {cross(spatial)} -> {cross(wanted)}"
    return Document(title, parts, data, flat)
