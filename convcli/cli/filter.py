"""``convcli filter``: options into a request."""

from contextlib import closing
from typing import Annotated

import typer

from convcli.arithmetic.borders import PICTURES
from convcli.cli import complete

app = typer.Typer(add_completion=False)

_SHAPE, _RANGE, _OUTPUT, _MANY, _RUN = "Shape", "Values", "Output", "Many files", "Running"
MANY = 100
"""Files from which on there is a bar instead of a line for each."""
_BORDERS = "\n\n".join(f"[cyan]{name:<9}[/]  {picture}" for name, picture in PICTURES.items())

EPILOG = f"""Borders, what is read outside the picture:

{_BORDERS}

Other tools' names are taken too: replicate, nearest and clamp are edge; mirror and REFLECT_101 are reflect; circular and tile are wrap; zeros and white are constant. SciPy's reflect is symmetric here.

Strides: same lays the positions in the middle, as TensorFlow does. Of an even side, 3x3 with stride 2 keeps 1, 3, 5, ...; of an odd one 0, 2, 4, .... --padding 1 (2 for 5x5, and so on) always keeps 0, 2, 4, ..., as [::2] takes of the result without a stride.

Even sizes and odd paddings: the extra row and column go at the end. Transparent pictures: kernels that do not sum to zero weight each colour by its alpha; others leave alpha alone.

Exit codes: 0 done, 1 a file failed, 2 the request is wrong, 130 interrupted."""


