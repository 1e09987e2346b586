"""What the tensor commands share: reading operands and writing results."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from convcli.cli.tensor_options import BACKWARD, FORWARD
from convcli.errors import ShapeError, TensorError, UsageError

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "FORMATS",
    "border_words",
    "check_output",
    "convolution_options",
    "emit",
    "emit_json",
    "per_axis_option",
    "read",
    "read_operands",
    "read_together",
    "sizes_of",
    "write",
]

MOST = 1_000_000
"""Cells along an axis that an option may ask for."""
FORMATS = (".npy", ".json", ".csv")


def read(source: str, name: str, *, exact: bool = False) -> np.ndarray[Any, Any]:
    """An operand of a command; messages call it ``name``."""
    if source.startswith("--"):
        raise UsageError(f"no such option: {source}; see --help")
    from convcli.ops.read_tensor import read_tensor

    try:
        tensor: np.ndarray[Any, Any] = read_tensor(source, _read_image, exact=exact)
    except TensorError as error:
        raise TensorError(f"{name}: {error}{_of_preset(source)}") from error
    return tensor


def read_together(**sources: str | None) -> list[Any]:
    """The operands of one computation, None for what was not given.

    Fractions that were typed stay fractions, where everything that they meet allows it. The names
    are those of messages; that of an option has no dashes, as ``grad_y``.
    """
    from convcli.ops.exact import settled

    shown = {name: name if name.isupper() else f"--{name.replace('_', '-')}" for name in sources}
    return settled(
        [
            None if source is None else read(source, shown[name], exact=True)
            for name, source in sources.items()
        ]
    )


def read_operands(
    x: str,
    w: str,
    groups: int,
    dims: int | None,
    *,
    transposed: bool = False,
    **others: str | None,
) -> tuple[list[Any], dict[str, Any]]:
    """Input, weight and other operands of a layer, and its ``groups`` and ``dims``.

    A table of weights for the channels of X is a 1x1 layer.
    """
    from convcli.ops.pointwise import pointwise_weight

    a, weight, *more = read_together(X=x, W=w, **others)
    weight = pointwise_weight(a.shape, weight, groups=groups, dims=dims, transposed=transposed)
    axes = BACKWARD if transposed else FORWARD
    return [a, weight, *more], {"groups": groups, "dims": _resolve_dims(a, weight, dims, axes)}


def _of_preset(source: str) -> str:
    """How to get at the weights of a preset that was named in place of a tensor."""
    from convcli.kernels.preset_names import preset_of

    preset = preset_of(source.partition(":")[0])
    if preset is None:
        return ""
    if preset.has_footprint:
        return f"; {preset.name} is no weighted sum, so it has no weights"
    return f"; convcli kernel export {source} -o w.csv writes a preset's weights"


def _read_image(data: bytes, name: str) -> np.ndarray[Any, Any]:
    """Channels first, as tensors have them; gray has no channel axis."""
    import numpy as np

    from convcli.imaging.opening import decode_picture

    frames = [frame.pixels for frame in decode_picture(data, name).frames]
    planes = [f[..., 0] if f.shape[2] == 1 else np.moveaxis(f, 2, 0) for f in frames]
    if len(planes) == 1:
        return planes[0]
    if planes[0].ndim == 2:
        planes = [plane[None] for plane in planes]
    return np.stack(planes)


def per_axis_option(text: str, name: str) -> Any:
    """``2`` or ``2x1`` as a number or one per axis."""
    from convcli.arithmetic.sizes import parse_sizes

    sizes = parse_sizes(text, name)
    _check_numbers(name, sizes)
    return sizes[0] if len(sizes) == 1 else sizes


def padding_option(text: str) -> Any:
    """A padding as the operations take it."""
    from convcli.arithmetic.sizes import parse_padding

    padding = parse_padding(text)
    for entry in padding:
        _check_numbers("padding", entry if isinstance(entry, tuple) else (entry,))
    return padding[0] if len(padding) == 1 and not isinstance(padding[0], tuple) else padding


def _check_numbers(name: str, numbers: Iterable[object]) -> None:
    """Refuse a mistyped number, before all that it would fill with zeros is made."""
    for number in numbers:
        if isinstance(number, int) and number > MOST:
            raise ShapeError(
                f"{name} is {number:,}; at most {MOST:,} is computed here ('convcli shape' works "
                "out any size)"
            )


def convolution_options(
    stride: str, padding: str, dilation: str, border: str | None = None
) -> dict[str, Any]:
    """The three options of every window, and the border where the operation has one."""
    return {
        **({} if border is None else {"border": border}),
        "stride": per_axis_option(stride, "stride"),
        "padding": padding_option(padding),
        "dilation": per_axis_option(dilation, "dilation"),
    }


def _resolve_dims(x: Any, weight: Any, dims: int | None, axes: str) -> int | None:
    """Ask for ``--dims`` where a pair of shapes has two meanings; ``axes`` are the weight's."""
    if dims is None and x.ndim == weight.ndim == 3:
        from convcli.arithmetic.sizes import cross

        raise ShapeError(
            f"x {cross(x.shape)} and weight {cross(weight.shape)} can be read in two ways; "
            f"--dims 1 is (N, C, length) with {axes}, --dims 3 is one volume with one kernel"
        )
    return dims


