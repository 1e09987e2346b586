"""The command lines that tools/against.py runs through two revisions: the same ones every time.

Lines of ``filter`` are made so that every pair of option values occurs (tools/pairwise.py); values
that refuse each other are kept apart, so that a pair is not only seen in a refusal. Refusals have
lines of their own. A name of tools/against_pictures.py as a word, or as its first folder, is a
file in the folder where the line runs. ``;`` ends a command: the next runs in the same folder.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from against_pictures import SIDES, is_made, name_of
from pairwise import Row, cover


class Line(NamedTuple):
    """What is run: ``words`` after ``convcli``, standard input by the name of a file."""

    words: tuple[str, ...]
    stdin: str = ""
    env: tuple[tuple[str, str], ...] = ()
    unordered: bool = False
    """Several files at once: lines of text come as files are done."""

    @property
    def text(self) -> str:
        """As a shell takes it; it is also the line's name."""
        variables = "".join(f"{name}={value} " for name, value in self.env)
        words = " ".join(";" if word == ";" else shlex.quote(word) for word in self.words)
        return f"{variables}convcli {words}" + f" < {self.stdin}" * bool(self.stdin)

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command."""
        found: list[list[str]] = [[]]
        for word in self.words:
            if word == ";":
                found.append([])
            else:
                found[-1].append(word)
        return found

    @property
    def files(self) -> list[str]:
        """The files that have to be there."""
        names = [re.split(r"[/:]", word.removeprefix("./"))[0] for word in self.words]
        if "list.txt" in names:
            names += ["png-8-rgb.png", "jpeg-8-gray.jpg"]
        return list(dict.fromkeys(n for n in [*names, self.stdin] if n and is_made(n)))


def line(text: str, stdin: str = "", unordered: bool = False, **env: str) -> Line:
    """A line as a shell takes it."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";")
    lexer.whitespace_split = True
    lexer.commenters = ""
    return Line(tuple(lexer), stdin, tuple(env.items()), unordered)


# ---------------------------------------------------------------- filter, one small picture

IN: dict[str, tuple[str, str, bool, bool]] = {
    "png": ("8 16", "gray graya rgb rgba", False, True),
    "apng": ("8 16", "gray graya rgb rgba", True, True),
    "jpeg": ("8", "gray rgb cmyk", False, True),
    "strips": ("8 16 float double", "gray graya rgb rgba cmyk", True, True),
    "tiles": ("8 16 float double", "gray graya rgb rgba cmyk", True, True),
    "webp": ("8", "rgb rgba", True, True),
    "gif": ("8", "rgb rgba", True, False),
    "bmp": ("8", "gray rgb rgba", False, False),
    "ppm": ("8 16", "rgb", False, False),
    "pgm": ("8 16", "gray", False, False),
    "pfm": ("float", "gray rgb", False, False),
    "avif": ("8", "rgb rgba", False, False),
    "npy": ("8 16 half float double", "gray graya rgb rgba", False, False),
    "raw": ("8 16 half float double", "gray graya rgb rgba", False, False),
    "zarr": ("8 16 half float double", "gray graya rgb rgba", False, False),
}
"""Form -> depths, colours, whether it has frames, whether it has a tag of orientation."""

OUT: dict[str, tuple[str, str, str]] = {
    "png": ("8 16", "gray graya rgb rgba", "yes"),
    "jpg": ("8", "gray rgb cmyk", ""),
    "tif": ("8 16 float double", "gray graya rgb rgba cmyk", "yes"),
    "webp": ("8", "gray graya rgb rgba", "yes"),
    "gif": ("8", "gray graya rgb rgba", "yes"),
    "bmp": ("8", "gray rgb rgba", ""),
    "ppm": ("8 16", "gray rgb", ""),
    "pfm": ("float", "gray rgb", ""),
    "avif": ("8", "gray rgb rgba", ""),
    "npy": ("8 16 half float double", "gray graya rgb rgba", ""),
    "raw": ("8 16 half float double", "gray graya rgb rgba", ""),
    "zarr": ("8 16 half float double", "gray graya rgb rgba", ""),
}
"""Suffix -> depths, colours, whether it has frames."""
SAME = {
    "png": "png", "apng": "png", "jpeg": "jpg", "strips": "tif", "tiles": "tif", "pgm": "ppm",
}  # fmt: skip
"""Form -> suffix in OUT, where they differ."""
DERIVATIVES = (
    "sobel",
    "sobel-x",
    "kirsch",
    "gaussian:1 | sobel-y | box:2",
    "1 0 -1; 2 0 -2; 1 0 -1",
)
COLOUR_KERNELS = ("sepia", "grayscale", "channel-swap")
SEPARABLE = ("gaussian:1.5", "binomial:7", "box:5", "box:9x3", "sobel-x", "gaussian:4")
WIDE = ("gaussian:4", "disk:9", "unsharp:2,0.8", "motion:9,30")
KERNELS = (
    "gaussian:1.5", "gaussian:4", "binomial:7", "box:5", "box:9x3", "disk:9", "motion:9,30",
    "sharpen", "unsharp:2,0.8", "sobel", "sobel-x", "kirsch", "laplacian", "emboss", "invert",
    "grayscale", "sepia", "identity", "1 2 1", "0.25 0.5; -0.5 1", "1 2 3 4; 4 3 2 1",
    "1 0 -1; 2 0 -2; 1 0 -1", "./k.csv", "gaussian:1 | sobel-y | box:2", "sobel-x | invert",
)  # fmt: skip

