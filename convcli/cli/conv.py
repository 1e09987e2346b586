"""``convcli conv``: tensors in, tensors out, with the working."""

from convcli.cli import tensor_options as on
from convcli.cli.declared import Commands
from convcli.cli.options import LITERALS

app = Commands()


EXAMPLES = """
Examples:

  convcli conv "1 2 3 4" "1/3 1/3 1/3" --steps

  convcli conv "a b c d" "w_1 -w_2/2" --padding 1

  convcli conv "[[[1,2],[3,4]],[[10,20],[30,40]]]" "1 0; 0 1; 1 -1"
"""


@app.command(**LITERALS, epilog=EXAMPLES)
def conv(
    x: on.X,
    w: on.W,
    bias: on.Bias = "",
    stride: on.Stride = "1",
    padding: on.Padding = "0",
    border: on.Border = "zeros",
    dilation: on.Dilation = "1",
    groups: on.Groups = 1,
    flip: on.Flip = False,
    dims: on.Dims = None,
    steps: on.Steps = False,
    at: on.At = "",
    show_all: on.All = False,
    as_json: on.AsJson = False,
    output: on.Output = "",
    overwrite: on.Overwrite = False,
) -> None:
    from convcli.cli.tensor_io import (
        border_words,
        check_output,
        convolution_options,
        emit,
        read_operands,
        sizes_of,
    )
    from convcli.cli.tensor_working import Working, show_working
    from convcli.ops.conv import conv as compute
    from convcli.ops.conv_geometry import conv_geometry

    check_output(output, overwrite)
    (a, weight, shift), axes = read_operands(x, w, groups, dims, bias=bias or None)
    layer = convolution_options(stride, padding, dilation, border) | axes
    geometry = conv_geometry(a.shape, weight.shape, **layer)
    y = compute(a, weight, shift, flip=flip, **layer)
    asked = Working(steps, at, show_all, as_json or output == "-")
    if asked.wanted:
        from convcli.ops.conv import flip_kernel
        from convcli.ops.output_sum import conv_output_sum

        if flip:
            weight = flip_kernel(weight, geometry.rank)
        operands = a.reshape(geometry.big_shape), weight.reshape(geometry.weight_shape), shift
        show_working(conv_output_sum, geometry, operands, y, asked)
    title = f"{'convolution' if flip else 'correlation'} of {sizes_of(a)} with {sizes_of(weight)}"
    emit(
        y, f"{title}{border_words(geometry)}:", output=output, overwrite=overwrite, as_json=as_json
    )


conv.__doc__ = f"""Convolve tensors: sequences, images or volumes, with the working if asked.{on.ranks(on.FORWARD)}"""
