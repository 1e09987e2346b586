"""Filters of other programs that are not here, with the nearest line of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["FOREIGN_FILTERS", "Foreign"]


class Foreign(NamedTuple):
    """``line`` makes options of ``filter`` from a number, ``number`` by default.

    Empty where nothing comes near; ``exact`` where the line does the very same. ``hundred`` is the
    number that 100 % stand for, 0 where a percentage says nothing.
    """

    line: Callable[[float], str]
    number: float = 0
    exact: bool = False
    hundred: float = 0


_TABLE = {
    "hysteresis hysteresis-threshold zero-crossing": Foreign(lambda _: "-k canny"),
    "rank rank-filter rank-order ordfilt2 despeckle dust-and-scratches reduce-noise noise-reduction "
    "outlier outliers remove-outliers hot-pixels salt-and-pepper statistic nonpeak neighbors neighbours": Foreign(
        lambda side: f"-k median:{side:g}", 3
    ),
    "denoise denoise-tv denoise-nl-means denoise-wavelet nl-means non-local-means guided-filter "
    "anisotropic-diffusion": Foreign(lambda _: "-k bilateral:3,30"),
    "kuwahara oil-paint oil-painting wiener": Foreign(lambda _: "-k median:5"),
    "radial-blur rotational-blur zoom-blur spin-blur tilt-shift": Foreign(
        lambda sigma: f"-k gaussian:{sigma:g}", 3
    ),
    "pixelate pixellate pixelize mosaic": Foreign(
        lambda side: f"-k box:{side:g} --stride {side:g}", 8
    ),
    "resize downscale downsample shrink thumbnail reduce subsample": Foreign(
        lambda factor: f"-k box:{factor:g} --stride {factor:g}", 2
    ),
    "black-threshold white-threshold black-and-white bw": Foreign(
        lambda level: f"-k threshold:{level:g}", 128, hundred=255
    ),
    "adaptive adaptive-threshold threshold-local local-threshold threshold-li threshold-yen threshold-triangle "
    "auto-threshold": Foreign(lambda _: "-k otsu"),
    "auto-contrast auto-level auto-levels normalize normalise contrast-stretch equalize equalise "
    "equalize-hist clahe histogram levels": Foreign(lambda _: "-k identity --range stretch"),
    "brightness brighten exposure": Foreign(
        lambda times: f"-k identity --scale {times:g}", 1.2, exact=True, hundred=1
    ),
    "contrast": Foreign(
        lambda times: f"-k identity --scale {times:g} --bias {127.5 * (1 - times):g}", 1.5, exact=True,
        hundred=1,
    ),
    "deblur deconvolve deconvolution richardson-lucy smart-sharpen clarity cas": Foreign(
        lambda sigma: f"-k unsharp:{sigma:g}", 2
    ),
    "corner corners harris corner-harris shi-tomasi": Foreign(lambda _: "-k laplacian8"),
    "sketch pencil pencil-sketch charcoal cartoon": Foreign(
        lambda _: "-k grayscale -k sobel -k invert"
    ),
    "high-pass": Foreign(
        # A Gaussian of 0.05 pixels is the picture itself.
        lambda sigma: f"-k dog:0.05,{sigma:g} --range offset", 10, exact=True
    ),
    "entropy local-entropy entropyfilt": Foreign(lambda side: f"-k stddev:{side:g}", 5),
    "morphology morphology-ex": Foreign(lambda _: "-k open:3"),
    "max-pool max-pooling max-pool2d pool pooling": Foreign(
        lambda side: f"-k max:{side:g} --stride {side:g} --padding valid", 2, exact=True
    ),
    "min-pool min-pooling": Foreign(
        lambda side: f"-k min:{side:g} --stride {side:g} --padding valid", 2, exact=True
    ),
    "avg-pool avg-pooling average-pool average-pooling mean-pool mean-pooling avg-pool2d": Foreign(
        lambda side: f"-k box:{side:g} --stride {side:g} --padding valid", 2, exact=True
    ),
    "custom kernel matrix weights convolution convolve correlate conv conv2d filter2d": Foreign(
        lambda _: "-k '0 -1 0; -1 5 -1; 0 -1 0'", exact=True
    ),
    "hit-or-miss hit-and-miss thicken thin distance "
    "skeleton skeletonize thinning watershed hough distance-transform inpaint rotate flip flop "
    "mirror crop swirl solarize solarise posterize posterise gamma dither quantize "
    "vignette": Foreign(lambda _: ""),
}  # fmt: skip

FOREIGN_FILTERS: dict[str, Foreign] = {
    name: entry for names, entry in _TABLE.items() for name in names.split()
}
"""Name -> what to do here."""