AXES: dict[str, tuple[Any, ...]] = {
    "form": tuple(IN),
    "depth": ("8", "16", "half", "float", "double"),
    "colour": ("gray", "graya", "rgb", "rgba", "cmyk"),
    "frames": (False, True),
    "turned": (False, True),
    "out": ("", *OUT),
    "range": ("", "clip", "abs", "offset", "stretch", "float"),
    "to": ("", "8", "16", "float"),
    "kernel": KERNELS,
    "border": ("", "edge", "symmetric", "wrap", "constant", "constant:200", "mirror", "missing"),
    "padding": ("", "valid", "full", "1", "2,1", "1,2,0,3"),
    "stride": ("", "2", "2,3"),
    "dilation": ("", "2", "1,3"),
    "light": ("", "--luma", "--linear"),
    "normalize": (False, True),
    "scale": ("", "1/16", "50%", "-2"),
    "bias": ("", "64", "50%"),
    "flip": (False, True),
    "algorithm": ("", "direct", "separable", "box", "fft"),
    "threads": ("", "1", "3"),
    "memory": ("", "142M", "400M"),
    "say": ("", "-q", "-v", "--explain", "--json", "--dry-run", "--explain --dry-run --json"),
    "via": ("file", "stdin", "stdout", "pipe", "in-place"),
    "loops": ("", "numpy", "compiled:base"),
    "encode": ("", "--quality 60", "--compression small"),
}


def result_depth(row: Row) -> str:
    """The depth that is written."""
    to, range_ = row.get("to"), row.get("range")
    if to:
        return str(to)
    if range_ == "float":
        return "double" if row["depth"] == "double" else "float"
    return str(row["depth"])


def allowed(row: Row) -> bool:
    """Whether no two values are known to refuse each other."""
    has = row.keys().__contains__
    if has("form"):
        depths, colours, frames, turned = IN[row["form"]]
        if has("depth") and row["depth"] not in depths.split():
            return False
        if has("colour") and row["colour"] not in colours.split():
            return False
        if row.get("frames") and (not frames or row["form"] == "avif"):
            return False
        if row.get("turned") and not turned:
            return False
    return _fits_kernel(row) and _fits_output(row) and _fits_way(row)


def _fits_kernel(row: Row) -> bool:
    kernel, algorithm = row.get("kernel", ""), row.get("algorithm", "")
    if algorithm == "separable" and kernel and kernel not in SEPARABLE:
        return False
    if algorithm == "box" and kernel not in ("", "box:5"):
        return False
    if algorithm == "box" and "double" in (row.get("depth"), row.get("to")):
        return False
    if algorithm == "box" and row.get("light") == "--luma" and row.get("dilation"):
        return False  # in floats it promises less than is asked
    if kernel in WIDE and row.get("padding") in ("valid", "1", "2,1") and row.get("dilation"):
        return False  # no window fits
    if row.get("normalize") and (
        kernel in DERIVATIVES or kernel in ("laplacian", "sobel-x | invert")
    ):
        return False  # a sum of zero
    if kernel in COLOUR_KERNELS and row.get("colour", "rgb") not in ("rgb", "rgba"):
        return False
    if kernel in COLOUR_KERNELS and row.get("light") == "--luma":
        return False
    return not (row.get("light") and row.get("colour") == "cmyk")


