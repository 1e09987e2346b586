"""What shells complete: through the protocol of each, through a real Bash, and in full."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from convcli.arithmetic.borders import parse_border, parse_filling
from convcli.arithmetic.network import Network
from convcli.arithmetic.window import PADDING_NAMES
from convcli.cli.typed import build
from convcli.engine import numerics
from convcli.engine.operations import every_algorithm
from convcli.imaging.formats import format_of_name
from convcli.kernels.catalogue import PRESETS
from convcli.kernels.load import load_kernel
from convcli.show.draw.classics import classic
from convcli.show.draw.theme import theme_of


def run(shell: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "convcli"],
        env={**os.environ, "_CONVCLI_COMPLETE": f"complete_{shell}", **environment},
        capture_output=True,
        text=True,
    )


def bash(*words: str) -> list[str]:
    """What Bash is told; the words are cut as Bash cuts them, at ``:`` and ``=`` too."""
    done = run("bash", COMP_WORDS="\n".join(["convcli", *words]), COMP_CWORD=str(len(words)))
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


BASH = [
    ("filter -k sob", "sobel-x sobel-x: sobel-y sobel-y: sobel sobel:"),
    ("filter a.png -k disk", "disk: disk:5"),
    ("filter -k greys", "greyscale"),
    ("filter -k blu", "blur"),
    ("filter -k boke", "bokeh:"),
    ("filter -k gaussian : 2 --border re", "reflect"),
    ("filter --border repl", "replicate"),
    ("conv --border circ", "circular"),
    ("conv --border miss", ""),
    ("filter --border = re", "reflect"),
    ("filter --border = wrap --range f", "float"),
    ("filter -k ./sam", ""),
    ("shape --network res", "resnet18 resnet34 resnet50"),
    ("shape resn", "resnet18 resnet34 resnet50"),
    ("draw numerical_m", "numerical_max_pooling"),
    ("kernel export sobel-x -f t", "toml tsv txt"),
]


@pytest.mark.parametrize(("words", "offered"), BASH)
def test_bash(words: str, offered: str) -> None:
    assert bash(*words.split()) == offered.split()


def test_a_wrong_word_before_brings_no_message_into_the_prompt() -> None:
    done = run("bash", COMP_WORDS="convcli nosuch ", COMP_CWORD="2")
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_zsh() -> None:
    done = run("zsh", _TYPER_COMPLETE_ARGS="convcli filter -k disk")
    assert done.stdout == '_arguments \'*: :(("disk\\\\:"\n"disk\\\\:5"))\'\n'
    done = run("zsh", _TYPER_COMPLETE_ARGS="convcli filter --border re")
    assert done.stdout == "_arguments '*: :((\"reflect\"))'\n"


def test_fish() -> None:
    typed = {"_TYPER_COMPLETE_ARGS": "convcli shape --network vgg1"}
    done = run("fish", _TYPER_COMPLETE_FISH_ACTION="get-args", **typed)
    assert done.stdout.split() == ["vgg11", "vgg16", "vgg19"]
    assert run("fish", _TYPER_COMPLETE_FISH_ACTION="is-args", **typed).returncode == 0
    typed = {"_TYPER_COMPLETE_ARGS": "convcli filter holiday"}  # files are the shell's
    assert run("fish", _TYPER_COMPLETE_FISH_ACTION="is-args", **typed).returncode == 1


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
def test_a_real_bash_completes(tmp_path: Path) -> None:
    version = subprocess.run(["bash", "-c", "echo ${BASH_VERSINFO[0]}"], capture_output=True)
    if int(version.stdout) < 5:
        pytest.skip("Typer supports Bash from 4.4 on; this one may be older")
    program = tmp_path / "convcli"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m convcli "$@"\n')
    program.chmod(0o755)
    script = """
    PATH=$PWD:$PATH
    source <(_CONVCLI_COMPLETE=source_bash convcli)
    press_tab() {
        COMP_WORDS=(convcli "$@"); COMP_CWORD=$#; COMPREPLY=()
        _convcli_completion convcli
        echo "${COMPREPLY[@]}"
    }
    complete -p convcli
    press_tab filter -k sob
    press_tab filter --border re
    press_tab shape --network res
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "complete -o default -F _convcli_completion convcli",
        "sobel-x sobel-x: sobel-y sobel-y: sobel sobel:",
        "reflect",
        "resnet18 resnet34 resnet50",
    ]


