"""``convcli conv-transpose``: tensors in, tensors out, with the working."""

from typing import Annotated

from convcli.cli import tensor_options as on
from convcli.cli.declared import Commands
from convcli.cli.options import LITERALS

app = Commands()


@app.command(**LITERALS)
def conv_transpose(
    x: on.X,
    w: on.WTransposed,
    bias: on.Bias = "",
    stride: on.Stride = "1",
    padding: on.Padding = "0",
    output_padding: Annotated[
        str,
        on.layer(help="Cells added at the end: which of the sizes that a stride maps together."),
    ] = "0",
    output_shape: Annotated[
        str,
        on.layer(
            help="Spatial size of the result, as 4x4; the padding follows (ONNX's rule).",
            show_default=False,
        ),
    ] = "",
    dilation: on.Dilation = "1",
    groups: on.Groups = 1,
    dims: on.Dims = None,
    steps: on.Steps = False,
    at: on.At = "",
    show_all: on.All = False,
    as_json: on.AsJson = False,
    output: on.Output = "",
    overwrite: on.Overwrite = False,
) -> None:
    from convcli.cli.tensor_io import (
        check_output,
        convolution_options,
        emit,
        per_axis_option,
        read_operands,
        sizes_of,
    )
    from convcli.cli.tensor_working import Working, show_working
    from convcli.ops.conv import conv_transpose as compute

    check_output(output, overwrite)
    (a, weight, shift), axes = read_operands(x, w, groups, dims, transposed=True, bias=bias or None)
    layer = convolution_options(stride, padding, dilation) | axes
    layer.update(
        output_padding=per_axis_option(output_padding, "output padding"),
        output_shape=per_axis_option(output_shape, "output shape") if output_shape else None,
    )
    y = compute(a, weight, shift, **layer)
    asked = Working(steps, at, show_all, as_json or output == "-")
    if asked.wanted:
        from convcli.ops.conv_geometry import transposed_geometry
        from convcli.ops.output_sum import transposed_output_sum

        geometry = transposed_geometry(a.shape, weight.shape, **layer)
        operands = a.reshape(geometry.small_shape), weight.reshape(geometry.weight_shape), shift
        show_working(transposed_output_sum, geometry, operands, y, asked)
    title = f"transposed convolution of {sizes_of(a)} with {sizes_of(weight)}:"
    emit(y, title, output=output, overwrite=overwrite, as_json=as_json)


conv_transpose.__doc__ = "Transposed convolution: every input value stamps the kernel." + on.ranks(
    on.BACKWARD
)
