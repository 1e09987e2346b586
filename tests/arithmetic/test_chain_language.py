"""The language of chains, and the files that hold them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli import ConvcliError, InputError, Network, ShapeError


def rows(text: str, *shape: int) -> list[tuple[str, tuple[int, ...]]]:
    report = Network.parse(text).evaluate(shape)
    assert report.failure is None
    return [(row.name, row.output) for row in report.rows]


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("conv 64 k7 s2 p3", (64, 7, 9)),
        ("conv 64 k=7 stride=2 padding=3", (64, 7, 9)),
        ("conv 64 kernel_size=7 s2 same", (64, 7, 9)),
        ("conv out64 k7 s2 p3 in3", (64, 7, 9)),
        ("conv 4 k3x1 s1x2 p1x0", (4, 14, 9)),
        ("conv 4 k3 p0,1x1,2", (4, 13, 18)),
        ("conv 4 k3 full", (4, 16, 19)),
        ("conv 4 k3 d2", (4, 10, 13)),
        ("dwconv k3 p1", (3, 14, 17)),
        ("tconv 4 k3 s2 p1 op1", (4, 28, 34)),
        ("upconv 4 k2 s2", (4, 28, 34)),
        ("maxpool k2", (3, 7, 8)),
        ("maxpool k2 ceil", (3, 7, 9)),
        ("avgpool k3 s2 p1", (3, 7, 9)),
        ("gap", (3, 1, 1)),
        ("adaptiveavgpool 7", (3, 7, 7)),
        ("adaptivemaxpool 7x5", (3, 7, 5)),
        ("upsample 3", (3, 42, 51)),
        ("upsample 1x2", (3, 14, 34)),
        ("pad 1,2", (3, 17, 20)),
        ("pad 1x0,2", (3, 16, 19)),
        ("relu | BN | Dropout 0.5 | leakyrelu 0.1", (3, 14, 17)),
        ("flatten | fc 10 nobias | softmax", (10,)),
        ("concat[ conv 8 k1 ; conv 16 k3 p1 | relu ; identity ]", (27, 14, 17)),
        ("add[ conv 3 k3 p1 ; ]", (3, 14, 17)),
        ("add[ add[ relu ; identity ] | relu ; identity ] | relu", (3, 14, 17)),
        ("relu @skip | conv 3 k3 p1 | add skip", (3, 14, 17)),
        ("relu @skip | conv 8 k3 | concat skip crop", (11, 12, 15)),
        ("conv 5 k3 p1 *3", (5, 14, 17)),
        ("add[ relu ; identity ] @join *1\n# a comment | conv 9\nconv 2 k1", (2, 14, 17)),
    ],
    ids=lambda value: value.replace("\n", " ") if isinstance(value, str) else "",
)
def test_a_chain_and_its_output(text: str, output: tuple[int, ...]) -> None:
    assert rows(text, 3, 14, 17)[-1][1] == output


def test_names_count_by_kind_and_can_be_given() -> None:
    names = [name for name, _ in rows("conv 4 k3 | relu | conv 4 k3 @last | gap | bn", 3, 9, 9)]
    assert names == ["conv1", "relu1", "last", "global_avgpool1", "bn1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the chain has no layers"),
        ("conv 64 k3 | rellu", "'rellu' is not known; did you mean 'relu'"),
        ("conv 64", "conv has no kernel size; write it as in conv k3"),
        ("conv k3", "conv has no output channels"),
        ("conv 64 k3 k5", "gives its kernel size twice"),
        ("conv 64 k3 strid2", "'strid2' is not understood"),
        ("conv 64 kx", "'kx' is not understood"),
        ("conv 64 32 k3", "'32' is not understood"),
        ("relu 3 k3", "'3' is not understood"),
        ("relu[ conv 3 k3 ]", "only add"),
        ("add", "add needs branches"),
        ("add[ relu ]", "add needs two branches or more"),
        ("add[ relu ; relu", "a ']' is missing"),
        ("relu ]", "without an opening"),
        ("relu @a | relu @a", "two layers are named 'a'"),
        ("conv 3 k3 | add skip", "no layer before it has that name"),
        ("relu @skipp | add skip", "did you mean 'skipp'"),
        ("conv 3 k3 p1,2,3", "an axis has two sides"),
        ("relu *0", r"'\*0' is not understood"),
        ("relu *9999 | relu *9999 | relu *9999", "more than 20000 layers"),
        ("add[" * 60, "deeper than 40"),
        ("input 3x8x8", "no layers after input"),
        ("relu | input 3x8x8", "input belongs at the beginning"),
        ("input 8 | relu", "write channels and sizes"),
    ],
    ids=lambda value: value[:24].replace("\n", " "),
)
def test_a_mistake_is_named(text: str, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Network.parse(text)


@pytest.mark.parametrize(
    ("text", "at", "repair"),
    [
        ("maxpool k2 | conv 8 k5", "conv1", "p1 or k4 would work"),
        ("conv 8 k3 p1 | linear 10", "linear1", "put flatten before it (8x8x8 = 512 features)"),
        ("flatten | conv 8 k3", "conv1", "move it before flatten"),
        ("conv 8 k3 p1 g2", "conv1", "g1 would work"),
        ("conv 8 k1 | conv 12 k1 g999999999", "conv2", "g4 would work"),
        ("conv 8 k3 in4", "conv1", "in3 would work"),
        ("conv 8 k3 s0", "conv1", "s1 would work"),
        ("tconv 8 k3 s2 op2", "conv_transpose1", "op1 would work"),
        ("tconv 8 k3 p9", "conv_transpose1", "p0 would work"),
        (
            "add[ conv 8 k3 s2 p1 ; identity ]",
            "add1",
            "conv 8 k1 s2 on the branch of 3x8x8 would work",
        ),
        ("relu @a | conv 4 k3 | concat a", "concat1", "concat ... crop would work"),
    ],
    ids=lambda value: value[:20],
)
def test_a_broken_chain_says_where_why_and_what_works(text: str, at: str, repair: str) -> None:
    report = Network.parse(text).evaluate((3, 8, 8))
    assert report.failure is not None
    assert report.failure.name == at
    assert report.failure.repair == repair
    names = [node.name for node in Network.parse(text).nodes]
    assert [row.name for row in report.rows] == names[: names.index(at)]


def test_the_named_repair_really_works() -> None:
    assert rows("maxpool k2 | conv 8 k5 p1", 3, 8, 8)[-1][1] == (8, 2, 2)
    assert rows("maxpool k2 | conv 8 k4", 3, 8, 8)[-1][1] == (8, 1, 1)
    fixed = "add[ conv 8 k3 s2 p1 ; conv 8 k1 s2 ]"
    assert rows(fixed, 3, 8, 8)[-1][1] == (8, 4, 4)


TOML = """
title = "two blocks"
input = "3x16x12"
layers = ["conv 8 k3 p1 | relu @stem", "twice 8 3", { kind = "add", with = ["stem"] },
          { kind = "maxpool", kernel_size = [2, 3], stride = 2 }, "flatten | linear 5"]
