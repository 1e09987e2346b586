"""The command tree, loaded lazily, inside the one error boundary of the program."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from importlib import import_module
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from convcli.errors import ConvcliError, OutputError, UsageError, did_you_mean
from convcli.system.files import is_file, open_to_write, reader_has_gone
from convcli.system.machine import lacks_memory
from convcli.system.process import SIGPIPE, die_by, on_termination, settle_streams

__all__ = ["COMMANDS", "build", "invoke", "run"]

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

COMPLETION = "_CONVCLI_COMPLETE"
"""Set by the shell while it completes a command line."""

EPILOG = "Every command takes --traceback, which shows where an error comes from."


class LazyGroup(TyperGroup):
    """A group that imports a command's module only when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"convcli.cli.{cmd_name.replace('-', '_')}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            hint = _filter_meant(name) or did_you_mean(name, COMMANDS)
            raise UsageError(f"no command {name!r}{hint}; there are {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)


def _filter_meant(name: str) -> str:
    """The hint for a kernel or a file where a command belongs."""
    from convcli.kernels.preset_names import preset_of

    if preset_of(name.partition(":")[0]):
        return f"; did you mean 'convcli filter IMAGE -k {name}'?"
    return f"; did you mean 'convcli filter {name} -k KERNEL'?" * is_file(name)


def _version(value: bool) -> None:
    if value:
        from convcli._version import __version__

        typer.echo(f"convcli {__version__}")
        raise typer.Exit


def build() -> Any:
    """The root command, ready to be called with arguments."""
    root = typer.Typer(
        cls=LazyGroup,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        epilog=EPILOG,
    )

    @root.callback()
    def convcli(
        version: bool = typer.Option(
            False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ) -> None:
        """Everything convolution: filter pictures, and compute, explain and draw layers."""

    return typer.main.get_command(root)


class _Terminated(BaseException):
    """SIGTERM or SIGHUP, raised so that temporary files are removed on the way out."""

    def __init__(self, signum: int) -> None:
        self.signum = signum


class _ClosedOutput(io.TextIOBase):
    """Standard output that was closed (``>&-``): what goes there must not vanish in silence."""

    def write(self, text: str) -> int:
        raise OutputError("standard output is closed")

    def fileno(self) -> int:
        raise OutputError("standard output is closed")

    def isatty(self) -> bool:
        return False


def _terminate(signum: int, _frame: Any) -> NoReturn:
    raise _Terminated(signum)


def _complain(message: str) -> None:
    """One line on standard error; a closed or full standard error is nobody's fault."""
    line = message.replace("\r", "\\r").replace("\n", "\\n")
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"convcli: {line.encode('utf-8', 'backslashreplace').decode()}\n")
        sys.stderr.flush()


def _split_traceback(argv: list[str]) -> tuple[list[str], bool]:
    end = argv.index("--") if "--" in argv else len(argv)
    before = [a for a in argv[:end] if a != "--traceback"]
    return before + argv[end:], len(before) != end


def run(argv: list[str]) -> int:
    """Run one command line and return its exit code.

    0 done, 1 something failed, 2 the request is wrong; interrupts end by their signal (130 for
    SIGINT, 141 when the reader of a pipe has gone, 143, 129).
    """
    argv, traceback = _split_traceback(argv)
    on_termination(_terminate)
    settle_streams()
    if sys.stdout is None:
        sys.stdout = _ClosedOutput()
    try:
        return _run(argv, traceback)
    except KeyboardInterrupt:
        _complain("interrupted")
        return die_by(signal.SIGINT)
    except _Terminated as stop:
        return die_by(stop.signum)
    except BrokenPipeError:
        # The reader has what it wanted.
        _abandon_stdout()
        return die_by(SIGPIPE)


def _abandon_stdout() -> None:
    """Drop what standard output did not take, or Python would complain once more at exit."""
    with contextlib.suppress(OSError):
        os.dup2(open_to_write(os.devnull), 1)


def _run(argv: list[str], traceback: bool) -> int:
    try:
        code = invoke(argv)
        sys.stdout.flush()
        return code
    except ConvcliError as error:
        if traceback:
            raise
        _complain(str(error))
        return error.exit_code
    except Exception as error:
        if reader_has_gone(error):
            raise BrokenPipeError from error
        if traceback:
            raise
        try:
            sys.stdout.flush()
        except (OSError, ValueError, AttributeError):
            _abandon_stdout()
        _complain(_reason(error))
        return 1


def _reason(error: Exception) -> str:
    if lacks_memory(error):
        return "not enough memory"
    if isinstance(error, OSError):
        return f"{error.filename}: " * bool(error.filename) + str(error.strerror or error)
    return (
        f"internal error: {type(error).__name__}: {error}; "
        "this is a fault of convcli: run again with --traceback and report it"
    )


def invoke(argv: list[str]) -> int:
    """Run one command line inside a boundary that is already there; errors are raised."""
    root = build()
    if COMPLETION in os.environ:
        from convcli.cli.complete import join_options

        join_options()
        try:
            return int(root.main(args=argv, prog_name="convcli", standalone_mode=False) or 0)
        except ConvcliError:
            return 2  # a word before is wrong: nothing to offer, and no message into the prompt
    # Not root.main(): it turns interrupts and closed pipes into ordinary exits.
    try:
        with root.make_context("convcli", argv) as ctx:
            result = root.invoke(ctx)
    except typer.Exit as stop:
        return int(stop.exit_code)
    except typer.TyperException as error:
        if not error.format_message():
            return 2  # nothing was asked for, and the help has been shown
        raise UsageError(_misread(error, argv)) from error
    except UsageError as error:
        from convcli.cli.option_hints import kernel_meant

        meant = "" if "did you mean" in str(error) else kernel_meant(argv)
        if not meant:
            raise
        raise UsageError(f"{error}{meant}") from error
    return result if isinstance(result, int) else 0


def _misread(error: Any, argv: list[str]) -> str:
    """The message about a command line that could not be taken apart."""
    from convcli.cli.option_hints import kernel_meant, why_absent

    option = getattr(error, "option_name", "")
    if why := why_absent(argv, too_many="unexpected extra" in error.format_message()):
        return why
    meant = kernel_meant(argv, option)
    if option and meant:
        typed = next(word for word in argv if word.startswith(option))
        return f"there is no option {typed!r}{meant}"
    message = error.format_message().rstrip(".")
    if message.startswith("No such command"):
        ctx = error.ctx
        message = f"{message}; there are {', '.join(ctx.command.list_commands(ctx))}"
    return f"{message}{meant}; see {_help_of(error)}"


def _help_of(error: Any) -> str:
    ctx = getattr(error, "ctx", None)
    return f"'{ctx.command_path if ctx else 'convcli'} --help'"
