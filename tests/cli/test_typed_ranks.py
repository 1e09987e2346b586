"""What people type for ranks and morphology, from the habits of a dozen programs: it is right, or the
line that is right is offered, and that line works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convcli.errors import KernelError
from convcli.kernels.load import load_chain

Cli = Callable[..., Any]

TAKEN = {
    "median": "median",
    "Median Filter": "median",
    "medfilt2": "median",
    "min": "min",
    "minimum:3,5": "min:3x5",
    "dilate:2": "dilate:2",
    "modal": "mode",
    "majority:3": "mode",
    "std:5": "stddev:5",
    "stdfilt": "stddev",
    "rangefilt": "range",
    "white_tophat": "tophat",
    "percentile:5": "percentile:5",
    "percentile:90,7,7": "percentile:90,7",
    "erode:circle:3": "erode:disk:3",
    "erode:ellipse:2": "erode:disk:2",
    "erode:1; 1; 0; 1": "erode:1; 1; 0; 1",
    "percentile:10,1; 1": "percentile:10,1; 1",
    "max:2;": "max:2;",
}

HINTED = {
    "median 5": "median:5",
    "median:5x": "median:5",
    "median:5 5": "median:5x5",
    "median:5x5x5": "median:5x5",
    "median:-3": "median:3",
    "median:disk4": "median:disk:4",
    "erode:3x3:disk": "erode:disk:1",
    "erode:square:3": "erode:7",
    "erode:square(3)": "erode:3",
    "morphology.opening(img, square(5))": "open:5",
    "erode:rectangle:3x5": "erode:3x5",
    "erode:octagon:3": "erode:disk:3",
    "percentile:90,5x": "percentile:90,5",
    "percentile:90%": "percentile:90",
    "percentile:90%,3": "percentile:90,3",
    "quantile:0.9": "percentile:90",
    "quantile(0.25, 5)": "percentile:25, 5",
    "quantile": "percentile:50",
    "rank:90": "percentile:90",
    "rank:5x3": "median:5x3",
    "focal:median": "median",
    "morph:open,3": "open:3",
    "local-max": "max",
    "rolling median 5": "median:5",
    "percentile:90,size=7": "percentile:90,7",
    "erode:3,iterations=2": "erode:5",
    "MaxFilter(3)": "max:3",
    "RankFilter(3, 4)": "median:3",
    "grey_erosion": "erode",
    "local-variance": "variance",
    "open disk:3": "open:disk:3",
    "-statistic gradient 3x3": "range:3x3",
    "-statistic nonpeak 5x5": "median:5x5",
    "-morphology Edge disk:2": "morph-gradient:disk:2",
    "cv.erode": "erode",
    "imopen:disk:3": "open:disk:3",
}

NEAREST = {
    "entropy": "-k stddev:5",
    "outlier": "-k median:3",
    "salt and pepper": "-k median:3",
    "ordfilt2": "-k median:3",
    "MorphologyEx": "-k open:3",
    "max-pool:2": "-k max:2 --stride 2 --padding valid",
    "MaxPool2d(3)": "-k max:3 --stride 3 --padding valid",
    "avgpool": "-k box:2 --stride 2 --padding valid",
}

WORDS = {
    "-statistic median 3x3": "-k median:3x3",
    "-statistic Minimum 5x3": "-k min:5x3",
    "-morphology open disk:3": "-k open:disk:3",
    "-morphology Erode Square:2": "-k erode:5",
    "-median 3": "-k median:3",
    "--median=5": "-k median:5",
    "--erode disk:3": "-k erode:disk:3",
    "-despeckle": "-k median:3",
    "--percentile 90": "-k percentile:90",
    "-blur 0x2": "-k gaussian:2",
    "median": "-k median",
    "open:disk:2": "-k open:disk:2",
    "-k median 5": "-k median:5",
    "-k erode disk 3": "-k erode:disk:3",
}
"""After the picture of ``convcli filter``."""


def works(convcli: Cli, line: str) -> None:
    done = convcli("filter", "in.png", *shlex.split(line), "-o", "done.png", "--overwrite")
    assert done.code == 0, done.err


@pytest.mark.parametrize("typed", TAKEN)
def test_what_is_taken(typed: str) -> None:
    assert [kernel.name for kernel in load_chain(typed)] == [TAKEN[typed]]


@pytest.mark.parametrize("typed", HINTED)
def test_the_line_that_is_offered_works(typed: str) -> None:
    with pytest.raises(KernelError) as caught:
        load_chain(typed)
    assert re.findall(r"did you mean '(.*?)'\?", str(caught.value)) == [HINTED[typed]]
    assert load_chain(HINTED[typed])[0].name
    how = r"write a size \((.*?), (.*?)\), a shape \(.*?, as in (.*?)\), rows of cells \((.*?)\)"
    for lines in re.findall(how, str(caught.value)):
        for line in lines:
            assert load_chain("".join(shlex.split(line)))


@pytest.mark.parametrize(
    "typed",
    [
        "percentile:-1,3",
        "percentile:nan,3",
        "bilateral:-1,3",
        "bilateral:3,-inf",
        "canny:nan,100",
        "unsharp:2,1.5,threshold=nan",
        "unsharp:2,1.5,threshold=-1",
        "unsharp:2,1.5,threshold=",
        "unsharp:2,1.5,threshold=10,threshold=20",
    ],
)
def test_no_line_is_offered_that_leaves_a_number_out(typed: str) -> None:
    with pytest.raises(KernelError) as caught:
        load_chain(typed)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("typed", NEAREST)
def test_what_is_elsewhere_says_what_comes_nearest(convcli: Cli, folder: Path, typed: str) -> None:
    with pytest.raises(KernelError) as caught:
        load_chain(typed)
    assert str(caught.value).endswith(f" {NEAREST[typed]}")
    works(convcli, NEAREST[typed])


@pytest.mark.parametrize("typed", WORDS)
def test_words_apart_from_the_option_that_they_belong_to(
    convcli: Cli, folder: Path, typed: str
) -> None:
    done = convcli("filter", "in.png", *typed.split(), "-o", "out.png")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert f"did you mean {WORDS[typed]}?" in done.err
    works(convcli, WORDS[typed])


@pytest.mark.parametrize(
    "typed", ["--sizes 3", "--colour red", "-k median absent.png", "-k median --dept 8"]
)
def test_nothing_is_offered_where_no_kernel_was_meant(
    convcli: Cli, folder: Path, typed: str
) -> None:
    done = convcli("filter", "in.png", *typed.split(), "-o", "out.png")
    assert done.code == 2
    assert "did you mean -k" not in done.err
