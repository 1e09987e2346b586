"""``convcli bench``: the table of algorithms and backends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcli.engine.algorithms import ALGORITHMS
from convcli.engine.speeds import Speeds
from convcli.runs.bench import Timing
from convcli.show.shape_document import Column, Document, Notes, Pairs, Part, Table, amount

__all__ = ["bench_document", "calibration_document"]

TOLERANCE = 1.25
"""A choice that takes so many times the best is worth a word."""


def bench_document(
    timings: Sequence[Timing],
    size: tuple[int, int],
    channels: int,
    threads: int,
    loops: str,
    no_gpu: str,
) -> Document:
    """The table, what the choices cost, and why the GPU is missing if it is."""
    others = [name for timing in timings for name in timing.milliseconds]
    names = tuple(dict.fromkeys((*ALGORITHMS, *others)))
    heads = [*names, *(() if no_gpu else ("gpu",)), "MP/s"]
    rows: list[list[str]] = []
    marked = set()
    lost = []
    pixels = size[0] * size[1]
    for number, timing in enumerate(timings):
        cells = [_ms(timing.milliseconds.get(name)) for name in names]
        marked.add((number, 1 + names.index(timing.taken)))
        if not no_gpu:
            cells.append(_ms(timing.gpu))
        time = timing.milliseconds[timing.taken]
        rows.append([timing.name, *cells, f"{pixels / time / 1e3:.0f}"])
        best = min(timing.milliseconds.values())
        if time > TOLERANCE * best:
            lost.append(f"{timing.name}: auto takes {timing.taken}, {time / best:.1f} x the best")
    columns = [Column("kernel", "left"), *(Column(head) for head in heads)]
    notes = [
        f"Milliseconds on a random {size[1]}x{size[0]}x{channels} 8-bit picture in memory, "
        f"{threads} thread{'s' * (threads != 1)}, {loops} loops; MP/s are those of the choice of "
        "auto, which is marked. A dash: not possible within the promised accuracy, or too slow.",
    ]
    if no_gpu:
        notes.append(f"No GPU: {no_gpu}.")
    else:
        notes.append("gpu includes the transfers, not the start.")
    marks = frozenset(marked)
    for row, column in marks:
        rows[row][column] += " *"
    parts: list[Part] = [Table(columns, rows, marked=marks), Notes(notes)]
    if lost:
        parts.append(Notes(lost, warning=True))
    data = {
        "height": size[0],
        "width": size[1],
        "channels": channels,
        "threads": threads,
        "loops": loops,
        "no_gpu": no_gpu or None,
        "kernels": [_record(t) for t in timings],
    }
    return Document("convcli bench", parts, data)


def calibration_document(speeds: Speeds, path: str, no_gpu: str) -> Document:
    """What was measured for ``auto``, and where it is kept."""
    rows = [
        ("CPU", f"{speeds.cpu:.2f} x the predicted time of one thread"),
        ("threads", f"share all but {speeds.serial:.0%} of a picture"),
        ("all cores", f"{speeds.together:.2f} x the time of one, each with a picture"),
    ]
    if speeds.device:
        rows += [
            ("GPU", speeds.device),
            ("start", f"{speeds.start:.2f} s, and {speeds.load * 1e3:.0f} ms for each kernel"),
            ("compiler", f"{speeds.compile:.2f} x the predicted time"),
            ("to it", f"{amount(speeds.upload)}B/s"),
            ("from it", f"{amount(speeds.download)}B/s, {speeds.overlap:.0%} of it at once"),
            ("host copies", f"{amount(speeds.host_copy)}B/s by a thread"),
            ("its memory", f"{amount(speeds.memory)}B/s"),
            ("multiply-adds", f"{amount(speeds.multiply_adds)}/s"),
            ("in float64", f"{amount(speeds.doubles)}/s"),
            ("launch", f"{speeds.launch * 1e6:.0f} us"),
        ]
    notes = [f"Kept in {path}; auto uses it from now on."]
    if no_gpu:
        notes.append(f"No GPU was measured: {no_gpu}.")
    data: dict[str, Any] = {name: getattr(speeds, name) for name in speeds.__slots__}
    return Document("measured for auto", [Pairs(rows), Notes(notes)], {**data, "path": path})


def _record(timing: Timing) -> dict[str, Any]:
    return {
        "kernel": timing.name,
        "taken": timing.taken,
        "predicted_ms": round(timing.predicted * 1e3, 4),
        "ms": {name: round(value, 4) for name, value in timing.milliseconds.items()},
        "gpu_ms": None if timing.gpu is None else round(timing.gpu, 4),
    }


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
