"""Transparency and missing samples on a GPU: the samples of the CPU, and one way over the bus.

Without a GPU the device is the stand-in for CuPy, which mixes no arrays with NumPy's.
"""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

import convcli
from convcli.arithmetic.borders import FILLING
from convcli.cli import app
from convcli.engine.backends import NUMPY, Backend
from convcli.engine.gpu import cupy_device
from convcli.errors import BackendError, InputError, UsageError
from convcli.imaging.stages import on_device
from convcli.imaging.stages.on_device import DeviceResult

pytestmark = pytest.mark.gpu
SIZE = 19, 23
HOLE = -9999


def light(channels, dtype):
    rng, white = np.random.default_rng(channels), 1 if dtype == np.float32 else np.iinfo(dtype).max
    x = (rng.random((*SIZE, channels)) * white).astype(dtype)
    x[rng.random(SIZE) < 0.2, -1] = 0
    x[4:9, 6:13, -1] = 0
    return x


def holed(dtype, hole):
    rng = np.random.default_rng(7)
    x = (rng.random((*SIZE, 2)) * 120 - 20 * (np.dtype(dtype).kind != "u")).astype(dtype)
    x[rng.random(x.shape) < 0.1] = hole
    x[4:9, 6:13] = hole
    return x


@pytest.fixture
def bus(cupy, monkeypatch):
    """What crosses it, in order."""
    crossed = []
    device = cupy_device.CupyDevice

    def counted(name):
        whole = getattr(device, name)

        def moved(self, one, other, **how):
            crossed.append((name, (other if name == "upload" else one).dtype.name))
            whole(self, one, other, **how)

        monkeypatch.setattr(device, name, moved)

    counted("upload")
    counted("download")
    return crossed


def near(got, want, dtype):
    """To the bit, but for a level of whole numbers where sums are of floats."""
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    if np.dtype(dtype).kind == "f":
        atol = (1e-12 if got.dtype == np.float64 else 3e-6) * float(np.nanmax(np.abs(want)))
        np.testing.assert_allclose(got, want, atol=atol)
        return
    off = np.abs(got.astype(np.float64) - want)
    assert off.max() <= 1
    assert np.count_nonzero(off) <= got.size // 50


def both(x, kernel, **how):
    return [convcli.filter_image(x, kernel, backend=name, **how) for name in ("cupy", "numpy")]


CHAIN = ["gaussian:1", "sobel-x", "box:3"]


@pytest.mark.parametrize("kernel", ["gaussian:1", "sharpen", CHAIN], ids=str)
@pytest.mark.parametrize(
    ("channels", "dtype"),
    [(4, np.uint8), (4, np.uint16), (2, np.uint8), (2, np.float32)],
)
def test_transparency(bus, channels, dtype, kernel):
    x = light(channels, dtype)
    got, want = both(x, kernel)
    near(got, want, dtype)
    assert bus == [("upload", x.dtype.name), ("download", x.dtype.name)]


@pytest.mark.parametrize(
    "how",
    [{"linear": True}, {"luma": True}, {"depth": 16}, {"range": "stretch"}, {"bias": 20.0}],
    ids=str,
)
def test_what_stands_around_the_kernels(bus, how):
    x = light(4, np.uint8)
    got, want = both(x, "gaussian:1", **how)
    near(got, want, got.dtype)
    assert [name for name, _ in bus] == ["upload", "download"]
    assert bus[0][1] == "uint8"


MISSING = {
    "nan": (holed("float32", np.nan), {"values": True}),
    "float64": (holed("float64", np.nan), {"values": True}),
    "int16": (holed("int16", HOLE), {"nodata": HOLE}),
    "uint8": (holed("uint8", 7), {"nodata": 7, "values": True}),
    "int64": (holed("int64", HOLE), {"nodata": HOLE}),
}
KERNELS = {
    "counted": ("box:3", {}),
    "weighted": ("gaussian:1", {}),
    "centred": ("sobel-x", {}),
    "stack": ("sobel", {}),
    "total": ("sum:3", {"fill": True}),
    "propagate": ("gaussian:1", {"missing": "propagate"}),
    "filled": ("gaussian:1", {"fill": True, "min_valid": 0.3}),
    "chain": (CHAIN, {}),
}
FEW = {"counted", "stack", "total", "propagate", "filled", "chain"}


