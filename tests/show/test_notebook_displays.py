"""What values show of themselves in a notebook, and ``convcli.draw``, ``explore`` and ``explain``."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import convcli
from convcli.cli.app import run
from convcli.displays import DISPLAYS, displayed
from convcli.kernels.kernel import Kernel
from convcli.ops.polynomial import Polynomial
from convcli.show import notebook
from convcli.show.latex import array_latex, polynomial_latex

NETWORK = convcli.Network.parse(
    "input 1x28x28 | conv 8 k3 | relu | maxpool k2 | flatten | linear 10"
)

SHOWN: dict[str, Callable[[], Any]] = {
    "Chain": lambda: convcli.load_chain("gaussian:2 | median:3"),
    "Gradients": lambda: convcli.conv_grad(np.ones((2, 3)), np.eye(4), np.ones((3, 2))),
    "Kernel": lambda: convcli.load_kernel("sobel"),
    "Network": lambda: NETWORK,
    "NetworkReport": lambda: NETWORK.evaluate((1, 30, 28)),
    "Polynomial": lambda: Polynomial.of("x1") + 1,
    "Separated": lambda: convcli.separate(np.outer([1, 2, 1], [1, 0, -1])),
    "SparseRows": lambda: convcli.toeplitz(np.array([1.0, 2.0]), 4, sparse=True),
}
METHODS = ("_repr_svg_", "_repr_html_", "_repr_latex_")


@pytest.mark.parametrize("name", DISPLAYS)
def test_every_class_shows_itself_by_the_function_of_the_table(name: str) -> None:
    value = SHOWN[name]()
    assert type(value).__name__ == name
    methods = [method for method in METHODS if hasattr(value, method)]
    assert len(methods) == 1
    shown = getattr(value, methods[0])()
    assert shown == getattr(notebook, DISPLAYS[name])(value) == displayed(value)
    assert shown and DISPLAYS[name].endswith(methods[0].strip("_").removeprefix("repr_"))


def rules(svg: str) -> list[str]:
    """Selectors of a drawing's style sheet, those of media queries too."""
    style = ElementTree.fromstring(svg).findtext("{http://www.w3.org/2000/svg}style") or ""
    style = re.sub(r"@keyframes \w+\{(?:[^{}]*\{[^{}]*\})*\}", "", style)
    style = re.sub(r"@media[^{]*\{((?:[^{}]*\{[^{}]*\})*)\}", r"\1", style)
    return [rule.split("{")[0] for rule in style.split("}") if rule.strip()]


def test_a_drawing_in_a_page_touches_nothing_beside_it() -> None:
    one = convcli.draw("1 2 3 4", "1 0 -1")._repr_svg_()
    two = convcli.draw("1 2 3 5", "1 0 -1")._repr_svg_()
    names = [ElementTree.fromstring(svg).get("id") for svg in (one, two)]
    assert names[0] and names[1] and names[0] != names[1]
    for svg, name in ((one, names[0]), (two, names[1])):
        found = rules(svg)
        assert len(found) > 10
        assert {rule for rule in found if not re.match(rf"#{name}[ :]", rule)} == set()
        frames = re.findall(r"@keyframes (\w+)", svg)
        assert frames and all(frame.startswith(str(name)) for frame in frames)
        assert {*re.findall(r"animation-name:(\w+)", svg)} == {*frames}
        ids = re.findall(r' id="(\w+)"', svg)
        assert all(one_id.startswith(str(name)) for one_id in ids)
    assert convcli.draw("1 2 3 4", "1 0 -1")._repr_svg_() == one  # whatever the session


def test_names_are_escaped_everywhere() -> None:
    evil = "<script>alert(1)</script>"
    kernel = Kernel([[1, 2]], name=evil, note=evil)
    chain = type(convcli.load_chain("sobel"))([kernel])
    network = convcli.Network(["conv 8 k3"], title=evil, input_shape=(1, 9, 9), source=evil)
    for shown in (kernel._repr_svg_(), chain._repr_html_(), network._repr_html_()):
        assert shown and "<script" not in shown and "&lt;script" in shown


