"""The animations of Dumoulin and Visin, by their usual names.

Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), and
its pictures, github.com/vdumoulin/conv_arithmetic. Sizes are those of the originals.
"""

from __future__ import annotations

from dataclasses import dataclass

from convcli.errors import UsageError, did_you_mean

__all__ = ["CLASSICS", "Classic", "classic", "classic_key"]


@dataclass(frozen=True, slots=True)
class Classic:
    """Options of one animation, as ``convcli draw`` takes them."""

    n: str
    k: str
    s: str = "1"
    p: str = "0"
    d: str = "1"
    op: str = "0"
    transpose: bool = False
    pool: str = ""
    x: str = ""
    w: str = ""


_X = "3 3 2 1 0; 0 0 1 3 1; 3 1 2 2 3; 2 0 0 2 2; 2 0 0 0 1"
_W = "0 1 2; 2 2 0; 0 1 2"

CLASSICS: dict[str, Classic] = {
    "no_padding_no_strides": Classic("4", "3"),
    "no_padding_no_strides_transposed": Classic("2", "3", transpose=True),
    "arbitrary_padding_no_strides": Classic("5", "4", p="2"),
    "arbitrary_padding_no_strides_transposed": Classic("6", "4", p="2", transpose=True),
    "same_padding_no_strides": Classic("5", "3", p="1"),
    "same_padding_no_strides_transposed": Classic("5", "3", p="1", transpose=True),
    "full_padding_no_strides": Classic("5", "3", p="2"),
    "full_padding_no_strides_transposed": Classic("7", "3", p="2", transpose=True),
    "no_padding_strides": Classic("5", "3", s="2"),
    "no_padding_strides_transposed": Classic("2", "3", s="2", transpose=True),
    "padding_strides": Classic("5", "3", s="2", p="1"),
    "padding_strides_transposed": Classic("3", "3", s="2", p="1", transpose=True),
    "padding_strides_odd": Classic("6", "3", s="2", p="1"),
    "padding_strides_odd_transposed": Classic("3", "3", s="2", p="1", op="1", transpose=True),
    "dilation": Classic("7", "3", d="2"),
    "numerical_no_padding_no_strides": Classic("5", "3", x=_X, w=_W),
    "numerical_padding_strides": Classic("5", "3", s="2", p="1", x=_X, w=_W),
    "numerical_max_pooling": Classic("5", "3", s="1", pool="max", x=_X),
    "numerical_average_pooling": Classic("5", "3", s="1", pool="avg", x=_X),
}


def classic_key(name: str) -> str:
    """A name as ``CLASSICS`` has it; hyphens, blanks and capitals do as well.

    >>> classic_key("Padding-Strides")
    'padding_strides'
    """
    return name.lower().replace("-", "_").replace(" ", "_")


def classic(name: str) -> Classic:
    """The animation of that name; hyphens do as well as underscores.

    >>> classic("padding-strides").p
    '1'
    >>> classic("padding_stride")
    Traceback (most recent call last):
    ...
    convcli.errors.UsageError: no drawing is called 'padding_stride'; did you mean 'padding_strides'?
    """
    key = classic_key(name)
    if key in CLASSICS:
        return CLASSICS[key]
    hint = did_you_mean(key, CLASSICS, cutoff=0.5) or f"; there are {', '.join(CLASSICS)}"
    raise UsageError(f"no drawing is called {name!r}{hint}")