def test_what_needs_no_arrays_imports_none(tmp_path: Path) -> None:
    words = "convcli\nfilter\n--border\nre"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "convcli"],
        env={
            **os.environ,
            "_CONVCLI_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": "3",
        },
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["reflect"]
    assert not re.search(r"\| +(numpy|PIL|rich)\b", done.stderr)


# ---------------------------------------------------------------- what is offered is taken


def kernel_is_taken(word: str) -> object:
    if not word.endswith(":"):
        return load_kernel(word)
    preset = PRESETS[word[:-1]]
    assert preset.takes
    return load_kernel(preset.example) if preset.example else preset


TAKEN: dict[str, Callable[[str], object]] = {
    "--kernel": kernel_is_taken,
    "KERNEL": kernel_is_taken,
    "--border": parse_filling,
    "filter --border": parse_border,
    "--padding": PADDING_NAMES.index,
    "--network": Network.load,
    "NETWORK": Network.load,
    "NAME|X": classic,
    "NAME|PICTURE|X": classic,
    "--theme": theme_of,
    "filter --format": format_of_name,
}
"""Who takes the words of an option or argument."""

LISTED = {
    "filter --compression": "default small",
    "filter --depth": "8 16 float uint8 int8 uint16 int16 uint32 int32 uint64 int64 float32 float64",
    "filter --range": "auto clip abs offset stretch float",
    "filter --nodata": "nan none",
    "filter --missing": "renormalize centre propagate",
    "filter --on-error": "skip stop",
    "filter --backend": "auto numpy cupy",
    "filter --algorithm": " ".join(every_algorithm()),
    "filter --dtype": " ".join(numerics.DTYPES),
    "kernel export --format": "json toml csv tsv txt npy mat im",
    "shape --pool": "max avg",
    "draw --pool": "max avg",
    "explore --pool": "max avg",
    "shape --as": "torch tensorflow keras onnx",
    "draw --format": "svg png webp pdf",
    "draw --view": "window gather scatter gradient matrix",
    "grad --only": "x weight bias",
}
"""Short lists, which the help names as well."""


def parameters(command: Any, ctx: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every option and argument of every command, with its context."""
    for parameter in command.params:
        names = [name for name in parameter.opts if name.startswith("--")]
        if parameter.param_type_name == "argument":
            names = [parameter.make_metavar(ctx).strip("[].")]
        yield f"{path} {max(names, key=len)}".strip(), parameter, ctx
    if hasattr(command, "list_commands"):
        for name in command.list_commands(ctx):
            child = command.get_command(ctx, name)
            inner = type(ctx)(child, info_name=name, parent=ctx)
            yield from parameters(child, inner, f"{path} {name}".strip())


def offers() -> dict[str, list[str]]:
    root = build()
    ctx = root.make_context("convcli", [], resilient_parsing=True)
    found = {}
    for name, parameter, inner in parameters(root, ctx):
        words = [item.value for item in parameter.shell_complete(inner, "")]
        if words:
            found[name] = words
    return found


OFFERS = offers()


def test_the_options_that_complete() -> None:
    long = {name.split(" ")[-1] for name in OFFERS}
    assert {"--kernel", "--border", "--network", "NAME|X", "--padding", "--theme"} <= long
    assert set(LISTED) <= set(OFFERS)


@pytest.mark.parametrize("name", OFFERS)
def test_what_is_offered_is_taken(name: str) -> None:
    words = OFFERS[name]
    if name in LISTED:
        assert words == LISTED[name].split()
        return
    take = TAKEN.get(name, TAKEN.get(name.split(" ")[-1]))
    assert take is not None, f"who takes {words}?"
    for word in words:
        take(word)


def test_choices_in_a_metavar_complete() -> None:
    root = build()
    ctx = root.make_context("convcli", [], resilient_parsing=True)
    for name, parameter, _ in parameters(root, ctx):
        metavar = parameter.metavar or ""
        if re.fullmatch(r"[a-z0-9]+(\|[a-z0-9]+)+", metavar):
            assert OFFERS.get(name) == metavar.split("|"), f"{name} {metavar}"
