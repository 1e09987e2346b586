"""One file of a corpus, put through ``convcli filter`` and compared with what others see in it.

Run by ``tools/corpus.py`` as a process that is sent a path a line and answers each with a line of
JSON, so that a crash or a hang costs one file.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from corpus_decoders import Shown, captions, decode, deep_frames, kind_of
from scipy import ndimage

__all__ = ["check"]

SUFFIXES = {
    "PNG": (".png", ".apng"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "PPM": (".ppm", ".pgm", ".pnm", ".pbm"),
    "PFM": (".pfm",),
    "AVIF": (".avif",),
}
KEEPS_MODES = ("Pillow", "tifffile")
"""Decoders that tell gray from colour and give no alpha where there is none."""
LOSSY = {"JPEG": 12, "WEBP": 12, "AVIF": 12}
"""Mean levels by which a lossy format may change a picture that is written once more."""
RADIUS = 3
BLUR = np.exp(-np.square(np.arange(-RADIUS, RADIUS + 1)) / 2)
BLUR /= BLUR.sum()


class Said(Exception):
    """convcli refused; its words."""


def convcli(*words: str) -> dict[str, Any]:
    """``convcli filter`` in this process; what it reports of the one file."""
    from convcli.cli.app import run

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["filter", *words, "--json", "--overwrite"])
    if code:
        raise Said(err.getvalue().strip() or f"exit {code} without a word")
    return dict(json.loads(out.getvalue()))


def check(path: Path, folder: Path) -> dict[str, Any]:
    """What is to be said of one file: a verdict, and the lines that go with it."""
    data = path.read_bytes()
    kind = kind_of(data)
    if not kind:
        return {"verdict": "other", "lines": [f"begins with {data[:8]!r}"], "by": []}
    opinions = dict(decode(data))
    seen = {name: shown for name, shown in opinions.items() if isinstance(shown, Shown)}
    answer: dict[str, Any] = {"verdict": "right", "lines": [], "by": list(seen), "kind": kind}
    suffix = path.suffix.lower()
    source = folder / f"in{suffix if suffix in SUFFIXES[kind] else SUFFIXES[kind][0]}"
    shutil.copy(path, source)
    try:
        exact, truth = _exact(source, kind, seen, answer)
        _blurred(source, truth, exact.suffix, answer)
        _written_back(source, data, kind, truth, answer)
    except Said as words:
        text = str(words).replace(str(source), path.name).replace(f"{folder}/", "")
        odd = "internal error" in text or "Traceback" in text or "\n" in text
        answer |= {"verdict": "wrong" if odd else "refused", "lines": [text]}
    return answer


def _exact(
    source: Path, kind: str, seen: dict[str, Shown], answer: dict[str, Any]
) -> tuple[Path, Shown]:
    """Identity into a lossless format, against every decoder; gives the frames that are right."""
    some = next(iter(seen.values()), None)
    deep = some is not None and (some.space == "cmyk" or some.frames[0].dtype.kind == "f")
    suffix = ".tif" if kind in ("TIFF", "PFM") or deep else ".png"
    target = source.with_name(f"exact{suffix}")
    convcli(str(source), "-k", "identity", "-o", str(target))
    result = _result(target)
    faults = {name: differences(name, shown, result) for name, shown in seen.items()}
    answer["lines"] = [f"{t} ({n})" for n, found in faults.items() for t in found.values() if t]
    # Of each aspect, some decoder that judges it has to agree.
    aspects = {aspect for found in faults.values() for aspect in found}
    alone = {a for a in aspects if all(found.get(a, "no") for found in faults.values())}
    if not faults:
        answer |= {"verdict": "alone", "lines": ["no other decoder reads it"]}
    elif answer["lines"]:
        answer["verdict"] = "wrong" if alone else "disputed"
    return target, result if not alone else next(iter(seen.values()))


def _result(path: Path) -> Shown | None:
    """What convcli wrote, read by another."""
    data = path.read_bytes()
    if data[:4] == b"\x89PNG" and data[24] == 16 and b"acTL" in data[:2000]:
        shown = deep_frames(data)
        assert shown is not None
        return shown
    faults = []
    for name, shown in decode(data):
        if isinstance(shown, Shown):
            return shown
        faults.append(f"{name}: {shown}")
    if not faults:
        return None  # each knows that it would lose something
    raise Said(f"internal error: no other program reads the output: {'; '.join(faults)}")


def differences(name: str, shown: Shown, result: Shown) -> dict[str, str]:
    """By aspect, how what convcli wrote differs from what a decoder sees; empty where it does not."""
    count = len(shown.frames)
    if len(result.frames) != count:
        return {"frames": f"{len(result.frames)} frames, not {count}"}
    found = {"frames": "", "pixels": _off(shown, result, shown.tolerance)}
    if name in KEEPS_MODES:
        found["mode"] = "" if shown.mode == result.mode else f"{result.mode}, not {shown.mode}"
    if shown.durations and result.durations:
        late = max(abs(a - b) for a, b in zip(shown.durations, result.durations, strict=True))
        words = f"durations {result.durations[:9]}, not {shown.durations[:9]}"
        found["durations"] = words if late > 0.51 else ""  # OpenCV has whole milliseconds
    return found


def _off(shown: Shown, result: Shown, tolerance: int) -> str:
    off = 0.0
    for number, (a, b) in enumerate(zip(shown.frames, result.frames, strict=True), 1):
        if a.shape[:2] != b.shape[:2] or a.dtype != b.dtype:
            was, is_now = (f"{p.shape[1]}x{p.shape[0]} {p.dtype}" for p in (a, b))
            return f"frame {number} is {is_now}, not {was}"
        if shown.mode == result.mode and np.array_equal(a, b):
            continue
        one, two = (visible(p, s.space, s.alpha) for p, s in ((a, shown), (b, result)))
        if one.shape != two.shape or (shown.space == "cmyk") != (result.space == "cmyk"):
            return f"frame {number} is {result.mode}, not {shown.mode}"
        off = max(off, float(np.abs(one - two).max()))
    return f"pixels are off by up to {off:g}" if off > tolerance else ""


def visible(pixels: np.ndarray, space: str, alpha: bool) -> np.ndarray:
    """RGBA or CMYK in float64, no colour where nothing is seen."""
    values = pixels.astype(np.float64)
    if space == "cmyk":
        return values
    colours, white = values[..., : values.shape[-1] - alpha], white_of(pixels)
    solid = values[..., -1:] if alpha else np.full_like(values[..., :1], white)
    colours = np.repeat(colours, 3, axis=-1) if space == "gray" else colours
    return np.concatenate([np.where(solid > 0, colours, 0), solid], axis=-1)


def white_of(pixels: np.ndarray) -> float:
    return float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind == "u" else 1.0


def _blurred(source: Path, truth: Shown, suffix: str, answer: dict[str, Any]) -> None:
    """gaussian:1 against SciPy in float64, borders mirrored about the middle of the edge pixel."""
    target = source.with_name(f"blurred{suffix}")
    convcli(str(source), "-k", "gaussian:1", "-o", str(target))
    result = _result(target)
    worst = 0.0
    for pixels, done in zip(truth.frames, result.frames, strict=False):
        if pixels.shape != done.shape:
            worst = np.inf
            break
        values = pixels.astype(np.float64)
        white, tiny = white_of(pixels), pixels.dtype.kind == "f"
        size = max(float(np.abs(values).max()), 1e-30)
        if truth.alpha:  # a weighted mean of colours; compared as far as they are seen
            solid = values[..., -1:] / white
            values = np.concatenate([values[..., :-1] * solid, values[..., -1:]], -1)
            done = done.astype(np.float64)
            done[..., :-1] *= done[..., -1:] / white
        for axis in (0, 1):
            values = ndimage.correlate1d(values, BLUR, axis=axis, mode="mirror")
        off = float(np.abs(values - done).max(initial=0))
        worst = max(worst, off / size * 1e5 if tiny else off)
    if len(truth.frames) != len(result.frames):
        worst = np.inf
    if worst > (1.0 + truth.alpha):  # colour and alpha are rounded one after the other
        answer["verdict"] = "wrong"
        answer["lines"].append(f"gaussian:1 is off by {worst:g} from SciPy's")


def _written_back(
    source: Path, data: bytes, kind: str, truth: Shown, answer: dict[str, Any]
) -> None:
    """Identity without further words: the format's own, with all that travels along."""
    report = convcli(str(source), "-k", "identity")
    written = Path(report["output"]).read_bytes()
    result = _result(Path(report["output"]))
    lines: list[str] = []
    lossless = kind not in LOSSY or (kind == "WEBP" and b"VP8L" in data[:64])
    if result is None:
        result = truth
    if len(result.frames) != len(truth.frames):
        lines.append(f"written back with {len(result.frames)} frames, not {len(truth.frames)}")
    elif not (kind == "GIF" and report["warnings"]):
        for a, b in zip(truth.frames, result.frames, strict=True):
            if truth.mode == result.mode and np.array_equal(a, b):
                continue
            one = visible(a, truth.space, truth.alpha)
            two = visible(b, result.space, result.alpha)
            if one.shape != two.shape:
                one, two = np.zeros(1), np.full(1, np.inf)
            elif truth.alpha and not lossless:
                one[..., :3] *= one[..., 3:] / 255
                two[..., :3] *= two[..., 3:] / 255
            off = np.abs(one - two)
            if off.max() > 0 if lossless else off.mean() > LOSSY[kind]:
                lines.append(f"written back as {kind} with other pixels: {off.max():g} levels")
                break
    if truth.durations and truth.durations != result.durations and not report["warnings"]:
        lines.append(f"written back with durations {result.durations}, not {truth.durations}")
    before, after = captions(data), captions(written)
    # Of several comments Pillow tells those before the first frame, where we write them all.
    lost = [k for k in before if k == "comment" and before[k] not in after.get(k, b"")]
    lost += [k for k in before if k != "comment" and before[k] != after.get(k)]
    if lost and not report["warnings"]:
        lines.append(f"lost without a word: {', '.join(lost)}")
    if lines:
        answer["verdict"] = "wrong"
        answer["lines"] += lines


def main() -> None:
    """Answer each path with a line of JSON."""
    answers = os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # what libraries say on their own
    os.dup2(quiet, 2)
    for line in sys.stdin:
        path = Path(json.loads(line))
        with tempfile.TemporaryDirectory(dir=sys.argv[1]) as folder:
            try:
                answer = check(path, Path(folder))
            except Exception as error:
                words = f"the check itself failed: {type(error).__name__}: {error}"
                answer = {"verdict": "wrong", "lines": [words], "by": []}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
