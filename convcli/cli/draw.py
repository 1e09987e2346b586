"""``convcli draw``: one operation as an animation, in the terminal or as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from convcli.errors import UsageError

if TYPE_CHECKING:
    from convcli.show.draw.operation import Operation
    from convcli.show.draw.scene import Scene

app = typer.Typer()

LAYER = "The layer (sizes as 5, 5x7; one number alone is square)"
NUMBERS = "Numbers in the cells"
LOOK = "What is drawn, and how"
FILE = "Output"

SUFFIXES = (".svg", ".gif", ".png", ".apng", ".webp")

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


def _size(*names: str, help: str, metavar: str = "SIZE") -> Any:
    return typer.Option(
        *names, metavar=metavar, help=help, rich_help_panel=LAYER, show_default=False
    )


@app.command(epilog=EPILOG)
def draw(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            help="A classic animation, such as padding_strides; or give the layer's sizes.",
            show_default=False,
        ),
    ] = "",
    n: Annotated[str, _size("--n", "--input", "-n", help="Input; 5 is 5x5 unless --1d.")] = "",
    k: Annotated[str, _size("--k", "--kernel-size", "-k", help="Kernel or window.")] = "",
    s: Annotated[
        str, _size("--s", "--stride", "-s", help="Stride; 1, or the window for pooling.")
    ] = "",
    p: Annotated[
        str,
        _size(
            "--p",
            "--padding",
            "-p",
            metavar="PAD",
            help="Padding: 2, per axis 1x2, before,after 1,2, or same, same_lower, valid, full.",
        ),
    ] = "",
    d: Annotated[str, _size("--d", "--dilation", "-d", help="Dilation.")] = "",
    op: Annotated[
        str, _size("--op", "--output-padding", help="Cells added at the end of a transposed one.")
    ] = "",
    one: Annotated[
        bool,
        typer.Option(
            "--1d", help="A sequence, where the sizes are single numbers.", rich_help_panel=LAYER
        ),
    ] = False,
    transpose: Annotated[
        bool,
        typer.Option("--transpose", help="A transposed convolution.", rich_help_panel=LAYER),
    ] = False,
    pool: Annotated[
        str,
        typer.Option(
            "--pool", metavar="max|avg", help="Pooling.", rich_help_panel=LAYER, show_default=False
        ),
    ] = "",
    ceil: Annotated[
        bool,
        typer.Option(
            "--ceil", help="Let the last pooling window hang over.", rich_help_panel=LAYER
        ),
    ] = False,
    flip: Annotated[
        bool,
        typer.Option(
            "--flip",
            help="Convolution as in mathematics: the kernel turned, both shown.",
            rich_help_panel=LAYER,
        ),
    ] = False,
    x: Annotated[
        str,
        typer.Option(
            "--x",
            metavar="X",
            help="The input: '1 2 3', '1 2; 3 4', 'a b c', a file. Its size replaces --n.",
            rich_help_panel=NUMBERS,
            show_default=False,
        ),
    ] = "",
    w: Annotated[
        str,
        typer.Option(
            "--w",
            metavar="W",
            help="The kernel, likewise; its size replaces --k.",
            rich_help_panel=NUMBERS,
            show_default=False,
        ),
    ] = "",
    view: Annotated[
        str,
        typer.Option(
            "--view",
            metavar="VIEW",
            help="window, matrix (the Toeplitz matrix beside it), gradient (the backward pass); of "
            "a transposed one gather (over inserted zeros) or scatter (stamping).",
            rich_help_panel=LOOK,
            show_default=False,
        ),
    ] = "",
    theme: Annotated[
        str,
        typer.Option(
            "--theme", metavar="light|dark", help="For a page or a slide.", rich_help_panel=LOOK
        ),
    ] = "light",
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            min=64,
            max=8192,
            metavar="PIXELS",
            help="Width of the picture; the default suits what is drawn.",
            rich_help_panel=LOOK,
        ),
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
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help=".svg, .gif, .png (APNG), .webp; without it, it plays in the terminal.",
            rich_help_panel=FILE,
            show_default=False,
        ),
    ] = "",
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace a file that is there.", rich_help_panel=FILE),
    ] = False,
) -> None:
    """Draw a convolution, a transposed one or pooling, step by step."""
    if output:
        check_drawing(output, overwrite)
    from convcli.show.draw.theme import theme_of
    from convcli.show.draw.views import build_scene

    look = theme_of(theme)
    given = {"--n": n, "--k": k, "--s": s, "--p": p, "--d": d, "--op": op, "--x": x, "--w": w}
    if name:
        extra = [option for option, value in given.items() if value]
        extra += ["--transpose"] * transpose + ["--pool"] * bool(pool) + ["--ceil"] * ceil
        if extra:
            raise UsageError(f"{', '.join(extra)}: {name} says its sizes itself; give one of both")
        scene = classic_scene(name, view, flip=flip)
    else:
        operation = _operation(n, k, s, p, d, op, one, transpose, pool, ceil, flip, x, w)
        scene = build_scene(operation, view)
    count = len(scene.steps)
    if frame is not None and frame > count:
        raise UsageError(f"--frame is {frame}; the drawing has the steps 1 to {count}")
    if output:
        _write(scene, output, overwrite, look, size, fps, frame)
        return
    from convcli.show.draw.player import can_play, play, print_step

    if frame is None and count > 1 and can_play():
        play(scene, fps)
    else:
        print_step(scene, count - 1 if frame is None else frame - 1)


def classic_scene(name: str, view: str = "", *, flip: bool = False) -> Scene:
    """The scene of a classic animation."""
    from convcli.show.draw.classics import classic
    from convcli.show.draw.views import build_scene

    c = classic(name)
    operation = _operation(
        c.n, c.k, c.s, c.p, c.d, c.op, False, c.transpose, c.pool, False, flip, c.x, c.w
    )
    return build_scene(operation, view)


def check_drawing(output: str, overwrite: bool, allowed: tuple[str, ...] = SUFFIXES) -> None:
    """Refuse a target before anything is drawn."""
    suffix = output[output.rfind(".") :].lower() if "." in output else ""
    if suffix not in allowed:
        raise UsageError(f"{output!r}: a drawing is written as {', '.join(allowed)}")
    from convcli.imaging.atomic import check_target

    check_target(output, overwrite=overwrite)


def _operation(
    n: str,
    k: str,
    s: str,
    p: str,
    d: str,
    op: str,
    one: bool,
    transpose: bool,
    pool: str,
    ceil: bool,
    flip: bool,
    x: str,
    w: str,
) -> Operation:
    from convcli.arithmetic.layer import Layer
    from convcli.arithmetic.sizes import parse_padding, parse_sizes
    from convcli.show.draw.operation import plan_operation

    kinds: dict[str, Any] = {"": "conv", "max": "maxpool", "avg": "avgpool"}
    if pool not in kinds:
        raise UsageError(f"--pool is {pool!r}; it must be max or avg")
    if pool and transpose:
        raise UsageError("--pool and --transpose exclude each other")
    if pool and w:
        raise UsageError("--w is for a convolution; pooling has no weights, only --k")
    a = _plane(x, "--x") if x else None
    weight = _plane(w, "--w") if w else None
    if not pool and (a is None) != (weight is None):
        raise UsageError("numbers need both --x and --w; without them give --n and --k")
    for option, text, array in (("--n", n, a), ("--k", k, weight)):
        if not text and array is None:
            what = "the input" if option == "--n" else "the window" if pool else "the kernel"
            raise UsageError(f"how large is {what}? Give {option}, or the name of a classic")
        if text and array is not None and not _same(parse_sizes(text, option), array.shape):
            shape = "x".join(map(str, array.shape))
            raise UsageError(f"{option} is {text}, but the numbers are {shape}; leave {option} out")
    sizes = a.shape if a is not None else parse_sizes(n, "input size")
    kernel = weight.shape if weight is not None else parse_sizes(k, "kernel size")
    if len(sizes) == 1 and a is None and not one:
        sizes *= 2
    if one and len(sizes) != 1:
        raise UsageError(f"--1d is for one axis; the input is {'x'.join(map(str, sizes))}")
    layer = Layer(
        kinds[pool] if not transpose else "conv_transpose",
        kernel,
        parse_sizes(s, "stride") if s else None,
        parse_padding(p) if p else (0,),
        parse_sizes(d, "dilation") if d else (1,),
        parse_sizes(op, "output padding") if op else None,
        ceil,
    )
    return plan_operation(layer, sizes, x=a, w=weight, flip=flip)


def _same(sizes: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return sizes * (len(shape) if len(sizes) == 1 else 1) == shape


def _plane(text: str, option: str) -> Any:
    """Numbers of one or two axes; one channel alone may come with its axes."""
    from convcli.cli.tensor_io import read

    array = read(text, option)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in (1, 2):
        shape = "x".join(map(str, array.shape)) or "a single number"
        raise UsageError(f"{option} is {shape}; one channel of 1 or 2 axes can be drawn")
    return array


def _write(
    scene: Scene,
    output: str,
    overwrite: bool,
    look: Any,
    size: int | None,
    fps: float,
    frame: int | None,
) -> None:
    from convcli.imaging.atomic import display_name, write_atomic
    from convcli.show.draw.files import drawing_bytes
    from convcli.show.draw.layout import lay_out

    index = None if frame is None else frame - 1
    drawing = lay_out(scene, look)
    suffix = output[output.rfind(".") :].lower()
    data = drawing_bytes(drawing, suffix, width=size, fps=fps, frame=index)
    write_atomic(output, data, overwrite=overwrite)
    count = len(drawing.frames) if frame is None else 1
    steps = f"{count} steps" if count > 1 else "1 step"
    typer.echo(f"{scene.title}: {scene.subtitle}, {steps} -> {display_name(output)}", err=True)
