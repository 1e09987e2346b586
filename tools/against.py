"""Run the same command lines through two revisions of convcli, and compare what they do.

    python tools/against.py 45ec1f5                  # that revision against the working tree
    python tools/against.py main HEAD --only cmyk    # two revisions, lines that match a pattern
    python tools/against.py 45ec1f5 --times          # also times and memory, interleaved
    python tools/against.py 45ec1f5 --every 10       # a tenth of the lines, in passing
    python tools/against.py --list --only 'draw .*'  # the lines alone

Bytes of every file, standard output and error, and exit codes have to be equal; differences that
are meant stand in tools/against.toml. Exit code 1: there are others, or one of the list did not
occur. Each revision is built once into --cache, with the libraries of the environment that runs
this, so that only our code differs; what an older revision did is kept there too (--fresh runs it
again). The lines are made by tools/against_lines.py, their pictures by tools/against_pictures.py.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import os
import pickle
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath
from statistics import median
from typing import Any

import against_lines
from against_lines import Line, line
from against_run import Build, Outcome, build, normalised, run, summed

TOOLS = Path(__file__).parent
CACHE = Path("~/.cache/convcli-against").expanduser()
LONGEST_SHOWN = 160


# ---------------------------------------------------------------- comparing


def differences(one: Outcome, two: Outcome) -> list[str]:
    """What is not the same, each in one line; empty if all is."""
    found = []
    if one.codes != two.codes:
        found.append(f"exit code: {_codes(one)} became {_codes(two)}")
    for name in ("stdout", "stderr"):
        was, now = getattr(one, name), getattr(two, name)
        if was != now:
            found.append(f"{name}: {_first_line(was, now)}")
    for name in sorted(one.files.keys() | two.files.keys()):
        if name not in two.files:
            found.append(f"file {name}: is not there any more")
        elif name not in one.files:
            found.append(f"file {name}: is new")
        elif one.files[name] != two.files[name]:
            found.append(f"file {name}: {_first_pixel(name, one.files[name], two.files[name])}")
    return found


def _kind(difference: str) -> str:
    """Where it is: the exit code, a stream, a file with this suffix."""
    place = difference.partition(":")[0]
    return f"files {PurePath(place).suffix or place}" if place.startswith("file ") else place


def _codes(outcome: Outcome) -> str:
    return ", ".join(map(str, outcome.codes))


def _first_line(was: bytes, now: bytes) -> str:
    if b"\0" in was + now:
        return f"{len(was)} bytes became {len(now)}"
    before, after = (text.decode("utf-8", "replace").splitlines() for text in (was, now))
    for number in range(max(len(before), len(after))):
        pair = [lines[number] if number < len(lines) else None for lines in (before, after)]
        if pair[0] != pair[1]:
            shown = ["nothing" if text is None else repr(_around(text, pair)) for text in pair]
            return f"line {number + 1}: {shown[0]} became {shown[1]}"
    return "line ends differ"


def _around(text: str, pair: list[str | None]) -> str:
    """The piece of a long line in which the two differ."""
    start = _same(*(p or "" for p in pair))
    begin = max(0, start - LONGEST_SHOWN // 2) if len(text) > LONGEST_SHOWN else 0
    return "..." * (begin > 0) + text[begin : begin + LONGEST_SHOWN]


def _same(was: Sequence[Any], now: Sequence[Any]) -> int:
    """How many characters or bytes are the same from the start."""
    pairs = zip(was, now, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(was), len(now)))


def _first_pixel(name: str, was: bytes, now: bytes) -> str:
    sizes = f"{len(was)} bytes became {len(now)}"
    try:
        from against_pictures import samples_of

        before, after = samples_of(name, was), samples_of(name, now)
    except Exception:
        at = _same(was, now)
        return f"{sizes}, the first other one is number {at}"
    if before.shape != after.shape or before.dtype != after.dtype:
        return f"{before.shape} {before.dtype} became {after.shape} {after.dtype}"
    wrong = (before != after) & ~((before != before) & (after != after))
    if not wrong.any():
        return f"{sizes}; the pixels are the same"
    at = tuple(int(n) for n in next(zip(*wrong.nonzero(), strict=True)))
    return f"{int(wrong.sum())} of {wrong.size} samples; at {at} {before[at]} became {after[at]}"


class Intended:
    """A difference that is meant: ``lines`` and, if given, ``what`` are patterns; ``reason`` why."""

    def __init__(self, lines: str, reason: str, what: str = "") -> None:
        self.lines, self.what, self.reason = re.compile(lines), re.compile(what), reason
        self.seen = 0

    def meets(self, text: str, difference: str) -> bool:
        """Whether this difference of this line is meant; it is counted."""
        met = bool(self.lines.search(text) and self.what.search(difference))
        self.seen += met
        return met


def intended(path: Path) -> list[Intended]:
    """The list in ``path``."""
    return [Intended(**entry) for entry in tomllib.loads(path.read_text()).get("difference", [])]


# ---------------------------------------------------------------- all lines


class Runner:
    """Runs lines through two builds; what the first did is kept from run to run."""

    def __init__(self, one: Build, two: Build, scratch: Path, cache: Path, fresh: bool) -> None:
        self.builds, self.scratch, self.fresh = (one, two), scratch, fresh
        self.pictures = scratch / "pictures"
        self.free = list(range(64))
        made_by = [TOOLS / "against_pictures.py", TOOLS / "against_run.py"]
        libraries = Path(sysconfig.get_paths()["purelib"]).glob("*-info")
        facts = [sys.version, *sorted(path.name for path in libraries)]
        key = hashlib.sha256(b"".join(p.read_bytes() for p in made_by) + repr(facts).encode())
        self.kept_at = cache / f"{one.tree[:12]}-{key.hexdigest()[:12]}.outcomes"
        self.kept: dict[Line, Outcome] = {}
        if self.kept_at.exists() and not fresh:
            self.kept = pickle.loads(self.kept_at.read_bytes())

    def keep(self) -> None:
        """Write down what the first build did, beside what others have noted meanwhile."""
        noted = pickle.loads(self.kept_at.read_bytes()) if self.kept_at.exists() else {}
        part = self.kept_at.with_suffix(f".{os.getpid()}")
        part.write_bytes(pickle.dumps({**noted, **self.kept.copy()}))
        part.replace(self.kept_at)

    def prepare(self, wanted: list[Line]) -> None:
        """Make the pictures."""
        self.pictures.mkdir()
        names = sorted({name for w in wanted for name in w.files})
        words = [sys.executable, str(TOOLS / "against_pictures.py"), str(self.pictures), *names]
        subprocess.run(words, check=True)  # beside us: a small process measures memory better

    def outcome(self, number: int, wanted: Line) -> Outcome:
        """What the build of that number does with a line."""
        place = self.free.pop()
        folder = self.scratch / f"{place:02}"  # names of one length: a longer line would be wrapped
        try:
            made = self.builds[number]
            done = run(made, wanted, self.pictures, folder)
            places = {made.folder: "ENVIRONMENT", folder: "FOLDER"}
            return normalised(done, places, wanted.unordered)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            self.free.append(place)

    def compare(self, wanted: Line) -> list[str]:
        """How the two builds differ on a line."""
        now = self.outcome(1, wanted)
        kept = self.kept.get(wanted)
        if kept is not None and not differences_at_all(kept, summed(now)):
            return []
        was = self.outcome(0, wanted)
        self.kept[wanted] = summed(was)
        return differences(was, now)


def differences_at_all(one: Outcome, two: Outcome) -> bool:
    """Whether anything but times and memory differs."""
    return one[:4] != two[:4]


def times(runner: Runner, wanted: list[Line], rounds: int) -> Iterator[tuple[str, bool]]:
    """A row for each line, and whether the second build is slower or larger beyond doubt."""
    yield (f"{'old ms':>8} {'new ms':>8}  {'ratio (95 %)':<22}{'old MB':>8} {'new MB':>8}", False)
    for one in wanted:
        seconds: list[list[float]] = [[], []]
        peaks: list[list[float]] = [[], []]
        for turn in range(rounds + 1):
            for number in (0, 1) if turn % 2 else (1, 0):
                done = runner.outcome(number, one)
                if turn:  # the first of each warms the disk
                    seconds[number].append(done.seconds)
                    peaks[number].append(done.peak)
        ratios = [new / old for old, new in zip(*seconds, strict=True)]
        low, high = bootstrap(ratios)
        old, new, mega, mega_now = (median(v) for v in (*seconds, *peaks))
        worse = low > 1.03 or mega_now > 1.03 * mega
        interval = f"{median(ratios):.3f} ({low:.3f}-{high:.3f})"
        yield (
            f"{old * 1e3:8.0f} {new * 1e3:8.0f}  {interval:<22}{mega / 2**20:8.0f} "
            f"{mega_now / 2**20:8.0f}  {one.text}" + "  WORSE" * worse,
            worse,
        )


def bootstrap(ratios: list[float], draws: int = 2000) -> tuple[float, float]:
    """The 95 % interval of the median, by drawing with replacement; always the same."""
    import random

    chance = random.Random(7)
    medians = sorted(median(chance.choices(ratios, k=len(ratios))) for _ in range(draws))
    return medians[int(0.025 * draws)], medians[int(0.975 * draws)]


def arguments() -> argparse.Namespace:
    """The words of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("revision", nargs="?", help="the one before")
    parser.add_argument("revision2", nargs="?", help="the one after; the working tree by default")
    parser.add_argument("--only", metavar="PATTERN", help="lines that match this expression")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th of them")
    parser.add_argument("--list", action="store_true", help="print the lines and run nothing")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--fresh", action="store_true", help="use no outcome of an earlier run")
    parser.add_argument("--times", action="store_true", help="also times and memory")
    parser.add_argument("--rounds", type=int, default=11, help="of --times")
    given = parser.parse_args()
    if given.revision is None and not given.list:
        parser.error("name a revision to compare with")
    return given


