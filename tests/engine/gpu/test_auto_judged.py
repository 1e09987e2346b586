"""``auto`` beside what would really end sooner, by measured CPU times and simulated GPUs.

The times are in ``docs/performance/auto.json``; ``benchmarks/auto_simulation.py`` has no line of the
formulas that are judged, and is held to what can be worked out by hand.
"""

from __future__ import annotations

import math

import pytest
from auto_cases import FILTERS, SIZES
from auto_judged import BOUND, WORKERS, judged, picture_of
from auto_simulation import DEVICES, Queues, Task, on_cpu, on_gpu

from convcli.engine.dispatch import loops
from convcli.engine.gpu.predicted import cpu_seconds, gpu_seconds

pytestmark = pytest.mark.skipif(
    loops().name != "compiled", reason="the times are those of the compiled loops"
)
SOME = {"sizes": SIZES[::4], "workers": (1, 4, 16)}


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def wrong(found):
    return [each for each in found if each.loss > BOUND]


@pytest.mark.parametrize("device", DEVICES, ids=[device.name for device in DEVICES])
def test_no_choice_takes_much_longer_than_the_other(device):
    found = list(judged([device], **SOME))
    assert len(found) > 900
    assert len({each.takes_gpu for each in found}) == 2
    assert wrong(found) == []


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES, ids=[device.name for device in DEVICES])
def test_no_choice_of_27400(device):
    found = list(judged([device], SIZES, WORKERS))
    assert len(found) == 6850
    assert wrong(found) == []


def each_worker_for_itself(side):
    """As it was: a worker compares one thread, and its share, with a whole GPU."""

    def seconds(work, speeds, count, workers, cores):
        return side(work, speeds, math.ceil(count / workers), 1, cores)

    return seconds


def without(**nothing):
    """A GPU's prediction that leaves something out."""

    def seconds(work, speeds, *situation):
        return gpu_seconds(work._replace(**nothing), speeds, *situation)

    return seconds


def without_doubles(work, speeds, *situation):
    passes = tuple(each._replace(doubles=0.0) for each in work.passes)
    return gpu_seconds(work._replace(passes=passes), speeds, *situation)


def without_copies(work, speeds, *situation):
    quick = type(speeds)(
        **{name: getattr(speeds, name) for name in speeds.__slots__} | {"host_copy": 1e15}
    )
    return gpu_seconds(work, quick, *situation)


def former_cpu(work, speeds, count, workers, cores):
    seconds = sum(fixed + units for _, fixed, units in work.loops)
    return speeds.cpu * seconds / work.threads * math.ceil(count / workers)


def former_gpu(work, speeds, count, workers, cores):
    """What stood in ``backends.py``: floats in memory, one pass, no more than loading a kernel."""
    item = 8 if work.loops[0][0].endswith("float64") else 1
    samples_in, samples_out = work.bytes_in / item, work.bytes_out / item
    multiply_adds = sum(each.operations + each.doubles for each in work.passes)
    each = work.bytes_in / speeds.upload + work.bytes_out / speeds.download
    each += max(
        4 * (samples_in + samples_out) / speeds.memory, multiply_adds / speeds.multiply_adds
    )
    return speeds.start + speeds.load + each * math.ceil(count / workers)


MUTANTS = {
    "as it was": (former_cpu, former_gpu),
    "each worker for itself": tuple(map(each_worker_for_itself, (cpu_seconds, gpu_seconds))),
    "nothing is compiled": (cpu_seconds, without(compile=0.0)),
    "decoding is free": (cpu_seconds, without(codec=0.0)),
    "float64 is free": (cpu_seconds, without_doubles),
    "copies are free": (cpu_seconds, without_copies),
    "kernels are free": (cpu_seconds, without(passes=())),
    "always the CPU": (lambda *_: 0.0, gpu_seconds),
    "always a GPU": (cpu_seconds, lambda *_: 0.0),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_what_counts_less_is_caught(name):
    assert wrong(judged(**SOME, formulas=MUTANTS[name]))


def ends(servers, *tasks):
    return Queues(servers).run([Task(*task) for task in tasks])


def test_one_server_takes_one_after_another():
    assert ends({"up": 1}, ("up", 1.0), ("up", 2.0), ("up", 3.0)) == [1.0, 3.0, 6.0]


def test_a_chain_waits_for_what_is_before_it():
    tasks = ("up", 1.0), ("device", 2.0, (0,)), ("up", 1.0), ("device", 2.0, (1, 2))
    assert ends({"up": 1, "device": 1}, *tasks) == [1.0, 3.0, 2.0, 5.0]


def test_cores_are_shared_by_turns():
    three = ends({"cores": 2}, *[("cores", 1.0)] * 3)
    assert max(three) == pytest.approx(1.5, abs=0.1)
    assert min(three) > 1.2


@pytest.mark.parametrize("device", DEVICES, ids=[device.name for device in DEVICES])
def test_a_simulated_batch_is_bound_by_its_slowest_part(device):
    picture = picture_of(FILTERS[0], 6000, 4000, cold=False, coded=False)
    count, workers = 60, 8
    took = on_gpu(device, picture, count, workers) - on_gpu(device, picture, 1, 1)
    ways = picture.bytes_in / device.up, picture.bytes_out / device.down
    bus = max(ways) if device.duplex else sum(ways)
    computing = sum(kernel.seconds(device, picture.samples) for kernel in picture.kernels)
    copies = (picture.bytes_in + picture.bytes_out) / device.host_copy / min(4, device.cores)
    least = count * max(bus, computing, copies)
    assert 0.95 * least <= took <= 1.5 * least


@pytest.mark.parametrize("side", [on_cpu, on_gpu])
def test_simulated_batches_end_sooner_with_more_workers_and_later_with_more_pictures(side):
    device = DEVICES[0]
    picture = picture_of(FILTERS[2], 1024, 768, cold=False, coded=True)
    by_workers = [side(device, picture, 32, workers) for workers in (2, 4, 8)]
    assert by_workers == sorted(by_workers, reverse=True)
    by_count = [side(device, picture, count, 4) for count in (4, 8, 16, 32)]
    assert by_count == sorted(by_count)