@pytest.mark.parametrize(("kind", "kernel"), [
    pytest.param(kind, kernel, marks=[pytest.mark.slow] if "64" in kind and kernel in FEW else [])
    for kind in MISSING for kernel in KERNELS
])  # fmt: skip
def test_missing_samples(bus, kind, kernel):
    (x, how), (name, more) = MISSING[kind], KERNELS[kernel]
    got, want = both(x, name, **how, **more)
    near(got, want, x.dtype)
    assert bus == [("upload", x.dtype.name), ("download", x.dtype.name)]


@pytest.mark.parametrize("border", [*FILLING, "missing", "constant:40"])
def test_borders(bus, border):
    x, how = MISSING["int16"]
    got, want = both(x, "gaussian:1", border=border, padding=3, **how)
    near(got, want, x.dtype)
    if border != "missing":
        got, want = both(light(4, np.uint8), "gaussian:1", border=border, stride=(2, 1))
        near(got, want, np.uint8)
    assert len(bus) == 2 + 2 * (border != "missing")


def test_nothing_missing_goes_the_plain_way_to_the_same_bits(bus):
    x = holed("int16", 5)
    got, want = both(x, "box:3")
    near(got, want, x.dtype)
    assert len(bus) == 2


def write(path, x):
    if path.suffix == ".tif":
        tifffile.imwrite(path, x)
    else:
        Image.fromarray(x).save(path)
    return str(path)


@pytest.mark.parametrize(
    ("name", "x", "words"),
    [
        ("a.png", light(4, np.uint8), ["-k", "gaussian:1", "-k", "sharpen"]),
        ("a.png", light(2, np.uint8), ["-k", "box:3"]),
        ("a.png", light(4, np.uint8), ["-k", "box:3", "--values"]),
        ("a.tif", holed("int16", HOLE)[..., 0], ["-k", "box:3", f"--nodata={HOLE}"]),
        ("a.tif", holed("float32", np.nan)[..., 0], ["-k", "box:3", "--fill"]),
    ],
    ids=["rgba", "la", "alpha_of_values", "int16", "nan"],
)
def test_the_whole_command_writes_the_same_file(bus, capfd, tmp_path, name, x, words):
    source, said = write(tmp_path / name, x), []
    for backend in ("cupy", "numpy"):
        target = tmp_path / f"{backend}{name[1:]}"
        line = ["filter", source, *words, "--backend", backend, "-o", str(target), "--json"]
        assert app.run(line) == 0
        said.append(json.loads(capfd.readouterr().out))
    got, want = tmp_path / f"cupy{name[1:]}", target
    if x.dtype.kind == "f":
        near(tifffile.imread(got), tifffile.imread(want), x.dtype)
    else:
        assert got.read_bytes() == want.read_bytes()
    assert [one.pop("backend") for one in said] == ["cupy", "numpy"]
    assert said[0]["missing"] == said[1]["missing"]
    assert said[0]["clipped_fraction"] == said[1]["clipped_fraction"]
    assert [way for way, _ in bus] == ["upload", "download"]


def test_transforms_where_they_are_good_enough(bus, monkeypatch, capfd, tmp_path):
    """A large kernel on colours and alpha goes through CuPy's; beside missing samples none does."""
    transformed, irfft2 = [], sys.modules["cupy"].fft.irfft2
    monkeypatch.setattr(
        sys.modules["cupy"].fft, "irfft2", lambda *args: (transformed.append(1), irfft2(*args))[1]
    )
    kernel = tmp_path / "k.csv"
    np.savetxt(kernel, np.random.default_rng(2).random((9, 9)) / 40, delimiter=",")
    for name, x, words, all_of_them in [
        ("a.png", light(4, np.uint8), ["--algorithm", "fft"], True),
        ("a.tif", holed("int16", HOLE)[..., 0], [f"--nodata={HOLE}"], False),
    ]:
        source, transformed[:] = write(tmp_path / name, x), []
        for backend in ("cupy", "numpy"):
            target = str(tmp_path / f"{backend}.{name}")
            line = ["filter", source, "-k", str(kernel), *words, "--backend", backend]
            assert app.run([*line, "-o", target]) == 0, capfd.readouterr().err
        read = tifffile.imread if "tif" in name else lambda path: np.asarray(Image.open(path))
        near(read(tmp_path / f"cupy.{name}"), read(tmp_path / f"numpy.{name}"), x.dtype)
        assert bool(transformed) == all_of_them


