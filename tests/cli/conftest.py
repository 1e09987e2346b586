"""Running the command line in this process, as a user would see it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SAMPLES = Path(__file__).parents[2] / "samples"


@dataclass
class Done:
    code: int
    out: bytes
    err: str


@pytest.fixture
def samples() -> Path:
    return SAMPLES


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a small picture of noise, ``in.png``."""
    levels = np.random.default_rng(3).integers(0, 256, (16, 24, 3), np.uint8)
    Image.fromarray(levels).save(tmp_path / "in.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def convcli(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Done]:
    """Run ``convcli`` with arguments; give the exit code, standard output and standard error."""
    from convcli.cli.app import run

    def call(*args: object) -> Done:
        capfdbinary.readouterr()
        code = run([os.fsdecode(a) if isinstance(a, bytes | Path) else str(a) for a in args])
        out, err = capfdbinary.readouterr()
        return Done(code, out, err.decode())

    return call


class NarrowPipe:
    """A pipe that is full but for a page: who writes more waits until somebody reads.

    So a batch that tells of each file cannot end while it is to be interrupted, however fast it
    is, and however late a busy machine lets the test go on.
    """

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        self.filling = 0
        with suppress(BlockingIOError):
            while True:
                self.filling += os.write(self.writer, bytes(4096))
        self.filling -= len(os.read(self.reader, 4096))
        os.set_blocking(self.writer, True)

    def read(self) -> str:
        """What was written, up to the end of the last writer; afterwards the pipe is gone."""
        os.close(self.writer)
        self.writer = -1
        with os.fdopen(self.reader, "rb") as file:
            self.reader = -1
            return file.read()[self.filling :].decode()

    def close(self) -> None:
        for end in (self.reader, self.writer):
            if end >= 0:
                os.close(end)


@pytest.fixture
def narrow_pipe() -> Iterator[Callable[[], NarrowPipe]]:
    """Makes pipes that let one page through, and closes them at the end."""
    made: list[NarrowPipe] = []

    def make() -> NarrowPipe:
        made.append(NarrowPipe())
        return made[-1]

    yield make
    for pipe in made:
        pipe.close()
