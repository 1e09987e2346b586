"""The command tree in Typer, of what the command modules declare; imported where it is needed."""

from __future__ import annotations

import functools
import inspect
import re
from typing import Annotated, Any, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup

from convcli.cli import commands
from convcli.cli.declared import Commands, Declared
from convcli.errors import ConvcliError, UsageError, did_you_mean
from convcli.system.files import is_file

__all__ = ["build", "complete", "invoke_typed"]

EPILOG = "Every command takes --traceback, which shows where an error comes from."

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


def typed(declared: Commands) -> Any:
    """Typer's command, or group of commands, for those of a module."""
    app = typer.Typer(add_completion=False, **declared.settings)
    for name, function, settings in declared.commands:
        more = dict(settings)
        if more.pop("literals", False):
            more["cls"] = LiteralCommand
        if more.pop("letters", False):
            more["context_settings"] = {"ignore_unknown_options": True}
        more["help"] = _flowing(inspect.getdoc(function) or "")
        more["epilog"] = _flowing(more.get("epilog") or "")
        app.command(name or None, **more)(_annotated(function))
    return typer.main.get_command(app)


def _flowing(text: str) -> str:
    """Help whose paragraphs are as wide as the terminal: Typer keeps the line ends of the source.

    What begins with a ``\\b``, as Click has it, is laid out by its writer.
    """
    paragraphs = [p if "\b" in p else p.strip("\n").replace("\n", " ") for p in text.split("\n\n")]
    # Typer takes away the indentation that all lines but the first have in common, which may
    # be that of a table. Behind an empty line the text is one of them, and there is none in common.
    return "\n" * bool(text) + "\n\n".join(paragraphs)


def _annotated(function: Any) -> Any:
    """The function, its parameters declared as Typer wants them."""

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        return function(*args, **named)

    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=_of_typer(parameter.annotation))
        for parameter in signature.parameters.values()
    ]
    call.__dict__["__signature__"] = signature.replace(parameters=parameters)
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    return call


def _of_typer(annotation: Any) -> Any:
    if get_origin(annotation) is not Annotated:
        return annotation
    kind, *rest = get_args(annotation)
    declared = next((each for each in rest if isinstance(each, Declared)), None)
    if declared is None:
        return annotation
    made = typer.Option if declared.is_option else typer.Argument
    return Annotated[kind, made(*declared.names, **declared.settings)]


class LazyGroup(TyperGroup):
    """A group that imports a command's module only when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(commands.COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in commands.COMMANDS:
            return None
        command = typed(commands.declared(cmd_name))
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in commands.COMMANDS:
            hint = _filter_meant(name) or did_you_mean(name, commands.COMMANDS)
            raise UsageError(f"no command {name!r}{hint}; there are {', '.join(commands.COMMANDS)}")
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


def complete(argv: list[str]) -> int:
    """Offer the shell what may stand where TAB was pressed."""
    from convcli.cli.complete import join_options

    join_options()
    try:
        return int(build().main(args=argv, prog_name="convcli", standalone_mode=False) or 0)
    except ConvcliError:
        return 2  # a word before is wrong: nothing to offer, and no message into the prompt


def invoke_typed(argv: list[str]) -> int:
    """Run one command line; errors are raised."""
    root = build()
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
        from convcli.cli.option_hints import raise_meant

        raise_meant(error, argv)
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
    # Click names types of Python.
    message = re.sub(r"not a valid int(eger)?( range)?", "not a whole number", message)
    message = re.sub(r"not a valid float( range)?", "not a number", message)
    return f"{message}{meant}; see {_help_of(error)}"


def _help_of(error: Any) -> str:
    ctx = getattr(error, "ctx", None)
    return f"'{ctx.command_path if ctx else 'convcli'} --help'"
