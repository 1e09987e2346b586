"""``convcli shape``: sizes of layers and networks, with the working."""

from typing import TYPE_CHECKING, Annotated

import typer

from convcli.cli import complete
from convcli.errors import ShapeError, UsageError

if TYPE_CHECKING:
    from convcli.arithmetic.network_report import NetworkReport
    from convcli.cli.shape_options import LayerOptions

app = typer.Typer(add_completion=False)

LAYER = "The layer (sizes as 32, 224x224 or 16x112x112)"
COST = "Channels, for parameters and multiplications"
ASK = "What to ask"
FORM = "Output (tables on a terminal, plain text in a pipe)"

EXAMPLES = """
Examples:

  convcli shape --n 32 --k 5 --p 2 --s 1

  convcli shape --n 224x224 --k 7 --s 2 --p 3 --in 3 --out 64

  convcli shape --n 32 --solve 16

  convcli shape --n 7 --k 3 --s 2 --p same --transpose --compare

  convcli shape "conv 64 k7 s2 p3 | relu | maxpool k3 s2 p1" --n 224

  convcli shape --network resnet50
"""


@app.command(epilog=EXAMPLES)
def shape(
    chain: str = typer.Argument(
        "",
        metavar="[NETWORK]",
        autocompletion=complete.networks,
        help="A whole network: a chain such as 'conv 64 k7 s2 p3 | relu', a .toml, .json or .onnx "
        "file, or a built-in name such as resnet50.",
        show_default=False,
    ),
    n: Annotated[
        list[str] | None,
        typer.Option(
            "--n",
            "--input",
            "-n",
            metavar="SIZE",
            rich_help_panel=LAYER,
            help="Input size; 3x224x224 begins with the channels of a network. For an ONNX file "
            "with several inputs name=1x3x224x224, once for each.",
            show_default=False,
        ),
    ] = None,
    k: str = typer.Option(
        "",
        "--k",
        "--kernel-size",
        "-k",
        metavar="SIZE",
        rich_help_panel=LAYER,
        help="Kernel size.",
    ),
    s: str = typer.Option(
        "",
        "--s",
        "--stride",
        "-s",
        metavar="SIZE",
        rich_help_panel=LAYER,
        help="Stride; 1, or the kernel size for pooling.",
    ),
    p: str = typer.Option(
        "",
        "--p",
        "--padding",
        "-p",
        autocompletion=complete.names("arithmetic.window", "PADDING_NAMES"),
        metavar="PAD",
        rich_help_panel=LAYER,
        help="Padding: 2, per axis 1x2, before,after 1,2, or same, same_lower, valid, full.",
    ),
    d: str = typer.Option(
        "", "--d", "--dilation", "-d", metavar="SIZE", rich_help_panel=LAYER, help="Dilation."
    ),
    op: str = typer.Option(
        "",
        "--op",
        "--output-padding",
        metavar="SIZE",
        rich_help_panel=LAYER,
        help="Cells added at the end of a transposed convolution.",
    ),
    transpose: bool = typer.Option(
        False, "--transpose", rich_help_panel=LAYER, help="A transposed convolution."
    ),
    pool: str = typer.Option(
        "",
        "--pool",
        autocompletion=complete.names("cli.shape_options", "POOLS"),
        metavar="max|avg",
        rich_help_panel=LAYER,
        help="A pooling layer.",
    ),
    ceil: bool = typer.Option(
        False, "--ceil", rich_help_panel=LAYER, help="Let the last pooling window hang over."
    ),
    in_channels: int | None = typer.Option(
        None, "--in", metavar="C", rich_help_panel=COST, help="Input channels."
    ),
    out_channels: int | None = typer.Option(
        None, "--out", metavar="C", rich_help_panel=COST, help="Output channels."
    ),
    groups: int = typer.Option(
        1, "--groups", metavar="G", rich_help_panel=COST, help="Groups; C for a depthwise layer."
    ),
    bias: bool = typer.Option(
        True, "--bias/--no-bias", rich_help_panel=COST, help="Count a bias per output channel."
    ),
    batch: int | None = typer.Option(
        None,
        "--batch",
        metavar="N",
        rich_help_panel=COST,
        help="Pictures computed at once; 1, or what an ONNX file fixes.",
    ),
    dialect: str = typer.Option(
        "",
        "--as",
        autocompletion=complete.names("arithmetic.dialects", "DIALECTS"),
        metavar="DIALECT",
        rich_help_panel=ASK,
        help="Follow torch, tensorflow, keras or onnx, and write the layer as its code.",
    ),
    compare: bool = typer.Option(
        False,
        "--compare",
        rich_help_panel=ASK,
        help="All of them side by side, differences marked.",
    ),
    solve: str = typer.Option(
        "",
        "--solve",
        metavar="SIZE",
        rich_help_panel=ASK,
        help="Find the layers that give this output; fix any of --k --s --p --d --op.",
    ),
    network: str = typer.Option(
        "",
        "--network",
        autocompletion=complete.networks,
        metavar="NAME",
        rich_help_panel=ASK,
        help="The same as NETWORK: lenet5, alexnet, vgg11|16|19, resnet18|34|50, googlenet, "
        "mobilenet-v1, unet, a file or a chain.",
    ),
    as_json: bool = typer.Option(False, "--json", rich_help_panel=FORM, help="JSON, for programs."),
    as_csv: bool = typer.Option(
        False, "--csv", rich_help_panel=FORM, help="CSV, for spreadsheets."
    ),
    as_markdown: bool = typer.Option(
        False, "--markdown", rich_help_panel=FORM, help="Markdown, for an issue or a README."
    ),
    as_latex: bool = typer.Option(
        False, "--latex", rich_help_panel=FORM, help="LaTeX, for a paper or an exercise."
    ),
    output: str = typer.Option(
        "",
        "-o",
        "--output",
        metavar="FILE",
        rich_help_panel=FORM,
        help="Draw the network: .svg, .png or .webp.",
        show_default=False,
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", rich_help_panel=FORM, help="Replace a file that is there."
    ),
) -> None:
    """Work out what a layer or a whole network makes of its input, and show the working."""
    asked = {"json": as_json, "csv": as_csv, "markdown": as_markdown, "latex": as_latex}
    forms = [name for name, wanted in asked.items() if wanted]
    if len(forms) > 1:
        raise UsageError(f"{' and '.join('--' + name for name in forms)} exclude each other")
    form = forms[0] if forms else None
    name = _one_network(chain, network)
    if name:
        given: dict[str, object] = {
            "--k": k,
            "--s": s,
            "--p": p,
            "--d": d,
            "--op": op,
            "--pool": pool,
        }
        given |= {"--transpose": transpose, "--ceil": ceil, "--out": out_channels is not None}
        given |= {"--as": dialect, "--compare": compare, "--solve": solve, "--groups": groups != 1}
        _refuse(
            [option for option, value in given.items() if value], "a network, whose layers say so"
        )
        if output:
            _refuse(["--" + form] if form else [], "-o, which draws")
            _draw_network(name, n, in_channels, batch, output, overwrite)
            return
        _show_network(name, n, in_channels, batch, form)
        return
    _refuse(["-o"] if output else [], "one layer; convcli draw draws it, -o is for networks")
    from convcli.cli.shape_options import LayerOptions

    options = LayerOptions(
        _one_size(n), k, s, p, d, op, transpose, pool, ceil, in_channels, out_channels, groups, bias
    )
    if batch is not None and batch < 1:
        raise ShapeError(f"batch is {batch}; it must be 1 or more")
    if solve:
        both: dict[str, object] = {
            "--as": dialect,
            "--compare": compare,
            "--out": out_channels is not None,
        }
        _refuse([option for option, value in both.items() if value], "--solve")
        _show_solutions(options, solve, form)
    elif compare:
        _refuse(["--as"] if dialect else [], "--compare, which shows every dialect")
        _show_comparison(options, form)
    else:
        _show_layer(options, batch or 1, dialect, form)


