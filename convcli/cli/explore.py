"""``convcli explore``: a layer, or a picture under a kernel, as an interactive page."""

from typing import TYPE_CHECKING, Annotated, Any

from convcli.cli import complete, options
from convcli.cli import draw_options as on
from convcli.cli.declared import Commands, argument, option
from convcli.errors import UsageError

if TYPE_CHECKING:
    from convcli.kernels.kernel import Kernel

app = Commands()

EPILOG = """
Examples:

  convcli explore

  convcli explore padding_strides

  convcli explore --n 7 --k 3 --s 2 --p 1 --in 3 --out 2 -o layer.html

  convcli explore "a b c d" "u v"

  convcli explore photo.jpg --kernel sobel-x -o edges.html

The page is one file that asks the network for nothing. Sliders change every size, the cells can be
edited (numbers, fractions, letters), and its address holds the state: copy it to share what you see.
"""

DEFAULT = "numerical_padding_strides"
"""What is explored where nothing is said."""

Shown = Annotated[
    str,
    argument(
        metavar="[NAME|PICTURE|X]",
        autocompletion=complete.names("show.draw.classics", "CLASSICS"),
        help="A classic animation, such as padding_strides; a picture, a large one made smaller; "
        "or the input, as convcli conv takes it. None of these where sizes are given.",
        show_default=False,
    ),
]
PictureKernel = Annotated[
    str,
    option(
        "--kernel",
        metavar="KERNEL",
        autocompletion=complete.kernels,
        help="The kernel for a picture to begin with; sobel-x by default.",
        rich_help_panel="Picture",
        show_default=False,
    ),
]


@app.command(literals=True, epilog=EPILOG)
def explore(
    name: Shown = "",
    weight: on.Weight = "",
    kernel: PictureKernel = "",
    n: on.Size = "",
    k: on.Kernel = "",
    s: on.Stride = "",
    p: on.Padding = "",
    border: on.Border = "zeros",
    d: on.Dilation = "",
    op: on.OutputPadding = "",
    one: on.OneAxis = False,
    transpose: on.Transpose = False,
    pool: on.Pool = "",
    ceil: on.Ceil = False,
    in_channels: on.InChannels = None,
    out_channels: on.OutChannels = None,
    groups: on.Groups = 1,
    flip: on.Flip = False,
    x: on.X = "",
    w: on.W = "",
    bias: on.Bias = "",
    output: Annotated[
        str, options.output(".html; without it, the page opens in the browser.", on.FILE)
    ] = "",
    overwrite: Annotated[bool, options.overwrite(on.FILE)] = False,
) -> None:
    """Explore a layer, or a picture under a kernel, on an interactive page."""
    from convcli.cli.draw_scene import Drawn, asked_operation, typed_operands
    from convcli.cli.layer_parse import LayerOptions
    from convcli.cli.page import show_page, write_page
    from convcli.kernels.preset_names import preset_of
    from convcli.show.page.layer_page import explore_page
    from convcli.show.page.target import check_page

    if output:
        check_page(output, overwrite=overwrite)
    if not kernel and preset_of(weight.partition(":")[0]):
        kernel, weight = weight, ""  # a preset is no weight of a layer: explore photo.jpg sobel-x
    numbers = (in_channels, out_channels, groups, bool(bias))
    layer = LayerOptions(n, k, s, p, d, op, transpose, pool, ceil, *numbers)
    name, drawn = typed_operands(name, weight, Drawn(layer, x, w, bias, one, flip, border))
    picture = _picture(name, kernel, drawn != Drawn())
    shown = "" if picture else name
    operation = asked_operation(shown or ("" if drawn.given else DEFAULT), drawn)
    if picture:
        what = f"{picture['name']} under {kernel or 'sobel-x'}"
    else:
        what = f"{operation.title}: {operation.subtitle}"
    html = explore_page(operation, picture=picture, kernel=_kernel(kernel))
    if output:
        write_page(html, output, what, overwrite=overwrite)
    else:
        show_page(html, what)


def _picture(name: str, kernel: str, of_layer: bool) -> dict[str, Any] | None:
    """The picture that is named, ready to lie in the page; None for a layer."""
    from convcli.show.draw.classics import CLASSICS, classic_key
    from convcli.system.files import is_file

    classic = classic_key(name) in CLASSICS
    if not name or classic or not (kernel or name == "-" or "." in name or is_file(name)):
        if kernel:
            raise UsageError(
                "--kernel is for a picture, as in convcli explore photo.jpg --kernel sobel-x; a "
                "layer has --w"
            )
        return None
    if of_layer:
        raise UsageError(f"{name} is a picture; it takes --kernel, not the options of a layer")
    from convcli.imaging.embedded import embedded_picture

    return embedded_picture(name)


def _kernel(spec: str) -> "Kernel | None":
    """The kernel for the picture."""
    if not spec:
        return None
    from convcli.kernels.load import load_chain

    chain = load_chain(spec)
    if len(chain) > 1:
        raise UsageError(f"--kernel {spec} is a chain of {len(chain)}; a page shows one kernel")
    return chain[0]