def _fits_output(row: Row) -> bool:
    if not {"form", "out"} <= row.keys():
        return True
    suffix = row["out"] or SAME.get(row["form"], row["form"])
    depths, colours, frames = OUT[suffix]
    if row.get("frames") and (
        not frames or (suffix == "tif") != (row["form"] in ("strips", "tiles"))
    ):
        return False  # frames with times, or pages
    if row.get("range") == "float" and row.get("to", "") not in ("", "float"):
        return False
    if {"depth", "to", "range"} <= row.keys() and result_depth(row) not in depths.split():
        return False
    return not ("colour" in row and row["colour"] not in colours.split())


def _fits_way(row: Row) -> bool:
    via = row.get("via", "file")
    form = row.get("form", "png")
    if via in ("stdin", "pipe") and form in ("raw", "zarr", "npy"):
        return False
    suffix = row.get("out", "png") or SAME.get(form, form)
    if via in ("stdout", "pipe") and (
        suffix in ("raw", "zarr", "npy") or "--json" in row.get("say", "")
    ):
        return False
    return not (via == "in-place" and row.get("out"))


def small(row: Row) -> Line:
    """The line of a row of AXES."""
    form = row["form"]
    name = name_of(form, row["depth"], row["colour"], row["frames"], row["turned"])
    words, stdin = ["filter", name], ""
    if row["via"] in ("stdin", "pipe"):
        words[1], stdin = "-", name
    suffix = row["out"] or SAME.get(form, form)
    if row["via"] == "in-place":
        words.append("--in-place")
    elif row["via"] in ("stdout", "pipe"):
        words += ["-o", "-", *(["--format", suffix] if row["out"] else [])]
    elif row["via"] == "stdin" or row["out"]:
        words += ["-o", f"out.{suffix}"]
    words += ["-k", row["kernel"]]
    if form == "raw":
        words += _layout(row["depth"], row["colour"], "")
    for axis in ("range", "border", "padding", "stride", "dilation", "scale", "bias", "algorithm"):
        words += [f"--{axis}={row[axis]}"] * bool(row[axis])
    for axis in ("threads", "memory"):
        words += [f"--{axis}", row[axis]] * bool(row[axis])
    words += ["--depth", row["to"]] * bool(row["to"])
    words += ["--normalize"] * row["normalize"] + ["--flip"] * row["flip"]
    for axis in ("light", "say", "encode"):
        words += row[axis].split()
    env = (("CONVCLI_LOOPS", row["loops"]),) if row["loops"] else ()
    return Line(tuple(words), stdin, env)


def _layout(depth: str, colour: str, size: str) -> list[str]:
    channels = {"gray": "", "graya": ",2", "rgb": ",3", "rgba": ",4"}[colour]
    height, width = SIDES[size]
    types = {"8": "uint8", "16": "<u2", "half": "float16", "float": "float32", "double": "float64"}
    return ["--shape", f"{height},{width}{channels}", "--dtype", types[depth]]


# ---------------------------------------------------------------- filter, large pictures

LARGE = {
    "png-8-rgb-big.png": "png jpg tif webp ppm npy zarr",
    "png-16-rgba-mid.png": "png tif npy",
    "png-8-gray-mid.png": "png jpg tif bmp npy",
    "jpeg-8-rgb-big.jpg": "png jpg tif npy",
    "strips-8-rgb-big.tif": "png jpg tif npy zarr raw",
    "strips-16-rgba-mid.tif": "png tif npy",
    "tiles-16-rgb-mid.tif": "png tif npy zarr raw",
    "tiles-float-gray-mid.tif": "tif pfm npy zarr",
    "strips-double-rgb-mid.tif": "tif npy raw",
    "strips-8-cmyk-mid.tif": "jpg tif",
    "strips-8-rgb-turned-mid.tif": "png tif",
    "npy-8-rgb-mid.npy": "png jpg tif npy zarr",
    "npy-float-graya-mid.npy": "tif npy",
    "raw-16-gray-big.raw": "raw png tif",
    "zarr-8-rgb-mid.zarr": "zarr tif png npy",
    "ppm-8-rgb-mid.ppm": "ppm png tif",
}
"""Large input -> suffixes that hold it."""
LARGE_AXES: dict[str, tuple[Any, ...]] = {
    "input": tuple(LARGE),
    "out": ("png", "jpg", "tif", "webp", "bmp", "ppm", "pfm", "npy", "zarr", "raw"),
    "kernel": ("gaussian:2", "box:9", "sobel", "1 2 3 4; 4 3 2 1", "disk:15", "sharpen | box:3"),
    "memory": ("", "190M", "320M", "1G"),
    "threads": ("", "1"),
    "range": ("", "stretch", "offset"),
    "border": ("", "wrap", "constant:9"),
    "padding": ("", "valid", "full"),
    "stride": ("", "2"),
    "light": ("", "--luma", "--linear"),
    "say": ("", "-v", "--json", "--explain"),
    "loops": ("", "numpy"),
}


