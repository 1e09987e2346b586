"""What ``filter`` says: one line a picture, the plan in full, warnings; all on standard error."""

from __future__ import annotations

import contextlib
import math
import sys
from typing import Any

from convcli.imaging.atomic import display_name
from convcli.imaging.files import STDIN
from convcli.runs.request import Report, Tally

__all__ = [
    "explained",
    "explanation",
    "print_json",
    "say",
    "slow_note",
    "summary",
    "tally_line",
    "timing",
]

SLOW_PIXELS = 10**6
"""Pixels from which the lack of the compiled loops can be felt."""

NAMES_AT_MOST = 10
"""Failed files that the last line of a batch names."""

DEPTHS = {
    "uint8": "8-bit",
    "uint16": "16-bit",
    "float32": "float32 (white is 1)",
    "float64": "float64 (white is 1)",
}
WAYS = {
    "renormalize": "renormalize: the mean of what is there, times the sum of the weights",
    "centre": "centre: missing samples stand for the one under the centre",
    "propagate": "propagate: no result where one is missing",
    "vote": "vote: missing samples are left out",
    "total": "the sum of what is there",
}
"""What kernels make of missing samples."""
SPACES = {"gray": "gray", "rgb": "RGB", "cmyk": "CMYK"}


def say(line: str) -> None:
    """One line on standard error, whatever the terminal can show."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(line.encode("utf-8", "backslashreplace").decode(), file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """One JSON object on one line of standard output, at once."""
    import json

    print(json.dumps(value), flush=True)


def _name(path: str, stream: str) -> str:
    return stream if path == STDIN else display_name(path)


def _kind(report: Report, *, source: bool) -> str:
    plan, picture = report.plan, report.outline.header
    height, width = plan.shape_in[:2] if source else plan.shape_out[:2]
    dtype = str(plan.dtype) if source else str(picture.dtype)
    if report.outline.values:
        bands = "" if source else f" {picture.colours} band{'s' * (picture.colours > 1)}"
        return f"{width}x{height}{bands} {dtype} values"
    colours = SPACES.get(picture.space) or f"{picture.colours} bands"
    space = "" if source else f" {colours}" + " + alpha" * picture.alpha
    return f"{width}x{height}{space} {DEPTHS.get(dtype, dtype)}"


def summary(report: Report) -> str:
    """One line: from, to, what it is, how it was made, how long it took."""
    plan = report.plan
    first = plan.steps[0]
    seconds = sum(report.seconds.values())
    way = "convolution" if report.outline.flip else "correlation"
    kernel = f"{report.kernel} ({way})" if any(report.outline.sums) else report.kernel
    frames = report.outline.header.n_frames
    parts = [
        _kind(report, source=False) + (f" x {frames} frames" if frames > 1 else ""),
        kernel,
        f"border {first.border}",
        f"range {report.outline.range}",
        *([str(report.outline.shown)] if report.outline.shown else []),
        *_levels(report),
        *_missing(report),
        f"{seconds:.2f} s" if report.written else "not written: dry run",
    ]
    source, target = _name(report.job.input, "stdin"), _name(report.job.output, "stdout")
    return f"{source} -> {target}: " + ", ".join(parts)


def _levels(report: Report) -> list[str]:
    """The levels that kernels have found, over all frames."""
    found = list(zip(*report.outline.levels, strict=True))
    ends = [(f"{min(levels):.6g}", f"{max(levels):.6g}") for levels in found]
    said = [low if low == high else f"{low} to {high}" for low, high in ends]
    return [f"level{'s' * (len(said) > 1)} {' and '.join(said)} found"] if said else []


def _missing(report: Report) -> list[str]:
    """How much of the result is missing, if any is, and what says so."""
    tally, says = report.outline.tally, report.outline.header.nodata
    if not tally.missing:
        return []
    share = tally.missing / (tally.samples + tally.missing)
    named = "" if says is None else f" ({says:g})"
    samples = "sample" if tally.missing == 1 else "samples"
    return [f"{tally.missing:,} {samples} missing{named}, {share:.1%}"]


def slow_note(report: Report) -> str:
    """Why a large picture took longer than it need: fast loops that were not built."""
    from convcli.extensions import unasked

    height, width = report.plan.shape_in[:2]
    if height * width < SLOW_PIXELS:
        return ""
    missing = unasked()
    for name in ("_loops", "_png"):
        if name in missing:
            return f"slower than need be: {missing[name]}; `convcli info` lists what is missing"
    return ""


def tally_line(tally: Tally) -> str:
    """The last line of a batch: how many, how fast, which failed.

    >>> tally_line(Tally(named=10, done=7, skipped=1, failures=["a.png", "b.png"], seconds=3.0))
    '2 of 10 pictures failed: a.png, b.png; 7 done, 1 done before, in 3.0 s, 3.0 per second'
    """
    failures = tally.failures
    parts = [f"{tally.done} done"]
    if tally.skipped:
        parts.append(f"{tally.skipped} done before")
    left = tally.named - tally.done - tally.skipped - len(failures)
    if left:
        parts.append(f"{left} not begun")
    ran = tally.done + len(failures)
    if ran and tally.seconds > 0:
        parts.append(f"in {tally.seconds:.1f} s, {ran / tally.seconds:.1f} per second")
    if ran and tally.cores:
        parts.append(f"{tally.cpu_share:.0%} of {tally.cores} cores")
    if tally.warned:
        parts.append(f"{tally.warned} with warnings, which -v shows")
    line = ", ".join(parts)
    if not failures:
        return f"{tally.named} pictures: {line}"
    names = [_name(path, "stdin") for path in failures[:NAMES_AT_MOST]]
    if len(failures) > NAMES_AT_MOST:
        names.append(f"and {len(failures) - NAMES_AT_MOST} more")
    return f"{len(failures)} of {tally.named} pictures failed: {', '.join(names)}; {line}"


def timing(report: Report) -> str:
    """One line: backend, algorithms, and milliseconds by stage."""
    plan = report.plan
    algorithms = ", ".join(step.algorithm for step in plan.steps)
    stages = ", ".join(f"{stage} {value * 1e3:.0f}" for stage, value in report.seconds.items())
    return (
        f"  {plan.backend} ({plan.backend_reason}), {algorithms}, {plan.threads} threads"
        + (f", {report.parts} parts" if report.parts > 1 else "")
        + "; "
        f"ms: {stages}"
    )


def _of_level(step: Any, frames: int) -> list[tuple[str, str]]:
    """That a kernel's level is not known before the picture is read."""
    if not math.isnan(getattr(step.method.problem, "level", 0.0)):
        return []
    each = "each frame" if frames > 1 else "the picture"
    how = f"found when {each} is read once before it is filtered, told with the result: Otsu 1979"
    return [("  level", how)]


