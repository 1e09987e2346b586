"""A network as a report: a row per layer, totals, and where it breaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcli.arithmetic.network_report import LayerReport, NetworkReport
from convcli.arithmetic.receptive_field import ReceptiveField
from convcli.arithmetic.sizes import cross
from convcli.show.shape_document import (
    Column,
    Document,
    Notes,
    Pairs,
    Part,
    Table,
    amount,
    memory,
    number,
    size,
)

__all__ = ["ROOMY", "fold", "network_document", "same_scale"]

ROOMY = 112
"""Columns from which on names and exact numbers fit."""


SAME_SCALE = 0.85


def fold(rows: Sequence[LayerReport]) -> list[list[LayerReport]]:
    """Rows grouped so that what keeps the shape (bn, relu, ...) joins the layer before it.

    It reads nothing else, as the two halves of SiLU, x and its sigmoid, do.
    """
    groups: list[list[LayerReport]] = []
    for row in rows:
        before = {other.name for other in groups[-1]} if groups else set()
        joins = row.keeps_shape and {*row.inputs} <= before
        if joins and row.output == groups[-1][-1].output:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def same_scale(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether sizes are about the same: a 3x3 without padding, which takes two cells, keeps it.

    >>> same_scale((28, 28), (26, 26)), same_scale((28, 28), (14, 14))
    (True, False)
    """
    return all(SAME_SCALE < a / b < 1 / SAME_SCALE for a, b in zip(one, other, strict=True))


def network_document(report: NetworkReport, *, roomy: bool = True) -> Document:
    """The whole network; ``roomy`` adds names, folded layers and exact numbers.

    >>> from convcli.arithmetic.network import Network
    >>> document = network_document(Network.load("lenet5").evaluate())
    >>> document.data["totals"]["params"]
    61706
    """
    count = number if roomy else amount
    groups = fold(report.rows)
    above = [None, *(group[-1] for group in groups)]
    cells = [_cells(group, last, roomy) for group, last in zip(groups, above, strict=False)]
    sums = [sum(row.params for group in groups for row in group)]
    sums.append(sum(row.macs for group in groups for row in group))
    sums.append(sum(row.activations for group in groups for row in group))
    totals = report.totals
    if sums != [totals.params, totals.macs, totals.activations]:
        raise AssertionError(f"the rows sum to {sums}, the totals are {totals}")
    whole = "total" if report.failure is None else "up to there"
    total = [whole, "", count(sums[0]), count(sums[1]), memory(sums[2]), "", "", ""]
    columns = [
        Column("layer", "left"),
        Column("output", "left"),
        Column("params"),
        Column("MACs"),
        Column("memory"),
        Column("RF"),
        Column("jump"),
        Column("start"),
    ]
    if roomy:
        columns.insert(0, Column("name", "left"))
        total.insert(0, "")
    parts: list[Part] = [Table(columns, [*cells, total], footer=1)]
    if not roomy and len(groups) < len(report.rows):
        parts.append(Notes(["bn, relu and the like are counted in the layer above them"]))
    if report.failure is None:  # a part says nothing of the whole
        parts.append(Pairs(_facts(report)))
    said = list(dict.fromkeys(f"{row.name}: {row.note}" for row in report.rows if row.note))
    if any(not field.aligned for row in report.rows for field in row.fields):
        said.append(
            "~ a receptive field behind branches that are not aligned, uneven pooling or resizing"
        )
    if said:
        parts.append(Notes(said, title="worth knowing"))
    if report.failure:
        failure = report.failure
        lines = [f"{failure.name} ({failure.label}): {failure.reason}"]
        if failure.repair:
            lines.append(failure.repair)
        parts.append(Notes(lines, title="the chain breaks here", warning=True))
    title = (
        report.title
        + f"  {cross(report.input)} -> {'?' if report.failure else cross(report.output)}"
    )
    return Document(title, parts, _data(report), [_record(row) for row in report.rows])


