"""The options of ``convcli filter``, by the headings of its help."""

from functools import partial
from typing import Annotated

import typer

from convcli.arithmetic.borders import BORDERS
from convcli.cli import complete, options
from convcli.imaging.formats import ARRAYS, PICTURES

_PART = "Part of a picture"
_SHAPE, _VALUES, _OUTPUT, _MANY, _RUN = "Shape", "Values", "Output", "Many files", "Running"
_shape = partial(typer.Option, rich_help_panel=_SHAPE)
_part = partial(typer.Option, rich_help_panel=_PART)
_values = partial(typer.Option, rich_help_panel=_VALUES)
_output = partial(typer.Option, rich_help_panel=_OUTPUT)
_many = partial(typer.Option, rich_help_panel=_MANY)
_run = partial(typer.Option, rich_help_panel=_RUN)

_PICTURES = ", ".join(PICTURES.values()).lower().split(", ")
_NAMED = [name for name in [*PICTURES.values(), *ARRAYS.values()] if name]
_BORDERS = ", ".join(BORDERS).replace("constant", "constant[:V]")
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

# Shape

Padding = Annotated[
    str,
    options.padding(
        "--padding",
        metavar="HOW",
        help="same, valid, full, or cells: P, PH,PW or T,R,B,L. same keeps the size.",
        panel=_SHAPE,
    ),
]
Stride = Annotated[
    str,
    _shape(
        "--stride",
        metavar="S|SH,SW",
        help="Keep every S-th position, without computing the others; see below which.",
    ),
]
Dilation = Annotated[
    str,
    _shape(
        "--dilation",
        metavar="D|DH,DW",
        help="Spread the taps D pixels apart: a wider view at the same cost.",
    ),
]
Border = Annotated[
    str,
    _shape(
        "--border",
        autocompletion=complete.names("arithmetic.borders", "BORDERS", "ALIASES"),
        metavar="NAME",
        help=f"What is read outside the picture: {_BORDERS}; see below. V is 0 (black) to 255 "
        "(white) at any depth, a percentage, or a gray by name; of rasters a value. missing "
        "leaves out what lies outside.",
    ),
]
Flip = Annotated[
    bool,
    options.flip("Turn the kernel round: mathematical convolution instead of correlation.", _SHAPE),
]

# Part of a picture

Region = Annotated[
    str | None,
    _part(
        "--region",
        metavar="X,Y,WxH",
        help="Filter this part alone, in pixels (100,50,300x200) or percent (10%,10%,50%x50%) of "
        "the upright picture. It sees what lies beside it; all other samples stay as they are.",
    ),
]
Mask = Annotated[
    str | None,
    _part(
        "--mask",
        metavar="FILE",
        help="A gray picture of the same size that says how much of the result shows: black "
        "nothing, white all of it, between them a blend.",
    ),
]

# Values

Range = Annotated[
    str,
    _values(
        "--range",
        autocompletion=complete.names("cli.parse", "RANGES"),
        metavar="HOW",
        help="How results become pixels: clip; abs (both slopes of an edge); offset (gray is "
        "zero); stretch (least to most); float (as they are, TIFF). auto is abs for "
        "derivative presets, otherwise clip.",
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

# Many files

Recursive = Annotated[
    bool, _many("--recursive", "-r", help="Take every picture in the folders that are named.")
]
FilesFrom = Annotated[
    str | None,
    _many(
        "--files-from",
        metavar="LIST",
        help="Take more inputs from a file, one name per line; - is standard input.",
    ),
]
Null = Annotated[
    bool,
    _many("--null", "-0", help="Names in LIST end with a zero byte, as from find -print0."),
]
Jobs = Annotated[
    int | None,
    _many(
        "--jobs",
        "-j",
        min=1,
        help="Files at a time. Default: one per core, each with one thread.",
    ),
]
OnError = Annotated[
    str,
    _many(
        "--on-error",
        autocompletion=complete.names("cli.parse", "ON_ERROR"),
        metavar="skip|stop",
        help="When a file fails: go on with the others, or begin no more.",
    ),
]
Resume = Annotated[
    bool,
    _many(
        "--resume",
        help="Go on where a run was cut off: only files that are new, changed, failed, or "
        "were made with other options.",
    ),
]
Cluster = Annotated[
    str | None,
    _many(
        "--cluster",
        metavar="ADDRESS",
        help="Let the workers of a Dask cluster do it: tcp://host:8786, or local:N for N "
        "processes here.",
    ),
]

# Running

Backend = Annotated[
    str,
    _run(
        "--backend",
        autocompletion=complete.names("engine.backends", "BACKENDS"),
        metavar="auto|numpy|cupy",
        help="cupy is an NVIDIA GPU. auto takes what ends sooner and says why.",
    ),
]
Device = Annotated[
    int | None,
    _run(
        "--device",
        min=0,
        metavar="N",
        help="Compute on this GPU, of those that CUDA_VISIBLE_DEVICES shows. Implies "
        "--backend cupy.",
    ),
]
Algorithm = Annotated[
    str | None,
    _run(
        "--algorithm",
        autocompletion=complete.algorithms,
        metavar="NAME",
        help="Compute with direct, separable, box or fft, or an algorithm that --explain names for "
        "another operation, the steps that know it; all keep the same accuracy. Default: what "
        "--explain predicts to be fastest.",
    ),
]
Threads = Annotated[int | None, _run("--threads", min=1, help="Default: all cores.")]
Memory = Annotated[
    str | None,
    _run(
        "--memory",
        metavar="SIZE",
        help="Filter larger TIFF, Zarr, .npy and raw files part by part within this much, "
        "as in 512M; the result is the same. What has to be read whole is refused where it "
        "takes more. Default: a quarter of what is free.",
    ),
]
Axes = Annotated[
    str | None,
    _run(
        "--axes",
        metavar="AXES",
        help="Of .npy, raw and Zarr inputs, as in tzcyx or time,lat,lon: y and x are a plane's "
        "rows and columns, c its bands; the planes along all others are filtered one by one.",
    ),
]
Shape = Annotated[str | None, _run("--shape", metavar="H,W[,C]", help="Of raw inputs.")]
Dtype = Annotated[
    str | None,
    _run(
        "--dtype",
        autocompletion=complete.names("engine.numerics", "DTYPES"),
        metavar="TYPE",
        help="Of raw inputs: int8, uint8, int16, uint16, int32, uint32, int64, uint64, float16, "
        "float32 or float64, or short as in i2 and f4; >u2 is big-endian.",
    ),
]
MaxPixels = Annotated[
    int | None,
    options.max_pixels(
        "Refuse larger pictures by their header, and several frames that take more "
        "than 16 bytes for each of these pixels together. Default: 178,956,970.",
        _RUN,
    ),
]
Explain = Annotated[
    bool,
    _run(
        "--explain",
        help="Print the plan: sizes with the numbers put in, algorithm, backend, and why.",
    ),
]
DryRun = Annotated[bool, _run("--dry-run", help="Check and plan everything, write nothing.")]
AsJson = Annotated[bool, options.json("One JSON object per picture on standard output.", _RUN)]
Preview = Annotated[
    bool,
    _run("--preview", help="Show before and after in the terminal; nothing in a pipe."),
]
Quiet = Annotated[bool, _run("--quiet", "-q", help="Say nothing but errors.")]
Verbose = Annotated[
    bool,
    _run(
        "--verbose",
        "-v",
        help="Also say which backend and algorithm ran, and the time of each stage.",
    ),
]
