"""What files come out: the heading Output."""

from functools import partial
from typing import Annotated

import typer

from convcli.cli import complete, options
from convcli.imaging.formats import PICTURES

_OUTPUT = "Output"
_output = partial(typer.Option, rich_help_panel=_OUTPUT)
_PICTURES = ", ".join(PICTURES.values()).lower().split(", ")

Output = Annotated[
    str | None,
    _output(
        "--output",
        "-o",
        help="A file; a folder, in which trees are mirrored; a template of {parent} {stem} "
        "{suffix} {name} {kernel} {index}; or - for standard output. Default: beside the "
        "input, as img-sobel-x.png.",
    ),
]
Format = Annotated[
    str | None,
    _output(
        "--format",
        "-f",
        autocompletion=complete.formats,
        metavar="NAME",
        help=f"{', '.join(_PICTURES[:-1])} or {_PICTURES[-1]}, for standard output or another "
        "suffix. Default: the input's.",
    ),
]
Overwrite = Annotated[bool, options.overwrite(_OUTPUT, "Replace existing files.")]
InPlace = Annotated[bool, _output("--in-place", help="Replace the inputs.")]
Quality = Annotated[
    int | None,
    _output(
        "--quality",
        min=1,
        max=100,
        help="Of JPEG, lossy WebP and AVIF. Default: a JPEG keeps its own, otherwise 90.",
    ),
]
Compression = Annotated[
    str,
    _output(
        "--compression",
        autocompletion=complete.names("cli.parse", "COMPRESSIONS"),
        metavar="default|small",
        help="Of PNG. small saves 3 to 15 percent of the bytes and takes twenty times as long.",
    ),
]
Depth = Annotated[
    str | None,
    _output(
        "--depth",
        autocompletion=complete.names("cli.parse", "DEPTHS"),
        metavar="8|16|float|TYPE",
        help="Of the result: bits per sample, white staying white; or a type such as int16 or "
        "float64, which for rasters rounds and clips values. Default: the input's.",
    ),
]
