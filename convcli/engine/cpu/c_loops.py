"""The compiled loops of filters: whether they are here, and the job that is packed for them."""

from __future__ import annotations

from functools import cache
from struct import Struct
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convcli.engine.axis_maps import AxisMap
from convcli.engine.numerics import LIMITS
from convcli.errors import UsageError
from convcli.extensions import extension
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from convcli.engine.requantize import Requantize

__all__ = [
    "CODE",
    "NO_LOOPS",
    "Loops",
    "c_loops",
    "formula",
    "loops",
    "pack_job",
    "tap_type",
]

CODE = {
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "L",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "l",
    "float32": "f",
    "float64": "d",
}
"""How the compiled loops call the types."""
_ENDS = {CODE[name]: LIMITS[name] for name in ("int16", "uint16")}
"""Of the types of 16 bits in which a formula may be evaluated."""


class Loops(NamedTuple):
    """The inner loops that filters take on the CPU: ``compiled`` or ``numpy``, and why."""

    name: str
    reason: str
    compiled: bool
    bytes: bool = False
    """Whether the instruction set has the loops on bytes, with vectors of 32 bytes or more."""


NO_LOOPS = Loops("numpy", "", False)


def loops() -> Loops:
    """The loops that there are, as ``CONVCLI_LOOPS`` wants them.

    Raises
    ------
    UsageError
        If ``CONVCLI_LOOPS`` asks for loops that there are not.
    """
    module, why = extension("_loops")
    if module is None:
        return NO_LOOPS._replace(reason=why)
    return Loops("compiled", f"convcli._loops with {why}", True, module.isa() != "base")


def c_loops() -> Any:
    """The extension module.

    Raises
    ------
    UsageError
        If there is none.
    """
    module, why = extension("_loops")
    if module is None:
        raise UsageError(why)
    return module


def pack_job(
    x: NDArray[Any] | None = None,
    out: NDArray[Any] | None = None,
    maps: tuple[AxisMap, AxisMap] | None = None,
    module: str = "_loops",
    /,
    **choices: float | str,
) -> bytes:
    """What the loops are told, in the layout that they name themselves (``job.h``).

    What is not given is 0; types and kinds are letters. Of what the arrays and maps say, loops
    are told what they ask for.
    """
    said: dict[str, float | str] = {}
    if x is not None:
        said |= dict(zip(("height", "width", "channels"), x.shape, strict=True))
        said["src_type"] = said["type"] = CODE[x.dtype.name]
    if out is not None:
        said |= dict(zip(("out_rows", "out_cols", "out_channels"), out.shape, strict=True))
        said["out_type"] = CODE[out.dtype.name]
    if maps is not None:
        rows, cols = maps
        said |= {"row_stride": rows.stride, "col_stride": cols.stride}
        said |= {"row_gap": rows.dilation, "col_gap": cols.dilation}
        said |= {"first": cols.first, "last": cols.last, "step": cols.step}
    names, packer = _layout(module)
    values = [choices.pop(name, said.get(name, 0)) for name in names]
    assert not choices, f"the loops know nothing of {', '.join(choices)}"
    return packer.pack(*(ord(value) if isinstance(value, str) else value for value in values))


def formula(requantize: Requantize, work: str, count: bool) -> dict[str, float | str]:
    """The part of a job that leads from sums to samples; see requantize.py."""
    low, high = LIMITS.get(requantize.out_dtype, (0, 0))
    if work in _ENDS:
        low, high = max(low, _ENDS[work][0]), min(high, _ENDS[work][1])
    return {
        "work": work,
        "scale": requantize.scale,
        "bias": requantize.bias,
        "offset": requantize.offset,
        "ratio": requantize.ratio,
        "low": float(low),
        "limit": float(high),
        "absolute": requantize.absolute,
        "count": count and requantize.clip,
    }


def _fields(text: str) -> list[tuple[str, str]]:
    """Names and type codes of a layout written ``code:name code:name``; 64 bits without a code."""
    words = (word.rpartition(":") for word in text.split())
    return [(name, code or "q") for code, _, name in words]


@cache
def _layout(module: str) -> tuple[tuple[str, ...], Struct]:
    names, codes = zip(*_fields(extension(module).module.JOB), strict=True)
    return names, Struct("".join(codes))


@cache
def tap_type() -> np.dtype[Any]:
    """A tap as the loops read it."""
    return np.dtype(_fields(c_loops().TAP), align=True)
