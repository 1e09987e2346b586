"""Options that several commands take: the names, bounds and words of each, declared once.

A command adds what the option does there (``help``) and the heading that it stands under
(``panel``).
"""

import re
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from convcli.cli import complete

__all__ = [
    "LITERALS",
    "LiteralCommand",
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

_CELL = (
    r"[+-]?[0-9./]*[*·]?(?:[^\W\d]\w*(?:\[[^\[\]]*\])*['\N{PRIME}\N{DOUBLE PRIME}]*)?(?:/[0-9]+)?"
)
_NEGATIVE = re.compile(rf"-{_CELL}(?:\s*[\s;,]\s*{_CELL})+")


class LiteralCommand(TyperCommand):
    """A command whose arguments may be numbers or letters: ``"-1 0 1"`` and ``"-h o"``.

    Click would take the first ``h`` or ``o`` of a minus and several cells for ``-h`` or ``-o``.
    Where unknown options are let through, since ``-a`` is a letter, those of two dashes are not.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = {name for p in self.get_params(ctx) for name in (*p.opts, *p.secondary_opts)}
        for word in args[: args.index("--")] if "--" in args else args:
            if re.match(r"--[A-Za-z]", word) and word.partition("=")[0] not in known:
                ctx.ignore_unknown_options = False
                return super().parse_args(ctx, [word])  # which refuses it
        return super().parse_args(ctx, [f" {a}" if _NEGATIVE.fullmatch(a) else a for a in args])


LITERALS: dict[str, Any] = {
    "cls": LiteralCommand,
    "context_settings": {"ignore_unknown_options": True},
}
"""How such a command is declared: ``@app.command(**LITERALS)``."""


def kernels(help: str) -> Any:
    """``--kernel``, which can be given several times."""
    return typer.Option(
        "--kernel", "-k", autocompletion=complete.kernels, help=help, show_default=False
    )


def kernel(help: str, metavar: str = "KERNEL", **more: Any) -> Any:
    """One kernel as an argument."""
    return typer.Argument(metavar=metavar, autocompletion=complete.kernels, help=help, **more)


def flip(help: str, panel: str | None = None) -> Any:
    """``--flip``: convolution instead of correlation."""
    return typer.Option("--flip", help=help, rich_help_panel=panel)


def padding(*names: str, help: str, panel: str, **more: Any) -> Any:
    """``--padding``, under further names where a command has them."""
    words = complete.names("arithmetic.window", "PADDING_NAMES")
    return typer.Option(*names, autocompletion=words, help=help, rich_help_panel=panel, **more)


def border(help: str, panel: str, *names: str) -> Any:
    """``--border``; ``names`` are the registries in ``arithmetic.borders`` that are offered."""
    words = complete.names("arithmetic.borders", *(names or ("BORDERS", "ALIASES")))
    return typer.Option(
        "--border", autocompletion=words, metavar="NAME", help=help, rich_help_panel=panel
    )


def max_pixels(help: str, panel: str | None = None) -> Any:
    """``--max-pixels``, of a picture that is read."""
    return typer.Option("--max-pixels", min=1, help=help, rich_help_panel=panel)


def theme(help: str, panel: str | None = None) -> Any:
    """``--theme`` of a drawing."""
    return typer.Option(
        "--theme",
        autocompletion=complete.names("show.draw.theme", "THEMES"),
        metavar="light|dark",
        help=help,
        rich_help_panel=panel,
    )


def width(help: str, panel: str | None = None) -> Any:
    """``--size`` of a drawing in pixels."""
    return typer.Option(
        "--size", min=64, max=8192, metavar="PIXELS", help=help, rich_help_panel=panel
    )


def json(help: str, panel: str | None = None) -> Any:
    """``--json``; ``help`` says which document."""
    return typer.Option("--json", help=help, rich_help_panel=panel)


def output(help: str, panel: str | None = None) -> Any:
    """``--output FILE``; ``help`` says what is written, and in which formats."""
    return typer.Option(
        "-o", "--output", metavar="FILE", help=help, show_default=False, rich_help_panel=panel
    )


def overwrite(panel: str | None = None, help: str = "Replace a file that is there.") -> Any:
    """``--overwrite``: without it a file that exists is refused."""
    return typer.Option("--overwrite", help=help, rich_help_panel=panel)


Overwrite = Annotated[bool, overwrite()]
