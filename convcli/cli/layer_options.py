"""The options of one sliding layer, as ``shape`` and ``draw`` take them."""

from typing import Any

from convcli.cli import complete, options
from convcli.cli.declared import option

_NAMES = {
    "n": ("--n", "--input", "-n"),
    "k": ("--k", "--kernel-size", "-k"),
    "s": ("--s", "--stride", "-s"),
    "d": ("--d", "--dilation", "-d"),
    "op": ("--op", "--output-padding"),
}


def size(letter: str, help: str, panel: str) -> Any:
    """A size by its letter, of every axis or one for each."""
    return option(
        *_NAMES[letter], metavar="SIZE", help=help, rich_help_panel=panel, show_default=False
    )


def padding(panel: str) -> Any:
    """``--padding``, by name or in cells."""
    return options.padding(
        "--p",
        "--padding",
        "-p",
        metavar="PAD",
        help="Padding: 2, per axis 1x2, before,after 1,2, or same, same_lower, valid, full.",
        panel=panel,
        show_default=False,
    )


def transpose(panel: str) -> Any:
    """``--transpose``."""
    return option("--transpose", help="A transposed convolution.", rich_help_panel=panel)


def pool(help: str, panel: str) -> Any:
    """``--pool``, instead of a convolution."""
    return option(
        "--pool",
        autocompletion=complete.names("arithmetic.layer", "POOLS"),
        metavar="max|avg",
        help=help,
        rich_help_panel=panel,
        show_default=False,
    )


def ceil(panel: str) -> Any:
    """``--ceil``, of pooling."""
    return option("--ceil", help="Let the last pooling window hang over.", rich_help_panel=panel)


def in_channels(panel: str) -> Any:
    """``--in``."""
    return option("--in", metavar="C", help="Input channels.", rich_help_panel=panel)


def out_channels(panel: str) -> Any:
    """``--out``."""
    return option("--out", metavar="C", help="Output channels.", rich_help_panel=panel)


def groups(panel: str) -> Any:
    """``--groups``."""
    return option(
        "--groups",
        metavar="G",
        help="Groups; C for a depthwise layer.",
        rich_help_panel=panel,
    )
