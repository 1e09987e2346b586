"""A progress bar for many inputs, on a terminal only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

__all__ = ["progress"]


@contextlib.contextmanager
def progress(total: int, wanted: bool) -> Iterator[Callable[[], None]]:
    """Give a function that counts one more file done; it does nothing when nobody watches."""
    if not (wanted and total > 1 and sys.stderr is not None and sys.stderr.isatty()):
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from convcli.show.console import make_console

    bar = Progress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=make_console("stderr")
    )
    with bar:
        task = bar.add_task("filter", total=total)
        yield lambda: bar.advance(task)
