"""Built-in networks against their published figures, and receptive fields against tracing."""

from __future__ import annotations

import re
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli import Network, ShapeError, receptive_field
from convcli.arithmetic.network_report import NetworkReport

# (parameters, MACs at the network's own input): torchvision and the papers.
PUBLISHED = {
    "lenet5": (61_706, 416_520),
    "alexnet": (61_100_840, 714_188_480),
    "vgg11": (132_863_336, 7_609_090_048),
    "vgg16": (138_357_544, 15_470_264_320),
    "vgg19": (143_667_240, 19_632_062_464),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "googlenet": (6_998_552, 1_582_671_872),
    "mobilenet-v1": (4_231_976, 568_740_352),
    "unet": (31_030_658, None),
}


@pytest.mark.parametrize("name", Network.builtin_names())
def test_published_parameters_and_macs(name: str) -> None:
    params, macs = PUBLISHED[name]
    totals = Network.load(name).evaluate().totals
    assert totals.params == params
    assert macs is None or totals.macs == macs


def sizes_of(report: NetworkReport) -> list[tuple[int, ...]]:
    """Output shapes in order, each change once."""
    found: list[tuple[int, ...]] = []
    for row in report.rows:
        if row.depth == 0 and (not found or found[-1] != row.output):
            found.append(row.output)
    return found


def square(*pairs: tuple[int, int]) -> list[tuple[int, ...]]:
    return [(channels, size, size) for channels, size in pairs]


# Sizes after each stage, in the order of the papers' tables.
STAGES = {
    "lenet5": [*square((6, 28), (6, 14), (16, 10), (16, 5), (120, 1)), (120,), (84,), (10,)],
    "alexnet": [
        *square((64, 55), (64, 27), (192, 27), (192, 13), (384, 13), (256, 13), (256, 6)),
        (9216,),
        (4096,),
        (1000,),
    ],
    "vgg16": [
        *square((64, 224), (64, 112), (128, 112), (128, 56), (256, 56), (256, 28), (512, 28)),
        *square((512, 14), (512, 7)),
        (25088,),
        (4096,),
        (1000,),
    ],
    "resnet50": [
        *square((64, 112), (64, 56), (256, 56), (512, 28), (1024, 14), (2048, 7), (2048, 1)),
        (2048,),
        (1000,),
    ],
    "resnet18": [
        *square((64, 112), (64, 56), (128, 28), (256, 14), (512, 7), (512, 1)),
        (512,),
        (1000,),
    ],
    "googlenet": [
        *square((64, 112), (64, 56), (192, 56), (192, 28), (256, 28), (480, 28), (480, 14)),
        *square((512, 14), (528, 14), (832, 14), (832, 7), (1024, 7), (1024, 1)),
        (1024,),
        (1000,),
    ],
    "mobilenet-v1": [
        *square((32, 112), (64, 112), (64, 56), (128, 56), (128, 28), (256, 28), (256, 14)),
        *square((512, 14), (512, 7), (1024, 7), (1024, 1)),
        (1024,),
        (1000,),
    ],
    "unet": [
        *square((64, 570), (64, 568), (64, 284), (128, 282), (128, 280), (128, 140), (256, 138)),
        *square((256, 136), (256, 68), (512, 66), (512, 64), (512, 32), (1024, 30), (1024, 28)),
        *square((512, 56), (1024, 56), (512, 54), (512, 52), (256, 104), (512, 104), (256, 102)),
        *square((256, 100), (128, 200), (256, 200), (128, 198), (128, 196), (64, 392)),
        *square((128, 392), (64, 390), (64, 388), (2, 388)),
    ],
}
STAGES["vgg11"] = STAGES["vgg19"] = STAGES["vgg16"]
STAGES["resnet34"] = STAGES["resnet18"]


@pytest.mark.parametrize("name", Network.builtin_names())
def test_documented_output_sizes(name: str) -> None:
    report = Network.load(name).evaluate()
    assert report.failure is None
    assert sizes_of(report) == STAGES[name]


