"""What a reader of the pages is promised, in a browser: quiet, complete, readable by all, with scripts on and off."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import pages_helpers
from pages_helpers import PAGES, POSTS, ROOT
from postproof.claims import Kind, pages, show
from postproof.core import files

OPEN_ALL = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
# Drawers are laid out alike: one in eight shows what there is to find in them.
OPEN_SOME = "document.querySelectorAll('details').forEach((each, at) => { each.open = at % 8 === 0; })"
LOAD_ALL = """Promise.all([...document.images].map((image) => {
  image.loading = 'eager';
  return image.decode().then(() => image.naturalWidth);
}))"""


def records_of(post: str) -> list[dict]:
    return show.read(ROOT / f"results/{post}/claims.json")


ALL = [record for post in POSTS for record in show.counted(records_of(post))]
WITH_TWINS = [post for post in POSTS if any((ROOT / f"results/{post}/interactive").glob("*.html"))]


class Links(HTMLParser):
    """Ids and references of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.ids, self.to = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src") and not value.startswith("data:"):
                self.to.append(value)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_nothing_of_a_network_complains_of_nothing_and_fits_a_phone(opened, name):
    for width, scheme in ((1440, "light"), (360, "dark"), (360, "light")):
        page = opened(name, width=width, color_scheme=scheme)
        assert all(page.evaluate(LOAD_ALL)), "an image is empty"
        page.evaluate(OPEN_ALL)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"scrolls sideways at {width} px"
        assert {urlsplit(url).scheme for url in page.asked} <= {"file", "data"}
        assert page.complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file_and_a_place_that_are_there(site, name):
    parsed = {path.name: Links(path.read_text()) for path in site.glob("*.html")}
    here = parsed[f"{name}.html"]
    assert len(here.ids) == len(set(here.ids)), "an id stands twice"
    assert here.to
    for link in here.to:
        parts = urlsplit(link)
        assert not parts.scheme and not parts.netloc, link
        target = (site / unquote(parts.path)).resolve() if parts.path else site / f"{name}.html"
        assert target.exists(), link
        if parts.fragment:
            assert unquote(parts.fragment) in parsed[target.name].ids, link


@pytest.mark.parametrize("post", POSTS)
def test_every_record_of_a_post_stands_in_its_page_and_its_anchor_opens_it(opened, post):
    page = opened(post)
    names = [record["id"] for record in records_of(post)]
    hidden = page.evaluate(
        """async (names) => {
          const missed = [];
          for (const name of names) {
            location.hash = name;
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
            const box = document.getElementById(name)?.getBoundingClientRect();
            if (!box || !box.height || box.bottom < 0 || box.top > innerHeight) missed.push(name);
          }
          return missed;
        }""",
        names,
    )
    assert names and hidden == []


