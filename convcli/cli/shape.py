"""``convcli shape``: sizes of layers and networks, with the working."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated

from convcli.cli import complete, layer_options, options
from convcli.cli.declared import Commands, argument, option
from convcli.cli.drawing import FIGURES, listed
from convcli.errors import ShapeError, UsageError

if TYPE_CHECKING:
    from convcli.arithmetic.network_report import NetworkReport
    from convcli.cli.layer_parse import LayerOptions

app = Commands()

LAYER = "The layer (sizes as 32, 224x224 or 16x112x112)"
COST = "Channels, for parameters and multiplications"
ASK = "What to ask"
FORM = "Output (tables on a terminal, plain text in a pipe)"
_cost = partial(option, rich_help_panel=COST)
_ask = partial(option, rich_help_panel=ASK)
_form = partial(option, rich_help_panel=FORM)

EXAMPLES = """
Examples:

  convcli shape --n 32 --k 5 --p 2 --s 1

  convcli shape --n 224x224 --k 7 --s 2 --p 3 --in 3 --out 64

  convcli shape --n 32 --solve 16

  convcli shape --n 7 --k 3 --s 2 --p same --transpose --compare

  convcli shape "conv 64 k7 s2 p3 | relu | maxpool k3 s2 p1" --n 224

  convcli shape --network resnet50

  convcli shape --network vgg16 --trace middle -o field.svg
