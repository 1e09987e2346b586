"""``convcli impulse``: the impulse response, and a signal taken apart into impulses."""

from typing import Annotated, Any

from convcli.cli import options
from convcli.cli import tensor_options as on
from convcli.cli.declared import Commands, argument, option
from convcli.cli.options import LITERALS

app = Commands()


EXAMPLES = """
Examples:

  convcli impulse --x "3 0 5"

  convcli impulse "x y z" "a 0 b/2" --flip
"""


@app.command(**LITERALS, epilog=EXAMPLES)
def impulse(
    w: Annotated[str, on.tensor("[W]", "The kernel; left out, --x is only taken apart.")] = "",
    x: Annotated[
        str,
        argument(
            metavar="[X]",
            help="A signal to take apart into impulses, whose responses add up to the output.",
            show_default=False,
        ),
    ] = "",
    signal: Annotated[
        str,
        option(
            "--x",
            metavar="X",
            help="The same signal as an option, which needs no kernel: a sum of impulses.",
            show_default=False,
        ),
    ] = "",
    stride: on.Stride = "1",
    padding: on.Padding = "full",
    border: on.Border = "zeros",
    dilation: on.Dilation = "1",
    flip: Annotated[
        bool,
        options.flip("Convolution: the response is then the kernel itself, not reversed."),
    ] = False,
    as_json: Annotated[
        bool, options.json("An object with the response, the impulses and the sum.")
    ] = False,
) -> None:
    """Show what a kernel answers to an impulse, and a signal as a sum of impulses."""
    from convcli.cli.tensor_io import convolution_options, emit_json, read_together
    from convcli.errors import UsageError
    from convcli.ops.conv import conv
    from convcli.ops.impulses import decomposed, impulse_response, impulses

    if x and signal:
        raise UsageError("the signal is given twice, as X and as --x; leave one out")
    if not w and not signal:
        raise UsageError("give a kernel W, or a signal alone with --x, as in --x '3 0 5'")
    weight, a = (
        read_together(W=w or None, x=signal or None) if signal else read_together(W=w, X=x or None)
    )
    layer = convolution_options(stride, padding, dilation, border)
    response, parts, total = None, [], a
    if weight is None:
        if flip or (stride, padding, border, dilation) != ("1", "full", "zeros", "1"):
            raise UsageError("--x alone is not convolved; the options of a layer need a kernel W")
        parts = list(decomposed(a))
    else:
        response = impulse_response(weight, flip=flip)
        if a is not None:
            parts = list(impulses(a, weight, flip=flip, **layer))
            total = conv(a, weight, flip=flip, dims=a.ndim, **layer)
    if as_json:
        emit_json(_document(response, parts, total))
        return
    from convcli.show.algebra import show_decomposition, show_impulses, show_response

    if response is None:
        show_decomposition(parts, total)
        return
    show_response(response, flip=flip)
    if a is not None:
        show_impulses(parts, total)


def _document(response: Any, parts: list[Any], total: Any) -> dict[str, Any]:
    """What ``--json`` prints; ``response`` is None without a kernel, ``total`` without a signal."""
    from fractions import Fraction

    from convcli.show.tensor_text import tensor_document

    document: dict[str, Any] = {}
    if response is not None:
        document["response"] = tensor_document(response)
    if total is not None:
        document["impulses"] = [
            {
                "index": list(part.index),
                "value": str(float(part.value) if isinstance(part.value, Fraction) else part.value),
                "response": tensor_document(part.response),
            }
            for part in parts
        ]
        document["sum"] = tensor_document(total)
    return document
