"""What the pages are put together from: tables, charts, twins, words to know; and what they refuse."""

import json
from pathlib import Path

import pytest

from postproof.claims import Kind, readme
from postproof.core import files
from postproof.core.errors import ArtefactError, UsageError
from postproof.core.tables import Column
from postproof.site import charts, layout, pages, post, sources, twins, views

TEMPLATES = Path(layout.__file__).parent / "templates"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{}" height="360pt"><title> A &lt; B </title><desc>{}</desc></svg>'


def record(name: str, verdict: str = "holds", **more) -> dict:
    """A claim's record as claims.json has it."""
    base = dict.fromkeys(("condition", "needs", "note", "severity", "artefact", "decided_by", "of", "unit", "rule"))
    base |= {"id": name, "kind": "claim", "post": "coin", "where": "Result", "statement": f"{name} is so."}
    base |= {"posted": True, "got": True, "reason": "true", "verdict": verdict, "options": {}, "expression": []}
    return base | {"evidence": ["mathematics"], "stages": {}} | more


def chart(name: str) -> views.Chart:
    return views.Chart(name, "It rises", "", "A chart.", "src/c.py", 700, 400, (), (), None, "", ())


def test_a_drawing_tells_its_sentence_and_its_size_and_its_source_stands_elsewhere(tmp_path):
    path = tmp_path / "a.svg"
    path.write_text(SVG.format("720pt", "What, n = 5. Source: results/a/b.csv, data/c.csv."))
    assert charts.read(path) == charts.Drawing("A < B", "What, n = 5.", 960, 480)
    path.write_text(SVG.format("720pt", ""))
    assert charts.read(path).what == ""


@pytest.mark.parametrize("content", ["", "<svg", "<html></html>", SVG.format("wide", "")])
def test_what_is_no_drawing_is_named(tmp_path, content):
    path = tmp_path / "a.svg"
    path.write_text(content)
    with pytest.raises(ArtefactError, match="not a chart") as raised:
        charts.read(path)
    assert raised.value.context["file"] == path


def test_a_twin_gives_its_parts_as_they_stand_also_where_end_tags_are_left_out(tmp_path):
    path = tmp_path / "a.html"
    path.write_text(
        '<p>\r\n<script id="twin">{"a": "\\u003c/p>"}</script><fieldset id="switches"><input id="x"> é\u2028 '
        '<b>one</b></fieldset><p id="keys" hidden>Keys &amp; more</p>\n<table id="values"><tr><td>1<td>2\n'
        "<tr><td>3</table>"
    )
    parts = twins.read(path)
    assert parts.twin == '{"a": "\\u003c/p>"}' and parts.keys == "Keys &amp; more"
    assert parts.switches == '<input id="x"> é\u2028 <b>one</b>'
    assert parts.values == "<tr><td>1<td>2\n<tr><td>3"


@pytest.mark.parametrize("cut", ["twin", "switches", "keys", "values"])
def test_a_twin_without_a_part_is_refused(tmp_path, cut):
    kept = [name for name in ("twin", "switches", "keys", "values") if name != cut]
    path = tmp_path / "a.html"
    path.write_text("".join(f'<div id="{name}">x</div>' for name in kept))
    with pytest.raises(ArtefactError) as raised:
        twins.read(path)
    assert raised.value.context == {"file": path, "id": cut}


def test_a_table_tells_its_rows_its_runs_what_tells_rows_apart_and_its_hash(tmp_path):
    folder = tmp_path / "results/coin/metrics"
    folder.mkdir(parents=True)
    (folder / "flips.csv").write_text("arm,seed,share\nfair,8,0.5\nfair,7,0.4\nbent,7,0.9\n")
    schema = tmp_path / "coin/flips.yaml"
    schema.parent.mkdir()
    schema.write_text(
        "arm: {unit: label, description: which coin}\nseed: {unit: label, description: s, from_params: coin.seeds}\n"
        "share: {unit: '1', description: share of heads}\n"
    )
    made = {"results/coin/metrics/flips.csv": {"stage": "flips", "command": "coin.flips", "params": ["coin.flips"]}}
    path = folder / "flips.csv"
    (found,) = sources.read_all([path, path], [], [schema], made).values()
    assert (found.path, found.rows, found.seeds) == ("results/coin/metrics/flips.csv", 3, (7, 8))
    assert found.labels == {"arm": ["fair", "bent"]}
    assert found.files == (sources.File(str(path), 3, files.sha256(path)),)
    assert (found.stage, found.code, found.params) == ("flips", "src/postproof/coin/flips.py", ("coin.flips",))


