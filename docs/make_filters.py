"""Write docs/filters.md and its pictures, with convcli itself.

python docs/make_filters.py
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from make_gallery import IMAGES, SAMPLES, commands, embedded, fence, run, slug, table

from convcli.kernels.catalogue import PRESETS

DOCS = Path(__file__).parent

SHOWN = {
    "order": [
        *("median:7", "percentile:90,7", "min:7", "max:7", "range:7", "stddev:7"),
        *("variance:7", "mode:7", "bilateral:3,30"),
    ],
    "morphology": [
        *("erode:disk:3", "dilate:disk:3", "open:disk:3", "close:disk:3", "tophat:disk:3"),
        *("blackhat:disk:3", "morph-gradient:disk:1", "erode:heights:0 30 0; 30 60 30; 0 30 0"),
    ],
    "edges": ["canny:20,60,1", "canny:10,20,1", "canny:20,60,3"],
}
"""Every preset of these groups, on the same photograph."""
THROUGH = "variance.pfm"
"""Of a variance, which is a part of white squared, the picture is stretched."""

DEFINITIONS = {
    "median": "value number `n // 2`, as `percentile:50`; so of an even number the upper of the two in "
    "the middle",
    "percentile": "`percentile:P` is value number `floor(n P / 100)`, worked out with P as it is written; "
    "100 is the last",
    "min": "`percentile:0`",
    "max": "`percentile:100`; max pooling is `max:K` with a stride",
    "range": "`max` less `min`",
    "stddev": "the root of the variance",
    "variance": "the mean of the squares of the differences from the mean, divisor `n`",
    "mode": "the most frequent value; of several the smallest",
    "bilateral": "the mean of the values, each weighted by `exp(-s s / (2 S S)) exp(-r r / (2 R R))`, as "
    "in `bilateral:S,R`, with its distance s from the centre and r from its value",
    "erode": "the smallest value under the footprint B",
    "dilate": "the largest value under B turned by half about its centre: dilation is the adjoint of "
    "erosion",
    "open": "erosion, then dilation of what came out: at no place brighter than the picture",
    "close": "dilation, then erosion: at no place darker",
    "tophat": "the picture less its opening",
    "blackhat": "the closing less the picture",
    "morph-gradient": "dilation less erosion (`gradient` alone is Sobel's)",
}

INTRO = """\
# Ranks, statistics and morphology

Made by `docs/make_filters.py` with the commands on this page. These are no weighted sums, and stand
in chains like any kernel: `-k "median:3 | gaussian:1 | dilate:5"`. The photograph is the gallery's.
"""

CHOICES = {
    "specks of noise go, edges stay": "-k median:3",
    "stronger, with round corners": "-k median:disk:4",
    "bright hairs and scratches go": "-k open:disk:2",
    "dark ones go": "-k close:disk:2",
    "small bright things on an uneven ground": "-k tophat:disk:8",
    "small dark things, as writing on a shaded page": "-k blackhat:disk:8",
    "grain goes, shades and colours run smooth, edges stay": "-k bilateral:3,30",
    "white lines a pixel thin where anything ends": "-k canny",
    "outlines, even all round": "-k grayscale -k morph-gradient",
    "where there is texture, and where there is none": "-k grayscale -k stddev:7",
    "areas of one class, without single pixels (of a map, not of a photograph)": "-k mode:5",
    "a fourth of the size, and every light is still there": "-k max:4 --stride 4 --padding valid",
}
"""What one may want, and what to type behind ``convcli filter IMAGE``."""

WHICH = """\
## Which one

| for | `convcli filter IMAGE ...` |
|---|---|
{choices}

Each channel is filtered for itself, so in colours a result may be one that was not in the picture:
`mode` shows it most, whose three channels choose apart from each other. `--luma` filters brightness
alone, `-k grayscale` before it makes one channel.
"""

MEANING = """\
## What they mean

