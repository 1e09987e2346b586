"""Strips on streams: the same samples, in the order that overlaps, and nothing left behind.

The module in CuPy's place takes simulated time; see ``timed_streams.py``.
"""

from __future__ import annotations

import ctypes
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from convcli.arithmetic.borders import BORDERS, Border
from convcli.engine.backends import Backend
from convcli.engine.gpu import cupy_device, cupy_run, host_strips
from convcli.engine.gpu.cupy_run import run_chain
from convcli.engine.gpu.host_copies import HostCopies
from convcli.engine.gpu.host_strips import strip_rows
from convcli.engine.gpu.pinned import PinnedPool
from convcli.engine.gpu.pipeline import AT_ONCE, best_strips, strip_seconds
from convcli.engine.plan import plan_filter
from convcli.errors import BackendError
from convcli.kernels.kernel import Kernel
from tests.engine.gpu.timed_streams import TimedStream, Timeline, complete, put_in_place

BLUR = Kernel(np.full((5, 3), 1 / 15))
EDGE = Kernel([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], scale=2)
ALL_BORDERS = [Border(mode, 7.0 if mode == "constant" else 0.0) for mode in BORDERS]


@pytest.fixture
def timed_cupy(monkeypatch, pretend_cupy):
    monkeypatch.setattr(cupy_device, "_local", threading.local())
    return complete(pretend_cupy())


@pytest.fixture
def timed(monkeypatch, timed_cupy, shim):
    """Gives a timeline, and puts it in place; ``rows`` are those of a strip."""

    def put(rows=None, *, buffer=256, buffers=8, **seconds):
        timeline = Timeline(**seconds)
        put_in_place(monkeypatch, timed_cupy, shim, cupy_device, timeline)
        monkeypatch.setattr(cupy_device, "POOL", PinnedPool(buffer, buffer * buffers))
        monkeypatch.setattr(cupy_device, "_local", threading.local())
        if rows is not None:
            monkeypatch.setattr(host_strips, "strip_rows", lambda plan: rows)
        return timeline

    return put


def picture(shape, dtype="uint8", seed=3):
    rng = np.random.default_rng(seed)
    return (rng.random(shape) * (1 if dtype.startswith("f") else 255.9)).astype(dtype)


def planned(x, kernels, **options):
    plan = plan_filter(x.shape, x.dtype, kernels, backend="numpy", range="clip", **options)
    return plan._replace(backend=Backend("cupy"))


def in_one_piece(timed, plan, x):
    timed(plan.shape_out[0])
    return run_chain(plan, x)


