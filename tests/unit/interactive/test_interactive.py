"""Twins of the posted charts: the page's table is the table's cells, the specification draws it, nothing is fetched."""

import dataclasses
import importlib
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import vl_convert
from matplotlib.colors import to_hex

import figures_helpers
from postproof.charts import palette
from postproof.claims import document, show
from postproof.core import strict_yaml, tables
from postproof.core.errors import ArtefactError, ClaimError
from postproof.interactive import bundle, page, told
from postproof.interactive.spec import COLOURS as COLOURS_OF_A_MAP
from postproof.interactive.spec import ON_DARK, shape
from postproof.interactive.twin import Axis, Panel, Series, Twin
from postproof.published.kv_cache import GIB

ROOT = Path(__file__).parents[3]
TWINS = sorted(
    (path.parents[1].name, path.stem)
    for path in (ROOT / "src/postproof").glob("*/interactive/*.py")
    if "def main" in path.read_text()
)
COLOURS = {value for value in vars(palette).values() if isinstance(value, str) and re.fullmatch("#[0-9A-F]{6}", value)}
STEPS = np.linspace(0, 1, COLOURS_OF_A_MAP)
MAPS = {to_hex(colour) for name in ("twilight", "Blues") for colour in matplotlib.colormaps[name](STEPS)}


class Parser(HTMLParser):
    """The table of values, and every address in the page."""

    def __init__(self, text: str):
        super().__init__()
        self.columns, self.rows, self.addresses, self.scripts = [], [], [], []
        self.inside = self.cell = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.addresses += [attributes[name] for name in ("src", "href") if name in attributes]
        self.scripts += [attributes] if tag == "script" else []
        if tag == "table":
            self.inside = attributes.get("id") == "values"
        if self.inside and tag == "th":
            self.columns.append((attributes["data-field"], "data-number" in attributes, ""))
        if self.inside and tag == "tr":
            self.rows.append([])
        if self.inside and tag == "td":
            self.rows[-1].append("")
        self.cell = tag in ("td", "th")

    def handle_endtag(self, tag):
        self.cell = False

    def handle_data(self, data):
        if self.inside and self.cell and self.rows[-1]:
            self.rows[-1][-1] += data
        elif self.inside and self.cell:
            field, is_number, title = self.columns[-1]
            self.columns[-1] = field, is_number, title + data

    def table(self) -> pd.DataFrame:
        frame = pd.DataFrame(self.rows[1:], columns=[title for _, _, title in self.columns])
        for _, is_number, title in self.columns:
            frame[title] = pd.to_numeric(frame[title]) if is_number else frame[title]
        return frame

    def values(self) -> list[dict]:
        """As the script makes them of the table."""
        return [
            {"n": n}
            | {field: (float(cell) if cell else None) if is_number else cell
               for (field, is_number, _), cell in zip(self.columns, row)}
            for n, row in enumerate(self.rows[1:])
        ]  # fmt: skip


def handed(post: str, chart: str) -> list[Path]:
    names = importlib.import_module(f"postproof.{post}.figures.{chart}").TABLES
    return [ROOT / tables.path_of(name) for name in names]


def arguments(post: str, chart: str, out: Path, files: list[Path] | None = None) -> list:
    claims = ROOT / f"claims/{post}.yaml"
    others = strict_yaml.load(claims, ClaimError, numbers_as_text=True).get("others", [])
    return ["--tables", *(files or handed(post, chart)), "--claims", claims,
            "--others", *[ROOT / f"claims/{other}.yaml" for other in others],
            "--records", ROOT / f"results/{post}/claims.json",
            "--caption", "What is <drawn>.", "--out", out]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The text of a twin made of the committed tables."""
    folder, known = tmp_path_factory.mktemp("twins"), {}

    def make(post: str, chart: str) -> str:
        if chart not in known:
            out = folder / f"{chart}.html"
            figures_helpers.run(f"{post}.interactive.{chart}", arguments(post, chart, out))
            known[chart] = out.read_text(encoding="utf-8")
        return known[chart]

    return make


def content(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="twin">(.*?)</script>', text, re.DOTALL)[1])


def turned(value, colours: dict):
    if isinstance(value, dict):
        return {key: turned(each, colours) for key, each in value.items()}
    if isinstance(value, list):
        return [turned(each, colours) for each in value]
    return colours.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("post, chart", TWINS)
def test_the_specification_draws_every_value_on_a_light_and_on_a_dark_page(made, post, chart):
    text = made(post, chart)
    for colours in ({}, content(text)["dark"]):
        spec = turned(content(text)["spec"], colours)
        spec["data"] = {"values": Parser(text).values()}
        svg = vl_convert.vegalite_to_svg(spec, vl_version=bundle.VEGA_LITE)
        assert "NaN" not in svg and "undefined" not in svg
        assert svg.count("<path") >= len(spec["data"]["values"])


@pytest.mark.parametrize("post, chart", TWINS)
def test_all_layers_of_a_panel_have_one_axis(made, post, chart):
    """Vega takes the ticks of the first layer, and warns in the reader's console, where they differ."""
    for panel in content(made(post, chart))["spec"]["hconcat"]:
        encodings = [panel["encoding"], *(layer.get("encoding", {}) for layer in panel["layer"])]
        for channel in ("x", "y"):
            axes = [encoding[channel]["axis"] for encoding in encodings if "axis" in encoding.get(channel, {})]
            assert axes and all(axis == axes[0] for axis in axes)


