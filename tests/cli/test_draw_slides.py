"""``convcli draw`` for a lecture: folders of stills, decks, videos, and what can go wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader

from convcli.errors import UsageError
from convcli.imaging import video
from convcli.show.draw.drawing_bytes import drawing_bytes
from convcli.show.draw.figure import draw
from convcli.show.draw.given_operation import classic_operation
from convcli.show.draw.layout import Drawing, lay_out
from convcli.show.draw.svg import HOLD
from convcli.show.draw.theme import theme_of
from convcli.show.draw.views import build_scene

NAME = "no_padding_strides"
NEEDS_FFMPEG = pytest.mark.skipif(
    shutil.which("ffmpeg") is None and os.environ.get("CI") != "true", reason="needs ffmpeg"
)


@pytest.fixture(scope="module")
def drawn() -> Drawing:
    return lay_out(build_scene(classic_operation(NAME)), theme_of("light"))


@pytest.mark.parametrize("suffix", ["svg", "png", "webp", "pdf"])
def test_a_folder_gets_a_still_of_every_step(
    convcli: Callable[..., Any], tmp_path: Path, drawn: Drawing, suffix: str
) -> None:
    target = tmp_path / "talk" / "slides"
    done = convcli("draw", NAME, "-o", f"{target}/", *(() if suffix == "svg" else ("-f", suffix)))
    assert done.code == 0
    assert done.err.endswith(f" -> 4 stills, {target}/{NAME}-01.{suffix} to {NAME}-04.{suffix}\n")
    assert sorted(path.name for path in target.iterdir()) == [
        f"{NAME}-{n:02}.{suffix}" for n in range(1, 5)
    ]
    for step in range(4):
        still = (target / f"{NAME}-{step + 1:02}.{suffix}").read_bytes()
        assert still == drawing_bytes(drawn, f".{suffix}", frame=step)


def test_a_folder_that_is_there_needs_no_slash_and_keeps_what_is_in_it(
    convcli: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "mine.svg").write_text("mine")
    assert convcli("draw", NAME, "-o", tmp_path, "--frame", 3).code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"mine.svg", f"{NAME}-03.svg"}
    before = (tmp_path / f"{NAME}-03.svg").read_bytes()
    # The third stands in the way: not even the first is written.
    done = convcli("draw", NAME, "-o", tmp_path, "--theme", "dark")
    assert done.code == 2
    assert f"{NAME}-03.svg exists; use --overwrite" in done.err
    assert {path.name for path in tmp_path.iterdir()} == {"mine.svg", f"{NAME}-03.svg"}
    assert (tmp_path / f"{NAME}-03.svg").read_bytes() == before
    assert convcli("draw", NAME, "-o", tmp_path, "--theme", "dark", "--overwrite").code == 0
    assert len(list(tmp_path.iterdir())) == 5
    assert (tmp_path / f"{NAME}-03.svg").read_bytes() != before
    assert (tmp_path / "mine.svg").read_text() == "mine"


def test_stills_of_a_layer_are_called_by_its_kind_and_view(
    convcli: Callable[..., Any], tmp_path: Path
) -> None:
    layer = ("--n", "12x10", "--k", "1", "--transpose", "--view", "scatter")
    assert convcli("draw", *layer, "-o", f"{tmp_path}/", "--frame", 7).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["conv_transpose-scatter-007.svg"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("-o", "there/", "-f", "gif"),
            "--format is gif; stills are written as svg, png, webp, pdf",
        ),
        (("-o", "x.svg", "-f", "png"), "a file has it in its name"),
        (("-f", "png"), "--format is that of the stills in a folder"),
        (("-o", "file/"), "file is not a folder"),
        (("-o", "file/x/"), "file is not a folder"),
        (("-o", "x.pdf", "--size", "1920x"), "--size"),
        (("-o", "x.pdf", "--size", "63"), "each 64 to 8192"),
        (("-o", "x.pdf", "--size", "100x100x100"), "each 64 to 8192"),
        (("-o", "x.pdf", "--size", "1920x8193"), "each 64 to 8192"),
        (("-o", "x.png", "--size", "8192x8192"), "too large"),
        (("-o", "slides"), "stills of all steps go to a folder, slides/"),
        (("-o", "x.mp5"), ".mp4, .webm, .pdf"),
    ],
    ids=str,
)
def test_mistakes_are_told_in_one_line_and_leave_nothing(
    convcli: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    done = convcli("draw", NAME, *arguments)
    assert done.code == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_disk_that_is_full_leaves_whole_files_and_no_empty_folder(
    convcli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convcli.errors import OutputError
    from convcli.imaging import atomic

    written: list[str] = []

    def full_after(count: int) -> None:
        real = atomic.write_atomic

        def write(path: Path, data: bytes, **how: Any) -> int:
            if len(written) == count:
                raise OutputError(f"{path}: No space left on device")
            written.append(path.name)
            return real(path, data, **how)

        monkeypatch.setattr(atomic, "write_atomic", write)

    with monkeypatch.context():
        full_after(0)
        done = convcli("draw", NAME, "-o", f"{tmp_path}/none/")
        assert (done.code, list(tmp_path.iterdir())) == (1, [])
    monkeypatch.undo()
    full_after(2)
    done = convcli("draw", NAME, "-o", f"{tmp_path}/some/")
    assert done.code == 1
    assert "No space left" in done.err
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == written


def test_a_slide_holds_the_drawing_in_its_middle(
    convcli: Callable[..., Any], tmp_path: Path, drawn: Drawing
) -> None:
    size = ("--size", "1280x720", "--frame", 2)
    for suffix in ("svg", "png", "pdf"):
        assert convcli("draw", NAME, "-o", tmp_path / f"x.{suffix}", *size).code == 0
    root = ET.parse(tmp_path / "x.svg").getroot()
    assert (root.get("width"), root.get("height")) == ("1280", "720")
    left, top, wide, high = map(float, (root.get("viewBox") or "").split())
    assert wide / high == pytest.approx(16 / 9, rel=1e-3)
    assert left == pytest.approx((drawn.canvas.width - wide) / 2, abs=0.01)
    assert top == pytest.approx((drawn.canvas.height - high) / 2, abs=0.01)
    (page,) = PdfReader(tmp_path / "x.pdf").pages
    assert [float(side) for side in page.mediabox] == [0, 0, 960, 540]
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (1280, 720)
        seen = (np.asarray(image.convert("RGB")) != 255).any(-1)
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    scale = 1280 / wide
    assert columns[0] >= -left * scale - 1
    assert columns[-1] <= 1280 + left * scale + 1
    assert rows[0] >= -top * scale - 1
    assert rows[-1] > 300


def test_all_steps_in_a_pdf_are_slides(convcli: Callable[..., Any], tmp_path: Path) -> None:
    assert convcli("draw", NAME, "-o", tmp_path / "deck.pdf").code == 0
    pages = PdfReader(tmp_path / "deck.pdf").pages
    boxes = [[float(side) for side in page.mediabox] for page in pages]
    assert boxes == [[0, 0, 1440, 810]] * 4


@pytest.mark.parametrize(
    "command", [("kernel", "show", "sobel-x"), ("shape", "--network", "lenet5")]
)
def test_figures_are_written_as_pdf(
    convcli: Callable[..., Any], tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = convcli(*command, "-o", tmp_path / "x.pdf")
    assert (done.code, done.out) == (0, b"")
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF-")


def test_without_fpdf2_the_message_says_what_to_install(
    convcli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fpdf", None)
    monkeypatch.chdir(tmp_path)
    for command in (
        ("draw", NAME, "-o", "x.pdf"),
        ("draw", NAME, "-o", "slides/", "-f", "pdf"),
        ("kernel", "show", "box", "-o", "x.pdf"),
    ):
        done = convcli(*command)
        assert done.code == 2
        assert "pip install 'convcli[pdf]'" in done.err
        assert done.err.count("\n") == 1
    with pytest.raises(UsageError, match=r"pip install 'convcli\[pdf\]'"):
        draw(NAME).save("x.pdf")
    assert not list(tmp_path.iterdir())


def put_ffmpeg(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name, and no other."""
    program = folder / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport os, sys, time\n{script}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