def matching(wanted: Sequence[Line], pattern: str | None) -> list[Line]:
    """The lines that an expression, or a pattern with stars, finds."""
    if pattern is None:
        return list(wanted)
    try:
        found = re.compile(pattern)
    except re.error:
        found = re.compile(fnmatch.translate(pattern))
    return [one for one in wanted if found.search(one.text)]


def main() -> int:
    """Compare; 0 if nothing is unexpected."""
    given = arguments()
    wanted = matching(against_lines.lines(), given.only)[:: given.every]
    if given.list:
        print(*(one.text for one in wanted), sep="\n")
        return 0
    given.cache.mkdir(parents=True, exist_ok=True)
    one, two = (build(name, given.cache) for name in (given.revision, given.revision2))
    expected = intended(TOOLS / "against.toml")
    bad, began = 0, time.monotonic()
    kinds: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="against-") as folder:
        runner = Runner(one, two, Path(folder), given.cache, given.fresh)
        timed = matching([line(text) for text in against_lines.TIMED], given.only)
        runner.prepare(wanted + timed * given.times)
        with ThreadPoolExecutor(given.jobs) as pool:
            results = zip(wanted, pool.map(runner.compare, wanted), strict=True)
            for number, (tried, found) in enumerate(results, 1):
                if number % 100 == 0:
                    print(f"{number} of {len(wanted)} lines", file=sys.stderr)
                    runner.keep()
                odd = [d for d in found if not sum(i.meets(tried.text, d) for i in expected)]
                bad += bool(odd)
                kinds.update({_kind(d) for d in odd})
                if odd:
                    print(tried.text, *(f"    {d}" for d in odd), sep="\n", flush=True)
        runner.keep()
        took = time.monotonic() - began
        print(f"{len(wanted)} lines, {bad} with unexpected differences, {took:.0f} s")
        for kind, count in kinds.most_common():
            print(f"    {count} in {kind}")
        if given.times:
            for row, worse in times(runner, timed, given.rounds):
                print(row, flush=True)
                bad += worse
    for entry in expected if wanted == list(against_lines.lines()) else []:
        if not entry.seen:
            print(f"does not occur any more: {entry.lines.pattern!r} ({entry.reason})")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