def large_allowed(row: Row) -> bool:
    """As :func:`allowed`, of LARGE_AXES."""
    name = row.get("input", "")
    if name and "out" in row and row["out"] not in LARGE[name].split():
        return False
    if row.get("light") and ("cmyk" in name or (row["light"] == "--luma" and "gray" in name)):
        return False
    whole = name.startswith(("png", "jpeg", "ppm")) or row.get("out") in ("webp", "bmp")
    return not (whole and row.get("memory") == "190M")


def large(row: Row) -> Line:
    """The line of a row of LARGE_AXES."""
    words = ["filter", row["input"], "-o", f"out.{row['out']}", "-k", row["kernel"]]
    form, depth, colour, *rest = row["input"].partition(".")[0].split("-")
    if form == "raw":
        words += _layout(depth, colour, rest[-1])
    for axis in ("memory", "threads", "range", "border", "padding", "stride"):
        words += [f"--{axis}", row[axis]] * bool(row[axis])
    words += row["light"].split() + row["say"].split()
    return Line(tuple(words), env=(("CONVCLI_LOOPS", row["loops"]),) if row["loops"] else ())


# ---------------------------------------------------------------- filter, many pictures

BATCH_AXES: dict[str, tuple[Any, ...]] = {
    "inputs": (
        "photos -r", "mixed -r", "'photos/**/*-8-*'", "png-8-rgb.png jpeg-8-rgb.jpg gif-8-rgb.gif",
        "--files-from list.txt", "png-16-gray.png bad.png torn.jpg missing.png",
    ),
    "output": (
        "", "-o out/", "-o 'out/{parent}/{stem}-{kernel}-{index}{suffix}'", "--in-place",
    ),
    "format": ("", "-f png", "-f tiff", "-f jpeg"),
    "jobs": ("", "-j 1", "-j 2"),
    "on_error": ("", "--on-error skip"),
    "resume": ("", "--resume"),
    "say": ("", "-q", "-v", "--json", "--dry-run"),
    "threads": ("", "--threads 1"),
    "memory": ("", "--memory 400M"),
    "kernel": ("box", "'gaussian:1 | sobel-x'"),
}  # fmt: skip


def batch_allowed(row: Row) -> bool:
    """As :func:`allowed`, of BATCH_AXES."""
    return not (row.get("output") == "--in-place" and row.get("format"))


def batch(row: Row) -> Line:
    """The line of a row of BATCH_AXES: resumed ones are run twice."""
    rest = [row[axis] for axis in BATCH_AXES if axis not in ("inputs", "kernel")]
    words = " ".join(["filter", row["inputs"], "-k", row["kernel"], *rest])
    again = f" ; {words}" if row["resume"] else ""
    return line(words + again, unordered=True)


# ---------------------------------------------------------------- the other commands