def test_without_ffmpeg_the_line_says_what_to_do(
    convcli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = convcli("draw", NAME, "-o", tmp_path / "x.mp4")
    assert done.code == 2
    assert "FFmpeg, which is not installed here" in done.err
    assert ".gif, .webp and .svg move without it" in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("sys.stderr.write('\\nUnknown encoder \\x1b[1m\\nmore\\n'); sys.exit(3)", r"Unknown encoder \x1b[1m"),
        ("sys.exit(3)", "it ended with 3, without a word"),
        ("sys.stdin.buffer.read(); sys.exit(3)", "it ended with 3"),
        ("sys.stdin.buffer.read(5); os.close(0); time.sleep(0.2); sys.exit(3)", "it ended with 3"),
        ("sys.stdin.buffer.read()", "it wrote nothing"),
    ],
    ids=["at once", "wordless", "at the end", "in the middle", "nothing"],
)  # fmt: skip
def test_an_ffmpeg_that_fails_leaves_the_old_file(
    convcli: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    words: str,
) -> None:
    put_ffmpeg(tmp_path, script, monkeypatch)
    target = tmp_path / "x.webm"
    target.write_text("old")
    assert convcli("draw", NAME, "-o", target).code == 2  # it exists
    done = convcli("draw", NAME, "-o", target, "--overwrite", "--size", 200)
    assert done.code == 1
    assert f"x.webm: FFmpeg failed: {words}" in done.err
    assert done.err.count("\n") == 1
    assert target.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "x.webm"}


