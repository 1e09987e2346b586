"""The result of a job as a file that is encoded whole, frame by frame if there are several."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from convcli.imaging.atomic import Data, display_name, parts, write_atomic
from convcli.imaging.files import STDIN
from convcli.imaging.formats import Format
from convcli.imaging.frames import FilteredFrames
from convcli.imaging.options import FilterOptions
from convcli.imaging.sink import check_fits, check_keeps, check_padded, encode_picture
from convcli.imaging.source import Plane, Source
from convcli.imaging.stages.filter import Filter
from convcli.imaging.urls import is_url, write_url
from convcli.runs.clock import Clock
from convcli.runs.request import Job, Report, Request

if TYPE_CHECKING:
    from convcli.runs.journal import Journal

__all__ = ["WholeFile"]


class WholeFile:
    """One way for a result to go; see :class:`convcli.runs.part_file.PartFile` for the other.

    ``signature`` is size and time of change of the input before it was read, for the journal.
    """

    n_parts = 1

    def __init__(
        self,
        request: Request,
        job: Job,
        fmt: Format,
        journal: Journal | None,
        signature: list[int] | None,
    ) -> None:
        self.request, self.job, self.fmt = request, job, fmt
        self.journal, self.signature = journal, signature
        self.target = "standard output" if job.output == STDIN else display_name(job.output)

    def options(self, source: Source) -> FilterOptions:
        """Those of the request."""
        return self.request.options

    def check(self, chain: Filter, source: Source) -> None:
        """Refuse, before any work, what the format cannot hold; what it cannot say is noted."""
        header = chain.outline.header
        check_fits(self.fmt, header, self.target)
        if chain.selection is not None:
            check_keeps(self.fmt, header, self.request.quality, self.target)
        if not header.meta.silent or header.nodata is not None:
            from convcli.imaging.metadata.carry import carry

            carry(header, self.fmt)
        check_padded(chain.outline.plan, self.target, self.request.max_pixels)

    def write(self, chain: Filter, source: Source, report: Report, clock: Clock) -> None:
        """Filter the frames as they are encoded, and write the file."""
        clock.start()
        header, request = chain.outline.header, self.request
        frames: Iterable[Plane] = FilteredFrames(chain, source)
        if header.n_frames == 1:
            # Filtered now, so that the source is let go before the encoder takes room.
            frames = list(frames)
            source.close()
            source.frames = ()
        encoded = encode_picture(
            Source.of(header, frames),
            self.fmt,
            self.target,
            quality=request.quality,
            compression=request.compression,
            threads=chain.outline.plan.threads,
        )
        making = clock.since()
        with closing(_Timed(encoded)) as timed:
            report.bytes_out = self._put(timed)
        making += timed.seconds
        filtering = chain.outline.seconds
        report.seconds |= {
            "filter": filtering,
            "encode": making - filtering,
            "write": clock.since() - making,
        }

    def _put(self, encoded: Iterable[bytes]) -> int:
        """Write the parts of a file to where they belong; returns how many bytes they are."""
        job, journal = self.job, self.journal
        if job.output == STDIN:
            from convcli.imaging.standard_output import write_stdout

            return write_stdout(list(encoded))  # nothing goes out if making a part fails
        if is_url(job.output):
            return write_url(job.output, list(encoded))
        if self.request.output is not None and job.output != self.request.output:
            Path(job.output).parent.mkdir(parents=True, exist_ok=True)
        if journal:
            encoded = list(encoded)
            journal.ready(job, self.signature, encoded)
        # A batch is flushed to the disk once, at its end; the journal knows what it wrote.
        durable = journal is None or not journal.knows_reboots
        written = write_atomic(job.output, encoded, overwrite=job.overwrite, durable=durable)
        if journal:
            journal.done(job, self.signature)
        return written


class _Timed:
    """The parts of a file, and the seconds that they took to be made."""

    def __init__(self, data: Data) -> None:
        self._parts = iter(parts(data))
        self.seconds = 0.0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            start = perf_counter()
            part = next(self._parts, None)
            self.seconds += perf_counter() - start
            if part is None:
                return
            yield part

    def close(self) -> None:
        """Stop the threads that make parts which nobody will take."""
        if isinstance(self._parts, Generator):
            self._parts.close()