CHAINS = {
    "one": ((61, 13, 3), "uint8", [BLUR], {}),
    "chain": ((61, 13, 3), "uint8", [BLUR, EDGE, BLUR], {}),
    "stride": ((61, 13, 1), "uint8", [BLUR, BLUR], {"stride": 2}),
    "leaps": ((61, 13, 1), "uint8", [Kernel([[1, 2, 1]], scale=0.25)], {"stride": 4}),
    "dilation": ((61, 13, 1), "uint8", [BLUR], {"dilation": 3}),
    "half": ((61, 13, 1), "float16", [BLUR], {}),
    "array_steps": ((61, 13, 1), "float64", [Kernel(np.ones((1, 1)))], {}),
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("border", ALL_BORDERS, ids=str)
def test_strips_have_the_samples_of_one_piece(timed, chain, border):
    shape, dtype, kernels, options = CHAINS[chain]
    x = picture(shape, dtype)
    plan = planned(x, kernels, border=border, **options)
    want, clipped = in_one_piece(timed, plan, x)
    for rows in (1, 7, 20):
        timeline = timed(rows)
        got, counted = run_chain(plan, x)
        assert timeline.asked.count("kernels") >= plan.shape_out[0] // rows
        np.testing.assert_array_equal(got, want)
        assert counted == clipped
    assert clipped > 0 or EDGE not in kernels


@pytest.mark.parametrize("border", ALL_BORDERS, ids=str)
def test_each_sample_crosses_the_bus_once_each_way(timed, border):
    x = picture((64, 16, 1))  # rows of 16 bytes: nothing pads them
    timeline = timed(9)
    plan = planned(x, [BLUR, BLUR], border=border)
    got, _ = run_chain(plan, x)
    assert timeline.bytes == {"up": x.nbytes, "down": got.nbytes, "kernels": 0}


def test_three_things_go_on_at_once(timed):
    x = picture((400, 16, 1))
    timeline = timed(20, buffer=400)
    run_chain(planned(x, [BLUR]), x)
    strips = 20
    assert [len(timeline.spans[e]) for e in ("up", "kernels", "down")] == [strips] * 3
    # Two strips in each direction beside the others, and 20 in one: in sequence it were 60.
    assert timeline.now <= strips + 4
    assert timeline.busy("up", "kernels", "down") >= strips - 4
    # Nobody waits for a strip to come before the next one is on its way.
    asked = timeline.asked
    places = [n for n, what in enumerate(asked) if what == "down"]
    for number, (this, following) in enumerate(pairwise(places)):
        assert asked[:following].count("up") >= number + 2
        assert "up" in asked[this:following]
    first_wait = asked.index("taken")
    assert asked[:first_wait].count("up") >= 3


def test_a_slow_processor_keeps_the_bus_waiting_and_no_more(timed):
    x = picture((400, 16, 1))
    timeline = timed(20, buffer=400, host=0.6)
    run_chain(planned(x, [BLUR]), x)
    assert timeline.now <= 41 * 0.6 + 4  # what is copied by the processor, both ways


def test_a_bus_that_is_slow_in_one_direction_is_all_that_is_waited_for(timed):
    x = picture((400, 16, 1))
    timeline = timed(20, buffer=400, down=3.0)
    run_chain(planned(x, [BLUR]), x)
    assert timeline.now <= 20 * 3 + 4


def test_pinned_memory_is_bounded_and_goes_from_picture_to_picture(timed):
    x = picture((200, 16, 3))
    timed(20, buffer=256, buffers=4)
    plan = planned(x, [BLUR])
    want, _ = run_chain(plan, x)
    pool = cupy_device.POOL
    assert 2 <= pool.made <= 4
    assert pool.idle == pool.made
    made = pool.made
    got, _ = run_chain(plan, x)
    assert pool.made == pool.idle == made
    np.testing.assert_array_equal(got, want)


def test_one_buffer_is_enough(timed):
    x = picture((64, 17, 3))
    plan = planned(x, [BLUR])
    want, _ = in_one_piece(timed, plan, x)
    timed(9, buffers=1)
    got, _ = run_chain(plan, x)
    np.testing.assert_array_equal(got, want)
    assert cupy_device.POOL.made == cupy_device.POOL.idle == 1


def test_memory_that_cannot_be_pinned_is_done_without(timed, timed_cupy):
    x = picture((64, 17, 3))
    plan = planned(x, [BLUR])
    want, _ = in_one_piece(timed, plan, x)
    timed(9)
    plain, calls = timed_cupy.cuda.alloc_pinned_memory, []

    def scarce(size):
        calls.append(size)
        if len(calls) > 2:
            raise MemoryError
        return plain(size)

    timed_cupy.cuda.alloc_pinned_memory = scarce
    got, _ = run_chain(plan, x)
    assert len(calls) == 3
    assert cupy_device.POOL.made == cupy_device.POOL.idle == 2
    np.testing.assert_array_equal(got, want)


def test_threads_that_share_few_buffers_do_not_wait_for_each_other_for_ever(stand_in, monkeypatch):
    monkeypatch.setattr(cupy_device, "POOL", PinnedPool(256, 3 * 256))
    monkeypatch.setattr(host_strips, "strip_rows", lambda plan: 11)
    pictures = [picture((90, 21, 3), seed=n) for n in range(8)]
    plan = planned(pictures[0], [BLUR])
    want = [run_chain(plan, x) for x in pictures]
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda x: run_chain(plan, x), pictures * 3, timeout=300))
    for (got, clipped), (wanted, counted) in zip(results, want * 3, strict=True):
        np.testing.assert_array_equal(got, wanted)
        assert clipped == counted
    assert cupy_device.POOL.idle == cupy_device.POOL.made <= 3