def _calculation(axis: Any) -> str:
    span = f"{axis.dilation}*({axis.kernel_size}-1)+1" if axis.dilation > 1 else axis.kernel_size
    return (
        f"floor(({axis.size} + {axis.before} + {axis.after} - {span}) / {axis.stride}) + 1 "
        f"= {axis.output}"
    )


def _shown(report: Report) -> list[tuple[str, str]]:
    """Which part of the picture changes."""
    shown = report.outline.shown
    if shown is None:
        return []
    lines = []
    if shown.region is not None:
        of = ", of the upright picture; it sees what lies beside it, which stays as it is"
        lines.append(("region", f"{shown.region}{of}"))
    if shown.mask is not None:
        lines.append(("mask", f"{shown.mask}: black shows nothing of the result, white all"))
    return lines


def explanation(report: Report) -> str:
    """The plan: resolved options, the output-shape calculation, algorithm and backend and why."""
    lines = explained(report)
    width = max(len(key) for key, _ in lines)
    return "\n".join(f"{key:<{width}}  {value}" for key, value in lines)


def explained(report: Report) -> list[tuple[str, str]]:
    """The plan in pairs of what it is about and what is done; those of a step are indented."""
    plan, picture = report.plan, report.outline.header
    first = plan.steps[0]
    outline = report.outline
    what = "kernel" if any(outline.sums) else "footprint"
    way = f"{what} flipped" if outline.flip else f"{what} as written"
    if any(outline.sums):
        way += ": convolution" if outline.flip else ": correlation"
    lines = [
        ("input", f"{_name(report.job.input, 'stdin')}, {_kind(report, source=True)}"),
        (
            "output",
            f"{_name(report.job.output, 'stdout')}, {report.format_out}, "
            + _kind(report, source=False),
        ),
        ("orientation", way),
        ("border", str(first.border)),
        ("range", report.outline.range),
        *_shown(report),
        (
            "samples",
            "values in units of their own (a raster): nothing is scaled"
            if report.outline.values
            else "light (a picture): white is 255, 65535 or 1.0; --bias and constant:V count to 255",
        ),
        *([] if picture.nodata is None else [("no-data", f"{picture.nodata:g}")]),
        ("alpha", report.outline.how_alpha or "none"),
    ]
    if picture.n_frames > 1:
        lines.append(("frames", f"{picture.n_frames}, each filtered on its own"))
    for number, (kernel, step) in enumerate(
        zip(report.kernel.split(", "), plan.steps, strict=False)
    ):
        rows, cols = step.rows, step.cols
        cells = "weights" if outline.sums[number] else "footprint"
        lines += [
            (f"step {number + 1}", f"{kernel}: {rows.kernel_size}x{cols.kernel_size} {cells}"),
            ("  height", _calculation(rows)),
            ("  width", _calculation(cols)),
            (
                "  padding",
                f"top {rows.before}, bottom {rows.after}, left {cols.before}, right {cols.after}",
            ),
            *_of_level(step, picture.n_frames),
            ("  algorithm", f"{step.algorithm}: {step.reason}"),
        ]
        if number < len(report.outline.ways):
            lines.append(("  missing", WAYS[report.outline.ways[number]]))
        lines += [
            (
                "  weighed",
                f"{c.name}: {c.cost:.3g} ns per sample predicted" + f", {c.note}" * bool(c.note),
            )
            for c in step.candidates
        ]
    lines += [
        ("backend", f"{plan.backend}: {plan.backend_reason}"),
        ("threads", str(plan.threads)),
    ]
    return lines
