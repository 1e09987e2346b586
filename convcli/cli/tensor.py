"""``convcli conv`` and ``conv-transpose``: tensors in, tensors out, with the working."""

from typing import Annotated, Any

import typer

from convcli.cli.tensor_options import (
    BACKWARD,
    FORWARD,
    LITERALS,
    RANKS,
    AsJson,
    Dilation,
    Dims,
    Flip,
    Groups,
    Output,
    Overwrite,
    Padding,
    Stride,
    W,
    WTransposed,
    X,
)

conv_app, transpose_app = typer.Typer(add_completion=False), typer.Typer(add_completion=False)
APPS = {"conv": conv_app, "conv-transpose": transpose_app}

WORKING = "Working"
FIRST = 4
"""Outputs whose working ``--steps`` shows unless told otherwise."""

Bias = Annotated[
    str,
    typer.Option(help="One number for each output channel: '0.5 -1'.", show_default=False),
]
Steps = Annotated[
    bool,
    typer.Option(
        "--steps", help="Show the first outputs as sums of products.", rich_help_panel=WORKING
    ),
]
At = Annotated[
    str,
    typer.Option(
        metavar="I,J",
        help="Show the working of this one output.",
        show_default=False,
        rich_help_panel=WORKING,
    ),
]
All = Annotated[
    bool,
    typer.Option("--all", help="Show the working of every output.", rich_help_panel=WORKING),
]


@conv_app.command(context_settings=LITERALS)
def conv(
    x: X,
    w: W,
    bias: Bias = "",
    stride: Stride = "1",
    padding: Padding = "0",
    dilation: Dilation = "1",
    groups: Groups = 1,
    flip: Flip = False,
    dims: Dims = None,
    steps: Steps = False,
    at: At = "",
    show_all: All = False,
    as_json: AsJson = False,
    output: Output = "",
    overwrite: Overwrite = False,
) -> None:
    from convcli.cli.tensor_io import check_output, convolution_options, emit, read, resolve_dims
    from convcli.ops.conv import conv as compute

    check_output(output, overwrite)
    a, weight = read(x, "X"), read(w, "W")
    shift = read(bias, "--bias") if bias else None
    options = convolution_options(stride, padding, dilation)
    options.update(groups=groups, dims=resolve_dims(a, weight, dims))
    y = compute(a, weight, shift, flip=flip, **options)
    if steps or at or show_all:
        from convcli.ops.conv import flip_kernel
        from convcli.ops.conv_geometry import conv_geometry
        from convcli.ops.output_sum import conv_output_sum

        geometry = conv_geometry(a.shape, weight.shape, **options)
        if flip:
            weight = flip_kernel(weight, geometry.rank)
        operands = a.reshape(geometry.big_shape), weight.reshape(geometry.weight_shape), shift
        _show_working(
            conv_output_sum, geometry, operands, y, at, show_all, as_json or output == "-"
        )
    title = f"{'convolution' if flip else 'correlation'} of {_sizes(a)} with {_sizes(weight)}:"
    emit(y, title, output=output, overwrite=overwrite, as_json=as_json)


conv.__doc__ = f"""Convolve tensors: sequences, images or volumes, with the working if asked.{RANKS.format(axes=FORWARD)}"""


@transpose_app.command(context_settings=LITERALS)
def conv_transpose(
    x: X,
    w: WTransposed,
    bias: Bias = "",
    stride: Stride = "1",
    padding: Padding = "0",
    output_padding: Annotated[
        str,
        typer.Option(
            help="Cells added at the end: which of the sizes that a stride maps together.",
            rich_help_panel="Layer",
        ),
    ] = "0",
    output_shape: Annotated[
        str,
        typer.Option(
            help="Spatial size of the result, as 4x4; the padding follows (ONNX's rule).",
            show_default=False,
            rich_help_panel="Layer",
        ),
    ] = "",
    dilation: Dilation = "1",
    groups: Groups = 1,
    dims: Dims = None,
    steps: Steps = False,
    at: At = "",
    show_all: All = False,
    as_json: AsJson = False,
    output: Output = "",
    overwrite: Overwrite = False,
) -> None:
    from convcli.cli.tensor_io import (
        check_output,
        convolution_options,
        emit,
        per_axis_option,
        read,
        resolve_dims,
    )
    from convcli.ops.conv import conv_transpose as compute

    check_output(output, overwrite)
    a, weight = read(x, "X"), read(w, "W")
    shift = read(bias, "--bias") if bias else None
    options = convolution_options(stride, padding, dilation)
    options.update(
        groups=groups,
        dims=resolve_dims(a, weight, dims, BACKWARD),
        output_padding=per_axis_option(output_padding, "output padding"),
        output_shape=per_axis_option(output_shape, "output shape") if output_shape else None,
    )
    y = compute(a, weight, shift, **options)
    if steps or at or show_all:
        from convcli.ops.conv_geometry import transposed_geometry
        from convcli.ops.output_sum import transposed_output_sum

        geometry = transposed_geometry(a.shape, weight.shape, **options)
        operands = a.reshape(geometry.small_shape), weight.reshape(geometry.weight_shape), shift
        _show_working(
            transposed_output_sum, geometry, operands, y, at, show_all, as_json or output == "-"
        )
    title = f"transposed convolution of {_sizes(a)} with {_sizes(weight)}:"
    emit(y, title, output=output, overwrite=overwrite, as_json=as_json)


conv_transpose.__doc__ = (
    "Transposed convolution: every input value stamps the kernel." + RANKS.format(axes=BACKWARD)
)


def _sizes(array: Any) -> str:
    from convcli.arithmetic.sizes import cross

    return cross(array.shape) or "scalar"


def _show_working(
    step: Any, geometry: Any, operands: Any, y: Any, at: str, show_all: bool, aside: bool
) -> None:
    """Print the working of the outputs asked for; on standard error where data goes out."""
    import numpy as np

    from convcli.show.console import make_console
    from convcli.show.tensor_steps import show_steps

    chosen = (
        [_index(at, y.shape)] if at else list(np.ndindex(y.shape))[: None if show_all else FIRST]
    )
    lead = (0,) * (geometry.rank + 2 - y.ndim)

    def named() -> Any:
        for index in chosen:
            name = f"y[{','.join(map(str, index))}]"
            yield name, step(geometry, *operands, (*lead, *index))

    console = make_console("stderr" if aside else "stdout")
    show_steps(named(), 0 if at else y.size - len(chosen), console)


def _index(text: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    from convcli.arithmetic.sizes import cross
    from convcli.errors import UsageError

    try:
        index = tuple(int(part) for part in text.split(","))
    except ValueError:
        index = ()
    fits = len(index) == len(shape) and all(0 <= i < n for i, n in zip(index, shape, strict=True))
    if not fits:
        example = ",".join(str(n - 1) for n in shape)
        raise UsageError(
            f"--at {text!r} is not in the output {cross(shape)}; the last one is --at {example}"
        )
    return index