def test_what_has_no_picture_says_so() -> None:
    assert Kernel(np.ones((3, 3, 1, 1)))._repr_svg_()
    assert Kernel(np.ones((4, 4, 3, 3)))._repr_svg_() is None  # 16 matrices
    shown = convcli.load_kernel("median:5")._repr_svg_()
    assert shown and "footprint" in shown and "25 cells count" in shown
    assert "evaluate" in str(convcli.Network.parse("conv 8 k3 | relu")._repr_html_())


def test_a_table_says_what_the_report_says() -> None:
    report = convcli.Network.load("lenet5").evaluate()
    text = html.unescape(re.sub(r"<svg.*?</svg>", "", str(report._repr_html_()), flags=re.S))
    for row in report.rows:
        assert row.label in text
    assert f"{report.totals.params:,}" in text and f"{report.totals.macs:,}" in text
    ElementTree.fromstring(f"<a>{report._repr_html_()}</a>".replace("&nbsp;", " "))
    broken = convcli.Network.parse("conv 8 k9").evaluate((1, 3, 3))
    assert "breaks here" in str(broken._repr_html_())


def value_of(latex: str, values: dict[str, Fraction]) -> Fraction:
    """A formula of single letters worked out, by rewriting it as an expression of Python."""
    text = re.sub(r"\\frac\{([^{}]*(?:\{\d+\}[^{}]*)*)\}\{(\d+)\}", r"((\1)/F(\2))", latex)
    text = re.sub(r"\^\{(\d+)\}", r"**\1", text)
    text = re.sub(r"(?<=[\w)])(?=[a-z(])", "*", text.replace("F(", "F ("))
    text = text.replace("F *(", "F(").replace("F (", "F(")
    text = re.sub(r"(?<![\w*])(\d+)(?=\*[a-z])", r"F(\1)", text)
    return Fraction(eval(text, {"F": Fraction, **values}))


def test_a_polynomial_is_worth_what_its_latex_is_worth() -> None:
    rng = np.random.default_rng(7)
    values = {name: Fraction(int(rng.integers(-9, 10)), int(rng.integers(1, 9))) for name in "abc"}
    shapes = set()
    for _ in range(60):
        terms, expected = {}, Fraction(0)
        for _ in range(int(rng.integers(1, 4))):
            names = tuple(sorted(rng.choice(list("abc"), int(rng.integers(0, 4))).tolist()))
            number = Fraction(int(rng.integers(-6, 7)), int(rng.choice([1, 2, 3])))
            if names in terms or not number:
                continue
            terms[names] = number
            product = number
            for name in names:
                product *= values[name]
            expected += product
        latex = polynomial_latex(Polynomial(terms))
        shapes |= {mark for mark in ("frac", "^", "+", "-") if mark in latex}
        assert value_of(latex, values) == expected, latex
    assert shapes == {"frac", "^", "+", "-"}


@pytest.mark.parametrize(
    "name, latex",
    [
        ("x", "x"),
        ("x12", "x_{12}"),
        ("w_11", "w_{11}"),
        ("x[0]", "x[0]"),
        ("a'", "a'"),
        ("alpha", "\\alpha{}"),
        ("sigma2", "\\sigma_{2}"),
        ("speed", "\\mathrm{speed}"),
    ],
)
def test_names_are_set_as_mathematics_sets_them(name: str, latex: str) -> None:
    assert polynomial_latex(Polynomial.of(name)) == latex


def test_matrices_are_written_whole_or_with_their_middle_left_out() -> None:
    sparse = SHOWN["SparseRows"]()
    dense = convcli.toeplitz(np.array([1.0, 2.0]), 4)
    assert sparse._repr_latex_() == f"$$ {array_latex(dense)} $$"
    rows = array_latex(dense).split("\\\\")
    assert len(rows) == 3 and all(row.count("&") == 3 for row in rows)
    large = array_latex(np.arange(40 * 50).reshape(40, 50))
    assert "1999" in large and "\\ddots" in large and large.count("&") == 7 * 6
    assert array_latex(np.float64(2)) == "2"
    assert array_latex(np.zeros((1, 2, 2, 1))).count("bmatrix") == 4  # two slices
    assert str(convcli.latex(convcli.symbols("a b"))) == "\\begin{bmatrix}a & b\\end{bmatrix}"


