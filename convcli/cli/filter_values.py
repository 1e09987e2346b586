"""What samples mean and become: the heading Values."""

from functools import partial
from typing import Annotated

from convcli.cli import complete
from convcli.cli.declared import option

_values = partial(option, rich_help_panel="Values")

Range = Annotated[
    str,
    _values(
        "--range",
        autocompletion=complete.names("cli.parse", "RANGES"),
        metavar="HOW",
        help="How results become pixels: clip; abs (both slopes of an edge); offset (gray is "
        "zero); stretch (least to most; a picture of one gray becomes black); float (as they "
        "are, TIFF). auto is abs for derivative presets, otherwise clip.",
    ),
]
Values = Annotated[
    bool | None,
    _values(
        "--values/--picture",
        help="Take samples as values in units of their own (a raster: nothing is scaled, --bias "
        "and constant:V count in those units), or as light from black to white. Default: "
        "values where the type is signed or of 32 bits or more, where the file names a place "
        "on the earth or a no-data value, and for bands that are no colours.",
        show_default=False,
    ),
]
Bands = Annotated[
    str | None,
    _values("--bands", metavar="N,N,...", help="Filter these bands, in this order; from 1."),
]
NoData = Annotated[
    str | None,
    _values(
        "--nodata",
        autocompletion=complete.names("cli.parse", "NODATA"),
        metavar="V|nan|none|IN:OUT",
        help="The value of samples that are missing: filters leave them out, and the result "
        "declares them. Default: what the file declares; NaN is always missing, unless none is. "
        "-9999:0 writes another value than it reads, :0 too, where the file declares its own.",
    ),
]
Missing = Annotated[
    str | None,
    _values(
        "--missing",
        autocompletion=complete.names("imaging.options", "WAYS"),
        metavar="HOW",
        help="Beside missing samples: renormalize (the mean of what is there), centre (missing "
        "neighbours count as the centre does, so that flat ground stays flat), or propagate "
        "(missing too). Default: renormalize; centre for kernels with negative weights.",
    ),
]
Fill = Annotated[
    bool, _values("--fill", help="Close holes: give a result where the centre is missing too.")
]
MinValid = Annotated[
    str,
    _values(
        "--min-valid",
        metavar="SHARE",
        help="No result where fewer of the kernel's cells are there, as in 25% or 1/2.",
    ),
]
Normalize = Annotated[
    bool,
    _values("--normalize", help="Divide each kernel by the sum of its weights: brightness stays."),
]
Scale = Annotated[str, _values("--scale", metavar="X", help="Multiply the result: 2, 1/16, 50%.")]
Bias = Annotated[
    str,
    _values(
        "--bias",
        metavar="V",
        help="Add to the result; 255 or 100% is white at any depth, but a raster's values.",
    ),
]
Luma = Annotated[
    bool, _values("--luma", help="Filter brightness only: sharpening without coloured edges.")
]
Linear = Annotated[
    bool,
    _values("--linear", help="Filter in linear light: blurred lights stay bright, as in a camera."),
]