SHAPE_AXES: dict[str, tuple[Any, ...]] = {
    "n": ("32", "224x200", "7"),
    "k": ("3", "2x5", "7"),
    "s": ("", "2", "3x1"),
    "p": ("", "1", "1,2", "same", "same_lower", "valid", "full"),
    "d": ("", "2"),
    "kind": ("", "--transpose", "--pool max", "--pool avg", "--pool max --ceil"),
    "op": ("", "1"),
    "channels": ("", "--in 16 --out 32", "--in 16 --out 16 --groups 16 --no-bias", "--batch 4"),
    "ask": ("", "--as torch", "--as tensorflow", "--as keras", "--as onnx", "--compare"),
    "form": ("", "--json", "--csv", "--markdown", "--latex"),
}
CONV_AXES: dict[str, tuple[Any, ...]] = {
    "command": (
        "conv",
        "conv --flip",
        "conv-transpose",
        "grad",
        "grad --transposed",
        "check adjoint",
        "check gradient",
        "check equivariance",
        "matrix kernel",
        "matrix data",
        "impulse",
    ),
    "tensors": (
        "'1 2 3 4 5' '1 0 -1'",
        "'1 2 3 4;5 6 7 8;9 1 2 3' '1 2;3 4'",
        "x.json '1/2 1;1 0'",
        "x.csv k.csv",
        "x4.npy w4.npy",
    ),
    "stride": ("", "2"),
    "padding": ("", "1", "same", "valid", "full"),
    "dilation": ("", "2"),
    "form": ("", "--json", "--steps", "--all", "-o out.npy", "-o out.json", "-o out.csv", "-o -"),
}
"""Options that a command does not know are refused in the same words."""
POOL_AXES: dict[str, tuple[Any, ...]] = {
    "kind": ("max", "avg"),
    "x": ("'1 5 2 8 3 1'", "'1 2 3 4;5 6 7 8;9 1 2 3;4 5 6 7'", "x.json", "x4.npy"),
    "k": ("", "3", "3x2", "all"),
    "stride": ("", "1", "2x1"),
    "padding": ("", "1", "same"),
    "dilation": ("", "2"),
    "ceil": ("", "--ceil-mode"),
    "more": ("", "--indices", "--no-count-include-pad"),
    "form": ("", "--json", "-o out.npy"),
}
DRAW_AXES: dict[str, tuple[Any, ...]] = {
    "layer": (
        "--n 5 --k 3",
        "--n 5 --k 3 --s 2 --p 1",
        "--n 5x4 --k 2x3 --d 2",
        "--n 7 --k 3 --1d",
        "--x '1 2 3 4 5' --w '1 0 -1' --p 1",
        "--x 'a b;c d' --w '1 2;3 4' --p same",
    ),
    "kind": ("", "--transpose", "--pool max", "--pool avg --ceil", "--flip"),
    "view": ("", "--view matrix", "--view gradient", "--view scatter", "--view gather"),
    "theme": ("", "--theme dark"),
    "size": ("", "--size 300"),
    "frame": ("", "--frame 2", "--fps 5"),
    "output": ("", "-o out.svg", "-o out.gif", "-o out.png", "-o out.webp"),
}


def options(row: Row, *named: str) -> str:
    """Words of a row; the axes ``named`` stand behind their own name."""
    words = []
    for axis, value in row.items():
        dashes = "-" if len(axis) == 1 and axis == "k" and "x" in row else "--"
        words.append(f"{dashes}{axis} {value}" if axis in named and value else value)
    return " ".join(word for word in words if word)