@app.command("filter", epilog=EPILOG)
def filter_command(
    kernel: Annotated[
        list[str],
        typer.Option(
            "--kernel",
            "-k",
            autocompletion=complete.kernels,
            help="A preset (see 'convcli kernel list'), a preset with numbers (gaussian:1.5), a "
            'kernel file, or weights in quotes ("1 0 -1; 2 0 -2; 1 0 -1"). Repeat it, or write '
            '"gaussian:2 | sobel", for a chain without rounding in between.',
            show_default=False,
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT...",
            help="Pictures: PNG, JPEG, TIFF, WebP, GIF, BMP, PPM, PFM, AVIF, Zarr, .npy; folders with -r; globs in "
            "quotes ('photos/**/*.jpg'). - reads standard input.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="A file; a folder, in which trees are mirrored; a template of {parent} {stem} "
            "{suffix} {name} {kernel} {index}; or - for standard output. Default: beside the "
            "input, as img-sobel-x.png.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            autocompletion=complete.formats,
            metavar="NAME",
            help="png, jpeg, tiff, webp, gif, bmp, ppm, pfm or avif, for standard output or another "
            "suffix. Default: the input's.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace existing files.", rich_help_panel=_OUTPUT),
    ] = False,
    in_place: Annotated[
        bool,
        typer.Option("--in-place", help="Replace the inputs.", rich_help_panel=_OUTPUT),
    ] = False,
    quality: Annotated[
        int | None,
        typer.Option(
            "--quality",
            min=1,
            max=100,
            help="Of JPEG, lossy WebP and AVIF. Default: a JPEG keeps its own, otherwise 90.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    compression: Annotated[
        str,
        typer.Option(
            "--compression",
            autocompletion=complete.names("cli.parse", "COMPRESSIONS"),
            metavar="default|small",
            help="Of PNG. small saves 3 to 15 percent of the bytes and takes twenty times as long.",
            rich_help_panel=_OUTPUT,
        ),
    ] = "default",
    depth: Annotated[
        str | None,
        typer.Option(
            "--depth",
            autocompletion=complete.names("cli.parse", "DEPTHS"),
            metavar="8|16|float",
            help="Bits per sample of the result. Default: the input's.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    padding: Annotated[
        str,
        typer.Option(
            "--padding",
            autocompletion=complete.names("arithmetic.window", "PADDING_NAMES"),
            metavar="HOW",
            help="same, valid, full, or cells: P, PH,PW or T,R,B,L. same keeps the size.",
            rich_help_panel=_SHAPE,
        ),
    ] = "same",
    stride: Annotated[
        str,
        typer.Option(
            "--stride",
            metavar="S|SH,SW",
            help="Keep every S-th position, without computing the others; see below which.",
            rich_help_panel=_SHAPE,
        ),
    ] = "1",
    dilation: Annotated[
        str,
        typer.Option(
            "--dilation",
            metavar="D|DH,DW",
            help="Spread the taps D pixels apart: a wider view at the same cost.",
            rich_help_panel=_SHAPE,
        ),
    ] = "1",
    border: Annotated[
        str,
        typer.Option(
            "--border",
            autocompletion=complete.names("arithmetic.borders", "PICTURES", "ALIASES"),
            metavar="NAME",
            help="What is read outside the picture: constant[:V], edge, reflect, symmetric, "
            "wrap; see below. V is 0 (black) to 255 (white) at any depth, a percentage, or a gray "
            "by name.",
            rich_help_panel=_SHAPE,
        ),
    ] = "reflect",
    flip: Annotated[
        bool,
        typer.Option(
            "--flip",
            help="Turn the kernel round: mathematical convolution instead of correlation.",
            rich_help_panel=_SHAPE,
        ),
    ] = False,
    range: Annotated[
        str,
        typer.Option(
            "--range",
            autocompletion=complete.names("cli.parse", "RANGES"),
            metavar="HOW",
            help="How results become pixels: clip; abs (both slopes of an edge); offset (gray is "
            "zero); stretch (least to most); float (as they are, TIFF). auto is abs for "
            "derivative presets, otherwise clip.",
            rich_help_panel=_RANGE,
        ),
    ] = "auto",
    normalize: Annotated[
        bool,
        typer.Option(
            "--normalize",
            help="Divide each kernel by the sum of its weights: brightness stays.",
            rich_help_panel=_RANGE,
        ),
    ] = False,
    scale: Annotated[
        str,
        typer.Option(
            "--scale",
            metavar="X",
            help="Multiply the result: 2, 1/16, 50%.",
            rich_help_panel=_RANGE,
        ),
    ] = "1",
    bias: Annotated[
        str,
        typer.Option(
            "--bias",
            metavar="V",
            help="Add to the result; 255 or 100% is white at any depth.",
            rich_help_panel=_RANGE,
        ),
    ] = "0",
    luma: Annotated[
        bool,
        typer.Option(
            "--luma",
            help="Filter brightness only: sharpening without coloured edges.",
            rich_help_panel=_RANGE,
        ),
    ] = False,
    linear: Annotated[
        bool,
        typer.Option(
            "--linear",
            help="Filter in linear light: blurred lights stay bright, as in a camera.",
            rich_help_panel=_RANGE,
        ),
    ] = False,
    recursive: Annotated[
        bool,
        typer.Option(
            "--recursive",
            "-r",
            help="Take every picture in the folders that are named.",
            rich_help_panel=_MANY,
        ),
    ] = False,
    files_from: Annotated[
        str | None,
        typer.Option(
            "--files-from",
            metavar="LIST",
            help="Take more inputs from a file, one name per line; - is standard input.",
            rich_help_panel=_MANY,
        ),
    ] = None,
    null: Annotated[
        bool,
        typer.Option(
            "--null",
            "-0",
            help="Names in LIST end with a zero byte, as from find -print0.",
            rich_help_panel=_MANY,
        ),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            help="Files at a time. Default: one per core, each with one thread.",
            rich_help_panel=_MANY,
        ),
    ] = None,
    on_error: Annotated[
        str,
        typer.Option(
            "--on-error",
            autocompletion=complete.names("cli.parse", "ON_ERROR"),
            metavar="skip|stop",
            help="When a file fails: go on with the others, or begin no more.",
            rich_help_panel=_MANY,
        ),
    ] = "skip",
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on where a run was cut off: only files that are new, changed, failed, or "
            "were made with other options.",
            rich_help_panel=_MANY,
        ),
    ] = False,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="ADDRESS",
            help="Let the workers of a Dask cluster do it: tcp://host:8786, or local:N for N "
            "processes here.",
            rich_help_panel=_MANY,
        ),
    ] = None,
    backend: Annotated[
        str,
        typer.Option(
            "--backend",
            autocompletion=complete.names("cli.parse", "BACKENDS"),
            metavar="auto|numpy|cupy",
            help="cupy is an NVIDIA GPU. auto takes what ends sooner and says why.",
            rich_help_panel=_RUN,
        ),
    ] = "auto",
    device: Annotated[
        int | None,
        typer.Option(
            "--device",
            min=0,
            metavar="N",
            help="Compute on this GPU, of those that CUDA_VISIBLE_DEVICES shows. Implies "
            "--backend cupy.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(
            "--algorithm",
            autocompletion=complete.names("cli.parse", "ALGORITHMS"),
            metavar="NAME",
            help="Compute with direct, separable, box or fft; all keep the same accuracy. "
            "Default: what --explain predicts to be fastest.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, help="Default: all cores.", rich_help_panel=_RUN),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            metavar="SIZE",
            help="Filter larger TIFF, Zarr, .npy and raw files part by part within this much, "
            "as in 512M; the result is the same. What has to be read whole is refused where it "
            "takes more. Default: a quarter of what is free.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option("--shape", metavar="H,W[,C]", help="Of raw inputs.", rich_help_panel=_RUN),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            autocompletion=complete.names("imaging.large.source", "DTYPES"),
            metavar="TYPE",
            help="Of raw inputs: uint8, uint16, float16, float32 or float64; >u2 is big-endian.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            "--max-pixels",
            min=1,
            help="Refuse larger pictures by their header, and several frames that take more "
            "than 16 bytes for each of these pixels together. Default: 178,956,970.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Print the plan: sizes with the numbers put in, algorithm, backend, and why.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Check and plan everything, write nothing.", rich_help_panel=_RUN
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="One JSON object per picture on standard output.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    preview: Annotated[
        bool,
        typer.Option(
            "--preview",
            help="Show before and after in the terminal; nothing in a pipe.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=_RUN)
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            help="Also say which backend and algorithm ran, and the time of each stage.",
            rich_help_panel=_RUN,
        ),
    ] = False,
) -> int:
    """Filter pictures with a kernel: convcli filter img.png --kernel sobel-x

    The result stands beside the input as img-sobel-x.png, at the same depth, with the same
    metadata. Several kernels make a chain; a preset, a file or weights in quotes are all kernels.
    """
    from convcli.cli.parse import COMPRESSIONS, ON_ERROR, filter_options, one_of, raw_layout
    from convcli.errors import UsageError
    from convcli.extensions import extension
    from convcli.imaging.options import MAX_PIXELS

    options = filter_options(
        padding=padding,
        stride=stride,
        dilation=dilation,
        border=border,
        flip=flip,
        normalize=normalize,
        scale=scale,
        bias=bias,
        range=range,
        depth=depth,
        luma=luma,
        linear=linear,
        backend=backend,
        device=device,
        algorithm=algorithm,
        threads=threads,
    )
    extension("_loops")  # a wrong CONVCLI_LOOPS is refused once, not for every picture
    one_of("--on-error", on_error, ON_ERROR)
    one_of("--compression", compression, COMPRESSIONS)
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    alone = inputs and len(inputs) == 1 and files_from is None and cluster is None
    if inputs and alone and memory is None:  # else nobody has asked yet whether there is room
        from convcli.imaging.ahead import begin

        begin(inputs[0], limit)

    # What comes with NumPy, half of the start: the input is read and decoded meanwhile.
    from convcli.kernels.load import load_chain
    from convcli.runs.batch import Batch
    from convcli.runs.filtering import Failure
    from convcli.runs.memory import parse_size
    from convcli.runs.request import Report, Request
    from convcli.show.messages import (
        explanation,
        print_json,
        say,
        slow_note,
        summary,
        tally_line,
        timing,
    )
    from convcli.show.progress import part_progress, progress

    request = Request(
        inputs=tuple(inputs or ()),
        kernels=tuple(step for text in kernel for step in load_chain(text)),
        options=options,
        output=output,
        format=format,
        overwrite=overwrite,
        in_place=in_place,
        quality=quality,
        compression=compression,
        max_pixels=limit,
        dry_run=dry_run,
        recursive=recursive,
        files_from=files_from,
        null=null,
        jobs=jobs,
        on_error=on_error,
        resume=resume,
        cluster=cluster,
        memory=None if memory is None else parse_size(memory),
        raw=raw_layout(shape, dtype),
    )
    to_stdout = output == "-" or (output is None and "-" in request.inputs and not in_place)
    if as_json and to_stdout and not dry_run:
        raise UsageError("--json needs standard output, which the picture takes; add -o FILE")
    if not quiet:
        for step in request.kernels:
            if step.remark:
                say(f"convcli: warning: kernel {step.name!r} is {step.remark}")
    batch = Batch(request)
    tally = batch.tally
    # Thousands of lines tell nobody anything: a bar, the failures, and the sum of it.
    many = batch.named > MANY
    told = quiet
    watched = not quiet and not verbose

    def planned(report: Report) -> None:
        if explain:
            say(explanation(report))

    try:
        with (
            progress(len(batch.jobs), many, watched) as advance,
            part_progress(watched and batch.named == 1) as part_done,
            closing(batch.run(planned=planned, part_done=part_done)) as results,
        ):
            for result in results:
                advance(isinstance(result, Failure))
                if isinstance(result, Failure):
                    say(f"convcli: {result.error}")
                    if as_json:
                        print_json({"input": result.job.input, "error": str(result.error)})
                    continue
                if as_json:
                    print_json(result.as_json())
                if not told and (note := slow_note(result)):
                    told = True
                    say(f"convcli: warning: {note}")
                if quiet or (many and not verbose):
                    continue
                if not as_json:
                    say(summary(result))
                if verbose:
                    say(timing(result))
                for note in result.warnings:
                    say(f"convcli: warning: {result.name}: {note}")
                if preview and result.written and result.parts == 1:
                    _preview(result.job.input, result.job.output, request.max_pixels)
    except BaseException as stop:
        if batch.named > 1 and not isinstance(stop, Exception):
            say(f"convcli: {tally_line(tally)}")
        raise
    for note in [] if quiet else tally.notes:
        say(f"convcli: warning: {note}")
    if tally.failures or tally.skipped or (many and not quiet):
        say(f"convcli: {tally_line(tally)}")
    return 1 if tally.failures else 0


def _preview(before: str, after: str, max_pixels: int) -> None:
    """Both pictures side by side, or the result alone where the input is gone."""
    from convcli.show.console import is_terminal

    if not is_terminal() or after == "-":
        return
    from convcli.imaging.read import read_picture
    from convcli.show.preview import show_pictures

    names = [after] if before in ("-", after) else [before, after]
    show_pictures([read_picture(name, max_pixels=max_pixels) for name in names])
