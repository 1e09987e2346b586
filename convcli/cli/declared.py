"""Commands and their options, as data: what ``typed`` shows and ``plain`` reads.

So a command line can be read without Typer, which takes an eighth of the instructions with which a
small picture is filtered, and a third of those of ``shape``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convcli.records import NamedTuple

__all__ = ["Command", "Commands", "Declared", "argument", "option"]


class Declared(NamedTuple):
    """What stands beside the type of a parameter: Typer's words for it."""

    is_option: bool
    names: tuple[str, ...]
    settings: dict[str, Any]


def option(*names: str, **settings: Any) -> Any:
    """An option, as ``typer.Option`` describes it in an ``Annotated``."""
    return Declared(True, names, settings)


def argument(**settings: Any) -> Any:
    """An argument, as ``typer.Argument`` describes it in an ``Annotated``."""
    return Declared(False, (), settings)


class Command(NamedTuple):
    """A function that carries a command out; of one that stands alone the name is the module's."""

    name: str
    function: Callable[..., Any]
    settings: dict[str, Any]


class Commands:
    """The commands of one module; ``settings`` are those of ``typer.Typer``."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.commands: list[Command] = []

    def command(self, name: str = "", **settings: Any) -> Callable[[Any], Any]:
        """Declare a function as a command, as ``typer.Typer.command`` does."""

        def declare(function: Any) -> Any:
            self.commands.append(Command(name, function, settings))
            return function

        return declare
