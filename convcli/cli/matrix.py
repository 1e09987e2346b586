"""``convcli matrix``: convolution written as a matrix, of the kernel, of the data, of a cycle."""

from typing import Annotated

from convcli.cli import options
from convcli.cli import tensor_options as on
from convcli.cli.declared import Commands, argument, option
from convcli.cli.options import LITERALS

app = Commands(no_args_is_help=True, help="Write convolution as a matrix product.")

W = Annotated[str, on.tensor("W", "The kernel.")]
AsJson = Annotated[bool, options.json("An object with the matrices, vectors and the check.")]
Flip = Annotated[bool, options.flip("Convolution: the kernel reversed.")]


KERNEL_EXAMPLES = """
Examples:

  convcli matrix kernel "x y z" --n 4 --padding 1

  convcli matrix kernel "1 2 1" --n 5 --padding same --unpadded --border wrap
"""


@app.command("kernel", **LITERALS, epilog=KERNEL_EXAMPLES)
def kernel_command(
    w: W,
    n: Annotated[
        str,
        option(
            "-n",
            "--n",
            metavar="N|HxW|CxHxW",
            help="Size of the input, without padding; the size of --x if that is given.",
            show_default=False,
        ),
    ] = "",
    x: Annotated[
        str,
        option("--x", help="The input to multiply with; symbols by default.", show_default=False),
    ] = "",
    stride: on.Stride = "1",
    padding: on.Padding = "0",
    border: on.Border = "zeros",
    dilation: on.Dilation = "1",
    flip: Flip = False,
    transpose: Annotated[
        bool,
        option(
            "--transpose",
            help="The transposed matrix times an output-sized --x: the transposed convolution.",
        ),
    ] = False,
    unpadded: Annotated[
        bool,
        option(
            "--unpadded",
            help="Columns for the cells of the input alone, none for padding: with --padding same "
            "the square matrix.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The kernel as a (Toeplitz) matrix times the padded input, checked by sliding the window."""
    from convcli.cli.tensor_io import convolution_options, emit_json, per_axis_option, read_together
    from convcli.errors import UsageError
    from convcli.ops.matrix_product import kernel_product

    weight, vector = read_together(W=w, x=x or None)
    if not n and (vector is None or transpose):
        raise UsageError("say how large the input is, as in --n 4 or --n 4x5")
    shape = per_axis_option(n, "n") if n else vector.shape
    layer = convolution_options(stride, padding, dilation, border)
    product = kernel_product(
        weight, shape, vector, flip=flip, transpose=transpose, padded=not unpadded, **layer
    )
    if as_json:
        emit_json(product.document())
        return
    from convcli.show.algebra import show_product

    show_product(product)


@app.command("data", **LITERALS)
def data_command(
    x: on.X,
    w: Annotated[
        str,
        argument(
            metavar="[W]",
            help="A kernel: its weights as rows, times the matrix, are the output.",
            show_default=False,
        ),
    ] = "",
    kernel_size: Annotated[
        str,
        on.kernel_size("Size of the windows, where there is no W."),
    ] = "",
    stride: on.Stride = "1",
    padding: on.Padding = "0",
    border: on.Border = "zeros",
    dilation: on.Dilation = "1",
    flip: Flip = False,
    as_json: AsJson = False,
) -> None:
    """The data as a matrix (im2col): each window is a column."""
    from convcli.cli.tensor_io import convolution_options, emit_json, per_axis_option, read_together
    from convcli.errors import UsageError
    from convcli.ops.matrix_product import data_product

    a, weight = read_together(X=x, W=w or None)
    if (weight is None) == (not kernel_size):
        raise UsageError("give either a kernel W or --kernel-size")
    size = per_axis_option(kernel_size, "kernel size") if kernel_size else None
    layer = convolution_options(stride, padding, dilation, border)
    product = data_product(a, weight, size, flip=flip, **layer)
    if as_json:
        emit_json(product.document())
        return
    from convcli.show.algebra import show_product

    show_product(product)


@app.command("circulant", **LITERALS)
def circulant_command(
    w: W,
    n: Annotated[int, option("-n", "--n", help="Cells of the cycle.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Circular convolution as a matrix C that commutes with the shift S: C S = S C."""
    from convcli.cli.tensor_io import emit_json, read_together
    from convcli.ops.matrix_product import circulant_products

    (weight,) = read_together(W=w)
    c, s, cs, sc = circulant_products(weight, n or max(weight.size, 2))
    if as_json:
        from convcli.show.tensor_text import tensor_document

        emit_json(
            {
                "C": tensor_document(c),
                "S": tensor_document(s),
                "C S": tensor_document(cs),
                "S C": tensor_document(sc),
                "commute": bool((cs == sc).all()),
            }
        )
        return
    from convcli.show.algebra import show_circulant

    show_circulant(c, s, cs, sc)
