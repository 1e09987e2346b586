"""``convcli filter``: options into a request."""

from convcli.cli import filter_geometry as place
from convcli.cli import filter_options as on
from convcli.cli import filter_running as run
from convcli.cli import filter_values as sample
from convcli.cli.declared import Commands

app = Commands()


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
    padding: place.Padding = "same",
    stride: place.Stride = "1",
    dilation: place.Dilation = "1",
    border: place.Border = "reflect",
    flip: place.Flip = False,
    region: place.Region = None,
    mask: place.Mask = None,
    range: sample.Range = "auto",
    normalize: sample.Normalize = False,
    scale: sample.Scale = "1",
    bias: sample.Bias = "0",
    values: sample.Values = None,
    bands: sample.Bands = None,
    nodata: sample.NoData = None,
    missing: sample.Missing = None,
    fill: sample.Fill = False,
    min_valid: sample.MinValid = "0",
    luma: sample.Luma = False,
    linear: sample.Linear = False,
    recursive: run.Recursive = False,
    files_from: run.FilesFrom = None,
    null: run.Null = False,
    jobs: run.Jobs = None,
    on_error: run.OnError = "skip",
    resume: run.Resume = False,
    cluster: run.Cluster = None,
    backend: run.Backend = "auto",
    device: run.Device = None,
    algorithm: run.Algorithm = None,
    threads: run.Threads = None,
    memory: run.Memory = None,
    shape: run.Shape = None,
    dtype: run.Dtype = None,
    axes: run.Axes = None,
    max_pixels: run.MaxPixels = None,
    explain: run.Explain = False,
    dry_run: run.DryRun = False,
    as_json: run.AsJson = False,
    preview: run.Preview = False,
    quiet: run.Quiet = False,
    verbose: run.Verbose = False,
) -> int:
    """Filter pictures with a kernel: convcli filter img.png --kernel sobel-x

    The result stands beside the input as img-sobel-x.png, at the same depth, with the same
    metadata. Several kernels make a chain; a preset, a file or weights in quotes are all kernels.
    """
    from convcli.cli import parse
    from convcli.errors import UsageError
    from convcli.extensions import extension
    from convcli.imaging.options import WAYS, FilterOptions, most_pixels

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
        region=parse.region(region),
    )
    extension("_loops")  # a wrong CONVCLI_LOOPS is refused once, not for every picture
    parse.one_of("--on-error", on_error, parse.ON_ERROR)
    parse.one_of("--compression", compression, parse.COMPRESSIONS)
    plain = files_from is None and cluster is None and memory is None
    if plain and inputs and len(inputs) == 1:  # else nobody has asked yet whether there is room
        from convcli.imaging.ahead import begin

        begin(inputs[0], most_pixels(max_pixels))

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
        max_pixels=max_pixels,
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
