"""One command line of tools/against.py through one revision: built, run, freed of what must differ."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
from pathlib import Path
from typing import NamedTuple

from against_lines import Line

ROOT = Path(__file__).parents[1]
LIBRARIES = "AGAINST_LIBRARIES"
"""Where a build finds what it imports besides itself: any environment may run it."""
SECONDS = 180
"""Longest that a line may take."""
WATCH = """
import os, sys, time
began = time.perf_counter()
process = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(process, 0)
with open(sys.argv[1], "w") as file:
    file.write(f"{status} {time.perf_counter() - began} {usage.ru_maxrss}")
"""
"""Starts a program and notes how it ended. Linux counts what the starting process held in memory
as its child's, so that a small one has to start what is measured."""


# ---------------------------------------------------------------- revisions


class Build(NamedTuple):
    """A revision that can be run."""

    name: str
    tree: str
    folder: Path

    @property
    def command(self) -> str:
        """The program."""
        return str(self.folder / "bin" / "convcli")


def git(*words: str, env: dict[str, str] | None = None) -> str:
    """What git says."""
    done = subprocess.run(["git", *words], cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def tree_of(revision: str | None) -> str:
    """The hash of all files of a revision; of the working tree, new files included, for None."""
    if revision is not None:
        return git("rev-parse", "--verify", f"{revision}^{{tree}}")
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "GIT_INDEX_FILE": f"{folder}/index"}
        git("read-tree", "HEAD", env=env)
        git("add", "--all", env=env)
        return git("write-tree", env=env)


