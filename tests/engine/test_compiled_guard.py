"""The extension checks everything that it is handed before it touches memory."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.engine.cpu.c_loops import c_loops, pack_job, tap_type
from convcli.errors import UsageError

try:
    _loops = c_loops()
except UsageError as error:
    pytest.skip(f"needs the compiled loops: {error}", allow_module_level=True)

FIELDS = [word.split(":")[1] for word in _loops.JOB.split()]
_TAP = tap_type()
BUFFERS = ["src", "dst", "rows", "cols", "line_taps", "line_starts", "taps", "starts"]
PLACE = ["top", "bottom", "left", "right"]


def job_of(call):
    return pack_job(**{name: value for name, value in call.items() if name in FIELDS})


def tile(call):
    return _loops.tile(job_of(call), *(call[name] for name in BUFFERS + PLACE))


LINE_TAP, ONE = np.array([(0, 0, 0, 1.0)], _TAP), np.array([0, 1], np.int32)


def arguments(**changes):
    """A valid call: identity on 4 x 5, one channel."""
    call = {
        "src": np.arange(20, dtype=np.uint8), "src_type": "B", "height": 4, "width": 5,
        "channels": 1, "dst": np.zeros(20, np.uint8), "out_type": "B", "out_rows": 4,
        "out_cols": 5, "out_channels": 1, "rows": np.arange(4), "cols": np.arange(5),
        "row_stride": 1, "col_stride": 1, "first": 0, "last": 5, "step": 1, "sum_type": "h",
        "line_taps": np.zeros(0, _TAP), "line_starts": np.zeros(1, np.int32),
        "taps": np.array([(0, 0, 0, 1.0)], _TAP), "starts": ONE, "reach": 1, "combine": "n",
        "work": "h", "scale": 1.0, "ratio": 1.0, "limit": 255.0, "count": True, "top": 0,
        "bottom": 4, "left": 0, "right": 5,
    }  # fmt: skip
    return call | changes


def test_the_valid_call_is_valid():
    call = arguments()
    assert tile(call) == 0
    np.testing.assert_array_equal(call["dst"], call["src"])


def test_a_line_and_its_taps_are_valid():
    call = arguments(line_taps=LINE_TAP, line_starts=ONE)
    assert tile(call) == 0
    np.testing.assert_array_equal(call["dst"], call["src"])


@pytest.mark.parametrize(
    "changes",
    [
        {"src": np.zeros(19, np.uint8)},
        {"dst": np.zeros(19, np.uint8)},
        {"src_type": "Q"},
        {"out_type": "h", "dst": np.zeros(19, np.uint8)},
        {"width": -5},
        {"height": 2**40, "width": 2**40},
        {"rows": np.array([0, 1, 2, 4])},
        {"rows": np.array([0, 1, 2, -2])},
        {"rows": np.arange(3)},
        {"cols": np.array([0, 1, 2, 3, 5])},
        {"cols": np.array([0, 1, 2, 3, -2])},
        {"last": 6},
        {"step": 2},
        {"step": 0},
        {"first": -1},
        {"bottom": 5},
        {"right": 6},
        {"top": 4},
        {"reach": 2},
        {"reach": 0},
        {"gap": -1},
        {"row_stride": 0},
        {"col_stride": 0},
        {"taps": np.array([(1, 0, 0, 1.0)], _TAP)},
        {"taps": np.array([(-1, 0, 0, 1.0)], _TAP)},
        {"taps": np.array([(0, 1, 0, 1.0)], _TAP)},
        {"taps": np.array([(0, 0, -1, 1.0)], _TAP)},
        {"taps": np.array([(0, 0, 6, 1.0)], _TAP)},
        {"line_taps": LINE_TAP, "line_starts": ONE, "taps": np.array([(0, 0, 1, 1.0)], _TAP)},
        {"line_taps": LINE_TAP, "line_starts": ONE, "taps": np.array([(1, 0, 0, 1.0)], _TAP)},
        {"line_taps": np.array([(0, 1, 0, 1.0)], _TAP), "line_starts": ONE},
        {"line_taps": np.array([(1, 0, 0, 1.0)], _TAP), "line_starts": ONE},
        {"line_taps": LINE_TAP, "line_starts": np.array([0, 2], np.int32)},
        {"starts": np.array([0, 2], np.int32)},
        {"starts": np.array([1, 1], np.int32)},
        {"starts": np.array([0], np.int32)},
        {"combine": "b", "starts": np.array([0, 1, 1], np.int32)},
        {"out_channels": 2},
        {"work": "x"},
        {"sum_type": "i", "work": "f", "value": -1.0},
        {"sum_type": "i", "work": "f", "reach": 1, "col_stride": 2},
        {"sum_type": "i", "work": "i"},
        {"sum_type": "i", "work": "f", "src": np.zeros(20, np.int32), "src_type": "i"},
        {
            "sum_type": "i",
            "work": "f",
            "src": np.zeros(20, np.int16),
            "src_type": "h",
            "value": 4e4,
        },
        {"sum_type": "B", "work": "d"},
        {"out_type": "l", "dst": np.zeros(20, np.int64)},
        {"out_type": "I", "work": "f", "dst": np.zeros(20, np.uint32)},
        {"out_type": "i", "dst": np.zeros(19, np.int32)},
        # One row too few, behind which in memory there is something that looks like more.
        {
            "rows": np.zeros(9, np.int64)[:7],
            "out_rows": 8,
            "bottom": 8,
            "dst": np.zeros(40, np.uint8),
        },
        {"add": -1},
        {"add": 65536},
        {"multiply": -1},
        {"shift": -1},
        {"multiply": 65536},
        {"shift": 16},
        # Products of 64 bits that wrap to something small.
        {"row_stride": 2**62, "bottom": 4},
        {"step": 2**62, "col_stride": 5},
        {"taps": np.array([(0, 0, 2**63 - 1, 1.0)], _TAP)},
        {"gap": 2**62},
    ],
    ids=lambda changes: "_".join(f"{k}" for k in changes),
)
def test_what_does_not_fit_is_refused(changes):
    with pytest.raises(ValueError):
        tile(arguments(**changes))


NARROW = {"narrow": True}
STRAIGHT = {**NARROW, "straight": True}
TWO = np.array([0, 2], np.int32)


def pair(first, second=0.0, *, shift=1):
    taps = np.array([(0, 0, 0, first), (0, 0, shift, second)], _TAP)
    return {"taps": taps, "starts": TWO, "cols": np.arange(6) % 5, "right": 4}


@pytest.mark.skipif(_loops.isa() == "base", reason="without loops on bytes")
@pytest.mark.parametrize("choice", [NARROW, STRAIGHT])
def test_the_valid_call_is_valid_on_bytes(choice):
    call = arguments(**choice)
    assert tile(call) == 0
    np.testing.assert_array_equal(call["dst"], call["src"])


@pytest.mark.parametrize(
    "changes",
    [
        {**NARROW, "value": 0.5},
        {**NARROW, "value": 256.0},
        {**NARROW, "gap": 1},
        {**NARROW, "sum_type": "f", "work": "f"},
        {**NARROW, "src": np.arange(20, dtype=np.uint16), "src_type": "H"},
        {**NARROW, "line_taps": LINE_TAP, "line_starts": ONE},
        {**NARROW, **pair(128.0)},
        {**NARROW, **pair(1.5)},
        {**NARROW, **pair(100.0, -29.0)},
        {**NARROW, **pair(0.0, 128.0)},
        {"straight": True},
        {**STRAIGHT, "scale": 2.0},
        {**STRAIGHT, "bias": 1.0},
        {**STRAIGHT, "work": "f"},
        {**STRAIGHT, "limit": 254.0},
        {**STRAIGHT, "low": -1.0},
        {**STRAIGHT, "combine": "x"},
        {**STRAIGHT, "dst": np.zeros(20, np.uint16), "out_type": "H"},
        {**STRAIGHT, "flat": 2, **pair(1.0, 1.0)},
        {**STRAIGHT, "flat": 2, "multiply": 9, **pair(1.0, 1.0), "count": False},
        {"gap": 1, "sum_type": "i", "work": "f"},
    ],
    ids=lambda changes: "_".join(f"{k}" for k in changes),
)
def test_loops_that_cannot_do_it_are_refused(changes):
    with pytest.raises(ValueError):
        tile(arguments(**changes))


def box_call(**changes):
    """A mean of 2 x 2 on 5 x 6, columns first."""
    taps = np.array([(0, r, c, 1.0) for r in (0, 1) for c in (0, 1)], _TAP)
    call = arguments(
        src=np.arange(30, dtype=np.uint8) * 4, height=5, width=6, rows=np.arange(5),
        cols=np.arange(6), last=6, taps=taps, starts=np.array([0, 4], np.int32), reach=2, flat=2,
        work="f", scale=0.25, add=2, multiply=32768, shift=1, count=False, **STRAIGHT,
    )  # fmt: skip
    return call | changes


@pytest.mark.skipif(_loops.isa() == "base", reason="without loops on bytes")
def test_a_mean_columns_first():
    call = box_call()
    tile(call)
    x = call["src"].reshape(5, 6).astype(int)
    sums = x[:-1, :-1] + x[1:, :-1] + x[:-1, 1:] + x[1:, 1:]
    np.testing.assert_array_equal(call["dst"].reshape(4, 5), (sums + 2) // 4)


def changed_tap(place, **values):
    taps = box_call()["taps"].copy()
    for name, value in values.items():
        taps[name][place] = value
    return {"taps": taps}


@pytest.mark.parametrize(
    "changes",
    [
        {"flat": 1},
        {"flat": 4},
        {"multiply": 0},
        {"count": True},
        {"straight": False},
        {"narrow": False},
        changed_tap(3, weight=2.0),
        changed_tap(3, shift=0),
        changed_tap(3, row=0),
        changed_tap(0, shift=1),
    ],
    ids=str,
)
def test_what_is_no_mean_is_not_done_columns_first(changes):
    with pytest.raises(ValueError):
        tile(box_call(**changes))


@pytest.mark.parametrize("function", ["tile", "planes", "finish"])
def test_a_job_of_another_layout_is_refused(monkeypatch, function):
    job = job_of(arguments())
    call = {"tile": arguments, "planes": planes_call, "finish": finish_call}[function]()
    for other in (job[:-1], job + b"\0", b""):
        monkeypatch.setitem(globals(), "job_of", lambda _, other=other: other)
        with pytest.raises(ValueError, match="packed by"):
            globals()[function](call)


def test_a_read_only_output_is_refused():
    out = np.zeros(20, np.uint8)
    out.setflags(write=False)
    with pytest.raises((BufferError, TypeError, ValueError)):
        tile(arguments(dst=out))


def test_instruction_sets_agree():
    """Each one that this processor has gives the same picture."""
    from convcli.engine.dispatch import execute
    from convcli.engine.plan import plan_filter
    from convcli.kernels.kernel import Kernel

    usual = _loops.isa()
    x = np.random.default_rng(0).integers(0, 256, (70, 90, 3)).astype(np.uint8)
    w = np.random.default_rng(1).normal(size=(7, 6)) / 6
    sobel = np.array([[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]])
    kernels = [Kernel(w, bias=90), Kernel(np.ones((5, 7))), Kernel(sobel, combine="magnitude")]
    results = []
    try:
        for name in ("base", "avx2", "avx512"):
            try:
                assert _loops.isa(name) == name
            except ValueError as error:
                assert "has no" in str(error)  # an older processor
                continue
            plans = [plan_filter(x.shape, x.dtype, [k]) for k in kernels]
            results.append([execute(plan, x).pixels.astype(int) for plan in plans])
    finally:
        _loops.isa(usual)
    assert results
    for other in results[1:]:
        assert np.abs(other[0] - results[0][0]).max() <= 1
        np.testing.assert_array_equal(other[1], results[0][1])
        np.testing.assert_array_equal(other[2], results[0][2])


def test_an_unknown_instruction_set_is_refused():
    with pytest.raises(ValueError, match="no sse9"):
        _loops.isa("sse9")


def planes_call(**changes):
    """A valid copy of a 4 x 5 picture with 2 channels, less its first row, into planes."""
    call = {
        "src": np.arange(40, dtype=np.uint8), "src_type": "B", "height": 4, "width": 5,
        "channels": 2, "rows": np.array([0, 1, 2, 3]), "cols": np.arange(5), "first": 0,
        "last": 5, "step": 1, "value": 0.0, "out": np.zeros(30, np.float32), "sum_type": "f",
        "top": 1, "bottom": 4, "left": 0, "right": 5,
    }  # fmt: skip
    return call | changes


def planes(call):
    names = ["src", "rows", "cols", "out", *PLACE]
    return _loops.planes(job_of(call), *(call[name] for name in names))


def test_planes_hold_one_channel_each():
    call = planes_call()
    planes(call)
    want = np.arange(40).reshape(4, 5, 2)[1:].transpose(2, 0, 1)
    np.testing.assert_array_equal(call["out"].reshape(2, 3, 5), want)


@pytest.mark.parametrize(
    "changes",
    [
        {"src": np.zeros(39, np.uint8)},
        {"src_type": "l"},
        {"height": 2**62, "channels": 2**62},
        {"rows": np.array([0, 1, 2, 4])},
        {"cols": np.array([0, 1, 2, 3, -2])},
        {"last": 6},
        {"step": 2},
        {"out": np.zeros(29, np.float32)},
        {"sum_type": "B"},
        {"sum_type": "d"},
        {"bottom": 5},
        {"top": 4},
        {"left": -1},
        {"right": 6},
    ],
    ids=lambda changes: "_".join(changes),
)
def test_planes_that_do_not_fit_are_refused(changes):
    with pytest.raises(ValueError):
        planes(planes_call(**changes))


def finish_call(**changes):
    """Sums of 2 rows of 3 into channel 1 of a 4 x 5 picture with 2 channels, at row 1, column 2."""
    call = {
        "sums": np.array([[-1, 0.5, 1.5, 9], [254.6, 255.4, 300, 9]], np.float32), "sum_type": "f",
        "rows": 2, "cols": 3, "pitch": 4, "whole": False,
        "dst": np.zeros((4, 5, 2), np.uint8), "out_type": "B", "out_rows": 4, "out_cols": 5,
        "out_channels": 2, "work": "f", "scale": 1.0, "bias": 0.0, "offset": 0.0, "ratio": 1.0,
        "limit": 255.0, "absolute": False, "count": True, "top": 1, "left": 2, "channel": 1,
    }  # fmt: skip
    return call | changes


def finish(call):
    names = ["sums", "dst", "rows", "cols", "pitch", "top", "left", "channel"]
    return _loops.finish(job_of(call), *(call[name] for name in names))


@pytest.mark.parametrize("type_", ["f", "d"])
@pytest.mark.parametrize("work", ["f", "d"])
def test_finish_rounds_clips_and_counts(type_, work):
    call = finish_call(sum_type=type_, work=work)
    call["sums"] = call["sums"].astype(np.dtype(type_))
    assert finish(call) == 2
    want = np.zeros((4, 5, 2), np.uint8)
    want[1:3, 2:5, 1] = [[0, 0, 2], [255, 255, 255]]
    np.testing.assert_array_equal(call["dst"], want)


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": 3},
        {"rows": -1},
        {"rows": 2**61, "pitch": 8},
        {"cols": 0},
        {"cols": 5},
        {"pitch": 2},
        {"sum_type": "d"},
        {"sum_type": "B"},
        {"out_type": "h"},
        {"out_rows": 5},
        {"work": "h"},
        {"top": 3},
        {"top": -1},
        {"left": 3},
        {"channel": 2},
        {"channel": -1},
    ],
    ids=lambda changes: "_".join(changes),
)
def test_sums_that_do_not_fit_are_refused(changes):
    with pytest.raises(ValueError):
        finish(finish_call(**changes))


@pytest.mark.parametrize("type_", ["f", "d"])
@pytest.mark.parametrize("work", ["f", "d"])
@pytest.mark.parametrize("out", ["f", "d"])
def test_finish_evaluates_in_the_type_it_is_told(type_, work, out):
    """A sum that float32 does not hold, twice; the last of four is left alone."""
    sums = np.array([[2.0**24 + 1, 3, -5.5, 7]], type_)
    dst = np.full((1, 3, 2), -1, out)
    call = finish_call(
        sums=sums, sum_type=type_, rows=1, work=work, scale=2.0, dst=dst, out_type=out, out_rows=1,
        out_cols=3, top=0, left=0, channel=0, count=False,
    )  # fmt: skip
    finish(call)
    want = (sums[:, :3].astype(work) * 2).astype(out)
    assert dst[..., 0].tolist() == want.tolist()
    assert (dst[..., 1] == -1).all()


@pytest.mark.parametrize("work", ["f", "d"])
def test_finish_rounds_whole_sums_first(work):
    """0.49 and 0.51 are 0 and 1 with the noise of a transform: twice them is 0 and 2."""
    sums = np.array([[0.49, 0.51, 100.3, 9]])
    call = finish_call(sums=sums, sum_type="d", rows=1, whole=True, work=work, scale=2.0)
    finish(call)
    assert call["dst"][1, 2:, 1].tolist() == [0, 2, 200]


def test_more_memory_than_there_is_is_an_error():
    """2^24 rows of 2^24 samples: more than any address space, so that a system which promises
    memory that it does not have refuses it as well."""
    many = 2**24
    call = arguments(
        dst=np.zeros(1, np.uint8), out_rows=1, out_cols=1, rows=np.zeros(many, np.int64),
        cols=np.zeros(many, np.int64), first=0, last=0, reach=many, bottom=1, right=1,
        taps=np.array([(0, many - 1, many - 1, 1.0)], _TAP), value=0.5,
    )  # fmt: skip
    with pytest.raises(MemoryError):
        tile(call)


@pytest.mark.parametrize("work", ["f", "d"])
@pytest.mark.parametrize(
    "numbers",
    [
        {"scale": 1.5}, {"bias": 1.5}, {"offset": 1.5}, {"ratio": 1.5}, {"bias": 1.0},
        {"offset": 1.0}, {"scale": 0.5, "bias": -9.0, "offset": 4.0, "ratio": 2.0},
    ],
    ids=lambda numbers: "_".join(numbers),
)  # fmt: skip
@pytest.mark.parametrize("absolute", [False, True])
def test_every_number_of_the_formula_counts(work, numbers, absolute):
    sums = np.array([[-40.0, 3.0, 12.25]])
    dst = np.zeros((1, 3, 1))
    call = finish_call(
        sums=sums, sum_type="d", rows=1, pitch=3, work=work, dst=dst, out_type="d", out_rows=1,
        out_cols=3, out_channels=1, top=0, left=0, channel=0, count=False, absolute=absolute,
        **numbers,
    )  # fmt: skip
    finish(call)
    want = sums * call["scale"] + call["bias"]
    want = ((np.abs(want) if absolute else want) + call["offset"]) * call["ratio"]
    assert dst.ravel().tolist() == want.ravel().tolist()
