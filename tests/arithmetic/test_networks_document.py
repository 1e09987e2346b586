"""docs/networks.md: its commands run, its files load, its lists are complete."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from convcli import Network
from convcli.arithmetic.layer_spec import KEYS
from convcli.arithmetic.vocabulary import KINDS

TEXT = (Path(__file__).parents[2] / "docs" / "networks.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("line", "".join(blocks("sh")).splitlines())
def test_its_commands_run(
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from convcli.cli.app import run

    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)[1:]
    assert run(words) == 0
    error = capsys.readouterr().err
    if "-o" in words:
        target = words[words.index("-o") + 1]
        assert error.endswith(f"-> {target}\n") and (tmp_path / target).stat().st_size > 1000
    else:
        assert error == ""


@pytest.mark.parametrize("language", ["toml", "json"])
def test_its_files_load(language: str, tmp_path: Path) -> None:
    texts = blocks(language)
    assert texts
    for text in texts:
        path = tmp_path / f"network.{language}"
        path.write_text(text)
        report = Network.load(str(path)).evaluate()
        assert report.failure is None
        assert report.output == (10,)


def test_it_names_every_layer_and_key() -> None:
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    quoted = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`]+)`", prose))))
    shown = {KINDS.get(word, word) for word in quoted}
    assert set(KINDS.values()) <= shown
    assert set(KEYS) - {"shape"} <= quoted


def test_it_names_every_built_in_network() -> None:
    assert all(f"`{name}`" in TEXT for name in Network.builtin_names())