class CudaError(Exception):
    """Stands for CUDARuntimeError."""


@pytest.mark.parametrize("engine", ["up", "kernels", "down"])
@pytest.mark.parametrize("after", [0, 3])
def test_a_strip_that_fails_leaves_nothing_behind(timed, monkeypatch, timed_cupy, engine, after):
    x = picture((120, 16, 1))
    plan = planned(x, [BLUR])
    want, _ = in_one_piece(timed, plan, x)
    monkeypatch.setattr("convcli.engine.gpu.failures.cuda_failures", lambda: (CudaError,))
    timeline = timed(10)
    timeline.fails[engine] = after, CudaError("an illegal address")
    with pytest.raises(BackendError, match=r"device 0 failed .*an illegal address"):
        run_chain(plan, x)
    assert cupy_device.POOL.idle == cupy_device.POOL.made
    assert all(buffer.is_free for buffer in cupy_device.POOL._idle)
    got, _ = run_chain(plan, x)  # with the same device, streams and buffers
    np.testing.assert_array_equal(got, want)
    assert cupy_device.POOL.idle == cupy_device.POOL.made


@pytest.mark.parametrize("after", [0, 1, 4, 5])
def test_memory_that_runs_out_in_a_strip(timed, timed_cupy, after):
    x = picture((120, 16, 1))
    plan = planned(x, [BLUR, EDGE])
    want, clipped = in_one_piece(timed, plan, x)
    timeline = timed(10)
    plain, left, freed = timed_cupy.empty, [after], []

    def empty(shape, dtype):
        left[0] -= 1
        if left[0] == -1:
            raise timed_cupy.cuda.memory.OutOfMemoryError("out of memory")
        return plain(shape, dtype)

    timed_cupy.empty = empty
    timed_cupy.pool.free_all_blocks = lambda: freed.append(timeline.now)
    got, counted = run_chain(plan, x)
    np.testing.assert_array_equal(got, want)
    assert counted == clipped  # of the strips that came, each once
    assert len(freed) == 1
    # What came before stays; rows that the rest reads go up again, since their slab is gone.
    assert x.nbytes <= timeline.bytes["up"] <= 2 * x.nbytes
    assert timeline.bytes["down"] == got.nbytes
    assert cupy_device.POOL.idle == cupy_device.POOL.made


@pytest.mark.parametrize("beside", [False, True])
def test_memory_that_kernels_had_is_written_after_them_unless_it_is_known_not_to_be(timed, beside):
    timeline = timed()
    x = picture((8, 16))
    with cupy_device.CupyDevice(0) as device:
        timeline.queue(device.stream, "kernels", lambda: None)
        slab = device.xp.empty(x.shape, np.uint8)
        device.upload(x, slab, beside=beside)
        device.finish()
    assert timeline.spans["up"] == [(0.0, 1.0) if beside else (1.0, 2.0)]
    np.testing.assert_array_equal(slab, x)


def test_results_go_where_they_are_wanted(timed):
    x = picture((64, 16, 1))
    plan = planned(x, [BLUR])
    want, _ = in_one_piece(timed, plan, x)
    timed(10)
    out = np.empty_like(want)
    got, _ = run_chain(plan, x, out)
    assert got is out
    np.testing.assert_array_equal(out, want)


