"""``convcli pool max|avg``: the largest or the mean under each window."""

from typing import TYPE_CHECKING, Annotated, Any

from convcli.cli import tensor_options as on
from convcli.cli.declared import Commands
from convcli.cli.options import LITERALS

if TYPE_CHECKING:
    from convcli.cli.tensor_working import Working

app = Commands(
    no_args_is_help=True,
    help="Pool tensors: the largest or mean of each window.",
)

KernelSize = Annotated[
    str,
    on.kernel_size("Cells of the window, as 2 or per axis 3x2; 'all' is global pooling.", on.LAYER),
]
Stride = Annotated[str, on.layer(help="Cells between two windows; the kernel size by default.")]
CeilMode = Annotated[bool, on.layer("--ceil-mode", help="Let the last window hang over the end.")]
Steps = Annotated[
    bool, on.working("--steps", help="Show how the first outputs, or gradients, come about.")
]
Grad = Annotated[
    str,
    on.result(
        help="Instead of pooling, spread this gradient for the output over the input.",
        show_default=False,
    ),
]


def _options(
    a: Any, kernel_size: str, stride: str, padding: str, dilation: str, dims: int | None
) -> tuple[Any, dict[str, Any]]:
    from convcli.cli.tensor_io import convolution_options, per_axis_option
    from convcli.errors import UsageError

    options = convolution_options(stride or "1", padding, dilation)
    if not stride:
        options["stride"] = None
    options["dims"] = dims
    if kernel_size == "all":
        if stride or padding != "0" or dilation != "1":
            raise UsageError(
                "--kernel-size all pools whole channels; it takes no stride, padding or dilation"
            )
        rank = dims or min(a.ndim, 3 if a.ndim == 5 else 2)
        return a.shape[a.ndim - rank :], options
    return per_axis_option(kernel_size, "kernel size"), options


def _show_steps(
    x: Any,
    grad_y: Any,
    y: Any,
    size: Any,
    options: dict[str, Any],
    asked: "Working",
    *,
    mean: bool | None = None,
) -> None:
    """The working of pooling, or of its gradient if there is a ``grad_y``."""
    from convcli.cli.tensor_working import show_pool, show_pool_gradient
    from convcli.ops.pool_geometry import pool_geometry

    pool = pool_geometry(x, size, **options)
    if grad_y is None:
        show_pool(pool, x, y, asked, mean=mean)
    else:
        show_pool_gradient(pool, grad_y, x, y, asked, mean=mean)


MAX_EXAMPLES = """
Examples:

  convcli pool max "1 3 2 6; 4 6 6 5" --steps

  convcli pool max "1 5 2" --dims 1 --stride 1 --grad-y "10 20" --steps
"""
AVG_EXAMPLES = """
Examples:

  convcli pool avg "1 3; 4 6" --steps

  convcli pool avg "a b c; d e f; g h i" --stride 1 --padding 1 --all
"""


@app.command("max", **LITERALS, epilog=MAX_EXAMPLES)
def max_command(
    x: on.X,
    kernel_size: KernelSize = "2",
    stride: Stride = "",
    padding: on.Padding = "0",
    dilation: on.Dilation = "1",
    ceil_mode: CeilMode = False,
    dims: on.Dims = None,
    indices: Annotated[
        bool,
        on.result(
            "--indices",
            help="Give where each value came from, counted along the spatial axes, instead.",
        ),
    ] = False,
    grad_y: Grad = "",
    steps: Steps = False,
    at: on.At = "",
    show_all: on.All = False,
    as_json: on.AsJson = False,
    output: on.Output = "",
    overwrite: on.Overwrite = False,
) -> None:
    """The largest value under each window; padding never wins."""
    from convcli.cli.tensor_io import check_output, emit, read_together
    from convcli.cli.tensor_working import Working
    from convcli.errors import UsageError
    from convcli.ops.max_pooling import max_pool, max_pool_grad

    check_output(output, overwrite)
    a, given = read_together(X=x, grad_y=grad_y or None)
    size, options = _options(a, kernel_size, stride, padding, dilation, dims)
    options["ceil_mode"] = ceil_mode
    if grad_y:
        if indices:
            raise UsageError("--indices and --grad-y do not go together")
        y, title = max_pool_grad(given, a, size, **options), "gradient for x:"
    elif indices:
        y, title = max_pool(a, size, return_indices=True, **options)[1], "places of the maxima:"
    else:
        y, title = max_pool(a, size, **options), "maxima:"
    asked = Working(steps, at, show_all, as_json or output == "-")
    if asked.wanted:
        _show_steps(a, given, y, size, options, asked)
    emit(y, title, output=output, overwrite=overwrite, as_json=as_json)


@app.command("avg", **LITERALS, epilog=AVG_EXAMPLES)
def avg_command(
    x: on.X,
    kernel_size: KernelSize = "2",
    stride: Stride = "",
    padding: on.Padding = "0",
    dilation: on.Dilation = "1",
    ceil_mode: CeilMode = False,
    count_include_pad: Annotated[
        bool,
        on.layer(
            help="Divide by the window's cells on input and padding, or by those on the input."
        ),
    ] = True,
    dims: on.Dims = None,
    grad_y: Grad = "",
    steps: Steps = False,
    at: on.At = "",
    show_all: on.All = False,
    as_json: on.AsJson = False,
    output: on.Output = "",
    overwrite: on.Overwrite = False,
) -> None:
    """The mean of the values under each window."""
    from convcli.cli.tensor_io import check_output, emit, read_together
    from convcli.cli.tensor_working import Working
    from convcli.ops.avg_pooling import avg_pool, avg_pool_grad

    check_output(output, overwrite)
    a, given = read_together(X=x, grad_y=grad_y or None)
    size, options = _options(a, kernel_size, stride, padding, dilation, dims)
    options["ceil_mode"] = ceil_mode
    mean = {"count_include_pad": count_include_pad}
    if grad_y:
        y, title = avg_pool_grad(given, a, size, **options, **mean), "gradient for x:"
    else:
        y, title = avg_pool(a, size, **options, **mean), "means:"
    asked = Working(steps, at, show_all, as_json or output == "-")
    if asked.wanted:
        _show_steps(a, given, y, size, options, asked, mean=count_include_pad)
    emit(y, title, output=output, overwrite=overwrite, as_json=as_json)
