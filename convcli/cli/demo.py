"""``convcli demo``: a minute of convolution, with commands that can be typed again."""

import os
import shlex
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from convcli.cli.declared import Commands

app = Commands()

READING = 8.0
"""Seconds before the tour goes on by itself."""

TOUR = [
    (
        "A photograph, and a kernel that finds its edges: both slopes, in every direction.",
        "convcli filter portrait.png -k sobel --range stretch -o edges.png --preview",
    ),
    (
        "A chain of kernels makes a drawing of it. Nothing is rounded in between.",
        "convcli filter portrait.png -k grayscale -k gaussian:1 -k sobel -k invert --range stretch -o drawing.png --preview",
    ),
    (
        "What the kernel is made of, what it does, and which waves it lets through.",
        "convcli kernel show sobel-x",
    ),
    (
        "What happens inside: each output is a sum of products.",
        'convcli conv "1 2 4 7 11" "-1 0 1" --steps',
    ),
    (
        "The same in two dimensions, one window after the other.",
        "convcli draw numerical_padding_strides",
    ),
    (
        "How large will the output be? Sizes come with their working.",
        "convcli shape --n 224 --k 7 --s 2 --p 3",
    ),
    (
        "Convolution is a matrix. With letters, one sees why it is called Toeplitz.",
        'convcli matrix kernel "a b c" --n 5',
    ),
    (
        "A whole network: sizes, cost, and how much of the picture each layer sees.",
        "convcli shape --network lenet5",
    ),
]


@app.command()
def demo() -> None:
    """Take a tour of a minute: filter, draw, shape, matrix. Any key goes on, q ends it."""
    from convcli.show.console import make_console
    from convcli.show.draw.player import can_play, wait

    portrait = files("convcli.cli").joinpath("demo_portrait.png").read_bytes()
    live = can_play()
    home = Path.cwd()
    console = make_console()
    with TemporaryDirectory(prefix="convcli-demo-") as folder:
        os.chdir(folder)
        try:
            Path("portrait.png").write_bytes(portrait)
            for number, (words, line) in enumerate(TOUR, 1):
                console.print(f"\n{number}/{len(TOUR)}  {words}", style="bold", soft_wrap=True)
                console.print(f"$ {line}\n", style="cyan", soft_wrap=True)
                going = _run(line, live)
                if live and number < len(TOUR) and not (going and wait(READING)):
                    break
        finally:
            os.chdir(home)
    ending = "Go on with 'convcli --help', and docs/lessons for a whole course."
    console.print(f"\n{ending}", style="bold", soft_wrap=True)


def _run(line: str, live: bool) -> bool:
    """Run a command of the tour; False if somebody has had enough."""
    from convcli.cli.app import invoke

    arguments = shlex.split(line)[1:]
    if live and arguments[0] == "draw":
        from convcli.show.draw.given_operation import classic_operation
        from convcli.show.draw.player import play
        from convcli.show.draw.views import build_scene

        return play(build_scene(classic_operation(arguments[1])), 1.5, once=True)
    invoke(arguments)
    return True