def build(revision: str | None, cache: Path) -> Build:
    """The revision, installed in an environment of its own below ``cache``."""
    tree = tree_of(revision)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    # The same length for all: it must not change how a line with a path in it is wrapped.
    made = Build(revision or "the working tree", tree, cache / f"{tree[:12]}-{python}")
    with (cache / f"{made.folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another may be building it at this moment
        if not (made.folder / "built").exists():
            _install(made)
    return made


def _install(made: Build) -> None:
    print(f"building {made.name} ({made.tree[:12]}) ...", file=sys.stderr)
    shutil.rmtree(made.folder, ignore_errors=True)
    venv.create(made.folder, symlinks=True)
    site = next(made.folder.glob("lib/python*/site-packages"))
    (site / "libraries.pth").write_text(
        f"import os, sys; sys.path.append(os.environ['{LIBRARIES}'])\n"
    )
    with tempfile.TemporaryDirectory() as source:
        packed = subprocess.run(
            ["git", "archive", made.tree], cwd=ROOT, capture_output=True, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tar:
            tar.extractall(source, filter="data")
        words = ["--python", str(made.folder / "bin" / "python"), "install", "--quiet"]
        words += ["--no-deps", "--no-build-isolation", "--ignore-installed", source]
        pip = [sys.executable, "-m", "pip", *words]
        env = {**os.environ, LIBRARIES: sysconfig.get_paths()["purelib"]}
        done = subprocess.run(pip, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{made.name} cannot be built:\n{done.stderr}")
    (made.folder / "built").touch()


# ---------------------------------------------------------------- one line


class Outcome(NamedTuple):
    """What a line did: exit codes, text, files by name; seconds and bytes as measured."""

    codes: tuple[int, ...]
    stdout: bytes
    stderr: bytes
    files: dict[str, bytes]
    seconds: float = 0.0
    peak: int = 0


def environment(home: Path, extra: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Nothing of the user's: no settings, no measured speeds, no colours, one width."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    fixed = {"HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8", "COLUMNS": "100"}
    fixed[LIBRARIES] = sysconfig.get_paths()["purelib"]
    return {**kept, **fixed, **dict(extra)}


def run(made: Build, wanted: Line, pictures: Path, scratch: Path) -> Outcome:
    """Run a line in an empty folder."""
    shutil.rmtree(scratch, ignore_errors=True)
    work, home = scratch / "work", scratch / "home"
    work.mkdir(parents=True)
    home.mkdir()
    for name in wanted.files:
        copy = shutil.copytree if (pictures / name).is_dir() else shutil.copyfile
        copy(pictures / name, work / name)
    for path in work.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))  # journals and archives note it
    env = environment(home, wanted.env)
    codes, peak, seconds = [], 0, 0.0
    with (scratch / "out").open("w+b") as out, (scratch / "err").open("w+b") as err:
        for words in wanted.commands:
            source = work / wanted.stdin if wanted.stdin else Path(os.devnull)
            with source.open("rb") as stdin:
                note = scratch / "note"
                watch = [sys.executable, "-S", "-E", "-c", WATCH, str(note), made.command, *words]
                process = subprocess.Popen(
                    watch, cwd=work, env=env, stdin=stdin, stdout=out, stderr=err,
                    start_new_session=True,
                )  # fmt: skip
                try:
                    process.wait(SECONDS)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    note.write_text(f"{signal.SIGKILL} {SECONDS} 0")
            status, took, largest = note.read_text().split()
            codes.append(os.waitstatus_to_exitcode(int(status)))
            seconds += float(took)
            peak = max(peak, int(largest) * 1024)
        texts = [Path(stream.name).read_bytes() for stream in (out, err)]
    files = {
        str(path.relative_to(scratch)): path.read_bytes() if path.is_file() else b"(folder)"
        for folder in (work, home)
        for path in sorted(folder.rglob("*"))
    }
    return Outcome(tuple(codes), *texts, files, seconds, peak)


# ---------------------------------------------------------------- what must differ

TIMES = (
    # The line of a picture ends with the seconds it took.
    (r"(?m), \d+\.\d\d s$", ", # s"),
    # -v gives milliseconds by stage; which stages there are stays.
    (r"(?m)(; ms: )(.*)$", lambda m: m[1] + re.sub(r"\d+", "#", m[2])),
    # The line of a batch: seconds, pictures per second, share of the cores.
    (r"in \d+\.\d s, [\d.,]+ per second", "in # s, # per second"),
    (r", \d+% of (\d+) cores", r", #% of \1 cores"),
    # A part that takes more than five seconds is told, which a busy machine has now and then.
    (r"(?m)^convcli: part \d+ of \d+, [\d:]+ left\n", ""),
    # Dask's, where another cluster of this machine shows its state on the same port.
    (r"(?m)^.*UserWarning: Port \d+ is already in use\.\n(.*\n){2} *warnings\.warn\(\n", ""),
    # --json: the same seconds.
    (r'"seconds": \{[^}]*\}', lambda m: re.sub(r"[\d.]+(e-\d+)?", "#", m[0])),
)
JOURNAL = (
    # The times of files, in nanoseconds: of what was written, and read again by a second command.
    (r'("(?:written|source)": \[\d+, )\d+', r"\1#"),
)


def normalised(outcome: Outcome, places: dict[Path, str], unordered: bool) -> Outcome:
    """Without what differs between two runs of the same program.

    ``places`` are the folders of the environment, which `info` and tracebacks show, and of the run,
    which journals hold, each with a word for it.
    """

    def settle(text: bytes, rules: tuple[tuple[str, object], ...]) -> bytes:
        words = text.decode("utf-8", "surrogateescape")
        for folder, name in places.items():
            words = words.replace(str(folder), name)
        for pattern, instead in rules:
            words = re.sub(pattern, instead, words)  # type: ignore[call-overload]
        if unordered:  # files that failed are named as they did
            words = re.sub(
                r"(?<=pictures failed: )[^;\n]*",
                lambda m: ", ".join(sorted(m[0].split(", "))),
                words,
            )
        split = words.splitlines(keepends=True)
        return "".join(sorted(split) if unordered else split).encode("utf-8", "surrogateescape")

    files = {
        # Lines of a journal are appended by each worker when it is ready.
        name: settle(data, JOURNAL) if "journal" in name else data
        for name, data in outcome.files.items()
    }
    is_text = b"\0" not in outcome.stdout
    stdout = settle(outcome.stdout, TIMES) if is_text else outcome.stdout
    return outcome._replace(stdout=stdout, stderr=settle(outcome.stderr, TIMES), files=files)


def summed(outcome: Outcome) -> Outcome:
    """The same with a digest for each text and file, to be kept."""

    def digest(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    files = {name: digest(data) for name, data in outcome.files.items()}
    return outcome._replace(
        stdout=digest(outcome.stdout), stderr=digest(outcome.stderr), files=files
    )
