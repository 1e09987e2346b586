"""What a batch has done so far, so that a killed run goes on where it was.

The journal is a file of JSON lines beside the output. Every worker appends its own lines, each by
one write: first what it is about to write, with a digest, then that it is there. So whenever a run
is killed, each output is known to be finished, or missing, or a finished file whose second line
was lost, which its digest tells. A torn last line is skipped. After a reboot, which may have been
a power cut, digests decide alone: a batch is flushed to the disk only at its end. Where the system
does not tell one start from another, each output is flushed before its second line.

Inputs are known by path, size and time of change; the options by a hash. Every process of a run
holds a shared lock on the file, so a resumed run can wait for orphans of the killed one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from isal import isal_zlib

from convcli.errors import OutputError
from convcli.imaging.atomic import Data, display_name, parts
from convcli.imaging.options import FilterOptions
from convcli.runs.request import Job, Request
from convcli.system.files import read_at, size_and_time
from convcli.system.machine import boot_id
from convcli.system.sharing import append, open_shared

__all__ = ["Journal", "digest", "options_hash"]

NEWER = (
    "values",
    "bands",
    "nodata",
    "nodata_out",
    "missing",
    "fill",
    "min_valid",
    "region",
    "chosen",
)
"""Options that older journals know nothing of."""
PATIENCE = 30.0
"""Seconds that a resumed run waits for the workers of the killed one to end."""


def options_hash(request: Request) -> str:
    """A hash of all that decides what is written: kernels, options, and how it is encoded.

    >>> from convcli.kernels.kernel import Kernel
    >>> one, two = (Request((), (Kernel([[n]], name="k"),)) for n in (1, 2))
    >>> options_hash(one) == options_hash(two)
    False
    """
    sha = hashlib.sha256()
    for kernel in request.kernels:
        facts = (kernel.weights.shape, kernel.scale, kernel.bias, kernel.combine, kernel.absolute)
        if not kernel.is_correlation:
            what = kernel.operation, kernel.numbers  # which older journals know nothing of
            sha.update(repr(what).encode())
        sha.update(repr(facts).encode() + kernel.weights.tobytes())
    words: Any = request.options._replace(threads=None, pictures=1, chosen=None)
    words = _as_ever(words._replace(backend=str(words.backend or "auto")))
    if request.mask is not None:
        from convcli.imaging.mask import mask_digest
        from convcli.runs.memory import limits_of

        sha.update(b"mask" + mask_digest(request.mask, limits_of(request)))
    encoding = request.format, request.quality, request.compression
    said = repr((words, encoding, request.raw)).replace("RawLayout", "Layout")
    sha.update(said.replace(", axes=()", "").encode())
    return sha.hexdigest()[:24]


def _as_ever(options: FilterOptions) -> str:
    """The options as in journals that there are: newer ones are told of where they say something."""
    plain = FilterOptions()
    told = [
        f"{name}={value!r}"
        for name, value in options._asdict().items()
        if name not in NEWER or value != getattr(plain, name)
    ]
    return _Told(f"FilterOptions({', '.join(told)})")


class _Told(str):
    """A text that stands for what it says."""

    __repr__ = str.__str__


def digest(data: Data) -> str:
    """A digest of a file's bytes: it tells damage, not malice, and costs next to nothing.

    >>> digest(b"abc") == digest(b"abd")
    False
    >>> digest(b"abc") == digest([b"a", b"bc"])
    True
    """
    crc, length = 0, 0
    for part in parts(data):
        crc, length = isal_zlib.crc32(part, crc), length + len(part)
    return f"{crc:08x}-{length}"


def _signature(path: str) -> list[int] | None:
    found = size_and_time(path)
    return None if found is None else list(found)  # as JSON has it


class Journal:
    """The journal of one output folder, opened by every process of a run.

    Parameters
    ----------
    path
        The file; made if it is not there.
    options
        The hash that :func:`options_hash` gives.
    resume
        Read what is there, after waiting for the workers of a run that was killed.
    """

    def __init__(self, path: Path, options: str, *, resume: bool = False) -> None:
        self.path, self.options = path, options
        self._boot = boot_id()
        self._last: dict[str, dict[str, dict[str, Any]]] = {}
        try:
            self._fd = open_shared(path, PATIENCE if resume else None)
        except TimeoutError:
            raise OutputError(
                f"{display_name(path)}: another run is still writing; resume when it has ended"
            ) from None
        if resume:
            self._read()
        size = os.fstat(self._fd).st_size
        if size and read_at(self._fd, 1, size - 1) != b"\n":
            append(self._fd, b"\n")  # ends a torn line

    @property
    def knows_reboots(self) -> bool:
        """Whether a line tells if the power may have gone since, with what was not on the disk."""
        return bool(self._boot)

    def close(self) -> None:
        """Let the file go."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        """Let the file go and delete it: nothing is left to resume."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _read(self) -> None:
        with self.path.open("rb") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                    self._last.setdefault(entry["output"], {})[entry["state"]] = entry
                except (ValueError, KeyError, TypeError):
                    continue  # torn by a kill or a full disk

    def ready(self, job: Job, source: list[int] | None, data: Data) -> None:
        """Say what is about to be written."""
        self._append(job, source, state="ready", digest=digest(data))

    def begun(self, job: Job, source: list[int] | None) -> None:
        """Say that a task was handed to a cluster: from now on the output may come into being."""
        self._append(job, source, state="begun")

    def written(self, job: Job, source: list[int] | None, written: list[int]) -> None:
        """Say that a large file with this size and time of change is about to take its place."""
        self._append(job, source, state="done", written=written)

    def done(self, job: Job, source: list[int] | None) -> None:
        """Say that it has been written."""
        self._append(job, source, state="done", written=_signature(job.output))

    def _append(self, job: Job, source: list[int] | None, **facts: Any) -> None:
        entry = {
            "input": str(Path(job.input).absolute()),
            "source": source,
            "output": str(Path(job.output).absolute()),
            "options": self.options,
            "boot": self._boot,
            **facts,
        }
        line = json.dumps(entry).encode() + b"\n"
        try:
            whole = append(self._fd, line) == len(line)
        except OSError as error:
            raise OutputError(f"{display_name(self.path)}: {error.strerror}") from error
        if not whole:
            raise OutputError(f"{display_name(self.path)}: no space left for the journal")

    @staticmethod
    def source_of(job: Job) -> list[int] | None:
        """Size and time of change of an input, taken before it is read."""
        return _signature(job.input)

    def has_done(self, job: Job) -> bool:
        """Whether the output is there, made from this very input with these very options."""
        states = self._last.get(str(Path(job.output).absolute()), {})
        now = _signature(job.input)
        in_place = Path(job.input).absolute() == Path(job.output).absolute()
        for entry in states.values():
            if entry["state"] == "begun":
                continue
            same = entry.get("options") == self.options and (in_place or entry["source"] == now)
            if (
                same
                and entry["input"] == str(Path(job.input).absolute())
                and self._stands(job, entry)
            ):
                return True
        return False

    def has_made(self, job: Job) -> bool:
        """Whether the file at the output is a result of an earlier run, and may be replaced."""
        states = self._last.get(str(Path(job.output).absolute()), {})
        return any(self._stands(job, entry) for entry in states.values())

    def _stands(self, job: Job, entry: dict[str, Any]) -> bool:
        """Whether the output is the file that the entry tells of."""
        written = _signature(job.output)
        if written is None:
            return False
        if entry["state"] == "begun":
            return True
        if entry["state"] == "done":
            return bool(entry.get("written") == written and entry.get("boot") == self._boot)
        try:
            return digest(Path(job.output).read_bytes()) == entry.get("digest")
        except OSError:
            return False
