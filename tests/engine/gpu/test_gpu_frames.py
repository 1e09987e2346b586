"""Frames against the padded picture: every cell that a reader of a launch sees."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from convcli.arithmetic.borders import BORDERS, Border
from convcli.arithmetic.window import conv_window
from convcli.engine.axis_maps import border_index
from convcli.engine.gpu.frame_layout import Readers, frame_of, view_of
from convcli.engine.gpu.kernel_source import Shape, skew
from convcli.engine.gpu.passes import passes_of
from convcli.engine.gpu.row_maps import count_rows, needed_rows, row_map, seen_by
from convcli.engine.plan import plan_filter
from convcli.kernels.kernel import Kernel

BORDER = 7


def padded(x, window, mode, axis, outputs):
    """The positions that some outputs see, as NumPy takes them."""
    low = outputs[0] * window.stride - window.before
    length = (outputs[1] - outputs[0] - 1) * window.stride + window.effective_kernel
    index = border_index(np.arange(low, low + length), window.size, mode)
    taken = np.take(x, np.maximum(index, 0), axis)
    hidden = [slice(None)] * x.ndim
    hidden[axis] = index < 0
    taken[tuple(hidden)] = BORDER
    return taken


class Launch:
    """Readers of NX samples and ``tile`` rows, as threads are."""

    def __init__(self, rows, cols, channels, samples, tile, outputs=None):
        self.rows, self.cols, self.channels = rows, cols, channels
        self.outputs = outputs or (0, rows.output)
        count = self.outputs[1] - self.outputs[0]
        effective = rows.effective_kernel
        self.down = Readers(
            -(-count // tile),
            tile * rows.stride,
            (tile - 1) * rows.stride + effective,
            (count - 1) * rows.stride + effective,
        )
        last = (samples - 1) // channels * cols.stride * channels + (samples - 1) % channels
        span = last + (cols.effective_kernel - 1) * channels + 1
        threads = -(-cols.output * channels // samples)
        step = samples * cols.stride
        self.across = Readers(threads, step, span, (threads - 1) * step + span)

    def shape(self, samples):
        return Shape(
            self.channels,
            (self.rows.kernel_size, self.cols.kernel_size),
            (self.rows.stride, self.cols.stride),
            (self.rows.dilation, self.cols.dilation),
            samples,
        )


def check(device, x, rows, cols, mode, samples, tile, outputs=None):
    """Every reader finds what the index maps say, whether inside or not, and aligned as inside."""
    launch = Launch(rows, cols, x.shape[2], samples, tile, outputs)
    seen = (
        seen_by(rows, mode, launch.outputs, ((0, rows.size),)),
        seen_by(cols, mode, (0, cols.output), ((0, cols.size),)),
    )
    item = x.dtype.itemsize
    shift = skew(launch.shape(samples), item, cols.before)
    pitch = -(-x[0].size * item // 16) * 16 // item
    data = device.xp.empty((len(x), pitch), x.dtype.name)
    data[:, : x[0].size] = x.reshape(len(x), -1)
    constant = x.dtype.type(BORDER)
    view = view_of(device, data, seen, (launch.down, launch.across), x.shape[2], constant, shift)
    bands, strips, picture, top, bottom, left, right, *inside = map(int, view.arguments)
    want = padded(padded(x, rows, mode, 0, launch.outputs), cols, mode, 1, (0, cols.output))
    want = want.reshape(len(want), -1)
    used = set()
    for k, n in itertools.product(range(launch.down.number), range(launch.across.number)):
        row, start = k * launch.down.step, n * launch.across.step
        end_row = min(row + launch.down.length, launch.down.end)
        if row < inside[0] or end_row > inside[1]:
            part = "top" if row < inside[0] else "bottom"
            memory, at, step = view.frame, top if part == "top" else bottom, bands
        elif start < inside[2] or start + launch.across.length > inside[3]:
            part = "left" if start < inside[2] else "right"
            memory, at, step = view.frame, left if part == "left" else right, strips
        else:
            part, memory, at, step = "picture", data, picture, pitch
        used.add(part)
        first = at + row * step + start
        load = np.gcd(16, samples * cols.stride * item)
        if load >= max(4, item):
            assert (first - shift) * item % load == 0
            # Whole words are read.
            last = first + (end_row - row - 1) * step + launch.across.length
            assert first >= shift
            assert -(-(last * item) // load) * load <= memory.nbytes
        flat = memory.reshape(-1)
        got = np.stack(
            [flat[first + r * step :][: launch.across.length] for r in range(end_row - row)]
        )
        there = want[row:end_row, start : start + launch.across.length]
        np.testing.assert_array_equal(got[:, : there.shape[1]], there, err_msg=f"{part} {k} {n}")
    return used


@pytest.mark.parametrize("mode", BORDERS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_every_reader_sees_the_padded_picture(shim, dtype, mode):
    rng = np.random.default_rng(3)
    used = set()
    for height, width, channels in [(1, 1, 1), (1, 40, 3), (9, 1, 4), (23, 70, 1), (30, 37, 3)]:
        x = (rng.random((height, width, channels)) * 250).astype(dtype)
        for kernel, stride, dilation in [((3, 5), (1, 1), (1, 1)), ((4, 2), (2, 3), (3, 2))]:
            rows, cols = (
                conv_window(size, k, stride=s, dilation=d, padding="full")
                for size, k, s, d in zip(x.shape, kernel, stride, dilation, strict=False)
            )
            for samples, tile in [(channels * 4, 1), (channels * 8, 5)]:
                used |= check(shim, x, rows, cols, mode, samples, tile)
    assert used == {"top", "bottom", "left", "right", "picture"}


# A reader has 16 samples and 4 rows.
@pytest.mark.parametrize("width", [1, 15, 16, 17, 31, 32, 33, 48])
@pytest.mark.parametrize("height", [1, 3, 4, 5, 8, 9, 12])
def test_sizes_around_those_of_readers(shim, height, width):
    x = np.random.default_rng(height).integers(0, 256, (height, width, 1)).astype(np.uint8)
    for pad in [(0, 0), (1, 1), (2, 0), (0, 2), (17, 40)]:
        if min(height, width) + sum(pad) < 3:
            continue
        windows = (conv_window(size, 3, padding=pad) for size in (height, width))
        check(shim, x, *windows, "symmetric", 16, 4)


def test_a_picture_without_padding_has_no_frame(shim):
    x = np.zeros((20, 66, 1), np.uint8)
    windows = [conv_window(size, 3) for size in x.shape[:2]]
    assert check(shim, x, *windows, "reflect", 16, 4) == {"picture"}
    assert shim.frames == 0


@pytest.mark.parametrize("outputs", [(0, 7), (5, 9), (13, 20), (19, 20)])
@pytest.mark.parametrize("mode", ["constant", "reflect", "wrap"])
def test_some_rows_of_a_picture(shim, mode, outputs):
    x = np.random.default_rng(1).integers(0, 256, (20, 33, 3)).astype(np.uint8)
    windows = (conv_window(size, 5, padding="same") for size in x.shape[:2])
    check(shim, x, *windows, mode, 16, 3, outputs)


def test_strips_are_narrow_and_bands_are_low():
    """A frame of a large picture is a small part of it."""
    rows, cols = (conv_window(n, 5, padding=2) for n in (4000, 6000))
    launch = Launch(rows, cols, 1, 16, 8)
    frame = frame_of(launch.down, launch.across, (2, 4002, 2, 6002), 14, 1)
    assert [part.rows for part in frame.parts[:2]] == [12, 12]
    assert [part.words for part in frame.parts[2:]] == [3, 3]
    assert frame.words * 16 < 0.03 * 4000 * 6000


def test_a_border_that_is_no_sample_makes_floats_of_the_picture(shim):
    """Also one that float32 does not hold, where sums are float64."""
    kernel = Kernel(np.random.default_rng(2).normal(size=(3, 3)))

    def types(dtype, value, **options):
        plan = plan_filter(
            (9, 9, 1), dtype, [kernel], backend="numpy", border=Border("constant", value), **options
        )
        (one,) = passes_of(plan.steps[0], dtype)
        return one.dtype, one.acc

    assert types("uint8", 255.0) == ("uint8", "float32")
    assert types("uint8", 256.0) == ("float32", "float32")
    assert types("uint8", 0.5) == ("float32", "float32")
    assert types("float32", 0.1) == ("float32", "float32")
    assert types("float32", 0.1, out_dtype="float64") == ("float64", "float64")
    assert types("float32", 0.5, out_dtype="float64") == ("float32", "float64")


@pytest.mark.parametrize("mode", BORDERS)
def test_rows_that_a_tile_needs(mode):
    kernels = [Kernel(np.ones((5, 1))), Kernel(np.ones((4, 1)))]
    options = {"stride": (2, 1), "padding": "full", "border": Border(mode)}
    plan = plan_filter((40, 3, 1), "uint8", kernels, backend="numpy", **options)
    wanted = ((0, 3), (plan.shape_out[0] - 2, plan.shape_out[0]))
    needed = needed_rows(plan, wanted)
    for have, step, made in zip(needed[:-1], plan.steps, needed[1:], strict=True):
        assert all(a < b for a, b in have)
        assert all(b < c for (_, b), (c, _) in itertools.pairwise(have))
        places = np.concatenate([np.arange(a, b) for a, b in have])
        assert count_rows(have) == places.size
        for start, stop in made:
            low = start * step.rows.stride - step.rows.before
            index = border_index(
                np.arange(low, low + (stop - start - 1) * step.rows.stride + step.kernel_size[0]),
                step.rows.size,
                mode,
            )
            found = row_map(step.rows, mode, (start, stop), have)
            np.testing.assert_array_equal(np.where(found < 0, -1, places[found]), index)
