"""Headings, feet and names of curves: measured, inside the figure, and said to who cannot see the chart."""

import ast
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from postproof.charts import plotting

FIGURES = sorted((Path(__file__).parents[3] / "src/postproof").glob("*/figures/*.py"))
# Names that have digits of their own; what else is a number is computed.
NAMES = re.compile(
    r"GPT-2|GPT-3|LLaMA \d(\.\d)?|Llama 2|SmolLM2(-135M)?|8x7B|70B|7B|top-\d|float(16|32|64)|d_\w+|L2|ln 8"
)
SENTENCE = "The mixture of experts ends lower than the dense model at <equal> compute & stays there, whatever the seed"


@pytest.mark.parametrize("inches", [1.0, 3.0, 7.0])
@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_lines_are_no_wider_than_asked_and_lose_no_word(inches, weight):
    plotting.style()
    lines = plotting.wrapped(SENTENCE, 9, weight, inches)
    assert " ".join(lines) == SENTENCE and (inches > 5 or len(lines) > 1)
    assert all(plotting.text_inches(line, 9, weight) <= inches or " " not in line for line in lines)


@pytest.fixture
def drawn(tmp_path):
    plotting.style()
    figure, axes = plt.subplots(figsize=(plotting.COLUMN, 4))
    axes.plot([0, 1], [0, 1])
    axes.set(xlabel="steps", ylabel="nats")
    plotting.headed(
        figure, SENTENCE, f"What is drawn. {SENTENCE} {SENTENCE}", plotting.source(["a/b", "a/posted_c"], "Runs.")
    )
    yield figure, axes, tmp_path
    plt.close(figure)


def test_a_heading_and_a_foot_take_no_room_from_the_panels(drawn):
    figure, axes, _ = drawn
    figure.draw_without_rendering()
    panel = axes.get_tightbbox()
    boxes = [text.get_window_extent() for text in figure.texts]
    assert len(boxes) > 4 and all(figure.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))
    assert not any(box.overlaps(panel) for box in boxes)
    assert not any(one.overlaps(other) for one in boxes for other in boxes if one is not other)


def test_the_foot_names_tables_where_they_stand():
    assert plotting.source(["a/b", "a/posted_c"], "Five seeds.") == (
        "Five seeds. Source: results/a/metrics/b.csv, data/posted/a/c.csv."
    )


def test_an_svg_says_what_it_is(drawn):
    figure, _, folder = drawn
    plotting.save(figure, folder / "a.svg", folder / "a.png")
    root = ElementTree.parse(folder / "a.svg").getroot()
    names = {child.tag.partition("}")[2]: child.text for child in root}
    assert root.get("role") == "img" and names["title"] == SENTENCE
    assert names["desc"].startswith("What is drawn.") and names["desc"].endswith("c.csv.")


def test_a_chart_without_a_heading_can_be_saved(tmp_path):
    plotting.style()
    figure, _ = plt.subplots()
    plotting.save(figure, tmp_path / "a.svg", tmp_path / "a.png")
    assert "role=" not in (tmp_path / "a.svg").read_text()


def test_names_at_the_ends_of_curves_do_not_touch():
    plotting.style()
    figure, axes = plt.subplots(figsize=(6, 4))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    ends = [(1, height, f"curve {height}", "black") for height in (0.5, 0.505, 0.51, 0.9)]
    plotting.name_ends(axes, ends)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for one in boxes for other in boxes if one is not other)
    plt.close(figure)


def test_percent():
    assert plotting.percent(0.17087, 1) == "17.1 %" and plotting.percent(0.5) == "50 %"


def sentences(tree: ast.Module) -> list[str]:
    """The words typed in the functions that make a chart's sentence, without the digits that a number is shown with."""
    makers = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("says")]
    texts = [node for maker in makers for node in ast.walk(maker) if isinstance(node, ast.JoinedStr)]
    formats = {id(node.format_spec) for text in texts for node in text.values if isinstance(node, ast.FormattedValue)}
    return [value.value for text in texts if id(text) not in formats
            for value in text.values if isinstance(value, ast.Constant)]  # fmt: skip


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: f"{path.parts[-3]}.{path.stem}")
def test_no_number_of_a_title_is_typed(path):
    tree = ast.parse(path.read_text())
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("headed")
    ]
    for call in calls:
        assert isinstance(call.args[1], ast.Call | ast.Name), f"line {call.lineno}: the sentence is computed"
    for words in sentences(tree):
        assert not re.search(r"\d", NAMES.sub("", words)), words


def test_a_typed_number_would_be_found():
    tree = ast.parse('def says(x):\n    return f"GPT-2 ends 17 % lower than {x:.3g}"')
    assert re.search(r"\d", NAMES.sub("", sentences(tree)[0]))
