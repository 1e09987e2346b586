"""What is filtered, and by what; and what stands below the options."""

from typing import Annotated

import typer

from convcli.arithmetic.borders import BORDERS
from convcli.cli import options
from convcli.imaging.formats import ARRAYS, PICTURES

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
    typer.Argument(
        metavar="INPUT...",
        help=f"Pictures: {', '.join(_NAMED)}; folders with -r; globs in quotes "
        "('photos/**/*.jpg'). - reads standard input.",
        show_default=False,
    ),
]
