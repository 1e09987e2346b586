"""The command tree, loaded lazily, inside the one error boundary of the program."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import sys

from convcli.cli import commands
from convcli.cli.plain import plain
from convcli.errors import ConvcliError, OutputError, UsageError
from convcli.system.files import open_to_write, reader_has_gone
from convcli.system.machine import address_limit, lacks_memory, spare_address_space
from convcli.system.process import (
    SIGPIPE,
    Terminated,
    die_by,
    number_of,
    raise_stop,
    settle_streams,
    stops_obeyed,
)

__all__ = ["invoke", "run"]

COMPLETION = "_CONVCLI_COMPLETE"
"""Set by the shell while it completes a command line."""


class _ClosedOutput(io.TextIOBase):
    """Standard output that was closed (``>&-``): what goes there must not vanish in silence."""

    def write(self, text: str) -> int:
        raise OutputError("standard output is closed")

    def fileno(self) -> int:
        raise OutputError("standard output is closed")

    def isatty(self) -> bool:
        return False


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
    settle_streams()
    spare_address_space()
    if address_limit() is not None and not traceback:
        # A thread without memory for its first call complains in lines of Python's own, but whoever
        # began it says so. A function in Python would need that memory too; `callable` needs none.
        sys.unraisablehook = callable
    if sys.stdout is None:
        sys.stdout = _ClosedOutput()
    try:
        with stops_obeyed():
            return _run(argv, traceback)
    except (KeyboardInterrupt, Terminated) as stop:
        number = number_of(stop)
    except BrokenPipeError:
        # The reader has what it wanted.
        _abandon_stdout()
        number = SIGPIPE
    if number == signal.SIGINT:
        _complain("interrupted")
    # Out here the error is gone, and what was entered just as it came is ended by being collected: no
    # `with` knew of it yet, and a temporary would stay. One more such signal ends us at once.
    gc.collect()
    return die_by(number)


def _abandon_stdout() -> None:
    """Drop what standard output did not take, or Python would complain once more at exit."""
    with contextlib.suppress(OSError):
        os.dup2(open_to_write(os.devnull), 1)


def _run(argv: list[str], traceback: bool) -> int:
    try:
        code = invoke(argv)
        raise_stop()  # one whose error a library has swallowed
        sys.stdout.flush()
        return code
    except ConvcliError as error:
        raise_stop()
        if traceback:
            raise
        _complain(str(error))
        return error.exit_code
    except Exception as error:
        raise_stop()
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
    call = None
    if argv and argv[0] in commands.COMMANDS and COMPLETION not in os.environ:
        call = plain(commands.declared(argv[0]), argv[1:])
    if call is None:
        from convcli.cli.typed import complete, invoke_typed

        return complete(argv) if COMPLETION in os.environ else invoke_typed(argv)
    try:
        result = call()
    except UsageError as error:
        from convcli.cli.option_hints import raise_meant

        raise_meant(error, argv)
    return result if isinstance(result, int) else 0