def test_an_ffmpeg_that_hangs_is_given_up(
    convcli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_ffmpeg(tmp_path, "time.sleep(60)", monkeypatch)
    monkeypatch.setattr(video, "PATIENCE", 0.3)
    done = convcli("draw", NAME, "-o", tmp_path / "x.mp4")
    assert done.code == 1
    assert "FFmpeg failed" in done.err
    assert {path.name for path in tmp_path.iterdir()} == {"bin"}


def test_ffmpeg_gets_every_frame_once_and_the_last_again(
    convcli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_ffmpeg(
        tmp_path,
        "data = sys.stdin.buffer.read()\n"
        "open(sys.argv[-1], 'wb').write(data)\n"
        f"open({str(tmp_path / 'arguments')!r}, 'w').write('\\n'.join(sys.argv))\n",
        monkeypatch,
    )
    target = tmp_path / "a b;$(x).mp4"  # no shell sees it
    done = convcli("draw", NAME, "-o", target, "--size", "201x99", "--fps", 4)
    assert done.code == 0
    assert done.err.endswith(f"4 steps -> {target}\n")
    got = np.frombuffer(target.read_bytes(), np.uint8).reshape(-1, 99, 201, 3)
    assert len(got) == 4 + HOLD
    for step, frame in enumerate(got):
        png = tmp_path / f"{step}.png"
        shown = min(step, 3) + 1
        assert convcli("draw", NAME, "-o", png, "--size", "201x99", "--frame", shown).code == 0
        with Image.open(png) as image:
            np.testing.assert_array_equal(frame, np.asarray(image.convert("RGB")))
    arguments = (tmp_path / "arguments").read_text().split("\n")
    assert arguments[arguments.index("-framerate") + 1] == "4"
    assert "fps=24" in arguments[arguments.index("-vf") + 1].split(",")
    assert arguments[-1].startswith(str(tmp_path / ".convcli-"))


def test_an_interrupt_while_ffmpeg_starts_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *words: Any, **how: Any) -> None:
            super().__init__(*words, **how)
            started.append(self)
            os.kill(os.getpid(), signal.SIGINT)

    put_ffmpeg(tmp_path, "time.sleep(120)", monkeypatch)
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        video.write_video(
            str(tmp_path / "x.mp4"),
            [Image.new("RGB", (64, 64))],
            (64, 64),
            suffix=".mp4",
            fps=4,
            hold=1,
            ground="#ffffff",
            overwrite=False,
        )
    (ffmpeg,) = started
    assert ffmpeg.returncode == -signal.SIGKILL
    assert {path.name for path in tmp_path.iterdir()} == {"bin"}


def test_an_interrupt_ends_ffmpeg_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_ffmpeg(
        tmp_path,
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "sys.stderr.close()\ntime.sleep(120)\n",
        monkeypatch,
    )
    command = [sys.executable, "-m", "convcli", "draw", NAME, "-o", str(tmp_path / "x.mp4")]
    running = subprocess.Popen(command, stderr=subprocess.PIPE)
    end = time.monotonic() + 300
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < end, "FFmpeg was never started"
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=300)
    assert running.returncode in (130, -signal.SIGINT)
    assert said.decode().count("\n") <= 1
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "pid"}
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


