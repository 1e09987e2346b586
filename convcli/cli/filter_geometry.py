"""Where results lie: the headings Shape and Part of a picture."""

from functools import partial
from typing import Annotated

from convcli.arithmetic.borders import BORDERS
from convcli.cli import options
from convcli.cli.declared import option

_SHAPE = "Shape"
_shape = partial(option, rich_help_panel=_SHAPE)
_part = partial(option, rich_help_panel="Part of a picture")
_BORDERS = ", ".join(BORDERS).replace("constant", "constant[:V]")

Padding = Annotated[
    str,
    options.padding(
        "--padding",
        metavar="HOW",
        help="same, valid, full, or cells: P, PH,PW or T,R,B,L. same keeps the size.",
        panel=_SHAPE,
    ),
]
Stride = Annotated[
    str,
    _shape(
        "--stride",
        metavar="S|SH,SW",
        help="Keep every S-th position, without computing the others; see below which.",
    ),
]
Dilation = Annotated[
    str,
    _shape(
        "--dilation",
        metavar="D|DH,DW",
        help="Spread the taps D pixels apart: a wider view at the same cost.",
    ),
]
Border = Annotated[
    str,
    options.border(
        f"What is read outside the picture: {_BORDERS}; see below. V is 0 (black) to 255 "
        "(white) at any depth, a percentage, or a gray by name; of rasters a value. missing "
        "leaves out what lies outside.",
        _SHAPE,
    ),
]
Flip = Annotated[
    bool,
    options.flip("Turn the kernel round: mathematical convolution instead of correlation.", _SHAPE),
]

# Part of a picture

Region = Annotated[
    str | None,
    _part(
        "--region",
        metavar="X,Y,WxH",
        help="Filter this part alone, in pixels (100,50,300x200) or percent (10%,10%,50%x50%) of "
        "the upright picture. It sees what lies beside it; all other samples stay as they are.",
    ),
]
Mask = Annotated[
    str | None,
    _part(
        "--mask",
        metavar="FILE",
        help="A gray picture of the same size that says how much of the result shows: black "
        "nothing, white all of it, between them a blend.",
    ),
]
