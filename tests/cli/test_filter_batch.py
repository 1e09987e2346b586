"""``convcli filter`` on many files: finding, naming, failing, resuming, interrupting."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Cli = Callable[..., Any]
Pipe = Callable[[], Any]
CONVCLI = [sys.executable, "-m", "convcli"]
PROGRAM = shlex.join([sys.executable, "-m", "convcli"])
"""For shells, wherever Python lies."""


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (37, 23)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seven pictures in three folders, and files that are none."""
    names = [
        "a.png",
        "b.png",
        "deep/a.png",
        "deep/c.jpg",
        "deep/er/a.png",
        "deep/er/d.png",
        "e.gif",
    ]
    for seed, name in enumerate(names):
        picture(tmp_path / "in" / name, seed)
    (tmp_path / "in/notes.txt").write_text("not a picture")
    (tmp_path / "in/.hidden.png").write_text("not looked at")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: str | Path) -> dict[str, bytes]:
    root = Path(folder)
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def refused(done: Any, *words: str) -> None:
    """A usage error of one line, before any work."""
    assert done.code == 2, done.err
    assert len(done.err.splitlines()) == 1, done.err
    for word in words:
        assert word in done.err
    assert not Path("out").exists()


# ------------------------------------------------------------------ which files


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["-r", "in"], "a.png b.png deep/a.png deep/c.jpg deep/er/a.png deep/er/d.png e.gif"),
        (["in/**/*.png"], "a.png b.png deep/a.png deep/er/a.png deep/er/d.png"),
        (["in/*.png"], "a.png b.png"),
        (["in/deep/?.*"], "a.png c.jpg"),
        (["-r", "in/deep/*"], "a.png c.jpg er/a.png er/d.png"),
        (["in/e.gif", "-r", "in/deep"], "a.png c.jpg e.gif er/a.png er/d.png"),
        (["in/*.png", "in/a.*"], "a.png b.png"),
    ],
    ids=["folder", "deep_glob", "glob", "question_mark", "folders_of_glob", "mixed", "overlap"],
)
def test_inputs_are_found_and_mirrored(
    convcli: Cli, tree: Path, args: list[str], expected: str
) -> None:
    done = convcli("filter", *args, "-k", "box:3", "-o", "out")
    assert done.code == 0, done.err
    assert sorted(files("out")) == expected.split()


@pytest.mark.parametrize("null", [False, True], ids=["lines", "zero_bytes"])
def test_a_list_keeps_its_folders(convcli: Cli, tree: Path, null: bool) -> None:
    names = ["in/deep/a.png", "in/a.png", str(tree / "in/b.png")]
    if null:
        picture(tree / "in/new\nline.png")
        names.append("in/new\nline.png")
    end = "\0" if null else "\r\n"
    Path("list").write_bytes("".join(name + end for name in names).encode())
    done = convcli("filter", "--files-from", "list", *["-0"] * null, "-k", "box:3", "-o", "out")
    assert done.code == 0, done.err
    made = {"in/deep/a.png", "in/a.png", "b.png"} | ({"in/new\nline.png"} if null else set())
    assert set(files("out")) == made


def test_a_list_from_a_pipe(tree: Path) -> None:
    done = subprocess.run(
        f"find in -name '*.png' -not -name '.*' -print0 | {PROGRAM} filter "
        "--files-from - -0 -k box:3 -o out --json",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["output"] for line in lines} == {
        f"out/{p}"
        for p in files("in")
        for p in [f"in/{p}"]
        if p.endswith(".png") and not p.endswith(".hidden.png")
    }


def test_a_file_named_like_a_glob_is_that_file(convcli: Cli, tree: Path) -> None:
    picture(Path("photo[ab].png"), 1)
    picture(Path("photoa.png"), 2)
    done = convcli("filter", "photo[ab].png", "-k", "box:3", "-o", "out/")
    assert done.code == 0
    assert list(files("out")) == ["photo[ab].png"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["in/*.tif"], ("in/*.tif", "matches no file")),
        (["-r", "empty"], ("empty", "holds no picture")),
        (["--files-from", "nowhere"], ("--files-from", "No such file")),
        (["--files-from", "blank"], ("blank names no file",)),
        (["in/a.png", "-0"], ("--files-from",)),
        ([], ("no input was given",)),
        (["in/a.png", "--on-error", "stopp"], ("'stopp'", "did you mean 'stop'")),
    ],
    ids=["glob", "folder", "list", "blank_list", "zero", "nothing", "on_error"],
)
def test_nothing_found_is_said(
    convcli: Cli, tree: Path, args: list[str], words: tuple[str, ...]
) -> None:
    Path("empty").mkdir()
    Path("blank").write_text("\n\n")
    refused(convcli("filter", *args, "-k", "box:3", "-o", "out"), *words)


