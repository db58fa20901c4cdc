"""Looks of the post: one for each label that a table of what is drawn may hold, each told apart."""

import ast
import re
from pathlib import Path

import pytest

from postproof.attention import looks
from postproof.core import tables

FIGURES = sorted(Path(looks.__file__).parent.glob("figures/*.py"))


@pytest.mark.parametrize(
    "group, table, column",
    [
        (looks.PROTOCOLS, "heads_by_layer", "protocol"),
        (looks.CLASSES, "head_examples", "class"),
        (looks.CLASSES, "heads", "class_posted"),
        (looks.SCALINGS, "softmax_scaling", "scaling"),
        (looks.SCALINGS, "softmax_heads", "scaling"),
        (looks.ATTENTIONS, "score_memory", "attention"),
        (looks.PARTS, "score_memory", "part"),
    ],
)
def test_every_label_of_a_table_has_a_look(group, table, column):
    assert set(tables.schema(f"attention/{table}")[column].one_of) == group.keys()


def test_no_two_looks_of_a_chart_differ_in_the_marker_alone():
    """In grey and without markers: lines of one colour differ in their line, areas in their hatch."""
    for group in (looks.PROTOCOLS, looks.OTHER_PADDINGS, looks.CLASSES, looks.SCALINGS, looks.ATTENTIONS, looks.PARTS):
        assert len({(look.colour, look.line, look.hatch) for look in group.values()}) == len(group)


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.stem)
def test_charts_have_no_colours_of_their_own(path):
    texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    own = [text for text in texts if isinstance(text, str)
           and re.fullmatch(r"#[0-9A-Fa-f]{3,8}|0?\.\d+|black|white|gr[ae]y|red|blue|green", text)]  # fmt: skip
    assert own == []


def test_models_are_named_with_the_token_that_pads():
    assert looks.model_name("smollm2_135m_pad_comma") == "SmolLM2-135M padded with comma"
    assert looks.model_name("my_model") == "my_model"
