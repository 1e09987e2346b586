"""A batch of hundreds, watched; ``tools/soak.py`` does it with thousands."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest


@pytest.mark.ci
def test_a_batch_stays_flat(soak: ModuleType, tmp_path: Path) -> None:
    figures = soak.batch(tmp_path, 600, 128)
    assert figures["reported"] == figures["damaged"] == 12
