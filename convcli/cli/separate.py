"""``convcli separate``: a kernel as columns times rows."""

from typing import TYPE_CHECKING, Annotated, Any

from convcli.cli import options
from convcli.cli.declared import Commands, option
from convcli.cli.options import LITERALS
from convcli.cli.tensor_options import TENSOR_HELP

if TYPE_CHECKING:
    import numpy as np

app = Commands()


@app.command(**LITERALS)
def separate(
    kernel: Annotated[str, options.kernel(f"A preset (gaussian:2), or the weights. {TENSOR_HELP}")],
    rank: Annotated[
        int | None,
        option(help="Column-row pairs; as many as it needs by default, fewer approximate."),
    ] = None,
    as_json: Annotated[bool, options.json("An object with rank, error, columns and rows.")] = False,
) -> None:
    """Split a two-dimensional kernel into columns times rows: two short passes for a long one."""
    import math

    from convcli.cli.tensor_io import emit_json
    from convcli.ops.exact import as_floats, is_exact
    from convcli.ops.separable import separate as compute

    weights = _weights(kernel)
    exact = is_exact(weights)
    found = compute(as_floats(weights), rank)
    if as_json:
        emit_json(
            {
                "rank": found.rank,
                "error": found.error,
                "columns": found.columns.T.tolist(),
                "rows": found.rows.tolist(),
            }
        )
        return
    from convcli.show.algebra import show_separated

    if exact and found.rank == 1 and rank is None:
        below = math.lcm(*(entry.denominator for entry in weights.flat))
        whole = compute((weights * below).astype(float), None)
        if whole.rank == 1 and whole.error == 0:
            show_separated(weights, whole, below=below)
            return
    show_separated(as_floats(weights), found)


def _weights(kernel: str) -> "np.ndarray[Any, Any]":
    """Of a preset, which no symbol can be here, or as every tensor."""
    from convcli.cli.tensor_io import read
    from convcli.kernels.load import load_kernel
    from convcli.kernels.operation_facts import require_sum
    from convcli.kernels.preset_names import preset_of

    if preset_of(kernel.partition(":")[0]) is None:
        return read(kernel, "KERNEL", exact=True)
    loaded = require_sum(load_kernel(kernel), "factors")
    return loaded.weights * loaded.scale