def _one_network(chain: str, network: str) -> str:
    if chain and network:
        raise UsageError(f"two networks are given, {chain!r} and {network!r}; give one")
    return chain or network


def _refuse(options: list[str], with_: str) -> None:
    if options:
        raise UsageError(f"{', '.join(options)} cannot be used with {with_}")


def _show_layer(options: "LayerOptions", batch: int, dialect: str, form: str | None) -> None:
    from convcli.show.shape_layer import layer_document
    from convcli.show.shape_output import emit

    layer = options.layer()
    code = ""
    notes: tuple[str, ...] = ()
    if dialect:
        from convcli.arithmetic.dialects import speak

        spoken = speak(dialect, layer, options.spatial, options.in_channels)
        windows, code, notes = spoken.windows, spoken.code, spoken.remarks
    else:
        windows = layer.windows(options.spatial)
    document = layer_document(
        layer,
        windows,
        in_channels=options.in_channels,
        batch=batch,
        dialect=dialect,
        code=code,
        notes=notes,
    )
    emit(lambda roomy: document, form)


def _show_comparison(options: "LayerOptions", form: str | None) -> None:
    from convcli.arithmetic.dialects import compare
    from convcli.show.shape_compare import compare_document
    from convcli.show.shape_output import emit

    layer = options.layer()
    rows = compare(layer, options.spatial, options.in_channels)
    if not any(row.spoken for row in rows):
        raise ShapeError(rows[0].refusal)
    document = compare_document(layer, options.spatial, rows)
    emit(lambda roomy: document, form)