@pytest.mark.parametrize("post", POSTS)
def test_the_page_says_of_each_claim_what_its_record_says(opened, post):
    page = opened(post)
    cards = page.evaluate("""[...document.querySelectorAll('.claim')].map((card) => [card.id,
      card.querySelector('.statement').textContent, card.querySelector('.badge').lastChild.textContent.trim(),
      ...[...card.querySelectorAll('.values dd')].map((each) => each.textContent)])""")
    told = {identifier: rest for identifier, *rest in cards}
    claims = show.counted(records_of(post))
    assert len(cards) == len(claims)
    for record in claims:
        values = [show.said(record), *filter(None, [show.got(record)])]
        expected = [record["statement"], record["verdict"], *values]
        assert [" ".join(text.split()) for text in told[record["id"]]] == [" ".join(text.split()) for text in expected]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_nobody_is_kept_from_reading_a_page(opened, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened(name, color_scheme=scheme, width=360 if scheme == "dark" else 1440)
    if scheme == "light":
        page.evaluate(OPEN_SOME)
    assert violations(axe, page) == []


def violations(axe, page, within: str | None = None) -> list[tuple[str, list[str]]]:
    """What axe objects to in the page, or in the element of a selector: its rule, and the first elements."""
    found = axe.Axe().run(page, context=within).response["violations"]
    return [(each["id"], [node["html"][:200] for node in each["nodes"]][:3]) for each in found]


def test_claims_are_found_by_text_and_by_what_they_are(opened):
    page = opened("claims")
    shown = page.locator("#all-claims tbody tr:visible")
    count = page.locator("#filter-count")
    assert shown.count() == len(ALL)
    page.select_option("[name=verdict]", "does not hold")
    failing = [record for record in ALL if record["verdict"] == "does not hold"]
    assert shown.count() == len(failing) and count.text_content() == f"{len(failing)} claims"
    page.select_option("[name=severity]", "slip")
    assert shown.count() == sum(record["severity"] == "slip" for record in failing)
    page.get_by_role("button", name="Clear").click()
    assert shown.count() == len(ALL)
    page.select_option("[name=post]", POSTS[0])
    page.select_option("[name=evidence]", "mathematics")
    assert shown.count() == sum(
        record["post"] == POSTS[0] and "mathematics" in (record.get("evidence") or []) for record in ALL
    )
    page.select_option("[name=post]", "")
    page.select_option("[name=evidence]", "")
    page.locator("[name=text]").press_sequentially(ALL[0]["statement"][:30].upper())
    assert 1 <= shown.count() < len(ALL)
    assert ALL[0]["statement"] in shown.first.text_content() or shown.count() > 1


def test_a_count_leads_to_the_claims_that_it_counts_and_what_was_chosen_stays_in_the_address(opened):
    page = opened("index")
    link = page.locator("table.numbers a[href*='verdict=']").first
    number = int(link.text_content())
    link.click()
    assert page.locator("#all-claims tbody tr:visible").count() == number
    page.select_option("[name=verdict]", "holds if")
    page.reload()
    assert page.locator("[name=verdict]").input_value() == "holds if"


def test_claims_are_sorted_by_the_keyboard_alone(opened):
    page = opened("claims.html?post=" + POSTS[0])
    head = page.get_by_role("button", name="We get")
    head.focus()
    page.keyboard.press("Enter")
    column = page.locator("#all-claims tbody tr:visible td:nth-child(4)")
    texts = [text.strip() for text in column.all_text_contents()]
    numbers = [float(found[0]) for text in texts if (found := re.match(r"-?[\d.]+(e[+-]?\d+)?", text.replace(",", "")))]
    assert len(numbers) > 3 and numbers == sorted(numbers)
    assert page.get_by_role("columnheader", name="We get").get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert page.get_by_role("columnheader", name="We get").get_attribute("aria-sort") == "descending"
    assert page.evaluate("document.activeElement.textContent") == "We get"


def test_a_drawer_opens_and_a_line_of_it_is_copied_by_mouse_and_by_keyboard(opened):
    page = opened(POSTS[0], permissions=["clipboard-read", "clipboard-write"])
    card = page.locator(".claim").first
    summary, button = card.locator("summary"), card.locator("[data-copy]").last
    assert not button.is_visible()
    summary.click()
    assert button.is_visible()
    summary.focus()
    page.keyboard.press("Enter")
    assert not button.is_visible()
    page.keyboard.press("Enter")
    wanted = button.locator("xpath=preceding-sibling::code").text_content()
    for act in (button.click, lambda: (button.focus(), page.keyboard.press("Enter"))):
        page.evaluate("navigator.clipboard.writeText('')")
        act()
        page.wait_for_function("document.getElementById('said-aloud').textContent === 'Copied'")
        assert page.evaluate("navigator.clipboard.readText()") == wanted
    assert wanted.startswith("postproof, claim") and card.get_attribute("id") in wanted


def test_a_claim_marks_the_chart_that_draws_what_it_rests_on(opened):
    post = next(post for post in POSTS if any((ROOT / f"results/{post}/figures").glob("*.svg")))
    page = opened(post)
    card = page.locator(".block .claim[data-charts]").first
    marked = page.locator("figure.marked")
    assert marked.count() == 0
    card.hover()
    wanted = [f"chart-{name}" for name in card.get_attribute("data-charts").split()]
    ids = marked.evaluate_all("(charts) => charts.map((chart) => chart.id)")
    assert ids and set(ids) == set(wanted)
    page.mouse.move(0, 0)
    assert marked.count() == 0
    card.locator(".anchor").focus()
    assert marked.count() == len(ids)


@pytest.mark.parametrize("post", WITH_TWINS)
def test_charts_come_alive_side_by_side_and_answer_to_the_keyboard(opened, post):
    page = opened(post)
    buttons = page.locator("[data-twin]")
    names = sorted(path.stem for path in (ROOT / f"results/{post}/interactive").glob("*.html"))
    assert buttons.count() == len(names)
    assert not any(url.endswith("charts.js") for url in page.asked), "loaded before anybody asked"
    for name in names:
        figure = page.locator(f"#chart-{name}")
        figure.locator("[data-twin]").click()
        figure.locator("[data-part=chart] svg").wait_for()
        assert not figure.locator("[data-static]").is_visible()
        chart = figure.locator("[data-part=chart]")
        assert page.locator(f"#{chart.get_attribute('aria-describedby')}").is_visible()
        chart.focus()
        page.keyboard.press("ArrowRight")
        tip = figure.locator("[data-part=tip]")
        tip.wait_for()
        assert tip.text_content()
    assert sum(url.endswith("charts.js") for url in page.asked) == 1
    first = page.locator(f"#chart-{names[0]}")
    first.locator("[data-twin]").click()
    assert first.locator("[data-static]").is_visible() and not first.locator("[data-part=chart]").is_visible()
    assert page.complaints == []
    first.locator("[data-twin]").click()
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    assert [violations(axe, page, f"#chart-{name}") for name in names] == [[]] * len(names)


def test_without_scripts_everything_is_there_to_read(opened):
    page = opened("claims", java_script_enabled=False)
    assert page.locator("#all-claims tbody tr:visible").count() == len(ALL)
    assert not page.locator("#filter").is_visible()
    for post in POSTS:
        page = opened(post, java_script_enabled=False)
        claims = show.counted(records_of(post))
        assert page.locator(".claim .statement:visible").count() == len(claims)
        assert page.locator("figure.chart img:visible").count() == len(
            list((ROOT / f"results/{post}/figures").glob("*.svg"))
        )
        assert page.locator(".needs-script:visible").count() == 0
        page.locator(".claim summary").first.click()
        assert page.locator(".claim .facts").first.is_visible()


def test_on_paper_there_is_what_a_reader_needs_and_no_controls(opened):
    page = opened(POSTS[0])
    page.emulate_media(media="print")
    assert page.locator(".claim .statement").first.is_visible()
    assert not page.locator("header nav").is_visible() and page.locator("button:visible").count() == 0


ATTACK = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'></template></article>{{ 7 * 7 }}"


def test_html_and_script_in_a_claim_are_shown_and_not_run(opened, site, tmp_path):
    from postproof.site import families, found, layout, themes
    from postproof.site import pages as others
    from postproof.site import post as of_post

    templates = layout.read_templates(sorted((ROOT / "src/postproof/site/templates").iterdir()))
    record = next(each for each in ALL if each["verdict"] == "holds")
    texts = ("statement", "where", "note", "condition", "reason", "artefact", "of", "unit", "needs")
    hostile = record | dict.fromkeys(texts, ATTACK) | {"post": "hostile", "verdict": "holds if", "expression": [ATTACK]}
    folder = tmp_path / "results/site"
    folder.mkdir(parents=True)
    titles = {"hostile": ATTACK}
    finding = hostile | {"id": "seen_beyond", "kind": str(Kind.FINDING), "verdict": None}
    again = hostile | {"id": "said_again", "kind": str(Kind.REPEAT), "repeats": hostile["id"]}
    everything = [hostile, finding, again, hostile | {"id": "open", "verdict": "not checked", "got": None}]
    group = families.Family("work", "hostile", ATTACK, "README.md", (families.Group(ATTACK, (hostile,), True),), ())
    told = {hostile["id"]: [ATTACK]}
    made = {"hostile.html": of_post.page("hostile", titles, templates, everything, "0" * 64, {}, [], {}, told)}
    row = dict.fromkeys(found.READING, ATTACK) | {"judged": "wrong", "claim": hostile["id"], "verdict": "holds"}
    content = others.Content(
        records=everything,
        families=[group],
        themes=[themes.Theme("hostile", ATTACK, ATTACK, (hostile,), ((ATTACK, group.groups[0]),))],
        first=[hostile["id"]],
        counts={"charts": 0, "interactive": 0, "tables": 0},
        readings=[found.Reading("hostile", 2, 1, 0, 0, 0, None, ((row, hostile),), (row,))],
        rebuilds=[dict.fromkeys(("date_utc", "commit", "processor", "cores", "artefacts", "identical"), ATTACK)
                  | {"seconds": "60"}],
    )  # fmt: skip
    made |= others.pages(templates, titles, content)
    for name, text in made.items():
        (folder / name).write_text(text)
    for name in others.ASSETS:
        (folder / name).write_text(templates[name])
    for name in ("hostile", "index", "claims", "families", "family-hostile", "found"):
        page = opened(name, folder=folder)
        page.evaluate(OPEN_ALL)
        assert page.evaluate("window.hacked") is None and page.complaints == [], name
        assert ATTACK in page.locator("main").text_content(), name
        assert page.locator("main img").count() == 0
    listed = json.loads(opened("hostile", folder=folder).locator("[type='application/ld+json']").text_content())
    assert listed["@graph"][0]["claimReviewed"] == ATTACK
    assert pages.NO_SECTION not in made["hostile.html"]


def test_reviews_rate_what_holds_and_what_does_not_and_nothing_between(site):
    for post in POSTS:
        text = (site / f"{post}.html").read_text()
        graph = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)[1])[
            "@graph"
        ]
        claims = show.counted(records_of(post))
        rated = [review["reviewRating"].get("ratingValue") for review in graph]
        assert rated == [{"holds": 5, "does not hold": 1}.get(record["verdict"]) for record in claims]
        names = [review["reviewRating"]["alternateName"] for review in graph]
        assert names == [show.verdict(record) for record in claims]