PRESETS = (
    "gaussian gaussian-3x3 gaussian-5x5 binomial box sum disk motion smooth smooth-more sharpen "
    "sharpen4 unsharp detail edge-enhance edge-enhance-more sobel-x sobel-y sobel scharr-x "
    "scharr-y scharr prewitt-x prewitt-y prewitt freichen-x freichen-y freichen farid-x farid-y "
    "farid dgauss-x dgauss-y dgauss roberts-x roberts-y roberts kirsch robinson laplacian "
    "laplacian8 log dog gabor outline contour identity emboss emboss-pillow invert grayscale "
    "grayscale-601 sepia channel-swap sum threshold:128 otsu unsharp:2,1,threshold=10 "
    "median percentile:90 min max range stddev variance mode bilateral:3,30 canny "
    "erode dilate open close tophat blackhat morph-gradient"
).split()
COMMANDS = (
    "", "filter", "kernel", "kernel list", "kernel show", "kernel export", "shape", "conv",
    "conv-transpose", "grad", "pool", "pool max", "pool avg", "matrix", "matrix kernel",
    "matrix data", "matrix circulant", "separate", "impulse", "check", "check adjoint",
    "check gradient", "check equivariance", "draw", "explore", "compare", "demo", "bench", "info",
)  # fmt: skip
SINGLE = """
--version
kernel list
kernel list --json
kernel show gaussian:1.5 sobel-x
kernel show sobel
kernel show ./k.json --json
kernel show gaussian:2 -o out.svg
kernel show sobel-x -o out.png --theme dark --size 400
kernel show box:3 gaussian:1 -o out.webp
kernel export gaussian:1.5 -o out.json
kernel export gaussian:1.5 -o out.toml
kernel export gaussian:1.5 -o out.csv
kernel export gaussian:1.5 -o out.tsv
kernel export sobel-x -o out.txt
kernel export sobel-x -o out.npy
kernel export sobel-x -o out.mat
kernel export sobel-x -o - -f im
kernel export box -o - -f json
separate gaussian:1.5
separate '1 2 1;2 4 2;1 2 1' --json
separate '1 2;3 4' --rank 1
separate disk:5 --json
impulse '1 2 3' '4 5 6'
matrix circulant '1 2 3' '1 0 1 2'
matrix circulant '1 2 3' '1 0 1 2' --json
conv '1 2 3;4 5 6' '1 1' --at 0,0
conv 'a b c' '1 2'
conv xw.npz:x xw.npz:w --json
conv-transpose '1 2 3' '1 2' --stride 2 --output-padding 1
conv-transpose '1 2;3 4' '1 1;1 1' --stride 2 --output-shape 5x5
conv x4.npy w4.npy --groups 2 --json
conv '1 2 3' '1 2' --bias 4
grad '1 2 3 4' '1 2' --only weight --json
grad '1 2 3 4' '1 2' --grad-y '1 0 1'
pool max '1 5 2 8' --grad-y '1 1'
pool avg '1 2 3 4;5 6 7 8' -k 2 --grad-y '1 1'
shape 'conv 64 k7 s2 p3 | relu | pool max k3 s2 p1' --n 3x224x224
shape lenet5
shape resnet50 --json
shape vgg16 --csv
shape googlenet --markdown
shape mobilenet-v1 --latex
shape unet
shape alexnet -o out.svg
shape lenet5 -o out.png
shape net.toml
shape resnet18 --n 3x64x64 --batch 2
shape --n 32 --k 3 --solve 16
shape --n 32 --solve 16 --json
shape --n 5 --k 3 --s 2 --transpose --op 1 --json
draw padding_strides -o out.gif
draw numerical_max_pooling -o out.svg
draw dilation --frame 3 -o out.png
compare png-8-rgb.png png-8-rgb.png
compare png-8-rgb.png jpeg-8-rgb.jpg
compare png-8-rgb.png jpeg-8-rgb.jpg --json
compare png-8-rgb.png jpeg-8-rgb.jpg -o out.png
compare strips-16-rgb.tif png-16-rgb.png --json
compare strips-float-gray.tif pfm-float-gray.pfm
compare png-8-rgba.png png-8-rgb.png
compare png-8-rgb.png bad.png
info
info --json
filter palette.png -k gaussian:1
filter interlaced.png -k sharpen -o out.png
filter bits.png -k box:3 -o out.png
filter bits.tif -k box:3 -o out.tif
filter rich.jpg -k unsharp -v
filter rich.jpg -k identity -o out.png
filter rich.jpg -k identity -o out.tif
filter rich.jpg -k sobel -o out.webp
filter jpeg-8-rgb-big.jpg -k 'gaussian:3 | sobel' -o out.jpg --quality 80 -v
filter png-8-rgb-big.png -k gaussian:20 -o out.png --explain
filter png-8-rgb-big.png -k disk:31 -o out.png --json
filter png-8-rgb-big.png -k identity -o out.jpg
filter strips-8-rgb-big.tif -k gaussian:20 -o out.tif --memory 160M -v
filter strips-16-rgba-mid.tif -k gaussian:5 -o out.tif --memory 150M --linear
filter tiles-16-rgb-big.tif -k unsharp -o out.tif --memory 160M --luma --json
filter strips-8-rgb-big.tif -k box:5 -o out.tif --memory 1M
filter png-8-rgb.png -k box --backend numpy
filter png-8-rgb.png -k box --backend cupy
filter png-8-rgb.png -k box --device 0
filter png-8-rgb.png -k box --max-pixels 100
filter gif-8-rgb-frames.gif -k box --max-pixels 1100
filter png-8-rgb.png jpeg-8-rgb.jpg -k box --cluster local:1 -o out/
filter strips-8-rgb-big.tif -k gaussian:2 --cluster local:1 -o out.tif --memory 1G
filter mixed -r -k box --cluster local:1 -o out/ --json
filter png-8-rgb.png -k box -o out.png ; filter png-8-rgb.png -k box -o out.png
filter png-8-rgb.png -k box -o out.png ; filter png-8-rgb.png -k box -o out.png --overwrite -v
filter png-8-rgb.png -k sobel-x ; compare png-8-rgb.png png-8-rgb-sobel-x.png
bench --help
"""
"""Lines that stand by themselves."""
MISTYPED = """
fliter png-8-rgb.png -k box
sobel-x png-8-rgb.png
png-8-rgb.png -k box
filter
filter png-8-rgb.png
filter -k box
filter missing.png -k box
filter photos -k box
filter notes.txt -k box
filter empty.png -k box
filter bad.png -k box
filter torn.jpg -k box
filter torn.tif -k box
filter torn.tif -k box -o out.tif --memory 150M
filter png-8-rgb.png png-8-rgb.png -k box
filter png-8-rgb.png out.png -k box
filter png-8-rgb.png box
filter png-8-rgb.png -k sobelx
filter png-8-rgb.png -k gausian:2
filter png-8-rgb.png -k gaussian:-1
filter png-8-rgb.png -k gaussian:1,2,3
filter png-8-rgb.png -k gaussian:sigma=2
filter png-8-rgb.png -k box:0
filter png-8-rgb.png -k box:4x
filter png-8-rgb.png -k median
filter png-8-rgb.png -k 'median:3'
filter png-8-rgb.png -k '1 2; 3'
filter png-8-rgb.png -k '1 x 2'
filter png-8-rgb.png -k ''
filter png-8-rgb.png -k ./bad.csv
filter png-8-rgb.png -k ./missing.csv
filter png-8-rgb.png -k './k.txt | ./k.json'
filter png-8-rgb.png -k 'gaussian |'
filter png-8-rgb.png -k '3x3: 1,2,1,2,4,2,1,2,1'
filter png-8-rgb.png -k box --range absolute
filter png-8-rgb.png -k box --border mirrored
filter png-8-rgb.png -k box --border constant:300
filter png-8-rgb.png -k box --border constant:gray
filter png-8-rgb.png -k box --border constant:
filter png-8-rgb.png -k box --border REFLECT_101
filter png-8-rgb.png -k box --border replicate
filter png-8-rgb.png -k box --padding -1
filter png-8-rgb.png -k box --padding some
filter png-8-rgb.png -k box --padding 1,2,3
filter png-8-rgb.png -k box --stride 0
filter png-8-rgb.png -k box --stride x
filter png-8-rgb.png -k box --dilation 0
filter png-8-rgb.png -k box:99 --padding valid
filter png-8-rgb.png -k box:3 --border reflect --padding 50
filter png-8-rgb.png -k box --depth 12
filter png-8-rgb.png -k box --depth float
filter png-8-rgb.png -k box --depth float -o out.png
filter png-8-rgb.png -k box --range float -o out.png
filter png-8-rgb.png -k box --algorithm winograd
filter png-8-rgb.png -k disk:5 --algorithm separable
filter png-8-rgb.png -k gaussian --algorithm box
filter png-8-rgb.png -k box --backend gpu
filter png-8-rgb.png -k box --backend numpy --device 0
filter png-8-rgb.png -k box --threads 0
filter png-8-rgb.png -k box --threads many
filter png-8-rgb.png -k box --memory lots
filter png-8-rgb.png -k box --memory 0
filter png-8-rgb-big.png -k box --memory 100M
filter png-8-rgb.png -k box --quality 0
filter png-8-rgb.png -k box --compression big
filter png-8-rgb.png -k box --format tga
filter png-8-rgb.png -k box -o out.xyz
filter png-8-rgb.png -k box -o out
filter png-8-rgb.png -k box -o png-8-rgb.png
filter png-8-rgb.png -k box -o missing/out.png
filter png-8-rgb.png -k box -o 'out/{stemm}.png'
filter png-8-rgb.png -k box -o '../{name}'
filter png-8-rgb.png -k box -o out.png --in-place
filter png-8-rgb.png -k box --scale x
filter png-8-rgb.png -k box --scale 1/0
filter png-8-rgb.png -k box --bias white
filter png-8-rgb.png -k box --on-error retry
filter png-8-rgb.png -k box --shape 4,4
filter raw-8-rgb.raw -k box
filter raw-8-rgb.raw -k box --shape 61,75,3 --dtype int8
filter raw-8-rgb.raw -k box --shape 62,75,3 --dtype uint8
filter raw-8-rgb.raw -k box --shape 61,75,3 --dtype '>u2'
filter png-8-rgb.png -k box --json -o -
filter png-8-rgb.png -k sobel --normalize
filter png-8-gray.png -k sepia
filter jpeg-8-cmyk.jpg -k box --luma
filter jpeg-8-cmyk.jpg -k box -o out.png
filter jpeg-8-cmyk.jpg -k grayscale -o out.png
filter png-8-rgb.png -k box --luma --linear
filter png-8-rgb.png -k box --files-from missing.txt
filter png-8-rgb.png -k box --cluster nowhere
filter - -k box --in-place
filter - - -k box
filter x4.npy -k box
filter png-8-rgba.png -k box -o out.jpg
filter apng-8-rgb-frames.png -k box -o out.jpg
filter png-8-rgb.png -k box --kernal box
filter png-8-rgb.png -k box --bordr edge
filter photos/png-8-rgb.png photos/a/jpeg-8-rgb.jpg -k box -o out.png
filter mixed -r -k box -o out/ --on-error stop -j 1
filter photos/png-8-rgb.png palette.png -k box -o 'out/same.png'
kernel
kernel lst
kernel show
kernel show sobelx
kernel show gaussian:0
kernel show gaussian -o out.tga
kernel export gaussian -o out.xyz
kernel export gaussian
shape
shape --n 32
shape --n 3 --k 5
shape --n 32 --k 3 --s 0
shape --n 32 --k 3 --p weird
shape --n 32 --k 3 --as pytorch
shape --n 32 --k 3 --as caffe
shape resnet51
shape 'conv 64 k7 | relux'
shape 'conv 8 k9' --n 3x4x4
shape missing.toml
shape bad.csv
shape --n 32 --k 3 --pool median
shape --n 32 --k 3 --json --csv
shape --n 32 --k 3 --groups 3 --in 4 --out 4
conv
conv '1 2 3'
conv '1 2' '1 2 3'
conv '1 2;3' '1'
conv '1 2 3' '1 y' --json
conv missing.npy '1 2'
conv '1 2 3' '1 2' --stride 0
conv '1 2 3' '1 2' --padding some
conv '1 2 3' '1 2' --groups 2
conv '1 2 3' '1 2' --at 9
conv x4.npy '1 2' --dims 4
conv '1 2 3' '1 2' -o out.xyz
grad '1 2 3' '1 2' --only bais
pool max
pool min '1 2 3'
pool max '1 2 3' -k 9
pool max '1 2 3' -k 0
matrix circulant '1 2 3;4 5 6' '1 2'
matrix
separate '1 2 3'
separate
separate '1 2;3 4' --rank 5
impulse
check
check adjoint '1 2'
draw
draw padding_stride
draw --n 5
draw --n 5 --k 3 -o out.bmp
draw --n 5 --k 3 --frame 99 -o out.svg
draw --n 5 --k 3 --theme blue -o out.svg
draw --n 300 --k 3 -o out.gif
compare
compare png-8-rgb.png
compare png-8-rgb.png png-8-gray.png
compare png-8-rgb.png missing.png
compare png-8-rgb.png png-8-rgb-big.png
info --jsn
bench --size 5
bench --kernel sobell --size 64x64
demo --fast
"""
"""Mistakes: the same words say so."""


