"""Within a post a look means one thing, and colours come from one place."""

import importlib
import re
from pathlib import Path

import pytest

from postproof.charts import palette
from postproof.charts.palette import BLUE, ORANGE, Look, looks
from postproof.engines import inventory

ROOT = Path(__file__).parents[3]
SOURCES = sorted((ROOT / "src/postproof").rglob("*.py"))
COLOURS = {value for name, value in vars(palette).items() if name.isupper() and isinstance(value, str)}
LINES = {"-", "--", ":", "-.", ""}
# As matplotlib knows them: words, letters, its own cycle, shades of grey.
# A colour by its name, as matplotlib takes it, or out of its own cycle.
BY_NAME = re.compile(r"""\b\w*colou?rs?=\[?["'](?!(none|face)["'])\w+["']|["'](C\d|tab:\w+)["']""")


def test_looks_are_by_stem_in_order():
    one, two = Look("one", "1", "the first", BLUE), Look("two", "2", "the second", ORANGE)
    assert list(looks(two, one)) == ["two", "one"] and looks(one)["one"] is one and looks() == {}


@pytest.mark.parametrize("other", [{"colour": ORANGE}, {"marker": "s"}, {"line": "--"}, {"hatch": "//"}])
def test_looks_that_differ_in_one_thing_can_be_told_apart(other):
    looks(Look("one", "1", "1", BLUE), Look("two", "1", "1", **{"colour": BLUE} | other))


def test_two_that_are_drawn_alike_are_refused():
    with pytest.raises(ValueError, match="two and one have one drawn"):
        looks(Look("one", "1", "the first", BLUE), Look("two", "2", "the second", BLUE))


def test_a_stem_that_stands_twice_is_refused():
    with pytest.raises(ValueError, match="one stem"):
        looks(Look("one", "1", "the first", BLUE), Look("one", "2", "the second", ORANGE))


def test_colours_differ():
    named = [value for name, value in vars(palette).items() if name.isupper() and isinstance(value, str)]
    assert len(named) == len(COLOURS) and all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in COLOURS)


@pytest.mark.parametrize("post", inventory.posts(ROOT))
def test_the_looks_of_a_post_are_of_the_palette_and_told_apart(post):
    module = importlib.import_module(f"postproof.{post}.looks")
    assert looks(*module.LOOKS.values()) == module.LOOKS
    for look in module.LOOKS.values():
        assert look.colour in COLOURS and look.line in LINES and look.stem and look.short and look.long
    groups = [value for name, value in vars(module).items() if name.isupper() and isinstance(value, dict)]
    for group in groups:
        assert all(module.LOOKS[stem] == look for stem, look in group.items() if isinstance(look, Look))


@pytest.mark.parametrize("by_name", ["color='red'", 'edgecolor="black"', "colors=['b', 'g']", 'plot(x, y, "C0")'])
def test_a_colour_by_name_is_found(by_name):
    assert BY_NAME.search(by_name) and not BY_NAME.search("facecolor='none', color=look.colour")


def test_no_colour_stands_anywhere_but_in_the_palette():
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        found = re.search(r"""["']#[0-9A-Fa-f]{3,8}["']""", text) or BY_NAME.search(text)
        assert path == Path(palette.__file__) or not found, f"{path}: {found and found[0]}"
