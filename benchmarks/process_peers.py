"""Other tools as whole processes: their commands and scripts, and how their results may differ."""

from __future__ import annotations

import sys
from dataclasses import dataclass

SOBEL = [-1, 0, 1, -2, 0, 2, -1, 0, 1]
GAUSS_RADIUS = 6  # of sigma 2, as convcli samples it: ceil(3 sigma)

CV2_SOBEL = """
import cv2, numpy as np, sys
k = np.array([[-1,0,1],[-2,0,2],[-1,0,1]], np.float32)
im = cv2.imread(sys.argv[1], cv2.IMREAD_UNCHANGED)
out = cv2.convertScaleAbs(cv2.filter2D(im, cv2.CV_16S, k, borderType=cv2.BORDER_REFLECT_101))
cv2.imwrite(sys.argv[2], out)
"""
CV2_GAUSS = """
import cv2, sys
im = cv2.imread(sys.argv[1], cv2.IMREAD_UNCHANGED)
cv2.imwrite(sys.argv[2], cv2.GaussianBlur(im, (13, 13), 2, borderType=cv2.BORDER_REFLECT_101))
"""
PYVIPS_SOBEL = """
import pyvips, sys
im = pyvips.Image.new_from_file(sys.argv[1], access="sequential")
k = pyvips.Image.new_from_array([[-1,0,1],[-2,0,2],[-1,0,1]])
im.conv(k, precision="integer").write_to_file(sys.argv[2])
"""
PYVIPS_GAUSS = """
import pyvips, sys
im = pyvips.Image.new_from_file(sys.argv[1], access="sequential")
im.gaussblur(2, min_ampl=0.01).write_to_file(sys.argv[2])
"""
PILLOW_SOBEL = """
from PIL import Image, ImageFilter; import sys
k = ImageFilter.Kernel((3, 3), [-1,0,1,-2,0,2,-1,0,1], 1, 0)
Image.open(sys.argv[1]).convert("RGB").filter(k).save(sys.argv[2])
"""
PILLOW_GAUSS = """
from PIL import Image, ImageFilter; import sys
Image.open(sys.argv[1]).convert("RGB").filter(ImageFilter.GaussianBlur(2)).save(sys.argv[2])
"""

NUMPY_SOBEL = """
from PIL import Image; import numpy as np, sys
x = np.asarray(Image.open(sys.argv[1]).convert("RGB")).astype(np.int16)
x = np.pad(x, ((1, 1), (1, 1), (0, 0)), "reflect")
s = x[:-2] + 2 * x[1:-1] + x[2:]
Image.fromarray(np.abs(s[:, 2:] - s[:, :-2]).clip(0, 255).astype(np.uint8)).save(sys.argv[2])
"""
PYVIPS_WIDE = """
import pyvips, sys
im = pyvips.Image.new_from_file(sys.argv[1], access="sequential")
im.gaussblur(3, min_ampl=0.01).write_to_file(sys.argv[2])
"""
CV2_MEDIAN = """
import cv2, sys
cv2.imwrite(sys.argv[2], cv2.medianBlur(cv2.imread(sys.argv[1], cv2.IMREAD_UNCHANGED), 7))
"""
PYVIPS_MEDIAN = """
import pyvips, sys
im = pyvips.Image.new_from_file(sys.argv[1], access="sequential")
im.rank(7, 7, 24).write_to_file(sys.argv[2])
"""
PILLOW_MEDIAN = """
from PIL import Image, ImageFilter; import sys
Image.open(sys.argv[1]).convert("RGB").filter(ImageFilter.MedianFilter(7)).save(sys.argv[2])
"""


def script(code: str) -> list[str]:
    return [sys.executable, "-c", code, "{in}", "{out}"]


@dataclass
class Tool:
    """A peer: its command, and how its output differs by design from convcli's default."""

    name: str
    command: list[str]
    range: str = "auto"
    """The range of convcli that gives the same: most peers lose negative slopes."""
    tolerance: float = 1.0
    python: bool = False
    """A Python script, beside which small pictures are judged."""

    def with_threads(self, count: int) -> list[str]:
        """Its command for so many threads, where it takes a number by option."""
        if self.command[0] == "ffmpeg":
            return ["ffmpeg", "-threads", str(count), "-filter_threads", str(count),
                    *self.command[1:]]  # fmt: skip
        if self.command[0] == "vips":
            return [*self.command, f"--vips-concurrency={count}"]
        return self.command


