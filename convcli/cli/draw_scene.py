"""What ``convcli draw`` shows: the scene of a classic animation, or of a layer with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convcli.arithmetic.sizes import parse_sizes
from convcli.cli.layer_parse import POOLS, LayerOptions
from convcli.errors import UsageError

if TYPE_CHECKING:
    from convcli.show.draw.operation import Operation
    from convcli.show.draw.scene import Scene

__all__ = ["classic_scene", "operation"]


def classic_scene(name: str, view: str = "", *, flip: bool = False) -> Scene:
    """The scene of a classic animation."""
    from convcli.show.draw.classics import classic
    from convcli.show.draw.views import build_scene

    c = classic(name)
    layer = LayerOptions(c.n, c.k, c.s, c.p, c.d, c.op, c.transpose, c.pool, ceil=False)
    return build_scene(operation(layer, c.x, c.w, flip=flip), view)


def operation(
    layer: LayerOptions, x: str, w: str, *, one_axis: bool = False, flip: bool = False
) -> Operation:
    """The operation that the options of ``convcli draw`` ask for.

    Parameters
    ----------
    x, w
        The numbers of the input and of the kernel as they were typed, if they were.
    one_axis
        Whether a size that is one number means a sequence, not a square.
    """
    from convcli.show.draw.operation import plan_operation

    pools = layer.kind in POOLS.values()
    if pools and w:
        raise UsageError("--w is for a convolution; pooling has no weights, only --k")
    a = _plane(x, "--x") if x else None
    weight = _plane(w, "--w") if w else None
    if a is not None and weight is not None and a.ndim == 2 and weight.ndim == 1:
        weight = weight[None]  # a row of weights on a picture
    if not pools and (a is None) != (weight is None):
        raise UsageError("numbers need both --x and --w; without them give --n and --k")
    for option, text, array in (("--n", layer.n, a), ("--k", layer.k, weight)):
        if not text and array is None:
            what = "the input" if option == "--n" else "the window" if pools else "the kernel"
            raise UsageError(f"how large is {what}? Give {option}, or the name of a classic")
        if text and array is not None and not _same(parse_sizes(text, option), array.shape):
            shape = "x".join(map(str, array.shape))
            raise UsageError(f"{option} is {text}, but the numbers are {shape}; leave {option} out")
    sizes = a.shape if a is not None else layer.spatial
    kernel = weight.shape if weight is not None else layer.kernel_size
    if len(sizes) == 1 and a is None and not one_axis:
        sizes *= 2
    if one_axis and len(sizes) != 1:
        raise UsageError(f"--1d is for one axis; the input is {'x'.join(map(str, sizes))}")
    return plan_operation(layer.layer(kernel), sizes, x=a, w=weight, flip=flip)


def _same(sizes: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return sizes * (len(shape) if len(sizes) == 1 else 1) == shape


def _plane(text: str, option: str) -> Any:
    """Numbers of one or two axes; one channel alone may come with its axes."""
    from convcli.cli.tensor_io import read

    array = read(text, option)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim not in (1, 2):
        shape = "x".join(map(str, array.shape)) or "a single number"
        raise UsageError(f"{option} is {shape}; one channel of 1 or 2 axes can be drawn")
    return array