def _each(
    axes: dict[str, tuple[Any, ...]], make: Callable[[Row], Line], allow: Any = None
) -> list[Line]:
    return [make(row) for row in (cover(axes, allow) if allow else cover(axes))]


@cache
def lines() -> tuple[Line, ...]:
    """Every line, in an order that stays."""
    return tuple(dict.fromkeys(_lines()))


def _lines() -> Iterator[Line]:
    yield from _each(AXES, small, allowed)
    yield from _each(LARGE_AXES, large, large_allowed)
    yield from _each(BATCH_AXES, batch, batch_allowed)
    yield from _each(
        SHAPE_AXES, lambda r: line(f"shape {options(r, 'n', 'k', 's', 'p', 'd', 'op')}")
    )
    yield from _each(CONV_AXES, lambda r: line(options(r, "stride", "padding", "dilation")))
    yield from _each(
        POOL_AXES, lambda r: line("pool " + options(r, "k", "stride", "padding", "dilation"))
    )
    yield from _each(DRAW_AXES, lambda r: line(f"draw {options(r)}"))
    for name in PRESETS:
        yield line(f"kernel show {name} --json")
        yield line(f"filter png-8-rgb.png -k {name} -o out.png --range offset")
    for command in COMMANDS:
        yield line(f"{command} --help")
        yield line(f"{command} --help", COLUMNS="160")
    for text in [*SINGLE.splitlines(), *MISTYPED.splitlines()]:
        if text:
            stdin = "png-8-rgb.png" if " - " in text else ""
            yield line(text, stdin, unordered="local:" in text or " -r " in text)


TIMED = (
    "--version",
    "shape --n 32 --k 3",
    "filter png-8-rgb.png -k gaussian -o out.png",
    "filter png-8-rgb-big.png -k gaussian:2 -o out.png",
    "filter png-8-rgb-big.png -k sobel -o out.jpg",
    "filter png-16-rgba-mid.png -k sharpen -o out.png",
    "filter jpeg-8-rgb-big.jpg -k unsharp -o out.jpg",
    "filter strips-8-rgb-big.tif -k gaussian:5 -o out.tif",
    "filter strips-8-rgb-big.tif -k gaussian:5 -o out.tif --memory 160M",
    "filter tiles-16-rgb-big.tif -k box:9 -o out.tif --linear",
    "filter npy-8-rgb-big.npy -k disk:15 -o out.npy",
    "filter photos -r -k box -o out/",
)
"""What ``--times`` measures."""