OPTIONS: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (("--n", "5", "--k", "3", "--s", "2", "--p", "1"), {"n": 5, "k": 3, "stride": 2, "padding": 1}),
    (("--n", "7", "--k", "3", "--d", "2", "--1d"), {"n": (7,), "k": 3, "dilation": 2}),
    (
        ("--n", "2x3", "--k", "3x2", "--s", "2x1", "--op", "1x0", "--transpose"),
        {"n": (2, 3), "k": (3, 2), "stride": (2, 1), "output_padding": (1, 0), "transposed": True},
    ),
    (("--n", "6", "--k", "4", "--p", "same"), {"n": 6, "k": 4, "padding": "same"}),
    (("--n", "7", "--k", "2", "--pool", "max", "--ceil"), {"n": 7, "k": 2, "pool": "max", "ceil_mode": True}),
    (("--n", "4", "--k", "3", "--in", "2", "--out", "2", "--groups", "2"), {"n": 4, "k": 3, "in_channels": 2, "out_channels": 2, "groups": 2}),
    (("--x", "a b c d", "--w", "u v", "--p", "1", "--flip"), {"x": "a b c d", "weight": "u v", "padding": 1, "flip": True}),
    (
        ("--x", "[[[1,2,3],[4,5,6]],[[0,1,0],[2,2,1]]]", "--w", "[[[[1,0],[0,1]],[[2,1],[1,1]]]]", "--bias", "7", "--view", "matrix"),
        {"x": np.array([[[1, 2, 3], [4, 5, 6]], [[0, 1, 0], [2, 2, 1]]]), "weight": np.array([[[[1, 0], [0, 1]], [[2, 1], [1, 1]]]]), "bias": np.array([7]), "view": "window"},
    ),
    (("--x", "1 2; 3 4", "--w", "1 0; 2 1", "--p", "1", "--border", "reflect"), {"x": "1 2; 3 4", "weight": "1 0; 2 1", "padding": 1, "border": "reflect"}),
    (("--x", "[[[1,2],[3,4]],[[5,6],[7,8]]]", "--w", "1 0; 0 1; 1 -1"), {"x": "[[[1,2],[3,4]],[[5,6],[7,8]]]", "weight": "1 0; 0 1; 1 -1"}),
    (("--x", "1/3 2 1", "--w", "1/7 1"), {"x": "1/3 2 1", "weight": "1/7 1"}),
    (("--x", "4 2 1", "--w", "[[[2, 1]]]"), {"x": "4 2 1", "weight": "[[[2, 1]]]"}),
    (("--x", "1 2 3; 4 5 6", "--w", "[[[2,1],[1,0]]]", "--1d"), {"x": "1 2 3; 4 5 6", "weight": "[[[2,1],[1,0]]]", "dims": 1}),
    (("--x", "[[[[1,2,3],[4,5,6]]]]", "--w", "1 2"), {"x": np.array([[[[1, 2, 3], [4, 5, 6]]]]), "weight": "1 2"}),
    (("numerical_max_pooling",), {"x": "numerical_max_pooling"}),
]  # fmt: skip


@pytest.mark.parametrize("words, keywords", OPTIONS)
def test_a_figure_is_what_the_command_draws(
    words: tuple[str, ...], keywords: dict[str, Any], tmp_path: Path
) -> None:
    words = tuple("window" if word == "matrix" else word for word in words)
    assert run(["draw", *words, "-o", str(tmp_path / "command.svg")]) == 0
    convcli.draw(**keywords).save(tmp_path / "figure.svg")
    one, two = (tmp_path / "command.svg").read_text(), (tmp_path / "figure.svg").read_text()
    assert one == two


def test_figures_are_saved_as_the_command_saves_them(tmp_path: Path) -> None:
    figure = convcli.draw("1 2 3", "1 -1", theme="dark")
    for suffix in (".gif", ".png", ".pdf"):
        figure.save(tmp_path / f"a{suffix}", step=2)
        assert (tmp_path / f"a{suffix}").stat().st_size > 100
    for name, words, said in (
        ("a.gif", {}, "overwrite"),
        ("b.bmp", {}, "drawing is written as"),
        ("b.png", {"step": 3}, "steps 1 to 2"),
    ):
        with pytest.raises(convcli.UsageError, match=said):
            figure.save(tmp_path / name, **words)
    assert not (tmp_path / "b.png").exists()
    assert repr(figure) == "Figure('Convolution', 2 steps)"


