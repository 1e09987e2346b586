"""How many files are done, and how: the headings Many files and Running."""

from functools import partial
from typing import Annotated

from convcli.cli import complete, options
from convcli.cli.declared import option

_many = partial(option, rich_help_panel="Many files")
_RUN = "Running"
_run = partial(option, rich_help_panel=_RUN)

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
        help="Filter larger PNG, JPEG, TIFF, PPM, PFM, BMP, Zarr, .npy and raw files part by part "
        "within this much, as in 512M; the result is the same. What has to be read whole is refused "
        "where it takes more. The workers of a batch share it, and there are no more than it has room for. "
        "Default: a quarter of what is free.",
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
        "than 16 bytes for each of these pixels together. Default: 178,956,970; no limit for TIFF, "
        "BMP, PPM, PFM, .npy, raw and Zarr that are read part by part.",
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
