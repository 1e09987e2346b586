"""Plain command lines, read without Typer, which takes longer to begin than they to run.

What a command declares is the same for both. A line that is not plain is left to Typer: one that
asks for help, is completed or is wrong, so that it alone says what is wrong; and the lines of
commands whose arguments may begin with a minus. What both read, both read alike: see
``tests/cli/test_plain_lines.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import NoneType
from typing import Any

from convcli.cli.declared import Command, Commands
from convcli.records import NamedTuple

__all__ = ["plain"]

_SHOWN = {"autocompletion", "help", "metavar", "rich_help_panel", "show_default"}
"""Settings that say nothing about what is read."""


class _Parameter(NamedTuple):
    """What one parameter of a command takes."""

    key: str
    kind: Any
    many: bool
    least: float
    most: float

    def value(self, words: Sequence[str]) -> Any:
        """The value of the words that were given for it, in their order; of several the last."""
        if self.many:
            return list(words)
        value = self.kind(words[-1])
        if self.kind is not str and not self.least <= value <= self.most:
            raise _NotPlainError
        return value


class _NotPlainError(ValueError):
    """A line that Typer has to read."""


class _Takes(NamedTuple):
    """What a command takes: options by their names, with the value of a flag; and arguments."""

    options: dict[str, tuple[_Parameter, bool | None]]
    arguments: list[_Parameter]


def plain(commands: Commands, words: Sequence[str]) -> Callable[[], Any] | None:
    """What a command line asks for, behind the name of its module; None if Typer has to read it."""
    try:
        command, words = _command(commands, words)
        function = command.function
        given = _values(_takes(function), words)
    except ValueError:
        return None
    code = function.__code__
    needed = code.co_argcount - len(function.__defaults__ or ())
    if not given.keys() >= set(code.co_varnames[:needed]):
        return None
    return partial(function, **given)


def _command(commands: Commands, words: Sequence[str]) -> tuple[Command, Sequence[str]]:
    """The command that is named by the first word, if there are several; and what follows it."""
    found = commands.commands
    if len(found) > 1:
        name, *words = words or [""]
        found = [command for command in found if name and command.name == name]
    if not found or not found[0].settings.keys() <= {"epilog"}:
        raise _NotPlainError
    return found[0], words


def _takes(function: Any) -> _Takes:
    takes = _Takes({}, [])
    for key, annotation in function.__annotations__.items():
        if key == "return":
            continue
        declared = annotation.__metadata__[0]
        kind = annotation.__origin__
        kinds = [k for k in getattr(kind, "__args__", ()) if k is not NoneType]
        many = kind == list[str] or kinds == [list[str]]
        if not many and kinds:
            (kind,) = kinds
        settings = declared.settings.keys() - _SHOWN
        if not (many or kind in (str, bool, int, float)) or not settings <= {"min", "max"}:
            raise _NotPlainError
        infinite = float("inf")
        least, most = (
            declared.settings.get("min", -infinite),
            declared.settings.get("max", infinite),
        )
        parameter = _Parameter(key, str if many else kind, many, least, most)
        if declared.is_option:
            takes.options.update(_named(parameter, declared.names))
        elif takes.arguments and takes.arguments[-1].many:
            raise _NotPlainError
        else:
            takes.arguments.append(parameter)
    return takes


def _named(
    parameter: _Parameter, names: tuple[str, ...]
) -> Iterator[tuple[str, tuple[_Parameter, bool | None]]]:
    flag = parameter.kind is bool
    if not names:
        if flag:
            raise _NotPlainError
        names = (f"--{parameter.key.replace('_', '-')}",)
    for name in names:
        yes, _, no = name.partition("/")
        yield yes, (parameter, True if flag else None)
        if no:
            yield no, (parameter, False)


def _values(takes: _Takes, words: Sequence[str]) -> dict[str, Any]:
    """The values that words give to parameters, by their names."""
    given: dict[str, Any] = {}
    texts: dict[_Parameter, list[str]] = {}
    rest: list[str] = []
    coming = iter(words)
    for word in coming:
        if word == "--":
            rest += coming
        elif word[:1] != "-" or word == "-":
            rest.append(word)
        else:
            for parameter, value in _options(takes, word, coming):
                if isinstance(value, str):
                    texts.setdefault(parameter, []).append(value)
                else:
                    given[parameter.key] = value
    for parameter in takes.arguments:
        mine = rest if parameter.many else rest[:1]
        rest = rest[len(mine) :]
        if mine:
            texts[parameter] = mine
    if rest:
        raise _NotPlainError
    return given | {parameter.key: parameter.value(found) for parameter, found in texts.items()}


def _options(
    takes: _Takes, word: str, coming: Iterator[str]
) -> Iterator[tuple[_Parameter, bool | str]]:
    """The options in one word, each with its value, which may be the next word."""
    if word.startswith("--"):
        name, mark, value = word.partition("=")
        parameter, flag = _known(takes, name)
        if flag is None:
            yield parameter, value if mark else _next(coming)
        elif mark:
            raise _NotPlainError
        else:
            yield parameter, flag
        return
    for at, letter in enumerate(word[1:], 2):
        parameter, flag = _known(takes, f"-{letter}")
        if flag is None:
            yield parameter, word[at:] or _next(coming)
            return
        yield parameter, flag


def _known(takes: _Takes, name: str) -> tuple[_Parameter, bool | None]:
    if name not in takes.options:
        raise _NotPlainError
    return takes.options[name]


def _next(coming: Iterator[str]) -> str:
    for word in coming:
        return word
    raise _NotPlainError
