"""Write docs/gallery.md and every picture in docs/images, with convcli itself.

python docs/make_gallery.py

The pictures of the lessons are docs/make_lessons.py's.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from convcli.arithmetic.borders import BORDERS

DOCS = Path(__file__).parent
IMAGES = DOCS / "images"
SAMPLES = DOCS.parent / "samples"

PAIRS = [
    "no_padding_no_strides",
    "arbitrary_padding_no_strides",
    "same_padding_no_strides",
    "full_padding_no_strides",
    "no_padding_strides",
    "padding_strides",
    "padding_strides_odd",
]
SINGLES = [
    "dilation",
    "numerical_no_padding_no_strides",
    "numerical_padding_strides",
    "numerical_max_pooling",
    "numerical_average_pooling",
]
CLASSICS = [name + end for name in PAIRS for end in ("", "_transposed")] + SINGLES
KERNELS = [
    *("identity", "gaussian:2", "box:9", "disk:5", "motion:15,45", "sharpen", "unsharp:2,0.8"),
    *("edge-enhance", "sobel-x", "sobel-y", "sobel", "scharr", "kirsch", "laplacian", "log:2"),
    *("dog:1,1.6", "gabor:8,45", "outline", "contour", "emboss", "invert", "grayscale"),
    *("sepia", "channel-swap"),
]
SHEET = 'gaussian:3 sharpen "gaussian:1 | sobel" canny median:9'
FIGURES = ["gaussian:2", "sharpen", "laplacian", "gabor:8,45"]
_X = "[[[1,5,9,13],[2,6,10,14],[3,7,11,15],[4,8,12,16]],[[1,1,1,1],[2,2,2,2],[3,3,3,3],[4,4,4,4]]]"
_W = "[[[[1,0],[0,1]],[[1,1],[1,1]]],[[[0,1],[1,0]],[[0,0],[0,1]]],[[[1,1],[1,1]],[[-1,-1],[-1,-1]]]]"
CHANNELS = {
    "channels-bias": (
        f'--x "{_X}" --w "{_W}" --bias "1 -2 3" --frame 14',
        "Two channels in, three out, a bias",
    ),
    "channels-1x1": (
        '--x "[[[1,2],[3,4]],[[10,20],[30,40]]]" --w "1 0; 0 1; 1 -1"',
        "A 1x1 layer: at every pixel a matrix mixes the channels",
    ),
    "channels-1d": (
        '--x "[[1,2,3,4,5],[0,-1,2,1,1]]" --w "[[[1,2],[0,1]],[[1,-1],[2,2]]]" --p 1',
        "Sequences, their kernels sliding along under them",
    ),
    "channels-backward": (
        f'--x "{_X}" --w "{_W}" --bias "1 -2 3" --view gradient --frame 14',
        "The backward pass: what every output hands back to inputs, kernels and biases",
    ),
}
STRETCHED = ("log:2", "dog:1,1.6", "gabor:8,45")
"""Kernels whose response is weak: the gallery stretches it to the full range."""

TRACES = {
    "vgg16": "--network vgg16 --trace 1,3",
    "unet": "--network unet --trace middle",
    "dilated": '"input 1x32 | conv 8 k2 p1,0 | conv 8 k2 d2 p2,0 | conv 8 k2 d4 p4,0" --trace 25',
    "branches": '"concat[ conv 4 k1 ; conv 4 k1x5 p0x2 | conv 4 k5x1 p2x0 ; maxpool k3 s1 p1 ]" '
    "--n 9 --trace middle",
}
"""Receptive fields of whole networks, by the end of the picture's name."""

SHOWN = {name: border for name, border in BORDERS.items() if name != "missing"}
"""The borders that read something outside; a picture has no colour for nothing."""
LAYER = 'convcli draw --x "a b c d" --w "u v w" --p 2 --frame 1'
ACROSS = 4


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name)