def _cells(group: Sequence[LayerReport], above: LayerReport | None, roomy: bool) -> list[str]:
    first = group[0]
    label = first.label
    if roomy:
        label = ", ".join(dict.fromkeys(row.label for row in group))
    count = number if roomy else amount
    params = sum(row.params for row in group)
    macs = sum(row.macs for row in group)
    cells = [
        _indent(first, above) + label,
        cross(first.output),
        count(params) if params else "-",
        count(macs) if macs else "-",
        memory(sum(row.activations for row in group)),
        *_field(first.fields, first.flat),
    ]
    return [first.name, *cells] if roomy else cells


def _indent(row: LayerReport, above: LayerReport | None) -> str:
    """Two blanks per branch around a layer; the first of a branch gets a dash."""
    if not row.depth:
        return ""
    opens = above is None or above.depth < row.depth or row.inputs != (above.name,)
    return "  " * (row.depth - 1) + ("- " if opens else "  ")


def _field(fields: Sequence[ReceptiveField], flat: bool) -> list[str]:
    def each(values: list[str]) -> str:
        return values[0] if len(set(values)) == 1 else cross(values)

    if not fields:
        return ["-", "-", "-"]
    mark = "" if all(field.aligned for field in fields) else "~"
    sizes = mark + each([size(field.size) for field in fields])
    if flat:
        return [sizes, "-", "-"]
    return [sizes, each([size(f.jump) for f in fields]), each([size(f.start) for f in fields])]


def _facts(report: NetworkReport) -> list[tuple[str, str]]:
    totals = report.totals
    rows = [
        ("parameters", f"{number(totals.params)}, {memory(totals.params)} in float32"),
        ("MACs", f"{number(totals.macs)}: convolutions and linear layers, biases not counted"),
        ("FLOPs", f"{number(totals.flops)}, 2 per MAC"),
        ("activations", f"{memory(totals.activations)} in float32, every layer's output kept"),
    ]
    for what, shapes in (("output", report.outputs), ("input", report.inputs)):
        if len(shapes) > 1:
            named = ", ".join(
                f"{name} {cross(shape) or 'scalar'}" for name, shape in shapes.items()
            )
            rows.insert(0, (what + "s", named))
    if report.batch != 1:
        rows.insert(0, ("batch", str(report.batch)))
    if report.source:
        rows.append(("source", report.source))
    return rows


def _data(report: NetworkReport) -> dict[str, Any]:
    totals = report.totals
    data: dict[str, Any] = {
        "network": report.title,
        "input": [report.batch, *report.input],
        "output": [report.batch, *report.output],
        "layers": [_layer_data(row) for row in report.rows],
        "totals": {
            "params": totals.params,
            "macs": totals.macs,
            "flops": totals.flops,
            "params_bytes": totals.params_bytes,
            "activations_bytes": totals.activations_bytes,
        },
    }
    for key, shapes in (("inputs", report.inputs), ("outputs", report.outputs)):
        if shapes:
            data[key] = {name: list(shape) for name, shape in shapes.items()}
    if report.failure:
        failure = report.failure
        data["output"] = data["totals"] = None  # what there is belongs to a part
        data["failure"] = {
            "name": failure.name,
            "layer": failure.label,
            "reason": failure.reason,
            "repair": failure.repair,
        }
    return data


def _layer_data(row: LayerReport) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "layer": row.label,
        "inputs": list(row.inputs),
        "output": list(row.shape),
        "params": row.params,
        "macs": row.macs,
        "activations_bytes": 4 * row.activations,
        "receptive_field": [field.size for field in row.fields],
        "jump": None if row.flat else [field.jump for field in row.fields],
        "start": None if row.flat else [field.start for field in row.fields],
        "aligned": all(field.aligned for field in row.fields),
        "note": row.note,
    }


def _record(row: LayerReport) -> dict[str, Any]:
    sizes, jump, start = _field(row.fields, row.flat)
    return {
        "name": row.name,
        "kind": row.kind,
        "layer": row.label,
        "output": cross(row.output),
        "params": row.params,
        "macs": row.macs,
        "activations_bytes": 4 * row.activations,
        "receptive_field": sizes.removeprefix("~"),
        "jump": "" if jump == "-" else jump,
        "start": "" if start == "-" else start,
        "aligned": not sizes.startswith("~"),
    }
