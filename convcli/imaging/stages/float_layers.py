"""What stages that compute in floating point hand on: colours, alpha and chroma of a region."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from convcli.engine.regions import Ranges
from convcli.imaging.source import Pixels

__all__ = ["LayerStage", "Layers"]


class Layers(NamedTuple):
    """Floats, 0 to 1 or in units of their own, each (rows, columns, channels)."""

    colours: Pixels
    alpha: Pixels | None = None
    chroma: Pixels | None = None
    """What is left of the colours without their brightness, where that alone is filtered."""
    there: NDArray[np.uint8] | None = None
    """1 where a sample is not missing, 0 where it is; None if all are there."""


class LayerStage(Protocol):
    """A stage that makes layers out of those of the stage before it."""

    def read(self, want: Ranges) -> Layers:
        """The layers of a region of the picture."""
