"""``convcli impulse``: the impulse response, and a signal taken apart into impulses."""

from typing import Annotated, Any

import typer

from convcli.cli.tensor_options import LITERALS, TENSOR_HELP, Dilation, Padding, Stride

app = typer.Typer(add_completion=False)


@app.command(context_settings=LITERALS)
def impulse(
    w: Annotated[str, typer.Argument(metavar="W", help=f"The kernel, bare. {TENSOR_HELP}")],
    x: Annotated[
        str,
        typer.Argument(
            metavar="[X]",
            help="A signal to take apart into impulses, whose responses add up to the output.",
            show_default=False,
        ),
    ] = "",
    stride: Stride = "1",
    padding: Padding = "full",
    dilation: Dilation = "1",
    flip: Annotated[
        bool,
        typer.Option(
            "--flip", help="Convolution: the response is then the kernel itself, not reversed."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="An object with the response, the impulses and the sum.")
    ] = False,
) -> None:
    """Show what a kernel answers to an impulse, and a signal as a sum of impulses."""
    from convcli.cli.tensor_io import convolution_options, emit_json, read
    from convcli.ops.conv import conv
    from convcli.ops.impulses import impulse_response, impulses

    weight = read(w, "W")
    options = convolution_options(stride, padding, dilation)
    response = impulse_response(weight, flip=flip)
    signal = read(x, "X") if x else None
    parts: list[Any] = []
    if signal is not None:
        parts = list(impulses(signal, weight, flip=flip, **options))
        total = conv(signal, weight, flip=flip, dims=signal.ndim, **options)
    if as_json:
        from convcli.show.tensor import tensor_document

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
