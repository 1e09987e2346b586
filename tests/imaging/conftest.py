"""Where the sample pictures lie, and the stages of a filter without what goes round them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli import Kernel
from convcli.imaging.options import FilterOptions
from convcli.imaging.source import Frame, Source
from convcli.imaging.stages.filter import Filter
from convcli.kernels.load import load_chain


@pytest.fixture
def samples() -> Path:
    return Path(__file__).parents[2] / "samples"


@pytest.fixture
def stages() -> Callable[..., np.ndarray]:
    """Filter a raster ``(H, W)`` or ``(H, W, bands)``, cut into regions of so many rows and columns.

    Unlike ``filter_image`` it takes an algorithm, and the cuts that large files get.
    """

    def made(
        x: np.ndarray, kernel: Any, cut: tuple[int, int] | None = None, **options: Any
    ) -> np.ndarray:
        pixels = x.reshape(*x.shape[:2], -1)
        source = Source(
            "memory",
            "bands",
            False,
            x.dtype,
            x.shape[:2],
            [Frame(pixels)],
            bands=pixels.shape[2],
        )
        kernels = [kernel] if isinstance(kernel, Kernel) else load_chain(kernel)
        chain = Filter(source, kernels, FilterOptions(**{"values": True, **options}))
        stage = chain.stage(source.first, simple=chain.is_simple(source.first))
        height, width, _ = stage.shape
        rows, columns = cut or (height, width)
        out = np.full(stage.shape, 99, stage.dtype)
        for top in range(0, height, rows):
            for left in range(0, width, columns):
                bottom, right = min(top + rows, height), min(left + columns, width)
                out[top:bottom, left:right] = stage.read((((top, bottom),), ((left, right),)))
        return out.reshape(*out.shape[:2], *x.shape[2:])

    return made