A **footprint** says which cells count. It is a size, width x height (`median:5`, `median:9x5`; 3x3
where none is written), a shape with a radius (`median:disk:4`, `erode:cross:3`, `open:diamond:2`), or
cells of one's own, of which those count that are not 0: `erode:"0 1 0; 1 1 1; 0 1 0"`, or the name of
a file that holds a kernel. `percentile` takes its percent first: `percentile:90,disk:4`. The centre of
an even side is the cell before the middle, as for every kernel here (SciPy's is the one behind).
`--flip` turns a footprint by half, as it turns weights.

With `heights:` the cells are gray levels, of which all count: erosion takes the smallest of what is
left when they are subtracted, dilation the largest of the sums. Levels are those of `--bias`: 255 is
white in a picture, and in a raster they are in its own unit.

{definitions}

`bilateral:S,R` (Tomasi and Manduchi 1998) takes the disk of radius `round(1.5 S)` where no footprint
follows, as in `bilateral:3,30,9` or `bilateral:3,30,disk:4`. R is in levels of 255, and in a raster in
its own unit. The difference r of two colours is Euclidean over the channels, which all get one weight,
so that edges get no coloured fringe; scikit-image measures it so too (over a square, with weights from
a table, so that its results differ by levels), OpenCV adds up absolute differences instead
(`cv2.bilateralFilter(x, 9, R, S)` of a gray picture is `bilateral:S,R,disk:4`, within a level). In a
raster each band is for itself. The cell at the centre always counts; with a dilation, s is in cells.

`canny:LOW,HIGH,SIGMA` (Canny 1986; `canny` alone is `canny:25.5,51,1.4`) blurs by a Gaussian (a SIGMA of
0 does not), takes Sobel's derivatives of the channel that is steepest, leaves of each slope the ridge
(values between two neighbours along the gradient are interpolated, as scikit-image does), and of the
ridges those that hang together, corner to corner too, with one of HIGH. LOW and HIGH are the levels of a
step from one flat area to another, whatever SIGMA is: a step of 60 levels of 255 is an edge for
`canny:20,60,1` and `canny:20,60,3`. Others count what their sums make of a step: scikit-image's
thresholds are 4 times ours, times what the blur leaves of a step (0.64, 0.51 and 0.26 for a SIGMA of 1,
1.4 and 3); OpenCV's are 4 times those of a SIGMA of 0. The result is gray, white on black, and alpha is
left as it is; in a raster each band is for itself, 1 on 0, in its own unit. Where the window of a
gradient (`ceil(3 SIGMA) + 1` pixels to each side) lacks a sample there is no edge, and where the sample
itself is missing so is the result; outside the picture nothing is steep. Lines are followed across the
whole picture, so it has to fit into memory; `--stride`, `--dilation` and other paddings than `same` are
refused, and so are `--luma`, `--fill`, `--missing` and `--min-valid`.

Which values take part, and what comes out:

| | in a picture | in a raster |
|---|---|---|
| does not vote | what is transparent altogether (alpha 0) | what is missing: NaN, no-data, alpha 0 |
| where none votes | the sample under the centre | missing |
| where the centre is missing | | missing, but with `--fill` |
| alpha | left as it is | says what is missing |
| each channel | for itself; of `bilateral` all together | for itself |
| `median`, `percentile`, `min`, `max`, `mode`, `erode`, `dilate`, `open`, `close` | a value of the picture, exact at every depth | the same |
| `bilateral` | a mean, rounded once; where the centre does not vote it is kept | missing where the centre is; `--fill` is refused |
| `range`, `tophat`, `blackhat`, `morph-gradient`, `stddev` | a difference of levels | in the raster's unit |
| `variance` | a part of white squared, at most 1/4: `--depth float` | in its unit squared |
| `--border missing` | nothing votes outside; refused with transparency, `--luma`, `--linear` | nothing votes outside |
| `--min-valid 50%` | | missing where fewer of the cells vote |
| `--missing propagate` | | missing where one of the cells is |
| `--luma`, `--linear` | of brightness; of light | refused: there is no light |
| `--scale`, `--bias`, `--normalize` | refused: they are for sums | refused |
| a GPU asked for by name | rectangles: ranks to 7x7; `min`, `max`, `erode`, `dilate` and what is made of them of any size; the rest is refused | the same, where every sample votes |

Laws that hold to the bit, and are tested: dilation of a picture is erosion of its negative by the
turned footprint, negated; an opening is not changed by opening it again (at borders that wrap round or
do not vote, and for footprints that are symmetric about both axes at mirrored ones); a median commutes
with every map that keeps the order.
"""


LEVELS = [
    *fence(
        "convcli filter small.png -k grayscale -k threshold:128 -o level-threshold.png",
        "convcli filter small.png -k grayscale -k otsu -o level-otsu.png",
        'convcli filter small.png -k "grayscale | gaussian:2 | otsu | open:disk:2" -o level-chain.png',
        "convcli filter small.png -k unsharp:2,2 -o level-sharp.png",
        "convcli filter small.png -k unsharp:2,2,threshold=12 -o level-spared.png",
    ),
    *table(
        [
            ("level-threshold.png", "`threshold:128`"),
            ("level-otsu.png", "`otsu`: the level is found"),
            ("level-chain.png", "`gaussian:2`, `otsu`, `open:disk:2`: fewer and larger areas"),
            ("level-sharp.png", "`unsharp:2,2`: grain is sharpened too"),
            ("level-spared.png", "`unsharp:2,2,threshold=12`: edges alone"),
        ],
        3,
        200,
    ),
]
"""Of the section on thresholds."""

LEVEL = """\
## Thresholds

`threshold:V` makes white what is above V and black the rest: a sample that equals V is black, as in
OpenCV, scikit-image and ImageMagick. V counts as `--bias` does, from 0 to 255 in a picture of any depth;
in a raster it is in its unit, the results are 1 and 0, and what is missing stays so.
"""

LEVEL_MEANING = """\
- Each channel is compared for itself; `-k grayscale` before it makes one of them. In a chain the values
  between the kernels are compared as they are, neither rounded nor clipped.
- `threshold:otsu`, or `otsu`, takes the level of which the two sides differ most (Otsu 1979: the largest
  variance between them, of several the first). It is one for all channels of a frame, and each frame has
  its own; what is missing or transparent altogether is not counted. Whole numbers are counted one by one,
  floats, as all values behind another kernel, in 256 bins from the smallest to the largest finite value,
  and the level is the centre of one, as in scikit-image. A frame of one value is black.
- The frame is read once more for it, part by part where it is made so, as for `--range stretch`. The
  summary tells the level, and `--json` has `levels`; `threshold:V` with it gives the same.
- `unsharp:SIGMA,AMOUNT,threshold=T` sharpens samples that differ from their blur by more than T and
  leaves all others as they are, to the bit (Pillow's `UnsharpMask`, whose blur is rounded first). T counts
  as V does. Missing samples stand for the one under the centre.
- `sum` and `box` take footprints as well: `sum:disk:4`, `box:cross:2`, `box:"0 1 0; 1 1 1; 0 1 0"`.
"""


PARTS = [
    *fence(
        "convcli filter small.png -k median:13 --region 35%,10%,22%x28% -o part-region.png",
        "convcli filter small.png -k grayscale --bias 255 -o white.png",
        'convcli filter white.png -k "gaussian:14 | gaussian:6 | invert" --border black -o part-rim.png',
        "convcli filter small.png -k gaussian:4 --mask part-rim.png -o part-soft.png",
        'convcli filter small.png -k "grayscale | sobel | max:3 | gaussian:1" -o part-edges.png',
        "convcli filter small.png -k unsharp:1,3 --mask part-edges.png -o part-sharp.png",
    ),
    *table(
        [
            ("part-region.png", "`--region`: a face made unknown"),
            (
                "part-rim.png",
                "a soft mask: white blurred into the black outside, then turned round",
            ),
            ("part-soft.png", "`gaussian:4` where it is white"),
            ("part-edges.png", "a mask of edges"),
            ("part-sharp.png", "`unsharp:1,3` there: flat ground keeps its grain"),
        ],
        3,
        200,
    ),
]
"""Of the section on parts of a picture."""

PART = """\
## Part of a picture

Any filter can be shown in part. `--region X,Y,WxH` counts from the upper left corner of the upright
picture, in pixels (`100,50,300x200`) or percent (`10%,10%,50%x50%`, the same for pictures of any size);
`--mask FILE` is a gray picture of the same size, 8 or 16 bits or floats from 0 to 1, whose black shows
nothing of the result and white all of it.
"""

PART_MEANING = """\
- Inside stands what filtering the whole picture gives, to the bit: a window at the region's edge sees
  the picture beside it, no border. So a median over a face takes a little of the hair at its rim.
- Every sample outside stays as it was, to the bit, and so does what the file says of places. Previews in
  the file, which would show what is hidden, are left out as by any filter.
  Hence what would make other samples of them is refused: `--stride`, `--padding`, another `--depth`,
  kernels that mix channels to another number of them, `--range` but for `auto`, `clip` and `abs`, and
  formats with loss (JPEG, AVIF, GIF, and WebP unless it is one without loss).
- Between black and white m the sample is `x + (y - x) m / white`, of x before and y after the filter,
  rounded once, half to even, in the picture's own depth. Colours beside transparency count by their
  alpha, so that no hidden colour shows as a fringe. In a raster a sample is missing where a missing one
  would be mixed in; where the mask is white, where the result is missing.
- With both, the mask counts within the region. One mask serves all frames of a file, and all files of a
  batch if they have its size. In percent edges are rounded, and parts side by side have one edge.
- Only what shows is computed: 100x100 pixels of a large picture take the time of reading and writing it.
  It is done on the CPU, in parts (`--memory`) and on a cluster too, and counts of clipped samples are of
  what shows. `--resume` knows a mask by its samples.
- In Python: `filter_image(x, "median:13", region=(45, 13, 28, 36))`, `filter_image(x, "gaussian:4",
  mask=soft)`.
"""


def page() -> str:
    """The whole page."""
    every = [spec for specs in SHOWN.values() for spec in specs]
    lines = [
        INTRO,
        *fence(
            "convcli filter samples/portrait.png -k gaussian:1 --stride 4 -o small.png",
            *(line for spec in every for line in _lines(spec)),
        ),
    ]
    for group, specs in SHOWN.items():
        lines += [f"## {group.capitalize()}", ""]
        lines += table([(_file(spec), f"`{spec}`") for spec in specs], 4, 170)
    rows = [
        f"| `{name}` | {PRESETS[name].purpose} | {DEFINITIONS[name]} |"
        for name in dict.fromkeys(spec.partition(":")[0] for spec in every)
        if name in DEFINITIONS
    ]
    head = [
        "| of `n` values that vote, counted from 0 in their order | what it does | is exactly |",
        "|---|---|---|",
    ]
    choices = "\n".join(f"| {wish} | `{line}` |" for wish, line in CHOICES.items())
    lines.append(WHICH.format(choices=choices))
    lines.append(MEANING.format(definitions="\n".join(head + rows)))
    lines += [LEVEL, *LEVELS, LEVEL_MEANING]
    lines += [PART, *PARTS, PART_MEANING]
    return "\n".join(lines).rstrip() + "\n"


def _lines(spec: str) -> list[str]:
    """The commands that make the picture of an operation."""
    line = f"convcli filter small.png -k {_quoted(spec)}"
    if not spec.startswith("variance"):
        return [f"{line} -o {_file(spec)}"]
    return [
        f"{line} --depth float -o {THROUGH}",
        f"convcli filter {THROUGH} -k identity --depth 8 --range stretch -o {_file(spec)}",
    ]


def _quoted(spec: str) -> str:
    return f'"{spec}"' if " " in spec else spec


def _file(spec: str) -> str:
    return f"filter-{slug(spec)}.png"


def make(folder: Path) -> None:
    """Run every command of the page in ``folder``."""
    shutil.copytree(SAMPLES, folder / "samples", dirs_exist_ok=True)
    before = Path.cwd()
    os.chdir(folder)
    try:
        for line in commands(page()):
            run(line)
    finally:
        os.chdir(before)


def main() -> None:
    text = page()
    with tempfile.TemporaryDirectory() as name:
        make(Path(name))
        for picture in embedded(text):
            shutil.copyfile(Path(name) / picture, IMAGES / picture)
    (DOCS / "filters.md").write_text(text)
    sys.stdout.write(f"{len(embedded(text))} pictures\n")


if __name__ == "__main__":
    main()