def test_what_the_cpu_refuses_is_refused(bus):
    x = holed("float32", np.nan)[..., 0]
    x[0, 0] = np.inf
    with pytest.raises(InputError, match="infinite"):
        convcli.filter_image(x, "box:3", backend="cupy")
    with pytest.raises(UsageError, match="takes none"):
        convcli.filter_image(
            holed("int16", HOLE), "sobel-x", nodata=HOLE, fill=True, backend="cupy"
        )
    huge = np.full((5, 5, 3), 1e30, np.float32)
    with pytest.raises(InputError, match=r"1e\+30, where 1 is white, has no linear light"):
        convcli.filter_image(huge, "box:3", linear=True, backend="cupy")


def test_ranks_beside_missing_samples_are_the_cpus_and_say_so(bus):
    x = holed("float32", np.nan)[..., 0]
    with pytest.raises(BackendError, match="backend cupy: median is done on the CPU only"):
        convcli.filter_image(x, "median:3", backend="cupy")
    assert bus == []


def test_weights_that_a_gpu_would_take_for_0_are_the_cpus_and_say_so(
    bus, monkeypatch, capfd, tmp_path
):
    source, target = write(tmp_path / "a.tif", holed("float32", np.nan)[..., 0]), tmp_path / "o.tif"
    line = ["filter", source, "-k", "1e-38 1 1e-38", "-o", str(target)]
    assert app.run([*line, "--backend", "cupy"]) == 2
    words = "has weights near 0, which is done on the CPU only"
    assert re.fullmatch(rf"convcli: backend cupy: .* {words}\n", capfd.readouterr().err)
    assert not target.exists()
    monkeypatch.setattr("convcli.engine.plan.weigh", lambda *_: (Backend("cupy"), "predicted"))
    assert app.run(line) == 0
    assert words in capfd.readouterr().err
    assert target.exists()
    assert bus == []


def test_a_device_that_is_full_is_an_error_by_name_and_a_note_under_auto(
    bus, cupy, monkeypatch, capfd, tmp_path
):
    def full(*_):
        raise cupy.cuda.memory.OutOfMemoryError(512, 1024)

    source, target = write(tmp_path / "a.png", light(4, np.uint8)), tmp_path / "o.png"
    monkeypatch.setattr("convcli.imaging.stages.on_device.upload", full)
    monkeypatch.setattr("convcli.engine.plan.weigh", lambda *_: (Backend("cupy"), "predicted"))
    line = ["filter", source, "-k", "gaussian:1", "-o", str(target)]
    assert app.run([*line, "--backend", "cupy"]) == 2
    words = r"device 0 is out of memory for 23x19x4, even in strips of few rows \(Out of memory allocating 512 bytes .*\)"
    assert re.fullmatch(rf"convcli: backend cupy: {words}; .*\n", capfd.readouterr().err)
    assert not target.exists()
    assert app.run(line) == 0
    assert re.search(f"the GPU could not: {words}", capfd.readouterr().err)
    want = convcli.filter_image(np.asarray(Image.open(source)), "gaussian:1", backend="numpy")
    np.testing.assert_array_equal(np.asarray(Image.open(target)), want)


def test_what_auto_puts_on_the_gpu_stays_there(bus, monkeypatch):
    """All parts of a chain run where the chain as a whole was weighed to."""
    monkeypatch.setattr("convcli.engine.plan.weigh", lambda *_: (Backend("cupy"), "predicted"))
    for x, how in [(light(4, np.uint8), {}), MISSING["int16"]]:
        near(
            *(convcli.filter_image(x, CHAIN, backend=b, **how) for b in ("auto", "numpy")), x.dtype
        )
        assert [name for name, _ in bus] == ["upload", "download"]
        bus.clear()


