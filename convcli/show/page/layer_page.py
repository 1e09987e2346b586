"""The interactive page of a layer: sliders, boards that light up, the formula with its numbers."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from importlib.resources import files
from typing import Any

from numpy import array_equal

from convcli.arithmetic.window import Window
from convcli.errors import ConvcliError, ShapeError, UsageError
from convcli.kernels.kernel import Kernel
from convcli.kernels.load import load_chain
from convcli.show.draw.operation import Operation
from convcli.show.page.document import html_document

__all__ = ["explore_page", "kernel_document", "layer_state"]

PRESETS = (
    "identity", "box", "gaussian-3x3", "gaussian-5x5", "smooth", "sharpen", "sharpen4", "unsharp",
    "detail", "edge-enhance", "sobel-x", "sobel-y", "sobel", "scharr-x", "scharr-y", "prewitt-x",
    "prewitt-y", "laplacian", "laplacian8", "outline", "contour", "emboss", "emboss-pillow",
    "invert",
)  # fmt: skip
"""Those of the catalogue that the page offers: small, most with whole weights and a scale."""

MAX_SIDE = 15
"""Most rows and columns of a kernel that can be edited cell by cell beside a picture."""

SCRIPTS = (
    "arithmetic.js", "geometry.js", "layer.js", "state.js", "command.js", "boards.js",
    "formula.js", "player.js", "controls.js", "filter.js", "picture.js", "explore.js",
)  # fmt: skip


def explore_page(
    operation: Operation,
    *,
    theme: str = "",
    step: int = 0,
    fps: float = 2.0,
    picture: dict[str, Any] | None = None,
    kernel: Kernel | None = None,
) -> str:
    """The page of a layer, or of a picture under a kernel; each has the other behind a tab.

    Parameters
    ----------
    operation
        The layer that it begins with. Without numbers the page puts small ones in.
    theme
        ``light`` or ``dark``; empty follows the reader's system.
    step
        The output that is shown first, counted from 0.
    fps
        Steps in a second when it plays.
    picture
        What :func:`convcli.imaging.embedded.embedded_picture` makes of a file; with it the page
        begins with the picture.
    kernel
        The kernel for the picture; ``sobel-x`` by default.
    """
    known = [kernel_document(load_chain(name)[0]) for name in PRESETS]
    first = kernel_document(kernel) if kernel is not None else None
    state = {
        "layer": layer_state(operation),
        "step": step,
        "fps": fps,
        "presets": known,
        "picture": picture,
        "kernel": first or next(one for one in known if one["name"] == "sobel-x"),
    }
    title = operation.title if picture is None else f"{picture['name']} under a kernel"
    return html_document(
        title,
        body=(files("convcli.show.page") / "explore.html").read_text(encoding="utf-8"),
        styles=("explore.css", "picture.css"),
        scripts=SCRIPTS,
        state=state,
        theme=theme,
    )


def layer_state(operation: Operation) -> dict[str, Any]:
    """A layer with its numbers as the page's scripts hold it (``state.js``).

    Sizes have two entries, rows and columns; a sequence has the second, and the same first.

    Raises
    ------
    ShapeError
        If it pools windows that hold nothing.
    UsageError
        If its border is a constant other than zeros.

    >>> from convcli.arithmetic.layer import Layer
    >>> from convcli.show.draw.operation import plan_operation
    >>> state = layer_state(plan_operation(Layer("conv", (3,), padding=(1,)), (5,)))
    >>> state["kind"], state["axes"], state["n"], state["p"], state["x"]
    ('conv', 1, [5, 5], [[1, 1], [1, 1]], [])
    """
    windows = (operation.windows * 2)[:2]
    for w in windows:
        if not operation.is_pool or not isinstance(w, Window):
            continue
        empty = next((at for at in range(w.output) if not w.divisor(at)), None)
        if empty is not None:
            raise ShapeError(
                f"window {empty} lies on padding alone (kernel size {w.kernel_size}, padding "
                f"{w.before},{w.after}); a page pools numbers: pad by at most half of the kernel"
            )
    border = operation.border
    if border.is_affine:
        raise UsageError(
            f"a page pads with zeros or cells of the input, not with {border}; a drawing does, as "
            "in convcli draw ... -o FILE.svg"
        )
    return {
        "kind": operation.kind,
        "axes": len(operation.windows),
        "n": [w.size for w in windows],
        "k": [w.kernel_size for w in windows],
        "s": [w.stride for w in windows],
        "p": [[w.before, w.after] for w in windows],
        "d": [w.dilation for w in windows],
        "op": [getattr(w, "output_padding", 0) for w in windows],
        "in": operation.in_channels,
        "out": operation.out_channels,
        "groups": 1 if operation.is_pool else operation.groups,
        "ceil": any(getattr(w, "ceil_mode", False) for w in windows),
        "flip": operation.flip,
        "border": border.mode,
        "x": _texts(operation.x),
        "w": _texts(operation.w),
        "bias": _texts(operation.bias),
    }


def _texts(array: Any) -> list[str]:
    """Numbers and letters row by row, as people type them."""
    return [] if array is None else [_text(value) for value in array.ravel().tolist()]


def _text(value: Any) -> str:
    """An entry; a float is the shortest decimal that is it, or the fraction that it came from.

    >>> _text(0.1), _text(1 / 3), _text(2.0), _text(-1 / 12), _text(7)
    ('0.1', '1/3', '2', '-1/12', '7')
    """
    if not isinstance(value, float):
        return str(value)
    if value == int(value) and abs(value) < 2**53:
        return str(int(value))
    near = Fraction(value).limit_denominator(999)
    if float(near) == value and len(str(near)) < len(repr(value)):
        return str(near)
    return repr(value)


def kernel_document(kernel: Kernel) -> dict[str, Any]:
    """A kernel as the page's scripts hold it: its planes, and what is made of their sums.

    Raises
    ------
    UsageError
        If it is no weighted sum of one channel, or too large to be edited cell by cell.

    >>> document = kernel_document(load_chain("gaussian-3x3")[0])
    >>> document["scale"], document["planes"]
    ('1/16', [[['1', '2', '1'], ['2', '4', '2'], ['1', '2', '1']]])
    """
    if kernel.operation != "correlate" or kernel.is_bank:
        what = "mixes channels" if kernel.is_bank else "is no weighted sum"
        raise UsageError(f"{kernel.name} {what}; a page shows kernels of weights, such as sobel-x")
    planes = kernel.weights if kernel.weights.ndim == 3 else kernel.weights[None]
    if max(planes.shape[1:]) > MAX_SIDE:
        rows, columns = planes.shape[1:]
        raise UsageError(
            f"{kernel.name} is {rows}x{columns}; a page shows kernels of at most "
            f"{MAX_SIDE}x{MAX_SIDE}"
        )
    return {
        "name": kernel.name,
        "planes": [[_row(row) for row in plane.tolist()] for plane in planes],
        "scale": _text(kernel.scale),
        "bias": _text(kernel.bias),
        "combine": kernel.combine,
        "absolute": kernel.absolute,
        "known": _is_known(kernel),
    }


def _is_known(kernel: Kernel) -> bool:
    """Whether ``-k NAME`` means this kernel; one that was typed has a name that nothing loads."""
    try:
        found = load_chain(kernel.name)
    except ConvcliError:
        return False
    return len(found) == 1 and array_equal(found[0].weights, kernel.weights)


def _row(values: Iterable[float]) -> list[str]:
    return [_text(float(value)) for value in values]
