"""convcli: everything convolution.

The names below load what they need when they are first used; ``import convcli`` itself loads
nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from convcli._version import __version__

_HOMES: dict[str, str] = {
    "BackendError": "convcli.errors",
    "ConvcliError": "convcli.errors",
    "InputError": "convcli.errors",
    "Kernel": "convcli.kernels.kernel",
    "KernelError": "convcli.errors",
    "OutputError": "convcli.errors",
    "ShapeError": "convcli.errors",
    "TensorError": "convcli.errors",
    "UsageError": "convcli.errors",
    "filter_image": "convcli.imaging.api",
    "load_kernel": "convcli.kernels.load",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'convcli' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
