"""Write docs/cli.md from the commands themselves.

python docs/make_reference.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from convcli.cli.typed import build

TARGET = Path(__file__).parent / "cli.md"


def plain(text: str | None) -> str:
    """Help text without markup, fit for a table cell."""
    text = re.sub(r"\[/?[a-z ]*\]", "", text or "")
    return " ".join(text.split()).replace("|", "\\|").strip()


def paragraphs(text: str | None) -> str:
    parts = re.split(r"\n\s*\n", re.sub(r"\[/?(?:cyan|bold|dim)?\]", "", text or "").strip())
    return "\n\n".join(laid_out(part) if "\b" in part else " ".join(part.split()) for part in parts)


def laid_out(part: str) -> str:
    """A paragraph whose lines are to stay as they are, below the first."""
    first, *table = part.replace("\b", "").strip().splitlines()
    return "\n".join([first, "", "```text", *table, "```"])


def row(parameter: Any, ctx: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    if parameter.param_type_name == "argument":
        names = f"`{parameter.make_metavar(ctx)}`"
    record = parameter.get_help_record(ctx)
    help_text = plain(record[1] if record else "")
    return f"| {names} | {help_text} |"


def command_text(command: Any, path: str, ctx: Any) -> list[str]:
    lines = [f"## {path}", "", paragraphs(command.help), ""]
    subcommands = getattr(command, "list_commands", None)
    rows = [
        row(p, ctx)
        for p in command.params
        if p.name not in ("help", "install_completion", "show_completion")
        and not getattr(p, "hidden", False)
    ]
    if rows:
        lines += ["| option | what you gain |", "|---|---|", *rows, ""]
    if command.epilog and subcommands is None:
        lines += [paragraphs(command.epilog), ""]
    if subcommands is not None:
        for name in subcommands(ctx):
            child = command.get_command(ctx, name)
            child_ctx = type(ctx)(child, info_name=name, parent=ctx)
            lines += command_text(child, f"{path} {name}", child_ctx)
    return lines


def reference() -> str:
    """The whole page."""
    root = build()
    ctx = root.make_context("convcli", [], resilient_parsing=True)
    intro = ["# Every command", "", "Generated from the commands by `docs/make_reference.py`.", ""]
    return "\n".join([*intro, *command_text(root, "convcli", ctx)]).rstrip() + "\n"


if __name__ == "__main__":
    TARGET.write_text(reference())
