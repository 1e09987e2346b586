"""A Zarr folder of which some chunks cannot be written: zarr goes on with the others meanwhile."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from convcli.cli import app
from convcli.engine.cpu.tiles import Tile
from convcli.imaging.array_axes import Axes
from convcli.imaging.formats.zarr.create import ZarrTarget
from convcli.imaging.sink import PlanePart

pytest.importorskip("zarr")
resource = pytest.importorskip("resource")  # a Unix has it


@pytest.mark.parametrize("there", [False, True])
def test_chunks_that_cannot_be_written_leave_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], there: bool
) -> None:
    source, target = tmp_path / "a.npy", tmp_path / "out" / "x.zarr"
    np.save(source, np.random.default_rng(1).integers(0, 256, (2000, 2000), np.uint8))
    target.parent.mkdir()
    words = ["filter", str(source), "-k", "identity", "-q", "--threads", "2", "-o", str(target)]
    if there:
        assert app.run([*words, "--stride", "50"]) == 0
    before = sorted(path.relative_to(target) for path in target.rglob("*"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for _ in range(4):
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # a chunk has 260,000 bytes
        try:
            assert app.run([*words, "--overwrite"]) == 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert capfd.readouterr().err == f"convcli: {target}: File too large\n"
        assert [path.name for path in target.parent.iterdir()] == ["x.zarr"][: int(there)]
        assert sorted(path.relative_to(target) for path in target.rglob("*")) == before


class Full:
    """An array on a full disk."""

    def __setitem__(self, where: Any, pixels: Any) -> None:
        raise OSError("File too large")


def test_threads_that_fail_together_do_not_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor for one that an interrupt took away while it waited: its task goes on."""
    from zarr.core import sync as of_zarr

    sync, released = of_zarr.sync, asyncio.Event()
    target = ZarrTarget("x", Axes(("y", "x"), (4, 4)), Full())
    part, ended = PlanePart(Tile(0, 4, 0, 4)), []

    async def still_written() -> None:
        await released.wait()

    async def running() -> int:
        return len(asyncio.all_tasks()) - 1

    async def release() -> None:
        released.set()

    def fails() -> None:
        with pytest.raises(OSError, match="File too large"):
            target(part, np.zeros((4, 4, 1), np.uint8))
        ended.append(1)

    before = sync(running())
    writing = Thread(target=partial(sync, still_written()), daemon=True)
    writing.start()
    with monkeypatch.context() as interrupted:
        interrupted.setattr(of_zarr, "sync", partial(sync, timeout=0.1))
        with pytest.raises(TimeoutError):
            target(part, np.zeros((4, 4, 1), np.uint8))
    threads = [Thread(target=fails, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while sync(running()) < before + 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not ended, "they wait for what is still written"
    sync(release())
    for thread in (writing, *threads):
        thread.join(20)
    assert ended == [1, 1]
