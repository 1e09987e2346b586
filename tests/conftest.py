"""What all tests share: an environment of their own, goldens, drawings by what they mean.

No test may depend on the machine it runs on: on a processor's last bit, on the version of a
library or of a linter, on a terminal, a locale or a variable, on the user, on free memory or
speed. What only pinned versions or a known machine can hold is marked ``ci``.
"""

from __future__ import annotations

import atexit
import base64
import io
import locale
import os
import re
import shutil
import signal
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from convcli.extensions import EXTENSIONS, extension

UNSET = [
    # Colours and widths: Rich's, Typer's and the terminal's.
    *("*COLOR*", "TTY_*", "COLUMNS", "LINES", "JUPYTER_*", "GITHUB_ACTIONS", "*TYPER*"),
    # How Python reads and writes text, what it warns of, whether it asserts.
    *("LC_*", "LANG", "LANGUAGE", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONUNBUFFERED"),
    *("PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONDEVMODE", "PYTHONSAFEPATH"),
    # What a user has set for convcli, and for the libraries below it.
    *("CONVCLI_THREADS", "XDG_*", "DASK_*", "*_NUM_THREADS", "SOURCE_DATE_EPOCH"),
]
"""Variables that would change what is tested. ``CONVCLI_LOOPS``, ``CONVCLI_TEST_BACKENDS`` and
``NPY_DISABLE_CPU_FEATURES`` stay: they choose what is tested."""


def own_environment() -> None:
    """The same variables and signals on every machine; processes that tests start inherit them."""
    for name in [n for n in os.environ if any(fnmatch(n, pattern) for pattern in UNSET)]:
        del os.environ[name]
    os.environ["TERM"] = "xterm"
    # `nohup`, and a shell for what runs in its background, set signals aside, and the programs that
    # tests end by them would go on.
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (getattr(signal, "SIGHUP", signal.SIGTERM), signal.SIG_DFL),
        (signal.SIGTERM, signal.SIG_DFL),
    ):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, usual)
    with suppress(locale.Error):  # text of this process too; where there is none, it stays ASCII
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
    if "PYTEST_XDIST_WORKER" not in os.environ:  # workers inherit that of their parent
        home = tempfile.mkdtemp(prefix="convcli-home-")
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        os.environ["HOME"] = home  # no settings, no measured speeds


own_environment()

# How long an example takes, to be made or to be tried, says nothing on a machine that others use.
settings.register_profile("convcli", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("convcli")

DATA = Path(__file__).parent / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens", action="store_true", help="rewrite the golden texts in tests/data"
    )


def pytest_configure() -> None:
    # Now, so that CONVCLI_LOOPS=compiled:SET holds for tests that set the variable themselves.
    for name in EXTENSIONS:
        extension(name)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Compare a text with ``tests/data/<name>``; blanks at line ends do not count.

    ``by_words`` leaves to Rich, whose versions differ, how much room and which lines it draws
    between the words.
    """

    def check(name: str, text: str, *, by_words: bool = False) -> None:
        path = DATA / name
        text = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
        if request.config.getoption("--update-goldens"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        kept = path.read_text(encoding="utf-8")
        if by_words:
            text, kept = (re.sub(r"[\s\u2500-\u257f]+", " ", t) for t in (text, kept))
        assert text == kept, (
            f"{path} differs; if that is meant, run pytest with --update-goldens and look at the "
            "difference"
        )

    return check


NUMBER = re.compile(r"#[0-9a-f]{6}\b|-?\d*\.?\d+(?:e[-+]?\d+)?")
PLACES, LEVELS = 0.02, 2
"""How far the numbers of two drawings may be apart: in pixels (and in hundredths of a number
that is written), and in levels of a colour."""


@pytest.fixture
def same_drawing() -> Callable[[bytes, bytes], None]:
    """Hold two SVGs to the same elements, attributes and words, with numbers that are close."""

    def check(one: bytes, two: bytes) -> None:
        for a, b in zip(_elements(one), _elements(two), strict=True):
            assert a.keys() == b.keys()
            for name in a:
                _same_text(a[name], b[name])

    return check


@pytest.fixture
def same_picture(same_drawing: Callable[[bytes, bytes], None]) -> Callable[[Path, Path], None]:
    """Hold two files of pictures to the same drawing, or to pixels that look the same."""

    def check(one: Path, two: Path) -> None:
        if one.suffix == ".svg":
            same_drawing(one.read_bytes(), two.read_bytes())
            return
        # Another version of a codec or of the font's rasteriser may write other bytes.
        a, b = (np.asarray(Image.open(path).convert("RGB"), float) for path in (one, two))
        assert a.shape == b.shape
        assert np.abs(a - b).mean() < 1

    return check


def _elements(svg: bytes) -> list[dict[str, str]]:
    """Tag, text and attributes of each element; a class is replaced by the look it stands for."""
    found, looks = [], {}
    for element in ET.fromstring(svg).iter():
        text, tag = element.text or "", element.tag.rpartition("}")[2]
        if tag == "style":
            looks = dict(re.findall(r"\.(s\d+){([^}]*)}", text))
            text = re.sub(r"\.s\d+{[^}]*}", "", text)
        rest = dict(element.attrib)
        rest["class"] = looks.get(rest.get("class", ""), rest.get("class", ""))
        found.append({"tag": tag, "text": text, **rest})
    return found


def _same_text(one: str, two: str) -> None:
    embedded = "data:image/png;base64,"
    if one.startswith(embedded):
        pictures = [_pixels(base64.b64decode(text.removeprefix(embedded))) for text in (one, two)]
        assert pictures[0].shape == pictures[1].shape
        assert abs(pictures[0] - pictures[1]).max() <= LEVELS
        return
    assert NUMBER.sub("#", one) == NUMBER.sub("#", two)
    for a, b in zip(NUMBER.findall(one), NUMBER.findall(two), strict=True):
        if a.startswith("#"):
            levels = [tuple(bytes.fromhex(colour[1:])) for colour in (a, b)]
            assert all(abs(x - y) <= LEVELS for x, y in zip(*levels, strict=True)), (a, b)
        else:
            assert float(a) == pytest.approx(float(b), abs=PLACES, rel=PLACES)


def _pixels(data: bytes) -> Any:
    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.fixture(scope="session")
def strace() -> None:
    """Leave the test out where system calls cannot be watched: not installed, or not allowed."""
    tool = shutil.which("strace")
    if (
        tool is None
        or subprocess.run([tool, "-o", os.devnull, "true"], capture_output=True).returncode
    ):
        pytest.skip("needs strace, and to be allowed to use it")


@pytest.fixture(params=["base", "avx2", "avx512"])
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """The compiled extensions held to one instruction set after the other."""
    found = [extension(name).module for name in EXTENSIONS]
    if None in found:
        pytest.skip("needs the compiled extensions")
    usual = [module.isa() for module in found]
    if not all(request.param in module.isas() for module in found):
        pytest.skip(f"this processor or build has no {request.param}")
    for module in found:
        module.isa(request.param)
    yield request.param
    for module, name in zip(found, usual, strict=True):
        module.isa(name)