"""


@app.command(epilog=EXAMPLES)
def shape(
    chain: Annotated[
        str,
        argument(
            metavar="[NETWORK]",
            autocompletion=complete.networks,
            help="A whole network: a chain such as 'conv 64 k7 s2 p3 | relu', a .toml, .json or "
            ".onnx file, or a built-in name such as resnet50.",
            show_default=False,
        ),
    ] = "",
    n: Annotated[
        list[str] | None,
        layer_options.size(
            "n",
            "Input size; 3x224x224 begins with the channels of a network. For an ONNX file "
            "with several inputs name=1x3x224x224, once for each.",
            LAYER,
        ),
    ] = None,
    k: Annotated[str, layer_options.size("k", "Kernel size.", LAYER)] = "",
    s: Annotated[
        str, layer_options.size("s", "Stride; 1, or the kernel size for pooling.", LAYER)
    ] = "",
    p: Annotated[str, layer_options.padding(LAYER)] = "",
    d: Annotated[str, layer_options.size("d", "Dilation.", LAYER)] = "",
    op: Annotated[
        str,
        layer_options.size("op", "Cells added at the end of a transposed convolution.", LAYER),
    ] = "",
    transpose: Annotated[bool, layer_options.transpose(LAYER)] = False,
    pool: Annotated[str, layer_options.pool("A pooling layer.", LAYER)] = "",
    ceil: Annotated[bool, layer_options.ceil(LAYER)] = False,
    in_channels: Annotated[int | None, layer_options.in_channels(COST)] = None,
    out_channels: Annotated[int | None, layer_options.out_channels(COST)] = None,
    groups: Annotated[int, layer_options.groups(COST)] = 1,
    bias: Annotated[
        bool, _cost("--bias/--no-bias", help="Count a bias per output channel.")
    ] = True,
    batch: Annotated[
        int | None,
        _cost(
            "--batch",
            metavar="N",
            help="Pictures computed at once; 1, or what an ONNX file fixes.",
        ),
    ] = None,
    dialect: Annotated[
        str,
        _ask(
            "--as",
            autocompletion=complete.names("arithmetic.dialects", "DIALECTS"),
            metavar="DIALECT",
            help="Follow torch, tensorflow, keras or onnx, and write the layer as its code.",
        ),
    ] = "",
    compare: Annotated[
        bool, _ask("--compare", help="All of them side by side, differences marked.")
    ] = False,
    solve: Annotated[
        str,
        _ask(
            "--solve",
            metavar="SIZE",
            help="Find the layers that give this output; fix any of --k --s --p --d --op.",
        ),
    ] = "",
    network: Annotated[
        str,
        _ask(
            "--network",
            autocompletion=complete.networks,
            metavar="NAME",
            help="The same as NETWORK: lenet5, alexnet, vgg11|16|19, resnet18|34|50, googlenet, "
            "mobilenet-v1, unet, a file or a chain.",
        ),
    ] = "",
    trace: Annotated[
        str,
        _ask(
            "--trace",
            metavar="CELL",
            help="Which cells of every layer one output depends on: row,column or middle; "
            "3,4@conv2 of another layer, 3,4@input forward. -o draws it.",
        ),
    ] = "",
    as_json: Annotated[bool, options.json("JSON, for programs.", FORM)] = False,
    as_csv: Annotated[bool, _form("--csv", help="CSV, for spreadsheets.")] = False,
    as_markdown: Annotated[
        bool, _form("--markdown", help="Markdown, for an issue or a README.")
    ] = False,
    as_latex: Annotated[bool, _form("--latex", help="LaTeX, for a paper or an exercise.")] = False,
    output: Annotated[
        str,
        options.output(f"Draw the network or the trace: {listed(FIGURES)}; a trace .html.", FORM),
    ] = "",
    overwrite: Annotated[bool, options.overwrite(FORM)] = False,
) -> None:
    """Work out what a layer or a whole network makes of its input, and show the working."""
    form = _one_form({"json": as_json, "csv": as_csv, "markdown": as_markdown, "latex": as_latex})
    kinds: dict[str, object] = {"--as": dialect, "--compare": compare}
    sizes = {"--k": k, "--s": s, "--p": p, "--d": d, "--op": op}
    out = {"--out": out_channels is not None}
    if name := _one_network(chain, network):
        window = {"--pool": pool, "--transpose": transpose, "--ceil": ceil}
        asked = {"--solve": solve, "--groups": groups != 1}
        _refuse(sizes | window | out | kinds | asked, "a network, whose layers say so")
        report = partial(_worked_out, name, n, in_channels, batch)
        if output:
            _refuse({f"--{form}": form}, "-o, which draws")
        if trace:
            from convcli.cli.shape_trace import show_trace

            show_trace(partial(report, maps=True), trace, form, output, overwrite)
        elif output:
            _draw_network(report, output, overwrite)
        else:
            _show_network(report(), form)
        return
    _refuse({"-o": output}, "one layer; convcli draw draws it, -o is for networks")
    _refuse({"--trace": trace}, "one layer's options; write a chain, such as 'conv 1 k5 s2'")
    from convcli.cli.layer_parse import LayerOptions

    size, channels = _one_size(n), (in_channels, out_channels, groups, bias)
    layer = LayerOptions(size, k, s, p, d, op, transpose, pool, ceil, *channels)
    layer.check()
    if batch is not None and batch < 1:
        raise ShapeError(f"batch is {batch}; it must be 1 or more")
    if solve:
        _refuse(kinds | out, "--solve")
        _show_solutions(layer, solve, form)
    elif compare:
        _refuse({"--as": dialect}, "--compare, which shows every dialect")
        _show_comparison(layer, form)
    else:
        _show_layer(layer, batch or 1, dialect, form)


def _one_form(asked: Mapping[str, bool]) -> str | None:
    forms = [name for name, wanted in asked.items() if wanted]
    if len(forms) > 1:
        raise UsageError(f"{' and '.join('--' + name for name in forms)} exclude each other")
    return forms[0] if forms else None


def _one_network(chain: str, network: str) -> str:
    if chain and network:
        raise UsageError(f"two networks are given, {chain!r} and {network!r}; give one")
    return chain or network


def _refuse(given: Mapping[str, object], with_: str) -> None:
    options = [option for option, value in given.items() if value]
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


def _show_network(report: "NetworkReport", form: str | None) -> None:
    from convcli.show.shape_network import network_document
    from convcli.show.shape_output import emit

    emit(lambda roomy: network_document(report, roomy=roomy), form)
    if report.failure:
        raise ShapeError(str(report.failure))


def _draw_network(work_out: "Callable[[], NetworkReport]", output: str, overwrite: bool) -> None:
    from convcli.cli.drawing import check_drawing, write_drawing
    from convcli.show.draw.theme import theme_of
    from convcli.show.network_figure import network_figure

    check_drawing(output, overwrite, FIGURES)
    report = work_out()
    if report.failure and not report.rows:
        raise ShapeError(str(report.failure))
    drawing = network_figure(report, theme_of("light"))
    write_drawing(drawing, output, drawing.title, overwrite=overwrite)
    if report.failure:
        raise ShapeError(str(report.failure))


def _worked_out(
    name: str,
    n: list[str] | None,
    in_channels: int | None,
    batch: int | None,
    maps: bool = False,
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
    return network.evaluate_for(asked, in_channels, batch, named, maps=maps)


def _one_size(n: list[str] | None) -> str:
    if n and len(n) > 1:
        raise UsageError(
            f"--n is given {len(n)} times, {' and '.join(n)}; give one size, or name=SIZE"
        )
    return n[0] if n else ""