def test_a_chart_in_its_frame_names_where_it_is_from_how_it_fares_and_the_commit(opened):
    from postproof.site import history

    for post in POSTS:
        drawn = history.read(ROOT / f"data/history/{post}/charts.csv", history.Drawn)
        page = opened(post)
        margins = page.evaluate("""Object.fromEntries([...document.querySelectorAll('figure.chart')].map((chart) =>
          [chart.id.slice(6), chart.querySelector('.drawing .margin').innerText]))""")
        assert margins and set(margins) >= set(drawn)
        for name, text in margins.items():
            assert f"{post}/{name}" in text and "Tables: " in text, name
            svg = ROOT / f"results/{post}/figures/{name}.svg"
            same = name in drawn and files.sha256(svg) == drawn[name].sha256
            assert same == ("as in commit" in text) and (not same or drawn[name].commit in text), name


def test_programs_find_every_claim_with_its_verdict_and_its_place(site):
    content = json.loads((site / "index.json").read_text())
    assert [(each["id"], each["verdict"]) for each in content["claims"]] == [(r["id"], r["verdict"]) for r in ALL]
    assert [each["name"] for each in content["posts"]] == POSTS
    assert all((site / each["page"].partition("#")[0]).is_file() for each in content["claims"])


def test_the_pages_are_the_same_bytes_whatever_the_hash_seed_and_the_clock(site, tmp_path):
    pages_helpers.make(tmp_path, PYTHONHASHSEED="1", TZ="Asia/Tokyo", LC_ALL="C")
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in Path(site).iterdir()}
