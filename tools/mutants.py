"""Change the code a little, run the tests that execute it, and say which changes none notices.

    python tools/mutants.py engine imaging --count 60 --seed 1       # 60 of each folder
    python tools/mutants.py engine/cpu/loops rows.c --count 20   # C: the extension is built again
    python tools/mutants.py --named                                  # those that mutants.toml names

A mutant is one change: a sign, a comparison, a number by one, ``and`` for ``or``, ``min`` for
``max``, a ``not`` or a statement left out. The sample is the same for a seed. Each is tried in a
private copy of the project, with the tests that were measured to execute its line, the fast ones
first, until one fails or is far too late: killed. ``mutants.toml`` lists
changes that give the same results, with the reason; for any other survivor the exit code is 1.

Measuring runs the suite once, slowly; it is kept in --cache, and only new tests are measured then.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
from mutant_c import build, c_sites, extensions
from mutant_page import NAMED, page
from mutant_runs import Copy, Measured, within
from mutant_sites import Mutant, Place, Site, make_mutant, python_sites

KILLED, EQUIVALENT, SURVIVED = "killed", "equivalent", "survived"
NOT_BUILT, SAME = "no build", "same code"
"""These two are not counted: what a compiler refuses, and what it makes nothing else of."""


PYTEST = "--hypothesis-seed=0 -m 'not slow and not gpu'"


class Verdict(NamedTuple):
    """``why`` is the test that failed, or the reason of an equivalent."""

    mutant: Mutant
    state: str
    why: str
    seconds: float = 0.0


class Judge:
    """Tries mutants, several at a time, each in a copy of its own."""

    def __init__(self, given: argparse.Namespace, listed: dict[str, Any]) -> None:
        self.root, self.package = given.root, given.package
        self.budget, self.words = given.seconds, shlex.split(given.pytest)
        self.listed = listed
        self.sound: set[str] = set()
        self.measured = Measured(given.root, given.package, given.cache, given.tests)
        self.measured.update(given.jobs, self.words)
        self.built_by = extensions(given.root) if (given.root / "setup.py").exists() else {}
        self.place = tempfile.TemporaryDirectory(prefix="mutants-")
        self.copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(given.jobs):
            self.copies.put(Copy(given.root, given.package, Path(self.place.name) / str(number)))

    # ------------------------------------------------------------ choosing

    def sources(self, name: str) -> list[str]:
        """Files below a folder of the package, or the one that is named so."""
        files = sorted(
            p.relative_to(self.root).as_posix() for p in (self.root / self.package).rglob("*")
        )
        found = [f for f in files if f.endswith(".py") or f in self.built_by]
        part = f"{self.package}/{name}".rstrip("/")
        if any(f.endswith(f"/{name}") for f in found):
            return [f for f in found if f.endswith(f"/{name}")]
        below = [f for f in found if f.startswith(f"{part}/")]
        python = [f for f in below if f.endswith(".py")]
        return python or below

    def sites(self, file: str) -> list[Site]:
        source = (self.root / file).read_bytes()
        return (python_sites if file.endswith(".py") else c_sites)(file, source)

    def sample(self, name: str, count: int, seed: int) -> list[Mutant]:
        """So many mutants of a folder or file; one of each place at most."""
        files = self.sources(name)
        if not files:
            raise SystemExit(f"mutants: {name!r} is no folder or file of {self.package}")
        # By lot, not by place: where the code changes, the rest of the sample stays as it was.
        lots: dict[Mutant, bytes] = {}
        for site in (site for file in files for site in self.sites(file)):
            drawn = {m: sha256(repr((seed, *m.key)).encode()).digest() for m in site}
            first = min(drawn, key=lambda m: drawn[m])
            lots[first] = drawn[first]
        return sorted(lots, key=lambda m: lots[m])[:count]

    def named(self) -> list[Mutant]:
        """The changes of whole lines that the list names; the lines must be there."""
        found = []
        for entry in self.listed.get("named", []):
            source = (self.root / entry["file"]).read_bytes()
            start = source.find(entry["line"].encode())
            if start < 0:
                raise SystemExit(f"mutants: {entry['file']} has no such line: {entry['line']}")
            number = source.count(b"\n", 0, start) + 1
            above = [m for m, *_ in self.sites(entry["file"]) if m.number <= number]
            name = above[-1].function if above else "<module>"
            place = Place(entry["file"], name, number, number, False)
            stop = start + len(entry["line"].encode())
            found.append(make_mutant(source, place, start, stop, entry["becomes"]))
        return found

    # ------------------------------------------------------------ trying

    def reason(self, mutant: Mutant) -> str | None:
        """Why the list says that a mutant gives the same results."""
        for entry in self.listed.get("equivalent", []):
            becomes = entry.get("becomes", [mutant.becomes])
            if (
                entry["file"] == mutant.file
                and entry.get("line", mutant.line) == mutant.line
                and entry.get("function", mutant.function) == mutant.function
                and mutant.becomes in ([becomes] if isinstance(becomes, str) else becomes)
            ):
                return str(entry["reason"])
        return None

    def tests(self, mutant: Mutant) -> list[str]:
        """Tests of the mutant's line; of the folder, if it runs when the module is loaded."""
        asked = self.measured
        if not mutant.file.endswith(".py"):
            callers = self.listed["callers"][self.built_by[mutant.file]]
            lists = [asked.in_turn(asked.calling(file)) for file in reversed(callers)]
            return list(dict.fromkeys(test for tests in lists for test in tests))
        if mutant.at_import:
            return asked.around(mutant.file)
        lines = range(mutant.first, mutant.last + 1)
        return asked.touching(mutant.file, lines) or asked.touching(mutant.file)

    def judge(self, mutant: Mutant) -> Verdict:
        reason = self.reason(mutant)
        if reason is not None:
            return Verdict(mutant, EQUIVALENT, reason)
        began = time.monotonic()
        copy = self.copies.get()
        source = (self.root / mutant.file).read_bytes()
        if extension := self.built_by.get(mutant.file):
            copy.keep_plain(extension)
        mutated = source[: mutant.start] + mutant.after.encode() + source[mutant.stop :]
        copy.write(mutant.file, mutated)
        try:
            state, why = self._try(copy, mutant)
        finally:
            copy.write(mutant.file, source)
            copy.swap(copy.plain)
            self.copies.put(copy)
        return Verdict(mutant, state, why, time.monotonic() - began)

    def _try(self, copy: Copy, mutant: Mutant) -> tuple[str, str]:
        if extension := self.built_by.get(mutant.file):
            made = build(copy.tree, extension, copy.where / "build")
            if made is None or made == copy.plain[extension]:
                return (NOT_BUILT if made is None else SAME), ""
        while True:
            tests = within(self.tests(mutant), self.measured.seconds, self.budget)
            state, why = self._run(copy, tests)
            witnesses = [test for test in tests if test == why or test.startswith(f"{why}::")]
            if state != KILLED or self._pass(copy, mutant, witnesses):
                return state, why
            for test in witnesses:
                self.measured.seconds.pop(test, None)

    def _pass(self, copy: Copy, mutant: Mutant, tests: list[str]) -> bool:
        """Whether tests pass without the change: otherwise it is not what they noticed."""
        new = [test for test in tests if test not in self.sound]
        if not new:
            return True
        changed = (copy.tree / mutant.file).read_bytes()
        copy.write(mutant.file, (self.root / mutant.file).read_bytes())
        before = copy.swap(copy.plain)
        passed = self._run(copy, new)[0] != KILLED
        copy.swap(before)
        copy.write(mutant.file, changed)
        self.sound.update(new if passed else ())
        return passed

    def _run(self, copy: Copy, tests: list[str]) -> tuple[str, str]:
        if not tests:
            return SURVIVED, "no test executes it"
        chosen = copy.where / "chosen"
        chosen.write_text("\n".join(tests))
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        # A test that has proved no witness may be gone: another thread found it.
        expected = sum(self.measured.seconds.get(test, 0.0) for test in tests)
        code, said = copy.pytest(
            ["-x", "--tb=line", *self.words, *files], 30 + 4 * expected, MUTANTS_CHOSEN=str(chosen)
        )
        if code is None:
            return KILLED, "time"
        if code in (0, 5):
            return SURVIVED, f"{len(tests)} tests"
        failed = [line for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return KILLED, failed[0].split(" - ")[0].partition(" ")[2] if failed else f"exit {code}"


def tell(verdict: Verdict) -> None:
    mutant = verdict.mutant
    print(f"{verdict.state:10} {mutant.file}:{mutant.number} {mutant.function}  ({verdict.why})")
    if verdict.state == SURVIVED:
        print(f"    - {mutant.line}\n    + {mutant.becomes}")
    sys.stdout.flush()


def keep(path: Path, results: dict[str, Any]) -> None:
    path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("names", nargs="*", help="folders of the package, or files in it")
    add("--count", type=int, default=60, help="mutants of each")
    add("--seed", type=int, default=1)
    add("--named", action="store_true", help="those that mutants.toml names, too")
    add("--seconds", type=float, default=20, help="most that the tests of a mutant may take")
    add("--json", type=Path, help="read and write verdicts: what was killed is not tried again")
    add("--page", type=Path, help="write the table of all verdicts of --json")
    add("--root", type=Path, default=Path(__file__).parents[1], help="the project")
    add("--package", default="convcli")
    add("--tests", nargs="+", default=["tests", "convcli"], help="where its tests are")
    add("--pytest", default=PYTEST, help="words for pytest")
    add("--cache", type=Path, help="where what was measured is kept")
    add("-j", "--jobs", type=int, default=2, help="mutants at a time")
    given = parser.parse_args()
    given.root = given.root.resolve()
    given.cache = given.cache or Path(tempfile.gettempdir()) / f"mutants-of-{given.package}"
    listing = given.root / "tools" / "mutants.toml"
    listed = tomllib.loads(listing.read_text(encoding="utf-8")) if listing.exists() else {}
    judge = Judge(given, listed)
    asked = [(NAMED, m) for m in judge.named()] if given.named else []
    asked += [(n, m) for n in given.names for m in judge.sample(n, given.count, given.seed)]
    results = json.loads(given.json.read_text()) if given.json and given.json.exists() else {}
    counts: Counter[str] = Counter()

    def key(name: str, mutant: Mutant) -> str:
        return " | ".join((NAMED if name == NAMED else "drawn", *mutant.key))

    def one(place: tuple[str, Mutant]) -> Verdict:
        mutant = place[1]
        old = results.get(key(*place), {})
        if old.get("state") in (KILLED, NOT_BUILT, SAME) and judge.reason(mutant) is None:
            return Verdict(mutant, old["state"], old["why"])
        return judge.judge(mutant)

    with ThreadPoolExecutor(given.jobs) as pool:
        for (name, mutant), verdict in zip(asked, pool.map(one, asked), strict=True):
            tell(verdict)
            counts[verdict.state] += 1
            entry = {**mutant._asdict(), "state": verdict.state, "why": verdict.why}
            results[key(name, mutant)] = entry | {"asked": name, "seed": given.seed}
            if given.json:
                keep(given.json, results)
    print(", ".join(f"{count} {state}" for state, count in counts.items()))
    if given.page:
        given.page.write_text(page(results), encoding="utf-8")
    return 1 if counts[SURVIVED] else 0


if __name__ == "__main__":
    sys.exit(main())
