"""``tools/against.py``: what it runs, what it sees, and that it can fail."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

TOOLS = Path(__file__).parents[1] / "tools"
sys.path.insert(0, str(TOOLS))
import against  # noqa: E402
import against_lines  # noqa: E402
import against_pictures  # noqa: E402
import against_run  # noqa: E402
import pairwise  # noqa: E402

TABLES = {
    "small": (against_lines.AXES, against_lines.allowed),
    "large": (against_lines.LARGE_AXES, against_lines.large_allowed),
    "batch": (against_lines.BATCH_AXES, against_lines.batch_allowed),
    "shape": (against_lines.SHAPE_AXES, pairwise.anything),
    "conv": (against_lines.CONV_AXES, pairwise.anything),
    "pool": (against_lines.POOL_AXES, pairwise.anything),
    "draw": (against_lines.DRAW_AXES, pairwise.anything),
}


@pytest.mark.parametrize("table", TABLES)
def test_every_pair_that_may_be_occurs(table: str) -> None:
    axes, allowed = TABLES[table]
    rows = pairwise.cover(axes, allowed)
    assert all(allowed(row) and row.keys() == axes.keys() for row in rows)
    assert pairwise.uncovered(axes, rows, allowed) == set()
    assert rows == pairwise.cover(axes, allowed)


def test_a_pair_without_a_row_is_found() -> None:
    axes = {"a": (1, 2), "b": (1, 2)}
    rows = [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 1}]
    assert pairwise.uncovered(axes, rows) == {(("a", 1), ("b", 1))}
    assert pairwise.uncovered(axes, rows, lambda row: row != {"a": 2, "b": 2}) == set()
    with pytest.raises(ValueError, match="no row"):
        pairwise.cover(axes, lambda row: False)


def test_every_value_of_an_option_is_in_the_axes() -> None:
    """A range, a border, a format, a preset or a command that is added gets its lines."""
    from convcli.arithmetic.borders import BORDERS
    from convcli.cli.commands import COMMANDS
    from convcli.cli.parse import COMPRESSIONS, RANGES
    from convcli.engine.algorithms import ALGORITHMS
    from convcli.imaging.formats import every_format
    from convcli.imaging.stages.plans import DEPTHS
    from convcli.kernels.catalogue import PRESETS

    axes = against_lines.AXES
    assert set(RANGES) - {"auto"} <= set(axes["range"])
    assert set(BORDERS) - {"reflect"} <= {value.partition(":")[0] for value in axes["border"]}
    assert set(ALGORITHMS) <= set(axes["algorithm"])
    assert set(DEPTHS) <= set(axes["to"])
    assert {f"--compression {name}" for name in COMPRESSIONS} - set(axes["encode"]) == {
        "--compression default"
    }
    assert {f.suffix.removeprefix(".") for f in every_format()} <= set(axes["out"])
    assert set(PRESETS) == {name.partition(":")[0] for name in against_lines.PRESETS}
    assert set(COMMANDS) <= set(against_lines.COMMANDS)


def test_there_are_enough_lines_each_once() -> None:
    lines = against_lines.lines()
    assert len(lines) >= 400
    assert len({one.text for one in lines}) == len(lines)


def test_a_line_is_read_as_by_a_shell() -> None:
    two = against_lines.line("conv '1 2;3 4' '1 ; 2' ; filter photos/a ./k.csv", "rich.jpg")
    assert two.commands == [["conv", "1 2;3 4", "1 ; 2"], ["filter", "photos/a", "./k.csv"]]
    assert two.files == ["photos", "k.csv", "rich.jpg"]
    assert two.text == "convcli conv '1 2;3 4' '1 ; 2' ; filter photos/a ./k.csv < rich.jpg"


@pytest.mark.parametrize("name", ["png-16-rgba-turned.png", "strips-double-cmyk.tif", "mixed"])
def test_a_picture_is_made_by_its_name(tmp_path: Path, name: str) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        against_pictures.make(tmp_path / folder, name)
    assert len({tuple(_bytes(tmp_path / folder / name)) for folder in ("a", "b")}) == 1


def _bytes(path: Path) -> list[bytes]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file.read_bytes() for file in files if file.is_file()]


def _outcome(**changed: Any) -> against_run.Outcome:
    return against_run.Outcome((0,), b"one\ntwo\n", b"", {"work/a.txt": b"a"})._replace(**changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"codes": (2,)}, "exit code: 0 became 2"),
        ({"stdout": b"one\nTwo\n"}, "stdout: line 2: 'two' became 'Two'"),
        ({"stdout": b"one\n"}, "stdout: line 2: 'two' became nothing"),
        ({"stdout": b"one\ntwo"}, "stdout: line ends differ"),
        ({"stderr": b"\0"}, "stderr: 0 bytes became 1"),
        ({"files": {}}, "file work/a.txt: is not there any more"),
        ({"files": {"work/a.txt": b"a", "b": b""}}, "file b: is new"),
        (
            {"files": {"work/a.txt": b"ab"}},
            "file work/a.txt: 1 bytes became 2, the first other one is number 1",
        ),
    ],
)
def test_what_is_different_is_said(changed: dict[str, Any], said: str) -> None:
    assert against.differences(_outcome(), _outcome()) == []
    assert against.differences(_outcome(), _outcome(**changed)) == [said]
    kept = against_run.summed(_outcome())
    assert against.differences_at_all(kept, against_run.summed(_outcome(**changed)))
    assert not against.differences_at_all(kept, against_run.summed(_outcome(seconds=1.0, peak=5)))


def test_the_first_pixel_is_said(tmp_path: Path) -> None:
    before = np.zeros((3, 4, 2), np.uint8)
    after = before.copy()
    after[1, 2, 1], after[2, 0, 0] = 7, 1
    found = []
    for array in (before, after):
        np.save(tmp_path / "a.npy", array)
        found.append(_outcome(files={"a.npy": (tmp_path / "a.npy").read_bytes()}))
    assert against.differences(*found) == ["file a.npy: 2 of 24 samples; at (1, 2, 1) 0 became 7"]


def test_only_times_and_places_are_made_alike() -> None:
    places = {Path("/cache/000000000000"): "ENVIRONMENT", Path("/tmp/x/07"): "FOLDER"}
    said = _outcome(
        stdout=b'{"parts": 2, "seconds": {"read": 0.25, "filter": 1e-06}}\n',
        stderr=b"a -> b: 4x4, border edge, 0.25 s\n  numpy, 2 threads; ms: read 12, filter 3\n"
        b"convcli: part 3 of 4, 0:02 left\n/a/node.py:195: UserWarning: Port 8787 is already in use.\n"
        b"Perhaps?\nHosting the HTTP server on port 34069 instead\n  warnings.warn(\n"
        b"3 pictures: 3 done, in 1.0 s, 3.0 per second, 98% of 2 cores\n/cache/000000000000/lib\n",
        files={
            "work/.out.convcli-journal": b'{"output": "/tmp/x/07/work/a", "written": [5, 17], "digest": "00-17"}\n'
        },
    )
    alike = against_run.normalised(said, places, False)
    assert alike.stdout == b'{"parts": 2, "seconds": {"read": #, "filter": #}}\n'
    assert alike.stderr == (
        b"a -> b: 4x4, border edge, # s\n  numpy, 2 threads; ms: read #, filter #\n"
        b"3 pictures: 3 done, in # s, # per second, #% of 2 cores\nENVIRONMENT/lib\n"
    )
    assert alike.files == {
        "work/.out.convcli-journal": b'{"output": "FOLDER/work/a", "written": [5, #], "digest": "00-17"}\n'
    }
    mixed = against_run.normalised(_outcome(stderr=b"b\na\n"), places, True)
    assert mixed.stderr == b"a\nb\n"


def test_a_meant_difference_is_counted() -> None:
    meant = against.Intended("--luma", "brightness is rounded once", what="^file .*tif")
    assert not meant.meets("convcli filter --luma", "stderr: x")
    assert not meant.meets("convcli filter", "file work/a.tif: x")
    assert meant.seen == 0
    assert meant.meets("convcli filter --luma", "file work/a.tif: x")
    assert meant.seen == 1
    assert all(entry.reason for entry in against.intended(TOOLS / "against.toml"))


def test_an_interval_holds_its_median() -> None:
    low, high = against.bootstrap([1.0, 1.02, 0.99, 1.01, 1.3, 1.0, 1.01])
    assert 0.99 <= low <= 1.01 <= high <= 1.3
    assert against.bootstrap([1.1] * 5) == (1.1, 1.1)


def _build(folder: Path, change: str) -> against_run.Build:
    """The package as it is, but for one line."""
    script = folder / "bin" / "convcli"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!{sys.executable}\n{change}\nfrom convcli.__main__ import main\nmain()\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return against_run.Build(folder.name, folder.name * 12, folder)


def test_one_changed_constant_is_found(tmp_path: Path) -> None:
    """The tree against itself with another version."""
    change = "import convcli._version as v; v.__version__ = '0'"
    builds = [_build(tmp_path / "a", ""), _build(tmp_path / "b", change)]
    lines = [
        against_lines.line(text)
        for text in ("shape --n 5 --k 3", "--version", "filter missing.png -k box")
    ]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    runner = against.Runner(*builds, scratch, tmp_path, fresh=False)
    runner.prepare(lines)
    found = [runner.compare(one) for one in lines]
    assert [len(each) for each in found] == [0, 1, 0]
    assert found[1][0].startswith("stdout: line 1: 'convcli ")
    assert found[1][0].endswith(" became 'convcli 0'")
    runner.keep()
    again = against.Runner(builds[0], builds[0], scratch, tmp_path, fresh=False)
    assert set(again.kept) == set(lines)


def test_lines_are_listed_without_running_any() -> None:
    words = [sys.executable, str(TOOLS / "against.py"), "--list", "--only", "^convcli --version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "convcli --version\n"
