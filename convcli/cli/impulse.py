"""``convcli impulse``: the impulse response, and a signal taken apart into impulses."""

from typing import Annotated, Any

import typer

from convcli.cli import options
from convcli.cli import tensor_options as on
from convcli.cli.options import LITERALS

app = typer.Typer(add_completion=False)


@app.command(context_settings=LITERALS)
def impulse(
    w: Annotated[str, on.tensor("W", "The kernel, bare.")],
    x: Annotated[
        str,
        typer.Argument(
            metavar="[X]",
            help="A signal to take apart into impulses, whose responses add up to the output.",
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
    from convcli.cli.tensor_io import convolution_options, emit_json, read
    from convcli.ops.conv import conv
    from convcli.ops.impulses import impulse_response, impulses

    weight = read(w, "W")
    layer = convolution_options(stride, padding, dilation, border)
    response = impulse_response(weight, flip=flip)
    signal = read(x, "X") if x else None
    parts: list[Any] = []
    if signal is not None:
        parts = list(impulses(signal, weight, flip=flip, **layer))
        total = conv(signal, weight, flip=flip, dims=signal.ndim, **layer)
    if as_json:
        from convcli.show.tensor_text import tensor_document

        document: dict[str, Any] = {"response": tensor_document(response)}
        if signal is not None:
            document["impulses"] = [
                {
                    "index": list(part.index),
                    "value": part.value.item() if hasattr(part.value, "item") else str(part.value),
                    "response": tensor_document(part.response),
                }
                for part in parts
            ]
            document["sum"] = tensor_document(total)
        emit_json(document)
        return
    from convcli.show.algebra import show_impulses, show_response

    show_response(response, flip=flip)
    if signal is not None:
        show_impulses(parts, total)
