"""``convcli check``: the identities of convolution, both sides computed."""

from typing import Annotated, Any

import typer

from convcli.cli import options
from convcli.cli import tensor_options as on
from convcli.cli.declared import Commands, option
from convcli.cli.options import LITERALS

app = Commands(
    no_args_is_help=True,
    help="Check that shifts, adjoints and gradients are what they must be.",
)

W = Annotated[str, on.weight()]
AsJson = Annotated[
    bool,
    options.json("An object with both sides and their parts, the difference and the verdict."),
]


def _run(
    check: Any, x: str, w: str, dims: int | None, as_json: bool, layer: Any, **more: Any
) -> None:
    from convcli.cli.tensor_io import convolution_options, emit_json, read_operands

    stride, padding, dilation, groups, border = layer
    operands, axes = read_operands(x, w, groups, dims)
    options = convolution_options(stride, padding, dilation, border) | axes
    found = check(*operands, **options, **more)
    if as_json:
        from convcli.show.tensor_text import tensor_document

        emit_json(
            {
                **{name: tensor_document(part) for name, part in found.parts.items()},
                found.left_name: tensor_document(found.left),
                found.right_name: tensor_document(found.right),
                **({"note": found.note} if found.note else {}),
                "largest_difference": found.difference,
                "tolerance": found.tolerance,
                "holds": found.holds,
            }
        )
    else:
        from convcli.show.algebra import show_check

        show_check(found)
    if not found.holds:
        raise typer.Exit(1)


def _examples(name: str) -> str:
    return f"""
Examples:

  convcli check {name} "1 2 3 4 5" "1 0 -1" --padding 1

  convcli check {name} "a b c" "x y"
"""


@app.command(**LITERALS, epilog=_examples("equivariance"))
def equivariance(
    x: on.X,
    w: W,
    shift: Annotated[int, option(min=-1000, max=1000, help="Cells of the output to move by.")] = 1,
    stride: on.Stride = "1",
    padding: on.Padding = "0",
    border: on.Border = "zeros",
    dilation: on.Dilation = "1",
    groups: on.Groups = 1,
    dims: on.Dims = None,
    as_json: AsJson = False,
) -> None:
    """conv(shift(x)) is shift(conv(x)), away from the border; with --border wrap everywhere."""
    from convcli.ops.identities import check_equivariance

    _run(
        check_equivariance,
        x,
        w,
        dims,
        as_json,
        (stride, padding, dilation, groups, border),
        shift=shift,
    )


@app.command(**LITERALS, epilog=_examples("adjoint"))
def adjoint(
    x: on.X,
    w: W,
    stride: on.Stride = "1",
    padding: on.Padding = "0",
    border: on.Border = "zeros",
    dilation: on.Dilation = "1",
    groups: on.Groups = 1,
    dims: on.Dims = None,
    as_json: AsJson = False,
) -> None:
    """<conv(x), v> is <x, conv_transpose(v)>: the transposed operation is the adjoint.

    With a border what arrives outside is added to the cell that stands there.
    """
    from convcli.ops.identities import check_adjoint

    _run(check_adjoint, x, w, dims, as_json, (stride, padding, dilation, groups, border))


@app.command(**LITERALS, epilog=_examples("gradient"))
def gradient(
    x: on.X,
    w: W,
    stride: on.Stride = "1",
    padding: on.Padding = "0",
    border: on.Border = "zeros",
    dilation: on.Dilation = "1",
    groups: on.Groups = 1,
    dims: on.Dims = None,
    as_json: AsJson = False,
) -> None:
    """Analytic gradients of the loss <conv(x), v> are its central differences."""
    from convcli.ops.identities import check_gradient

    _run(check_gradient, x, w, dims, as_json, (stride, padding, dilation, groups, border))