def check_output(output: str, overwrite: bool) -> None:
    """Refuse a target before anything is computed."""
    if not output:
        return
    if output == "-":
        if sys.stdout is not None and sys.stdout.isatty():
            raise UsageError("-o - writes .npy, and standard output is a terminal; use --json")
        return
    if not output.lower().endswith(FORMATS):
        raise UsageError(f"{output!r}: the suffix must be one of {', '.join(FORMATS)}")
    from convcli.imaging.atomic import check_target

    check_target(output, overwrite=overwrite)


def write(array: np.ndarray[Any, Any], output: str, overwrite: bool) -> None:
    """Write one array in the format of the suffix."""
    from convcli.imaging.atomic import display_name, write_atomic
    from convcli.imaging.standard_output import write_stdout
    from convcli.ops.exact import as_floats
    from convcli.show.tensor_text import describe

    array = as_floats(array)
    if output == "-":
        write_stdout(_npy(array))
        return
    suffix = output[output.rfind(".") :].lower()
    if suffix == ".npy":
        data = _npy(array)
    elif suffix == ".json":
        data = _json(array).encode()
    else:
        data = _csv(array).encode()
    write_atomic(output, data, overwrite=overwrite)
    typer.echo(f"{describe(array)} -> {display_name(output)}", err=True)


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    import io

    import numpy as np

    if array.dtype.kind == "O":
        raise TensorError("symbols cannot be stored as .npy; use --json or -o FILE.json")
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _csv(array: np.ndarray[Any, Any]) -> str:
    from convcli.arithmetic.sizes import cross

    if array.ndim > 2:
        raise TensorError(
            f"a tensor of shape {cross(array.shape)} does not fit into .csv, which has rows and "
            "columns; use .npy or .json"
        )
    rows = array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)
    lines = (",".join(map(str, row)) for row in rows.tolist())
    return "\n".join(lines) + "\n"


def _json(array: np.ndarray[Any, Any]) -> str:
    import json

    from convcli.show.tensor_text import tensor_document

    return json.dumps(tensor_document(array)) + "\n"


def emit_json(document: Any) -> None:
    """One JSON document on standard output."""
    import json

    typer.echo(json.dumps(document))


def emit(
    array: np.ndarray[Any, Any], title: str, *, output: str, overwrite: bool, as_json: bool
) -> None:
    """Hand over a result: to a file, as JSON, or to read."""
    if output:
        write(array, output, overwrite)
    if as_json:
        typer.echo(_json(array), nl=False)
    elif not output:
        from convcli.show.tensor_text import show_tensor

        show_tensor(array, title)


def border_words(geometry: Any) -> str:
    """The border as a title says it; nothing where the padding is zeros."""
    return f", border {geometry.border}" if geometry.has_border else ""


def sizes_of(array: Any) -> str:
    """A shape as it is written in a title."""
    from convcli.arithmetic.sizes import cross

    return cross(array.shape) or "scalar"
