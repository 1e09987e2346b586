"""The options of ``convcli filter``: kernels, inputs, and the heading Output.

Other headings of its help have files of their own, ``filter_geometry`` and the like.
"""

from functools import partial
from typing import Annotated

from convcli.arithmetic.borders import BORDERS
from convcli.cli import complete, options
from convcli.cli.declared import argument, option
from convcli.imaging.formats import ARRAYS, PICTURES

_OUTPUT = "Output"
_output = partial(option, rich_help_panel=_OUTPUT)
_PICTURES = ", ".join(PICTURES.values()).lower().split(", ")
_NAMED = [name for name in [*PICTURES.values(), *ARRAYS.values()] if name]
_DRAWN = "\n\n".join(f"[cyan]{name:<9}[/]  {mode.drawing}" for name, mode in BORDERS.items())

EPILOG = f"""Borders, what is read outside the picture:

{_DRAWN}

Other tools' names are taken too: replicate, nearest and clamp are edge; mirror and REFLECT_101 are reflect; circular and tile are wrap; zeros and white are constant. SciPy's reflect is symmetric here.

Strides: same lays the positions in the middle, as TensorFlow does. Of an even side, 3x3 with stride 2 keeps 1, 3, 5, ...; of an odd one 0, 2, 4, .... --padding 1 (2 for 5x5, and so on) always keeps 0, 2, 4, ..., as [::2] takes of the result without a stride.

Even sizes and odd paddings: the extra row and column go at the end. Transparent pictures: kernels that do not sum to zero weight each colour by its alpha; others leave alpha alone.

Missing samples: of kernels of an even size the centre is the cell before the middle. Kernels across bands propagate.

Exit codes: 0 done, 1 a file failed, 2 the request is wrong, 130 interrupted."""

Kernels = Annotated[
    list[str],
    options.kernels(
        "A preset (see 'convcli kernel list'), a preset with numbers (gaussian:1.5) or a "
        "footprint (median:5, erode:disk:3), a "
        'kernel file, or weights in quotes ("1 0 -1; 2 0 -2; 1 0 -1"). Repeat it, or write '
        '"gaussian:2 | sobel", for a chain without rounding in between.'
    ),
]
Inputs = Annotated[
    list[str] | None,
    argument(
        metavar="INPUT...",
        help=f"Pictures: {', '.join(_NAMED)}; folders with -r; globs in quotes "
        "('photos/**/*.jpg'). - reads standard input.",
        show_default=False,
    ),
]

# Output

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
        help="Of PNG. small saves up to 10 percent of the bytes and takes fifty times as long.",
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