NAMES = {
    "vgg11": [
        "conv1_1",
        "conv2_1",
        "conv3_1",
        "conv3_2",
        "conv4_2",
        "conv5_1",
        "fc6",
        "fc7",
        "fc8",
    ],
    "vgg16": ["conv1_2", "pool1", "conv2_1", "conv3_3", "conv4_1", "conv5_3", "pool5", "fc8"],
    "vgg19": ["conv1_1", "conv3_4", "conv4_4", "conv5_4", "fc6"],
    "resnet18": ["conv1", "conv2_2.conv1", "conv3_1.conv2", "conv5_2.add1", "fc"],
    "resnet34": ["conv2_3.conv1", "conv3_4.conv1", "conv4_6.conv2", "conv5_3.add1"],
    "resnet50": ["conv1", "conv2_3.conv3", "conv3_4.conv1", "conv4_6.conv2", "conv5_3.add1", "fc"],
}
"""Layers by the names of the papers and of their authors' models: stage, then place in it."""


@pytest.mark.parametrize("name", NAMES)
def test_layers_have_the_names_of_the_paper(name: str) -> None:
    rows = [row.name for row in Network.load(name).evaluate().rows]
    assert [row for row in rows if row in NAMES[name]] == NAMES[name]
    sizes = {r.name: r.output[1] for r in Network.load(name).evaluate().rows if len(r.output) > 1}
    scale = 1 if name.startswith("vgg") else 2  # a stage halves the picture
    for layer in set(NAMES[name]) & sizes.keys() - {"conv1"}:
        stage = int(re.sub(r"\D*(\d).*", r"\1", layer))
        pooled = layer.startswith("pool")
        assert sizes[layer] == 224 // scale // 2 ** (stage - 1 + pooled)


def last_field(report: NetworkReport, kind: str) -> tuple[float, float]:
    row = [row for row in report.rows if row.kind == kind][-1]
    field = row.fields[0]
    assert field.aligned
    return field.size, field.jump


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("vgg16", "maxpool", (212, 32)),
        ("alexnet", "maxpool", (195, 32)),
        ("resnet18", "add", (435, 32)),
        ("resnet50", "add", (427, 32)),
    ],
)
def test_published_receptive_fields(name: str, kind: str, expected: tuple[int, int]) -> None:
    assert last_field(Network.load(name).evaluate(), kind) == expected


def test_resnet50_v1_strides_in_the_first_1x1_and_sees_more() -> None:
    keep = (
        "add[ conv $1 k1 nobias | bn | relu | conv $1 k3 p1 nobias | bn | relu "
        "| conv $2 k1 nobias | bn ; {skip} ] | relu"
    )
    network = Network(
        [
            "conv 64 k7 s2 p3 nobias | bn | relu | maxpool k3 s2 p1",
            "project 64 256 1 | keep 64 256 *2 | project 128 512 2 | keep 128 512 *3",
            "project 256 1024 2 | keep 256 1024 *5 | project 512 2048 2 | keep 512 2048 *2",
            "gap | flatten | linear 1000",
        ],
        blocks={
            "keep": keep.format(skip="identity"),
            "project": keep.format(skip="conv $2 k1 s$3 nobias | bn").replace(
                "conv $1 k1 nobias", "conv $1 k1 s$3 nobias"
            ),
        },
    )
    report = network.evaluate((3, 224, 224))
    assert last_field(report, "add") == (483, 32)
    assert report.totals.params == PUBLISHED["resnet50"][0]


layer = st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(0, 4), st.integers(1, 3))


@given(st.lists(layer, min_size=1, max_size=5))
def test_receptive_fields_agree_with_tracing(layers: list[tuple[int, int, int, int]]) -> None:
    def trace(output: int) -> tuple[int, int]:
        low = high = output
        for k, s, p, d in reversed(layers):
            low, high = low * s - p, high * s - p + d * (k - 1)
        return low, high

    field = receptive_field(layers)
    (low, high), (next_low, _) = trace(0), trace(1)
    assert field.size == high - low + 1
    assert field.jump == next_low - low
    assert field.start == (low + high) / 2 + 0.5


