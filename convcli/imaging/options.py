"""What a filter can be told, besides its kernels. Nothing here needs NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convcli.arithmetic.borders import Border
from convcli.engine.backends import NUMPY, Backend, Choice
from convcli.errors import BackendError
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.arithmetic.region import Region

__all__ = [
    "BASE_BYTES",
    "BETWEEN_BYTES",
    "FLOWING_BYTES",
    "LEAST_ROOM",
    "MAX_PIXELS",
    "WAYS",
    "FilterOptions",
    "most_pixels",
]

WAYS = ("renormalize", "centre", "propagate")
"""What a kernel can make of missing samples."""

MAX_PIXELS = 178_956_970
"""Most pixels of a picture, unless the user says: where Pillow's bomb check refuses."""

BASE_BYTES = 140 * 2**20
"""Memory of the interpreter with its libraries, the loops' scratch, the writer's buffers."""
FLOWING_BYTES = 80 * 2**20
"""The same where rows flow: PNG, JPEG, PNM and BMP need no library of TIFF."""
BETWEEN_BYTES = 32 * 2**20
"""More of them with a chain: what was freed between its kernels is not used again at once."""
LEAST_ROOM = 2**20
"""What there is beside ``BASE_BYTES`` however little is allowed: enough for small pictures."""


def most_pixels(max_pixels: int | None) -> int:
    """What a picture may have that is decoded or made: the user's ``--max-pixels``, if there is one.

    >>> most_pixels(None), most_pixels(100)
    (178956970, 100)
    """
    return MAX_PIXELS if max_pixels is None else max_pixels


class FilterOptions(NamedTuple):
    """What ``convcli filter`` can be told, besides its kernels; see its help for the words."""

    padding: Any = "same"
    stride: Any = 1
    dilation: Any = 1
    border: Border = Border()
    flip: bool = False
    normalize: bool = False
    scale: float = 1.0
    bias: float = 0.0
    range: str = "auto"
    depth: str | None = None
    luma: bool = False
    linear: bool = False
    backend: Backend | None = None
    """What computes; None leaves the choice to the plan."""
    chosen: Choice | None = None
    """What ``auto`` has chosen for all pictures of a batch, which no plan weighs again."""
    threads: int | None = None
    algorithm: str | None = None
    pictures: int = 1
    """Pictures that one process will filter so; a batch is worth starting a GPU for."""
    values: bool | None = None
    """Whether samples are values (a raster) or light (a picture); None asks the file."""
    bands: tuple[int, ...] = ()
    """Those that are filtered, counted from 1, in the order of the result; all by default."""
    nodata: float | int | str | None = None
    """The value that stands for a missing sample, ``nan`` or ``none``; None asks the file."""
    nodata_out: float | int | None = None
    """The value that does so in the result, if it is another."""
    missing: str | None = None
    """What a kernel makes of missing samples, one of ``WAYS``; None leaves it to the kernel."""
    fill: bool = False
    min_valid: float = 0.0
    """Share of the cells under a kernel that must be there for a result."""
    region: Region | None = None
    """The part of the picture that is filtered; None is all of it."""

    def on_cpu(self, what: str, instead: str = "") -> FilterOptions:
        """The options for ``what`` only the CPU filters.

        Raises
        ------
        BackendError
            If a GPU was asked for; ``instead`` is what else can be left out.
        """
        if self.backend is not None and self.backend.on_gpu:
            raise BackendError(
                f"{what} filtered on the CPU; leave out --backend cupy and --device{instead}"
            )
        return self._replace(backend=self.backend or NUMPY)
