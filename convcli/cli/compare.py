"""``convcli compare``: how far two pictures are apart."""

from typing import Annotated

import typer

from convcli.cli import options
from convcli.cli.declared import Commands, argument

app = Commands()


@app.command()
def compare(
    a: Annotated[str, argument(metavar="A", help="A picture.")],
    b: Annotated[str, argument(metavar="B", help="One of the same size and channels.")],
    output: Annotated[
        str,
        options.output("Write a picture of the differences; the largest is white."),
    ] = "",
    overwrite: options.Overwrite = False,
    as_json: Annotated[
        bool, options.json("One JSON object; psnr is null if they are equal.")
    ] = False,
    max_pixels: Annotated[
        int | None,
        options.max_pixels("Refuse larger pictures by their header."),
    ] = None,
) -> None:
    """Compare two pictures: PSNR, SSIM, the largest difference and where it is.

    Missing samples, NaN and no-data values, are left out, and counted.
    """
    from convcli.errors import UsageError
    from convcli.imaging.atomic import check_target, display_name, write_atomic
    from convcli.imaging.compare import compare_pictures, difference_picture
    from convcli.imaging.formats import format_of_path
    from convcli.imaging.opening import read_picture
    from convcli.imaging.sink import encode_picture
    from convcli.show.compare_text import comparison_document, comparison_lines

    if a == b == "-":
        raise UsageError("both pictures are standard input; name a file for one of them")
    fmt = format_of_path(output) if output else None
    if output:
        check_target(output, overwrite=overwrite)
    one, two = (read_picture(name, max_pixels=max_pixels) for name in (a, b))
    found = compare_pictures(one, two, (display_name(a), display_name(b)))
    if fmt is not None:
        picture = difference_picture(one, two, found.largest)
        write_atomic(output, encode_picture(picture, fmt, output), overwrite=overwrite)
        factor = f", {1 / found.largest:.4g} times amplified" if found.largest else ""
        typer.echo(f"differences{factor} -> {display_name(output)}", err=True)
    if as_json:
        import json

        typer.echo(json.dumps(comparison_document(found)))
    else:
        typer.echo("\n".join(comparison_lines(found)))
