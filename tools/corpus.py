"""Every picture of a folder through convcli, compared with what other programs see in it.

    python tools/corpus.py ~/Pictures
    python tools/corpus.py FOLDER... -j 4 --timeout 60

Each file goes through ``identity`` and ``gaussian:1``. What comes out is compared, frame by frame,
with Pillow, tifffile, imagecodecs and, where it is installed, OpenCV: pixels, mode, orientation,
frames, durations; written back in its own format also profile and captions. ``gaussian:1`` is held
to a reference in float64, within one level. Needs SciPy (``pip install 'convcli[test]'``).

Prints the files that are wrong, those over which the decoders disagree among themselves, those that
are refused with the reason, and the counts. Exits with 1 if one is wrong. The files are only read.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CHECK = [sys.executable, str(Path(__file__).with_name("corpus_check.py"))]
TITLES = {
    "wrong": "Wrong",
    "disputed": "Right to some decoders, not to others",
    "alone": "Read by convcli alone",
    "refused": "Refused",
}


class Checker:
    """A process that checks file after file, started again when it dies or hangs."""

    def __init__(self, folder: str, timeout: float) -> None:
        self._folder, self._timeout = folder, timeout
        self._process: subprocess.Popen[str] | None = None

    def check(self, path: Path) -> dict[str, Any]:
        if self._process is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            self._process = subprocess.Popen([*CHECK, self._folder], **pipes)
        process, hung = self._process, threading.Event()

        def stop() -> None:
            hung.set()
            process.kill()

        timer = threading.Timer(self._timeout, stop)
        timer.start()
        try:
            process.stdin.write(json.dumps(str(path)) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        finally:
            timer.cancel()
        if answer:
            return dict(json.loads(answer))
        self.close()
        how = (
            f"no answer in {self._timeout:g} s" if hung.is_set() else f"died: {process.returncode}"
        )
        return {"verdict": "wrong", "lines": [how], "by": []}

    def close(self) -> None:
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()
            self._process = None


def files_in(folders: list[str]) -> list[Path]:
    """Every file below, each once, in order."""
    found = {}
    for folder in map(Path, folders):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            if path.is_file():
                found[path.resolve()] = path
    return list(found.values())


def answers(files: list[Path], jobs: int, timeout: float) -> Iterator[tuple[Path, dict[str, Any]]]:
    """What is to be said of each file, in order."""
    with tempfile.TemporaryDirectory(prefix="corpus-") as folder:
        idle = [Checker(folder, timeout) for _ in range(jobs)]

        def one(path: Path) -> dict[str, Any]:
            checker = idle.pop()
            try:
                return checker.check(path)
            finally:
                idle.append(checker)

        try:
            with ThreadPoolExecutor(jobs) as threads:
                yield from zip(files, threads.map(one, files), strict=True)
        finally:
            for checker in idle:
                checker.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="+")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="files at once (2)")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for a file (120)")
    parser.add_argument("--all", action="store_true", help="also the files of other formats")
    asked = parser.parse_args()
    files = files_in(asked.folder)
    found: dict[str, list[tuple[Path, dict[str, Any]]]] = {}
    for number, (path, answer) in enumerate(answers(files, asked.jobs, asked.timeout), 1):
        found.setdefault(answer["verdict"], []).append((path, answer))
        if sys.stderr.isatty():
            print(f"\r{number} of {len(files)}", end="", file=sys.stderr, flush=True)
    for verdict, title in (TITLES | ({"other": "Other formats"} if asked.all else {})).items():
        if found.get(verdict):
            print(f"\n{title}:")
        for path, answer in found.get(verdict, ()):
            by = f" [read by {', '.join(answer['by'])}]" if verdict == "refused" else ""
            print(f"  {path}: {'; '.join(answer['lines'])}{by}")
    return summary(found)


def summary(found: dict[str, list[tuple[Path, dict[str, Any]]]]) -> int:
    """Print the counts; gives the exit code."""
    counts = Counter({verdict: len(items) for verdict, items in found.items()})
    others = counts.pop("other", 0)
    judges = {"Pillow", "tifffile"}
    readable = [a for items in found.values() for _, a in items if judges & set(a["by"])]
    refused = [a for _, a in found.get("refused", ()) if judges & set(a["by"])]
    share = f"{100 * len(refused) / len(readable):.2f} %" if readable else "none"
    print(
        f"\n{sum(counts.values())} pictures: {counts['right']} right, {counts['disputed']} disputed, "
        f"{counts['alone']} read by convcli alone, {counts['refused']} refused, "
        f"{counts['wrong']} wrong; {others} files of other formats"
    )
    print(
        f"{len(refused)} of the {len(readable)} that Pillow or tifffile read are refused: {share}"
    )
    return int(counts["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
