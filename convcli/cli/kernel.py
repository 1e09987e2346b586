"""``convcli kernel``: the catalogue of kernels, one kernel in full, and its export."""

from typing import TYPE_CHECKING, Annotated

import typer

from convcli.cli import complete, options
from convcli.cli.declared import Commands, argument, option
from convcli.cli.drawing import FIGURES, listed
from convcli.cli.options import LITERALS

if TYPE_CHECKING:
    from convcli.kernels.kernel import Kernel

app = Commands(no_args_is_help=True, help="List, explain and export kernels.")

KernelWritten = Annotated[
    str,
    options.kernel(
        "A preset (gaussian:1.5), a file (./k.csv) or the weights ('1 0 -1; 2 0 -2; 1 0 -1').",
        show_default=False,
    ),
]


@app.command("list")
def list_command(
    as_json: Annotated[
        bool, options.json("A JSON array with every parameter and what it may be.")
    ] = False,
) -> None:
    """Show every preset and what it is for."""
    from convcli.show.kernel_screen import catalogue_json, show_catalogue

    if as_json:
        typer.echo(catalogue_json())
    else:
        show_catalogue()


@app.command("show", **LITERALS)
def show_command(
    kernel: KernelWritten,
    beside: Annotated[
        str,
        options.kernel("Another one beside it.", "[KERNEL]", show_default=False),
    ] = "",
    as_json: Annotated[bool, options.json("A JSON object with all weights and factors.")] = False,
    output: Annotated[
        str,
        options.output(
            f"A figure instead, {listed(FIGURES)}: weights, frequency response, profile."
        ),
    ] = "",
    theme: Annotated[
        str,
        options.theme("Of the figure."),
    ] = "light",
    size: Annotated[
        int | None,
        options.width("Width of the figure."),
    ] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Show a kernel: weights, sum, range, symmetry, factors, what it does, and which waves pass."""
    from convcli.kernels.load import load_kernel

    if output:
        from convcli.cli.drawing import check_drawing

        check_drawing(output, overwrite, FIGURES)
    loaded = [load_kernel(text) for text in (kernel, beside) if text]
    if output:
        _draw(loaded, output, theme, size, overwrite)
        return
    from convcli.show.console import is_terminal
    from convcli.show.kernel_screen import kernel_json, show_kernel

    for number, one in enumerate(loaded):
        if as_json:
            typer.echo(kernel_json(one))
            continue
        if number:
            typer.echo()
        show_kernel(one)
        if is_terminal() and one.is_correlation:
            from convcli.show.kernel_plots import show_plots

            show_plots(one)


def _draw(
    loaded: "list[Kernel]", output: str, theme: str, size: int | None, overwrite: bool
) -> None:
    from convcli.cli.drawing import write_drawing
    from convcli.kernels.operation_facts import require_sum
    from convcli.show.draw.theme import theme_of
    from convcli.show.kernel_figure import kernel_figure

    sums = [require_sum(one, "frequency response to draw") for one in loaded]
    drawing = kernel_figure(sums, theme_of(theme))
    write_drawing(drawing, output, drawing.title, overwrite=overwrite, width=size)


@app.command("sheet", **LITERALS)
def sheet_command(
    picture: Annotated[
        str,
        argument(metavar="PICTURE", help="The picture, or - for stdin.", show_default=False),
    ],
    kernels: Annotated[
        list[str] | None,
        options.kernel(
            "Kernels, or chains such as 'gaussian:1 | sobel'; all presets by default.",
            "[KERNEL]...",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str, options.output(f"The sheet, {listed(FIGURES)}: a labelled tile for each kernel.")
    ] = "",
    theme: Annotated[str, options.theme("Of the sheet.")] = "light",
    size: Annotated[int | None, options.width("Width of the sheet.")] = None,
    overwrite: options.Overwrite = False,
    max_pixels: Annotated[
        int | None, options.max_pixels("Refuse a larger picture by its header.")
    ] = None,
) -> None:
    """See a picture through every preset, or those named, to choose by eye.

    The picture is made as small as a tile first and filtered then: on the full one a kernel of the
    same size reaches less far.
    """
    from convcli.cli.drawing import check_drawing, write_drawing
    from convcli.errors import UsageError

    for word in (picture, *(kernels or [])):
        if word[:1] == "-" and word[1:2].isalpha():  # -1 0 1 is a kernel
            raise UsageError(f"no such option: {word}; kernels follow the picture; see --help")
    if not output:
        raise UsageError("-o is missing: where does the sheet go? As in -o sheet.png")
    check_drawing(output, overwrite, FIGURES)
    from convcli.imaging.opening import name_of, read_picture
    from convcli.show.draw.theme import theme_of
    from convcli.show.kernel_sheet import asked_for, kernel_sheet

    look, asked = theme_of(theme), asked_for(kernels or [])
    source = read_picture(picture, max_pixels=max_pixels)
    source.name = name_of(picture)
    drawing = kernel_sheet(source, asked, look, width=size)
    write_drawing(drawing, output, drawing.title, overwrite=overwrite)


@app.command("export", **LITERALS)
def export_command(
    kernel: KernelWritten,
    output: Annotated[
        str,
        options.output("Where to; its suffix chooses the format. - is standard output."),
    ],
    format: Annotated[
        str,
        option(
            "-f",
            "--format",
            autocompletion=complete.names("kernels.export", "FORMATS"),
            metavar="FORMAT",
            help="json, toml, csv, tsv, txt, npy, mat or im, where the suffix does not say it. "
            "json and toml keep everything, mat (libvips) also the bias; "
            "im is ImageMagick's string.",
            show_default=False,
        ),
    ] = "",
    overwrite: options.Overwrite = False,
) -> None:
    """Write a kernel in a format that other programs, and convcli, read."""
    from convcli.errors import UsageError
    from convcli.kernels.export import FORMATS, export_kernel, format_of
    from convcli.kernels.load import load_kernel

    suffix = output[output.rfind(".") :] if "." in output else ""
    chosen = format.lower() or format_of(suffix)
    if not chosen:
        what = "standard output" if output == "-" else repr(output)
        raise UsageError(f"{what} does not say which format; add -f with {', '.join(FORMATS)}")
    loaded = load_kernel(kernel)
    data = export_kernel(loaded, chosen)
    _write(output, data, is_text=chosen != "npy", overwrite=overwrite)
    if output != "-":
        from convcli.imaging.atomic import display_name

        typer.echo(f"{loaded.name} -> {display_name(output)} ({chosen})", err=True)


def _write(output: str, data: bytes, *, is_text: bool, overwrite: bool) -> None:
    if output != "-":
        from convcli.imaging.atomic import write_atomic

        write_atomic(output, data, overwrite=overwrite)
    elif is_text:
        typer.echo(data, nl=False)
    else:
        from convcli.imaging.standard_output import write_stdout

        write_stdout(data)