def thread_variables(count: int) -> dict[str, str]:
    """What tells the others."""
    names = ("VIPS_CONCURRENCY", "OPENCV_FOR_THREADS_NUM", "OMP_NUM_THREADS",
             "MAGICK_THREAD_LIMIT")  # fmt: skip
    return dict.fromkeys(names, str(count))


def sobel_tools() -> list[Tool]:
    matrix = "-1,0,1,-2,0,2,-1,0,1"
    rows = " ".join(map(str, SOBEL))
    plane = f"{rows}:" * 3 + rows
    ffmpeg = f"convolution={plane}:1:1:1:1:0:0:0:0"
    return [
        Tool("OpenCV script", script(CV2_SOBEL), python=True),
        Tool("pyvips script", script(PYVIPS_SOBEL), "clip", python=True),
        Tool("Pillow script", script(PILLOW_SOBEL), "clip", python=True),
        Tool("vips", ["vips", "conv", "{in}", "{out}", "{mat}", "--precision", "integer"], "clip"),
        Tool("FFmpeg", ["ffmpeg", "-y", "-v", "error", "-i", "{in}", "-vf",
                        f"format=gbrp,{ffmpeg}", "{out}"], "clip", 255),
        Tool("GraphicsMagick", ["gm", "convert", "{in}", "-convolve", matrix, "{out}"],
             "clip", 255),
        Tool("ImageMagick", ["/usr/bin/convert", "{in}", "-define", "convolve:scale=1", "-morphology",
                             "Correlate", f"3x3:{matrix}", "{out}"], "clip", 255),
    ]  # fmt: skip


def small_tools() -> list[Tool]:
    """Python scripts, those that import NumPy and those that do not."""
    numpy = Tool("NumPy script", script(NUMPY_SOBEL), python=True)
    return [*(tool for tool in sobel_tools() if tool.python), numpy]


def huge_tools() -> list[Tool]:
    """What reads a picture of 1,000 megapixels in bands."""
    return [
        Tool("vips", ["vips", "gaussblur", "{in}[access=sequential]", "{out}", "3",
                      "--min-ampl", "0.01"], tolerance=3),
        Tool("pyvips script", script(PYVIPS_WIDE), tolerance=3, python=True),
    ]  # fmt: skip


def gauss_tools(deep: bool = False) -> list[Tool]:
    # Peers cut the Gaussian at other radii; the figures are the largest differences seen.
    scale = 257 if deep else 1
    tools = [
        Tool("OpenCV script", script(CV2_GAUSS), tolerance=1 * scale, python=True),
        Tool("pyvips script", script(PYVIPS_GAUSS), tolerance=3 * scale, python=True),
        Tool("vips", ["vips", "gaussblur", "{in}", "{out}", "2"], tolerance=12 * scale),
        Tool("GraphicsMagick", ["gm", "convert", "{in}", "-gaussian", "6x2", "{out}"],
             tolerance=3 * scale),
        Tool("ImageMagick", ["/usr/bin/convert", "{in}", "-gaussian-blur", "6x2", "{out}"],
             tolerance=3 * scale),
    ]  # fmt: skip
    if not deep:  # Pillow has no 16-bit RGB; FFmpeg's gblur is recursive
        tools.append(Tool("Pillow script", script(PILLOW_GAUSS), tolerance=16, python=True))
        tools.append(Tool("FFmpeg", ["ffmpeg", "-y", "-v", "error", "-i", "{in}", "-vf",
                                     "format=gbrp,gblur=sigma=2", "{out}"], tolerance=16))  # fmt: skip
    return tools


def median_tools() -> list[Tool]:
    # ImageMagick takes the pixel that stands in the middle by its brightness.
    return [
        Tool("OpenCV script", script(CV2_MEDIAN), tolerance=0, python=True),
        Tool("pyvips script", script(PYVIPS_MEDIAN), tolerance=0, python=True),
        Tool("Pillow script", script(PILLOW_MEDIAN), tolerance=0, python=True),
        Tool("vips", ["vips", "rank", "{in}", "{out}", "7", "7", "24"], tolerance=0),
        Tool("FFmpeg", ["ffmpeg", "-y", "-v", "error", "-i", "{in}", "-vf",
                        "format=gbrp,median=radius=3", "{out}"], tolerance=0),
        Tool("GraphicsMagick", ["gm", "convert", "{in}", "-median", "3", "{out}"], tolerance=255),
        Tool("ImageMagick", ["/usr/bin/convert", "{in}", "-statistic", "Median", "7x7", "{out}"],
             tolerance=255),
    ]  # fmt: skip
