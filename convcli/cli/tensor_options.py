"""Options and arguments of the tensor commands."""

from functools import partial
from typing import Annotated, Any

from convcli.cli import options
from convcli.cli.declared import argument, option

LAYER, RESULT, _WORKING = "Layer", "Result", "Working"
layer = partial(option, rich_help_panel=LAYER)
result = partial(option, rich_help_panel=RESULT)
working = partial(option, rich_help_panel=_WORKING)

TENSOR_HELP = (
    "A literal ('1 2 3', '1 2; 1/3 4', '[[1,2],[3,4]]', 'a 2b x[0]' for symbols), a file (.npy, "
    ".npz:name, .json, .csv, text, a picture), or - for standard input."
)
FORWARD = "(C_out, C_in/groups, *kernel)"
BACKWARD = "(C_in, C_out/groups, *kernel)"
"""The axes of a weight, of a convolution and of a transposed one."""


def tensor(metavar: str, what: str) -> Any:
    """An argument that says how a tensor is written."""
    return argument(metavar=metavar, help=f"{what} {TENSOR_HELP}")


def weight(axes: str = "") -> Any:
    """The weight, an argument beside the input, which says how it is written."""
    which = f": {axes}, or a bare kernel" if axes else ""
    return argument(metavar="W", help=f"The weight, written likewise{which}.")


def ranks(axes: str) -> str:
    """The end of a command's help: which shapes are images, volumes, sequences."""
    return f"""

\b
Ranks: the weight names the number of spatial axes.
  W 1-D or 2-D     a bare kernel, for X bare or with channel axes of size 1
  W 2-D            {axes.replace(", *kernel", "")}, a 1x1 layer, for X (C, H, W)
                   with these channels; for other numbers of axes say --dims
  W 4-D or 5-D     {axes}, for images or volumes
  W 3-D            the same for one axis, with X (length) or (C, length);
                   a bare 3-D kernel with X of 4 or 5 axes; else say --dims
  X                bare, (C, *spatial) or (N, C, *spatial), as the result is
"""


def kernel_size(help: str, panel: str | None = None) -> Any:
    """``--kernel-size`` of a window without weights."""
    return option("-k", "--kernel-size", help=help, rich_help_panel=panel)


X = Annotated[str, tensor("X", "The input.")]
W = Annotated[str, weight(FORWARD)]
WTransposed = Annotated[str, weight(BACKWARD)]
WEither = Annotated[str, weight(f"{FORWARD}, with --transposed {BACKWARD}")]

Bias = Annotated[
    str,
    option(help="One number for each output channel: '0.5 -1'.", show_default=False),
]
Stride = Annotated[str, layer(help="Cells between two windows: 2, or per axis 2x1.")]
Padding = Annotated[
    str,
    options.padding(
        help="Cells around the input: 1, per axis 1x2, before,after as 1,2, or valid, same, "
        "same_lower, full.",
        panel=LAYER,
    ),
]


def border(panel: str) -> Any:
    """``--border`` of a tensor."""
    return options.border(
        "What the padding holds: zeros, constant:V, edge (replicate), reflect, symmetric or wrap "
        "(circular).",
        panel,
        "FILLING",
        "FILLING_ALIASES",
    )


Border = Annotated[str, border(LAYER)]
Dilation = Annotated[str, layer(help="Cells between two taps: 2, or per axis 2x1.")]
Groups = Annotated[
    int,
    layer(help="Groups of channels that do not mix; as many as channels is depthwise."),
]
Dims = Annotated[
    int | None, layer(help="Spatial axes (1, 2 or 3), where the shapes leave it open.")
]
Flip = Annotated[
    bool,
    options.flip(
        "Convolution as in mathematics and signal processing: the kernel reversed.", LAYER
    ),
]

Steps = Annotated[bool, working("--steps", help="Show the first outputs as sums of products.")]
At = Annotated[
    str, working(metavar="I,J", help="Show the working of this one output.", show_default=False)
]
All = Annotated[bool, working("--all", help="Show the working of every output.")]

Output = Annotated[
    str,
    options.output(
        "Write the whole result: .npy, .json or .csv; - is .npy on standard output.", RESULT
    ),
]
Overwrite = Annotated[bool, options.overwrite(RESULT)]
AsJson = Annotated[
    bool,
    options.json(
        "The whole result as {shape, dtype, data}, which is read back as a tensor.", RESULT
    ),
]
