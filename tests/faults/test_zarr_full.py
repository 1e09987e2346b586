"""A Zarr folder of which some chunks cannot be written: zarr goes on with the others meanwhile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convcli.cli import app

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