# ------------------------------------------------------------------ names of outputs


def test_a_template_names_every_output(convcli: Cli, tree: Path) -> None:
    template = "out/{parent}/{index:03}-{stem}-{kernel}{suffix}"
    done = convcli("filter", "-r", "in/deep", "-k", "gaussian:2", "-o", template)
    assert done.code == 0, done.err
    assert sorted(files("out")) == [
        "001-a-gaussian-2.png",
        "002-c-gaussian-2.jpg",
        "er/003-a-gaussian-2.png",
        "er/004-d-gaussian-2.png",
    ]


def test_a_template_keeps_named_files_apart_by_their_folders(convcli: Cli, tree: Path) -> None:
    done = convcli(
        "filter", "in/a.png", "in/deep/a.png", "-k", "box:3", "-o", "out/{parent}/{name}"
    )
    assert done.code == 0, done.err
    assert sorted(files("out")) == ["in/a.png", "in/deep/a.png"]


def test_another_format_in_a_tree(convcli: Cli, tree: Path) -> None:
    done = convcli("filter", "in/deep/**/*.png", "-k", "box:3", "-o", "out", "-f", "bmp")
    assert done.code == 0, done.err
    assert sorted(files("out")) == ["a.bmp", "er/a.bmp", "er/d.bmp"]


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("out/{name}{oops}", ("{oops} is no field", "{parent}")),
        ("out/{name", ("'}'",)),
        ("out/same.png", ("is not a folder",)),
        ("out/{stem}", ("suffix",)),
        ("out/{parent}/x.png", ("would both be written to", "template")),
    ],
    ids=["unknown", "unclosed", "one_file", "no_suffix", "collision"],
)
def test_templates_that_cannot_be(
    convcli: Cli, tree: Path, output: str, words: tuple[str, ...]
) -> None:
    refused(convcli("filter", "in/a.png", "in/b.png", "-k", "box:3", "-o", output), *words)


def test_nothing_leaves_the_output_root(convcli: Cli, tree: Path) -> None:
    os.chdir("in/deep")
    up = convcli("filter", "../a.png", "-k", "box:3", "-o", "o/{parent}/{name}")
    assert up.code == 2
    assert "outside" in up.err
    assert "nothing was done" in up.err
    os.chdir(tree)
    Path("elsewhere").mkdir()
    Path("root").mkdir()
    Path("root/er").symlink_to(tree / "elsewhere")
    link = convcli("filter", "-r", "in/deep", "-k", "box:3", "-o", "root")
    assert link.code == 2
    assert "outside of root" in link.err
    assert files("elsewhere") == {}
    assert sorted(p.name for p in Path("root").iterdir()) == ["er"]


def test_an_output_that_is_another_input(convcli: Cli, tree: Path) -> None:
    before = files("in")
    done = convcli("filter", "-r", "in/deep", "-k", "box:3", "-o", "in/deep", "--overwrite")
    assert done.code == 2
    assert "is an input" in done.err
    assert files("in") == before


def test_the_output_folder_is_not_searched(convcli: Cli, tree: Path) -> None:
    for _ in range(2):
        done = convcli("filter", "-r", "in", "-k", "box:3", "-o", "in/out", "--overwrite")
        assert done.code == 0, done.err
    assert len(files("in/out")) == 7


# ------------------------------------------------------------------ failures


