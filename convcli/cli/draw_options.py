"""The options of the layer that ``draw`` and ``explore`` show."""

from typing import Annotated

from convcli.cli import complete, layer_options, options, tensor_options
from convcli.cli.declared import argument, option

LAYER = "The layer (sizes as 5, 5x7; one number alone is square)"
NUMBERS = "Numbers in the cells"
LOOK = "What is drawn, and how"
FILE = "Output"

Name = Annotated[
    str,
    argument(
        metavar="[NAME|X]",
        autocompletion=complete.names("show.draw.classics", "CLASSICS"),
        help="A classic animation, such as padding_strides; or the input, as convcli conv takes "
        "it. Neither where sizes are given.",
        show_default=False,
    ),
]
Weight = Annotated[
    str,
    argument(metavar="[W]", help="The kernel, behind the input: '1 0 -1'.", show_default=False),
]
Size = Annotated[str, layer_options.size("n", "Input; 5 is 5x5 unless --1d.", LAYER)]
Kernel = Annotated[str, layer_options.size("k", "Kernel or window.", LAYER)]
Stride = Annotated[str, layer_options.size("s", "Stride; 1, or the window for pooling.", LAYER)]
Padding = Annotated[str, layer_options.padding(LAYER)]
Border = Annotated[str, tensor_options.border(LAYER)]
Dilation = Annotated[str, layer_options.size("d", "Dilation.", LAYER)]
OutputPadding = Annotated[
    str, layer_options.size("op", "Cells added at the end of a transposed one.", LAYER)
]
OneAxis = Annotated[
    bool,
    option("--1d", help="A sequence, where the sizes are single numbers.", rich_help_panel=LAYER),
]
Transpose = Annotated[bool, layer_options.transpose(LAYER)]
Pool = Annotated[str, layer_options.pool("Pooling.", LAYER)]
Ceil = Annotated[bool, layer_options.ceil(LAYER)]
InChannels = Annotated[int | None, layer_options.in_channels(LAYER)]
OutChannels = Annotated[int | None, layer_options.out_channels(LAYER)]
Groups = Annotated[int, layer_options.groups(LAYER)]
Flip = Annotated[
    bool,
    options.flip("Convolution as in mathematics: the kernel turned, both shown.", LAYER),
]
X = Annotated[
    str,
    option(
        "--x",
        metavar="X",
        help="The input: '1 2 3', '1 2; 3 4', 'a b c', a file; with channels as "
        "'[[[1,2],[3,4]],[[5,6],[7,8]]]'. Its size replaces --n.",
        rich_help_panel=NUMBERS,
        show_default=False,
    ),
]
W = Annotated[
    str,
    option(
        "--w",
        metavar="W",
        help="The kernel, likewise, or (C_out, C_in/groups, *kernel); for channels a table is "
        "a 1x1 layer. Its size replaces --k.",
        rich_help_panel=NUMBERS,
        show_default=False,
    ),
]
Bias = Annotated[
    str,
    option(
        "--bias",
        metavar="B",
        help="One number for each output channel: '0.5 -1'.",
        rich_help_panel=NUMBERS,
        show_default=False,
    ),
]
