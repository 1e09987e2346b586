"""Write kernels in every format that ``load_kernel`` reads."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.kernel import Kernel
from convcli.kernels.operation_facts import require_sum

__all__ = ["FORMATS", "KernelFormat", "export_kernel", "format_of"]


@dataclass(frozen=True, slots=True)
class KernelFormat:
    """A format: its name is its suffix, ``holds`` what it keeps, ``encode`` writes it."""

    name: str
    holds: str
    encode: Callable[[Kernel], bytes]
    suffixes: tuple[str, ...] = ()


def export_kernel(kernel: Kernel, format: str) -> bytes:
    """The kernel as the contents of a file.

    JSON and TOML keep everything. The others keep the scaled weights, libvips ``.mat`` the bias
    too; a kernel that needs more is refused.

    Raises
    ------
    KernelError
        If the format is unknown or cannot hold the kernel.

    >>> export_kernel(Kernel([[1, 2, 1]], scale=0.25), "txt")
    b'0.25 0.5 0.25\\n'
    """
    if format not in FORMATS:
        raise KernelError(f"format {format!r} is not known; allowed: {', '.join(FORMATS)}")
    return FORMATS[format].encode(require_sum(kernel, "weights to write"))


def format_of(suffix: str) -> str | None:
    """Format that a suffix such as ``.csv`` stands for.

    >>> format_of(".CSV"), format_of(".png")
    ('csv', None)
    """
    key = suffix.lower().removeprefix(".")
    return next((f.name for f in FORMATS.values() if key in (f.name, *f.suffixes)), None)


def _fields(kernel: Kernel) -> dict[str, object]:
    """What differs from the defaults, in the order in which one reads it."""
    # The name of a file may hold bytes that are no text; neither format can.
    fields: dict[str, object] = {"name": kernel.name.encode("utf-8", "replace").decode()}
    if kernel.scale != 1:
        fields["scale"] = kernel.scale
    if kernel.bias:
        fields["bias"] = kernel.bias
    if kernel.role != "other":
        fields["role"] = kernel.role
    if kernel.combine != "none":
        fields["combine"] = kernel.combine
    if kernel.absolute:
        fields["absolute"] = True
    if kernel.source:
        fields["source"] = kernel.source
    return fields


def _number(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return repr(int(value)) if value == int(value) and abs(value) < 1e16 else repr(float(value))


def _nested(weights: np.ndarray, indent: str) -> str:
    """Nested brackets, one row of weights on a line."""
    if weights.ndim == 1:
        return "[" + ", ".join(map(_number, weights.tolist())) + "]"
    inner = f",\n{indent}  ".join(_nested(part, indent + "  ") for part in weights)
    return f"[\n{indent}  {inner}\n{indent}]"


def _json(kernel: Kernel) -> bytes:
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in _fields(kernel).items()]
    lines.append(f'  "weights": {_nested(kernel.weights, "  ")}')
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _toml(kernel: Kernel) -> bytes:
    # A JSON string is a TOML string where it escapes only what it must, and this one more.
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
        for key, value in _fields(kernel).items()
    ]
    lines.append(f"weights = {_nested(kernel.weights, '')}")
    return ("\n".join(lines) + "\n").encode()


def _plain(kernel: Kernel, format: str) -> np.ndarray:
    """Scaled weights in two dimensions, if they are all that there is."""
    problem = ""
    if kernel.weights.ndim == 3:
        problem = f"is a stack of {len(kernel.weights)} kernels"
    elif kernel.is_bank:
        problem = "is a bank across channels"
    elif kernel.bias and format != "mat":
        problem = f"has a bias of {kernel.bias:g}"
    if problem:
        better = "json or toml" + (" or npy" if kernel.is_bank else "")
        better += " or mat" if kernel.bias and kernel.weights.ndim == 2 else ""
        raise KernelError(
            f"kernel {kernel.name!r} {problem}, which {format} cannot hold; use {better}"
        )
    return kernel.weights if format == "mat" else kernel.weights * kernel.scale


def _rows(kernel: Kernel, format: str, separator: str) -> bytes:
    rows = _plain(kernel, format).tolist()
    return "".join(separator.join(map(_number, row)) + "\n" for row in rows).encode()


def _mat(kernel: Kernel) -> bytes:
    rows = _rows(kernel, "mat", " ")
    height, width = kernel.shape
    # libvips divides by its scale. 1/(1/9) is exactly 9; of a scale such as 0.3 the inverse of
    # the inverse may differ in the last digit, so then the weights themselves are scaled.
    divisor = 1 / kernel.scale if kernel.scale else 0.0
    if divisor and 1 / divisor == kernel.scale:
        header = f"{width} {height} {_number(divisor)} {_number(kernel.bias)}\n"
        return header.encode() + rows
    return _mat(kernel.replace(weights=kernel.weights * kernel.scale, scale=1.0))


def _npy(kernel: Kernel) -> bytes:
    weights = kernel.weights * kernel.scale
    if not kernel.is_bank or kernel.bias:
        weights = _plain(kernel, "npy")
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(weights), allow_pickle=False)
    return buffer.getvalue()


def _imagemagick(kernel: Kernel) -> bytes:
    rows = _plain(kernel, "im").tolist()
    height, width = kernel.shape
    body = "\n".join("  " + ",".join(map(_number, row)) for row in rows)
    return f"{width}x{height}:\n{body}\n".encode()


FORMATS: dict[str, KernelFormat] = {
    f.name: f
    for f in (
        KernelFormat("json", "everything", _json),
        KernelFormat("toml", "everything", _toml),
        KernelFormat("csv", "scaled weights, commas", lambda k: _rows(k, "csv", ",")),
        KernelFormat("tsv", "scaled weights, tabs", lambda k: _rows(k, "tsv", "\t")),
        KernelFormat("txt", "scaled weights, spaces (ImageJ)", lambda k: _rows(k, "txt", " ")),
        KernelFormat("npy", "scaled weights, banks too (NumPy)", _npy),
        KernelFormat("mat", "weights, scale and bias (libvips)", _mat),
        KernelFormat("im", "scaled weights (ImageMagick string)", _imagemagick, ("magick",)),
    )
}
"""Name -> format, in the order of ``convcli kernel export --help``."""
