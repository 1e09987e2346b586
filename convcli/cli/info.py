"""``convcli info``: what is installed, and what ``auto`` would choose."""

from typing import Annotated, Any

import typer

from convcli.cli import options
from convcli.cli.declared import Commands

app = Commands()


@app.command("info")
def info_command(
    as_json: Annotated[
        bool, options.json("The same as a JSON object, for scripts and reports.")
    ] = False,
) -> None:
    """Show versions, codecs, devices, and which backend auto would take."""
    facts = collect()
    if as_json:
        from convcli.show.messages import print_json

        print_json(facts)
        return
    width = max(len(key) for key in facts)
    for key, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name} {text}" for name, text in value.items())
        typer.echo(f"{key:<{width}}  {value}")


def collect() -> dict[str, Any]:
    """Everything that a report of a fault should carry."""
    import platform
    import sys

    import numpy as np

    from convcli._version import __version__
    from convcli.engine.backends import pick_backend
    from convcli.engine.dispatch import loops
    from convcli.extensions import EXTENSIONS
    from convcli.imaging.codecs import codec_versions
    from convcli.system.machine import default_threads

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    backend, reason = pick_backend(None)
    found = loops()
    return {
        "convcli": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "cores": default_threads(),
        "numpy": f"{np.__version__}, BLAS {blas['name']} {blas.get('version', '')}".rstrip(),
        "loops": f"{found.name}: {found.reason}",
        **{f"convcli.{name}": _extension(name) for name in EXTENSIONS},
        "codecs": codec_versions(),
        "cupy": _cupy(),
        "auto takes": f"{backend}: {reason}",
        "auto knows": _speeds(),
    }


def _extension(name: str) -> str:
    from convcli.extensions import EXTENSIONS, extension

    found = extension(name)
    use = EXTENSIONS[name]
    if found.module is None:
        return f"missing, {use} take longer: {found.why}"
    return f"{found.why} of {', '.join(found.module.isas())}, for {use}"


def _speeds() -> str:
    from convcli.engine.speeds import Speeds, load_speeds

    speeds = load_speeds()
    if speeds == Speeds():
        return "nothing measured here; convcli bench --calibrate does"
    return f"the CPU as measured, and {speeds.device or 'no GPU'}"


def _cupy() -> str:
    from convcli.engine.backends import Backend, pick_backend
    from convcli.errors import BackendError

    try:
        return pick_backend(Backend("cupy"))[1].removeprefix("asked for; ")
    except BackendError as error:
        return str(error)