def gallery() -> str:
    """The whole page."""
    lines = [
        "# Gallery",
        "",
        "Made by `docs/make_gallery.py` with the commands on this page. The sample is NASA's "
        "portrait of Eileen Collins (public domain).",
        "",
        "## Kernels on a photograph",
        "",
        *fence(
            "convcli filter samples/portrait.png -k gaussian:1 --stride 3 -o small.png",
            *(
                f"convcli filter small.png -k {k}{' --range stretch' * (k in STRETCHED)}"
                f" -o kernel-{slug(k)}.png"
                for k in KERNELS
            ),
        ),
        *table([(f"kernel-{slug(k)}.png", k) for k in KERNELS], 6, 150),
        "## A picture through many kernels",
        "",
        "On one sheet, to choose by eye; without names, through every preset.",
        "",
        *fence(f"convcli kernel sheet samples/portrait.png {SHEET} --size 560 -o sheet.png"),
        "![The portrait under five kernels, each with its name](images/sheet.png)",
        "",
        "## Kernels as figures",
        "",
        "Weights, the magnitude of the frequency response (0 in the middle), and cuts through it.",
        "",
        *fence(*(f"convcli kernel show {k} -o figure-{slug(k)}.svg" for k in FIGURES)),
        *(line for k in FIGURES for line in (f"![{k}](images/figure-{slug(k)}.svg)", "")),
        "## Borders",
        "",
        "What a filter reads outside the picture. Here the border itself is shown, 30 cells of it.",
        "",
        *fence(
            "convcli filter samples/portrait.png -k gaussian:2 --stride 6 -o tiny.png",
            *(
                f"convcli filter tiny.png -k identity:1 --padding 30 --border {name} -o border-{name}.png"
                for name in SHOWN
            ),
        ),
        *table([(f"border-{k}.png", f"{k}<br>`{v.drawing}`") for k, v in SHOWN.items()], 5, 160),
        "Layers have them too. Cells of the border show what they hold; an ear marks the cells that "
        "they show while the window reads them.",
        "",
        *fence(*(f"{LAYER} --border {name} -o layer-{name}.svg" for name in SHOWN)),
        *table([(f"layer-{name}.svg", name) for name in SHOWN], 3, 300),
        "## Receptive fields of networks",
        "",
        "One output traced back through every layer, exactly. [More](networks.md#tracing-one-output).",
        "",
        *fence(*(f"convcli shape {k} -o traced-{name}.svg" for name, k in TRACES.items())),
        *(line for name in TRACES for line in (f"![{name}](images/traced-{name}.svg)", "")),
        "## Channels",
        "",
        "Every input channel has its own sum; they and the bias add up to an output channel.",
        "",
        *fence(*(f"convcli draw {words} -o {k}.svg" for k, (words, _) in CHANNELS.items())),
        *(
            line
            for name, (_, what) in CHANNELS.items()
            for line in (f"{what}:", "", f"![{what}](images/{name}.svg)", "")
        ),
        "## Convolution arithmetic",
        "",
        "The animations of Dumoulin and Visin's guide, by their usual names. All at one glance, "
        "in light and dark:",
        "",
        "![The middle step of all nineteen](images/arithmetic.png)",
        "![The views: window, gradient, matrix, gather, scatter, pooling](images/views.png)",
        "",
        "For a lecture: a still of every step in a folder, a PDF with a page for each, in vectors "
        "(`pip install 'convcli[pdf]'`), "
        "and with FFmpeg a video (`-o padding_strides.mp4`), each on a slide of 1920x1080.",
        "",
        *fence(
            "convcli draw padding_strides -o slides/ --size 1920x1080",
            "convcli draw padding_strides -o padding_strides.pdf",
        ),
        *fence(*(f"convcli draw {name} -o {name}.svg" for name in CLASSICS)),
        *(
            line
            for name in CLASSICS
            for line in (f"### {name}", "", f"![{name}](images/{name}.svg)", "")
        ),
    ]
    return "\n".join(lines).rstrip() + "\n"


def fence(*commands: str) -> list[str]:
    return ["```sh", *commands, "```", ""]