@pytest.mark.parametrize(
    "keywords, said",
    [
        ({"x": "padding_stride"}, "did you mean 'padding_strides'"),
        ({"x": "a b"}, "both x and weight"),
        ({"n": 5}, "Give n and k"),
        ({"x": "1 2", "weight": "1", "n": 3}, "n is for an input without numbers"),
        ({"x": "padding_strides", "stride": 2}, "leave stride out"),
        ({"n": 5, "k": 3, "pool": "mean"}, "allowed: max, avg"),
        ({"x": "numerical_max_pooling", "flip": True}, "--flip is for a convolution"),
        ({"n": 5, "k": 3, "fps": 0}, "allowed: 0.1 to 50"),
        ({"n": 5, "k": 3, "theme": "dusk"}, "allowed: light, dark"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(keywords: dict[str, Any], said: str) -> None:
    with pytest.raises(convcli.UsageError, match=re.escape(said)) as caught:
        convcli.draw(**keywords)
    assert "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="'strid' is no option of a layer"):
        convcli.draw(n=5, k=3, strid=2)  # type: ignore[call-arg]


def test_a_page_stands_in_a_frame_of_its_own(tmp_path: Path) -> None:
    page = convcli.explore("1 2 3 4", "1 0 -1", padding=1)
    found = re.fullmatch(
        r'<iframe srcdoc="([^"]*)" style="[^"<>]*" sandbox="allow-scripts"></iframe>',
        page._repr_html_(),
    )
    assert found and html.unescape(found[1]) == page.html
    page.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page.html
    with pytest.raises(convcli.UsageError, match=r"\.html"):
        page.save(tmp_path / "page.svg")


def test_an_explanation_says_what_the_command_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.arange(35 * 3, dtype=np.uint8).reshape(5, 7, 3)).save("in.png")
    words = ["filter", "in.png", "-k", "gaussian:1", "-k", "median:3", "--stride", "2"]
    assert run([*words, "--explain", "--dry-run", "-o", "out.png"]) == 0
    told = capsys.readouterr().err
    said = convcli.explain("in.png", ["gaussian:1", "median:3"], stride=2)
    lines = [line for line in str(said).splitlines() if not line.startswith("output")]
    assert len(lines) > 20 and all(line in told for line in lines)
    assert str(said) == repr(said)
    assert said._repr_html_().count("<tr>") == len(said.pairs)
    with pytest.raises(TypeError, match="'strid' is no option of filter_image"):
        convcli.explain("in.png", "sobel", strid=2)  # type: ignore[call-arg]


def test_a_trace_is_what_the_command_draws(tmp_path: Path) -> None:
    words = ["shape", "conv 8 k3 | maxpool k2 | conv 8 k3", "--n", "20", "--trace", "1,2"]
    assert run([*words, "-o", str(tmp_path / "command.svg")]) == 0
    network = convcli.Network.parse("conv 8 k3 | maxpool k2 | conv 8 k3")
    for given in (network, words[1]):
        convcli.trace(given, 20, cell=(1, 2)).save(tmp_path / "figure.svg", overwrite=True)
        assert (tmp_path / "figure.svg").read_text() == (tmp_path / "command.svg").read_text()
    with pytest.raises(convcli.ShapeError, match="does not fit"):
        convcli.trace("conv 8 k9", 4)


def test_a_page_begins_with_a_picture_and_a_kernel(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (5, 4), "red").save(tmp_path / "in.png")
    page = convcli.explore(picture=tmp_path / "in.png", kernel="box")
    assert "in.png under a kernel" in page.html
    for words, said in (
        ({"kernel": "box"}, "kernel is for a picture"),
        ({"picture": tmp_path / "in.png", "n": 5}, "not the options of a layer"),
    ):
        with pytest.raises(convcli.UsageError, match=said):
            convcli.explore(**words)
