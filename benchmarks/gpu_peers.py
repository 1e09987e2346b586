"""The same filters by others: cupyx, cuCIM, OpenCV's CUDA modules, PyTorch, where they are there.

Each gives seconds, or why it has none; nothing that a peer raises may cost our own figure.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from gpu_bench import Bench

from convcli.kernels.kernel import Kernel

TOO_MUCH = 3e11
"""Products of samples and weights that take a library seconds which is not meant for them."""

WARM = 3


class NoPeer(Exception):
    """Why a library does not do a filter."""


@cache
def peer(name: str) -> Any:
    """Another library's module, or why there is none."""
    try:
        return import_module(name)
    except Exception as error:  # a broken install raises whatever it likes
        return NoPeer(f"{type(error).__name__}: {error}"[:120])


def found(name: str) -> Any:
    """The module.

    Raises
    ------
    NoPeer
        If it does not import.
    """
    module = peer(name)
    if isinstance(module, NoPeer):
        raise module
    return module


def peers(
    bench: Bench, inputs: list[Any], name: str, kernel: Kernel, options: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Each peer's name with its seconds for a filter, or with the reason why it has none."""
    stride = options.get("stride", 1)
    ways: dict[str, Callable[[], float]] = {
        "cupyx": lambda: _cupyx(bench, inputs, name, kernel, stride),
        "cucim": lambda: _cucim(bench, inputs, name, stride),
        "opencv": lambda: _opencv(bench, inputs, name, kernel, stride),
        "torch": lambda: _torch(bench, inputs, kernel, stride),
    }
    for label, way in ways.items():
        try:
            yield label, way()
        except Exception as error:  # theirs, whatever it is
            why = str(error) if isinstance(error, NoPeer) else f"{type(error).__name__}: {error}"
            yield label, " ".join(why.split())[:120]


def best(row: dict[str, Any]) -> tuple[str, float] | None:
    """The fastest peer of a row."""
    times = {k: v for k, v in row.get("peers", {}).items() if isinstance(v, float)}
    return min(times.items(), key=lambda item: item[1]) if times else None


def _each(bench: Bench, inputs: list[Any], action: Callable[[Any], Any]) -> float:
    return bench.time(lambda: [action(one) for one in inputs], repeat=len(inputs))


def is_sum(kernel: Any) -> bool:
    """Whether a filter is a sum of weights, not one of ranks."""
    return bool(kernel.is_correlation and kernel.weights.ndim == 2)


def _cupyx(bench: Bench, inputs: list[Any], name: str, kernel: Kernel, stride: int) -> float:
    ndimage = found("cupyx.scipy.ndimage")
    if stride != 1:
        raise NoPeer("no strides")
    if not is_sum(kernel):
        return _each(bench, inputs, _picked(ndimage, name))
    weights = bench.cp.asarray(kernel.weights * kernel.scale, np.float32)
    cube, times = weights[:, :, None], []
    if inputs[0].size * weights.size < TOO_MUCH:
        times.append(_each(bench, inputs, lambda x: ndimage.correlate(x, cube, mode="mirror")))
    lines = rank_one(bench, kernel)
    if lines is not None:
        times.append(_each(bench, inputs, lambda x: _by_lines(ndimage, x, *lines)))
    if weights.size >= 225 and inputs[0].dtype == np.float32:
        signal, flipped = found("cupyx.scipy.signal"), cube[::-1, ::-1]
        times.append(
            _each(bench, inputs, lambda x: signal.fftconvolve(x, flipped, mode="same", axes=(0, 1)))
        )
    if not times:
        raise NoPeer("would take seconds")
    return min(times)


def _picked(ndimage: Any, name: str) -> Callable[[Any], Any]:
    """The filter of ranks or ends that a name such as ``median:5`` stands for."""
    word, _, side = name.partition(":")
    size = (int(side), int(side), 1)
    ways = {
        "median": lambda x: ndimage.median_filter(x, size=size, mode="mirror"),
        "erode": lambda x: ndimage.minimum_filter(x, size=size, mode="mirror"),
        "dilate": lambda x: ndimage.maximum_filter(x, size=size, mode="mirror"),
    }
    if word not in ways:
        raise NoPeer("no such filter")
    return ways[word]


def rank_one(bench: Bench, kernel: Kernel) -> tuple[Any, Any] | None:
    """Column and row of a separable kernel, as a user of cupyx would write it."""
    u, s, v = np.linalg.svd(np.asarray(kernel.weights * kernel.scale, np.float64))
    if len(s) > 1 and s[1] > 1e-6 * s[0]:
        return None
    return bench.cp.asarray(u[:, 0] * s[0]), bench.cp.asarray(v[0])


def _by_lines(ndimage: Any, x: Any, column: Any, row: Any) -> Any:
    down = ndimage.correlate1d(x, column, axis=0, output=np.float32, mode="mirror")
    return ndimage.correlate1d(down, row, axis=1, output=x.dtype, mode="mirror")


def _cucim(bench: Bench, inputs: list[Any], name: str, stride: int) -> float:
    filters, morphology = found("cucim.skimage.filters"), found("cucim.skimage.morphology")
    word, _, number = name.partition(":")
    channels = -1 if inputs[0].shape[2] > 1 else None
    if stride != 1:
        raise NoPeer("no strides")

    def plane(x: Any) -> Any:
        return x if channels else x[:, :, 0]

    if word == "gaussian":
        sigma = float(number)
        return _each(
            bench, inputs,
            lambda x: filters.gaussian(plane(x), sigma, mode="mirror", preserve_range=True, channel_axis=channels),
        )  # fmt: skip
    if channels:
        raise NoPeer("gray only")
    if word == "sobel-x":
        return _each(bench, inputs, lambda x: filters.sobel_v(plane(x)))
    side = int(number or 0)
    square = bench.cp.ones((side, side), np.uint8)
    ways = {"median": filters.median, "erode": morphology.erosion, "dilate": morphology.dilation}
    if word not in ways:
        raise NoPeer("no such filter")
    return _each(bench, inputs, lambda x: ways[word](plane(x), square))


def _opencv(bench: Bench, inputs: list[Any], name: str, kernel: Kernel, stride: int) -> float:
    cv2 = found("cv2")
    if not hasattr(cv2, "cuda") or cv2.cuda.getCudaEnabledDeviceCount() < 1:
        raise NoPeer("built without CUDA")
    kinds = {np.dtype(np.uint8): "8U", np.dtype(np.float32): "32F"}
    channels = inputs[0].shape[2]
    if stride != 1 or inputs[0].dtype not in kinds or channels != 1:
        raise NoPeer("8 bits or floats, gray, without strides")
    kind = getattr(cv2, f"CV_{kinds[inputs[0].dtype]}C1")
    word, _, side = name.partition(":")
    if is_sum(kernel):
        weights = np.asarray(kernel.weights * kernel.scale, np.float32)
        lines = rank_one(bench, kernel)
        if lines is not None:
            column, row = (bench.cp.asnumpy(line).astype(np.float32) for line in lines)
            made = cv2.cuda.createSeparableLinearFilter(kind, kind, row, column)
        else:
            made = cv2.cuda.createLinearFilter(kind, kind, weights)
    elif word == "median":
        made = cv2.cuda.createMedianFilter(kind, int(side))
    elif word in ("erode", "dilate"):
        what = cv2.MORPH_ERODE if word == "erode" else cv2.MORPH_DILATE
        made = cv2.cuda.createMorphologyFilter(
            what, kind, np.ones((int(side), int(side)), np.uint8)
        )
    else:
        raise NoPeer("no such filter")
    planes = [cv2.cuda.GpuMat(bench.cp.asnumpy(x[:, :, 0])) for x in inputs]
    outs = [cv2.cuda.GpuMat(p.size(), p.type()) for p in planes]
    stream = cv2.cuda.Stream()
    laps = []
    for _ in range(bench.amount.rounds + WARM):
        events = [cv2.cuda.Event() for _ in range(2)]
        events[0].record(stream)
        for one, out in zip(planes, outs, strict=True):
            made.apply(one, out, stream)
        events[1].record(stream)
        events[1].waitForCompletion()
        laps.append(cv2.cuda.Event.elapsedTime(*events) / 1e3 / len(planes))
    return statistics.median(laps[WARM:])


def torch_on_gpu() -> Any:
    """PyTorch with a device, held to float32.

    Raises
    ------
    NoPeer
        If it is not there, or sees no device.
    """
    torch = found("torch")
    if not torch.cuda.is_available():
        raise NoPeer("sees no device")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    return torch


def torch_time(bench: Bench, torch: Any, action: Callable[[], Any], repeat: int = 1) -> float:
    """Median seconds by PyTorch's events."""
    for _ in range(WARM):
        action()
    torch.cuda.synchronize()
    laps = []
    for _ in range(bench.amount.rounds):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        action()
        end.record()
        end.synchronize()
        laps.append(begin.elapsed_time(end) / 1e3 / repeat)
    return statistics.median(laps)


def _torch(bench: Bench, inputs: list[Any], kernel: Kernel, stride: int) -> float:
    torch = torch_on_gpu()
    if inputs[0].dtype != np.float32 or not is_sum(kernel):
        raise NoPeer("sums of floats only")
    if inputs[0].size * kernel.weights.size > TOO_MUCH:
        raise NoPeer("would take seconds")
    apart = [bench.cp.ascontiguousarray(one.transpose(2, 0, 1)[:, None]) for one in inputs]
    bench.device.stream.synchronize()  # PyTorch works on a stream of its own
    planes = [torch.as_tensor(one, device="cuda") for one in apart]
    weights = bench.cp.asarray(kernel.weights * kernel.scale, np.float32)
    window = torch.as_tensor(weights[None, None], device="cuda")
    pad = tuple(side // 2 for side in kernel.weights.shape)
    convolve = torch.nn.functional.conv2d
    return torch_time(
        bench, torch,
        lambda: [convolve(p, window, padding=pad, stride=stride) for p in planes], len(planes),
    )  # fmt: skip


def ratio(theirs: Any, ours: float) -> str:
    """Theirs over ours, for a table."""
    return f"{theirs / ours:.1f}" if isinstance(theirs, float) and not math.isnan(theirs) else "-"