def test_what_auto_leaves_on_the_cpu_stays_there(bus, monkeypatch):
    asked = []

    def weigh(work, count=1):
        asked.append(work)
        return (NUMPY, "predicted") if len(asked) == 1 else (Backend("cupy"), "predicted")

    monkeypatch.setattr("convcli.engine.plan.weigh", weigh)
    x, how = MISSING["int16"]
    convcli.filter_image(x, CHAIN, **how)
    assert len(asked) == 1
    assert bus == []


@pytest.mark.parametrize("border", ["reflect", "wrap", "constant:9"])
@pytest.mark.parametrize("stride", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_strips_give_what_the_whole_gives(bus, monkeypatch, border, stride):
    for x, how in [(light(4, np.uint8), {}), MISSING["int16"]]:
        how = {**how, "border": border, "stride": (stride, 1), "backend": "cupy"}
        want = convcli.filter_image(x, CHAIN, **how)
        bus.clear()
        for rows in (1, 5):
            with monkeypatch.context() as patched:
                patched.setattr(DeviceResult, "_rows", lambda self, free, rows=rows: rows)
                np.testing.assert_array_equal(convcli.filter_image(x, CHAIN, **how), want)
            assert len(bus) == 2 * -(-len(want) // rows)
            bus.clear()


def test_strips_shrink_until_they_fit_and_count_once(bus, cupy, monkeypatch, capfd, tmp_path):
    x = np.tile(MISSING["int16"][0][..., :1], (3, 1, 1))
    source, said = write(tmp_path / "a.tif", x[..., 0]), []
    seen = []

    def crowded(device, x, whole=on_device.upload):
        seen.append(len(x))
        if len(x) > 25:
            raise cupy.cuda.memory.OutOfMemoryError(512, 1024)
        return whole(device, x)

    monkeypatch.setattr(on_device, "upload", crowded)
    for name in ("cupy", "numpy"):
        line = ["filter", source, "-k", "sharpen", f"--nodata={HOLE}:255", "--backend", name]
        assert (
            app.run([*line, "--json", "--depth", "uint8", "-o", str(tmp_path / f"{name}.tif")]) == 0
        )
        said.append(json.loads(capfd.readouterr().out))
    assert (tmp_path / "cupy.tif").read_bytes() == (tmp_path / "numpy.tif").read_bytes()
    assert seen == [57, 29, 17, 18, 18, 10]
    for key in ("missing", "clipped_fraction"):
        assert said[0][key] == said[1][key] > 0


def test_rows_of_strips_follow_from_the_free_memory(bus, monkeypatch):
    x, how = MISSING["int16"]
    rows = 7
    free = int(rows * 23 * 2 * 4 * on_device.LAYERS) + 1
    want = convcli.filter_image(x, "box:3", backend="numpy", **how)
    monkeypatch.setattr(cupy_device.CupyDevice, "free_bytes", lambda self: free)
    np.testing.assert_array_equal(convcli.filter_image(x, "box:3", backend="cupy", **how), want)
    assert len(bus) == 2 * -(-19 // rows)


@pytest.mark.parametrize("kernel", ["gaussian:1", "sharpen", CHAIN], ids=str)
@pytest.mark.parametrize("kind", ["rgba", "int16", "nan"])
def test_strips_fit_into_the_memory_that_they_were_made_for(bus, cupy, monkeypatch, kind, kernel):
    x, how = (light(4, np.uint8), {}) if kind == "rgba" else MISSING[kind]
    x = np.tile(x, (24, 3, 1))
    want = convcli.filter_image(x, kernel, backend="numpy", **how)
    convcli.filter_image(x, kernel, backend="cupy", **how)  # what is kept lies there now
    released, pool = [], cupy.get_default_memory_pool()
    monkeypatch.setattr(cupy_device.CupyDevice, "release", lambda self: released.append(1))
    pool.free_all_blocks()
    pool.set_limit(size=pool.used_bytes() + 4_000_000)
    bus.clear()
    near(convcli.filter_image(x, kernel, backend="cupy", **how), want, x.dtype)
    pool.set_limit(size=0)
    assert len(bus) > 2
    assert released == []