@given(st.lists(layer, min_size=1, max_size=4), st.integers(20, 60))
def test_text_tuples_and_networks_have_one_receptive_field(
    layers: list[tuple[int, int, int, int]], size: int
) -> None:
    text = " | ".join(f"conv 2 k{k} s{s} p{p} d{d}" for k, s, p, d in layers)
    report = Network.parse(text).evaluate((3, size))
    if report.failure is None:
        assert report.rows[-1].fields == (receptive_field(layers),)
    assert receptive_field(text) == receptive_field(layers)


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 3), st.integers(1, 3))
def test_a_transposed_layer_sees_what_stamping_says(s: int, k: int, p: int, d: int) -> None:
    from convcli.arithmetic.receptive_field import ReceptiveField
    from convcli.arithmetic.transposed import transposed_window

    n = 16
    window = transposed_window(n, k, stride=s, padding=p, dilation=d)
    field = ReceptiveField().after(window)
    reads = [
        [i for i in range(n) for tap in range(k) if i * s + tap * d == cell + p]
        for cell in range(window.output)
    ]
    spans = [max(r) - min(r) + 1 for r in reads if r]
    assert max(spans) <= field.size
    if d == 1:
        assert max(spans) == field.size
    assert field.jump * s == pytest.approx(1)
    # The centre of what neighbouring inputs stamp: output cells of input i are centred there.
    centre = 5 * s - p + d * (k - 1) / 2
    assert field.start + field.jump * centre == pytest.approx(5.5)


def test_branches_off_centre_are_said_to_be_not_aligned() -> None:
    report = Network.parse("add[ conv 4 k3 p1 ; conv 4 k2 p0 | pad 1,0 ]").evaluate((4, 9, 9))
    row = report.rows[-1]
    assert not row.fields[0].aligned
    assert row.note == "the branches are not aligned"
    assert row.fields[0].size == 3


def test_costs_agree_with_a_naive_count() -> None:
    """Multiplications of a grouped 3-D layer and its transpose, counted one by one."""
    n, c, o, g = 2, 6, 4, 2
    sizes, kernel = (5, 6, 4), (3, 2, 1)
    chain = Network.parse(f"conv {o} k3x2x1 s2x1x1 p1x0x0 g{g}")
    row = chain.evaluate((c, *sizes), batch=n).rows[0]
    count = 0
    for _ in range(n * prod(row.output)):
        for _ in range(c // g):
            count += prod(kernel)
    assert row.macs == count
    assert row.params == o * (c // g) * prod(kernel) + o
    back = Network.parse(f"tconv {o} k3x2x1 s2x1x1 g{g} nobias").evaluate((c, *sizes), batch=n)
    stamps = n * c * prod(sizes)  # every input stamps the kernel of each output of its group
    assert back.rows[0].macs == stamps * (o // g) * prod(kernel)
    assert back.rows[0].params == c * (o // g) * prod(kernel)


@pytest.mark.parametrize("name", Network.builtin_names())
def test_totals_are_the_sums_of_the_rows(name: str) -> None:
    report = Network.load(name).evaluate(batch=3)
    assert report.totals.params == sum(row.params for row in report.rows)
    assert report.totals.macs == sum(row.macs for row in report.rows)
    assert report.totals.activations == sum(3 * prod(row.output) for row in report.rows)


@pytest.mark.parametrize(
    ("chain", "sizes", "channels", "expected"),
    [
        ("conv 8 k3", (32,), None, (3, 32, 32)),
        ("conv 8 k3", (32, 40), None, (3, 32, 40)),
        ("conv 8 k3", (1, 32, 40), None, (1, 32, 40)),
        ("conv 8 k3", (9, 32, 40), 2, (2, 9, 32, 40)),
        ("input 2x50 | conv 8 k3", None, None, (2, 50)),
        ("input 2x50 | conv 8 k3", (60,), None, (2, 60)),
        ("input 2x50 | conv 8 k3", (4, 60), None, (4, 60)),
        ("input 2x50 | conv 8 k3", (60,), 7, (7, 60)),
    ],
    ids=["square", "sizes", "channels_first", "volume", "own", "longer", "both", "channels_given"],
)
def test_the_input_that_is_meant(
    chain: str, sizes: tuple[int, ...] | None, channels: int | None, expected: tuple[int, ...]
) -> None:
    assert Network.parse(chain).input_for(sizes, channels) == expected


def test_too_many_sizes_are_refused() -> None:
    with pytest.raises(ShapeError, match="takes 2 sizes, as in --n 32x32, not 4"):
        Network.load("vgg16").input_for((1, 3, 32, 32), None)


def test_a_batch_multiplies_the_work_and_not_the_weights() -> None:
    network = Network.load("mobilenet-v1")
    one, four = network.evaluate(), network.evaluate(batch=4)
    assert four.totals.macs == 4 * one.totals.macs
    assert four.totals.params == one.totals.params


def test_same_with_a_stride_has_no_receptive_field_without_a_size() -> None:
    with pytest.raises(ShapeError, match="depends on the size; use Network"):
        receptive_field("conv 8 k3 s2 same")