def break_some(folder: Path) -> list[str]:
    """Ten pictures of which three are damaged in three ways."""
    for index in range(10):
        picture(folder / f"{index}.png", index)
    (folder / "2.png").write_bytes(b"")
    (folder / "5.png").write_bytes((folder / "5.png").read_bytes()[:-30])
    (folder / "8.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    return ["bad/2.png", "bad/5.png", "bad/8.png"]


def test_every_failure_names_its_file(convcli: Cli, tree: Path) -> None:
    """Whoever raises it: of kernels and options nobody knows to which of many it happened."""
    (tree / "arrays").mkdir()
    for name, value in (("a.npy", 1), ("b.npy", 7)):
        np.save(tree / "arrays" / name, np.full((5, 6), value, np.int16))
    done = convcli(
        "filter", "-r", "arrays", "-k", "sobel", "--fill", "--nodata", "7", "-o", "out", "--json"
    )
    assert done.code == 1
    told = [line for line in done.err.splitlines() if "--fill closes holes" in line]
    assert sorted(line.split(": ")[1] for line in told) == ["arrays/a.npy", "arrays/b.npy"]


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_failures_are_skipped_and_listed(convcli: Cli, tree: Path, jobs: int) -> None:
    bad = break_some(tree / "bad")
    done = convcli("filter", "-r", "bad", "-k", "box:3", "-o", "out", "-j", jobs, "--json")
    assert done.code == 1
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert sorted(line["input"] for line in lines if "error" in line) == bad
    assert len(lines) == 10
    assert len(files("out")) == 7
    last = done.err.splitlines()[-1]
    assert "3 of 10 pictures failed" in last
    assert all(name in last for name in bad)


@pytest.mark.parametrize("jobs", [1, 2])
def test_stop_begins_no_more(
    convcli: Cli, tree: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convcli.runs import workers
    from convcli.runs.run_job import Failure

    attempt, end = workers.attempt, time.monotonic() + 30

    def in_turn(request: Any, job: Any, *rest: Any) -> Any:
        result = attempt(request, job, *rest)
        if isinstance(result, Failure):
            Path("failed").touch()
        # Those behind the first that fails go on when it has, however late its process comes.
        while job.input > "bad/2.png" and not Path("failed").exists() and time.monotonic() < end:
            time.sleep(0.001)
        return result

    if jobs > 1:
        monkeypatch.setattr(workers, "attempt", in_turn)
    break_some(tree / "bad")
    for index in range(10, 60):
        picture(tree / f"bad/{index}.png", index)
    done = convcli(
        "filter", "-r", "bad", "-k", "box:3", "-o", "out", "-j", jobs, "--on-error", "stop"
    )
    assert done.code == 1
    assert 1 <= len(files("out")) < 50
    assert "not begun" in done.err
    for name, data in files("out").items():
        with Image.open(io.BytesIO(data)) as image:
            image.load()
        assert not name.startswith(".")


def test_workers_change_nothing(convcli: Cli, tree: Path) -> None:
    made = []
    for jobs in (1, 2, 8):
        done = convcli("filter", "-r", "in", "-k", "gaussian:2", "-o", f"out{jobs}", "-j", jobs)
        assert done.code == 0, done.err
        made.append(files(f"out{jobs}"))
    assert len(made[0]) == 7
    assert made[0] == made[1] == made[2]


def test_a_worker_that_is_killed_loses_only_the_guilty_file(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convcli.kernels.load import load_kernel
    from convcli.runs import batch, workers
    from convcli.runs.request import Request
    from convcli.runs.run_job import Failure

    attempt = workers.attempt

    def deadly(request: Any, job: Any, *rest: Any) -> Any:
        if job.input.endswith("b.png"):
            os.kill(os.getpid(), signal.SIGKILL)
        return attempt(request, job, *rest)

    monkeypatch.setattr(workers, "attempt", deadly)
    request = Request(("in",), (load_kernel("box:3"),), output="out", recursive=True, jobs=2)
    run = batch.Batch(request)
    failures = [r for r in run.run() if isinstance(r, Failure)]
    assert [f.job.input for f in failures] == ["in/b.png"]
    assert "worker was killed" in str(failures[0].error)
    assert len(files("out")) == 6


def test_few_descriptors_are_enough(tree: Path) -> None:
    for index in range(80):
        picture(tree / f"many/{index}.png", index)
    command = f"{PROGRAM} filter -r many -k box:3 -o out -j 4"
    done = subprocess.run(
        ["bash", "-c", f"ulimit -n 64; {command}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(files("out")) == 80


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_disk_that_fills_half_way(tree: Path) -> None:
    for index in range(30):
        picture(tree / f"many/{index}.png", index, (40, 60))
    Path("small").mkdir()
    script = (
        f"mount -t tmpfs -o size=128k tmpfs small && {PROGRAM} filter -r many "
        "-k identity -o small/out -j 2; code=$?; mkdir got; cp -r small/out got; "
        "ls -A small/out | grep -c tmp; exit $code"
    )
    done = subprocess.run(["unshare", "-m", "bash", "-c", script], capture_output=True, text=True)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no mount namespaces here")
    assert done.returncode == 1, done.stderr
    assert done.stdout == "0\n"  # no temporary is left
    assert "No space left" in done.stderr
    got = files("got/out")
    assert 3 < len(got) < 30
    for data in got.values():
        with Image.open(io.BytesIO(data)) as image:
            image.load()


# ------------------------------------------------------------------ resuming


def run_batch(*more: str, output: str = "out") -> subprocess.CompletedProcess[str]:
    command = [*CONVCLI, "filter", "-r", "in", "-k", "gaussian:2", "-o", output, *more]
    return subprocess.run(command, capture_output=True, text=True)


def modified(folder: str) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in Path(folder).rglob("*.*") if p.is_file()}


def test_resume_does_only_what_is_left(tree: Path) -> None:
    assert run_batch().returncode == 0
    first = modified("out")
    Path("out/b.png").unlink()
    picture(tree / "in/deep/a.png", 99)
    picture(tree / "in/new.png", 100)
    done = run_batch("--resume")
    assert done.returncode == 0, done.stderr
    assert "5 done before" in done.stderr
    second = modified("out")
    redone = {name for name in second if second[name] != first.get(name)}
    assert redone == {"out/b.png", "out/deep/a.png", "out/new.png"}
    run_batch(output="whole")
    assert files("out") == files("whole")


@pytest.mark.slow
def test_resume_with_other_options_redoes_all(tree: Path) -> None:
    assert run_batch().returncode == 0
    first = modified("out")
    assert run_batch("--resume", "--bias", "9").returncode == 0
    second = modified("out")
    assert all(second[name] != first[name] for name in first)


def test_resume_does_not_replace_what_it_did_not_make(tree: Path) -> None:
    Path("out").mkdir()
    Path("out/b.png").write_bytes(b"mine")
    done = run_batch("--resume")
    assert done.returncode == 2
    assert "out/b.png exists and is no result of an earlier run" in done.stderr
    assert files("out") == {"b.png": b"mine"}


@pytest.mark.slow
def test_a_torn_journal_is_harmless(tree: Path) -> None:
    assert run_batch(output="whole").returncode == 0
    assert run_batch().returncode == 0
    (journal,) = tree.glob(".out.*")
    lines = journal.read_bytes()
    for cut in (0, 40, len(lines) - 1):
        shutil.rmtree("out")
        journal.unlink()
        assert run_batch().returncode == 0
        journal.write_bytes(lines[:0] + journal.read_bytes()[:cut] + b'{"state": "do')
        shutil.rmtree("out/deep")
        done = run_batch("--resume", "--overwrite")
        assert done.returncode == 0, done.stderr
        assert files("out") == files("whole")
        done = run_batch("--resume")
        assert "7 done before" in done.stderr, (cut, done.stderr)


@pytest.mark.slow
def test_resume_in_place_filters_each_file_once(tree: Path) -> None:
    assert run_batch(output="whole").returncode == 0
    command = [*CONVCLI, "filter", "-r", "in", "-k", "gaussian:2", "--in-place", "--resume"]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    in_place = {n: d for n, d in files("in").items() if not n.startswith(".") and n != "notes.txt"}
    assert in_place == files("whole")
    assert "7 done before" in done.stderr


def test_resume_beside_the_inputs_leaves_results_alone(tree: Path) -> None:
    command = [*CONVCLI, "filter", "-r", "in", "-k", "box:3", "--resume"]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "7 done before" in done.stderr
    assert len([n for n in files("in") if "-box" in n]) == 7


LONG = "long-" * 40
"""In a name, so that a few lines about it fill a page."""


def kill_and_resume(tree: Path, pipe: Pipe, count: int, kills: int, jobs: int) -> None:
    for index in range(count):
        picture(tree / f"in/more/{LONG}{index:03}.png", index, (60, 80))
    assert run_batch(output="whole").returncode == 0
    command = [*CONVCLI, "filter", "-r", "in", "-k", "gaussian:2", "-j", str(jobs), "-v"]
    command += ["-o", "out", "--resume"]
    moments = random.Random(4)
    made = 0
    for _ in range(kills):
        with subprocess.Popen(command, stderr=pipe().writer) as process:
            while len(list(Path().glob("out/**/*.png"))) <= made:
                assert process.poll() is None
                time.sleep(0.005)
            time.sleep(moments.uniform(0, 0.02))
            process.kill()
        made = len(list(Path().glob("out/**/*.png")))
    assert 0 < made < count, "the test proves nothing"
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert files("out") == files("whole")


@pytest.mark.slow
def test_killed_and_resumed_is_the_same(tree: Path, narrow_pipe: Pipe) -> None:
    kill_and_resume(tree, narrow_pipe, 60, 3, 2)


@pytest.mark.slow
def test_killed_at_20_moments_and_resumed_is_the_same(tree: Path, narrow_pipe: Pipe) -> None:
    kill_and_resume(tree, narrow_pipe, 500, 20, 2)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_ends_a_batch_with_whole_files(
    tree: Path, narrow_pipe: Pipe, jobs: int
) -> None:
    for index in range(60):
        picture(tree / f"in/more/{LONG}{index:03}.png", index, (90, 120))
    command = [*CONVCLI, "filter", "-r", "in", "-k", "gaussian:3", "-o", "out", "-j", str(jobs)]
    pipe = narrow_pipe()
    with subprocess.Popen([*command, "-v"], stderr=pipe.writer) as process:
        while len(list(Path().glob("out/**/*.png"))) < 3:
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        err = pipe.read()
    assert process.returncode == -signal.SIGINT
    assert err.endswith("convcli: interrupted\n")
    assert "not begun" in err
    assert "Traceback" not in err
    made = files("out")
    assert 3 <= len(made) < 67
    for name, data in made.items():
        assert not name.endswith(".tmp")
        with Image.open(io.BytesIO(data)) as image:
            image.load()


# ------------------------------------------------------------------ what is shown


def test_a_bar_on_a_terminal_and_lines_in_a_log(tree: Path) -> None:
    for index in range(120):
        picture(tree / f"many/[red]{index}.png", index)
    command = [*CONVCLI, "filter", "-r", "many", "-k", "box:3", "-o", "out"]
    log = subprocess.run(command, capture_output=True, text=True)
    assert log.returncode == 0
    assert len(log.stderr.splitlines()) == 1
    assert "120 pictures: 120 done" in log.stderr
    assert log.stdout == ""
    main, terminal = pty.openpty()
    with subprocess.Popen([*command, "--overwrite"], stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
        process.wait()
    os.close(main)
    assert process.returncode == 0
    assert b"120/120" in shown
    assert b"/s" in shown


def test_a_log_hears_of_the_rate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from convcli.show import progress

    now = iter([0.0, 1.0, 6.0, 7.0, 12.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(now))
    with progress.progress(200, True, True) as advance:
        for failed in (False, True, False, False):
            advance(failed)
    assert capsys.readouterr().err.splitlines() == [
        "convcli: 2 of 200 pictures, 1 failed, 0.3 per second, 9:54 left",
        "convcli: 4 of 200 pictures, 1 failed, 0.3 per second, 9:48 left",
    ]


# ------------------------------------------------------------------ very many


def usage(pid: int) -> tuple[int, int]:
    """Resident memory, and open descriptors, of a process and its children."""
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        pids += [int(child) for child in (task / "children").read_text().split()]
    memory = descriptors = 0
    for each in pids:
        memory += int(Path(f"/proc/{each}/statm").read_text().split()[1]) * 4096
        descriptors += len(list(Path(f"/proc/{each}/fd").iterdir()))
    return memory, descriptors


@pytest.mark.ci
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_memory_and_descriptors_stay_flat(tree: Path) -> None:
    picture(tree / "many/00000.png", 0, (512, 512))
    bad = set()
    for index in range(1, 1500):
        path = tree / f"many/{index:05}.png"
        if index % 50 == 25:
            path.write_bytes(b"\x89PNG\r\n\x1a\nbroken")
            bad.add(f"many/{index:05}.png")
        else:
            os.link(tree / "many/00000.png", path)
    command = [*CONVCLI, "filter", "-r", "many", "-k", "box:3", "-o", "out", "-j", "2", "--json"]
    seen: list[tuple[int, int, int]] = []
    with (
        Path("log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=subprocess.DEVNULL) as process,
    ):
        while process.poll() is None:
            made = len(list(Path("out").iterdir())) if Path("out").exists() else 0
            with contextlib.suppress(OSError):
                seen.append((made, *usage(process.pid)))
            time.sleep(0.1)
    assert process.returncode == 1
    told = [json.loads(line) for line in Path("log").read_text().splitlines()]
    reported = {entry["input"] for entry in told if "error" in entry}
    assert reported == bad
    assert len(files("out")) == 1500 - len(bad)
    early = [entry for entry in seen if 300 <= entry[0] < 800]
    late = [entry for entry in seen if entry[0] >= 1200]
    assert early
    assert late
    assert max(e[1] for e in late) < 1.1 * max(e[1] for e in early)
    assert max(e[2] for e in late) <= max(e[2] for e in early) + 2