def table(pictures: list[tuple[str, str]], across: int, width: int) -> list[str]:
    lines = ["| " * across + "|", "|" + "---|" * across]
    for start in range(0, len(pictures), across):
        row = pictures[start : start + across]
        cells = [
            f'<img src="images/{file}" width="{width}" alt="{name.split("<")[0]}"><br>{name}'
            for file, name in row
        ]
        lines.append("| " + " | ".join(cells + [""] * (across - len(row))) + " |")
    return [*lines, ""]


def commands(page: str) -> list[str]:
    """The command lines in the shell blocks of a page."""
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("convcli ")]


def embedded(page: str) -> list[str]:
    """The names of the pictures that a page shows."""
    found = re.findall(r"\]\((?:\.\./)?images/([^)]+)\)", page)
    found += re.findall(r'src="(?:\.\./)?images/([^"]+)"', page)
    return list(dict.fromkeys(found))


def run(line: str) -> str:
    """Run one command in this process, in the current folder; what it printed."""
    from convcli.cli.app import run as convcli

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()) as errors:
        code = convcli(shlex.split(line)[1:])
    if code:
        raise SystemExit(f"{line}\nended with {code}: {errors.getvalue()}")
    return out.getvalue()


def sheet(target: str, lines: list[str]) -> None:
    """A contact sheet of still drawings of one width."""
    tiles = []
    for number, line in enumerate(lines):
        run(f"{line} --size 320 -o tile-{target}-{number}.png")
        with Image.open(f"tile-{target}-{number}.png") as image:
            tiles.append(image.convert("RGB"))
    ground = tiles[0].getpixel((0, 0))
    rows = [tiles[i : i + ACROSS] for i in range(0, len(tiles), ACROSS)]
    heights = [max(tile.height for tile in row) for row in rows]
    page = Image.new("RGB", (320 * ACROSS, sum(heights)), ground)
    for number, row in enumerate(rows):
        for column, tile in enumerate(row):
            page.paste(tile, (320 * column, sum(heights[:number])))
    page.quantize(64, dither=Image.Dither.NONE).save(target, optimize=True)


def sheets() -> None:
    from convcli.show.draw.classics import CLASSICS as KNOWN

    assert set(KNOWN) == set(CLASSICS)
    middle = {"numerical_padding_strides": 5, "dilation": 5}
    sheet("arithmetic.png", [f"convcli draw {n} --frame {middle.get(n, 3)}" for n in CLASSICS])
    numbers = '--x "3 3 2 1; 0 0 1 3; 3 1 2 2; 2 0 0 2" --w "0 1 2; 2 2 0; 0 1 2" --theme dark'
    sheet(
        "views.png",
        [
            f"convcli draw {numbers} --frame 2",
            f"convcli draw {numbers} --frame 2 --flip",
            f"convcli draw {numbers} --frame 2 --view gradient",
            f"convcli draw {numbers} --frame 2 --view matrix",
            f"convcli draw {numbers} --frame 2 --transpose --p 1",
            f"convcli draw {numbers} --frame 6 --transpose --s 2 --op 1 --view scatter",
            "convcli draw --n 6 --k 3 --s 2 --p 1 --pool max --ceil --frame 7 --theme dark",
            'convcli draw --x "1 2 3 4 5 6 7" --w "1 0 -1" --s 2 --d 2 --frame 2 --theme dark',
        ],
    )


def make(folder: Path) -> None:
    """Run every command of the page in ``folder``."""
    shutil.copytree(SAMPLES, folder / "samples", dirs_exist_ok=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        for line in commands(gallery()):
            run(line)
        sheets()
    finally:
        os.chdir(before)


def main() -> None:
    (DOCS / "gallery.md").write_text(gallery())
    wanted = embedded(gallery())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        missing = [picture for picture in wanted if not (folder / picture).exists()]
        if missing:
            raise SystemExit(f"no command writes {', '.join(missing)}")
        for picture in wanted:
            shutil.copyfile(folder / picture, IMAGES / picture)
    total = sum(path.stat().st_size for path in IMAGES.iterdir())
    sys.stdout.write(f"{len(wanted)} pictures, {total / 1e6:.1f} MB in all\n")


if __name__ == "__main__":
    main()
