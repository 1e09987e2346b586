"""Inputs and outputs behind URLs."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

fsspec = pytest.importorskip("fsspec")

from convcli.cli import app  # noqa: E402  (fsspec first)
from convcli.errors import InputError, UsageError  # noqa: E402  (fsspec first)
from convcli.imaging import urls  # noqa: E402  (fsspec first)
from convcli.kernels.load import load_kernel  # noqa: E402  (fsspec first)
from convcli.runs.batch import Batch  # noqa: E402  (fsspec first)
from convcli.runs.request import Request  # noqa: E402  (fsspec first)
from convcli.runs.run_job import Failure  # noqa: E402  (fsspec first)


@pytest.fixture
def bucket(tmp_path: Path) -> str:
    """A store in memory, as far as an object store from a file system as fsspec has one."""
    store = fsspec.filesystem("memory")
    if store.exists("/bucket"):
        store.rm("/bucket", recursive=True)
    for index, name in enumerate(["a.png", "deep/b.png", "deep/er/c.png", "deep/notes.txt"]):
        image = Image.fromarray(np.full((20, 30 + index), 90, np.uint8))
        image.save(tmp_path / "x.png")
        store.makedirs("/bucket/" + str(Path(name).parent), exist_ok=True)
        store.pipe_file(f"/bucket/in/{name}", (tmp_path / "x.png").read_bytes())
    return "memory://bucket"


def filtered(*inputs: str, **options: object) -> list[object]:
    kernels = (load_kernel("box:3"),)
    request = Request(inputs, kernels, jobs=1, **options)  # type: ignore[arg-type]
    return list(Batch(request).run())


def stored(bucket: str, folder: str) -> set[str]:
    store = fsspec.filesystem("memory")
    return {name.removeprefix(f"/bucket/{folder}/") for name in store.find(f"/bucket/{folder}")}


def test_a_tree_from_store_to_store(bucket: str) -> None:
    results = filtered(f"{bucket}/in", output=f"{bucket}/out", recursive=True)
    assert not [r for r in results if isinstance(r, Failure)]
    assert stored(bucket, "out") == {"a.png", "deep/b.png", "deep/er/c.png"}
    data = urls.read_url(f"{bucket}/out/deep/b.png")
    assert data.startswith(b"\x89PNG")


def test_globs_and_templates(bucket: str) -> None:
    filtered(f"{bucket}/in/**/*.png", output=f"{bucket}/t/{{parent}}/{{stem}}-x{{suffix}}")
    assert stored(bucket, "t") == {"a-x.png", "deep/b-x.png", "deep/er/c-x.png"}


def test_to_and_from_the_disk(bucket: str, tmp_path: Path) -> None:
    filtered(f"{bucket}/in/a.png", output=str(tmp_path / "a.png"))
    filtered(str(tmp_path / "a.png"), output=f"file://{tmp_path}/new/b.png")
    filtered(f"{bucket}/in/a.png", output=f"{bucket}/once.png")
    filtered(f"{bucket}/once.png", output=f"{bucket}/twice.png")
    assert (tmp_path / "new/b.png").read_bytes() == urls.read_url(f"{bucket}/twice.png")


def test_what_is_there_stays(bucket: str) -> None:
    with pytest.raises(UsageError, match=r"a\.png exists; use --overwrite"):
        filtered(f"{bucket}/in/a.png", output=f"{bucket}/in/a.png")


def test_what_is_not_there(bucket: str) -> None:
    with pytest.raises(InputError, match="no such file"):
        filtered(f"{bucket}/in/z.png", output=f"{bucket}/out.png")
    with pytest.raises(UsageError, match="matches no file"):
        filtered(f"{bucket}/in/*.gif", output=f"{bucket}/out.png")


def test_a_protocol_that_is_not_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "convcli", "filter", "abc://x/a.png", "-k", "box:3", "-o", "o.png"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "abc://x/a.png: Protocol not known: abc" in done.stderr
    assert len(done.stderr.splitlines()) == 1


class Failing(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """A file system that raises what it is told, where it is told."""

    protocol, cachable = "failing", False
    error: Exception
    at = ""

    def _asked(self, name: str) -> None:
        if self.at == name:
            raise self.error

    def __init__(self) -> None:
        super().__init__()
        self._asked("init")

    def cat_file(self, *_: object, **__: object) -> bytes:
        self._asked("read")
        return SMALL.getvalue()

    def pipe_file(self, *_: object, **__: object) -> None:
        self._asked("write")

    def exists(self, *_: object, **__: object) -> bool:
        self._asked("exists")
        return False

    def glob(self, *_: object, **__: object) -> list[str]:
        self._asked("glob")
        return ["a.png"]

    def isdir(self, *_: object) -> bool:
        self._asked("isdir")
        return False


SMALL = io.BytesIO()
Image.new("L", (3, 2)).save(SMALL, "PNG")
ERRORS = [
    (zipfile.BadZipFile("no zip"), 1, "no zip"),
    (tarfile.ReadError("invalid header"), 1, "invalid header"),
    (ConnectionRefusedError(111, "Connection refused"), 1, "Connection refused"),
    (TimeoutError(), 1, "TimeoutError"),
    (KeyError("bucket"), 1, "'bucket'"),
    (RuntimeError("two\nlines"), 1, "two"),
    (TypeError("missing 'fo'"), 2, "missing 'fo'"),
    (ValueError("no URL"), 2, "no URL"),
]


@pytest.mark.parametrize(
    ("error", "code", "says"), ERRORS, ids=[type(e[0]).__name__ for e in ERRORS]
)
@pytest.mark.parametrize("at", ["init", "read", "write", "exists", "glob", "isdir"])
def test_whatever_a_file_system_raises_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path,
    at: str, error: Exception, code: int, says: str,
) -> None:  # fmt: skip
    fsspec.register_implementation("failing", Failing, clobber=True)
    monkeypatch.setattr(Failing, "error", error, raising=False)
    monkeypatch.setattr(Failing, "at", at)
    (tmp_path / "in.png").write_bytes(SMALL.getvalue())
    url = "failing://*.png" if at in ("glob", "isdir") else "failing://a.png"
    inputs, output = (str(tmp_path / "in.png"), url), (url, str(tmp_path / "out.png"))
    source, target = inputs if at in ("write", "exists") else output
    done = app.run(["filter", source, "-k", "box:3", "-o", target])
    assert done == (code if at == "init" else 1)
    assert capfd.readouterr().err.splitlines()[-1] == f"convcli: {url}: {says}"
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("scheme", ["zip", "tar"])
def test_what_is_no_archive_is_said(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, scheme: str
) -> None:
    (tmp_path / "text").write_text("no archive\n" * 99)
    url = f"{scheme}://x.png::file://{tmp_path}/text"
    for nested in (url, f"zip://y.png::{url}"):
        assert app.run(["filter", nested, "-k", "box:3", "-o", str(tmp_path / "o.png")]) == 1
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith(f"convcli: {nested}: ")
        assert "internal error" not in line
