"""Drawn frames as MP4 and WebM, encoded by FFmpeg where it is installed.

FFmpeg is a program of its own: frames go to its standard input as raw pixels, no shell between,
and it fills a temporary file that takes the target's place when it is whole.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import IO, Any

from convcli.errors import OutputError, UsageError
from convcli.imaging.atomic import atomic_file, display_name
from convcli.system.process import stops_put_off

__all__ = ["VIDEOS", "check_ffmpeg", "write_video"]

VIDEOS = (".mp4", ".webm")
"""Suffixes of the files that are written."""

PATIENCE = 120.0
"""Seconds after which an FFmpeg that takes no frame is given up."""

SMOOTH = 24
"""Least pictures in a second: some players skip the ends of videos that have fewer."""

# Every player knows H.264 with halved colours; at these qualities letters keep their edges.
_CODECS = {
    ".mp4": "-c:v libx264 -preset medium -tune animation -crf 17 -movflags +faststart -f mp4",
    ".webm": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -tune-content screen -row-mt 1 -crf 22 -b:v 0 -f webm",
}


def check_ffmpeg(output: str) -> str:
    """The path of FFmpeg.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    found = shutil.which("ffmpeg")
    if found is None:
        raise UsageError(
            f"{display_name(output)}: a video is encoded by FFmpeg, which is not installed here "
            "(apt, brew or winget install ffmpeg); .gif, .webp and .svg move without it"
        )
    return found


def write_video(
    output: str,
    frames: Iterable[Any],
    size: tuple[int, int],
    *,
    suffix: str,
    fps: float,
    hold: int,
    ground: str,
    overwrite: bool,
) -> None:
    """Write frames, Pillow images of one size, as a video.

    Parameters
    ----------
    size
        Width and height of the frames; an odd side gets one more line of the ground, since
        colours are stored for pairs of pixels.
    suffix
        One of ``VIDEOS``.
    fps
        Frames in a second. They are repeated until there are ``SMOOTH`` pictures in a second.
    hold
        How many times longer the last one stays.

    Raises
    ------
    UsageError
        If FFmpeg is not installed, or the target exists and ``overwrite`` is false.
    OutputError
        If FFmpeg or the disk fails; the target is then as it was.
    """
    program = check_ffmpeg(output)
    with atomic_file(output, overwrite=overwrite) as (_, temporary):
        command = _command(program, temporary, size, suffix, fps, ground)
        with tempfile.TemporaryFile() as said:
            _encode(command, _held(frames, hold), said, display_name(output))
        if not temporary.stat().st_size:
            raise OutputError(f"{display_name(output)}: FFmpeg failed: it wrote nothing")


def _command(
    program: str, target: Path, size: tuple[int, int], suffix: str, fps: float, ground: str
) -> list[str]:
    rate = Fraction(fps).limit_denominator(1000)
    shown = rate * max(ceil(SMOOTH / rate), 1)
    filters = [
        f"pad=ceil(iw/2)*2:ceil(ih/2)*2:color=0x{ground.lstrip('#')}",
        f"fps={shown}",
        # Without it players guess which of two ways colours were turned into brightness.
        "scale=out_color_matrix=bt709:out_range=tv",
        "format=yuv420p",
    ]
    colours = "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv"
    source = f"-f rawvideo -pixel_format rgb24 -video_size {size[0]}x{size[1]} -framerate {rate}"
    return [
        *(program, "-hide_banner", "-loglevel", "error", "-nostdin", "-y"),
        *(*source.split(), "-i", "pipe:0", "-an", "-vf", ",".join(filters)),
        *(*colours.split(), *_CODECS[suffix].split(), str(target)),
    ]


def _held(frames: Iterable[Any], times: int) -> Iterator[bytes]:
    """The pixels of each frame, those of the last so many times more."""
    data = b""
    for frame in frames:
        data = frame.tobytes()
        yield data
    yield from [data] * times


def _encode(command: list[str], frames: Iterable[bytes], said: IO[bytes], name: str) -> None:
    process: subprocess.Popen[bytes] | None = None
    try:
        # In a session of its own, an interrupt from the keyboard reaches us alone, and we end it.
        # One that came while it is started would leave it to nobody.
        with stops_put_off():
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
        assert process.stdin is not None
        # A pipe that breaks says nothing; FFmpeg's words and its code do.
        with contextlib.suppress(BrokenPipeError):
            for frame in frames:
                with _patience(process):
                    process.stdin.write(frame)
        with _patience(process), contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        with _patience(process):
            code = process.wait()
    finally:
        if process is not None:
            process.kill()
            process.wait()
            assert process.stdin is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
    if code:
        raise OutputError(f"{name}: FFmpeg failed: {_reason(said, code)}")


@contextlib.contextmanager
def _patience(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End an FFmpeg that hangs, and with it the writing or waiting inside of the block."""
    timer = threading.Timer(PATIENCE, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _reason(said: IO[bytes], code: int) -> str:
    """The first of its words, on one line: what follows is what came of that."""
    said.seek(0)
    lines = [line.strip() for line in said.read(65536).decode("utf-8", "replace").splitlines()]
    words = next((line for line in lines if line), f"it ended with {code}, without a word")
    return display_name(words[:200])
