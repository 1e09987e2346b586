"""The commands, each in a module of its own that is imported when the command is asked for."""

from importlib import import_module

from convcli.cli.declared import Commands

__all__ = ["COMMANDS", "declared"]

COMMANDS = (
    "filter",
    "kernel",
    "shape",
    "conv",
    "conv-transpose",
    "grad",
    "pool",
    "matrix",
    "separate",
    "impulse",
    "check",
    "draw",
    "explore",
    "compare",
    "demo",
    "bench",
    "info",
)
"""Every command, in the order of ``convcli --help``.

Each is the ``app`` of the module of that name in ``convcli.cli``, imported when it is used.
"""


def declared(name: str) -> Commands:
    """What the module of a command declares."""
    app = import_module(f"convcli.cli.{name.replace('-', '_')}").app
    assert isinstance(app, Commands)
    return app
