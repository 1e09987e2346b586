"""``convcli filter`` on real files: names, streams, options, messages, exit codes."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

PROGRAM = shlex.join([sys.executable, "-m", "convcli"])
"""For shells, wherever Python lies."""

Cli = Callable[..., Any]
ONE_LINE = 1


@pytest.fixture
def folder(tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("portrait.png", "gray16.png", "soft.png", "spin.gif", "sideways.jpg"):
        shutil.copy(samples / name, tmp_path / name)
    image = opened(samples / "portrait.png").convert("RGB").crop((100, 20, 190, 90))
    image.save(tmp_path / "img.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def opened(path: str | Path) -> Image.Image:
    return Image.open(io.BytesIO(Path(path).read_bytes()))


def pixels(path: str | Path) -> np.ndarray:
    return np.asarray(opened(path))


def failed(done: Any, code: int, *words: str) -> None:
    """One line on standard error, nothing on standard output, the right code."""
    assert done.code == code, done.err
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    assert lines[0].startswith("convcli: ")
    for word in words:
        assert word in lines[0]
    assert done.out == b""


# ---------------------------------------------------------------- the main job


def test_the_main_job(convcli: Cli, folder: Path) -> None:
    done = convcli("filter", "img.png", "--kernel", "sobel-x")
    assert done.code == 0
    assert done.out == b""
    assert "img.png -> img-sobel-x.png: 90x70 RGB 8-bit, sobel-x (correlation)" in done.err
    image = pixels("img.png").astype(np.float64)
    weights = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], float)[..., None]
    expected = np.abs(ndimage.correlate(image, weights, mode="mirror")).clip(0, 255)
    np.testing.assert_array_equal(pixels("img-sobel-x.png"), expected)


def test_pipelines(folder: Path) -> None:
    done = subprocess.run(
        f"cat img.png | {PROGRAM} filter - -k gaussian:2 -k sobel | "
        f"{PROGRAM} filter - -k invert -o out.png",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    out = pixels("out.png")
    assert out.shape == (70, 90, 3)
    assert out.mean() > 150  # edges on white


def test_every_border_equals_scipy(convcli: Cli, folder: Path) -> None:
    names = {"edge": "nearest", "reflect": "mirror", "symmetric": "reflect", "wrap": "wrap"}
    (folder / "k.txt").write_text("1 2 0 -1\n3 -4 2 1\n0 1 1 -2\n")
    weights = np.loadtxt(folder / "k.txt")[..., None]
    image = pixels("img.png").astype(np.float64)
    for ours, theirs in names.items():
        convcli("filter", "img.png", "-k", "k.txt", "--border", ours, "-o", f"{ours}.png")
        # SciPy centres an even size after the middle, convcli before it.
        expected = ndimage.correlate(image, weights, mode=theirs, origin=(0, -1, 0))
        np.testing.assert_array_equal(pixels(f"{ours}.png"), expected.clip(0, 255), err_msg=ours)
    convcli("filter", "img.png", "-k", "k.txt", "--border", "constant:9", "-o", "c.png")
    expected = ndimage.correlate(image, weights, mode="constant", cval=9, origin=(0, -1, 0))
    np.testing.assert_array_equal(pixels("c.png"), expected.clip(0, 255))


def test_flip_is_convolution(convcli: Cli, folder: Path) -> None:
    literal = "1 2 3; 0 -1 2; 5 0 -9"
    convcli("filter", "img.png", "-k", literal, "--flip", "-o", "a.png")
    weights = np.array([[1, 2, 3], [0, -1, 2], [5, 0, -9]], float)[..., None]
    image = pixels("img.png").astype(np.float64)
    expected = ndimage.convolve(image, weights, mode="mirror").clip(0, 255)
    np.testing.assert_array_equal(pixels("a.png"), expected)


def test_falling_and_rising_edges_both_show(convcli: Cli, folder: Path) -> None:
    stripe = np.zeros((20, 30, 3), np.uint8)
    stripe[:, 10:20] = 200
    Image.fromarray(stripe).save("stripe.png")
    convcli("filter", "stripe.png", "-k", "sobel-x")
    row = pixels("stripe-sobel-x.png")[10, :, 0]
    assert row[9] == row[10] == row[19] == row[20] == 255
    assert row[8] == row[14] == row[22] == 0


# ------------------------------------------------------------ alpha, depth, metadata


def test_an_opaque_picture_with_alpha_stays_opaque(convcli: Cli, folder: Path) -> None:
    opened("img.png").convert("RGBA").save("opaque.png")
    for kernel in ("sobel-x", "gaussian:2", "sharpen", "laplacian"):
        convcli("filter", "opaque.png", "-k", kernel, "-o", "o.png", "--overwrite")
        convcli("filter", "img.png", "-k", kernel, "-o", "i.png", "--overwrite")
        out = pixels("o.png")
        assert (out[..., 3] == 255).all()
        np.testing.assert_array_equal(out[..., :3], pixels("i.png"))


def test_no_fringe_next_to_transparency(convcli: Cli, folder: Path) -> None:
    # White on a transparent ground whose hidden colour is black, then loud green.
    for hidden in ((0, 0, 0), (0, 255, 0)):
        image = np.zeros((40, 40, 4), np.uint8)
        image[..., :3] = hidden
        image[10:30, 10:30] = 255
        Image.fromarray(image).save("logo.png")
        convcli("filter", "logo.png", "-k", "gaussian:3", "-o", "blur.png", "--overwrite")
        out = pixels("blur.png").astype(int)
        seen = out[..., 3] > 0
        assert seen.sum() > 900
        assert (out[seen][:, :3] == 255).all()
        assert 0 < out[8, 20, 3] < 255


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_rgb_stays_16_bit_rgb(convcli: Cli, folder: Path, suffix: str) -> None:
    import imagecodecs
    import tifffile

    rng = np.random.default_rng(5)
    deep = rng.integers(0, 65536, (33, 47, 3), dtype=np.uint16)
    if suffix == ".png":
        Path("deep.png").write_bytes(imagecodecs.png_encode(deep))
    else:
        tifffile.imwrite("deep.tif", deep, photometric="rgb")
    done = convcli("filter", f"deep{suffix}", "-k", "gaussian-3x3", "-o", f"out{suffix}")
    assert done.code == 0, done.err
    if suffix == ".png":
        got = imagecodecs.png_decode(Path("out.png").read_bytes())
    else:
        got = tifffile.imread("out.tif")
    weights = np.outer([1, 2, 1], [1, 2, 1])[..., None] / 16
    expected = np.rint(ndimage.correlate(deep.astype(np.float64), weights, mode="mirror"))
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got, expected)


def test_a_rotated_jpeg_comes_back_upright_with_its_profile(convcli: Cli, folder: Path) -> None:
    convcli("filter", "sideways.jpg", "-k", "identity", "-o", "up.jpg")
    before, after = opened("sideways.jpg"), opened("up.jpg")
    assert before.size == (320, 256)
    assert after.size == (256, 320)
    assert after.getexif()[0x0112] == 1
    assert after.getexif()[0x010F] == "convcli"
    assert after.info["icc_profile"] == before.info["icc_profile"]
    assert after.info["dpi"] == (300, 300)
    assert after.quantization == before.quantization


def test_an_animation_keeps_frames_and_durations(convcli: Cli, folder: Path) -> None:
    for suffix in (".gif", ".png", ".webp"):
        convcli("filter", "spin.gif", "-k", "sharpen", "-o", f"out{suffix}")
        out = opened(f"out{suffix}")
        assert out.n_frames == 8
        durations = []
        for index in range(8):
            out.seek(index)
            out.load()
            durations.append(out.info["duration"])
        assert durations == [60] * 7 + [400]


def test_frames_are_not_blurred_into_each_other(convcli: Cli, folder: Path) -> None:
    convcli("filter", "spin.gif", "-k", "box:5", "-o", "out.png")
    source, out = opened("spin.gif"), opened("out.png")
    for index in (0, 3, 7):
        source.seek(index), out.seek(index)
        frame = np.asarray(source.convert("RGB"), np.float64)
        expected = ndimage.correlate(frame, np.full((5, 5, 1), 1 / 25), mode="mirror")
        np.testing.assert_allclose(np.asarray(out.convert("RGB")), expected, atol=0.51)


# ------------------------------------------------------------ outputs and refusals


def test_nothing_is_overwritten_without_being_asked(convcli: Cli, folder: Path) -> None:
    Path("out.png").write_bytes(b"precious")
    failed(convcli("filter", "img.png", "-k", "box:3", "-o", "out.png"), 2, "out.png exists")
    assert Path("out.png").read_bytes() == b"precious"
    assert convcli("filter", "img.png", "-k", "box:3", "-o", "out.png", "--overwrite").code == 0
    assert pixels("out.png").shape == (70, 90, 3)


@pytest.mark.parametrize("link", ["name", "symlink", "hardlink"])
def test_the_input_is_not_the_output(convcli: Cli, folder: Path, link: str) -> None:
    before = Path("img.png").read_bytes()
    target = "img.png" if link == "name" else "link.png"
    if link == "symlink":
        Path(target).symlink_to("img.png")
    elif link == "hardlink":
        os.link("img.png", target)
    done = convcli("filter", "img.png", "-k", "box:3", "-o", target, "--overwrite")
    failed(done, 2, "is an input", "--in-place")
    assert Path("img.png").read_bytes() == before


def test_in_place_replaces_the_input(convcli: Cli, folder: Path) -> None:
    before = pixels("img.png")
    assert convcli("filter", "img.png", "-k", "invert", "--in-place").code == 0
    np.testing.assert_array_equal(pixels("img.png"), 255 - before)


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("soft.png", "out.jpg", ("JPEG cannot hold uint8 RGB with alpha", ".png")),
        ("img.png", "out.xyz", ("'.xyz'", "names no format", ".png")),
        ("img.png", "out", ("has no suffix", ".png")),
        ("gray16.png", "out.webp", ("WEBP cannot hold uint16 gray", ".png")),
        ("spin.gif", "out.jpg", ("8 frames", ".gif")),
    ],
    ids=["alpha_to_jpeg", "unknown_suffix", "no_suffix", "16_bit_to_webp", "frames_to_jpeg"],
)
def test_formats_that_cannot_hold_it(
    convcli: Cli, folder: Path, source: str, target: str, words: tuple[str, ...]
) -> None:
    failed(convcli("filter", source, "-k", "box:3", "-o", target), 2, *words)
    assert not Path(target).exists()


def test_float_to_png_says_what_would_work(convcli: Cli, folder: Path) -> None:
    done = convcli("filter", "img.png", "-k", "sobel-x", "--range", "float", "-o", "o.png")
    failed(done, 2, "float32", ".tif")
    done = convcli("filter", "img.png", "-k", "sobel-x", "--range", "float", "-o", "o.tif")
    assert done.code == 0
    import tifffile

    assert tifffile.imread("o.tif").min() < -0.5


@pytest.mark.parametrize(
    ("path", "code", "word"),
    [
        ("missing.png", 2, "no such file"),
        ("missing.tif", 2, "no such file"),
        (".", 2, "is a folder"),
        ("fifo", 2, "not a regular"),
        ("fifo.tif", 2, "not a regular"),
    ],
)
def test_inputs_that_are_no_files(
    convcli: Cli, folder: Path, path: str, code: int, word: str
) -> None:
    os.mkfifo("fifo")
    os.mkfifo("fifo.tif")
    failed(convcli("filter", path, "-k", "box:3", "-o", "o.png"), code, word)


@pytest.mark.parametrize("content", [b"", b"just some text\n"], ids=["empty", "text"])
def test_a_file_that_is_no_picture(convcli: Cli, folder: Path, content: bytes) -> None:
    Path("bad.png").write_bytes(content)
    Path("o.png").write_bytes(b"old")
    failed(convcli("filter", "bad.png", "-k", "box:3", "-o", "o.png", "--overwrite"), 1, "bad.png")
    assert Path("o.png").read_bytes() == b"old"


@pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="needs setpriv")
def test_a_file_without_permission(folder: Path) -> None:
    Path("img.png").chmod(0)
    folder.chmod(0o777)
    for parent in list(folder.parents)[:3]:
        if parent.owner() and parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(0o755)
    command = [sys.executable, "-m", "convcli", "filter", "img.png", "-k", "box:3"]
    if os.geteuid() == 0:
        # Root may read anything; nobody may not. The interpreter may lie where nobody cannot
        # go, so only the capability that overrides permissions is given up.
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
        command[2:2] = ["--inh-caps=-dac_override,-dac_read_search"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert done.stderr == "convcli: img.png: Permission denied\n"


def test_a_batch_goes_on_past_failures(convcli: Cli, folder: Path) -> None:
    Path("bad.png").write_bytes(b"nothing")
    done = convcli(
        "filter", "img.png", "bad.png", "missing.png", ".", "soft.png", "-k", "box:3", "-o", "out/"
    )
    assert done.code == 1
    assert sorted(p.name for p in Path("out").iterdir()) == ["img.png", "soft.png"]
    assert "bad.png" in done.err
    assert "3 of 5 pictures failed" in done.err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sub", "sub is a folder; name the files in it"),
        ("missing", "missing: there is no such file"),
    ],
)
def test_what_is_no_file_is_told_before_the_name_of_its_output(
    convcli: Cli, folder: Path, name: str, says: str
) -> None:
    Path("sub").mkdir()
    done = convcli("filter", "img.png", name, "soft.png", "-k", "box:3", "-o", "out/")
    assert done.code == 1
    assert f"convcli: {says}" in " ".join(done.err.split())
    assert sorted(p.name for p in Path("out").iterdir()) == ["img.png", "soft.png"]


def test_two_inputs_for_one_output_are_found_before_any_work(convcli: Cli, folder: Path) -> None:
    for name in ("a", "b"):
        Path(name).mkdir()
        shutil.copy("img.png", f"{name}/x.png")
    failed(
        convcli("filter", "a/x.png", "b/x.png", "-k", "box:3", "-o", "out/"),
        2,
        "a/x.png",
        "b/x.png",
    )
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "name",
    [
        b"-rf.png",
        b"new\nline.png",
        b"bad\xff\xfebytes.png",
        b"[red].png",
        b"photo[red].png",
        b"n" * 251 + b".png",
        "ü日本.png".encode(),
    ],
    ids=["dash", "newline", "no_utf8", "markup", "brackets", "255_bytes", "unicode"],
)
def test_awkward_names(convcli: Cli, folder: Path, name: bytes) -> None:
    shutil.copy(b"img.png", name)
    done = convcli("filter", "-k", "box:3", "--", name)
    assert done.code == 0, done.err
    made = [os.fsencode(p.name) for p in folder.glob("*-box.png")]
    assert len(made) == 1
    assert len(made[0]) <= 255
    assert len(done.err.splitlines()) == ONE_LINE
    if name == b"[red].png":
        assert "[red].png -> [red]-box.png" in done.err


def test_a_missing_output_folder_is_named_before_decoding(convcli: Cli, folder: Path) -> None:
    done = convcli("filter", "img.png", "-k", "box:3", "-o", "nowhere/o.png")
    failed(done, 2, "there is no folder", "nowhere", "make it first")


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_standard_output(folder: Path, buffered: str) -> None:
    env = {**os.environ, "PYTHONUNBUFFERED": buffered}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "convcli", "filter", "img.png", "-k", "box:3", "-o", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=env,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr == "convcli: standard output: No space left on device\n"


def test_a_reader_that_leaves_early_is_no_error(folder: Path) -> None:
    shutil.copy("portrait.png", "big.png")
    script = f"{PROGRAM} filter big.png -k box:3 -o - | head -c 10 >/dev/null; "
    done = subprocess.run(
        ["bash", "-c", script + 'echo "${PIPESTATUS[0]}"'], capture_output=True, text=True
    )
    assert done.stdout == "141\n"
    assert "Error" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    ["filter img.png -k box:3 -o -", "kernel list", "shape --n 5 --k 3", "conv '1 2 3' '1 1'"],
    ids=["filter", "kernel", "shape", "conv"],
)
def test_a_closed_standard_output(folder: Path, command: str) -> None:
    script = f"{PROGRAM} {command} >&-"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "convcli: standard output is closed\n"


def test_binary_is_not_written_to_a_terminal(folder: Path) -> None:
    import pty

    main, side = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "convcli", "filter", "img.png", "-k", "box:3", "-o", "-"],
        stdout=side,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(side), os.close(main)
    assert done.returncode == 2
    assert "standard output is a terminal" in done.stderr


# ------------------------------------------------------------ options and reports


def test_json_has_the_promised_keys(convcli: Cli, folder: Path) -> None:
    done = convcli("filter", "img.png", "-k", "sobel-x", "--stride", "2,1", "--json")
    report = json.loads(done.out)
    keys = (
        "input output kernel flip shape_in shape_out padding stride dilation border range "
        "clipped_fraction backend algorithm reason seconds"
    )
    assert set(keys.split()) <= set(report)
    assert report["shape_in"] == [70, 90, 3]
    assert report["shape_out"] == [35, 90, 3]
    assert report["range"] == "abs"
    assert set(report["seconds"]) >= {"read", "decode", "filter", "encode", "write"}


def test_json_and_picture_do_not_share_standard_output(convcli: Cli, folder: Path) -> None:
    failed(convcli("filter", "img.png", "-k", "box:3", "-o", "-", "--json"), 2, "--json")


def test_explain_says_what_each_kernel_makes_of_missing_samples(convcli: Cli, folder: Path) -> None:
    np.save(folder / "x.npy", np.arange(30, dtype=np.int16).reshape(5, 6))
    chain = ("filter", "x.npy", "-k", "gaussian:1 | sobel-x | sum:3", "--explain")
    told = [line.split() for line in convcli(*chain, "--nodata", "7").err.splitlines()]
    assert [line[1] for line in told if line[:1] == ["missing"]] == [
        "renormalize:",
        "centre:",
        "the",
    ]
    assert not [
        line for line in convcli(*chain, "--overwrite").err.splitlines() if "missing" in line
    ]


def test_explain_shows_the_working(convcli: Cli, folder: Path) -> None:
    done = convcli("filter", "img.png", "-k", "box:5", "--padding", "valid", "--explain")
    assert "floor((70 + 0 + 0 - 5) / 1) + 1 = 66" in done.err
    assert "algorithm" in done.err
    assert "backend" in done.err


@pytest.mark.parametrize("name", ["direct", "separable", "fft"])
def test_algorithm_is_forced_and_changes_nothing(convcli: Cli, folder: Path, name: str) -> None:
    convcli("filter", "img.png", "-k", "gaussian:2", "-o", "chosen.png")
    args = ("filter", "img.png", "-k", "gaussian:2", "-o", "forced.png", "--json")
    done = convcli(*args, "--algorithm", name)
    assert json.loads(done.out)["algorithm"] == [name]
    difference = pixels("forced.png").astype(int) - pixels("chosen.png")
    assert abs(difference).max() <= 1


def test_small_compression_saves_bytes(convcli: Cli, folder: Path) -> None:
    for compression in ("default", "small"):
        args = ("filter", "portrait.png", "-k", "gaussian:1", "-o", f"{compression}.png")
        assert convcli(*args, "--compression", compression).code == 0
    assert (pixels("default.png") == pixels("small.png")).all()
    assert Path("small.png").stat().st_size < Path("default.png").stat().st_size


def test_dry_run_writes_nothing(convcli: Cli, folder: Path) -> None:
    before = sorted(folder.iterdir())
    assert convcli("filter", "img.png", "-k", "box:3", "--dry-run").code == 0
    assert sorted(folder.iterdir()) == before


def test_quiet_says_nothing(convcli: Cli, folder: Path) -> None:
    done = convcli("filter", "img.png", "-k", "box:3", "-q")
    assert (done.code, done.out, done.err) == (0, b"", "")


def test_clipping_is_warned_of(convcli: Cli, folder: Path) -> None:
    done = convcli("filter", "img.png", "-k", "box:3", "--scale", "4")
    assert "fell outside the range and were clipped" in done.err
    done = convcli("filter", "img.png", "-k", "gaussian:1", "-o", "g.png")
    assert "clipped" not in done.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-k", "sobbel-x"], ("did you mean", "sobel-x")),
        (["-k", "box:3", "--border", "reflct"], ("did you mean 'reflect'",)),
        (["-k", "box:3", "--range", "abz"], ("did you mean 'abs'",)),
        (["-k", "box:3", "--stride", "0"], ("--stride is 0", "1 or more")),
        (["-k", "box:3", "--padding", "1,2,3"], ("T,R,B,L",)),
        (["-k", "box:3", "--padding", "valid", "--depth", "12"], ("--depth", "8, 16, float")),
        (["-k", "box:200", "--padding", "valid"], ("the output is empty",)),
        (["-k", "1 2; 3"], ("2",)),
        (["-k", "nan"], ()),
        (["-k", "box:3", "--algorithm", "fir"], ("--algorithm", "direct, separable, box, fft")),
        (["-k", "sobel-x", "--algorithm", "box"], ("'box' cannot do this kernel",)),
        (["-k", "box:3", "--compression", "best"], ("--compression", "default, small")),
        (["--kernl", "box:3"], ("--kernl",)),
        ([], ("--kernel",)),
        (["-k", "laplacian", "--normalize"], ("sum to 0",)),
    ],
    ids=lambda value: "_".join(value)[:30] if isinstance(value, list) else "",
)
def test_mistakes_get_one_line(
    convcli: Cli, folder: Path, args: list[str], words: tuple[str, ...]
) -> None:
    failed(convcli("filter", "img.png", *args), 2, *words)
    assert not list(folder.glob("img-*"))


def test_a_misspelt_command_is_guessed(convcli: Cli) -> None:
    failed(convcli("fliter"), 2, "did you mean 'filter'")


def test_identity_in_a_chain_has_one_rounding(convcli: Cli, folder: Path) -> None:
    convcli("filter", "img.png", "-k", "box:3", "-k", "box:3", "-o", "chain.png")
    image = pixels("img.png").astype(np.float64)
    box = np.full((3, 3, 1), 1 / 9)
    once = ndimage.correlate(image, box, mode="mirror")
    expected = ndimage.correlate(once, box, mode="mirror")
    assert np.abs(pixels("chain.png") - expected).max() < 0.502


@pytest.mark.parametrize(
    ("option", "expected"),
    [("clip", [0, 255]), ("abs", [255, 255]), ("offset", [0, 255]), ("stretch", [0, 255])],
)
def test_ranges(convcli: Cli, folder: Path, option: str, expected: list[int]) -> None:
    stripe = np.zeros((9, 30, 3), np.uint8)
    stripe[:, 10:20] = 200
    Image.fromarray(stripe).save("s.png")
    convcli("filter", "s.png", "-k", "sobel-x", "--range", option, "-o", "o.png")
    row = pixels("o.png")[4, :, 0]
    assert [row[20], row[10]] == expected
    assert option != "stretch" or row[4] in (127, 128)
    assert row[4] == {"clip": 0, "abs": 0, "offset": 128, "stretch": row[4]}[option]


def test_linear_light_keeps_lights_bright(convcli: Cli, folder: Path) -> None:
    board = np.indices((16, 16)).sum(0) % 2 * 255
    Image.fromarray(board.astype(np.uint8)).save("b.png")
    convcli("filter", "b.png", "-k", "box:2", "--linear", "-o", "l.png")
    convcli("filter", "b.png", "-k", "box:2", "-o", "g.png")
    assert (pixels("l.png") == 188).all()  # half the light, through the sRGB curve
    assert (pixels("g.png") == 128).all()


def test_luma_leaves_colour_alone(convcli: Cli, folder: Path) -> None:
    convcli("filter", "img.png", "-k", "gaussian:2", "--luma", "-o", "l.png")
    before, after = pixels("img.png").astype(float), pixels("l.png").astype(float)
    inside = ((after > 1) & (after < 254)).all(-1)
    change = after - before
    assert inside.sum() > 4000
    assert np.abs(change[inside] - change[inside][:, :1]).max() <= 1.0
    assert np.abs(change).max() > 10


@pytest.mark.parametrize("depth", ["8", "16", "float"])
def test_depth(convcli: Cli, folder: Path, depth: str) -> None:
    suffix = ".tif" if depth == "float" else ".png"
    convcli("filter", "img.png", "-k", "identity", "--depth", depth, "-o", f"o{suffix}")
    import imagecodecs
    import tifffile

    data = Path(f"o{suffix}").read_bytes()
    got = tifffile.imread(io.BytesIO(data)) if depth == "float" else imagecodecs.png_decode(data)
    scale = {"8": 1, "16": 257, "float": 1 / 255}[depth]
    np.testing.assert_allclose(got, pixels("img.png").astype(np.float64) * scale, rtol=1e-6)


def test_grayscale_and_sepia_mix_channels(convcli: Cli, folder: Path) -> None:
    convcli("filter", "img.png", "-k", "grayscale", "-o", "g.png")
    image = pixels("img.png").astype(float)
    expected = image @ [0.2126, 0.7152, 0.0722]
    assert np.abs(pixels("g.png") - expected).max() <= 0.5001
    convcli("filter", "soft.png", "-k", "sepia", "-o", "s.png")
    assert pixels("s.png").shape == (256, 256, 4)
    convcli("filter", "g.png", "-k", "sepia", "-o", "gs.png")
    assert pixels("gs.png").shape == (70, 90, 3)


def test_cupy_by_name_says_what_is_missing(convcli: Cli, folder: Path) -> None:
    try:
        import cupy  # noqa: F401

        pytest.skip("CuPy is installed; its own tests look at this")
    except ImportError:
        pass
    done = convcli("filter", "img.png", "-k", "box:3", "--backend", "cupy")
    failed(done, 2, "CuPy is not installed", "cuda13")