@pytest.mark.parametrize("post, chart", TWINS)
def test_a_page_asks_nothing_of_the_network_and_runs_the_one_script(made, post, chart):
    text = made(post, chart)
    parsed = Parser(text)
    assert parsed.addresses and not any(re.match(r"[a-z]+:|/", address) for address in parsed.addresses)
    assert set(re.findall(r"https?://[\w./-]+", text)) <= {content(text)["spec"]["$schema"]}
    assert [script.get("src") or script["type"] for script in parsed.scripts] == ["application/json", page.SCRIPT]
    assert f"{page.FIGURES}/{chart}.svg" in parsed.addresses


@pytest.mark.parametrize("post, chart", TWINS)
def test_a_page_says_what_the_static_chart_says(made, post, chart):
    text = made(post, chart)
    says = content(text)["spec"]["description"]
    svg = (ROOT / f"results/{post}/figures/{chart}.svg").read_text(encoding="utf-8")
    assert f"<title>{page.escape(says, quote=False)}</title>" in svg
    said = page.escape(says)
    assert all(part in text for part in (f"<title>{said}</title>", f"<h1>{said}</h1>", f'alt="{said}"'))
    assert "What is &lt;drawn&gt;." in text


@pytest.mark.parametrize("post, chart", TWINS)
def test_colours_are_those_of_the_palette(made, post, chart):
    text = json.dumps(content(made(post, chart))["spec"])
    found = set(re.findall(r"#[0-9a-fA-F]{6}", text))
    assert found <= COLOURS | MAPS and found & COLOURS
    assert ON_DARK.keys() | set(ON_DARK.values()) <= COLOURS


@pytest.mark.parametrize("post, chart", TWINS)
def test_each_series_has_a_switch(made, post, chart):
    text = made(post, chart)
    switches = re.findall(r'<input type="checkbox" name="series" value="([^"]*)" checked>', text)
    series = Parser(text).table()["series"]
    assert [page.escape(name) for name in dict.fromkeys(series)] == switches


@pytest.mark.parametrize("post, chart", TWINS)
def test_a_bad_table_is_an_error_that_names_it(tmp_path, post, chart):
    files = handed(post, chart)
    bad = tmp_path / files[0].name
    bad.write_text(files[0].read_text()[:-1])
    with pytest.raises(ArtefactError, match="cut off"):
        out = tmp_path / f"{chart}.html"
        figures_helpers.run(f"{post}.interactive.{chart}", arguments(post, chart, out, [bad, *files[1:]]))
    assert not out.exists()


