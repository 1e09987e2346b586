"""``convcli grad``: gradients of a convolution for its operands."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from convcli.cli import complete, options
from convcli.cli import tensor_options as on
from convcli.cli.declared import Commands, option
from convcli.cli.options import LITERALS

if TYPE_CHECKING:
    from convcli.cli.tensor_working import Working

app = Commands()

ONLY = ("x", "weight", "bias")
"""What ``--only`` takes: the operands, as ``Gradients`` names them."""


EXAMPLES = """
Examples:

  convcli grad "1 2 3 4" "1 0 -1" --steps

  convcli grad "a b c d" "x y z" --grad-y "g h" --only weight --at 0
"""


@app.command(**LITERALS, epilog=EXAMPLES)
def grad(
    x: on.X,
    w: on.WEither,
    grad_y: Annotated[
        str,
        option(help="Gradient for the output; ones by default, the loss sum(y)."),
    ] = "",
    transposed: Annotated[
        bool, option("--transposed", help="Of the transposed convolution.")
    ] = False,
    stride: on.Stride = "1",
    padding: on.Padding = "0",
    border: on.Border = "zeros",
    dilation: on.Dilation = "1",
    groups: on.Groups = 1,
    flip: on.Flip = False,
    dims: on.Dims = None,
    steps: Annotated[
        bool, on.working("--steps", help="Show the first entries as the chain rule gives them.")
    ] = False,
    at: Annotated[
        str,
        on.working(
            metavar="I,J",
            help="Show the working of this one entry of the gradient that --only names.",
            show_default=False,
        ),
    ] = "",
    show_all: Annotated[bool, on.working("--all", help="Show the working of every entry.")] = False,
    as_json: Annotated[
        bool,
        options.json("An object with x, weight and bias, each {shape, dtype, data}.", on.RESULT),
    ] = False,
    only: Annotated[
        str,
        on.result(
            "--only",
            autocompletion=complete.names("cli.grad", "ONLY"),
            metavar="x|weight|bias",
            help="Give this gradient alone, which -o can then write.",
            show_default=False,
        ),
    ] = "",
    output: on.Output = "",
    overwrite: on.Overwrite = False,
) -> None:
    from convcli.cli.tensor_io import (
        check_output,
        convolution_options,
        emit,
        emit_json,
        read_operands,
    )
    from convcli.cli.tensor_working import Working, place
    from convcli.ops import conv, gradients

    _check(only, transposed, flip, border, at, output)
    check_output(output, overwrite)
    (a, weight, loss), axes = read_operands(
        x, w, groups, dims, transposed=transposed, grad_y=grad_y or None
    )
    layer = convolution_options(stride, padding, dilation, None if transposed else border) | axes
    compute = gradients.conv_transpose_grad if transposed else gradients.conv_grad
    forward = conv.conv_transpose if transposed else conv.conv
    if flip:
        layer["flip"] = True
    if loss is None:
        loss = forward(a, weight, **layer) * 0 + 1
    found = compute(loss, a, weight, **layer)
    asked = Working(steps, at, show_all, as_json or output == "-")
    working = _working_of(found, loss, a, weight, transposed, asked, layer)
    if at:
        place(at, getattr(found, only).shape, "entries")
    if asked.wanted and not grad_y:
        from convcli.show.gradient_steps import show_loss

        show_loss(aside=asked.aside)
    if asked.wanted:
        for name in (only,) if only else ONLY if asked.aside else ():
            working(name)
    if only:
        emit(
            getattr(found, only),
            f"gradient for {only}:",
            output=output,
            overwrite=overwrite,
            as_json=as_json,
        )
    elif as_json:
        from convcli.show.tensor_text import tensor_document

        emit_json({name: tensor_document(value) for name, value in found._asdict().items()})
    else:
        from convcli.show.tensor_text import show_tensor

        for name, value in found._asdict().items():
            if asked.wanted:
                working(name)
            show_tensor(value, f"gradient for {name}:")


def _check(only: str, transposed: bool, flip: bool, border: str, at: str, output: str) -> None:
    """Refuse options that do not go together."""
    from convcli.arithmetic.borders import parse_filling
    from convcli.errors import UsageError

    if only and only not in ONLY:
        raise UsageError(f"--only {only!r} is not known; allowed: {', '.join(ONLY)}")
    if output and not only:
        raise UsageError("-o writes one array; add --only x, --only weight or --only bias")
    if transposed and flip:
        raise UsageError("--flip and --transposed do not go together; reverse the kernel instead")
    if transposed and not parse_filling(border).is_zeros:
        raise UsageError(
            f"--border {border}: a transposed convolution has zeros alone, as in PyTorch; without "
            "--transposed, the gradient for x is the adjoint of the convolution with the border"
        )
    if at and not only:
        raise UsageError(
            f"--at {at} is an entry of one gradient; add --only x, --only weight or --only bias"
        )


def _working_of(
    found: Any,
    loss: Any,
    x: Any,
    weight: Any,
    transposed: bool,
    asked: "Working",
    layer: dict[str, Any],
) -> Callable[[str], None]:
    """What shows the working of one gradient, by its name."""

    def show(name: str) -> None:
        from convcli.cli.tensor_working import show_gradient
        from convcli.ops.conv_geometry import conv_geometry, transposed_geometry

        sizes = {key: value for key, value in layer.items() if key != "flip"}
        geometry = (transposed_geometry if transposed else conv_geometry)(
            x.shape, weight.shape, **sizes
        )
        show_gradient(
            name,
            geometry,
            (loss, x, weight),
            getattr(found, name),
            asked,
            transposed=transposed,
            flip=bool(layer.get("flip")),
        )

    return show


grad.__doc__ = f"Gradients of a convolution for its input, weight and bias.{on.ranks(on.FORWARD)}"
