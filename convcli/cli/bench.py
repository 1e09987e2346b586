"""``convcli bench``: how fast this machine filters, and with what."""

from typing import Annotated

import typer

from convcli.cli import options
from convcli.cli.declared import Commands, option

app = Commands()


@app.command()
def bench(
    kernel: Annotated[
        list[str] | None,
        options.kernels(
            "Time this kernel, written as for 'convcli filter', instead of the usual eight. "
            "Repeat it for more."
        ),
    ] = None,
    size: Annotated[
        str,
        option("--size", metavar="WxH", help="Of the test picture. The larger, the surer."),
    ] = "3000x2000",
    gray: Annotated[bool, option("--gray", help="One channel instead of three.")] = False,
    calibrate: Annotated[
        bool,
        option(
            "--calibrate",
            help="Also keep what was measured, so that auto knows this machine's CPU and GPU.",
        ),
    ] = False,
    as_json: Annotated[bool, options.json("One JSON object.")] = False,
) -> None:
    """Time every algorithm and backend on this machine, in under a minute.

    The table shows what auto would take, and what that costs against the best.
    """
    from convcli.engine.dispatch import loops
    from convcli.kernels.load import load_kernel
    from convcli.runs.bench import bench_kernels, time_kernels, why_no_gpu
    from convcli.runs.calibrate import calibrate as keep
    from convcli.show.bench_table import bench_document, calibration_document
    from convcli.show.progress import progress
    from convcli.show.shape_output import emit
    from convcli.system.machine import default_threads

    height, width = _size(size)
    channels = 1 if gray else 3
    kernels = [load_kernel(text) for text in kernel] if kernel else bench_kernels()
    no_gpu = why_no_gpu()
    timings = []
    with progress(len(kernels), False, not as_json) as advance:
        for timing in time_kernels(kernels, (height, width), channels, gpu=not no_gpu):
            timings.append(timing)
            advance(False)
    document = bench_document(
        timings, (height, width), channels, default_threads(), loops().name, no_gpu
    )
    if not calibrate:
        emit(lambda roomy: document, "json" if as_json else None)
        return
    found = calibration_document(*keep((height, width), gpu=not no_gpu), no_gpu)
    if as_json:
        document.data["calibration"] = found.data
        emit(lambda roomy: document, "json")
        return
    emit(lambda roomy: document)
    typer.echo()
    emit(lambda roomy: found)


def _size(text: str) -> tuple[int, int]:
    """Height and width of ``WxH``."""
    from convcli.errors import UsageError

    width, _, height = text.lower().partition("x")
    if not all(n.isascii() and n.isdecimal() and 0 < int(n) <= 30_000 for n in (width, height)):
        raise UsageError(f"--size {text!r} is not understood; give WxH, as in 3000x2000, to 30000")
    return int(height), int(width)
