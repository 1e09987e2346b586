"""``convcli draw``: one operation as an animation, in the terminal or as a file."""

from typing import TYPE_CHECKING, Annotated

import typer

from convcli.cli import complete, layer_options, options
from convcli.errors import UsageError

if TYPE_CHECKING:
    from convcli.show.draw.scene import Scene

app = typer.Typer(add_completion=False)

LAYER = "The layer (sizes as 5, 5x7; one number alone is square)"
NUMBERS = "Numbers in the cells"
LOOK = "What is drawn, and how"
FILE = "Output"

EPILOG = """
Examples:

  convcli draw padding_strides

  convcli draw --n 5 --k 3 --s 2 --p 1 -o strides.gif

  convcli draw --x "1 2 3 4 5" --w "1 0 -1" --p 1 -o sums.svg

  convcli draw --n 3 --k 3 --s 2 --p 1 --op 1 --transpose --view scatter

  convcli draw --n 6 --k 2 --s 2 --pool max --ceil --frame 4 -o pool.png

The classic animations of the convolution arithmetic guide go by their names: no_padding_no_strides,
arbitrary_padding_no_strides, same_padding_no_strides, full_padding_no_strides,
no_padding_strides, padding_strides, padding_strides_odd, each also with _transposed; dilation,
numerical_no_padding_no_strides, numerical_padding_strides, numerical_max_pooling,
numerical_average_pooling.
"""


@app.command(epilog=EPILOG)
def draw(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            autocompletion=complete.names("show.draw.classics", "CLASSICS"),
            help="A classic animation, such as padding_strides; or give the layer's sizes.",
            show_default=False,
        ),
    ] = "",
    n: Annotated[str, layer_options.size("n", "Input; 5 is 5x5 unless --1d.", LAYER)] = "",
    k: Annotated[str, layer_options.size("k", "Kernel or window.", LAYER)] = "",
    s: Annotated[str, layer_options.size("s", "Stride; 1, or the window for pooling.", LAYER)] = "",
    p: Annotated[str, layer_options.padding(LAYER)] = "",
    d: Annotated[str, layer_options.size("d", "Dilation.", LAYER)] = "",
    op: Annotated[
        str, layer_options.size("op", "Cells added at the end of a transposed one.", LAYER)
    ] = "",
    one: Annotated[
        bool,
        typer.Option(
            "--1d", help="A sequence, where the sizes are single numbers.", rich_help_panel=LAYER
        ),
    ] = False,
    transpose: Annotated[bool, layer_options.transpose(LAYER)] = False,
    pool: Annotated[str, layer_options.pool("Pooling.", LAYER)] = "",
    ceil: Annotated[bool, layer_options.ceil(LAYER)] = False,
    in_channels: Annotated[int | None, layer_options.in_channels(LAYER)] = None,
    out_channels: Annotated[int | None, layer_options.out_channels(LAYER)] = None,
    groups: Annotated[int, layer_options.groups(LAYER)] = 1,
    flip: Annotated[
        bool,
        options.flip("Convolution as in mathematics: the kernel turned, both shown.", LAYER),
    ] = False,
    x: Annotated[
        str,
        typer.Option(
            "--x",
            metavar="X",
            help="The input: '1 2 3', '1 2; 3 4', 'a b c', a file; with channels as "
            "'[[[1,2],[3,4]],[[5,6],[7,8]]]'. Its size replaces --n.",
            rich_help_panel=NUMBERS,
            show_default=False,
        ),
    ] = "",
    w: Annotated[
        str,
        typer.Option(
            "--w",
            metavar="W",
            help="The kernel, likewise, or (C_out, C_in/groups, *kernel); for channels a table is "
            "a 1x1 layer. Its size replaces --k.",
            rich_help_panel=NUMBERS,
            show_default=False,
        ),
    ] = "",
    bias: Annotated[
        str,
        typer.Option(
            "--bias",
            metavar="B",
            help="One number for each output channel: '0.5 -1'.",
            rich_help_panel=NUMBERS,
            show_default=False,
        ),
    ] = "",
    view: Annotated[
        str,
        typer.Option(
            "--view",
            autocompletion=complete.names("show.draw.views", "VIEWS"),
            metavar="VIEW",
            help="window, matrix (the Toeplitz matrix beside it), gradient (the backward pass); of "
            "a transposed one also gather (over inserted zeros) and scatter (stamping).",
            rich_help_panel=LOOK,
            show_default=False,
        ),
    ] = "",
    theme: Annotated[str, options.theme("For a page or a slide.", LOOK)] = "light",
    size: Annotated[
        int | None,
        options.width("Width of the picture; the default suits what is drawn.", LOOK),
    ] = None,
    fps: Annotated[
        float,
        typer.Option("--fps", min=0.1, max=50, help="Steps in a second.", rich_help_panel=LOOK),
    ] = 2.0,
    frame: Annotated[
        int | None,
        typer.Option(
            "--frame",
            min=1,
            metavar="N",
            help="Only this step, counted from 1: a still picture.",
            rich_help_panel=LOOK,
        ),
    ] = None,
    output: Annotated[
        str,
        options.output(
            ".svg, .gif, .png (APNG), .webp; without it, it plays in the terminal.", FILE
        ),
    ] = "",
    overwrite: Annotated[bool, options.overwrite(FILE)] = False,
) -> None:
    """Draw a convolution, a transposed one or pooling, step by step."""
    from convcli.cli.drawing import check_drawing, write_drawing

    if output:
        check_drawing(output, overwrite)
    from convcli.cli.draw_scene import classic_scene, operation
    from convcli.cli.layer_parse import LayerOptions
    from convcli.show.draw.theme import theme_of
    from convcli.show.draw.views import build_scene

    look = theme_of(theme)
    sizes = {"--n": n, "--k": k, "--s": s, "--p": p, "--d": d, "--op": op}
    channels = {"--in": in_channels, "--out": out_channels, "--groups": groups != 1}
    given = sizes | channels | {"--x": x, "--w": w, "--bias": bias}
    if name:
        extra = [option for option, value in given.items() if value not in ("", None, False)]
        extra += ["--transpose"] * transpose + ["--pool"] * bool(pool) + ["--ceil"] * ceil
        if extra:
            raise UsageError(f"{', '.join(extra)}: {name} says its sizes itself; give one of both")
        scene = classic_scene(name, view, flip=flip)
    else:
        numbers = (in_channels, out_channels, groups, bool(bias))
        layer = LayerOptions(n, k, s, p, d, op, transpose, pool, ceil, *numbers)
        scene = build_scene(operation(layer, x, w, bias, one_axis=one, flip=flip), view)
    count = len(scene.steps)
    if frame is not None and frame > count:
        raise UsageError(f"--frame is {frame}; the drawing has the steps 1 to {count}")
    if output:
        from convcli.show.draw.layout import lay_out

        write_drawing(
            lay_out(scene, look),
            output,
            _say(scene, frame),
            overwrite=overwrite,
            width=size,
            fps=fps,
            frame=None if frame is None else frame - 1,
        )
        return
    from convcli.show.draw.player import can_play, play, print_step

    if frame is None and count > 1 and can_play():
        play(scene, fps)
    else:
        print_step(scene, count - 1 if frame is None else frame - 1)


def _say(scene: "Scene", frame: int | None) -> str:
    count = len(scene.steps) if frame is None else 1
    steps = f"{count} steps" if count > 1 else "1 step"
    return f"{scene.title}: {scene.subtitle}, {steps}"