def test_machines_of_a_measurement_are_one_source_with_each_its_particulars(tmp_path):
    folder = tmp_path / "data/measured/speed"
    folder.mkdir(parents=True)
    for machine, threads in (("one", 1), ("two", 2)):
        (folder / f"{machine}.csv").write_text("seconds\n0.5\n")
        about = {"machine": machine, "cpu_model": "Z80", "threads": threads, "date_utc": "2026-11-23T08:37:16+00:00"}
        (folder / f"{machine}.json").write_text(json.dumps(about))
    (found,) = sources.read_all(sorted(folder.glob("*.csv")), sorted(folder.glob("*.json")), [], {}).values()
    assert found.path == "data/measured/speed" and found.rows == 2 and found.stage is None
    assert [views.on(machine) for machine in found.machines] == [
        "Z80, 1 thread, 2026-11-23",
        "Z80, 2 threads, 2026-11-23",
    ]


@pytest.mark.parametrize("content", ["", "a,b\n", "a,b\n1\n", "a,b\n1,2,3\n", '"a\n1'])
def test_a_table_that_is_cut_off_is_refused(tmp_path, content):
    path = tmp_path / "results/coin/metrics/a.csv"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(ArtefactError) as raised:
        sources.read_rows(path)
    assert raised.value.context["file"] == path


@pytest.mark.parametrize("content", ["[]", "{}", '{"machine": ""}', "{"])
def test_particulars_that_name_no_machine_are_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(ArtefactError):
        sources.machine(path)


def test_labels_that_are_many_or_one_are_not_listed():
    columns = [Column(name, "label", "") for name in ("one", "few", "many")]
    rows = [{"one": "a", "few": str(row % 2), "many": str(row)} for row in range(sources.FEW + 1)]
    assert sources.told_apart(rows, columns)[0] == {"few": ["0", "1"]}


def test_what_to_know_before_quoting_says_what_is_uncertain():
    spread = {"n": 5, "seeds": [1, 2, 3, 4, 5], "level": 0.95}
    words = " ".join(views.knows(record("a", spread=spread, intervals=[0.95], of="five seeds", differs="the card")))
    assert "5 runs, seeds 1, 2, 3, 4, 5; 5 of 100 such intervals" in words
    assert "Of: five seeds." in words and "Differs from the posted run in: the card." in words
    unchecked = views.knows(record("b", "not checked", got=None, needs="a GPU"))
    assert unchecked == ("Nobody has checked it here. It would take: a GPU.",)
    readings = [{"holds": True}, {"holds": False}, {"holds": None}]
    assert "It can be read in 3 ways; it holds in 1 of them." in views.knows(record("c", readings=readings))


def test_a_claim_stands_with_the_first_chart_of_its_section_that_draws_its_table_and_once():
    drawn = {"first": {"t.csv"}, "second": {"t.csv", "u.csv"}}
    records = [record("a", stages={"t.csv": None}), record("b", stages={"u.csv": None}), record("c")]
    cards = {each["id"]: views.card(each, "", "", {}, drawn) for each in records}
    section = post.pages.Section("Result", ("first", "second"), tuple(records))
    laid = post.laid_out(1, section, {name: chart(name) for name in drawn}, cards)
    assert [(block.name, [card.id for card in block.claims]) for block in laid.blocks] == [
        ("first", ["a"]),
        ("second", ["b"]),
    ]
    assert [card.id for card in laid.rest] == ["c"]
    assert cards["a"].charts == ("first", "second")


def test_a_claim_rests_on_the_tables_of_its_rerun_too():
    again = {"verdict": "reproduced", "got": 1, "stages": {"runs.csv": "runs"}, "artefact": "runs.csv: a"}
    card = views.card(
        record("a", stages={"posted.csv": None}, rerun=again, artefact="x"), "", "", {}, {"c": {"runs.csv"}}
    )
    assert card.charts == ("c",) and card.rerun == "reproduced"