def test_so_many_pictures_are_on_devices_at_a_time(monkeypatch):
    here, most, lock = [0], [0], threading.Lock()
    gate = threading.Barrier(AT_ONCE)

    def run_tiles(device, plan, x, out):
        with lock:
            here[0] += 1
            most[0] = max(most[0], here[0])
        gate.wait(60)  # so many have to come in before one goes
        with lock:
            here[0] -= 1
        return x, 0

    class Device:
        def __enter__(self):
            return self

        def __exit__(self, *exception):
            pass

    monkeypatch.setattr(cupy_run, "run_tiles", run_tiles)
    monkeypatch.setattr(cupy_device, "device_of_thread", lambda number: Device())
    x = picture((4, 4, 1))
    plan = planned(x, [BLUR])
    with ThreadPoolExecutor(3 * AT_ONCE) as pool:
        list(pool.map(lambda n: run_chain(plan, x), range(4 * AT_ONCE), timeout=300))
    assert most == [AT_ONCE]


@pytest.mark.parametrize("total", [1e-4, 0.003, 0.03, 0.1, 3.0])
@pytest.mark.parametrize("slowest", [0.4, 0.6, 0.99])
def test_the_number_of_strips_is_the_best_of_its_model(total, slowest):
    best = min(strip_seconds(total, slowest * total, n) for n in range(1, 300))
    found = strip_seconds(total, slowest * total, best_strips(total, slowest * total))
    assert found <= 1.02 * best


def test_strips_pay_for_large_pictures(speeds):
    speeds(upload=1e10, download=1e10, overlap=1.0, host_copy=1e11)

    def rows(height, kernels, dtype="uint8", **options):
        shape = (height, 6000, 3)
        plan = plan_filter(shape, dtype, kernels, backend="numpy", **options)
        return strip_rows(plan)

    assert rows(200, [BLUR]) == 200  # 0.4 ms on the bus
    assert rows(4000, [BLUR]) == 1000  # 7.2 ms each way
    tall = Kernel(np.ones((301, 1)))
    assert rows(4000, [tall]) == 301 * host_strips.HALOS  # lower ones would mostly be margins
    large = Kernel(np.random.default_rng(1).normal(size=(31, 31)))
    assert rows(4000, [large], "float32", algorithm="fft") == 4000
    speeds(upload=1e10, download=1e10, overlap=0.0, host_copy=1e11)
    assert rows(4000, [BLUR]) == 4000  # a bus of one way: nothing is hidden


@pytest.mark.parametrize("hands", [1, 2, 4])
def test_copies_by_several_threads(monkeypatch, hands):
    monkeypatch.setattr("convcli.engine.gpu.host_copies.PART_BYTES", 500)
    monkeypatch.setattr("convcli.engine.gpu.host_copies.default_threads", lambda: 8)
    copies = HostCopies(hands)
    source = picture((200, 70), "float16")
    target = np.zeros((200, 80), np.float32)
    with ThreadPoolExecutor(3) as pool:
        for done in pool.map(
            lambda n: copies.copy(target[n::4, :70], source[n::4]), range(4), timeout=300
        ):
            assert done is None
    np.testing.assert_array_equal(target[:, :70], source.astype(np.float32))
    assert not target[:, 70:].any()
    with pytest.raises(ValueError, match="broadcast"):
        copies.copy(target[:, :60], source)
    assert copies._started == hands - 1


def test_threads_that_cannot_be_started_are_done_without(monkeypatch):
    monkeypatch.setattr("convcli.engine.gpu.host_copies.PART_BYTES", 500)
    monkeypatch.setattr("convcli.engine.gpu.host_copies.default_threads", lambda: 8)

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    source = picture((200, 70))
    target = np.zeros_like(source)
    HostCopies().copy(target, source)
    np.testing.assert_array_equal(target, source)


def test_what_is_timed_is_as_late_as_it_may_be(timed, timed_cupy):
    """The stand-in itself: a buffer that is filled again before its event spoils what went up."""
    timeline = timed()
    pinned = np.arange(4, dtype=np.uint8)
    there = timed_cupy.empty((4,), np.uint8)
    stream = TimedStream(timeline)
    there.data.copy_from_host_async(ctypes.c_void_p(pinned.ctypes.data), 4, stream)
    pinned[:] = 9
    stream.synchronize()
    assert there.tolist() == [9] * 4
    assert timeline.now == 1.0
