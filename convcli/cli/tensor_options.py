"""Options and arguments that the tensor commands share."""

from typing import Annotated, TypeAlias

import typer

from convcli.cli import complete

__all__ = [
    "BACKWARD",
    "FORWARD",
    "LITERALS",
    "RANKS",
    "TENSOR_HELP",
    "AsJson",
    "Dilation",
    "Dims",
    "Flip",
    "Groups",
    "Output",
    "Overwrite",
    "Padding",
    "Stride",
    "W",
    "WEither",
    "WTransposed",
    "X",
]

LITERALS = {"ignore_unknown_options": True}
"""Of a command whose arguments may be literals that begin with a minus sign."""

LAYER, RESULT = "Layer", "Result"

TENSOR_HELP = (
    "A literal ('1 2 3', '1 2; 1/3 4', '[[1,2],[3,4]]', 'a 2b x[0]' for symbols), a file (.npy, "
    ".npz:name, .json, .csv, text, a picture), or - for standard input."
)

Stride: TypeAlias = Annotated[
    str,
    typer.Option(help="Cells between two windows: 2, or per axis 2x1.", rich_help_panel=LAYER),
]
Padding: TypeAlias = Annotated[
    str,
    typer.Option(
        autocompletion=complete.names("arithmetic.window", "PADDING_NAMES"),
        help="Zeros around the input: 1, per axis 1x2, before,after as 1,2, or valid, same, "
        "same_lower, full.",
        rich_help_panel=LAYER,
    ),
]
Dilation: TypeAlias = Annotated[
    str,
    typer.Option(help="Cells between two taps: 2, or per axis 2x1.", rich_help_panel=LAYER),
]
Groups: TypeAlias = Annotated[
    int,
    typer.Option(
        help="Groups of channels that do not mix; as many as channels is depthwise.",
        rich_help_panel=LAYER,
    ),
]
Dims: TypeAlias = Annotated[
    int | None,
    typer.Option(
        help="Spatial axes (1, 2 or 3), where the shapes leave it open.", rich_help_panel=LAYER
    ),
]
Output: TypeAlias = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="Write the whole result: .npy, .json or .csv; - is .npy on standard output.",
        show_default=False,
        rich_help_panel=RESULT,
    ),
]
Overwrite: TypeAlias = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace a file that is there.", rich_help_panel=RESULT),
]
AsJson: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json",
        help="The whole result as {shape, dtype, data}, which is read back as a tensor.",
        rich_help_panel=RESULT,
    ),
]

X: TypeAlias = Annotated[str, typer.Argument(metavar="X", help=f"The input. {TENSOR_HELP}")]
FORWARD = "(C_out, C_in/groups, *kernel)"
BACKWARD = "(C_in, C_out/groups, *kernel)"
"""The axes of a weight, of a convolution and of a transposed one."""

W: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="W", help=f"The weight, written likewise: {FORWARD}, or a bare kernel."),
]
WTransposed: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="W", help=f"The weight, written likewise: {BACKWARD}, or a bare kernel."
    ),
]
WEither: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="W",
        help=f"The weight, written likewise: {FORWARD}, with --transposed {BACKWARD}, or a bare "
        "kernel.",
    ),
]
Flip: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--flip",
        help="Convolution as in mathematics and signal processing: the kernel reversed.",
        rich_help_panel=LAYER,
    ),
]

RANKS = """

\b
Ranks: the weight names the number of spatial axes.
  W 1-D or 2-D     a bare kernel, for X bare or with channel axes of size 1
  W 4-D or 5-D     {axes}, for images or volumes
  W 3-D            the same for one axis, with X (length) or (C, length);
                   a bare 3-D kernel with X of 4 or 5 axes; else say --dims
  X                bare, (C, *spatial) or (N, C, *spatial); the result likewise
"""