def _show_solutions(options: "LayerOptions", wanted: str, form: str | None) -> None:
    from convcli.arithmetic.sizes import parse_sizes
    from convcli.arithmetic.solver import solve
    from convcli.show.shape_compare import solve_document
    from convcli.show.shape_output import emit

    outputs = parse_sizes(wanted, "wanted output")
    found = solve(
        options.spatial, outputs, kind=options.kind, fixed=options.fixed(), ceil_mode=options.ceil
    )
    document = solve_document(options.kind, options.spatial, outputs, found)
    emit(lambda roomy: document, form)


def _show_network(
    name: str, n: list[str] | None, in_channels: int | None, batch: int | None, form: str | None
) -> None:
    from convcli.show.shape_network import network_document
    from convcli.show.shape_output import emit

    report = _worked_out(name, n, in_channels, batch)
    emit(lambda roomy: network_document(report, roomy=roomy), form)
    if report.failure:
        raise ShapeError(str(report.failure))


def _draw_network(
    name: str,
    n: list[str] | None,
    in_channels: int | None,
    batch: int | None,
    output: str,
    overwrite: bool,
) -> None:
    from convcli.cli.drawing import FIGURES, check_drawing, write_drawing
    from convcli.show.draw.theme import theme_of
    from convcli.show.network_figure import network_figure

    check_drawing(output, overwrite, FIGURES)
    report = _worked_out(name, n, in_channels, batch)
    if report.failure and not report.rows:
        raise ShapeError(str(report.failure))
    drawing = network_figure(report, theme_of("light"))
    write_drawing(drawing, output, drawing.title, overwrite=overwrite)
    if report.failure:
        raise ShapeError(str(report.failure))


def _worked_out(
    name: str, n: list[str] | None, in_channels: int | None, batch: int | None
) -> "NetworkReport":
    from convcli.arithmetic.network import Network
    from convcli.arithmetic.sizes import parse_sizes

    network = Network.load(name)
    named: dict[str, tuple[int, ...]] = {}
    plain = []
    for word in n or ():
        of, mark, sizes = word.rpartition("=")
        if not mark:
            plain.append(word)
        elif of in named:
            raise UsageError(f"--n {of}= is given twice")
        else:
            named[of] = parse_sizes(sizes, f"input {of}")
    size = _one_size(plain)
    asked = parse_sizes(size, "input size") if size else None
    return network.evaluate_for(asked, in_channels, batch, named)


def _one_size(n: list[str] | None) -> str:
    if n and len(n) > 1:
        raise UsageError(
            f"--n is given {len(n)} times, {' and '.join(n)}; give one size, or name=SIZE"
        )
    return n[0] if n else ""
