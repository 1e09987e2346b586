"""Options that several commands take: the names, bounds and words of each, declared once.

A command adds what the option does there (``help``) and the heading that it stands under
(``panel``).
"""

from typing import Annotated, Any

from convcli.cli import complete
from convcli.cli.declared import argument, option

__all__ = [
    "LITERALS",
    "Overwrite",
    "border",
    "flip",
    "json",
    "kernel",
    "kernels",
    "max_pixels",
    "output",
    "overwrite",
    "padding",
    "theme",
    "width",
]

LITERALS: dict[str, Any] = {"literals": True, "letters": True}
"""How a command is declared whose arguments may be numbers, ``"-1 0 1"``, or letters, ``"-a"``."""


def kernels(help: str) -> Any:
    """``--kernel``, which can be given several times."""
    return option("--kernel", "-k", autocompletion=complete.kernels, help=help, show_default=False)


def kernel(help: str, metavar: str = "KERNEL", **more: Any) -> Any:
    """One kernel as an argument."""
    return argument(metavar=metavar, autocompletion=complete.kernels, help=help, **more)


def flip(help: str, panel: str | None = None) -> Any:
    """``--flip``: convolution instead of correlation."""
    return option("--flip", help=help, rich_help_panel=panel)


def padding(*names: str, help: str, panel: str, **more: Any) -> Any:
    """``--padding``, under further names where a command has them."""
    words = complete.names("arithmetic.window", "PADDING_NAMES")
    return option(*names, autocompletion=words, help=help, rich_help_panel=panel, **more)


def border(help: str, panel: str, *names: str) -> Any:
    """``--border``; ``names`` are the registries in ``arithmetic.borders`` that are offered."""
    words = complete.names("arithmetic.borders", *(names or ("BORDERS", "ALIASES")))
    return option(
        "--border", autocompletion=words, metavar="NAME", help=help, rich_help_panel=panel
    )


def max_pixels(help: str, panel: str | None = None) -> Any:
    """``--max-pixels``, of a picture that is read."""
    return option("--max-pixels", min=1, help=help, rich_help_panel=panel)


def theme(help: str, panel: str | None = None) -> Any:
    """``--theme`` of a drawing."""
    return option(
        "--theme",
        autocompletion=complete.names("show.draw.theme", "THEMES"),
        metavar="light|dark",
        help=help,
        rich_help_panel=panel,
    )


def width(help: str, panel: str | None = None) -> Any:
    """``--size`` of a drawing in pixels."""
    return option("--size", min=64, max=8192, metavar="PIXELS", help=help, rich_help_panel=panel)


def json(help: str, panel: str | None = None) -> Any:
    """``--json``; ``help`` says which document."""
    return option("--json", help=help, rich_help_panel=panel)


def output(help: str, panel: str | None = None) -> Any:
    """``--output FILE``; ``help`` says what is written, and in which formats."""
    return option(
        "-o", "--output", metavar="FILE", help=help, show_default=False, rich_help_panel=panel
    )


def overwrite(panel: str | None = None, help: str = "Replace a file that is there.") -> Any:
    """``--overwrite``: without it a file that exists is refused."""
    return option("--overwrite", help=help, rich_help_panel=panel)


Overwrite = Annotated[bool, overwrite()]
