"""``python -m convcli`` and the ``convcli`` script."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    # Starting makes many objects and no garbage: looking for it took 12 ms of 190.
    gc.set_threshold(100_000, 20, 20)
    # OpenBLAS, which comes with NumPy, starts a thread for each processor, and they look for work
    # in a busy loop, beside which a picture is to be decoded: 20 to 40 ms of 170. Filters have no
    # work for them, and where tensors do, they share it out themselves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Outside of `run` nothing is to be cleaned up: an interrupt may end the process where it is.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from convcli.cli.app import run
        from convcli.system.process import resend_dropped_stops

        resend_dropped_stops()
        code = run(sys.argv[1:])
    except MemoryError:  # outside of the boundary, or in telling of another
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write("convcli: not enough memory\n")
        code = 1
    except BaseException as stop:
        from convcli.system.process import Terminated, die_by, number_of

        if not isinstance(stop, KeyboardInterrupt | Terminated):
            raise
        code = die_by(number_of(stop))  # it came just before the boundary, or just behind it
    try:
        _leave(code)
    except MemoryError:  # even an orderly end takes some
        os._exit(code)


# CPython keeps the frames of its calls in pieces of 16 KB, and maps and unmaps one at each call
# that crosses the end of a piece: 1,400 times in starting, 12 ms of 150. A frame that asks for more
# than half of 512 KB gets a piece of that size, and the calls below it the rest; what none of them
# touches takes no memory.
main.__code__ = main.__code__.replace(co_stacksize=1 << 15)


def _leave(code: int) -> NoReturn:
    """End at once, as mypy does: taking the interpreter apart takes 12 ms and frees nothing more.

    Not where threads or other processes are still to be waited for.
    """
    threading = sys.modules.get("threading")
    if (threading and threading.active_count() > 1) or "multiprocessing" in sys.modules:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
