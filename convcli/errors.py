"""Every error that convcli raises on purpose, and the exit code that each one means.

::

    ConvcliError                 1
    ├── UsageError               2   the request itself is wrong; nothing was attempted
    │   ├── ShapeError           2   sizes, strides, paddings, groups that do not fit together
    │   ├── KernelError          2   a kernel that cannot be found, read or used
    │   ├── TensorError          2   a tensor that cannot be read or has the wrong type
    │   ├── RoomError            2   a picture that does not fit into the memory allowed
    │   └── BackendError         2   a backend that was asked for by name and cannot run
    └── RunError                 1   the request is right, but the world did not play along
        ├── InputError           1   a file that cannot be read or decoded
        └── OutputError          1   a file that cannot be written

A message is one line that states the value given and what is allowed. ``while_`` adds what
was being done, as in "... while planning 3x3, stride 2, on 640x480".
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "BackendError",
    "ConvcliError",
    "InputError",
    "KernelError",
    "OutputError",
    "RoomError",
    "RunError",
    "ShapeError",
    "TensorError",
    "UsageError",
    "did_you_mean",
]


class ConvcliError(Exception):
    """Base of all of them; ``exit_code`` is what the command line ends with.

    >>> str(ConvcliError("stride is 0; it must be 1 or more", while_="planning 3x3 on 640x480"))
    'stride is 0; it must be 1 or more, while planning 3x3 on 640x480'
    """

    exit_code = 1

    def __init__(self, message: str, *, while_: str = "") -> None:
        super().__init__(f"{message}, while {while_}" if while_ else message)


class UsageError(ConvcliError, ValueError):
    """The request is wrong. Also a ``ValueError``, which callers from Python expect."""

    exit_code = 2


class ShapeError(UsageError):
    """Sizes that do not fit together."""


class KernelError(UsageError):
    """A kernel that cannot be found, read or used."""


class TensorError(UsageError):
    """A tensor that cannot be read, or is of a type that cannot be computed with."""


class RoomError(UsageError):
    """A picture that does not fit into the memory that is allowed here."""


class BackendError(UsageError):
    """A backend that was asked for by name and cannot run here."""


class RunError(ConvcliError):
    """The request is right, but something outside it failed."""


class InputError(RunError):
    """A file that cannot be read or decoded."""


class OutputError(RunError):
    """A file that cannot be written."""


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The end of a message about a name that is not known; empty if no known one is near.

    >>> did_you_mean("sobelx", ["sobel-x", "box"]), did_you_mean("q", ["box"])
    ("; did you mean 'sobel-x'?", '')
    """
    # Imported by those who mistype only.
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), 1, cutoff)
    return f"; did you mean {near[0]!r}?" if near else ""