@pytest.mark.parametrize("text, message", [("[]", "not a JSON object"), ("{", "not JSON")])
def test_options_that_are_no_json_object_are_named(text, message):
    with pytest.raises(UsageError, match=f"--titles is {message}"):
        layout.json_object(text, "titles")


def test_a_template_that_names_what_is_not_there_is_an_error_and_what_it_shows_is_escaped():
    templates = {"a.html": "<p>{{ text }}</p>", "b.html": "{{ nothing }}"}
    assert layout.render(templates, "a.html", {}, text="<b>&'\"") == "<p>&lt;b&gt;&amp;&#39;&#34;</p>"
    for name in ("b.html", "c.html"):
        with pytest.raises(ArtefactError) as raised:
            layout.render(templates, name, {})
        assert raised.value.context["template"] == name


def test_json_in_a_script_element_cannot_end_it():
    text = layout.as_script({"a": "</script><!--"})
    assert "<" not in text and json.loads(text) == {"a": "</script><!--"}


def test_a_guide_without_the_section_is_refused_and_html_in_it_is_shown(tmp_path):
    path = tmp_path / "guide.md"
    path.write_text("# A\n\n## B\n\n<b>x</b> `y`\n\n| h |\n|---|\n| <i> |\n\n## C\n\nz\n")
    html = pages.section(path, "B")
    assert "&lt;b&gt;x&lt;/b&gt; <code>y</code>" in html and '<th scope="col">h</th>' in html and "z" not in html
    with pytest.raises(ArtefactError) as raised:
        pages.section(path, "D")
    assert raised.value.context == {"file": path, "section": "D"}


def test_the_claims_to_see_first_are_those_of_the_readme_or_the_worst():
    text = "x <!-- claims: b a -->\n<!-- end of claims -->"
    records = [
        record("a"),
        record("b", "does not hold", severity="slip"),
        record("c", "not checked", got=None, needs="y"),
    ]
    assert [each["id"] for each in readme.first(readme.ids(text), records)] == ["b", "a"]
    with pytest.raises(ArtefactError, match="no such claim"):
        readme.first(["zzz"], records)
    templates = layout.read_templates(sorted(TEMPLATES.iterdir()))
    counts = {"charts": 0, "interactive": 0, "tables": 0}
    index = pages.pages(templates, {"coin": "Coins"}, pages.Content(records, counts=counts))["index.html"]
    assert index.index("coin.html#b") < index.index("coin.html#c") < index.index("coin.html#a")


def test_a_post_without_charts_and_claims_of_every_kind_has_a_page():
    templates = layout.read_templates(sorted(TEMPLATES.iterdir()))
    finding = record("d", got=None, verdict=None) | {"kind": str(Kind.FINDING)}
    records = [record("a"), record("b", "not checked", got=None, needs="a card"), finding]
    records.append(record("e", repeats="a") | {"kind": str(Kind.REPEAT)})
    text = post.page("coin", {"coin": "Coins"}, templates, records, "0" * 64, {}, [], {}, {})
    for name in "abde":
        assert text.count(f'id="{name}"') == 1
    assert "Needs a card." in text and "again: holds" in text


def test_with_more_claims_a_page_looks_at_their_records_in_proportion():
    templates = layout.read_templates(sorted(TEMPLATES.iterdir()))
    drawn = [chart("first"), chart("second")]
    about = {each.name: {"caption": "A chart.", "code": "", "tables": ["coin/t"], "measured": []} for each in drawn}

    class Counted(dict):
        looks = 0

        def get(self, *key):
            Counted.looks += 1
            return super().get(*key)

        def __getitem__(self, key):
            Counted.looks += 1
            return super().__getitem__(key)

    def looks(claims: int) -> int:
        Counted.looks = 0
        records = []
        for number in range(claims):
            records.append(Counted(record(f"a{number}", stages={"results/coin/metrics/t.csv": None})))
            records.append(Counted(record(f"b{number}", repeats=f"a{number}") | {"kind": str(Kind.REPEAT)}))
        text = post.page("coin", {"coin": "Coins"}, templates, records, "0" * 64, about, drawn, {}, {})
        assert text.count("Said again") == claims
        return Counted.looks

    few, more, many = looks(10), looks(20), looks(30)
    assert many - more == more - few