def test_posted_values_and_ours_are_the_cells_of_their_tables(made):
    def shown(post: str, chart: str, column: str, series: str) -> list[float]:
        table = Parser(made(post, chart)).table()
        return sorted(table.loc[table["series"].str.contains(series, regex=False), column])

    def cells(path: str, column: str, query: str = "") -> list[float]:
        table = pd.read_csv(ROOT / path)
        return sorted((table.query(query) if query else table)[column])

    race, entropy, metrics = (
        "data/posted/mixtral/race.csv",
        "entropy of expert choices (nats)",
        "results/mixtral/metrics",
    )
    as_posted = "protocol == 'as_posted'"
    for chart, column, title in (
        ("race_val_perplexity", "val_perplexity", "validation perplexity"),
        ("race_train_loss", "train_loss", "training loss (nats per character)"),
    ):
        assert shown("mixtral", chart, title, "the post: ") == cells(race, column)
        assert shown("mixtral", chart, title, "made again") == cells(f"{metrics}/race_reruns.csv", f"{column}_rerun")
        assert shown("mixtral", chart, title, "all seeds") == cells(f"{metrics}/race_as_run.csv", column, as_posted)
    posted = shown("mixtral", "race_matched_axes", "validation perplexity", "the post: ")
    assert Counter(posted) == Counter(3 * cells(race, "val_perplexity"))
    assert shown("mixtral", "router_entropy", entropy, "the post: ") == cells(
        "data/posted/mixtral/router_balance.csv", "entropy"
    )
    of_gpt2 = shown("attention", "head_layer_gradient", "mean entropy (nats)", "the post: ")
    assert of_gpt2 == cells("data/posted/attention/head_layer_gradient.csv", "mean_entropy_nats")
    of_gpt2 = shown("attention", "head_entropy_heatmap", "mean entropy (nats)", "the post: ")
    assert of_gpt2 == cells("data/posted/attention/head_entropy_heatmap.csv", "entropy_nats")
    for series, column in (
        ("table: peak", "peak_mb_table"),
        ("repository", "peak_mb_chart"),
        ("matrix”", "theory_mb_table"),
    ):
        found = shown("attention", "score_memory", "memory (MB)", series)
        assert found == cells("data/posted/attention/score_memory.csv", column)
    at = "llama2", "kv_cache_memory", "keys and values (GiB)"
    posted = shown(*at, "the post")
    assert posted == cells("data/posted/llama2/kv_cache_memory.csv", "cache_gib")
    caches = sorted((Counter(shown(*at, "")) - Counter(posted)).elements())
    assert np.allclose(caches, np.array(cells("results/llama2/metrics/kv_cache_memory.csv", "formula_bytes")) / GIB)
    for series, column in (("GB (", "max_batch_gb"), ("GiB", "max_batch_gib")):
        found = shown("llama2", "kv_max_batch", "sequences at once (log from 1; 0 below)", series)
        assert found == cells("results/llama2/metrics/kv_posted_batch.csv", column)
    angles = shown("llama2", "rope_rotation_angles", "angle (rad, modulo 2π)", "")
    assert angles == cells("results/llama2/metrics/rope_angles.csv", "angle_mod_2pi_rad")
    scores = shown("llama2", "rope_decay", "mean score of unit vectors (log)", "mean of draws")
    assert scores == cells("results/llama2/metrics/rope_decay.csv", "score")


def test_a_claim_is_told_where_its_cell_is_and_where_the_post_shows_its_number(made):
    table = Parser(made("mixtral", "race_val_perplexity")).table()
    record = next(each for each in show.read(ROOT / "results/mixtral/claims.json")
                  if each["id"] == "race_final_perplexity_moe")  # fmt: skip
    with_it = table[table["claims"].str.contains(told.sentence(record), regex=False)]
    assert set(with_it["series"]) == {"the post: 8 experts, top-2", "8 experts, top-2, made again"}
    assert len(with_it) == 2 and with_it["cumulative training FLOPs"].nunique() == 1
    assert record["verdict"] in told.sentence(record) and record["posted"] in told.sentence(record)
    memory = Parser(made("attention", "score_memory")).table()
    theory = memory[memory["series"].str.contains("theoretical")]
    assert "Verdict: does not hold" in theory["claims"].iloc[-1], "one claim speaks of the column, by its last row"


@pytest.fixture
def small():
    rows = pd.DataFrame({"arm": "dense", "step": [2, 3], "seed": 7, "train_loss": [1.5, 2.0]})
    series = Series("</script><b>", palette.POSTED, "mixtral/race", rows, "step", "train_loss", run="seed")
    return Twin("a < b </script>", (Panel(Axis("steps"), Axis("loss"), (series,)),))


def test_no_text_ends_the_script_or_becomes_markup(small):
    post = document.Document("mixtral", "<i>", {}, {}, (), {})
    text = page.page("chart", "</title>", ["mixtral/race"], small, post, [])
    assert text.count("</script>") == 2 and "<b>" not in text and "<i>" not in text
    assert content(text)["spec"]["description"] == small.says
    assert text == page.page("chart", "</title>", ["mixtral/race"], small, post, [])


def test_markers_are_paths_within_a_square():
    for marker in "oxsDd^v<>hpPX*+1":
        path = shape(dataclasses.replace(palette.POSTED, marker=marker))
        numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", path)]
        assert path.startswith("M") and max(map(abs, numbers)) == 1, marker


def test_the_script_is_of_the_pinned_libraries_and_the_same_each_time(tmp_path):
    script = bundle.script(ROOT / "requirements.lock")
    assert script == bundle.script(ROOT / "requirements.lock")
    assert "</script" not in script and "vega" in script.lower()
    other = tmp_path / "requirements.lock"
    other.write_text(f"{bundle.PACKAGE}==0.0.1\n")
    with pytest.raises(ArtefactError, match="other libraries"):
        bundle.script(other)


def test_what_a_page_holds_is_what_the_script_looks_for(small):
    post = document.Document("mixtral", "", {}, {}, (), {})
    text = page.page("chart", "", ["mixtral/race"], small, post, [])
    for name in re.findall(r'byId\("(\w+)"\)', bundle.DRAW):
        assert f'id="{name}"' in text, name
