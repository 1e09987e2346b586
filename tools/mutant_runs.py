"""Private copies of the project, what each test executes, and the verdict on one mutant.

A copy holds what git tracks and the built extensions. The tests of a mutant run in the copy, with
its own folder for temporary files, in a process group of their own that is ended when it is late.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property, lru_cache
from pathlib import Path

from coverage import CoverageData
from coverage.exceptions import DataError
from mutant_c import build, built

TOOLS = Path(__file__).parent
PHASE = re.compile(r" \((setup|call|teardown)\)$")
MEMORY = 8 << 30
"""Bytes of address space for the tests of one mutant."""

COVERAGE = """
[run]
source = ${MUTANTS_ROOT}/PACKAGE
data_file = ${MUTANTS_DATA}/lines
parallel = true
context = ${PYTEST_CURRENT_TEST-}
patch = _exit
disable_warnings = no-data-collected, module-not-measured, couldnt-parse, module-not-imported
"""


class Copy:
    """A copy of the project, in which anything may be changed."""

    def __init__(self, root: Path, package: str, where: Path) -> None:
        self.root, self.package, self.where = root, package, where
        self.tree, self.temporary = where / "tree", where / "tmp"
        self.turns, self.plain = 0, dict[str, bytes]()
        shutil.rmtree(where, ignore_errors=True)
        self.temporary.mkdir(parents=True)
        for name in _files(root, package):
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, self.tree / name)

    def write(self, name: str, text: bytes) -> None:
        """Change a file; its time is new, so that nothing compiled before is taken for it."""
        path = self.tree / name
        path.write_bytes(text)
        self.turns += 1
        os.utime(path, (now := 1_600_000_000 + self.turns, now))

    def keep_plain(self, extension: str) -> None:
        """Build an extension as it is, to be put back after each mutant of its sources."""
        if extension not in self.plain:
            made = build(self.tree, extension, self.where / "build")
            assert made is not None, f"{extension} cannot be built"
            self.plain[extension] = made

    def swap(self, extensions: dict[str, bytes]) -> dict[str, bytes]:
        """Put other builds in the place of those that are there, which are returned."""
        before = {}
        for name, made in extensions.items():
            path = built(self.tree, name)
            before[name] = path.read_bytes()
            path.unlink()  # a new file: the old one may still be mapped
            path.write_bytes(made)
        return before

    def pytest(
        self, words: Iterable[str], seconds: float | None, **variables: str
    ) -> tuple[int | None, str]:
        """Run pytest in the copy: its exit code, None if it was ended, and what it said."""
        # A pytest that runs this tool, as its own test does, says nothing to the one below it.
        ours = ("MUTANTS_", "PYTEST_", "COVERAGE_")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        environment |= {
            "PYTHONPATH": f"{self.tree}{os.pathsep}{TOOLS}",
            "TMPDIR": str(self.temporary),
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "mutant_plugin"]
        command += ["-p", "no:cacheprovider", *words]
        process = subprocess.Popen(
            command,
            cwd=self.tree,
            env=environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=_limit,
        )
        try:
            said, _ = process.communicate(timeout=seconds)
            return process.returncode, said
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            shutil.rmtree(self.temporary, ignore_errors=True)
            self.temporary.mkdir(exist_ok=True)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _files(root: Path, package: str) -> list[str]:
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=root, capture_output=True, check=True)
    names = [name for name in done.stdout.decode().split("\0") if name and (root / name).is_file()]
    return names + [p.relative_to(root).as_posix() for p in (root / package).rglob("*.so")]


class Measured:
    """Which tests execute which lines, and how long they take; kept in a folder between runs.

    Test files that are new or have changed are measured when asked. Lines are numbered as in the
    sources of the first time, which are kept; those that have changed since are looked up there.
    """

    def __init__(self, root: Path, package: str, cache: Path, tests: list[str]) -> None:
        self.root, self.package, self.cache, self.tests = root, package, cache, tests
        self.sources, self.state = cache / "sources", cache / "tests.json"
        cache.mkdir(parents=True, exist_ok=True)

    def update(self, processes: int, words: list[str]) -> None:
        """Measure the test files that are new or have changed."""
        known = json.loads(self.state.read_text()) if self.state.exists() else {}
        now = {
            path.relative_to(self.root).as_posix(): path.read_text(encoding="utf-8")
            for name in self.tests
            for path in sorted((self.root / name).rglob("*.py"))
            if path.name != "conftest.py"
        }
        new = [name for name, text in now.items() if known.get(name) != text]
        if not new:
            return
        print(f"measuring the tests of {len(new)} files", flush=True)
        copy = Copy(self.root, self.package, self.cache / "copy")
        if not self.sources.exists():
            shutil.copytree(copy.tree / self.package, self.sources / self.package)
        rules, data = self.cache / "coveragerc", self.cache / "data"
        rules.write_text(COVERAGE.replace("PACKAGE", self.package))
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        parallel = ["-n", str(processes)] if processes > 1 else []
        _, said = copy.pytest(
            [*parallel, *words, *new],
            None,
            MUTANTS_ROOT=str(copy.tree),
            MUTANTS_DATA=str(data),
            MUTANTS_NOTES=str(self.cache / "notes"),
            COVERAGE_PROCESS_START=str(rules),
        )
        print(said.strip().splitlines()[-1], flush=True)
        self.collect(data, copy.tree)
        self.state.write_text(json.dumps(now))
        shutil.rmtree(copy.where)

    def collect(self, data: Path, tree: Path) -> None:
        """Add up what the processes wrote."""
        then: dict[str, dict[int, int]] = {}
        lines: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        for piece in data.iterdir():
            found = CoverageData(str(piece))
            try:
                found.read()
            except DataError:  # of a process that was killed while it wrote
                continue
            for path in found.measured_files():
                file = Path(path).relative_to(tree).as_posix()
                old = then[file] if file in then else then.setdefault(file, self._then(file))
                for line, contexts in found.contexts_by_lineno(path).items():
                    for test in contexts:
                        lines[PHASE.sub("", test)][file].add(old.get(line, line))
        total = CoverageData(str(self.cache / "lines"))
        if (self.cache / "lines").exists():
            total.read()  # or it would be begun anew
        for test, files in lines.items():
            total.set_context(test)
            total.add_lines(files)

    def _then(self, file: str) -> dict[int, int]:
        """Where the lines of a file were in the sources that are kept."""
        if not (self.sources / file).exists() or not (self.root / file).exists():
            return {}
        old = (self.sources / file).read_text(encoding="utf-8").splitlines()
        new = (self.root / file).read_text(encoding="utf-8").splitlines()
        blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
        return {b + k + 1: a + k + 1 for a, b, size in blocks for k in range(size)}

    # ------------------------------------------------------------ asking

    @cached_property
    def seconds(self) -> dict[str, float]:
        """How long each test took, of those that passed the last time."""
        took: dict[str, float] = {}
        for line in (self.cache / "notes").read_text(encoding="utf-8").splitlines():
            name, when, outcome, seconds = json.loads(line)
            before = 0.0 if when == "setup" else took.get(name, 0.0)
            took[name] = before + seconds if outcome == "passed" else float("inf")
        return {name: s for name, s in took.items() if s < float("inf")}

    def touching(self, file: str, lines: Iterable[int] | None = None) -> list[str]:
        """Tests that execute one of the lines, or any of the file, the first to run first."""
        found, then = self._tests_of_lines(file), self._then(file)
        numbers = found if lines is None else [then[n] for n in lines if n in then]
        return self.in_turn(test for n in numbers for test in found.get(n, ()))

    @lru_cache(maxsize=64)  # noqa: B019  (there is one of these)
    def _tests_of_lines(self, file: str) -> dict[int, list[str]]:
        data = CoverageData(str(self.cache / "lines"))
        data.read()
        return data.contexts_by_lineno(file)

    def around(self, file: str) -> list[str]:
        """Those of its folder: of what runs when a module is loaded no test is the one."""
        folder = Path(file).parent
        files = [f for f in self._measured_files if Path(f).parent == folder]
        return self.in_turn(test for f in files for test in self.touching(f))

    @cached_property
    def _measured_files(self) -> set[str]:
        data = CoverageData(str(self.cache / "lines"))
        data.read()
        return data.measured_files()

    def calling(self, file: str) -> list[str]:
        """Those that execute any of a file; all of it, if it is a file of tests."""
        own = [test for test in self.seconds if test.startswith(f"{file}::")]
        return own + self.touching(file)

    def in_turn(self, tests: Iterable[str]) -> list[str]:
        """Tests that pass, one of each function in turn, fast ones before slow ones.

        Siblings see the same, so that most mutants are noticed soon.
        """
        seconds = dict(self.seconds)
        names = sorted(set(tests) & seconds.keys(), key=lambda n: seconds[n])
        families: dict[str, list[str]] = defaultdict(list)
        for name in names:
            families[name.partition("[")[0]].append(name)
        rank = {name: place for family in families.values() for place, name in enumerate(family)}
        return sorted(names, key=lambda n: (rank[n], seconds[n]))


def within(tests: list[str], seconds: dict[str, float], budget: float) -> list[str]:
    """As many of the tests as take so long together, one at least, in their order."""
    chosen: set[str] = set()
    spent = 0.0
    for test in sorted(tests, key=lambda test: seconds.get(test, 0.0)):
        spent += seconds.get(test, 0.0)
        if chosen and spent > budget:
            break
        chosen.add(test)
    return [test for test in tests if test in chosen]
