"""``convcli separate``: a kernel as columns times rows."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from convcli.cli import options
from convcli.cli.options import LITERALS
from convcli.cli.tensor_options import TENSOR_HELP

if TYPE_CHECKING:
    import numpy as np

app = typer.Typer(add_completion=False)


@app.command(context_settings=LITERALS)
def separate(
    kernel: Annotated[str, options.kernel(f"A preset (gaussian:2), or the weights. {TENSOR_HELP}")],
    rank: Annotated[
        int | None,
        typer.Option(help="Column-row pairs; as many as it needs by default, fewer approximate."),
    ] = None,
    as_json: Annotated[bool, options.json("An object with rank, error, columns and rows.")] = False,
) -> None:
    """Split a two-dimensional kernel into columns times rows: two short passes for a long one."""
    from convcli.cli.tensor_io import emit_json
    from convcli.ops.separable import separate as compute

    weights = _weights(kernel)
    found = compute(weights, rank)
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

    show_separated(weights, found)


def _weights(kernel: str) -> "np.ndarray[Any, Any]":
    """Of a preset, which no symbol can be here, or as every tensor."""
    from convcli.cli.tensor_io import read
    from convcli.kernels.load import load_kernel
    from convcli.kernels.operation_facts import require_sum
    from convcli.kernels.preset_names import preset_of

    if preset_of(kernel.partition(":")[0]) is None:
        return read(kernel, "KERNEL")
    loaded = require_sum(load_kernel(kernel), "factors")
    return loaded.weights * loaded.scale