@pytest.mark.ci
@NEEDS_FFMPEG
@pytest.mark.parametrize(
    ("suffix", "codec", "options", "size", "rate", "seconds"),
    [
        ("mp4", "h264", (), (1920, 1080), 24, 3.5),
        ("webm", "vp9", ("--size", "800x450"), (800, 450), 24, 3.5),
        ("mp4", "h264", ("--size", "641x333", "--fps", "5"), (642, 334), 25, 1.4),
        ("webm", "vp9", ("--size", "320", "--fps", "50", "--theme", "dark"), (320, 206), 50, 0.14),
        ("mp4", "h264", ("--frame", "2", "--fps", "0.5", "--size", "400"), (400, 256), 24, 8),
    ],
)
def test_a_video_has_its_size_its_length_and_its_pictures(
    convcli: Callable[..., Any],
    tmp_path: Path,
    suffix: str,
    codec: str,
    options: tuple[str, ...],
    size: tuple[int, int],
    rate: int,
    seconds: float,
) -> None:
    target = tmp_path / f"x.{suffix}"
    assert convcli("draw", NAME, "-o", target, *options).code == 0
    shown = "stream=codec_name,width,height,pix_fmt,r_frame_rate,color_space,nb_read_frames"
    probe = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", f"{shown}:format=duration"]
    said = subprocess.run([*probe, "-of", "json", target], check=True, capture_output=True)
    about = json.loads(said.stdout)
    (stream,) = about["streams"]
    assert stream["codec_name"] == codec
    assert stream["pix_fmt"] == "yuv420p"
    assert stream["color_space"] == "bt709"
    assert stream["r_frame_rate"] == f"{rate}/1"
    assert int(stream["nb_read_frames"]) == round(seconds * rate)
    assert float(about["format"]["duration"]) == pytest.approx(seconds, abs=0.01)
    assert stream["height"] in (size[1], size[1] + 1)
    assert stream["width"] == size[0]
    if suffix == "mp4":  # the index comes first, so that playing begins before all is loaded
        data = target.read_bytes()
        assert data.index(b"moov") < data.index(b"mdat")
    # The middle of the last step looks as the still of it.
    place = str(max(seconds - 1.5 / rate, 0))
    frame = ["ffmpeg", "-v", "error", "-ss", place, "-i", target, "-frames:v", "1", "-y"]
    subprocess.run([*frame, tmp_path / "last.png"], check=True)
    still = options if "--frame" in options else (*options, "--frame", "4")
    still = still if "--size" in still else (*still, "--size", "1920x1080")
    assert convcli("draw", NAME, "-o", tmp_path / "still.png", *still).code == 0
    with Image.open(tmp_path / "still.png") as image:
        expected = np.asarray(image.convert("RGB")).astype(int)
    with Image.open(tmp_path / "last.png") as image:
        seen = np.asarray(image.convert("RGB")).astype(int)[: len(expected), : expected.shape[1]]
    # Colours are rounded twice on their way, and quantised by the codec.
    assert np.abs(seen - expected).mean() < 5
