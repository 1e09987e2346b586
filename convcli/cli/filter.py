"""``convcli filter``: options into a request."""

import typer

from convcli.cli import filter_options as on

app = typer.Typer(add_completion=False)


@app.command("filter", epilog=on.EPILOG)
def filter_command(
    kernel: on.Kernels,
    inputs: on.Inputs = None,
    output: on.Output = None,
    format: on.Format = None,
    overwrite: on.Overwrite = False,
    in_place: on.InPlace = False,
    quality: on.Quality = None,
    compression: on.Compression = "default",
    depth: on.Depth = None,
    padding: on.Padding = "same",
    stride: on.Stride = "1",
    dilation: on.Dilation = "1",
    border: on.Border = "reflect",
    flip: on.Flip = False,
    region: on.Region = None,
    mask: on.Mask = None,
    range: on.Range = "auto",
    normalize: on.Normalize = False,
    scale: on.Scale = "1",
    bias: on.Bias = "0",
    values: on.Values = None,
    bands: on.Bands = None,
    nodata: on.NoData = None,
    missing: on.Missing = None,
    fill: on.Fill = False,
    min_valid: on.MinValid = "0",
    luma: on.Luma = False,
    linear: on.Linear = False,
    recursive: on.Recursive = False,
    files_from: on.FilesFrom = None,
    null: on.Null = False,
    jobs: on.Jobs = None,
    on_error: on.OnError = "skip",
    resume: on.Resume = False,
    cluster: on.Cluster = None,
    backend: on.Backend = "auto",
    device: on.Device = None,
    algorithm: on.Algorithm = None,
    threads: on.Threads = None,
    memory: on.Memory = None,
    shape: on.Shape = None,
    dtype: on.Dtype = None,
    axes: on.Axes = None,
    max_pixels: on.MaxPixels = None,
    explain: on.Explain = False,
    dry_run: on.DryRun = False,
    as_json: on.AsJson = False,
    preview: on.Preview = False,
    quiet: on.Quiet = False,
    verbose: on.Verbose = False,
) -> int:
    """Filter pictures with a kernel: convcli filter img.png --kernel sobel-x

    The result stands beside the input as img-sobel-x.png, at the same depth, with the same
    metadata. Several kernels make a chain; a preset, a file or weights in quotes are all kernels.
    """
    from convcli.arithmetic.region import parse_region
    from convcli.cli import parse
    from convcli.errors import UsageError
    from convcli.extensions import extension
    from convcli.imaging.options import MAX_PIXELS, WAYS, FilterOptions

    nodata_in, nodata_out = parse.nodata(nodata)
    options = FilterOptions(
        range=parse.one_of("--range", range, parse.RANGES),
        algorithm=parse.algorithm(algorithm),
        backend=parse.backend(backend, device),
        depth=parse.one_of("--depth", depth, parse.DEPTHS),
        padding=parse.padding(padding),
        stride=parse.pair("--stride", stride),
        dilation=parse.pair("--dilation", dilation),
        border=parse.border(border),
        scale=parse.share("--scale", scale, 1, "2, 1/16 or 50%"),
        bias=parse.share("--bias", bias, 255, "128 or 50%"),
        flip=flip,
        normalize=normalize,
        luma=luma,
        linear=linear,
        threads=threads,
        values=values,
        bands=parse.bands(bands),
        nodata=nodata_in,
        nodata_out=nodata_out,
        missing=parse.one_of("--missing", missing, WAYS),
        fill=fill,
        min_valid=parse.part("--min-valid", min_valid),
        region=None if region is None else parse_region(region),
    )
    extension("_loops")  # a wrong CONVCLI_LOOPS is refused once, not for every picture
    parse.one_of("--on-error", on_error, parse.ON_ERROR)
    parse.one_of("--compression", compression, parse.COMPRESSIONS)
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    alone = inputs and len(inputs) == 1 and files_from is None and cluster is None
    if inputs and alone and memory is None:  # else nobody has asked yet whether there is room
        from convcli.imaging.ahead import begin

        begin(inputs[0], limit)

    # What comes with NumPy, half of the start: the input is read and decoded meanwhile.
    from convcli.kernels.load import load_chain
    from convcli.runs.batch import Batch
    from convcli.runs.request import Request
    from convcli.show.filter_output import Wanted, run_and_tell, warn_of_kernels

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
        memory=parse.memory(memory),
        mask=mask,
        raw=parse.raw_layout(shape, dtype, axes),
    )
    if as_json and request.to_stdout and not dry_run:
        raise UsageError("--json needs standard output, which the picture takes; add -o FILE")
    if not quiet:
        warn_of_kernels(request.kernels)
    return run_and_tell(Batch(request), Wanted(explain, as_json, preview, quiet, verbose))
