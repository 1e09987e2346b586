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
    "Figure": "convcli.show.draw.figure",
    "Gradients": "convcli.ops.gradients",
    "InputError": "convcli.errors",
    "Kernel": "convcli.kernels.kernel",
    "KernelError": "convcli.errors",
    "Network": "convcli.arithmetic.network",
    "OutputError": "convcli.errors",
    "Page": "convcli.show.page.explorer",
    "Polynomial": "convcli.ops.polynomial",
    "Separated": "convcli.ops.separable",
    "ShapeError": "convcli.errors",
    "SparseRows": "convcli.ops.matrices",
    "TensorError": "convcli.errors",
    "UsageError": "convcli.errors",
    "avg_pool": "convcli.ops.avg_pooling",
    "avg_pool_grad": "convcli.ops.avg_pooling",
    "circulant": "convcli.ops.matrices",
    "col2im": "convcli.ops.unfold",
    "conv": "convcli.ops.conv",
    "conv_grad": "convcli.ops.gradients",
    "conv_transpose": "convcli.ops.conv",
    "conv_transpose_grad": "convcli.ops.gradients",
    "depthwise_separable": "convcli.ops.conv",
    "draw": "convcli.show.draw.figure",
    "explain": "convcli.show.explain",
    "explore": "convcli.show.page.explorer",
    "filter_image": "convcli.imaging.api",
    "global_avg_pool": "convcli.ops.avg_pooling",
    "global_max_pool": "convcli.ops.max_pooling",
    "im2col": "convcli.ops.unfold",
    "latex": "convcli.show.latex",
    "load_chain": "convcli.kernels.load",
    "load_kernel": "convcli.kernels.load",
    "max_pool": "convcli.ops.max_pooling",
    "max_pool_grad": "convcli.ops.max_pooling",
    "output_shape": "convcli.arithmetic.output_shapes",
    "pool_output_shape": "convcli.arithmetic.output_shapes",
    "receptive_field": "convcli.arithmetic.output_shapes",
    "separate": "convcli.ops.separable",
    "shift_matrix": "convcli.ops.matrices",
    "symbols": "convcli.ops.polynomial",
    "toeplitz": "convcli.ops.matrices",
    "trace": "convcli.show.trace_network",
    "transposed_output_shape": "convcli.arithmetic.output_shapes",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        found = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return found
    raise AttributeError(f"module 'convcli' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
