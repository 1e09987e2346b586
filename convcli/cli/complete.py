"""What the shell offers when TAB is pressed: the names in a registry, which is imported then.

Typer keeps of what is returned only what begins like the word that is typed.
"""

import os
from collections.abc import Callable, Iterable
from importlib import import_module

__all__ = ["algorithms", "formats", "join_options", "kernels", "names", "networks"]

Completer = Callable[[str], list[str]]


def names(home: str, registry: str, aliases: str = "") -> Completer:
    """Complete the names in ``convcli.<home>.<registry>``; aliases where no name begins so."""

    def complete(incomplete: str) -> list[str]:
        module = import_module(f"convcli.{home}")
        found = _beginning(getattr(module, registry), incomplete)
        return found or _beginning(getattr(module, aliases, ()), incomplete)

    return complete


def _beginning(words: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]


def kernels(incomplete: str) -> list[str]:
    """Complete the name of a preset; with a colon where numbers may or must follow.

    Other names are offered where no preset's own name begins so.
    """
    from convcli.kernels.catalogue import ALIASES, PRESETS

    found: list[str] = []
    for preset in PRESETS.values():
        if preset.name.startswith(incomplete):
            found += [preset.name] * (not preset.required)
            found += [f"{preset.name}:"] * bool(preset.takes)
    if len(found) == 1 and found[0].endswith(":"):
        # Alone it would be followed by a space; with an example the word stays open.
        found.append(PRESETS[found[0][:-1]].example)
    return found or [
        alias + ":" * bool(PRESETS[name].required)
        for alias, name in ALIASES.items()
        if alias.startswith(incomplete)
    ]


def algorithms(incomplete: str) -> list[str]:
    """Complete the name of an algorithm."""
    from convcli.engine.operations import every_algorithm

    return _beginning(every_algorithm(), incomplete)


def networks(incomplete: str) -> list[str]:
    """Complete the name of a built-in network."""
    from convcli.arithmetic.network import Network

    return _beginning(Network.builtin_names(), incomplete)


def formats(incomplete: str) -> list[str]:
    """Complete the name of a picture format."""
    from convcli.imaging.formats import pictures

    return _beginning((f.name.lower() for f in pictures()), incomplete)


def join_options() -> None:
    """Take ``--border=re`` as ``--border re``: Bash cuts words at ``=``, which Typer would take."""
    words, place = os.environ.get("COMP_WORDS", "").split("\n"), os.environ.get("COMP_CWORD", "")
    if not place.isdecimal():
        return
    before, rest = words[: int(place)], words[int(place) :]
    kept = [
        word
        for last, word in zip(["", *before], before, strict=False)
        if not (word == "=" and last.startswith("--"))
    ]
    os.environ["COMP_WORDS"] = "\n".join([*kept, *rest])
    os.environ["COMP_CWORD"] = str(len(kept))
