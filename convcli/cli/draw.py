"""``convcli draw``: one operation as an animation, in the terminal or as a file."""

from typing import TYPE_CHECKING, Annotated

from convcli.cli import complete, options
from convcli.cli import draw_options as on
from convcli.cli.declared import Commands, option
from convcli.cli.drawing import STILLS, SUFFIXES
from convcli.errors import UsageError

if TYPE_CHECKING:
    from convcli.show.draw.scene import Scene

app = Commands()

EPILOG = """
Examples:

  convcli draw padding_strides

  convcli draw --n 5 --k 3 --s 2 --p 1 -o strides.gif

  convcli draw "1 2 3 4 5" "1 0 -1" --p 1 -o sums.svg

  convcli draw --n 3 --k 3 --s 2 --p 1 --op 1 --transpose --view scatter

  convcli draw "a b c d" "x y z" --p 1 --border reflect --view gradient

  convcli draw --n 6 --k 2 --s 2 --pool max --ceil --frame 4 -o pool.pdf

  convcli draw padding_strides -o slides/ --size 1920x1080

  convcli draw --in 4 --out 4 --groups 2 --n 5 --k 3 --p 1 -o groups.svg

  convcli draw "[[[1,2],[3,4]],[[5,6],[7,8]]]" "1 0; 0 1; 1 -1" -o mixing.svg

  convcli draw --n 5 --k 3 --s 2 --p 1 -o strides.html

The classic animations of the convolution arithmetic guide go by their names: no_padding_no_strides,
arbitrary_padding_no_strides, same_padding_no_strides, full_padding_no_strides,
no_padding_strides, padding_strides, padding_strides_odd, each also with _transposed; dilation,
numerical_no_padding_no_strides, numerical_padding_strides, numerical_max_pooling,
numerical_average_pooling.
"""


@app.command(literals=True, epilog=EPILOG)
def draw(
    name: on.Name = "",
    weight: on.Weight = "",
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
    view: Annotated[
        str,
        option(
            "--view",
            autocompletion=complete.names("show.draw.views", "VIEWS"),
            metavar="VIEW",
            help="window, matrix (the Toeplitz matrix beside it), gradient (the backward pass); of "
            "a transposed one also gather (over inserted zeros) and scatter (stamping).",
            rich_help_panel=on.LOOK,
            show_default=False,
        ),
    ] = "",
    theme: Annotated[str, options.theme("For a page or a slide.", on.LOOK)] = "light",
    size: Annotated[
        str,
        option(
            "--size",
            metavar="PIXELS",
            help="Width of the picture, or a slide to be centred on, as 1920x1080 (what a video "
            "and a PDF of all steps are made for); the default suits what is drawn.",
            rich_help_panel=on.LOOK,
            show_default=False,
        ),
    ] = "",
    fps: Annotated[
        float,
        option("--fps", min=0.1, max=50, help="Steps in a second.", rich_help_panel=on.LOOK),
    ] = 2.0,
    frame: Annotated[
        int | None,
        option(
            "--frame",
            min=1,
            metavar="N",
            help="Only this step, counted from 1: a still picture.",
            rich_help_panel=on.LOOK,
        ),
    ] = None,
    output: Annotated[
        str,
        options.output(
            f"{', '.join(SUFFIXES)}: an animation, of a .pdf (with fpdf2) a page for each "
            "step, .mp4 and .webm with FFmpeg; .html: an interactive page; FOLDER/: a still of each step. Without it, it plays in the terminal.",
            on.FILE,
        ),
    ] = "",
    form: Annotated[
        str,
        option(
            "--format",
            "-f",
            metavar="NAME",
            autocompletion=complete.names("cli.drawing", "STILLS"),
            help=f"Of the stills in a folder: {', '.join(STILLS)}. Default: {STILLS[0]}.",
            rich_help_panel=on.FILE,
            show_default=False,
        ),
    ] = "",
    overwrite: Annotated[bool, options.overwrite(on.FILE)] = False,
) -> None:
    """Draw a convolution, a transposed one or pooling, step by step."""
    from convcli.cli.drawing import parse_page
    from convcli.cli.page import draw_page
    from convcli.show.page.target import is_page

    _check_output(output, form, overwrite)
    page = parse_page(size)
    from convcli.cli.draw_scene import Drawn, asked_operation, file_stem, typed_operands
    from convcli.cli.layer_parse import LayerOptions
    from convcli.show.draw.theme import theme_of
    from convcli.show.draw.views import build_scene

    look = theme_of(theme)
    numbers = (in_channels, out_channels, groups, bool(bias))
    layer = LayerOptions(n, k, s, p, d, op, transpose, pool, ceil, *numbers)
    name, drawn = typed_operands(name, weight, Drawn(layer, x, w, bias, one, flip, border))
    operation = asked_operation(name, drawn)
    if is_page(output):
        draw_page(
            operation,
            output,
            overwrite=overwrite,
            theme=theme,
            view=view,
            size=size,
            fps=fps,
            frame=frame,
        )
        return
    scene = build_scene(operation, view)
    count = len(scene.steps)
    if frame is not None and frame > count:
        raise UsageError(f"--frame is {frame}; the drawing has the steps 1 to {count}")
    chosen = None if frame is None else frame - 1
    if output:
        from convcli.cli.drawing import Folder, is_folder, write_drawing, write_stills
        from convcli.show.draw.layout import lay_out

        drawing, said = lay_out(scene, look), _say(scene, frame)
        if is_folder(output):
            where = Folder(output, file_stem(name, operation.kind, view), form)
            write_stills(drawing, where, said, overwrite=overwrite, page=page, frame=chosen)
            return
        write_drawing(drawing, output, said, overwrite=overwrite, page=page, fps=fps, frame=chosen)
        return
    from convcli.show.draw.player import can_play, play, print_step

    if chosen is None and count > 1 and can_play():
        play(scene, fps)
    else:
        print_step(scene, count - 1 if chosen is None else chosen)


def _check_output(output: str, form: str, overwrite: bool) -> None:
    from convcli.cli.drawing import check_drawing, check_stills, is_folder
    from convcli.show.page.target import SUFFIX

    if output and is_folder(output):
        check_stills(output, form)
        return
    if form:
        raise UsageError(
            "--format is that of the stills in a folder, as -o slides/; a file has it in its name"
        )
    if output:
        check_drawing(output, overwrite, (*SUFFIXES, SUFFIX))


def _say(scene: "Scene", frame: int | None) -> str:
    count = len(scene.steps) if frame is None else 1
    steps = f"{count} steps" if count > 1 else "1 step"
    return f"{scene.title}: {scene.subtitle}, {steps}"
