"""Reading kernels: every format, and every fault of files from strangers."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import numpy as np
import pytest

import convcli
from convcli.errors import KernelError
from convcli.kernels.export import FORMATS, export_kernel
from convcli.kernels.kernel import MAX_SIDE, Kernel
from convcli.kernels.load import load_kernel

SAMPLES = Path(__file__).parents[2] / "samples" / "kernels"

ROWS = [[1.0, 0.0, -1.0], [2.0, 0.0, -2.5]]

SAME = {
    "k.txt": "1 0 -1\n2 0 -2.5\n",
    "spaces.txt": "  1   0  -1 \n\n\n2 0   -2.5",
    "windows.txt": "1 0 -1\r\n2 0 -2.5\r\n",
    "bom.csv": "\ufeff1,0,-1\n2,0,-2.5\n",
    "k.csv": "1, 0, -1\n2, 0, -2.5\n",
    "trailing.csv": "1,0,-1,\n2,0,-2.5,\n",
    "comment.csv": "# a kernel\n1,0,-1 # first\n2,0,-5/2\n",
    "k.tsv": "1\t0\t-1\n2\t0\t-2.5\n",
    "semicolons.txt": "1 0 -1; 2 0 -2.5",
    "spreadsheet.csv": "1;0;-1\n2;0;-2.5\n",
    "decimal_commas.csv": "1;0;-1;\n2,0;0;-2,5;\n",
    "quoted.csv": '"1","0","-1"\n"2","0","-2.5"\n',
    "header.csv": "left,middle,right\n1,0,-1\n2,0,-2.5\n",
    "quoted_header.csv": '"V1";"the middle";"V3"\n1;0;-1\n2;0;-2,5\n',
    "semicolons_and_lines.txt": "1 0 -1;\n2 0 -2.5;\n",
    "minus.txt": "1 0 −1\n2 0 −2.5\n",
    "no_suffix": "1 0 -1\n2 0 -2.5\n",
    "k.json": "[[1, 0, -1], [2, 0, -2.5]]",
    "object.json": '{"weights": [[1, 0, -1], [2, 0, -2.5]]}',
    "bom.json": '\ufeff{"kernel": [[1, 0, -1], [2, 0, "-5/2"]]}',
    "json_in.txt": "[[1, 0, -1],\n [2, 0, -2.5]]\n",
    "k.toml": "weights = [[1, 0, -1], [2, 0, -2.5]]\n",
    "toml_in.txt": "# kernel\nname = 'n'\nweights = [[1, 0, -1], [2, 0, -2.5]]\n",
    "k.mat": "3 2\n1 0 -1\n2 0 -2.5\n",
    "four.mat": "3 2 1 0\n1 0 -1\n2 0 -2.5\n",
    "k.im": "3x2: 1,0,-1 2,0,-2.5",
    "im_in.txt": "3x2:\n  1,0,-1\n  2,0,-2.5\n",
    "holes.im": "3x2: 1,-,-1 2,nan,-2.5",
    "centre.im": "3x2+1+0: 1,0,-1 2,0,-2.5",
}


@pytest.mark.parametrize("name", SAME)
def test_every_format_reads_the_same_weights(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(SAME[name], encoding="utf-8", newline="")
    kernel = load_kernel(str(tmp_path / name))
    assert kernel.weights.tolist() == ROWS
    assert kernel.scale == 1
    assert kernel.bias == 0


@pytest.mark.parametrize(
    "literal",
    [
        "1 0 -1; 2 0 -2.5",
        "1,0,-1;2,0,-2.5",
        "[[1,0,-1],[2,0,-2.5]]",
        "3x2: 1,0,-1 2,0,-2.5",
        "1 0 -1\n2 0 -5/2",
    ],
)
def test_literals(literal: str) -> None:
    assert convcli.load_kernel(literal).weights.tolist() == ROWS


@pytest.mark.parametrize(
    ("literal", "remark"),
    [
        ("0,-1,0,-1,5,-1,0,-1,0", "a row of 9; for 3x3 write ; after every third"),
        ("[0,-1,0,-1,5,-1,0,-1,0]", "a row of 9; for 3x3 write ; after every third"),
        ("1 " * 25, "a row of 25; for 5x5 write ; after every fifth"),
        ("1,2 3,4", "a row of 4; for 2x2 write ; between the rows"),
        ("1,2,1 2,4,2", "a row of 6; for 2x3 write ; between the rows"),
        ("9x1: 1 2 3 4 5 4 3 2 1", ""),
        ("[[1,2,3,4,5,4,3,2,1]]", ""),
        ("1;2;3;4;5;4;3;2;1", ""),
        ("1, 2, 3, 4", ""),
        ("1 2 1; 2 4 2; 1 2 1", ""),
    ],
)
def test_a_row_that_is_probably_a_square_is_remarked_on(literal: str, remark: str) -> None:
    assert load_kernel(literal).remark == remark


def test_a_line_of_semicolons_in_a_file_is_remarked_on(tmp_path: Path) -> None:
    """Of several lines each would be a row of cells; one alone is a column, as on the command line."""
    (tmp_path / "k.csv").write_text("1;2;1\n")
    kernel = load_kernel(str(tmp_path / "k.csv"))
    assert kernel.shape == (3, 1)
    assert kernel.remark.startswith("a column of 3")
    assert load_kernel("1;2;1").remark == ""


def test_a_header_that_was_left_out_is_remarked_on(tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text("O,O,O\n1,2,1\n")
    assert load_kernel(str(tmp_path / "k.csv")).remark.endswith("a header: O, O, O")


def test_minus_first_is_a_literal() -> None:
    assert load_kernel("-1 0 1").weights.tolist() == [[-1, 0, 1]]
    assert load_kernel("-.5").weights.tolist() == [[-0.5]]


def test_python_values() -> None:
    assert load_kernel(ROWS).weights.tolist() == ROWS
    assert load_kernel(np.array(ROWS, "f4")).weights.tolist() == ROWS
    assert load_kernel([1, 2]).shape == (1, 2)
    kernel = Kernel(ROWS)
    assert load_kernel(kernel) is kernel
    assert not kernel.weights.flags.writeable


@pytest.mark.parametrize(
    "bad",
    [[[1], [2, 3]], [["1"]], [[None]], [[True]], [[1j]], [[10**5000]], [[]], np.zeros((2, 2, 2))],
    ids=["ragged", "text", "none", "bool", "complex", "huge", "empty", "3-D"],
)
def test_python_values_that_are_no_weights(bad: object) -> None:
    with pytest.raises(KernelError):
        load_kernel(bad)


def test_what_an_object_may_hold(tmp_path: Path) -> None:
    fields = {
        "weights": [[1, 2, 1]],
        "scale": "1/4",
        "bias": 12.5,
        "name": "n",
        "role": "smooth",
        "absolute": True,
        "source": "here",
    }
    (tmp_path / "k.json").write_text(json.dumps(fields))
    kernel = load_kernel(str(tmp_path / "k.json"))
    assert (kernel.scale, kernel.bias, kernel.name) == (0.25, 12.5, "n")
    assert (kernel.role, kernel.absolute, kernel.source) == ("smooth", True, "here")


def test_a_file_named_like_a_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sobel-x").write_text("5\n")
    assert load_kernel("./sobel-x").weights.tolist() == [[5]]
    assert load_kernel("sobel-x").shape == (3, 3)
    assert load_kernel(Path("sobel-x")).weights.tolist() == [[5]]


def test_mat_divides_by_its_scale(tmp_path: Path) -> None:
    (tmp_path / "k.mat").write_text("3 1 4 -3\n1 2 1\n")
    kernel = load_kernel(str(tmp_path / "k.mat"))
    assert (kernel.scale, kernel.bias) == (0.25, -3)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("3x1+0+0: 1,2,3", [[0, 0, 1, 2, 3]]),
        ("3x1+2+0: 1,2,3", [[1, 2, 3, 0, 0]]),
        ("2x1+0+0: 1,2", [[1, 2]]),
        ("2x1+1+0: 1,2", [[1, 2, 0]]),
        ("1x2+0+1: 1,2", [[1], [2], [0]]),
        ("2: 1,2,3,4", [[1, 2], [3, 4]]),
    ],
)
def test_imagemagick_origins_become_the_middle(text: str, want: list[list[float]]) -> None:
    assert load_kernel(text).weights.tolist() == want


def test_banks(tmp_path: Path) -> None:
    bank = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    np.save(tmp_path / "bank.npy", bank)
    (tmp_path / "bank.json").write_text(json.dumps(bank.tolist()))
    for name in ("bank.npy", "bank.json"):
        kernel = load_kernel(str(tmp_path / name))
        assert kernel.is_bank
        assert (kernel.weights == bank).all()


@pytest.mark.parametrize(
    "path", sorted(p for p in SAMPLES.iterdir() if p.name != "README.md"), ids=lambda p: p.name
)
def test_samples_load_and_are_described(path: Path) -> None:
    assert load_kernel(str(path)).weights.any()
    assert f"`{path.name}`" in (SAMPLES / "README.md").read_text()


def test_there_is_a_sample_of_every_format() -> None:
    assert {p.suffix[1:] for p in SAMPLES.iterdir()} >= set(FORMATS)


BAD = {
    "ragged.txt": ("1 2 3\n4 5\n", "line 2"),
    "ragged.csv": ("1,2\n\n3,4,5\n", "line 3"),
    "ragged.json": ("[[1, 2],\n [3]]", "line 2"),
    "mixed_later.json": ('{"name": "x",\n"weights": [[1, 2], 3]}', "line 2"),
    "no_columns.mat": ("0 1\n1\n", "1x1 to"),
    "no_rows.mat": ("1 0\n1\n", "1x1 to"),
    "ragged_bank.json": ("[[[[1, 2]]],\n [[[3]]]]", "line 2"),
    "ragged.toml": ("name = 'a'\nweights = [\n [1, 2],\n [3, 4, 5],\n]", "line 4"),
    "mixed.json": ("[[1, 2], 3]", "mixed"),
    "empty.txt": ("", "empty"),
    "blank.csv": ("\n  \n# nothing\n", "no weights"),
    "empty.json": ("", "empty"),
    "brackets.json": ("[]", "empty row"),
    "empty_row.json": ("[[1],\n []]", "line 2"),
    "empty_cell.csv": ("1,,2\n", "line 1"),
    "stack.json": ("[[[1, 2]], [[3, 4]]]", "combine"),
    "5d.json": ("[[[[[1]]]]]", "nested too deeply"),
    "nan.txt": ("1 2\n3 nan\n", "line 2"),
    "inf.csv": ("1,-inf\n", "line 1"),
    "NaN.json": ("[[1,\n NaN]]", "NaN"),
    "Infinity.json": ("[[1, -Infinity]]", "Infinity"),
    "nan.toml": ("weights = [[1, nan]]", "nan"),
    "overflow.txt": ("1e999", "1e999"),
    "overflow.json": ("[[1e999]]", "1e999"),
    "sum.json": ('{"weights": [[1]], "scale": 1e999}', "scale"),
    "null.json": ("[[1, 2],\n[null, 3]]", "line 2"),
    "quoted_nan.json": ('[["nan"]]', "'nan' is text"),
    "quoted_number.json": ('[["3"]]', "'3' is text"),
    "true.json": ("[[true]]", "true"),
    "true.toml": ("weights = [[true]]", "true"),
    "date.toml": ("weights = [[2026-01-01]]", "date"),
    "deep.json": ("[" * 200_000, "nested"),
    "deep_closed.json": ("[" * 200_000 + "]" * 200_000, "nested"),
    "deep.toml": ("weights = " + "[" * 200_000, "nested"),
    "digits.txt": ("1" * 5000, "too long"),
    "digits.json": ("[[" + "1" * 5000 + "]]", "too long"),
    "digits.toml": ("weights = [[" + "1" * 5000 + "]]", "TOML"),
    "duplicate.json": ('{"weights": [[1]], "weights": [[2]]}', "twice"),
    "duplicate.toml": ("weights = [[1]]\nweights = [[2]]", "overwrite"),
    "both.json": ('{"weights": [[1]], "kernel": [[1]]}', "'kernel'"),
    "misspelt.json": ('{"wieghts": [[1]]}', "did you mean 'weights'"),
    "no_weights.json": ('{"scale": 2}', "no weights"),
    "number.json": ("3", "neither"),
    "word.json": ('{"weights": "sobel"}', "rows of numbers"),
    "bad_role.json": ('{"weights": [[1]], "role": "blur"}', "role"),
    "bad_name.json": ('{"weights": [[1]], "name": 3}', "name must be text"),
    "cut.json": ("[[1, 2],\n [3", "line 2"),
    "words.txt": ("a b\nc d\n", "line 2: 'c' is not a number"),
    "only_a_header.csv": ("x,y\n", "line 1: 'x' is not a number"),
    "nan_first.csv": ("nan,nan\n1,2\n", "line 1"),
    "letter_among_numbers.csv": ("1,O\n1,2\n", "line 1"),
    "two_separators.csv": ("1 2; 1 2\n2 4; 2 4\n", "not both"),
    "empty_cell_between_semicolons.csv": ("1;;2\n3;4;5\n", "line 1: a cell is empty"),
    "empty_row.txt": ("1 2;; 3 4", "row 2 is empty"),
    "underscore.txt": ("1_000", "1_000"),
    "zero.txt": ("1/0", "divides by zero"),
    "short.im": ("3x3: 1,2,3", "9 weights, but 3"),
    "long.im": ("1x1: 1,2", "1 weights, but 2"),
    "rotated.im": ("3x1>: 1,2,3", "rotated"),
    "list.im": ("1x1: 1; 1x1: 2", "list"),
    "origin.im": ("3x1+3+0: 1,2,3", "outside"),
    "wide.im": ("10001x1: 1", "10000"),
    "zero_side.im": ("0x3: 1", "1x1"),
    "three.mat": ("3 2 1\n1 0 1\n1 0 1\n", "line 1"),
    "size.mat": ("2 3\n1 0 1\n1 0 1\n", "3x2"),
    "zero.mat": ("1 1 0 0\n1\n", "scale is 0"),
    "huge.mat": ("10001 10001\n1\n", "10000"),
    "matlab.mat": ("MATLAB 5.0 MAT-file", "MATLAB"),
    "side.txt": (" ".join(["1"] * 10_001), "10000"),
    "side.json": ("[[" + ",".join(["1"] * 10_001) + "]]", "10000"),
    "tall.txt": ("1\n" * 10_001, "10000"),
    "binary.txt": ("1 2\0", "binary"),
    "not.npy": ("1 2 3", "not a .npy"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_by_name(tmp_path: Path, name: str) -> None:
    text, reason = BAD[name]
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(KernelError) as caught:
        load_kernel(str(path))
    message = str(caught.value)
    assert str(path) in message
    assert reason in message
    assert caught.value.exit_code == 2
    assert len(message) < 400 + len(str(path))
    assert "\n" not in message


def test_text_in_other_encodings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "k.txt").write_text("1 2", encoding="utf-16")
    with pytest.raises(KernelError, match="UTF-8"):
        load_kernel(str(tmp_path / "k.txt"))


def test_large_text_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "k.csv"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # nobody could read that
    with pytest.raises(KernelError, match=r"at most 16,777,216.*\.npy"):
        load_kernel(str(path))


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.npy").mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s.csv"))
    for name in (
        tmp_path / "pipe.json",
        tmp_path / "folder.npy",
        tmp_path / "s.csv",
        Path("/dev/zero"),
    ):
        with pytest.raises(KernelError, match=str(name)):
            load_kernel(str(name))
    server.close()
    with pytest.raises(KernelError, match="there is no file"):
        load_kernel(str(tmp_path / "missing.csv"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "k.csv"
    path.write_text("1")
    path.chmod(0)
    with pytest.raises(KernelError, match="Permission"):
        load_kernel(str(path))


def test_zero_and_even_kernels_load() -> None:
    assert not load_kernel("0 0; 0 0").weights.any()
    assert export_kernel(load_kernel("0 0; 0 0"), "csv") == b"0,0\n0,0\n"
    assert load_kernel("1 1 1 1").shape == (1, 4)


def test_rows_and_columns_may_be_as_long_as_a_kernel_may_be() -> None:
    line = ["1"] * MAX_SIDE
    assert load_kernel(" ".join(line)).weights.shape == (1, MAX_SIDE)
    assert load_kernel(";".join(line)).weights.shape == (MAX_SIDE, 1)
    for separator in (" ", ";"):
        with pytest.raises(KernelError, match=f"more than {MAX_SIDE}"):
            load_kernel(separator.join([*line, "1"]))
