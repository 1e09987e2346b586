"""``convcli separate``: a kernel as columns times rows."""

from typing import Annotated

import typer

from convcli.cli.tensor_options import LITERALS, TENSOR_HELP

app = typer.Typer(add_completion=False)


@app.command(context_settings=LITERALS)
def separate(
    kernel: Annotated[str, typer.Argument(metavar="KERNEL", help=f"The weights. {TENSOR_HELP}")],
    rank: Annotated[
        int | None,
        typer.Option(help="Column-row pairs; as many as it needs by default, fewer approximate."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="An object with rank, error, columns and rows.")
    ] = False,
) -> None:
    """Split a two-dimensional kernel into columns times rows: two short passes for a long one."""
    from convcli.cli.tensor_io import emit_json, read
    from convcli.ops.separate import separate as compute

    weights = read(kernel, "KERNEL")
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
