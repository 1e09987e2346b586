"""The words of a chain: kinds of layers, options and flags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convcli.errors import ShapeError, did_you_mean

__all__ = [
    "BRANCHING",
    "ELEMENTWISE",
    "FLAGS",
    "KINDS",
    "OPTIONS",
    "POSITIONAL",
    "canonical_kind",
    "quote",
]

ELEMENTWISE = [
    "relu",
    "relu6",
    "leakyrelu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "sigmoid",
    "hardsigmoid",
    "hardswish",
    "tanh",
    "softplus",
    "mish",
    "softmax",
    "logsoftmax",
    "dropout",
    "lrn",
    "identity",
]

KINDS: dict[str, str] = {
    **{name: name for name in ELEMENTWISE},
    **dict.fromkeys(("conv", "conv1d", "conv2d", "conv3d", "convolution"), "conv"),
    **dict.fromkeys(("dwconv", "depthwise"), "dwconv"),
    **dict.fromkeys(
        ("conv_transpose", "tconv", "upconv", "deconv", "convtranspose"), "conv_transpose"
    ),
    **dict.fromkeys(("maxpool", "max_pool"), "maxpool"),
    **dict.fromkeys(("avgpool", "averagepool", "avg_pool"), "avgpool"),
    **dict.fromkeys(("gap", "globalavgpool", "globalaveragepool"), "globalavgpool"),
    **dict.fromkeys(("gmp", "globalmaxpool"), "globalmaxpool"),
    **dict.fromkeys(("adaptiveavgpool", "adaptive"), "adaptiveavgpool"),
    "adaptivemaxpool": "adaptivemaxpool",
    **dict.fromkeys(("bn", "batchnorm", "batch_norm"), "batchnorm"),
    **dict.fromkeys(("linear", "fc", "dense"), "linear"),
    "flatten": "flatten",
    "upsample": "upsample",
    "pad": "pad",
    "add": "add",
    **dict.fromkeys(("concat", "cat"), "concat"),
    "input": "input",
    **dict.fromkeys(("swish",), "silu"),
}
"""Every word for a layer -> its canonical name."""

BRANCHING = ("add", "concat")

OPTIONS: dict[str, str] = {
    **dict.fromkeys(("k", "kernel", "kernel_size"), "kernel_size"),
    **dict.fromkeys(("s", "stride"), "stride"),
    **dict.fromkeys(("p", "padding"), "padding"),
    **dict.fromkeys(("d", "dilation"), "dilation"),
    **dict.fromkeys(("op", "output_padding"), "output_padding"),
    **dict.fromkeys(("g", "groups"), "groups"),
    **dict.fromkeys(("in", "in_channels"), "in_channels"),
    **dict.fromkeys(("out", "out_channels"), "out_channels"),
}

FLAGS: dict[str, tuple[str, Any]] = {
    "ceil": ("ceil_mode", True),
    "bias": ("bias", True),
    "nobias": ("bias", False),
    "no-bias": ("bias", False),
    "crop": ("crop", True),
    **{name: ("padding", (name,)) for name in ("same", "same_lower", "valid", "full")},
}

POSITIONAL = {
    "conv": "out_channels",
    "conv_transpose": "out_channels",
    "linear": "out_channels",
    "adaptiveavgpool": "size",
    "adaptivemaxpool": "size",
    "upsample": "factor",
    "pad": "padding",
    "input": "shape",
}
"""What the word without a letter means: ``conv 64`` has 64 output channels."""


def quote(text: str) -> str:
    """A layer as it was written, on one line and not too long."""
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= 60 else flat[:57] + "...")


def canonical_kind(word: str, whole: str, blocks: Iterable[str] = ()) -> str:
    """The layer that a word names.

    >>> canonical_kind("fc", "fc 10")
    'linear'
    """
    if word in blocks:
        return word
    kind = KINDS.get(word.lower().replace("-", "_")) or KINDS.get(word.lower().replace("-", ""))
    if kind is None:
        hint = did_you_mean(word.lower(), [*KINDS, *blocks])
        known = ", ".join([*blocks, *dict.fromkeys(KINDS.values())])
        hint = hint or f"; there are {known}"
        raise ShapeError(f"layer {quote(whole)}: {word!r} is not known{hint}")
    return kind
