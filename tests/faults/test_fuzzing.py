"""The fuzzer's targets, shortly, with Hypothesis choosing the cases; see ``tools/fuzz.py``."""

from __future__ import annotations

import random
import sys
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convcli.errors import ConvcliError

PARSERS = ["kernel-files", "kernel-literals", "networks", "tensors", "png"]
shortly = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("target", PARSERS)
@shortly
@given(number=st.integers(0, 2**32))
def test_parsers_read_or_refuse(fuzz_targets: ModuleType, target: str, number: int) -> None:
    fuzz_targets.TARGETS[target](random.Random(number))


@shortly
@given(number=st.integers(0, 2**32))
def test_filter_on_damaged_pictures(fuzz_targets: ModuleType, number: int) -> None:
    fuzz_targets.TARGETS["filter"](random.Random(number))


@pytest.fixture
def libraries(fuzz_targets: ModuleType) -> ModuleType:
    """The target that compares with other libraries."""
    return sys.modules["fuzz_libraries"]


@pytest.mark.parametrize(
    "cases", [range(200), pytest.param(range(200, 3000), marks=pytest.mark.slow)]
)
def test_what_is_read_is_what_libraries_read(libraries: ModuleType, cases: range) -> None:
    """Verdicts and pixels, but for the exceptions that have a reason."""
    for number in cases:
        libraries.read_as_libraries_do(random.Random(number))


def test_a_library_that_reads_otherwise_is_heard(
    libraries: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fuzz_corpus import pictures

    data = pictures()["2-8-0.png"]
    libraries.compare(".png", data)
    (pixels,) = libraries.LIBRARIES["libpng"](data)
    for read, says in (
        (lambda _: [pixels ^ 1], "mine reads other pixels, frame 0 of .png, uint8 rgb, without"),
        (lambda _: [pixels[1:]], "mine reads other pixels"),
        (lambda _: [pixels, pixels], "mine has 2 frames, not 1"),
        (lambda _: 1 / 0, "mine refuses .png, uint8 rgb, without a note: ZeroDivisionError"),
    ):
        monkeypatch.setitem(libraries.LIBRARIES, "mine", read)
        with pytest.raises(libraries.Disagreement, match=says):
            libraries.compare(".png", data)
    monkeypatch.delitem(libraries.LIBRARIES, "mine")
    monkeypatch.setattr(libraries, "decode_picture", _refuse)
    with pytest.raises(libraries.Disagreement, match=r"convcli alone refuses .png: not today"):
        libraries.compare(".png", data)
    libraries.compare(".png", data[:60])


def _refuse(*_: object, **__: object) -> None:
    raise ConvcliError("not today")


@pytest.mark.parametrize("kind", ["kernel", "tensor", "network"])
@given(text=st.text(max_size=60))
def test_any_text_is_read_or_refused(fuzz_targets: ModuleType, kind: str, text: str) -> None:
    from convcli.arithmetic.network import Network
    from convcli.kernels.load import load_kernel
    from convcli.ops.read_tensor import read_tensor

    readers = {"kernel": load_kernel, "tensor": read_tensor, "network": Network.load}
    if text.strip() == "-" and sys.stdin is not None:
        return  # standard input
    try:
        readers[kind](text)
    except ConvcliError as error:
        assert str(error)


def test_the_oracle_sees_what_is_wrong(fuzz_targets: ModuleType) -> None:
    target = fuzz_targets.folder() / "missing.png"
    for code, said in (
        (139, ""),
        (1, "convcli: x\nTraceback (most recent call last):\n"),
        (1, "convcli: internal error: KeyError"),
        (1, "convcli: one\nconvcli: two\n"),
        (1, "something else\n"),
    ):
        with pytest.raises(fuzz_targets.Finding):
            fuzz_targets.judge(code, said, target)
    fuzz_targets.judge(1, "convcli: x.png: not a picture\n", target)