[blocks]
twice = "conv $1 k$2 p1 | relu | conv $1 k$2 p1"
"""
JSON = {
    "title": "two blocks",
    "input": [3, 16, 12],
    "layers": [
        {"kind": "conv", "out_channels": 8, "kernel_size": 3, "padding": 1},
        {"kind": "relu", "name": "stem"},
        {
            "kind": "add",
            "branches": [
                [
                    "conv 8 k3 p1 | relu",
                    {
                        "kind": "conv",
                        "out_channels": 8,
                        "kernel_size": [3, 3],
                        "padding": [[1, 1], [1, 1]],
                    },
                ],
                "identity",
            ],
        },
        {"kind": "maxpool", "kernel_size": [2, 3], "stride": [2, 2]},
        {"kind": "flatten"},
        {"kind": "linear", "out_channels": 5},
    ],
}


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "n.toml").write_text(TOML)
    (tmp_path / "n.json").write_text("\ufeff" + json.dumps(JSON), encoding="utf-8")
    one = Network.load(str(tmp_path / "n.toml")).evaluate()
    two = Network.load(str(tmp_path / "n.json")).evaluate()
    assert one.title == two.title == "two blocks"
    assert one.totals == two.totals
    assert [row.output for row in one.rows] == [row.output for row in two.rows]
    assert one.output == (5,)
    assert "twice1.conv2" in [row.name for row in one.rows]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "layer = 'relu'", "unknown key 'layer'; did you mean 'layers'"),
        ("a.toml", "layers = ''", "'layers' must be a chain"),
        ("a.toml", "layers = 'relu'\ninput = '3'", "write channels and sizes"),
        ("a.toml", "layers = 'relu'\ninput = [3, 0]", "write channels and sizes"),
        ("a.toml", "layers = [{kind='conv', kernel=3}]", "unknown key 'kernel'; did you mean"),
        ("a.toml", "layers = [{kind='conv', out_channels=4, kernel_size=true}]", "whole number"),
        ("a.toml", "layers = [3]", "a layer is text or a table with a kind"),
        ("a.toml", "layers = 'a'\n[blocks]\na = 'a | relu'", "contains itself"),
        ("a.toml", "layers = 'a 3'\n[blocks]\na = 'conv $1 k$2'", "takes 2 values, not 1"),
        ("a.toml", "layers = 'relu'\n[blocks]\nconv = 'relu'", "has the name of a layer"),
        ("a.toml", "layers = ", "a.toml"),
        ("a.json", "[1, 2", "a.json"),
        ("a.json", "[1, 2]", "a network is a table"),
        ("a.json", '{"layers": "relu", "layers": "relu"}', "given twice"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", '{"layers": "relu", "input": [3, ' + "9" * 5000 + "]}", "a.json"),
        ("a.json", '{"layers": [{"kind": "relu", "repeat": 1e9}]}', "repeat is"),
    ],
    ids=lambda value: value[:28].replace("\n", " "),
)
def test_a_file_with_a_mistake_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ShapeError, match=message):
        Network.load(str(tmp_path / name))


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.json").mkdir()
    for name in ("pipe.toml", "folder.json", "missing.toml"):
        with pytest.raises(InputError, match=name):
            Network.load(str(tmp_path / name))


def test_a_name_that_is_nothing_gets_a_hint() -> None:
    with pytest.raises(ShapeError, match="did you mean 'resnet50'"):
        Network.load("resnet51")


words = st.sampled_from(
    "conv maxpool relu add concat [ ] ; | * @a k3 s2 p1 p1,2 d2 g2 in3 8 x -1 same crop # input "
    "3x8x8 linear flatten \n upsample 999999999999 k0 s0 tconv op1".split(" ")
)


@given(st.lists(words, max_size=14))
def test_any_chain_is_worked_out_or_refused_in_words(chain: list[str]) -> None:
    try:
        Network.parse(" ".join(chain)).evaluate((3, 8, 8))
    except ConvcliError as error:
        assert str(error)


@pytest.mark.parametrize("shape", ["0x8x8", "3x0x8", "3x8x0", "8"])
def test_an_input_has_channels_and_sizes(shape: str) -> None:
    with pytest.raises(
        ShapeError, match=r"^input is \(.*\); write channels and sizes, as in 3x224"
    ):
        Network.parse(f"input {shape} | conv 4 k3")
