"""What one ``convcli filter`` is asked to do, and what it reports, file by file."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from convcli.imaging.atomic import display_name
from convcli.imaging.files import STDIN
from convcli.imaging.options import FilterOptions
from convcli.kernels.kernel import Kernel
from convcli.records import NamedTuple, Record, field

if TYPE_CHECKING:
    from convcli.engine.plan import Plan
    from convcli.imaging.formats.raw import RawLayout
    from convcli.imaging.stages.outline import Outline

__all__ = ["Job", "Report", "Request", "Tally"]


class Request(NamedTuple):
    """Inputs, kernels and everything else, as the command line gave them."""

    inputs: tuple[str, ...]
    kernels: tuple[Kernel, ...]
    options: FilterOptions = FilterOptions()
    output: str | None = None
    format: str | None = None
    overwrite: bool = False
    in_place: bool = False
    quality: int | None = None
    compression: str = "default"
    max_pixels: int | None = None
    """As in :class:`convcli.imaging.opening.Limits`."""
    dry_run: bool = False
    recursive: bool = False
    files_from: str | None = None
    null: bool = False
    jobs: int | None = None
    """Files at a time; by default one per processor."""
    on_error: str = "skip"
    resume: bool = False
    memory: int | None = None
    """Bytes that the process may take; by default a quarter of what is free."""
    cluster: str | None = None
    """A Dask scheduler's address, or ``local[:N]``."""
    mask: str | None = None
    """A file that says how much of the result shows."""
    raw: RawLayout | None = None
    """What raw inputs hold, and what the axes of arrays are called."""

    @property
    def is_raw(self) -> bool:
        """Whether inputs whose names say nothing are raw samples."""
        return self.raw is not None and self.raw.is_raw

    @property
    def to_stdout(self) -> bool:
        """Whether the picture goes to standard output."""
        beside = self.output is None and not self.in_place
        return self.output == STDIN or (beside and STDIN in self.inputs)

    @property
    def kernel_names(self) -> str:
        """The chain in words, as in ``gaussian:2, sobel-x``."""
        return ", ".join(kernel.name for kernel in self.kernels)


class Job(NamedTuple):
    """One input and where its result goes; ``-`` is a standard stream."""

    input: str
    output: str
    overwrite: bool = False
    """Whether a file that is there may be replaced: all that were asked for with ``--overwrite``
    or ``--in-place``, and a resumed run's own."""


class Report(Record):
    """What was done to one file. ``as_json`` gives the keys that ``--json`` promises."""

    job: Job
    kernel: str
    outline: Outline
    """What the filter does, of the result's header with it."""
    format_out: str
    written: bool
    seconds: dict[str, float]
    bytes_out: int = 0
    parts: int = 1
    """In how many parts the picture was filtered."""

    @property
    def name(self) -> str:
        """The input, for messages."""
        return "standard input" if self.job.input == STDIN else display_name(self.job.input)

    @property
    def plan(self) -> Plan:
        """The plan that was carried out."""
        return self.outline.plan

    @property
    def warnings(self) -> list[str]:
        """What the user should know: metadata left out, samples clipped."""
        picture = self.outline.header
        notes = list(dict.fromkeys(picture.notes))  # of parts that were read twice
        tally, share = self.outline.tally, self.outline.clipped_fraction
        if tally.moved:
            results = "1 result" if tally.moved == 1 else f"{tally.moved:,} results"
            notes.append(
                f"{results} had the value that says missing, {picture.nodata:g}, and moved to the "
                "next"
            )
        if share > 0.01:
            cause = self.outline.brightens
            advice = "; --range stretch, offset or float keeps them apart"
            if cause:
                advice = f": {cause}; --normalize divides by that"
            elif self.outline.shown is not None:  # those ranges are not for parts of pictures
                advice = ""
            notes.append(
                f"{share:.1%} of the samples fell outside the range and were clipped{advice}"
            )
        return notes

    def as_json(self) -> dict[str, Any]:
        """One JSON object."""
        plan, picture, shown = self.plan, self.outline.header, self.outline.shown
        steps = plan.steps
        first = steps[0]
        return {
            "input": self.job.input,
            "output": self.job.output,
            "written": self.written,
            "format": self.format_out.lower(),
            "kernel": self.kernel,
            "flip": self.outline.flip,
            "frames": picture.n_frames,
            "shape_in": list(plan.shape_in),
            "shape_out": list(plan.shape_out),
            "dtype_in": str(plan.dtype),
            "dtype_out": str(picture.dtype),
            "alpha": picture.alpha,
            "raster": self.outline.values,
            "nodata": _as_number(picture.nodata),
            "missing": self.outline.tally.missing,
            "padding": [
                [first.rows.before, first.rows.after],
                [first.cols.before, first.cols.after],
            ],
            "stride": [first.rows.stride, first.cols.stride],
            "dilation": [first.rows.dilation, first.cols.dilation],
            "border": str(first.border),
            "range": self.outline.range,
            "region": None if shown is None else shown.columns_first,
            "mask": None if shown is None else shown.mask,
            "levels": [list(levels) for levels in self.outline.levels],
            "clipped_fraction": round(self.outline.clipped_fraction, 6),
            "backend": plan.backend.name,
            "backend_reason": plan.backend_reason,
            "algorithm": [step.algorithm for step in steps],
            "reason": [step.reason for step in steps],
            "threads": plan.threads,
            "parts": self.parts,
            "warnings": self.warnings,
            "seconds": {stage: round(value, 6) for stage, value in self.seconds.items()},
        }


def _as_number(value: float | int | None) -> float | int | str | None:
    """A number as JSON has it: NaN is a word."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class Tally(Record):
    """What became of the files of a batch. ``cores`` is 0 while processor time is not known."""

    named: int
    done: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    warned: int = 0
    notes: list[str] = field(default_factory=list)
    """What the user should hear about the batch."""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    cores: int = 0

    @property
    def cpu_share(self) -> float:
        """Share of all cores that was in use."""
        whole = self.seconds * self.cores
        return self.cpu_seconds / whole if whole else 0.0
